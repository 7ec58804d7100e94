"""What all tests share."""

import asyncio
from asyncio import constants
from collections.abc import AsyncIterator, Callable
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant import core
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import HomeAssistant
from hypothesis import settings
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

import custom_components.voltus.aiovoltus  # noqa: F401  our `custom_components`, before any other of that name
from custom_components.voltus.const import DOMAIN
from sandbox.server import LocalVoltus, serve

from .builders import NOON
from .voltus.harness import KEY, Harness

pytest_plugins = ("tests.ha_warnings",)

# No timed assertions. A run draws what the one before has drawn, so that only a change
# can fail it; scripts/fuzz draws anew.
settings.register_profile("repeated", deadline=None, derandomize=True, max_examples=200)
settings.register_profile(
    "drawn_anew", deadline=None, derandomize=False, database=None, max_examples=200
)
settings.load_profile("repeated")

# Home Assistant's harness has the event loop debugged, which looks up with each call where
# it was made. One frame is enough; ten took a tenth of the time of a test.
constants.DEBUG_STACK_DEPTH = 1  # type: ignore[misc]

LONG = ("test_soak.py", "test_oracle.py", "test_hostile.py", "test_measurements.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the histories of tests/voltus/test_oracle.py be chosen."""
    group = parser.getgroup("oracle", "histories against the oracle")
    group.addoption("--histories", type=int, default=2000, help="how many (2000)")
    group.addoption("--seed", type=int, default=0, help="seed of the first one (0)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what is long, or one process would sit over it when all others are done."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture
async def harness(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
    socket_enabled: None,
    enable_custom_integrations: None,
) -> AsyncIterator[Harness]:
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
        yield Harness(hass, freezer, voltus, url, entry, hass_storage)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have nobody wait for an automation that waits itself, from a call of this on."""

    async def settle(_: Harness) -> None:
        # Home Assistant would wait for the automation, too.
        for _turn in range(200):
            await asyncio.sleep(0)

    def lose_patience() -> None:
        monkeypatch.setattr(Harness, "settle", settle)
        monkeypatch.setattr(core, "TIMEOUT_EVENT_START", 0.1)

    return lose_patience
