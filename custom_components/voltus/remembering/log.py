"""The log: what was announced when, and the dispatches that are over."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, final

from homeassistant.core import HomeAssistant, callback

from ..aiovoltus.by_hand import OperatorAct
from ..aiovoltus.models import Dispatch, Json, iso, parse_time
from ..aiovoltus.schedule import Change, ChangeType, CurtailmentChange, Look
from ..certification.verdict import verdicts
from .encoding import dispatch_as_json, dispatch_from_json, texts, typed
from .files import CheckedStore, async_load_or_set_aside

LOG_KEEPS = timedelta(days=90)
LOG_ROWS = 2000


def _optional(read: Callable[[object], object]) -> Callable[[object], object]:
    return lambda value: None if value is None else read(value)


def _number(value: object) -> float:
    return value if type(value) is float else typed(int, value)


_FIELDS: Mapping[str, Callable[[object], object]] = {
    "announced": parse_time,
    "type": partial(typed, str),
    "count": partial(typed, int),
    "dispatch_id": partial(typed, str),
    "change_id": partial(typed, str),
    "status": partial(typed, str),
    "test": partial(typed, bool),
    "drill": partial(typed, bool),
    "actionable": partial(typed, bool),
    "received": parse_time,
    "moment": _optional(parse_time),
    "start_time": _optional(parse_time),
    "end_time": _optional(parse_time),
    "late_seconds": _optional(_number),
    "delay_seconds": _optional(_number),
    "reason": partial(typed, str),
    "note": partial(typed, str),
    "after_seconds": _number,
    "user_id": _optional(partial(typed, str)),
    "sites": texts,
    "dispatch_ids": texts,
    "scenario": partial(typed, str),
    "entity_id": partial(typed, str),
    "scopes": texts,
}
"""What a field of a row must be, if it is there. Each raises ValueError."""


@final
@dataclass(frozen=True, slots=True)
class Unlogged:
    """Rows that the file of the log may not have yet, as they were added.

    `first` is how many rows were ever added before the first of them: so a file that
    has some of them already can tell which.
    """

    first: int = 0
    rows: tuple[dict[str, Json], ...] = ()


class Log:
    """What was announced when, and the dispatches that are over; kept for 90 days."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Use a file of the entry's own."""
        self._store = CheckedStore(hass, f"{entry_id}.log")
        self._writing = asyncio.Lock()
        self._origin = ""
        self.rows: list[dict[str, Json]] = []
        self.past: dict[str, Dispatch] = {}
        self._past_saved = self.past
        self.unlogged = Unlogged()

    @property
    def unsaved(self) -> bool:
        """Whether there is anything that its file does not have."""
        return bool(self.unlogged.rows) or self.past is not self._past_saved

    async def async_load(self, origin: str) -> None:
        """Read what earlier runs have written of this origin.

        Raises NotReadError if the disk does not give it.
        """
        self._origin = origin
        content = await async_load_or_set_aside(self._store, _log_content)
        if content and content.origin == origin:
            self.rows, self.past = content.rows, content.past
            self._past_saved = self.past
            self.unlogged = Unlogged(content.added)

    @callback
    def take_up(self, unlogged: Unlogged) -> None:
        """Add the rows that were kept elsewhere, but for those that the file has."""
        have = self.unlogged.first - unlogged.first
        self.unlogged = Unlogged(max(self.unlogged.first, unlogged.first))
        for row in unlogged.rows[max(have, 0) :]:
            self.async_add(row, parse_time(row["announced"]))

    @callback
    def async_add(self, row: dict[str, Json], now: datetime) -> None:
        """Add a row, as `log_row` makes it.

        `updated` upon `updated` of one dispatch becomes one row with a `count`: the
        public sandbox moves its dispatch at every poll.
        """
        first, waiting = self.unlogged.first, (*self.unlogged.rows, row)
        self.unlogged = Unlogged(first + len(waiting[:-LOG_ROWS]), waiting[-LOG_ROWS:])
        if self.rows and _repeats(self.rows[-1], row):
            count = self.rows.pop().get("count")
            row = {**row, "count": 1 + (count if isinstance(count, int) else 1)}
        oldest = (now - LOG_KEEPS).isoformat()
        rows = [*self.rows, row][-LOG_ROWS:]
        self.rows = [row for row in rows if str(row["announced"]) >= oldest]

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

    async def async_save(self) -> None:
        """Write the log now. Raises NotWrittenError if it is not on the disk then."""
        async with self._writing:
            past, added = self.past, self.unlogged.first + len(self.unlogged.rows)
            content = _Content(self._origin, [*self.rows], past, added)
            await self._store.async_write(partial(_log_json, content))
            self._past_saved = past
            new = added - self.unlogged.first
            self.unlogged = Unlogged(added, self.unlogged.rows[max(new, 0) :])


