"""What Voltus has said last, as an event entity."""

from datetime import timedelta
from unittest.mock import patch

from homeassistant.const import Platform
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import snapshot_platform
from syrupy.assertion import SnapshotAssertion

from custom_components.voltus.event import ATTRIBUTES
from sandbox.faults import Faults
from tests.builders import NOON, at, wire_dispatch

from .harness import Harness


def fired(harness: Harness) -> list[str]:
    """Return when the entity fired, each once."""
    return list(dict.fromkeys(harness.written_states("dispatch")))


async def test_the_event_entity_after_a_start(
    harness: Harness, snapshot: SnapshotAssertion
) -> None:
    harness.publish(wire_dispatch())
    with patch("custom_components.voltus.PLATFORMS", [Platform.EVENT]):
        await harness.set_up()
        await snapshot_platform(
            harness.hass, er.async_get(harness.hass), snapshot, harness.entry.entry_id
        )
        await harness.hass.config_entries.async_unload(harness.entry.entry_id)


async def test_nothing_is_known_before_voltus_has_said_anything(
    harness: Harness,
) -> None:
    await harness.set_up()
    assert harness.state("dispatch").state == "unknown"


async def test_every_type_fires(harness: Harness) -> None:
    await harness.set_up()
    said = []

    async def listen(minute: float) -> None:
        await harness.move_to(at(minute))
        said.append(harness.state("dispatch").attributes["event_type"])

    harness.publish(wire_dispatch("d1", at(10), at(30)))
    await listen(1)
    harness.publish(wire_dispatch("d1", at(10), at(20)))
    await listen(2)
    await listen(10)
    await listen(20)
    harness.publish(wire_dispatch("d2", at(60), at(90)))
    await listen(21)
    harness.publish(wire_dispatch("d2", at(60), at(90), authorized=False))
    await listen(22)
    assert said == [
        "created",
        "updated",
        "started",
        "ended",
        "created",
        "cancelled",
    ]
    assert set(said) == set(harness.state("dispatch").attributes["event_types"])
    assert len(fired(harness)) == 1 + len(said)


async def test_changes_of_one_moment_fire_one_by_one_the_last_word_last(
    harness: Harness,
) -> None:
    await harness.set_up()
    harness.publish(wire_dispatch("d1", NOON, at(60)))
    await harness.move_to(at(1))
    assert [kind for _, kind in harness.stories] == ["created", "started"]
    assert len(fired(harness)) == 1 + 2
    assert harness.state("dispatch").attributes["event_type"] == "started"


async def test_the_attributes_are_few_and_do_not_grow_with_the_sites(
    harness: Harness,
) -> None:
    await harness.set_up()
    many = {f"s{number}": 1.0 for number in range(50)}
    harness.publish(wire_dispatch("d1", at(10), at(30), many, test=True))
    await harness.move_to(at(1))
    attributes = harness.state("dispatch").attributes
    assert {name: attributes[name] for name in ATTRIBUTES} == {
        "dispatch_id": "d1",
        "status": "scheduled",
        "test": True,
        "drill": False,
        "actionable": False,
        "start_time": at(10).isoformat(),
        "end_time": at(30).isoformat(),
        "commitment": 50.0,
        "late_seconds": 4 * 60 * 60 + 60,
    }
    assert attributes.keys() == {
        *ATTRIBUTES,
        "event_type",
        "event_types",
        "friendly_name",
    }


async def test_an_outage_does_not_show(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    await harness.set_up()
    before = harness.state("dispatch")
    harness.voltus.faults = Faults(status=500)
    await harness.move_to(at(10))
    assert harness.state("dispatch") is before
    harness.voltus.faults = Faults()
    await harness.move_to(at(11))
    assert harness.state("dispatch") is before


async def test_a_restart_repeats_nothing(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    await harness.set_up()
    harness.told.clear()
    harness.freezer.tick(timedelta(minutes=5))
    await harness.restart()
    assert harness.told == []
    assert len(fired(harness)) == 1

    await harness.move_to(at(60))
    assert harness.state("dispatch").attributes["event_type"] == "ended"
