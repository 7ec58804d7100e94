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
from tests.blueprints.conftest import end_automations
from tests.builders import NOON, at, wire_dispatch
from tests.fake_loads import FakeLoads, Thermostat
from tests.voltus.harness import Harness

FREEZER, PUMP, FAN = "freezer", "pump", "fan"
LOADS = ["switch.freezer", "switch.pump", "switch.fan", "switch.gone"]
HALL = "climate.hall"
STORE = "voltus.loads"
SETTLED = 20
"""Seconds after which what a load reports is no answer to a command any more."""


@pytest.fixture
def fake_loads() -> FakeLoads:
    """The freezer and the fan run, the pump does not, and it is cool in the hall."""
    return FakeLoads(
        switches={FREEZER: True, PUMP: False, FAN: True},
        thermostats={"hall": Thermostat(HVACMode.COOL, 22, 23)},
    )


async def automate(harness: Harness, fake_loads: FakeLoads, **inputs: Any) -> None:
    """Move in, set Voltus up and make an automation from the blueprint."""
    await fake_loads.add_to_hass(harness.hass)
    await harness.set_up()
    await make_automation(harness, **inputs)


async def make_automation(harness: Harness, **inputs: Any) -> None:
    inputs = {"curtail": harness.entity_id("curtail", "s1"), "loads": LOADS, **inputs}
    blueprint = {"path": "voltus/shed_loads.yaml", "input": inputs}
    automation = {"id": "shed", "alias": "Shed", "use_blueprint": blueprint}
    config = {"automation": [automation]}
    assert await async_setup_component(harness.hass, "automation", config)
    await harness.settle()


async def curtail(harness: Harness, *, on: bool = True, kw: float | None = 100) -> None:
    """Have Voltus ask for curtailment from now on, or for none."""
    dispatch = wire_dispatch(start=NOON, end=at(600), sites={"s1": kw})
    harness.publish(dispatch | {"authorized": on})
    await harness.poll()
    await pass_time(harness)


def now(harness: Harness) -> datetime:
    """What time it is."""
    return harness.freezer.time_to_freeze.replace(tzinfo=UTC)


async def pass_time(harness: Harness, seconds: float = 1) -> None:
    """Let some time pass, and see what the automation makes of it."""
    await harness.move_to(now(harness) + timedelta(seconds=seconds))


async def by_hand(harness: Harness, action: str, entity_id: str, **data: Any) -> None:
    """Do something to a load by hand, once it has settled."""
    await pass_time(harness, SETTLED)
    domain, name = action.split(".")
    data = {"entity_id": entity_id, **data}
    await harness.hass.services.async_call(domain, name, data, blocking=True)
    await harness.settle()


async def shed(harness: Harness, scope: str, *entity_ids: str) -> None:
    """Have a scope hold loads down."""
    data = {"scope": scope, "entity_id": list(entity_ids)}
    await harness.hass.services.async_call(DOMAIN, "shed", data, blocking=True)
    await harness.settle()


async def switch_automation(harness: Harness, *, on: bool) -> None:
    """Switch the automation on or off."""
    data = {"entity_id": "automation.shed"}
    name = "turn_on" if on else "turn_off"
    await harness.hass.services.async_call("automation", name, data, blocking=True)
    await harness.settle()


async def run_again(harness: Harness) -> None:
    """Have the automation run for no reason."""
    harness.hass.bus.async_fire("automation_reloaded")
    await harness.settle()


# What is shed comes back


async def test_sheds_and_puts_back_what_was_on(
    harness: Harness, fake_loads: FakeLoads, caplog: pytest.LogCaptureFixture
) -> None:
    await automate(harness, fake_loads)
    assert fake_loads.running == [FREEZER, FAN]
    await curtail(harness)
    assert fake_loads.running == []
    await curtail(harness, on=False)
    assert fake_loads.running == [FREEZER, FAN]
    assert "ERROR" not in caplog.text


