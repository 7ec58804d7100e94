"""The record of one dispatch: what Voltus asked for, when we knew, acted, and by how much.

It is made of the log and of what is estimated of the sites. Half an hour after the
dispatch was over it is sealed: by a SHA-256 over all of it, the hash of the record before
it included, so that one that was edited, or taken out of the row, is found out.
"""

from collections.abc import Iterable, Mapping, Sequence
import csv
from datetime import datetime, timedelta
from hashlib import sha256
import io
import json
from typing import Any, Final

from ..aiovoltus.models import Dispatch, Json, iso
from ..aiovoltus.schedule import status
from ..certification.verdict import Curtailed

FINAL_AFTER: Final = timedelta(minutes=30)
"""After the end; until then what Voltus changes may still change the record."""
LOADS_AFTER: Final = timedelta(hours=2)
"""How long after the end loads may still be coming back."""
COLUMNS: Final = (
    "announced",
    "type",
    "moment",
    "received",
    "source",
    "delay_seconds",
    "late_seconds",
    "status",
)

type Row = Mapping[str, Json]
type Record = dict[str, Any]


def over_at(dispatch: Dispatch) -> datetime:
    """Return when a dispatch that is over was so, and we knew."""
    if not dispatch.authorized or dispatch.withdrawn:
        return dispatch.received
    return max(dispatch.end_time or dispatch.received, dispatch.received)


def report(
    dispatch: Dispatch,
    rows: Sequence[Row],
    curtailed: Iterable[Curtailed],
    now: datetime,
    *,
    options: Mapping[str, Json],
    sites: Iterable[Mapping[str, Any]] = (),
) -> Record:
    """Return all that is known of a dispatch, as JSON; times have an offset.

    `rows` are all of the log, `options` those in force, `sites` what came of it where
    that is estimated. It is `preliminary` until it is sealed.
    """
    acts = [each for each in curtailed if dispatch.id in each.dispatch_ids]
    return {
        "dispatch": dispatch.as_wire(),
        "status": status(dispatch, now).value,
        "drill": dispatch.drill,
        "made": now.isoformat(),
        "over": iso(over_at(dispatch)) if status(dispatch, now).over else None,
        "preliminary": True,
        "options": dict(options),
        "changes": [row for row in rows if row.get("dispatch_id") == dispatch.id],
        "curtailments": [
            {"site_id": each.site_id, "on": each.on.isoformat(), "off": iso(each.off)}
            for each in acts
        ],
        "loads": list(_loads(rows, acts, now)),
        "sites": [dict(each) for each in sites],
    }


def sealed(record: Record, before: str, revision: int) -> Record:
    """Return a record as it is kept: with the hash of the one before and its own.

    That is the SHA-256, in hexadecimal digits, of the record without its `hash`, as JSON
    without spaces and with sorted names, in UTF-8.
    """
    whole = {**record, "preliminary": False, "revision": revision, "before": before}
    return {**whole, "hash": hash_of(whole)}


def hash_of(record: Mapping[str, Any]) -> str:
    """Return the hash that a record is to have."""
    content = {key: value for key, value in record.items() if key != "hash"}
    text = json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return sha256(text.encode()).hexdigest()


def as_csv(content: Mapping[str, Any]) -> str:
    """Return the changes of a record as a table."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(content["changes"])
    return text.getvalue()


def _loads(
    rows: Iterable[Row], acts: Sequence[Curtailed], now: datetime
) -> Iterable[Row]:
    """Return what loads did while the dispatch curtailed, and as they came back."""
    if not acts:
        return ()
    begin = min(each.on for each in acts).isoformat()
    end = (max(each.off or now for each in acts) + LOADS_AFTER).isoformat()
    return (
        row for row in rows if is_of_load(row) and begin <= str(row["announced"]) < end
    )


def is_of_load(row: Row) -> bool:
    """Whether a row of the log says what a load has come to."""
    return str(row["type"]).startswith("load_")


def result_in_words(site: Mapping[str, Any]) -> str:
    """Return what came of a dispatch at a site, such as "Riverside: 118 of 110 kW"."""
    if site["reduction"] is None:
        return f"{site['name']}: not known"
    asked = "" if site["commitment"] is None else f" of {site['commitment']:g}"
    parts = [f"{site['reduction']:.0f}{asked} kW", f"{site['energy']:.0f} kWh"]
    if site["minutes_to_full_drop"] is not None:
        parts.append(f"full drop after {site['minutes_to_full_drop']:.0f} min")
    if not site["complete"]:
        parts.append("incomplete")
    return f"{site['name']}: {', '.join(parts)}"
