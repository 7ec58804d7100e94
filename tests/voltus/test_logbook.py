"""What the logbook says of a dispatch."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from homeassistant.components.recorder import Recorder
from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.voltus.aiovoltus.by_hand import OperatorAct
from custom_components.voltus.const import DOMAIN
from custom_components.voltus.logbook import async_describe_events
from tests.builders import at, wire_dispatch, wire_time

from .harness import EVENTS, Harness

type Describe = Callable[[Event[Any]], dict[str, Any]]

ONE, TWO = at(60), at(120)


@pytest.fixture(autouse=True)
def _custom_integrations(
    recorder_db_url: str, enable_custom_integrations: None
) -> None:
    """Have a database before there is a Home Assistant, as the recorder's fixture asks."""


def described(harness: Harness) -> list[dict[str, Any]]:
    """Return the entries of all that was told, in order."""
    handlers: dict[str, Describe] = {}

    def record(domain: str, event_type: str, describe: Describe) -> None:
        assert domain == DOMAIN
        handlers[event_type] = describe

    async_describe_events(harness.hass, record)
    assert handlers.keys() == {
        *(f"{DOMAIN}_dispatch_{kind}" for kind in (*EVENTS, *OperatorAct)),
        f"{DOMAIN}_dispatch_evaluated",
        *(f"{DOMAIN}_load_{kind}" for kind in ("failed", "taken_over")),
    }
    return [handlers[str(event.event_type)](event) for event in harness.told]


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        (
            "failed",
            {"phase": "going_down"},
            "has not gone down for two minutes, and is told again",
        ),
        ("failed", {"phase": "coming_back"}, "has not come back for two minutes"),
        ("taken_over", {}, "is somebody else's by now: it is left alone"),
    ],
)
@pytest.mark.parametrize(
    ("entity_id", "name"), [("switch.a", "Pump"), ("switch.gone", "switch.gone")]
)
def test_a_load_that_fails_or_is_taken_over(
    hass: HomeAssistant,
    kind: str,
    data: dict[str, str],
    message: str,
    entity_id: str,
    name: str,
) -> None:
    hass.states.async_set("switch.a", "on", {"friendly_name": "Pump"})
    handlers: dict[str, Describe] = {}
    async_describe_events(hass, lambda _, kind, each: handlers.update({kind: each}))
    event = Event(f"{DOMAIN}_load_{kind}", {"entity_id": entity_id, **data})
    assert handlers[str(event.event_type)](event) == {
        "name": name,
        "message": message,
        "entity_id": entity_id,
    }


def messages(harness: Harness) -> list[str]:
    """Return what they say."""
    return [entry["message"] for entry in described(harness)]


def named(names: Mapping[str, str], **fields: Any) -> dict[str, Any]:
    """Return a dispatch of 110 kW in all to sites of these names."""
    sites = [
        {
            "id": i,
            "name": name,
            "customer_location_id": "",
            "commitment": 110 / len(names),
        }
        for i, name in names.items()
    ]
    return wire_dispatch("5j94", ONE, TWO) | {"sites": sites} | fields


COLD = {"s1": "Riverside Cold Storage"}
WHOLE = "dispatch 5j94 for Riverside Cold Storage, 13:00 to 14:00, 110 kW"


async def test_a_dispatch_from_its_announcement_to_its_end(harness: Harness) -> None:
    harness.publish(named(COLD))
    await harness.set_up()
    await harness.move_to(ONE)
    await harness.move_to(TWO)
    assert messages(harness) == [
        f"announced {WHOLE}",
        f"started {WHOLE}",
        f"ended {WHOLE}",
    ]


