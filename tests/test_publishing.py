"""What is published is whole, by the rules of those who hand it on, and names no one.

hassfest and the action of HACS check the same and more, in CI.
"""

import ast
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from importlib.metadata import version
import json
import os
from pathlib import Path
import re
import subprocess
import tomllib
from typing import Any

from homeassistant.components.automation.config import AUTOMATION_BLUEPRINT_SCHEMA
from homeassistant.components.blueprint import Blueprint
from homeassistant.const import Platform, __version__
from homeassistant.util.yaml import load_yaml, load_yaml_dict
import pytest
import voluptuous as vol

from custom_components.voltus.const import DOMAIN
from scripts.release_notes import notes

from . import hassfest

ROOT = Path(__file__).parent.parent
ROOM = ROOT / "custom_components" / DOMAIN
CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
IGNORED = {
    line.strip("/")
    for line in (ROOT / ".gitignore").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
}

HACS_KNOWS = {
    "content_in_root",
    "country",
    "filename",
    "hide_default_branch",
    "homeassistant",
    "name",
    "persistent_directory",
    "render_readme",
    "zip_release",
}
LARGEST = 1024 * 1024
REGISTRIES = (
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("npmjs", "org"),
    ("npmjs", "com"),
    ("yarnpkg", "com"),
    ("jsdelivr", "net"),
    ("unpkg", "com"),
    ("anaconda", "org"),
    ("crates", "io"),
    ("golang", "org"),
    ("rubygems", "org"),
    ("docker", "io"),
    ("docker", "com"),
    ("ghcr", "io"),
    ("quay", "io"),
    ("debian", "org"),
    ("ubuntu", "com"),
)
"""In pieces, or this file would name them itself."""
SOMEBODYS_FOLDER = re.compile(rb"(?<![\w.-])/(?:work|root|home|Users)/\w|\b[A-Z]:\\\w")


def files(suffix: str = "") -> Iterator[Path]:
    """Return all that is published and ends like this."""
    for folder, subfolders, names in ROOT.walk():
        ignored = {
            name
            for name in (*subfolders, *names)
            if name == ".git" or any(fnmatch(name, each) for each in IGNORED)
        } | {".venv", ".tools"}
        subfolders[:] = [name for name in subfolders if name not in ignored]
        yield from (
            folder / name
            for name in names
            if name not in ignored and name.endswith(suffix)
        )


def ids(path: Any) -> str:
    """Name a case after its file."""
    return str(path.relative_to(ROOT)) if isinstance(path, Path) else ""


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object, none of whose keys stands there twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs), [key for key, _ in pairs]
        return dict(pairs)

    content = json.loads(path.read_text("utf-8"), object_pairs_hook=once)
    assert isinstance(content, dict)
    return content


MANIFEST, HACS = read_json(ROOM / "manifest.json"), read_json(ROOT / "hacs.json")


def offered(file: str) -> dict[str, dict[str, Any]]:
    """Return what a file describes, without its anchors."""
    path = ROOM / file
    described = load_yaml_dict(str(path)) if path.exists() else {}
    return {
        key: each or {} for key, each in described.items() if not key.startswith(".")
    }


def imported_components(path: Path) -> set[str]:
    """Return the components of Home Assistant that a file needs when it runs."""
    found = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            module = node.module.split(".")
            if module[:2] == ["homeassistant", "components"]:
                found |= {*module[2:3]} or {each.name for each in node.names}
    return found


def png_size(path: Path) -> tuple[int, int]:
    """Return width and height of a PNG image, by its header."""
    header = path.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(header[16:20]), int.from_bytes(header[20:24])


def selectors(value: Any) -> Iterator[str]:
    """Return the translation keys of all selectors in a description."""
    if isinstance(value, Mapping):
        if isinstance(select := value.get("select"), Mapping):
            yield from filter(None, [select.get("translation_key")])
        for each in value.values():
            yield from selectors(each)


# What users install


def test_there_is_one_integration_and_it_is_in_its_folder() -> None:
    folders = {path.parent for path in files("manifest.json")}
    assert folders == {ROOM}
    assert MANIFEST["domain"] == ROOM.name


def test_the_manifest_is_as_home_assistant_wants_it() -> None:
    hassfest.MANIFEST(MANIFEST)


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("documentation", "https://www.home-assistant.io/integrations/voltus"),
        ("documentation", "http://example.com"),
        ("codeowners", []),
        ("codeowners", ["somebody"]),
        ("iot_class", "cloud"),
        ("integration_type", "cloud"),
        ("quality_scale", "platinum"),
        ("issue_tracker", None),
    ],
)
def test_what_is_wrong_in_a_manifest_is_found(key: str, wrong: Any) -> None:
    with pytest.raises(vol.Invalid):
        hassfest.MANIFEST({**MANIFEST, key: wrong})


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=ids)
def test_a_component_that_is_imported_is_declared(path: Path) -> None:
    declared = {
        *MANIFEST.get("dependencies", ()),
        *MANIFEST.get("after_dependencies", ()),
    }
    own = {each.stem for each in ROOM.glob("*.py")}
    allowed = hassfest.MAY_BE_IMPORTED | {platform.value for platform in Platform}
    assert imported_components(path) <= declared | own | allowed


