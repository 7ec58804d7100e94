"""All that is known of an account, to be given to somebody else: without its secrets.

Ids stay, so that Voltus can tell what is meant; names of places and people's words go.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from functools import reduce
from statistics import median
from typing import Any

from homeassistant.components.diagnostics import REDACTED, async_redact_data
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_API_KEY, CONF_URL, CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.util.dt import utcnow
from yarl import URL

from .account.devices import identifier
from .account.options import CONF_PUSH_URL, DEFAULTS, push_url
from .aiovoltus.by_hand import ByHand
from .aiovoltus.clock_skew import ClockSkew
from .aiovoltus.models import Dispatch, Snapshot
from .aiovoltus.schedule import Policy, status
from .asking.push import Push
from .asking.registration import CONF_WEBHOOKS
from .coordinator import InternalState, VoltusConfigEntry, VoltusCoordinator
from .remembering.files import async_files

TO_REDACT = frozenset(
    {
        CONF_API_KEY,
        CONF_PUSH_URL,
        CONF_WEBHOOK_ID,
        CONF_WEBHOOKS,
        "customer_location_id",
        "metadata",
        "name",
        "title",
    }
)


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: VoltusConfigEntry
) -> dict[str, Any]:
    """Return all that is known of the account."""
    return await _diagnostics(hass, entry, None)


async def async_get_device_diagnostics(
    hass: HomeAssistant, entry: VoltusConfigEntry, device: DeviceEntry
) -> dict[str, Any]:
    """Return what concerns one site; for the device of the account all there is."""
    if entry.state is not ConfigEntryState.LOADED:
        return await _diagnostics(hass, entry, None)
    sites = entry.runtime_data.sites
    return await _diagnostics(
        hass,
        entry,
        next(
            (i for i in sites if identifier(entry.entry_id, i) in device.identifiers),
            None,
        ),
    )


async def _diagnostics(
    hass: HomeAssistant, entry: VoltusConfigEntry, site_id: str | None
) -> dict[str, Any]:
    files = await async_files(hass, entry.entry_id)
    told = {"entry": _entry(entry), "stored": files}
    if entry.state is ConfigEntryState.LOADED:
        told |= _account(entry.runtime_data, site_id)
    return _without_secrets(told, entry)


def _entry(entry: VoltusConfigEntry) -> dict[str, Any]:
    return {
        "state": entry.state.value,
        "reason": entry.reason,
        "title": entry.title,
        "data": dict(entry.data),
        "options": {**DEFAULTS, **entry.options},
        "pref_disable_polling": entry.pref_disable_polling,
    }


def _account(coordinator: VoltusCoordinator, site_id: str | None) -> dict[str, Any]:
    """Return what the coordinator knows, of one site or (None) of all."""
    internal, look = coordinator.internal_state, coordinator.data
    return {
        "coordinator": _coordinator(coordinator, internal),
        "clock": _clock(coordinator.conversation.clock_skew),
        "sites": [
            {
                **asdict(site),
                "ignored": site.id not in coordinator.sites,
                "absent_since": internal.memory.known_sites.absent_since.get(site.id),
                "new": site.id in coordinator.new_sites,
            }
            for site in coordinator.all_sites.values()
            if site_id in (None, site.id)
        ],
        "curtailments": [
            {"site": each, "curtail": asked.curtail, **asdict(asked)}
            for each, asked in look.curtailments.items()
            if site_id in (None, each)
        ],
        "dispatches": [
            _dispatch(dispatch, internal.memory.known, look.policy)
            for dispatch in internal.memory.known.dispatches.values()
            if site_id is None or site_id in {site.id for site in dispatch.sites}
        ],
        "by_hand": _by_hand(coordinator.by_hand, site_id),
        # What it said instead is in the log: it may be anything.
        "unreadable": [
            {"dispatch": refusal.dispatch_id, "field": refusal.field}
            for refusal in coordinator.conversation.unreadable
        ],
        "push": _push(coordinator.push),
        "log": {"rows": len(coordinator.log.rows), "past": len(coordinator.log.past)},
        "polls": [asdict(poll) for poll in coordinator.recent.polls],
        "boundaries": [
            {**asdict(each), "delay_seconds": each.delay_seconds}
            for each in coordinator.recent.boundaries
        ],
    }


def _by_hand(by_hand: ByHand, site_id: str | None) -> dict[str, Any]:
    """Return what the operator has said, without the words; of one site or of all."""
    return {
        "drills": [
            {"received": each.received, "wire": each.as_wire()}
            for each in by_hand.drills
            if site_id is None or each.names(site_id)
        ],
        **{
            name: [
                {
                    "dispatch": dispatch_id,
                    "site": each,
                    "at": said[dispatch_id, each].at,
                }
                for dispatch_id, each in said
                if site_id in (None, each)
            ]
            for name, said in (
                ("opted_out", by_hand.opt_outs),
                ("acknowledged", by_hand.acknowledgements),
            )
        },
    }


def _coordinator(
    coordinator: VoltusCoordinator, internal: InternalState
) -> dict[str, Any]:
    failure, exchange = (
        coordinator.last_exception,
        coordinator.conversation.client.exchange,
    )
    return {
        "last_update_success": coordinator.last_update_success,
        "last_exception": failure and str(failure),
        "last_contact": coordinator.last_contact,
        "rate_limit": exchange and exchange.rate_limit,
        "backoff": asdict(coordinator.conversation.backoff),
        "requests": coordinator.conversation.requests,
        "sites_due": coordinator.conversation.sites_due,
        "may_announce": internal.may_announce,
        "told_at": internal.memory.told and internal.memory.told.at,
        "looked_at": internal.looked_at,
        "next_boundary": coordinator.data.until,
        "released": sorted(coordinator.data.released),
    }


def _push(push: Push) -> dict[str, Any]:
    """Return by which kind of address Voltus calls us, never the address itself."""
    registration = push.registration
    return {
        "works": push.works,
        "via": push.via,
        "reason": push.reason,
        "failure": registration.failure and asdict(registration.failure),
        "refused_deliveries": push.refused,
        **asdict(push.health),
    }


def _clock(skew: ClockSkew) -> dict[str, Any]:
    """Return by how many seconds Voltus' clock is ahead of ours, and our own steps."""
    return {
        "median_offset": median(skew.offsets) if skew.offsets else None,
        **asdict(skew),
    }


