"""How long to leave Voltus alone after a refusal. Pure: `now` is an argument."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import final

LONGEST_PAUSE = timedelta(minutes=5)

_PAUSES = (60, 120, 240, 300)
_SAME_PACE = timedelta(minutes=5)
_REFUSED_PACE = timedelta(seconds=59)
_REPEATEDLY = 2


@final
@dataclass(frozen=True, slots=True)
class Backoff:
    """What was refused so far. A good answer ends it: start anew with `Backoff()`.

    Only requests wait; looking at the clock never does.
    """

    not_before: datetime | None = None
    rate_limited: int = 0
    refused_since: datetime | None = None

    def must_wait(self, now: datetime) -> bool:
        """Whether a pause is on; one longer than any we take is a clock set back."""
        return (
            self.not_before is not None
            and timedelta(0) < self.not_before - now <= LONGEST_PAUSE
        )

    def key_refused(self, now: datetime) -> Backoff:
        """Keep the pace for five minutes, then ask once a minute."""
        since = self.refused_since or now
        pause = _REFUSED_PACE if now - since >= _SAME_PACE else timedelta(0)
        return replace(self, refused_since=since, not_before=now + pause)

    def slowed_down(
        self, retry_after: str | None, now: datetime, jitter: float
    ) -> Backoff:
        """Wait as `Retry-After` (seconds or a date) says, five minutes at most.

        Without a sensible one the pauses grow: 60, 120, 240, 300 s, less a tenth of
        `jitter` (0 to 1), so that many clients do not come back as one.
        """
        pause = _retry_after(retry_after or "", now)
        if pause <= timedelta(0):
            seconds = _PAUSES[min(self.rate_limited, len(_PAUSES) - 1)]
            pause = timedelta(seconds=seconds * (1 - jitter / 10))
        return replace(
            self,
            rate_limited=self.rate_limited + 1,
            not_before=now + min(pause, LONGEST_PAUSE),
        )


@final
@dataclass(frozen=True, slots=True)
class KeyDoubt:
    """Whether the API key seems to be wrong: a stray refusal may be Voltus' mistake.

    Refusals and good answers are counted as they follow each other.
    """

    refusals: int = 0
    answers: int = 0
    doubted: bool = False

    def refused(self) -> KeyDoubt:
        """Doubt the key when it is refused repeatedly."""
        refusals = self.refusals + 1
        return KeyDoubt(refusals, 0, self.doubted or refusals >= _REPEATEDLY)

    def answered(self) -> KeyDoubt:
        """Trust the key again when it repeatedly brings a good answer."""
        answers = self.answers + 1
        return KeyDoubt(0, answers, self.doubted and answers < _REPEATEDLY)


def _retry_after(text: str, now: datetime) -> timedelta:
    """Return the pause that a header asks for, 0 or less if there is no sense in it."""
    if text.isdecimal():
        return timedelta(seconds=min(int(text[:9]), LONGEST_PAUSE.total_seconds()))
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return timedelta(0)
    return until.replace(tzinfo=until.tzinfo or UTC) - now
