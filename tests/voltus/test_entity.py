"""Sites that come and go, their devices, and what is written when."""

from collections.abc import Mapping
from datetime import timedelta

from homeassistant.core import Event, EventStateReportedData, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_track_state_report_event
import pytest

from custom_components.voltus import async_remove_config_entry_device
from custom_components.voltus.const import DOMAIN
from custom_components.voltus.entity import VoltusEntity
from sandbox.faults import Faults
from tests.builders import NOON, at, wire_dispatch

from .harness import KEY, Harness

HOUR = 60
SITE_ENTITIES = {
    "acknowledge",
    "acknowledgement_pending",
    "curtail",
    "dispatch_active",
    "phase",
    "commitment",
    "next_start",
    "curtailment_end",
}
ACCOUNT_ENTITIES = SITE_ENTITIES | {
    "active_dispatches",
    "connection",
    "dispatch",
    "dispatches",
    "push",
}


def site(site_id: str, name: str | None = None, location: str = "") -> dict[str, str]:
    """Return a site as `GET /sites` shows it."""
    return {
        "id": site_id,
        "name": name or f"Site {site_id}",
        "customer_location_id": location,
    }


def list_sites(harness: Harness, *sites: Mapping[str, str]) -> None:
    """Have `GET /sites` answer from now on with these."""
    harness.voltus.accounts[KEY].sites = sites


def device(harness: Harness, site_id: str | None = None) -> dr.DeviceEntry | None:
    """Return the device of a site, or of the account."""
    entry_id = harness.entry.entry_id
    name = entry_id if site_id is None else f"{entry_id}_{site_id}"
    return dr.async_get(harness.hass).async_get_device_by_identifier(
        (DOMAIN, name), entry_id
    )


def sites(harness: Harness) -> set[str]:
    """Return the sites that have a device with all their entities, and nothing else."""
    devices = {
        device.id: next(iter(device.identifiers))[1]
        for device in dr.async_entries_for_config_entry(
            dr.async_get(harness.hass), harness.entry.entry_id
        )
    }
    keys: dict[str, set[str | None]] = {name: set() for name in devices.values()}
    for entity in harness.entities():
        assert entity.device_id
        keys[devices[entity.device_id]].add(entity.translation_key)
        assert harness.hass.states.get(entity.entity_id)
    assert keys.pop("account") == ACCOUNT_ENTITIES
    assert all(found == SITE_ENTITIES for found in keys.values())
    return {name.removeprefix("account_") for name in keys}


async def test_the_account_and_each_site_have_a_device(harness: Harness) -> None:
    list_sites(harness, site("s1", "Freezer", "location-7"), site("s2"))
    await harness.set_up()
    assert sites(harness) == {"s1", "s2"}

    account, freezer, other = (device(harness, x) for x in (None, "s1", "s2"))
    assert account
    assert account.name == "Voltus sandbox"
    assert account.serial_number is None
    assert freezer
    assert freezer.name == "Freezer"
    assert freezer.serial_number == "location-7"
    assert other
    assert other.serial_number is None
    for each in (account, freezer, other):
        assert each.entry_type is dr.DeviceEntryType.SERVICE
        assert each.manufacturer == "Voltus"
        assert each.via_device_id is None


async def test_a_site_appears_with_the_dispatch_that_names_it(harness: Harness) -> None:
    await harness.set_up()
    harness.publish(wire_dispatch("d1", NOON, at(60), {"s3": 10.0}))
    await harness.move_to(at(1))
    assert sites(harness) == {"s1", "s2", "s3"}
    assert harness.written_states("curtail", "s3") == ["on"]
    (event,) = [e for e in harness.told if e.event_type == "voltus_dispatch_started"]
    new = device(harness, "s3")
    assert new
    assert event.data["sites"][0]["device_id"] == new.id


