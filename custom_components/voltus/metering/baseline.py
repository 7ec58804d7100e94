"""What a site would have drawn without a dispatch: an estimate by a method of a market.

Loads are means over quarter hours in kW, by the instant (aware, UTC) at which the
quarter hour begins; what is not there is not known. Net loads may be negative. Days are
those of the program's time zone, and times of different days are matched by its wall
clock: a quarter hour that a day skips has no value there, one that it has twice counts
with the mean of both. Nothing here reads a clock, and nothing uses a load from after the
start of the dispatch: what is calculated at the start stays so.

Two things that markets know are not known here: public holidays (who calls may leave
them out of the history; a dispatch on one is compared with days of its weekday), and
that some markets take fewer days for a weekend than for a weekday.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from itertools import islice
from math import isfinite, nan
from statistics import fmean
from typing import final

QUARTER_HOUR = timedelta(minutes=15)
FARTHEST = 45
"""How many days before a dispatch its baseline goes back to at most."""
ENOUGH = 0.9
"""What share of a stretch of time must be known to speak of all of it."""

SLOTS = tuple(time(hour, minute) for hour in range(24) for minute in (0, 15, 30, 45))
"""What the clock on the wall shows when the quarter hours of a day begin."""

type History = Mapping[datetime, float]
type Profile = Mapping[time, float]
"""Loads of a day in kW, by the wall clock at which each quarter hour begins."""


class DayType(StrEnum):
    """Which days are like the day of the dispatch."""

    ALL = "all"
    WEEKDAY_WEEKEND = "weekday_weekend"
    WEEKDAY_SATURDAY_SUNDAY = "weekday_saturday_sunday"


class Select(StrEnum):
    """Which X of the Y days found count."""

    ALL = "all"
    HIGHEST = "highest"
    MIDDLE = "middle"


class RankedBy(StrEnum):
    """Whose mean load makes a day a high or a low one.

    The whole day's, that of the hours of the dispatch (without an end: until midnight),
    or that of each hour for itself, so that other days may count in each hour.
    """

    DAY = "day"
    DISPATCH = "dispatch"
    HOUR = "hour"


class AdjustmentType(StrEnum):
    """How the load before the dispatch moves the mean of the days: by kW, or by a factor."""

    ADDITIVE = "additive"
    RATIO = "ratio"


class Before(StrEnum):
    """What the window of an adjustment lies before."""

    START = "start"
    NOTICE = "notice"


@final
@dataclass(frozen=True, slots=True)
class Adjustment:
    """Move a baseline to where the load was before the dispatch.

    The window goes from `opens` to `closes` before the start or the notice, counted from
    the beginning of the quarter hour it falls into. `cap` is the largest share of the
    mean baseline in the window by which anything is moved; None for no limit.
    """

    type: AdjustmentType
    opens: timedelta
    closes: timedelta
    before: Before = Before.START
    cap: float | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a window that holds no quarter hour, or a negative cap."""
        if self.closes < timedelta(0) or self.opens - self.closes < QUARTER_HOUR:
            raise ValueError("The window is to be a quarter hour at least, and before")
        if self.cap is not None and self.cap < 0:
            raise ValueError("A cap is a share of the baseline and not negative")


@final
@dataclass(frozen=True, slots=True)
class XOfY:
    """Mean of X of the last Y days that are like the day of the dispatch.

    Raises ValueError unless `1 <= x <= y`, with both equal if all days count.
    """

    x: int
    y: int
    select: Select = Select.ALL
    day_type: DayType = DayType.WEEKDAY_WEEKEND
    ranked_by: RankedBy = RankedBy.DISPATCH
    adjustment: Adjustment | None = None

    def __post_init__(self) -> None:
        """Refuse numbers of days that make no sense."""
        if not 1 <= self.x <= self.y:
            raise ValueError("X is to be at least 1 and at most Y")
        if self.select is Select.ALL and self.x != self.y:
            raise ValueError("If all days count, X is Y")


@final
@dataclass(frozen=True, slots=True)
class MeterBefore:
    """The load of the last whole quarter hour before the start.

    Who sheds early, by a lead time for instance, lowers it.
    """


@final
@dataclass(frozen=True, slots=True)
class Fixed:
    """A load in kW that was agreed upon."""

    kw: float


