"""What the operator chooses, and how it takes effect."""

from datetime import timedelta
from typing import Any

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.data_entry_flow import FlowResultType, InvalidData
import pytest

from custom_components.voltus.account.options import (
    CONF_ACT_ON_TEST_DISPATCHES,
    CONF_IGNORED_SITES,
    CONF_LEAD_TIME,
    CONF_OFFLINE_HOLD,
    CONF_POLL_INTERVAL,
    CONF_PUSH,
    CONF_PUSH_URL,
    DEFAULTS,
    policy,
    poll_interval,
    push_is_on,
    push_url,
)
from custom_components.voltus.aiovoltus.schedule import Policy
from sandbox.faults import Faults
from tests.builders import at, wire_dispatch

from .harness import Harness


async def open_form(harness: Harness) -> ConfigFlowResult:
    """Press the cogwheel."""
    form = await harness.hass.config_entries.options.async_init(harness.entry.entry_id)
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "init"
    return form


async def choose(harness: Harness, **changes: Any) -> None:
    """Open the form, change something in it, and submit it."""
    form = await open_form(harness)
    result = await harness.hass.config_entries.options.async_configure(
        form["flow_id"], {**shown(form), **changes}
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await harness.settle()


def shown(form: ConfigFlowResult) -> dict[str, Any]:
    """Return what the fields of a form hold when it is opened."""
    schema = form["data_schema"]
    assert schema
    return {
        str(marker): marker.description["suggested_value"] for marker in schema.schema
    }


def site_choices(form: ConfigFlowResult) -> list[dict[str, str]]:
    """Return the sites that can be chosen to be ignored."""
    schema = form["data_schema"]
    assert schema
    selector = schema.schema[CONF_IGNORED_SITES]
    choices: list[dict[str, str]] = selector.config["options"]
    return choices


def test_without_any_choice_the_defaults_hold() -> None:
    assert poll_interval({}) == timedelta(seconds=30)
    assert policy({}) == Policy()
    assert push_is_on({})
    assert push_url({}) == ""


def test_every_choice_reaches_the_rules() -> None:
    chosen = {
        CONF_LEAD_TIME: 15,
        CONF_ACT_ON_TEST_DISPATCHES: True,
        CONF_OFFLINE_HOLD: 2,
        CONF_POLL_INTERVAL: 10,
        CONF_IGNORED_SITES: ["s1"],
        CONF_PUSH: False,
        CONF_PUSH_URL: "https://home.example.com",
    }
    assert chosen.keys() == DEFAULTS.keys()
    assert poll_interval(chosen) == timedelta(seconds=10)
    assert not push_is_on(chosen)
    assert push_url(chosen) == "https://home.example.com"
    assert policy(chosen) == Policy(
        lead_time=timedelta(minutes=15),
        act_on_test_dispatches=True,
        offline_hold=timedelta(hours=2),
        ignored_sites=frozenset({"s1"}),
    )


async def test_the_form_opens_with_what_is_in_force(harness: Harness) -> None:
    await harness.set_up()
    assert shown(await open_form(harness)) == DEFAULTS
    await choose(harness, **{CONF_LEAD_TIME: 5})
    assert shown(await open_form(harness)) == {**DEFAULTS, CONF_LEAD_TIME: 5}


async def test_numbers_are_kept_whole(harness: Harness) -> None:
    await harness.set_up()
    await choose(
        harness,
        **{CONF_LEAD_TIME: 5.0, CONF_OFFLINE_HOLD: 2.0, CONF_POLL_INTERVAL: 10.0},
    )
    for key in (CONF_LEAD_TIME, CONF_OFFLINE_HOLD, CONF_POLL_INTERVAL):
        assert type(harness.entry.options[key]) is int


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (CONF_LEAD_TIME, -1),
        (CONF_LEAD_TIME, 121),
        (CONF_OFFLINE_HOLD, 0),
        (CONF_OFFLINE_HOLD, 25),
        (CONF_POLL_INTERVAL, 4),
        (CONF_POLL_INTERVAL, 61),
        (CONF_IGNORED_SITES, ["no such site"]),
    ],
)
async def test_what_is_out_of_range_is_refused_and_can_be_corrected(
    harness: Harness, key: str, value: object
) -> None:
    await harness.set_up()
    form = await open_form(harness)
    with pytest.raises(InvalidData):
        await harness.hass.config_entries.options.async_configure(
            form["flow_id"], {**DEFAULTS, key: value}
        )
    result = await harness.hass.config_entries.options.async_configure(
        form["flow_id"], dict(DEFAULTS)
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_sites_are_chosen_by_name_and_id(harness: Harness) -> None:
    await harness.set_up()
    assert site_choices(await open_form(harness)) == [
        {"value": "s1", "label": "Site s1 (s1)"},
        {"value": "s2", "label": "Site s2 (s2)"},
    ]
    await choose(harness, **{CONF_IGNORED_SITES: ["s2"]})
    assert {"value": "s2", "label": "Site s2 (s2)"} in site_choices(
        await open_form(harness)
    )


async def test_an_ignored_site_that_is_gone_can_still_be_taken_off_the_list(
    harness: Harness,
) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={CONF_IGNORED_SITES: ["gone"]}
    )
    await harness.set_up()
    assert {"value": "gone", "label": "gone"} in site_choices(await open_form(harness))
    await choose(harness, **{CONF_IGNORED_SITES: []})
    assert harness.entry.options[CONF_IGNORED_SITES] == []