@pytest.mark.parametrize("path", sorted(ROOM.glob("translations/*.json")), ids=ids)
def test_texts_stand_where_home_assistant_looks_for_them(path: Path) -> None:
    hassfest.TRANSLATIONS(read_json(path))


def test_icons_stand_where_home_assistant_looks_for_them() -> None:
    hassfest.ICONS(read_json(ROOM / "icons.json"))


@pytest.mark.parametrize(
    ("file", "module", "schema"),
    [
        ("services.yaml", "services.py", hassfest.SERVICES),
        ("triggers.yaml", "trigger.py", hassfest.TRIGGERS),
        ("conditions.yaml", "condition.py", hassfest.CONDITIONS),
    ],
)
def test_what_the_editor_offers_is_described_and_named(
    file: str, module: str, schema: vol.Schema
) -> None:
    described, kind = ROOM / file, file.removesuffix(".yaml")
    assert described.exists() is (ROOM / module).exists()
    if described.exists():
        schema(load_yaml_dict(str(described)))
    texts = read_json(ROOM / "translations" / "en.json")
    icons = read_json(ROOM / "icons.json")
    assert offered(file).keys() == texts.get(kind, {}).keys()
    assert offered(file).keys() == icons.get(kind, {}).keys()
    for name, each in offered(file).items():
        fields = texts[kind][name].get("fields", {})
        assert each.get("fields", {}).keys() == fields.keys()
        assert set(selectors(each)) <= texts["selector"].keys()


@pytest.mark.parametrize(
    "wrong",
    [
        {"x": {"fields": {"y": {"selector": {"no_such_selector": {}}}}}},
        {"x": {"fields": {"y": {"requiered": True}}}},
        {"x": {"name": "Belongs into the translations"}},
        {"X y": None},
    ],
)
def test_what_is_wrong_in_a_description_is_found(wrong: dict[str, Any]) -> None:
    for schema in (hassfest.SERVICES, hassfest.TRIGGERS):
        with pytest.raises(vol.Invalid):
            schema(wrong)


@pytest.mark.parametrize(("image", "side"), [("icon.png", 256), ("icon@2x.png", 512)])
def test_brand_images_are_of_the_size_that_is_shown(image: str, side: int) -> None:
    assert png_size(ROOM / "brand" / image) == (side, side)


@pytest.mark.parametrize("path", sorted(ROOT.glob("blueprints/*/*/*.yaml")), ids=ids)
def test_a_blueprint_is_one_that_home_assistant_takes(path: Path) -> None:
    blueprint = Blueprint(
        load_yaml_dict(str(path)),
        path=path.name,
        expected_domain=path.parts[-3],
        schema=AUTOMATION_BLUEPRINT_SCHEMA,
    )
    assert blueprint.validate() is None
    source = f"{MANIFEST['documentation']}/blob/main/{path.relative_to(ROOT)}"
    assert blueprint.metadata["source_url"] == source
    assert blueprint.metadata["homeassistant"]["min_version"] == HACS["homeassistant"]
    assert path.parts[-2] == DOMAIN
    for each in blueprint.inputs.values():
        assert each["name"]
        assert each["description"]
        assert each["selector"]


# How it is handed on


def test_hacs_and_the_marketplace_understand_their_file() -> None:
    assert HACS.keys() <= HACS_KNOWS
    assert HACS["name"] == MANIFEST["name"]


def test_the_oldest_home_assistant_is_the_one_that_is_tested() -> None:
    harness = "pytest-homeassistant-custom-component"
    oldest = f"{harness}=={version(harness)}" in PROJECT["dependency-groups"]["floor"]
    assert (HACS["homeassistant"] == __version__) is oldest


def test_there_is_one_version() -> None:
    newest = re.search(r"^## \[(.+?)\]", CHANGELOG, re.MULTILINE)
    assert newest
    assert MANIFEST["version"] == PROJECT["project"]["version"] == newest[1]


