"""The blueprint `shed_loads` brings loads to what `curtail` says, whatever it missed."""

from pathlib import Path
import shutil

from homeassistant.core import CoreState, HomeAssistant
from homeassistant.setup import async_setup_component
import pytest

from custom_components.voltus.services import async_setup_services

BLUEPRINTS = Path(__file__).parents[2] / "blueprints"
CURTAIL = "binary_sensor.site_curtail"
FREEZER, PUMP, GONE = "input_boolean.freezer", "input_boolean.pump", "switch.gone"


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Have Home Assistant live in a folder with our blueprints."""
    shutil.copytree(BLUEPRINTS, tmp_path / "blueprints")
    return str(tmp_path)


@pytest.fixture(autouse=True)
async def _loads(hass: HomeAssistant, enable_custom_integrations: None) -> None:
    """The freezer runs, the pump does not, and the third load is not there."""
    await async_setup_services(hass)
    assert await async_setup_component(hass, "homeassistant", {})
    loads = {"freezer": {"initial": True}, "pump": {"initial": False}}
    assert await async_setup_component(hass, "input_boolean", {"input_boolean": loads})


async def automate(hass: HomeAssistant) -> None:
    """Make an automation from the blueprint."""
    inputs = {"curtail": CURTAIL, "loads": [FREEZER, PUMP, GONE]}
    blueprint = {"path": "voltus/shed_loads.yaml", "input": inputs}
    automation = {"id": "shed", "alias": "Shed", "use_blueprint": blueprint}
    assert await async_setup_component(hass, "automation", {"automation": [automation]})
    await hass.async_block_till_done()


async def say(hass: HomeAssistant, *states: str) -> None:
    """Let `curtail` take on these states, faster than anybody can follow."""
    for state in states:
        hass.states.async_set(CURTAIL, state)
    await hass.async_block_till_done()


async def switch(hass: HomeAssistant, load: str, state: str) -> None:
    """Switch a load by hand."""
    await hass.services.async_call(
        "input_boolean", f"turn_{state}", {"entity_id": load}, blocking=True
    )
    await hass.async_block_till_done()


def running(hass: HomeAssistant) -> list[str]:
    """Return the loads that are on."""
    return [load for load in (FREEZER, PUMP) if hass.states.is_state(load, "on")]


async def test_sheds_and_puts_back_what_was_on(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    await say(hass, "off")
    await automate(hass)
    await say(hass, "on")
    assert running(hass) == []
    await say(hass, "off")
    assert running(hass) == [FREEZER]
    assert "ERROR" not in caplog.text


async def test_waits_while_the_sensor_is_unavailable(hass: HomeAssistant) -> None:
    await say(hass, "off")
    await automate(hass)
    for state, expected in (
        ("on", []),
        ("unavailable", []),
        ("on", []),
        ("unavailable", []),
        ("off", [FREEZER]),
    ):
        await say(hass, state)
        assert running(hass) == expected


async def test_sheds_at_a_start_in_the_middle_of_a_dispatch(
    hass: HomeAssistant,
) -> None:
    hass.set_state(CoreState.not_running)
    await say(hass, "on")
    await automate(hass)
    assert running(hass) == [FREEZER]
    await hass.async_start()
    await hass.async_block_till_done()
    assert running(hass) == []
    await say(hass, "off")
    assert running(hass) == [FREEZER]


async def test_heals_when_automations_are_reloaded(hass: HomeAssistant) -> None:
    await say(hass, "on")
    await automate(hass)
    assert running(hass) == [FREEZER]
    hass.bus.async_fire("automation_reloaded")
    await hass.async_block_till_done()
    assert running(hass) == []


async def test_leaves_alone_what_somebody_switched_meanwhile(
    hass: HomeAssistant,
) -> None:
    await say(hass, "off")
    await automate(hass)
    await say(hass, "on")
    await switch(hass, PUMP, "on")
    assert running(hass) == [PUMP]
    await say(hass, "off")
    assert running(hass) == [FREEZER, PUMP]


async def test_sheds_a_load_that_comes_back_during_a_dispatch(
    hass: HomeAssistant,
) -> None:
    await say(hass, "off")
    await automate(hass)
    hass.states.async_set(FREEZER, "unavailable")
    await say(hass, "on")
    hass.states.async_set(FREEZER, "on")
    await hass.async_block_till_done()
    assert running(hass) == []
    await say(hass, "off")
    assert running(hass) == [FREEZER]


async def test_puts_back_a_load_that_was_away_at_the_end(hass: HomeAssistant) -> None:
    await say(hass, "off")
    await automate(hass)
    await say(hass, "on")
    hass.states.async_set(FREEZER, "unavailable")
    await say(hass, "off")
    assert running(hass) == []
    hass.states.async_set(FREEZER, "off")
    await hass.async_block_till_done()
    assert running(hass) == [FREEZER]


async def test_loses_nothing_when_dispatches_follow_fast(hass: HomeAssistant) -> None:
    await say(hass, "off")
    await automate(hass)
    await say(hass, *["on", "off"] * 4)
    assert running(hass) == [FREEZER]
    await say(hass, *["on", "off"] * 3, "on")
    assert running(hass) == []
    await say(hass, "off")
    assert running(hass) == [FREEZER]
