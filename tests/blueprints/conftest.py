"""A Home Assistant with our blueprints, our integration and the local Voltus."""

from collections.abc import AsyncIterator
from pathlib import Path
import shutil

from homeassistant.core import HomeAssistant
import pytest

BLUEPRINTS = Path(__file__).parents[2] / "blueprints"


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Have Home Assistant live in a folder with our blueprints."""
    shutil.copytree(BLUEPRINTS, tmp_path / "blueprints")
    return str(tmp_path)


@pytest.fixture(autouse=True)
async def _utc(hass: HomeAssistant) -> None:
    await hass.config.async_set_time_zone("UTC")


async def end_automations(hass: HomeAssistant) -> None:
    """Have no automation wait for the next minute any more."""
    if hass.services.has_service("automation", "turn_off"):
        await hass.services.async_call(
            "automation", "turn_off", {"entity_id": "all"}, blocking=True
        )


@pytest.fixture(autouse=True)
async def _automations_end(hass: HomeAssistant) -> AsyncIterator[None]:
    yield
    await end_automations(hass)
