"""The actions for an account: test dispatches, scenarios, dispatches and the log."""

from collections.abc import Mapping
from datetime import datetime, timedelta
import json
from pathlib import Path
import re
from typing import Any

from homeassistant.auth.const import GROUP_ID_USER
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import (
    HomeAssistantError,
    ServiceValidationError,
    Unauthorized,
)
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
import voluptuous as vol

from custom_components.voltus.const import DOMAIN
from custom_components.voltus.records.season import season
from sandbox.faults import Faults
from tests.builders import NOON, at, wire_dispatch

from .harness import KEY, Harness
from .pushed import Pushed

PUMP = "switch.pump"
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "actions.md"
JSON = re.compile(r"^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)


async def call(
    hass: HomeAssistant, action: str, context: Context | None = None, **fields: Any
) -> Mapping[str, Any]:
    """Call an action and return its answer."""
    answer = await hass.services.async_call(
        DOMAIN, action, fields, blocking=True, return_response=True, context=context
    )
    assert answer is not None
    return answer


async def load(harness: Harness) -> Mapping[str, Any]:
    """Return the load of a site that has a meter at Voltus."""
    sites: Any = harness.voltus.accounts[KEY].sites
    sites[0]["meters"] = [{"id": "m1", "name": "Main meter", "asset_type": "load"}]
    return await call(harness.hass, "get_telemetry", site_ids="s1", interval=900)


def choose(harness: Harness, **options: Any) -> None:
    """Set options of the account."""
    harness.hass.config_entries.async_update_entry(harness.entry, options=options)


async def refusal(
    hass: HomeAssistant, action: str, **fields: Any
) -> HomeAssistantError:
    """Call an action that is refused, and return the error."""
    with pytest.raises(HomeAssistantError) as raised:
        await call(hass, action, **fields)
    return raised.value


def ids(answer: Mapping[str, Any]) -> list[str]:
    """Return the ids of the dispatches in an answer."""
    return [dispatch["id"] for dispatch in answer["dispatches"]]


# Which account, and who may


async def test_the_only_account_need_not_be_named(harness: Harness) -> None:
    await harness.set_up()
    assert await call(harness.hass, "get_dispatches") == {"dispatches": []}
    named = await call(harness.hass, "get_dispatches", config_entry_id="account")
    assert named == {"dispatches": []}


async def test_of_several_accounts_one_has_to_be_named(harness: Harness) -> None:
    harness.voltus.accounts["other-key"] = type(harness.voltus.accounts[KEY])()
    other = MockConfigEntry(
        domain=DOMAIN,
        entry_id="other",
        data={CONF_URL: harness.url, CONF_API_KEY: "other-key"},
    )
    harness.publish(wire_dispatch("d1"))
    await harness.set_up()
    other.add_to_hass(harness.hass)
    await harness.hass.config_entries.async_setup("other")
    await harness.settle()

    error = await refusal(harness.hass, "get_dispatches")
    assert error.translation_key == "service_found_multiple_config_entry_for_domain"
    for entry_id, known in (("account", ["d1"]), ("other", [])):
        answer = await call(harness.hass, "get_dispatches", config_entry_id=entry_id)
        assert ids(answer) == known


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("create_test_dispatch", {}),
        ("run_scenario", {"scenario": "basic"}),
        ("get_dispatches", {}),
        ("get_log", {}),
    ],
)
async def test_an_account_that_is_not_there_or_does_not_run_is_refused(
    harness: Harness, action: str, fields: Mapping[str, Any]
) -> None:
    await harness.set_up()
    error = await refusal(harness.hass, action, config_entry_id="gone", **fields)
    assert error.translation_key == "service_config_entry_not_found"
    await harness.hass.config_entries.async_unload("account")
    error = await refusal(harness.hass, action, config_entry_id="account", **fields)
    assert error.translation_key == "service_config_entry_not_loaded"


