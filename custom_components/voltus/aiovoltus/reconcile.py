"""What an answer of Voltus' teaches: how one snapshot becomes the next.

Absence from a list is no cancel; Voltus' only cancel is `authorized: false`. A dispatch
that is missing is asked for by id, and only two 404s mean that it is gone. An answer
asked for earlier than the one a dispatch is known from is ignored: `asked` is the
number of its request. A lower `modification_number` than the one known comes from a
server that lags behind, until consecutive answers `apart` or more from each other have
it: Voltus may have answered from copies in turn.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import final

from .models import (
    Dispatch,
    Listing,
    Site,
    SiteList,
    Snapshot,
    Source,
    Trace,
    can_be_asked_for,
)
from .schedule import status

ASKED_PER_POLL = 5
FORGET_AFTER = timedelta(hours=48)
SITES_EVERY = timedelta(hours=6)


@final
@dataclass(frozen=True, slots=True)
class Absence:
    """When a dispatch that Voltus no longer knows counts as withdrawn.

    Posting a scenario deletes the dispatches of the one before, so where scenarios are
    posted even one under way is withdrawn.
    """

    apart: timedelta
    withdraw_active: bool


@final
@dataclass(frozen=True, slots=True)
class KnownSites:
    """The sites that take part, and since when each was absent from `GET /sites`.

    `answered` tells whether that request ever was. `new` are the sites that have
    appeared since its first answer and that nobody has confirmed yet. `departed` are
    those that left after they were seen to: if they return, they are not new.
    """

    sites: Mapping[str, Site] = field(default_factory=dict, hash=False)
    absent_since: Mapping[str, datetime] = field(default_factory=dict, hash=False)
    answered: bool = False
    new: frozenset[str] = frozenset()
    departed: frozenset[str] = field(default=frozenset(), compare=False)


PRODUCTION_ABSENCE = Absence(apart=timedelta(seconds=60), withdraw_active=False)
SANDBOX_ABSENCE = Absence(apart=timedelta(0), withdraw_active=True)


def listed(
    snapshot: Snapshot,
    listing: Listing,
    asked: int,
    now: datetime,
    *,
    apart: timedelta,
) -> Snapshot:
    """Take in a complete list: the only answer that can prove absence."""
    if snapshot.listed and asked < snapshot.listed.asked:
        return snapshot
    newer = {
        dispatch_id: trace
        for dispatch_id, trace in snapshot.traces.items()
        if trace.asked > asked
    }
    told = {
        dispatch_id: dispatch
        for dispatch_id, dispatch in listing.dispatches.items()
        if dispatch_id not in newer
    }
    unheard = {i: since for i, since in snapshot.lagging.items() if i in newer}
    lagging = unheard | _lagging(snapshot, told, now, apart)
    traces = newer | {
        dispatch_id: snapshot.trace(dispatch_id)
        for dispatch_id in snapshot.dispatches
        if dispatch_id not in told
    }
    fresh = {i: dispatch for i, dispatch in told.items() if i not in lagging}
    dispatches = {**snapshot.dispatches, **fresh}
    for dispatch_id in _forgettable(dispatches, traces, now):
        del dispatches[dispatch_id], traces[dispatch_id]
    return Snapshot(
        # What is the same stays the same object, so that nobody need compare again.
        snapshot.dispatches if dispatches == snapshot.dispatches else dispatches,
        Trace(asked, now),
        snapshot.traces if traces == snapshot.traces else traces,
        lagging,
    )


def unchanged(
    snapshot: Snapshot, listing: Listing, asked: int, now: datetime
) -> Snapshot:
    """Take in a list that says the same as the last one, `listing`.

    Only contact has moved on; what was found by id since is listed still.
    """
    listed_again = [
        dispatch_id
        for dispatch_id, trace in snapshot.traces.items()
        if trace.asked < asked and dispatch_id in listing.dispatches
    ]
    traces = snapshot.traces
    if listed_again:
        traces = {i: trace for i, trace in traces.items() if i not in listed_again}
    return replace(snapshot, listed=Trace(asked, now), traces=traces)


def missing(snapshot: Snapshot, now: datetime) -> list[str]:
    """Return the ids to ask for in this poll: at most five, longest missing first.

    What is gone for sure is asked for last, so that it does not starve the others.
    """
    candidates = [
        dispatch_id
        for dispatch_id, trace in snapshot.traces.items()
        if snapshot.listed
        and can_be_asked_for(dispatch_id)
        and trace.asked < snapshot.listed.asked
        and not status(snapshot.dispatches[dispatch_id], now).over
    ]
    candidates.sort(
        key=lambda i: (snapshot.traces[i].gone, snapshot.traces[i].contact, i)
    )
    return candidates[:ASKED_PER_POLL]


def found(
    snapshot: Snapshot,
    dispatch: Dispatch,
    asked: int,
    now: datetime,
    *,
    apart: timedelta,
) -> Snapshot:
    """Take in the answer to a request for one dispatch."""
    if _outdated(snapshot, dispatch.id, asked):
        return snapshot
    lagging = _lagging(snapshot, {dispatch.id: dispatch}, now, apart)
    others = {i: since for i, since in snapshot.lagging.items() if i != dispatch.id}
    same = lagging or snapshot.dispatches.get(dispatch.id) is dispatch
    return replace(
        snapshot,
        dispatches=snapshot.dispatches
        if same
        else {**snapshot.dispatches, dispatch.id: dispatch},
        traces={**snapshot.traces, dispatch.id: Trace(asked, now)},
        lagging=others | lagging,
    )


def not_found(
    snapshot: Snapshot,
    dispatch_id: str,
    asked: int,
    now: datetime,
    *,
    rule: Absence,
    lead_time: timedelta,
) -> Snapshot:
    """Take in a 404 for a dispatch that was missing from the list.

    The second one, `rule.apart` or more after the first, means that it is gone: one
    that has not begun is withdrawn, one under way by `rule.withdraw_active`; otherwise
    it is held, an open end from the first 404 on.
    """
    trace = snapshot.trace(dispatch_id)
    if _outdated(snapshot, dispatch_id, asked) or trace.gone:
        return snapshot
    first = trace.first_missing
    if first is None:
        trace = replace(trace, first_missing=now)
    elif now - first >= rule.apart:
        trace = replace(trace, gone=True, contact=first)
    dispatch = snapshot.dispatches[dispatch_id]
    begun = dispatch.start_time - lead_time <= now
    snapshot = replace(snapshot, traces={**snapshot.traces, dispatch_id: trace})
    if trace.gone and (rule.withdraw_active or not begun):
        return withdraw(snapshot, dispatch_id, now)
    return snapshot


def withdraw(snapshot: Snapshot, dispatch_id: str, now: datetime) -> Snapshot:
    """Conclude that a dispatch is off, until Voltus lists it again."""
    dispatch = snapshot.dispatches[dispatch_id]
    if dispatch.withdrawn:
        return snapshot
    withdrawn = replace(dispatch, withdrawn=True, received=now, source=Source.POLL)
    return replace(snapshot, dispatches={**snapshot.dispatches, dispatch_id: withdrawn})


def held(snapshot: Snapshot, now: datetime) -> list[str]:
    """Return the dispatches that are obeyed though Voltus knows them no more."""
    return [
        dispatch_id
        for dispatch_id, trace in snapshot.traces.items()
        if trace.gone and not status(snapshot.dispatches[dispatch_id], now).over
    ]


def introduce(known_sites: KnownSites, dispatches: Iterable[Dispatch]) -> KnownSites:
    """Add the sites that dispatches name and nobody has told us of."""
    new = {
        site.id: Site(site.id, site.name, site.customer_location_id)
        for dispatch in dispatches
        for site in dispatch.sites
        if site.id not in known_sites.sites
    }
    if not new:
        return known_sites
    return replace(
        known_sites,
        sites={**known_sites.sites, **new},
        new=_new(known_sites, new.keys()),
        departed=known_sites.departed - new.keys(),
    )


def sites_listed(
    known_sites: KnownSites, answer: SiteList, snapshot: Snapshot, now: datetime
) -> KnownSites:
    """Take in the answer of `GET /sites`.

    A site leaves when two complete answers, six hours or more apart, lack it and no
    dispatch that is not over names it. An empty answer proves nothing.
    """
    sites = {**known_sites.sites, **answer.sites}
    new = _new(known_sites, answer.sites.keys() - known_sites.sites.keys())
    departed = known_sites.departed - answer.sites.keys()
    absent = known_sites.absent_since.items()
    if not answer.complete or not answer.sites:
        still = {i: since for i, since in absent if i not in answer.sites}
        return KnownSites(sites, still, answered=True, new=new, departed=departed)
    called_on = {
        site.id
        for dispatch in snapshot.dispatches.values()
        if not status(dispatch, now).over
        for site in dispatch.sites
    }
    absent_since = {
        site_id: known_sites.absent_since.get(site_id, now)
        for site_id in sites.keys() - answer.sites.keys()
    }
    gone = {
        site_id
        for site_id, since in absent_since.items()
        if now - since >= SITES_EVERY and site_id not in called_on
    }
    return KnownSites(
        {site_id: site for site_id, site in sites.items() if site_id not in gone},
        {i: since for i, since in absent_since.items() if i not in gone},
        answered=True,
        new=new - gone,
        departed=departed | (gone - new),
    )


def confirm(known_sites: KnownSites, site_ids: Iterable[str]) -> KnownSites:
    """Take the operator's word that these sites are seen to."""
    return replace(known_sites, new=known_sites.new.difference(site_ids))


