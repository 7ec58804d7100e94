"""Every text that the code asks for is there, and no other; and so for icons and fields."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
import json
from pathlib import Path
import re
from string import Formatter
from typing import Any

from homeassistant.config_entries import SOURCE_USER, ConfigFlowResult
from homeassistant.helpers.condition import ENTITY_STATE_CONDITION_SCHEMA_ANY_ALL
from homeassistant.helpers.config_validation import ENTITY_SERVICE_FIELDS
from homeassistant.helpers.selector import selector
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict
from packaging.requirements import Requirement
import pytest
from pytest_homeassistant_custom_component.common import get_system_health_info
import voluptuous as vol

import custom_components.voltus as integration
from custom_components.voltus import condition, trigger
from custom_components.voltus.account.issues import FIXABLE
from custom_components.voltus.aiovoltus.schedule import ChangeType, Phase, Status
from custom_components.voltus.certification.course import Scenario
from custom_components.voltus.config_flow import ERRORS, HOSTS
from custom_components.voltus.const import DOMAIN
from custom_components.voltus.operating.drill import PATTERNS
from custom_components.voltus.sensor import ESTIMATES
from tests.builders import at, wire_dispatch

from .harness import Harness

ROOM = Path(integration.__file__).parent
TEXTS: dict[str, Any] = json.loads((ROOM / "translations/en.json").read_text("utf-8"))
ICONS: dict[str, Any] = json.loads((ROOM / "icons.json").read_text("utf-8"))
MANIFEST: dict[str, Any] = json.loads((ROOM / "manifest.json").read_text("utf-8"))
SERVICES = load_yaml_dict(str(ROOM / "services.yaml"))
TRIGGERS = load_yaml_dict(str(ROOM / "triggers.yaml"))
CONDITIONS = load_yaml_dict(str(ROOM / "conditions.yaml"))
SOURCES = {
    path.relative_to(ROOM).with_suffix("").as_posix(): ast.parse(
        path.read_text("utf-8")
    )
    for path in ROOM.rglob("*.py")
}

SELECTS: dict[str, Any] = {
    select["translation_key"]: select
    for service in SERVICES.values()
    for field in service["fields"].values()
    if (select := field["selector"].get("select"))
}
"""The choices that actions offer, by their translation key."""

HOME_ASSISTANTS_OWN_REASONS = {"reauth_successful", "reconfigure_successful"}
NO_ICON_NEEDED = {"connection", "push"}
"""Entities whose device class brings an icon."""


def calls(name: str) -> list[ast.Call]:
    """Return all calls of a name or attribute in our code."""
    return [
        node
        for tree in SOURCES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", None)) == name
    ]


def constant(node: ast.expr) -> str | None:
    """Return the text that an expression is, if it is one."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return None


def keywords(call: ast.Call) -> dict[str, ast.expr]:
    """Return the keyword arguments of a call."""
    return {each.arg: each.value for each in call.keywords if each.arg}


def reasons(room: str) -> set[str | None]:
    """Return the reasons for which flows of a module are ended early."""
    return {
        constant(keywords(node)["reason"])
        for node in ast.walk(SOURCES[room])
        if isinstance(node, ast.Call) and "reason" in keywords(node)
    }