@pytest.mark.parametrize(
    ("tag", "heading", "wrong"),
    [
        ("v1.2.4", "[1.2.3] - 2026-11-25", "is not the version of the manifest"),
        ("1.2.3", "[1.2.3] - 2026-11-25", "is not the version of the manifest"),
        ("v1.2.3", "[1.2.2] - 2026-11-25", "does not begin with 1.2.3"),
        ("v1.2.3", "[1.2.3] - unreleased", "has no date"),
    ],
)
def test_what_is_not_ready_is_not_released(tag: str, heading: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        notes(tag, "1.2.3", f"# Changelog\n\n## {heading}\n\n- News\n")


def test_a_release_says_what_is_new_in_it_and_nothing_older() -> None:
    changelog = (
        "# Changelog\n\n## [1.2.3] - 2026-11-25\n\n### Added\n- [News](x)\n\n"
        "## [1.2.2] - 2026-11-24\n\n- Old\n\n[1.2.3]: https://example.com\n"
    )
    assert notes("v1.2.3", "1.2.3", changelog) == "### Added\n- [News](x)"


def test_the_changelog_can_be_released() -> None:
    today = CHANGELOG.replace("] - unreleased", "] - 2026-11-25")
    said = notes(f"v{MANIFEST['version']}", MANIFEST["version"], today)
    assert "### Added" in said
    assert "]: " not in said


def test_the_licence_is_an_open_one() -> None:
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License\n")
    assert PROJECT["project"]["license"] == "MIT"


@pytest.mark.parametrize("path", sorted(ROOT.glob(".github/workflows/*.yml")), ids=ids)
def test_a_workflow_may_nothing_by_default_and_pins_what_it_uses(path: Path) -> None:
    workflow = load_yaml_dict(str(path))
    assert workflow["permissions"] == {}
    used = re.findall(r"uses: (.+)", path.read_text("utf-8"))
    assert used
    for action in used:
        # What a tag means can be changed by whoever owns it; a hash is what was read.
        pinned = re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # .+", action)
        assert pinned or action.startswith("./"), action


@pytest.mark.parametrize(
    ("tag", "early"),
    [
        ("v1.0.0", False),
        ("v1.0.0b1", True),
        ("v1.0.0rc2", True),
        ("v1.0.0-beta.1", True),
        ("v1.0.0.dev3", True),
    ],
)
def test_a_tag_that_is_no_plain_version_is_released_before_its_time(
    tag: str, early: bool, tmp_path: Path
) -> None:
    workflow = load_yaml_dict(str(ROOT / ".github" / "workflows" / "release.yml"))
    *_, publish = workflow["jobs"]["release"]["steps"]
    gh = tmp_path / "gh"
    gh.write_text('#!/bin/sh\necho "$@"\n')
    gh.chmod(0o755)
    called = subprocess.run(
        # As GitHub runs it
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", publish["run"]],
        env={
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_REF_NAME": tag,
            "RUNNER_TEMP": "temp",
        },
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert called.startswith(f"release create {tag} ")
    assert ("--prerelease" in called.split()) is early


@pytest.mark.parametrize(
    "path",
    sorted(
        path
        for path in ROOT.glob(".github/ISSUE_TEMPLATE/*.yml")
        if path.stem != "config"
    ),
    ids=ids,
)
def test_an_issue_form_is_one_that_github_takes(path: Path) -> None:
    form = load_yaml_dict(str(path))
    assert form.keys() <= {"name", "description", "title", "labels", "body"}
    assert form["name"]
    assert form["description"]
    asked = [each for each in form["body"] if each["type"] != "markdown"]
    assert len({each["id"] for each in asked}) == len(asked) > 0
    for each in form["body"]:
        assert each["type"] in {"markdown", "input", "textarea", "dropdown"}
        assert each["attributes"]["value" if each not in asked else "label"]


# Every file


@pytest.mark.parametrize("path", sorted(files(".json")), ids=ids)
def test_no_key_stands_twice_in_json(path: Path) -> None:
    read_json(path)


@pytest.mark.parametrize("path", sorted({*files(".yaml"), *files(".yml")}), ids=ids)
def test_yaml_can_be_read_and_no_key_stands_twice_in_it(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in re.findall(r"!env_var (\w+)", path.read_text("utf-8")):
        monkeypatch.setenv(variable, "set")
    assert load_yaml(str(path)) is not None
    assert not caplog.messages


def test_no_file_is_larger_than_anybody_would_expect() -> None:
    large = [ids(path) for path in files() if path.stat().st_size > LARGEST]
    assert not large


def test_no_file_names_a_host_that_packages_come_from() -> None:
    hosts = re.compile(
        "|".join(rf"\b{name}\.{ending}\b" for name, ending in REGISTRIES).encode()
    )
    naming = [ids(path) for path in files() if hosts.search(path.read_bytes())]
    assert not naming


def test_no_file_holds_a_folder_of_somebodys_machine() -> None:
    holding = [
        ids(path) for path in files() if SOMEBODYS_FOLDER.search(path.read_bytes())
    ]
    assert not holding


def test_all_of_it_was_looked_at() -> None:
    seen = {ids(path) for path in files()}
    assert {"README.md", ".gitignore", "scripts/test", ".ci/run"} <= seen
    assert {"custom_components/voltus/brand/icon.png", ".github/dependabot.yml"} <= seen
    assert not [path for path in seen if path.startswith((".venv", ".tools", ".git/"))]