async def test_options_can_be_changed_while_the_account_is_not_loaded(
    harness: Harness,
) -> None:
    await harness.set_up()
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={CONF_IGNORED_SITES: ["s1"]}
    )
    await harness.hass.config_entries.async_unload(harness.entry.entry_id)
    assert site_choices(await open_form(harness)) == [{"value": "s1", "label": "s1"}]
    await choose(harness, **{CONF_LEAD_TIME: 5})
    assert harness.entry.options[CONF_LEAD_TIME] == 5


async def test_a_lead_time_acts_at_once_and_can_be_taken_back(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(20)))
    await harness.set_up()
    coordinator = harness.entry.runtime_data
    harness.written.clear()

    await choose(harness, **{CONF_LEAD_TIME: 15})
    assert harness.curtails("s1")
    assert harness.state("phase", "s1").state == "preparing"
    await choose(harness, **{CONF_LEAD_TIME: 0})
    assert not harness.curtails("s1")

    assert harness.written_states("curtail", "s1") == ["on", "off"]
    assert harness.entry.runtime_data is coordinator
    assert harness.entry.state is ConfigEntryState.LOADED


async def test_acting_on_tests_takes_effect_in_the_middle_of_one(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch(test=True))
    await harness.set_up()
    assert not harness.curtails("s1")
    await choose(harness, **{CONF_ACT_ON_TEST_DISPATCHES: True})
    assert harness.curtails("s1")
    assert harness.written_states("curtail", "s1") == ["off", "on"]


async def test_a_shorter_hold_lets_an_open_end_go_sooner(harness: Harness) -> None:
    harness.publish(wire_dispatch(end=None))
    await harness.set_up()
    await choose(harness, **{CONF_OFFLINE_HOLD: 1})
    harness.voltus.faults = Faults(status=500)
    await harness.move_to(at(60) - timedelta(seconds=1))
    assert harness.curtails("s1")
    await harness.move_to(at(60))
    assert not harness.curtails("s1")


async def test_a_shorter_poll_interval_counts_from_now_on(harness: Harness) -> None:
    await harness.set_up()
    await choose(harness, **{CONF_POLL_INTERVAL: 5})
    asked = len(harness.voltus.requests)
    await harness.move_to(at(0) + timedelta(seconds=6))
    assert len(harness.voltus.requests) == asked + 1
