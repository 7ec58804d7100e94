"""A season: of each program and site, what the records of its dispatches come to."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any

from ..aiovoltus.models import Json

type Group = tuple[str, str]


def season(
    records: Iterable[Mapping[str, Any]],
    *,
    rate_per_kwh: float | None = None,
    rate_per_kw_month: float | None = None,
) -> list[dict[str, Json]]:
    """Return one row for each program and site, in order; drills and tests are left out.

    - `dispatches`: how many named the site; `answered`: how many it curtailed for;
      `evaluated`: of how many the result is known.
    - `reduction` (kW), `performance` (%) and `minutes_to_full_drop` are means, `energy`
      (kWh) is the sum, and `worst` the dispatch of the least performance.
    - `money` is there only with a rate: by the energy saved, or by the mean reduction in
      each month that had a dispatch. It is an estimate as they are.
    """
    groups = defaultdict[Group, list[Mapping[str, Any]]](list)
    for record in records:
        dispatch = record["dispatch"]
        if record["drill"] or dispatch["test"] or record["status"] == "cancelled":
            continue
        program = (dispatch.get("program") or {}).get("name") or ""
        for site in dispatch["sites"]:
            groups[program, site["id"]].append(_of_site(record, site))
    return [
        {
            "program": program,
            "site_id": site_id,
            **_row(rows, rate_per_kwh, rate_per_kw_month),
        }
        for (program, site_id), rows in sorted(groups.items())
    ]


def _of_site(record: Mapping[str, Any], site: Mapping[str, Any]) -> dict[str, Any]:
    results = (e["result"] for e in record["sites"] if e["site_id"] == site["id"])
    return {
        **next(results, {}),
        "dispatch_id": record["dispatch"]["id"],
        "month": record["dispatch"]["start_time"][:7],
        "name": site["name"],
        "answered": any(e["site_id"] == site["id"] for e in record["curtailments"]),
    }


def _row(
    rows: list[Mapping[str, Any]], per_kwh: float | None, per_kw_month: float | None
) -> dict[str, Json]:
    known = [row for row in rows if row.get("reduction") is not None]
    rated = [row for row in rows if row.get("performance") is not None]
    worst = min(rated, key=lambda row: row["performance"], default=None)
    money = [
        *([per_kwh * _sum(rows, "energy")] if per_kwh is not None else []),
        *([per_kw_month * _kw_months(known)] if per_kw_month is not None else []),
    ]
    return {
        "name": rows[-1]["name"],
        "dispatches": len(rows),
        "answered": sum(row["answered"] for row in rows),
        "evaluated": len(known),
        "reduction": _mean(rows, "reduction"),
        "performance": _mean(rows, "performance"),
        "minutes_to_full_drop": _mean(rows, "minutes_to_full_drop"),
        "energy": round(_sum(rows, "energy"), 3) if known else None,
        "worst": worst
        and {
            "dispatch_id": worst["dispatch_id"],
            "performance": worst["performance"],
        },
        **({"money": round(sum(money), 2)} if money and known else {}),
    }


def _mean(rows: Iterable[Mapping[str, Any]], key: str) -> float | None:
    known = [row[key] for row in rows if row.get(key) is not None]
    return round(fmean(known), 3) if known else None


def _sum(rows: Iterable[Mapping[str, Any]], key: str) -> float:
    return float(sum(row[key] for row in rows if row.get(key) is not None))


def _kw_months(rows: Iterable[Mapping[str, Any]]) -> float:
    """Return the mean reduction of each month, added up."""
    months = defaultdict[str, list[float]](list)
    for row in rows:
        months[row["month"]].append(row["reduction"])
    return sum(fmean(each) for each in months.values())
