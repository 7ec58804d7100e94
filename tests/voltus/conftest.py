"""A Home Assistant with our integration, and the local Voltus behind a real socket."""

from collections.abc import AsyncIterator
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.syrupy import HomeAssistantSnapshotExtension
from syrupy.assertion import SnapshotAssertion

from custom_components.voltus.const import DOMAIN
from sandbox.server import LocalVoltus, serve
from tests.builders import NOON

from .stage import KEY, Stage


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
async def stage(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
    socket_enabled: None,
) -> AsyncIterator[Stage]:
    """It is noon, and the local Voltus knows two sites and no dispatch."""
    freezer.move_to(NOON)
    voltus = LocalVoltus()
    voltus.accounts[KEY].sites = [
        {
            "id": site_id,
            "name": f"Site {site_id}",
            "customer_location_id": f"location-{site_id}",
            "meters": [],
        }
        for site_id in ("s1", "s2")
    ]
    async with serve(voltus) as url:
        entry = MockConfigEntry(
            domain=DOMAIN,
            entry_id="account",
            title="Voltus sandbox",
            data={CONF_URL: url, CONF_API_KEY: KEY},
        )
        entry.add_to_hass(hass)
        yield Stage(hass, freezer, voltus, url, entry, hass_storage)
