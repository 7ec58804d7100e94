"""News by push: Voltus calls, we ask. A hint that makes the next look come sooner.

It never decides what is true. What it brings goes the way of a poll's answer, and
losing all of it costs one poll interval.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from aiohttp.hdrs import METH_POST
from aiohttp.web import Request, Response
from homeassistant.components import webhook
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_API_KEY, CONF_URL, CONF_WEBHOOK_ID
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.event import async_call_later

from ..account.issues import Issue, plain
from ..account.options import push_is_on
from ..aiovoltus.client import VoltusClient
from ..aiovoltus.errors import VoltusAuthError, VoltusError, VoltusRateLimitError
from ..aiovoltus.models import Source
from ..aiovoltus.webhooks import (
    ASKED_ONE_BY_ONE,
    LARGEST_DELIVERY,
    Health,
    Queue,
    TokenBucket,
    read_delivery,
)
from ..const import DOMAIN, LOGGER
from . import cloudhook
from .address import Address, NoPush, Via
from .conversation import Conversation
from .registration import CONF_WEBHOOKS, Registration, async_delete_all

READ_WITHIN: Final = 10
END_WITHIN: Final = 10
"""Seconds for a delivery to come in whole, and for what is said to Voltus at the end."""


class Push:
    """Takes Voltus' calls for one account, and asks for what they are about."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        conversation: Conversation,
        changed: Callable[[], None],
    ) -> None:
        """Prepare; `changed` is called when there is something new to show."""
        self._hass = hass
        self._entry = entry
        self._conversation = conversation
        self._changed = changed
        self._listening: set[str] = set()
        self._ready = False
        self._queue = Queue()
        self._bucket = TokenBucket()
        self._asking: asyncio.Task[None] | None = None
        self._unsub_timer: CALLBACK_TYPE | None = None
        self._answered = asyncio.Event()
        if CONF_WEBHOOK_ID not in entry.data:
            data = {**entry.data, CONF_WEBHOOK_ID: webhook.async_generate_id()}
            hass.config_entries.async_update_entry(entry, data=data)
        self.health = Health()
        self.refused = 0
        self.registration = Registration(
            hass, entry, conversation, self._registration_changed
        )

    @property
    def works(self) -> bool:
        """Whether Voltus has an address of ours, and nothing speaks against it."""
        return self.health.since is not None and not self.health.in_doubt

    @property
    def via(self) -> Via | None:
        """By which way Voltus calls us, None if it does not."""
        registered = self.registration.registered
        return registered and registered.via

    @property
    def unreachable(self) -> str | None:
        """What Voltus says of an address at which it lastingly fails to reach us."""
        failure = self.registration.failure
        return failure.error if failure and failure.is_lasting else None

    @property
    def reason(self) -> str | None:
        """Why it does not, or not reliably; None if all is well."""
        if isinstance(self.registration.address, NoPush):
            return self.registration.address.value
        if failure := self.registration.failure:
            return "unreachable" if failure.refused else "not_registered"
        return "in_doubt" if self.health.in_doubt else None

    def issues(self) -> list[Issue]:
        """Return what the operator has to know."""
        warning = ir.IssueSeverity.WARNING
        if (error := self.unreachable) is not None:
            return [
                Issue("push_unreachable", {"error": plain(error)}, severity=warning)
            ]
        if self.health.in_doubt:
            return [Issue("push_in_doubt", severity=warning)]
        return []

    @callback
    def async_listen(self) -> None:
        """Take calls at our secret address: with 503 until `async_start`.

        Home Assistant tells Voltus that all is well at an address that nobody takes
        calls at. So it comes first of all.
        """
        entry = self._entry
        webhook_id = entry.data[CONF_WEBHOOK_ID]
        if webhook_id not in self._listening:
            self._listening.add(webhook_id)
            webhook.async_register(
                self._hass,
                DOMAIN,
                entry.title,
                webhook_id,
                self._handle,
                allowed_methods=[METH_POST],
            )

    @callback
    def async_start(self) -> None:
        """Do as the calls say from now on; call it when an account is set up."""
        self._ready = True
        self._conversation.polled = self._polled

    @callback
    def async_stop(self) -> None:
        """Take no more calls. What Voltus has of us stays."""
        self._ready = False
        self._disarm()
        for webhook_id in self._listening:
            webhook.async_unregister(self._hass, webhook_id)
        self._listening.clear()

    @callback
    def async_apply_entry(self) -> None:
        """Act on changed options, another key or another secret address."""
        self.async_listen()
        self.registration.async_reconcile_soon()

    @callback
    def async_end(self) -> None:
        """Leave what Voltus has of us, unless the account moves or is switched off."""
        entry = self._entry
        moved = entry.data[CONF_URL] != self._conversation.origin
        if moved or entry.disabled_by:
            _delete_soon(self._hass, entry, self._conversation.client)

    async def async_test(self) -> bool:
        """Have Voltus call us now. Return whether it came through."""
        await self.registration.async_reconcile_anew()
        passed = self.registration.failure is None and self.health.since is not None
        if passed:
            self.health = self.health.trusted()
            self._changed()
        return passed

    async def async_answered(self) -> None:
        """Wait until a call was followed by an answer of Voltus'."""
        self._answered.clear()
        await self._answered.wait()

    async def _handle(
        self, _hass: HomeAssistant, _webhook_id: str, request: Request
    ) -> Response:
        """Take a call. It is answered before anybody is asked what it is about."""
        try:
            if not self._ready:
                return Response(status=HTTPStatus.SERVICE_UNAVAILABLE)
            async with asyncio.timeout(READ_WITHIN):
                body = await _read(request)
            if (dispatch_id := read_delivery(body)) and push_is_on(self._entry.options):
                self._delivered(dispatch_id)
        except Exception as err:  # noqa: BLE001  Home Assistant would answer 200
            self.refused += 1
            LOGGER.debug("A delivery was refused: %s", type(err).__name__)
            return Response(status=HTTPStatus.SERVICE_UNAVAILABLE)
        return Response()

    def _delivered(self, dispatch_id: str) -> None:
        now = self._conversation.now()
        self.health = self.health.heard(dispatch_id, now)
        self._queue = self._queue.delivered(dispatch_id, now)
        self._wake()

    @callback
    def _wake(self, *_: object) -> None:
        """Ask for what is due, unless somebody is at it."""
        if self._asking is None or self._asking.done():
            self._asking = self._entry.async_create_background_task(
                self._hass, self._ask(), f"{self._entry.title} deliveries"
            )

    async def _ask(self) -> None:
        """Ask for what is due as fast as we may, and come back for the rest."""
        self._disarm()
        while (pause := self._pause()) == timedelta(0):
            await self._ask_for_due()
            self._answered.set()
            self._changed()
        if pause is not None:
            self._unsub_timer = async_call_later(self._hass, pause, self._wake)

    def _pause(self) -> timedelta | None:
        """Return how long there is nothing to ask for; None: until the next call."""
        now, due = self._conversation.now(), self._queue.next_due()
        if due is None:
            return None
        return max(due - now, self._bucket.wait(now), timedelta(0))

    async def _ask_for_due(self) -> None:
        """Make one request: for the dispatch that waits, or of many for the list."""
        if self._conversation.must_wait:
            # The poll, which has to wait as well, brings it all.
            self._queue = Queue()
            return
        now, queue = self._conversation.now(), self._queue
        due = queue.due(now)
        asked = due if len(due) > ASKED_ONE_BY_ONE else due[:1]
        self._bucket = self._bucket.taken(now)
        try:
            there = await self._fetch(asked)
        except VoltusRateLimitError, VoltusAuthError:
            self._queue = Queue()
            return
        except VoltusError as err:
            LOGGER.debug("Asking for what was delivered failed: %s", err)
            there = frozenset[str]()
        answered = self._queue.answered(queue, there)
        self._queue = answered.not_there(
            queue, set(asked) - there, self._conversation.now()
        )

    async def _fetch(self, dispatch_ids: list[str]) -> frozenset[str]:
        """Return which of these Voltus shows. Raises VoltusError."""
        if len(dispatch_ids) > 1:
            return await self._conversation.ask_for_list(Source.PUSH)
        (dispatch_id,) = dispatch_ids
        there = await self._conversation.ask_for_pushed(dispatch_id)
        return frozenset(dispatch_ids if there else ())

    @callback
    def _polled(
        self, changed: Iterable[str], last_poll: datetime | None, now: datetime
    ) -> None:
        """Compare what a poll has seen with what was delivered."""
        before = self.health
        self.health = before.seen_by_poll(changed, last_poll, now).judged(now)
        if self.health.missed == before.missed:
            return
        self._changed()
        if self.health.in_doubt and not before.in_doubt:
            LOGGER.warning(
                "Voltus no longer calls %s at every change: registering anew",
                self._entry.title,
            )
            self.registration.async_reconcile_soon(anew=True)

    @callback
    def _registration_changed(self) -> None:
        registered = self.registration.registered
        if registered is None:
            self.health = self.health.unregistered()
        elif self.health.since is None:
            self.health = self.health.registered(self._conversation.now())
        if isinstance(self.registration.address, Address) and not (
            self.registration.failure
        ):
            self._forget_old_addresses()
        self._changed()

    def _forget_old_addresses(self) -> None:
        """Take no more calls at addresses that Voltus has no longer."""
        for webhook_id in self._listening - {self._entry.data[CONF_WEBHOOK_ID]}:
            webhook.async_unregister(self._hass, webhook_id)
            self._listening.discard(webhook_id)
            self._entry.async_create_background_task(
                self._hass,
                cloudhook.async_delete(self._hass, webhook_id),
                f"{self._entry.title} cloudhook",
            )

    @callback
    def _disarm(self) -> None:
        if self._unsub_timer:
            self._unsub_timer()
            self._unsub_timer = None


