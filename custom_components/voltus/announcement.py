"""What an announcement says: the data of the five events on the bus.

What Voltus says is told in full, whatever the operator has chosen to act on;
`actionable` tells whether the policy lets it through.
"""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
import json

from .aiovoltus.models import Dispatch, DispatchSite, Json
from .aiovoltus.schedule import Change, ChangeType, Look, Policy, differences, total


def announcement(
    change: Change,
    *,
    look: Look,
    now: datetime,
    told_at: datetime | None,
    entry_id: str,
    device_ids: Mapping[str | None, str | None],
) -> dict[str, Json]:
    """Return the event data of a change that is announced at `now`.

    `device_ids` has the device of each site named, and under None the account's. Times
    are ISO 8601 with offset; kW and seconds are numbers, None where not stated.
    """
    dispatch = change.dispatch
    data: dict[str, Json] = {
        "entry_id": entry_id,
        "device_id": device_ids.get(None),
        "change_id": _change_id(entry_id, change, told_at),
        "dispatch_id": dispatch.id,
        "status": change.status.value,
        "test": dispatch.test,
        "authorized": dispatch.authorized,
        "actionable": _actionable(change, look.policy),
        "start_time": _iso(dispatch.start_time),
        "end_time": _iso(dispatch.end_time),
        "creation_time": _iso(dispatch.creation_time),
        "modification_number": dispatch.modification_number,
        "program": dispatch.as_wire()["program"],
        "sites": [
            _site(site, look, device_ids.get(site.id)) for site in dispatch.sites
        ],
        "commitment": total(site.commitment for site in dispatch.sites),
        "late_seconds": _seconds(change.moment, now),
        "delay_seconds": _seconds(
            max(change.moment or dispatch.received, dispatch.received), now
        ),
        "notice_seconds": None,
    }
    if change.type is ChangeType.CREATED:
        data["notice_seconds"] = _seconds(now, dispatch.start_time)
    if change.type is ChangeType.UPDATED:
        data["changes"] = _changes(change)
    if change.type is ChangeType.CANCELLED:
        data["reason"] = change.reason
    if change.type is ChangeType.ENDED:
        data["missed"] = change.missed
    return data


def _change_id(entry_id: str, change: Change, told_at: datetime | None) -> str:
    """Return the same id when the same change is told again after a crash.

    What was told last outlives a crash, and each telling moves it on. Updates to
    different versions are different changes, even where our clock stands still.
    """
    parts = [entry_id, told_at, change.dispatch.id, change.type]
    if change.type is ChangeType.UPDATED:
        parts.append(json.dumps(change.dispatch.as_wire(), sort_keys=True))
    return sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]


def _actionable(change: Change, policy: Policy) -> bool:
    """Whether the policy lets the dispatch through; when it lets go, either version."""
    lets_go = change.type not in (ChangeType.CREATED, ChangeType.STARTED)
    return policy.lets_through(change.dispatch) or bool(
        lets_go and change.before and policy.lets_through(change.before)
    )


def _site(site: DispatchSite, look: Look, device_id: str | None) -> dict[str, Json]:
    return {
        "id": site.id,
        "name": site.name,
        "customer_location_id": site.customer_location_id,
        "commitment": site.commitment,
        "device_id": device_id,
        "curtail": look.curtailment(site.id).curtail,
    }


def _changes(change: Change) -> dict[str, Json]:
    """Return {field: {old, new}}, and of `sites` only which ones."""
    assert change.before
    before, after = _content(change.before), _content(change.dispatch)
    told: dict[str, Json] = {
        name: {"old": before[name], "new": after[name]}
        for name in differences(change)
        if name != "sites"
    }
    old = {site.id: site for site in change.before.sites}
    new = {site.id: site for site in change.dispatch.sites}
    if old != new:
        told["sites"] = {
            "added": [*sorted(new.keys() - old.keys())],
            "removed": [*sorted(old.keys() - new.keys())],
            "changed": [
                *sorted(i for i in old.keys() & new.keys() if old[i] != new[i])
            ],
        }
    return told


def _content(dispatch: Dispatch) -> dict[str, Json]:
    return {**dispatch.as_wire(), "withdrawn": dispatch.withdrawn}


def _iso(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None


def _seconds(since: datetime | None, until: datetime) -> float | None:
    return None if since is None else round((until - since).total_seconds(), 3)
