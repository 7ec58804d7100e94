"""Every question about time, decided from what is known; nothing here reads a clock.

All instants are aware and UTC, `now` is always an argument, and every interval is
half-open: a dispatch calls for curtailment in `[start_time - lead_time, end_time)`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import chain, takewhile
from typing import final

from .models import Dispatch, DispatchAndSite, Snapshot

TOUCHING = timedelta(seconds=1)
_FOREVER = datetime.max.replace(tzinfo=UTC)


class Status(StrEnum):
    """What a dispatch is at an instant."""

    SCHEDULED = "scheduled"
    ACTIVE = "active"
    ENDED = "ended"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """Whether the dispatch asks for nothing any more."""
        return self in (Status.ENDED, Status.CANCELLED)


class Phase(StrEnum):
    """What is asked of a site at an instant."""

    IDLE = "idle"
    SCHEDULED = "scheduled"
    PREPARING = "preparing"
    ACTIVE = "active"


class ChangeType(StrEnum):
    """What can be told of a dispatch."""

    CREATED = "created"
    UPDATED = "updated"
    STARTED = "started"
    ENDED = "ended"
    CANCELLED = "cancelled"


class CurtailmentChange(StrEnum):
    """How `curtail` of a site can change."""

    STARTED = "curtailment_started"
    ENDED = "curtailment_ended"


@final
@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator has chosen to act on, and how long before a start.

    Of dispatches and sites, `opted_out` are those that were let go of by hand, and
    `acknowledged` those that somebody has seen.
    """

    lead_time: timedelta = timedelta(0)
    act_on_test_dispatches: bool = False
    offline_hold: timedelta = timedelta(hours=4)
    ignored_sites: frozenset[str] = frozenset()
    opted_out: frozenset[DispatchAndSite] = frozenset()
    acknowledged: frozenset[DispatchAndSite] = frozenset()

    def sites(self, dispatch: Dispatch) -> list[str]:
        """Return the sites that the dispatch, whatever its status, may curtail."""
        if dispatch.test and not self.act_on_test_dispatches:
            return []
        if not self.ignored_sites and not self.opted_out:
            return [site.id for site in dispatch.sites]
        return [
            site.id
            for site in dispatch.sites
            if site.id not in self.ignored_sites
            and (dispatch.id, site.id) not in self.opted_out
        ]

    def lets_through(self, dispatch: Dispatch) -> bool:
        """Whether the dispatch, whatever its status, may call for curtailment."""
        return bool(self.sites(dispatch))


@final
@dataclass(frozen=True, slots=True)
class Curtailment:
    """What is asked of one site, or of the account as the union of its sites.

    `commitment` is in kW: 0 when not curtailing, None if a dispatch that holds now
    states no amount (which asks for the full plan). `end` is when the curtailment of
    now is over; None when idle or not known yet. `by_dispatch` has the amount of each
    dispatch that holds now; `test` is whether all of these are tests, and `drill` drills.
    `opted_out` are the dispatches, not over yet, that would call on the site but for the operator;
    `unacknowledged` those that do, now or later, and that nobody has seen.
    """

    phase: Phase = Phase.IDLE
    commitment: float | None = 0.0
    next_start: datetime | None = None
    end: datetime | None = None
    by_dispatch: Mapping[str, float | None] = field(default_factory=dict, hash=False)
    test: bool = False
    drill: bool = False
    opted_out: frozenset[str] = frozenset()
    unacknowledged: frozenset[str] = frozenset()

    @property
    def curtail(self) -> bool:
        """Whether the load has to be down, lead time included."""
        return self.phase in (Phase.PREPARING, Phase.ACTIVE)


IDLE = Curtailment()


@final
@dataclass(frozen=True, slots=True)
class Look:
    """What is known at an instant and what it asks for.

    `curtailments` has the sites that a dispatch calls on, and under None the account;
    everyone else is idle. `until` is the next instant at which time alone changes
    something. `released` are the open-ended dispatches that are under way but no longer
    believed, since contact with them was lost for too long; `open_ended` tells whether
    any dispatch that is not over has no end. `turns` is the next instant at which time
    alone may turn a site.
    """

    snapshot: Snapshot
    policy: Policy
    curtailments: Mapping[str | None, Curtailment] = field(hash=False)
    released: frozenset[str]
    open_ended: bool = field(compare=False)
    until: datetime | None = field(compare=False)
    turns: datetime | None = field(compare=False)
    at: datetime = field(compare=False)

    def curtailment(self, site_id: str | None) -> Curtailment:
        """Return what is asked of a site, or of the account (None)."""
        return self.curtailments.get(site_id, IDLE)

    @property
    def curtailing(self) -> frozenset[str]:
        """The sites whose load has to be down, lead time included."""
        return frozenset(
            site_id
            for site_id, curtailment in self.curtailments.items()
            if site_id is not None and curtailment.curtail
        )


