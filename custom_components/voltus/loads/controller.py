"""Holds loads down and brings them back, each by itself, whatever the others do."""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
import logging
from typing import Final

from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import (
    CALLBACK_TYPE,
    Context,
    Event,
    EventStateChangedData,
    HassJob,
    HomeAssistant,
    State,
    callback,
)
from homeassistant.helpers.entity_registry import (
    EVENT_ENTITY_REGISTRY_UPDATED,
    EventEntityRegistryUpdatedData,
)
from homeassistant.helpers.event import async_call_later, async_track_state_change_event
from homeassistant.helpers.start import async_at_started
from homeassistant.util.dt import utcnow

from ..account.loop_share import LoopShare
from ..const import LOGGER
from ..remembering.files import CheckedStore, NotWrittenError, async_load_or_set_aside
from .commands import async_tell, is_automation, report_of
from .encoding import Kept, dump, read, read_saved_states
from .goals import STATE, Request
from .load import Cause, Load, Phase, advance, change, due, restore, shed
from .notices import note, show_issues, tell_failed, tell_orphaned, tell_taken_over

FURTHEST: Final = timedelta(hours=1)
"""Ahead of now, for a load to wait to come back: beyond, the clock was set back."""


class LoadController:
    """The loads that are held down, or on their way back, by entity id."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin with none."""
        self._hass = hass
        self._store = CheckedStore(hass, "loads")
        self._loads: dict[str, Load] = {}
        self._automations: frozenset[str] = frozenset()
        self._written = Kept()
        self._writing = asyncio.Lock()
        self._dues: dict[str, datetime] = {}
        self._contexts: dict[str, Context] = {}
        self._ours: deque[str] = deque(maxlen=100)
        self._started = False
        self._unsub_timer: CALLBACK_TYPE | None = None
        self._unsub_states: CALLBACK_TYPE | None = None
        # Pauses are measured by what no step of the clock can stretch.
        self._began = utcnow() - timedelta(seconds=hass.loop.time())

    @property
    def loads(self) -> Mapping[str, Load]:
        """What each load is doing."""
        return self._loads

    def now(self) -> datetime:
        """Return the time since the start, which no step of the clock changes."""
        return self._began + timedelta(seconds=self._hass.loop.time())

    async def async_load(self) -> None:
        """Take up what an earlier run has left, and go on when all are there."""
        latest = self.now() + FURTHEST
        kept = await async_load_or_set_aside(self._store, read)
        if kept is None:
            kept = await self._async_take_over_saved_states()
        self._written, self._automations = kept, kept.automations
        self._loads = {
            entity_id: load if load.since <= latest else replace(load, since=self.now())
            for entity_id, load in kept.loads.items()
        }
        self._follow()
        async_at_started(self._hass, self._async_started)
        self._hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, self._async_stop)

    async def _async_take_over_saved_states(self) -> Kept:
        """Take up what an earlier version has left, in a file of another name."""
        old = CheckedStore(self._hass, "saved_states")
        now = self.now()
        kept = await async_load_or_set_aside(
            old, lambda content: read_saved_states(content, now)
        )
        if kept is None:
            return Kept()
        await self._store.async_write(dump(kept))
        await old.async_remove()
        return kept

    @callback
    def async_shed(
        self, scope: str, entity_ids: Iterable[str], request: Request, cause: Context
    ) -> dict[str, Load]:
        """Have a scope hold loads down. Return what each of them is doing."""
        context, now = self._context(cause), self.now()
        wanted = list(entity_ids)
        if is_automation(self._hass, scope):
            self._automations |= {scope}
        for entity_id in wanted:
            report = report_of(self._hass.states.get(entity_id))
            before = self._loads.get(entity_id)
            load = shed(before, scope, request, report, now)
            if load != before:
                self._loads[entity_id] = load
                self._contexts[entity_id] = context
        self._follow()
        self._advance(wanted)
        return {entity_id: self._loads[entity_id] for entity_id in wanted}

    @callback
    def async_restore(
        self, scope: str, pause: timedelta, cause: Context
    ) -> dict[str, Load]:
        """Have a scope let its loads go. Return what those that come back are doing.

        They begin one `pause` after the other, in the order in which they were shed.
        """
        context, begins = self._context(cause), self.now()
        held = [i for i, load in self._loads.items() if scope in load.scopes]
        for entity_id in held:
            before = self._loads[entity_id]
            if before.told and before.before is None:
                tell_failed(self._hass, entity_id, before, context)
            self._replace(entity_id, restore(before, scope, begins))
            self._contexts[entity_id] = context
            after = self._loads.get(entity_id)
            if after and after.phase is Phase.COMING_BACK:
                begins += pause
        self._follow()
        self._advance(held)
        return {i: self._loads[i] for i in held if i in self._loads}

    @callback
    def _async_started(self, _hass: HomeAssistant) -> None:
        self._started = True
        self._hass.bus.async_listen(EVENT_ENTITY_REGISTRY_UPDATED, self._async_removed)
        self._let_go_of_orphans()
        self._advance([*self._loads])

    @callback
    def _async_stop(self, _event: Event) -> None:
        """Leave everything to the next start."""
        self._started = False
        self._disarm()

    @callback
    def _async_removed(self, event: Event[EventEntityRegistryUpdatedData]) -> None:
        if event.data["action"] == "remove":
            self._let_go_of_orphans()

    def _let_go_of_orphans(self) -> None:
        """Bring back what is held for automations that are no more, and say so."""
        gone = {
            each for each in self._automations if not is_automation(self._hass, each)
        }
        self._automations -= gone
        for scope in sorted(gone):
            loads = self.async_restore(scope, timedelta(0), Context())
            if loads:
                tell_orphaned(self._hass, scope, loads)

    @callback
    def _async_changed(self, event: Event[EventStateChangedData]) -> None:
        entity_id, state = event.data["entity_id"], event.data["new_state"]
        load = self._loads.get(entity_id)
        if load is None or state is None:
            return
        was = report_of(event.data["old_state"]).values
        values = report_of(state).values
        after = change(load, was, values, self.now(), self._cause(state))
        self._replace(entity_id, after)
        if after is None or (
            after.phase is Phase.TAKEN_OVER and load.phase is not Phase.TAKEN_OVER
        ):
            tell_taken_over(self._hass, entity_id, load, state)
        self._advance([entity_id])

    def _cause(self, state: State) -> Cause:
        if state.context.id in self._ours:
            return Cause.COMMAND
        return Cause.PERSON if state.context.user_id else Cause.OTHER

    def _context(self, cause: Context) -> Context:
        """Return a context for commands: caused by a call, but never a person's."""
        context = Context(parent_id=cause.id)
        self._ours.append(context.id)
        return context

    def _replace(self, entity_id: str, load: Load | None) -> None:
        note(self._hass, entity_id, self._loads[entity_id], load)
        if load is None:
            del self._loads[entity_id]
            self._dues.pop(entity_id, None)
        else:
            self._loads[entity_id] = load

    @callback
    def _advance(self, entity_ids: Iterable[str]) -> None:
        """Do what is due for these loads, and come back when more is."""
        if not self._started:
            return
        commands = [
            entity_id
            for entity_id in entity_ids
            if entity_id in self._loads and self._is_to_be_told(entity_id)
        ]
        if self._loads != self._written.loads:
            show_issues(self._hass, self._loads)
        if commands or self._loads != self._written.loads:
            self._hass.async_create_background_task(
                self._carry_out(commands), "voltus loads", eager_start=True
            )
        self._arm()

    def _is_to_be_told(self, entity_id: str) -> bool:
        report = report_of(self._hass.states.get(entity_id))
        before = self._loads[entity_id]
        load, told = advance(before, report, self.now())
        self._replace(entity_id, load)
        if load is None:
            return False
        if load.failed and not before.failed:
            tell_failed(self._hass, entity_id, load, self._contexts.get(entity_id))
        if (instant := due(load, report)) is None:
            self._dues.pop(entity_id, None)
        else:
            self._dues[entity_id] = instant
        return told

    def _disarm(self) -> None:
        if self._unsub_timer:
            self._unsub_timer()
            self._unsub_timer = None

    def _arm(self) -> None:
        self._disarm()
        if self._dues:
            wait = min(self._dues.values()) - self.now()
            self._unsub_timer = async_call_later(
                self._hass,
                max(wait, timedelta(0)),
                HassJob(self._on_timer, "voltus loads", cancel_on_shutdown=True),
            )

    @callback
    def _on_timer(self, _now: datetime) -> None:
        self._unsub_timer = None
        now = self.now()
        self._advance([i for i, instant in self._dues.items() if instant <= now])

    def _follow(self) -> None:
        """Listen to the loads that there are, and to no others."""
        if self._unsub_states:
            self._unsub_states()
        self._unsub_states = async_track_state_change_event(
            self._hass, [*self._loads], self._async_changed
        )

    async def _carry_out(self, entity_ids: Iterable[str]) -> None:
        """Write what is known, then tell loads: none is told before it can come back."""
        await self._write()
        share = LoopShare(self._hass.loop)
        for entity_id in entity_ids:
            self._hass.async_create_background_task(
                self._tell(entity_id), f"voltus {entity_id}", eager_start=True
            )
            await share.step()

    async def _write(self) -> None:
        async with self._writing:
            kept = Kept(dict(self._loads), self._automations)
            if kept == self._written:
                return
            try:
                if kept.loads:
                    await self._store.async_write(dump(kept))
                else:
                    await self._store.async_remove()
            except NotWrittenError as err:
                # A repair issue says so. To shed nothing would be the greater loss.
                LOGGER.error(
                    "The loads that are held down are not on the disk: %s", err
                )
                return
            self._written = kept

    async def _tell(self, entity_id: str) -> None:
        load = self._loads.get(entity_id)
        if load is None:
            return
        coming = load.phase is Phase.COMING_BACK
        aim = load.before if coming and load.before else load.goal
        context = self._contexts.setdefault(entity_id, self._context(Context()))
        try:
            await async_tell(self._hass, entity_id, aim, context)
        except Exception as err:  # noqa: BLE001 (a load's integration may raise anything)
            LOGGER.log(
                logging.WARNING if load.told == 1 else logging.DEBUG,
                "%s was not told to be %s, and will be told again: %r",
                entity_id,
                aim.get(STATE, dict(aim)),
                err,
            )
