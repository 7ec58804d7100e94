"""Whether a scenario has passed, by the log of what was announced.

Each row of a log is JSON, with its `type` and the instant at which it was `announced`.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import zip_longest
from typing import NamedTuple, Self, final, override

from ..aiovoltus.models import Json, as_object, parse_time
from ..aiovoltus.schedule import CurtailmentChange
from .course import Course, Expected, Scenario

_SCENARIO = "scenario"
"""The type of the row of a log that says that a scenario was posted."""

type Span = tuple[datetime, datetime]
"""From when until just before when."""


class Outcome(StrEnum):
    """What can be said of a scenario."""

    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"


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
        if row["type"] not in tuple(CurtailmentChange):
            continue
        at, dispatch_ids = parse_time(row["announced"]), _texts(row["dispatch_ids"])
        for site_id in _texts(row["sites"]):
            before = open_ones.pop(site_id, None)
            if row["type"] == CurtailmentChange.STARTED:
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
        "changes": [
            {"type": change.value, "start_time": start.isoformat()}
            for change, start in course.changes
        ],
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
    told = [_Told.from_row(row) for row in rows if "dispatch_id" in row]
    posted = [row for row in rows if row["type"] == _SCENARIO]
    return [
        _verdict(_Posted.from_row(row, after), told, curtailed, now)
        for row, after in zip_longest(posted, posted[1:])
        if row["scenario"] != Scenario.CLEAR
    ]


class _Told(NamedTuple):
    """An announcement: the type of a change, and the start of its dispatch."""

    at: datetime
    change: tuple[str, str]
    dispatch_id: str

    @classmethod
    def from_row(cls, row: Mapping[str, Json]) -> Self:
        change = (str(row["type"]), str(row.get("start_time")))
        return cls(parse_time(row["announced"]), change, str(row["dispatch_id"]))


@final
@dataclass(frozen=True, slots=True)
class _Posted:
    """A scenario as the log has it; the one `after` it may have come too early."""

    scenario: str
    posted: datetime
    until: datetime
    site_ids: tuple[str, ...]
    expected: tuple[Expected, ...]
    changes: tuple[tuple[str, str], ...]
    replaced: datetime | None

    @classmethod
    def from_row(
        cls, row: Mapping[str, Json], after: Mapping[str, Json] | None
    ) -> Self:
        until = parse_time(row["until"])
        end = parse_time(after["announced"]) if after else until
        return cls(
            scenario=str(row["scenario"]),
            posted=parse_time(row["announced"]),
            until=until,
            site_ids=_texts(row["sites"]),
            expected=tuple(Expected.from_json(each) for each in _list(row["expected"])),
            changes=tuple(
                (str(as_object(each)["type"]), str(as_object(each)["start_time"]))
                for each in _list(row["changes"])
            ),
            replaced=end if end < until else None,
        )


def _verdict(
    run: _Posted,
    announced: Iterable[_Told],
    curtailed: Iterable[Curtailed],
    now: datetime,
) -> dict[str, Json]:
    told = {
        each.change: each.dispatch_id for each in announced if each.at >= run.posted
    }
    reasons = [*_reasons(run, told, curtailed, now)]
    outcome = Outcome.RUNNING if now < run.until else Outcome.PASSED
    return {
        "scenario": run.scenario,
        "posted": run.posted.isoformat(),
        "until": run.until.isoformat(),
        "sites": [*run.site_ids],
        "dispatch_ids": [
            *dict.fromkeys(told[each] for each in run.changes if each in told)
        ],
        "expected": [each.as_json() for each in run.expected],
        "verdict": (Outcome.FAILED if reasons else outcome).value,
        "reasons": [*reasons],
    }


def _reasons(
    run: _Posted,
    told: Container[tuple[str, str]],
    curtailed: Iterable[Curtailed],
    now: datetime,
) -> Iterator[str]:
    """Say what was not as it had to be, as far as that can be seen `now`."""
    spans: dict[str, list[Span]] = {site_id: [] for site_id in run.site_ids}
    for each in curtailed:
        if each.site_id in spans:
            spans[each.site_id].append((each.on, each.off or now))
    over = run.replaced or run.until
    yield from map(str, faults(run.expected, spans, (run.posted, min(over, now))))
    if run.replaced:
        yield (
            f"{run.replaced.isoformat(timespec='seconds')}: another scenario was "
            "posted in its place, before it was over"
        )
    elif now >= over:
        for kind, start in run.changes:
            if (kind, start) not in told:
                yield f"{kind} was not announced of the dispatch that starts at {start}"


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(str(each) for each in _list(value))


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise ValueError("not a list")
    return value


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
