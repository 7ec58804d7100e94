"""What outlives a restart: what is known, what was told, and the log of both."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, final

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.json import json_bytes, json_fragment
from homeassistant.helpers.storage import Store

from .aiovoltus.models import (
    Dispatch,
    Json,
    Meter,
    Site,
    Snapshot,
    Trace,
    iso,
    parse_dispatch,
    parse_time,
)
from .aiovoltus.reconcile import KnownSites
from .aiovoltus.schedule import Change, ChangeType, CurtailmentChange, Look
from .announcing.announcement import AnnouncementCounts
from .certification.verdict import verdicts
from .const import DOMAIN, LOGGER

VERSION = 1
LOG_DELAY = 30
LOG_KEEPS = timedelta(days=90)
LOG_ROWS = 2000

# What loading and reading a damaged, foreign or newer file is known to raise.
_UNREADABLE = (
    HomeAssistantError,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
    NotImplementedError,
)


@final
@dataclass(frozen=True, slots=True)
class Told:
    """Up to where everything was announced.

    `snapshot` is what was known then, as it was `at` that instant; `counts` has how
    often each change was announced, `curtailing` the sites last told to curtail.
    """

    snapshot: Snapshot
    at: datetime
    counts: AnnouncementCounts = field(default_factory=dict)
    curtailing: frozenset[str] = frozenset()


@final
@dataclass(frozen=True, slots=True)
class Memory:
    """What the coordinator knows of one origin, and what it has told of it.

    `told` is None before the first announcement.
    """

    origin: str
    known: Snapshot = field(default_factory=Snapshot)
    told: Told | None = None
    known_sites: KnownSites = field(default_factory=KnownSites)


class MemoryStore:
    """Keeps the memory of one entry: small, written at once, atomic."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Use a file of the entry's own."""
        self._store = _store(hass, entry_id)
        self._written: dict[int, tuple[Dispatch, json_fragment]] = {}

    async def async_load(self, origin: str) -> Memory | None:
        """Return the memory of this origin; another origin is a new world."""
        memory = await async_load_or_set_aside(self._store, _memory)
        return memory if memory and memory.origin == origin else None

    async def async_save(self, memory: Memory) -> None:
        """Write the memory now; what is still as it was written is not encoded again."""
        before, self._written = self._written, {}

        def encoded(dispatch: Dispatch) -> json_fragment:
            key = id(dispatch)
            written = self._written.get(key) or before.get(key)
            if written is None:
                written = dispatch, json_fragment(json_bytes(_dispatch_json(dispatch)))
            self._written[key] = written
            return written[1]

        await self._store.async_save(_memory_json(memory, encoded))


class Log:
    """What was announced when, and the dispatches that are over; kept for 90 days."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Use a file of the entry's own."""
        self._store = _store(hass, f"{entry_id}.log")
        self._origin = ""
        self.rows: list[dict[str, Json]] = []
        self.past: dict[str, Dispatch] = {}

    async def async_load(self, origin: str) -> None:
        """Read what earlier runs have written of this origin."""
        self._origin = origin
        content = await async_load_or_set_aside(self._store, _log_content)
        if content and content[0] == origin:
            _, self.rows, self.past = content

    @callback
    def async_add(self, row: dict[str, Json], now: datetime) -> None:
        """Add a row, as `log_row` makes it.

        `updated` upon `updated` of one dispatch becomes one row with a `count`: the
        public sandbox moves its dispatch at every poll.
        """
        if self.rows and _repeats(self.rows[-1], row):
            count = self.rows.pop().get("count")
            row = {**row, "count": 1 + (count if isinstance(count, int) else 1)}
        oldest = (now - LOG_KEEPS).isoformat()
        rows = [*self.rows, row][-LOG_ROWS:]
        self.rows = [row for row in rows if str(row["announced"]) >= oldest]
        self._async_save_soon()

    @callback
    def async_note_over(self, dispatches: Iterable[Dispatch], now: datetime) -> None:
        """Keep the last version of dispatches that are over, for the calendar."""
        new = {d.id: d for d in dispatches if d != self.past.get(d.id)}
        if not new:
            return
        past = sorted(
            (self.past | new).values(), key=lambda d: (d.end_time or d.start_time, d.id)
        )
        self.past = {
            d.id: d
            for d in past[-LOG_ROWS:]
            if max(d.end_time or d.start_time, d.received) >= now - LOG_KEEPS
        }
        self._async_save_soon()

    async def async_save(self) -> None:
        """Write the log now."""
        await self._store.async_save(self._content())

    @callback
    def _async_save_soon(self) -> None:
        self._store.async_delay_save(self._content, LOG_DELAY)

    def _content(self) -> dict[str, Any]:
        return {
            "origin": self._origin,
            "rows": list(self.rows),
            "past": [_dispatch_json(dispatch) for dispatch in self.past.values()],
        }


