"""The actions."""

from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
import voluptuous as vol

from .const import DOMAIN
from .saved_states import ATTR_SCOPE, SavedStates

SAVE_SCHEMA = vol.Schema(
    {vol.Required(ATTR_SCOPE): cv.string, vol.Required(ATTR_ENTITY_ID): cv.entity_ids}
)
RESTORE_SCHEMA = vol.Schema(
    {vol.Required(ATTR_SCOPE): cv.string, vol.Optional(ATTR_ENTITY_ID): cv.entity_ids}
)


async def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    saved_states = SavedStates(hass)
    await saved_states.async_load()
    hass.services.async_register(
        DOMAIN, "save_states", saved_states.async_save_states, SAVE_SCHEMA
    )
    hass.services.async_register(
        DOMAIN, "restore_states", saved_states.async_restore_states, RESTORE_SCHEMA
    )
