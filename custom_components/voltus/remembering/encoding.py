"""How what is known is written to a file, and read back from one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..aiovoltus.models import (
    Dispatch,
    Meter,
    Site,
    Snapshot,
    Trace,
    iso,
    parse_dispatch,
    parse_time,
)


def snapshot_as_json(
    snapshot: Snapshot, encoded: Callable[[Dispatch], Any]
) -> dict[str, Any]:
    """Return a snapshot as JSON; `encoded` writes each dispatch."""
    return {
        "dispatches": [encoded(each) for each in snapshot.dispatches.values()],
        "listed": snapshot.listed and _trace_as_json(snapshot.listed),
        "traces": {i: _trace_as_json(trace) for i, trace in snapshot.traces.items()},
    }


def snapshot_from_json(content: dict[str, Any]) -> Snapshot:
    """Read a snapshot back. Raises ValueError if it does not hold together."""
    dispatches = [dispatch_from_json(item) for item in content["dispatches"]]
    snapshot = Snapshot(
        {dispatch.id: dispatch for dispatch in dispatches},
        content["listed"] and _trace_from_json(content["listed"]),
        {i: _trace_from_json(trace) for i, trace in content["traces"].items()},
    )
    if not snapshot.listed and snapshot.dispatches.keys() - snapshot.traces.keys():
        raise ValueError("a dispatch without a trace")
    if snapshot.traces.keys() - snapshot.dispatches.keys():
        raise ValueError("a trace without a dispatch")
    return snapshot


def dispatch_as_json(dispatch: Dispatch) -> dict[str, Any]:
    """Return a version of a dispatch as JSON, with what we know of it ourselves."""
    return {
        "wire": dispatch.as_wire(),
        "received": dispatch.received.isoformat(),
        "withdrawn": dispatch.withdrawn,
    }


def dispatch_from_json(content: dict[str, Any]) -> Dispatch:
    """Read a dispatch back. Raises ValueError if it is none."""
    dispatch = parse_dispatch(content["wire"], {}, parse_time(content["received"]), [])
    if dispatch is None:
        raise ValueError("not a dispatch")
    return replace(dispatch, withdrawn=bool(content["withdrawn"]))


def _trace_as_json(trace: Trace) -> dict[str, Any]:
    missing = trace.first_missing
    return {
        "asked": trace.asked,
        "contact": trace.contact.isoformat(),
        "first_missing": iso(missing),
        "gone": trace.gone,
    }


def _trace_from_json(content: dict[str, Any]) -> Trace:
    asked, missing = content["asked"], content["first_missing"]
    if not isinstance(asked, int):
        raise ValueError("not the number of a request")
    return Trace(
        asked=asked,
        contact=parse_time(content["contact"]),
        first_missing=None if missing is None else parse_time(missing),
        gone=bool(content["gone"]),
    )


def site_from_json(content: dict[str, Any]) -> Site:
    """Read a site back."""
    meters = tuple(Meter(**meter) for meter in content["meters"])
    return Site(
        str(content["id"]),
        str(content["name"]),
        str(content["customer_location_id"]),
        meters,
    )
