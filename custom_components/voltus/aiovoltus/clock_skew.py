"""Whether our clock can be trusted. Pure: `now` is an argument."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median
from typing import final

TOLERABLE_SKEW = 5.0

_SAMPLES = 5
_ENOUGH = 3
_STEP_COUNTS_FOR = timedelta(hours=1)


@final
@dataclass(frozen=True, slots=True)
class ClockFloor:
    """What the time is at least: an instant that was stored, and what went by since.

    A board without a battery boots with a time before that. `read_at` is when the
    instant was read, in seconds of a monotonic clock.
    """

    instant: datetime
    read_at: float

    def now(self, clock: datetime, monotonic: float) -> datetime:
        """Return the time by our clock, or the floor if that is later."""
        return max(clock, self.instant + timedelta(seconds=monotonic - self.read_at))


@final
@dataclass(frozen=True, slots=True)
class ClockSkew:
    """What is known of the difference between Voltus' clock and ours.

    `offsets` are the last few differences (Voltus less ours, in seconds) by the `Date`
    header, which has whole seconds; `step` is by how much our clock was last set back.
    """

    offsets: tuple[float, ...] = ()
    step: float = 0.0
    stepped_at: datetime | None = None

    def measured(self, server_time: datetime, now: datetime) -> ClockSkew:
        """Take in the `Date` of an answer that was read at `now`."""
        offset = (server_time - now).total_seconds()
        return replace(self, offsets=(*self.offsets, offset)[-_SAMPLES:])

    def stepped(self, back: timedelta, now: datetime) -> ClockSkew:
        """Take in that our clock was set back; offsets of before mean nothing now."""
        return ClockSkew(step=-back.total_seconds(), stepped_at=now)

    def seconds(self, now: datetime) -> float | None:
        """Return the skew that the operator has to know of, None if there is none."""
        if len(self.offsets) >= _ENOUGH and abs(median(self.offsets)) > TOLERABLE_SKEW:
            return median(self.offsets)
        if self.stepped_at is not None and now - self.stepped_at < _STEP_COUNTS_FOR:
            return self.step
        return None
