"""The log: what was announced when, and the dispatches that are over."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from homeassistant.core import HomeAssistant, callback

from ..aiovoltus.models import Dispatch, Json, iso, parse_time
from ..aiovoltus.schedule import Change, ChangeType, CurtailmentChange, Look
from ..certification.verdict import verdicts
from .encoding import dispatch_as_json, dispatch_from_json
from .files import async_load_or_set_aside, open_store

LOG_DELAY = 30
LOG_KEEPS = timedelta(days=90)
LOG_ROWS = 2000


class Log:
    """What was announced when, and the dispatches that are over; kept for 90 days."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Use a file of the entry's own."""
        self._store = open_store(hass, f"{entry_id}.log")
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
            "past": [dispatch_as_json(dispatch) for dispatch in self.past.values()],
        }


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


def _log_content(
    content: dict[str, Any],
) -> tuple[str, list[dict[str, Json]], dict[str, Dispatch]]:
    past = [dispatch_from_json(item) for item in content["past"]]
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
