"""Webhooks of an account: what is registered, what there is to deliver, what can go wrong. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
import json

from .scenario import Scenario, State
from .wire import (
    FLAG,
    TEXT,
    RequestError,
    Rule,
    Wire,
    as_list,
    as_object,
    checked,
    is_number,
    only,
)

CREATED, UPDATED = "dispatch.create", "dispatch.update"
EVENTS = frozenset({CREATED, UPDATED})
HANDSHAKE = json.dumps({"event": {"name": ""}, "resource": ""}).encode()
GARBAGE = (
    b'{"event": {"name": "dispatch.create"}, "resource": "/2022-04-15/dispatches/../'
)
REDELIVERED_AFTER = tuple(timedelta(seconds=each) for each in (1, 2, 4, 8, 16, 32, 60))
"""Voltus does not publish its own schedule."""

PUBLIC_WEBHOOKS: Sequence[Wire] = (
    {
        "id": "asd8f",
        "url": "https://your-cool-api.com/callback",
        "events": [{"name": UPDATED}, {"name": CREATED}],
    },
)

_SECONDS = Rule("a number of seconds, 0 or more", lambda each: is_number(each, 0, 1e9))


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookFaults:
    """What goes wrong between the local Voltus and who listens; nothing, unless it is said."""

    handshake_refused: bool = field(default=False, metadata={"rule": FLAG})
    """Take the answer to the handshake for a refusal, whatever it is."""
    handshake_delay: float = field(default=0, metadata={"rule": _SECONDS})
    """Let the handshake come so many seconds late."""
    handshake_never: bool = field(default=False, metadata={"rule": FLAG})
    """Neither call the address nor answer who wants to create a webhook."""
    drop: bool = field(default=False, metadata={"rule": FLAG})
    """Deliver nothing, and believe that it was delivered."""
    double: bool = field(default=False, metadata={"rule": FLAG})
    """Deliver everything twice."""
    delay: float = field(default=0, metadata={"rule": _SECONDS})
    """Deliver so many seconds late."""
    reorder: bool = field(default=False, metadata={"rule": FLAG})
    """Deliver the last news first."""
    early: float = field(default=0, metadata={"rule": _SECONDS})
    """Deliver so many seconds before the dispatch can be read: until then it is a 404."""
    garbage: bool = field(default=False, metadata={"rule": FLAG})
    """Deliver half a body that names no dispatch."""


_RULES: Mapping[str, Rule] = {
    each.name: each.metadata["rule"] for each in fields(WebhookFaults)
}


def parse_webhook_faults(body: object) -> WebhookFaults:
    """Read the faults to switch on. Raises RequestError."""
    given = only(as_object(body, "webhook faults"), "webhook faults", _RULES)
    return WebhookFaults(**given)  # type: ignore[arg-type]


def parse_webhook(body: object) -> Wire:
    """Read what to create: a webhook without its id. Raises RequestError."""
    asked = as_object(body, "the webhook")
    if "events" not in asked:
        # Voltus' own words.
        raise RequestError("A create webhook request must contain an 'events' field")
    url = checked(asked, "the webhook", {"url": TEXT})["url"]
    if not str(url).startswith(("http://", "https://")):
        raise RequestError("url of the webhook must be an address")
    events = as_list(asked["events"], "events of the webhook")
    for number, event in enumerate(events):
        name = checked(event, f"event {number} of the webhook", {"name": TEXT})["name"]
        if name not in EVENTS:
            raise RequestError(f"there is no event {name}")
    return {"url": url, "events": events}


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something to deliver to an address, from `due` on; `attempts` have failed."""

    url: str
    body: bytes
    due: datetime
    attempts: int = 0

    def again(self, now: datetime) -> Delivery | None:
        """Return it for another attempt; None when that was the last."""
        if self.attempts == len(REDELIVERED_AFTER):
            return None
        due = now + REDELIVERED_AFTER[self.attempts]
        return replace(self, due=due, attempts=self.attempts + 1)


def newest(scenario: Scenario, now: datetime) -> dict[str, State]:
    """Return the state of each dispatch that was published last, by dispatch id."""
    published = {
        dispatch_id: [each for each in states if each.published_time <= now]
        for dispatch_id, states in scenario.items()
    }
    return {
        dispatch_id: max(reversed(states), key=lambda state: state.published_time)
        for dispatch_id, states in published.items()
        if states
    }


def next_publication(scenarios: Iterable[Scenario], now: datetime) -> datetime | None:
    """Return when something will be published, None if nothing will."""
    times = (
        state.published_time
        for scenario in scenarios
        for states in scenario.values()
        for state in states
    )
    return min((each for each in times if each > now), default=None)


def deliveries(
    webhooks: Iterable[Wire],
    before: Mapping[str, State],
    after: Mapping[str, State],
    faults: WebhookFaults,
    now: datetime,
) -> list[Delivery]:
    """Return what there is to deliver when what is published has changed."""
    changed = [
        (CREATED if dispatch_id not in before else UPDATED, dispatch_id)
        for dispatch_id, state in after.items()
        if before.get(dispatch_id) != state
    ]
    made = [
        Delivery(
            str(webhook["url"]),
            GARBAGE if faults.garbage else _pointer(event, dispatch_id),
            now + timedelta(seconds=faults.delay),
        )
        for event, dispatch_id in changed
        for webhook in webhooks
        if event in _event_names(webhook) and not faults.drop
    ]
    if faults.double:
        made = [each for each in made for _ in range(2)]
    return made[::-1] if faults.reorder else made


def _event_names(webhook: Wire) -> set[object]:
    events = webhook["events"]
    assert isinstance(events, list)
    return {event["name"] for event in events}


def _pointer(event: str, dispatch_id: str) -> bytes:
    """Name the dispatch and say nothing about it, as Voltus does."""
    resource = f"/2022-04-15/dispatches/{dispatch_id}"
    return json.dumps({"event": {"name": event}, "resource": resource}).encode()