async def test_only_administrators_have_voltus_issue_something(
    harness: Harness,
) -> None:
    await harness.set_up()
    user = MockUser(groups=[await group(harness.hass, GROUP_ID_USER)]).add_to_hass(
        harness.hass
    )
    context = Context(user_id=user.id)
    asked = len(harness.voltus.requests)
    with pytest.raises(Unauthorized):
        await call(harness.hass, "create_test_dispatch", context)
    with pytest.raises(Unauthorized):
        await call(harness.hass, "run_scenario", context, scenario="clear")
    with pytest.raises(Unauthorized):
        await call(harness.hass, "test_push", context)
    assert len(harness.voltus.requests) == asked
    assert await call(harness.hass, "get_log", context)


async def group(hass: HomeAssistant, group_id: str) -> Any:
    """Return a group of users."""
    found = await hass.auth.async_get_group(group_id)
    assert found
    return found


# Test dispatches


async def test_a_test_dispatch_is_found_on_the_list_and_told(harness: Harness) -> None:
    await harness.set_up()
    answer = await call(harness.hass, "create_test_dispatch")
    dispatch_id = answer["dispatch_id"]
    assert harness.stories == [(dispatch_id, "created")]
    assert answer == {
        "dispatch_id": harness.told[0].data["dispatch_id"],
        "start_time": at(2).isoformat(),
        "end_time": at(22).isoformat(),
        "will_curtail": False,
        "sites": [],
        "notes": ["Curtail stays off: the option “Act on test dispatches” is off."],
    }
    await harness.move_to(at(2))
    assert not harness.curtails()


@pytest.mark.parametrize(
    ("options", "sites", "note"),
    [
        ({}, [], "Curtail stays off: the option “Act on test dispatches” is off."),
        ({"act_on_test_dispatches": True}, ["s1", "s2"], None),
        ({"act_on_test_dispatches": True, "ignored_sites": ["s1"]}, ["s2"], None),
        (
            {"act_on_test_dispatches": True, "ignored_sites": ["s1", "s2"]},
            [],
            "Curtail stays off: all of its sites are ignored in the options.",
        ),
    ],
)
async def test_the_answer_says_where_a_test_dispatch_curtails(
    harness: Harness, options: Mapping[str, Any], sites: list[str], note: str | None
) -> None:
    await harness.set_up()
    choose(harness, **options)
    await harness.settle()
    answer = await call(harness.hass, "create_test_dispatch")
    assert answer["sites"] == sites
    assert answer["will_curtail"] is bool(sites)
    assert answer["notes"] == [each for each in (note,) if each]
    await harness.move_to(at(2))
    assert harness.curtails() is answer["will_curtail"]


async def test_start_duration_and_program_can_be_chosen(harness: Harness) -> None:
    await harness.set_up()
    await harness.hass.config.async_set_time_zone("US/Pacific")
    answer = await call(
        harness.hass,
        "create_test_dispatch",
        start_time="2026-07-15 06:30:00",
        duration={"minutes": 5},
        program_id=1111,
    )
    assert (answer["start_time"], answer["end_time"]) == (
        at(90).isoformat(),
        at(95).isoformat(),
    )
    (created,) = harness.told
    assert created.data["program"]["id"] == 1111


async def test_a_test_dispatch_of_the_same_times_is_not_taken_for_the_new_one(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(2), at(22), test=True))
    await harness.set_up()
    answer = await call(harness.hass, "create_test_dispatch")
    assert answer["dispatch_id"] not in (None, "d1")


