"""Loads that outlive Home Assistant, as real ones do."""

from dataclasses import dataclass, field
from typing import Any, override

from homeassistant.components.climate import (
    ClimateEntity,
    ClimateEntityFeature,
    HVACMode,
)
from homeassistant.components.number import NumberEntity
from homeassistant.components.switch import SwitchEntity
from homeassistant.const import UnitOfTemperature
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.entity import Entity
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import (
    MockModule,
    mock_integration,
    setup_test_component_platform,
)

TURN_ON_OFF = ClimateEntityFeature.TURN_ON | ClimateEntityFeature.TURN_OFF


@dataclass
class Thermostat:
    """What a thermostat is set to; `aim` is one temperature, or from and to."""

    mode: HVACMode = HVACMode.COOL
    aim: float | tuple[float, float] = 22
    current: float = 22


@dataclass
class FakeLoads:
    """Switches, thermostats and numbers by name, and those that are out of reach."""

    switches: dict[str, bool] = field(default_factory=dict)
    thermostats: dict[str, Thermostat] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    entities: dict[str, Entity] = field(default_factory=dict)

    @property
    def running(self) -> list[str]:
        """The switches that are on."""
        return [name for name, on in self.switches.items() if on]

    async def add_to_hass(self, hass: HomeAssistant) -> None:
        """Give Home Assistant an entity for each load."""
        mock_integration(hass, MockModule("test"))
        rooms: dict[str, list[Entity]] = {
            "switch": [Switch(self, name) for name in self.switches],
            "climate": [Climate(self, name) for name in self.thermostats],
            "number": [Number(self, name) for name in self.numbers],
        }
        for domain, entities in rooms.items():
            setup_test_component_platform(hass, domain, entities)
            config = {domain: {"platform": "test"}}
            assert await async_setup_component(hass, domain, config)
            self.entities |= {str(entity.name): entity for entity in entities}
        assert await async_setup_component(hass, "homeassistant", {})
        await hass.async_block_till_done()

    def tell(self, name: str) -> None:
        """Have Home Assistant see how a load is now."""
        self.entities[name].async_write_ha_state()

    def reach(self, name: str, *, possible: bool) -> None:
        """Have a load drop out, or come back."""
        (self.absent.discard if possible else self.absent.add)(name)
        self.tell(name)

    def refuse(self, name: str) -> None:
        """Raise if the load does not do what it is told."""
        if name in self.broken:
            raise HomeAssistantError(f"{name} does not answer")


class Load(Entity):
    """One of the loads, by its name."""

    _attr_should_poll = False

    def __init__(self, loads: FakeLoads, name: str) -> None:
        """Belong to these loads."""
        self.loads = loads
        self._attr_name = name

    @property
    @override
    def available(self) -> bool:
        return self._attr_name not in self.loads.absent


class Switch(Load, SwitchEntity):
    """A load that is on or off."""

    @property
    @override
    def is_on(self) -> bool:
        return self.loads.switches[str(self._attr_name)]

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        self._turn(on=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        self._turn(on=False)

    def _turn(self, *, on: bool) -> None:
        self.loads.refuse(str(self._attr_name))
        self.loads.switches[str(self._attr_name)] = on
        self.async_write_ha_state()


class Number(Load, NumberEntity):
    """A value to be set."""

    _attr_native_min_value = 0
    _attr_native_max_value = 500_000

    @property
    @override
    def native_value(self) -> float:
        return self.loads.numbers[str(self._attr_name)]

    @override
    async def async_set_native_value(self, value: float) -> None:
        self.loads.numbers[str(self._attr_name)] = value
        self.async_write_ha_state()


class Climate(Load, ClimateEntity):
    """A thermostat with steps of half a degree."""

    _attr_temperature_unit = UnitOfTemperature.CELSIUS
    _attr_hvac_modes = [*HVACMode]
    _attr_supported_features = (
        TURN_ON_OFF
        | ClimateEntityFeature.TARGET_TEMPERATURE
        | ClimateEntityFeature.TARGET_TEMPERATURE_RANGE
    )
    _attr_min_temp = 10
    _attr_max_temp = 30

    @property
    def _thermostat(self) -> Thermostat:
        return self.loads.thermostats[str(self._attr_name)]

    @property
    @override
    def hvac_mode(self) -> HVACMode:
        return self._thermostat.mode

    @property
    @override
    def current_temperature(self) -> float:
        return self._thermostat.current

    @property
    @override
    def target_temperature(self) -> float | None:
        aim = self._thermostat.aim
        return None if isinstance(aim, tuple) else aim

    @property
    @override
    def target_temperature_low(self) -> float | None:
        aim = self._thermostat.aim
        return aim[0] if isinstance(aim, tuple) else None

    @property
    @override
    def target_temperature_high(self) -> float | None:
        aim = self._thermostat.aim
        return aim[1] if isinstance(aim, tuple) else None

    @override
    async def async_set_hvac_mode(self, hvac_mode: HVACMode) -> None:
        self._thermostat.mode = hvac_mode
        self.async_write_ha_state()

    @override
    async def async_turn_off(self) -> None:
        await self.async_set_hvac_mode(HVACMode.OFF)

    @override
    async def async_set_temperature(self, **kwargs: Any) -> None:
        if "temperature" in kwargs:
            self._thermostat.aim = round(kwargs["temperature"] * 2) / 2
        else:
            low, high = kwargs["target_temp_low"], kwargs["target_temp_high"]
            self._thermostat.aim = (low, high)
        self.async_write_ha_state()
