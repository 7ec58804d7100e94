"""Drills: dispatches of our own making, to rehearse with, which Voltus knows nothing of.

A drill is written in advance, whole: every version of its dispatches, each `received`
at the instant from which on it counts. So it goes its way by the clock alone, over
restarts and with Voltus down. At the sites of a real dispatch it gives way.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from .models import Dispatch, Snapshot
from .reconcile import FORGET_AFTER
from .schedule import Policy, look, status

type Drills = tuple[Dispatch, ...]
"""All versions of all dispatches of drills, those of one dispatch in their order."""

LONGEST = timedelta(hours=4)


def published(drills: Drills, now: datetime) -> dict[str, Dispatch]:
    """Return the versions that count at `now`, by the id of their dispatch."""
    return {each.id: each for each in drills if each.received <= now}


def next_publication(drills: Drills, now: datetime) -> datetime | None:
    """Return when the next version begins to count."""
    return min((d.received for d in drills if d.received > now), default=None)


def live(drills: Drills, now: datetime) -> list[Dispatch]:
    """Return what is on or to come, as it is now; what is not published yet as it will."""
    current = {each.id: each for each in reversed(drills)} | published(drills, now)
    return [each for each in current.values() if not status(each, now).over]


def beside(known: Snapshot, drills: Drills, now: datetime) -> Snapshot:
    """Return what is known with the drills in it: itself if there are none.

    Should Voltus ever use the id of a drill, what Voltus says counts.
    """
    if not drills:
        return known
    return replace(known, dispatches={**published(drills, now), **known.dispatches})


def stopped(drills: Drills, now: datetime) -> Drills:
    """End what is on and cancel what is to come."""
    last = [
        replace(
            each,
            authorized=each.start_time < now,
            end_time=now if each.start_time < now else each.end_time,
            modification_number=(each.modification_number or 0) + 1,
            received=now,
        )
        for each in live(drills, now)
        if each.received <= now
    ]
    return (*(each for each in drills if each.received <= now), *last)


def giving_way(
    drills: Drills, known: Snapshot, policy: Policy, now: datetime
) -> Drills:
    """Stop all if a real dispatch curtails a site of one that has begun, lead included."""
    begun = {
        site.id
        for each in live(drills, now)
        if each.start_time - policy.lead_time <= now
        for site in each.sites
    }
    if not begun or begun.isdisjoint(look(known, policy, now).curtailing):
        return drills
    return stopped(drills, now)


def remembered(drills: Drills, now: datetime) -> Drills:
    """Leave out what has been over for as long as other dispatches are remembered."""
    kept = {each.id for each in live(drills, now - FORGET_AFTER)}
    left = tuple(each for each in drills if each.id in kept)
    return drills if len(left) == len(drills) else left


def obstacles(
    site_ids: Iterable[str], known: Snapshot, policy: Policy, begin: datetime
) -> list[str]:
    """Return which of these sites a real dispatch curtails when a drill would begin."""
    curtailing = look(known, policy, begin).curtailing
    return [site_id for site_id in site_ids if site_id in curtailing]
