"""What tests do: publish, let time pass, look at what came of it."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED, EVENT_STATE_CHANGED
from homeassistant.core import (
    CoreState,
    Event,
    EventStateChangedData,
    HomeAssistant,
    State,
    callback,
)
from homeassistant.helpers import area_registry as ar
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)
from pytest_homeassistant_custom_component.typing import MockHAClientWebSocket

from custom_components.voltus.account.devices import device_id
from custom_components.voltus.aiovoltus.by_hand import OperatorAct
from custom_components.voltus.aiovoltus.models import Json
from custom_components.voltus.const import DOMAIN
from sandbox.scenario import State as ScenarioState
from sandbox.server import LocalVoltus
from tests.builders import NOON

KEY = "sandbox-key"
EVENTS = ("created", "updated", "started", "ended", "cancelled")
PLATFORM_OF = {
    "acknowledge": "button",
    "acknowledgement_pending": "binary_sensor",
    "connection": "binary_sensor",
    "curtail": "binary_sensor",
    "dispatch": "event",
    "dispatch_active": "binary_sensor",
    "dispatches": "calendar",
    "push": "binary_sensor",
}


@dataclass
class Harness:
    """One Home Assistant, one local Voltus, and the clock of both."""

    hass: HomeAssistant
    freezer: FrozenDateTimeFactory
    voltus: LocalVoltus
    url: str
    entry: MockConfigEntry
    storage: dict[str, Any]
    told: list[Event[dict[str, Any]]] = field(default_factory=list)
    written: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Listen for all events of dispatches, and for every state, from the beginning."""
        self.hass.bus.async_listen(EVENT_STATE_CHANGED, self._see)
        for kind in (*EVENTS, *OperatorAct):
            self.hass.bus.async_listen(f"{DOMAIN}_dispatch_{kind}", self._hear)

    @callback
    def _hear(self, event: Event[dict[str, Any]]) -> None:
        self.told.append(event)

    @callback
    def _see(self, event: Event[EventStateChangedData]) -> None:
        if state := event.data["new_state"]:
            self.written.append((state.entity_id, state.state))

    @property
    def stories(self) -> list[tuple[str, str]]:
        """What was told so far, as (dispatch id, type)."""
        prefix = f"{DOMAIN}_dispatch_"
        return [
            (event.data["dispatch_id"], str(event.event_type).removeprefix(prefix))
            for event in self.told
        ]

    def publish(self, *dispatches: Mapping[str, Json], key: str = KEY) -> None:
        """Have Voltus say from now on that there are these dispatches and no other."""
        self.voltus.accounts[key].scenario = {
            str(dispatch["id"]): (
                ScenarioState(NOON.replace(year=2000), dict(dispatch)),
            )
            for dispatch in dispatches
        }

    async def set_up(self) -> None:
        """Set the entry up and wait for its first poll."""
        await self.hass.config_entries.async_setup(self.entry.entry_id)
        await self.settle()

    def disk(self) -> dict[str, Any]:
        """Return a copy of all that is stored now."""
        return deepcopy(self.storage)

    async def restart(
        self, disk: dict[str, Any] | None = None, *, started: bool = True
    ) -> None:
        """Stop and start Home Assistant; after a kill it finds `disk` as it was.

        The poll that follows is over when this returns, unless `started` is False:
        then Home Assistant is still starting.
        """
        await self.hass.config_entries.async_unload(self.entry.entry_id)
        await self.hass.async_block_till_done()
        if disk is not None:
            self.storage.clear()
            self.storage.update(disk)
        for entity_id in self.hass.states.async_entity_ids():
            self.hass.states.async_remove(entity_id)
        await self.hass.async_block_till_done()
        self.written.clear()
        if not started:
            self.hass.set_state(CoreState.starting)
        await self.hass.config_entries.async_setup(self.entry.entry_id)
        await self.hass.async_block_till_done(wait_background_tasks=started)

    async def finish_start(self) -> None:
        """Let Home Assistant say that it has started; a poll may still hang."""
        self.hass.set_state(CoreState.running)
        self.hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
        await self.hass.async_block_till_done()

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        await self.hass.async_block_till_done(wait_background_tasks=True)

    async def move_to(self, instant: datetime) -> None:
        """Let the clock jump, and what is due by then happen."""
        self.freezer.move_to(instant)
        async_fire_time_changed(self.hass)
        await self.settle()

    async def poll(self) -> None:
        """Poll now."""
        await self.entry.runtime_data.async_refresh()
        await self.settle()

    def entities(self) -> list[er.RegistryEntry]:
        """Return all entities of the entry."""
        return er.async_entries_for_config_entry(
            er.async_get(self.hass), self.entry.entry_id
        )

    def flows(self, source: str) -> list[ConfigFlowResult]:
        """Return the flows of this kind that wait for the user."""
        return list(self.entry.async_get_active_flows(self.hass, {source}))

    def entity_id(self, key: str, site_id: str | None = None) -> str:
        """Return the entity of a site, or of the account, by its translation key."""
        scope = "_".join(filter(None, (self.entry.entry_id, site_id)))
        entity_id = er.async_get(self.hass).async_get_entity_id(
            PLATFORM_OF.get(key, "sensor"), DOMAIN, f"{scope}_{key}"
        )
        assert entity_id, f"no entity {key} of {site_id}"
        return entity_id

    def device(self, site_id: str | None = None) -> str:
        """Return the device of a site, or of the account."""
        found = device_id(self.hass, self.entry.entry_id, site_id)
        assert found, f"no device of {site_id}"
        return found

    def in_area(self, *site_ids: str | None) -> str:
        """Put the devices of these sites (None: the account) into one area; return it."""
        area = ar.async_get(self.hass).async_get_or_create("Yard")
        for site_id in site_ids:
            dr.async_get(self.hass).async_update_device(
                self.device(site_id), area_id=area.id
            )
        return area.id

    async def offered(
        self, client: MockHAClientWebSocket, kind: str, by: str, site_id: str | None
    ) -> set[str]:
        """Return what of ours the editor offers for the device of a site, or its area."""
        chosen = self.device(site_id) if by == "device_id" else self.in_area(site_id)
        await client.send_json_auto_id(
            {"type": f"get_{kind}_for_target", "target": {by: [chosen]}}
        )
        offered = (await client.receive_json())["result"]
        return {key for key in offered if key.startswith(DOMAIN)}

    def state(self, key: str, site_id: str | None = None) -> State:
        """Return the state object of an entity."""
        state = self.hass.states.get(self.entity_id(key, site_id))
        assert state
        return state

    def written_states(self, key: str, site_id: str | None = None) -> list[str]:
        """Return every state written for an entity, in order."""
        entity_id = self.entity_id(key, site_id)
        return [state for written, state in self.written if written == entity_id]

    def curtails(self, site_id: str | None = None) -> bool:
        """Whether `curtail` is on; it must be on or off, never anything else."""
        return {"on": True, "off": False}[self.state("curtail", site_id).state]


def issues(harness: Harness) -> set[str]:
    """Return the kinds of repair issues that there are."""
    found = ir.async_get(harness.hass).issues.values()
    return {str(each.translation_key) for each in found if each.domain == DOMAIN}
