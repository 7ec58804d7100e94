"""What is asked, how much of it, and from when to when."""

from unittest.mock import patch

from homeassistant.const import Platform
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import snapshot_platform
from syrupy.assertion import SnapshotAssertion

from custom_components.voltus.aiovoltus.models import Json
from sandbox.faults import Faults
from tests.builders import NOON, at, wire_dispatch

from .harness import Harness

LATER = wire_dispatch("later", at(240), at(300))


async def test_every_sensor_while_a_dispatch_is_under_way(
    harness: Harness, snapshot: SnapshotAssertion
) -> None:
    harness.publish(
        wire_dispatch("d1", at(-10), at(60), {"s1": 100.0}),
        wire_dispatch("d2", at(30), at(90), {"s1": 50.0, "s2": 25.0}),
    )
    with patch("custom_components.voltus.PLATFORMS", [Platform.SENSOR]):
        await harness.set_up()
        await snapshot_platform(
            harness.hass, er.async_get(harness.hass), snapshot, harness.entry.entry_id
        )
        await harness.hass.config_entries.async_unload(harness.entry.entry_id)


async def test_the_life_of_a_dispatch(harness: Harness) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"lead_time": 5}
    )
    harness.publish(wire_dispatch("d1", at(10), at(20)), LATER)
    await harness.set_up()
    start, end, later = (at(x).isoformat() for x in (10, 20, 240))

    def told(site: str | None) -> tuple[str, ...]:
        keys = ("phase", "commitment", "next_start", "curtailment_end")
        return tuple(harness.state(key, site).state for key in keys)

    for site in ("s1", None):
        assert told(site) == ("scheduled", "0.0", start, "unknown")
    assert told("s2") == ("idle", "0.0", "unknown", "unknown")
    await harness.move_to(at(5))
    for site in ("s1", None):
        assert told(site) == ("preparing", "100.0", start, end)
    await harness.move_to(at(10))
    for site in ("s1", None):
        assert told(site) == ("active", "100.0", later, end)
    await harness.move_to(at(20))
    for site in ("s1", None):
        assert told(site) == ("scheduled", "0.0", later, "unknown")
    harness.publish()
    await harness.move_to(at(25))
    await harness.move_to(at(26))
    for site in ("s1", None):
        assert told(site) == ("idle", "0.0", "unknown", "unknown")
    assert told("s2") == ("idle", "0.0", "unknown", "unknown")


@pytest.mark.parametrize(
    ("amounts", "site", "account"),
    [
        ([{"s1": 100.0}], "100.0", "100.0"),
        ([{"s1": 100.0, "s2": 50.0}], "100.0", "150.0"),
        ([{"s1": 100.0}, {"s1": 40.0}], "100.0", "100.0"),
        ([{"s1": 100.0}, {"s1": 40.0, "s2": 7.5}], "100.0", "107.5"),
        ([{"s1": 0.0}], "0.0", "0.0"),
        ([{"s1": None}], "unknown", "unknown"),
        ([{"s1": 100.0}, {"s1": None}], "unknown", "unknown"),
        ([{"s1": 100.0, "s2": None}], "100.0", "unknown"),
    ],
    ids=[
        "one site",
        "two sites add up",
        "of two dispatches the larger counts",
        "both at once",
        "zero is an amount",
        "no amount is the full plan",
        "no amount beside one",
        "no amount at the other site",
    ],
)
async def test_the_commitment(
    harness: Harness, amounts: list[dict[str, float | None]], site: str, account: str
) -> None:
    harness.publish(
        *(
            wire_dispatch(f"d{number}", NOON, at(60), each)
            for number, each in enumerate(amounts)
        )
    )
    await harness.set_up()
    assert harness.curtails("s1")
    assert harness.state("commitment", "s1").state == site
    assert harness.state("commitment").state == account


async def test_the_commitment_may_be_given_as_drop_by(harness: Harness) -> None:
    sites: Json = [
        {"id": "s1", "name": "Site s1", "customer_location_id": "", "drop_by": 12}
    ]
    harness.publish(wire_dispatch() | {"sites": sites})
    await harness.set_up()
    assert harness.state("commitment", "s1").state == "12.0"


async def test_touching_dispatches_have_one_end(harness: Harness) -> None:
    harness.publish(
        wire_dispatch("d1", at(0), at(20)),
        wire_dispatch("d2", at(20), at(40)),
        wire_dispatch("d3", at(41), at(60)),
    )
    await harness.set_up()
    assert harness.state("curtailment_end", "s1").state == at(40).isoformat()
    assert harness.state("next_start", "s1").state == at(20).isoformat()


async def test_an_open_end_is_unknown_until_voltus_tells_it(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(-10), None))
    await harness.set_up()
    assert harness.state("curtailment_end", "s1").state == "unknown"
    assert harness.state("phase", "s1").state == "active"
    harness.publish(wire_dispatch("d1", at(-10), at(5)))
    await harness.move_to(at(1))
    assert harness.state("curtailment_end", "s1").state == at(5).isoformat()


async def test_tests_are_counted_but_ask_for_nothing(harness: Harness) -> None:
    harness.publish(
        wire_dispatch("real", at(0), at(10)),
        wire_dispatch("test", at(0), at(20), test=True),
        wire_dispatch("cancelled", at(0), at(20), authorized=False),
        LATER,
    )
    await harness.set_up()
    assert harness.state("active_dispatches").state == "2"
    await harness.move_to(at(10))
    assert harness.state("active_dispatches").state == "1"
    assert harness.state("phase", "s1").state == "scheduled"
    assert harness.state("commitment", "s1").state == "0.0"
    await harness.move_to(at(20))
    assert harness.state("active_dispatches").state == "0"


async def test_dispatches_of_ignored_sites_are_counted(harness: Harness) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"ignored_sites": ["s1"]}
    )
    harness.publish(wire_dispatch("d1", at(0), at(10), {"s1": 100.0}))
    await harness.set_up()
    assert harness.state("active_dispatches").state == "1"
    assert harness.state("phase").state == "idle"
    assert harness.state("commitment").state == "0.0"


async def test_through_an_outage_everything_stays_known_and_comes_on_time(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(20)))
    await harness.set_up()
    harness.voltus.faults = Faults(body="html")
    for minute, phase, count in (
        (5, "scheduled", "0"),
        (10, "active", "1"),
        (20, "idle", "0"),
    ):
        await harness.move_to(at(minute))
        assert harness.state("phase", "s1").state == phase
        assert harness.state("active_dispatches").state == count
    assert {state for _, state in harness.written}.isdisjoint({"unavailable"})


async def test_an_unchanged_poll_writes_nothing(harness: Harness) -> None:
    harness.publish(wire_dispatch(), LATER)
    await harness.set_up()
    harness.written.clear()
    for minute in (1, 2, 3):
        await harness.move_to(at(minute))
    assert harness.written == []
