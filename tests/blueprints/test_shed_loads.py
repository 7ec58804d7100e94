"""The blueprint `shed_loads` brings loads to what `curtail` says, whatever it missed."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from homeassistant.components.climate import HVACMode
from homeassistant.core import CoreState, ServiceRegistry, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_test_home_assistant,
)

from custom_components.voltus.const import DOMAIN
from tests.builders import NOON, at, wire_dispatch
from tests.house import House, Thermostat
from tests.voltus.stage import Stage

FREEZER, PUMP, FAN = "freezer", "pump", "fan"
LOADS = ["switch.freezer", "switch.pump", "switch.fan", "switch.gone"]
HALL = "climate.hall"
STORE = "voltus.saved_states"


@pytest.fixture
def house() -> House:
    """The freezer and the fan run, the pump does not, and it is cool in the hall."""
    return House(
        switches={FREEZER: True, PUMP: False, FAN: True},
        thermostats={"hall": Thermostat(HVACMode.COOL, 22, 23)},
    )


async def automate(stage: Stage, house: House, **inputs: Any) -> None:
    """Move in, set Voltus up and make an automation from the blueprint."""
    await house.move_in(stage.hass)
    await stage.set_up()
    await make_automation(stage, **inputs)


async def make_automation(stage: Stage, **inputs: Any) -> None:
    inputs = {"curtail": stage.entity_id("curtail", "s1"), "loads": LOADS, **inputs}
    blueprint = {"path": "voltus/shed_loads.yaml", "input": inputs}
    automation = {"id": "shed", "alias": "Shed", "use_blueprint": blueprint}
    config = {"automation": [automation]}
    assert await async_setup_component(stage.hass, "automation", config)
    await stage.settle()


async def curtail(stage: Stage, *, on: bool = True, kw: float | None = 100) -> None:
    """Have Voltus ask for curtailment from now on, or for none."""
    dispatch = wire_dispatch(start=NOON, end=at(600), sites={"s1": kw})
    stage.publish(dispatch | {"authorized": on})
    await stage.poll()
    await pass_time(stage)


def now(stage: Stage) -> datetime:
    """What time it is."""
    return stage.freezer.time_to_freeze.replace(tzinfo=UTC)


async def pass_time(stage: Stage, seconds: float = 1) -> None:
    """Let some time pass, and see what the automation makes of it."""
    await stage.move_to(now(stage) + timedelta(seconds=seconds))


async def by_hand(stage: Stage, action: str, entity_id: str, **data: Any) -> None:
    """Do something to a load by hand."""
    domain, name = action.split(".")
    data = {"entity_id": entity_id, **data}
    await stage.hass.services.async_call(domain, name, data, blocking=True)
    await stage.settle()


async def run_again(stage: Stage) -> None:
    """Have the automation run for no reason."""
    stage.hass.bus.async_fire("automation_reloaded")
    await stage.settle()


# What is shed comes back


async def test_sheds_and_puts_back_what_was_on(
    stage: Stage, house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await automate(stage, house)
    assert house.running == [FREEZER, FAN]
    await curtail(stage)
    assert house.running == []
    await curtail(stage, on=False)
    assert house.running == [FREEZER, FAN]
    assert "ERROR" not in caplog.text


async def test_a_whole_dispatch_by_the_clock(stage: Stage, house: House) -> None:
    stage.publish(wire_dispatch(start=at(10), end=at(20)))
    await automate(stage, house)
    for minutes, running in (
        (9.99, [FREEZER, FAN]),
        (10, []),
        (19.99, []),
        (20, [FREEZER, FAN]),
    ):
        await stage.move_to(at(minutes))
        assert house.running == running


async def test_waits_while_the_sensor_is_unavailable(
    stage: Stage, house: House
) -> None:
    await automate(stage, house)
    await curtail(stage)
    entries = stage.hass.config_entries
    await entries.async_unload(stage.entry.entry_id)
    await run_again(stage)
    assert stage.state("curtail", "s1").state == "unavailable"
    assert house.running == []
    await stage.set_up()
    assert house.running == []

    await entries.async_unload(stage.entry.entry_id)
    stage.publish(wire_dispatch(end=now(stage)))
    await stage.set_up()
    assert house.running == [FREEZER, FAN]


async def test_sheds_at_a_start_in_the_middle_of_a_dispatch(
    stage: Stage, house: House
) -> None:
    stage.hass.set_state(CoreState.not_running)
    stage.publish(wire_dispatch())
    await automate(stage, house)
    assert house.running == [FREEZER, FAN]
    await stage.hass.async_start()
    await stage.settle()
    assert house.running == []
    await stage.move_to(at(60))
    assert house.running == [FREEZER, FAN]


async def test_heals_when_automations_are_reloaded(stage: Stage, house: House) -> None:
    stage.publish(wire_dispatch())
    await automate(stage, house)
    assert house.running == [FREEZER, FAN]
    await run_again(stage)
    assert house.running == []


async def test_loses_nothing_when_dispatches_follow_fast(
    stage: Stage, house: House
) -> None:
    await automate(stage, house)
    for _ in range(4):
        stage.publish(wire_dispatch(end=None))
        await stage.entry.runtime_data.async_refresh()
        stage.publish(wire_dispatch(end=NOON, modification_number=1))
        await stage.entry.runtime_data.async_refresh()
    await stage.settle()
    assert house.running == [FREEZER, FAN]
    await curtail(stage)
    assert house.running == []


# Loads that are out of reach, or refuse


async def test_sheds_a_load_that_comes_back_during_a_dispatch(
    stage: Stage, house: House
) -> None:
    await automate(stage, house)
    house.reach(FREEZER, possible=False)
    await curtail(stage)
    house.reach(FREEZER, possible=True)
    await stage.settle()
    assert house.running == []
    await curtail(stage, on=False)
    assert house.running == [FREEZER, FAN]


async def test_puts_back_a_load_that_was_away_at_the_end(
    stage: Stage, house: House
) -> None:
    await automate(stage, house)
    await curtail(stage)
    house.reach(FREEZER, possible=False)
    await curtail(stage, on=False)
    assert house.running == [FAN]
    house.reach(FREEZER, possible=True)
    await stage.settle()
    assert house.running == [FREEZER, FAN]


async def test_a_load_that_refuses_keeps_no_other_from_being_shed_and_put_back(
    stage: Stage, house: House
) -> None:
    await automate(stage, house, set_back=[HALL])
    house.broken = {FREEZER}
    await curtail(stage)
    assert house.running == [FREEZER]
    assert house.thermostats["hall"].aim == 25
    house.broken = set()
    await run_again(stage)
    assert house.running == []

    house.broken = {FREEZER}
    await curtail(stage, on=False)
    assert house.running == [FAN]
    assert house.thermostats["hall"].aim == 22
    house.broken = set()
    await run_again(stage)
    assert house.running == [FREEZER, FAN]


async def test_a_load_taken_off_the_list_while_it_is_down_comes_back(
    stage: Stage, house: House
) -> None:
    await automate(stage, house)
    await curtail(stage)
    await stage.hass.services.async_call(
        "automation", "turn_off", {"entity_id": "automation.shed"}, blocking=True
    )
    await stage.hass.services.async_call(
        DOMAIN, "save_states", {"scope": "shed", "entity_id": LOADS}, blocking=True
    )
    await stage.hass.services.async_call(
        "automation", "turn_on", {"entity_id": "automation.shed"}, blocking=True
    )
    await curtail(stage, on=False)
    assert house.running == [FREEZER, FAN]


# What somebody changes meanwhile


async def test_a_load_switched_on_again_is_left_alone_until_the_next_dispatch(
    stage: Stage, house: House
) -> None:
    await automate(stage, house)
    await curtail(stage)
    await by_hand(stage, "switch.turn_on", "switch.freezer")
    await run_again(stage)
    assert house.running == [FREEZER]
    await curtail(stage, on=False)
    assert house.running == [FREEZER, FAN]
    await curtail(stage)
    assert house.running == []


async def test_a_load_that_was_off_and_is_switched_on_meanwhile_is_left_alone(
    stage: Stage, house: House
) -> None:
    await automate(stage, house)
    await curtail(stage)
    await by_hand(stage, "switch.turn_on", "switch.pump")
    await run_again(stage)
    assert house.running == [PUMP]
    await curtail(stage, on=False)
    assert house.running == [FREEZER, PUMP, FAN]
    await curtail(stage)
    assert house.running == []


async def test_a_load_switched_off_by_hand_after_it_was_switched_on_comes_back(
    stage: Stage, house: House
) -> None:
    """It is as it was left: nobody can tell the one from the other."""
    await automate(stage, house)
    await curtail(stage)
    await by_hand(stage, "switch.turn_on", "switch.freezer")
    await by_hand(stage, "switch.turn_off", "switch.freezer")
    await curtail(stage, on=False)
    assert house.running == [FREEZER, FAN]


# Setting back


@pytest.mark.parametrize(
    ("mode", "aim", "current", "set_back"),
    [
        (HVACMode.COOL, 22, 20, 26),
        (HVACMode.DRY, 22, 20, 26),
        (HVACMode.HEAT, 21, 25, 19),
        (HVACMode.COOL, 28, 20, 30),
        (HVACMode.HEAT, 11, 25, 10),
        (HVACMode.COOL, 30, 32, 30),
        (HVACMode.AUTO, 22, 24, 26),
        (HVACMode.AUTO, 22, 20, 20),
        (HVACMode.HEAT_COOL, (19, 24), 22, (17, 28)),
        (HVACMode.HEAT_COOL, (11, 29), 22, (10, 30)),
        (HVACMode.OFF, 22, 25, 22),
        (HVACMode.COOL, 21.7, 25, 25.5),
    ],
)
async def test_heating_and_cooling_are_set_back_and_brought_back(
    stage: Stage,
    house: House,
    mode: HVACMode,
    aim: float | tuple[float, float],
    current: float,
    set_back: float | tuple[float, float],
) -> None:
    before = Thermostat(mode, aim, current)
    house.thermostats["hall"] = deepcopy(before)
    await automate(stage, house, loads=[], set_back=[HALL], warmer=4, colder=2)
    await curtail(stage)
    assert house.thermostats["hall"] == Thermostat(mode, set_back, current)
    await run_again(stage)
    assert house.thermostats["hall"] == Thermostat(mode, set_back, current)
    await curtail(stage, on=False)
    # It goes in steps of half a degree.
    comes_back = 21.5 if aim == 21.7 else aim
    assert house.thermostats["hall"] == Thermostat(mode, comes_back, current)


async def test_warmth_changes_nothing_about_what_is_put_back(
    stage: Stage, house: House
) -> None:
    await automate(stage, house, loads=[], set_back=[HALL])
    await curtail(stage)
    house.thermostats["hall"].current = 24
    house.tell("hall")
    await curtail(stage, on=False)
    assert house.thermostats["hall"].aim == 22


@pytest.mark.parametrize(
    ("action", "data", "left"),
    [
        (
            "climate.set_temperature",
            {"temperature": 23},
            Thermostat(HVACMode.COOL, 23, 23),
        ),
        ("climate.turn_off", {}, Thermostat(HVACMode.OFF, 25, 23)),
        (
            "climate.set_hvac_mode",
            {"hvac_mode": "heat"},
            Thermostat(HVACMode.HEAT, 25, 23),
        ),
    ],
)
async def test_a_thermostat_set_by_hand_meanwhile_is_left_alone(
    stage: Stage, house: House, action: str, data: dict[str, Any], left: Thermostat
) -> None:
    await automate(stage, house, loads=[], set_back=[HALL])
    await curtail(stage)
    await by_hand(stage, action, HALL, **data)
    await run_again(stage)
    assert house.thermostats["hall"] == left
    await curtail(stage, on=False)
    assert house.thermostats["hall"] == left


async def test_an_air_conditioner_switched_on_meanwhile_is_left_alone(
    stage: Stage, house: House
) -> None:
    house.thermostats["hall"] = Thermostat(HVACMode.OFF, 22, 25)
    await automate(stage, house, loads=[], set_back=[HALL])
    await curtail(stage)
    await by_hand(stage, "climate.set_hvac_mode", HALL, hvac_mode="cool")
    await run_again(stage)
    assert house.thermostats["hall"] == Thermostat(HVACMode.COOL, 22, 25)
    await curtail(stage, on=False)
    assert house.thermostats["hall"] == Thermostat(HVACMode.COOL, 22, 25)


async def test_what_is_to_be_off_is_not_set_back(stage: Stage, house: House) -> None:
    await automate(stage, house, loads=[HALL], set_back=[HALL])
    await curtail(stage)
    assert house.thermostats["hall"] == Thermostat(HVACMode.OFF, 22, 23)
    await curtail(stage, on=False)
    assert house.thermostats["hall"] == Thermostat(HVACMode.COOL, 22, 23)


# Smaller dispatches


async def spare(stage: Stage, house: House) -> None:
    """Spare the fan and the hall below 80 kW."""
    stage.publish()
    await house.move_in(stage.hass)
    await stage.set_up()
    await make_automation(
        stage,
        set_back=[HALL],
        spared=["switch.fan", HALL],
        threshold=80,
        commitment=stage.entity_id("commitment", "s1"),
    )


@pytest.mark.parametrize(
    ("kw", "spared"),
    [(0, True), (79.9, True), (80, False), (100, False), (None, False)],
)
async def test_spares_loads_below_an_amount(
    stage: Stage, house: House, kw: float | None, spared: bool
) -> None:
    await spare(stage, house)
    await curtail(stage, kw=kw)
    assert house.running == ([FAN] if spared else [])
    assert house.thermostats["hall"].aim == (22 if spared else 25)
    await curtail(stage, on=False)
    assert house.running == [FREEZER, FAN]
    assert house.thermostats["hall"].aim == 22


@pytest.mark.parametrize("more", [90, None])
async def test_spared_loads_join_in_when_the_amount_grows_and_stay_down(
    stage: Stage, house: House, more: float | None
) -> None:
    await spare(stage, house)
    for kw, running in ((50, [FAN]), (more, []), (50, [])):
        await curtail(stage, kw=kw)
        assert house.running == running
    await curtail(stage, on=False)
    assert house.running == [FREEZER, FAN]


async def test_spared_loads_wait_while_the_amount_is_unavailable(
    stage: Stage, house: House
) -> None:
    await spare(stage, house)
    commitment = stage.entity_id("commitment", "s1")
    await curtail(stage, kw=50)
    stage.hass.states.async_set(commitment, "unavailable")
    await run_again(stage)
    assert house.running == [FAN]
    stage.hass.states.async_set(commitment, "unknown")
    await stage.settle()
    assert house.running == []


@pytest.mark.parametrize(
    ("amount", "unit", "running"),
    [
        ("70000", "W", [FAN]),
        ("90000", "W", []),
        ("0.07", "MW", [FAN]),
        ("0.09", "MW", []),
    ],
)
async def test_the_amount_may_be_shown_in_another_unit(
    stage: Stage, house: House, amount: str, unit: str, running: list[str]
) -> None:
    await spare(stage, house)
    await curtail(stage, kw=10)
    attributes = {"unit_of_measurement": unit}
    stage.hass.states.async_set(stage.entity_id("commitment", "s1"), amount, attributes)
    await stage.settle()
    assert house.running == running


# Putting back one after another


async def test_loads_come_back_one_after_another(
    stage: Stage, house: House, patience: Callable[[], None]
) -> None:
    await automate(stage, house, set_back=[HALL], pause=30)
    patience()
    await curtail(stage)
    await curtail(stage, on=False)
    assert (house.running, house.thermostats["hall"].aim) == ([FREEZER], 25)
    await pass_time(stage, 27)
    assert (house.running, house.thermostats["hall"].aim) == ([FREEZER], 25)
    await pass_time(stage, 2)
    # The pump was off: nobody waits for it.
    assert (house.running, house.thermostats["hall"].aim) == ([FREEZER, FAN], 25)
    await pass_time(stage, 30)
    assert (house.running, house.thermostats["hall"].aim) == ([FREEZER, FAN], 22)


async def test_a_new_dispatch_ends_the_wait(
    stage: Stage, house: House, patience: Callable[[], None]
) -> None:
    await automate(stage, house, pause=600)
    patience()
    await curtail(stage)
    await curtail(stage, on=False)
    assert house.running == [FREEZER]
    await curtail(stage)
    assert house.running == []
    await curtail(stage, on=False)
    await pass_time(stage, 600)
    assert house.running == [FREEZER, FAN]


async def test_the_wait_goes_on_after_a_restart(
    stage: Stage,
    house: House,
    hass_config_dir: str,
    patience: Callable[[], None],
) -> None:
    await automate(stage, house, pause=30)
    patience()
    await curtail(stage)
    await curtail(stage, on=False)
    assert house.running == [FREEZER]
    async with next_start(stage, hass_config_dir, stage.disk()) as second:
        await start(second, house, pause=30)
        assert house.running == [FREEZER, FAN]


# Killed at any step


@asynccontextmanager
async def next_start(
    stage: Stage, config_dir: str, disk: dict[str, Any]
) -> AsyncIterator[Stage]:
    """Start Home Assistant anew upon what the last one has left on the disk."""
    await stage.hass.config_entries.async_unload(stage.entry.entry_id)
    await stage.settle()
    stage.storage.clear()
    stage.storage.update(disk)
    async with async_test_home_assistant(config_dir=config_dir) as hass:
        hass.data.pop(DATA_CUSTOM_COMPONENTS)
        hass.set_state(CoreState.not_running)
        await hass.config.async_set_time_zone("UTC")
        entry = MockConfigEntry(
            domain=DOMAIN,
            entry_id="account",
            title=stage.entry.title,
            data=stage.entry.data,
        )
        entry.add_to_hass(hass)
        yield Stage(hass, stage.freezer, stage.voltus, stage.url, entry, stage.storage)
        await hass.config_entries.async_unload(entry.entry_id)
        await hass.async_stop(force=True)


async def start(stage: Stage, house: House, **inputs: Any) -> None:
    """Start up with the loads, Voltus and the automation."""
    await automate(stage, house, **inputs)
    await stage.hass.async_start()
    await stage.settle()


@dataclass
class Fate:
    """The actions of one Home Assistant, of which number `last` and all later ones fail.

    That is all a killed one could have done; `disk` is what it has left.
    """

    stage: Stage
    last: int | None = None
    calls: list[str] = field(default_factory=list)
    disk: dict[str, Any] | None = None

    def take_hold(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Come between Home Assistant and its actions from now on."""
        call = ServiceRegistry.async_call
        services = self.stage.hass.services

        async def async_call(
            registry: ServiceRegistry,
            domain: str,
            service: str,
            *args: Any,
            **kwargs: Any,
        ) -> Any:
            if registry is services:
                self._go_on(f"{domain}.{service}")
            return await call(registry, domain, service, *args, **kwargs)

        monkeypatch.setattr(ServiceRegistry, "async_call", async_call)

    @callback
    def _go_on(self, name: str) -> None:
        if len(self.calls) == self.last and self.disk is None:
            self.disk = self.stage.disk()
        if self.disk is not None:
            raise HomeAssistantError("killed")
        self.calls.append(name)