async def async_forget(hass: HomeAssistant, entry_id: str) -> None:
    """Remove what was kept for an entry."""
    for name in _names(entry_id):
        await _store(hass, name).async_remove()


async def async_files(
    hass: HomeAssistant, entry_id: str
) -> dict[str, dict[str, Json] | None]:
    """Return of each file that is kept for an entry when it was saved, and its size.

    None stands for a file that is not there.
    """
    paths = [Path(_store(hass, name).path) for name in _names(entry_id)]
    return await hass.async_add_executor_job(
        lambda: {path.name: _file(path) for path in paths}
    )


def _names(entry_id: str) -> tuple[str, str]:
    return entry_id, f"{entry_id}.log"


def _file(path: Path) -> dict[str, Json] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    saved = datetime.fromtimestamp(found.st_mtime, UTC)
    return {"saved": saved.isoformat(), "bytes": found.st_size}


def log_row(data: Mapping[str, Json], change: Change, now: datetime) -> dict[str, Json]:
    """Return the row of a change whose event data are `data`."""
    kept = (
        "change_id",
        "dispatch_id",
        "status",
        "test",
        "actionable",
        "start_time",
        "end_time",
        "late_seconds",
        "delay_seconds",
    )
    return {
        "announced": now.isoformat(),
        "received": change.dispatch.received.isoformat(),
        "moment": iso(change.moment),
        "type": change.type.value,
        **{key: data[key] for key in kept},
    }


def curtailment_row(
    change: CurtailmentChange,
    site_ids: Iterable[str],
    behind: Look | None,
    now: datetime,
) -> dict[str, Json]:
    """Return the row of sites whose `curtail` has turned.

    `behind` is the look that has the dispatches behind it, None where it is forgotten.
    """
    dispatch_ids = {
        dispatch_id
        for site_id in site_ids
        if behind
        for dispatch_id in behind.curtailment(site_id).by_dispatch
    }
    return {
        "announced": now.isoformat(),
        "type": change.value,
        "sites": [*sorted(site_ids)],
        "dispatch_ids": [*sorted(dispatch_ids)],
    }


def _store(hass: HomeAssistant, name: str) -> Store[dict[str, Any]]:
    return Store(
        hass,
        VERSION,
        f"{DOMAIN}.{name}",
        atomic_writes=True,
        serialize_in_event_loop=False,
    )


async def async_load_or_set_aside[T](
    store: Store[dict[str, Any]], read: Callable[[dict[str, Any]], T]
) -> T | None:
    """Load a store; what cannot be read is set aside with one warning."""
    try:
        content = await store.async_load()
        return None if content is None else read(content)
    except _UNREADABLE as err:
        aside = Path(f"{store.path}.set-aside")
        LOGGER.warning(
            "%s cannot be read (%s); it was renamed to %s and a new one is begun",
            store.path,
            type(err).__name__,
            aside.name,
        )
        await store.hass.async_add_executor_job(_set_aside, Path(store.path), aside)
        return None


def _set_aside(path: Path, aside: Path) -> None:
    with suppress(FileNotFoundError):
        path.replace(aside)


def _memory_json(memory: Memory, encoded: Callable[[Dispatch], Any]) -> dict[str, Any]:
    return {
        "origin": memory.origin,
        "known": _snapshot_json(memory.known, encoded),
        "told": memory.told and _told_json(memory.told, encoded),
        "sites": [asdict(site) for site in memory.known_sites.sites.values()],
        "absent_since": {
            site_id: since.isoformat()
            for site_id, since in memory.known_sites.absent_since.items()
        },
        "called": memory.known_sites.answered,
        "new_sites": sorted(memory.known_sites.new),
    }


