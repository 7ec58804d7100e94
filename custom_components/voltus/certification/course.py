"""Voltus' certification: its scenarios, and what has to come of them.

A scenario is a list of versions of dispatches, each published at its `received`. Times
are counted from T, the minute in which it is posted. What has to come of it is said as
four instants for each curtailment: news travels by polls, so between the first two
`curtail` may come on and between the last two it may go off.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain
from typing import NamedTuple, Self, final

from ..aiovoltus.models import (
    Dispatch,
    DispatchSite,
    Json,
    Program,
    as_object,
    parse_time,
)
from ..aiovoltus.schedule import ChangeType

SHORTEST = timedelta(minutes=3)
"""Less could pass between two polls: T is up to a minute old, and a poll as slow."""
LONGEST = timedelta(hours=24)
SHORTEST_CURTAILING = timedelta(minutes=10)
ANSWER_WITHIN = timedelta(seconds=10)
PUNCTUAL = timedelta(seconds=1)
AN_END_WAITS = timedelta(seconds=1)
"""At most, for the answer to the request that is sent at the end."""


class Scenario(StrEnum):
    """What a sandbox can be asked to play; `clear` makes it forget what it plays."""

    BASIC = "basic"
    ANCILLARY_SERVICES = "ancillary_services"
    TWO_DISPATCHES = "two_dispatches"
    CANCELLED = "cancelled"
    CURTAILING = "curtailing"
    CLEAR = "clear"


@final
@dataclass(frozen=True, slots=True)
class Reaction:
    """What makes an account act earlier, or hear later, than Voltus says it."""

    lead_time: timedelta
    poll_interval: timedelta

    def knows(self, published: datetime) -> datetime:
        """Return when news that was out at `published` is here at the latest."""
        return published + self.poll_interval + ANSWER_WITHIN


@final
@dataclass(frozen=True, slots=True)
class Expected:
    """A curtailment: surely on in `[on_by, off_from)`, at most in `[on_from, off_by)`."""

    on_from: datetime
    on_by: datetime
    off_from: datetime
    off_by: datetime

    def as_json(self) -> dict[str, Json]:
        """Return it as `from_json` reads it."""
        return {
            each.name: getattr(self, each.name).isoformat() for each in fields(self)
        }

    @classmethod
    def from_json(cls, content: Json) -> Self:
        """Read it. Raises ValueError, KeyError or TypeError for anything else."""
        times = as_object(content)
        return cls(*(parse_time(times[each.name]) for each in fields(cls)))


@final
@dataclass(frozen=True, slots=True)
class Course:
    """A scenario as posted, and what has to come of it here.

    `dispatches` are all versions, in the order of their publication for each dispatch,
    whose id is its display name. At `until` everything has happened.
    """

    scenario: Scenario
    posted: datetime
    dispatches: tuple[Dispatch, ...]
    expected: tuple[Expected, ...]
    until: datetime

    @property
    def criterion(self) -> str:
        """What passes, in words."""
        return _SCRIPTS[self.scenario].criterion

    @property
    def changes(self) -> list[tuple[ChangeType, datetime]]:
        """What has to be announced, each with the start of its dispatch."""
        last = {each.id: each for each in self.dispatches}
        return [
            (change, each.start_time)
            for each in last.values()
            for change in (_OBEYED if each.authorized else _DROPPED)
        ]


@final
@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens at an instant, or between that and `until`."""

    at: datetime
    what: str
    until: datetime | None = None


_OBEYED = (ChangeType.CREATED, ChangeType.STARTED, ChangeType.ENDED)
_DROPPED = (ChangeType.CREATED, ChangeType.CANCELLED)


class _Version(NamedTuple):
    """A version of a dispatch, in lengths after T; no end is not known yet."""

    published: float
    start: float
    end: float | None
    authorized: bool = True


_PLAIN = (_Version(0, 0, 1),)
_OPEN_ENDED = (_Version(0, 0, None), _Version(1, 0, 1))
_CALLED_OFF = (_Version(0, 1, 2), _Version(0.5, 1, 2, authorized=False))


