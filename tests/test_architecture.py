"""The rooms of the code, and the one way in which imports go."""

import ast
from collections.abc import Iterator
from pathlib import Path
import sys

import pytest

ROOT = Path(__file__).parent.parent
INTEGRATION = "custom_components.voltus"
ROOM = "custom_components/voltus"
LIBRARY = f"{INTEGRATION}.aiovoltus"

LIBRARY_MAY_IMPORT = {
    "errors": set[str](),
    "models": {"errors"},
    "schedule": {"models"},
    "reconcile": {"models", "schedule"},
    "drills": {"models", "reconcile", "schedule"},
    "by_hand": {"drills", "models", "schedule"},
    "backoff": set[str](),
    "clock_skew": set[str](),
    "webhooks": {"errors", "models"},
    "telemetry": {"errors", "models"},
    "client": {"errors", "models", "telemetry", "webhooks"},
    "": {"errors", "models", "schedule", "client"},
}
"""What each module of the library may import of it; "" is the package itself."""

ROOMS_MAY_IMPORT = {
    "account": {"aiovoltus"},
    "announcing": {"account", "aiovoltus", "remembering"},
    "asking": {"account", "aiovoltus"},
    "certification": {"account", "aiovoltus", "coordinator"},
    "dashboard": set[str](),
    "loads": {"account", "aiovoltus", "remembering"},
    "metering": set[str](),
    "operating": {"aiovoltus", "announcing", "certification", "coordinator"},
    "remembering": {"aiovoltus", "certification"},
    "telemetry": {"account", "aiovoltus", "asking", "metering", "remembering"},
    "performance": {
        "account",
        "aiovoltus",
        "asking",
        "certification",
        "metering",
        "remembering",
        "telemetry",
    },
    "records": {
        "account",
        "aiovoltus",
        "announcing",
        "certification",
        "performance",
        "remembering",
    },
    "reporting": {"aiovoltus", "certification", "coordinator", "records"},
}
"""What the packages of the shell may import of the integration, but for its names."""
PURE = (
    "announcing.announcement",
    "certification.course",
    "certification.verdict",
    "loads.goals",
    "loads.load",
    "metering.baseline",
    "metering.intervals",
    "metering.load",
    "metering.performance",
    "performance.estimate",
    "records.page",
    "records.report",
    "records.season",
)
"""Modules of the shell that know nothing of Home Assistant."""

PLATFORMS = ("binary_sensor", "button", "sensor", "event", "calendar")
WINDOWS = (
    "condition",
    "diagnostics",
    "logbook",
    "repairs",
    "system_health",
    "trigger",
)
"""Through which Home Assistant looks at an account; nothing of ours stands on them."""
CLOCKS = {"now", "utcnow", "today"}


def trees(folder: str) -> dict[str, ast.Module]:
    """Return the source of every module below a folder, by its name."""
    paths = sorted((ROOT / folder).rglob("*.py"))
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(
            path.read_text(encoding="utf-8")
        )
        for path in paths
    }


def imports(name: str, tree: ast.Module) -> set[str]:
    """Return all that a module imports, wherever it does: modules and names in them."""
    return set(_imports(name.split("."), tree))


