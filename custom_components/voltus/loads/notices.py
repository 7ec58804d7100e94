"""What is told of loads: events, and repair issues while something lasts."""

from collections.abc import Iterable, Mapping
from typing import Final

from homeassistant.core import Context, HomeAssistant, State
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.util.signal_type import SignalType

from ..account.issues import names, plain
from ..const import DOMAIN, LOGGER
from .load import Load, Phase

EVENT_FAILED: Final = f"{DOMAIN}_load_failed"
EVENT_TAKEN_OVER: Final = f"{DOMAIN}_load_taken_over"
# Carries what a load has come to, its entity id, and the scopes that hold it.
LOAD_TOLD: Final = SignalType[str, str, list[str]](f"{DOMAIN}_load_told")


def note(hass: HomeAssistant, entity_id: str, before: Load, after: Load | None) -> None:
    """Have it logged when a load has gone down, or is back."""
    if after is None:
        come_to = "load_back" if before.phase is Phase.COMING_BACK else None
    else:
        is_down = after.phase is Phase.DOWN is not before.phase
        come_to = "load_down" if is_down else None
    if come_to:
        async_dispatcher_send(hass, LOAD_TOLD, come_to, entity_id, [*before.scopes])


def tell_failed(
    hass: HomeAssistant, entity_id: str, load: Load, context: Context | None
) -> None:
    """Tell that a load has not obeyed for some time."""
    async_dispatcher_send(hass, LOAD_TOLD, "load_failed", entity_id, [*load.scopes])
    hass.bus.async_fire(
        EVENT_FAILED,
        {
            "entity_id": entity_id,
            "scopes": [*load.scopes],
            "phase": load.phase,
            "wanted": dict(load.goal),
            "since": load.since.isoformat(),
        },
        context=context,
    )


def tell_taken_over(
    hass: HomeAssistant, entity_id: str, load: Load, state: State
) -> None:
    """Tell that somebody wants a load otherwise, which counts until the next time."""
    async_dispatcher_send(hass, LOAD_TOLD, "load_taken_over", entity_id, [*load.scopes])
    hass.bus.async_fire(
        EVENT_TAKEN_OVER,
        {
            "entity_id": entity_id,
            "scopes": [*load.scopes],
            "state": state.state,
            "user_id": state.context.user_id,
        },
        context=state.context,
    )


def tell_orphaned(hass: HomeAssistant, scope: str, entity_ids: Iterable[str]) -> None:
    """Tell that loads come back as the automation is gone for which they were held."""
    LOGGER.warning("The automation %s is gone; its loads are brought back", scope)
    _notice(
        hass,
        "automation_gone",
        {"loads": names(entity_ids), "scope": plain(scope)},
        ir.IssueSeverity.WARNING,
    )


def show_issues(hass: HomeAssistant, loads: Mapping[str, Load]) -> None:
    """Keep the repair issues in step: one for each phase in which loads fail."""
    not_down = _failing(loads, Phase.GOING_DOWN)
    _notice(hass, "loads_not_down", {"loads": not_down}, ir.IssueSeverity.ERROR)
    not_back = _failing(loads, Phase.COMING_BACK)
    _notice(hass, "loads_not_back", {"loads": not_back}, ir.IssueSeverity.ERROR)


def _failing(loads: Mapping[str, Load], phase: Phase) -> str:
    return names(i for i, load in loads.items() if load.failed and load.phase is phase)


def _notice(
    hass: HomeAssistant,
    key: str,
    placeholders: dict[str, str],
    severity: ir.IssueSeverity,
) -> None:
    """Raise a repair issue about loads, or take it back if there are none."""
    if not placeholders["loads"]:
        ir.async_delete_issue(hass, DOMAIN, key)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        key,
        is_fixable=False,
        severity=severity,
        translation_key=key,
        translation_placeholders=placeholders,
    )