def leaves(texts: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Return every text with its path."""
    for key, value in texts.items():
        if isinstance(value, str):
            yield f"{path}.{key}", value
        else:
            yield from leaves(value, f"{path}.{key}")


def placeholders(text: str) -> set[str]:
    """Return the names in braces."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def fields(form: ConfigFlowResult) -> set[str]:
    """Return the names of the fields of a form."""
    assert form["data_schema"]
    return {str(marker) for marker in form["data_schema"].schema}


def check_description(
    described: dict[str, Any], texts: dict[str, Any], schema: vol.Schema
) -> None:
    """Check that the editor offers a trigger or condition as its schema has it."""
    (target,) = described["target"]["entity"]
    assert target == {"integration": DOMAIN, "domain": "binary_sensor"}
    assert texts["name"]
    assert texts["description"]
    options = {str(marker): marker for marker in schema.schema["options"]}
    fields = described.get("fields", {})
    assert fields.keys() == options.keys() == texts.get("fields", {}).keys()
    for name, marker in options.items():
        assert fields[name]["selector"]
        assert texts["fields"][name].keys() == {"name", "description"}
        if marker.default is not vol.UNDEFINED:
            assert fields[name]["default"] == marker.default()


async def forms(harness: Harness) -> dict[str, dict[str, ConfigFlowResult]]:
    """Return every form that there is, by flow and step."""
    flows = harness.hass.config_entries.flow
    found = [
        await flows.async_init(DOMAIN, context={"source": SOURCE_USER}),
        await harness.entry.start_reauth_flow(harness.hass),
        await harness.entry.start_reconfigure_flow(harness.hass),
    ]
    options = await harness.hass.config_entries.options.async_init(
        harness.entry.entry_id
    )
    return {
        "config": {form["step_id"]: form for form in found},
        "options": {options["step_id"]: options},
    }


async def test_every_field_of_every_form_has_a_name_and_a_description(
    harness: Harness,
) -> None:
    await harness.set_up()
    for flow, steps in (await forms(harness)).items():
        assert TEXTS[flow]["step"].keys() == steps.keys()
        for step, form in steps.items():
            texts = TEXTS[flow]["step"][step]
            assert texts["title"]
            assert texts["description"]
            assert texts["data"].keys() == fields(form)
            assert texts["data_description"].keys() == fields(form)


async def test_every_placeholder_of_a_form_is_filled(harness: Harness) -> None:
    await harness.set_up()
    filled = {
        flow: set.intersection(
            *(set(form["description_placeholders"] or ()) for form in steps.values())
        )
        for flow, steps in (await forms(harness)).items()
    }
    for flow, names in filled.items():
        for path, text in leaves(TEXTS[flow]):
            assert placeholders(text) <= names, path
    used = {name for _, text in leaves(TEXTS["config"]) for name in placeholders(text)}
    assert used == filled["config"]


def test_every_error_has_a_text() -> None:
    raised = {constant(call.args[1]) for call in calls("_InputError")}
    raised.discard(None)
    told = TEXTS["config"]["error"].keys() | TEXTS["options"]["error"].keys()
    assert told == raised | {name for _, name in ERRORS}
    assert TEXTS["options"]["error"].keys() == {"invalid_push_url"}


def test_every_reason_to_end_a_flow_has_a_text() -> None:
    assert not reasons("config_flow")
    assert TEXTS["config"]["abort"].keys() == HOME_ASSISTANTS_OWN_REASONS
    assert "abort" not in TEXTS["options"]


def test_every_choice_has_a_text() -> None:
    used = {
        constant(keywords(call)["translation_key"])
        for name in ("SelectSelectorConfig", "ObjectSelectorConfig")
        for call in calls(name)
        if "translation_key" in keywords(call)
    } - {None}
    # A performance has many choices, and one function for all of them.
    used |= {constant(call.args[0]) for call in calls("_select") if call.args}
    used -= {None}
    assert TEXTS["selector"].keys() == used | SELECTS.keys()
    assert TEXTS["selector"]["url"]["options"].keys() == HOSTS.keys()


@pytest.mark.parametrize(
    ("name", "choices"),
    [("scenario", Scenario), ("status", Status), ("pattern", PATTERNS)],
)
def test_the_choices_of_an_action_are_those_that_it_takes(
    name: str, choices: Iterable[str]
) -> None:
    assert SELECTS[name]["options"] == [*choices]
    assert TEXTS["selector"][name]["options"].keys() == {*choices}


def test_every_exception_has_a_text_and_its_placeholders() -> None:
    raised = {}
    for tree in SOURCES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and "translation_domain" in keywords(node):
                given = keywords(node)
                filled = given.get("translation_placeholders", ast.Dict([], []))
                assert isinstance(filled, ast.Dict)
                key = constant(given["translation_key"])
                raised[key] = {constant(name) for name in filled.keys if name}
    texts = {key: text["message"] for key, text in TEXTS["exceptions"].items()}
    assert raised == {key: placeholders(text) for key, text in texts.items()}


def test_every_issue_has_a_text_and_its_placeholders() -> None:
    raised = {}
    for call in calls("Issue"):
        filled = call.args[1] if len(call.args) > 1 else ast.Dict([], [])
        assert isinstance(filled, ast.Dict)
        names = {constant(name) for name in filled.keys if name}
        raised[constant(call.args[0])] = names | {"name"}
        fixable = constant(call.args[0]) in FIXABLE
        texts = TEXTS["issues"][constant(call.args[0])]
        assert texts["title"]
        assert texts.keys() == {"title", "fix_flow" if fixable else "description"}
    for call in calls("_notice"):
        filled = call.args[2]
        assert isinstance(filled, ast.Dict)
        raised[constant(call.args[1])] = {
            constant(name) for name in filled.keys if name
        }
    for call in calls("async_create_issue"):
        if key := constant(keywords(call)["translation_key"]):
            filled = keywords(call)["translation_placeholders"]
            assert isinstance(filled, ast.Dict)
            raised[key] = {constant(name) for name in filled.keys if name}
    assert raised == {
        key: {name for _, text in leaves(texts) for name in placeholders(text)}
        for key, texts in TEXTS["issues"].items()
    }


def test_every_fix_flow_has_a_text_for_its_steps_and_its_ends() -> None:
    withdraws = TEXTS["issues"]["held_dispatch"]["fix_flow"]["abort"]
    assert withdraws.keys() == {"not_loaded", "not_held"}
    flows = import_module("custom_components.voltus.repairs").FLOWS
    for key, flow in flows.items():
        steps = {
            name.removeprefix("async_step_")
            for name in dir(flow)
            if name.startswith("async_step_")
        }
        texts = TEXTS["issues"][key]["fix_flow"]
        # The first step only leads to the one that asks.
        assert texts["step"].keys() == steps - {"init"}
        for step in texts["step"].values():
            assert step.keys() == {"title", "description"}
        ends = texts["abort"].keys()
        assert ends - {"not_held", "still_unreachable"} == {"not_loaded"}


async def test_every_line_of_system_health_has_a_text(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(20)))
    await harness.set_up()
    assert await async_setup_component(harness.hass, "system_health", {})
    shown = await get_system_health_info(harness.hass, DOMAIN)
    assert await shown["reachable"] == "ok"
    assert TEXTS["system_health"]["info"].keys() == shown.keys()


