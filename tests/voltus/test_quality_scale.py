"""Each rule that quality_scale.yaml calls done is looked for in this tree.

A test can show some of them (`shown_by` the tests of what they ask for). Of others it sees
no more than a sign: `heading_of` and `named` that README speaks of it, not whether it
says enough; `offered` that a function is there, not what it does.
"""

import ast
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import metadata
import inspect
from pathlib import Path
import tomllib
from typing import Any

from homeassistant import components
from homeassistant.const import EntityCategory
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util.yaml import load_yaml_dict
from packaging.requirements import Requirement
import pytest

from custom_components.voltus import PLATFORMS
from custom_components.voltus.account.options import CONF_POLL_INTERVAL, DEFAULTS
from custom_components.voltus.aiovoltus.client import VoltusClient
from custom_components.voltus.binary_sensor import (
    ConnectionBinarySensor,
)
from custom_components.voltus.coordinator import VoltusCoordinator
from custom_components.voltus.entity import VoltusEntity
from custom_components.voltus.sensor import SENSORS
from scripts import coverage_floor
from tests.test_readme import ROOT, anchors, code

from .test_strings import ICONS, MANIFEST, ROOM, SOURCES, TEXTS, calls, keywords

type Check = Callable[[], None]

TRANSLATED = {
    "ConfigEntryAuthFailed",
    "ConfigEntryError",
    "ConfigEntryNotReady",
    "HomeAssistantError",
    "ServiceValidationError",
    "UpdateFailed",
}
"""Exceptions that carry a text of ours to the user."""

README = ROOT / "README.md"
CLAIMS = load_yaml_dict(str(ROOM / "quality_scale.yaml"))["rules"]
CORES_OWN = min(Path(components.__path__[0]).glob("*/quality_scale.yaml"))


def heading_of(*headings: str) -> Check:
    """Check that README has these headings, whatever is below them."""

    def check() -> None:
        assert set(headings) <= anchors(README)

    return check


def named(file: str) -> Check:
    """Check that README or docs/ name all that a file of ours offers, and no more."""

    def check() -> None:
        assert (ROOM / file).exists()
        pages = [README, *(ROOT / "docs").glob("*.md")]
        text = "".join(page.read_text("utf-8") for page in pages)
        for name in load_yaml_dict(str(ROOM / file)):
            assert name.startswith(".") or f"`voltus.{name}`" in text

    return check


def shown_by(*tests: str) -> Check:
    """Check that tests of these names are there: their own runs tell the rest."""

    def check() -> None:
        for name in tests:
            module, _, test = name.partition("::")
            file = Path(__file__).with_name(f"test_{module}.py")
            assert f"def test_{test}(" in file.read_text("utf-8"), name

    return check


def offered(module: str, *functions: str) -> Check:
    """Check that a module has functions of the names that Home Assistant looks for."""

    def check() -> None:
        assert module in SOURCES
        for function in functions:
            assert function in {
                node.name
                for node in ast.walk(SOURCES[module])
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            }

    return check


def names(*trees: ast.AST) -> set[str]:
    """Return all names and attributes that are read or written somewhere."""
    return {
        node.attr if isinstance(node, ast.Attribute) else node.id
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute)
    }


def classes() -> Iterator[type[Any]]:
    """Return the classes of our platforms."""
    for platform in PLATFORMS:
        module = import_module(f"custom_components.voltus.{platform}")
        for _, each in inspect.getmembers(module, inspect.isclass):
            if each.__module__ == module.__name__:
                yield each


def entities() -> list[type[Entity]]:
    """Return the classes of our entities."""
    return [each for each in classes() if issubclass(each, Entity)]


def blank[EntityT: Entity](entity: type[EntityT]) -> EntityT:
    """Return an entity that knows only what its class says."""
    return entity.__new__(entity)