@final
@dataclass(frozen=True, slots=True)
class _Script:
    """A scenario before it has a time; `twice` plays the versions again after a gap."""

    title: str
    criterion: str
    versions: tuple[_Version, ...]
    metadata: Mapping[str, Json] | None = field(default=None, hash=False)
    twice: bool = False
    shortest: timedelta = timedelta(0)
    shift: timedelta = timedelta(0)


_SCRIPTS: Mapping[Scenario, _Script] = {
    Scenario.BASIC: _Script(
        "Integration Test 1. Basic Dispatch",
        "Curtail comes on as soon as the dispatch is known, and goes off at its end.",
        _PLAIN,
    ),
    Scenario.ANCILLARY_SERVICES: _Script(
        "Integration Test 2. Ancillary Services Dispatch",
        "Curtail comes on as soon as the dispatch is known, stays on while its end is "
        "not, and goes off as soon as the end is.",
        _OPEN_ENDED,
        metadata={"sandbox": True},
    ),
    Scenario.TWO_DISPATCHES: _Script(
        "Integration Test 3. Two Dispatches",
        "Curtail comes on with each dispatch and goes off with its end; where the two "
        "overlap or touch, it stays on throughout.",
        _OPEN_ENDED,
        twice=True,
    ),
    Scenario.CANCELLED: _Script(
        "Integration Test 4. Cancelled Dispatch",
        "Curtail never comes on.",
        _CALLED_OFF,
    ),
    Scenario.CURTAILING: _Script(
        "Curtailing Test",
        "Curtail comes on as soon as the dispatch is known and goes off as soon as its "
        "end is. The load is down at most 10 minutes after T, stays down until the "
        "end, and is up again 10 minutes after it: your meter shows that.",
        _OPEN_ENDED,
        shortest=SHORTEST_CURTAILING,
    ),
    Scenario.CLEAR: _Script(
        "Clear",
        "All dispatches of the scenario before are gone: two polls notice that.",
        _PLAIN,
        shift=timedelta(days=-365),
    ),
}

_PROGRAM = Program(5555, "A Program", "CAISO", "US/Pacific", "capacity")
_OTHER_PROGRAM = Program(
    1111, "A Different Program", "CAISO", "US/Pacific", "ancillary_services"
)


def course(
    scenario: Scenario,
    sites: Iterable[DispatchSite],
    now: datetime,
    *,
    length: timedelta,
    gap: timedelta,
    reaction: Reaction,
) -> Course:
    """Return the scenario for these sites as it is to be posted at `now`.

    `length` is that of each dispatch, from SHORTEST to LONGEST; `gap` lies between two
    dispatches, which overlap if it is negative.
    """
    script = _SCRIPTS[scenario]
    begin = now.replace(second=0, microsecond=0) + script.shift
    length = max(length, script.shortest)
    played = versions(scenario, sites, begin, length=length, gap=gap)
    last = max(
        instant
        for each in chain.from_iterable(played)
        for instant in (each.received, each.end_time or each.start_time)
    )
    return Course(
        scenario=scenario,
        posted=now,
        dispatches=tuple(chain.from_iterable(played)),
        expected=() if script.shift else _expected(played, now, reaction),
        until=max(now, reaction.knows(last)),
    )


def versions(
    scenario: Scenario,
    sites: Iterable[DispatchSite],
    begin: datetime,
    *,
    length: timedelta,
    gap: timedelta,
) -> list[list[Dispatch]]:
    """Return all versions of each dispatch of a scenario whose T is `begin`."""
    script = _SCRIPTS[scenario]
    first = _first(script, tuple(sites), begin)
    second = replace(
        first,
        id="Dispatch 2",
        creation_time=begin + length + gap,
        program=_OTHER_PROGRAM,
    )
    return [
        _versions(each, script, length)
        for each in ((first, second) if script.twice else (first,))
    ]