@final
@dataclass(frozen=True, slots=True)
class FirmLevel:
    """No baseline: the load is to be at or below a level in kW, whatever it was before.

    PG&E's Base Interruptible Program for instance: "no baseline, but a drop-to target"
    (Enel X, FAQ of that program).
    """

    kw: float


type Method = XOfY | MeterBefore | Fixed | FirmLevel

_FOUR_TO_ONE_HOUR = (timedelta(hours=4), timedelta(hours=1))
PRESETS: Mapping[str, XOfY] = {
    "caiso_10_of_10": XOfY(
        10,
        10,
        adjustment=Adjustment(AdjustmentType.RATIO, *_FOUR_TO_ONE_HOUR, cap=0.2),
    ),
    "iso_ne": XOfY(
        10,
        10,
        day_type=DayType.WEEKDAY_SATURDAY_SUNDAY,
        adjustment=Adjustment(
            AdjustmentType.ADDITIVE, QUARTER_HOUR, timedelta(0), Before.NOTICE
        ),
    ),
    "pjm_high_4_of_5": XOfY(
        4,
        5,
        Select.HIGHEST,
        DayType.WEEKDAY_SATURDAY_SUNDAY,
        adjustment=Adjustment(AdjustmentType.ADDITIVE, *_FOUR_TO_ONE_HOUR),
    ),
    "ercot_mid_8_of_10": XOfY(
        8,
        10,
        Select.MIDDLE,
        ranked_by=RankedBy.DAY,
        adjustment=Adjustment(
            AdjustmentType.RATIO, timedelta(hours=3), timedelta(hours=1)
        ),
    ),
    "ieso_15_of_20": XOfY(
        15,
        20,
        Select.HIGHEST,
        ranked_by=RankedBy.HOUR,
        adjustment=Adjustment(AdjustmentType.RATIO, *_FOUR_TO_ONE_HOUR, cap=0.2),
    ),
}
"""What markets do, as far as a mean of days can say it.

- `caiso_10_of_10`: California ISO, Baseline Accuracy Work Group proposal (2017): the
  last ten like days without an event, moved by at most 20 % on the day. AEMO's Baseline
  Methodology Register takes the same for Australia.
- `iso_ne`: Enel X, FAQ of the New England program: for each interval "the ten weekdays
  immediately preceding", plus the difference in the "fifteen-minute period prior to
  dispatch notification". ISO New England, *Proposed Changes to the Demand Response
  Baseline Method* (2015): weekdays, Saturdays and Sundays apart. There the intervals
  have five minutes, here fifteen.
- `pjm_high_4_of_5`: PJM's economic baseline with symmetric additive adjustment; no text
  of its Manual 11 could be read, so the window is from general knowledge.
- `ercot_mid_8_of_10`: ERCOT, *Default Baseline Methodologies*: "Middle 8-of-10
  Preceding Like Days Model" with an event-day adjustment; only the beginning could be
  read, so ranking and window are from general knowledge.
- `ieso_15_of_20`: Enel X, FAQ of the IESO program: "the average of the 15 highest
  consumption values for the same hour in the past 20 business days", moved by up to
  20 % by the consumption "between 1 and 4 hours prior to the dispatch start time".

None of them shows its method by numbers. What is an example there is one of the tests'.
"""


@final
@dataclass(frozen=True, slots=True)
class DispatchTimes:
    """When a dispatch was made known, and from when to when it is to be."""

    notice: datetime
    start: datetime
    end: datetime | None = None


