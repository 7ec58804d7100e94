"""Holds the load of sites against baseline and target, while a dispatch runs and after."""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, Final, Protocol

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util.dt import async_get_time_zone, get_default_time_zone

from ..account.loop_share import LoopShare
from ..aiovoltus.errors import VoltusError
from ..aiovoltus.models import Dispatch, Site
from ..aiovoltus.schedule import Look
from ..asking.conversation import Conversation
from ..certification.verdict import curtailments
from ..const import LOGGER
from ..metering.baseline import (
    FARTHEST,
    QUARTER_HOUR,
    Baseline,
    FirmLevel,
    Fixed,
    MeterBefore,
    XOfY,
    baseline,
    days_of,
)
from ..metering.load import MINUTE, SiteLoad
from ..remembering.encoding import typed
from ..remembering.files import CheckedStore, NotWrittenError, async_load_or_set_aside
from ..remembering.log import Log
from .encoding import (
    Frozen,
    frozen_as_json,
    frozen_from_json,
    quarters_as_json,
    quarters_from_json,
)
from .estimate import Estimate, estimate, outcome, shown, times_of
from .follower import LoadFollower
from .hourly import HOUR, async_add_to_statistics
from .settings import LoadSource, SitePerformance, chosen_sites, site_performances

EVERY: Final = timedelta(seconds=30)
"""Entities change at most so often."""
SAVED_EVERY: Final = timedelta(hours=1)
NEAR: Final = timedelta(minutes=15)
"""So long before a start the load is asked for as often as during a dispatch."""
ASKED_EVERY: Final = timedelta(minutes=5)
ASKED_NEAR: Final = timedelta(minutes=1)
HISTORY_EVERY: Final = timedelta(days=1)
LATE_AT_VOLTUS: Final = timedelta(minutes=20)
"""Until then what meters have sent may still come in at Voltus."""
OLDEST: Final = timedelta(minutes=5)
"""A load that is older is not the load of now, unless Voltus is asked for it."""
LONGEST_GAP: Final = timedelta(hours=26)


class Account(Protocol):
    """What is known of an account."""

    @property
    def data(self) -> Look:
        """What holds now."""

    @property
    def all_sites(self) -> Mapping[str, Site]:
        """The sites that are known."""

    @property
    def log(self) -> Log:
        """What was announced."""

    def now(self) -> datetime:
        """Return the time by which everything is judged."""


