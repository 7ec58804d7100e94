"""What README and docs/ say holds: the YAML, the links, and what the tables list."""

from collections.abc import Iterator
import json
from pathlib import Path
import re

from homeassistant.components.automation.config import (
    AutomationConfig,
    ValidationStatus,
    async_validate_config_item,
)
from homeassistant.core import HomeAssistant, SupportsResponse
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import template
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict, parse_yaml
import pytest

from custom_components.voltus.account.options import DEFAULTS
from custom_components.voltus.aiovoltus.by_hand import OperatorAct
from custom_components.voltus.aiovoltus.models import Json, Snapshot
from custom_components.voltus.aiovoltus.schedule import (
    ChangeType,
    Policy,
    changes,
    look,
)
from custom_components.voltus.announcing.announcement import announcement
from custom_components.voltus.const import DOMAIN
from custom_components.voltus.event import ATTRIBUTES
from custom_components.voltus.loads.notices import EVENT_FAILED, EVENT_TAKEN_OVER
from custom_components.voltus.records.keeper import EVENT_EVALUATED

from .builders import NOON, at, dispatch, snapshot

ROOT = Path(__file__).parent.parent
INTEGRATION = ROOT / "custom_components" / "voltus"
README, EVENTS = ROOT / "README.md", ROOT / "docs" / "events.md"
TROUBLESHOOTING = ROOT / "docs" / "troubleshooting.md"
ACTIONS = ROOT / "docs" / "actions.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
PAGES = [README, CONTRIBUTING, *sorted((ROOT / "docs").glob("*.md"))]

CODE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ROW = re.compile(r"^\| (.+) \|$", re.MULTILINE)
NAME = re.compile(r"`(\w+)`")
OUR_ACTION = re.compile(rf"action: {DOMAIN}\.(\w+)\n +data:\n((?: +\w+: .+\n)+)")
OUR_ACTIONS = re.compile(rf"`({DOMAIN}\.\w+)`")
OFFERED = load_yaml_dict(str(INTEGRATION / "services.yaml"))
TEXTS = json.loads((INTEGRATION / "translations" / "en.json").read_bytes())


def prose(page: Path) -> str:
    """Return a page without its code."""
    return CODE.sub("", page.read_text(encoding="utf-8"))


def code(page: Path, language: str) -> list[str]:
    """Return the code of a page in a language, block by block."""
    blocks = CODE.findall(page.read_text(encoding="utf-8"))
    return [block for marked, block in blocks if marked == language]