async def test_every_entity_has_a_name_and_an_icon(harness: Harness) -> None:
    await harness.set_up()
    used = {(entity.domain, entity.translation_key) for entity in harness.entities()}
    named = {
        (domain, key)
        for domain, texts in TEXTS["entity"].items()
        for key, text in texts.items()
        if text["name"]
    }
    # Shown where a meter is mapped, or a performance added.
    estimated = {
        ("binary_sensor", "behind_target"),
        *(("sensor", description.key) for description in ESTIMATES),
    }
    mapped = {
        *estimated,
        ("binary_sensor", "telemetry"),
        ("sensor", "controllable_load"),
        ("sensor", "telemetry_sent_until"),
    }
    assert named == used | mapped | {("binary_sensor", "any_site_curtailing")}
    drawn = {
        (domain, key) for domain, icons in ICONS["entity"].items() for key in icons
    }
    assert drawn - estimated == {e for e in used if e[1] not in NO_ICON_NEEDED}


async def test_every_state_and_attribute_that_can_be_shown_has_a_text(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch())
    await harness.set_up()
    phases = {phase.value for phase in Phase}
    assert TEXTS["entity"]["sensor"]["phase"]["state"].keys() == phases
    assert ICONS["entity"]["sensor"]["phase"]["state"].keys() < phases

    event = TEXTS["entity"]["event"]["dispatch"]["state_attributes"]["event_type"]
    assert event["state"].keys() == {change.value for change in ChangeType}

    shown = harness.state("curtail", "s1").attributes.keys() - {"friendly_name"}
    curtail = TEXTS["entity"]["binary_sensor"]["curtail"]
    assert curtail["state_attributes"].keys() == shown


