"""Which automations run when something is told, for whom, and what they get to know."""

from collections.abc import Callable
from typing import Any

from homeassistant.components.automation.config import (
    AutomationConfig,
    ValidationStatus,
    async_validate_config_item,
)
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import Context, Event, callback
from homeassistant.helpers import area_registry as ar
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import floor_registry as fr
from homeassistant.helpers import label_registry as lr
from homeassistant.helpers.trigger import async_initialize_triggers
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import parse_yaml
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)
from pytest_homeassistant_custom_component.typing import WebSocketGenerator
import voluptuous as vol

from custom_components.voltus.account.devices import device_id
from custom_components.voltus.const import DOMAIN
from custom_components.voltus.trigger import CONF_ACTIONABLE_ONLY, LISTENS_TO
from sandbox.api import Account
from sandbox.faults import Faults
from tests.builders import at, wire_dispatch
from tests.test_readme import NAME, ROOT, code, named, rows

from .harness import KEY, Harness

PAGE = ROOT / "docs" / "triggers.md"
TURNS = ("curtailment_started", "curtailment_ended")
HEARD = "heard"
HEAD = {"trigger", "variable", "---"}
HOME_ASSISTANTS_OWN = {"id", "idx", "alias", "platform"}

type Firing = tuple[str, list[str]]
"""A trigger, and the ids of the sites that it told of."""


class Automations:
    """Automations that note what their triggers tell them."""

    def __init__(self, harness: Harness) -> None:
        """Have none yet."""
        self._hass = harness.hass
        self.heard: list[Event[dict[str, Any]]] = async_capture_events(
            harness.hass, HEARD
        )

    async def add(self, *keys: str, target: dict[str, Any], **options: bool) -> None:
        """Set up an automation with these triggers, all with the same target."""
        triggers = [
            {"trigger": f"{DOMAIN}.{key}", "target": target, "options": options}
            for key in keys
        ]
        automation = {
            "alias": "Note",
            "mode": "queued",
            "triggers": triggers,
            "actions": {"event": HEARD, "event_data": {"trigger": "{{ trigger }}"}},
        }
        assert await async_setup_component(
            self._hass, "automation", {"automation": automation}
        )
        state = self._hass.states.get("automation.note")
        assert state
        assert state.state == "on"
        await self._hass.async_block_till_done()

    @property
    def variables(self) -> list[dict[str, Any]]:
        """The variable `trigger` of every run, as a template sees it."""
        return [event.data["trigger"] for event in self.heard]

    @property
    def firings(self) -> list[Firing]:
        """Which triggers fired, and for which sites."""
        return [
            (
                variables["platform"].removeprefix(f"{DOMAIN}."),
                [site["id"] for site in variables["sites"]],
            )
            for variables in self.variables
        ]


@pytest.fixture
def automations(harness: Harness) -> Automations:
    """No automation yet."""
    return Automations(harness)


def on_floor(harness: Harness, *sites: str | None) -> str:
    """Put the devices of these sites into an area on a floor."""
    floor = fr.async_get(harness.hass).async_create("Ground")
    areas = ar.async_get(harness.hass)
    areas.async_update(harness.in_area(*sites), floor_id=floor.floor_id)
    return floor.floor_id


def labelled(harness: Harness, *sites: str | None) -> str:
    """Give the devices of these sites a label."""
    label = lr.async_get(harness.hass).async_create("Sheds")
    for site in sites:
        dr.async_get(harness.hass).async_update_device(
            harness.device(site), labels={label.label_id}
        )
    return label.label_id


TARGETS: dict[str, Callable[[Harness], dict[str, Any]]] = {
    "a device": lambda harness: {"device_id": harness.device("s1")},
    "the account": lambda harness: {"device_id": harness.device()},
    "both": lambda harness: {"device_id": [harness.device(), harness.device("s1")]},
    "an area": lambda harness: {"area_id": harness.in_area("s1")},
    "an area with all": lambda harness: {"area_id": harness.in_area("s1", "s2", None)},
    "a floor": lambda harness: {"floor_id": on_floor(harness, "s1", None)},
    "a label": lambda harness: {"label_id": labelled(harness, "s1")},
    "curtail": lambda harness: {"entity_id": harness.entity_id("curtail", "s1")},
    "another entity": lambda harness: {"entity_id": harness.entity_id("phase", "s1")},
    "connection": lambda harness: {"entity_id": harness.entity_id("connection")},
}