def raised(*trees: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Return each exception that is made to be raised, by its class."""
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                yield ast.unparse(node.exc.func), node.exc


def polling_is_as_voltus_recommends() -> None:
    assert DEFAULTS[CONF_POLL_INTERVAL] == 30


def there_are_brand_images() -> None:
    assert {path.name for path in (ROOM / "brand").iterdir()} >= {
        "icon.png",
        "icon@2x.png",
    }


def coordinator_and_entity_are_where_they_are_looked_for() -> None:
    assert issubclass(VoltusCoordinator, DataUpdateCoordinator)
    assert VoltusCoordinator.__module__.endswith(".coordinator")
    assert VoltusEntity.__module__.endswith(".entity")
    assert all(issubclass(each, VoltusEntity) for each in entities())


def every_error_of_the_flow_is_tested() -> None:
    assert coverage_floor.INTEGRATION / "config_flow.py" in coverage_floor.WHOLLY
    tests = Path(__file__).with_name("test_config_flow.py").read_text("utf-8")
    assert not [key for key in TEXTS["config"]["error"] if f'"{key}"' not in tests]


def the_client_is_a_package_and_all_requirements_are_open_source() -> None:
    assert not (ROOM / "aiovoltus").exists()
    for requirement in MANIFEST["requirements"]:
        classifiers = metadata(Requirement(requirement).name).get_all("Classifier", [])
        assert [each for each in classifiers if "OSI Approved" in each], requirement


def listeners_come_with_the_entity_and_go_with_it() -> None:
    listening = [
        node
        for platform in PLATFORMS
        for node in ast.walk(SOURCES[platform])
        if isinstance(node, ast.Call) and "async_dispatcher_connect" in names(node.func)
    ]
    removed = [call.args[0] for call in calls("async_on_remove")]
    assert listening
    assert all(call in removed for call in listening)


def every_entity_is_named_beside_its_device_by_a_translation() -> None:
    assert all(blank(each).has_entity_name for each in entities())
    assert "_attr_name" not in names(*SOURCES.values())
    assert "_attr_translation_key" in names(SOURCES["entity"])


def every_entity_has_a_unique_id() -> None:
    assert "_attr_unique_id" in names(SOURCES["entity"])


def data_of_an_entry_are_kept_with_it() -> None:
    assert "entry.runtime_data = " in ast.unparse(SOURCES["__init__"])
    assert not [
        name
        for name, tree in SOURCES.items()
        if "hass.data[DOMAIN]" in ast.unparse(tree)
    ]


def actions_raise_what_home_assistant_shows() -> None:
    # An action's schema raises vol.Invalid, which Home Assistant turns into an answer.
    assert {name for name, _ in raised(SOURCES["services"])} <= {
        "HomeAssistantError",
        "ServiceValidationError",
        "Unauthorized",
        "vol.Invalid",
    }


def somebody_owns_it() -> None:
    assert MANIFEST["codeowners"]


def every_platform_limits_its_updates() -> None:
    for platform in PLATFORMS:
        module = import_module(f"custom_components.voltus.{platform}")
        assert isinstance(module.PARALLEL_UPDATES, int)


def a_file_that_is_not_covered_fails_the_tests() -> None:
    assert coverage_floor.MOSTLY >= 95
    assert "coverage_floor.py" in (ROOT / "scripts" / "test").read_text("utf-8")


def what_is_not_about_a_dispatch_is_diagnostic() -> None:
    connection = blank(ConnectionBinarySensor)
    assert connection.entity_category is EntityCategory.DIAGNOSTIC


def what_has_a_device_class_says_so() -> None:
    assert all(each.device_class for each in SENSORS)
    assert blank(ConnectionBinarySensor).device_class


def every_exception_is_translated() -> None:
    untranslated = [
        ast.unparse(call)
        for name, call in raised(*SOURCES.values())
        if name in TRANSLATED and "translation_key" not in keywords(call)
    ]
    assert not untranslated


def icons_stand_in_the_file_of_icons() -> None:
    assert ICONS["entity"].keys() <= set(PLATFORMS)
    assert not names(*SOURCES.values()) & {"_attr_icon", "icon"}


def there_are_automations_to_copy() -> None:
    assert len(code(README, "yaml")) > 1
    assert list((ROOT / "blueprints" / "automation" / "voltus").glob("*.yaml"))


def each_example_says_what_it_is_for() -> None:
    examples = (ROOT / "docs" / "examples.md").read_text("utf-8").split("\n## ")[1:]
    assert len(examples) > 1
    assert all("Use it " in each for each in examples)


def the_client_waits_for_nothing() -> None:
    for name in ("dispatches", "dispatch", "sites"):
        assert inspect.iscoroutinefunction(getattr(VoltusClient, name))


def the_session_is_home_assistants() -> None:
    made = calls("VoltusClient")
    assert made
    for call in made:
        assert ast.unparse(call.args[0]).startswith("async_get_clientsession(")


def types_are_checked_strictly() -> None:
    mypy = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mypy"]
    assert mypy["strict"]
    assert "custom_components" in mypy["files"]
    assert (ROOM / "aiovoltus" / "py.typed").exists()
    untyped = [
        (name, node.arg)
        for name, tree in SOURCES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.arg)
        and node.annotation
        and "ConfigEntry" in names(node.annotation)
        # Who asks or sends knows no coordinator, and so nothing of what an entry carries.
        and not name.startswith(("asking/", "performance/", "records/", "telemetry/"))
    ]
    assert not untyped, "VoltusConfigEntry says more"


EVIDENCE: dict[str, tuple[Check, ...]] = {
    # Bronze
    "action-setup": (
        offered("__init__", "async_setup"),
        shown_by("strings::every_action_is_described_as_it_is"),
    ),
    "appropriate-polling": (
        polling_is_as_voltus_recommends,
        shown_by("coordinator::the_poll_interval_counts_from_start_to_start"),
    ),
    "brands": (there_are_brand_images,),
    "common-modules": (coordinator_and_entity_are_where_they_are_looked_for,),
    "config-flow": (
        offered("config_flow", "async_step_user"),
        shown_by("strings::every_field_of_every_form_has_a_name_and_a_description"),
    ),
    "config-flow-test-coverage": (every_error_of_the_flow_is_tested,),
    "dependency-transparency": (
        the_client_is_a_package_and_all_requirements_are_open_source,
    ),
    "docs-actions": (heading_of("actions"), named("services.yaml")),
    "docs-conditions": (named("conditions.yaml"),),
    "docs-high-level-description": (heading_of("what-it-does"),),
    "docs-installation-instructions": (heading_of("install"),),
    "docs-removal-instructions": (heading_of("remove"),),
    "docs-triggers": (named("triggers.yaml"),),
    "entity-event-setup": (listeners_come_with_the_entity_and_go_with_it,),
    "entity-unique-id": (
        every_entity_has_a_unique_id,
        shown_by("init::two_accounts_may_hold_the_same_site"),
    ),
    "has-entity-name": (
        every_entity_is_named_beside_its_device_by_a_translation,
        shown_by("binary_sensor::names_tell_the_account_from_its_sites"),
    ),
    "runtime-data": (data_of_an_entry_are_kept_with_it,),
    "test-before-configure": (
        shown_by("config_flow::a_failed_check_is_shown_and_can_be_tried_again"),
    ),
    "test-before-setup": (
        shown_by(
            "init::the_first_set_up_waits_for_an_answer",
            "init::the_first_set_up_asks_for_a_key_if_it_is_refused",
        ),
    ),
    "unique-config-entry": (
        shown_by("config_flow::the_same_account_twice_is_refused"),
    ),
    # Silver
    "action-exceptions": (
        actions_raise_what_home_assistant_shows,
        every_exception_is_translated,
    ),
    "config-entry-unloading": (
        offered("__init__", "async_unload_entry"),
        shown_by("init::an_unloaded_account_asks_and_tells_nothing"),
    ),
    "docs-configuration-parameters": (heading_of("options"),),
    "docs-installation-parameters": (heading_of("set-up"),),
    "integration-owner": (somebody_owns_it,),
    "log-when-unavailable": (
        shown_by(
            "outages::states_hold_boundaries_fire_and_all_is_well_again_by_itself"
        ),
    ),
    "parallel-updates": (every_platform_limits_its_updates,),
    "reauthentication-flow": (
        offered("config_flow", "async_step_reauth", "async_step_reauth_confirm"),
        shown_by("config_flow::a_refused_key_is_replaced"),
    ),
    "test-coverage": (a_file_that_is_not_covered_fails_the_tests,),
    # Gold
    "devices": (shown_by("entity::the_account_and_each_site_have_a_device"),),
    "diagnostics": (
        offered("diagnostics", "async_get_config_entry_diagnostics"),
        shown_by("diagnostics::no_secret_is_given_away"),
    ),
    "docs-data-update": (heading_of("data-update", "when-something-fails"),),
    "docs-examples": (
        heading_of("your-first-automation", "in-the-user-interface", "in-yaml"),
        there_are_automations_to_copy,
    ),
    "docs-known-limitations": (heading_of("known-limitations"),),
    "docs-supported-devices": (heading_of("what-it-works-with"),),
    "docs-supported-functions": (heading_of("entities", "events", "actions"),),
    "docs-troubleshooting": (heading_of("troubleshooting"),),
    "docs-use-cases": (each_example_says_what_it_is_for,),
    "dynamic-devices": (
        shown_by(
            "entity::a_site_appears_with_the_dispatch_that_names_it",
            "entity::a_new_site_appears_within_six_hours",
        ),
    ),
    "entity-category": (what_is_not_about_a_dispatch_is_diagnostic,),
    "entity-device-class": (what_has_a_device_class_says_so,),
    "entity-translations": (
        every_entity_is_named_beside_its_device_by_a_translation,
        shown_by("strings::every_entity_has_a_name_and_an_icon"),
    ),
    "exception-translations": (
        every_exception_is_translated,
        shown_by("strings::every_exception_has_a_text_and_its_placeholders"),
    ),
    "icon-translations": (
        icons_stand_in_the_file_of_icons,
        shown_by("strings::every_entity_has_a_name_and_an_icon"),
    ),
    "reconfiguration-flow": (
        offered("config_flow", "async_step_reconfigure"),
        shown_by("config_flow::another_address_is_a_new_world"),
    ),
    "repair-issues": (
        offered("repairs", "async_create_fix_flow"),
        shown_by("strings::every_issue_has_a_text_and_its_placeholders"),
    ),
    "stale-devices": (
        offered("__init__", "async_remove_config_entry_device"),
        shown_by("entity::a_site_leaves_when_two_answers_six_hours_apart_lack_it"),
    ),
    # Platinum
    "async-dependency": (the_client_waits_for_nothing,),
    "inject-websession": (the_session_is_home_assistants,),
    "strict-typing": (types_are_checked_strictly,),
}
"""What shows that a rule is kept; a rule that is not here can only be exempt."""


def claim(rule: str) -> tuple[str, str]:
    """Return status and comment of a rule."""
    claimed = CLAIMS[rule]
    if isinstance(claimed, str):
        return claimed, ""
    return claimed["status"], claimed.get("comment", "")


def rules(status: str) -> list[str]:
    """Return the rules that are said to be done, to do or exempt."""
    return [rule for rule in CLAIMS if claim(rule)[0] == status]


def show(rule: str) -> None:
    """Raise AssertionError unless a rule is kept."""
    for check in EVIDENCE[rule]:
        check()


def is_kept(rule: str) -> bool:
    """Whether it is."""
    try:
        show(rule)
    except AssertionError:
        return False
    return True


def test_there_are_the_rules_that_home_assistant_has() -> None:
    assert CLAIMS.keys() == load_yaml_dict(str(CORES_OWN))["rules"].keys()
    assert len(CLAIMS) == 54


@pytest.mark.parametrize("rule", rules("done"))
def test_what_is_done_can_be_shown(rule: str) -> None:
    show(rule)


def test_what_is_to_do_says_what_is_missing_until_it_is_done() -> None:
    assert all(claim(rule)[1] for rule in rules("todo"))
    kept = [rule for rule in rules("todo") if is_kept(rule)]
    assert not kept, "call them done"


def test_only_what_nobody_could_show_is_exempt_and_says_why() -> None:
    assert set(rules("exempt")) == CLAIMS.keys() - EVIDENCE.keys()
    assert all(claim(rule)[1] for rule in rules("exempt"))


def test_no_rule_is_anything_else() -> None:
    assert {*rules("done"), *rules("todo"), *rules("exempt")} == CLAIMS.keys()


def test_the_readme_says_how_many_rules_are_kept_and_of_how_many() -> None:
    kept = f"keeps {len(rules('done'))} of the {len(CLAIMS)} rules"
    assert kept in README.read_text("utf-8")
    assert rules("todo") == ["dependency-transparency"]
    assert len(rules("exempt")) == 4
