"""Loads that outlive Home Assistant, as real ones do."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, override

from homeassistant.components.climate import (
    ClimateEntity,
    ClimateEntityFeature,
    HVACMode,
)
from homeassistant.components.cover import CoverEntity, CoverEntityFeature
from homeassistant.components.light import ColorMode, LightEntity
from homeassistant.components.number import NumberEntity
from homeassistant.components.select import SelectEntity
from homeassistant.components.switch import SwitchEntity
from homeassistant.const import UnitOfTemperature
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.event import async_call_later
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
class Habits:
    """How a load behaves that does not simply do what it is told.

    The next `fails` commands fail, as over a radio that is busy; while it `hangs`, none
    ever returns. It reports `late` seconds after it did something, as what is polled
    does; a thermostat that `echoes` shows at once what it was told, and `late` what it
    has made of it; one that goes `in_steps` shows its mode first, and `late` the rest.
    """

    fails: int = 0
    hangs: bool = False
    late: float = 0
    echoes: bool = False
    in_steps: bool = False


@dataclass
class FakeLoads:
    """Loads by name, those that are out of reach, and those nobody knows the state of.

    A switch is on or off, a light is as bright as it is or off (0), a cover is open or
    not, a select is at an option. `commands` is what was told to whom, in order.
    """

    switches: dict[str, bool] = field(default_factory=dict)
    thermostats: dict[str, Thermostat] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    lights: dict[str, int] = field(default_factory=dict)
    covers: dict[str, bool] = field(default_factory=dict)
    selects: dict[str, str] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    habits: defaultdict[str, Habits] = field(
        default_factory=lambda: defaultdict(Habits)
    )
    hanging: int = 0
    commands: list[tuple[str, str]] = field(default_factory=list)
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
            "light": [Light(self, name) for name in self.lights],
            "cover": [Cover(self, name) for name in self.covers],
            "select": [Select(self, name) for name in self.selects],
        }
        for domain, entities in rooms.items():
            if not entities:
                continue
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

    async def obey(self, name: str, command: str) -> None:
        """Do what a command does to a load before it does anything.

        Raises HomeAssistantError if it fails.
        """
        habits = self.habits[name]
        self.commands.append((name, command))
        if habits.hangs:
            self.hanging += 1
            try:
                await asyncio.Event().wait()
            finally:
                self.hanging -= 1
        if name in self.broken or habits.fails > 0:
            habits.fails -= 1
            raise HomeAssistantError(f"{name} does not answer")
        self.unknown.discard(name)


class Load(Entity):
    """One of the loads, by its name."""

    _attr_should_poll = False

    def __init__(self, loads: FakeLoads, name: str) -> None:
        """Belong to these loads."""
        self.loads = loads
        self.load_name = name
        self._attr_name = name

    @property
    @override
    def available(self) -> bool:
        return self.load_name not in self.loads.absent

    @property
    def habits(self) -> Habits:
        """How this one behaves."""
        return self.loads.habits[self.load_name]

    @callback
    def report(self, *, late: bool | None = None) -> None:
        """Show how the load is now, or, if that is its habit, later."""
        if self.habits.late and late is not False:
            async_call_later(self.hass, self.habits.late, self._report)
        else:
            self.async_write_ha_state()

    @callback
    def _report(self, _now: datetime) -> None:
        self.async_write_ha_state()


class Switch(Load, SwitchEntity):
    """A load that is on or off."""

    @property
    @override
    def is_on(self) -> bool | None:
        if self.load_name in self.loads.unknown:
            return None
        return self.loads.switches[self.load_name]

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        await self._turn(on=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        await self._turn(on=False)

    async def _turn(self, *, on: bool) -> None:
        await self.loads.obey(self.load_name, "on" if on else "off")
        self.loads.switches[self.load_name] = on
        self.report()


class Light(Load, LightEntity):
    """A lamp that dims."""

    _attr_color_mode = ColorMode.BRIGHTNESS

    @property
    @override
    def supported_color_modes(self) -> set[ColorMode]:
        return {ColorMode.BRIGHTNESS}

    @property
    @override
    def brightness(self) -> int:
        return self.loads.lights[self.load_name]

    @property
    @override
    def is_on(self) -> bool:
        return self.brightness > 0

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        await self.loads.obey(self.load_name, "on")
        self.loads.lights[self.load_name] = kwargs.get("brightness", 255)
        self.report()

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        await self.loads.obey(self.load_name, "off")
        self.loads.lights[self.load_name] = 0
        self.report()


class Cover(Load, CoverEntity):
    """A shutter that lets the sun in or not."""

    _attr_supported_features = CoverEntityFeature.OPEN | CoverEntityFeature.CLOSE

    @property
    @override
    def is_closed(self) -> bool:
        return not self.loads.covers[self.load_name]

    @override
    async def async_open_cover(self, **kwargs: Any) -> None:
        await self.loads.obey(self.load_name, "open")
        self.loads.covers[self.load_name] = True
        self.report()

    @override
    async def async_close_cover(self, **kwargs: Any) -> None:
        await self.loads.obey(self.load_name, "close")
        self.loads.covers[self.load_name] = False
        self.report()


class Select(Load, SelectEntity):
    """A heat pump with modes of its own."""

    @property
    @override
    def options(self) -> list[str]:
        return ["eco", "comfort", "boost"]

    @property
    @override
    def current_option(self) -> str:
        return self.loads.selects[self.load_name]

    @override
    async def async_select_option(self, option: str) -> None:
        await self.loads.obey(self.load_name, option)
        self.loads.selects[self.load_name] = option
        self.report()


class Number(Load, NumberEntity):
    """A value to be set."""

    _attr_native_min_value = 0
    _attr_native_max_value = 500_000

    @property
    @override
    def native_value(self) -> float:
        return self.loads.numbers[self.load_name]

    @override
    async def async_set_native_value(self, value: float) -> None:
        await self.loads.obey(self.load_name, str(value))
        self.loads.numbers[self.load_name] = value
        self.report()


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
        return self.loads.thermostats[self.load_name]

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
        await self.loads.obey(self.load_name, hvac_mode)
        self._thermostat.mode = hvac_mode
        self.report()

    @override
    async def async_turn_off(self) -> None:
        await self.async_set_hvac_mode(HVACMode.OFF)

    @override
    async def async_set_temperature(self, **kwargs: Any) -> None:
        await self.loads.obey(self.load_name, "set")
        if "temperature" not in kwargs:
            low, high = kwargs["target_temp_low"], kwargs["target_temp_high"]
            self._thermostat.aim = (low, high)
        elif self.habits.in_steps:
            self._thermostat.mode = HVACMode.HEAT
            self.report(late=False)
            self._thermostat.aim = round(kwargs["temperature"])
        else:
            if self.habits.echoes:
                self._thermostat.aim = kwargs["temperature"]
                self.report(late=False)
            self._thermostat.aim = round(kwargs["temperature"] * 2) / 2
        self.report()
