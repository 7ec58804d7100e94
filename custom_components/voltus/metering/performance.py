"""What a dispatch has brought: load against baseline and target, while it runs and after.

All of it is an estimate, as the baseline is. What is not known is None, never 0 and never
100 %: where the load is missing for more than a tenth of the time, nothing is said of
the whole of it. Loads are in kW, energy in kWh, instants aware and UTC. Nothing here
reads a clock.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, fsum, isfinite
from operator import attrgetter, itemgetter
from typing import Final, final

from .baseline import (
    ENOUGH,
    QUARTER_HOUR,
    Baseline,
    DispatchTimes,
    FirmLevel,
    quarter_hour,
)
from .load import LoadInterval

_HOUR = timedelta(hours=1)
TOLERATED: Final = 0.05
"""The share of what is asked for that may be missing before a site is behind."""
BEHIND_AFTER: Final = timedelta(minutes=2)


@final
@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of a dispatch, with means in kW over the time that is known.

    The target is what the load is to be at or below.
    """

    start: datetime
    end: datetime
    load: float | None
    baseline: float | None
    target: float | None

    @property
    def reduction(self) -> float | None:
        """How far the load was below the baseline."""
        return difference(self.baseline, self.load)

    @property
    def margin(self) -> float | None:
        """How far the load was below the target; negative where it was above."""
        return difference(self.target, self.load)


@final
@dataclass(frozen=True, slots=True)
class Performance:
    """The result of a dispatch at a site, up to an instant.

    - `intervals`: its quarter hours, counted from its start; the last may be shorter.
    - `covered`: the share of the time for which load and baseline, or load and firm level,
      are known. `complete`: this is enough, and the baseline was complete.
    - `reduction`: the mean over time in kW; `percent`: its share of the commitment, above
      100 for more than that; `energy`: what was saved in the time that is known, in kWh.
    - `reached_target`: whether the load ever was at or below its target; `full_drop`: how
      long after the start it first was, None too if that may have been in a gap.
    """

    intervals: tuple[Interval, ...] = ()
    covered: float = 0.0
    complete: bool = False
    reduction: float | None = None
    percent: float | None = None
    energy: float | None = None
    reached_target: bool | None = None
    full_drop: timedelta | None = None

    @property
    def worst(self) -> Interval | None:
        """The interval with the least margin or, without a target, the least reduction.

        The first of equals; None if nothing is known of any.
        """
        for value in (_MARGIN, _REDUCTION):
            known = [
                (kw, each) for each in self.intervals if (kw := value(each)) is not None
            ]
            if known:
                return min(known, key=itemgetter(0))[1]
        return None


def difference(larger: float | None, smaller: float | None) -> float | None:
    """Subtract; what is not known on either side is not known afterwards."""
    return None if larger is None or smaller is None else larger - smaller


def target_load(
    baseline: Baseline, commitment: float | None, instant: datetime
) -> float | None:
    """Return what the load is to be at or below, in kW; None if it is not known.

    This is the firm level where there is one, else the baseline less the commitment.
    """
    if isinstance(baseline.method, FirmLevel):
        return baseline.method.kw
    return difference(baseline.at(instant), commitment)


def performance(
    baseline: Baseline,
    commitment: float | None,
    load: Iterable[LoadInterval],
    times: DispatchTimes,
    until: datetime,
) -> Performance:
    """Hold the load of a site against baseline and commitment, in kW.

    What counts is the time from the start to the end, or to `until` if that is earlier or
    there is no end: while the dispatch runs, the instant up to which loads can have come
    in. The load intervals may have any length and gaps, but do not overlap.
    """
    end = min(until, times.end or until)
    elapsed = end - times.start
    if elapsed <= timedelta(0):
        return Performance()
    pieces = tuple(_pieces(baseline, commitment, load, times.start, end))
    firm = isinstance(baseline.method, FirmLevel)
    covered = _known(pieces, _MARGIN if firm else _REDUCTION) / elapsed
    reduction = _mean(pieces, _REDUCTION, elapsed)
    reached, full_drop = _full_drop(pieces, times.start, elapsed)
    return Performance(
        intervals=tuple(_intervals(pieces, times.start, end)),
        covered=covered,
        complete=covered >= ENOUGH and baseline.complete,
        reduction=reduction,
        percent=100 * reduction / commitment
        if reduction is not None and commitment
        else None,
        energy=None if reduction is None else reduction * covered * (elapsed / _HOUR),
        reached_target=reached,
        full_drop=full_drop,
    )


