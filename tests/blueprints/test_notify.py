"""The blueprint `notify` tells people about dispatches, in words that they understand."""

from collections.abc import Mapping
from typing import Any

from homeassistant.core import ServiceCall
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import async_mock_service

from custom_components.voltus.account.devices import device_id
from custom_components.voltus.aiovoltus.models import Json
from tests.builders import at, wire_dispatch
from tests.voltus.harness import Harness

type Dispatch = Mapping[str, Json]

TO_COME = wire_dispatch(start=at(60), end=at(120))


async def automate(
    harness: Harness, *only: str | None, **inputs: Any
) -> list[ServiceCall]:
    """Make an automation from the blueprint, in London; return the messages to come.

    `only` has the sites (None: the account) that it is to be for.
    """
    await harness.hass.config.async_set_time_zone("Europe/London")
    calls = async_mock_service(harness.hass, "notify", "send_message")
    await harness.set_up()
    devices = [device_id(harness.hass, harness.entry.entry_id, each) for each in only]
    inputs = {"people": ["notify.managers"], "devices": devices, **inputs}
    blueprint = {"path": "voltus/notify.yaml", "input": inputs}
    automation = {"id": "tell", "alias": "Tell", "use_blueprint": blueprint}
    config = {"automation": [automation]}
    assert await async_setup_component(harness.hass, "automation", config)
    await harness.settle()
    return calls


async def publish(harness: Harness, *dispatches: Dispatch) -> None:
    """Have Voltus say so, and us hear it."""
    harness.publish(*dispatches)
    await harness.poll()


def titles(calls: list[ServiceCall]) -> list[str]:
    return [call.data["title"] for call in calls]


def messages(calls: list[ServiceCall]) -> list[str]:
    return [call.data["message"] for call in calls]


@pytest.mark.parametrize(
    ("dispatch", "message"),
    [
        (TO_COME, "Site s1: from 14:00 to 15:00, 100 kW."),
        (
            wire_dispatch(start=at(60), end=at(120), sites={"s2": 12.5, "s1": 100}),
            "Site s1, Site s2: from 14:00 to 15:00, 112.5 kW.",
        ),
        (
            wire_dispatch(start=at(60), end=None),
            "Site s1: from 14:00 until further notice, 100 kW.",
        ),
        (
            wire_dispatch(start=at(60), end=at(120), sites={"s1": None, "s2": 10}),
            "Site s1, Site s2: from 14:00 to 15:00, the full curtailment plan.",
        ),
        (
            wire_dispatch(start=at(24 * 60), end=at(25 * 60), sites={"s1": 0}),
            "Site s1: from Thu 16 Jul, 13:00 to 14:00, 0 kW.",
        ),
        (
            wire_dispatch(start=at(10 * 60), end=at(12 * 60)),
            "Site s1: from 23:00 to Thu 16 Jul, 01:00, 100 kW.",
        ),
    ],
    ids=["today", "sites", "open end", "no amount", "tomorrow", "over midnight"],
)
async def test_says_who_when_and_how_much(
    harness: Harness, dispatch: Dispatch, message: str
) -> None:
    calls = await automate(harness)
    await publish(harness, dispatch)
    assert titles(calls) == ["Dispatch announced"]
    assert messages(calls) == [message]
    assert calls[0].data["entity_id"] == ["notify.managers"]


async def test_tells_a_whole_dispatch(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    calls = await automate(harness)
    await publish(harness, TO_COME)
    await harness.move_to(at(60))
    await harness.move_to(at(120))
    assert titles(calls) == ["Dispatch announced", "Dispatch started", "Dispatch over"]
    assert set(messages(calls)) == {"Site s1: from 14:00 to 15:00, 100 kW."}
    assert "ERROR" not in caplog.text


async def test_tells_that_a_dispatch_was_taken_back(harness: Harness) -> None:
    calls = await automate(harness)
    await publish(harness, TO_COME)
    await publish(harness, TO_COME | {"authorized": False})
    assert titles(calls)[1:] == ["Dispatch cancelled"]
    assert messages(calls)[1] == (
        "Site s1: from 14:00 to 15:00, 100 kW. Voltus has taken it back."
    )
    await publish(harness, TO_COME)
    assert titles(calls)[2:] == ["Dispatch changed"]
    assert messages(calls)[2] == "Site s1: from 14:00 to 15:00, 100 kW."


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (
            at(90),
            at(120),
            "Site s1: from 14:30 to 15:00 (before: from 14:00 to 15:00), 100 kW.",
        ),
        (
            at(60),
            None,
            (
                "Site s1: from 14:00 until further notice (before: from 14:00 to 15:00), "
                "100 kW."
            ),
        ),
    ],
)
async def test_tells_of_other_times(
    harness: Harness, start: Any, end: Any, message: str
) -> None:
    calls = await automate(harness)
    await publish(harness, TO_COME)
    await publish(harness, wire_dispatch(start=start, end=end))
    assert titles(calls)[1:] == ["Dispatch changed"]
    assert messages(calls)[1:] == [message]


async def test_keeps_other_changes_to_itself(harness: Harness) -> None:
    calls = await automate(harness)
    await publish(harness, TO_COME)
    await publish(harness, wire_dispatch(start=at(60), end=at(120), sites={"s1": 5}))
    assert titles(calls) == ["Dispatch announced"]


