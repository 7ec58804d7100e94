"""What is kept of loads is sound, or set aside."""

import json
from typing import Any

from homeassistant.core import HomeAssistant, State
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.json import json_bytes
from homeassistant.setup import async_setup_component
from homeassistant.util.json import json_loads
from hypothesis import given
import pytest

from custom_components.voltus.aiovoltus.models import Json
from custom_components.voltus.const import DOMAIN
from custom_components.voltus.loads.encoding import (
    Kept,
    dump,
    read,
    read_saved_states,
    storable,
)
from custom_components.voltus.loads.goals import SetBack, To
from custom_components.voltus.loads.load import Load, Phase
from custom_components.voltus.remembering.files import UNREADABLE
from tests.aiovoltus.hostile import spoiled
from tests.builders import NOON, at
from tests.fake_loads import FakeLoads

from .conftest import Shedding

KEPT = Kept(
    {
        "switch.a": Load(
            scopes={"north": To({"state": "off"}), "south": To({"brightness": 5})},
            phase=Phase.DOWN,
            since=NOON,
            before={"state": "on", "brightness": 200},
            counts=frozenset({"state", "brightness"}),
        ),
        "climate.b": Load(
            scopes={"north": SetBack(2, 3.5)},
            phase=Phase.COMING_BACK,
            since=at(1),
            touched=False,
            failed=True,
        ),
    },
    frozenset({"north"}),
)
SAVED_STATES: Json = {
    "shed": {
        "switch.freezer": {
            "state": "on",
            "attributes": {"x": 1},
            "counts": [],
            "left": {"state": "off"},
        },
        "switch.fan": {"state": "on", "attributes": {}, "counts": [], "left": None},
        "switch.pump": {
            "state": "off",
            "attributes": {},
            "counts": [],
            "left": {"state": "off"},
        },
    }
}


def test_what_is_kept_is_read_as_it_was() -> None:
    assert read(json.loads(json_bytes(dump(KEPT)))) == KEPT


def _from_disk(payload: Json) -> Any:
    try:
        return json_loads(json_bytes(payload))
    except HomeAssistantError, TypeError, ValueError:
        return None


@given(spoiled(dump(KEPT)))
def test_spoiled_loads_are_sound_or_set_aside(payload: Json) -> None:
    try:
        kept = read(_from_disk(payload))
    except UNREADABLE:
        return
    assert read(json.loads(json_bytes(dump(kept)))) == kept
    for entity_id, load in kept.loads.items():
        if load.before:
            State(entity_id, str(load.before["state"]), load.before)
        assert load.goal is not None


@given(spoiled(SAVED_STATES))
def test_spoiled_saved_states_are_sound_or_set_aside(payload: Json) -> None:
    try:
        kept = read_saved_states(_from_disk(payload), NOON)
    except UNREADABLE:
        return
    assert read(json.loads(json_bytes(dump(kept)))).loads.keys() == kept.loads.keys()


@pytest.mark.parametrize("running", [[], ["fan"]])
async def test_what_an_earlier_version_has_left_is_taken_over(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    enable_custom_integrations: None,
    freezer: Any,
    running: list[str],
) -> None:
    freezer.move_to(NOON)
    hass_storage["voltus.saved_states"] = {
        "version": 1,
        "minor_version": 1,
        "key": "voltus.saved_states",
        "data": SAVED_STATES,
    }
    names = ("freezer", "fan", "pump")
    loads = FakeLoads(switches={name: name in running for name in names})
    await loads.add_to_hass(hass)
    assert await async_setup_component(hass, DOMAIN, {})
    shedding = Shedding(hass, freezer, loads, hass_storage)
    await shedding.wait(60)
    assert loads.running == []
    assert "voltus.saved_states" not in hass_storage
    await shedding.restore()
    await shedding.wait(60)
    assert loads.running == ["freezer", "fan"]
    assert "voltus.loads" not in hass_storage


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ([1, "a", None], True),
        ([1, {"b": [2.5]}], True),
        ([float("nan")], False),
        ({1: "a"}, False),
        ((1, 2), False),
    ],
)
def test_what_is_stored_is_the_same_when_it_is_read(value: object, good: bool) -> None:
    assert storable(value) is good


@pytest.mark.parametrize(
    "spoil",
    [
        {"switch.a": {"before": {"state": "x" * 256}}},
        {"switch.a": {"since": "2026-07-15T12:00:00"}},
        {"no entity": {}},
    ],
)
def test_what_could_not_be_used_is_refused(spoil: dict[str, dict[str, Any]]) -> None:
    content = json.loads(json_bytes(dump(KEPT)))
    for entity_id, fields in spoil.items():
        content["loads"][entity_id] = {**content["loads"]["switch.a"], **fields}
    with pytest.raises(ValueError, match=r".+"):
        read(content)