@final
@dataclass(frozen=True, slots=True)
class Change:
    """One thing to tell about a dispatch.

    `before` is the version last told, None if there was none. `moment` is when it came
    about by itself: the start, the end or the creation; None for what only an answer
    brings. `missed` marks an end that no start was told before.
    """

    type: ChangeType
    dispatch: Dispatch
    before: Dispatch | None
    status: Status
    moment: datetime | None = None
    reason: str | None = None
    missed: bool = False


def status(dispatch: Dispatch, now: datetime) -> Status:
    """Return what the dispatch is at `now`; defined for every instant.

    An end at or before the start is an empty window: over at once.
    """
    if not dispatch.authorized or dispatch.withdrawn:
        return Status.CANCELLED
    start, end = dispatch.start_time, dispatch.end_time
    if end is not None and (end <= now or end <= start):
        return Status.ENDED
    return Status.ACTIVE if start <= now else Status.SCHEDULED


def hold_expiry(snapshot: Snapshot, dispatch: Dispatch, policy: Policy) -> datetime:
    """Return until when an open end is believed without hearing of the dispatch."""
    since = max(dispatch.start_time, snapshot.trace(dispatch.id).contact)
    return _after(since, policy.offline_hold)


def look(snapshot: Snapshot, policy: Policy, now: datetime) -> Look:
    """Return what is asked of everyone at `now`, in one pass over the dispatches."""
    recent = [
        dispatch
        for dispatch in snapshot.dispatches.values()
        if not status(dispatch, now - TOUCHING).over
    ]
    live = [dispatch for dispatch in recent if not status(dispatch, now).over]
    expiries = {
        dispatch.id: hold_expiry(snapshot, dispatch, policy)
        for dispatch in live
        if dispatch.end_time is None and not dispatch.drill
    }
    released = frozenset(
        dispatch_id for dispatch_id, expiry in expiries.items() if expiry <= now
    )
    windows = _windows((d for d in recent if d.id not in released), policy, now)
    return Look(
        snapshot=snapshot,
        policy=policy,
        curtailments=_curtailments(windows, _opted_out(live, policy), policy, now),
        released=released,
        open_ended=bool(expiries),
        until=_next_boundary(live, policy, expiries.values(), now),
        turns=_next_boundary(filter(policy.lets_through, live), policy, (), now),
        at=now,
    )


def just_ended(before: Look, after: Look) -> frozenset[str]:
    """Return the dispatches by whose end, less than a second ago, sites are let go.

    None if anything but time is behind it, or if time brings a start as well.
    """
    let_go = before.curtailing - after.curtailing
    if (
        before.snapshot.dispatches is not after.snapshot.dispatches
        or before.policy is not after.policy
        or any(_rises(before, after, site_id) for site_id in after.curtailments)
        or any(_starts(before, after, each) for each in after.snapshot.dispatches)
    ):
        return frozenset()
    behind = {i for site_id in let_go for i in before.curtailment(site_id).by_dispatch}
    ends = {i: after.snapshot.dispatches[i].end_time for i in behind}
    return frozenset(
        i for i, end in ends.items() if end and end <= after.at < end + TOUCHING
    )


def _starts(before: Look, after: Look, dispatch_id: str) -> bool:
    """Whether a dispatch starts between two looks, be it one that is not acted on."""
    dispatch = after.snapshot.dispatches[dispatch_id]
    return (
        status(dispatch, before.at) is Status.SCHEDULED
        and status(dispatch, after.at) is Status.ACTIVE
    )


def _rises(before: Look, after: Look, site_id: str | None) -> bool:
    """Whether a site is nearer to its curtailment, or deeper in it, than before."""
    order = [*Phase]
    return order.index(after.curtailment(site_id).phase) > order.index(
        before.curtailment(site_id).phase
    )


def changes(
    before: Snapshot | None, then: datetime, after: Snapshot, now: datetime
) -> tuple[Change, ...]:
    """Return what there is to tell between `before` at `then` and `after` at `now`.

    The same rules serve polls, boundaries (`before is after`), options and restarts.
    Without any `before` what is over is history and not told. What is over comes
    first, what is active last: the last word is the one that asks for curtailment.
    """
    known = before.dispatches if before else {}
    told = (
        change
        for dispatch in after.dispatches.values()
        if before is not None or not status(dispatch, now).over
        for change in _changes_of(dispatch, known.get(dispatch.id), then, now)
    )
    return tuple(sorted(told, key=_order))


