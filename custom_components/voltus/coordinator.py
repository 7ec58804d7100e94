"""When to look, and whom to tell."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NoReturn, final, override

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry
from homeassistant.const import (
    CONF_API_KEY,
    CONF_URL,
    CONF_WEBHOOK_ID,
    EVENT_HOMEASSISTANT_STOP,
)
from homeassistant.core import (
    CALLBACK_TYPE,
    Context,
    Event,
    HassJob,
    HomeAssistant,
    callback,
)
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util.dt import utcnow

from .account.devices import update_devices
from .account.issues import Issues, current_issues, opted_out_issues
from .account.loop_share import LoopShare
from .account.options import policy, poll_interval
from .account.recent_activity import Boundary, RecentActivity
from .account.states import Place, States
from .aiovoltus import reconcile
from .aiovoltus.by_hand import ByHand, Heeded, heed
from .aiovoltus.clock_skew import TOLERABLE_SKEW, ClockFloor
from .aiovoltus.drills import next_publication
from .aiovoltus.errors import (
    VoltusAuthError,
    VoltusError,
)
from .aiovoltus.models import (
    Json,
    Site,
    Snapshot,
)
from .aiovoltus.reconcile import KnownSites
from .aiovoltus.schedule import Look, Policy, look
from .announcing.announcement import Said
from .announcing.announcer import Announcer
from .asking.conversation import Conversation
from .asking.once_more import OnceMore
from .asking.push import Push
from .const import DOMAIN, LOGGER
from .loads.notices import LOAD_TOLD
from .performance.tracker import PerformanceTracker
from .records.keeper import RecordKeeper
from .remembering.log import Log, load_row
from .remembering.memory import Memory
from .remembering.persistence import Persistence
from .telemetry.sender import Telemetry

type VoltusConfigEntry = ConfigEntry[VoltusCoordinator]

SITES_RETRY: Final = timedelta(minutes=5)
SMALL_STEP_BACK: Final = timedelta(minutes=1)
CLOSE: Final = timedelta(seconds=TOLERABLE_SKEW)
SHORTEST_PAUSE: Final = timedelta(seconds=1)
MOST_REFUSALS: Final = 1000


@final
@dataclass(frozen=True, slots=True)
class InternalState:
    """What nobody but the diagnostics has to know of a coordinator."""

    memory: Memory
    looked_at: datetime | None
    may_announce: bool


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
        self._persistence = Persistence(hass, entry.entry_id, self.log)
        self._memory = Memory(entry.data[CONF_URL])
        self._issues = Issues(hass, entry.entry_id)
        self.conversation = Conversation(hass, self, self.origin, self.recent)
        self.push = Push(hass, entry, self.conversation, self.async_update_listeners)
        self.telemetry = Telemetry(
            hass,
            entry,
            self.conversation,
            is_curtailing=lambda: bool(self.data.curtailing),
            sites=lambda: self.all_sites,
            changed=self.async_update_listeners,
        )
        self.performance = PerformanceTracker(hass, entry, self, self.conversation)
        self.records = RecordKeeper(hass, entry, self, self.performance)
        self._policy: Policy
        self._heeded: Heeded | None = None
        self.poll_interval: timedelta
        self._floor: ClockFloor | None = None
        self._began = self.now()
        self._once_more = OnceMore(
            hass,
            self.conversation,
            may_ask=self._may_ask,
            start=self._in_background,
            look=lambda: self._look(self.now()),
        )
        self.states = States(entry.entry_id)
        self.adding = asyncio.Lock()
        self._showing = asyncio.Lock()
        self._looked_at: datetime | None = None
        self._may_announce = False
        self._questioned = False
        self._unsub_timer: CALLBACK_TYPE | None = None
        self._use_entry()

    def _may_ask(self) -> bool:
        """Whether Voltus may be asked out of turn."""
        disabled = self.config_entry.pref_disable_polling
        return not (self.conversation.must_wait or disabled)

    @property
    def sites(self) -> Mapping[str, Site]:
        """The sites that have a device: all but the ignored ones."""
        ignored = self._policy.ignored_sites
        return {i: site for i, site in self.all_sites.items() if i not in ignored}

    @property
    def all_sites(self) -> Mapping[str, Site]:
        """The sites that are known, ignored ones included."""
        return self._memory.known_sites.sites

    def meters_of(self, site_id: str) -> list[str]:
        """Return the meters of a site that an entity of Home Assistant stands for."""
        site = self.all_sites.get(site_id)
        meters = site.meters if site else ()
        return [each.id for each in meters if each.id in self.telemetry.meters]

    @property
    def new_sites(self) -> frozenset[str]:
        """The sites with a device that the operator has not confirmed yet."""
        return self._memory.known_sites.new - self._policy.ignored_sites

    @property
    def known(self) -> Snapshot:
        """The dispatches that are known."""
        return self._memory.known

    @property
    def known_sites(self) -> KnownSites:
        """The sites that are known, and how they come to be."""
        return self._memory.known_sites

    @property
    def by_hand(self) -> ByHand:
        """What the operator has said of dispatches."""
        return self._memory.by_hand

    @property
    def lead_time(self) -> timedelta:
        """How long before a start a dispatch calls for curtailment."""
        return self._policy.lead_time

    def now(self) -> datetime:
        """Return the time: the clock's, but after a start at least what was stored."""
        clock = utcnow()
        if self._floor is None:
            return clock
        now = self._floor.now(clock, self.hass.loop.time())
        if now == clock:
            self._floor = None
        return now

    @callback
    def confirm_time(self, server_time: datetime) -> None:
        """Believe our clock again if Voltus' is earlier than what was stored, too."""
        if self._floor and server_time + CLOSE < self.now():
            self._floor = None

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
        return InternalState(self._memory, self._looked_at, self._may_announce)

    async def async_load(self) -> bool:
        """Take up what an earlier run has left. Return whether there was anything.

        Raises NotReadError if the disk does not give it: to start as if nothing were
        known would forget a dispatch under way, and soon overwrite what is known of it.
        """
        memory = await self._persistence.async_load(self.origin)
        if memory is None or memory.known.listed is None:
            return False
        self._memory = memory
        self._floor = ClockFloor(memory.latest, self.hass.loop.time())
        self._began = self.now()
        self.conversation.resume(memory.known)
        self._update_devices(self.sites)
        self._look(self.now())
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
        entry.async_on_unload(
            async_dispatcher_connect(self.hass, LOAD_TOLD, self._async_log_load)
        )
        self.push.async_start()
        entry.async_on_unload(async_at_started(self.hass, self._async_started))

    async def async_shown(self) -> None:
        """Wait until the states show the last look."""
        async with self._showing:
            pass

    @callback
    @override
    def async_add_listener(
        self, update_callback: CALLBACK_TYPE, context: object = None
    ) -> Callable[[], None]:
        """Call back after each look; what has a place in the order, in its turn."""
        if isinstance(context, Place):
            return self.states.async_add(context, update_callback)
        return super().async_add_listener(update_callback, context)

    @callback
    @override
    def async_update_listeners(self) -> None:
        """Have the states written in their order, be it only for `connection`."""
        self._look(self.now(), write=True)

    @callback
    def async_refresh_soon(self) -> None:
        """Poll in the background, out of turn."""
        self._in_background(self.async_refresh())

    def _in_background(self, poll: Coroutine[object, object, None]) -> None:
        self.config_entry.async_create_background_task(
            self.hass, poll, f"{self.name} poll", eager_start=True
        )

    @callback
    def learn(self, known: Snapshot, known_sites: KnownSites, now: datetime) -> None:
        """Take in what is known from now on, and act on it at once."""
        other_sites = known_sites != self._memory.known_sites
        self._memory = replace(self._memory, known=known)
        if other_sites:
            self._memory = replace(self._memory, known_sites=known_sites)
            self._update_devices(self.sites)
        self._look(now, write=other_sites)

    @callback
    def async_withdraw(self, dispatch_id: str) -> bool:
        """Take the operator's word that a dispatch is off, if it is held still.

        Return whether it was: Voltus may list it again while somebody reads the form.
        """
        now = self.now()
        if dispatch_id not in reconcile.held(self.known, now):
            return False
        known = reconcile.withdraw(self.known, dispatch_id, now)
        self.learn(known, self.known_sites, now)
        return True

    @callback
    def async_confirm(self, site_ids: Iterable[str]) -> None:
        """Take the operator's word that these new sites are seen to."""
        known_sites = reconcile.confirm(self.known_sites, site_ids)
        self._memory = replace(self._memory, known_sites=known_sites)
        self._look(self.now())

    def has_applied(self, entry: VoltusConfigEntry) -> bool:
        """Whether an entry says nothing that is not in force."""
        return self._applied == _settings(entry)

    @callback
    def async_take_word(
        self, by_hand: ByHand, said: Iterable[Said], context: Context
    ) -> None:
        """Take in all that the operator has said, act on it, and tell what is new."""
        now = self.now()
        self._memory = replace(self._memory, by_hand=by_hand)
        self._look(now)
        for each in said:
            self._announcer.async_tell_said(each, self.data, now, context)
        self._remember(now)

    async def async_save(self) -> None:
        """Write everything that outlives us, once what is being told is told."""
        async with self._showing:
            await self._persistence.async_save(self._memory, self.now())

    @callback
    def async_log(self, row: dict[str, Json], now: datetime) -> None:
        """Log what was done by hand, and save it at once."""
        self.log.async_add(row, now)
        self._remember(now)

    @callback
    def async_apply_entry(self) -> None:
        """Act on changed options or a new key at once, without a reload."""
        before = self.sites
        self._use_entry()
        self._update_devices({**before, **self.sites})
        self._look(self.now(), write=True)
        self.config_entry.async_create_task(
            self.hass, self._drop_devices(), f"{self.name} devices"
        )
        self.async_refresh_soon()
        self.push.async_apply_entry()
        self.telemetry.async_apply_entry()
        self.performance.async_apply_entry()

    @override
    async def async_shutdown(self) -> None:
        """Stop polling, looking and announcing."""
        await super().async_shutdown()
        self._disarm()
        self._once_more.stop()
        await self._stop_measuring()
        self._issues.show(self.name, {})

    @override
    async def _async_update_data(self) -> Look:
        begun = self.hass.loop.time()
        try:
            if self.conversation.must_wait:
                raise UpdateFailed(translation_domain=DOMAIN, translation_key="waiting")
            await self.conversation.poll()
        except VoltusError as err:
            self._fail(err)
        finally:
            self._question_key()
            # From start to start, as Voltus' own sample polls.
            spent = timedelta(seconds=self.hass.loop.time() - begun)
            self.update_interval = max(self.poll_interval - spent, SHORTEST_PAUSE)
        return self.data

    @callback
    @override
    def _async_refresh_finished(self) -> None:
        # An answer was looked at as it came.
        if not self.last_update_success:
            self._look(self.now())

    def _fail(self, err: VoltusError) -> NoReturn:
        """Tell the operator, by the coordinator's own ways, why a poll failed."""
        if isinstance(err, VoltusAuthError) and self.data is None:
            raise ConfigEntryAuthFailed(
                translation_domain=DOMAIN, translation_key="invalid_auth"
            ) from err
        raise UpdateFailed(
            translation_domain=DOMAIN,
            translation_key="cannot_connect",
            translation_placeholders={"error": str(err)},
        ) from err

    def _question_key(self) -> None:
        """Ask for another key once this one is doubted, and withdraw that with it.

        Polling goes on: the refusals may be Voltus' own mistake. The doubt may have
        come or gone with a poll out of turn.
        """
        doubted, self._questioned = (
            self._questioned,
            self.conversation.key_doubt.doubted,
        )
        if self._questioned and not doubted:
            self.config_entry.async_start_reauth(self.hass)
        if doubted and not self._questioned:
            self._clear_reauth()

    def _clear_reauth(self) -> None:
        for flow in list(
            self.config_entry.async_get_active_flows(self.hass, {SOURCE_REAUTH})
        ):
            self.hass.config_entries.flow.async_abort(flow["flow_id"])

    @callback
    def _look(self, clock: datetime, *, write: bool = False) -> None:
        """Bring everything to the truth of this instant: the one place that does.

        `write` has the states written even if the look would come out the same.
        """
        if self._shutdown_requested or self._memory.known.listed is None:
            return
        now, share = self._never_backwards(clock), LoopShare(self.hass.loop)
        self._looked_at = now
        heeded = self._heed_by_hand(now)
        changed = not self._still_true(heeded, now)
        if changed:
            seen = self._seen(heeded, now)
            last: Look | None = self.data
            if last and self._once_more.holds_back(last, seen):
                # What comes meanwhile, such as another site's start, does not wait.
                self._arm(now, seen)
                return
            self._note_boundary(now)
            self.data = seen
        self._once_more.ask_ahead(self.data, now)
        self._arm(now, self.data)
        if changed or write:
            self.config_entry.async_create_task(
                self.hass, self._show(share), f"{self.name} states"
            )
        else:
            self._remember(now)
            self._show_issues(now)

    def _heed_by_hand(self, now: datetime) -> Heeded:
        """Lay what the operator has said beside what Voltus says."""
        memory = self._memory
        heeded = heed(memory.by_hand, memory.known, self._policy, now, self._heeded)
        if heeded.by_hand is not memory.by_hand:
            self._memory = replace(memory, by_hand=heeded.by_hand)
        self._heeded = heeded
        return heeded

    def _seen(self, heeded: Heeded, now: datetime) -> Look:
        """Look, and note when the next version of a drill begins to count."""
        seen = look(heeded.snapshot, heeded.policy, now)
        instants = seen.until, next_publication(heeded.by_hand.drills, now)
        return replace(seen, until=min(filter(None, instants), default=None))

    async def _show(self, share: LoopShare) -> None:
        """Write the states of the last look, then tell what is new in it.

        With few sites that is done before the look returns. One is shown after the
        other: what is learned meanwhile neither overtakes nor interrupts.
        """
        async with self._showing:
            last = self.data
            await self.states.async_show_sites(last, share)
            super().async_update_listeners()
            self.states.async_show_account(last)
            await share.step()
            if self._shutdown_requested:
                return
            now = max(last.at, self.now())
            await self._announce(last, now, share)
            self._remember(now)
            self._show_issues(now)

    def _never_backwards(self, clock: datetime) -> datetime:
        """Return the instant of a look: time does not go back for a small step."""
        back = (self._looked_at or clock) - clock
        if back >= SMALL_STEP_BACK:
            self.conversation.clock_skew = self.conversation.clock_skew.stepped(
                back, clock
            )
            return clock
        return clock + max(back, timedelta(0))

    def _note_boundary(self, now: datetime) -> None:
        last: Look | None = self.data
        if last and last.until and last.until <= now:
            self.recent.boundaries.append(Boundary(last.until, now))

    def _still_true(self, heeded: Heeded, now: datetime) -> bool:
        """Whether the last look would come out the same now."""
        last: Look | None = self.data
        return (
            last is not None
            and last.snapshot.dispatches is heeded.snapshot.dispatches
            and last.policy is heeded.policy
            and not last.released
            and last.at <= now
            and (last.until is None or now < last.until)
        )

    def _arm(self, now: datetime, seen: Look) -> None:
        """Look again at the next boundary, or after one tick at the latest."""
        self._disarm()
        tick = now + self.poll_interval
        due = self._once_more.due(seen)
        if due and due <= now:
            # It may not be asked now; the tick sees whether it may again.
            due = None
        # The timer goes by the clock, which `now` may be ahead of.
        ahead = now - utcnow()
        self._unsub_timer = async_track_point_in_utc_time(
            self.hass,
            HassJob(self._on_timer, f"{self.name} boundary", cancel_on_shutdown=True),
            min(filter(None, (seen.until, due, tick))) - ahead,
        )

    def _disarm(self) -> None:
        if self._unsub_timer:
            self._unsub_timer()
            self._unsub_timer = None

    @callback
    def _on_timer(self, _planned: datetime) -> None:
        self._unsub_timer = None
        self._look(self.now())

    @callback
    def _async_started(self, _hass: HomeAssistant) -> None:
        self._may_announce = True
        self._look(self.now(), write=True)
        self.push.registration.async_start()
        self.config_entry.async_create_task(
            self.hass, self._measure(), f"{self.name} telemetry"
        )

    async def _measure(self) -> None:
        """Send telemetry, estimate performance, and keep records from now on."""
        await self.telemetry.async_start()
        await self.performance.async_start()
        await self.records.async_start()
        super().async_update_listeners()

    async def _stop_measuring(self) -> None:
        self.records.stop()
        await self.performance.async_stop()
        await self.telemetry.async_stop()

    @callback
    def _async_log_load(self, come_to: str, entity_id: str, scopes: list[str]) -> None:
        """Log what a load has come to: it belongs to the record of a dispatch."""
        now = self.now()
        self.async_log(load_row(come_to, entity_id, scopes, now), now)

    async def _async_stop(self, _event: Event) -> None:
        await self._stop_measuring()
        await self.async_save()

    async def _announce(self, last: Look, now: datetime, share: LoopShare) -> None:
        """Tell what has changed since we last told something."""
        if not self._may_announce or self.hass.is_stopping:
            return
        told = await self._announcer.async_announce(last, self._memory, now, share)
        if told is not self._memory.told:
            self._memory = replace(self._memory, told=told)

    def _remember(self, now: datetime) -> None:
        """Save what has changed at once, and how far an open end may be believed."""
        open_ended = self.data.open_ended
        for write in self._persistence.due_writes(
            self._memory, now, open_ended=open_ended
        ):
            self.config_entry.async_create_task(self.hass, write, f"{self.name} save")

    def _show_issues(self, now: datetime) -> None:
        self._issues.show(
            self.name,
            [
                *current_issues(
                    now=now,
                    began=self._began,
                    known=self._memory.known,
                    polling_disabled=self.config_entry.pref_disable_polling,
                    new_sites=[self.all_sites[each].name for each in self.new_sites],
                    skew=self._skew(now),
                    released=self.data.released,
                    refusals=self.conversation.unreadable,
                ),
                *opted_out_issues(self._opted_out()),
                *self.push.issues(),
                *self.telemetry.issues(),
            ],
        )

    def _opted_out(self) -> dict[str, list[str]]:
        """Return the names of sites that are let go of, by dispatch of Voltus'."""
        names: dict[str, list[str]] = {}
        for site_id, site in self.all_sites.items():
            for dispatch_id in self.data.curtailment(site_id).opted_out:
                if dispatch_id in self.known.dispatches:
                    names.setdefault(dispatch_id, []).append(site.name)
        return names

    def _skew(self, now: datetime) -> float | None:
        """Return by how many seconds our clock is wrong, None if it is not."""
        if self._floor:
            return (utcnow() - self.now()).total_seconds()
        return self.conversation.clock_skew.seconds(now)

    def _use_entry(self) -> None:
        entry = self.config_entry
        self._applied = _settings(entry)
        self.name = entry.title
        self.poll_interval = self.update_interval = poll_interval(entry.options)
        self._policy = policy(entry.options)
        self.conversation.use_key(entry.data[CONF_API_KEY])

    async def _drop_devices(self) -> None:
        """Let the devices of ignored sites go, once an end there was told."""
        await self.async_shown()
        self._update_devices(self.sites)

    def _update_devices(self, sites: Mapping[str, Site]) -> None:
        entry = self.config_entry
        update_devices(self.hass, entry.entry_id, entry.title, sites.values())


async def _async_entry_updated(hass: HomeAssistant, entry: VoltusConfigEntry) -> None:
    """Apply options and a key in place; another address is another world."""
    coordinator = entry.runtime_data
    if coordinator.has_applied(entry):
        return
    if entry.data[CONF_URL] == coordinator.origin:
        coordinator.async_apply_entry()
    else:
        hass.config_entries.async_schedule_reload(entry.entry_id)


def _settings(entry: VoltusConfigEntry) -> tuple[object, ...]:
    """Return what of an entry we act on; it also holds what we note there ourselves."""
    chosen = (CONF_URL, CONF_API_KEY, CONF_WEBHOOK_ID)
    return (
        entry.title,
        entry.pref_disable_polling,
        {**entry.options},
        # Home Assistant changes a subentry in place.
        {i: {**each.data} for i, each in entry.subentries.items()},
        *(entry.data.get(key) for key in chosen),
    )
