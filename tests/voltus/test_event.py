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

from .stage import Stage


def fired(stage: Stage) -> list[str]:
    """Return when the entity fired, each once."""
    return list(dict.fromkeys(stage.written_states("dispatch")))


async def test_the_event_entity_after_a_start(
    stage: Stage, snapshot: SnapshotAssertion
) -> None:
    stage.publish(wire_dispatch())
    with patch("custom_components.voltus.PLATFORMS", [Platform.EVENT]):
        await stage.set_up()
        await snapshot_platform(
            stage.hass, er.async_get(stage.hass), snapshot, stage.entry.entry_id
        )
        await stage.hass.config_entries.async_unload(stage.entry.entry_id)


async def test_nothing_is_known_before_voltus_has_said_anything(stage: Stage) -> None:
    await stage.set_up()
    assert stage.state("dispatch").state == "unknown"


async def test_every_type_fires(stage: Stage) -> None:
    await stage.set_up()
    said = []

    async def listen(minute: float) -> None:
        await stage.move_to(at(minute))
        said.append(stage.state("dispatch").attributes["event_type"])

    stage.publish(wire_dispatch("d1", at(10), at(30)))
    await listen(1)
    stage.publish(wire_dispatch("d1", at(10), at(20)))
    await listen(2)
    await listen(10)
    await listen(20)
    stage.publish(wire_dispatch("d2", at(60), at(90)))
    await listen(21)
    stage.publish(wire_dispatch("d2", at(60), at(90), authorized=False))
    await listen(22)
    assert said == [
        "created",
        "updated",
        "started",
        "ended",
        "created",
        "cancelled",
    ]
    assert set(said) == set(stage.state("dispatch").attributes["event_types"])
    assert len(fired(stage)) == 1 + len(said)


async def test_changes_of_one_moment_fire_one_by_one_the_last_word_last(
    stage: Stage,
) -> None:
    await stage.set_up()
    stage.publish(wire_dispatch("d1", NOON, at(60)))
    await stage.move_to(at(1))
    assert [kind for _, kind in stage.stories] == ["created", "started"]
    assert len(fired(stage)) == 1 + 2
    assert stage.state("dispatch").attributes["event_type"] == "started"


async def test_the_attributes_are_few_and_do_not_grow_with_the_sites(
    stage: Stage,
) -> None:
    await stage.set_up()
    many = {f"s{number}": 1.0 for number in range(50)}
    stage.publish(wire_dispatch("d1", at(10), at(30), many, test=True))
    await stage.move_to(at(1))
    attributes = stage.state("dispatch").attributes
    assert {name: attributes[name] for name in ATTRIBUTES} == {
        "dispatch_id": "d1",
        "status": "scheduled",
        "test": True,
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


async def test_an_outage_does_not_show(stage: Stage) -> None:
    stage.publish(wire_dispatch("d1", at(-10), at(60)))
    await stage.set_up()
    before = stage.state("dispatch")
    stage.voltus.faults = Faults(status=500)
    await stage.move_to(at(10))
    assert stage.state("dispatch") is before
    stage.voltus.faults = Faults()
    await stage.move_to(at(11))
    assert stage.state("dispatch") is before


async def test_a_restart_repeats_nothing(stage: Stage) -> None:
    stage.publish(wire_dispatch("d1", at(-10), at(60)))
    await stage.set_up()
    stage.told.clear()
    stage.freezer.tick(timedelta(minutes=5))
    await stage.restart()
    assert stage.told == []
    assert len(fired(stage)) == 1

    await stage.move_to(at(60))
    assert stage.state("dispatch").attributes["event_type"] == "ended"