async def test_a_whole_dispatch_by_the_clock(
    harness: Harness, fake_loads: FakeLoads
) -> None:
    harness.publish(wire_dispatch(start=at(10), end=at(20)))
    await automate(harness, fake_loads)
    for minutes, running in (
        (9.99, [FREEZER, FAN]),
        (10, []),
        (19.99, []),
        (20, [FREEZER, FAN]),
    ):
        await harness.move_to(at(minutes))
        assert fake_loads.running == running


async def test_waits_while_the_sensor_is_unavailable(
    harness: Harness, fake_loads: FakeLoads
) -> None:
    await automate(harness, fake_loads)
    await curtail(harness)
    entries = harness.hass.config_entries
    await entries.async_unload(harness.entry.entry_id)
    await run_again(harness)
    assert harness.state("curtail", "s1").state == "unavailable"
    assert fake_loads.running == []
    await harness.set_up()
    assert fake_loads.running == []

    await entries.async_unload(harness.entry.entry_id)
    harness.publish(wire_dispatch(end=now(harness)))
    await harness.set_up()
    assert fake_loads.running == [FREEZER, FAN]


async def test_sheds_at_a_start_in_the_middle_of_a_dispatch(
    harness: Harness, fake_loads: FakeLoads
) -> None:
    harness.hass.set_state(CoreState.not_running)
    harness.publish(wire_dispatch())
    await automate(harness, fake_loads)
    assert fake_loads.running == [FREEZER, FAN]
    await harness.hass.async_start()
    await harness.settle()
    assert fake_loads.running == []
    await harness.move_to(at(60))
    assert fake_loads.running == [FREEZER, FAN]


async def test_heals_when_automations_are_reloaded(
    harness: Harness, fake_loads: FakeLoads
) -> None:
    harness.publish(wire_dispatch())
    await automate(harness, fake_loads)
    assert fake_loads.running == [FREEZER, FAN]
    await run_again(harness)
    assert fake_loads.running == []


async def test_loses_nothing_when_dispatches_follow_fast(
    harness: Harness, fake_loads: FakeLoads
) -> None:
    await automate(harness, fake_loads)
    for name in ("e1", "e2", "e3", "e4"):
        harness.publish(wire_dispatch(name, end=None))
        await harness.entry.runtime_data.async_refresh()
        harness.publish(wire_dispatch(name, end=NOON, modification_number=1))
        await harness.entry.runtime_data.async_refresh()
    await harness.settle()
    assert fake_loads.running == [FREEZER, FAN]
    await curtail(harness)
    assert fake_loads.running == []


# Loads that are out of reach, or refuse


async def test_sheds_a_load_that_comes_back_during_a_dispatch(
    harness: Harness, fake_loads: FakeLoads
) -> None:
    await automate(harness, fake_loads)
    fake_loads.reach(FREEZER, possible=False)
    await curtail(harness)
    fake_loads.reach(FREEZER, possible=True)
    await harness.settle()
    assert fake_loads.running == []
    await curtail(harness, on=False)
    assert fake_loads.running == [FREEZER, FAN]


async def test_puts_back_a_load_that_was_away_at_the_end(
    harness: Harness, fake_loads: FakeLoads
) -> None:
    await automate(harness, fake_loads)
    await curtail(harness)
    fake_loads.reach(FREEZER, possible=False)
    await curtail(harness, on=False)
    assert fake_loads.running == [FAN]
    fake_loads.reach(FREEZER, possible=True)
    await harness.settle()
    assert fake_loads.running == [FREEZER, FAN]


async def test_a_load_that_refuses_keeps_no_other_from_being_shed_and_put_back(
    harness: Harness, fake_loads: FakeLoads
) -> None:
    await automate(harness, fake_loads, set_back=[HALL])
    fake_loads.broken = {FREEZER}
    await curtail(harness)
    assert fake_loads.running == [FREEZER]
    assert fake_loads.thermostats["hall"].aim == 25
    fake_loads.broken = set()
    await pass_time(harness, 10)
    assert fake_loads.running == []

    fake_loads.broken = {FREEZER}
    await curtail(harness, on=False)
    assert fake_loads.running == [FAN]
    assert fake_loads.thermostats["hall"].aim == 22
    fake_loads.broken = set()
    await pass_time(harness, 10)
    assert fake_loads.running == [FREEZER, FAN]


