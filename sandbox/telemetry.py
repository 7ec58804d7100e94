"""What meters have measured, as strictly as Voltus takes it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from .wire import RequestError, Wire, as_list, as_object, is_number, parse_time

LONGEST = 300
GRID = 30


def parse_telemetry(
    asked: object, sites: Sequence[Wire], most_rows: int, now: datetime
) -> list[Wire]:
    """Read the rows of a request. One bad row fails them all. Raises RequestError."""
    items = as_list(as_object(asked, "the body").get("telemetry"), "telemetry")
    if len(items) > most_rows:
        raise RequestError(f"no more than {most_rows} rows at once", 413)
    meters = _asset_types(sites)
    rows = [as_object(item, "a row") for item in items]
    for row in rows:
        _check(row, meters, now)
    _check_units(rows, meters)
    return rows


def parse_controllable_load(
    asked: object, sites: Sequence[Wire], now: datetime
) -> list[Wire]:
    """Read what can be curtailed of sites. One bad row fails all. Raises RequestError."""
    body = as_object(asked, "the body")
    items = as_list(body.get("controllable_load"), "controllable_load")
    rows = [as_object(item, "a row") for item in items]
    known = {site["id"] for site in sites}
    for row in rows:
        checks = {
            "site_id": row.get("site_id") in known,
            "interval_seconds": _is_interval(row.get("interval_seconds")),
            "value": is_number(row.get("value")),
            "units": row.get("units") == "kW",
            "timestamp": _is_past(row.get("timestamp"), now),
        }
        _refuse_bad(row, checks)
    return rows


def _is_interval(seconds: object) -> bool:
    return (
        isinstance(seconds, int)
        and is_number(seconds, GRID, LONGEST)
        and seconds % GRID == 0
    )


def _refuse_bad(row: Wire, checks: Mapping[str, bool]) -> None:
    for name, good in checks.items():
        if not good:
            raise RequestError(f"{name} may not be {row.get(name)!r}")


def _asset_types(sites: Iterable[Wire]) -> dict[object, object]:
    """Return the asset type of each meter by its id."""
    found = (
        as_object(meter, "a meter")
        for site in sites
        if site.get("meters")
        for meter in as_list(site["meters"], "meters")
    )
    return {meter["id"]: meter["asset_type"] for meter in found}


def _check(row: Wire, meters: Mapping[object, object], now: datetime) -> None:
    checks = {
        "meter_id": row.get("meter_id") in meters,
        "interval_seconds": _is_interval(row.get("interval_seconds")),
        "value": is_number(row.get("value")),
        "units": row.get("units") in ("kW", "kWh"),
        "timestamp": _is_past(row.get("timestamp"), now),
    }
    _refuse_bad(row, checks)


def _is_past(timestamp: object, now: datetime) -> bool:
    try:
        return parse_time(timestamp) <= now
    except ValueError:
        return False


def _check_units(rows: Sequence[Wire], meters: Mapping[object, object]) -> None:
    """One unit a request, but for batteries, of which both are needed."""
    units: dict[object, set[object]] = {}
    for row in rows:
        units.setdefault(row["meter_id"], set()).add(row["units"])
    batteries = {meter_id for meter_id in units if meters[meter_id] == "battery"}
    for meter_id in batteries:
        if len(units[meter_id]) < 2:
            raise RequestError(f"of the battery {meter_id} kW and kWh are needed")
    others = (units[meter_id] for meter_id in units if meter_id not in batteries)
    if len(set().union(*others)) > 1:
        raise RequestError("only batteries may have kW and kWh in one request")