@final
@dataclass(frozen=True, slots=True)
class _Content:
    """What the file of the log has; `added` counts the rows ever added to it."""

    origin: str
    rows: list[dict[str, Json]]
    past: dict[str, Dispatch]
    added: int


def log_row(data: Mapping[str, Json], change: Change, now: datetime) -> dict[str, Json]:
    """Return the row of a change whose event data are `data`."""
    kept = (
        "change_id",
        "dispatch_id",
        "status",
        "test",
        "drill",
        "actionable",
        "source",
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


def load_row(
    come_to: str, entity_id: str, scopes: Iterable[str], now: datetime
) -> dict[str, Json]:
    """Return the row of what a load has come to, such as `load_down`."""
    return {
        "announced": now.isoformat(),
        "type": come_to,
        "entity_id": entity_id,
        "scopes": [*scopes],
    }


def said_row(
    data: Mapping[str, Json], act: OperatorAct, site_ids: Iterable[str], now: datetime
) -> dict[str, Json]:
    """Return the row of what the operator has said, whose event data are `data`."""
    kept = data.keys() & {
        "dispatch_id",
        "test",
        "drill",
        "reason",
        "note",
        "after_seconds",
        "user_id",
    }
    return {
        "announced": now.isoformat(),
        "type": act.value,
        **{key: data[key] for key in sorted(kept)},
        "sites": [*sorted(site_ids)],
    }


def unlogged_as_json(unlogged: Unlogged) -> dict[str, Any]:
    """Return rows that wait for the log as JSON."""
    return {"first": unlogged.first, "rows": unlogged.rows}


def unlogged_from_json(content: dict[str, Any]) -> Unlogged:
    """Read rows that wait for the log. Raises ValueError if one is none."""
    first = typed(int, content["first"])
    return Unlogged(first, tuple(_rows_from_json(content["rows"])))


def _log_json(content: _Content) -> dict[str, Any]:
    return {
        "origin": content.origin,
        "rows": content.rows,
        "past": [dispatch_as_json(dispatch) for dispatch in content.past.values()],
        "added": content.added,
    }


def _log_content(content: dict[str, Any]) -> _Content:
    past = [dispatch_from_json(item) for item in typed(list, content["past"])]
    return _Content(
        typed(str, content["origin"]),
        _rows_from_json(content["rows"]),
        {dispatch.id: dispatch for dispatch in past},
        typed(int, content.get("added", 0)),
    )


def _rows_from_json(content: object) -> list[dict[str, Json]]:
    rows = [typed(dict, row) for row in typed(list, content)]
    for row in rows:
        for name in ("announced", "type", *(row.keys() & _FIELDS.keys())):
            _FIELDS[name](row[name])
    verdicts(rows, datetime.max.replace(tzinfo=UTC))  # raises for what it cannot read
    return rows


def _repeats(last: dict[str, Json], row: dict[str, Json]) -> bool:
    return (
        last["type"] == row["type"] == ChangeType.UPDATED
        and last.get("dispatch_id") == row["dispatch_id"]
    )
