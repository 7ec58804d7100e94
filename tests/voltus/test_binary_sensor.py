"""Whether to curtail, and whether Voltus can be heard."""

from datetime import datetime, timedelta
from itertools import groupby
from unittest.mock import patch

from homeassistant.const import CONF_API_KEY, CONF_URL, Platform
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    snapshot_platform,
)
from syrupy.assertion import SnapshotAssertion

from custom_components.voltus.const import DOMAIN
from sandbox.faults import Faults
from tests.builders import NOON, at, wire_dispatch

from .stage import Stage

SECOND = timedelta(seconds=1)


def edges(states: list[str]) -> list[str]:
    """Return states without those that only repeat the one before."""
    return [state for state, _ in groupby(states)]


async def test_every_binary_sensor_while_a_dispatch_is_under_way(
    stage: Stage, snapshot: SnapshotAssertion
) -> None:
    stage.publish(
        wire_dispatch("d1", at(-10), at(60), {"s1": 100.0}),
        wire_dispatch("d2", at(30), at(90), {"s1": 50.0, "s2": 25.0}),
    )
    with patch("custom_components.voltus.PLATFORMS", [Platform.BINARY_SENSOR]):
        await stage.set_up()
        await snapshot_platform(
            stage.hass, er.async_get(stage.hass), snapshot, stage.entry.entry_id
        )
        await stage.hass.config_entries.async_unload(stage.entry.entry_id)


@pytest.mark.parametrize(
    ("now", "curtail", "active"),
    [
        (at(4) - SECOND, "off", "off"),
        (at(4), "on", "off"),
        (at(10) - SECOND, "on", "off"),
        (at(10), "on", "on"),
        (at(15), "on", "on"),
        (at(20) - SECOND, "on", "on"),
        (at(20), "off", "off"),
        (at(25), "off", "off"),
    ],
    ids=[
        "before the lead time",
        "as the lead time begins",
        "before the start",
        "at the start",
        "during",
        "before the end",
        "at the end",
        "after",
    ],
)
async def test_a_dispatch_with_a_lead_time_of_six_minutes(
    stage: Stage, now: datetime, curtail: str, active: str
) -> None:
    stage.hass.config_entries.async_update_entry(stage.entry, options={"lead_time": 6})
    stage.publish(wire_dispatch("d1", at(10), at(20)))
    await stage.set_up()
    await stage.move_to(now)
    for site in ("s1", None):
        assert stage.state("curtail", site).state == curtail
        assert stage.state("dispatch_active", site).state == active
    assert stage.state("curtail", "s2").state == "off"


async def test_the_account_curtails_while_any_site_does(stage: Stage) -> None:
    stage.publish(
        wire_dispatch("d1", at(0), at(20), {"s1": 100.0}),
        wire_dispatch("d2", at(10), at(30), {"s2": 50.0}),
    )
    await stage.set_up()
    assert [stage.curtails(x) for x in ("s1", "s2", None)] == [True, False, True]
    await stage.move_to(at(10))
    assert [stage.curtails(x) for x in ("s1", "s2", None)] == [True, True, True]
    await stage.move_to(at(20))
    assert [stage.curtails(x) for x in ("s1", "s2", None)] == [False, True, True]
    await stage.move_to(at(30))
    assert [stage.curtails(x) for x in ("s1", "s2", None)] == [False, False, False]
    assert edges(stage.written_states("curtail")) == ["on", "off"]


async def test_dispatches_one_after_the_other_are_one_curtailment(
    stage: Stage,
) -> None:
    stage.publish(
        wire_dispatch("d1", at(0), at(20)),
        wire_dispatch("d2", at(20) + SECOND / 2, at(40)),
    )
    await stage.set_up()
    for minute in (10, 20, 20.1, 30, 40):
        await stage.move_to(at(minute))
    assert edges(stage.written_states("curtail", "s1")) == ["on", "off"]


async def test_the_attributes_tell_who_asks_for_how_much(stage: Stage) -> None:
    stage.publish(
        wire_dispatch("d2", at(0), at(20), {"s1": 100.0, "s2": None}),
        wire_dispatch("d1", at(10), at(30), {"s1": 0.0}),
        wire_dispatch("later", at(40), at(50), {"s1": 10.0}),
    )
    await stage.set_up()
    await stage.move_to(at(10))

    site = stage.state("curtail", "s1").attributes
    assert site["dispatch_ids"] == ["d1", "d2"]
    assert site["by_dispatch"] == {"d1": 0.0, "d2": 100.0}
    account = stage.state("curtail").attributes
    assert account["dispatch_ids"] == ["d1", "d2"]
    assert account["by_dispatch"] == {"d1": 0.0, "d2": None}

    await stage.move_to(at(30))
    for entity_id in (None, "s1"):
        attributes = stage.state("curtail", entity_id).attributes
        assert attributes["dispatch_ids"] == []
        assert attributes["by_dispatch"] == {}


async def test_a_test_curtails_only_where_the_operator_wants_it(stage: Stage) -> None:
    stage.publish(wire_dispatch(test=True))
    await stage.set_up()
    assert not stage.curtails("s1")
    assert stage.state("dispatch_active", "s1").state == "off"
    assert stage.state("curtail", "s1").attributes["test"] is False

    stage.hass.config_entries.async_update_entry(
        stage.entry, options={"act_on_test_dispatches": True}
    )
    await stage.settle()
    assert stage.curtails("s1")
    assert stage.state("curtail", "s1").attributes["test"] is True
    assert stage.state("curtail").attributes["test"] is True
    assert stage.state("curtail", "s2").attributes["test"] is False