whatever_the_target = pytest.mark.parametrize(
    "target", TARGETS.values(), ids=TARGETS.keys()
)


@whatever_the_target
async def test_a_curtailment_starts_once_and_ends_once(
    harness: Harness,
    automations: Automations,
    target: Callable[[Harness], dict[str, Any]],
) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(60)))
    await harness.set_up()
    await automations.add(*TURNS, target=target(harness))
    for minutes in (10, 11, 60, 61):
        await harness.move_to(at(minutes))
    assert automations.firings == [(turn, ["s1"]) for turn in TURNS]


@whatever_the_target
async def test_a_dispatch_is_told_once_with_each_change(
    harness: Harness,
    automations: Automations,
    target: Callable[[Harness], dict[str, Any]],
) -> None:
    dispatch = wire_dispatch("d1", at(10), at(60))
    await harness.set_up()
    await automations.add(*LISTENS_TO, target=target(harness))
    for version in (
        dispatch,
        wire_dispatch("d1", at(20), at(60)),
        dispatch | {"authorized": False},
    ):
        harness.publish(version)
        await harness.poll()
    assert automations.firings == [
        ("dispatch_announced", ["s1"]),
        ("dispatch_updated", ["s1"]),
        ("dispatch_cancelled", ["s1"]),
    ]


async def test_who_is_not_meant_hears_nothing(
    harness: Harness, automations: Automations
) -> None:
    await harness.set_up()
    await automations.add(*LISTENS_TO, target={"device_id": harness.device("s2")})
    harness.publish(wire_dispatch("d1", at(10), at(60)))
    await harness.poll()
    await harness.move_to(at(10))
    await harness.move_to(at(60))
    assert [kind for _, kind in harness.stories] == ["created", "started", "ended"]
    assert automations.firings == []


async def test_sites_that_turn_together_are_told_together(
    harness: Harness, automations: Automations
) -> None:
    amounts = {"s1": 100.0, "s2": 50.0, "s3": 25.0}
    harness.publish(wire_dispatch("d1", at(10), at(60), amounts))
    await harness.set_up()
    sites = [harness.device("s1"), harness.device("s2")]
    await automations.add(*TURNS, target={"device_id": sites})
    await harness.move_to(at(10))
    await harness.move_to(at(60))
    assert automations.firings == [(turn, ["s1", "s2"]) for turn in TURNS]
    assert [each["commitment"] for each in automations.variables] == [150.0, 0.0]


async def test_the_account_turns_with_its_first_site_and_with_its_last(
    harness: Harness, automations: Automations
) -> None:
    harness.publish(
        wire_dispatch("d1", at(10), at(40), {"s1": 1.0}),
        wire_dispatch("d2", at(20), at(60), {"s2": 1.0}),
    )
    await harness.set_up()
    await automations.add(*TURNS, target={"device_id": harness.device()})
    for minutes in (10, 20, 40, 60):
        await harness.move_to(at(minutes))
    assert automations.firings == [
        ("curtailment_started", ["s1"]),
        ("curtailment_ended", ["s2"]),
    ]


async def test_the_account_does_not_turn_when_one_site_follows_another(
    harness: Harness, automations: Automations
) -> None:
    harness.publish(
        wire_dispatch("d1", at(10), at(40), {"s1": 1.0}),
        wire_dispatch("d2", at(40), at(60), {"s2": 1.0}),
    )
    await harness.set_up()
    await automations.add(*TURNS, target={"device_id": harness.device()})
    for minutes in (10, 40, 60):
        await harness.move_to(at(minutes))
    assert automations.firings == [
        ("curtailment_started", ["s1"]),
        ("curtailment_ended", ["s2"]),
    ]


async def test_an_area_with_account_and_sites_hears_of_each_site_once(
    harness: Harness, automations: Automations
) -> None:
    harness.publish(
        wire_dispatch("d1", at(10), at(40), {"s1": 1.0}),
        wire_dispatch("d2", at(20), at(60), {"s2": 1.0}),
    )
    await harness.set_up()
    area = harness.in_area(None, "s1", "s2")
    await automations.add(*TURNS, target={"area_id": area})
    for minutes in (10, 20, 40, 60):
        await harness.move_to(at(minutes))
    assert automations.firings == [
        ("curtailment_started", ["s1"]),
        ("curtailment_started", ["s2"]),
        ("curtailment_ended", ["s1"]),
        ("curtailment_ended", ["s2"]),
    ]