async def test_a_load_taken_off_the_list_while_it_is_down_comes_back(
    harness: Harness, fake_loads: FakeLoads
) -> None:
    await automate(harness, fake_loads)
    await shed(harness, "shed", "climate.hall")
    await curtail(harness)
    assert fake_loads.thermostats["hall"].mode is HVACMode.OFF
    await curtail(harness, on=False)
    assert fake_loads.thermostats["hall"].mode is HVACMode.COOL


async def test_switched_on_in_the_middle_the_automation_sheds_within_a_minute(
    harness: Harness, fake_loads: FakeLoads
) -> None:
    await automate(harness, fake_loads)
    await switch_automation(harness, on=False)
    await curtail(harness)
    assert fake_loads.running == [FREEZER, FAN]
    await switch_automation(harness, on=True)
    await pass_time(harness, 60)
    assert fake_loads.running == []


async def test_switched_on_after_the_end_the_automation_brings_back(
    harness: Harness, fake_loads: FakeLoads
) -> None:
    await automate(harness, fake_loads)
    await curtail(harness)
    await switch_automation(harness, on=False)
    await curtail(harness, on=False)
    await pass_time(harness, 3600)
    assert fake_loads.running == []
    await switch_automation(harness, on=True)
    await pass_time(harness, 60)
    assert fake_loads.running == [FREEZER, FAN]


async def test_once_switched_on_it_looks_no_more_than_once(
    harness: Harness, fake_loads: FakeLoads
) -> None:
    await automate(harness, fake_loads)
    await switch_automation(harness, on=False)
    await switch_automation(harness, on=True)
    await pass_time(harness, 60)
    triggered = harness.hass.states.get("automation.shed")
    assert triggered
    for _ in range(5):
        await pass_time(harness, 60)
    assert harness.hass.states.get("automation.shed") == triggered


# What somebody changes meanwhile


async def test_a_load_switched_on_again_is_left_alone_until_the_next_dispatch(
    harness: Harness, fake_loads: FakeLoads
) -> None:
    await automate(harness, fake_loads)
    await curtail(harness)
    await by_hand(harness, "switch.turn_on", "switch.freezer")
    await run_again(harness)
    assert fake_loads.running == [FREEZER]
    await curtail(harness, on=False)
    assert fake_loads.running == [FREEZER, FAN]
    await curtail(harness)
    assert fake_loads.running == []


async def test_a_load_that_was_off_and_is_switched_on_meanwhile_is_left_alone(
    harness: Harness, fake_loads: FakeLoads
) -> None:
    await automate(harness, fake_loads)
    await curtail(harness)
    await by_hand(harness, "switch.turn_on", "switch.pump")
    await run_again(harness)
    assert fake_loads.running == [PUMP]
    await curtail(harness, on=False)
    assert fake_loads.running == [FREEZER, PUMP, FAN]
    await curtail(harness)
    assert fake_loads.running == []


async def test_a_load_switched_on_and_off_again_by_hand_stays_off(
    harness: Harness, fake_loads: FakeLoads
) -> None:
    await automate(harness, fake_loads)
    await curtail(harness)
    await by_hand(harness, "switch.turn_on", "switch.freezer")
    await by_hand(harness, "switch.turn_off", "switch.freezer")
    await curtail(harness, on=False)
    assert fake_loads.running == [FAN]


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
    harness: Harness,
    fake_loads: FakeLoads,
    mode: HVACMode,
    aim: float | tuple[float, float],
    current: float,
    set_back: float | tuple[float, float],
) -> None:
    before = Thermostat(mode, aim, current)
    fake_loads.thermostats["hall"] = deepcopy(before)
    await automate(harness, fake_loads, loads=[], set_back=[HALL], warmer=4, colder=2)
    await curtail(harness)
    assert fake_loads.thermostats["hall"] == Thermostat(mode, set_back, current)
    await run_again(harness)
    assert fake_loads.thermostats["hall"] == Thermostat(mode, set_back, current)
    await curtail(harness, on=False)
    # It goes in steps of half a degree.
    comes_back = 21.5 if aim == 21.7 else aim
    assert fake_loads.thermostats["hall"] == Thermostat(mode, comes_back, current)


