"""docs/dashboard.yaml: what it names is what an account and its sites have."""

from pathlib import Path
import re
from typing import Any

from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.template import Template
from homeassistant.util.yaml import parse_yaml
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.voltus.const import DOMAIN
from sandbox.server import LocalVoltus, serve

TEXT = (Path(__file__).parent.parent / "docs" / "dashboard.yaml").read_text()
ENTITY_ID = re.compile(r"\b(?:binary_sensor|calendar|event|sensor)\.[a-z]\w+")
DASHBOARD: Any = parse_yaml(TEXT)
NOW, SITES = (
    card["content"]
    for section in DASHBOARD["views"][0]["sections"]
    for card in section["cards"]
    if card["type"] == "markdown"
)
EVENING = "2026-07-15T18:30:00+00:00"
OWN_CARDS = {
    *("grid", "heading", "sections", "entity"),
    *("calendar", "history-graph", "logbook", "markdown", "tile"),
}
"""What Home Assistant brings along."""


@pytest.mark.usefixtures("enable_custom_integrations", "socket_enabled")
async def test_all_it_names_is_there_after_a_default_set_up(
    hass: HomeAssistant,
) -> None:
    named = set(ENTITY_ID.findall(re.sub("#.*", "", TEXT)))
    async with serve(LocalVoltus(["key"])) as url:
        account = {CONF_URL: url, CONF_API_KEY: "key"}
        entry = MockConfigEntry(domain=DOMAIN, title="Voltus", data=account)
        entry.add_to_hass(hass)
        assert await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
        there = set(hass.states.async_entity_ids())
        table = Template(SITES, hass).async_render()
        await hass.config_entries.async_unload(entry.entry_id)

    assert len(named) > 10
    assert named <= there
    assert table == (
        "| Site | Phase | kW | Until |\n"
        "|:--|:--|--:|--:|\n"
        "| Hilltop Workshop | Idle | 0.0 | - |\n"
        "| Riverside Cold Storage | Idle | 0.0 | - |"
    )


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ({"phase": "idle"}, "Nothing to do"),
        ({"phase": "scheduled", "next_start": EVENING}, "It starts Wed 18:30."),
        (
            {"phase": "preparing", "commitment": "90.0", "curtailment_end": EVENING},
            "be 90.0 kW below the baseline, until Wed 18:30.",
        ),
        (
            {"phase": "active", "commitment": "90.0", "curtailment_end": EVENING},
            "Stay 90.0 kW below the baseline until Wed 18:30.",
        ),
        (
            {"phase": "active"},
            "Stay as far below the baseline as your plan allows until Voltus ends it.",
        ),
    ],
)
async def test_what_to_do_now_is_said_in_a_sentence(
    hass: HomeAssistant, states: dict[str, str], said: str
) -> None:
    await hass.config.async_set_time_zone("UTC")
    for key in ("phase", "commitment", "next_start", "curtailment_end"):
        hass.states.async_set(f"sensor.voltus_{key}", states.get(key, "unknown"))

    now = Template(NOW, hass)

    assert said in now.async_render()
    assert "test" not in now.async_render()
    assert "No contact" not in now.async_render()
    hass.states.async_set("binary_sensor.voltus_connection", "off")
    assert "No contact" in now.async_render()


async def test_a_test_is_called_one(hass: HomeAssistant) -> None:
    hass.states.async_set("sensor.voltus_phase", "active")
    hass.states.async_set(
        "binary_sensor.voltus_any_site_curtailing", "on", {"test": True}
    )
    assert "This is a test." in Template(NOW, hass).async_render()


def test_no_card_has_to_be_installed() -> None:
    assert set(re.findall(r"\btype: (\S+)", TEXT)) == OWN_CARDS