async def test_nothing_ends_while_another_dispatch_is_on(
    harness: Harness, automations: Automations
) -> None:
    harness.publish(
        wire_dispatch("d1", at(10), at(30)),
        wire_dispatch("d2", at(20), at(50)),
        wire_dispatch("d3", at(50), at(60)),
    )
    await harness.set_up()
    await automations.add(*TURNS, target={"device_id": harness.device("s1")})
    for minutes in (10, 20, 30, 50):
        await harness.move_to(at(minutes))
    assert automations.firings == [("curtailment_started", ["s1"])]
    await harness.move_to(at(60))
    assert automations.firings[1:] == [("curtailment_ended", ["s1"])]


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
async def test_a_start_while_home_assistant_was_down_is_told_once_it_has_started(
    harness: Harness, automations: Automations, killed: bool
) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(60)))
    await harness.set_up()
    await automations.add(*TURNS, target={"device_id": harness.device("s1")})
    harness.freezer.move_to(at(20))
    await harness.restart(harness.disk() if killed else None, started=False)
    await harness.settle()
    assert harness.curtails("s1")
    assert automations.firings == []
    await harness.finish_start()
    assert automations.firings == [("curtailment_started", ["s1"])]
    await harness.restart()
    assert len(automations.firings) == 1


async def test_an_end_while_home_assistant_was_down_is_told_even_without_the_api(
    harness: Harness, automations: Automations
) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    await harness.set_up()
    await automations.add(*TURNS, target={"device_id": harness.device("s1")})
    harness.freezer.move_to(at(70))
    harness.voltus.faults = Faults(status=500)
    await harness.restart()
    assert automations.firings == [("curtailment_ended", ["s1"])]


async def test_neither_a_reload_nor_entities_that_come_and_go_tell_anything(
    harness: Harness, automations: Automations
) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    await harness.set_up()
    target = {"device_id": [harness.device(), harness.device("s1")]}
    await automations.add(*LISTENS_TO, target=target)
    entries = harness.hass.config_entries
    await entries.async_reload(harness.entry.entry_id)
    await harness.settle()

    registry = er.async_get(harness.hass)
    curtail = harness.entity_id("curtail", "s1")
    registry.async_update_entity(curtail, disabled_by=er.RegistryEntryDisabler.USER)
    await harness.settle()
    assert harness.hass.states.get(curtail) is None
    registry.async_update_entity(curtail, disabled_by=None)
    await entries.async_reload(harness.entry.entry_id)
    await harness.settle()
    assert harness.curtails("s1")
    assert automations.firings == []

    await harness.move_to(at(60))
    assert automations.firings == [("curtailment_ended", ["s1"])]


async def test_it_needs_no_entity(harness: Harness, automations: Automations) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(60)))
    await harness.set_up()
    await automations.add(*TURNS, target={"device_id": harness.device("s1")})
    for entity in harness.entities():
        er.async_get(harness.hass).async_update_entity(
            entity.entity_id, disabled_by=er.RegistryEntryDisabler.USER
        )
    await harness.hass.config_entries.async_reload(harness.entry.entry_id)
    await harness.settle()
    await harness.move_to(at(10))
    assert automations.firings == [("curtailment_started", ["s1"])]


@pytest.mark.parametrize(
    ("dispatch", "before", "after"),
    [
        (wire_dispatch("d1", at(10), at(60)), {}, {"lead_time": 15}),
        (
            wire_dispatch("d1", at(-10), at(60), test=True),
            {},
            {"act_on_test_dispatches": True},
        ),
        (wire_dispatch("d1", at(-10), at(60)), {"ignored_sites": ["s1"]}, {}),
    ],
    ids=["lead time", "tests", "ignored"],
)
async def test_options_start_and_end_a_curtailment(
    harness: Harness,
    automations: Automations,
    dispatch: dict[str, Any],
    before: dict[str, Any],
    after: dict[str, Any],
) -> None:
    harness.publish(dispatch)
    harness.hass.config_entries.async_update_entry(harness.entry, options=before)
    await harness.set_up()
    await automations.add(*TURNS, target={"device_id": harness.device()})
    for options in (after, before):
        harness.hass.config_entries.async_update_entry(harness.entry, options=options)
        await harness.settle()
    assert automations.firings == [(turn, ["s1"]) for turn in TURNS]


