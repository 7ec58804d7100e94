"""What the tests of the integration share, besides the harness of tests/conftest.py."""

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.syrupy import HomeAssistantSnapshotExtension
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from syrupy.assertion import SnapshotAssertion

from custom_components.voltus.account.options import CONF_PUSH_URL

from .harness import Harness
from .pushed import Pushed


@pytest.fixture(autouse=True)
def _custom_integrations(enable_custom_integrations: None) -> None:
    """Let Home Assistant find custom_components/voltus."""


@pytest.fixture(autouse=True)
async def _utc(hass: HomeAssistant) -> None:
    await hass.config.async_set_time_zone("UTC")


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Compare as Home Assistant's own tests do."""
    return snapshot.use_extension(HomeAssistantSnapshotExtension)


@pytest.fixture
async def pushed(
    harness: Harness, hass_client_no_auth: ClientSessionGenerator
) -> Pushed:
    """Let Voltus call this Home Assistant, once it is set up."""
    hass = harness.hass
    assert await async_setup_component(hass, "http", {})
    # As Home Assistant's own server does: what is set up later adds its views.
    hass.http.app.router.freeze = lambda: None  # type: ignore[method-assign]
    client = await hass_client_no_auth()
    base = str(client.make_url("")).rstrip("/")
    hass.config_entries.async_update_entry(harness.entry, options={CONF_PUSH_URL: base})
    return Pushed(harness, base)
