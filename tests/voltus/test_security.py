"""Where the key is, who may do what, and what becomes of a text of Voltus'."""

import json
import logging
from pathlib import Path
import shutil
from typing import Any

from homeassistant.auth.const import GROUP_ID_READ_ONLY, GROUP_ID_USER
from homeassistant.auth.models import User
from homeassistant.components.input_boolean import DOMAIN as INPUT_BOOLEAN
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import Unauthorized
from homeassistant.helpers import (
    device_registry as dr,
)
from homeassistant.helpers import (
    entity_registry as er,
)
from homeassistant.helpers import (
    issue_registry as ir,
)
from homeassistant.helpers.json import json_bytes
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockUser, async_mock_service

from custom_components.voltus.const import DOMAIN
from sandbox.faults import Faults
from sandbox.server import LocalVoltus
from sandbox.wire import Answer
from tests.builders import at, wire_dispatch

from .harness import KEY, Harness

LOAD = f"{INPUT_BOOLEAN}.load"
BLUEPRINTS = Path(__file__).parents[2] / "blueprints"
FAULTS = (
    *(Faults(status=status) for status in (400, 401, 403, 404, 429, 500)),
    Faults(redirect="http://127.0.0.1:1/"),
    Faults(cut=True),
    Faults(body="truncated"),
    Faults(body="huge"),
)


def _kept(harness: Harness) -> str:
    """Return all that Home Assistant holds of the account, but for its entry."""
    hass = harness.hass
    registries = [
        *dr.async_entries_for_config_entry(dr.async_get(hass), harness.entry.entry_id),
        *er.async_get(hass).entities.values(),
        *ir.async_get(hass).issues.values(),
    ]
    return " ".join(
        [
            *(str(json_bytes(state.as_dict())) for state in hass.states.async_all()),
            *(str(json_bytes(event.data)) for event in harness.told),
            *map(repr, registries),
            json.dumps(
                {k: v for k, v in harness.storage.items() if k != "core.config_entries"}
            ),
            repr(harness.entry.runtime_data),
            repr(harness.entry.runtime_data.conversation.client),
            repr(harness.entry.runtime_data.last_exception),
            repr(getattr(harness.entry.runtime_data.last_exception, "__cause__", None)),
            str(harness.entry),
            repr(harness.entry),
        ]
    )


