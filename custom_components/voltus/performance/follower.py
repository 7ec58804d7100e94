"""Follows the load of sites: by entities of Home Assistant, or by asking Voltus."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from homeassistant.core import (
    CALLBACK_TYPE,
    Event,
    EventStateChangedData,
    HomeAssistant,
    callback,
)
from homeassistant.helpers.event import async_track_state_change_event

from ..aiovoltus.models import Site
from ..aiovoltus.telemetry import Load, LoadRow, asked
from ..asking.conversation import Conversation
from ..metering.baseline import QUARTER_HOUR
from ..metering.intervals import LONGEST, Reading, Row, aligned, merged
from ..metering.load import MINUTE, Minutes, SiteLoad, by_minute, summed
from ..telemetry.history import SLICE, async_readings
from ..telemetry.meters import reading, rows_of
from .hourly import async_hourly
from .settings import SitePerformance, main_meters

SETTLED: Final = timedelta(seconds=2)
"""After its end a minute has a load: until then a state may still come."""
LATE_READINGS: Final = 2 * LONGEST
"""How long what a counter shows may still change the load of a minute."""
REBUILT: Final = timedelta(days=7)
"""How far back the recorder is asked for states."""


class LoadFollower:
    """Knows the loads of the sites that it is to follow."""

    def __init__(self, hass: HomeAssistant, conversation: Conversation) -> None:
        """Follow nothing yet."""
        self._hass = hass
        self._conversation = conversation
        self._counts: Mapping[str, bool] = {}
        self._readings: dict[str, tuple[Reading, ...]] = {}
        self._unsub_states: CALLBACK_TYPE | None = None
        self.sites: Mapping[str, SitePerformance] = {}
        self.loads: dict[str, SiteLoad] = {}

    @callback
    def follow(self, sites: Mapping[str, SitePerformance]) -> None:
        """Follow these sites, and no others."""
        self.stop()
        self.sites = sites
        self.loads = {i: self.loads.get(i, SiteLoad()) for i in sites}
        parts = [part for site in sites.values() for part in site.measured_by]
        self._counts = {part.source: part.counts for part in parts}
        self._readings = {e: self._readings.get(e, ()) for e in self._counts}
        for entity_id in self._counts:
            self._read(entity_id)
        self._unsub_states = async_track_state_change_event(
            self._hass, [*self._counts], self._on_state
        )

    @callback
    def stop(self) -> None:
        """Follow no entity any more."""
        if self._unsub_states:
            self._unsub_states()
            self._unsub_states = None

    def update(self, now: datetime) -> None:
        """Take in what entities have shown in the last minutes."""
        until = now - SETTLED
        since = aligned(until - LATE_READINGS, MINUTE)
        for site in self.sites.values():
            parts = [
                by_minute(
                    rows_of(each, self._readings[each.source], MINUTE, since, until)
                )
                for each in site.measured_by
            ]
            self.loads[site.site_id].add_minutes(summed(parts))
            self.loads[site.site_id].forget(now)

    async def async_rebuild(self, now: datetime) -> None:
        """Read from the recorder what is not known of the days before."""
        for site in [*self.sites.values()]:
            if not site.measured_by:
                continue
            load = self.loads[site.site_id]
            last = max(load.quarters, default=now - REBUILT)
            since = max(now - REBUILT, min(last, now - timedelta(hours=26)))
            while since < now:
                until = min(since + SLICE, now)
                await self._recall(site, load, aligned(since, MINUTE), until)
                since = until
            load.hourly = await async_hourly(self._hass, site.measured_by, now)
            load.version += 1

    async def async_ask(
        self,
        site_ids: Sequence[str],
        known: Mapping[str, Site],
        since: datetime,
        until: datetime,
        length: timedelta,
    ) -> None:
        """Ask Voltus for the load of sites by the minute or the quarter hour.

        Raises VoltusError.
        """
        sites = [known[each] for each in site_ids if each in known]
        for some, start, end in asked(sites, since, until, length):
            found = await self._conversation.telemetry_kw(
                some, start, end, int(length.total_seconds())
            )
            self._take_in(found, known, length)

    def hourly(
        self, found: Load, known: Mapping[str, Site]
    ) -> dict[str, dict[datetime, float]]:
        """Return the loads of sites by the beginnings of hours, of an answer by the hour."""
        return {
            site_id: summed(
                [
                    _by_start(meters[each])
                    for each in _wanted(known.get(site_id), meters)
                ]
            )
            for site_id, meters in found.items()
            if site_id in self.loads
        }

    def _take_in(
        self, found: Load, known: Mapping[str, Site], length: timedelta
    ) -> None:
        for site_id, meters in found.items():
            load = self.loads.get(site_id)
            parts = [meters[each] for each in _wanted(known.get(site_id), meters)]
            if load is None:
                continue
            if length == QUARTER_HOUR:
                load.add_quarters(summed([*map(_by_start, parts)]))
            else:
                load.add_minutes(summed([*map(_minutes, parts)]))

    @callback
    def _on_state(self, event: Event[EventStateChangedData]) -> None:
        self._read(event.data["entity_id"])

    def _read(self, entity_id: str) -> None:
        state = self._hass.states.get(entity_id)
        if found := reading(state, counter=self._counts[entity_id]):
            since = self._conversation.now() - LATE_READINGS - LONGEST
            before = self._readings[entity_id]
            self._readings[entity_id] = merged(before, [found], since)

    async def _recall(
        self, site: SitePerformance, load: SiteLoad, since: datetime, until: datetime
    ) -> None:
        parts = []
        for each in site.measured_by:
            shown = await async_readings(
                self._hass,
                each.source,
                since - LONGEST,
                until + LONGEST,
                counter=each.counts,
            )
            if each.source in self._readings:
                # The minute that it is now was shown in part before.
                recent = until - LATE_READINGS - LONGEST
                self._readings[each.source] = merged(
                    shown, self._readings[each.source], recent
                )
            parts.append(by_minute(rows_of(each, shown, MINUTE, since, until)))
        load.add_minutes(summed(parts))


def _wanted(site: Site | None, meters: Mapping[str, object]) -> set[str]:
    """Return the meters of an answer that add up to the load of a site."""
    return main_meters(site) & meters.keys() or {*meters}


def _by_start(rows: Iterable[LoadRow]) -> Minutes:
    return {each.end - each.interval: each.kw for each in rows if each.kw is not None}


def _minutes(rows: Iterable[LoadRow]) -> Minutes:
    return by_minute(
        Row(each.end, each.interval, each.kw) for each in rows if each.kw is not None
    )
