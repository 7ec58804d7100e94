"""Keeps a record of each dispatch that is over, and tells what came of it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.event import async_track_time_interval

from ..account.cause import dispatch_context
from ..account.devices import device_id
from ..aiovoltus.models import Dispatch, Json, parse_time
from ..aiovoltus.schedule import status
from ..announcing.announcer import TOLD, RecordEvent
from ..certification.verdict import curtailments
from ..const import DOMAIN, LOGGER
from ..performance.estimate import times_of
from ..performance.settings import LoadSource
from ..performance.tracker import Account, PerformanceTracker
from ..remembering.encoding import typed
from ..remembering.files import CheckedStore, NotWrittenError, async_load_or_set_aside
from .report import FINAL_AFTER, Record, over_at, report, sealed

EVENT_EVALUATED: Final = f"{DOMAIN}_dispatch_{RecordEvent.EVALUATED}"
EVERY: Final = timedelta(minutes=1)
MOST_RECORDS: Final = 500
LATE_DATA: Final = timedelta(hours=24)
"""After the end, when Voltus has what its own meters have sent late."""
NEWS: Final = timedelta(hours=48)
"""What has been over for longer is put on record without telling anybody."""


class RecordKeeper:
    """The records of one account, the oldest first; each is bound to the one before."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        account: Account,
        performance: PerformanceTracker,
    ) -> None:
        """Prepare; nothing is read yet."""
        self._hass = hass
        self._entry = entry
        self._account = account
        self._performance = performance
        self._store = CheckedStore(hass, f"{entry.entry_id}.records")
        self._working = asyncio.Lock()
        self._unsub: CALLBACK_TYPE | None = None
        self._unsaved = False
        self._told = ""
        self.records: Sequence[Record] = ()
        self.latest: Mapping[str, Record] = {}

    async def async_start(self) -> None:
        """Take up the records, and put on record what has been over since."""
        kept = await async_load_or_set_aside(self._store, _records)
        records, self._told = kept or ((), "")
        self._keep(records)
        self._unsub = async_track_time_interval(self._hass, self._on_tick, EVERY)
        self._in_background()

    @callback
    def stop(self) -> None:
        """Put nothing on record any more."""
        if self._unsub:
            self._unsub()
            self._unsub = None

    def of(self, dispatch_id: str) -> Record | None:
        """Return the last record of a dispatch."""
        return self.latest.get(dispatch_id)

    def _keep(self, records: Sequence[Record]) -> None:
        """Keep the last of these, and find the `latest` of each dispatch quickly."""
        self.records = records[-MOST_RECORDS:]
        self.latest = {each["dispatch"]["id"]: each for each in self.records}

    async def async_report(self, dispatch_id: str) -> Record | None:
        """Return what is on record of a dispatch, or what is known of it by now."""
        if record := self.of(dispatch_id):
            return record
        dispatch = self._dispatches().get(dispatch_id)
        return dispatch and await self._report(dispatch)

    def _dispatches(self) -> dict[str, Dispatch]:
        known = self._account.data.snapshot.dispatches
        return {**self._account.log.past, **known}

    @callback
    def _on_tick(self, _now: datetime) -> None:
        self._in_background()

    @callback
    def _in_background(self) -> None:
        self._entry.async_create_background_task(
            self._hass, self._work(), f"{self._entry.title} records"
        )

    async def _work(self) -> None:
        async with self._working:
            now = self._account.now()
            if self.records and self.records[-1]["hash"] != self._told:
                # A crash came before it was told.
                await self._tell(self.records[-1], now)
            told = {row.get("dispatch_id") for row in self._account.log.rows}
            for dispatch in [*self._dispatches().values()]:
                if dispatch.id in told and status(dispatch, now).over:
                    await self._see_to(dispatch, now)
            if self._unsaved:
                await self._save()  # what the disk has refused

    async def _see_to(self, dispatch: Dispatch, now: datetime) -> None:
        """Put a dispatch on record once it is time, and again when late data are in."""
        record, over = self.of(dispatch.id), over_at(dispatch)
        if record is None and now >= over + FINAL_AFTER and not self._is_too_old(over):
            await self._put_on_record(dispatch, now, 1)
        elif (
            record
            and record["revision"] == 1
            and over + LATE_DATA <= now < over + NEWS
            and any(e["source"] == LoadSource.VOLTUS for e in record["sites"])
        ):
            await self._put_on_record(dispatch, now, 2)

    def _is_too_old(self, over: datetime) -> bool:
        """Whether a record would be the next to go: it was kept, and is not any more."""
        full = len(self.records) == MOST_RECORDS
        return full and over <= parse_time(self.records[0]["over"])

    async def _put_on_record(
        self, dispatch: Dispatch, now: datetime, revision: int
    ) -> None:
        await self._performance.async_ask_again(dispatch)
        before = self.records[-1]["hash"] if self.records else ""
        record = sealed(await self._report(dispatch), before, revision)
        self._keep((*self.records, record))
        await self._save()
        await self._tell(record, now)
        if revision == 2 or not any(
            e["source"] == LoadSource.VOLTUS for e in record["sites"]
        ):
            self._performance.forget([dispatch.id])

    async def _report(self, dispatch: Dispatch) -> Record:
        policy, rows = self._account.data.policy, self._account.log.rows
        times = times_of(dispatch)
        asked_for = times.end is None or times.start < times.end
        estimated = [
            site.id
            for site in dispatch.sites
            if self._performance.source_of(site.id)
            and policy.lets_through(dispatch)
            and asked_for
        ]
        return report(
            dispatch,
            rows,
            curtailments(rows),
            self._account.now(),
            options={
                "lead_time": policy.lead_time.total_seconds(),
                "act_on_test_dispatches": policy.act_on_test_dispatches,
                "ignored_sites": [*sorted(policy.ignored_sites)],
            },
            sites=[
                await self._performance.async_outcome(dispatch, i) for i in estimated
            ],
        )

    async def _tell(self, record: Record, now: datetime) -> None:
        """Tell what came of a dispatch, if anything is known and new, and note it."""
        dispatch_id = record["dispatch"]["id"]
        before = [r for r in self.records if r["dispatch"]["id"] == dispatch_id][:-1]
        news = not before or before[-1]["sites"] != record["sites"]
        over = parse_time(record["over"])
        if record["sites"] and news and now < over + NEWS:
            self._fire(record)
        self._told = record["hash"]
        await self._save()

    def _fire(self, record: Record) -> None:
        dispatch = record["dispatch"]
        names = {site["id"]: site["name"] for site in dispatch["sites"]}
        entry_id = self._entry.entry_id
        data: dict[str, Json] = {
            "entry_id": entry_id,
            "device_id": device_id(self._hass, entry_id, None),
            "dispatch_id": dispatch["id"],
            "test": dispatch["test"],
            "drill": record["drill"],
            "actionable": True,
            "estimated": True,
            "revision": record["revision"],
            "start_time": dispatch["start_time"],
            "end_time": dispatch.get("end_time"),
            "hash": record["hash"],
            "sites": [
                {
                    "id": each["site_id"],
                    "name": names[each["site_id"]],
                    "device_id": device_id(self._hass, entry_id, each["site_id"]),
                    "commitment": each["commitment"],
                    "method": each["method"]["method"],
                    **each["result"],
                }
                for each in record["sites"]
            ],
        }
        async_dispatcher_send(self._hass, TOLD, RecordEvent.EVALUATED, data)
        context = dispatch_context(entry_id, dispatch["id"])
        self._hass.bus.async_fire(EVENT_EVALUATED, data, context=context)

    async def _save(self) -> None:
        self._unsaved = True
        content = {"records": [*self.records], "told": self._told}
        try:
            await self._store.async_write(content)
        except NotWrittenError as err:
            LOGGER.debug("The records are not on the disk: %s", err)
        else:
            self._unsaved = False


def _records(content: dict[str, Any]) -> tuple[tuple[Record, ...], str]:
    """Read the records; those that were edited are kept, and found out by their hash."""
    records = [typed(dict, each) for each in typed(list, content["records"])]
    for each in records:
        typed(str, typed(dict, each["dispatch"])["id"])
        typed(str, each["hash"])
        typed(int, each["revision"])
        typed(list, each["sites"])
        parse_time(each["over"])
    return tuple(records), typed(str, content["told"])