async def test_the_entry_names_the_account_and_its_event_entity(
    harness: Harness,
) -> None:
    harness.publish(named(COLD))
    await harness.set_up()
    (entry,) = described(harness)
    assert entry["name"] == "Voltus sandbox"
    assert entry["entity_id"] == harness.entity_id("dispatch")


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        pytest.param(
            named(COLD, test=True),
            f"announced {WHOLE} (test, not acted on here)",
            id="a test",
        ),
        pytest.param(
            named({"s1": "A", "s2": "B"}),
            "announced dispatch 5j94 for A and B, 13:00 to 14:00, 110 kW",
            id="two sites",
        ),
        pytest.param(
            named({"s1": "A", "s2": "B", "s3": "C", "s4": "D"}),
            "announced dispatch 5j94 for A and 3 more, 13:00 to 14:00, 110 kW",
            id="many sites",
        ),
        pytest.param(
            named(COLD, end_time=None),
            "announced dispatch 5j94 for Riverside Cold Storage, from 13:00, end open,"
            " 110 kW",
            id="no end",
        ),
        pytest.param(
            wire_dispatch("5j94", ONE, TWO, {"s1": None}),
            "announced dispatch 5j94 for Site s1, 13:00 to 14:00, no amount stated",
            id="no amount",
        ),
        pytest.param(
            named(COLD, end_time=wire_time(at(30 * 60))),
            "announced dispatch 5j94 for Riverside Cold Storage,"
            " 13:00 to 2026-07-16 18:00, 110 kW",
            id="into another day",
        ),
    ],
)
async def test_an_announcement_says_who_when_and_how_much(
    harness: Harness, wire: dict[str, Any], message: str
) -> None:
    harness.publish(wire)
    await harness.set_up()
    assert messages(harness) == [message]


async def test_a_test_that_is_acted_on_is_only_a_test(harness: Harness) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"act_on_test_dispatches": True}
    )
    harness.publish(named(COLD, test=True))
    await harness.set_up()
    assert messages(harness) == [f"announced {WHOLE} (test)"]


async def test_times_are_local_and_tell_the_day_if_it_is_another(
    harness: Harness,
) -> None:
    await harness.hass.config.async_set_time_zone("US/Pacific")
    harness.publish(named(COLD))
    await harness.set_up()
    assert messages(harness)[0].endswith(", 06:00 to 07:00, 110 kW")
    harness.freezer.move_to(at(24 * 60))
    assert messages(harness)[0].endswith(", 2026-07-15 06:00 to 07:00, 110 kW")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"start_time": wire_time(at(90))}, "start moved from 13:00 to 13:30"),
        (
            {"end_time": wire_time(at(25 * 60))},
            "end moved from 14:00 to 2026-07-16 13:00",
        ),
        ({"end_time": None}, "end taken back"),
        ({"test": True}, "now a test"),
        ({"program": None}, "program changed"),
        ({"metadata": {"a": 1}}, "metadata changed"),
        ({"modification_number": 7}, "modification number changed"),
        (
            {"modification_number": 7, "end_time": wire_time(at(90))},
            "end moved from 14:00 to 13:30",
        ),
        (
            {"test": True, "end_time": wire_time(at(90))},
            "end moved from 14:00 to 13:30; now a test",
        ),
        (
            {"sites": named({"s1": "A", "s2": "B"})["sites"]},
            "B added; A changed",
        ),
        ({"sites": named({"s2": "B"})["sites"]}, "B added; s1 removed"),
    ],
)
async def test_an_update_says_what_has_changed(
    harness: Harness, change: dict[str, Any], words: str
) -> None:
    harness.publish(named({"s1": "A"}))
    await harness.set_up()
    harness.publish(named({"s1": "A"}, **change))
    await harness.poll()
    message = messages(harness)[-1]
    assert message.startswith("updated dispatch 5j94 for ")
    assert set(message.partition(": ")[2].split("; ")) == set(words.split("; "))


async def test_an_end_that_is_set_at_last_is_told(harness: Harness) -> None:
    harness.publish(named(COLD, end_time=None))
    await harness.set_up()
    harness.publish(named(COLD))
    await harness.poll()
    assert messages(harness)[-1] == f"updated {WHOLE}: end set to 14:00"


