"""Whether Voltus has of a day what was sent of it, by the mean of each hour.

What was sent is kept as the half minutes of each hour that Voltus has taken and the sum
of their kW: a row that is sent again counts once. Nothing here reads a clock.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, final

from ..aiovoltus.models import parse_time
from ..aiovoltus.telemetry import GRID, TelemetryRow
from ..metering.intervals import aligned

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
SHARE: Final = 0.02
LEAST_KW: Final = 0.1
"""A difference counts if it is more than this and more than the share of what was sent."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SLOTS: Final = HOUR // GRID
_ALL: Final = (1 << _SLOTS) - 1


@final
@dataclass(frozen=True, slots=True)
class SentHour:
    """Which half minutes of an hour Voltus has taken, as bits, and the sum of their kW."""

    taken: int = 0
    kw: float = 0.0

    @property
    def mean(self) -> float | None:
        """The mean in kW; None unless all of it was taken."""
        return self.kw / _SLOTS if self.taken == _ALL else None

    def with_(self, bits: int, kw: float) -> SentHour:
        """Return it with more half minutes; those that it has count as they are."""
        new = bits & ~self.taken
        return SentHour(self.taken | new, self.kw + kw * new.bit_count())


@final
@dataclass(frozen=True, slots=True)
class Sent:
    """What Voltus has taken of a meter that is mapped `since` then, by start of hour."""

    since: datetime
    hours: Mapping[datetime, SentHour] = field(default_factory=dict)

    def with_(self, rows: Iterable[TelemetryRow], begin: datetime) -> Sent:
        """Return it with more rows; hours before `begin` are kept no more."""
        hours = {hour: each for hour, each in self.hours.items() if hour >= begin}
        for row in rows:
            for hour, bits in _bits(row):
                if hour >= begin:
                    hours[hour] = hours.get(hour, SentHour()).with_(bits, row.value)
        return replace(self, hours=hours)

    def means(self, day: datetime) -> dict[datetime, float]:
        """Return the means of the hours of a day that were taken wholly, by their END.

        None of a day of which the meter was not mapped all the time.
        """
        if self.since > day:
            return {}
        return {
            hour + HOUR: each.mean
            for hour, each in self.hours.items()
            if day <= hour < day + DAY and each.mean is not None
        }


@final
@dataclass(frozen=True, slots=True)
class Difference:
    """Of the hour until `end`, what was sent and what Voltus has instead, in kW."""

    end: datetime
    sent: float
    found: float


def day_before(now: datetime) -> datetime:
    """Return the beginning of yesterday, in UTC."""
    return aligned(now, DAY) - DAY


def largest_difference(
    sent: Mapping[datetime, float], found: Mapping[datetime, float | None]
) -> Difference | None:
    """Return the largest difference that counts; None if both agree in every hour.

    An hour that Voltus gives no value of tells nothing.
    """
    differences = [
        Difference(end, kw, other)
        for end, kw in sent.items()
        if (other := found.get(end)) is not None
        and abs(other - kw) > max(LEAST_KW, SHARE * abs(kw))
    ]
    return max(differences, key=lambda each: abs(each.found - each.sent), default=None)


def _bits(row: TelemetryRow) -> Iterator[tuple[datetime, int]]:
    """Yield the hours that a row touches, with its half minutes of each as bits."""
    first = (row.start - _EPOCH) // GRID
    after = (row.timestamp - _EPOCH) // GRID
    while first < after:
        hour, place = divmod(first, _SLOTS)
        count = min(after - first, _SLOTS - place)
        yield _EPOCH + hour * HOUR, ((1 << count) - 1) << place
        first += count


def as_stored(sent: Mapping[str, Sent]) -> dict[str, Any]:
    """Return what to write of each meter."""
    return {
        meter_id: {
            "since": each.since.isoformat(),
            "hours": {
                hour.isoformat(): [f"{some.taken:x}", some.kw]
                for hour, some in each.hours.items()
            },
        }
        for meter_id, each in sent.items()
    }


def from_stored(stored: Mapping[str, Any]) -> dict[str, Sent]:
    """Read what was written. Raises what a damaged file does."""
    return {
        meter_id: Sent(
            parse_time(each["since"]),
            {
                parse_time(hour): SentHour(int(taken, 16), float(kw))
                for hour, (taken, kw) in each["hours"].items()
            },
        )
        for meter_id, each in stored.items()
    }