async def test_a_test_dispatch_that_is_not_listed_yet_is_told_later(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.api.new_id", lambda taken: "t1")
    await harness.set_up()
    harness.voltus.faults = Faults(drop=("t1",))
    answer = await call(harness.hass, "create_test_dispatch")
    assert answer["dispatch_id"] is None
    assert answer["notes"][0].startswith("Voltus has accepted")
    harness.voltus.faults = Faults()
    await harness.poll()
    assert harness.stories == [("t1", "created")]


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"start_time": at(0).isoformat()}, "start_in_the_past"),
        ({"start_time": at(-60).isoformat()}, "start_in_the_past"),
        ({"start_time": "0001-01-01T00:00:00+00:00"}, "start_in_the_past"),
        ({"duration": 0}, "no_duration"),
        ({"duration": "-00:10:00"}, "no_duration"),
        ({"duration": 0.5}, "no_duration"),
        ({"duration": "72:00:00"}, "too_far_ahead"),
        ({"start_time": at(72 * 60).isoformat(), "duration": 1}, "too_far_ahead"),
        ({"start_time": "9999-12-31T23:59:59+00:00"}, "too_far_ahead"),
        ({"duration": {"days": 999_999_999}}, "too_far_ahead"),
    ],
)
async def test_times_that_voltus_would_not_take_are_refused(
    harness: Harness, fields: Mapping[str, Any], key: str
) -> None:
    await harness.set_up()
    asked = len(harness.voltus.requests)
    error = await refusal(harness.hass, "create_test_dispatch", **fields)
    assert isinstance(error, ServiceValidationError)
    assert error.translation_key == key
    assert len(harness.voltus.requests) == asked


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("create_test_dispatch", {"start_time": "noon"}),
        ("create_test_dispatch", {"start_time": "0001-01-01T00:00:00+14:00"}),
        ("create_test_dispatch", {"duration": "soon"}),
        ("create_test_dispatch", {"duration": {"days": 10**10}}),
        ("create_test_dispatch", {"program_id": "A Program"}),
        ("run_scenario", {}),
        ("run_scenario", {"scenario": "unheard of"}),
        ("run_scenario", {"scenario": "basic", "commitment": -1}),
        ("get_dispatches", {"status": "asleep"}),
        ("get_log", {"since": at(0).isoformat()}),
    ],
)
async def test_what_makes_no_sense_is_refused(
    harness: Harness, action: str, fields: Mapping[str, Any]
) -> None:
    await harness.set_up()
    with pytest.raises(vol.Invalid):
        await call(harness.hass, action, **fields)


# What Voltus refuses


async def test_voltus_own_words_say_why_it_refuses(harness: Harness) -> None:
    await harness.set_up()
    error = await refusal(harness.hass, "create_test_dispatch", program_id=7)
    assert isinstance(error, ServiceValidationError)
    assert error.translation_key == "action_refused"
    assert "no site is registered in program 7" in str(error)


@pytest.mark.parametrize(
    ("fault", "key"),
    [
        (Faults(status=400), "action_refused"),
        (Faults(status=401), "action_not_allowed"),
        (Faults(status=403), "action_not_allowed"),
        (Faults(status=404), "action_refused"),
        (Faults(status=429), "action_too_soon"),
        (Faults(status=500), "action_unanswered"),
        (Faults(status=403, body="html"), "action_unanswered"),
        (Faults(redirect="http://127.0.0.1:1/"), "action_unanswered"),
        (Faults(cut=True), "action_unanswered"),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("action", "fields"),
    [("create_test_dispatch", {}), ("run_scenario", {"scenario": "basic"})],
)
async def test_a_failure_is_told_and_the_key_is_not(
    harness: Harness, fault: Faults, key: str, action: str, fields: Mapping[str, Any]
) -> None:
    await harness.set_up()
    harness.voltus.faults = fault
    error = await refusal(harness.hass, action, **fields)
    assert error.translation_key == key
    assert str(error)
    assert KEY not in f"{error!r} {error} {error.__cause__!r}"
    assert (await call(harness.hass, "get_log"))["scenarios"] == []


async def test_the_public_key_is_told_to_read_only(harness: Harness) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, data={CONF_URL: harness.url, CONF_API_KEY: "secret"}
    )
    await harness.set_up()
    error = await refusal(harness.hass, "run_scenario", scenario="basic")
    assert error.translation_key == "action_not_allowed"
    assert "only reads" in str(error)


# Scenarios


