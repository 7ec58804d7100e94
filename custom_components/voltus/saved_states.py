"""The states of loads: remembered before they are shed, put back afterwards."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Self, final

from homeassistant.auth.permissions.const import POLICY_CONTROL
from homeassistant.const import ATTR_ENTITY_ID, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import (
    CALLBACK_TYPE,
    Event,
    EventStateChangedData,
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    State,
    callback,
)
from homeassistant.exceptions import Unauthorized
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.helpers.state import async_reproduce_state
from homeassistant.helpers.storage import Store
from homeassistant.util.json import JsonValueType

from .const import DOMAIN
from .remembering.files import async_load_or_set_aside

ATTR_SCOPE: Final = "scope"
ATTR_STATE: Final = "state"
ATTR_TO: Final = "to"
VERSION: Final = 1

_ABSENT = (STATE_UNAVAILABLE, STATE_UNKNOWN)


@final
@dataclass(frozen=True, slots=True)
class Saved:
    """A load as it was, and how it was left since, if it is known.

    Of a load its state counts, and of its attributes those named in `counts`.
    """

    state: str
    attributes: Mapping[str, Any]
    counts: Sequence[str] = ()
    left: Mapping[str, Any] | None = None

    def of(self, load: State | Self) -> dict[str, Any]:
        """Return what counts of the load, as it is in this state."""
        attributes = {name: load.attributes.get(name) for name in self.counts}
        return {**attributes, ATTR_STATE: load.state}


class SavedStates:
    """The states of loads by scope; they outlive restarts.

    The first change of what counts of a load, after it was saved, is taken for the one
    it was saved for, and it was left so. A load that was to be brought to what it was
    already is left as it is. Whoever changes it after that wants it so, and it is not
    put back.
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

    async def async_save_states(self, call: ServiceCall) -> ServiceResponse:
        """Remember loads, unless this scope already remembers them.

        Return those that have not changed since: they are still to be brought down.
        """
        wanted = call.data[ATTR_ENTITY_ID]
        await self._async_check_control(call, wanted)
        loads = self._scopes.setdefault(call.data[ATTR_SCOPE], {})
        present = self._present(wanted)
        before = dict(loads)
        for entity_id, state in present.items():
            saved = loads.get(entity_id) or _saved_now(state, call.data[ATTR_TO])
            loads[entity_id] = _noted(saved, state)
        unchanged = _answer(each for each in present if loads[each].left is None)
        if loads != before:
            await self._async_keep()
        return unchanged

    async def async_restore_states(self, call: ServiceCall) -> ServiceResponse:
        """Put back the loads that are still as they were left, and forget them.

        Return those that were put back. A load that is unavailable stays remembered
        for another call.
        """
        loads = self._scopes.get(call.data[ATTR_SCOPE], {})
        wanted = call.data.get(ATTR_ENTITY_ID, list(loads))
        await self._async_check_control(call, wanted)
        now = self._present(each for each in wanted if each in loads)
        back = [
            State(entity_id, loads[entity_id].state, loads[entity_id].attributes)
            for entity_id, state in now.items()
            if _is_to_come_back(loads[entity_id], state)
        ]
        await async_reproduce_state(self._hass, back, context=call.context)
        for entity_id in now:
            # Another call may have put it back meanwhile.
            loads.pop(entity_id, None)
        if now:
            await self._async_keep()
        return _answer(state.entity_id for state in back)

    def _present(self, entity_ids: Iterable[str]) -> dict[str, State]:
        return {
            entity_id: state
            for entity_id in entity_ids
            if (state := self._hass.states.get(entity_id))
            and state.state not in _ABSENT
        }

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
            if saved and (noted := _noted(saved, state)) != saved:
                loads[state.entity_id] = noted
                self._hass.async_create_task(self._async_keep())


def _saved_now(state: State, to: Mapping[str, Any]) -> Saved:
    counts = sorted(to.keys() - {ATTR_STATE})
    saved = Saved(state.state, dict(state.attributes), counts)
    now = saved.of(state)
    return replace(saved, left=now) if to and now == {**now, **to} else saved


def _noted(saved: Saved, state: State) -> Saved:
    """Note how a load was left, if this is the first change of what counts of it."""
    now = saved.of(state)
    if saved.left is not None or now == saved.of(saved):
        return saved
    return replace(saved, left=now)


def _is_to_come_back(saved: Saved, state: State) -> bool:
    """Whether a load is as it was left, and that is not how it was all the while."""
    return saved.left is None or saved.of(saved) != saved.left == saved.of(state)


def _answer(entity_ids: Iterable[str]) -> ServiceResponse:
    found: list[JsonValueType] = [*entity_ids]
    return {ATTR_ENTITY_ID: found}


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
    saved.of(saved)
    return saved
