"""How what is known is written to a file, and read back from one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..aiovoltus.models import (
    Dispatch,
    Meter,
    Site,
    Snapshot,
    Source,
    Trace,
    iso,
    parse_dispatch,
    parse_time,
)


def typed[T](kind: type[T], value: object) -> T:
    """Return a value of exactly this type.

    Raises ValueError for any other: true is no number, and no number is a text.
    """
    if type(value) is not kind:
        raise ValueError(f"not of type {kind.__name__}")
    return value


def texts(value: object) -> list[str]:
    """Return a list of texts. Raises ValueError for anything else."""
    return [typed(str, each) for each in typed(list, value)]


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
    dispatches = [
        dispatch_from_json(item) for item in typed(list, content["dispatches"])
    ]
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
        "source": dispatch.source.value,
        "drill": dispatch.drill,
    }


def dispatch_from_json(content: dict[str, Any]) -> Dispatch:
    """Read a dispatch back. Raises ValueError if it is none."""
    dispatch = parse_dispatch(content["wire"], {}, parse_time(content["received"]), [])
    if dispatch is None:
        raise ValueError("not a dispatch")
    return replace(
        dispatch,
        withdrawn=typed(bool, content["withdrawn"]),
        # What was stored before there was push has come by a poll.
        source=Source(content.get("source", Source.POLL)),
        drill=typed(bool, content.get("drill", False)),
    )


def _trace_as_json(trace: Trace) -> dict[str, Any]:
    missing = trace.first_missing
    return {
        "asked": trace.asked,
        "contact": trace.contact.isoformat(),
        "first_missing": iso(missing),
        "gone": trace.gone,
    }


def _trace_from_json(content: dict[str, Any]) -> Trace:
    missing = content["first_missing"]
    return Trace(
        asked=typed(int, content["asked"]),
        contact=parse_time(content["contact"]),
        first_missing=None if missing is None else parse_time(missing),
        gone=typed(bool, content["gone"]),
    )


def site_from_json(content: dict[str, Any]) -> Site:
    """Read a site back. Raises ValueError if it is none."""
    return Site(
        typed(str, content["id"]),
        typed(str, content["name"]),
        typed(str, content["customer_location_id"]),
        tuple(map(_meter_from_json, typed(list, content["meters"]))),
    )


def _meter_from_json(content: dict[str, Any]) -> Meter:
    names = ("id", "name", "asset_type")
    return Meter(*(typed(str, content[name]) for name in names))