async def test_a_scenario_answers_with_its_timetable_and_what_passes(
    harness: Harness,
) -> None:
    await harness.set_up()
    choose(harness, lead_time=2, poll_interval=60)
    await harness.settle()
    answer = await call(
        harness.hass,
        "run_scenario",
        scenario="ancillary_services",
        length="00:10:00",
        site_ids=["s1"],
        commitment=250,
    )
    known_by = timedelta(seconds=70)
    assert answer == {
        "scenario": "ancillary_services",
        "posted": NOON.isoformat(),
        "until": (at(10) + known_by).isoformat(),
        "criterion": answer["criterion"],
        "timetable": [
            {
                "at": NOON.isoformat(),
                "until": None,
                "what": "Voltus publishes Dispatch",
            },
            {
                "at": NOON.isoformat(),
                "until": (NOON + known_by).isoformat(),
                "what": "Curtail comes on",
            },
            {
                "at": at(10).isoformat(),
                "until": None,
                "what": "Voltus sends the end of Dispatch",
            },
            {
                "at": at(10).isoformat(),
                "until": (at(10) + known_by).isoformat(),
                "what": "Curtail goes off",
            },
        ],
        "sites": ["s1"],
        "expected": [
            {
                "on_from": NOON.isoformat(),
                "on_by": (NOON + known_by).isoformat(),
                "off_from": at(10).isoformat(),
                "off_by": (at(10) + known_by).isoformat(),
            }
        ],
        "notes": [],
    }
    await harness.poll()
    assert harness.curtails("s1")
    assert not harness.curtails("s2")
    assert harness.state("commitment", "s1").state == "250.0"


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"length": "00:02:59"}, "length_out_of_range"),
        ({"length": 0}, "length_out_of_range"),
        ({"length": "24:00:01"}, "length_out_of_range"),
        ({"gap": "-00:20:00"}, "gap_out_of_range"),
        ({"gap": {"days": 2}}, "gap_out_of_range"),
        ({"site_ids": ["s1", "s9"]}, "unknown_site"),
    ],
)
async def test_a_scenario_that_would_show_nothing_is_refused(
    harness: Harness, fields: Mapping[str, Any], key: str
) -> None:
    await harness.set_up()
    error = await refusal(
        harness.hass, "run_scenario", scenario="two_dispatches", **fields
    )
    assert isinstance(error, ServiceValidationError)
    assert error.translation_key == key


async def test_a_lead_time_that_outruns_the_cancel_is_refused(harness: Harness) -> None:
    await harness.set_up()
    choose(harness, lead_time=10)
    await harness.settle()
    error = await refusal(harness.hass, "run_scenario", scenario="cancelled")
    assert error.translation_key == "curtails_before_cancel"
    assert "lead time of 10 minutes" in str(error)
    assert await call(
        harness.hass, "run_scenario", scenario="cancelled", length="00:40:00"
    )


async def test_an_account_without_sites_has_nothing_to_dispatch(
    harness: Harness,
) -> None:
    harness.voltus.accounts[KEY].sites = []
    await harness.set_up()
    error = await refusal(harness.hass, "run_scenario", scenario="basic")
    assert error.translation_key == "no_sites"


async def test_production_plays_no_scenarios(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "custom_components.voltus.certification.actions.PRODUCTION", harness.url
    )
    await harness.set_up()
    asked = len(harness.voltus.requests)
    error = await refusal(harness.hass, "run_scenario", scenario="clear")
    assert error.translation_key == "scenario_in_production"
    assert len(harness.voltus.requests) == asked


# Dispatches


