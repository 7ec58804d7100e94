"""A Home Assistant in this process, on a real disk, by the real clock."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractContextManager, asynccontextmanager
from tempfile import TemporaryDirectory
from unittest.mock import patch

from aiohttp import ThreadedResolver
from homeassistant.config_entries import ConfigEntryState, ConfigSubentryData
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import frame
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_test_home_assistant,
)

from custom_components.voltus.const import DOMAIN
from custom_components.voltus.coordinator import VoltusCoordinator

from .elsewhere import KEY

PLATFORMS = ("binary_sensor", "calendar", "event", "sensor")


@asynccontextmanager
async def home(platforms: Iterable[str] = PLATFORMS) -> AsyncIterator[HomeAssistant]:
    """Run a Home Assistant that has these platforms set up, as any has."""
    with TemporaryDirectory() as folder, _no_multicast():
        async with async_test_home_assistant(config_dir=folder) as hass:
            frame.async_setup(hass)
            hass.data.pop(DATA_CUSTOM_COMPONENTS)
            for platform in platforms:
                assert await async_setup_component(hass, platform, {})
            await hass.async_block_till_done()
            yield hass
            for entry in hass.config_entries.async_loaded_entries(DOMAIN):
                await hass.config_entries.async_unload(entry.entry_id)
            await hass.async_stop(force=True)


async def set_up(
    hass: HomeAssistant, url: str, mapped: Iterable[ConfigSubentryData] = ()
) -> VoltusCoordinator:
    """Set up an account with mapped meters, wait for it, and return its coordinator."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        entry_id="account",
        title="Voltus",
        data={CONF_URL: url, CONF_API_KEY: KEY},
        subentries_data=[*mapped],
    )
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    coordinator: VoltusCoordinator = entry.runtime_data
    return coordinator


def entity_id(hass: HomeAssistant, site_id: str, key: str = "curtail") -> str:
    """Return the binary sensor of a site by its translation key."""
    found = er.async_get(hass).async_get_entity_id(
        "binary_sensor", DOMAIN, f"account_{site_id}_{key}"
    )
    assert found
    return found


class _Resolver(ThreadedResolver):
    """Resolves names without zeroconf, which would join the network for it."""

    async def real_close(self) -> None:
        """Close, under the name that Home Assistant calls."""
        await self.close()


def _no_multicast() -> AbstractContextManager[object]:
    return patch(
        "homeassistant.helpers.aiohttp_client._async_make_resolver",
        return_value=_Resolver(),
    )