async def test_warmth_changes_nothing_about_what_is_put_back(
    harness: Harness, fake_loads: FakeLoads
) -> None:
    await automate(harness, fake_loads, loads=[], set_back=[HALL])
    await curtail(harness)
    fake_loads.thermostats["hall"].current = 24
    fake_loads.tell("hall")
    await curtail(harness, on=False)
    assert fake_loads.thermostats["hall"].aim == 22


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
    harness: Harness,
    fake_loads: FakeLoads,
    action: str,
    data: dict[str, Any],
    left: Thermostat,
) -> None:
    await automate(harness, fake_loads, loads=[], set_back=[HALL])
    await curtail(harness)
    await by_hand(harness, action, HALL, **data)
    await run_again(harness)
    assert fake_loads.thermostats["hall"] == left
    await curtail(harness, on=False)
    assert fake_loads.thermostats["hall"] == left


async def test_an_air_conditioner_switched_on_meanwhile_is_left_alone(
    harness: Harness, fake_loads: FakeLoads
) -> None:
    fake_loads.thermostats["hall"] = Thermostat(HVACMode.OFF, 22, 25)
    await automate(harness, fake_loads, loads=[], set_back=[HALL])
    await curtail(harness)
    await by_hand(harness, "climate.set_hvac_mode", HALL, hvac_mode="cool")
    await run_again(harness)
    assert fake_loads.thermostats["hall"] == Thermostat(HVACMode.COOL, 22, 25)
    await curtail(harness, on=False)
    assert fake_loads.thermostats["hall"] == Thermostat(HVACMode.COOL, 22, 25)


async def test_what_is_to_be_off_is_not_set_back(
    harness: Harness, fake_loads: FakeLoads
) -> None:
    await automate(harness, fake_loads, loads=[HALL], set_back=[HALL])
    await curtail(harness)
    assert fake_loads.thermostats["hall"] == Thermostat(HVACMode.OFF, 22, 23)
    await curtail(harness, on=False)
    assert fake_loads.thermostats["hall"] == Thermostat(HVACMode.COOL, 22, 23)


# Smaller dispatches


async def spare(harness: Harness, fake_loads: FakeLoads) -> None:
    """Spare the fan and the hall below 80 kW."""
    harness.publish()
    await fake_loads.add_to_hass(harness.hass)
    await harness.set_up()
    await make_automation(
        harness,
        set_back=[HALL],
        spared=["switch.fan", HALL],
        threshold=80,
        commitment=harness.entity_id("commitment", "s1"),
    )


@pytest.mark.parametrize(
    ("kw", "spared"),
    [(0, True), (79.9, True), (80, False), (100, False), (None, False)],
)
async def test_spares_loads_below_an_amount(
    harness: Harness, fake_loads: FakeLoads, kw: float | None, spared: bool
) -> None:
    await spare(harness, fake_loads)
    await curtail(harness, kw=kw)
    assert fake_loads.running == ([FAN] if spared else [])
    assert fake_loads.thermostats["hall"].aim == (22 if spared else 25)
    await curtail(harness, on=False)
    assert fake_loads.running == [FREEZER, FAN]
    assert fake_loads.thermostats["hall"].aim == 22


@pytest.mark.parametrize("more", [90, None])
async def test_spared_loads_join_in_when_the_amount_grows_and_stay_down(
    harness: Harness, fake_loads: FakeLoads, more: float | None
) -> None:
    await spare(harness, fake_loads)
    for kw, running in ((50, [FAN]), (more, []), (50, [])):
        await curtail(harness, kw=kw)
        assert fake_loads.running == running
    await curtail(harness, on=False)
    assert fake_loads.running == [FREEZER, FAN]


