"""What is told of loads: events, and repair issues while something lasts."""

from collections.abc import Iterable, Mapping
from typing import Final

from homeassistant.core import Context, HomeAssistant, State
from homeassistant.helpers import issue_registry as ir

from ..account.issues import names
from ..const import DOMAIN, LOGGER
from .load import Load, Phase

EVENT_FAILED: Final = f"{DOMAIN}_load_failed"
EVENT_TAKEN_OVER: Final = f"{DOMAIN}_load_taken_over"
ISSUES: Final = {
    Phase.GOING_DOWN: "loads_not_down",
    Phase.COMING_BACK: "loads_not_back",
}


def tell_failed(
    hass: HomeAssistant, entity_id: str, load: Load, context: Context | None
) -> None:
    """Tell that a load has not obeyed for some time."""
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
    _raise(hass, "automation_gone", entity_ids, ir.IssueSeverity.WARNING, scope=scope)


def show_issues(hass: HomeAssistant, loads: Mapping[str, Load]) -> None:
    """Keep the repair issues in step: one for each phase in which loads fail."""
    for phase, key in ISSUES.items():
        failing = [
            i for i, load in loads.items() if load.failed and load.phase is phase
        ]
        if failing:
            _raise(hass, key, failing, ir.IssueSeverity.ERROR)
        else:
            ir.async_delete_issue(hass, DOMAIN, key)


def _raise(
    hass: HomeAssistant,
    key: str,
    entity_ids: Iterable[str],
    severity: ir.IssueSeverity,
    **placeholders: str,
) -> None:
    ir.async_create_issue(
        hass,
        DOMAIN,
        key,
        is_fixable=False,
        severity=severity,
        translation_key=key,
        translation_placeholders={"loads": names(entity_ids), **placeholders},
    )
