"""What the operator has said of single dispatches, which Voltus is never told.

Of dispatches and sites it is kept for as long as the dispatch is known and names the
site: a site that was taken off a dispatch and comes back to it comes as a new one.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import final

from .drills import Drills, beside, giving_way, remembered
from .models import Dispatch, DispatchAndSite, DispatchSite, Snapshot
from .schedule import Policy


class OperatorAct(StrEnum):
    """What an operator can say of a dispatch."""

    ACKNOWLEDGED = "acknowledged"
    OPTED_OUT = "opted_out"
    OPTED_IN = "opted_in"


@final
@dataclass(frozen=True, slots=True)
class OptOut:
    """That a dispatch is not to curtail a site: since when, why, and whose word it is.

    `user_id` is a user of Home Assistant's; None for an automation.
    """

    at: datetime
    reason: str = ""
    user_id: str | None = None


@final
@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """That somebody has seen what a dispatch asks of a site, as it was then.

    `commitment` is in kW, None for the full plan. `user_id` is as in an opt-out.
    """

    at: datetime
    start_time: datetime
    end_time: datetime | None
    commitment: float | None
    note: str = ""
    user_id: str | None = None

    def covers(self, dispatch: Dispatch, site: DispatchSite) -> bool:
        """Whether a version has the same times, and asks for no more."""
        times = dispatch.start_time, dispatch.end_time
        more = self.commitment is not None and (
            site.commitment is None or site.commitment > self.commitment
        )
        return times == (self.start_time, self.end_time) and not more


@final
@dataclass(frozen=True, slots=True)
class ByHand:
    """All that is in force of it. It is replaced when it changes, and only then."""

    opt_outs: Mapping[DispatchAndSite, OptOut] = field(default_factory=dict, hash=False)
    acknowledgements: Mapping[DispatchAndSite, Acknowledgement] = field(
        default_factory=dict, hash=False
    )
    drills: Drills = ()

    def acknowledged(
        self, dispatches: Mapping[str, Dispatch]
    ) -> frozenset[DispatchAndSite]:
        """Return of what is called on that which somebody has seen as it is now."""
        return frozenset(
            (dispatch_id, site_id)
            for (dispatch_id, site_id), seen in self.acknowledgements.items()
            for site in dispatches[dispatch_id].sites
            if site.id == site_id and seen.covers(dispatches[dispatch_id], site)
        )

    def acknowledge(
        self,
        dispatch: Dispatch,
        site_ids: Collection[str],
        now: datetime,
        note: str = "",
        user_id: str | None = None,
    ) -> ByHand:
        """Note that somebody has seen what a dispatch asks of these sites now."""
        new = {
            (dispatch.id, site.id): Acknowledgement(
                at=now,
                start_time=dispatch.start_time,
                end_time=dispatch.end_time,
                commitment=site.commitment,
                note=note,
                user_id=user_id,
            )
            for site in dispatch.sites
            if site.id in site_ids
        }
        return replace(self, acknowledgements={**self.acknowledgements, **new})

    def opt_out(
        self, dispatch_id: str, site_ids: Iterable[str], opt_out: OptOut
    ) -> ByHand:
        """Let go of sites, but for those that are let go of already."""
        new = {(dispatch_id, site_id): opt_out for site_id in site_ids}
        return replace(self, opt_outs={**new, **self.opt_outs})

    def opt_in(self, dispatch_id: str, site_ids: Iterable[str]) -> ByHand:
        """Take it back for sites."""
        over = {(dispatch_id, site_id) for site_id in site_ids}
        return replace(self, opt_outs=_without(self.opt_outs, over))

    def kept(self, dispatches: Mapping[str, Dispatch]) -> ByHand:
        """Return what is left of it once these are known: itself if that is all."""
        over = {
            (dispatch_id, site_id)
            for dispatch_id, site_id in (*self.opt_outs, *self.acknowledgements)
            if dispatch_id not in dispatches
            or not dispatches[dispatch_id].names(site_id)
        }
        if not over:
            return self
        return replace(
            self,
            opt_outs=_without(self.opt_outs, over),
            acknowledgements=_without(self.acknowledgements, over),
        )


@final
@dataclass(frozen=True, slots=True)
class Heeded:
    """What comes of `known` and the policy `chosen` by what was said by hand.

    `snapshot` has the drills as well, `policy` the word on single dispatches.
    """

    known: Snapshot
    chosen: Policy
    by_hand: ByHand
    snapshot: Snapshot
    policy: Policy

    def still_holds(self, known: Snapshot, chosen: Policy, by_hand: ByHand) -> bool:
        """Whether nothing can have changed but how dispatches come to be known."""
        return (
            self.known.dispatches is known.dispatches
            and self.chosen is chosen
            and self.by_hand is by_hand
            and not by_hand.drills
        )


def heed(
    by_hand: ByHand,
    known: Snapshot,
    chosen: Policy,
    now: datetime,
    last: Heeded | None,
) -> Heeded:
    """Lay what was said by hand beside what is known and chosen, as it is at `now`.

    What is the same as `last` time stays the same object.
    """
    if last and last.still_holds(known, chosen, by_hand):
        return replace(last, known=known, snapshot=known)
    drills = remembered(by_hand.drills, now)
    if drills is not by_hand.drills:
        by_hand = replace(by_hand, drills=drills)
    snapshot = beside(known, drills, now)
    by_hand = by_hand.kept(snapshot.dispatches)
    policy = replace(
        chosen,
        opted_out=frozenset(by_hand.opt_outs),
        acknowledged=by_hand.acknowledged(snapshot.dispatches),
    )
    left = giving_way(drills, known, policy, now)
    if left is not drills:
        return heed(replace(by_hand, drills=left), known, chosen, now, last)
    if last and last.policy == policy:
        policy = last.policy
    if drills and last and last.snapshot.dispatches == snapshot.dispatches:
        snapshot = replace(snapshot, dispatches=last.snapshot.dispatches)
    return Heeded(known, chosen, by_hand, snapshot, policy)


def _without[T](
    said: Mapping[DispatchAndSite, T], over: Collection[DispatchAndSite]
) -> dict[DispatchAndSite, T]:
    return {pair: each for pair, each in said.items() if pair not in over}
