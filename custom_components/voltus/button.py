"""To say that a dispatch has been seen."""

from typing import override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import VoltusConfigEntry
from .entity import CurtailmentEntity, async_add_for_everyone
from .operating.actions import async_acknowledge

PARALLEL_UPDATES = 0

BUTTONS = (ButtonEntityDescription(key="acknowledge"),)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: VoltusConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the buttons of the account and of each site."""
    async_add_for_everyone(entry, async_add_entities, AcknowledgeButton, BUTTONS)


class AcknowledgeButton(CurtailmentEntity, ButtonEntity):
    """Acknowledges, as whoever presses it, all that waits for that at its site."""

    @override
    async def async_press(self) -> None:
        """Acknowledge it; if nothing waits, nothing happens."""
        context = self._context or Context()
        await async_acknowledge(self.coordinator, context, site_id=self.site_id)
