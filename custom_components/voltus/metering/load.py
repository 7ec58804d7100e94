"""The load of a site: by the minute, and by the quarter hour for the days before.

Loads are means in kW, by the instant (aware, UTC) at which the minute or the quarter
hour begins; what is not there is not known. Nothing here reads a clock.
"""

from collections import ChainMap, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import fsum, isfinite
from statistics import fmean
from typing import Final, final

from .baseline import ENOUGH, FARTHEST, QUARTER_HOUR, History, quarter_hour
from .intervals import Row

MINUTE: Final = timedelta(minutes=1)
MINUTES_KEPT: Final = timedelta(hours=48)
QUARTERS_KEPT: Final = timedelta(days=FARTHEST + 1)

type Minutes = Mapping[datetime, float]


@final
@dataclass(frozen=True, slots=True)
class LoadInterval:
    """The mean load of a site, in kW, over `[start, end)`."""

    start: datetime
    end: datetime
    kw: float


def by_minute(rows: Iterable[Row]) -> dict[datetime, float]:
    """Return the load of the whole minutes that rows cover; each has the row's mean."""
    return {
        minute: row.value
        for row in rows
        if isfinite(row.value)
        for minute in _minutes(row.start, row.end)
    }


def summed(parts: Sequence[Minutes]) -> dict[datetime, float]:
    """Return the load of several meters together, where it is known of all of them."""
    if not parts:
        return {}
    known = set(parts[0]).intersection(*parts[1:])
    return {minute: fsum(part[minute] for part in parts) for minute in sorted(known)}


def quarter_hours(minutes: Minutes) -> dict[datetime, float]:
    """Return the means of the quarter hours of which nine tenths are known."""
    within = defaultdict[datetime, list[float]](list)
    for minute, kw in minutes.items():
        within[quarter_hour(minute)].append(kw)
    needed = ENOUGH * (QUARTER_HOUR / MINUTE)
    return {each: fmean(kws) for each, kws in within.items() if len(kws) >= needed}


@final
@dataclass(slots=True)
class SiteLoad:
    """What is known of the load of a site.

    `minutes` go back two days, `quarters` as far as a baseline does; `hourly` are
    quarter hours of which only the mean of their hour is known. `version` counts the
    changes of what baselines are calculated from.
    """

    minutes: dict[datetime, float] = field(default_factory=dict)
    quarters: dict[datetime, float] = field(default_factory=dict)
    hourly: dict[datetime, float] = field(default_factory=dict)
    version: int = 0

    @property
    def history(self) -> History:
        """The quarter hours; the mean of an hour stands in where there is no other."""
        return ChainMap(self.quarters, self.hourly)

    @property
    def latest(self) -> datetime | None:
        """Until when the load is known."""
        return max(self.minutes) + MINUTE if self.minutes else None

    def add_minutes(self, minutes: Minutes) -> None:
        """Take in minutes, and the quarter hours that they make whole."""
        self.minutes.update(minutes)
        touched = {quarter_hour(each) for each in minutes}
        self.add_quarters(
            quarter_hours(
                {
                    minute: self.minutes[minute]
                    for start in touched
                    for minute in _minutes(start, start + QUARTER_HOUR)
                    if minute in self.minutes
                }
            )
        )

    def add_quarters(self, quarters: History) -> None:
        """Take in quarter hours of the days before."""
        if quarters.items() - self.quarters.items():
            self.quarters.update(quarters)
            self.version += 1

    def forget(self, now: datetime) -> None:
        """Keep no more than is needed."""
        for kept, since in (
            (self.minutes, now - MINUTES_KEPT),
            (self.quarters, now - QUARTERS_KEPT),
            (self.hourly, now - QUARTERS_KEPT),
        ):
            for each in [each for each in kept if each < since]:
                del kept[each]

    def kw(self, now: datetime, oldest: timedelta) -> float | None:
        """Return the load of the last minute known, None if that is too old."""
        latest = self.latest
        if latest is None or now - latest > oldest:
            return None
        return self.minutes[latest - MINUTE]

    def intervals(self, start: datetime, end: datetime) -> list[LoadInterval]:
        """Return what is known from `start` to `end`; quarter hours fill the gaps."""
        found = []
        for minute in _minutes(start.replace(second=0, microsecond=0), end + MINUTE):
            kw = self.minutes.get(minute, self.quarters.get(quarter_hour(minute)))
            if kw is not None:
                found.append(LoadInterval(minute, minute + MINUTE, kw))
        return found


def _minutes(start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the beginnings of the whole minutes in `[start, end)`."""
    minute = start.replace(second=0, microsecond=0)
    if minute < start:
        minute += MINUTE
    while minute + MINUTE <= end:
        yield minute
        minute += MINUTE