async def test_a_test_beside_a_real_dispatch_is_no_test(stage: Stage) -> None:
    stage.hass.config_entries.async_update_entry(
        stage.entry, options={"act_on_test_dispatches": True}
    )
    stage.publish(
        wire_dispatch("real", at(0), at(10)),
        wire_dispatch("test", at(0), at(20), test=True),
    )
    await stage.set_up()
    assert stage.state("curtail", "s1").attributes["test"] is False
    await stage.move_to(at(10))
    assert stage.state("curtail", "s1").attributes["test"] is True
    assert stage.curtails("s1")


async def test_a_cancelled_dispatch_never_curtails(stage: Stage) -> None:
    stage.publish(wire_dispatch("d1", at(10), at(20)))
    await stage.set_up()
    stage.publish(wire_dispatch("d1", at(10), at(20), authorized=False))
    await stage.move_to(at(5))
    await stage.move_to(at(15))
    assert stage.written_states("curtail", "s1") == ["off"]


async def test_the_connection_is_off_through_an_outage_and_all_else_stands(
    stage: Stage,
) -> None:
    stage.publish(wire_dispatch("d1", at(-10), at(10)))
    await stage.set_up()
    assert stage.state("connection").state == "on"

    stage.voltus.faults = Faults(status=500)
    await stage.move_to(at(1))
    assert stage.state("connection").state == "off"
    assert stage.curtails("s1")
    await stage.move_to(at(10))
    assert not stage.curtails("s1")

    stage.voltus.faults = Faults()
    await stage.move_to(at(11))
    assert stage.state("connection").state == "on"
    assert {state for _, state in stage.written}.isdisjoint({"unavailable"})


async def test_the_connection_is_off_where_polling_is_switched_off(
    stage: Stage,
) -> None:
    stage.publish(wire_dispatch("d1", at(0), at(10)))
    await stage.set_up()
    stage.hass.config_entries.async_update_entry(stage.entry, pref_disable_polling=True)
    await stage.settle()
    assert stage.state("connection").state == "off"
    assert stage.curtails("s1")
    await stage.move_to(at(10))
    assert not stage.curtails("s1")

    stage.hass.config_entries.async_update_entry(
        stage.entry, pref_disable_polling=False
    )
    await stage.settle()
    assert stage.state("connection").state == "on"


async def test_two_accounts_may_hold_the_same_site(stage: Stage) -> None:
    stage.voltus.accounts["other-key"] = stage.voltus.accounts["sandbox-key"]
    other = MockConfigEntry(
        domain=DOMAIN,
        entry_id="other",
        title="Voltus",
        data={CONF_URL: stage.url, CONF_API_KEY: "other-key"},
        options={"ignored_sites": ["s2"]},
    )
    other.add_to_hass(stage.hass)
    stage.publish(wire_dispatch(sites={"s1": 100.0, "s2": 50.0}))
    await stage.set_up()

    registry = er.async_get(stage.hass)
    ours = {entity.unique_id for entity in stage.entities()}
    theirs = {
        entity.unique_id
        for entity in er.async_entries_for_config_entry(registry, "other")
    }
    assert "account_s1_curtail" in ours
    assert "other_s1_curtail" in theirs
    assert "other_s2_curtail" not in theirs
    assert ours.isdisjoint(theirs)
    for unique_id in ("account_s1_curtail", "other_s1_curtail", "other_curtail"):
        entity_id = registry.async_get_entity_id("binary_sensor", DOMAIN, unique_id)
        assert entity_id
        assert stage.hass.states.is_state(entity_id, "on")

    devices = dr.async_get(stage.hass)
    assert devices.async_get_device_by_identifier((DOMAIN, "account_s1"), "account")
    assert devices.async_get_device_by_identifier((DOMAIN, "other_s1"), "other")


async def test_names_tell_the_account_from_its_sites(stage: Stage) -> None:
    await stage.set_up()
    assert {
        stage.entity_id(key, site): stage.state(key, site).name
        for key in ("curtail", "dispatch_active")
        for site in ("s1", None)
    } == {
        "binary_sensor.site_s1_curtail": "Site s1 Curtail",
        "binary_sensor.site_s1_dispatch_active": "Site s1 Dispatch active",
        "binary_sensor.voltus_sandbox_any_site_curtailing": (
            "Voltus sandbox Any site curtailing"
        ),
        "binary_sensor.voltus_sandbox_dispatch_active": (
            "Voltus sandbox Dispatch active"
        ),
    }


async def test_an_unchanged_poll_writes_nothing_and_a_change_only_what_it_changes(
    stage: Stage,
) -> None:
    stage.publish(wire_dispatch("d1", NOON, at(60), {"s1": 100.0}))
    await stage.set_up()
    stage.written.clear()
    for minute in (1, 2, 3):
        await stage.move_to(at(minute))
    assert stage.written == []

    stage.publish(wire_dispatch("d1", NOON, at(60), {"s1": 100.0, "s2": 5.0}))
    await stage.move_to(at(4))
    assert {entity_id for entity_id, _ in stage.written if "site_s1" in entity_id} == (
        set()
    )
    assert stage.written_states("curtail", "s2") == ["on"]
