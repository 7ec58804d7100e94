"""What an operator can ask for: all dispatches, and what came of them."""

from collections.abc import Callable, Collection
from datetime import datetime

from homeassistant.core import ServiceResponse

from ..aiovoltus.models import Dispatch, Json, iso, parse_time
from ..aiovoltus.schedule import Look, Status
from ..aiovoltus.schedule import status as status_of
from ..certification.actions import check_sites
from ..certification.verdict import Curtailed, curtailments, verdicts
from ..coordinator import VoltusCoordinator
from ..records.report import is_of_load
from ..records.season import season


async def get_dispatches(
    account: VoltusCoordinator,
    *,
    status: Collection[Status] = (),
    site_id: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> ServiceResponse:
    """Return what Voltus says, whatever the operator acts on."""
    within, now = _period(start, end), account.now()
    known = {**account.log.past, **account.data.snapshot.dispatches}
    named = {site.id for each in known.values() for site in each.sites}
    if site_id is not None and site_id not in named:
        check_sites(account, [site_id])
    return {
        "dispatches": [
            _dispatch(each, account.data, now)
            for each in sorted(known.values(), key=lambda d: (d.start_time, d.id))
            if (not status or status_of(each, now) in status)
            and (site_id is None or site_id in {site.id for site in each.sites})
            and within(each.start_time, each.end_time)
        ]
    }


async def get_log(
    account: VoltusCoordinator,
    *,
    dispatch_id: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> ServiceResponse:
    """Return what was announced, when `curtail` was on, and how scenarios went."""
    rows, within = account.log.rows, _period(start, end)
    return {
        "changes": [
            row
            for row in rows
            if "dispatch_id" in row
            and dispatch_id in (None, row["dispatch_id"])
            and within(announced := parse_time(row["announced"]), announced)
        ],
        "loads": [
            row
            for row in rows
            if dispatch_id is None
            and is_of_load(row)
            and within(announced := parse_time(row["announced"]), announced)
        ],
        "curtailments": [
            _curtailed(each)
            for each in curtailments(rows)
            if (dispatch_id is None or dispatch_id in each.dispatch_ids)
            and within(each.on, each.off)
        ],
        "scenarios": [
            each
            for each in verdicts(rows, account.now())
            if within(parse_time(each["posted"]), parse_time(each["until"]))
        ],
    }


async def get_season(
    account: VoltusCoordinator,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    rate_per_kwh: float | None = None,
    rate_per_kw_month: float | None = None,
) -> ServiceResponse:
    """Return what the records of a season come to, by program and site; an estimate."""
    within = _period(start, end)
    chosen = [
        each
        for each in account.records.latest.values()
        if within(parse_time(each["dispatch"]["start_time"]), parse_time(each["over"]))
    ]
    rows = season(
        chosen, rate_per_kwh=rate_per_kwh, rate_per_kw_month=rate_per_kw_month
    )
    return {"estimated": True, "sites": [*rows]}


def _period(
    start: datetime | None, end: datetime | None
) -> Callable[[datetime, datetime | None], bool]:
    """Return what tells whether something touches `[start, end)`."""
    return lambda begin, over: (
        (end is None or begin < end)
        and (start is None or over is None or max(begin, over) >= start)
    )


def _dispatch(dispatch: Dispatch, look: Look, now: datetime) -> dict[str, Json]:
    sites: list[Json] = [
        {
            "id": site.id,
            "name": site.name,
            "customer_location_id": site.customer_location_id,
            "commitment": site.commitment,
            "curtail": look.curtailment(site.id).curtail,
        }
        for site in dispatch.sites
    ]
    return dispatch.as_wire() | {
        "status": status_of(dispatch, now).value,
        "actionable": look.policy.lets_through(dispatch),
        "withdrawn": dispatch.withdrawn,
        "drill": dispatch.drill,
        "received": dispatch.received.isoformat(),
        "sites": sites,
    }


def _curtailed(each: Curtailed) -> dict[str, Json]:
    return {
        "site_id": each.site_id,
        "on": each.on.isoformat(),
        "off": iso(each.off),
        "dispatch_ids": [*each.dispatch_ids],
    }
