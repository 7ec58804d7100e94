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
class ClockSkew:
    """What is known of the difference between Voltus' clock and ours.

    `offsets` are the last few differences (Voltus less ours, in seconds) by the `Date`
    header, which has whole seconds; `step` is by how much our clock was last set back.
    """

    offsets: tuple[float, ...] = ()
    step: float = 0.0
    stepped_at: datetime | None = None

    def measured(self, server_time: datetime | None, now: datetime) -> ClockSkew:
        """Take in the `Date` of an answer that was read at `now`."""
        if server_time is None:
            return self
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