class PerformanceTracker:
    """Estimates the performance of the sites for which the operator has chosen a method.

    It works in a task of its own every half minute, never in the way of a poll. What it
    knows of the days before, and the baseline of each dispatch as it was at its start,
    outlives a restart.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        account: Account,
        conversation: Conversation,
    ) -> None:
        """Prepare; nothing is followed yet."""
        self._hass = hass
        self._entry = entry
        self._account = account
        self._conversation = conversation
        self._follower = LoadFollower(hass, conversation)
        self._store = CheckedStore(hass, f"{entry.entry_id}.load")
        self._frozen: dict[tuple[str, str], Frozen] = {}
        self._cache: dict[tuple[str, str], tuple[object, Baseline]] = {}
        self._zones: dict[str, tzinfo] = {}
        self._listeners: list[CALLBACK_TYPE] = []
        self._unsub_ticks: CALLBACK_TYPE | None = None
        self._at_work = False
        self._started = False
        self._asked_of: Mapping[str, ConfigSubentry] = {}
        self._site_ids = frozenset[str]()
        self._asked: dict[str, datetime] = {}
        self._history_asked: dict[str, datetime] = {}
        self._hour_asked: datetime | None = None
        self._saved_at: datetime | None = None
        self.estimates: Mapping[str, Estimate] = {}

    @property
    def site_ids(self) -> frozenset[str]:
        """The sites for which a method is chosen; every entity asks, at every look."""
        subentries = self._entry.subentries
        if self._asked_of is not subentries:
            self._asked_of, self._site_ids = subentries, chosen_sites(self._entry)
        return self._site_ids

    def source_of(self, site_id: str) -> SitePerformance | None:
        """Return what is chosen of a site."""
        return self._follower.sites.get(site_id)

    async def async_start(self) -> None:
        """Take up what is known, and go on; call it once all is started."""
        self._zones = await self._stored_zones()
        kept = await async_load_or_set_aside(self._store, self._read)
        loads, self._frozen = kept or ({}, {})
        self._follower.loads = loads
        self._started = True
        self._follower.follow(self._chosen())
        self._unsub_ticks = async_track_time_interval(self._hass, self._on_tick, EVERY)
        self._in_background(self._rebuild())

    @callback
    def async_apply_entry(self) -> None:
        """Act on choices that were added, changed or removed."""
        chosen = self._chosen()
        if self._started and chosen != self._follower.sites:
            self._follower.follow(chosen)
            self._cache.clear()
            self._in_background(self._rebuild())

    async def async_stop(self) -> None:
        """Follow nothing any more, and keep what is known."""
        if not self._started:
            return
        self._started = False
        self._follower.stop()
        if self._unsub_ticks:
            self._unsub_ticks()
        await self._save()

    @callback
    def async_add_listener(self, update: CALLBACK_TYPE) -> Callable[[], None]:
        """Call back when there are new estimates."""
        self._listeners.append(update)
        return lambda: self._listeners.remove(update)

    async def async_outcome(self, dispatch: Dispatch, site_id: str) -> dict[str, Any]:
        """Return what came of a dispatch at a site, as JSON."""
        site = self._follower.sites[site_id]
        now = self._account.now()
        made = await self._baseline(dispatch, site, now)
        load = self._follower.loads[site_id]
        frozen = self._frozen.get((dispatch.id, site_id))
        return {
            **outcome(dispatch, site_id, made, load, now),
            "source": site.source.value,
            "method": dict(frozen.settings if frozen else site.settings),
            "coarse": self._is_coarse(made, load),
        }

    async def async_ask_again(self, dispatch: Dispatch) -> None:
        """Ask Voltus once more for the load of a dispatch that is over."""
        times = times_of(dispatch)
        named = {each.id for each in dispatch.sites}
        remote = [i for i in self._remote() if i in named]
        if remote and times.end:
            await self._ask(remote, times.start - HOUR, times.end + HOUR, MINUTE)

    def forget(self, dispatch_ids: Iterable[str]) -> None:
        """Keep no baselines of dispatches that are on record."""
        gone = set(dispatch_ids)
        self._frozen = {k: each for k, each in self._frozen.items() if k[0] not in gone}

    def _chosen(self) -> dict[str, SitePerformance]:
        found = site_performances(self._hass, self._entry, self._account.all_sites)
        return {each.site_id: each for each in found}

    def _remote(self) -> list[str]:
        """Return the sites of which Voltus has the load."""
        return [
            each.site_id
            for each in self._follower.sites.values()
            if each.source is LoadSource.VOLTUS
        ]

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        self._entry.async_create_background_task(
            self._hass, work, f"{self._entry.title} performance"
        )

    async def _rebuild(self) -> None:
        now = self._account.now()
        await self._follower.async_rebuild(now)
        await self._save()

    @callback
    def _on_tick(self, _now: datetime) -> None:
        if self._follower.sites and not self._at_work:
            self._in_background(self._work())

    async def _work(self) -> None:
        self._at_work = True
        try:
            now = self._account.now()
            self._follower.update(now)
            await self._ask_voltus(now)
            await self._estimate(now)
            if self._saved_at is None or now - self._saved_at >= SAVED_EVERY:
                await self._save()
        finally:
            self._at_work = False

    async def _estimate(self, now: datetime) -> None:
        share, found = LoopShare(self._hass.loop), {}
        for site_id, site in [*self._follower.sites.items()]:
            found[site_id] = await self._estimate_of(site, now)
            await share.step()
        if found != self.estimates:
            self.estimates = found
            for each in [*self._listeners]:
                each()
                await share.step()

    async def _estimate_of(self, site: SitePerformance, now: datetime) -> Estimate:
        load = self._follower.loads[site.site_id]
        oldest = LATE_AT_VOLTUS if site.source is LoadSource.VOLTUS else OLDEST
        dispatch = self._shown(site.site_id, now)
        if dispatch is None:
            return Estimate(load.kw(now, oldest))
        made = await self._baseline(dispatch, site, now)
        return estimate(dispatch, site.site_id, made, load, now, oldest)

    def _shown(self, site_id: str, now: datetime) -> Dispatch | None:
        policy = self._account.data.policy
        known = self._account.data.snapshot.dispatches.values()
        return shown(filter(policy.lets_through, known), site_id, now)

    # What is asked of Voltus

    async def _ask_voltus(self, now: datetime) -> None:
        if self._conversation.must_wait:
            return
        near = [i for i in self._remote() if self._is_near(i, now)]
        far = [i for i in self._remote() if i not in near]
        for site_ids, every in ((near, ASKED_NEAR), (far, ASKED_EVERY)):
            due = [i for i in site_ids if _is_due(self._asked.get(i), every, now)]
            if due:
                self._asked |= dict.fromkeys(due, now)
                await self._ask(due, self._since(due, now), now, MINUTE)
        history = [i for i in self._follower.sites if self._wants_history(i, now)]
        if history and await self._ask(
            history, now - timedelta(days=FARTHEST), now, QUARTER_HOUR
        ):
            self._history_asked |= dict.fromkeys(history, now)
        await self._ask_for_statistics(now)

    async def _ask(
        self, site_ids: list[str], since: datetime, until: datetime, length: timedelta
    ) -> bool:
        """Ask for loads; return whether they came. What did not is asked for again."""
        try:
            await self._follower.async_ask(
                site_ids, self._account.all_sites, since, until, length
            )
        except VoltusError as err:
            LOGGER.debug("The load of %s is not known: %s", site_ids, err)
            return False
        return True

    def _is_near(self, site_id: str, now: datetime) -> bool:
        dispatch = self._shown(site_id, now)
        return dispatch is not None and dispatch.start_time - NEAR <= now

    def _since(self, site_ids: Iterable[str], now: datetime) -> datetime:
        """Return from when loads are lacking, and may still have come in."""
        latest = [self._follower.loads[i].latest for i in site_ids]
        known = min(filter(None, latest), default=now - HOUR)
        begun = [
            dispatch.start_time - HOUR
            for i in site_ids
            if self._follower.loads[i].latest is None
            and (dispatch := self._shown(i, now))
        ]
        return max(now - LONGEST_GAP, min(known, now - LATE_AT_VOLTUS, *begun))

    def _wants_history(self, site_id: str, now: datetime) -> bool:
        site = self._follower.sites[site_id]
        return (
            site.source is not LoadSource.ENTITY
            and isinstance(site.method, XOfY)
            and self._shown(site_id, now) is not None
            and _is_due(self._history_asked.get(site_id), HISTORY_EVERY, now)
        )

    async def _ask_for_statistics(self, now: datetime) -> None:
        """Give the graphs what Voltus has of the last hours, once it has them whole."""
        hour = (now - LATE_AT_VOLTUS).replace(minute=0, second=0, microsecond=0)
        if not self._remote() or hour == self._hour_asked:
            return
        since = hour - (timedelta(hours=3) if self._hour_asked else timedelta(days=9))
        try:
            found = await self._conversation.telemetry_kw(
                self._remote(), since, hour, int(HOUR.total_seconds())
            )
        except VoltusError as err:
            LOGGER.debug("Hourly loads are not known: %s", err)
            return
        self._hour_asked = hour
        for site_id, hours in self._follower.hourly(
            found, self._account.all_sites
        ).items():
            name = self._account.all_sites[site_id].name
            await async_add_to_statistics(
                self._hass, self._entry.entry_id, site_id, name, hours
            )

    # Baselines

    async def _baseline(
        self, dispatch: Dispatch, site: SitePerformance, now: datetime
    ) -> Baseline:
        """Return the baseline of a dispatch, frozen once it has begun and is complete."""
        key = dispatch.id, site.site_id
        if frozen := self._frozen.get(key):
            return frozen.baseline
        load, times = self._follower.loads[site.site_id], times_of(dispatch)
        made_of = times.notice, times.start, load.version, site.settings
        cached = self._cache.get(key)
        if cached and cached[0] == made_of:
            made = cached[1]
        else:
            zone = await self._zone(dispatch)
            made = self._earlier_today(site, times.start, zone) or baseline(
                site.method,
                load.history,
                times,
                zone,
                self._excluded(site.site_id, zone, now),
            )
            self._cache[key] = made_of, made
        if now >= times.start and made.complete:
            self._frozen[key] = Frozen(times.start, site.settings, made)
            self._cache.pop(key, None)
            self._saved_at = None
        return made

    def _earlier_today(
        self, site: SitePerformance, start: datetime, zone: tzinfo
    ) -> Baseline | None:
        """Return the baseline of an earlier dispatch of the same day.

        That one has moved the load by which a later one would be adjusted.
        """
        if isinstance(site.method, Fixed | FirmLevel | MeterBefore):
            return None
        today = start.astimezone(zone).date()
        found = [
            frozen
            for (_, site_id), frozen in self._frozen.items()
            if site_id == site.site_id
            and frozen.settings == site.settings
            and frozen.start < start
            and frozen.start.astimezone(zone).date() == today
        ]
        return min(found, key=lambda each: each.start).baseline if found else None

    def _excluded(self, site_id: str, zone: tzinfo, now: datetime) -> set[date]:
        """Return the days that a curtailment, a drill or a dispatch of the site touched."""
        spans = [
            (each.on, each.off or now)
            for each in curtailments(self._account.log.rows)
            if each.site_id == site_id
        ]
        spans += [
            (times.start, max(times.start, times.end or now))
            for each in self._account.log.past.values()
            if not each.test
            and any(site.id == site_id for site in each.sites)
            and (times := times_of(each)).start <= now
        ]
        return {day for on, off in spans for day in days_of(on, off, zone)}

    def _is_coarse(self, made: Baseline, load: SiteLoad) -> bool:
        """Whether some days of a baseline are known by the hour only."""
        fine = {each.astimezone(made.zone).date() for each in load.quarters}
        return any(day not in fine for day in made.days)

    async def _zone(self, dispatch: Dispatch) -> tzinfo:
        """Return the time zone of a program; Home Assistant's where it names none."""
        name = dispatch.program and dispatch.program.timezone
        if not name:
            return get_default_time_zone()
        if name not in self._zones:
            found = await async_get_time_zone(name)
            self._zones[name] = found or get_default_time_zone()
        return self._zones[name]

    # What is kept

    async def _stored_zones(self) -> dict[str, tzinfo]:
        """Return the time zones that baselines are kept in."""
        names = await async_load_or_set_aside(
            self._store,
            lambda content: {
                typed(str, each["time_zone"]) for each in content["frozen"].values()
            },
        )
        zones = {name: await async_get_time_zone(name) for name in names or ()}
        default = get_default_time_zone()
        return {name: zone or default for name, zone in zones.items()}

    def _read(
        self, content: dict[str, Any]
    ) -> tuple[dict[str, SiteLoad], dict[tuple[str, str], Frozen]]:
        loads = {
            site_id: SiteLoad(quarters=quarters_from_json(kept))
            for site_id, kept in content["sites"].items()
        }
        frozen = {}
        for key, kept in content["frozen"].items():
            dispatch_id, _, site_id = key.partition(" ")
            frozen[dispatch_id, site_id] = frozen_from_json(kept, self._zones)
        return loads, frozen

    async def _save(self) -> None:
        self._saved_at = self._account.now()
        if not (self._follower.sites or self._frozen):
            return
        content = {
            "sites": {
                site_id: quarters_as_json(load.quarters)
                for site_id, load in self._follower.loads.items()
            },
            "frozen": {
                " ".join(key): frozen_as_json(each)
                for key, each in self._frozen.items()
            },
        }
        try:
            await self._store.async_write(content)
        except NotWrittenError as err:
            LOGGER.debug("What is known of loads is not on the disk: %s", err)


def _is_due(last: datetime | None, every: timedelta, now: datetime) -> bool:
    """Whether it is time; what lies ahead is a clock that was set back."""
    return last is None or not timedelta(0) <= now - last < every
