"""What went on lately, for whoever has to find out why. Nothing is decided by it."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, final

KEPT: Final = 50


@final
@dataclass(frozen=True, slots=True)
class Poll:
    """One request for the list of dispatches.

    `status` and `size` (bytes) are None where no answer came; `error` is the kind of
    failure. `seconds` go from the request until the answer was taken in.
    """

    at: datetime
    seconds: float
    status: int | None
    size: int | None
    unchanged: bool = False
    error: str | None = None


@final
@dataclass(frozen=True, slots=True)
class Boundary:
    """A boundary, and when we looked at the clock because of it."""

    planned: datetime
    looked: datetime

    @property
    def delay_seconds(self) -> float:
        """How late we were."""
        return round((self.looked - self.planned).total_seconds(), 3)


@final
@dataclass(frozen=True, slots=True)
class RecentActivity:
    """The last polls and the last boundaries, oldest first."""

    polls: deque[Poll] = field(default_factory=lambda: deque(maxlen=KEPT))
    boundaries: deque[Boundary] = field(default_factory=lambda: deque(maxlen=KEPT))
