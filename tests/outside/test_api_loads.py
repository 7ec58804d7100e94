"""Loads are shed and come back in Home Assistant as it is, whatever befalls it."""

import asyncio

import pytest

from demo import onboarding

from .harness import Home

FREEZER, CHARGERS = "input_boolean.walk_in_freezer", "input_boolean.ev_chargers"
PUMP = "switch.pump"


async def act(home: Home, action: str, **data: object) -> None:
    await home.api.request("POST", f"services/{action.replace('.', '/')}", data)


async def shed(home: Home, scope: str, *loads: str) -> None:
    """Have a scope hold loads down."""
    await act(home, "voltus.shed", scope=scope, entity_id=list(loads))


async def restore(home: Home, scope: str) -> None:
    """Have a scope let its loads go."""
    await act(home, "voltus.restore", scope=scope)


@pytest.fixture(autouse=True)
async def _all_run(home: Home, entry_id: str) -> None:
    await onboarding.turn_loads_on(home.api)
    await home.until_state(PUMP, "on")


async def test_a_load_that_does_not_hear_is_told_again(home: Home) -> None:
    await shed(home, "radio", PUMP, FREEZER)
    await home.until_state(FREEZER, "off", 5)
    assert await home.state(PUMP) == "on"
    await home.until_state(PUMP, "off", 60)
    await restore(home, "radio")
    await home.until_state(PUMP, "on")
    await home.until_state(FREEZER, "on")


async def test_a_load_that_two_hold_comes_back_with_the_last(home: Home) -> None:
    await shed(home, "north", FREEZER, CHARGERS)
    await shed(home, "south", FREEZER)
    await home.until_state(FREEZER, "off", 5)
    await restore(home, "north")
    await home.until_state(CHARGERS, "on", 5)
    await asyncio.sleep(2)
    assert await home.state(FREEZER) == "off"
    await restore(home, "south")
    await home.until_state(FREEZER, "on", 5)


@pytest.mark.parametrize("let_go", [False, True], ids=["down", "let go"])
async def test_killed_at_once_it_loses_no_load(home: Home, let_go: bool) -> None:
    await shed(home, "killed", FREEZER, PUMP)
    await home.until_state(FREEZER, "off", 5)
    if let_go:
        await restore(home, "killed")
    await home.kill()
    await home.restart()
    if not let_go:
        await home.until_state(PUMP, "off", 90)
        assert await home.state(FREEZER) == "off"
    # As the automation does at every start.
    await restore(home, "killed")
    await home.until_state(FREEZER, "on", 30)
    await home.until_state(PUMP, "on", 30)
