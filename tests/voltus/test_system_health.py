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

from .harness import Harness


async def shown(harness: Harness) -> dict[str, Any]:
    """Return the lines, with what is looked up on demand."""
    assert await async_setup_component(harness.hass, "system_health", {})
    info = await get_system_health_info(harness.hass, DOMAIN)
    return {
        key: await value if isawaitable(value) else value for key, value in info.items()
    }


async def test_an_account_in_six_lines(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(20)))
    await harness.set_up()
    await harness.poll()
    assert await shown(harness) == {
        "reachable": "ok",
        "last_contact": NOON,
        "rate_limit": "limit 101, remaining 98, reset 3",
        "sites": 2,
        "next_boundary": at(10),
        "push": "no_address",
    }


async def test_what_there_is_not_is_left_out(harness: Harness) -> None:
    await harness.set_up()
    harness.voltus.faults = Faults(cut=True)
    await harness.move_to(at(1))
    assert await shown(harness) == {
        "reachable": "ok",
        "last_contact": NOON,
        "sites": 2,
        "push": "no_address",
    }


async def test_an_account_that_does_not_run_is_still_asked_for(
    harness: Harness,
) -> None:
    harness.voltus.faults = Faults(status=500)
    await harness.set_up()
    assert await shown(harness) == {"reachable": "ok"}


async def test_an_address_where_nobody_answers_is_told(harness: Harness) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, data={**harness.entry.data, CONF_URL: "http://127.0.0.1:1"}
    )
    await harness.set_up()
    assert await shown(harness) == {
        "reachable": {"type": "failed", "error": "unreachable"}
    }


async def test_several_accounts_are_told_apart_even_if_named_alike(
    harness: Harness,
) -> None:
    await harness.set_up()
    for number, disabled in enumerate((None, ConfigEntryDisabler.USER)):
        MockConfigEntry(
            domain=DOMAIN,
            title=harness.entry.title,
            data={CONF_URL: "http://127.0.0.1:1", CONF_API_KEY: f"key {number}"},
            disabled_by=disabled,
        ).add_to_hass(harness.hass)
    lines = await shown(harness)
    assert lines["1. Voltus sandbox: Voltus can be reached"] == "ok"
    assert lines["1. Voltus sandbox: Sites"] == 2
    assert lines["2. Voltus sandbox: Voltus can be reached"]["type"] == "failed"
    assert {key.partition(".")[0] for key in lines} == {"1", "2"}


async def test_without_an_account_there_is_nothing_to_say(harness: Harness) -> None:
    assert await async_setup_component(harness.hass, DOMAIN, {})
    await harness.hass.config_entries.async_remove(harness.entry.entry_id)
    assert await shown(harness) == {}