@final
@dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline and all that it was calculated from.

    `kw` has no entry for a quarter hour that is not known. `days` are those found, newest
    first, `needed` says how many the method wants; `window` has the loads that moved the
    baseline, and `adjustment` by how much: kW or a factor, None if it was not moved.
    `complete` is false if days, or loads before the dispatch, were missing.
    """

    method: Method
    zone: tzinfo
    kw: Profile = field(hash=False)
    complete: bool = True
    needed: int = 0
    days: Mapping[date, Profile] = field(default_factory=dict, hash=False)
    window: History = field(default_factory=dict, hash=False)
    adjustment: float | None = None

    def at(self, instant: datetime) -> float | None:
        """Return the baseline in kW at an instant, None if it is not known."""
        return self.kw.get(wall_clock(instant, self.zone))


def baseline(
    method: Method,
    history: History,
    times: DispatchTimes,
    zone: tzinfo,
    excluded: Collection[date] = (),
) -> Baseline:
    """Estimate what the site would draw on the day of a dispatch.

    A dispatch that goes on after midnight keeps the baseline of its first day. `excluded`
    are days that say nothing of what is usual: see `days_of`.
    """
    match method:
        case XOfY():
            return _x_of_y(method, history, times, zone, excluded)
        case MeterBefore():
            last = quarter_hour(times.start) - QUARTER_HOUR
            window = _known(history, last, last + QUARTER_HOUR)
            return Baseline(
                method,
                zone,
                dict.fromkeys(SLOTS, window[last]) if window else {},
                complete=bool(window),
                window=window,
            )
        case Fixed():
            return Baseline(method, zone, dict.fromkeys(SLOTS, method.kw))
        case FirmLevel():
            return Baseline(method, zone, {})


def days_of(start: datetime, end: datetime, zone: tzinfo) -> frozenset[date]:
    """Return the days that a curtailment or a drill in `[start, end)` has touched."""
    first = start.astimezone(zone).date()
    last = max(start, end - datetime.resolution).astimezone(zone).date()
    return frozenset(first + timedelta(days) for days in range((last - first).days + 1))


def quarter_hour(instant: datetime) -> datetime:
    """Return when the quarter hour of an instant begins, in UTC."""
    instant = instant.astimezone(UTC)
    return instant.replace(minute=instant.minute // 15 * 15, second=0, microsecond=0)


def wall_clock(instant: datetime, zone: tzinfo) -> time:
    """Return what the clock on the wall shows when the quarter hour of an instant begins."""
    local = instant.astimezone(zone)
    return time(local.hour, local.minute // 15 * 15)


def _x_of_y(
    method: XOfY,
    history: History,
    times: DispatchTimes,
    zone: tzinfo,
    excluded: Collection[date],
) -> Baseline:
    today = times.start.astimezone(zone).date()
    candidates = _like_days(method.day_type, today, excluded)
    days = dict(islice(_with_enough_data(history, candidates, zone), method.y))
    dispatch = _slots_of(times, zone)
    loads = _loads_that_count(method, tuple(days.values()), dispatch)
    expected = method.x * len(dispatch)
    unadjusted = Baseline(
        method,
        zone,
        {slot: fmean(loads[slot]) for slot in SLOTS if loads[slot]},
        complete=len(days) == method.y
        and sum(len(loads[slot]) for slot in dispatch) >= ENOUGH * expected,
        needed=method.y,
        days=days,
    )
    if method.adjustment is None:
        return unadjusted
    return _adjusted(unadjusted, method.adjustment, history, times)


def _like_days(
    day_type: DayType, today: date, excluded: Collection[date]
) -> Iterator[date]:
    """Yield the days before today that are like it, the last one first."""
    kinds = _KINDS_OF_DAYS[day_type]
    for back in range(1, FARTHEST + 1):
        day = today - timedelta(days=back)
        if kinds[day.weekday()] == kinds[today.weekday()] and day not in excluded:
            yield day


_KINDS_OF_DAYS: Mapping[DayType, Sequence[int]] = {
    DayType.ALL: (0,) * 7,
    DayType.WEEKDAY_WEEKEND: (0, 0, 0, 0, 0, 1, 1),
    DayType.WEEKDAY_SATURDAY_SUNDAY: (0, 0, 0, 0, 0, 1, 2),
}
"""Of Monday to Sunday, which are alike."""


def _with_enough_data(
    history: History, days: Iterable[date], zone: tzinfo
) -> Iterator[tuple[date, Profile]]:
    for day in days:
        midnight, next_midnight = (
            datetime.combine(each, time.min, zone).astimezone(UTC)
            for each in (day, day + timedelta(days=1))
        )
        known = _known(history, midnight, next_midnight)
        if len(known) >= ENOUGH * ((next_midnight - midnight) / QUARTER_HOUR):
            yield day, _by_wall_clock(known, zone)


def _known(history: History, start: datetime, end: datetime) -> dict[datetime, float]:
    """Return what is known of the quarter hours in `[start, end)`."""
    return {
        instant: history[instant]
        for instant in quarters_between(start, end)
        if isfinite(history.get(instant, nan))
    }


def quarters_between(start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the beginnings of the quarter hours that touch `[start, end)`."""
    instant = quarter_hour(start)
    while instant < end:
        yield instant
        instant += QUARTER_HOUR


