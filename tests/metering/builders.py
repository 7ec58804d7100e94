"""Histories of load in words: what a site draws, by the clock on its wall."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from custom_components.voltus.metering.baseline import QUARTER_HOUR, DispatchTimes

LOS_ANGELES = ZoneInfo("America/Los_Angeles")
NEW_YORK = ZoneInfo("America/New_York")
FRIDAY = date(2026, 11, 27)
"""The day of most dispatches here. The clocks went back on 1 November."""


def local(day: date, clock: str, zone: ZoneInfo = LOS_ANGELES) -> datetime:
    """Return an instant, in UTC, by the date and the clock of a place."""
    return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)


def times(
    start: str = "16:00",
    end: str | None = "18:00",
    *,
    notice: str = "12:00",
    day: date = FRIDAY,
    zone: ZoneInfo = LOS_ANGELES,
) -> DispatchTimes:
    """Return the times of a dispatch within one day."""
    return DispatchTimes(
        notice=local(day, notice, zone),
        start=local(day, start, zone),
        end=None if end is None else local(day, end, zone),
    )


def day_of_load(
    day: date, kw: float | Callable[[time], float], zone: ZoneInfo = LOS_ANGELES
) -> dict[datetime, float]:
    """Return a day's load: one for all of it, or one for each quarter hour."""
    return {
        instant: kw if isinstance(kw, float | int) else kw(clock)
        for instant, clock in _quarter_hours(day, zone)
    }


@cache
def _quarter_hours(day: date, zone: ZoneInfo) -> list[tuple[datetime, time]]:
    instant = local(day, "00:00", zone)
    found = []
    while (here := instant.astimezone(zone)).date() == day:
        found.append((instant, here.time().replace(fold=0)))
        instant += QUARTER_HOUR
    return found


def weekdays_before(day: date, count: int) -> list[date]:
    """Return the last days from Monday to Friday before a day, the last one first."""
    days = (day - timedelta(days=back) for back in range(1, 3 * count + 7))
    return [each for each in days if each.weekday() < 5][:count]


def history(
    loads: Iterable[tuple[date, float | Callable[[time], float]]],
    zone: ZoneInfo = LOS_ANGELES,
) -> dict[datetime, float]:
    """Return the load of several days."""
    return {
        instant: kw
        for day, load in loads
        for instant, kw in day_of_load(day, load, zone).items()
    }