async def _read(request: Request) -> bytes:
    """Read a call, or one byte more than it may have.

    A call by the cloud has no `read()`, and its `content` begins anew at each access.
    """
    content, body = request.content, b""
    while len(body) <= LARGEST_DELIVERY:
        chunk = await content.read(LARGEST_DELIVERY + 1 - len(body))
        if not chunk:
            break
        body += chunk
    return body


@callback
def async_end_push(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Take back our address, at Voltus and at the cloud, as an account is removed."""
    if CONF_WEBHOOK_ID not in entry.data:
        return
    client = VoltusClient(
        async_get_clientsession(hass), entry.data[CONF_URL], entry.data[CONF_API_KEY]
    )
    _delete_soon(hass, entry, client)
    hass.async_create_background_task(
        cloudhook.async_delete(hass, entry.data[CONF_WEBHOOK_ID]),
        f"{entry.title} cloudhook",
    )


def _delete_soon(hass: HomeAssistant, entry: ConfigEntry, client: VoltusClient) -> None:
    """Delete what we have at Voltus, in the background: nobody waits for it."""
    hass.async_create_background_task(
        _delete(client, {**entry.data}, entry.title), f"{entry.title} end of push"
    )


async def _delete(client: VoltusClient, data: Mapping[str, Any], title: str) -> None:
    try:
        async with asyncio.timeout(END_WITHIN):
            await async_delete_all(client, data)
    except (VoltusError, TimeoutError) as err:
        LOGGER.warning(
            "The webhook of %s (id %s) may be left at Voltus, which goes on calling an "
            "address that nobody answers at: %s",
            title,
            ", ".join(filter(None, data[CONF_WEBHOOKS].values())) or "unknown",
            str(err) or type(err).__name__,
        )
