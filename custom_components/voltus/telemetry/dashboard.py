"""What the energy dashboard already knows: which sensor measures the grid, which a battery."""

from collections.abc import Container
from typing import Any, Final

from homeassistant.core import HomeAssistant

from .meters import CONF_INVERT, CONF_SOURCE, counts

_BY_ASSET: Final = {"battery": "battery", "generator": "solar"}
"""Which source of the dashboard is which kind of meter; all others are the grid."""


async def async_suggestion(
    hass: HomeAssistant, asset_type: str, mapped: Container[str]
) -> dict[str, Any]:
    """Return which sensor of power to suggest for a meter, and whether to invert it.

    Of the grid positive is there what the site takes, as at Voltus. A battery gives what
    is positive there, and so does the sun. Nothing if there is none that is not `mapped`.
    """
    kind = _BY_ASSET.get(asset_type, "grid")
    for source in await _sources(hass):
        entity_id = source.get("stat_rate")
        state = hass.states.get(entity_id) if entity_id else None
        if (
            source["type"] == kind
            and state is not None
            and counts(state) is False
            and entity_id not in mapped
        ):
            return {CONF_SOURCE: entity_id, CONF_INVERT: kind != "grid"}
    return {}


async def _sources(hass: HomeAssistant) -> list[dict[str, Any]]:
    """Return the sources of the energy dashboard, if it is set up."""
    if "energy" not in hass.config.components:
        return []
    from homeassistant.components.energy.data import (  # noqa: PLC0415
        async_get_manager,
    )

    data = (await async_get_manager(hass)).data
    return [dict(each) for each in data["energy_sources"]] if data else []