async def test_spared_loads_wait_while_the_amount_is_unavailable(
    harness: Harness, fake_loads: FakeLoads
) -> None:
    await spare(harness, fake_loads)
    commitment = harness.entity_id("commitment", "s1")
    await curtail(harness, kw=50)
    harness.hass.states.async_set(commitment, "unavailable")
    await run_again(harness)
    assert fake_loads.running == [FAN]
    harness.hass.states.async_set(commitment, "unknown")
    await harness.settle()
    assert fake_loads.running == []


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
    harness: Harness, fake_loads: FakeLoads, amount: str, unit: str, running: list[str]
) -> None:
    await spare(harness, fake_loads)
    await curtail(harness, kw=10)
    attributes = {"unit_of_measurement": unit}
    harness.hass.states.async_set(
        harness.entity_id("commitment", "s1"), amount, attributes
    )
    await harness.settle()
    assert fake_loads.running == running


# Putting back one after another


async def test_loads_come_back_one_after_another(
    harness: Harness, fake_loads: FakeLoads
) -> None:
    await automate(harness, fake_loads, set_back=[HALL], pause=30)
    await curtail(harness)
    await curtail(harness, on=False)
    assert (fake_loads.running, fake_loads.thermostats["hall"].aim) == ([FREEZER], 25)
    await pass_time(harness, 27)
    assert (fake_loads.running, fake_loads.thermostats["hall"].aim) == ([FREEZER], 25)
    await pass_time(harness, 2)
    # The pump was off: nobody waits for it.
    assert (fake_loads.running, fake_loads.thermostats["hall"].aim) == (
        [FREEZER, FAN],
        25,
    )
    await pass_time(harness, 30)
    assert (fake_loads.running, fake_loads.thermostats["hall"].aim) == (
        [FREEZER, FAN],
        22,
    )


async def test_a_new_dispatch_ends_the_wait(
    harness: Harness, fake_loads: FakeLoads
) -> None:
    await automate(harness, fake_loads, pause=600)
    await curtail(harness)
    await curtail(harness, on=False)
    assert fake_loads.running == [FREEZER]
    await curtail(harness)
    assert fake_loads.running == []
    await curtail(harness, on=False)
    await pass_time(harness, 600)
    assert fake_loads.running == [FREEZER, FAN]


async def test_the_wait_goes_on_after_a_restart(
    harness: Harness,
    fake_loads: FakeLoads,
    hass_config_dir: str,
) -> None:
    await automate(harness, fake_loads, pause=30)
    await curtail(harness)
    await curtail(harness, on=False)
    assert fake_loads.running == [FREEZER]
    async with next_start(harness, hass_config_dir, harness.disk()) as second:
        await start(second, fake_loads, pause=30)
        assert fake_loads.running == [FREEZER]
        await pass_time(second, 30)
        assert fake_loads.running == [FREEZER, FAN]


# Killed at any step


@asynccontextmanager
async def next_start(
    harness: Harness, config_dir: str, disk: dict[str, Any]
) -> AsyncIterator[Harness]:
    """Start Home Assistant anew upon what the last one has left on the disk."""
    await harness.hass.config_entries.async_unload(harness.entry.entry_id)
    await harness.settle()
    await end_automations(harness.hass)
    await harness.hass.async_stop(force=True)
    harness.storage.clear()
    harness.storage.update(disk)
    async with async_test_home_assistant(config_dir=config_dir) as hass:
        hass.data.pop(DATA_CUSTOM_COMPONENTS)
        hass.set_state(CoreState.not_running)
        await hass.config.async_set_time_zone("UTC")
        entry = MockConfigEntry(
            domain=DOMAIN,
            entry_id="account",
            title=harness.entry.title,
            data=harness.entry.data,
        )
        entry.add_to_hass(hass)
        yield Harness(
            hass, harness.freezer, harness.voltus, harness.url, entry, harness.storage
        )
        await hass.config_entries.async_unload(entry.entry_id)
        await end_automations(hass)
        await hass.async_stop(force=True)


