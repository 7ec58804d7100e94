"""How each account is doing, for Settings > System > Repairs > System information."""

from collections.abc import Mapping
from typing import Any

from homeassistant.components import system_health
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.translation import async_get_translations

from .announcing.wording import showable
from .const import DOMAIN
from .coordinator import VoltusConfigEntry, VoltusCoordinator


@callback
def async_register(
    hass: HomeAssistant, register: system_health.SystemHealthRegistration
) -> None:
    """Say who answers."""
    register.async_register_info(_info)


async def _info(hass: HomeAssistant) -> dict[str, Any]:
    entries = hass.config_entries.async_entries(
        DOMAIN, include_ignore=False, include_disabled=False
    )
    if len(entries) == 1:
        return _of_entry(hass, entries[0])
    # A key that is no translation key is shown as it is: number, entry and label.
    texts = await async_get_translations(
        hass, hass.config.language, "system_health", [DOMAIN]
    )
    return {
        f"{number}. {entry.title}: {_label(texts, key)}": value
        for number, entry in enumerate(entries, start=1)
        for key, value in _of_entry(hass, entry).items()
    }


def _label(texts: Mapping[str, str], key: str) -> str:
    return texts[f"component.{DOMAIN}.system_health.info.{key}"]


def _of_entry(hass: HomeAssistant, entry: VoltusConfigEntry) -> dict[str, Any]:
    """Return what there is to say of an entry; the request is still to be awaited."""
    origin = entry.data[CONF_URL]
    info = {"reachable": system_health.async_check_can_reach_url(hass, origin)}
    if entry.state is ConfigEntryState.LOADED:
        info |= _of_account(entry.runtime_data)
    return info


def _of_account(coordinator: VoltusCoordinator) -> dict[str, Any]:
    exchange, boundary = (
        coordinator.conversation.client.exchange,
        coordinator.data.until,
    )
    info = {
        "last_contact": coordinator.last_contact,
        "rate_limit": exchange
        and ", ".join(f"{name} {value}" for name, value in exchange.rate_limit.items()),
        "sites": len(coordinator.sites),
        "next_boundary": boundary and showable(boundary),
        "push": coordinator.push.reason or coordinator.push.via,
    }
    return {key: value for key, value in info.items() if value not in (None, "")}
