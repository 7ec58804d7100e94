"""When to look, and whom to tell."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import random
from typing import Final, NoReturn, final, override

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry
from homeassistant.const import CONF_API_KEY, CONF_URL, EVENT_HOMEASSISTANT_STOP
from homeassistant.core import CALLBACK_TYPE, Event, HassJob, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util.dt import utcnow
from homeassistant.util.json import json_loads

from .account.devices import update_devices
from .account.issues import Issues, current_issues
from .account.options import policy, poll_interval
from .account.recent_activity import Boundary, Poll, RecentActivity
from .aiovoltus import reconcile
from .aiovoltus.backoff import Backoff
from .aiovoltus.client import PRODUCTION, VoltusClient, decode
from .aiovoltus.clock_skew import ClockSkew
from .aiovoltus.errors import (
    VoltusAuthError,
    VoltusError,
    VoltusNotFoundError,
    VoltusRateLimitError,
)
from .aiovoltus.models import (
    NOTHING_LISTED,
    Json,
    Refusal,
    Site,
    Snapshot,
    parse_dispatch,
    parse_listing,
)
from .aiovoltus.reconcile import PRODUCTION_ABSENCE, SANDBOX_ABSENCE, KnownSites
from .aiovoltus.schedule import Look, look, status
from .announcing.announcer import Announcer
from .const import DOMAIN, LOGGER
from .remembering.log import Log
from .remembering.memory import Memory, MemoryStore

type VoltusConfigEntry = ConfigEntry[VoltusCoordinator]

REMEMBER_CONTACT_EVERY: Final = timedelta(minutes=5)
SITES_RETRY: Final = timedelta(minutes=5)
SMALL_STEP_BACK: Final = timedelta(minutes=1)
SHORTEST_PAUSE: Final = timedelta(seconds=1)
MOST_REFUSALS: Final = 1000


@final
@dataclass(frozen=True, slots=True)
class InternalState:
    """What nobody but the diagnostics has to know of a coordinator."""

    memory: Memory
    backoff: Backoff
    clock_skew: ClockSkew
    unreadable: tuple[Refusal, ...]
    requests: int
    looked_at: datetime | None
    may_announce: bool
    sites_due: datetime | None


def decoded(content: bytes) -> Json:
    """Read JSON by Home Assistant's fast reader, and what that refuses by ours.

    Raises VoltusFormatError for what is no JSON to ours either.
    """
    try:
        return json_loads(content)
    except ValueError:
        return decode(content)


class VoltusCoordinator(DataUpdateCoordinator[Look]):
    """Polls Voltus, looks at the clock at every boundary, and tells what has changed.

    Entities read `data`, a Look; it stays true through any outage.
    """

    config_entry: VoltusConfigEntry

    def __init__(self, hass: HomeAssistant, entry: VoltusConfigEntry) -> None:
        """Prepare; nothing is loaded or requested yet."""
        super().__init__(
            hass, LOGGER, config_entry=entry, name=entry.title, always_update=False
        )
        self.log = Log(hass, entry.entry_id)
        self._announcer = Announcer(hass, entry.entry_id, self.log)
        self.recent = RecentActivity()
        self._store = MemoryStore(hass, entry.entry_id)
        self._memory = Memory(entry.data[CONF_URL])
        self._saved: Memory | None = None
        self._saved_at: datetime | None = None
        self._issues = Issues(hass, entry.entry_id)
        self._backoff = Backoff()
        self._requests = 0
        self._content: bytes | None = None
        self._listing = NOTHING_LISTED
        self._logged: set[Refusal] = set()
        self._clock_skew = ClockSkew()
        self._sites_due: datetime | None = None
        self._began = utcnow()
        self._looked_at: datetime | None = None
        self._may_announce = False
        self._unsub_timer: CALLBACK_TYPE | None = None
        self._use_entry()

    @property
    def sites(self) -> Mapping[str, Site]:
        """The sites that have a device: all but the ignored ones."""
        ignored = self._policy.ignored_sites
        return {i: site for i, site in self.all_sites.items() if i not in ignored}

    @property
    def all_sites(self) -> Mapping[str, Site]:
        """The sites that are known, ignored ones included."""
        return self._memory.known_sites.sites

    @property
    def new_sites(self) -> frozenset[str]:
        """The sites with a device that the operator has not confirmed yet."""
        return self._memory.known_sites.new - self._policy.ignored_sites

    @property
    def origin(self) -> str:
        """The scheme, host and port that the key goes to."""
        return self._memory.origin

    @property
    def last_contact(self) -> datetime | None:
        """When Voltus last told all dispatches."""
        listed = self._memory.known.listed
        return listed and listed.contact

    @property
    def internal_state(self) -> InternalState:
        """What is shown in the diagnostics."""
        return InternalState(
            memory=self._memory,
            backoff=self._backoff,
            clock_skew=self._clock_skew,
            unreadable=self._listing.refusals,
            requests=self._requests,
            looked_at=self._looked_at,
            may_announce=self._may_announce,
            sites_due=self._sites_due,
        )

    async def async_load(self) -> bool:
        """Take up what an earlier run has left. Return whether there was anything."""
        await self.log.async_load(self.origin)
        memory = await self._store.async_load(self._memory.origin)
        if memory is None or memory.known.listed is None:
            return False
        self._memory = self._saved = memory
        self._requests = max(
            memory.known.listed.asked,
            *(trace.asked for trace in memory.known.traces.values()),
            0,
        )
        self._update_devices()
        self._look(utcnow())
        return True

    @callback
    def async_start(self) -> None:
        """Poll and announce from now on; call it when all platforms are set up."""
        entry = self.config_entry
        # A coordinator polls only while something listens, and every entity may be
        # disabled while automations wait for our events.
        entry.async_on_unload(self.async_add_listener(lambda: None))
        entry.async_on_unload(entry.add_update_listener(_async_entry_updated))
        entry.async_on_unload(
            self.hass.bus.async_listen(EVENT_HOMEASSISTANT_STOP, self._async_stop)
        )
        entry.async_on_unload(async_at_started(self.hass, self._async_started))

    @callback
    def async_refresh_soon(self) -> None:
        """Poll in the background, out of turn."""
        self.config_entry.async_create_background_task(
            self.hass, self.async_refresh(), f"{self.name} poll", eager_start=True
        )

    @callback
    def async_withdraw(self, dispatch_id: str) -> None:
        """Take the operator's word that a dispatch is off."""
        now = utcnow()
        self._learn(reconcile.withdraw(self._memory.known, dispatch_id, now), now)

    @callback
    def async_confirm(self, site_ids: Iterable[str]) -> None:
        """Take the operator's word that these new sites are seen to."""
        known_sites = reconcile.confirm(self._memory.known_sites, site_ids)
        self._memory = replace(self._memory, known_sites=known_sites)
        self._look(utcnow())

    async def async_save(self) -> None:
        """Write everything that outlives us."""
        self._saved, self._saved_at = self._memory, utcnow()
        await self._store.async_save(self._memory)
        await self.log.async_save()

    @callback
    def async_apply_entry(self) -> None:
        """Act on changed options or a new key at once, without a reload."""
        self._use_entry()
        self._backoff = replace(self._backoff, not_before=None)
        self._update_devices()
        self._look(utcnow())
        self.async_refresh_soon()

    @override
    async def async_shutdown(self) -> None:
        """Stop polling, looking and announcing."""
        await super().async_shutdown()
        self._disarm()
        self._issues.show(self.name, {})

    @override
    async def _async_update_data(self) -> Look:
        begun = self.hass.loop.time()
        try:
            if self._backoff.must_wait(utcnow()):
                raise UpdateFailed(translation_domain=DOMAIN, translation_key="waiting")
            await self._poll()
        except VoltusError as err:
            self._fail(err)
        finally:
            # From start to start, as Voltus' own sample polls.
            spent = timedelta(seconds=self.hass.loop.time() - begun)
            self.update_interval = max(self._poll_interval - spent, SHORTEST_PAUSE)
        self._clear_reauth()
        return self.data

    @callback
    @override
    def _async_refresh_finished(self) -> None:
        # An answer was looked at as it came.
        if not self.last_update_success:
            self._look(utcnow())

    async def _poll(self) -> None:
        at, begun = utcnow(), self.hass.loop.time()
        try:
            unchanged = await self._ask_for_all()
        except VoltusError as err:
            self._note_poll(at, begun, error=type(err).__name__)
            raise
        self._note_poll(at, begun, unchanged=unchanged)
        # To gather nothing would cost a round of the event loop.
        if missing := reconcile.missing(self._memory.known, utcnow()):
            await asyncio.gather(*map(self._ask_for, missing))
        if self._sites_due is None or self._sites_due <= utcnow():
            await self._ask_for_sites()

    def _note_poll(
        self,
        at: datetime,
        begun: float,
        *,
        unchanged: bool = False,
        error: str | None = None,
    ) -> None:
        exchange = self.client.exchange
        self.recent.polls.append(
            Poll(
                at=at,
                seconds=round(self.hass.loop.time() - begun, 3),
                status=exchange and exchange.status,
                size=exchange and exchange.size,
                unchanged=unchanged,
                error=error,
            )
        )

    async def _ask_for_all(self) -> bool:
        """Ask for the list and take it in. Return whether it is word for word the last."""
        self._requests += 1
        asked = self._requests
        content = await self.client.dispatches()
        now = utcnow()
        if exchange := self.client.exchange:
            self._clock_skew = self._clock_skew.measured(exchange.server_time, now)
        known = self._memory.known
        unchanged = content == self._content
        if unchanged:
            known = reconcile.unchanged(known, asked, now)
        else:
            listing = parse_listing(
                decoded(content), known.dispatches, now, self._listing
            )
            known = reconcile.listed(known, listing, asked, now)
            self._log_refusals(listing.refusals)
            self._content, self._listing = content, listing
        self._learn(known, now)
        return unchanged

    async def _ask_for(self, dispatch_id: str) -> None:
        """Ask for a dispatch that is missing from the list; only a 404 tells that."""
        self._requests += 1
        asked = self._requests
        refusals: list[Refusal] = []
        try:
            item = await self.client.dispatch(dispatch_id)
        except VoltusNotFoundError:
            now = utcnow()
            known = reconcile.not_found(
                self._memory.known,
                dispatch_id,
                asked,
                now,
                rule=self._absence,
                lead_time=self._policy.lead_time,
            )
        except VoltusError as err:
            LOGGER.debug("Asking for dispatch %s failed: %s", dispatch_id, err)
            return
        else:
            now = utcnow()
            known = self._memory.known
            dispatch = parse_dispatch(item, known.dispatches, now, refusals)
            if dispatch and dispatch.id == dispatch_id:
                known = reconcile.found(known, dispatch, asked, now)
            self._log_refusals(refusals)
        self._learn(known, now)

    async def _ask_for_sites(self) -> None:
        """Ask which sites there are; a failure proves nothing and fails no poll."""
        try:
            answer = await self.client.sites()
        except VoltusError as err:
            LOGGER.debug("Asking for the sites failed: %s", err)
            self._sites_due = utcnow() + SITES_RETRY
            return
        now = utcnow()
        self._sites_due = now + reconcile.SITES_EVERY
        memory = self._memory
        if self._learn_sites(
            reconcile.sites_listed(memory.known_sites, answer, memory.known, now)
        ):
            self.async_update_listeners()
            self._look(now)

    def _learn(self, known: Snapshot, now: datetime) -> None:
        """Take in an answer, and act on it before anything else is asked."""
        if known.dispatches is not self._memory.known.dispatches:
            live = (d for d in known.dispatches.values() if not status(d, now).over)
            known_sites = reconcile.introduce(self._memory.known_sites, live)
            if self._learn_sites(known_sites):
                self._sites_due = now
        self._memory = replace(self._memory, known=known)
        self._look(now)

    def _learn_sites(self, known_sites: KnownSites) -> bool:
        """Have devices for these sites; entities follow. Return whether it is news."""
        if known_sites == self._memory.known_sites:
            return False
        self._memory = replace(self._memory, known_sites=known_sites)
        self._update_devices()
        return True

    def _fail(self, err: VoltusError) -> NoReturn:
        """Tell the operator, by the coordinator's own ways, why a poll failed."""
        now = utcnow()
        if isinstance(err, VoltusRateLimitError):
            self._backoff = self._backoff.slowed_down(err.retry_after, now, random())
        if isinstance(err, VoltusAuthError):
            if self.data is None:
                raise ConfigEntryAuthFailed(
                    translation_domain=DOMAIN, translation_key="invalid_auth"
                ) from err
            # A refusal may be Voltus' own mistake: ask for another key, but go on.
            if self._backoff.refused_since is None:
                self.config_entry.async_start_reauth(self.hass)
            self._backoff = self._backoff.key_refused(now)
        raise UpdateFailed(
            translation_domain=DOMAIN,
            translation_key="cannot_connect",
            translation_placeholders={"error": str(err)},
        ) from err

    def _clear_reauth(self) -> None:
        """End what a good answer ends: the question for another key, and the back-off."""
        if self._backoff.refused_since is not None:
            for flow in list(
                self.config_entry.async_get_active_flows(self.hass, {SOURCE_REAUTH})
            ):
                self.hass.config_entries.flow.async_abort(flow["flow_id"])
        self._backoff = Backoff()

    @callback
    def _look(self, clock: datetime) -> None:
        """Bring everything to the truth of this instant: the one place that does."""
        if self._shutdown_requested or self._memory.known.listed is None:
            return
        now = self._never_backwards(clock)
        self._looked_at = now
        changed = not self._still_true(now)
        if changed:
            self._note_boundary(now)
            self.data = look(self._memory.known, self._policy, now)
        self._arm(now)
        if changed:
            self.async_update_listeners()
        self._announce(now)
        self._remember(now)
        self._show_issues(now)

    def _never_backwards(self, clock: datetime) -> datetime:
        """Return the instant of a look: time does not go back for a small step."""
        back = (self._looked_at or clock) - clock
        if back >= SMALL_STEP_BACK:
            self._clock_skew = self._clock_skew.stepped(back, clock)
            return clock
        return clock + max(back, timedelta(0))

    def _note_boundary(self, now: datetime) -> None:
        last: Look | None = self.data
        if last and last.until and last.until <= now:
            self.recent.boundaries.append(Boundary(last.until, now))

    def _still_true(self, now: datetime) -> bool:
        """Whether the last look would come out the same now."""
        last: Look | None = self.data
        return (
            last is not None
            and last.snapshot.dispatches is self._memory.known.dispatches
            and last.policy is self._policy
            and not last.released
            and last.at <= now
            and (last.until is None or now < last.until)
        )

    def _arm(self, now: datetime) -> None:
        """Look again at the next boundary, or after one tick at the latest."""
        self._disarm()
        tick = now + self._poll_interval
        self._unsub_timer = async_track_point_in_utc_time(
            self.hass,
            HassJob(self._on_timer, f"{self.name} boundary", cancel_on_shutdown=True),
            min(self.data.until or tick, tick),
        )

    def _disarm(self) -> None:
        if self._unsub_timer:
            self._unsub_timer()
            self._unsub_timer = None

    @callback
    def _on_timer(self, _planned: datetime) -> None:
        self._unsub_timer = None
        self._look(utcnow())

    @callback
    def _async_started(self, _hass: HomeAssistant) -> None:
        self._may_announce = True
        self._look(utcnow())

    async def _async_stop(self, _event: Event) -> None:
        await self.async_save()

    def _announce(self, now: datetime) -> None:
        """Tell what has changed since we last told something."""
        if not self._may_announce or self.hass.is_stopping:
            return
        told = self._announcer.announce(self.data, self._memory, now)
        if told is not self._memory.told:
            self._memory = replace(self._memory, told=told)

    def _remember(self, now: datetime) -> None:
        """Save what has changed at once, and how far an open end may be believed."""
        memory, saved = self._memory, self._saved
        due = self._saved_at is None or now - self._saved_at >= REMEMBER_CONTACT_EVERY
        if (
            saved is None
            or saved.known.dispatches is not memory.known.dispatches
            or saved.known.traces is not memory.known.traces
            or saved.told is not memory.told
            or saved.known_sites is not memory.known_sites
            or (due and self.data.open_ended)
        ):
            self._saved, self._saved_at = memory, now
            self.config_entry.async_create_task(
                self.hass, self._store.async_save(memory), f"{self.name} save"
            )

    def _show_issues(self, now: datetime) -> None:
        self._issues.show(
            self.name,
            current_issues(
                now=now,
                began=self._began,
                known=self._memory.known,
                polling_disabled=self.config_entry.pref_disable_polling,
                new_sites=[self.all_sites[each].name for each in self.new_sites],
                skew=self._clock_skew.seconds(now),
                released=self.data.released,
                refusals=self._listing.refusals,
            ),
        )

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

    def _use_entry(self) -> None:
        entry = self.config_entry
        self.name = entry.title
        self._poll_interval = self.update_interval = poll_interval(entry.options)
        self._policy = policy(entry.options)
        self._absence = (
            PRODUCTION_ABSENCE if self.origin == PRODUCTION else SANDBOX_ABSENCE
        )
        self.client = VoltusClient(
            async_get_clientsession(self.hass), self.origin, entry.data[CONF_API_KEY]
        )

    def _update_devices(self) -> None:
        entry = self.config_entry
        update_devices(self.hass, entry.entry_id, entry.title, self.sites.values())


async def _async_entry_updated(hass: HomeAssistant, entry: VoltusConfigEntry) -> None:
    """Apply options and a key in place; another address is another world."""
    coordinator = entry.runtime_data
    if entry.data[CONF_URL] == coordinator.origin:
        coordinator.async_apply_entry()
    else:
        hass.config_entries.async_schedule_reload(entry.entry_id)