async def start(harness: Harness, fake_loads: FakeLoads, **inputs: Any) -> None:
    """Start up with the loads, Voltus and the automation."""
    await automate(harness, fake_loads, **inputs)
    await harness.hass.async_start()
    await harness.settle()


@dataclass
class Fate:
    """The actions of one Home Assistant, of which number `last` and all later ones fail.

    That is all a killed one could have done; `disk` is what it has left.
    """

    harness: Harness
    last: int | None = None
    calls: list[str] = field(default_factory=list)
    disk: dict[str, Any] | None = None

    def take_hold(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Come between Home Assistant and its actions from now on."""
        call = ServiceRegistry.async_call
        services = self.harness.hass.services

        async def async_call(
            registry: ServiceRegistry,
            domain: str,
            service: str,
            *args: Any,
            **kwargs: Any,
        ) -> Any:
            if registry is services and domain != "automation":
                self._go_on(f"{domain}.{service}")
            return await call(registry, domain, service, *args, **kwargs)

        monkeypatch.setattr(ServiceRegistry, "async_call", async_call)

    @callback
    def _go_on(self, name: str) -> None:
        if len(self.calls) == self.last and self.disk is None:
            self.disk = self.harness.disk()
        if self.disk is not None:
            raise HomeAssistantError("killed")
        self.calls.append(name)


CALLS = [
    *("voltus.shed", "switch.turn_off", "switch.turn_off"),
    *("voltus.shed", "climate.set_temperature"),
    *("voltus.restore", "switch.turn_on", "switch.turn_on"),
    *("climate.set_hvac_mode", "climate.set_temperature"),
]
INPUTS: dict[str, Any] = {"set_back": [HALL], "pause": 30}


async def live_through(harness: Harness, until: Callable[[], bool]) -> None:
    """Let ten minutes pass in steps, to the end or until something has happened."""
    for minutes in (1, 2, 5, 8, 9, 9.6, 10.2, 10.8):
        if until():
            return
        if at(minutes) > now(harness):
            await harness.move_to(at(minutes))


def is_down(fake_loads: FakeLoads) -> bool:
    return not fake_loads.running and fake_loads.thermostats["hall"].aim == 25


async def test_the_steps_of_a_dispatch(
    harness: Harness,
    fake_loads: FakeLoads,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harness.publish(wire_dispatch(start=at(1), end=at(9)))
    await automate(harness, fake_loads, **INPUTS)
    fate = Fate(harness)
    fate.take_hold(monkeypatch)
    await live_through(harness, until=lambda: False)
    assert fate.calls == CALLS


@pytest.mark.parametrize("minutes_down", [0, 60])
@pytest.mark.parametrize("last", range(len(CALLS)), ids=lambda n: f"{n}-{CALLS[n]}")
async def test_a_kill_at_any_step_loses_nothing(
    harness: Harness,
    fake_loads: FakeLoads,
    hass_config_dir: str,
    monkeypatch: pytest.MonkeyPatch,
    last: int,
    minutes_down: int,
) -> None:
    before = deepcopy((fake_loads.switches, fake_loads.thermostats))
    harness.publish(wire_dispatch(start=at(1), end=at(9)))
    await automate(harness, fake_loads, **INPUTS)
    fate = Fate(harness, last)
    fate.take_hold(monkeypatch)
    await live_through(harness, until=lambda: fate.disk is not None)
    assert fate.disk

    async with next_start(harness, hass_config_dir, fate.disk) as second:
        harness.freezer.tick(timedelta(minutes=minutes_down))
        await start(second, fake_loads, **INPUTS)
        while second.curtails("s1"):
            assert is_down(fake_loads)
            await pass_time(second, 60)
        for _ in range(8):
            await pass_time(second, 31)
        assert (fake_loads.switches, fake_loads.thermostats) == before
        assert not second.storage.get(STORE, {}).get("data")
