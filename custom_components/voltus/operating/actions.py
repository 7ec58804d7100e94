"""The actions of the operator: to acknowledge a dispatch, to let go of it, and back."""

from collections.abc import Collection, Iterable, Iterator

from homeassistant.core import Context, ServiceResponse
from homeassistant.exceptions import ServiceValidationError

from ..aiovoltus.by_hand import ByHand, OperatorAct, OptOut
from ..aiovoltus.models import Dispatch, Json, clean
from ..aiovoltus.schedule import status
from ..announcing.announcement import Said
from ..const import DOMAIN
from ..coordinator import VoltusCoordinator


async def acknowledge(
    account: VoltusCoordinator,
    context: Context,
    *,
    dispatch_id: str | None = None,
    note: str = "",
) -> ServiceResponse:
    """Say that a dispatch, or all that wait for it, have been seen."""
    if dispatch_id is not None:
        _dispatch(account, dispatch_id)
    done = await async_acknowledge(
        account, context, dispatch_id=dispatch_id, note=clean(note)
    )
    return {
        "dispatches": [
            {"dispatch_id": each.dispatch.id, "sites": [*each.site_ids]}
            for each in done
        ]
    }


async def async_acknowledge(
    account: VoltusCoordinator,
    context: Context,
    *,
    dispatch_id: str | None = None,
    site_id: str | None = None,
    note: str = "",
) -> list[Said]:
    """Acknowledge what waits for it, of one dispatch or site, or (None) of all."""
    now, after = account.now(), account.by_hand
    said = []
    for dispatch, sites in _unacknowledged(account, dispatch_id, site_id):
        after = after.acknowledge(dispatch, sites, now, note, context.user_id)
        seconds = round((now - dispatch.received).total_seconds(), 3)
        details: dict[str, Json] = {"note": note, "after_seconds": seconds}
        said.append(Said(OperatorAct.ACKNOWLEDGED, dispatch, sites, details))
    await _take(account, context, after, said)
    return said


def _unacknowledged(
    account: VoltusCoordinator, dispatch_id: str | None, site_id: str | None
) -> Iterator[tuple[Dispatch, list[str]]]:
    """Return the dispatches that nobody has seen, each with the sites concerned."""
    asked = account.data.curtailments
    everyone = [*filter(None, asked)] if site_id is None else [site_id]
    for each in sorted(account.data.curtailment(site_id).unacknowledged):
        if dispatch_id in (None, each):
            sites = [i for i in everyone if each in asked[i].unacknowledged]
            yield account.data.snapshot.dispatches[each], sites


async def opt_out(
    account: VoltusCoordinator,
    context: Context,
    *,
    dispatch_id: str,
    site_ids: Iterable[str] = (),
    reason: str = "",
) -> ServiceResponse:
    """Let go of sites, or all, of a dispatch until it is over."""
    dispatch = _dispatch(account, dispatch_id)
    sites = _sites(dispatch, site_ids)
    before, reason = account.by_hand, clean(reason)
    word = OptOut(account.now(), reason, context.user_id)
    after = before.opt_out(dispatch.id, sites, word)
    new = [i for i in sites if (dispatch.id, i) not in before.opt_outs]
    said = Said(OperatorAct.OPTED_OUT, dispatch, new, {"reason": reason})
    return await _opt(account, context, after, said)


async def opt_in(
    account: VoltusCoordinator,
    context: Context,
    *,
    dispatch_id: str,
    site_ids: Iterable[str] = (),
    reason: str = "",
) -> ServiceResponse:
    """Have sites, or all, of a dispatch curtail again that were let go of."""
    dispatch = _dispatch(account, dispatch_id)
    sites = _sites(dispatch, site_ids)
    before = account.by_hand
    back = [i for i in sites if (dispatch.id, i) in before.opt_outs]
    after = before.opt_in(dispatch.id, back)
    said = Said(OperatorAct.OPTED_IN, dispatch, back, {"reason": clean(reason)})
    return await _opt(account, context, after, said)


async def _opt(
    account: VoltusCoordinator, context: Context, by_hand: ByHand, said: Said
) -> ServiceResponse:
    await _take(account, context, by_hand, [said] if said.site_ids else [])
    return {"dispatch_id": said.dispatch.id, "sites": [*said.site_ids]}


async def _take(
    account: VoltusCoordinator,
    context: Context,
    by_hand: ByHand,
    said: Collection[Said],
) -> None:
    """Act on what was said if there is anything new in it, and wait for the states."""
    if said:
        account.async_take_word(by_hand, said, context)
        await account.async_shown()


def _dispatch(account: VoltusCoordinator, dispatch_id: str) -> Dispatch:
    """Return a dispatch. Raise if there is none of this id, or if it is over."""
    known = account.data.snapshot.dispatches
    dispatch = known.get(dispatch_id)
    if dispatch is None or status(dispatch, account.now()).over:
        live = [i for i, each in known.items() if not status(each, account.now()).over]
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="no_such_dispatch",
            translation_placeholders={
                "dispatch": dispatch_id,
                "known": ", ".join(live) or "-",
            },
        )
    return dispatch


def _sites(dispatch: Dispatch, site_ids: Iterable[str]) -> list[str]:
    """Return these sites, or all of a dispatch. Raise for one that it does not name."""
    named = [site.id for site in dispatch.sites]
    chosen = list(dict.fromkeys(site_ids))
    if unknown := [each for each in chosen if each not in named]:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="site_not_named",
            translation_placeholders={
                "unknown": ", ".join(unknown),
                "named": ", ".join(named),
            },
        )
    return chosen or named