async def test_a_site_that_only_dispatches_name_is_asked_about_once(
    harness: Harness,
) -> None:
    def asked() -> int:
        return len([r for r in harness.voltus.requests if r.path.endswith("/sites")])

    await harness.set_up()
    assert asked() == 1
    list_sites(harness, site("s1"), site("s2"), site("s3", "Pump", "location-3"))
    harness.publish(wire_dispatch("d1", NOON, at(60), {"s3": 10.0}))
    for minute in (1, 2, 3):
        await harness.move_to(at(minute))
    assert asked() == 2
    pump = device(harness, "s3")
    assert pump
    assert pump.name == "Pump"
    assert pump.serial_number == "location-3"


async def test_what_is_over_brings_no_site(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(-60), at(-30), {"s3": 10.0}))
    await harness.set_up()
    assert sites(harness) == {"s1", "s2"}


async def test_a_new_site_appears_within_six_hours(harness: Harness) -> None:
    await harness.set_up()
    list_sites(harness, site("s1", "Renamed", "moved"), site("s2"), site("s3"))
    await harness.move_to(at(6 * HOUR) - timedelta(minutes=1))
    assert sites(harness) == {"s1", "s2"}
    await harness.move_to(at(6 * HOUR + 1))
    assert sites(harness) == {"s1", "s2", "s3"}
    assert not harness.curtails("s3")
    renamed = device(harness, "s1")
    assert renamed
    assert (renamed.name, renamed.serial_number) == ("Renamed", "moved")


async def test_a_site_leaves_when_two_answers_six_hours_apart_lack_it(
    harness: Harness,
) -> None:
    await harness.set_up()
    list_sites(harness, site("s1"))
    await harness.move_to(at(6 * HOUR + 1))
    assert sites(harness) == {"s1", "s2"}
    entity_id = harness.entity_id("curtail", "s2")
    await harness.move_to(at(12 * HOUR + 2))
    assert sites(harness) == {"s1"}
    assert harness.hass.states.get(entity_id) is None

    list_sites(harness, site("s1"), site("s2"))
    await harness.move_to(at(18 * HOUR + 3))
    assert sites(harness) == {"s1", "s2"}
    assert harness.entity_id("curtail", "s2") == entity_id


async def test_a_site_that_is_listed_again_in_between_stays(harness: Harness) -> None:
    await harness.set_up()
    for hours in (6, 12, 18, 24):
        list_sites(harness, site("s1"), *([site("s2")] if hours % 12 == 0 else []))
        await harness.move_to(at(hours * HOUR + hours))
    assert sites(harness) == {"s1", "s2"}


@pytest.mark.parametrize(
    "fault",
    [
        Faults(status=500, paths=["/sites"]),
        Faults(status=403, paths=["/sites"]),
        Faults(body="wrong_shape", paths=["/sites"]),
    ],
    ids=["an error", "refused", "garbage"],
)
async def test_no_site_leaves_because_of_a_failed_answer(
    harness: Harness, fault: Faults
) -> None:
    await harness.set_up()
    harness.voltus.faults = fault
    for hours in (6, 12, 18):
        await harness.move_to(at(hours * HOUR + hours))
    assert sites(harness) == {"s1", "s2"}
    assert harness.state("connection").state == "on"


async def test_no_site_leaves_because_of_an_empty_or_partly_unreadable_answer(
    harness: Harness,
) -> None:
    await harness.set_up()
    for hours, answer in ((6, ()), (12, ()), (18, (site("s1"), {"id": ""}))):
        list_sites(harness, *answer)
        await harness.move_to(at(hours * HOUR + hours))
    assert sites(harness) == {"s1", "s2"}


async def test_a_site_stays_while_a_dispatch_names_it(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(20 * HOUR), {"s2": 10.0}))
    await harness.set_up()
    list_sites(harness, site("s1"))
    for hours in (6, 12, 18):
        await harness.move_to(at(hours * HOUR + hours))
    assert harness.curtails("s2")
    assert sites(harness) == {"s1", "s2"}
    await harness.move_to(at(24 * HOUR + 24))
    assert sites(harness) == {"s1"}