async def publish_all_kinds(harness: Harness) -> None:
    """Have one dispatch of each status, the ended one for another site."""
    harness.publish(
        wire_dispatch("ended", at(-30), at(-10), {"s2": 5.0}),
        wire_dispatch("cancelled", at(-20), at(20), authorized=False),
        wire_dispatch("active", at(-10), None, test=True),
        wire_dispatch("scheduled", at(30), at(60)),
    )
    await harness.set_up()


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, ["ended", "cancelled", "active", "scheduled"]),
        ({"status": []}, ["ended", "cancelled", "active", "scheduled"]),
        ({"status": "active"}, ["active"]),
        ({"status": ["ended", "cancelled"]}, ["ended", "cancelled"]),
        ({"site_id": "s2"}, ["ended"]),
        ({"start": at(-10).isoformat()}, ["ended", "cancelled", "active", "scheduled"]),
        ({"start": at(0).isoformat()}, ["cancelled", "active", "scheduled"]),
        ({"end": at(30).isoformat()}, ["ended", "cancelled", "active"]),
        (
            {"start": at(25).isoformat(), "end": at(31).isoformat()},
            ["active", "scheduled"],
        ),
    ],
)
async def test_dispatches_can_be_asked_for_by_status_site_and_time(
    harness: Harness, fields: Mapping[str, Any], found: list[str]
) -> None:
    await publish_all_kinds(harness)
    assert ids(await call(harness.hass, "get_dispatches", **fields)) == found


async def test_all_that_voltus_says_is_answered_and_what_it_means_here(
    harness: Harness,
) -> None:
    await publish_all_kinds(harness)
    by_id = {
        each["id"]: each
        for each in (await call(harness.hass, "get_dispatches"))["dispatches"]
    }
    assert {name: each["status"] for name, each in by_id.items()} == {
        name: name for name in by_id
    }
    assert {name for name, each in by_id.items() if each["test"]} == {"active"}
    assert {name for name, each in by_id.items() if each["actionable"]} == {
        "ended",
        "cancelled",
        "scheduled",
    }
    wire = wire_dispatch("scheduled", at(30), at(60))
    assert by_id["scheduled"] == wire | {
        "start_time": at(30).isoformat(),
        "end_time": at(60).isoformat(),
        "creation_time": at(-240).isoformat(),
        "metadata": None,
        "status": "scheduled",
        "actionable": True,
        "withdrawn": False,
        "drill": False,
        "received": NOON.isoformat(),
        "sites": [
            {
                "id": "s1",
                "name": "Site s1",
                "customer_location_id": "",
                "commitment": 100.0,
                "curtail": False,
            }
        ],
    }
    await harness.move_to(at(30))
    later = await call(harness.hass, "get_dispatches", status="active", site_id="s1")
    assert [each["sites"][0]["curtail"] for each in later["dispatches"]] == [True] * 2


async def test_a_dispatch_that_left_the_list_long_ago_is_still_answered(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(-30), at(-10)))
    await harness.set_up()
    harness.publish()
    await harness.move_to(at(1))
    later = NOON + timedelta(days=4)
    harness.publish(wire_dispatch("d2", later, later + timedelta(hours=1)))
    await harness.move_to(later)
    assert list(harness.entry.runtime_data.data.snapshot.dispatches) == ["d2"]
    assert ids(await call(harness.hass, "get_dispatches")) == ["d1", "d2"]


async def test_a_site_that_only_past_dispatches_name_can_be_asked_for(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(-30), at(-10), {"s9": 1.0}))
    await harness.set_up()
    assert "s9" not in harness.entry.runtime_data.all_sites
    assert ids(await call(harness.hass, "get_dispatches", site_id="s9")) == ["d1"]


async def test_a_site_that_is_not_there_is_named(harness: Harness) -> None:
    await harness.set_up()
    error = await refusal(harness.hass, "get_dispatches", site_id="s9")
    assert error.translation_key == "unknown_site"
    assert "s9" in str(error)
    assert "s1, s2" in str(error)


# The log


async def live_through_two(harness: Harness) -> None:
    """Live through a dispatch of both sites, and another one of the second."""
    harness.publish(wire_dispatch("d1", at(1), at(5), {"s1": 1.0, "s2": 1.0}))
    await harness.set_up()
    await harness.move_to(at(1))
    harness.publish(
        wire_dispatch("d1", at(1), at(5), {"s1": 1.0, "s2": 1.0}),
        wire_dispatch("d2", at(4), at(8), {"s2": 1.0}),
    )
    for minute in (2, 4, 5, 8):
        await harness.move_to(at(minute))