def _dispatch(dispatch: Dispatch, known: Snapshot, policy: Policy) -> dict[str, Any]:
    return {
        "status": status(dispatch, utcnow()),
        "let_through": policy.lets_through(dispatch),
        "received": dispatch.received,
        "withdrawn": dispatch.withdrawn,
        "trace": asdict(known.trace(dispatch.id)),
        "wire": dispatch.as_wire(),
    }


def _without_secrets(
    told: Mapping[str, Any], entry: VoltusConfigEntry
) -> dict[str, Any]:
    """Return it as JSON, without what is nobody's business.

    The key is cut out of every text: a host may have sent it back to us.
    """
    url = URL(entry.data[CONF_URL])
    secrets = (
        entry.data[CONF_API_KEY],
        url.user,
        url.password,
        *entry.data.get(CONF_WEBHOOKS, ()),
        entry.data.get(CONF_WEBHOOK_ID),
        push_url(entry.options),
    )
    plain: dict[str, Any] = _json(told, [*filter(None, secrets)])
    return async_redact_data(plain, TO_REDACT)


def _json(value: object, secrets: Iterable[str]) -> Any:  # noqa: ANN401 (JSON)
    match value:
        case str():
            return reduce(
                lambda text, each: text.replace(each, REDACTED), secrets, value
            )
        case datetime():
            return value.isoformat()
        case Mapping():
            return {_json(k, secrets): _json(v, secrets) for k, v in value.items()}
        case list() | tuple():
            return [_json(each, secrets) for each in value]
        case frozenset():
            return sorted(_json(each, secrets) for each in value)
    return value