async def test_a_cancel_says_why_and_a_return_says_so(harness: Harness) -> None:
    harness.publish(named(COLD))
    await harness.set_up()
    harness.publish(named(COLD, authorized=False))
    await harness.poll()
    harness.publish(named(COLD))
    await harness.poll()
    harness.publish()
    for minute in (1, 2, 3):
        await harness.move_to(at(minute))
    harness.publish(named(COLD))
    await harness.poll()
    assert messages(harness)[1:] == [
        f"cancelled {WHOLE}: no longer authorized",
        f"updated {WHOLE}: authorized again",
        f"cancelled {WHOLE}: no longer known to Voltus",
        f"updated {WHOLE}: known again",
    ]


async def test_an_end_without_a_start_says_so(harness: Harness) -> None:
    harness.publish(named(COLD))
    await harness.set_up()
    await harness.move_to(at(150))
    assert messages(harness)[-1] == f"ended {WHOLE}: its start was never announced"


async def test_who_opts_out_is_told_with_the_reason(harness: Harness) -> None:
    harness.publish(named(COLD))
    await harness.set_up()
    for act, reason in (("opt_out", "too warm"), ("opt_in", "")):
        fields = {"dispatch_id": "5j94", "reason": reason}
        await harness.hass.services.async_call(DOMAIN, act, fields, blocking=True)
    assert messages(harness)[1:] == [
        "no longer curtails Riverside Cold Storage for dispatch 5j94: too warm",
        "curtails Riverside Cold Storage for dispatch 5j94 again",
    ]


async def test_what_remains_of_an_account_or_an_event_can_still_be_read(
    harness: Harness,
) -> None:
    harness.publish(named(COLD))
    await harness.set_up()
    await harness.hass.config_entries.async_remove(harness.entry.entry_id)
    er.async_get(harness.hass).async_clear_config_entry(harness.entry.entry_id)
    (entry,) = described(harness)
    assert (entry["name"], entry["message"]) == ("Voltus", f"announced {WHOLE}")
    assert entry["entity_id"] is None
    # The recorder keeps no data of more than 32 KB.
    harness.told[0] = Event(harness.told[0].event_type, {})
    assert messages(harness) == ["announced a dispatch"]


@pytest.mark.parametrize("far", ["0001-01-01T03:00:00Z", "9999-12-31T23:00:00Z"])
async def test_the_end_of_the_calendar_can_be_told(harness: Harness, far: str) -> None:
    await harness.hass.config.async_set_time_zone("Pacific/Kiritimati")
    harness.publish(named(COLD, start_time=far, end_time=None))
    await harness.set_up()
    assert messages(harness)


async def test_home_assistants_logbook_shows_it_on_the_device(
    recorder_mock: Recorder, harness: Harness, hass_ws_client: WebSocketGenerator
) -> None:
    # Its pages are no part of the harness.
    harness.hass.config.components.add("frontend")
    assert await async_setup_component(harness.hass, "logbook", {})
    harness.publish(named(COLD))
    await harness.set_up()
    await async_wait_recording_done(harness.hass)
    client = await hass_ws_client()
    await client.send_json_auto_id(
        {
            "type": "logbook/get_events",
            "start_time": at(-1).isoformat(),
            "end_time": at(1).isoformat(),
            "device_ids": [harness.told[0].data["device_id"]],
        }
    )
    answer = await client.receive_json()
    (shown,) = [entry for entry in answer["result"] if entry.get("domain") == DOMAIN]
    when = datetime.fromtimestamp(shown.pop("when"), at(0).tzinfo)
    assert abs((when - at(0)).total_seconds()) < 1
    assert shown == {
        "domain": DOMAIN,
        "entity_id": harness.entity_id("dispatch"),
        "message": f"announced {WHOLE}",
        "name": "Voltus sandbox",
    }
