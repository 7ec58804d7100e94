"""News by push: webhooks at Voltus, what they deliver, and whether they can be relied on.

A delivery is a hint and no more: it names a dispatch, and what is true of it is asked
for. It is neither signed nor ordered, and may come twice, late or never.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
import json
import re
from typing import Final, final

from .errors import VoltusFormatError
from .models import Json, can_be_asked_for

LARGEST_DELIVERY: Final = 4096
EVENTS: Final = frozenset({"dispatch.create", "dispatch.update"})

BURST: Final = 10
TOKEN_EVERY: Final = timedelta(seconds=2)

ASKED_AGAIN_AFTER: Final = tuple(timedelta(seconds=each) for each in (1, 3, 10))
ASKED_ONE_BY_ONE: Final = 3
MOST_WAITING: Final = 100

LONGEST_RETRY: Final = timedelta(hours=1)

DELIVERED_WITHIN: Final = timedelta(seconds=90)
MISSED_TO_DOUBT: Final = 2

_RESOURCE = re.compile(r"/2022-04-15/dispatches/([A-Za-z0-9_-]{1,64})", re.ASCII)


@final
@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that Voltus delivers `events` to; `id` is for deleting it."""

    id: str
    url: str
    events: frozenset[str] = EVENTS


def parse_webhooks(payload: Json) -> tuple[Webhook, ...]:
    """Read the answer of `GET /webhooks`; what is unreadable in it is none of ours.

    An account without webhooks may have null for a list. Raises VoltusFormatError if it
    is not `{"webhooks": [...]}`.
    """
    if not isinstance(payload, dict) or "webhooks" not in payload:
        raise VoltusFormatError("The answer holds no list of webhooks")
    items = payload["webhooks"] or []
    if not isinstance(items, list):
        raise VoltusFormatError("The answer holds no list of webhooks")
    return tuple(webhook for item in items if (webhook := _webhook(item)))


def parse_webhook(payload: Json) -> Webhook:
    """Read the answer of `POST /webhooks`. Raises VoltusFormatError if it is none."""
    webhook = _webhook(payload)
    if webhook is None:
        raise VoltusFormatError("The answer is no webhook")
    return webhook


def _webhook(item: Json) -> Webhook | None:
    if not isinstance(item, dict):
        return None
    webhook_id, url, events = item.get("id"), item.get("url"), item.get("events")
    if isinstance(webhook_id, int) and not isinstance(webhook_id, bool):
        webhook_id = str(webhook_id)
    if (
        not isinstance(webhook_id, str)
        or not can_be_asked_for(webhook_id)
        or not isinstance(url, str)
    ):
        return None
    named = (
        each.get("name")
        for each in (events if isinstance(events, list) else ())
        if isinstance(each, dict)
    )
    return Webhook(
        webhook_id, url, frozenset(each for each in named if isinstance(each, str))
    )


