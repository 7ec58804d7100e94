"""What Voltus has said last, as an event entity."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.components.event import EventEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .account.cause import dispatch_context
from .aiovoltus.schedule import ChangeType
from .announcing.announcer import TOLD, ToldType
from .coordinator import VoltusConfigEntry
from .entity import VoltusEntity

PARALLEL_UPDATES = 0

# What of the event data becomes attributes: nothing that grows with the sites.
ATTRIBUTES = (
    "dispatch_id",
    "status",
    "test",
    "drill",
    "actionable",
    "start_time",
    "end_time",
    "commitment",
    "late_seconds",
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: VoltusConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the one event entity of the account."""
    async_add_entities([DispatchEvent(entry.runtime_data, "dispatch")])


class DispatchEvent(VoltusEntity, EventEntity):
    """The last change of a dispatch. It fires when something is told, and only then."""

    _attr_event_types = [change.value for change in ChangeType]

    @override
    async def async_added_to_hass(self) -> None:
        """Listen for what the coordinator tells."""
        await super().async_added_to_hass()
        self.async_on_remove(
            async_dispatcher_connect(self.hass, TOLD, self._async_tell)
        )

    @callback
    def _async_tell(self, kind: ToldType, data: Mapping[str, Any]) -> None:
        ours = data["entry_id"] == self.coordinator.config_entry.entry_id
        if not ours or not isinstance(kind, ChangeType):
            return
        self.async_set_context(dispatch_context(data["entry_id"], data["dispatch_id"]))
        self._trigger_event(kind.value, {key: data[key] for key in ATTRIBUTES})
        self.async_write_ha_state()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Ignore the looks in between: nothing is told by them."""