type _Value = Callable[[Interval], float | None]
_LOAD: _Value = attrgetter("load")
_BASELINE: _Value = attrgetter("baseline")
_TARGET: _Value = attrgetter("target")
_REDUCTION: _Value = attrgetter("reduction")
_MARGIN: _Value = attrgetter("margin")


def _pieces(
    baseline: Baseline,
    commitment: float | None,
    load: Iterable[LoadInterval],
    start: datetime,
    end: datetime,
) -> Iterator[Interval]:
    """Cut the load where baseline or interval changes, so that each piece has one of each."""
    for row in sorted(load, key=attrgetter("start")):
        at, stop = max(row.start, start), min(row.end, end)
        while at < stop and isfinite(row.kw):
            interval_ends = start + ((at - start) // QUARTER_HOUR + 1) * QUARTER_HOUR
            to = min(stop, quarter_hour(at) + QUARTER_HOUR, interval_ends)
            target = target_load(baseline, commitment, at)
            yield Interval(at, to, row.kw, baseline.at(at), target)
            at = to


def _intervals(
    pieces: Sequence[Interval], start: datetime, end: datetime
) -> Iterator[Interval]:
    within = defaultdict[int, list[Interval]](list)
    for piece in pieces:
        within[(piece.start - start) // QUARTER_HOUR].append(piece)
    for number in range(ceil((end - start) / QUARTER_HOUR)):
        begins = start + number * QUARTER_HOUR
        ends = min(begins + QUARTER_HOUR, end)
        yield Interval(
            begins,
            ends,
            *(
                _mean(within[number], value, ends - begins)
                for value in (_LOAD, _BASELINE, _TARGET)
            ),
        )


def _known(pieces: Iterable[Interval], value: _Value) -> timedelta:
    """Return for how long a value is known."""
    lengths = (each.end - each.start for each in pieces if value(each) is not None)
    return sum(lengths, timedelta(0))


def _mean(pieces: Sequence[Interval], value: _Value, whole: timedelta) -> float | None:
    """Return the mean over the time for which it is known, if that is enough of the whole."""
    known = _known(pieces, value)
    if known < ENOUGH * whole:
        return None
    return fsum(
        kw * ((each.end - each.start) / known)
        for each in pieces
        if (kw := value(each)) is not None
    )


def _full_drop(
    pieces: Sequence[Interval], start: datetime, elapsed: timedelta
) -> tuple[bool | None, timedelta | None]:
    """Return whether the target was reached, and how long after the start."""
    known = timedelta(0)
    for piece in pieces:
        if piece.margin is None:
            continue
        after = piece.start - start
        if piece.margin >= 0:
            return True, after if known >= ENOUGH * after else None
        known += piece.end - piece.start
    return (False if known >= ENOUGH * elapsed else None), None


def behind(
    baseline: Baseline,
    commitment: float | None,
    load: Iterable[LoadInterval],
) -> bool | None:
    """Whether the load is behind what was asked for, by a dispatch that is under way.

    It is so after two minutes with less than 95 % of it, until it was not for one; a
    minute of which anything is not known counts for neither. None if none is known.
    """
    is_behind: bool | None = None
    behind_for = timedelta(0)
    for row in load:
        target = target_load(baseline, commitment, row.start)
        usual = baseline.at(row.start)
        asked = commitment if usual is not None else target
        if target is None or asked is None:
            continue
        if row.kw - target > TOLERATED * abs(asked):
            behind_for += row.end - row.start
            is_behind = bool(is_behind) or behind_for >= BEHIND_AFTER
        else:
            behind_for = timedelta(0)
            is_behind = False
    return is_behind
