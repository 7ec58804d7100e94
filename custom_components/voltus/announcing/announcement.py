"""What an announcement says: of a changed dispatch, of sites that begin or cease.

What Voltus says is told in full, whatever the operator has chosen to act on;
`actionable` tells whether the policy lets it through.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
import json
from typing import final

from ..aiovoltus.by_hand import OperatorAct
from ..aiovoltus.models import Dispatch, DispatchSite, Json, Site, Source, iso
from ..aiovoltus.schedule import Change, ChangeType, Look, Policy, differences, total
from ..remembering.memory import AnnouncementCounts

type DeviceIds = Mapping[str | None, str | None]
"""The devices of sites by their id, and under None the account's; None: it has none."""


def announcement(
    change: Change,
    *,
    look: Look,
    now: datetime,
    counts: AnnouncementCounts,
    entry_id: str,
    device_ids: DeviceIds,
    began: datetime,
) -> dict[str, Json]:
    """Return the event data of a change that is announced at `now`.

    `counts` has what was told before, `began` is when we began to run. Times are ISO
    8601 with offset; kW and seconds are numbers, None where not stated.
    """
    dispatch = change.dispatch
    data: dict[str, Json] = {
        "entry_id": entry_id,
        "device_id": device_ids.get(None),
        "change_id": _change_id(entry_id, change, counts),
        "dispatch_id": dispatch.id,
        "status": change.status.value,
        "test": dispatch.test,
        "drill": dispatch.drill,
        "authorized": dispatch.authorized,
        "actionable": _actionable(change, look.policy),
        "source": _source(change, began).value,
        "start_time": iso(dispatch.start_time),
        "end_time": iso(dispatch.end_time),
        "creation_time": iso(dispatch.creation_time),
        "modification_number": dispatch.modification_number,
        "program": dispatch.program and dispatch.program.as_wire(),
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


def curtailment_announcement(
    site_ids: Collection[str],
    *,
    whole_account: bool,
    look: Look,
    sites: Mapping[str, Site],
    entry_id: str,
    device_ids: DeviceIds,
) -> dict[str, Json]:
    """Return what is told when these sites begin or cease to curtail.

    `whole_account` tells whether they are the first ones to begin, or the last ones to
    cease: the account does so with them. Amounts are kW, None where none is stated.
    """
    return {
        "entry_id": entry_id,
        "device_id": device_ids.get(None),
        "whole_account": whole_account,
        "sites": [
            {
                "id": site_id,
                "name": sites[site_id].name if site_id in sites else site_id,
                "device_id": device_ids.get(site_id),
                "commitment": curtailment.commitment,
                "curtailment_end": iso(curtailment.end),
                "dispatch_ids": [*sorted(curtailment.by_dispatch)],
                "test": curtailment.test,
                "drill": curtailment.drill,
            }
            for site_id in sorted(site_ids)
            for curtailment in [look.curtailment(site_id)]
        ],
    }


@final
@dataclass(frozen=True, slots=True)
class Said:
    """What the operator has said of a dispatch, for which of its sites.

    `details` are what only this act has, as event data: its reason and the like.
    """

    act: OperatorAct
    dispatch: Dispatch
    site_ids: Collection[str]
    details: Mapping[str, Json]


def said_announcement(
    said: Said,
    *,
    look: Look,
    entry_id: str,
    device_ids: DeviceIds,
    user_id: str | None,
) -> dict[str, Json]:
    """Return the event data of what the operator has said; None: no user has."""
    dispatch = said.dispatch
    return {
        "entry_id": entry_id,
        "device_id": device_ids.get(None),
        "dispatch_id": dispatch.id,
        "test": dispatch.test,
        "drill": dispatch.drill,
        "start_time": iso(dispatch.start_time),
        "end_time": iso(dispatch.end_time),
        "sites": [
            _site(site, look, device_ids.get(site.id))
            for site in dispatch.sites
            if site.id in said.site_ids
        ],
        "user_id": user_id,
        **said.details,
    }


def counted(counts: AnnouncementCounts, told: Iterable[Change]) -> AnnouncementCounts:
    """Return the count of what was told, these changes included."""
    counts = dict(counts)
    for change in told:
        of_dispatch = counts.get(change.dispatch.id, {})
        times = of_dispatch.get(change.type, 0) + 1
        counts[change.dispatch.id] = {**of_dispatch, change.type.value: times}
    return counts


def _change_id(entry_id: str, change: Change, counts: AnnouncementCounts) -> str:
    """Return the same id when the same change is told again after a crash.

    It is the dispatch's so-manieth start at this instant, its so-manieth update and to
    this content: whatever else is told in between, and whenever.
    """
    dispatch = change.dispatch
    times = counts.get(dispatch.id, {}).get(change.type, 0)
    parts = [entry_id, dispatch.id, change.type, times]
    match change.type:
        case ChangeType.STARTED | ChangeType.ENDED:
            parts.append(change.moment)
        case ChangeType.UPDATED:
            parts.append(json.dumps(dispatch.as_wire(), sort_keys=True))
    return sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]


def _source(change: Change, began: datetime) -> Source:
    """Return what brought a change: the answer with its content, or the clock."""
    if change.before is None or change.before != change.dispatch:
        return change.dispatch.source
    passed_before = change.moment is not None and change.moment < began
    return Source.RESTART if passed_before else Source.CLOCK


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
    return {
        **dispatch.as_wire(),
        "withdrawn": dispatch.withdrawn,
        "drill": dispatch.drill,
    }


def _seconds(since: datetime | None, until: datetime) -> float | None:
    return None if since is None else round((until - since).total_seconds(), 3)
