"""Voltus' certification: its scenarios, what has to come of them, and whether it did.

A scenario is a list of versions of dispatches, each published at its `received`. Times
are counted from T, the minute in which it is posted. What has to come of it is said as
four instants for each curtailment: news travels by polls, so between the first two
`curtail` may come on and between the last two it may go off.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain, zip_longest
from typing import NamedTuple, Self, final, override

from .models import Dispatch, DispatchSite, Json, Program, parse_time

SHORTEST = timedelta(minutes=3)
"""Less could pass between two polls: T is up to a minute old, and a poll as slow."""
LONGEST = timedelta(hours=24)
SHORTEST_CURTAILING = timedelta(minutes=10)
ANSWER_WITHIN = timedelta(seconds=10)
PUNCTUAL = timedelta(seconds=1)

_SCENARIO = "scenario"
_STARTED = "curtailment_started"
_ENDED = "curtailment_ended"
"""The types of the rows of a log by which this is judged."""

type Span = tuple[datetime, datetime]
"""From when until just before when."""


class Scenario(StrEnum):
    """What a sandbox can be asked to play; `clear` makes it forget what it plays."""

    BASIC = "basic"
    ANCILLARY_SERVICES = "ancillary_services"
    TWO_DISPATCHES = "two_dispatches"
    CANCELLED = "cancelled"
    CURTAILING = "curtailing"
    CLEAR = "clear"


class Outcome(StrEnum):
    """What can be said of a scenario."""

    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"


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
        if not isinstance(content, dict):
            raise ValueError("not an expectation")
        return cls(*(parse_time(content[each.name]) for each in fields(cls)))


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


@final
@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens at an instant, or between that and `until`."""

    at: datetime
    what: str
    until: datetime | None = None


@final
@dataclass(frozen=True, slots=True)
class Fault:
    """A time in which `curtail` of a site was on or off and ought not to have been."""

    site_id: str
    span: Span
    curtail: bool

    @override
    def __str__(self) -> str:
        """Return it as a sentence."""
        begin, end = self.span
        was, expected = ("on", "off") if self.curtail else ("off", "on")
        return (
            f"{begin.isoformat(timespec='seconds')}: curtail of {self.site_id} was "
            f"{was} for {(end - begin).total_seconds():.0f} s and had to be {expected}"
        )


@final
@dataclass(frozen=True, slots=True)
class Curtailed:
    """When `curtail` of a site was on, and for which dispatches; `off` is to come."""

    site_id: str
    on: datetime
    dispatch_ids: tuple[str, ...]
    off: datetime | None = None

    def ended(self, at: datetime, dispatch_ids: tuple[str, ...]) -> Curtailed:
        """Return it as it is when it is over."""
        named = tuple(dict.fromkeys((*self.dispatch_ids, *dispatch_ids)))
        return replace(self, off=at, dispatch_ids=named)


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
    length = max(length, script.shortest)
    begin = now.replace(second=0, microsecond=0) + script.shift
    first = Dispatch(
        id="Dispatch 1" if script.twice else "Dispatch",
        authorized=True,
        test=False,
        start_time=begin,
        end_time=None,
        creation_time=begin,
        modification_number=0,
        program=_PROGRAM,
        sites=tuple(sites),
        metadata=script.metadata,
        received=begin,
    )
    second = replace(
        first,
        id="Dispatch 2",
        creation_time=begin + length + gap,
        program=_OTHER_PROGRAM,
    )
    played = [
        _versions(each, script, length)
        for each in ((first, second) if script.twice else (first,))
    ]
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
    published = [Step(each.received, _publication(each)) for each in course.dispatches]
    here = [
        step
        for each in course.expected
        for step in (
            Step(each.on_from, "Curtail comes on", each.on_by),
            Step(each.off_from, "Curtail goes off", each.off_by),
        )
    ]
    return sorted([*published, *here], key=lambda step: step.at)


def faults(
    expected: Iterable[Expected], curtailed: Mapping[str, Sequence[Span]], seen: Span
) -> list[Fault]:
    """Return where `curtail` was not as expected, in the time that was `seen`.

    `curtailed` has for each site that takes part when `curtail` was on, in order.
    """
    expected = list(expected)
    must = _within(seen, ((each.on_by, each.off_from) for each in expected))
    may = [(each.on_from, each.off_by) for each in expected]
    found = [
        Fault(site_id, span, curtail=curtail)
        for site_id, spans in curtailed.items()
        for curtail, part, others in (
            (False, must, spans),
            (True, _within(seen, spans), may),
        )
        for span in _outside(part, others)
    ]
    return sorted(found, key=lambda fault: (fault.span, fault.site_id))


