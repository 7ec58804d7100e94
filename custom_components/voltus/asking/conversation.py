"""The conversation with Voltus: who asks, when to wait, and what an answer teaches."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import random
from typing import Final, Protocol

from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util.dt import utcnow
from homeassistant.util.hass_dict import HassKey
from homeassistant.util.json import json_loads

from ..account.recent_activity import Poll, RecentActivity
from ..aiovoltus import reconcile
from ..aiovoltus.backoff import Backoff, KeyDoubt
from ..aiovoltus.client import VoltusClient, decode, plays_scenarios
from ..aiovoltus.clock_skew import ClockSkew
from ..aiovoltus.errors import (
    VoltusAuthError,
    VoltusError,
    VoltusFormatError,
    VoltusNotFoundError,
    VoltusRateLimitError,
)
from ..aiovoltus.models import (
    NOTHING_LISTED,
    Dispatch,
    Json,
    Listing,
    Refusal,
    Snapshot,
    Source,
    parse_dispatch,
    parse_listing,
)
from ..aiovoltus.reconcile import PRODUCTION_ABSENCE, SANDBOX_ABSENCE, KnownSites
from ..aiovoltus.schedule import status
from ..aiovoltus.telemetry import ControllableLoadRow, Load, TelemetryRow
from ..const import DOMAIN, LOGGER

SITES_RETRY: Final = timedelta(minutes=5)
MOST_REFUSALS: Final = 1000
# By origin and key, so that a pause outlives a set-up that is tried again.
_BACKOFFS: Final = HassKey[dict[tuple[str, str], Backoff]](f"{DOMAIN}_backoffs")
ON_THE_LOOP: Final = 256 * 1024
"""Bytes: an answer up to this size is read before anybody else's turn."""
AT_ONCE: Final = 100_000
"""Values, counted by what stands before them, that the fast reader needs 40 ms for."""
SHORTEST: Final = 24
"""Bytes that an object or a list takes at least on average, where dispatches are listed."""


class Account(Protocol):
    """What is known of an account, and the one door for what an answer teaches."""

    @property
    def known(self) -> Snapshot:
        """The dispatches that are known."""

    @property
    def known_sites(self) -> KnownSites:
        """The sites that are known."""

    @property
    def lead_time(self) -> timedelta:
        """How long before a start a dispatch calls for curtailment."""

    @property
    def poll_interval(self) -> timedelta:
        """The time from one request for all dispatches to the next."""

    def now(self) -> datetime:
        """Return the time by which everything is judged."""

    def confirm_time(self, server_time: datetime) -> None:
        """Take in what time it is at Voltus."""

    def learn(self, known: Snapshot, known_sites: KnownSites, now: datetime) -> None:
        """Take in what is known from now on, and act on it at once."""


type PollListener = Callable[[Iterable[str], datetime | None, datetime], None]
"""Hears which dispatches a poll has seen change, when the one before was, and when it was."""


def decoded(content: bytes) -> Json:
    """Read JSON by Home Assistant's fast reader, and what that refuses by ours.

    What would keep all threads waiting for too long is read in steps, or not at all if
    there cannot be dispatches in it. Raises VoltusFormatError for what is no JSON.
    """
    if len(content) > ON_THE_LOOP:
        opened = content.count(b"{") + content.count(b"[")
        if opened * SHORTEST > len(content):
            raise VoltusFormatError("The answer holds no list of dispatches")
        if opened + content.count(b",") > AT_ONCE:
            return decode(content, in_steps=True)
    try:
        return json_loads(content)
    except ValueError:
        return decode(content)


