"""Keeping Voltus' webhooks in step with the address at which it can call us."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, final

from homeassistant.components import webhook
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_WEBHOOK_ID, EVENT_CORE_CONFIG_UPDATE
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later

from ..aiovoltus.client import VoltusClient
from ..aiovoltus.errors import (
    VoltusError,
    VoltusNotFoundError,
    VoltusRateLimitError,
    VoltusRequestError,
)
from ..aiovoltus.webhooks import plan, retry_after
from ..const import LOGGER
from . import cloudhook
from .address import Address, NoPush, async_address
from .conversation import Conversation

CONF_WEBHOOKS: Final = "webhooks"
"""In the entry's data: what we have at Voltus, ids by address; null while in doubt."""
CHECK_EVERY: Final = timedelta(days=1)
REFUSED_TO_TELL: Final = 3


@final
@dataclass(frozen=True, slots=True)
class Failure:
    """Why registering fails, how often in a row, and whether Voltus could not reach us.

    `since` is when it first did.
    """

    error: str
    tries: int
    refused: bool
    since: datetime

    @property
    def is_lasting(self) -> bool:
        """Whether the operator has to do something about it."""
        return self.refused and self.tries >= REFUSED_TO_TELL


class Registration:
    """The webhook of one account at Voltus: created, checked, replaced, deleted.

    It works in the background. What fails is tried again later, and everything else
    goes on without it.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        conversation: Conversation,
        changed: Callable[[], None],
    ) -> None:
        """Prepare; `changed` is called when an attempt is over."""
        self._hass = hass
        self._entry = entry
        self._conversation = conversation
        self._changed = changed
        self._task: asyncio.Task[None] | None = None
        self._again = False
        self._anew = False
        self._unsub_timer: CALLBACK_TYPE | None = None
        self.address: Address | NoPush | None = None
        self.registered: Address | None = None
        self.failure: Failure | None = None

    @callback
    def async_start(self) -> None:
        """Reconcile now, and whenever our address may have changed."""
        entry = self._entry
        entry.async_on_unload(self._disarm)
        entry.async_on_unload(
            self._hass.bus.async_listen(
                EVENT_CORE_CONFIG_UPDATE, self._core_config_updated
            )
        )
        entry.async_on_unload(
            cloudhook.async_listen(
                self._hass, entry.data[CONF_WEBHOOK_ID], self.async_reconcile_soon
            )
        )
        self.async_reconcile_soon()

    @callback
    def _core_config_updated(self, event: Event[Mapping[str, Any]]) -> None:
        if "external_url" in event.data:
            self.async_reconcile_soon()

    @callback
    def async_reconcile_soon(self, *_: object, anew: bool = False) -> None:
        """Reconcile in the background; `anew` replaces even a webhook that looks right."""
        self._again = True
        self._anew = self._anew or anew
        if self._task is None or self._task.done():
            self._task = self._entry.async_create_background_task(
                self._hass, self._run(), f"{self._entry.title} push"
            )

    async def async_reconcile_anew(self) -> None:
        """Register anew, and wait until it is done or has failed."""
        self.async_reconcile_soon(anew=True)
        assert self._task
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        """Reconcile until nothing has changed meanwhile. One attempt at a time."""
        while self._again:
            anew, self._again, self._anew = self._anew, False, False
            self._disarm()
            delay = await self._attempt(anew=anew)
            self._unsub_timer = async_call_later(
                self._hass, delay, self.async_reconcile_soon
            )
            self._changed()

    async def _attempt(self, *, anew: bool) -> timedelta:
        """Reconcile once. Return when to do so again."""
        try:
            await self._reconcile(anew=anew)
        except VoltusError as err:
            return self._failed(err)
        if self.failure:
            LOGGER.info("Voltus can call %s again", self._entry.title)
        self.failure = None
        return CHECK_EVERY

    def _failed(self, err: VoltusError) -> timedelta:
        refused = isinstance(err, VoltusRequestError)
        error = self._without_address(str(err))
        if self.failure is None:
            LOGGER.info(
                "Voltus cannot call %s for now, so news come by polling: %s",
                self._entry.title,
                error,
            )
        before = self.failure
        self.failure = Failure(
            error=error,
            tries=1 + (before.tries if before else 0),
            refused=refused,
            since=before.since if before else self._conversation.now(),
        )
        pause = retry_after(self.failure.tries, refused=refused)
        if (
            isinstance(err, VoltusRateLimitError)
            and (err.retry_after or "").isdecimal()
        ):
            pause = max(pause, timedelta(seconds=int(str(err.retry_after)[:5])))
        return pause

    def _without_address(self, text: str) -> str:
        """Return a text of Voltus', which may name our address, without it."""
        if isinstance(self.address, Address):
            text = text.replace(self.address.url, "our address")
        return text.replace(self._entry.data[CONF_WEBHOOK_ID], "...")

    async def _reconcile(self, *, anew: bool) -> None:
        """Bring what Voltus has of us in step with our address. Raises VoltusError."""
        webhook_id: str = self._entry.data[CONF_WEBHOOK_ID]
        self.address = await async_address(self._hass, self._entry, webhook_id)
        if self.address is NoPush.CLOUD_NOT_CONNECTED:
            # It will be: what Voltus has of us stays good.
            return
        address = self.address if isinstance(self.address, Address) else None
        stored: Mapping[str, str | None] = self._entry.data.get(CONF_WEBHOOKS, {})
        if address is None and not stored:
            self.registered = None
            return
        wanted = address and address.url
        client = self._conversation.client
        made = plan(
            wanted=wanted,
            stored=stored,
            path=webhook.async_generate_path(webhook_id),
            listed=await client.webhooks(),
            anew=anew,
        )
        kept = made.keep
        if made.post:
            if not made.delete:
                self.registered = None
            # Known to be ours whatever becomes of the answer.
            self._store({**stored, made.post: None})
            kept = await client.create_webhook(made.post)
        self.registered = address
        for each in made.delete:
            await _delete(client, each.id)
        self._store({wanted: kept.id} if wanted and kept else {})

    def _store(self, webhooks: Mapping[str, str | None]) -> None:
        self._hass.config_entries.async_update_entry(
            self._entry, data={**self._entry.data, CONF_WEBHOOKS: dict(webhooks)}
        )

    @callback
    def _disarm(self) -> None:
        if self._unsub_timer:
            self._unsub_timer()
            self._unsub_timer = None


async def async_delete_all(client: VoltusClient, data: Mapping[str, Any]) -> None:
    """Delete what an account has at Voltus: by id, then by address. Raises VoltusError."""
    stored: Mapping[str, str | None] = data.get(CONF_WEBHOOKS, {})
    if not stored:
        return
    for webhook_id in filter(None, stored.values()):
        await _delete(client, webhook_id)
    path = webhook.async_generate_path(data[CONF_WEBHOOK_ID])
    listed = await client.webhooks()
    for each in plan(wanted=None, stored=stored, path=path, listed=listed).delete:
        await _delete(client, each.id)


async def _delete(client: VoltusClient, webhook_id: str) -> None:
    try:
        await client.delete_webhook(webhook_id)
    except VoltusNotFoundError:
        return