def section(page: Path, heading: str) -> str:
    """Return the text between a heading and the next one."""
    _, found, rest = prose(page).partition(f"# {heading}\n")
    assert found, heading
    return re.split(r"^#", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(page: Path, heading: str) -> list[list[str]]:
    """Return the cells of the tables below a heading."""
    return [row.split(" | ") for row in ROW.findall(section(page, heading))]


def named(page: Path, heading: str, column: int = 0) -> set[str]:
    """Return the names of the integration in a column of the tables below a heading."""
    return {name for row in rows(page, heading) for name in NAME.findall(row[column])}


def anchors(page: Path) -> set[str]:
    """Return what GitHub makes of the headings of a page."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in HEADING.findall(prose(page))
    }


def announced() -> Iterator[tuple[ChangeType, dict[str, Json]]]:
    """Return one announcement of each type, with its data."""
    planned, shorter = dispatch(start=at(1)), dispatch(start=at(1), end=at(2))
    withdrawn = dispatch(start=at(1), withdrawn=True)
    story = [
        (Snapshot(), snapshot(planned), NOON),
        (snapshot(planned), snapshot(withdrawn), NOON),
        (snapshot(planned), snapshot(shorter), at(1)),
        (snapshot(shorter), snapshot(shorter), at(2)),
    ]
    for before, after, now in story:
        for change in changes(before, NOON, after, now):
            yield (
                change.type,
                announcement(
                    change,
                    look=look(after, Policy(), now),
                    now=now,
                    counts={},
                    entry_id="account",
                    device_ids={},
                    began=NOON,
                ),
            )


@pytest.mark.parametrize(
    "block", [*code(README, "yaml"), *code(ROOT / "docs" / "examples.md", "yaml")]
)
async def test_home_assistant_takes_every_automation(
    hass: HomeAssistant, block: str
) -> None:
    config = parse_yaml(block)
    assert isinstance(config, dict)
    assert {"alias", "triggers", "actions"} <= config.keys()

    validated = await async_validate_config_item(hass, "readme", config)

    assert isinstance(validated, AutomationConfig)
    assert validated.validation_status is ValidationStatus.OK


def test_every_action_of_ours_in_an_automation_has_the_fields_it_has() -> None:
    for name, data in OUR_ACTION.findall("".join(code(README, "yaml"))):
        fields, given = OFFERED[name]["fields"], parse_yaml(data)
        required = {field for field in fields if fields[field]["required"]}
        assert isinstance(given, dict)
        assert required <= given.keys() <= fields.keys()


async def test_every_action_is_shown_as_home_assistant_takes_it(
    hass: HomeAssistant, enable_custom_integrations: None
) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    registered = hass.services.async_services()[DOMAIN]
    shown = {}
    for block in code(ACTIONS, "yaml"):
        (step,) = cv.SCRIPT_SCHEMA([parse_yaml(block)])
        name = step["action"].removeprefix(f"{DOMAIN}.")
        schema = registered[name].schema
        assert schema
        assert schema(template.render_complex(step["data"])) is not None
        shown[name] = "response_variable" in step
    assert shown == {
        name: service.supports_response is not SupportsResponse.NONE
        for name, service in registered.items()
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    for path, anchor in LINK.findall(prose(page)):
        target = page.parent / path if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


def test_every_file_that_contributors_are_sent_to_is_there() -> None:
    named = re.findall(r"`([\w./]+(?:/|\.\w+))`", prose(CONTRIBUTING))
    rooms = (ROOT, INTEGRATION, INTEGRATION / "aiovoltus")
    assert len(named) > 20
    assert not [name for name in named if not any((r / name).exists() for r in rooms)]


def test_all_entities_are_listed() -> None:
    keys = {key for entities in TEXTS["entity"].values() for key in entities}
    # The account's `curtail` has a name of its own, but no other key.
    assert named(README, "Entities", 2) == keys - {"any_site_curtailing"}


def test_all_options_are_listed_with_their_defaults() -> None:
    written = {"off": False, "on": True, "none": [], "empty": ""}
    assert {
        key.strip("`"): written[default] if default in written else int(default)
        for _, key, default, *_ in rows(README, "Options")
        if key.startswith("`")
    } == DEFAULTS


def test_all_actions_are_listed() -> None:
    listed = {f"{DOMAIN}.{name}" for name in OFFERED}
    assert {action.strip("`") for action, _ in rows(README, "Actions")[1:]} == listed
    assert set(OUR_ACTIONS.findall(section(ACTIONS, "Actions"))) == listed


@pytest.mark.parametrize("action", OFFERED)
def test_every_field_of_an_action_is_listed(action: str) -> None:
    heading = TEXTS["services"][action]["name"]
    assert f"`{DOMAIN}.{action}`" in section(ACTIONS, heading)
    listed = {
        field.strip("`"): required
        for field, required, *_ in rows(ACTIONS, heading)
        if field.startswith("`") and required in ("yes", "no")
    }
    assert listed == {
        field: "yes" if offered["required"] else "no"
        for field, offered in OFFERED[action]["fields"].items()
    }


@pytest.mark.parametrize("page", [README, EVENTS], ids=lambda page: page.name)
def test_all_events_are_listed(page: Path) -> None:
    kinds = (*ChangeType, *OperatorAct)
    assert named(page, "Events") == {
        *(f"{DOMAIN}_dispatch_{kind}" for kind in kinds),
        EVENT_EVALUATED,
        EVENT_FAILED,
        EVENT_TAKEN_OVER,
    }


def test_all_repair_notices_are_listed() -> None:
    listed = [title for title, _ in rows(TROUBLESHOOTING, "Notices")[1:]]
    titles = {issue["title"] for issue in TEXTS["issues"].values()}
    assert sorted(listed) == sorted(titles)


def test_all_fields_of_events_are_listed() -> None:
    told = dict(announced())
    assert told.keys() == set(ChangeType)
    assert named(EVENTS, "Fields") == set[str]().union(*told.values())


def test_the_fields_within_fields_are_named() -> None:
    started = dict(announced())[ChangeType.STARTED]
    assert isinstance(started["sites"], list)
    for inner in (started["sites"][0], started["program"]):
        assert isinstance(inner, dict)
        assert inner.keys() <= named(EVENTS, "Fields", 1)


def test_the_attributes_of_the_event_entity_are_named() -> None:
    assert {*ATTRIBUTES, "event_type"} <= set(NAME.findall(section(EVENTS, "Fields")))


def test_the_example_of_an_event_has_all_its_fields() -> None:
    (example,) = code(EVENTS, "json")
    assert json.loads(example).keys() == dict(announced())[ChangeType.STARTED].keys()