class Conversation:
    """Asks Voltus for one account: owns the client, the back-off and the order.

    Requests are numbered as they go out, so that an answer that was overtaken by a
    newer one is known as such. Each answer is handed in whole, before the next.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        account: Account,
        origin: str,
        recent: RecentActivity,
    ) -> None:
        """Prepare to ask at `origin`; `use_key` comes first."""
        self._hass = hass
        self._account = account
        self.origin = origin
        self._recent = recent
        self._absence = (
            SANDBOX_ABSENCE if plays_scenarios(origin) else PRODUCTION_ABSENCE
        )
        self._content: bytes | None = None
        self._listing = NOTHING_LISTED
        self._listed: Mapping[str, Dispatch] = {}
        self._logged: set[Refusal] = set()
        self.client: VoltusClient
        self.requests = 0
        self._asker = origin, ""
        hass.data.setdefault(_BACKOFFS, {})
        self._polling = asyncio.Lock()
        self.key_doubt = KeyDoubt()
        self.clock_skew = ClockSkew()
        self.sites_due: datetime | None = None
        self.polled: PollListener | None = None

    @property
    def unreadable(self) -> tuple[Refusal, ...]:
        """What could not be read of the last list."""
        return self._listing.refusals

    @property
    def backoff(self) -> Backoff:
        """What was refused so far to this key."""
        return self._hass.data[_BACKOFFS].get(self._asker, Backoff())

    @backoff.setter
    def backoff(self, backoff: Backoff) -> None:
        self._hass.data[_BACKOFFS][self._asker] = backoff

    @property
    def must_wait(self) -> bool:
        """Whether Voltus is to be left alone now."""
        return self.backoff.must_wait(self._account.now())

    def now(self) -> datetime:
        """Return the time by which everything is judged."""
        return self._account.now()

    def use_key(self, api_key: str) -> None:
        """Ask with this key from now on; of another key nothing was refused yet."""
        self._asker = self.origin, api_key
        self.client = VoltusClient(
            async_get_clientsession(self._hass), self.origin, api_key
        )

    def resume(self, known: Snapshot) -> None:
        """Go on with the numbers of requests where an earlier run has ended."""
        traces = [*known.traces.values(), *filter(None, [known.listed])]
        self.requests = max((trace.asked for trace in traces), default=0)

    async def poll(self) -> None:
        """Ask for all dispatches, then for those that are missing, and for the sites.

        One poll waits for the one before. Raises VoltusError if there was no list of
        dispatches.
        """
        async with self._polling:
            await self._poll()

    async def _poll(self) -> None:
        await self.ask_for_list(Source.POLL)
        self.backoff = Backoff()
        self.key_doubt = self.key_doubt.answered()
        # To gather nothing would cost a round of the event loop.
        if missing := reconcile.missing(self._account.known, self._account.now()):
            await asyncio.gather(*map(self._ask_for, missing))
        if self._sites_are_due:
            await self._ask_for_sites()

    async def ask_for_list(self, source: Source) -> frozenset[str]:
        """Ask for all dispatches and return the ids of the list. Raises VoltusError.

        `source` is what makes us ask.
        """
        at, begun = self.now(), self._hass.loop.time()
        try:
            unchanged = await self._ask_for_all(source)
        except VoltusError as err:
            self._note_poll(at, begun, error=type(err).__name__)
            self._refused(err)
            raise
        self._note_poll(at, begun, unchanged=unchanged)
        return frozenset(self._listing.dispatches)

    async def ask_for_pushed(self, dispatch_id: str) -> bool:
        """Ask for a dispatch that a delivery has named. Return whether Voltus shows it.

        That it does not (yet) proves nothing. Raises VoltusError.
        """
        self.requests += 1
        asked = self.requests
        try:
            with self._keeping_pauses():
                item = await self.client.dispatch(dispatch_id)
        except VoltusNotFoundError:
            return False
        return self._found(item, dispatch_id, asked, Source.PUSH)

    async def send_telemetry(self, rows: Sequence[TelemetryRow]) -> None:
        """Give Voltus what meters have measured. Raises VoltusError."""
        with self._keeping_pauses():
            await self.client.send_telemetry(rows)

    async def send_controllable_load(self, rows: Sequence[ControllableLoadRow]) -> None:
        """Tell Voltus how much of sites can be curtailed. Raises VoltusError."""
        with self._keeping_pauses():
            await self.client.send_controllable_load(rows)

    async def telemetry_kw(
        self, site_ids: Sequence[str], start: datetime, end: datetime, interval: int
    ) -> Load:
        """Return the load that Voltus has of sites. Raises VoltusError."""
        with self._keeping_pauses():
            return await self.client.telemetry_kw(site_ids, start, end, interval)

    @contextmanager
    def _keeping_pauses(self) -> Iterator[None]:
        """Ask something of Voltus that is no poll: a pause it asks for is kept by all."""
        try:
            yield
        except VoltusError as err:
            self._slow_down(err)
            raise

    def _refused(self, err: VoltusError) -> None:
        self._slow_down(err)
        if isinstance(err, VoltusAuthError):
            self.backoff = self.backoff.key_refused(self._account.now())
            self.key_doubt = self.key_doubt.refused()

    @property
    def _sites_are_due(self) -> bool:
        """Whether it is time; further ahead than it can be is a clock set back."""
        if self.sites_due is None:
            return True
        wait = self.sites_due - self._account.now()
        return not timedelta(0) < wait <= reconcile.SITES_EVERY

    def _slow_down(self, err: VoltusError) -> None:
        if isinstance(err, VoltusRateLimitError):
            self.backoff = self.backoff.slowed_down(
                err.retry_after, self._account.now(), random()
            )

    def _note_poll(
        self,
        at: datetime,
        begun: float,
        *,
        unchanged: bool = False,
        error: str | None = None,
    ) -> None:
        exchange = self.client.exchange
        self._recent.polls.append(
            Poll(
                at=at,
                seconds=round(self._hass.loop.time() - begun, 3),
                status=exchange and exchange.status,
                size=exchange and exchange.size,
                unchanged=unchanged,
                error=error,
            )
        )

    async def _ask_for_all(self, source: Source) -> bool:
        """Ask for the list and take it in. Return whether it is word for word the last."""
        self.requests += 1
        asked = self.requests
        content = await self.client.dispatches()
        if (exchange := self.client.exchange) and exchange.server_time:
            self.clock_skew = self.clock_skew.measured(exchange.server_time, utcnow())
            self._account.confirm_time(exchange.server_time)
        now = self._account.now()
        known = self._account.known
        unchanged = (
            content == self._content
            and known.dispatches is self._listed
            and not known.lagging
        )
        if unchanged:
            known = reconcile.unchanged(known, self._listing, asked, now)
        else:
            listing = await self._read(content, now, source)
            now = self._account.now()
            known = reconcile.listed(
                self._account.known, listing, asked, now, apart=self._apart
            )
            self._log_refusals(listing.refusals)
            self._content, self._listing = content, listing
            self._listed = known.dispatches
        if self.polled and source is Source.POLL:
            before = self._account.known
            changed = reconcile.renewed(before, known)
            self.polled(changed, before.listed and before.listed.contact, now)
        self._learn(known, now)
        return unchanged

    async def _read(self, content: bytes, now: datetime, source: Source) -> Listing:
        """Read a list; a large one where it keeps nobody waiting."""
        known, last = self._account.known.dispatches, self._listing
        client = self.client

        def read() -> Listing:
            payload = client.without_key(decoded(content), content)
            return parse_listing(payload, known, now, last, source)

        if len(content) <= ON_THE_LOOP:
            return read()
        return await self._hass.async_add_executor_job(read)

    async def _ask_for(self, dispatch_id: str) -> None:
        """Ask for a dispatch that is missing from the list; only a 404 tells that."""
        self.requests += 1
        asked = self.requests
        try:
            item = await self.client.dispatch(dispatch_id)
        except VoltusNotFoundError:
            now = self._account.now()
            known = reconcile.not_found(
                self._account.known,
                dispatch_id,
                asked,
                now,
                rule=self._absence,
                lead_time=self._account.lead_time,
            )
            self._learn(known, now)
        except VoltusError as err:
            LOGGER.debug("Asking for dispatch %s failed: %s", dispatch_id, err)
            self._slow_down(err)
        else:
            self._found(item, dispatch_id, asked, Source.POLL)

    def _found(self, item: Json, dispatch_id: str, asked: int, source: Source) -> bool:
        """Take in the answer for one dispatch. Return whether it is that dispatch."""
        now = self.now()
        known = self._account.known
        refusals: list[Refusal] = []
        dispatch = parse_dispatch(item, known.dispatches, now, refusals, source)
        self._log_refusals(refusals)
        if dispatch is None or dispatch.id != dispatch_id:
            return False
        self._learn(
            reconcile.found(known, dispatch, asked, now, apart=self._apart), now
        )
        return True

    async def _ask_for_sites(self) -> None:
        """Ask which sites there are; a failure proves nothing and fails no poll."""
        try:
            answer = await self.client.sites()
        except VoltusError as err:
            LOGGER.debug("Asking for the sites failed: %s", err)
            self._slow_down(err)
            self.sites_due = self._account.now() + SITES_RETRY
            return
        now = self._account.now()
        self.sites_due = now + reconcile.SITES_EVERY
        known, known_sites = self._account.known, self._account.known_sites
        self._account.learn(
            known, reconcile.sites_listed(known_sites, answer, known, now), now
        )

    @property
    def _apart(self) -> timedelta:
        """What lies between two polls at least; the timer may be a second early."""
        return self._account.poll_interval - timedelta(seconds=1)

    def _learn(self, known: Snapshot, now: datetime) -> None:
        """Hand in what an answer teaches; a site that is new is asked about."""
        for dispatch_id in reconcile.stepped_back(self._account.known, known):
            LOGGER.warning(
                "Dispatch %s: Voltus goes on giving an earlier modification_number than "
                "it gave before; it is believed now",
                dispatch_id,
            )
        known_sites = self._account.known_sites
        if known.dispatches is not self._account.known.dispatches:
            live = (d for d in known.dispatches.values() if not status(d, now).over)
            known_sites = reconcile.introduce(known_sites, live)
            if known_sites is not self._account.known_sites:
                self.sites_due = now
        self._account.learn(known, known_sites, now)

    def _log_refusals(self, refusals: Iterable[Refusal]) -> None:
        """Log what could not be read, once."""
        for refusal in refusals:
            if refusal not in self._logged and len(self._logged) < MOST_REFUSALS:
                self._logged.add(refusal)
                LOGGER.warning(
                    "Dispatch %s: %s cannot be read (%s); what was last known of it "
                    "stays in force",
                    refusal.dispatch_id,
                    refusal.field,
                    refusal.value,
                )
