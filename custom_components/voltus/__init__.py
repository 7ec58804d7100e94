"""Voltus: dispatches of demand response, and what they ask of each site."""

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.helpers.typing import ConfigType

from .account.devices import identifier
from .asking.push import async_end_push
from .const import DOMAIN
from .coordinator import VoltusConfigEntry, VoltusCoordinator
from .dashboard.resource import (
    async_add_resource,
    async_remove_resource,
    async_serve,
)
from .loads.actions import async_let_go_of_all
from .remembering.files import async_forget
from .reporting.download import async_serve_reports
from .services import async_setup_services

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)
PLATFORMS = (
    Platform.CALENDAR,
    Platform.EVENT,
    Platform.BUTTON,
    Platform.SENSOR,
    Platform.BINARY_SENSOR,
)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Offer the actions and the dashboard."""
    await async_setup_services(hass)
    await async_serve(hass)
    async_serve_reports(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: VoltusConfigEntry) -> bool:
    """Set up an account from memory, or from a first answer where there is none."""
    coordinator = VoltusCoordinator(hass, entry)
    coordinator.push.async_listen()
    entry.async_on_unload(coordinator.push.async_stop)
    recalled = await coordinator.async_load()
    if not recalled:
        await coordinator.async_config_entry_first_refresh()
    entry.runtime_data = coordinator
    await coordinator.async_shown()
    # One after the other, so that `curtail` comes when all that belongs to it is there.
    for platform in PLATFORMS:
        await hass.config_entries.async_forward_entry_setups(entry, [platform])
    coordinator.async_start()
    await async_add_resource(hass)
    if recalled:
        # No request stands between a restart and the first state.
        coordinator.async_refresh_soon()
    return True


async def async_unload_entry(hass: HomeAssistant, entry: VoltusConfigEntry) -> bool:
    """Stop an account, and keep what is known for the next time."""
    unloaded = await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
    if unloaded:
        # Nothing is told or written any more: the next run may be reading already.
        await entry.runtime_data.async_shutdown()
    await entry.runtime_data.async_save()
    entry.runtime_data.push.async_end()
    return unloaded


async def async_remove_entry(hass: HomeAssistant, entry: VoltusConfigEntry) -> None:
    """Forget what was kept for an account.

    With the last one the dashboard goes, and loads that are held down are let go.
    """
    async_end_push(hass, entry)
    await async_forget(hass, entry.entry_id)
    if not hass.config_entries.async_entries(DOMAIN):
        await async_remove_resource(hass)
        async_let_go_of_all(hass)


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: VoltusConfigEntry, device: DeviceEntry
) -> bool:
    """Allow to delete a device only when nothing stands behind it any more."""
    if entry.state is not ConfigEntryState.LOADED:
        return False
    sites = entry.runtime_data.sites
    return not device.identifiers & {
        identifier(entry.entry_id, site_id) for site_id in (None, *sites)
    }
