"""Dispatches with sensible defaults: as Voltus sends them, and as we know them.

The tests play around `NOON`; `at(20)` is twenty minutes later. By default a dispatch is
created at `EIGHT`, starts at `NOON` and ends at `ONE`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from custom_components.voltus.aiovoltus.models import (
    Dispatch,
    DispatchSite,
    Json,
    Program,
    Snapshot,
    Trace,
)

EIGHT = datetime(2026, 7, 15, 8, tzinfo=UTC)
NOON = datetime(2026, 7, 15, 12, tzinfo=UTC)
ONE = datetime(2026, 7, 15, 13, tzinfo=UTC)
PROGRAM = Program(5555, "A Program", "CAISO", "US/Pacific", "capacity")

type Amounts = Mapping[str, float | None]


def at(minutes: float) -> datetime:
    """Return the instant so many minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def wire_time(time: datetime) -> str:
    """Write a time as Voltus does, with `Z`."""
    return time.isoformat().replace("+00:00", "Z")


def wire_dispatch(
    id: str = "d1",
    start: datetime = NOON,
    end: datetime | None = ONE,
    sites: Amounts | None = None,
    **wire_fields: Json,
) -> dict[str, Json]:
    """Return a dispatch as JSON; `sites` maps ids to commitments, no end is omitted."""
    dispatch: dict[str, Json] = {
        "id": id,
        "authorized": True,
        "test": False,
        "start_time": wire_time(start),
        "creation_time": wire_time(EIGHT),
        "modification_number": 0,
        "program": {
            "id": 5555,
            "name": "A Program",
            "market": "CAISO",
            "timezone": "US/Pacific",
            "program_type": "capacity",
        },
        "sites": [
            {
                "id": site_id,
                "name": f"Site {site_id}",
                "customer_location_id": "",
                "commitment": commitment,
            }
            for site_id, commitment in _amounts(sites).items()
        ],
    }
    if end is not None:
        dispatch["end_time"] = wire_time(end)
    return dispatch | wire_fields


def dispatch(
    id: str = "d1",
    start: datetime = NOON,
    end: datetime | None = ONE,
    sites: Amounts | None = None,
    *,
    authorized: bool = True,
    test: bool = False,
    creation_time: datetime | None = EIGHT,
    modification_number: int | None = 0,
    program: Program | None = PROGRAM,
    metadata: Mapping[str, Json] | None = None,
    received: datetime = NOON,
    withdrawn: bool = False,
) -> Dispatch:
    """Return what `wire_dispatch` with the same arguments is read as."""
    return Dispatch(
        id=id,
        authorized=authorized,
        test=test,
        start_time=start,
        end_time=end,
        creation_time=creation_time,
        modification_number=modification_number,
        program=program,
        sites=tuple(
            DispatchSite(site_id, f"Site {site_id}", "", commitment)
            for site_id, commitment in sorted(_amounts(sites).items())
        ),
        metadata=metadata,
        received=received,
        withdrawn=withdrawn,
    )


def snapshot(*dispatches: Dispatch, at: datetime = NOON) -> Snapshot:
    """Return what is known after the first complete list of these, read at `at`."""
    return Snapshot({each.id: each for each in dispatches}, Trace(1, at))


def _amounts(sites: Amounts | None) -> Amounts:
    return {"s1": 100.0} if sites is None else sites
