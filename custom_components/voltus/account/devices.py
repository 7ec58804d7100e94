"""One device for the account and one for each site."""

from collections.abc import Iterable

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr

from ..aiovoltus.models import Site
from ..const import DOMAIN

MANUFACTURER = "Voltus"


def identifier(entry_id: str, site_id: str | None) -> tuple[str, str]:
    """Return what identifies the device of a site, or of the account (None)."""
    return DOMAIN, entry_id if site_id is None else f"{entry_id}_{site_id}"


def device_id(hass: HomeAssistant, entry_id: str, site_id: str | None) -> str | None:
    """Return the device of a site or of the account, None if there is none."""
    device = dr.async_get(hass).async_get_device_by_identifier(
        identifier(entry_id, site_id), entry_id
    )
    return device.id if device else None


def update_devices(
    hass: HomeAssistant, entry_id: str, name: str, sites: Iterable[Site]
) -> None:
    """Have a device for the account, of this name, one for each site, and no other."""
    registry = dr.async_get(hass)
    account = identifier(entry_id, None)
    registry.async_get_or_create(
        config_entry_id=entry_id,
        identifiers={account},
        entry_type=dr.DeviceEntryType.SERVICE,
        manufacturer=MANUFACTURER,
        model="Account",
        name=name,
    )
    wanted = {account}
    for site in sites:
        wanted.add(identifier(entry_id, site.id))
        registry.async_get_or_create(
            config_entry_id=entry_id,
            identifiers={identifier(entry_id, site.id)},
            entry_type=dr.DeviceEntryType.SERVICE,
            manufacturer=MANUFACTURER,
            model="Site",
            name=site.name,
            serial_number=site.customer_location_id or None,
        )
    for device in dr.async_entries_for_config_entry(registry, entry_id):
        if not device.identifiers & wanted:
            registry.async_remove_device(device.id)
