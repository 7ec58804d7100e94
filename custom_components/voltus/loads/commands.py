"""The commands that loads are given, and what Home Assistant shows of them."""

import asyncio
from typing import Final

from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Context, HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.state import async_reproduce_state

from ..aiovoltus.models import Json
from .encoding import storable
from .goals import STATE, TEMPERATURES, Values
from .load import ABSENT, Report

LONGEST: Final = 10
"""Seconds that a command may take."""
SERVICES: Final = {
    "on": "turn_on",
    "off": "turn_off",
    "open": "open_cover",
    "closed": "close_cover",
}


def report_of(state: State | None) -> Report:
    """Return what a state says of a load; of its attributes what can be stored."""
    if state is None or state.state == STATE_UNAVAILABLE:
        return ABSENT
    if state.state == STATE_UNKNOWN:
        return Report(None)
    attributes = {n: value for n, value in state.attributes.items() if storable(value)}
    return Report({**attributes, STATE: state.state})


def is_automation(hass: HomeAssistant, scope: str) -> bool:
    """Whether there is an automation of this id, or of this entity id."""
    registry = er.async_get(hass)
    return registry.async_get_entity_id(
        "automation", "automation", scope
    ) is not None or (
        scope.startswith("automation.") and hass.states.get(scope) is not None
    )


async def async_tell(
    hass: HomeAssistant, entity_id: str, aim: Values, context: Context
) -> None:
    """Tell a load to be like this. Raises whatever the load's own integration does.

    Home Assistant's own way to reproduce a state leaves out what is reported already;
    but a report is no proof as long as the last command may not have been answered.
    """
    domain, _, _ = entity_id.partition(".")
    state, now = aim.get(STATE), hass.states.get(entity_id)
    service = SERVICES.get(str(state))
    data: dict[str, Json] = {"entity_id": entity_id}
    is_reported = report_of(now).values == aim
    if aim.keys() <= {*TEMPERATURES}:
        service, data = "set_temperature", {**data, **aim}
    elif aim.keys() != {STATE} and not is_reported:
        service = None
    async with asyncio.timeout(LONGEST):
        if service and hass.services.has_service(domain, service):
            await hass.services.async_call(
                domain, service, data, blocking=True, context=context
            )
        else:
            await async_reproduce_state(
                hass, _state(entity_id, aim, now), context=context
            )


def _state(entity_id: str, aim: Values, now: State | None) -> State:
    attributes = {name: value for name, value in aim.items() if name != STATE}
    state = aim.get(STATE, now.state if now else STATE_UNKNOWN)
    return State(entity_id, str(state), attributes)