async def test_every_action_is_described_as_it_is(harness: Harness) -> None:
    assert await async_setup_component(harness.hass, DOMAIN, {})
    registered = harness.hass.services.async_services()[DOMAIN]
    texts, icons = TEXTS["services"], ICONS["services"]
    assert SERVICES.keys() == registered.keys() == texts.keys() == icons.keys()
    for name, service in registered.items():
        assert texts[name]["name"]
        assert texts[name]["description"]
        assert isinstance(service.schema, vol.Schema)
        markers = {str(marker): marker for marker in service.schema.schema}
        if "target" in SERVICES[name]:
            for field in ENTITY_SERVICE_FIELDS:
                del markers[str(field)]
        described = SERVICES[name]["fields"]
        for field in described.values():
            selector(field["selector"])
        assert described.keys() == markers.keys() == texts[name]["fields"].keys()
        for field, marker in markers.items():
            assert described[field]["required"] is isinstance(marker, vol.Required)
            assert described[field]["selector"]
            assert texts[name]["fields"][field].keys() == {"name", "description"}


async def test_every_trigger_is_described_as_it_is(harness: Harness) -> None:
    offered = await trigger.async_get_triggers(harness.hass)
    described = {key: TRIGGERS[key] for key in TRIGGERS if not key.startswith(".")}
    assert offered.keys() == described.keys() == TEXTS["triggers"].keys()
    assert {key: {"trigger"} for key in offered} == {
        key: icons.keys() for key, icons in ICONS["triggers"].items()
    }
    for key, offer in offered.items():
        assert issubclass(offer, trigger.VoltusTrigger)
        check_description(described[key], TEXTS["triggers"][key], offer.schema)


async def test_every_condition_is_described_as_it_is(harness: Harness) -> None:
    offered = await condition.async_get_conditions(harness.hass)
    assert offered.keys() == CONDITIONS.keys() == TEXTS["conditions"].keys()
    assert {key: {"condition"} for key in offered} == {
        key: icons.keys() for key, icons in ICONS["conditions"].items()
    }
    for key in offered:
        check_description(
            CONDITIONS[key],
            TEXTS["conditions"][key],
            ENTITY_STATE_CONDITION_SCHEMA_ANY_ALL,
        )


@pytest.mark.parametrize(
    ("path", "text"), [pytest.param(*leaf, id=leaf[0]) for leaf in leaves(TEXTS)]
)
def test_texts_are_as_home_assistant_wants_them(path: str, text: str) -> None:
    assert text
    assert text == text.strip()
    assert not re.search(r"(https?|ftp|mqtt)://|www\.", text), "use a placeholder"
    assert not re.search(r"</?[a-z][^>]*>", text, re.IGNORECASE), "no HTML"
    assert not re.search(r"'\{\w+\}'", text), "nothing in single quotes"
    assert "[%" not in text, "references do not resolve here"
    assert all(name.isidentifier() for name in placeholders(text))


def test_icons_are_of_the_set_that_home_assistant_has() -> None:
    for path, icon in leaves(ICONS):
        assert re.fullmatch(r"mdi:[a-z0-9-]+", icon), path


def test_the_manifest() -> None:
    keys = [key for key in MANIFEST if key not in ("domain", "name")]
    assert list(MANIFEST) == ["domain", "name", *sorted(keys)]
    assert MANIFEST["domain"] == DOMAIN == ROOM.name
    assert MANIFEST["config_flow"] is True
    assert MANIFEST["integration_type"] == "hub"
    assert MANIFEST["iot_class"] == "cloud_polling"
    assert all(owner.startswith("@") for owner in MANIFEST["codeowners"])
    for key in ("documentation", "issue_tracker"):
        assert MANIFEST[key].startswith("https://github.com/")
    assert re.fullmatch(r"\d+\.\d+\.\d+", MANIFEST["version"])


def test_requirements_leave_home_assistant_its_own_version() -> None:
    """A hard pin would make Home Assistant install at boot, and fail without internet."""
    (requirement,) = map(Requirement, MANIFEST["requirements"])
    assert str(requirement) == "python-dateutil>=2.9.0"


@pytest.mark.parametrize("platform", integration.PLATFORMS)
def test_every_platform_says_how_many_updates_run_at_once(platform: str) -> None:
    module = import_module(f"custom_components.voltus.{platform}")
    assert module.PARALLEL_UPDATES == 0


def test_every_platform_of_the_registry_is_ours() -> None:
    found = {
        name
        for name, tree in SOURCES.items()
        if any(
            isinstance(node, ast.AsyncFunctionDef) and node.name == "async_setup_entry"
            for node in tree.body
        )
    }
    assert found - {"__init__"} == set(integration.PLATFORMS)