def _imports(name: list[str], tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = name[: len(name) - node.level] if node.level else []
            module = ".".join([*package, *filter(None, [node.module])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def lies_within(imported: str, package: str) -> bool:
    """Whether an import is of a package or of anything in it."""
    return imported == package or imported.startswith(f"{package}.")


INTEGRATION_TREES = trees("custom_components")
LIBRARY_TREES = {
    name.removeprefix(f"{LIBRARY}.").removesuffix("__init__"): (name, tree)
    for name, tree in INTEGRATION_TREES.items()
    if lies_within(name, LIBRARY)
}
SANDBOX_TREES = trees("sandbox")

every_library_module = pytest.mark.parametrize("module", LIBRARY_TREES)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import aiohttp.web", {"aiohttp.web"}),
        ("from aiohttp import web", {"aiohttp", "aiohttp.web"}),
        ("from . import b", {"p.q", "p.q.b"}),
        ("from .b import c", {"p.q.b", "p.q.b.c"}),
        ("from ..b import c", {"p.b", "p.b.c"}),
        ("def f():\n    import time", {"time"}),
        ("import_ = 'import time'", set()),
    ],
)
def test_imports_are_found_wherever_they_are(source: str, expected: set[str]) -> None:
    assert imports("p.q.a", ast.parse(source)) == expected


def test_all_rooms_are_there() -> None:
    assert set(LIBRARY_TREES) == set(LIBRARY_MAY_IMPORT)
    packages = {path.parent.name for path in (ROOT / ROOM).glob("*/__init__.py")}
    assert packages == {"aiovoltus", *ROOMS_MAY_IMPORT}
    assert {
        f"{INTEGRATION}.{name}"
        for name in (*PLATFORMS, *WINDOWS, "coordinator", "entity")
    } <= set(INTEGRATION_TREES)
    assert "sandbox.server" in SANDBOX_TREES


@pytest.mark.parametrize("room", ROOMS_MAY_IMPORT)
def test_between_the_rooms_of_the_shell_imports_go_one_way(room: str) -> None:
    imported = {
        name.removeprefix(f"{INTEGRATION}.").partition(".")[0]
        for module, tree in INTEGRATION_TREES.items()
        if lies_within(module, f"{INTEGRATION}.{room}")
        for name in imports(module, tree)
        if name.startswith(f"{INTEGRATION}.")
    }
    assert imported - {room, "const"} <= ROOMS_MAY_IMPORT[room]


@pytest.mark.parametrize("room", ROOMS_MAY_IMPORT)
def test_a_room_says_in_a_sentence_what_belongs_there(room: str) -> None:
    (says,) = INTEGRATION_TREES[f"{INTEGRATION}.{room}.__init__"].body
    assert isinstance(says, ast.Expr)
    assert ast.unparse(says).rstrip("\"'").endswith(".")


@pytest.mark.parametrize("module", PURE)
def test_what_is_decided_purely_knows_nothing_of_home_assistant(module: str) -> None:
    name = f"{INTEGRATION}.{module}"
    for imported in imports(name, INTEGRATION_TREES[name]):
        assert not lies_within(imported, "homeassistant")


@every_library_module
def test_the_library_knows_nothing_of_what_it_serves(module: str) -> None:
    for imported in imports(*LIBRARY_TREES[module]):
        assert not lies_within(imported, "homeassistant")
        assert not lies_within(imported, "sandbox")
        if lies_within(imported, "custom_components"):
            assert lies_within(imported, LIBRARY)


@every_library_module
def test_within_the_library_imports_go_one_way(module: str) -> None:
    imported = {
        name.removeprefix(f"{LIBRARY}.").partition(".")[0]
        for name in imports(*LIBRARY_TREES[module])
        if name.startswith(f"{LIBRARY}.")
    }
    assert imported & set(LIBRARY_MAY_IMPORT) <= LIBRARY_MAY_IMPORT[module]


@every_library_module
def test_only_the_client_speaks_http(module: str) -> None:
    foreign = {name.partition(".")[0] for name in imports(*LIBRARY_TREES[module])} - {
        *sys.stdlib_module_names,
        "custom_components",
    }
    allowed = {"aiohttp", "yarl"} if module == "client" else {"dateutil"}
    assert foreign <= allowed


@every_library_module
def test_the_library_reads_no_clock(module: str) -> None:
    name, tree = LIBRARY_TREES[module]
    assert not any(lies_within(imported, "time") for imported in imports(name, tree))
    read = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS
    }
    assert not read


def test_the_local_voltus_and_the_integration_share_nothing() -> None:
    for name, tree in SANDBOX_TREES.items():
        for imported in imports(name, tree):
            assert not lies_within(imported, "custom_components"), name
            assert not lies_within(imported, "homeassistant"), name
    for name, tree in INTEGRATION_TREES.items():
        for imported in imports(name, tree):
            assert not lies_within(imported, "sandbox"), name


@pytest.mark.parametrize(
    ("module", "never"),
    [
        ("coordinator", ("entity", *PLATFORMS, *WINDOWS)),
        ("entity", (*PLATFORMS, *WINDOWS)),
        *(
            (room, tuple(each for each in (*PLATFORMS, *WINDOWS) if each != room))
            for room in (*PLATFORMS, *WINDOWS)
        ),
        *((room, ("coordinator", "entity")) for room in ("condition", "trigger")),
    ],
)
def test_platforms_stand_on_entity_and_coordinator_and_nothing_on_platforms(
    module: str, never: tuple[str, ...]
) -> None:
    name = f"{INTEGRATION}.{module}"
    for imported in imports(name, INTEGRATION_TREES[name]):
        for other in never:
            assert not lies_within(imported, f"{INTEGRATION}.{other}")


def test_nothing_of_the_library_is_known_by_two_names() -> None:
    assert not [name for name in sys.modules if lies_within(name, "aiovoltus")]