def read_delivery(body: bytes) -> str | None:
    """Return the id of the dispatch that a delivery is about, None for the handshake.

    The handshake comes when a webhook is created: both its texts are empty. What the
    event is called is not believed. Raises VoltusFormatError for anything else.
    """
    if len(body) > LARGEST_DELIVERY:
        raise VoltusFormatError("The delivery is too large")
    try:
        delivery = json.loads(body)
    except ValueError, RecursionError:
        raise VoltusFormatError("The delivery is not JSON") from None
    if not isinstance(delivery, dict):
        raise VoltusFormatError("The delivery is not an object")
    resource, event = delivery.get("resource"), delivery.get("event")
    if resource == "" and isinstance(event, dict) and event.get("name") == "":
        return None
    found = _RESOURCE.fullmatch(resource) if isinstance(resource, str) else None
    if found is None:
        raise VoltusFormatError("The delivery is about no dispatch")
    return found[1]


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about our webhooks: keep one, or `post` an address; then delete.

    Nothing is deleted before the new one is there: make before break.
    """

    keep: Webhook | None
    post: str | None
    delete: tuple[Webhook, ...]


def plan(
    *,
    wanted: str | None,
    stored: Collection[str],
    path: str,
    listed: Iterable[Webhook],
    anew: bool = False,
) -> Plan:
    """Decide what to do so that Voltus delivers to `wanted`, and to it alone.

    Ours is what delivers to it, to an address `stored` before, or to any that ends in
    our secret `path`. The webhooks of others are never touched. `anew` replaces even
    one that looks right.
    """
    ours = [
        webhook
        for webhook in listed
        if webhook.url in {wanted, *stored} or webhook.url.endswith(path)
    ]
    keep = next((each for each in ours if not anew and _is_right(each, wanted)), None)
    return Plan(
        keep=keep,
        post=None if keep else wanted,
        delete=tuple(each for each in ours if each is not keep),
    )


def _is_right(webhook: Webhook, wanted: str | None) -> bool:
    return webhook.url == wanted and webhook.events >= EVENTS


def retry_after(tries: int, *, refused: bool) -> timedelta:
    """Return how long to wait after this many failures in a row, an hour at most.

    What Voltus has `refused` changes by somebody's doing and is no matter of seconds.
    """
    first = timedelta(minutes=5) if refused else timedelta(seconds=30)
    doubled: int = 2 ** min(tries - 1, 10)
    return min(first * doubled, LONGEST_RETRY)


@final
@dataclass(frozen=True, slots=True)
class TokenBucket:
    """How many requests deliveries may cause: ten at once, then one every two seconds."""

    tokens: float = BURST
    at: datetime | None = None

    def filled(self, now: datetime) -> TokenBucket:
        """Return it with the tokens that have come since."""
        # A clock that is set back fills nothing and empties nothing.
        spent = max(now - (self.at or now), timedelta(0))
        return TokenBucket(min(self.tokens + spent / TOKEN_EVERY, BURST), now)

    def wait(self, now: datetime) -> timedelta:
        """Return how long it takes until there is a token to take."""
        return max(1 - self.filled(now).tokens, 0) * TOKEN_EVERY

    def taken(self, now: datetime) -> TokenBucket:
        """Return it with one token less; `wait` says when there is one."""
        filled = self.filled(now)
        return replace(filled, tokens=max(filled.tokens - 1, 0))


@final
@dataclass(frozen=True, slots=True)
class Waiting:
    """A dispatch that is to be asked for, how often it was not there, and when next."""

    due: datetime
    tries: int = 0


@final
@dataclass(frozen=True, slots=True)
class Queue:
    """The dispatches that deliveries have named and that are still to be asked for."""

    waiting: Mapping[str, Waiting] = field(default_factory=dict)

    def delivered(self, dispatch_id: str, now: datetime) -> Queue:
        """Return it with a dispatch that is due at once.

        Of a flood no more than a hundred are kept: the list that is asked for then has
        the others as well.
        """
        if dispatch_id not in self.waiting and len(self.waiting) >= MOST_WAITING:
            return self
        return Queue({**self.waiting, dispatch_id: Waiting(now)})

    def due(self, now: datetime) -> list[str]:
        """Return what is to be asked for now."""
        return [i for i, each in self.waiting.items() if each.due <= now]

    def next_due(self) -> datetime | None:
        """Return when there is something to be asked for, None if nothing waits."""
        return min((each.due for each in self.waiting.values()), default=None)

    def answered(self, asked: Queue, dispatch_ids: Iterable[str]) -> Queue:
        """Return it without what was found, unless it was delivered again meanwhile.

        `asked` is the queue as it was when the request went out.
        """
        done = set(dispatch_ids)
        return Queue(
            {
                i: each
                for i, each in self.waiting.items()
                if i not in done or each is not asked.waiting.get(i)
            }
        )

    def not_there(
        self, asked: Queue, dispatch_ids: Iterable[str], now: datetime
    ) -> Queue:
        """Return it with what Voltus does not show yet put off, or given up at last.

        Copies of Voltus' may lag behind: it is asked for again after 1, 3 and 10 s.
        What then is still not there is left to the poll.
        """
        waiting = dict(self.waiting)
        for i in dispatch_ids:
            each = waiting.get(i)
            if each is None or each is not asked.waiting.get(i):
                continue
            if each.tries < len(ASKED_AGAIN_AFTER):
                due = now + ASKED_AGAIN_AFTER[each.tries]
                waiting[i] = Waiting(due, each.tries + 1)
            else:
                del waiting[i]
        return Queue(waiting)


@final
@dataclass(frozen=True, slots=True)
class Health:
    """Whether push delivers what polls see, found out by comparison.

    `since` is when Voltus took our address, None while it has none of us. A change that
    a poll saw first and that is not delivered within 90 s was missed; `missed` counts
    them since the last delivery.
    """

    since: datetime | None = None
    last_received: datetime | None = None
    missed: int = 0
    delivered: Mapping[str, datetime] = field(default_factory=dict)
    awaited: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def in_doubt(self) -> bool:
        """Whether two changes in a row were missed."""
        return self.missed >= MISSED_TO_DOUBT

    def registered(self, now: datetime) -> Health:
        """Return it as Voltus has taken our address; what came before says nothing."""
        return replace(self, since=now, awaited={})

    def unregistered(self) -> Health:
        """Return it as Voltus has no address of ours: nothing is missed then."""
        return replace(self, since=None, missed=0, awaited={})

    def trusted(self) -> Health:
        """Return it without doubt: a test was passed."""
        return replace(self, missed=0, awaited={})

    def heard(self, dispatch_id: str, now: datetime) -> Health:
        """Return it as a delivery has come, which proves that push works."""
        recent = {i: at for i, at in self.delivered.items() if _is_recent(at, now)}
        newest = dict(list(recent.items())[1 - MOST_WAITING :])
        return replace(
            self,
            last_received=now,
            missed=0,
            delivered={**newest, dispatch_id: now},
            awaited={i: at for i, at in self.awaited.items() if i != dispatch_id},
        )

    def seen_by_poll(
        self, changed: Iterable[str], last_poll: datetime | None, now: datetime
    ) -> Health:
        """Return it as a poll has seen changes that no delivery had told of.

        Only what was published after Voltus took our address should have been
        delivered: `last_poll` is when the poll before it had come.
        """
        if self.since is None or last_poll is None or last_poll < self.since:
            return self
        new = {
            i: now
            for i in changed
            if not ((at := self.delivered.get(i)) and _is_recent(at, now))
        }
        return replace(self, awaited={**new, **self.awaited}) if new else self

    def judged(self, now: datetime) -> Health:
        """Return it with what was awaited for too long counted as missed."""
        late = {i for i, at in self.awaited.items() if not _is_recent(at, now)}
        if not late:
            return self
        return replace(
            self,
            missed=self.missed + len(late),
            awaited={i: at for i, at in self.awaited.items() if i not in late},
        )


def _is_recent(at: datetime, now: datetime) -> bool:
    return abs(now - at) < DELIVERED_WITHIN
