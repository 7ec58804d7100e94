"""How what the operator has said is written to a file, and read back from one."""

from typing import Any

from ..aiovoltus.by_hand import Acknowledgement, ByHand, OptOut
from ..aiovoltus.models import DispatchAndSite, iso, parse_time
from .encoding import dispatch_as_json, dispatch_from_json, typed


def by_hand_as_json(by_hand: ByHand) -> dict[str, Any]:
    """Return what was said by hand as JSON."""
    return {
        "opt_outs": [
            {
                **_named(pair),
                "at": opt_out.at.isoformat(),
                "reason": opt_out.reason,
                "user_id": opt_out.user_id,
            }
            for pair, opt_out in by_hand.opt_outs.items()
        ],
        "acknowledgements": [
            {
                **_named(pair),
                "at": seen.at.isoformat(),
                "start_time": seen.start_time.isoformat(),
                "end_time": iso(seen.end_time),
                "commitment": seen.commitment,
                "note": seen.note,
                "user_id": seen.user_id,
            }
            for pair, seen in by_hand.acknowledgements.items()
        ],
        "drills": [dispatch_as_json(each) for each in by_hand.drills],
    }


def by_hand_from_json(content: dict[str, Any]) -> ByHand:
    """Read it back. Raises ValueError, KeyError or TypeError for anything else."""
    return ByHand(
        opt_outs={
            _pair(item): OptOut(
                parse_time(item["at"]), typed(str, item["reason"]), _user(item)
            )
            for item in typed(list, content["opt_outs"])
        },
        acknowledgements={
            _pair(item): _acknowledgement(item)
            for item in typed(list, content["acknowledgements"])
        },
        drills=tuple(map(dispatch_from_json, typed(list, content["drills"]))),
    )


def _acknowledgement(item: dict[str, Any]) -> Acknowledgement:
    end, commitment = item["end_time"], item["commitment"]
    return Acknowledgement(
        at=parse_time(item["at"]),
        start_time=parse_time(item["start_time"]),
        end_time=None if end is None else parse_time(end),
        commitment=None if commitment is None else typed(float, commitment),
        note=typed(str, item["note"]),
        user_id=_user(item),
    )


def _named(pair: DispatchAndSite) -> dict[str, str]:
    dispatch_id, site_id = pair
    return {"dispatch_id": dispatch_id, "site_id": site_id}


def _pair(item: dict[str, Any]) -> DispatchAndSite:
    return typed(str, item["dispatch_id"]), typed(str, item["site_id"])


def _user(item: dict[str, Any]) -> str | None:
    user_id = item["user_id"]
    return None if user_id is None else typed(str, user_id)
