"""Where Voltus can call us: an address of the user's own, the cloud's, or the external one."""

from dataclasses import dataclass
from enum import StrEnum
from typing import final

from homeassistant.components import webhook
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.network import NoURLAvailableError, get_url
from yarl import URL

from ..account.options import push_is_on, push_url
from ..aiovoltus.client import PUBLIC_KEY
from . import cloudhook


class Via(StrEnum):
    """By which way Voltus' calls come in."""

    OWN_URL = "own_url"
    CLOUD = "cloud"
    EXTERNAL_URL = "external_url"


class NoPush(StrEnum):
    """Why there is no address to give to Voltus."""

    SWITCHED_OFF = "switched_off"
    PUBLIC_KEY = "public_key"
    CLOUD_NOT_CONNECTED = "cloud_not_connected"
    NO_ADDRESS = "no_address"


@final
@dataclass(frozen=True, slots=True)
class Address:
    """An address that ends in our secret; nobody but Voltus may see it."""

    url: str
    via: Via


async def async_address(
    hass: HomeAssistant, entry: ConfigEntry, webhook_id: str
) -> Address | NoPush:
    """Return where Voltus is to call this account, or why it cannot."""
    if not push_is_on(entry.options):
        return NoPush.SWITCHED_OFF
    if entry.data[CONF_API_KEY] == PUBLIC_KEY:
        # Everybody who has this key could see the address.
        return NoPush.PUBLIC_KEY
    path = webhook.async_generate_path(webhook_id)
    if own := push_url(entry.options):
        return Address(own + path, Via.OWN_URL)
    if cloudhook.is_subscribed(hass):
        url = await cloudhook.async_url(hass, webhook_id)
        return Address(url, Via.CLOUD) if url else NoPush.CLOUD_NOT_CONNECTED
    try:
        base = get_url(
            hass,
            allow_internal=False,
            allow_cloud=False,
            require_ssl=not may_be_plain(entry.data[CONF_URL]),
        )
    except NoURLAvailableError:
        return NoPush.NO_ADDRESS
    return Address(base + path, Via.EXTERNAL_URL)


def may_be_plain(origin: str) -> bool:
    """Whether Voltus may call us by plain http: only if we call it so, close by."""
    return URL(origin).scheme == "http"


def parse_base(text: str, origin: str) -> str:
    """Return a base address that Voltus at `origin` may call. Raises ValueError."""
    url = URL(text.strip())
    if (
        url.scheme not in ("https", *(["http"] if may_be_plain(origin) else []))
        or not url.host
        or url.user is not None
        or url.password is not None
        or url.query_string
        or url.fragment
    ):
        raise ValueError("not an address that Voltus may call")
    return str(url).rstrip("/")
