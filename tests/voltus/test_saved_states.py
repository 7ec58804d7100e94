"""The states of loads: remembered before they are shed, put back afterwards."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.exceptions import HomeAssistantError
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import (
    async_mock_service,
    async_test_home_assistant,
)
import voluptuous as vol

from custom_components.voltus.const import DOMAIN

STORE = "voltus.saved_states"
FREEZER = "input_boolean.freezer"
PUMP = "input_boolean.pump"


@pytest.fixture
def hass_config_dir(hass_tmp_config_dir: str) -> str:
    """Have a disk of our own."""
    return hass_tmp_config_dir


@pytest.fixture(autouse=True)
async def _house(hass: HomeAssistant) -> None:
    """The freezer runs, and so does the pump; no account is set up."""
    await set_up_loads(hass, freezer=True, pump=True)
    await set_up_voltus(hass)


async def set_up_voltus(hass: HomeAssistant) -> None:
    """Set up our actions."""
    assert await async_setup_component(hass, DOMAIN, {})


async def set_up_loads(hass: HomeAssistant, **running: bool) -> None:
    """Set up loads that come up running, or not."""
    loads = {name: {"initial": on} for name, on in running.items()}
    assert await async_setup_component(hass, "input_boolean", {"input_boolean": loads})


async def save(hass: HomeAssistant, *loads: str, scope: str = "shed") -> None:
    """Remember loads."""
    await hass.services.async_call(
        DOMAIN, "save_states", {"scope": scope, "entity_id": list(loads)}, blocking=True
    )


async def restore(hass: HomeAssistant, *loads: str, scope: str = "shed") -> None:
    """Put back loads; all that are remembered if none is named."""
    data: dict[str, Any] = {"scope": scope}
    if loads:
        data["entity_id"] = list(loads)
    await hass.services.async_call(DOMAIN, "restore_states", data, blocking=True)


async def turn(hass: HomeAssistant, on_or_off: str, *loads: str) -> None:
    """Turn loads on or off, and let everyone hear of it."""
    await hass.services.async_call(
        "homeassistant", f"turn_{on_or_off}", {"entity_id": list(loads)}, blocking=True
    )
    await hass.async_block_till_done()


async def shed(hass: HomeAssistant, *loads: str, scope: str = "shed") -> None:
    """Do what an automation does while a site curtails."""
    await save(hass, *loads, scope=scope)
    await turn(hass, "off", *loads)


def runs(hass: HomeAssistant, load: str) -> bool:
    """Whether a load runs."""
    return hass.states.is_state(load, "on")


@asynccontextmanager
async def next_start(hass_config_dir: str) -> AsyncIterator[HomeAssistant]:
    """Start Home Assistant anew upon what the last one has stored."""
    async with async_test_home_assistant(config_dir=hass_config_dir) as hass:
        hass.data.pop(DATA_CUSTOM_COMPONENTS)
        yield hass
        await hass.async_stop(force=True)


@pytest.fixture(autouse=True)
async def _actions_to_turn_loads_on_and_off(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, "homeassistant", {})


async def test_what_was_saved_is_put_back_once(hass: HomeAssistant) -> None:
    await shed(hass, FREEZER, PUMP)
    assert not runs(hass, FREEZER)
    await restore(hass)
    assert runs(hass, FREEZER)
    assert runs(hass, PUMP)

    await turn(hass, "off", FREEZER)
    await restore(hass)
    assert not runs(hass, FREEZER)


async def test_a_load_that_was_off_stays_off(hass: HomeAssistant) -> None:
    await turn(hass, "off", PUMP)
    await shed(hass, FREEZER, PUMP)
    await restore(hass)
    assert runs(hass, FREEZER)
    assert not runs(hass, PUMP)


async def test_an_existing_save_is_kept(hass: HomeAssistant) -> None:
    await shed(hass, FREEZER)
    await shed(hass, FREEZER, PUMP)
    await restore(hass)
    assert runs(hass, FREEZER)
    assert runs(hass, PUMP)


async def test_a_number_is_put_back(hass: HomeAssistant) -> None:
    number = "input_number.setpoint"
    assert await async_setup_component(
        hass,
        "input_number",
        {"input_number": {"setpoint": {"min": 0, "max": 30, "initial": 4.5}}},
    )
    await save(hass, number)
    await hass.services.async_call(
        "input_number", "set_value", {"entity_id": number, "value": 20}, blocking=True
    )
    await restore(hass)
    assert hass.states.is_state(number, "4.5")


async def test_a_light_comes_back_as_bright_as_it_was(hass: HomeAssistant) -> None:
    attributes = {
        "brightness": 180,
        "color_mode": "color_temp",
        "color_temp_kelvin": 2700,
        "supported_color_modes": ["color_temp"],
    }
    hass.states.async_set("light.hall", "on", attributes)
    turned_on = async_mock_service(hass, "light", "turn_on")
    await save(hass, "light.hall")
    hass.states.async_set(
        "light.hall", "off", {"supported_color_modes": ["color_temp"]}
    )
    await hass.async_block_till_done()
    await restore(hass)
    (call,) = turned_on
    assert call.data == {
        "entity_id": "light.hall",
        "brightness": 180,
        "color_temp_kelvin": 2700,
    }


async def test_a_climate_device_comes_back_with_mode_and_setpoint(
    hass: HomeAssistant,
) -> None:
    assert await async_setup_component(
        hass,
        "climate",
        {
            "climate": {
                "platform": "generic_thermostat",
                "name": "hall",
                "heater": PUMP,
                "target_sensor": "sensor.hall",
                "initial_hvac_mode": "heat",
                "target_temp": 19,
            }
        },
    )
    await hass.async_block_till_done()
    climate = "climate.hall"
    assert hass.states.is_state(climate, "heat")
    await save(hass, climate)
    await turn(hass, "off", climate)
    await hass.services.async_call(
        "climate",
        "set_temperature",
        {"entity_id": climate, "temperature": 7},
        blocking=True,
    )
    assert hass.states.is_state(climate, "off")
    await restore(hass)
    state = hass.states.get(climate)
    assert state
    assert state.state == "heat"
    assert state.attributes["temperature"] == 19


async def test_what_was_only_dimmed_is_put_back(hass: HomeAssistant) -> None:
    """The state of a dimmed light is `on` all the while."""
    hass.states.async_set("light.hall", "on", {"brightness": 255})
    turned_on = async_mock_service(hass, "light", "turn_on")
    await save(hass, "light.hall")
    hass.states.async_set("light.hall", "on", {"brightness": 20})
    await hass.async_block_till_done()
    await restore(hass)
    assert [call.data["brightness"] for call in turned_on] == [255]


async def test_a_load_changed_by_hand_is_left_alone_and_forgotten(
    hass: HomeAssistant,
) -> None:
    number = "input_number.setpoint"
    assert await async_setup_component(
        hass,
        "input_number",
        {"input_number": {"setpoint": {"min": 0, "max": 30, "initial": 4}}},
    )

    async def set_to(value: float) -> None:
        data = {"entity_id": number, "value": value}
        await hass.services.async_call("input_number", "set_value", data, blocking=True)
        await hass.async_block_till_done()

    await save(hass, number)
    await set_to(20)
    await set_to(12)
    await restore(hass)
    assert hass.states.is_state(number, "12.0")

    await set_to(20)
    await restore(hass)
    assert hass.states.is_state(number, "20.0")


async def test_a_load_that_is_unavailable_stays_remembered(hass: HomeAssistant) -> None:
    await shed(hass, FREEZER, PUMP)
    hass.states.async_set(FREEZER, "unavailable")
    await hass.async_block_till_done()
    await restore(hass)
    assert runs(hass, PUMP)

    hass.states.async_set(FREEZER, "off")
    await hass.async_block_till_done()
    await restore(hass)
    assert runs(hass, FREEZER)


async def test_a_load_that_drops_out_while_it_is_turned_off_is_put_back(
    hass: HomeAssistant,
) -> None:
    await save(hass, FREEZER)
    for state in ("unavailable", "unknown", "off"):
        hass.states.async_set(FREEZER, state)
        await hass.async_block_till_done()
    await restore(hass)
    assert runs(hass, FREEZER)


@pytest.mark.parametrize("state", ["unavailable", "unknown"])
async def test_a_load_without_a_state_is_not_saved(
    hass: HomeAssistant, state: str
) -> None:
    hass.states.async_set(FREEZER, state)
    await save(hass, FREEZER, "switch.no_such_load")
    hass.states.async_set(FREEZER, "on")
    await turn(hass, "off", FREEZER)
    await restore(hass)
    assert not runs(hass, FREEZER)


async def test_some_loads_can_be_put_back_before_others(hass: HomeAssistant) -> None:
    await shed(hass, FREEZER, PUMP)
    await restore(hass, PUMP, "switch.never_saved")
    assert runs(hass, PUMP)
    assert not runs(hass, FREEZER)
    await restore(hass)
    assert runs(hass, FREEZER)


async def test_scopes_do_not_know_each_other(hass: HomeAssistant) -> None:
    await shed(hass, FREEZER, scope="one")
    await shed(hass, PUMP, scope="other")
    await restore(hass, scope="one")
    assert runs(hass, FREEZER)
    assert not runs(hass, PUMP)
    await restore(hass, scope="nobody's")
    assert not runs(hass, PUMP)
    await restore(hass, scope="other")
    assert runs(hass, PUMP)


async def test_loads_put_back_at_the_same_time_are_all_forgotten(
    hass: HomeAssistant,
) -> None:
    hass.states.async_set("switch.a", "on")
    hass.states.async_set("switch.b", "on")
    await save(hass, "switch.a", "switch.b")
    for load in ("switch.a", "switch.b"):
        hass.states.async_set(load, "off")
    await hass.async_block_till_done()
    turned_on = slow_switches(hass)
    await asyncio.gather(restore(hass, "switch.a"), restore(hass, "switch.b"))
    assert len(turned_on) == 2

    hass.states.async_set("switch.a", "off")
    hass.states.async_set("switch.b", "off")
    await restore(hass)
    assert len(turned_on) == 2


async def test_what_is_saved_while_others_are_put_back_is_not_lost(
    hass: HomeAssistant,
) -> None:
    hass.states.async_set("switch.a", "on")
    await save(hass, "switch.a")
    hass.states.async_set("switch.a", "off")
    await hass.async_block_till_done()
    slow_switches(hass)
    await asyncio.gather(restore(hass), shed(hass, FREEZER))
    await restore(hass)
    assert runs(hass, FREEZER)


def slow_switches(hass: HomeAssistant) -> list[ServiceCall]:
    """Have switches that take a while to turn on."""
    calls: list[ServiceCall] = []

    async def turn_on(call: ServiceCall) -> None:
        calls.append(call)
        for _ in range(10):
            await asyncio.sleep(0)

    hass.services.async_register("switch", "turn_on", turn_on)
    return calls


async def test_a_load_that_fails_to_come_back_stays_remembered(
    hass: HomeAssistant,
) -> None:
    hass.states.async_set("switch.broken", "on")
    await shed(hass, FREEZER, "switch.broken")
    hass.states.async_set("switch.broken", "off")
    await hass.async_block_till_done()
    async_mock_service(
        hass, "switch", "turn_on", raise_exception=HomeAssistantError("no answer")
    )
    with pytest.raises(HomeAssistantError, match="no answer"):
        await restore(hass)
    await hass.async_block_till_done()
    assert runs(hass, FREEZER)

    await restore(hass, FREEZER)
    turned_on = async_mock_service(hass, "switch", "turn_on")
    await restore(hass)
    assert len(turned_on) == 1


@pytest.mark.parametrize("voltus_first", [True, False])
async def test_a_restart_before_the_loads_were_turned_off_loses_nothing(
    hass: HomeAssistant, hass_config_dir: str, voltus_first: bool
) -> None:
    await save(hass, FREEZER)
    async with next_start(hass_config_dir) as second:
        await start_up(second, voltus_first, freezer=True)
        await shed(second, FREEZER)
        await restore(second)
        assert runs(second, FREEZER)


@pytest.mark.parametrize("voltus_first", [True, False])
async def test_a_restart_while_the_loads_are_off_loses_nothing(
    hass: HomeAssistant, hass_config_dir: str, voltus_first: bool
) -> None:
    await shed(hass, FREEZER, PUMP)
    async with next_start(hass_config_dir) as second:
        await start_up(second, voltus_first, freezer=False, pump=False)
        await restore(second)
        assert runs(second, FREEZER)
        assert runs(second, PUMP)


async def test_a_kill_before_it_was_noted_how_a_load_was_left_loses_nothing(
    hass: HomeAssistant, hass_storage: dict[str, Any], hass_config_dir: str
) -> None:
    await save(hass, FREEZER)
    disk = dict(hass_storage)
    await turn(hass, "off", FREEZER)
    hass_storage.clear()
    hass_storage.update(disk)
    async with next_start(hass_config_dir) as second:
        await start_up(second, voltus_first=False, freezer=False)
        await restore(second)
        assert runs(second, FREEZER)


async def test_a_load_turned_on_by_hand_while_home_assistant_was_down_is_left_alone(
    hass: HomeAssistant, hass_config_dir: str
) -> None:
    hass.states.async_set("light.hall", "on", {"brightness": 20})
    await save(hass, "light.hall")
    hass.states.async_set("light.hall", "off")
    await hass.async_block_till_done()
    async with next_start(hass_config_dir) as second:
        await set_up_voltus(second)
        turned_on = async_mock_service(second, "light", "turn_on")
        second.states.async_set("light.hall", "on", {"brightness": 255})
        await restore(second)
        assert turned_on == []


async def test_a_kill_after_the_loads_were_put_back_turns_nothing_on_again(
    hass: HomeAssistant, hass_storage: dict[str, Any], hass_config_dir: str
) -> None:
    await shed(hass, FREEZER)
    disk = dict(hass_storage)
    await restore(hass)
    hass_storage.clear()
    hass_storage.update(disk)
    async with next_start(hass_config_dir) as second:
        await start_up(second, voltus_first=True, freezer=True)
        await restore(second)
        await turn(second, "off", FREEZER)
        await restore(second)
        assert not runs(second, FREEZER)


async def test_a_load_that_comes_up_late_is_put_back_as_soon_as_it_is_asked_for(
    hass: HomeAssistant, hass_config_dir: str
) -> None:
    await shed(hass, FREEZER)
    async with next_start(hass_config_dir) as second:
        await set_up_voltus(second)
        second.states.async_set(FREEZER, "unavailable")
        await restore(second)
        second.states.async_remove(FREEZER)
        await start_up(second, voltus_first=True, freezer=False)
        await restore(second)
        assert runs(second, FREEZER)


async def start_up(hass: HomeAssistant, voltus_first: bool, **running: bool) -> None:
    """Set up all there is, in either order."""
    assert await async_setup_component(hass, "homeassistant", {})
    if voltus_first:
        await set_up_voltus(hass)
    await set_up_loads(hass, **running)
    await set_up_voltus(hass)
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"shed": []},
        {"shed": {FREEZER: "on"}},
        {"shed": {FREEZER: {"state": "on"}}},
        {"shed": {FREEZER: {"state": "on", "attributes": {}, "colour": "red"}}},
        {"shed": {FREEZER: {"state": "on", "attributes": 5}}},
        {"shed": {"freezer": {"state": "on", "attributes": {}}}},
    ],
    ids=[
        "a list",
        "a list of loads",
        "a state alone",
        "a field missing",
        "a field more",
        "attributes that are none",
        "a load that is none",
    ],
)
async def test_a_damaged_store_is_set_aside_with_one_warning(
    hass_storage: dict[str, Any],
    hass_config_dir: str,
    caplog: pytest.LogCaptureFixture,
    content: object,
) -> None:
    hass_storage[STORE] = {"version": 1, "key": STORE, "data": content}
    path = Path(hass_config_dir, ".storage", STORE)
    path.parent.mkdir(exist_ok=True)
    path.write_text("damaged")
    caplog.clear()
    async with next_start(hass_config_dir) as second:
        await start_up(second, voltus_first=True, freezer=True)
        (warning,) = [r for r in caplog.records if r.name == "custom_components.voltus"]
        assert STORE in warning.getMessage()
        assert not path.exists()
        assert path.with_name(f"{STORE}.set-aside").read_text() == "damaged"

        await shed(second, FREEZER)
        await restore(second)
        assert runs(second, FREEZER)


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("save_states", {"entity_id": [FREEZER]}),
        ("save_states", {"scope": "shed"}),
        ("save_states", {"scope": "shed", "entity_id": ["no entity id"]}),
        ("save_states", {"scope": "shed", "entity_id": [FREEZER], "more": 1}),
        ("restore_states", {}),
        ("restore_states", {"entity_id": [FREEZER]}),
        ("restore_states", {"scope": "shed", "entity_id": ["no entity id"]}),
    ],
)
async def test_calls_that_make_no_sense_are_refused(
    hass: HomeAssistant, action: str, data: Mapping[str, Any]
) -> None:
    with pytest.raises(vol.Invalid):
        await hass.services.async_call(DOMAIN, action, dict(data), blocking=True)


async def test_nothing_is_watched_or_kept_for_longer_than_needed(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    await shed(hass, FREEZER)
    assert hass_storage[STORE]["data"]["shed"][FREEZER]["left"] == {"state": "off"}
    await restore(hass)
    assert hass_storage[STORE]["data"] == {}


async def test_what_is_still_to_be_brought_down_is_answered_until_it_has_changed(
    hass: HomeAssistant,
) -> None:
    data = {"scope": "shed", "entity_id": [FREEZER, PUMP, "switch.gone"]}

    async def still_to_be_shed() -> Any:
        answer = await hass.services.async_call(
            DOMAIN, "save_states", data, blocking=True, return_response=True
        )
        assert answer
        return answer["entity_id"]

    assert await still_to_be_shed() == [FREEZER, PUMP]
    await turn(hass, "off", FREEZER)
    assert await still_to_be_shed() == [PUMP]
    await turn(hass, "off", PUMP)
    await turn(hass, "on", FREEZER)
    assert await still_to_be_shed() == []


async def test_what_was_put_back_is_answered(hass: HomeAssistant) -> None:
    await shed(hass, FREEZER, PUMP)
    await turn(hass, "on", PUMP)
    answer = await hass.services.async_call(
        DOMAIN, "restore_states", {"scope": "shed"}, blocking=True, return_response=True
    )
    assert answer == {"entity_id": [FREEZER]}


async def test_a_load_that_is_already_as_it_is_to_be_is_not_put_back_to_that(
    hass: HomeAssistant,
) -> None:
    await turn(hass, "off", PUMP)
    answer = await hass.services.async_call(
        DOMAIN,
        "save_states",
        {"scope": "shed", "entity_id": [PUMP], "to": {"state": "off"}},
        blocking=True,
        return_response=True,
    )
    assert answer == {"entity_id": []}
    await turn(hass, "on", PUMP)
    await restore(hass)
    assert runs(hass, PUMP)


@pytest.mark.parametrize(
    ("by_hand", "put_back"),
    [({}, [22]), ({"temperature": 24}, []), ({"warmth": 1}, [22])],
)
async def test_an_attribute_that_counts_is_put_back_unless_changed_by_hand(
    hass: HomeAssistant, by_hand: Mapping[str, Any], put_back: list[float]
) -> None:
    """The state of a climate device that is set back is `cool` all the while."""
    room: dict[str, Any] = {"temperature": 22, "warmth": 21}
    set_temperature = async_mock_service(hass, "climate", "set_temperature")
    async_mock_service(hass, "climate", "set_hvac_mode")
    hass.states.async_set("climate.hall", "cool", room)
    data = {"scope": "shed", "entity_id": ["climate.hall"], "to": {"temperature": 25}}
    await hass.services.async_call(DOMAIN, "save_states", data, blocking=True)
    for change in ({"warmth": 22}, {"temperature": 25.5}, by_hand):
        room |= change
        hass.states.async_set("climate.hall", "cool", room)
        await hass.async_block_till_done()
    await restore(hass)
    assert [call.data["temperature"] for call in set_temperature] == put_back
