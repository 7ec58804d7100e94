"""When the coordinator looks, what it asks for, and whom it tells."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.const import CONF_API_KEY
from homeassistant.core import callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_connect
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.voltus.aiovoltus.client import decode
from custom_components.voltus.aiovoltus.errors import VoltusFormatError
from custom_components.voltus.aiovoltus.schedule import CurtailmentChange
from custom_components.voltus.announcing.announcer import TOLD, ToldType
from custom_components.voltus.asking.conversation import decoded
from custom_components.voltus.const import DOMAIN
from sandbox.faults import Faults
from tests.builders import NOON, at, wire_dispatch

from .harness import KEY, Harness


async def test_start_and_end_come_at_the_exact_second_without_an_answer(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(0.25), at(0.4)))
    await harness.set_up()
    harness.voltus.faults = Faults(status=500)

    await harness.move_to(at(0.25) - timedelta(milliseconds=1))
    assert not harness.curtails("s1")
    await harness.move_to(at(0.25))
    assert harness.curtails("s1")
    await harness.move_to(at(0.4) - timedelta(milliseconds=1))
    assert harness.curtails("s1")
    await harness.move_to(at(0.4))
    assert not harness.curtails("s1")

    assert harness.stories == [("d1", "created"), ("d1", "started"), ("d1", "ended")]
    started, ended = harness.told[1:]
    assert started.data["late_seconds"] == 0
    assert ended.data["late_seconds"] == 0


async def test_lead_time_brings_the_signal_forward(harness: Harness) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"lead_time": 5}
    )
    harness.publish(wire_dispatch("d1", at(10), at(20)))
    await harness.set_up()
    await harness.move_to(at(5))
    assert harness.curtails("s1")
    assert harness.state("phase", "s1").state == "preparing"
    assert harness.state("dispatch_active", "s1").state == "off"
    assert harness.stories == [("d1", "created")]
    await harness.move_to(at(10))
    assert harness.state("phase", "s1").state == "active"
    assert harness.written_states("curtail", "s1") == ["off", "on"]


async def test_the_poll_interval_counts_from_start_to_start(harness: Harness) -> None:
    await harness.set_up()
    asked = len(harness.voltus.requests)
    for tick in range(1, 11):
        harness.freezer.move_to(NOON + timedelta(seconds=30.6 * tick))
        async_fire_time_changed(harness.hass)
        await harness.settle()
    assert len(harness.voltus.requests) == asked + 10


async def test_polling_goes_on_with_every_entity_disabled(harness: Harness) -> None:
    await harness.set_up()
    registry = er.async_get(harness.hass)
    for entity in harness.entities():
        registry.async_update_entity(
            entity.entity_id, disabled_by=er.RegistryEntryDisabler.USER
        )
    await harness.restart()
    assert not harness.hass.states.async_all()
    harness.publish(wire_dispatch("d1", at(2), at(4)))
    await harness.move_to(at(1))
    await harness.move_to(at(2))
    await harness.move_to(at(4))
    assert harness.stories == [("d1", "created"), ("d1", "started"), ("d1", "ended")]


async def test_an_unchanged_poll_reads_no_json_and_writes_nothing(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    await harness.set_up()
    look = harness.entry.runtime_data.data
    harness.written.clear()
    monkeypatch.setattr("custom_components.voltus.asking.conversation.decoded", None)
    await harness.poll()
    assert harness.entry.runtime_data.last_update_success
    assert harness.entry.runtime_data.data is look
    assert harness.written == []
    assert len(harness.told) == 2


async def test_no_contact_for_five_minutes_is_a_repair_issue_until_recovery(
    harness: Harness,
) -> None:
    issues = ir.async_get(harness.hass)
    await harness.set_up()
    harness.voltus.faults = Faults(status=500)
    await harness.move_to(at(4.9))
    assert not issues.issues
    await harness.move_to(at(5.5))
    issue = issues.async_get_issue(DOMAIN, f"no_contact_{harness.entry.entry_id}")
    assert issue
    assert issue.translation_placeholders == {
        "name": "Voltus sandbox",
        "since": "2026-07-15 12:00",
    }
    harness.voltus.faults = Faults()
    await harness.move_to(at(6))
    assert not issues.issues


async def test_a_refused_key_asks_for_another_once_and_heals_by_itself(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    await harness.set_up()
    harness.voltus.faults = Faults(status=401)
    for minute in range(1, 5):
        await harness.move_to(at(minute))
    assert len(harness.flows(SOURCE_REAUTH)) == 1
    flow = harness.flows(SOURCE_REAUTH)[0]
    harness.hass.config_entries.flow.async_abort(flow["flow_id"])
    await harness.move_to(at(5))
    assert not harness.flows(SOURCE_REAUTH), "a dismissed flow does not come back"
    assert harness.curtails("s1")

    harness.voltus.faults = Faults()
    await harness.move_to(at(7))
    await harness.move_to(at(8))
    harness.voltus.faults = Faults(status=403)
    await harness.move_to(at(9))
    await harness.move_to(at(10))
    assert len(harness.flows(SOURCE_REAUTH)) == 1, "new refusals ask again"
    harness.voltus.faults = Faults()
    await harness.move_to(at(11))
    assert harness.flows(SOURCE_REAUTH), "one good answer interrupts nobody"
    await harness.move_to(at(12))
    assert not harness.flows(SOURCE_REAUTH)
    assert not [i for i in ir.async_get(harness.hass).issues.values() if i.active]


async def test_a_start_after_a_long_pause_gives_voltus_time_to_answer(
    harness: Harness,
) -> None:
    await harness.set_up()
    harness.voltus.faults = Faults(status=500)
    harness.freezer.move_to(at(600))
    await harness.restart()
    assert not ir.async_get(harness.hass).issues
    await harness.move_to(at(605))
    assert ir.async_get(harness.hass).issues


async def test_an_option_does_not_keep_a_healed_key_in_question(
    harness: Harness,
) -> None:
    await harness.set_up()
    harness.voltus.faults = Faults(status=401)
    await harness.poll()
    await harness.poll()
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"lead_time": 5}
    )
    await harness.settle()
    assert len(harness.flows(SOURCE_REAUTH)) == 1
    harness.voltus.faults = Faults()
    await harness.poll()
    await harness.poll()
    assert not harness.flows(SOURCE_REAUTH)


async def test_a_refused_key_is_tried_once_a_minute_after_five_minutes(
    harness: Harness,
) -> None:
    await harness.set_up()
    harness.voltus.faults = Faults(status=401)
    for half_minute in range(1, 13):
        await harness.move_to(NOON + timedelta(seconds=31 * half_minute))
    asked = len(harness.voltus.requests)
    for half_minute in range(13, 33):
        await harness.move_to(NOON + timedelta(seconds=31 * half_minute))
    assert len(harness.voltus.requests) == asked + 10


async def test_429_skips_requests_but_never_a_boundary(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(3), at(4)))
    await harness.set_up()
    harness.voltus.faults = Faults(status=429, retry_after="240", times=1)
    await harness.move_to(at(1))
    asked = len(harness.voltus.requests)
    for half_minute in range(3, 10):
        await harness.move_to(at(half_minute / 2))
    assert len(harness.voltus.requests) == asked
    assert harness.stories == [("d1", "created"), ("d1", "started"), ("d1", "ended")]
    await harness.move_to(at(5.5))
    assert len(harness.voltus.requests) == asked + 1
    assert harness.state("connection").state == "on"


async def test_every_option_and_the_key_change_in_place_during_a_dispatch(
    harness: Harness,
) -> None:
    harness.voltus.accounts["another-key"] = harness.voltus.accounts[KEY]
    harness.publish(wire_dispatch("d1", at(-10), at(60), {"s1": 5, "s2": 7}))
    await harness.set_up()
    for options in (
        {"poll_interval": 5},
        {"lead_time": 10},
        {"act_on_test_dispatches": True},
        {"offline_hold": 1},
        {"ignored_sites": ["s2"]},
        {},
    ):
        harness.hass.config_entries.async_update_entry(harness.entry, options=options)
        await harness.settle()
        assert harness.curtails("s1")
    harness.hass.config_entries.async_update_entry(
        harness.entry, data={**harness.entry.data, CONF_API_KEY: "another-key"}
    )
    await harness.settle()
    assert harness.voltus.requests[-1].key == "another-key"
    assert harness.written_states("curtail", "s1") == ["on"]
    assert "unavailable" not in {state for _, state in harness.written}
    assert harness.stories == [("d1", "created"), ("d1", "started")]


async def test_an_option_acts_at_once(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60), test=True))
    await harness.set_up()
    assert not harness.curtails("s1")
    assert harness.told[0].data["actionable"] is False
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"act_on_test_dispatches": True}
    )
    await harness.settle()
    assert harness.curtails("s1")
    assert harness.stories == [("d1", "created"), ("d1", "started")]


async def test_absence_is_asked_about_before_a_dispatch_is_withdrawn(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    await harness.set_up()
    harness.voltus.faults = Faults(drop_from_list=("d1",))
    await harness.poll()
    await harness.poll()
    assert harness.curtails("s1"), "Voltus still knows it by id"

    harness.voltus.faults = Faults(drop=("d1",))
    await harness.poll()
    assert harness.curtails("s1"), "one 404 proves nothing"
    await harness.poll()
    assert not harness.curtails("s1")
    assert harness.stories[-1] == ("d1", "cancelled")
    assert harness.told[-1].data["reason"] == "withdrawn"

    harness.voltus.faults = Faults()
    await harness.poll()
    assert harness.curtails("s1")
    assert harness.stories[-2:] == [("d1", "updated"), ("d1", "started")]


async def test_an_empty_list_for_one_poll_is_nothing(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    await harness.set_up()
    harness.voltus.faults = Faults(drop_from_list=("d1",), times=1)
    await harness.poll()
    await harness.poll()
    assert harness.written_states("curtail", "s1") == ["on"]
    assert harness.stories == [("d1", "created"), ("d1", "started")]


async def test_an_open_end_is_let_go_after_the_hold_and_taken_up_again(
    harness: Harness,
) -> None:
    issue_id = f"released_blind_{harness.entry.entry_id}"
    issues = ir.async_get(harness.hass)
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"offline_hold": 1}
    )
    harness.publish(wire_dispatch("d1", at(-10), None))
    await harness.set_up()
    harness.voltus.faults = Faults(status=500)
    await harness.move_to(at(59.9))
    assert harness.curtails("s1")
    await harness.move_to(at(60))
    assert not harness.curtails("s1")
    assert harness.state("active_dispatches").state == "1"
    assert issues.async_get_issue(DOMAIN, issue_id)
    harness.voltus.faults = Faults()
    await harness.move_to(at(61))
    assert harness.curtails("s1")
    assert not issues.async_get_issue(DOMAIN, issue_id)
    assert harness.stories == [("d1", "created"), ("d1", "started")]
    kinds = [row["type"] for row in harness.entry.runtime_data.log.rows]
    assert kinds == [
        "created",
        "started",
        "curtailment_started",
        "released",
        "curtailment_ended",
        "resumed",
        "curtailment_started",
    ]


async def test_it_is_told_and_logged_as_curtail_of_sites_turns(
    harness: Harness,
) -> None:
    turned = []

    @callback
    def listen(kind: ToldType, data: Mapping[str, Any]) -> None:
        if isinstance(kind, CurtailmentChange):
            sites = [(site["id"], site["dispatch_ids"]) for site in data["sites"]]
            turned.append((kind.value, sites, data["whole_account"]))

    async_dispatcher_connect(harness.hass, TOLD, listen)
    harness.publish(
        wire_dispatch("d1", at(10), at(30), {"s1": 1.0}),
        wire_dispatch("d2", at(20), at(30), {"s1": 1.0, "s2": 2.0}),
        wire_dispatch("d3", at(30), at(40), {"s2": 3.0}),
    )
    await harness.set_up()
    for minute in (10, 20, 30, 40):
        await harness.move_to(at(minute))
    assert turned == [
        ("curtailment_started", [("s1", ["d1"])], True),
        ("curtailment_started", [("s2", ["d2"])], False),
        ("curtailment_ended", [("s1", [])], False),
        ("curtailment_ended", [("s2", [])], True),
    ]
    rows = harness.entry.runtime_data.log.rows
    assert [
        (row["announced"], row["sites"], row["dispatch_ids"])
        for row in rows
        if str(row["type"]).startswith("curtailment")
    ] == [
        (at(10).isoformat(), ["s1"], ["d1"]),
        (at(20).isoformat(), ["s2"], ["d2"]),
        (at(30).isoformat(), ["s1"], ["d1", "d2"]),
        (at(40).isoformat(), ["s2"], ["d3"]),
    ]


async def test_a_known_cancel_counts_beside_unreadable_fields(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    await harness.set_up()
    harness.publish(
        wire_dispatch("d1", at(-10), at(60), authorized=False, start_time="soon")
    )
    for _ in range(3):
        await harness.poll()
    assert not harness.curtails("s1")
    assert harness.stories[-1] == ("d1", "cancelled")
    assert caplog.text.count("start_time cannot be read") == 1


@pytest.mark.parametrize("seconds", [3, 7200])
async def test_a_clock_set_back_repeats_nothing(harness: Harness, seconds: int) -> None:
    harness.publish(wire_dispatch("d1", at(-1), at(300)))
    await harness.set_up()
    await harness.move_to(NOON - timedelta(seconds=seconds))
    harness.freezer.move_to(NOON - timedelta(seconds=seconds))
    await harness.poll()
    assert harness.curtails("s1") is (seconds == 3)
    await harness.move_to(at(1))
    assert harness.curtails("s1")
    assert harness.stories == [("d1", "created"), ("d1", "started")]


async def test_what_was_slept_through_is_right_after_one_tick(harness: Harness) -> None:
    harness.publish(
        wire_dispatch("d1", at(10), at(20)), wire_dispatch("d2", at(30), at(50))
    )
    await harness.set_up()
    await harness.move_to(at(40))
    assert harness.curtails("s1")
    assert harness.stories[2:] == [("d1", "ended"), ("d2", "started")]
    assert harness.told[2].data["missed"] is True
    assert harness.told[3].data["late_seconds"] == 600


async def test_the_public_sandbox_is_created_and_started_once(harness: Harness) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, data={**harness.entry.data, CONF_API_KEY: "secret"}
    )
    await harness.set_up()
    for tick in range(1, 5):
        await harness.move_to(NOON + timedelta(seconds=31 * tick))
        assert harness.curtails("asdf")
    assert (
        harness.stories
        == [("asdf", "created"), ("asdf", "started")] + [("asdf", "updated")] * 4
    )
    assert harness.written_states("curtail", "asdf") == ["on"]


async def test_the_public_sandbox_five_seconds_ahead_starts_between_polls(
    harness: Harness,
) -> None:
    harness.voltus.public_start_offset = 5
    harness.hass.config_entries.async_update_entry(
        harness.entry, data={**harness.entry.data, CONF_API_KEY: "secret"}
    )
    await harness.set_up()
    assert not harness.curtails("asdf")
    await harness.move_to(NOON + timedelta(seconds=5))
    assert harness.curtails("asdf")
    await harness.move_to(NOON + timedelta(seconds=31))
    assert not harness.curtails("asdf")
    await harness.move_to(NOON + timedelta(seconds=36))
    assert harness.curtails("asdf")
    assert harness.stories == [
        ("asdf", "created"),
        ("asdf", "started"),
        ("asdf", "updated"),
        ("asdf", "started"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b'{"dispatches": [], "amount": 1.5, "end": null, "test": false}',
        '{"name": "Kühlhaus"}'.encode(),
        rb'{"name": "\ud800"}',
        b'\xef\xbb\xbf{"name": "marked"}',
        '{"name": "wide"}'.encode("utf-16"),
        b"[" * 1500 + b"]" * 1500,
    ],
    ids=["plain", "utf-8", "half of a pair", "byte order mark", "utf-16", "deep"],
)
def test_whichever_reader_reads_an_answer_it_says_the_same(content: bytes) -> None:
    assert decoded(content) == decode(content)


@pytest.mark.parametrize("content", [b"", b"<html>", b'{"commitment": NaN}', b"[1,"])
def test_what_is_no_json_is_none_to_either_reader(content: bytes) -> None:
    with pytest.raises(VoltusFormatError):
        decoded(content)


# How far a clock that is set back counts


async def test_a_clock_set_back_by_minutes_counts(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(0), at(60)))
    await harness.set_up()
    await harness.move_to(at(61))
    assert not harness.curtails("s1")
    harness.freezer.move_to(at(30))
    await harness.poll()
    assert harness.curtails("s1")


async def test_a_clock_set_back_by_seconds_is_waited_for(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(60)))
    await harness.set_up()
    await harness.move_to(at(10))
    harness.freezer.move_to(at(10) - timedelta(seconds=30))
    await harness.poll()
    assert harness.curtails("s1")
    assert harness.written_states("curtail", "s1") == ["off", "on"]


async def test_what_cannot_be_read_is_logged_once_however_often_it_comes(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    for amount in (1, 2, 3):
        item = wire_dispatch("d1", at(-10), at(60), {"s1": amount})
        harness.publish({**item, "metadata": "nonsense"})
        await (harness.poll() if amount > 1 else harness.set_up())
    told = [line for line in caplog.messages if "cannot be read" in line]
    assert len(told) == 1


async def test_sites_that_cannot_be_asked_for_are_asked_for_after_five_minutes(
    harness: Harness,
) -> None:
    harness.voltus.faults = Faults(status=500, paths=("/sites",))
    await harness.set_up()

    def asked() -> int:
        paths = [request.path for request in harness.voltus.requests]
        return len([path for path in paths if path.endswith("/sites")])

    first = asked()
    for half_minute in range(1, 10):
        await harness.move_to(at(half_minute / 2))
    assert asked() == first
    await harness.move_to(at(5.5))
    assert asked() == first + 1
