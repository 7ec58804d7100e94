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

from .harness import Harness

SECOND = timedelta(seconds=1)


def edges(states: list[str]) -> list[str]:
    """Return states without those that only repeat the one before."""
    return [state for state, _ in groupby(states)]


async def test_every_binary_sensor_while_a_dispatch_is_under_way(
    harness: Harness, snapshot: SnapshotAssertion
) -> None:
    harness.publish(
        wire_dispatch("d1", at(-10), at(60), {"s1": 100.0}),
        wire_dispatch("d2", at(30), at(90), {"s1": 50.0, "s2": 25.0}),
    )
    with patch("custom_components.voltus.PLATFORMS", [Platform.BINARY_SENSOR]):
        await harness.set_up()
        await snapshot_platform(
            harness.hass, er.async_get(harness.hass), snapshot, harness.entry.entry_id
        )
        await harness.hass.config_entries.async_unload(harness.entry.entry_id)


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
    harness: Harness, now: datetime, curtail: str, active: str
) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"lead_time": 6}
    )
    harness.publish(wire_dispatch("d1", at(10), at(20)))
    await harness.set_up()
    await harness.move_to(now)
    for site in ("s1", None):
        assert harness.state("curtail", site).state == curtail
        assert harness.state("dispatch_active", site).state == active
    assert harness.state("curtail", "s2").state == "off"


async def test_the_account_curtails_while_any_site_does(harness: Harness) -> None:
    harness.publish(
        wire_dispatch("d1", at(0), at(20), {"s1": 100.0}),
        wire_dispatch("d2", at(10), at(30), {"s2": 50.0}),
    )
    await harness.set_up()
    assert [harness.curtails(x) for x in ("s1", "s2", None)] == [True, False, True]
    await harness.move_to(at(10))
    assert [harness.curtails(x) for x in ("s1", "s2", None)] == [True, True, True]
    await harness.move_to(at(20))
    assert [harness.curtails(x) for x in ("s1", "s2", None)] == [False, True, True]
    await harness.move_to(at(30))
    assert [harness.curtails(x) for x in ("s1", "s2", None)] == [False, False, False]
    assert edges(harness.written_states("curtail")) == ["on", "off"]


async def test_dispatches_one_after_the_other_are_one_curtailment(
    harness: Harness,
) -> None:
    harness.publish(
        wire_dispatch("d1", at(0), at(20)),
        wire_dispatch("d2", at(20) + SECOND / 2, at(40)),
    )
    await harness.set_up()
    for minute in (10, 20, 20.1, 30, 40):
        await harness.move_to(at(minute))
    assert edges(harness.written_states("curtail", "s1")) == ["on", "off"]


async def test_the_attributes_tell_who_asks_for_how_much(harness: Harness) -> None:
    harness.publish(
        wire_dispatch("d2", at(0), at(20), {"s1": 100.0, "s2": None}),
        wire_dispatch("d1", at(10), at(30), {"s1": 0.0}),
        wire_dispatch("later", at(40), at(50), {"s1": 10.0}),
    )
    await harness.set_up()
    await harness.move_to(at(10))

    site = harness.state("curtail", "s1").attributes
    assert site["dispatch_ids"] == ["d1", "d2"]
    assert site["by_dispatch"] == {"d1": 0.0, "d2": 100.0}
    account = harness.state("curtail").attributes
    assert account["dispatch_ids"] == ["d1", "d2"]
    assert account["by_dispatch"] == {"d1": 0.0, "d2": None}

    await harness.move_to(at(30))
    for entity_id in (None, "s1"):
        attributes = harness.state("curtail", entity_id).attributes
        assert attributes["dispatch_ids"] == []
        assert attributes["by_dispatch"] == {}


