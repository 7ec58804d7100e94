"""When the condition holds, for whom, and where it does not."""

from collections.abc import Callable
from typing import Any

from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.condition import async_validate_condition_config
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import async_capture_events
from pytest_homeassistant_custom_component.typing import WebSocketGenerator
import voluptuous as vol

from custom_components.voltus.condition import async_get_conditions
from custom_components.voltus.const import DOMAIN
from tests.builders import at, wire_dispatch
from tests.test_readme import ROOT, named, rows

from .harness import Harness

PAGE = ROOT / "docs" / "triggers.md"
SITES = {"s1": 100.0}
BOTH = {"s1": 100.0, "s2": 50.0}


class Question:
    """An automation whose only condition is ours."""

    def __init__(self, harness: Harness) -> None:
        """Ask nothing yet."""
        self._hass = harness.hass
        self._passed = async_capture_events(harness.hass, "passed")

    async def put(self, target: dict[str, Any], **options: Any) -> None:
        """Set up the automation; a refused one fails here."""
        automation = {
            "alias": "Ask",
            "triggers": {"trigger": "event", "event_type": "ask"},
            "conditions": {
                "condition": "voltus.is_curtailing",
                "target": target,
                "options": options,
            },
            "actions": {"event": "passed"},
        }
        assert await async_setup_component(
            self._hass, "automation", {"automation": automation}
        )
        state = self._hass.states.get("automation.ask")
        assert state
        assert state.state == "on"

    async def holds(self) -> bool:
        """Return the answer of now."""
        self._passed.clear()
        self._hass.bus.async_fire("ask")
        await self._hass.async_block_till_done()
        return bool(self._passed)


@pytest.fixture
def question(harness: Harness) -> Question:
    """Ask nothing yet."""
    return Question(harness)


TARGETS: dict[str, Callable[[Harness], dict[str, Any]]] = {
    "a device": lambda harness: {"device_id": harness.device("s1")},
    "the account": lambda harness: {"device_id": harness.device()},
    "an area": lambda harness: {"area_id": harness.in_area("s1", None)},
    "its sensor": lambda harness: {"entity_id": harness.entity_id("curtail", "s1")},
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
@pytest.mark.parametrize("behavior", ["any", "all"])
async def test_it_holds_while_curtail_is_on_and_no_longer(
    harness: Harness,
    question: Question,
    target: Callable[[Harness], dict[str, Any]],
    behavior: str,
) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"lead_time": 5}
    )
    harness.publish(wire_dispatch("d1", at(10), at(60)))
    await harness.set_up()
    await question.put(target(harness), behavior=behavior)
    answers = {}
    for minutes in (1, 5, 10, 30, 60):
        await harness.move_to(at(minutes))
        answers[minutes] = await question.holds()
    assert answers == {1: False, 5: True, 10: True, 30: True, 60: False}


@pytest.mark.parametrize(
    ("behavior", "sites", "answer"),
    [
        ("any", SITES, True),
        ("all", SITES, False),
        ("any", BOTH, True),
        ("all", BOTH, True),
    ],
)
async def test_several_sites_are_asked_as_any_or_as_all(
    harness: Harness,
    question: Question,
    behavior: str,
    sites: dict[str, float | None],
    answer: bool,
) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60), sites))
    await harness.set_up()
    chosen = [harness.device("s1"), harness.device("s2")]
    await question.put({"device_id": chosen}, behavior=behavior)
    assert await question.holds() is answer


@pytest.mark.parametrize("behavior", ["any", "all"])
@pytest.mark.parametrize("key", ["dispatch_active", "connection"])
async def test_no_other_entity_counts(
    harness: Harness, question: Question, key: str, behavior: str
) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    await harness.set_up()
    assert harness.state(key).state == "on"
    await question.put({"entity_id": harness.entity_id(key)}, behavior=behavior)
    assert not await question.holds()


@pytest.mark.parametrize("behavior", ["any", "all"])
async def test_it_does_not_hold_where_nobody_can_be_asked(
    harness: Harness, question: Question, behavior: str
) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    await harness.set_up()
    await question.put({"device_id": harness.device("s1")}, behavior=behavior)
    assert await question.holds()
    await harness.hass.config_entries.async_unload(harness.entry.entry_id)
    assert not await question.holds()
    await harness.hass.config_entries.async_setup(harness.entry.entry_id)
    er.async_get(harness.hass).async_update_entity(
        harness.entity_id("curtail", "s1"), disabled_by=er.RegistryEntryDisabler.USER
    )
    await harness.settle()
    assert not await question.holds()


async def test_it_can_ask_for_how_long(harness: Harness, question: Question) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(60)))
    await harness.set_up()
    await question.put({"device_id": harness.device("s1")}, **{"for": "00:05:00"})
    answers = []
    for minutes in (10, 14, 15, 60):
        await harness.move_to(at(minutes))
        answers.append(await question.holds())
    assert answers == [False, False, True, False]


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({}, "required key not provided"),
        ({"target": {"device_id": "x"}, "options": {"behavior": "most"}}, "behavior"),
    ],
    ids=["no target", "no such behavior"],
)
async def test_what_makes_no_sense_is_refused(
    harness: Harness, config: dict[str, Any], error: str
) -> None:
    with pytest.raises(vol.Invalid, match=error):
        await async_validate_condition_config(
            harness.hass, {"condition": "voltus.is_curtailing", **config}
        )


@pytest.mark.parametrize("site", ["s1", None], ids=["a site", "the account"])
@pytest.mark.parametrize("by", ["device_id", "area_id"])
async def test_the_editor_offers_it(
    harness: Harness, hass_ws_client: WebSocketGenerator, site: str | None, by: str
) -> None:
    await harness.set_up()
    client = await hass_ws_client(harness.hass)
    assert await harness.offered(client, "conditions", by, site) == {
        "voltus.is_curtailing"
    }


async def test_the_page_describes_it(harness: Harness) -> None:
    keys = {f"{DOMAIN}.{key}" for key in await async_get_conditions(harness.hass)}
    first = {row[0].strip("`") for row in rows(PAGE, "Conditions")}
    assert {key for key in first if key.startswith(DOMAIN)} == keys
    assert named(PAGE, "Conditions") == {"behavior", "for"}
