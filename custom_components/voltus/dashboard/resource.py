"""The module of the dashboard among the resources of Home Assistant's dashboards."""

import asyncio
from pathlib import Path
from typing import Final

from homeassistant.components.http import StaticPathConfig
from homeassistant.components.lovelace import LOVELACE_DATA, MODE_YAML
from homeassistant.components.lovelace.resources import ResourceStorageCollection
from homeassistant.core import HomeAssistant
from homeassistant.loader import async_get_integration
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN, LOGGER

URL: Final = f"/{DOMAIN}/dashboard.js"
_LOCK: Final = HassKey[asyncio.Lock](f"{DOMAIN}_dashboard")


async def async_serve(hass: HomeAssistant) -> None:
    """Serve the module; browsers keep it until its address has another version.

    Resources that the user keeps in YAML are the user's to change: a line tells how.
    """
    hass.data[_LOCK] = asyncio.Lock()
    module = Path(__file__).with_name("dashboard.js")
    await hass.http.async_register_static_paths(
        [StaticPathConfig(URL, str(module), cache_headers=True)]
    )
    lovelace = hass.data.get(LOVELACE_DATA)
    if lovelace and lovelace.resource_mode == MODE_YAML:
        urls = [item["url"] for item in lovelace.resources.async_items()]
        if not any(url.startswith(URL) for url in urls):
            LOGGER.warning(
                "The resources of your dashboards are kept in YAML; to be offered the "
                "Voltus dashboard, add to them: {url: %s, type: module}",
                URL,
            )


async def async_add_resource(hass: HomeAssistant) -> None:
    """Have every dashboard load the module of this version, once."""
    version = (await async_get_integration(hass, DOMAIN)).version
    wanted = f"{URL}?v={version}"
    async with hass.data[_LOCK]:
        if (resources := await _stored_resources(hass)) is None:
            return
        match list(_ours(resources).items()):
            case []:
                await resources.async_create_item({"res_type": "module", "url": wanted})
            case [(item_id, url), *_] if url != wanted:
                await resources.async_update_item(item_id, {"url": wanted})


async def async_remove_resource(hass: HomeAssistant) -> None:
    """Have no dashboard load the module any more."""
    async with hass.data[_LOCK]:
        if (resources := await _stored_resources(hass)) is not None:
            for item_id in _ours(resources):
                await resources.async_delete_item(item_id)


async def _stored_resources(hass: HomeAssistant) -> ResourceStorageCollection | None:
    """Return the resources that can be changed, loaded; None if there are none."""
    lovelace = hass.data.get(LOVELACE_DATA)
    if not lovelace or not isinstance(lovelace.resources, ResourceStorageCollection):
        return None
    # To be asked for anything is what loads them.
    await lovelace.resources.async_get_info()
    return lovelace.resources


def _ours(resources: ResourceStorageCollection) -> dict[str, str]:
    """Return the addresses of our module by the id of their item."""
    return {
        item["id"]: item["url"]
        for item in resources.async_items()
        if item["url"].partition("?")[0] == URL
    }