async def test_a_site_stays_away_after_a_restart(harness: Harness) -> None:
    await harness.set_up()
    list_sites(harness, site("s1"))
    await harness.move_to(at(6 * HOUR + 1))
    await harness.restart()
    assert sites(harness) == {"s1", "s2"}
    await harness.move_to(at(12 * HOUR + 2))
    assert sites(harness) == {"s1"}
    await harness.restart()
    assert sites(harness) == {"s1"}


async def test_an_ignored_site_goes_at_once_and_comes_back_as_it_was(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch(sites={"s1": 100.0, "s2": 50.0}))
    await harness.set_up()
    before = {entity.entity_id for entity in harness.entities()}
    er.async_get(harness.hass).async_update_entity(
        harness.entity_id("curtail", "s2"), new_entity_id="binary_sensor.mine"
    )

    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"ignored_sites": ["s2"]}
    )
    await harness.settle()
    assert sites(harness) == {"s1"}
    assert harness.hass.states.get("binary_sensor.mine") is None
    assert harness.state("commitment").state == "100.0"
    assert harness.curtails()

    harness.hass.config_entries.async_update_entry(harness.entry, options={})
    await harness.settle()
    assert sites(harness) == {"s1", "s2"}
    assert harness.entity_id("curtail", "s2") == "binary_sensor.mine"
    assert harness.curtails("s2")
    assert harness.state("commitment").state == "150.0"
    assert len(harness.entities()) == len(before)


async def test_only_what_is_gone_may_be_deleted_by_hand(harness: Harness) -> None:
    await harness.set_up()
    gone = dr.async_get(harness.hass).async_get_or_create(
        config_entry_id=harness.entry.entry_id, identifiers={(DOMAIN, "account_s9")}
    )
    for each, allowed in (
        (device(harness), False),
        (device(harness, "s1"), False),
        (gone, True),
    ):
        assert each
        answer = await async_remove_config_entry_device(
            harness.hass, harness.entry, each
        )
        assert answer is allowed

    await harness.hass.config_entries.async_unload(harness.entry.entry_id)
    assert not await async_remove_config_entry_device(harness.hass, harness.entry, gone)


async def test_an_unchanged_poll_calls_no_entity_and_reports_no_state(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.publish(wire_dispatch(sites={"s1": 100.0, "s2": 50.0}))
    await harness.set_up()
    await harness.move_to(at(1))
    reported: list[str] = []
    written: list[str] = []

    @callback
    def report(event: Event[EventStateReportedData]) -> None:
        reported.append(event.data["entity_id"])

    write = VoltusEntity.async_write_ha_state

    def count(entity: VoltusEntity) -> None:
        written.append(entity.entity_id)
        write(entity)

    async_track_state_report_event(
        harness.hass, [entity.entity_id for entity in harness.entities()], report
    )
    monkeypatch.setattr(VoltusEntity, "async_write_ha_state", count)
    asked = len(harness.voltus.requests)
    for minute in (2, 3, 4):
        await harness.move_to(at(minute))
    assert len(harness.voltus.requests) == asked + 3
    assert (reported, written) == ([], [])

    harness.publish(wire_dispatch(sites={"s1": 100.0, "s2": 60.0}))
    await harness.move_to(at(5))
    assert not [entity_id for entity_id in written if "site_s1" in entity_id]
    # Its `commitment`, and `curtail` with that by dispatch: nothing else is another.
    assert [entity_id for entity_id in written if "site_s2" in entity_id] == [
        harness.entity_id(key, "s2") for key in ("commitment", "curtail")
    ]
    assert harness.entity_id("active_dispatches") not in written
    assert written.count(harness.entity_id("dispatch")) == 1
    assert harness.state("commitment", "s2").state == "60.0"
