"""The actions `shed` and `restore`."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from homeassistant.auth.permissions.const import POLICY_CONTROL
from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import (
    Context,
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import ServiceValidationError, Unauthorized
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.group import expand_entity_ids
from homeassistant.helpers.target import (
    TargetSelection,
    async_extract_referenced_entity_ids,
)
from homeassistant.util.hass_dict import HassKey
import voluptuous as vol

from ..aiovoltus.models import Json
from ..const import DOMAIN
from .controller import LoadController
from .encoding import storable
from .goals import OFF, STATE, Request, SetBack, To
from .load import Load

ATTR_SCOPE: Final = "scope"
ATTR_TO: Final = "to"
ATTR_SET_BACK: Final = "set_back"
ATTR_PAUSE: Final = "pause"
LOADS: Final = frozenset(
    {"switch", "light", "fan", "humidifier", "input_boolean", "climate", "water_heater"}
)
"""What counts of an area, a device or a label."""
MOST_DEGREES: Final = 100
LONGEST_PAUSE: Final = 3600

_CONTROLLER: Final = HassKey[LoadController](f"{DOMAIN}_loads")
_DEGREES = vol.All(vol.Coerce(float), vol.Range(min=0, max=MOST_DEGREES))


def _value(value: object) -> Json:
    """Read what a load is to be brought to. YAML takes an unquoted off for false."""
    if not storable(value) or value is None:
        raise vol.Invalid("neither a text, a number, a list nor a mapping")
    return value  # type: ignore[return-value]


def _state(value: object) -> str:
    """Read a state. YAML takes an unquoted off for false."""
    if isinstance(value, bool):
        return "on" if value else OFF
    return cv.string(value)


def _to(value: object) -> dict[str, Json]:
    """Read a state, alone or with attributes, or attributes."""
    if not isinstance(value, dict):
        return {STATE: _state(value)}
    values: dict[str, Json] = vol.Schema({cv.string: _value})(value)
    if not values:
        raise vol.Invalid("a state or attributes are needed")
    return {**values, STATE: _state(values[STATE])} if STATE in values else values


SHED_SCHEMA: Final = vol.Schema(
    {
        vol.Required(ATTR_SCOPE): vol.All(cv.string, vol.Length(min=1)),
        **cv.TARGET_SERVICE_FIELDS,
        vol.Exclusive(ATTR_TO, "how"): _to,
        vol.Exclusive(ATTR_SET_BACK, "how"): vol.Schema(
            {vol.Required("warmer"): _DEGREES, vol.Required("colder"): _DEGREES}
        ),
    }
)
RESTORE_SCHEMA: Final = vol.Schema(
    {
        vol.Required(ATTR_SCOPE): cv.string,
        vol.Optional(ATTR_PAUSE, default=0): vol.All(
            vol.Coerce(float), vol.Range(min=0, max=LONGEST_PAUSE)
        ),
    }
)


async def async_setup_load_actions(hass: HomeAssistant) -> None:
    """Register the actions; the loads that an earlier run has left are taken up."""
    controller = hass.data[_CONTROLLER] = LoadController(hass)
    await controller.async_load()

    async def shed(call: ServiceCall) -> ServiceResponse:
        """Have a scope hold loads down."""
        loads = _targets(call)
        await _async_check_control(call, loads)
        return _answer(
            controller.async_shed(
                call.data[ATTR_SCOPE], loads, _request(call.data), call.context
            )
        )

    async def restore(call: ServiceCall) -> ServiceResponse:
        """Have a scope let its loads go."""
        scope = call.data[ATTR_SCOPE]
        held = [i for i, load in controller.loads.items() if scope in load.scopes]
        await _async_check_control(call, held)
        pause = timedelta(seconds=call.data[ATTR_PAUSE])
        return _answer(controller.async_restore(scope, pause, call.context))

    for action, schema in ((shed, SHED_SCHEMA), (restore, RESTORE_SCHEMA)):
        hass.services.async_register(
            DOMAIN, action.__name__, action, schema, SupportsResponse.OPTIONAL
        )


@callback
def async_let_go_of_all(hass: HomeAssistant) -> None:
    """Bring all loads back: nobody says any more how long they are to be down."""
    controller = hass.data[_CONTROLLER]
    for scope in {scope for load in controller.loads.values() for scope in load.scopes}:
        controller.async_restore(scope, timedelta(0), Context())


def _request(data: Mapping[str, Any]) -> Request:
    if ATTR_SET_BACK in data:
        return SetBack(**data[ATTR_SET_BACK])
    return To(data.get(ATTR_TO, {STATE: OFF}))


def _targets(call: ServiceCall) -> list[str]:
    """Return the loads that a call means, those named first in their order.

    Groups stand for their members. Raises ServiceValidationError if there are none.
    """
    if not call.data.keys() & cv.ENTITY_SERVICE_FIELDS.keys():
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="no_loads"
        )
    found = async_extract_referenced_entity_ids(
        call.hass, TargetSelection(call.data), expand_group=False
    )
    beside = {i for i in found.indirectly_referenced if i.partition(".")[0] in LOADS}
    named = [i for i in call.data.get(ATTR_ENTITY_ID, ()) if i in found.referenced]
    return expand_entity_ids(call.hass, [*named, *sorted(beside - {*named})])


async def _async_check_control(call: ServiceCall, entity_ids: Iterable[str]) -> None:
    """Raise Unauthorized unless whoever calls may also switch these loads."""
    if call.context.user_id is None:
        return
    user = await call.hass.auth.async_get_user(call.context.user_id)
    for entity_id in entity_ids:
        if not user or not user.permissions.check_entity(entity_id, POLICY_CONTROL):
            raise Unauthorized(
                context=call.context, entity_id=entity_id, permission=POLICY_CONTROL
            )


def _answer(loads: Mapping[str, Load]) -> ServiceResponse:
    return {
        "loads": {
            entity_id: {"phase": load.phase, "since": load.since.isoformat()}
            for entity_id, load in loads.items()
        }
    }
