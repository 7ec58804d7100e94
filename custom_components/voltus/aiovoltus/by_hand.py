"""What the operator has said of single dispatches, which Voltus is never told.

It is kept by dispatch and site, for as long as the dispatch is known and names the site:
a site that was taken off a dispatch and comes back to it comes as a new one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import final

from .models import Dispatch

type DispatchAndSite = tuple[str, str]
"""The ids of a dispatch and of a site that it names."""


class OperatorAct(StrEnum):
    """What an operator can say of a dispatch."""

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
class ByHand:
    """All that is in force of it. It is replaced when it changes, and only then."""

    opt_outs: Mapping[DispatchAndSite, OptOut] = field(default_factory=dict, hash=False)

    def opt_out(
        self, dispatch_id: str, site_ids: Iterable[str], opt_out: OptOut
    ) -> ByHand:
        """Let go of sites, but for those that are let go of already."""
        new = {(dispatch_id, site_id): opt_out for site_id in site_ids}
        return replace(self, opt_outs={**new, **self.opt_outs})

    def opt_in(self, dispatch_id: str, site_ids: Iterable[str]) -> ByHand:
        """Take it back for sites."""
        over = {(dispatch_id, site_id) for site_id in site_ids}
        left = {pair: each for pair, each in self.opt_outs.items() if pair not in over}
        return replace(self, opt_outs=left)

    def kept(self, dispatches: Mapping[str, Dispatch]) -> ByHand:
        """Return what is left of it once these are known: itself if that is all."""
        opt_outs = {
            (dispatch_id, site_id): opt_out
            for (dispatch_id, site_id), opt_out in self.opt_outs.items()
            if dispatch_id in dispatches and dispatches[dispatch_id].names(site_id)
        }
        if len(opt_outs) == len(self.opt_outs):
            return self
        return replace(self, opt_outs=opt_outs)