async def test_a_test_curtails_only_where_the_operator_wants_it(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch(test=True))
    await harness.set_up()
    assert not harness.curtails("s1")
    assert harness.state("dispatch_active", "s1").state == "off"
    assert harness.state("curtail", "s1").attributes["test"] is False

    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"act_on_test_dispatches": True}
    )
    await harness.settle()
    assert harness.curtails("s1")
    assert harness.state("curtail", "s1").attributes["test"] is True
    assert harness.state("curtail").attributes["test"] is True
    assert harness.state("curtail", "s2").attributes["test"] is False


async def test_a_test_beside_a_real_dispatch_is_no_test(harness: Harness) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"act_on_test_dispatches": True}
    )
    harness.publish(
        wire_dispatch("real", at(0), at(10)),
        wire_dispatch("test", at(0), at(20), test=True),
    )
    await harness.set_up()
    assert harness.state("curtail", "s1").attributes["test"] is False
    await harness.move_to(at(10))
    assert harness.state("curtail", "s1").attributes["test"] is True
    assert harness.curtails("s1")


async def test_a_cancelled_dispatch_never_curtails(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(20)))
    await harness.set_up()
    harness.publish(wire_dispatch("d1", at(10), at(20), authorized=False))
    await harness.move_to(at(5))
    await harness.move_to(at(15))
    assert harness.written_states("curtail", "s1") == ["off"]


async def test_the_connection_is_off_through_an_outage_and_all_else_stands(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(10)))
    await harness.set_up()
    assert harness.state("connection").state == "on"

    harness.voltus.faults = Faults(status=500)
    await harness.move_to(at(1))
    assert harness.state("connection").state == "off"
    assert harness.curtails("s1")
    await harness.move_to(at(10))
    assert not harness.curtails("s1")

    harness.voltus.faults = Faults()
    await harness.move_to(at(11))
    assert harness.state("connection").state == "on"
    assert {state for _, state in harness.written}.isdisjoint({"unavailable"})


async def test_the_connection_is_off_where_polling_is_switched_off(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(0), at(10)))
    await harness.set_up()
    harness.hass.config_entries.async_update_entry(
        harness.entry, pref_disable_polling=True
    )
    await harness.settle()
    assert harness.state("connection").state == "off"
    assert harness.curtails("s1")
    await harness.move_to(at(10))
    assert not harness.curtails("s1")

    harness.hass.config_entries.async_update_entry(
        harness.entry, pref_disable_polling=False
    )
    await harness.settle()
    assert harness.state("connection").state == "on"


async def test_two_accounts_may_hold_the_same_site(harness: Harness) -> None:
    harness.voltus.accounts["other-key"] = harness.voltus.accounts["sandbox-key"]
    other = MockConfigEntry(
        domain=DOMAIN,
        entry_id="other",
        title="Voltus",
        data={CONF_URL: harness.url, CONF_API_KEY: "other-key"},
        options={"ignored_sites": ["s2"]},
    )
    other.add_to_hass(harness.hass)
    harness.publish(wire_dispatch(sites={"s1": 100.0, "s2": 50.0}))
    await harness.set_up()

    registry = er.async_get(harness.hass)
    ours = {entity.unique_id for entity in harness.entities()}
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
        assert harness.hass.states.is_state(entity_id, "on")

    devices = dr.async_get(harness.hass)
    assert devices.async_get_device_by_identifier((DOMAIN, "account_s1"), "account")
    assert devices.async_get_device_by_identifier((DOMAIN, "other_s1"), "other")


async def test_names_tell_the_account_from_its_sites(harness: Harness) -> None:
    await harness.set_up()
    assert {
        harness.entity_id(key, site): harness.state(key, site).name
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
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", NOON, at(60), {"s1": 100.0}))
    await harness.set_up()
    harness.written.clear()
    for minute in (1, 2, 3):
        await harness.move_to(at(minute))
    assert harness.written == []

    harness.publish(wire_dispatch("d1", NOON, at(60), {"s1": 100.0, "s2": 5.0}))
    await harness.move_to(at(4))
    assert {
        entity_id for entity_id, _ in harness.written if "site_s1" in entity_id
    } == (set())
    assert harness.written_states("curtail", "s2") == ["on"]
