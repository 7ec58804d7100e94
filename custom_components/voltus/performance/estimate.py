"""What is estimated of a site at an instant, and what came of a dispatch there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, final

from ..aiovoltus.models import Dispatch, Json
from ..aiovoltus.schedule import Status, status
from ..metering.baseline import (
    Baseline,
    DispatchTimes,
    Profile,
    quarters_between,
    wall_clock,
)
from ..metering.load import MINUTE, SiteLoad
from ..metering.performance import (
    Interval,
    Performance,
    behind,
    difference,
    performance,
    target_load,
)

SHOWN_AFTER: Final = timedelta(hours=1)
"""How long after the end a dispatch is still the one that is shown."""
AROUND: Final = timedelta(hours=1)
"""How much of the load before and after a dispatch belongs to its record."""
_RANKS: Final = {Status.ACTIVE: 0, Status.ENDED: 1, Status.SCHEDULED: 2}


@final
@dataclass(frozen=True, slots=True)
class Estimate:
    """What is shown of a site: kW, %, kWh; None where it is not known.

    `dispatch_id` is the dispatch that it is about, None if there is none. `behind` is
    None outside of its time. `days` of the `needed` days were found for the baseline.
    """

    load: float | None = None
    dispatch_id: str | None = None
    since: datetime | None = None
    baseline: float | None = None
    target: float | None = None
    reduction: float | None = None
    percent: float | None = None
    energy: float | None = None
    behind: bool | None = None
    complete: bool | None = None
    days: int = 0
    needed: int = 0
    adjustment: float | None = None


def times_of(dispatch: Dispatch) -> DispatchTimes:
    """Return when a dispatch was made known, and from when to when it asks for load.

    One that was cancelled did so until that was known.
    """
    end = dispatch.end_time
    if not dispatch.authorized or dispatch.withdrawn:
        end = min(filter(None, (end, dispatch.received)))
    notice = dispatch.creation_time or dispatch.received
    return DispatchTimes(min(notice, dispatch.start_time), dispatch.start_time, end)


def shown(
    dispatches: Iterable[Dispatch], site_id: str, now: datetime
) -> Dispatch | None:
    """Return the dispatch that the estimates of a site are about.

    That is the first of those under way, else the last of those that are over for less
    than an hour, else the next.
    """
    ranked = [
        (_RANKS[kind], _distance(each, now), each.id, each)
        for each in dispatches
        if (kind := status(each, now)) is not Status.CANCELLED
        and any(site.id == site_id for site in each.sites)
        and (each.end_time is None or now < each.end_time + SHOWN_AFTER)
    ]
    return min(ranked)[-1] if ranked else None


def _distance(dispatch: Dispatch, now: datetime) -> timedelta:
    """Return what says which of several that are alike is shown: the least."""
    if status(dispatch, now) is Status.ENDED and dispatch.end_time:
        return now - dispatch.end_time
    return dispatch.start_time - now


def commitment_of(dispatch: Dispatch, site_id: str) -> float | None:
    """Return by how much a dispatch asks a site to lower its load, in kW."""
    return next((s.commitment for s in dispatch.sites if s.id == site_id), None)


def estimate(
    dispatch: Dispatch,
    site_id: str,
    baseline: Baseline,
    load: SiteLoad,
    now: datetime,
    oldest: timedelta,
) -> Estimate:
    """Return what is shown of a site while a dispatch is announced, on, or just over.

    A load that is older than `oldest` is not the load of now.
    """
    times, commitment = times_of(dispatch), commitment_of(dispatch, site_id)
    latest = load.latest
    until = now if latest is None or now - latest > oldest else latest
    intervals = load.intervals(times.start, until)
    result = performance(baseline, commitment, intervals, times, until)
    kw, usual = load.kw(now, oldest), baseline.at(now)
    active = status(dispatch, now) is Status.ACTIVE
    return Estimate(
        load=kw,
        dispatch_id=dispatch.id,
        since=times.start,
        baseline=usual,
        target=target_load(baseline, commitment, now)
        if status(dispatch, now) is not Status.ENDED
        else None,
        reduction=difference(usual, kw) if active else None,
        percent=result.percent,
        energy=result.energy,
        behind=behind(
            baseline,
            commitment,
            (each for each in intervals if each.start >= times.start),
        )
        if active
        else None,
        complete=baseline.complete,
        days=len(baseline.days),
        needed=baseline.needed,
        adjustment=baseline.adjustment,
    )


def outcome(
    dispatch: Dispatch,
    site_id: str,
    baseline: Baseline,
    load: SiteLoad,
    now: datetime,
) -> dict[str, Any]:
    """Return what came of a dispatch at a site, with all that it was calculated from.

    As JSON: kW, kWh, %, minutes, times with an offset; None where it is not known.
    """
    times, commitment = times_of(dispatch), commitment_of(dispatch, site_id)
    end = min(times.end or now, now)
    if status(dispatch, now) is Status.ACTIVE and load.latest:
        # What has not been measured yet is no gap.
        end = min(end, load.latest)
    result = performance(
        baseline, commitment, load.intervals(times.start, end), times, end
    )
    begins, ends = times.start - AROUND, min(end + AROUND, now)
    return {
        "site_id": site_id,
        "commitment": commitment,
        "result": result_as_json(result),
        "baseline": baseline_as_json(baseline, begins, ends),
        "load": [
            [each.start.isoformat(), _rounded(each.kw)]
            for each in load.intervals(begins, ends)
        ],
        "target": [
            [
                max(instant, times.start).isoformat(),
                _rounded(target_load(baseline, commitment, instant)),
            ]
            for instant in quarters_between(times.start, end)
        ],
    }


def result_as_json(result: Performance) -> dict[str, Json]:
    """Return a result as JSON."""
    drop = result.full_drop
    return {
        "complete": result.complete,
        "covered": _rounded(result.covered),
        "reduction": _rounded(result.reduction),
        "performance": _rounded(result.percent, 1),
        "energy": _rounded(result.energy),
        "reached_target": result.reached_target,
        "minutes_to_full_drop": None if drop is None else round(drop / MINUTE, 1),
        "worst": _interval_as_json(result.worst),
    }


def baseline_as_json(
    baseline: Baseline, begins: datetime, ends: datetime
) -> dict[str, Any]:
    """Return a baseline in this time, and what it was calculated from, as JSON."""
    instants = list(quarters_between(begins, ends))
    slots = {wall_clock(each, baseline.zone) for each in instants}
    return {
        "kw": [
            [each.isoformat(), _rounded(baseline.at(each))]
            for each in instants
            if baseline.at(each) is not None
        ],
        "time_zone": str(baseline.zone),
        "complete": baseline.complete,
        "days_needed": baseline.needed,
        "days": {
            day.isoformat(): _profile_as_json(profile, slots)
            for day, profile in baseline.days.items()
        },
        "window": {
            instant.isoformat(): _rounded(kw) for instant, kw in baseline.window.items()
        },
        "adjustment": _rounded(baseline.adjustment, 4),
    }


def _profile_as_json(profile: Profile, slots: set[Any]) -> Mapping[str, Json]:
    return {
        f"{slot:%H:%M}": _rounded(kw)
        for slot, kw in sorted(profile.items())
        if slot in slots
    }


def _interval_as_json(interval: Interval | None) -> dict[str, Json] | None:
    return interval and {
        "start": interval.start.isoformat(),
        "end": interval.end.isoformat(),
        "load": _rounded(interval.load),
        "baseline": _rounded(interval.baseline),
        "target": _rounded(interval.target),
    }


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else round(value, digits)
