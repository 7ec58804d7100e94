"""What meters of Home Assistant measure reaches Voltus, once and right."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from homeassistant.components.energy.data import EnergyManager
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.voltus.metering.intervals import Reading
from custom_components.voltus.telemetry.meters import mean_kw, shortest_fine
from sandbox.faults import Faults
from sandbox.wire import Wire
from tests.builders import NOON, at, wire_dispatch

from .harness import KEY, Harness

METERS = [
    {"id": "main", "name": "Main meter", "asset_type": "load"},
    {"id": "solar", "name": "Solar", "asset_type": "generator"},
    {"id": "store", "name": "Battery", "asset_type": "battery"},
]
POWER, COUNTER, CHARGE = "sensor.power", "sensor.counter", "sensor.charge"
SECOND = timedelta(seconds=1)


@pytest.fixture
async def metered(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> Harness:
    """Site s1 has three meters, of which is sent without a random delay."""
    monkeypatch.setattr("custom_components.voltus.telemetry.sender.random", lambda: 0.0)
    set_meters(harness, METERS)
    return harness


def set_meters(harness: Harness, meters: Sequence[Wire]) -> None:
    """Have Voltus list these meters at site s1."""
    harness.voltus.accounts[KEY].sites[0]["meters"] = meters  # type: ignore[index]


def show(hass: HomeAssistant, entity_id: str, value: object, unit: str = "kW") -> None:
    """Have an entity show a value."""
    kind = "energy" if unit.endswith("h") else "power"
    attributes = {"unit_of_measurement": unit, "device_class": kind}
    hass.states.async_set(entity_id, str(value), attributes)


def mapping(meter_id: str, entity_id: str, **data: Any) -> ConfigSubentryData:
    """Return what the form stores."""
    stored = {
        "meter_id": meter_id,
        "entity_id": entity_id,
        "counts": False,
        "interval": 60,
        "invert": False,
        **data,
    }
    return ConfigSubentryData(
        data=stored, subentry_type="meter", title=meter_id, unique_id=meter_id
    )


def map_meters(harness: Harness, *mappings: ConfigSubentryData) -> None:
    """Map meters before the account is set up."""
    entry = MockConfigEntry(
        domain="voltus",
        entry_id="account",
        title="Voltus sandbox",
        data=dict(harness.entry.data),
        subentries_data=mappings,
    )
    harness.hass.config_entries._entries.clear()  # noqa: SLF001  there is no way to do without
    entry.add_to_hass(harness.hass)
    harness.entry = entry


def received(harness: Harness, meter_id: str = "main") -> list[tuple[float, float]]:
    """Return what Voltus has of a meter: (minutes from noon to the end, kW)."""
    rows = harness.voltus.accounts[KEY].telemetry
    found = []
    for (meter, units, timestamp), row in rows.items():
        if meter == meter_id and units == "kW":
            end = datetime.fromisoformat(str(timestamp))
            value = row["value"]
            assert isinstance(value, int | float)
            found.append(((end - NOON) / timedelta(minutes=1), value))
    return sorted(found)


async def pass_to(harness: Harness, minutes: float, step: float = 15) -> None:
    """Let time pass in steps of so many seconds."""
    now = harness.freezer.time_to_freeze.replace(tzinfo=NOON.tzinfo)
    while now < at(minutes):
        now = min(now + step * SECOND, at(minutes))
        await harness.move_to(now)


async def test_without_a_mapping_nothing_is_sent(metered: Harness) -> None:
    await metered.set_up()
    await pass_to(metered, 5)
    assert metered.voltus.accounts[KEY].telemetry == {}
    assert not metered.hass.states.get("binary_sensor.site_s1_telemetry_late")


async def test_the_mean_of_each_minute_is_sent(metered: Harness) -> None:
    hass = metered.hass
    show(hass, POWER, 10)
    map_meters(metered, mapping("main", POWER))
    await metered.set_up()
    await pass_to(metered, 1.5)
    show(hass, POWER, 20_000, "W")
    await pass_to(metered, 3.25)
    assert received(metered) == [(1, 10), (2, 15), (3, 20)]
    assert metered.hass.states.is_state("binary_sensor.site_s1_telemetry_late", "off")


async def test_sign_units_and_counters(metered: Harness) -> None:
    hass = metered.hass
    show(hass, POWER, 5_000, "W")
    show(hass, COUNTER, 1_000, "Wh")
    map_meters(
        metered,
        mapping("solar", POWER, invert=True),
        mapping("main", COUNTER, counts=True),
    )
    await metered.set_up()
    for minute in (1, 2, 3):
        await pass_to(metered, minute)
        show(hass, COUNTER, 1_000 + minute * 100, "Wh")
    await pass_to(metered, 3.25)
    assert received(metered, "solar") == [(1, -5), (2, -5), (3, -5)]
    assert received(metered) == [(1, 6), (2, 6), (3, 6)]


async def test_of_a_battery_power_and_charge_go_together(metered: Harness) -> None:
    show(metered.hass, POWER, -3)
    show(metered.hass, CHARGE, 12.5, "kWh")
    map_meters(metered, mapping("store", POWER, state_of_charge=CHARGE))
    await metered.set_up()
    await pass_to(metered, 2.25)
    rows = metered.voltus.accounts[KEY].telemetry.values()
    assert sorted((row["units"], row["value"]) for row in rows) == [
        *[("kW", -3)] * 2,
        *[("kWh", 12.5)] * 2,
    ]


@pytest.mark.parametrize("shown", ["unavailable", "unknown", "seven", "nan"])
async def test_what_cannot_be_used_is_a_gap(metered: Harness, shown: str) -> None:
    show(metered.hass, POWER, 10)
    map_meters(metered, mapping("main", POWER))
    await metered.set_up()
    await pass_to(metered, 1)
    show(metered.hass, POWER, shown)
    await pass_to(metered, 2)
    show(metered.hass, POWER, 10)
    await pass_to(metered, 3.25)
    assert received(metered) == [(1, 10), (3, 10)]


async def test_while_curtailing_each_half_minute_is_sent_at_once(
    metered: Harness,
) -> None:
    show(metered.hass, POWER, 10)
    map_meters(metered, mapping("main", POWER, interval=30))
    metered.publish(wire_dispatch(start=NOON, end=at(60)))
    await metered.set_up()
    await metered.move_to(at(0.5))
    await metered.move_to(at(0.5) + 3 * SECOND)
    assert received(metered) == [(0.5, 10)]


async def test_an_outage_loses_nothing(
    metered: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    show(metered.hass, POWER, 10)
    map_meters(metered, mapping("main", POWER))
    await metered.set_up()
    await pass_to(metered, 1.25)
    metered.voltus.faults = Faults(status=503)
    await pass_to(metered, 20)
    late = metered.hass.states.get("binary_sensor.site_s1_telemetry_late")
    assert late
    assert late.state == "on"
    metered.voltus.faults = Faults()
    await pass_to(metered, 26)
    assert [end for end, _ in received(metered)] == list(range(1, 26))
    assert KEY not in caplog.text


async def test_a_meter_that_is_refused_keeps_no_other_from_being_sent(
    metered: Harness, issue_registry: ir.IssueRegistry
) -> None:
    show(metered.hass, POWER, 10)
    map_meters(
        metered, mapping("main", POWER), mapping("gone", POWER), mapping("solar", POWER)
    )
    await metered.set_up()
    await pass_to(metered, 5.25)
    for meter_id in ("main", "solar"):
        assert [end for end, _ in received(metered, meter_id)] == [1, 2, 3, 4, 5]
    issue = issue_registry.async_get_issue("voltus", "meters_refused_account")
    assert issue
    assert issue.translation_placeholders
    assert issue.translation_placeholders["meters"] == "gone"


async def test_what_is_too_much_at_once_is_sent_in_parts(metered: Harness) -> None:
    show(metered.hass, POWER, 10)
    map_meters(metered, mapping("main", POWER))
    await metered.set_up()
    metered.voltus.accounts[KEY].most_rows = 3
    metered.voltus.faults = Faults(status=503)
    await pass_to(metered, 10)
    metered.voltus.faults = Faults()
    await pass_to(metered, 16)
    assert [end for end, _ in received(metered)] == list(range(1, 16))


async def test_a_mapping_that_is_removed_stops_at_once(metered: Harness) -> None:
    show(metered.hass, POWER, 10)
    map_meters(metered, mapping("main", POWER))
    await metered.set_up()
    await pass_to(metered, 2.25)
    (subentry_id,) = metered.entry.subentries
    metered.hass.config_entries.async_remove_subentry(metered.entry, subentry_id)
    await metered.settle()
    await pass_to(metered, 5)
    assert [end for end, _ in received(metered)] == [1, 2]
    assert not metered.hass.states.get("binary_sensor.site_s1_telemetry_late")


async def test_until_when_it_was_sent_outlives_a_restart(metered: Harness) -> None:
    show(metered.hass, POWER, 10)
    map_meters(metered, mapping("main", POWER))
    await metered.set_up()
    await pass_to(metered, 2.25)
    await metered.hass.config_entries.async_unload(metered.entry.entry_id)
    await metered.settle()
    noted = metered.storage["voltus.account.telemetry"]["data"]
    assert noted["sent_until"] == {"main": at(2).isoformat()}
    assert noted["sent"]["main"]["hours"] == {NOON.isoformat(): ["f", 40.0]}


async def test_an_entity_that_is_gone_is_named(
    metered: Harness, issue_registry: ir.IssueRegistry
) -> None:
    map_meters(metered, mapping("main", "sensor.gone"))
    await metered.set_up()
    await pass_to(metered, 2)
    issue = issue_registry.async_get_issue("voltus", "meters_unread_account")
    assert issue


async def test_a_meter_that_voltus_lists_no_more_is_named(
    metered: Harness, issue_registry: ir.IssueRegistry
) -> None:
    """Of ten meters one is taken away at Voltus: nine go on."""
    meters = [
        {"id": f"m{n}", "name": f"Meter {n}", "asset_type": "load"} for n in range(10)
    ]
    site: Any = metered.voltus.accounts[KEY].sites[0]
    site["meters"] = meters
    show(metered.hass, POWER, 10)
    map_meters(metered, *(mapping(f"m{n}", POWER) for n in range(10)))
    await metered.set_up()
    await pass_to(metered, 1.25)
    assert not issue_registry.async_get_issue("voltus", "meters_gone_account")
    site["meters"] = meters[:-1]
    metered.entry.runtime_data.conversation.sites_due = None
    await metered.poll()
    await pass_to(metered, 3.25)
    for key in ("meters_gone_account", "meters_refused_account"):
        issue = issue_registry.async_get_issue("voltus", key)
        assert issue
        assert issue.translation_placeholders
        assert issue.translation_placeholders["meters"] == "m9"
    for n in range(9):
        assert received(metered, f"m{n}") == [(1, 10), (2, 10), (3, 10)]
    assert received(metered, "m9") == [(1, 10)]


async def test_until_when_it_was_sent_is_shown_where_it_is_wanted(
    metered: Harness, entity_registry: er.EntityRegistry
) -> None:
    show(metered.hass, POWER, 10)
    map_meters(metered, mapping("main", POWER), mapping("solar", POWER, interval=300))
    await metered.set_up()
    entity_id = "sensor.site_s1_telemetry_sent_until"
    entity = entity_registry.async_get(entity_id)
    assert entity
    assert entity.disabled_by is er.RegistryEntryDisabler.INTEGRATION
    assert entity.config_subentry_id is None
    entity_registry.async_update_entity(entity_id, disabled_by=None)
    await pass_to(metered, 6.25)
    await metered.poll()
    shown = metered.hass.states.get(entity_id)
    assert shown
    assert shown.state == at(5).isoformat()
    for subentry_id in [*metered.entry.subentries]:
        metered.hass.config_entries.async_remove_subentry(metered.entry, subentry_id)
    await metered.settle()
    assert not entity_registry.async_get(entity_id)


# The form


async def start(harness: Harness) -> Any:
    return await harness.hass.config_entries.subentries.async_init(
        (harness.entry.entry_id, "meter"), context={"source": "user"}
    )


async def fill_in(harness: Harness, flow: Any, **chosen: Any) -> Any:
    return await harness.hass.config_entries.subentries.async_configure(
        flow["flow_id"], chosen
    )


async def test_a_meter_is_mapped_by_a_form_that_shows_what_would_be_sent(
    metered: Harness,
) -> None:
    show(metered.hass, POWER, 42_100, "W")
    await metered.set_up()
    flow = await start(metered)
    assert flow["step_id"] == "user"
    flow = await fill_in(metered, flow, meter_id="main")
    assert flow["step_id"] == "source"
    flow = await fill_in(metered, flow, entity_id=POWER, interval="60", invert=True)
    assert flow["step_id"] == "confirm"
    assert flow["description_placeholders"] == {
        "meter": "Site s1: Main meter",
        "now": "-42.10 kW",
    }
    flow = await fill_in(metered, flow)
    assert flow["type"] == "create_entry"
    await metered.settle()
    await pass_to(metered, 2.25)
    assert received(metered) == [(1, -42.1), (2, -42.1)]
    flow = await start(metered)
    (options,) = flow["data_schema"].schema.values()
    assert [each["value"] for each in options.config["options"]] == ["solar", "store"]


async def test_a_mapping_is_changed_in_place(metered: Harness) -> None:
    show(metered.hass, POWER, 10)
    map_meters(metered, mapping("main", POWER))
    await metered.set_up()
    (subentry_id,) = metered.entry.subentries
    flow = await metered.entry.start_subentry_reconfigure_flow(
        metered.hass, subentry_id
    )
    assert flow["step_id"] == "source"
    flow = await fill_in(metered, flow, entity_id=POWER, interval="30", invert=False)
    flow = await fill_in(metered, flow)
    assert flow["reason"] == "reconfigure_successful"
    await metered.settle()
    await pass_to(metered, 1.25)
    assert [end for end, _ in received(metered)] == [0.5, 1]


@pytest.mark.parametrize(
    ("meter_id", "chosen", "errors"),
    [
        (
            "main",
            {"entity_id": "sensor.odd"},
            {"entity_id": "neither_power_nor_energy"},
        ),
        (
            "store",
            {"entity_id": COUNTER, "state_of_charge": POWER},
            {"entity_id": "no_power", "state_of_charge": "no_energy"},
        ),
    ],
)
async def test_an_entity_that_cannot_stand_for_a_meter_is_refused(
    metered: Harness, meter_id: str, chosen: dict[str, str], errors: dict[str, str]
) -> None:
    show(metered.hass, POWER, 10)
    show(metered.hass, COUNTER, 10, "kWh")
    metered.hass.states.async_set("sensor.odd", "10", {"unit_of_measurement": "°C"})
    await metered.set_up()
    flow = await fill_in(metered, await start(metered), meter_id=meter_id)
    flow = await fill_in(metered, flow, **chosen, interval="60", invert=False)
    assert flow["errors"] == errors


async def test_without_a_meter_the_form_says_that_voltus_has_to_add_it(
    harness: Harness,
) -> None:
    await harness.set_up()
    flow = await start(harness)
    assert flow["reason"] == "no_meters"


async def test_a_battery_is_mapped_with_its_charge(metered: Harness) -> None:
    show(metered.hass, POWER, "unavailable")
    show(metered.hass, CHARGE, 8, "kWh")
    await metered.set_up()
    flow = await fill_in(metered, await start(metered), meter_id="store")
    chosen = {"entity_id": POWER, "state_of_charge": CHARGE}
    flow = await fill_in(metered, flow, **chosen, interval="300", invert=False)
    assert flow["description_placeholders"]["now"] == "?"
    await fill_in(metered, flow)
    (subentry,) = metered.entry.subentries.values()
    assert subentry.data == {
        "meter_id": "store",
        **chosen,
        "counts": False,
        "interval": 300,
        "invert": False,
    }


async def test_while_the_account_is_not_set_up_no_meter_can_be_mapped(
    metered: Harness,
) -> None:
    show(metered.hass, POWER, 10)
    map_meters(metered, mapping("main", POWER))
    await metered.set_up()
    await metered.hass.config_entries.async_unload(metered.entry.entry_id)
    assert (await start(metered))["reason"] == "not_loaded"
    (subentry_id,) = metered.entry.subentries
    flow = await metered.entry.start_subentry_reconfigure_flow(
        metered.hass, subentry_id
    )
    assert flow["reason"] == "not_loaded"


async def test_without_the_recorder_it_goes_on_from_now(metered: Harness) -> None:
    metered.storage["voltus.account.telemetry"] = {
        "version": 1,
        "minor_version": 1,
        "key": "voltus.account.telemetry",
        "data": {"sent_until": {"main": at(-10).isoformat()}},
    }
    show(metered.hass, POWER, 10)
    map_meters(metered, mapping("main", POWER))
    await metered.set_up()
    await pass_to(metered, 2.25)
    assert received(metered) == [(1, 10), (2, 10)]


@pytest.mark.parametrize(
    ("shown", "unit", "interval", "step_id", "step", "seconds"),
    [
        ("1000.01", "kWh", "30", "confirm_coarse", "1.2 kW", "60"),
        ("1000.01", "kWh", "60", "confirm_counter", "0.6 kW", "60"),
        ("1000.05", "kWh", "300", "confirm_counter", "0.12 kW", "60"),
        ("1000.1", "kWh", "300", "confirm_too_coarse", "1.2 kW", ""),
        ("1000", "Wh", "60", "confirm_counter", "0.06 kW", "30"),
    ],
)
async def test_of_a_counter_the_form_says_how_coarse_it_is(
    metered: Harness,
    shown: str,
    unit: str,
    interval: str,
    step_id: str,
    step: str,
    seconds: str,
) -> None:
    show(metered.hass, COUNTER, shown, unit)
    await metered.set_up()
    flow = await fill_in(metered, await start(metered), meter_id="main")
    chosen = {"entity_id": COUNTER, "interval": interval, "invert": False}
    flow = await fill_in(metered, flow, **chosen)
    assert flow["step_id"] == step_id
    assert flow["description_placeholders"]["step"] == step
    assert flow["description_placeholders"]["seconds"] == seconds
    flow = await fill_in(metered, flow)
    assert flow["type"] == "create_entry"
    (subentry,) = metered.entry.subentries.values()
    assert subentry.data["counts"] is True


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([], None),
        ([(0, 1.0)], None),
        ([(0, 1.0), (4, 2.0)], None),
        ([(0, 1.0), (30, 2.0)], 2.0),
        ([(0, 1.0), (10, None), (30, 2.0), (40, None)], 2.0),
        ([(0, 1.0), (30, 1.0)], None),
        ([(0, 5.0), (30, 1.0)], None),
    ],
)
def test_what_a_counter_says_of_the_load_of_now(
    readings: list[tuple[float, float | None]], expected: float | None
) -> None:
    shown = [Reading(at(minute), value) for minute, value in readings]
    assert mean_kw(shown) == expected


@pytest.mark.parametrize(
    ("load", "shortest"), [(None, 60), (100, 60), (12, 60), (11.9, 300), (2.3, None)]
)
def test_the_smaller_the_load_the_longer_the_interval_of_a_counter(
    load: float | None, shortest: int | None
) -> None:
    state = State(COUNTER, "1000.01", {"unit_of_measurement": "kWh"})
    assert shortest_fine(state, load) == shortest


# What the energy dashboard knows


@pytest.fixture
def dashboard(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> EnergyManager:
    """An energy dashboard that is set up, with nothing in it."""
    manager = EnergyManager(hass)

    async def get(_hass: HomeAssistant) -> EnergyManager:
        return manager

    monkeypatch.setattr("homeassistant.components.energy.data.async_get_manager", get)
    hass.config.components.add("energy")
    return manager


def _sources(manager: EnergyManager, *sources: dict[str, str]) -> None:
    manager.data = EnergyManager.default_preferences()
    manager.data["energy_sources"] = sources  # type: ignore[typeddict-item]


async def suggested(metered: Harness, meter_id: str) -> dict[str, Any]:
    """Return what the form suggests for a meter."""
    flow = await fill_in(metered, await start(metered), meter_id=meter_id)
    keys = flow["data_schema"].schema
    return {
        str(key): key.description["suggested_value"] for key in keys if key.description
    }


@pytest.mark.parametrize(
    ("meter_id", "expected"),
    [
        ("main", {"entity_id": "sensor.grid", "invert": False}),
        ("solar", {"entity_id": "sensor.sun", "invert": True}),
        ("store", {"entity_id": "sensor.battery", "invert": True}),
    ],
)
async def test_what_the_energy_dashboard_has_is_suggested(
    metered: Harness,
    dashboard: EnergyManager,
    meter_id: str,
    expected: dict[str, Any],
) -> None:
    for each in ("sensor.grid", "sensor.sun", "sensor.battery"):
        show(metered.hass, each, 1)
    _sources(
        dashboard,
        {"type": "gas"},
        {"type": "battery", "stat_rate": "sensor.battery"},
        {"type": "grid", "stat_rate": "sensor.gone"},
        {"type": "grid"},
        {"type": "grid", "stat_rate": "sensor.grid"},
        {"type": "solar", "stat_rate": "sensor.sun"},
    )
    await metered.set_up()
    assert await suggested(metered, meter_id) == expected


async def test_nothing_is_suggested_that_is_mapped_or_unknown(
    metered: Harness, dashboard: EnergyManager
) -> None:
    show(metered.hass, POWER, 1)
    map_meters(metered, mapping("solar", POWER))
    await metered.set_up()
    assert await suggested(metered, "main") == {}
    _sources(dashboard, {"type": "grid", "stat_rate": POWER})
    assert await suggested(metered, "main") == {}
