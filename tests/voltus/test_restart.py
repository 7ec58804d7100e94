"""What a restart in the middle of things must not change."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import CoreState, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect
import pytest

from custom_components.voltus.announcing.announcer import TOLD
from sandbox.faults import Faults
from tests.builders import NOON, at, wire_dispatch

from .harness import Harness, issues

FAILURES = {
    "refused": Faults(status=500),
    "401": Faults(status=401),
    "hanging": Faults(hang=True),
}


@pytest.mark.parametrize("fault", FAILURES.values(), ids=FAILURES.keys())
@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
async def test_the_first_state_is_the_true_one_whatever_the_api_does(
    harness: Harness, fault: Faults, killed: bool
) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(60)))
    await harness.set_up()
    await harness.move_to(at(5))
    harness.freezer.move_to(at(20))
    harness.voltus.faults = fault
    await harness.restart(harness.disk() if killed else None, started=False)

    assert harness.entry.state is ConfigEntryState.LOADED
    for site in ("s1", None):
        assert harness.written_states("curtail", site) == ["on"]
    assert harness.written_states("curtail", "s2") == ["off"]
    assert harness.stories == [("d1", "created")]
    await harness.finish_start()
    assert harness.stories == [("d1", "created"), ("d1", "started")]
    assert harness.told[-1].data["late_seconds"] == 600
    await harness.hass.config_entries.async_unload(harness.entry.entry_id)


async def test_what_happened_meanwhile_is_told_once_after_the_start(
    harness: Harness,
) -> None:
    harness.publish(
        wire_dispatch("d1", at(1), at(5)), wire_dispatch("d2", at(10), at(60))
    )
    await harness.set_up()
    harness.publish(
        wire_dispatch("d2", at(10), at(60)), wire_dispatch("d3", at(15), at(30))
    )
    harness.freezer.move_to(at(20))
    harness.told.clear()
    await harness.restart(started=False)
    await harness.settle()
    assert harness.told == []
    assert harness.curtails("s1")
    await harness.finish_start()
    assert harness.stories == [
        ("d1", "ended"),
        ("d2", "started"),
        ("d3", "created"),
        ("d3", "started"),
    ]
    assert harness.told[0].data["missed"] is True
    await harness.restart()
    assert len(harness.told) == 4


async def test_what_was_told_but_not_noted_carries_the_same_id_when_told_again(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(60)))
    await harness.set_up()
    before = harness.disk()
    await harness.move_to(at(10))
    await harness.restart(before)
    ids = [event.data["change_id"] for event in harness.told]
    assert harness.stories == [("d1", "created"), ("d1", "started"), ("d1", "started")]
    assert ids[1] == ids[2]
    assert ids[0] != ids[1]


async def test_what_is_told_again_keeps_its_id_whatever_is_told_first(
    harness: Harness,
) -> None:
    d1, d2 = wire_dispatch("d1", at(10), at(60)), wire_dispatch("d2", at(20), at(60))
    harness.publish(d2)
    await harness.set_up()
    before = harness.disk()
    harness.publish(d1, d2)
    await harness.move_to(at(1))
    await harness.move_to(at(10))
    told = {e.data["change_id"] for e in harness.told if e.data["dispatch_id"] == "d1"}
    harness.voltus.faults = Faults(status=500)
    harness.freezer.move_to(at(20))
    harness.told.clear()
    await harness.restart(before)
    assert harness.stories == [("d2", "started")]

    harness.voltus.faults = Faults()
    await harness.move_to(at(21))
    assert harness.stories[1:] == [("d1", "created"), ("d1", "started")]
    assert {event.data["change_id"] for event in harness.told[1:]} == told


async def test_what_happens_once_more_is_another_change(harness: Harness) -> None:
    dispatch = wire_dispatch("d1", at(-10), at(60))
    cancelled = dispatch | {"authorized": False}
    harness.publish(dispatch)
    await harness.set_up()
    for each in (cancelled, dispatch, cancelled, dispatch):
        harness.publish(each)
        await harness.poll()
    kinds = [kind for _, kind in harness.stories]
    again = ["cancelled", "updated", "started"]
    assert kinds == ["created", "started", *again, *again]
    assert len({event.data["change_id"] for event in harness.told}) == len(kinds)


async def test_the_last_contact_outlives_a_kill(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(-10), None))
    await harness.set_up()
    for minute in range(1, 301):
        await harness.move_to(at(minute))
    harness.voltus.faults = Faults(status=500)
    await harness.restart(harness.disk())
    assert harness.written_states("curtail", "s1") == ["on"]
    await harness.move_to(at(294 + 240))
    assert harness.curtails("s1")
    await harness.move_to(at(301 + 240))
    assert not harness.curtails("s1")


async def test_nothing_is_told_while_home_assistant_stops(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(1), at(5)))
    await harness.set_up()
    harness.hass.set_state(CoreState.stopping)
    await harness.move_to(at(1))
    assert harness.stories == [("d1", "created")]


async def test_killed_at_any_moment_nothing_is_lost(harness: Harness) -> None:
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
        harness.publish(*dispatches)
        harness.freezer.move_to(at(minute))
        await (harness.poll() if disks else harness.set_up())
        disks.append(harness.disk())
    await harness.move_to(at(4.5))
    assert dict(harness.stories) == {"d1": "cancelled", "d2": "ended"}

    for number, disk in enumerate(disks):
        heard = harness.stories[: len(harness.told)]
        before = len(heard)
        await harness.restart(disk)
        expected = (
            {"d2": "ended"} if number == 3 else {"d1": "cancelled", "d2": "ended"}
        )
        assert dict(harness.stories[before:]) == expected


# A clock that is behind what was stored


@pytest.mark.parametrize(
    "boots_at",
    [
        pytest.param(at(-1), id="a minute behind"),
        pytest.param(at(-570), id="hours behind"),
    ],
)
async def test_a_board_that_boots_with_an_earlier_time_holds_what_is_running(
    harness: Harness, boots_at: datetime
) -> None:
    harness.publish(wire_dispatch("d1", at(-5), at(10)))
    await harness.set_up()
    turns: list[str] = []
    # Anything but a callback would be called by a thread, and the order be chance.
    note = callback(lambda kind, _: turns.append(kind))
    async_dispatcher_connect(harness.hass, TOLD, note)
    disk = harness.disk()
    harness.voltus.faults = Faults(status=500)
    harness.freezer.move_to(boots_at)
    await harness.restart(disk)
    assert harness.written_states("curtail", "s1") == ["on"]
    assert "clock_skew" in issues(harness)
    for minute in range(1, 10):
        await harness.move_to(boots_at + timedelta(minutes=minute))
        assert harness.curtails("s1")
    await harness.move_to(boots_at + timedelta(minutes=10, seconds=1))
    assert not harness.curtails("s1"), "time goes on, from what was stored"
    assert turns == ["ended", "curtailment_ended"]


async def test_once_the_clock_is_set_right_it_counts(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(-5), at(60)))
    await harness.set_up()
    disk = harness.disk()
    harness.voltus.faults = Faults(status=500)
    harness.freezer.move_to(at(-570))
    await harness.restart(disk)
    assert "clock_skew" in issues(harness)
    # What is monotonic does not follow when a clock is set; here it does.
    account, jump = harness.entry.runtime_data, at(20) - at(-570)
    floor = account._floor  # noqa: SLF001
    account._floor = replace(floor, read_at=floor.read_at + jump.total_seconds())  # noqa: SLF001
    await harness.move_to(at(20))
    assert harness.curtails("s1")
    assert "clock_skew" not in issues(harness)
    await harness.move_to(at(60))
    assert not harness.curtails("s1")


async def test_an_earlier_time_that_voltus_confirms_counts(harness: Harness) -> None:
    # Stored by a clock that was hours ahead, and is right now.
    harness.freezer.move_to(at(300))
    harness.publish(wire_dispatch("d1", at(-5), at(60)))
    await harness.set_up()
    assert not harness.curtails("s1")
    disk = harness.disk()
    harness.freezer.move_to(NOON)
    await harness.restart(disk)
    assert harness.curtails("s1")


async def test_a_clock_set_forward_back_and_forward_repeats_no_curtailment(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(60), at(120)))
    await harness.set_up()
    turns: list[str] = []
    # Anything but a callback would be called by a thread, and the order be chance.
    note = callback(lambda kind, _: turns.append(kind))
    async_dispatcher_connect(harness.hass, TOLD, note)
    for minute in (70, 5, 30, 70, 5, 65):
        await harness.move_to(at(minute))
    assert turns == ["started", "curtailment_started"]
    assert harness.curtails("s1")
    await harness.move_to(at(120))
    assert turns[2:] == ["ended", "curtailment_ended"]


async def test_sites_are_asked_for_after_a_clock_far_ahead_is_set_right(
    harness: Harness,
) -> None:
    await harness.set_up()
    await harness.move_to(at(60 * 24 * 365))
    harness.voltus.requests.clear()
    harness.freezer.move_to(at(1))
    await harness.poll()
    asked = [request.path for request in harness.voltus.requests]
    assert any(path.endswith("/sites") for path in asked)


async def test_a_later_time_at_voltus_confirms_no_earlier_clock(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(-5), at(10)))
    await harness.set_up()
    disk = harness.disk()
    behind = at(0) - at(-570)
    harness.freezer.move_to(at(-570))
    harness.voltus.faults = Faults(date_offset=behind.total_seconds() + 60)
    await harness.restart(disk)
    await harness.poll()
    assert harness.written_states("curtail", "s1") == ["on"]
    assert "clock_skew" in issues(harness)