async def test_the_key_is_in_the_entry_and_nowhere_else(
    harness: Harness, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    harness.publish(wire_dispatch("d1", at(-10), at(600)))
    await harness.set_up()
    for minute, fault in enumerate(FAULTS, start=1):
        harness.voltus.faults = fault
        await harness.move_to(at(10 * minute))
        assert KEY not in _kept(harness)
    echo = json.dumps({"message": f"{KEY} is no key", "type": f"Bad {KEY}"}).encode()
    monkeypatch.setattr(LocalVoltus, "answer", lambda *_: Answer(status=400, body=echo))
    await harness.move_to(at(200))
    assert KEY not in _kept(harness)
    assert await harness.hass.config_entries.async_reload(harness.entry.entry_id)
    await harness.settle()
    assert KEY not in _kept(harness)
    assert KEY not in caplog.text
    assert harness.entry.data["api_key"] == KEY


async def test_a_key_in_a_field_that_cannot_be_read_is_not_logged(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    odd = {**wire_dispatch("d1", at(-10), at(600)), "end_time": f"after {KEY}"}
    odd["program"] = {"id": 1, "name": KEY}
    harness.publish(odd)
    await harness.set_up()
    await harness.move_to(at(1))
    assert harness.curtails("s1")
    assert "end_time cannot be read ('after ...')" in caplog.text
    assert KEY not in caplog.text
    assert KEY not in _kept(harness)


@pytest.fixture
async def load(hass: HomeAssistant) -> str:
    """Return a load that is on."""
    assert await async_setup_component(hass, DOMAIN, {})
    assert await async_setup_component(
        hass, INPUT_BOOLEAN, {INPUT_BOOLEAN: {"load": {"initial": True}}}
    )
    await hass.async_block_till_done()
    return LOAD


async def _user(hass: HomeAssistant, group: str) -> User:
    found = await hass.auth.async_get_group(group)
    assert found
    return MockUser(groups=[found]).add_to_hass(hass)


async def _call(
    hass: HomeAssistant, action: str, user: User | None, **data: Any
) -> None:
    await hass.services.async_call(
        DOMAIN,
        action,
        {"scope": "shed", **data},
        blocking=True,
        context=Context(user_id=user.id if user else None),
    )
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_who_may_not_switch_a_load_can_neither_shed_nor_restore_it(
    hass: HomeAssistant, load: str
) -> None:
    reader = await _user(hass, GROUP_ID_READ_ONLY)
    with pytest.raises(Unauthorized):
        await _call(hass, "shed", reader, entity_id=[load])
    assert hass.states.is_state(load, "on")
    await _call(hass, "shed", None, entity_id=[load])
    with pytest.raises(Unauthorized):
        await _call(hass, "restore", reader)
    assert hass.states.is_state(load, "off")
    await _call(hass, "restore", None)
    assert hass.states.is_state(load, "on"), "it is still remembered"


async def test_who_may_switch_a_load_may_shed_and_restore_it(
    hass: HomeAssistant, load: str
) -> None:
    user = await _user(hass, GROUP_ID_USER)
    await _call(hass, "shed", user, entity_id=[load])
    assert hass.states.is_state(load, "off")
    await _call(hass, "restore", user)
    assert hass.states.is_state(load, "on")


async def test_a_call_in_the_name_of_nobody_known_is_refused(
    hass: HomeAssistant, load: str
) -> None:
    with pytest.raises(Unauthorized):
        await _call(hass, "shed", MockUser(), entity_id=[load])


async def test_who_may_only_read_sees_states_and_devices_but_neither_events_nor_the_entry(
    harness: Harness, hass_ws_client: Any, hass_read_only_access_token: str
) -> None:
    assert await async_setup_component(harness.hass, "config", {})
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    await harness.set_up()
    client = await hass_ws_client(harness.hass, hass_read_only_access_token)
    await client.send_json_auto_id(
        {"type": "subscribe_events", "event_type": "voltus_dispatch_started"}
    )
    assert (await client.receive_json())["error"]["code"] == "unauthorized"
    await client.send_json_auto_id(
        {"type": "config_entries/get_single", "entry_id": harness.entry.entry_id}
    )
    assert (await client.receive_json())["error"]["code"] == "unauthorized"
    await client.send_json_auto_id({"type": "get_states"})
    shown = {state["entity_id"] for state in (await client.receive_json())["result"]}
    assert harness.entity_id("curtail", "s1") in shown
    assert harness.entity_id("dispatches") in shown
    await client.send_json_auto_id({"type": "config/device_registry/list"})
    devices = (await client.receive_json())["result"]
    assert "location-s1" in {device["serial_number"] for device in devices}
    await client.send_json_auto_id({"type": "config_entries/get", "domain": DOMAIN})
    answer = await client.receive_json()
    assert KEY not in json.dumps(answer)


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Have Home Assistant live in a folder with our blueprints."""
    shutil.copytree(BLUEPRINTS, tmp_path / "blueprints")
    return str(tmp_path)


async def _automate(hass: HomeAssistant, *loads: str) -> None:
    hass.states.async_set("binary_sensor.curtail", "off")
    inputs = {"curtail": "binary_sensor.curtail", "loads": [*loads]}
    blueprint = {"path": "voltus/shed_loads.yaml", "input": inputs}
    shed = {"id": "shed", "alias": "Shed", "use_blueprint": blueprint}
    assert await async_setup_component(hass, "homeassistant", {})
    assert await async_setup_component(hass, "automation", {"automation": [shed]})
    await hass.async_block_till_done()
    hass.states.async_set("binary_sensor.curtail", "on")
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    "hostile",
    [
        "{{ 'input_boolean.load' }}",
        "{{ states | list }}",
        "{% for x in range(9) %}{{ x }}{% endfor %}",
        "../../secrets.yaml",
        "all",
        "",
    ],
)
async def test_of_a_blueprint_input_that_is_no_entity_nothing_is_made(
    hass: HomeAssistant, load: str, hostile: str, caplog: pytest.LogCaptureFixture
) -> None:
    await _automate(hass, hostile, load)
    assert hass.states.is_state(load, "on")
    assert "generated invalid automation" in caplog.text


async def test_a_blueprint_input_that_only_looks_like_an_entity_is_passed_over(
    hass: HomeAssistant, load: str
) -> None:
    restarts = async_mock_service(hass, "homeassistant", "restart")
    await _automate(hass, "homeassistant.restart", load)
    assert hass.states.is_state(load, "off")
    assert not restarts
