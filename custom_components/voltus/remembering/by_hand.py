"""How what the operator has said is written to a file, and read back from one."""

from typing import Any

from ..aiovoltus.by_hand import ByHand, OptOut
from ..aiovoltus.models import parse_time
from .encoding import typed


def by_hand_as_json(by_hand: ByHand) -> dict[str, Any]:
    """Return what was said by hand as JSON."""
    return {
        "opt_outs": [
            {
                "dispatch_id": dispatch_id,
                "site_id": site_id,
                "at": opt_out.at.isoformat(),
                "reason": opt_out.reason,
                "user_id": opt_out.user_id,
            }
            for (dispatch_id, site_id), opt_out in by_hand.opt_outs.items()
        ]
    }


def by_hand_from_json(content: dict[str, Any]) -> ByHand:
    """Read it back. Raises ValueError, KeyError or TypeError for anything else."""
    return ByHand(
        opt_outs={
            (typed(str, item["dispatch_id"]), typed(str, item["site_id"])): OptOut(
                parse_time(item["at"]), typed(str, item["reason"]), _user(item)
            )
            for item in typed(list, content["opt_outs"])
        }
    )


def _user(item: dict[str, Any]) -> str | None:
    user_id = item["user_id"]
    return None if user_id is None else typed(str, user_id)