def differences(change: Change) -> dict[str, tuple[object, object]]:
    """Return the fields of content in which an update differs: {field: (old, new)}."""
    if change.before is None:
        return {}
    pairs = {
        content.name: (
            getattr(change.before, content.name),
            getattr(change.dispatch, content.name),
        )
        for content in fields(Dispatch)
        if content.compare
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """The time for which a dispatch calls on sites; no end is for ever."""

    begin: datetime
    end: datetime
    dispatch: Dispatch

    def holds(self, now: datetime) -> bool:
        return self.begin <= now < self.end


def _windows(
    dispatches: Iterable[Dispatch], policy: Policy, now: datetime
) -> dict[str, list[_Window]]:
    """Return for each site the windows that the policy lets through, by begin.

    What ended less than a second ago is among the dispatches: a window that it touches
    begins where it ended. Its own is over and left out.
    """
    everyones = [
        _Window(
            dispatch.start_time - policy.lead_time,
            dispatch.end_time or _FOREVER,
            dispatch,
        )
        for dispatch in dispatches
    ]
    everyones.sort(key=lambda window: (window.begin, window.end, window.dispatch.id))
    windows: dict[str, list[_Window]] = {}
    for window in everyones:
        for site_id in policy.sites(window.dispatch):
            windows.setdefault(site_id, []).append(window)
    open_windows = {
        site_id: [window for window in _bridged(each) if window.end > now]
        for site_id, each in windows.items()
    }
    return {site_id: each for site_id, each in open_windows.items() if each}


def _bridged(windows: Iterable[_Window]) -> Iterator[_Window]:
    """Let windows of a site touch that are less than a second apart.

    The wire has nanoseconds, and a pause of less than a second is none for a load.
    """
    reach: datetime | None = None
    for window in windows:
        if reach is None or window.begin <= reach or window.begin - reach >= TOUCHING:
            yield window
        else:
            yield replace(window, begin=reach)
        reach = window.end if reach is None else max(reach, window.end)


def _opted_out(live: Iterable[Dispatch], policy: Policy) -> dict[str, frozenset[str]]:
    """Return by site the dispatches, not over yet, that were let go of by hand."""
    if not policy.opted_out:
        return {}
    meant = {dispatch.id for dispatch in live}
    sites = {site_id for _, site_id in policy.opted_out} - policy.ignored_sites
    opted_out = {
        site_id: frozenset(i for i in meant if (i, site_id) in policy.opted_out)
        for site_id in sites
    }
    return {site_id: each for site_id, each in opted_out.items() if each}


def _curtailments(
    windows: Mapping[str, list[_Window]],
    opted_out: Mapping[str, frozenset[str]],
    policy: Policy,
    now: datetime,
) -> dict[str | None, Curtailment]:
    """Return what is asked of each site, and under None of the account."""
    if not windows and not opted_out:
        return {}
    everyones = sorted(
        set(chain.from_iterable(windows.values())), key=lambda window: window.begin
    )
    amounts = {
        window.dispatch.id: {s.id: s.commitment for s in window.dispatch.sites}
        for window in everyones
        if window.holds(now)
    }
    curtailments: dict[str | None, Curtailment] = {
        site_id: _curtailment(site_id, each, amounts, policy, now)
        for site_id, each in windows.items()
    }
    for site_id, ids in opted_out.items():
        curtailments[site_id] = replace(curtailments.get(site_id, IDLE), opted_out=ids)
    account = _account(curtailments.values(), _end(everyones, now))
    return curtailments | {None: account}


def _curtailment(
    site_id: str,
    windows: list[_Window],
    amounts: Mapping[str, Mapping[str, float | None]],
    policy: Policy,
    now: datetime,
) -> Curtailment:
    """Return what is asked of a site; `amounts` are those of what holds, by site."""
    begun = takewhile(lambda window: window.begin <= now, windows)
    holding = [window.dispatch for window in begun if window.end > now]
    by_dispatch = {each.id: amounts[each.id][site_id] for each in holding}
    stated = [amount for amount in by_dispatch.values() if amount is not None]
    starts = (window.dispatch.start_time for window in windows)
    return Curtailment(
        phase=_phase(holding, now),
        commitment=None if len(stated) < len(by_dispatch) else max(stated, default=0.0),
        next_start=next((start for start in starts if start > now), None),
        end=_end(windows, now) if holding else None,
        by_dispatch=by_dispatch,
        test=bool(holding) and all(dispatch.test for dispatch in holding),
        drill=bool(holding) and all(dispatch.drill for dispatch in holding),
        unacknowledged=frozenset(
            window.dispatch.id
            for window in windows
            if (window.dispatch.id, site_id) not in policy.acknowledged
        ),
    )


def _account(sites: Collection[Curtailment], end: datetime | None) -> Curtailment:
    """Return the union of the sites, which curtails until `end` if it does."""
    curtailing = [site for site in sites if site.curtail]
    by_dispatch: dict[str, list[float | None]] = {}
    for site in curtailing:
        for dispatch_id, amount in site.by_dispatch.items():
            by_dispatch.setdefault(dispatch_id, []).append(amount)
    phases = {site.phase for site in sites}
    starts = [site.next_start for site in sites if site.next_start is not None]
    return Curtailment(
        phase=next(phase for phase in reversed(Phase) if phase in phases),
        commitment=total(site.commitment for site in curtailing),
        next_start=min(starts, default=None),
        end=end if curtailing else None,
        by_dispatch={i: total(amounts) for i, amounts in by_dispatch.items()},
        test=bool(curtailing) and all(site.test for site in curtailing),
        drill=bool(curtailing) and all(site.drill for site in curtailing),
        opted_out=frozenset().union(*(site.opted_out for site in sites)),
        unacknowledged=frozenset().union(*(site.unacknowledged for site in sites)),
    )


def total(amounts: Iterable[float | None]) -> float | None:
    """Add up amounts in kW; the sum is not stated if one of them is not."""
    stated = list(amounts)
    return None if None in stated else sum(filter(None, stated), 0.0)


def _phase(holding: Collection[Dispatch], now: datetime) -> Phase:
    """Return the phase of a site that is called on, now or later."""
    if any(dispatch.start_time <= now for dispatch in holding):
        return Phase.ACTIVE
    return Phase.PREPARING if holding else Phase.SCHEDULED


def _end(windows: list[_Window], now: datetime) -> datetime | None:
    """Return the end of the merged window around `now`; windows are sorted by begin."""
    reach = now
    for window in windows:
        if window.begin > reach:
            break
        reach = max(reach, window.end)
    return None if reach == _FOREVER else reach


def _next_boundary(
    live: Iterable[Dispatch],
    policy: Policy,
    expiries: Iterable[datetime],
    now: datetime,
) -> datetime | None:
    return min(
        (
            instant
            for instant in chain(_boundaries(live, policy), expiries)
            if instant > now
        ),
        default=None,
    )


def _boundaries(live: Iterable[Dispatch], policy: Policy) -> Iterator[datetime]:
    for dispatch in live:
        yield dispatch.start_time - policy.lead_time
        yield dispatch.start_time
        if dispatch.end_time is not None:
            yield dispatch.end_time


def _changes_of(
    dispatch: Dispatch, before: Dispatch | None, then: datetime, now: datetime
) -> Iterator[Change]:
    was = status(before, then) if before else None
    to = status(dispatch, now)
    differs = dispatch != before
    if was is not None and was.over and to.over:
        return
    if was is None and not to.over:
        yield Change(
            ChangeType.CREATED, dispatch, None, to, moment=dispatch.creation_time
        )
    if was is not None and differs and to is not Status.CANCELLED:
        yield Change(ChangeType.UPDATED, dispatch, before, to)
    if to not in (was, Status.SCHEDULED) and (differs or _time_leads(was, to)):
        yield _status_change(dispatch, before, was, to)


def _status_change(
    dispatch: Dispatch, before: Dispatch | None, was: Status | None, to: Status
) -> Change:
    """Return the change that a new status is: started, ended or cancelled."""
    match to:
        case Status.ACTIVE:
            return Change(
                ChangeType.STARTED, dispatch, before, to, moment=dispatch.start_time
            )
        case Status.ENDED:
            return Change(
                ChangeType.ENDED,
                dispatch,
                before,
                to,
                moment=dispatch.end_time,
                missed=was is not Status.ACTIVE,
            )
        case _:
            reason = "withdrawn" if dispatch.withdrawn else "unauthorized"
            return Change(ChangeType.CANCELLED, dispatch, before, to, reason=reason)


_COURSE = (Status.SCHEDULED, Status.ACTIVE, Status.ENDED)


def _time_leads(was: Status | None, to: Status) -> bool:
    """Whether time alone leads from one status to the other."""
    return was in _COURSE and to in _COURSE and _COURSE.index(was) < _COURSE.index(to)


def _order(change: Change) -> tuple[int, datetime, str]:
    """Sort what is over first, then scheduled, then active; then by time and id."""
    start, end = change.dispatch.start_time, change.dispatch.end_time
    if change.status.over:
        return 0, end or start, change.dispatch.id
    return 1 + (change.status is Status.ACTIVE), start, change.dispatch.id


def _after(instant: datetime, span: timedelta) -> datetime:
    """Return `instant + span`, or the end of the calendar if that is earlier."""
    return instant + span if span < _FOREVER - instant else _FOREVER
