"""How much of a site can be curtailed is told to Voltus."""

from typing import Any

from homeassistant.config_entries import ConfigSubentryData
from homeassistant.helpers import entity_registry as er

from sandbox.faults import Faults
from tests.builders import NOON, at, wire_dispatch

from .harness import KEY, Harness
from .test_telemetry import (
    POWER,
    SECOND,
    map_meters,
    mapping,
    metered,
    pass_to,
    received,
    show,
)

__all__ = ["metered"]

SHOWN = "sensor.site_s1_controllable_load"
LOADS = [{"entity_id": "switch.one", "kw": 40}, {"entity_id": "climate.two", "kw": 2.5}]


def controllable(**data: Any) -> ConfigSubentryData:
    """Return what the form stores of site s1."""
    return ConfigSubentryData(
        data={"site_id": "s1", **data},
        subentry_type="controllable_load",
        title="Site s1",
        unique_id="controllable_s1",
    )


def told(harness: Harness) -> list[object]:
    rows = harness.voltus.accounts[KEY].controllable_load.values()
    return [row["value"] for row in rows]


async def test_what_is_on_and_within_reach_counts(
    metered: Harness, entity_registry: er.EntityRegistry
) -> None:
    states = metered.hass.states
    states.async_set("switch.one", "on")
    states.async_set("climate.two", "heat")
    map_meters(metered, controllable(loads=LOADS))
    await metered.set_up()
    await pass_to(metered, 1.25)
    states.async_set("climate.two", "unavailable")
    await pass_to(metered, 2.25)
    assert states.is_state(SHOWN, "40.0")
    states.async_set("switch.one", "off")
    states.async_set("climate.two", "unknown")
    await pass_to(metered, 3.25)
    assert told(metered)[-3:] == [42.5, 40, 0]
    (row,) = [*metered.voltus.accounts[KEY].controllable_load.values()][-1:]
    assert (row["interval_seconds"], row["site_id"]) == (60, "s1")
    assert row["timestamp"] == at(3).isoformat()
    entity = entity_registry.async_get(SHOWN)
    assert entity
    assert entity.config_subentry_id is None


async def test_a_sensor_of_power_may_say_it_and_its_removal_stops_it(
    metered: Harness,
) -> None:
    show(metered.hass, POWER, 42_000, "W")
    map_meters(metered, controllable(entity_id=POWER))
    metered.publish(wire_dispatch(start=NOON, end=at(60)))
    await metered.set_up()
    await metered.move_to(at(0.5))
    await metered.move_to(at(0.5) + 3 * SECOND)
    show(metered.hass, POWER, "unavailable")
    await metered.move_to(at(1))
    await metered.move_to(at(1) + 3 * SECOND)
    assert told(metered)[-2:] == [42, 0]
    (subentry_id,) = metered.entry.subentries
    metered.hass.config_entries.async_remove_subentry(metered.entry, subentry_id)
    await metered.settle()
    sent = told(metered)
    await pass_to(metered, 3)
    assert told(metered) == sent
    assert not metered.hass.states.get(SHOWN)


async def test_a_refusal_keeps_no_meter_from_being_sent(metered: Harness) -> None:
    show(metered.hass, POWER, 10)
    map_meters(metered, mapping("main", POWER), controllable(entity_id=POWER))
    await metered.set_up()
    metered.voltus.faults = Faults(status=400, paths=["/controllable-load"])
    await pass_to(metered, 2.25)
    assert received(metered) == [(1, 10), (2, 10)]


async def test_it_is_said_by_a_form_and_changed_by_it(metered: Harness) -> None:
    show(metered.hass, POWER, 7)
    show(metered.hass, "sensor.energy", 7, "kWh")
    await metered.set_up()
    flows = metered.hass.config_entries.subentries
    kind = (metered.entry.entry_id, "controllable_load")
    flow: Any = await flows.async_init(kind, context={"source": "user"})
    flow = await flows.async_configure(flow["flow_id"], {"site_id": "s1"})
    assert flow["step_id"] == "loads"
    for chosen, errors in (
        ({}, {"base": "loads_or_sensor"}),
        ({"loads": LOADS, "entity_id": POWER}, {"base": "loads_or_sensor"}),
        ({"entity_id": "sensor.energy"}, {"entity_id": "no_power"}),
    ):
        flow = await flows.async_configure(flow["flow_id"], chosen)
        assert flow["errors"] == errors
    flow = await flows.async_configure(flow["flow_id"], {"loads": LOADS})
    assert flow["type"] == "create_entry"
    await metered.settle()
    assert metered.hass.states.is_state(SHOWN, "0")
    (subentry,) = metered.entry.subentries.values()
    assert subentry.data == {"site_id": "s1", "loads": LOADS}
    again: Any = await metered.entry.start_subentry_reconfigure_flow(
        metered.hass, subentry.subentry_id
    )
    again = await flows.async_configure(again["flow_id"], {"entity_id": POWER})
    assert again["reason"] == "reconfigure_successful"
    await pass_to(metered, 1.25)
    assert metered.hass.states.is_state(SHOWN, "7.0")
    other: Any = await flows.async_init(kind, context={"source": "user"})
    (options,) = other["data_schema"].schema.values()
    assert [each["value"] for each in options.config["options"]] == ["s2"]


async def test_an_account_that_does_not_run_is_mended_first(metered: Harness) -> None:
    map_meters(metered, controllable(loads=LOADS))
    await metered.set_up()
    await metered.hass.config_entries.async_unload("account")
    flows = metered.hass.config_entries.subentries
    kind = (metered.entry.entry_id, "controllable_load")
    flow: Any = await flows.async_init(kind, context={"source": "user"})
    assert flow["reason"] == "not_loaded"
    (subentry_id,) = metered.entry.subentries
    again: Any = await metered.entry.start_subentry_reconfigure_flow(
        metered.hass, subentry_id
    )
    assert again["reason"] == "not_loaded"


async def test_where_all_is_said_there_is_nothing_to_choose(metered: Harness) -> None:
    other = controllable(site_id="s2", loads=LOADS)
    map_meters(metered, controllable(loads=LOADS), {**other, "unique_id": "other"})
    await metered.set_up()
    flows = metered.hass.config_entries.subentries
    kind = (metered.entry.entry_id, "controllable_load")
    flow: Any = await flows.async_init(kind, context={"source": "user"})
    assert flow["reason"] == "no_sites"


async def test_an_amount_that_is_no_number_is_refused(metered: Harness) -> None:
    await metered.set_up()
    flows = metered.hass.config_entries.subentries
    kind = (metered.entry.entry_id, "controllable_load")
    flow: Any = await flows.async_init(kind, context={"source": "user"})
    flow = await flows.async_configure(flow["flow_id"], {"site_id": "s1"})
    loads = [{"entity_id": "switch.one", "kw": float("nan")}]
    flow = await flows.async_configure(flow["flow_id"], {"loads": loads})
    assert flow["errors"] == {"loads": "no_number"}
