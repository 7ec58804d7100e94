"""In *Activity* it can be followed: from the load to the automation to the dispatch."""

from typing import Any

from homeassistant.components.recorder import Recorder
from homeassistant.core import Event, State
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import async_capture_events
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.voltus.account.cause import behind, caused_by, dispatch_context
from custom_components.voltus.aiovoltus.schedule import Curtailment
from tests.builders import at, wire_dispatch

from .by_hand import BOTH, act, during_a_dispatch, listen
from .harness import Harness

LOAD = "input_boolean.pump"


@pytest.fixture(autouse=True)
def _custom_integrations(
    recorder_db_url: str, enable_custom_integrations: None
) -> None:
    """Have a database before there is a Home Assistant, as the recorder's fixture asks."""


async def switch_off_upon(harness: Harness, trigger: dict[str, Any]) -> None:
    """Have an automation switch the pump off."""
    hass = harness.hass
    assert await async_setup_component(
        hass, "input_boolean", {"input_boolean": {"pump": {"initial": True}}}
    )
    turn_off = {"action": "input_boolean.turn_off", "target": {"entity_id": LOAD}}
    config = {"alias": "Shed", "id": "shed", "triggers": trigger, "actions": turn_off}
    assert await async_setup_component(hass, "automation", {"automation": config})


def pump(harness: Harness) -> State:
    """Return the state of the pump."""
    state = harness.hass.states.get(LOAD)
    assert state
    return state


def root(dispatch: str = "d1") -> str:
    """Return the id of the context of a dispatch."""
    return dispatch_context("account", dispatch).id


async def test_all_that_is_told_of_a_dispatch_has_its_one_context(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(1), at(5)), wire_dispatch("d2", at(1)))
    await harness.set_up()
    await harness.move_to(at(1))
    await harness.restart(harness.disk())
    await harness.move_to(at(5.05))
    for event in harness.told:
        assert event.context.id == root(event.data["dispatch_id"])
    assert len(harness.told) == 5
    assert harness.state("dispatch").context.id == root("d1")


async def test_the_states_of_a_site_come_from_the_dispatch_behind_them(
    harness: Harness,
) -> None:
    harness.publish(
        wire_dispatch("d1", at(1), at(5)),
        wire_dispatch("d2", at(3), at(9)),
    )
    await harness.set_up()
    for minute, cause in ((1, "d1"), (3, "d2"), (5.05, "d1"), (9.05, "d2")):
        await harness.move_to(at(minute))
        assert harness.state("curtail", "s1").context.parent_id == root(cause)
    # Of its own, or Activity would take the first of them for the cause of all others.
    assert (
        len({harness.state(key, "s1").context.id for key in ("curtail", "phase")}) == 2
    )


@pytest.mark.parametrize(
    ("before", "after", "nearest"),
    [
        (Curtailment(), Curtailment(by_dispatch={"d1": 1.0}), {"d1"}),
        (Curtailment(by_dispatch={"d1": 1.0}), Curtailment(), {"d1"}),
        (
            Curtailment(by_dispatch={"d1": 1.0}),
            Curtailment(by_dispatch={"d1": 2.0}),
            {"d1"},
        ),
        (
            Curtailment(by_dispatch={"d1": 1.0}),
            Curtailment(by_dispatch={"d2": 1.0}),
            {"d2"},
        ),
        (
            Curtailment(by_dispatch={"d1": 1.0}),
            Curtailment(by_dispatch={"d1": 1.0}, unacknowledged=frozenset({"d2"})),
            {"d2"},
        ),
        (Curtailment(), Curtailment(opted_out=frozenset({"d1"})), {"d1"}),
        (Curtailment(), Curtailment(), set()),
    ],
)
def test_what_is_nearest_is_the_cause(
    before: Curtailment, after: Curtailment, nearest: set[str]
) -> None:
    assert set(behind(before, after)) == nearest


def test_of_several_the_first_by_id_is_named_whatever_their_order() -> None:
    for dispatches in (["d1", "d2"], ["d2", "d1"]):
        assert caused_by("account", dispatches).parent_id == root("d1")
    assert caused_by("account", []).parent_id is None


def test_two_accounts_share_no_context() -> None:
    assert dispatch_context("other", "d1").id != root("d1")


async def test_who_says_something_of_a_dispatch_is_its_own_cause(
    harness: Harness,
) -> None:
    await during_a_dispatch(harness)
    heard = listen(harness, "acknowledged")
    await act(harness, "acknowledge")
    assert heard[0].context.id != root()


@pytest.mark.parametrize("kind", ["curtailment_started", "dispatch_announced"])
async def test_what_our_triggers_set_off_comes_from_the_dispatch(
    harness: Harness, kind: str
) -> None:
    await harness.set_up()
    ran: list[Event[Any]] = async_capture_events(harness.hass, "automation_triggered")
    target = {"device_id": harness.device("s1")}
    await switch_off_upon(harness, {"trigger": f"voltus.{kind}", "target": target})
    harness.publish(wire_dispatch("d1", at(-1), at(5), BOTH))
    await harness.poll()
    assert len(ran) == 1
    assert ran[0].context.parent_id
    assert pump(harness).state == "off"
    assert pump(harness).context.id == ran[0].context.id


async def test_activity_leads_from_the_load_to_the_dispatch(
    recorder_mock: Recorder, harness: Harness, hass_ws_client: WebSocketGenerator
) -> None:
    harness.hass.config.components.add("frontend")
    assert await async_setup_component(harness.hass, "logbook", {})
    harness.publish(wire_dispatch("d1", at(1), at(5), BOTH))
    await harness.set_up()
    curtail = harness.entity_id("curtail", "s1")
    await switch_off_upon(
        harness, {"trigger": "state", "entity_id": curtail, "to": "on"}
    )
    ran = async_capture_events(harness.hass, "automation_triggered")
    await harness.move_to(at(1))
    assert ran[0].context.parent_id == harness.state("curtail", "s1").context.id
    await async_wait_recording_done(harness.hass)
    client = await hass_ws_client()
    await client.send_json_auto_id(
        {
            "type": "logbook/get_events",
            "start_time": at(-1).isoformat(),
            "end_time": at(2).isoformat(),
        }
    )
    shown = (await client.receive_json())["result"]
    of = {each.get("entity_id"): each for each in shown}
    assert of[LOAD]["context_entity_id"] == "automation.shed"
    assert of[curtail]["context_domain"] == "voltus"
    assert "dispatch d1" in of[curtail]["context_message"]