def _new(known_sites: KnownSites, appeared: Iterable[str]) -> frozenset[str]:
    """Return what is new; what comes before the first answer is the first set-up."""
    if not known_sites.answered:
        return known_sites.new
    return known_sites.new.union(appeared) - known_sites.departed


def stepped_back(before: Snapshot, after: Snapshot) -> list[str]:
    """Return the dispatches that are known by a lower modification number now."""
    if before.dispatches is after.dispatches:
        return []
    return [
        dispatch_id
        for dispatch_id, dispatch in after.dispatches.items()
        if _is_older(dispatch, before.dispatches.get(dispatch_id))
    ]


def renewed(before: Snapshot, after: Snapshot) -> list[str]:
    """Return the dispatches that are known by another version now, or newly known."""
    if before.dispatches is after.dispatches:
        return []
    return [
        dispatch_id
        for dispatch_id, dispatch in after.dispatches.items()
        if before.dispatches.get(dispatch_id) is not dispatch
    ]


def _lagging(
    snapshot: Snapshot,
    answered: Mapping[str, Dispatch],
    now: datetime,
    apart: timedelta,
) -> dict[str, datetime]:
    """Return which answered versions are not believed yet, and since when."""
    older = (
        dispatch_id
        for dispatch_id, dispatch in answered.items()
        if _is_older(dispatch, snapshot.dispatches.get(dispatch_id))
    )
    since = {i: snapshot.lagging.get(i, now) for i in older}
    # An earlier instant than it can be is a clock set back.
    return {i: min(begun, now) for i, begun in since.items() if now - begun < apart}


def _is_older(dispatch: Dispatch, known: Dispatch | None) -> bool:
    return (
        known is not None
        and dispatch is not known
        and dispatch.modification_number is not None
        and known.modification_number is not None
        and dispatch.modification_number < known.modification_number
    )


def _outdated(snapshot: Snapshot, dispatch_id: str, asked: int) -> bool:
    return (
        dispatch_id in snapshot.dispatches and asked < snapshot.trace(dispatch_id).asked
    )


def _forgettable(
    dispatches: Mapping[str, Dispatch], traces: Mapping[str, Trace], now: datetime
) -> list[str]:
    """Return what is over and off the list for so long that it may be forgotten."""
    return [
        dispatch_id
        for dispatch_id, trace in traces.items()
        if now - trace.contact >= FORGET_AFTER
        and status(dispatches[dispatch_id], now).over
    ]
