"""Fixtures to import where the disk has to be a real one, and nothing of it a mock."""

from pathlib import Path

import pytest


@pytest.fixture
def hass_storage() -> dict[str, object]:
    """Mock nothing: a mock has no files, and remembers all its calls."""
    return {}


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Have Home Assistant live in an empty folder."""
    return str(tmp_path)