async def test_the_log_has_every_change_with_its_moments_and_delays(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(1), at(5)))
    await harness.set_up()
    await harness.move_to(at(1) + timedelta(seconds=3))
    changes = (await call(harness.hass, "get_log"))["changes"]
    assert [row["type"] for row in changes] == ["created", "started"]
    started = changes[1]
    assert started == {
        "announced": (at(1) + timedelta(seconds=3)).isoformat(),
        "received": NOON.isoformat(),
        "moment": at(1).isoformat(),
        "type": "started",
        "change_id": harness.told[1].data["change_id"],
        "dispatch_id": "d1",
        "status": "active",
        "test": False,
        "drill": False,
        "actionable": True,
        "source": "clock",
        "start_time": at(1).isoformat(),
        "end_time": at(5).isoformat(),
        "late_seconds": 3.0,
        "delay_seconds": 3.0,
    }


async def test_the_log_has_when_each_site_curtailed_and_for_what(
    harness: Harness,
) -> None:
    await live_through_two(harness)
    log = await call(harness.hass, "get_log")
    assert log["curtailments"] == [
        {
            "site_id": site_id,
            "on": at(1).isoformat(),
            "off": at(off).isoformat(),
            "dispatch_ids": dispatch_ids,
        }
        for site_id, off, dispatch_ids in (("s1", 5, ["d1"]), ("s2", 8, ["d1", "d2"]))
    ]
    assert log["scenarios"] == []


async def test_what_curtails_still_has_no_end_in_the_log(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(-1), None))
    await harness.set_up()
    (row,) = (await call(harness.hass, "get_log"))["curtailments"]
    assert (row["on"], row["off"]) == (NOON.isoformat(), None)


@pytest.mark.parametrize(
    ("fields", "changes", "sites"),
    [
        ({"dispatch_id": "d1"}, ["created", "started", "ended"], ["s1", "s2"]),
        ({"dispatch_id": "d2"}, ["created", "started", "ended"], ["s2"]),
        ({"dispatch_id": "d9"}, [], []),
        ({"end": at(1).isoformat()}, ["created"], []),
        ({"start": at(8).isoformat()}, ["ended"], ["s2"]),
        ({"start": at(9).isoformat()}, [], []),
    ],
)
async def test_the_log_can_be_asked_for_a_dispatch_or_a_period(
    harness: Harness, fields: Mapping[str, Any], changes: list[str], sites: list[str]
) -> None:
    await live_through_two(harness)
    log = await call(harness.hass, "get_log", **fields)
    assert [row["type"] for row in log["changes"]] == changes
    assert [row["site_id"] for row in log["curtailments"]] == sites


async def test_scenarios_are_in_the_log_by_the_time_they_took(harness: Harness) -> None:
    await harness.set_up()
    answer = await call(harness.hass, "run_scenario", scenario="basic")
    over = datetime.fromisoformat(answer["until"])

    async def between(start: datetime, end: datetime) -> list[str]:
        log = await call(
            harness.hass, "get_log", start=start.isoformat(), end=end.isoformat()
        )
        return [each["scenario"] for each in log["scenarios"]]

    assert await between(at(-1), at(1)) == ["basic"]
    assert await between(over, at(60)) == ["basic"]
    assert await between(over + timedelta(seconds=1), at(60)) == []
    assert await between(at(-60), NOON) == []


