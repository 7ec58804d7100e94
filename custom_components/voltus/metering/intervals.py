"""From the readings of a meter to the mean load of each interval.

Rows lie on a grid of whole intervals since the epoch, in UTC, so that no change of the
clock on the wall moves them. A row is stamped with the END of its interval, as Voltus
wants it. Nothing here reads a clock.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import fsum, isfinite
from operator import attrgetter
from typing import Final, final

ENOUGH: Final = 0.8
"""The share of an interval that has to be known for its mean to be sent."""
LONGEST: Final = timedelta(seconds=300)
"""What may lie between two readings of a counter, and the longest row there is."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR: Final = timedelta(hours=1)


@final
@dataclass(frozen=True, slots=True)
class Reading:
    """What a meter shows from `at` on; None while it shows nothing that can be used."""

    at: datetime
    value: float | None


@final
@dataclass(frozen=True, slots=True)
class Row:
    """A value over `length` until `end`: a mean in kW, or a charge in kWh at `end`."""

    end: datetime
    length: timedelta
    value: float

    @property
    def start(self) -> datetime:
        """From when the row counts."""
        return self.end - self.length


def timeline(readings: Iterable[Reading]) -> tuple[Reading, ...]:
    """Return readings in their order; of several at one instant the last one counts.

    A value that is no finite number is one that cannot be used.
    """
    latest = {
        each.at: each if _is_usable(each.value) else Reading(each.at, None)
        for each in readings
    }
    return tuple(sorted(latest.values(), key=attrgetter("at")))


def merged(
    kept: Sequence[Reading], new: Iterable[Reading], since: datetime
) -> tuple[Reading, ...]:
    """Add readings to a timeline; of those before `since` the last one is kept."""
    more = timeline(new)
    if kept and more and more[0].at <= kept[-1].at:
        whole = timeline([*kept, *more])
    else:
        whole = (*kept, *more)
    first = bisect_right(whole, since, key=attrgetter("at")) - 1
    return whole[max(first, 0) :]


def power_rows(
    readings: Sequence[Reading], length: timedelta, since: datetime, until: datetime
) -> list[Row]:
    """Return the mean power of the whole intervals in `[since, until]`, in kW.

    The last value counts until the next reading. An interval of which less than four
    fifths are known has no row; of others the mean is that of what is known.
    """
    return [
        Row(end, length, mean)
        for start, end in grid(length, since, until)
        if (mean := _mean(readings, start, end)) is not None
    ]


def counter_rows(
    readings: Sequence[Reading], length: timedelta, since: datetime, until: datetime
) -> list[Row]:
    """Return the mean power of the whole intervals in `[since, until]`, in kW.

    It is the difference of a counter in kWh, drawn straight between readings that are
    five minutes apart at most. Where a reading was lost in between nobody knows when
    the energy went: its intervals become one longer row, or none if that were too long.
    A counter that goes down was reset, or trembles: what it counted is lost.
    """
    rows: list[Row] = []
    steps = list(_steps(readings))
    cells = deque(grid(length, since, until))
    while cells:
        start, end = cells.popleft()
        while cells and _is_unknown_at(steps, end) and cells[0][1] - start <= LONGEST:
            _, end = cells.popleft()
        energy = _energy(steps, start, end)
        if energy is not None and not any(
            _is_unknown_at(steps, each) for each in (start, end)
        ):
            rows.append(Row(end, end - start, energy / ((end - start) / _HOUR)))
    return rows


def last_values(
    readings: Sequence[Reading], length: timedelta, since: datetime, until: datetime
) -> list[Row]:
    """Return what was shown at the end of each whole interval, such as a charge."""
    return [
        Row(end, length, value)
        for _, end in grid(length, since, until)
        if (value := value_at(readings, end)) is not None
    ]


def value_at(readings: Sequence[Reading], instant: datetime) -> float | None:
    """Return what was shown at an instant; None if it cannot be used, or was nothing."""
    index = bisect_right(readings, instant, key=attrgetter("at")) - 1
    return readings[index].value if index >= 0 else None


def grid(
    length: timedelta, since: datetime, until: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """Yield start and end of the whole intervals in `[since, until]`."""
    start = aligned(since + length - timedelta(microseconds=1), length)
    while start + length <= until:
        yield start, start + length
        start += length


def aligned(instant: datetime, length: timedelta) -> datetime:
    """Return the last instant of the grid that is not after this one."""
    return instant - (instant - _EPOCH) % length


def _is_usable(value: float | None) -> bool:
    return value is not None and isfinite(value)


def _mean(readings: Sequence[Reading], start: datetime, end: datetime) -> float | None:
    """Return the mean over time of what is known, None if that is not enough."""
    parts = [
        (value, (min(until, end) - max(since, start)).total_seconds())
        for since, until, value in _held(readings, start, end)
    ]
    covered = fsum(seconds for _, seconds in parts)
    if covered < ENOUGH * (end - start).total_seconds() or not covered:
        return None
    return fsum(value * seconds for value, seconds in parts) / covered


def _held(
    readings: Sequence[Reading], start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime, float]]:
    """Yield from when until when which value was shown, as far as it touches a span."""
    first = max(bisect_right(readings, start, key=attrgetter("at")) - 1, 0)
    after = bisect_left(readings, end, key=attrgetter("at"))
    shown = readings[first:after]
    if not shown:
        return
    ends = [*(each.at for each in shown[1:]), end]
    for each, until in zip(shown, ends, strict=True):
        if each.value is not None and until > start:
            yield each.at, until, each.value


@final
@dataclass(frozen=True, slots=True)
class _Step:
    """The energy between two readings of a counter; `lost`: one in between was lost."""

    start: datetime
    end: datetime
    energy: float
    lost: bool


def _steps(readings: Sequence[Reading]) -> Iterator[_Step]:
    numbers = [(i, each) for i, each in enumerate(readings) if each.value is not None]
    for (i, one), (j, other) in pairwise(numbers):
        energy = (other.value or 0) - (one.value or 0)
        if energy >= 0 and other.at - one.at <= LONGEST:
            yield _Step(one.at, other.at, energy, lost=j > i + 1)


def _energy(steps: Sequence[_Step], start: datetime, end: datetime) -> float | None:
    """Return the energy in a span that steps cover wholly, else None."""
    first = bisect_right(steps, start, key=attrgetter("end"))
    parts, reached = [], start
    for step in steps[first:]:
        if reached >= end:
            break
        if step.start > reached:
            return None
        until = min(step.end, end)
        parts.append(step.energy * ((until - reached) / (step.end - step.start)))
        reached = until
    return fsum(parts) if reached >= end else None


def _is_unknown_at(steps: Sequence[_Step], instant: datetime) -> bool:
    """Whether nobody knows how much was counted by an instant: a reading was lost."""
    index = bisect_right(steps, instant, key=attrgetter("start")) - 1
    return (
        index >= 0
        and steps[index].lost
        and instant < steps[index].end
        and (steps[index].start < instant)
    )