async def test_an_ignored_site_is_not_told_to_start(
    harness: Harness, automations: Automations
) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(60), {"s1": 1.0, "s2": 1.0}))
    await harness.set_up()
    sites = [harness.device(), harness.device("s1"), harness.device("s2")]
    await automations.add(*TURNS, target={"device_id": sites})
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"ignored_sites": ["s2"]}
    )
    await harness.settle()
    await harness.move_to(at(10))
    assert automations.firings == [("curtailment_started", ["s1"])]


async def test_a_site_ignored_in_mid_curtailment_is_told_its_end_before_it_goes(
    harness: Harness, automations: Automations
) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    await harness.set_up()
    await automations.add(*TURNS, target={"device_id": harness.device("s1")})
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"ignored_sites": ["s1"]}
    )
    await harness.settle()
    assert automations.firings == [("curtailment_ended", ["s1"])]
    assert device_id(harness.hass, harness.entry.entry_id, "s1") is None


async def test_another_account_with_the_same_sites_is_another_one(
    harness: Harness, automations: Automations
) -> None:
    await harness.set_up()
    await automations.add(*LISTENS_TO, target={"device_id": harness.device("s1")})
    harness.voltus.accounts["other"] = Account(sites=harness.voltus.accounts[KEY].sites)
    other = MockConfigEntry(
        domain=DOMAIN,
        entry_id="other",
        data={CONF_URL: harness.url, CONF_API_KEY: "other"},
    )
    other.add_to_hass(harness.hass)
    harness.publish(wire_dispatch("d1", at(-10), at(60)), key="other")
    await harness.hass.config_entries.async_setup("other")
    await harness.settle()
    assert ("d1", "started") in harness.stories
    assert automations.firings == []


async def test_a_target_is_looked_up_when_something_is_told(
    harness: Harness, automations: Automations
) -> None:
    await harness.set_up()
    area = ar.async_get(harness.hass).async_create("Yard")
    await automations.add(*LISTENS_TO, target={"area_id": area.id})
    harness.publish(wire_dispatch("d1", at(10), at(60)))
    await harness.poll()
    assert automations.firings == []
    harness.in_area("s1")
    await harness.move_to(at(10))
    assert automations.firings == [("curtailment_started", ["s1"])]


async def test_what_others_attach_to_a_site_does_not_stand_for_it(
    harness: Harness, automations: Automations
) -> None:
    await harness.set_up()
    meter = er.async_get(harness.hass).async_get_or_create(
        "sensor", "utility_meter", "meter", device_id=harness.device("s1")
    )
    await automations.add(*LISTENS_TO, target={"entity_id": meter.entity_id})
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    await harness.poll()
    assert harness.curtails("s1")
    assert automations.firings == []


@pytest.mark.parametrize(
    "exclude",
    [
        lambda harness: {"device_id": [harness.device("s1")]},
        lambda harness: {"entity_id": [harness.entity_id("curtail", "s1")]},
    ],
    ids=["its device", "its entity"],
)
async def test_a_site_can_be_excluded(
    harness: Harness, exclude: Callable[[Harness], dict[str, Any]]
) -> None:
    """Home Assistant takes such a target from 2026.11 on; the trigger, from ever."""
    harness.publish(wire_dispatch("d1", at(10), at(60), {"s1": 1.0, "s2": 1.0}))
    await harness.set_up()
    target = {"area_id": [harness.in_area("s1", "s2")], "exclude": exclude(harness)}
    heard: list[dict[str, Any]] = []

    @callback
    def hear(variables: dict[str, Any], _context: Context | None = None) -> None:
        heard.append(variables["trigger"])

    detach = await async_initialize_triggers(
        harness.hass,
        [{"platform": "voltus.curtailment_started", "target": target, "options": {}}],
        hear,
        DOMAIN,
        "excluding",
        lambda *_: None,
    )
    assert detach
    await harness.move_to(at(10))
    detach()
    assert [[site["id"] for site in told["sites"]] for told in heard] == [["s2"]]