def curtailments(rows: Iterable[Mapping[str, Json]]) -> list[Curtailed]:
    """Return from the rows of a log when `curtail` was on, in order of its coming on.

    Rows that repeat what was so already, as a crash may leave them, say nothing new.
    """
    open_ones: dict[str, Curtailed] = {}
    over: list[Curtailed] = []
    for row in rows:
        if row["type"] not in (_STARTED, _ENDED):
            continue
        at, dispatch_ids = parse_time(row["announced"]), _texts(row["dispatch_ids"])
        for site_id in _texts(row["sites"]):
            before = open_ones.pop(site_id, None)
            if row["type"] == _STARTED:
                open_ones[site_id] = before or Curtailed(site_id, at, dispatch_ids)
            elif before:
                over.append(before.ended(at, dispatch_ids))
    return sorted(
        [*over, *open_ones.values()], key=lambda each: (each.on, each.site_id)
    )


def as_row(course: Course) -> dict[str, Json]:
    """Return the row of a log that says that this scenario was posted."""
    return {
        "announced": course.posted.isoformat(),
        "type": _SCENARIO,
        "scenario": course.scenario.value,
        "sites": [site.id for site in course.dispatches[0].sites],
        "expected": [each.as_json() for each in course.expected],
        "until": course.until.isoformat(),
    }


def verdicts(
    rows: Iterable[Mapping[str, Json]], now: datetime
) -> list[dict[str, Json]]:
    """Return of each scenario in the rows of a log what was expected, and a verdict.

    Raises ValueError, KeyError or TypeError for rows that are none.
    """
    rows = list(rows)
    curtailed = curtailments(rows)
    posted = [row for row in rows if row["type"] == _SCENARIO]
    return [
        _verdict(row, after, curtailed, now)
        for row, after in zip_longest(posted, posted[1:])
        if row["scenario"] != Scenario.CLEAR
    ]


def _verdict(
    row: Mapping[str, Json],
    after: Mapping[str, Json] | None,
    curtailed: Iterable[Curtailed],
    now: datetime,
) -> dict[str, Json]:
    posted, until = parse_time(row["announced"]), parse_time(row["until"])
    replaced = parse_time(after["announced"]) if after else until
    seen = min(until, replaced, now)
    spans: dict[str, list[Span]] = {site_id: [] for site_id in _texts(row["sites"])}
    for each in curtailed:
        if each.site_id in spans:
            spans[each.site_id].append((each.on, each.off or now))
    expected = [Expected.from_json(each) for each in _list(row["expected"])]
    reasons = [str(fault) for fault in faults(expected, spans, (posted, seen))]
    if after and replaced < until:
        reasons.append(
            f"{replaced.isoformat(timespec='seconds')}: {after['scenario']} was posted "
            "in its place, before it was over"
        )
    outcome = Outcome.RUNNING if now < until else Outcome.PASSED
    if reasons:
        outcome = Outcome.FAILED
    told = ("scenario", "sites", "expected", "until")
    return {
        "posted": row["announced"],
        **{name: row[name] for name in told},
        "verdict": outcome.value,
        "reasons": [*reasons],
    }


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(str(each) for each in _list(value))


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise ValueError("not a list")
    return value


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
            off_by=max(last.end_time + PUNCTUAL, reaction.knows(last.received)),
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


def _within(seen: Span, spans: Iterable[Span]) -> list[Span]:
    """Return of each span what lies in the time that was seen."""
    cut = [(max(begin, seen[0]), min(end, seen[1])) for begin, end in spans]
    return [(begin, end) for begin, end in cut if begin < end]


def _outside(spans: Iterable[Span], others: Sequence[Span]) -> Iterator[Span]:
    """Return of each span what lies in none of the others, which are in order."""
    for begin, end in spans:
        since = begin
        for other_begin, other_end in others:
            if since < min(other_begin, end):
                yield since, min(other_begin, end)
            since = max(since, other_end)
        if since < end:
            yield since, end
