"""What a restart in the middle of things must not change."""

from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import CoreState
import pytest

from sandbox.faults import Faults
from tests.builders import at, wire_dispatch

from .stage import Stage

FAILURES = {
    "refused": Faults(status=500),
    "401": Faults(status=401),
    "hanging": Faults(hang=True),
}


@pytest.mark.parametrize("fault", FAILURES.values(), ids=FAILURES.keys())
@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
async def test_the_first_state_is_the_true_one_whatever_the_api_does(
    stage: Stage, fault: Faults, killed: bool
) -> None:
    stage.publish(wire_dispatch("d1", at(10), at(60)))
    await stage.set_up()
    await stage.move_to(at(5))
    stage.freezer.move_to(at(20))
    stage.voltus.faults = fault
    await stage.restart(stage.disk() if killed else None, started=False)

    assert stage.entry.state is ConfigEntryState.LOADED
    for site in ("s1", None):
        assert stage.written_states("curtail", site) == ["on"]
    assert stage.written_states("curtail", "s2") == ["off"]
    assert stage.stories == [("d1", "created")]
    await stage.finish_start()
    assert stage.stories == [("d1", "created"), ("d1", "started")]
    assert stage.told[-1].data["late_seconds"] == 600
    await stage.hass.config_entries.async_unload(stage.entry.entry_id)


async def test_what_happened_meanwhile_is_told_once_after_the_start(
    stage: Stage,
) -> None:
    stage.publish(
        wire_dispatch("d1", at(1), at(5)), wire_dispatch("d2", at(10), at(60))
    )
    await stage.set_up()
    stage.publish(
        wire_dispatch("d2", at(10), at(60)), wire_dispatch("d3", at(15), at(30))
    )
    stage.freezer.move_to(at(20))
    stage.told.clear()
    await stage.restart(started=False)
    await stage.settle()
    assert stage.told == []
    assert stage.curtails("s1")
    await stage.finish_start()
    assert stage.stories == [
        ("d1", "ended"),
        ("d2", "started"),
        ("d3", "created"),
        ("d3", "started"),
    ]
    assert stage.told[0].data["missed"] is True
    await stage.restart()
    assert len(stage.told) == 4


async def test_what_was_told_but_not_noted_carries_the_same_id_when_told_again(
    stage: Stage,
) -> None:
    stage.publish(wire_dispatch("d1", at(10), at(60)))
    await stage.set_up()
    before = stage.disk()
    await stage.move_to(at(10))
    await stage.restart(before)
    ids = [event.data["change_id"] for event in stage.told]
    assert stage.stories == [("d1", "created"), ("d1", "started"), ("d1", "started")]
    assert ids[1] == ids[2]
    assert ids[0] != ids[1]


async def test_what_is_told_again_keeps_its_id_whatever_is_told_first(
    stage: Stage,
) -> None:
    d1, d2 = wire_dispatch("d1", at(10), at(60)), wire_dispatch("d2", at(20), at(60))
    stage.publish(d2)
    await stage.set_up()
    before = stage.disk()
    stage.publish(d1, d2)
    await stage.move_to(at(1))
    await stage.move_to(at(10))
    told = {e.data["change_id"] for e in stage.told if e.data["dispatch_id"] == "d1"}
    stage.voltus.faults = Faults(status=500)
    stage.freezer.move_to(at(20))
    stage.told.clear()
    await stage.restart(before)
    assert stage.stories == [("d2", "started")]

    stage.voltus.faults = Faults()
    await stage.move_to(at(21))
    assert stage.stories[1:] == [("d1", "created"), ("d1", "started")]
    assert {event.data["change_id"] for event in stage.told[1:]} == told


async def test_what_happens_once_more_is_another_change(stage: Stage) -> None:
    dispatch = wire_dispatch("d1", at(-10), at(60))
    cancelled = dispatch | {"authorized": False}
    stage.publish(dispatch)
    await stage.set_up()
    for each in (cancelled, dispatch, cancelled, dispatch):
        stage.publish(each)
        await stage.poll()
    kinds = [kind for _, kind in stage.stories]
    again = ["cancelled", "updated", "started"]
    assert kinds == ["created", "started", *again, *again]
    assert len({event.data["change_id"] for event in stage.told}) == len(kinds)


async def test_the_last_contact_outlives_a_kill(stage: Stage) -> None:
    stage.publish(wire_dispatch("d1", at(-10), None))
    await stage.set_up()
    for minute in range(1, 301):
        await stage.move_to(at(minute))
    stage.voltus.faults = Faults(status=500)
    await stage.restart(stage.disk())
    assert stage.written_states("curtail", "s1") == ["on"]
    await stage.move_to(at(294 + 240))
    assert stage.curtails("s1")
    await stage.move_to(at(301 + 240))
    assert not stage.curtails("s1")


async def test_nothing_is_told_while_home_assistant_stops(stage: Stage) -> None:
    stage.publish(wire_dispatch("d1", at(1), at(5)))
    await stage.set_up()
    stage.hass.set_state(CoreState.stopping)
    await stage.move_to(at(1))
    assert stage.stories == [("d1", "created")]


async def test_killed_at_any_moment_nothing_is_lost(stage: Stage) -> None:
    """A start from any earlier state of the disk ends in the same last words."""
    disks: list[dict[str, Any]] = []
    for minute, dispatches in enumerate(
        (
            [wire_dispatch("d1", at(2), at(5))],
            [wire_dispatch("d1", at(2), at(6)), wire_dispatch("d2", at(3), None)],
            [wire_dispatch("d1", at(2), at(6)), wire_dispatch("d2", at(3), at(4.5))],
            [
                wire_dispatch("d1", at(2), at(6), authorized=False),
                wire_dispatch("d2", at(3), at(4.5)),
            ],
        )
    ):
        stage.publish(*dispatches)
        stage.freezer.move_to(at(minute))
        await (stage.poll() if disks else stage.set_up())
        disks.append(stage.disk())
    await stage.move_to(at(4.5))
    assert dict(stage.stories) == {"d1": "cancelled", "d2": "ended"}

    for number, disk in enumerate(disks):
        heard = stage.stories[: len(stage.told)]
        before = len(heard)
        await stage.restart(disk)
        expected = (
            {"d2": "ended"} if number == 3 else {"d1": "cancelled", "d2": "ended"}
        )
        assert dict(stage.stories[before:]) == expected
