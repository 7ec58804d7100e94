"""The states of loads: remembered before they are shed, put back afterwards."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, final

from homeassistant.auth.permissions.const import POLICY_CONTROL
from homeassistant.const import ATTR_ENTITY_ID, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import (
    CALLBACK_TYPE,
    Event,
    EventStateChangedData,
    HomeAssistant,
    ServiceCall,
    State,
    callback,
)
from homeassistant.exceptions import Unauthorized
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.helpers.state import async_reproduce_state
from homeassistant.helpers.storage import Store

from .const import DOMAIN
from .store import async_load_or_set_aside

ATTR_SCOPE: Final = "scope"
VERSION: Final = 1

_ABSENT = (STATE_UNAVAILABLE, STATE_UNKNOWN)


@final
@dataclass(frozen=True, slots=True)
class Saved:
    """A load as it was, and the state that it was brought to since, if any."""

    state: str
    attributes: Mapping[str, Any]
    left: str | None = None


class SavedStates:
    """The states of loads by scope; they outlive restarts.

    The first state that a load takes on after it was saved is the one it was left in.
    Whoever changes it after that wants it so, and it is not put back.
    """

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin with nothing saved."""
        self._hass = hass
        self._store: Store[dict[str, Any]] = Store(
            hass, VERSION, f"{DOMAIN}.saved_states", atomic_writes=True
        )
        self._scopes: dict[str, dict[str, Saved]] = {}
        self._unsub: CALLBACK_TYPE | None = None

    async def async_load(self) -> None:
        """Take up what was saved before a restart."""
        self._scopes = await async_load_or_set_aside(self._store, _scopes) or {}
        self._watch()

    async def async_save_states(self, call: ServiceCall) -> None:
        """Remember loads, unless this scope already remembers them."""
        await self._async_check_control(call, call.data[ATTR_ENTITY_ID])
        loads = self._scopes.setdefault(call.data[ATTR_SCOPE], {})
        for entity_id in call.data[ATTR_ENTITY_ID]:
            state = self._hass.states.get(entity_id)
            if state and state.state not in _ABSENT and entity_id not in loads:
                loads[entity_id] = Saved(state.state, dict(state.attributes))
        await self._async_keep()

    async def async_restore_states(self, call: ServiceCall) -> None:
        """Put back the loads that are still as they were left, and forget them.

        A load that is unavailable stays remembered for another call.
        """
        loads = self._scopes.get(call.data[ATTR_SCOPE], {})
        wanted = call.data.get(ATTR_ENTITY_ID, list(loads))
        await self._async_check_control(call, wanted)
        now = {
            entity_id: state
            for entity_id in wanted
            if entity_id in loads
            and (state := self._hass.states.get(entity_id))
            and state.state not in _ABSENT
        }
        await async_reproduce_state(
            self._hass,
            [
                State(entity_id, loads[entity_id].state, loads[entity_id].attributes)
                for entity_id, state in now.items()
                if loads[entity_id].left in (None, state.state)
            ],
            context=call.context,
        )
        for entity_id in now:
            # Another call may have put it back meanwhile.
            loads.pop(entity_id, None)
        await self._async_keep()

    async def _async_check_control(
        self, call: ServiceCall, entity_ids: Iterable[str]
    ) -> None:
        """Raise Unauthorized unless whoever calls may also switch these loads.

        A load that was remembered falsely would not come back after a dispatch.
        """
        if call.context.user_id is None:
            return
        user = await self._hass.auth.async_get_user(call.context.user_id)
        for entity_id in entity_ids:
            if not user or not user.permissions.check_entity(entity_id, POLICY_CONTROL):
                raise Unauthorized(
                    context=call.context,
                    entity_id=entity_id,
                    permission=POLICY_CONTROL,
                )

    async def _async_keep(self) -> None:
        self._scopes = {scope: loads for scope, loads in self._scopes.items() if loads}
        self._watch()
        await self._store.async_save(
            {
                scope: {entity_id: asdict(saved) for entity_id, saved in loads.items()}
                for scope, loads in self._scopes.items()
            }
        )

    def _watch(self) -> None:
        if self._unsub:
            self._unsub()
        watched = {entity_id for loads in self._scopes.values() for entity_id in loads}
        self._unsub = async_track_state_change_event(
            self._hass, watched, self._async_changed
        )

    @callback
    def _async_changed(self, event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if state is None or state.state in _ABSENT:
            return
        for loads in self._scopes.values():
            saved = loads.get(state.entity_id)
            if saved and saved.left is None and state.state != saved.state:
                loads[state.entity_id] = replace(saved, left=state.state)
                self._hass.async_create_task(self._async_keep())


def _scopes(content: dict[str, Any]) -> dict[str, dict[str, Saved]]:
    return {
        scope: {
            entity_id: _saved(entity_id, saved) for entity_id, saved in loads.items()
        }
        for scope, loads in content.items()
    }


def _saved(entity_id: str, content: dict[str, Any]) -> Saved:
    saved = Saved(**content)
    # Raises for what could not be put back.
    State(entity_id, saved.state, saved.attributes)
    return saved
