"""What System information says of our accounts."""

from inspect import isawaitable
from typing import Any

from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    get_system_health_info,
)

from custom_components.voltus.const import DOMAIN
from sandbox.faults import Faults
from tests.builders import NOON, at, wire_dispatch

from .stage import Stage


async def shown(stage: Stage) -> dict[str, Any]:
    """Return the lines, with what is looked up on demand."""
    assert await async_setup_component(stage.hass, "system_health", {})
    info = await get_system_health_info(stage.hass, DOMAIN)
    return {
        key: await value if isawaitable(value) else value for key, value in info.items()
    }


async def test_an_account_in_five_lines(stage: Stage) -> None:
    stage.publish(wire_dispatch("d1", at(10), at(20)))
    await stage.set_up()
    await stage.poll()
    assert await shown(stage) == {
        "reachable": "ok",
        "last_contact": NOON,
        "rate_limit": "limit 101, remaining 98, reset 3",
        "sites": 2,
        "next_boundary": at(10),
    }


async def test_what_there_is_not_is_left_out(stage: Stage) -> None:
    await stage.set_up()
    stage.voltus.faults = Faults(cut=True)
    await stage.move_to(at(1))
    assert await shown(stage) == {"reachable": "ok", "last_contact": NOON, "sites": 2}


async def test_an_account_that_does_not_run_is_still_asked_for(stage: Stage) -> None:
    stage.voltus.faults = Faults(status=500)
    await stage.set_up()
    assert await shown(stage) == {"reachable": "ok"}


async def test_an_address_where_nobody_answers_is_told(stage: Stage) -> None:
    stage.hass.config_entries.async_update_entry(
        stage.entry, data={**stage.entry.data, CONF_URL: "http://127.0.0.1:1"}
    )
    await stage.set_up()
    assert await shown(stage) == {
        "reachable": {"type": "failed", "error": "unreachable"}
    }


async def test_several_accounts_are_told_apart_even_if_named_alike(
    stage: Stage,
) -> None:
    await stage.set_up()
    for number, disabled in enumerate((None, ConfigEntryDisabler.USER)):
        MockConfigEntry(
            domain=DOMAIN,
            title=stage.entry.title,
            data={CONF_URL: "http://127.0.0.1:1", CONF_API_KEY: f"key {number}"},
            disabled_by=disabled,
        ).add_to_hass(stage.hass)
    lines = await shown(stage)
    assert lines["1. Voltus sandbox: Voltus can be reached"] == "ok"
    assert lines["1. Voltus sandbox: Sites"] == 2
    assert lines["2. Voltus sandbox: Voltus can be reached"]["type"] == "failed"
    assert {key.partition(".")[0] for key in lines} == {"1", "2"}


async def test_without_an_account_there_is_nothing_to_say(stage: Stage) -> None:
    assert await async_setup_component(stage.hass, DOMAIN, {})
    await stage.hass.config_entries.async_remove(stage.entry.entry_id)
    assert await shown(stage) == {}