SHED = ["voltus.save_states", "homeassistant.turn_off", "switch.turn_off"]
SET_BACK = ["voltus.save_states", "climate.set_temperature"]
PUT_BACK = ["voltus.restore_states", "switch.turn_on"]
LEFT_ALONE = ["voltus.restore_states"]
BROUGHT_BACK = [
    "voltus.restore_states",
    "climate.set_hvac_mode",
    "climate.set_temperature",
]
CALLS = [
    *SHED,
    *SET_BACK,
    *(*PUT_BACK, *LEFT_ALONE, *PUT_BACK, *LEFT_ALONE, *BROUGHT_BACK, *LEFT_ALONE),
]
INPUTS: dict[str, Any] = {"set_back": [HALL], "pause": 30}


async def live_through(stage: Stage, until: Callable[[], bool]) -> None:
    """Let ten minutes pass in steps, to the end or until something has happened."""
    for minutes in (1, 2, 5, 8, 9, 9.6, 10.2, 10.8):
        if until():
            return
        if at(minutes) > now(stage):
            await stage.move_to(at(minutes))


def is_down(house: House) -> bool:
    return not house.running and house.thermostats["hall"].aim == 25


async def test_the_steps_of_a_dispatch(
    stage: Stage,
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    patience: Callable[[], None],
) -> None:
    stage.publish(wire_dispatch(start=at(1), end=at(9)))
    await automate(stage, house, **INPUTS)
    fate = Fate(stage)
    fate.take_hold(monkeypatch)
    patience()
    await live_through(stage, until=lambda: False)
    assert fate.calls == CALLS


@pytest.mark.parametrize("minutes_down", [0, 60])
@pytest.mark.parametrize("last", range(len(CALLS)), ids=lambda n: f"{n}-{CALLS[n]}")
async def test_a_kill_at_any_step_loses_nothing(
    stage: Stage,
    house: House,
    hass_config_dir: str,
    monkeypatch: pytest.MonkeyPatch,
    patience: Callable[[], None],
    last: int,
    minutes_down: int,
) -> None:
    before = deepcopy((house.switches, house.thermostats))
    stage.publish(wire_dispatch(start=at(1), end=at(9)))
    await automate(stage, house, **INPUTS)
    fate = Fate(stage, last)
    fate.take_hold(monkeypatch)
    patience()
    await live_through(stage, until=lambda: fate.disk is not None)
    assert fate.disk

    async with next_start(stage, hass_config_dir, fate.disk) as second:
        stage.freezer.tick(timedelta(minutes=minutes_down))
        await start(second, house, **INPUTS)
        while second.curtails("s1"):
            assert is_down(house)
            await pass_time(second, 60)
        for _ in range(4):
            await pass_time(second, 31)
        assert (house.switches, house.thermostats) == before
        assert not second.storage.get(STORE, {}).get("data")
