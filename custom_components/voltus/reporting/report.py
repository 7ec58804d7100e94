"""The report on one dispatch: what Voltus asked for, when we knew, and when we acted.

It is made of the log, which has all of it. Its rows are chained: each has a SHA-256 over
itself and the hash of the row before, so that a report edited by hand is found out.
"""

from collections.abc import Iterable, Mapping
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
"""After the end; until then what Voltus changes may still change the report."""
COLUMNS: Final = (
    "announced",
    "type",
    "moment",
    "received",
    "source",
    "delay_seconds",
    "late_seconds",
    "status",
    "hash",
)

type Row = Mapping[str, Json]


def report(
    dispatch: Dispatch,
    rows: Iterable[Row],
    curtailed: Iterable[Curtailed],
    now: datetime,
) -> dict[str, Any]:
    """Return all that is known of a dispatch, as JSON; times have an offset.

    It is `preliminary` until half an hour after the dispatch was over.
    """
    over = status(dispatch, now).over
    last = dispatch.end_time or dispatch.received
    return {
        "dispatch": dispatch.as_wire(),
        "status": status(dispatch, now).value,
        "drill": dispatch.drill,
        "made": now.isoformat(),
        "preliminary": not over or now < max(last, dispatch.received) + FINAL_AFTER,
        "changes": chained(rows),
        "curtailments": [
            {"site_id": each.site_id, "on": each.on.isoformat(), "off": iso(each.off)}
            for each in curtailed
            if dispatch.id in each.dispatch_ids
        ],
    }


def chained(rows: Iterable[Row]) -> list[dict[str, Json]]:
    """Return rows, each with the `hash` of itself and of the hash before it.

    That is the SHA-256, in hexadecimal digits, of the hash before (none before the
    first) and the row as JSON without spaces and with sorted names, in UTF-8.
    """
    before, found = "", []
    for row in rows:
        text = json.dumps(
            row, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        before = sha256((before + text).encode()).hexdigest()
        found.append({**row, "hash": before})
    return found


def as_csv(content: Mapping[str, Any]) -> str:
    """Return the changes of a report as a table."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(content["changes"])
    return text.getvalue()
