"""What there is to tell between two looks: each thing once, in a safe order."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
import re

from hypothesis import given
from hypothesis import strategies as st
import pytest

from custom_components.voltus.aiovoltus.models import Dispatch, Snapshot
from custom_components.voltus.aiovoltus.schedule import (
    Change,
    ChangeType,
    Policy,
    Status,
    changes,
    differences,
    look,
    status,
)
from tests.builders import NOON, at, dispatch, snapshot

from .strategies import histories, instants, policies, snapshots

CREATED = ChangeType.CREATED
UPDATED = ChangeType.UPDATED
STARTED = ChangeType.STARTED
ENDED = ChangeType.ENDED
CANCELLED = ChangeType.CANCELLED

THEN = NOON
NOW = at(60)


def told(
    before: Dispatch | None,
    after: Dispatch,
    then: datetime = THEN,
    now: datetime = NOW,
) -> tuple[Change, ...]:
    """Return what there is to tell about one dispatch."""
    known = snapshot(before) if before else snapshot()
    return changes(known, then, snapshot(after), now)


def types(said: Iterable[Change]) -> list[ChangeType]:
    """Return the types of changes, in their order."""
    return [change.type for change in said]


# Every cell: what it was, what it is, and whether its content differs


def version(which: Status, now: datetime, amount: float = 0.0) -> Dispatch:
    """Return a dispatch that at `now` has this status."""
    minutes = (now - NOON).total_seconds() / 60
    start, end = {
        Status.SCHEDULED: (10, 20),
        Status.ACTIVE: (-10, 10),
        Status.ENDED: (-20, -10),
        Status.CANCELLED: (-10, 10),
    }[which]
    return dispatch(
        start=at(minutes + start),
        end=at(minutes + end),
        sites={"s1": amount},
        authorized=which is not Status.CANCELLED,
    )


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("scheduled", (CREATED,)),
        ("active", (CREATED, STARTED)),
        ("ended", (ENDED,)),
        ("cancelled", (CANCELLED,)),
    ],
)
def test_what_a_new_dispatch_tells(to: str, expected: tuple[ChangeType, ...]) -> None:
    said = told(None, version(Status(to), NOW))
    assert types(said) == list(expected)
    assert all(change.before is None for change in said)
    assert all(change.status == to for change in said)


@pytest.mark.parametrize(
    ("was", "to", "expected"),
    [
        ("scheduled", "scheduled", (UPDATED,)),
        ("scheduled", "active", (UPDATED, STARTED)),
        ("scheduled", "ended", (UPDATED, ENDED)),
        ("scheduled", "cancelled", (CANCELLED,)),
        ("active", "scheduled", (UPDATED,)),
        ("active", "active", (UPDATED,)),
        ("active", "ended", (UPDATED, ENDED)),
        ("active", "cancelled", (CANCELLED,)),
        ("ended", "scheduled", (UPDATED,)),
        ("ended", "active", (UPDATED, STARTED)),
        ("ended", "ended", ()),
        ("ended", "cancelled", ()),
        ("cancelled", "scheduled", (UPDATED,)),
        ("cancelled", "active", (UPDATED, STARTED)),
        ("cancelled", "ended", ()),
        ("cancelled", "cancelled", ()),
    ],
)
def test_what_a_known_dispatch_of_other_content_tells(
    was: str, to: str, expected: tuple[ChangeType, ...]
) -> None:
    before = version(Status(was), THEN, amount=1)
    after = version(Status(to), NOW, amount=2)
    said = told(before, after)
    assert types(said) == list(expected)
    assert all(change.before == before for change in said)
    assert all(change.dispatch == after for change in said)
    assert all(change.status == to for change in said)


BACK = at(-60)
"""The clock went back by more than a minute: an earlier instant is looked at later."""


@pytest.mark.parametrize(
    ("was", "to", "window", "now", "expected"),
    [
        ("scheduled", "scheduled", (90, 120), NOW, ()),
        ("scheduled", "active", (60, 120), NOW, (STARTED,)),
        ("scheduled", "ended", (10, 60), NOW, (ENDED,)),
        ("active", "scheduled", (-10, 10), BACK, ()),
        ("active", "active", (-10, 90), NOW, ()),
        ("active", "ended", (-10, 60), NOW, (ENDED,)),
        ("ended", "scheduled", (-20, -10), BACK, ()),
        ("ended", "active", (-60, -10), BACK, ()),
        ("ended", "ended", (-20, -10), NOW, ()),
        ("cancelled", "cancelled", (-10, 90), NOW, ()),
    ],
)
def test_what_time_alone_tells(
    was: str,
    to: str,
    window: tuple[int, int],
    now: datetime,
    expected: tuple[ChangeType, ...],
) -> None:
    start, end = window
    same = dispatch(start=at(start), end=at(end), authorized=was != Status.CANCELLED)
    assert (status(same, THEN), status(same, now)) == (was, to)
    said = told(same, replace(same, received=NOW), now=now)
    assert types(said) == list(expected)
    assert all(change.status == to for change in said)


@pytest.mark.parametrize(
    ("was", "to"),
    [
        (was, to)
        for was in Status
        for to in Status
        if (was is Status.CANCELLED) is not (to is Status.CANCELLED)
    ],
)
def test_time_alone_neither_cancels_nor_authorizes(was: Status, to: Status) -> None:
    """The six cells of equal content that no dispatch can reach."""
    same = version(was, THEN)
    assert all(status(same, at(minutes)) is not to for minutes in range(-120, 120))


def test_without_anything_known_before_what_is_over_is_history() -> None:
    after = snapshot(
        dispatch("d1", at(-90), at(-60)),
        dispatch("d2", at(90), authorized=False),
        dispatch("d3", at(90), at(120)),
        dispatch("d4", at(10), at(120)),
    )
    said = changes(None, THEN, after, NOW)
    assert [(each.dispatch.id, each.type) for each in said] == [
        ("d3", CREATED),
        ("d4", CREATED),
        ("d4", STARTED),
    ]


def test_what_is_no_longer_known_tells_nothing() -> None:
    assert changes(snapshot(dispatch()), THEN, snapshot(), NOW) == ()


# What a change carries


def test_a_change_carries_the_moment_at_which_it_came_about_by_itself() -> None:
    running = dispatch(start=at(10), end=at(120), creation_time=at(5))
    assert [change.moment for change in told(None, running)] == [at(5), at(10)]
    over = replace(running, end_time=at(50))
    assert [change.moment for change in told(running, over)] == [None, at(50)]
    off = replace(running, authorized=False)
    assert [change.moment for change in told(running, off)] == [None]


def test_a_creation_that_voltus_does_not_state_has_no_moment() -> None:
    (created,) = told(None, dispatch(start=at(90), end=None, creation_time=None))
    assert created.moment is None


@pytest.mark.parametrize(
    ("authorized", "withdrawn", "reason"),
    [
        (False, False, "unauthorized"),
        (True, True, "withdrawn"),
        (False, True, "withdrawn"),
    ],
)
def test_a_cancel_carries_its_reason(
    authorized: bool, withdrawn: bool, reason: str
) -> None:
    (cancelled,) = told(
        dispatch(), dispatch(authorized=authorized, withdrawn=withdrawn)
    )
    assert (cancelled.type, cancelled.reason) == (CANCELLED, reason)


@pytest.mark.parametrize(
    ("before", "missed"),
    [
        pytest.param(None, True, id="never known"),
        pytest.param(
            dispatch(start=at(10), end=at(20)), True, id="not begun when last told"
        ),
        pytest.param(
            dispatch(start=at(-10), end=at(20)), False, id="under way when last told"
        ),
        pytest.param(
            dispatch(start=at(-10), end=None), False, id="open when last told"
        ),
    ],
)
def test_an_end_that_no_start_went_before_was_missed(
    before: Dispatch | None, missed: bool
) -> None:
    ended = told(before, dispatch(start=at(-10), end=at(20)))[-1]
    assert (ended.type, ended.missed) == (ENDED, missed)


def test_nothing_but_an_end_was_missed() -> None:
    said = told(None, dispatch(end=None)) + told(None, dispatch(authorized=False))
    assert not any(change.missed for change in said)


def test_the_start_of_a_missed_dispatch_is_never_told_afterwards() -> None:
    over = dispatch(start=at(10), end=at(20))
    assert types(told(over, over, THEN, at(30))) == [ENDED]
    assert told(over, over, at(30), at(90)) == ()


def test_an_update_says_what_changed() -> None:
    before = dispatch(end=None, metadata={"a": 1}, received=THEN)
    after = replace(
        before, end_time=at(90), modification_number=1, metadata={"a": 2}, received=NOW
    )
    (updated,) = told(before, after)
    assert differences(updated) == {
        "end_time": (None, at(90)),
        "modification_number": (0, 1),
        "metadata": ({"a": 1}, {"a": 2}),
    }


def test_coming_back_from_withdrawal_is_something_that_changed() -> None:
    updated, started = told(dispatch(end=at(90), withdrawn=True), dispatch(end=at(90)))
    assert types([updated, started]) == [UPDATED, STARTED]
    assert differences(updated) == {"withdrawn": (True, False)}


def test_against_nothing_there_are_no_differences() -> None:
    (created,) = told(None, dispatch(start=at(90), end=None))
    assert differences(created) == {}


# Stories


def story(*chapters: tuple[datetime, Dispatch]) -> list[list[str]]:
    """Return what is told at each of these instants, at which this version is known."""
    told_at: datetime = at(-999)
    known = snapshot()
    said = []
    for now, chapter in chapters:
        after = snapshot(chapter)
        said.append([str(each.type) for each in changes(known, told_at, after, now)])
        known, told_at = after, now
    return said


PLANNED = dispatch(start=NOON, end=at(60))


@pytest.mark.parametrize(
    ("chapters", "expected"),
    [
        pytest.param(
            [
                (at(-30), PLANNED),
                (at(-10), PLANNED),
                (NOON, PLANNED),
                (at(60), PLANNED),
                (at(90), PLANNED),
            ],
            [["created"], [], ["started"], ["ended"], []],
            id="planned, begun and over",
        ),
        pytest.param(
            [
                (at(5), replace(PLANNED, end_time=None)),
                (at(20), replace(PLANNED, end_time=at(20))),
            ],
            [["created", "started"], ["updated", "ended"]],
            id="open until an update ends it",
        ),
        pytest.param(
            [
                (at(-20), PLANNED),
                (at(-10), replace(PLANNED, authorized=False)),
                (NOON, replace(PLANNED, authorized=False)),
            ],
            [["created"], ["cancelled"], []],
            id="cancelled before the start",
        ),
        pytest.param(
            [
                (at(5), PLANNED),
                (at(10), replace(PLANNED, authorized=False)),
                (at(20), PLANNED),
                (at(60), PLANNED),
            ],
            [["created", "started"], ["cancelled"], ["updated", "started"], ["ended"]],
            id="re-authorised while active",
        ),
        pytest.param(
            [
                (at(-20), PLANNED),
                (at(-10), replace(PLANNED, authorized=False)),
                (at(-5), PLANNED),
                (NOON, PLANNED),
            ],
            [["created"], ["cancelled"], ["updated"], ["started"]],
            id="re-authorised before the start",
        ),
        pytest.param(
            [
                (at(5), PLANNED),
                (at(60), PLANNED),
                (at(70), replace(PLANNED, end_time=at(90))),
                (at(90), replace(PLANNED, end_time=at(90))),
            ],
            [["created", "started"], ["ended"], ["updated", "started"], ["ended"]],
            id="extended after the end",
        ),
        pytest.param(
            [
                (at(5), PLANNED),
                (at(60), PLANNED),
                (at(90), replace(PLANNED, end_time=at(80))),
            ],
            [["created", "started"], ["ended"], []],
            id="extended after the end but over again",
        ),
        pytest.param(
            [
                (at(5), PLANNED),
                (at(10), replace(PLANNED, start_time=at(20))),
                (at(20), replace(PLANNED, start_time=at(20))),
            ],
            [["created", "started"], ["updated"], ["started"]],
            id="moved later while active",
        ),
        pytest.param(
            [(at(-30), PLANNED), (at(-20), replace(PLANNED, start_time=at(-25)))],
            [["created"], ["updated", "started"]],
            id="moved earlier, into the past",
        ),
        pytest.param(
            [(at(-30), PLANNED), (at(-20), replace(PLANNED, end_time=at(-10)))],
            [["created"], ["updated", "ended"]],
            id="its end moved before its start",
        ),
        pytest.param(
            [
                (at(5), PLANNED),
                (at(60), PLANNED),
                (at(70), replace(PLANNED, authorized=False)),
                (at(80), PLANNED),
            ],
            [["created", "started"], ["ended"], [], []],
            id="cancelled and re-authorised when it was over",
        ),
    ],
)
def test_the_story_of_a_dispatch(
    chapters: list[tuple[datetime, Dispatch]], expected: list[list[str]]
) -> None:
    assert story(*chapters) == expected


# Order


def test_what_is_over_comes_first_and_what_is_active_last() -> None:
    before = snapshot(
        dispatch("active", at(30), at(90)),
        dispatch("cancelled", NOON, at(90)),
        dispatch("ended", at(-10), at(40)),
    )
    after = snapshot(
        dispatch("active", at(30), at(90)),
        dispatch("cancelled", NOON, at(90), authorized=False),
        dispatch("created", at(90), at(99)),
        dispatch("ended", at(-10), at(40)),
    )
    said = changes(before, THEN, after, NOW)
    assert [(change.dispatch.id, change.type) for change in said] == [
        ("ended", ENDED),
        ("cancelled", CANCELLED),
        ("created", CREATED),
        ("active", STARTED),
    ]


@pytest.mark.parametrize(
    ("versions", "order"),
    [
        pytest.param(
            [dispatch("d1", at(1), at(50)), dispatch("d2", at(2), at(40))],
            ["d2", "d1"],
            id="ended, by end",
        ),
        pytest.param(
            [
                dispatch("d1", at(20), None, authorized=False),
                dispatch("d2", at(10), at(15)),
            ],
            ["d2", "d1"],
            id="cancelled without end, by start",
        ),
        pytest.param(
            [dispatch("d1", at(91), at(99)), dispatch("d2", at(90), at(100))],
            ["d2", "d1"],
            id="scheduled, by start",
        ),
        pytest.param(
            [dispatch("d1", at(20), at(99)), dispatch("d2", at(10), at(100))],
            ["d2", "d2", "d1", "d1"],
            id="active, by start",
        ),
        pytest.param(
            [dispatch("d2", at(90), None), dispatch("d1", at(90), None)],
            ["d1", "d2"],
            id="equal, by id",
        ),
    ],
)
def test_among_equals_their_own_moment_decides_then_the_id(
    versions: list[Dispatch], order: list[str]
) -> None:
    said = changes(snapshot(), THEN, snapshot(*versions), NOW)
    assert [change.dispatch.id for change in said] == order


@given(snapshots, snapshots, instants, instants)
def test_the_last_word_is_the_one_that_asks_for_curtailment(
    before: Snapshot, after: Snapshot, then: datetime, now: datetime
) -> None:
    ranks = [
        0 if change.status.over else 2 if change.status is Status.ACTIVE else 1
        for change in changes(before, then, after, now)
    ]
    assert ranks == sorted(ranks)


# Any story


def by_dispatch(
    said: Iterable[Change],
) -> dict[str, list[tuple[ChangeType, bool]]]:
    """Return for each dispatch the types told, and whether they were missed."""
    result: dict[str, list[tuple[ChangeType, bool]]] = {}
    for change in said:
        result.setdefault(change.dispatch.id, []).append((change.type, change.missed))
    return result


@given(snapshots, instants)
def test_between_a_look_and_itself_there_is_nothing_to_tell(
    known: Snapshot, now: datetime
) -> None:
    assert changes(known, now, known, now) == ()


@given(snapshots, st.lists(instants, min_size=3, max_size=3).map(sorted))
def test_pure_time_tells_the_same_in_one_step_or_two(
    known: Snapshot, times: list[datetime]
) -> None:
    first, middle, last = times
    in_one = by_dispatch(changes(known, first, known, last))
    in_two = by_dispatch(
        changes(known, first, known, middle) + changes(known, middle, known, last)
    )
    for dispatch_id, call in known.dispatches.items():
        within = (
            not status(call, first).over
            and first < call.start_time
            and call.end_time is not None
            and call.end_time <= last
        )
        if within and status(call, middle) is Status.ACTIVE:
            assert in_one.pop(dispatch_id) == [(ENDED, True)]
            assert in_two.pop(dispatch_id) == [(STARTED, False), (ENDED, False)]
        elif within:
            assert in_one[dispatch_id] == [(ENDED, True)]
    assert in_one == in_two


def live_story(
    history: Mapping[datetime, Snapshot],
    policy: Policy,
    extra_looks: Iterable[datetime],
) -> list[tuple[datetime, Change]]:
    """Return what looks at answers, boundaries and these besides tell, and when."""
    due = {*history, *extra_looks}
    told_last: tuple[Snapshot | None, datetime] = (None, NOON)
    known: Snapshot | None = None
    said: list[tuple[datetime, Change]] = []
    while due:
        now = min(due)
        due.remove(now)
        known = history.get(now, known)
        if known is None:
            continue
        said += [(now, change) for change in changes(*told_last, known, now)]
        told_last = known, now
        if until := look(known, policy, now).until:
            due.add(until)
    return said


@given(histories(), policies, st.lists(st.integers(0, 3000).map(lambda n: at(n / 10))))
def test_extra_looks_never_change_a_live_story(
    history: dict[datetime, Snapshot], policy: Policy, extra_looks: list[datetime]
) -> None:
    assert live_story(history, policy, extra_looks) == live_story(history, policy, ())


def any_story(
    history: Mapping[datetime, Snapshot], looks: Iterable[datetime]
) -> tuple[list[Change], Snapshot | None, datetime]:
    """Return what these looks tell, with what was known at the last one and when.

    They may be late, or miss whole answers: so it is after a restart.
    """
    said: list[Change] = []
    before: Snapshot | None = None
    then = NOON
    for now in sorted(looks):
        seen = [answer for instant, answer in history.items() if instant <= now]
        if not seen:
            continue
        said += changes(before, then, seen[-1], now)
        before, then = seen[-1], now
    return said, before, then


def rank(which: Status) -> str:
    """Return scheduled, active or over."""
    return "over" if which.over else which


@given(histories(), st.lists(instants, min_size=1))
def test_the_last_event_leaves_a_dispatch_in_the_class_of_its_status(
    history: dict[datetime, Snapshot], looks: list[datetime]
) -> None:
    said, known, now = any_story(history, looks)
    left: dict[str, str] = {}
    for change in said:
        match change.type:
            case ChangeType.CREATED:
                left[change.dispatch.id] = "scheduled"
            case ChangeType.STARTED:
                left[change.dispatch.id] = "active"
            case ChangeType.ENDED | ChangeType.CANCELLED:
                left[change.dispatch.id] = "over"
            case ChangeType.UPDATED if change.status is Status.SCHEDULED:
                left[change.dispatch.id] = "scheduled"
    for dispatch_id, call in known.dispatches.items() if known else ():
        # What was over before anything was known is history.
        assert left.get(dispatch_id, "over") == rank(status(call, now))


GRAMMAR = re.compile(r"(cs?[ex]?|[ex])?(us?[ex]?)*")
LETTERS = {CREATED: "c", UPDATED: "u", STARTED: "s", ENDED: "e", CANCELLED: "x"}


@given(histories(), st.lists(instants, min_size=1))
def test_the_events_of_a_dispatch_follow_the_grammar(
    history: dict[datetime, Snapshot], looks: list[datetime]
) -> None:
    """Created first, nothing twice but by an update, and when over only updates."""
    sentences: dict[str, str] = {}
    for change in any_story(history, looks)[0]:
        sentence = sentences.get(change.dispatch.id, "") + LETTERS[change.type]
        sentences[change.dispatch.id] = sentence
    for sentence in sentences.values():
        assert GRAMMAR.fullmatch(sentence), sentence


@given(histories(), st.lists(instants, min_size=1))
def test_an_update_always_says_what_changed(
    history: dict[datetime, Snapshot], looks: list[datetime]
) -> None:
    for change in any_story(history, looks)[0]:
        if change.type is UPDATED:
            assert differences(change)


@given(histories(), st.lists(instants, min_size=1))
def test_an_end_was_missed_exactly_if_no_start_was_told_since_it_was_last_over(
    history: dict[datetime, Snapshot], looks: list[datetime]
) -> None:
    started: set[str] = set()
    for change in any_story(history, looks)[0]:
        if change.type is STARTED:
            started.add(change.dispatch.id)
        elif change.type is ENDED:
            assert change.missed is (change.dispatch.id not in started)
        if change.type in (ENDED, CANCELLED) or change.status is Status.SCHEDULED:
            started.discard(change.dispatch.id)
