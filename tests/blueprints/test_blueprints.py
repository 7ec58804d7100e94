"""What holds for every blueprint: it can be imported, and explains itself."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from homeassistant.components.automation.config import AUTOMATION_BLUEPRINT_SCHEMA
from homeassistant.components.blueprint import importer
from homeassistant.components.blueprint.models import Blueprint
from homeassistant.core import HomeAssistant
from homeassistant.util.yaml import load_yaml_dict
import pytest
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker

from .conftest import BLUEPRINTS

ROOT = BLUEPRINTS.parent
FLOOR = "2026.8.0"
REQUIRED = {"shed_loads": {"curtail", "loads"}, "notify": set[str]()}

PAGES = sorted(BLUEPRINTS.rglob("*.yaml"))
each = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def url(page: Path, host: str, folder: str) -> str:
    """Return where GitHub has it."""
    path = page.relative_to(ROOT).as_posix()
    return f"https://{host}/voltus-ha/voltus/{folder}main/{path}"


def inputs(section: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return all inputs and sections, by name."""
    for name, each in section.items():
        yield name, each
        yield from inputs(each.get("input", {}))


@each
async def test_it_can_be_imported_from_its_address(
    hass: HomeAssistant, aioclient_mock: AiohttpClientMocker, page: Path
) -> None:
    raw = url(page, "raw.githubusercontent.com", "")
    aioclient_mock.get(raw, text=page.read_text("utf-8"))  # type: ignore[no-untyped-call]  # the harness has no types here
    address = url(page, "github.com", "blob/")
    imported = await importer.fetch_blueprint_from_url(hass, address)
    assert imported.suggested_filename == f"voltus-ha/{page.stem}"
    assert imported.blueprint.domain == "automation"
    assert imported.blueprint.metadata["source_url"] == address
    assert imported.blueprint.validate() is None


@each
def test_it_asks_for_the_oldest_home_assistant_that_we_support(page: Path) -> None:
    blueprint = Blueprint(load_yaml_dict(str(page)), schema=AUTOMATION_BLUEPRINT_SCHEMA)
    assert blueprint.metadata["homeassistant"]["min_version"] == FLOOR


@each
def test_every_input_is_explained_and_few_are_required(page: Path) -> None:
    required = set()
    for name, entry in inputs(load_yaml_dict(str(page))["blueprint"]["input"]):
        assert entry["name"], name
        assert entry["description"], name
        if "input" not in entry and "default" not in entry:
            required.add(name)
    assert required == REQUIRED[page.stem]


def test_the_readme_has_a_button_for_each() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for page in PAGES:
        address = url(page, "github.com", "blob/")
        quoted = address.replace(":", "%3A").replace("/", "%2F")
        assert f"blueprint_import/?blueprint_url={quoted})" in readme