def _by_wall_clock(loads: History, zone: tzinfo) -> Profile:
    by_slot = defaultdict[time, list[float]](list)
    for instant, kw in loads.items():
        by_slot[wall_clock(instant, zone)].append(kw)
    return {slot: fmean(kws) for slot, kws in by_slot.items()}


def _slots_of(times: DispatchTimes, zone: tzinfo) -> frozenset[time]:
    """Return the quarter hours of a dispatch; without an end, those until midnight."""
    tomorrow = times.start.astimezone(zone).date() + timedelta(days=1)
    midnight = datetime.combine(tomorrow, time.min, zone).astimezone(UTC)
    end = min(times.end or midnight, times.start + timedelta(days=1))
    instants = (times.start, *quarters_between(times.start, end))
    return frozenset(wall_clock(instant, zone) for instant in instants)


def _loads_that_count(
    method: XOfY, days: Sequence[Profile], dispatch: Collection[time]
) -> Mapping[time, Sequence[float]]:
    """Return for each quarter hour the loads of the days that count in it."""
    counting = {
        ranked: _select(method, days, ranked)
        for ranked in set(_ranking_slots(method, dispatch).values())
    }
    return {
        slot: [day[slot] for day in counting[ranked] if slot in day]
        for slot, ranked in _ranking_slots(method, dispatch).items()
    }


def _ranking_slots(
    method: XOfY, dispatch: Collection[time]
) -> Mapping[time, frozenset[time]]:
    """Return for each quarter hour those by whose mean load days are ranked in it."""
    match method.ranked_by:
        case RankedBy.DAY:
            return dict.fromkeys(SLOTS, frozenset(SLOTS))
        case RankedBy.DISPATCH:
            return dict.fromkeys(SLOTS, frozenset(dispatch))
        case RankedBy.HOUR:
            return {
                slot: frozenset(each for each in SLOTS if each.hour == slot.hour)
                for slot in SLOTS
            }


def _select(
    method: XOfY, days: Sequence[Profile], ranked: Collection[time]
) -> Sequence[Profile]:
    """Return the days that count: as many as X, also if fewer than Y were found."""
    if method.select is Select.ALL:
        return days
    by_load = sorted(
        (day for day in days if not day.keys().isdisjoint(ranked)),
        key=lambda day: fmean(day[slot] for slot in ranked if slot in day),
    )
    surplus = max(0, len(by_load) - method.x)
    lowest = surplus if method.select is Select.HIGHEST else surplus // 2
    return by_load[lowest : lowest + method.x]


def _adjusted(
    unadjusted: Baseline,
    adjustment: Adjustment,
    history: History,
    times: DispatchTimes,
) -> Baseline:
    """Move a baseline by the loads before the dispatch, or say that it is incomplete."""
    opens, closes = _window(adjustment, times)
    window = {
        instant: kw
        for instant, kw in _known(history, opens, closes).items()
        if unadjusted.at(instant) is not None
    }
    result = replace(unadjusted, window=window)
    if len(window) < ENOUGH * ((closes - opens) / QUARTER_HOUR):
        return replace(result, complete=False)
    usual = fmean(unadjusted.kw[wall_clock(each, unadjusted.zone)] for each in window)
    actual = fmean(window.values())
    match adjustment.type:
        case AdjustmentType.ADDITIVE:
            by = _at_most(adjustment.cap, actual - usual, abs(usual))
            kw = {slot: load + by for slot, load in unadjusted.kw.items()}
        case AdjustmentType.RATIO if usual > 0 <= actual:
            by = 1 + _at_most(adjustment.cap, actual / usual - 1, 1)
            kw = {slot: load * by for slot, load in unadjusted.kw.items()}
        case AdjustmentType.RATIO:  # of loads of two signs it would turn all around
            return replace(result, complete=False)
    return replace(result, kw=kw, adjustment=by)


def _window(adjustment: Adjustment, times: DispatchTimes) -> tuple[datetime, datetime]:
    match adjustment.before:
        case Before.START:
            reference = quarter_hour(times.start)
        case Before.NOTICE:
            reference = quarter_hour(min(times.notice, times.start))
    return reference - adjustment.opens, reference - adjustment.closes


def _at_most(cap: float | None, move: float, whole: float) -> float:
    """Return a move of the baseline, cut where it exceeds a share of the whole."""
    if cap is None:
        return move
    return min(max(move, -cap * whole), cap * whole)
