"""A Home Assistant with our blueprints, our integration and the local Voltus."""

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
