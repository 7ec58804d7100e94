"""The way in by Home Assistant Cloud (Home Assistant Link), where it is set up.

What the cloud needs is not installed everywhere, so it is imported only where it runs.
"""

from collections.abc import Callable

from homeassistant.core import HomeAssistant, callback


def is_subscribed(hass: HomeAssistant) -> bool:
    """Whether there is a subscription, connected or not."""
    if "cloud" not in hass.config.components:
        return False
    from homeassistant.components import cloud  # noqa: PLC0415

    return cloud.async_active_subscription(hass)


async def async_url(hass: HomeAssistant, webhook_id: str) -> str | None:
    """Return the cloud's address of a webhook, None while the cloud is not connected."""
    from homeassistant.components import cloud  # noqa: PLC0415

    try:
        return await cloud.async_get_or_create_cloudhook(hass, webhook_id)
    except cloud.CloudNotAvailable:
        return None


async def async_delete(hass: HomeAssistant, webhook_id: str) -> None:
    """Take the cloud's address back, if there is one."""
    if "cloud" not in hass.config.components:
        return
    from homeassistant.components import cloud  # noqa: PLC0415

    try:
        await cloud.async_delete_cloudhook(hass, webhook_id)
    except cloud.CloudNotAvailable, ValueError:
        # Without one the cloud raises ValueError.
        return


@callback
def async_listen(
    hass: HomeAssistant, webhook_id: str, changed: Callable[[], None]
) -> Callable[[], None]:
    """Call back when the cloud comes or goes, or changes the address."""
    if "cloud" not in hass.config.components:
        return lambda: None
    from homeassistant.components import cloud  # noqa: PLC0415

    async def connection_changed(state: cloud.CloudConnectionState) -> None:
        lost = state is cloud.CloudConnectionState.CLOUD_DISCONNECTED
        # A lost connection comes back; a subscription that is over does not.
        if not lost or not cloud.async_active_subscription(hass):
            changed()

    stops = (
        cloud.async_listen_connection_change(hass, connection_changed),
        cloud.async_listen_cloudhook_change(hass, webhook_id, lambda _: changed()),
    )

    @callback
    def stop() -> None:
        for each in stops:
            each()

    return stop