async def test_a_site_taken_off_a_dispatch_hears_of_that(
    harness: Harness, automations: Automations
) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(60), {"s1": 1.0, "s2": 1.0}))
    await harness.set_up()
    await automations.add(
        "dispatch_updated", target={"device_id": harness.device("s2")}
    )
    harness.publish(wire_dispatch("d1", at(10), at(60), {"s1": 1.0}))
    await harness.poll()
    harness.publish(wire_dispatch("d1", at(20), at(60), {"s1": 1.0}))
    await harness.poll()
    assert automations.firings == [("dispatch_updated", ["s1"])]
    assert automations.variables[0]["changes"]["sites"]["removed"] == ["s2"]


@pytest.mark.parametrize(
    ("options", "heard"), [({}, []), ({"actionable_only": False}, ["s1"])]
)
async def test_a_dispatch_that_asks_for_nothing_is_told_where_that_is_wanted(
    harness: Harness,
    automations: Automations,
    options: dict[str, bool],
    heard: list[str],
) -> None:
    await harness.set_up()
    target = {"device_id": harness.device("s1")}
    await automations.add("dispatch_announced", target=target, **options)
    harness.publish(wire_dispatch("d1", at(10), at(60), test=True))
    await harness.poll()
    assert automations.firings == ([("dispatch_announced", heard)] if heard else [])


async def test_what_a_turn_tells(harness: Harness, automations: Automations) -> None:
    harness.publish(
        wire_dispatch("d1", at(10), at(60), {"s1": 100.0, "s2": 50.0}),
        wire_dispatch("d2", at(10), at(90), {"s2": 25.0}),
    )
    await harness.set_up()
    await automations.add("curtailment_started", target={"device_id": harness.device()})
    await harness.move_to(at(10))
    assert automations.variables == [
        {
            "id": "0",
            "idx": "0",
            "alias": None,
            "platform": "voltus.curtailment_started",
            "description": "curtailment started at Site s1, Site s2",
            "entry_id": "account",
            "commitment": 150.0,
            "curtailment_end": at(90).isoformat(),
            "sites": [
                {
                    "id": "s1",
                    "name": "Site s1",
                    "device_id": harness.device("s1"),
                    "commitment": 100.0,
                    "curtailment_end": at(60).isoformat(),
                    "dispatch_ids": ["d1"],
                    "test": False,
                    "drill": False,
                },
                {
                    "id": "s2",
                    "name": "Site s2",
                    "device_id": harness.device("s2"),
                    "commitment": 50.0,
                    "curtailment_end": at(90).isoformat(),
                    "dispatch_ids": ["d1", "d2"],
                    "test": False,
                    "drill": False,
                },
            ],
        }
    ]


async def test_what_is_not_stated_is_none(
    harness: Harness, automations: Automations
) -> None:
    harness.publish(
        wire_dispatch("d1", at(10), at(60), {"s1": 100.0}),
        wire_dispatch("d2", at(10), None, {"s2": None}),
    )
    await harness.set_up()
    await automations.add("curtailment_started", target={"device_id": harness.device()})
    await harness.move_to(at(10))
    (told,) = automations.variables
    assert (told["commitment"], told["curtailment_end"]) == (None, None)


async def test_a_dispatch_tells_what_its_event_does(
    harness: Harness, automations: Automations
) -> None:
    await harness.set_up()
    await automations.add("dispatch_announced", target={"device_id": harness.device()})
    sites = {f"s{number}": 1.0 for number in range(1, 5)}
    harness.publish(wire_dispatch("d1", at(10), at(60), sites))
    await harness.poll()
    (told,) = automations.variables
    assert told == {
        "id": "0",
        "idx": "0",
        "alias": None,
        "platform": "voltus.dispatch_announced",
        "description": "dispatch d1 announced for 4 sites",
        **harness.told[0].data,
    }


