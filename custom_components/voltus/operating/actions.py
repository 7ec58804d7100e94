"""The actions of the operator: to let go of a dispatch, and to take that back."""

from collections.abc import Iterable

from homeassistant.core import Context, ServiceResponse
from homeassistant.exceptions import ServiceValidationError

from ..aiovoltus.by_hand import ByHand, OperatorAct, OptOut
from ..aiovoltus.models import Dispatch, clean
from ..aiovoltus.schedule import status
from ..announcing.announcement import Said
from ..const import DOMAIN
from ..coordinator import VoltusCoordinator


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
    return await _take(account, context, after, said)


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
    return await _take(account, context, after, said)


async def _take(
    account: VoltusCoordinator, context: Context, by_hand: ByHand, said: Said
) -> ServiceResponse:
    """Act on what was said if there is anything new in it, and wait for the states."""
    if said.site_ids:
        account.async_take_word(by_hand, said, context)
        await account.async_shown()
    return {"dispatch_id": said.dispatch.id, "sites": [*said.site_ids]}


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