async def test_tells_what_was_missed(harness: Harness) -> None:
    calls = await automate(harness)
    await publish(harness, wire_dispatch(start=at(-60), end=at(-10)))
    assert titles(calls) == ["Dispatch missed"]
    assert messages(calls) == [
        "Site s1: from 12:00 to 12:50, 100 kW. It was over before its start could be told."
    ]


async def test_warns_of_coming_back_while_another_dispatch_is_on(
    harness: Harness,
) -> None:
    calls = await automate(harness, kinds=["over"])
    await publish(harness, wire_dispatch(end=at(30)), wire_dispatch("d2", start=at(10)))
    await harness.move_to(at(30))
    await harness.move_to(at(60))
    assert titles(calls) == ["Dispatch over", "Dispatch over"]
    assert messages(calls) == [
        (
            "Site s1: from 13:00 to 13:30, 100 kW. "
            "Another dispatch is on: stay down at Site s1."
        ),
        "Site s1: from 13:10 to 14:00, 100 kW.",
    ]


@pytest.mark.parametrize(
    ("tests", "told"), [(False, []), (True, ["Test dispatch announced"])]
)
async def test_tells_of_tests_only_where_they_are_asked_for(
    harness: Harness, tests: bool, told: list[str]
) -> None:
    calls = await automate(harness, tests=tests)
    await publish(harness, TO_COME | {"test": True})
    assert titles(calls) == told


async def test_tells_of_no_site_that_is_ignored(harness: Harness) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"ignored_sites": ["s2"]}
    )
    calls = await automate(harness, tests=True)
    ignored = wire_dispatch("d2", start=at(60), sites={"s2": 10}, test=True)
    both = wire_dispatch(start=at(60), end=at(120), sites={"s1": 100, "s2": 10})
    await publish(harness, ignored, both)
    assert messages(calls) == ["Site s1: from 14:00 to 15:00, 100 kW."]


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        (["announced"], ["Dispatch announced"]),
        (["started"], ["Dispatch started"]),
        ([], []),
    ],
)
async def test_tells_what_was_chosen(
    harness: Harness, kinds: list[str], told: list[str]
) -> None:
    calls = await automate(harness, kinds=kinds)
    await publish(harness, TO_COME)
    await harness.move_to(at(60))
    assert titles(calls) == told


@pytest.mark.parametrize(
    ("chosen", "told"), [(None, True), ("s1", True), ("s2", False)]
)
async def test_tells_of_the_accounts_and_sites_that_were_chosen(
    harness: Harness, chosen: str | None, told: bool
) -> None:
    calls = await automate(harness, chosen)
    await publish(harness, TO_COME)
    assert bool(calls) is told


async def test_other_actions_get_the_texts_too(harness: Harness) -> None:
    other = async_mock_service(harness.hass, "notify", "mobile_app_phone")
    data = {
        "title": "{{ title }}",
        "message": "{{ message }} {{ dispatch.dispatch_id }}",
    }
    action = {"action": "notify.mobile_app_phone", "data": data}
    calls = await automate(harness, people=[], actions=[action])
    await publish(harness, TO_COME)
    assert calls == []
    (call,) = other
    assert call.data == {
        "title": "Dispatch announced",
        "message": "Site s1: from 14:00 to 15:00, 100 kW. d1",
    }


async def test_after_a_long_outage_each_dispatch_is_told(harness: Harness) -> None:
    calls = await automate(harness)
    await publish(
        harness,
        *(wire_dispatch(f"d{n}", at(60 + n), at(120 + n)) for n in range(80)),
    )
    assert len(calls) == 80


@pytest.mark.parametrize(
    ("phase", "title"),
    [
        ("going_down", "Load does not go down"),
        ("coming_back", "Load does not come back"),
    ],
)
async def test_a_load_that_does_not_obey(
    harness: Harness, phase: str, title: str
) -> None:
    calls = await automate(harness)
    harness.hass.states.async_set("switch.pump", "on", {"friendly_name": "Pump"})
    harness.hass.bus.async_fire(
        "voltus_load_failed",
        {"entity_id": "switch.pump", "phase": phase, "since": at(0).isoformat()},
    )
    await harness.settle()
    assert titles(calls) == [title]
    assert messages(calls) == ["Pump has not obeyed since 13:00."]


@pytest.mark.parametrize(
    ("site", "message"),
    [
        ({}, "Site s1: 118 of 110 kW, 236 kWh, full drop after 4 min; estimated."),
        ({"reduction": None}, "Site s1: not known; estimated."),
        (
            {"minutes_to_full_drop": None, "complete": False, "commitment": None},
            "Site s1: 118 kW, 236 kWh, incomplete; estimated.",
        ),
    ],
)
async def test_the_result_is_told_as_an_estimate(
    harness: Harness, site: Mapping[str, Any], message: str
) -> None:
    calls = await automate(harness)
    result = {
        "name": "Site s1",
        "device_id": harness.device("s1"),
        "commitment": 110.0,
        "reduction": 118.2,
        "energy": 236.4,
        "minutes_to_full_drop": 4.0,
        "complete": True,
        **site,
    }
    data = {
        "actionable": True,
        "test": False,
        "device_id": harness.device(),
        "start_time": at(0).isoformat(),
        "end_time": at(120).isoformat(),
        "sites": [result],
    }
    harness.hass.bus.async_fire("voltus_dispatch_evaluated", data)
    await harness.settle()
    assert titles(calls) == ["Dispatch result"]
    assert messages(calls) == [message]