async def test_the_actions_are_there_before_any_account(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    error = await refusal(hass, "get_log")
    assert error.translation_key == "service_found_no_config_entry_for_domain"


def shape(value: object) -> object:
    """Return the names that an answer has, level by level; lists by their first item."""
    if isinstance(value, Mapping):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return None


async def acknowledged(harness: Harness) -> Mapping[str, Any]:
    """Acknowledge the test dispatch, which has to be acted on for that."""
    choose(harness, act_on_test_dispatches=True)
    await harness.settle()
    return await call(harness.hass, "acknowledge")


RECORD = {
    "dispatch": {
        "id": "ynzf",
        "test": False,
        "start_time": at(0).isoformat(),
        "program": {"name": "CAISO Operating Reserves"},
        "sites": [{"id": "kd1k", "name": "Riverside Cold Storage"}],
    },
    "status": "ended",
    "drill": False,
    "curtailments": [{"site_id": "kd1k"}],
    "sites": [
        {
            "site_id": "kd1k",
            "result": {
                "reduction": 112.4,
                "performance": 102.2,
                "energy": 618.2,
                "minutes_to_full_drop": 3.7,
            },
        }
    ],
}


async def test_the_answers_are_as_the_documentation_shows_them(
    pushed: Pushed,
) -> None:
    harness = pushed.harness
    await harness.set_up()
    harness.hass.states.async_set(PUMP, "on")
    ran = await call(harness.hass, "run_scenario", scenario="ancillary_services")
    for minute in (0.5, 20, 20.5, 21):
        await harness.move_to(at(minute))

    def loads(answer: Any) -> Any:
        return {"loads": {"switch.pump": answer["loads"][PUMP]}}

    def one_meter_in_two_rows(answer: Any) -> Any:
        (meter,) = answer["sites"][0]["meters"]
        rows = [meter["rows"][0], {**meter["rows"][1], "kw": None}]
        site = {**answer["sites"][0], "meters": [{**meter, "rows": rows}]}
        return {**answer, "sites": [site]}

    created = await call(harness.hass, "create_test_dispatch")
    answers = [
        created,
        ran,
        await call(harness.hass, "test_push"),
        await call(harness.hass, "get_dispatches", status="ended"),
        await call(harness.hass, "get_log", end=at(20.75).isoformat()),
        await call(
            harness.hass,
            "get_report",
            dispatch_id=created["dispatch_id"],
            format="html",
        ),
        {"estimated": True, "sites": season([RECORD], rate_per_kwh=1.5)},
        one_meter_in_two_rows(await load(harness)),
        await call(harness.hass, "start_drill"),
        await call(harness.hass, "stop_drill"),
        await acknowledged(harness),
        await call(harness.hass, "opt_out", dispatch_id=created["dispatch_id"]),
        loads(await call(harness.hass, "shed", scope="pump", entity_id=[PUMP])),
        loads(await call(harness.hass, "restore", scope="pump")),
    ]
    page = DOCUMENTATION.read_text(encoding="utf-8")
    shown = [json.loads(block) for block in JSON.findall(page)]
    assert [*map(shape, shown)] == [*map(shape, answers)]


async def test_the_load_that_voltus_has_is_shown(harness: Harness) -> None:
    await harness.set_up()
    answer = await load(harness)
    (site,) = answer["sites"]
    assert (answer["interval"], site["site_id"]) == (900, "s1")
    (meter,) = site["meters"]
    ends = [row["end"] for row in meter["rows"]]
    assert len(ends) == 96
    assert ends[-1] == NOON.isoformat()
    assert all(row["kw"] > 0 for row in meter["rows"])
    hour = await call(
        harness.hass,
        "get_telemetry",
        start=at(-120).isoformat(),
        end=at(-60).isoformat(),
    )
    assert [each["site_id"] for each in hour["sites"]] == ["s1", "s2"]
    assert len(hour["sites"][0]["meters"][0]["rows"]) == 12


@pytest.mark.parametrize(
    ("faults", "fields", "key"),
    [
        (Faults(), {"site_ids": "none"}, "unknown_site"),
        (Faults(), {"start": at(-(10**6)).isoformat()}, "action_refused"),
        (Faults(status=500), {}, "cannot_connect"),
        (Faults(body="wrong_shape"), {}, "cannot_connect"),
        (Faults(status=429), {}, "action_too_soon"),
    ],
)
async def test_why_there_is_no_load_is_said(
    harness: Harness, faults: Faults, fields: dict[str, Any], key: str
) -> None:
    await harness.set_up()
    harness.voltus.faults = faults
    fields = {"end": NOON.isoformat(), **fields}
    error = await refusal(harness.hass, "get_telemetry", **fields)
    assert error.translation_key == key
