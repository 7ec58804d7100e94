"""The dashboard's module: served, and known to every dashboard exactly once."""

from http import HTTPStatus
from typing import Any

from homeassistant.components.lovelace import LOVELACE_DATA
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.voltus.const import DOMAIN
from custom_components.voltus.dashboard.resource import URL
from tests.test_publishing import MANIFEST

from .harness import Harness

WANTED = f"{URL}?v={MANIFEST['version']}"


async def resources(hass: HomeAssistant) -> list[str]:
    """Return the addresses of all resources of dashboards."""
    known = hass.data[LOVELACE_DATA].resources
    await known.async_get_info()
    return [item["url"] for item in known.async_items()]


def stored(*urls: str) -> dict[str, Any]:
    """Return the file in which Home Assistant keeps these resources."""
    items = [{"id": url, "type": "module", "url": url} for url in urls]
    return {"version": 1, "key": "lovelace_resources", "data": {"items": items}}


async def test_the_module_is_served_as_javascript(
    harness: Harness, hass_client_no_auth: ClientSessionGenerator
) -> None:
    await harness.set_up()
    answer = await (await hass_client_no_auth()).get(WANTED)
    assert answer.status == HTTPStatus.OK
    assert "javascript" in answer.headers["Content-Type"]
    assert "ll-strategy-dashboard-" in await answer.text()


async def test_every_dashboard_loads_it(harness: Harness) -> None:
    await async_setup_component(harness.hass, "lovelace", {})
    await harness.set_up()
    assert await resources(harness.hass) == [WANTED]


async def test_two_accounts_and_a_reload_add_it_once(harness: Harness) -> None:
    await async_setup_component(harness.hass, "lovelace", {})
    other = MockConfigEntry(domain=DOMAIN, title="Other", data=harness.entry.data)
    other.add_to_hass(harness.hass)
    await harness.set_up()
    await harness.hass.config_entries.async_reload(harness.entry.entry_id)
    await harness.settle()
    assert await resources(harness.hass) == [WANTED]
    await harness.hass.config_entries.async_unload(other.entry_id)


async def test_another_version_takes_the_place_of_the_one_before(
    harness: Harness,
) -> None:
    harness.storage["lovelace_resources"] = stored("/mine.js", f"{URL}?v=0.0.1")
    await async_setup_component(harness.hass, "lovelace", {})
    await harness.set_up()
    assert await resources(harness.hass) == ["/mine.js", WANTED]


async def test_it_goes_with_the_last_account_and_comes_back_with_another(
    harness: Harness,
) -> None:
    harness.storage["lovelace_resources"] = stored("/mine.js")
    await async_setup_component(harness.hass, "lovelace", {})
    other = MockConfigEntry(domain=DOMAIN, title="Other", data=harness.entry.data)
    other.add_to_hass(harness.hass)
    await harness.set_up()
    await harness.hass.config_entries.async_remove(harness.entry.entry_id)
    assert await resources(harness.hass) == ["/mine.js", WANTED]
    await harness.hass.config_entries.async_remove(other.entry_id)
    assert await resources(harness.hass) == ["/mine.js"]
    again = MockConfigEntry(domain=DOMAIN, title="Again", data=harness.entry.data)
    again.add_to_hass(harness.hass)
    assert await harness.hass.config_entries.async_setup(again.entry_id)
    await harness.settle()
    assert await resources(harness.hass) == ["/mine.js", WANTED]
    await harness.hass.config_entries.async_unload(again.entry_id)


@pytest.mark.parametrize("listed", [False, True], ids=["not listed", "listed"])
async def test_resources_in_yaml_are_the_users_and_one_line_tells_how(
    harness: Harness, caplog: pytest.LogCaptureFixture, listed: bool
) -> None:
    mine = [{"type": "module", "url": URL if listed else "/mine.js"}]
    config = {"lovelace": {"resource_mode": "yaml", "resources": mine}}
    await async_setup_component(harness.hass, "lovelace", config)
    await harness.set_up()
    assert await resources(harness.hass) == [item["url"] for item in mine]
    told = [line for line in caplog.messages if "kept in YAML" in line]
    assert len(told) == (0 if listed else 1)


async def test_without_dashboards_the_account_works(harness: Harness) -> None:
    await harness.set_up()
    assert LOVELACE_DATA not in harness.hass.data
    assert not harness.curtails("s1")