def _memory(content: dict[str, Any]) -> Memory:
    told = content["told"]
    sites = {site["id"]: _site(site) for site in content["sites"]}
    return Memory(
        origin=content["origin"],
        known=_snapshot(content["known"]),
        told=None if told is None else _told(told),
        known_sites=KnownSites(
            sites,
            {
                site_id: parse_time(since)
                for site_id, since in content["absent_since"].items()
            },
            answered=bool(content["called"]),
            new=frozenset(map(str, content["new_sites"])).intersection(sites),
        ),
    )


def _told_json(told: Told, encoded: Callable[[Dispatch], Any]) -> dict[str, Any]:
    return {
        "snapshot": _snapshot_json(told.snapshot, encoded),
        "at": told.at.isoformat(),
        "tellings": told.counts,
        "curtailing": sorted(told.curtailing),
    }


def _told(content: dict[str, Any]) -> Told:
    return Told(
        snapshot=_snapshot(content["snapshot"]),
        at=parse_time(content["at"]),
        counts={
            dispatch_id: {kind: int(times) for kind, times in counts.items()}
            for dispatch_id, counts in content["tellings"].items()
        },
        curtailing=frozenset(map(str, content["curtailing"])),
    )


def _snapshot_json(
    snapshot: Snapshot, encoded: Callable[[Dispatch], Any]
) -> dict[str, Any]:
    return {
        "dispatches": [encoded(each) for each in snapshot.dispatches.values()],
        "listed": snapshot.listed and _trace_json(snapshot.listed),
        "traces": {i: _trace_json(trace) for i, trace in snapshot.traces.items()},
    }


def _snapshot(content: dict[str, Any]) -> Snapshot:
    dispatches = [_dispatch(item) for item in content["dispatches"]]
    snapshot = Snapshot(
        {dispatch.id: dispatch for dispatch in dispatches},
        content["listed"] and _trace(content["listed"]),
        {i: _trace(trace) for i, trace in content["traces"].items()},
    )
    if not snapshot.listed and snapshot.dispatches.keys() - snapshot.traces.keys():
        raise ValueError("a dispatch without a trace")
    if snapshot.traces.keys() - snapshot.dispatches.keys():
        raise ValueError("a trace without a dispatch")
    return snapshot


def _dispatch_json(dispatch: Dispatch) -> dict[str, Any]:
    return {
        "wire": dispatch.as_wire(),
        "received": dispatch.received.isoformat(),
        "withdrawn": dispatch.withdrawn,
    }


def _dispatch(content: dict[str, Any]) -> Dispatch:
    dispatch = parse_dispatch(content["wire"], {}, parse_time(content["received"]), [])
    if dispatch is None:
        raise ValueError("not a dispatch")
    return replace(dispatch, withdrawn=bool(content["withdrawn"]))


def _trace_json(trace: Trace) -> dict[str, Any]:
    missing = trace.first_missing
    return {
        "asked": trace.asked,
        "contact": trace.contact.isoformat(),
        "first_missing": iso(missing),
        "gone": trace.gone,
    }


def _trace(content: dict[str, Any]) -> Trace:
    asked, missing = content["asked"], content["first_missing"]
    if not isinstance(asked, int):
        raise ValueError("not the number of a request")
    return Trace(
        asked=asked,
        contact=parse_time(content["contact"]),
        first_missing=None if missing is None else parse_time(missing),
        gone=bool(content["gone"]),
    )


def _site(content: dict[str, Any]) -> Site:
    meters = tuple(Meter(**meter) for meter in content["meters"])
    return Site(
        str(content["id"]),
        str(content["name"]),
        str(content["customer_location_id"]),
        meters,
    )


def _log_content(
    content: dict[str, Any],
) -> tuple[str, list[dict[str, Json]], dict[str, Dispatch]]:
    past = [_dispatch(item) for item in content["past"]]
    rows = [dict(row) for row in content["rows"]]
    for row in rows:
        parse_time(row["announced"])
        if not isinstance(row["type"], str):
            raise ValueError("not a row")
    verdicts(rows, datetime.max.replace(tzinfo=UTC))  # raises for what it cannot read
    return str(content["origin"]), rows, {dispatch.id: dispatch for dispatch in past}


def _repeats(last: dict[str, Json], row: dict[str, Json]) -> bool:
    return (
        last["type"] == row["type"] == ChangeType.UPDATED
        and last["dispatch_id"] == row["dispatch_id"]
    )