def curtails_before_cancel(course: Course, reaction: Reaction) -> bool:
    """Whether a lead begins before the news of a cancel is sure to be here."""
    return any(
        each.start_time - reaction.lead_time < reaction.knows(each.received)
        for each in course.dispatches
        if not each.authorized
    )


def as_request(course: Course) -> dict[str, Json]:
    """Return the course in the custom form of `POST /scenarios`."""
    dispatches: dict[str, Json] = {}
    for name in dict.fromkeys(each.id for each in course.dispatches):
        versions = [each for each in course.dispatches if each.id == name]
        dispatches[name] = {"states": [_state(each) for each in versions]}
    return {
        "name": _SCRIPTS[course.scenario].title,
        "scenario_type": "custom",
        "dispatches": dispatches,
    }


def timetable(course: Course) -> list[Step]:
    """Return what is going to happen: at Voltus', and here."""
    published = [
        Step(each.received, _publication(each))
        for each in course.dispatches
        if course.scenario is not Scenario.CLEAR
    ]
    here = [
        step
        for each in course.expected
        for step in (
            Step(each.on_from, "Curtail comes on", each.on_by),
            Step(each.off_from, "Curtail goes off", each.off_by),
        )
    ]
    return sorted([*published, *here], key=lambda step: step.at)


def _first(
    script: _Script, sites: tuple[DispatchSite, ...], begin: datetime
) -> Dispatch:
    """Return the first dispatch of a scenario, before it has an end."""
    return Dispatch(
        id="Dispatch 1" if script.twice else "Dispatch",
        authorized=True,
        test=False,
        start_time=begin,
        end_time=None,
        creation_time=begin,
        modification_number=0,
        program=_PROGRAM,
        sites=sites,
        metadata=script.metadata,
        received=begin,
    )


def _versions(first: Dispatch, script: _Script, length: timedelta) -> list[Dispatch]:
    """Return all versions of a dispatch whose T is when it is created."""
    begin = first.creation_time
    assert begin

    def at(lengths: float) -> datetime:
        return (begin + lengths * length).replace(microsecond=0)

    return [
        replace(
            first,
            authorized=version.authorized,
            start_time=at(version.start),
            end_time=None if version.end is None else at(version.end),
            creation_time=at(0),
            modification_number=number,
            received=at(version.published),
        )
        for number, version in enumerate(script.versions)
    ]


def _expected(
    played: Iterable[Sequence[Dispatch]], posted: datetime, reaction: Reaction
) -> tuple[Expected, ...]:
    """Return the curtailments, in order; what overlaps or touches is one."""
    merged: list[Expected] = []
    for versions in played:
        first, last = versions[0], versions[-1]
        if not last.authorized or last.end_time is None:
            continue
        published = max(first.received, posted)
        one = Expected(
            on_from=max(first.start_time - reaction.lead_time, published),
            on_by=max(first.start_time + PUNCTUAL, reaction.knows(published)),
            off_from=last.end_time,
            off_by=max(
                last.end_time + AN_END_WAITS + PUNCTUAL, reaction.knows(last.received)
            ),
        )
        if merged and one.on_from <= merged[-1].off_from:
            before = merged.pop()
            one = Expected(before.on_from, before.on_by, one.off_from, one.off_by)
        merged.append(one)
    return tuple(merged)


def _state(version: Dispatch) -> dict[str, Json]:
    times: dict[str, Json] = {
        name: _wire_time(time)
        for name in ("creation_time", "start_time", "end_time")
        if (time := getattr(version, name))
    }
    stated: dict[str, Json] = {
        name: value
        for name, value in (version.as_wire() | times).items()
        if name != "id" and value is not None
    }
    return {"published_time": _wire_time(version.received), "dispatch": stated}


def _wire_time(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _publication(version: Dispatch) -> str:
    if not version.authorized:
        return f"Voltus cancels {version.id}"
    if version.modification_number:
        return f"Voltus sends the end of {version.id}"
    return f"Voltus publishes {version.id}"