async def test_the_trace_says_why_an_automation_was_left_out(
    harness: Harness, automations: Automations, hass_ws_client: WebSocketGenerator
) -> None:
    await harness.set_up()
    automation = {
        "id": "note",
        "alias": "Note",
        "triggers": {
            "trigger": "voltus.dispatch_announced",
            "target": {"device_id": harness.device()},
        },
        "actions": [],
    }
    assert await async_setup_component(
        harness.hass, "automation", {"automation": automation}
    )
    harness.publish(wire_dispatch("d1", at(10), at(60), test=True))
    await harness.poll()
    client = await hass_ws_client(harness.hass)
    await client.send_json_auto_id(
        {"type": "trace/list", "domain": "automation", "item_id": "note"}
    )
    (listed,) = (await client.receive_json())["result"]
    assert listed["script_execution"] == "not_triggered"
    await client.send_json_auto_id(
        {
            "type": "trace/get",
            "domain": "automation",
            "item_id": "note",
            "run_id": listed["run_id"],
        }
    )
    trace = (await client.receive_json())["result"]["trace"]
    assert trace["trigger/0"][0]["result"]["reason"] == "not_actionable"


@pytest.mark.parametrize("site", ["s1", None], ids=["a site", "the account"])
@pytest.mark.parametrize("by", ["device_id", "area_id"])
async def test_the_editor_offers_all_of_them(
    harness: Harness, hass_ws_client: WebSocketGenerator, site: str | None, by: str
) -> None:
    await harness.set_up()
    client = await hass_ws_client(harness.hass)
    assert await harness.offered(client, "triggers", by, site) == {
        f"{DOMAIN}.{key}" for key in LISTENS_TO
    }


@pytest.mark.parametrize(
    ("trigger", "error"),
    [
        ({"trigger": "voltus.curtailment_started"}, "required key not provided"),
        ({"trigger": "voltus.curtailment_started", "target": {}}, "names no one"),
        (
            {"trigger": "voltus.curtailment_started", "target": {"device_id": []}},
            "names no one",
        ),
        (
            {
                "trigger": "voltus.curtailment_started",
                "target": {"device_id": "x"},
                "options": {"actionable_only": True},
            },
            "actionable_only",
        ),
        (
            {
                "trigger": "voltus.dispatch_updated",
                "target": {"device_id": "x"},
                "options": {"actionable_only": "perhaps"},
            },
            "actionable_only",
        ),
        (
            {"trigger": "voltus.dispatch_begun", "target": {"device_id": "x"}},
            "Invalid trigger 'voltus.dispatch_begun'",
        ),
    ],
    ids=[
        "no target",
        "an empty target",
        "an empty list",
        "an option of others",
        "not a switch",
        "no such trigger",
    ],
)
async def test_what_makes_no_sense_is_refused(
    harness: Harness, trigger: dict[str, Any], error: str
) -> None:
    await harness.set_up()
    config = {"alias": "Tried", "triggers": [trigger], "actions": []}
    with pytest.raises(vol.Invalid, match=error):
        await async_validate_config_item(harness.hass, "tried", config)


@pytest.mark.parametrize("block", code(PAGE, "yaml"))
async def test_home_assistant_takes_every_automation_of_the_page(
    harness: Harness, block: str
) -> None:
    await harness.set_up()
    config = parse_yaml(block)
    assert isinstance(config, dict)
    validated = await async_validate_config_item(harness.hass, "page", config)
    assert isinstance(validated, AutomationConfig)
    assert validated.validation_status is ValidationStatus.OK


def test_the_page_lists_every_trigger_and_shows_it() -> None:
    keys = {f"{DOMAIN}.{key}" for key in LISTENS_TO}
    assert {row[0].strip("`") for row in rows(PAGE, "Triggers")} - HEAD == keys
    shown = "".join(code(PAGE, "yaml"))
    assert {key for key in keys if f"trigger: {key}\n" in shown} == keys


def test_the_page_lists_every_option() -> None:
    assert named(PAGE, "Options of triggers") == {CONF_ACTIONABLE_ONLY}


async def test_the_page_lists_what_a_curtailment_tells(
    harness: Harness, automations: Automations
) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(60)))
    await harness.set_up()
    await automations.add("curtailment_started", target={"device_id": harness.device()})
    await harness.move_to(at(10))
    (told,) = automations.variables
    listed = rows(PAGE, "Variables of a curtailment")
    described = {row[0].strip("`").removeprefix("trigger.") for row in listed} - HEAD
    assert described == told.keys() - HOME_ASSISTANTS_OWN
    (of_sites,) = [row[1] for row in listed if row[0] == "`trigger.sites`"]
    assert set(NAME.findall(of_sites)) == told["sites"][0].keys()
