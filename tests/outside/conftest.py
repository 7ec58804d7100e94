"""One Home Assistant for all tests, with our integration and a local Voltus beside it."""

from collections.abc import AsyncIterator
import signal

import pytest

from demo import onboarding
from demo.process import make_config
from sandbox.server import LocalVoltus, serve

from .harness import KEY, Home, new_home


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let scripts/test say what this machine has, and what is asked for."""
    group = parser.getgroup("browser", "Home Assistant's pages in a browser")
    group.addoption("--browser", default="", help="path of Chromium; none: skip them")
    group.addoption(
        "--pictures", action="store_true", help="make the pictures in docs/images anew"
    )


def pytest_configure() -> None:
    """End what was started also when the run itself is ended, and not by Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def voltus() -> LocalVoltus:
    """The local Voltus."""
    return LocalVoltus([KEY])


@pytest.fixture(scope="session")
async def voltus_url(voltus: LocalVoltus) -> AsyncIterator[str]:
    """Where it listens."""
    async with serve(voltus) as url:
        yield url


@pytest.fixture(scope="session")
async def home(
    tmp_path_factory: pytest.TempPathFactory, voltus_url: str
) -> AsyncIterator[Home]:
    """Home Assistant as the demo configures it, new and without an account."""
    config = tmp_path_factory.mktemp("home") / "config"
    make_config(config)
    scenarios = f"{voltus_url}/2022-04-15/scenarios"
    async with new_home(config, {"DEMO_SCENARIOS": scenarios}) as home:
        yield home


@pytest.fixture(scope="session")
async def cut_off(home: Home) -> str:
    """The sensor "Connection" of another account, whose Voltus was there and is gone."""
    voltus = LocalVoltus(["harbor-key"])
    voltus.accounts["harbor-key"].sites = [
        {
            "id": "t4np",
            "name": "Harbor Pumping Station",
            "customer_location_id": "harbor-07",
            "meters": [],
        }
    ]
    async with serve(voltus) as url:
        entry_id = await onboarding.add_integration(home.api, url, "harbor-key")
    await home.rename(entry_id, "Voltus Harbor")
    return "binary_sensor.voltus_harbor_connection"


@pytest.fixture(scope="module")
async def entry_id(home: Home, voltus_url: str) -> AsyncIterator[str]:
    """An account set up through the forms, until the end of these tests."""
    entry_id = await onboarding.add_integration(
        home.api, voltus_url, push_url=home.url.rstrip("/")
    )
    yield entry_id
    path = f"config/config_entries/entry/{entry_id}"
    await home.api.request("DELETE", path)
