"""What is kept on disk, and what a damaged disk does."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import timedelta
import json
import os
from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers.json import json_bytes
from homeassistant.helpers.storage import STORAGE_DIR
import pytest

from custom_components.voltus.aiovoltus.by_hand import Acknowledgement, ByHand, OptOut
from custom_components.voltus.aiovoltus.models import (
    Json,
    Meter,
    Site,
    Snapshot,
    Trace,
)
from custom_components.voltus.aiovoltus.reconcile import KnownSites
from custom_components.voltus.remembering.encoding import dispatch_as_json
from custom_components.voltus.remembering.files import UNREADABLE, async_files
from custom_components.voltus.remembering.log import (
    LOG_KEEPS,
    LOG_ROWS,
    Log,
    Unlogged,
    _log_content,
)
from custom_components.voltus.remembering.memory import (
    Memory,
    MemoryStore,
    Told,
    _memory,
    _memory_json,
)
from tests.builders import NOON, at, dispatch

from .real_disk import hass_config_dir, hass_storage  # noqa: F401  fixtures

ORIGIN = "http://127.0.0.1:8930"
KNOWN = Snapshot(
    {
        "d1": dispatch("d1", metadata={"a": [1, None]}),
        "d2": dispatch("d2", end=None, withdrawn=True, program=None),
    },
    Trace(7, at(1)),
    {"d2": Trace(5, at(-3), first_missing=at(-2), gone=True)},
)
MEMORY = Memory(
    ORIGIN,
    known=KNOWN,
    told=Told(
        Snapshot({"d1": dispatch("d1", test=True)}, Trace(3, NOON)),
        at(-1),
        {"d1": {"created": 1, "updated": 2}},
        frozenset({"s1"}),
    ),
    known_sites=KnownSites(
        {"s1": Site("s1", "Site", "", ())},
        {"s1": at(-60)},
        answered=True,
        new=frozenset({"s1"}),
        departed=frozenset({"s9"}),
    ),
    by_hand=ByHand(
        opt_outs={("d1", "s1"): OptOut(NOON, "warm", "ana")},
        acknowledgements={
            ("d1", "s1"): Acknowledgement(NOON, at(-5), at(5), 7.5, "seen", "ana"),
        },
        drills=(replace(dispatch("drill-1", received=at(-9)), drill=True),),
    ),
)


@pytest.fixture
def disk(hass: HomeAssistant) -> Path:
    """Return the folder in which Home Assistant keeps what is stored."""
    return Path(hass.config.path(STORAGE_DIR))


async def test_memory_is_read_back_as_it_was_written(
    hass: HomeAssistant, disk: Path
) -> None:
    await MemoryStore(hass, "account").async_save(MEMORY)
    memory = await MemoryStore(hass, "account").async_load(ORIGIN)
    assert memory == MEMORY
    assert memory.known.listed == KNOWN.listed
    assert memory.known.traces == KNOWN.traces
    received = [d.received for d in memory.known.dispatches.values()]
    assert received == [d.received for d in KNOWN.dispatches.values()]


async def test_of_what_is_kept_age_and_size_can_be_told(
    hass: HomeAssistant, disk: Path
) -> None:
    await MemoryStore(hass, "account").async_save(MEMORY)
    file = disk / "voltus.account"
    os.utime(file, (NOON.timestamp(), NOON.timestamp()))
    assert await async_files(hass, "account") == {
        "voltus.account": {"saved": NOON.isoformat(), "bytes": file.stat().st_size},
        "voltus.account.log": None,
        "voltus.account.telemetry": None,
        "voltus.account.load": None,
        "voltus.account.records": None,
    }


async def test_nothing_is_new_that_is_no_site(hass: HomeAssistant, disk: Path) -> None:
    known_sites = replace(MEMORY.known_sites, new=frozenset({"s1", "gone"}))
    await MemoryStore(hass, "account").async_save(
        replace(MEMORY, known_sites=known_sites)
    )
    assert await MemoryStore(hass, "account").async_load(ORIGIN) == MEMORY


async def test_another_origin_is_a_new_world(hass: HomeAssistant, disk: Path) -> None:
    await MemoryStore(hass, "account").async_save(MEMORY)
    assert (
        await MemoryStore(hass, "account").async_load("https://other.example") is None
    )


def _cut(text: str) -> str:
    return text[: len(text) // 2]


def _edited(**changes: object) -> Callable[[str], str]:
    return lambda text: json.dumps(json.loads(text) | changes)


def _inner(*path: str, **changes: object) -> Callable[[str], str]:
    def edit(text: str) -> str:
        content = json.loads(text)
        part = content["data"]
        for name in path:
            part = part[name]
        part |= changes
        return json.dumps(content)

    return edit


DAMAGES: dict[str, Callable[[str], str]] = {
    "a list": lambda _: "[1]",
    "null": lambda _: "null",
    "no version": lambda _: '{"key": "voltus.account", "data": {}}',
    "no data": lambda _: '{"version": 1, "minor_version": 1, "key": "voltus.account"}',
    "a newer version": _edited(version=2),
    "an older version": _edited(version=0),
    "data of another shape": _edited(data=[]),
    "a part missing": _inner(known={}),
    "a dispatch without an id": _inner(
        known={"dispatches": [{"wire": {}, "received": "2026-07-15T12:00:00Z"}]}
    ),
    "a dispatch without a trace": _inner(
        known={
            "dispatches": [
                {
                    "wire": dispatch("d1").as_wire(),
                    "received": "2026-07-15T12:00:00+00:00",
                    "withdrawn": False,
                }
            ],
            "listed": None,
            "traces": {},
        }
    ),
    "a time without a zone": _inner(absent_since={"s1": "2026-07-15T12:00:00"}),
    "no time of what was told": _inner("told", at=None),
    "no count of what was told": _inner("told", tellings={"d1": 1}),
    "a site whose id is true": _inner(
        sites=[{"id": True, "name": "S", "customer_location_id": "", "meters": []}]
    ),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
async def test_a_damaged_or_newer_store_is_set_aside_with_one_warning(
    hass: HomeAssistant,
    disk: Path,
    damage: Callable[[str], str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    await MemoryStore(hass, "account").async_save(MEMORY)
    file = disk / "voltus.account"
    damaged = damage(file.read_text())
    file.write_text(damaged)

    assert await MemoryStore(hass, "account").async_load(ORIGIN) is None
    warnings = [r for r in caplog.records if r.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "voltus.account.set-aside" in warnings[0].getMessage()
    assert (disk / "voltus.account.set-aside").read_text() == damaged

    await MemoryStore(hass, "account").async_save(MEMORY)
    assert await MemoryStore(hass, "account").async_load(ORIGIN) == MEMORY


@pytest.mark.parametrize("damage", [_cut, lambda _: ""], ids=["cut", "empty"])
async def test_a_store_that_is_no_json_begins_anew(
    hass: HomeAssistant, disk: Path, damage: Callable[[str], str]
) -> None:
    await MemoryStore(hass, "account").async_save(MEMORY)
    file = disk / "voltus.account"
    file.write_text(damage(file.read_text()))
    assert await MemoryStore(hass, "account").async_load(ORIGIN) is None
    assert list(disk.glob("voltus.account.corrupt.*"))


def _row(kind: str, minutes: float, dispatch_id: str = "d1") -> dict[str, Json]:
    return {
        "announced": at(minutes).isoformat(),
        "type": kind,
        "dispatch_id": dispatch_id,
    }


async def test_the_log_folds_repeated_updates_of_one_dispatch(
    hass: HomeAssistant, disk: Path
) -> None:
    log = Log(hass, "account")
    await log.async_load(ORIGIN)
    rows = [
        _row("created", 0),
        _row("updated", 1),
        _row("updated", 2),
        _row("updated", 3),
        _row("updated", 3, "d2"),
        _row("started", 4),
    ]
    for row in rows:
        log.async_add(row, at(4))
    assert [(r["type"], r["dispatch_id"], r.get("count")) for r in log.rows] == [
        ("created", "d1", None),
        ("updated", "d1", 3),
        ("updated", "d2", None),
        ("started", "d1", None),
    ]
    assert log.rows[1]["announced"] == at(3).isoformat()

    await log.async_save()
    again = Log(hass, "account")
    await again.async_load(ORIGIN)
    assert again.rows == log.rows


async def test_the_log_keeps_ninety_days_and_two_thousand_rows(
    hass: HomeAssistant, disk: Path
) -> None:
    log = Log(hass, "account")
    await log.async_load(ORIGIN)
    log.async_add(_row("created", 0, "old"), NOON)
    log.async_note_over([dispatch("old")], NOON)
    late = NOON + LOG_KEEPS + timedelta(days=1)
    for index in range(LOG_ROWS + 5):
        log.async_add(
            {**_row("created", 0, f"d{index}"), "announced": late.isoformat()}, late
        )
    log.async_note_over(
        [dispatch("new", late, late + timedelta(hours=1), received=late)], late
    )
    assert len(log.rows) == LOG_ROWS
    assert log.rows[0]["dispatch_id"] == "d5"
    assert list(log.past) == ["new"]
    await log.async_save()


async def test_the_log_of_another_origin_is_forgotten(
    hass: HomeAssistant, disk: Path
) -> None:
    log = Log(hass, "account")
    await log.async_load(ORIGIN)
    log.async_add(_row("created", 0), NOON)
    log.async_note_over([dispatch("d1")], NOON)
    await log.async_save()
    other = Log(hass, "account")
    await other.async_load("https://other.example")
    assert (other.rows, other.past) == ([], {})


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"type": 5},
        {"type": "curtailment_started", "sites": ["s1"]},
        {"type": "curtailment_ended", "sites": 1, "dispatch_ids": []},
        {"type": "scenario", "scenario": "basic", "sites": ["s1"]},
    ],
)
async def test_a_damaged_log_is_set_aside(
    hass: HomeAssistant, disk: Path, row: dict[str, Json]
) -> None:
    log = Log(hass, "account")
    await log.async_load(ORIGIN)
    log.async_add(_row("created", 0), NOON)
    await log.async_save()
    file = disk / "voltus.account.log"
    content = json.loads(file.read_text())
    content["data"]["rows"] = [{"announced": "2026-07-15T12:00:00Z", **row}]
    file.write_text(json.dumps(content))
    again = Log(hass, "account")
    await again.async_load(ORIGIN)
    assert again.rows == []
    assert (disk / "voltus.account.log.set-aside").exists()


def _leaves(content: Any) -> Iterator[tuple[Any, Any]]:
    """Return of each value in the content where it is: in what, and by which key.

    A dispatch is read field by field and forgives, so it is left out.
    """
    items = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in items:
        if key != "wire":
            yield content, key
            if isinstance(value, dict | list):
                yield from _leaves(value)


def _assert_every_field_has_its_type(
    content: Any, read: Callable[[Any], object], nullable: Collection[str]
) -> None:
    read(content)
    for part, key in list(_leaves(content)):
        before = part[key]
        numbers = isinstance(before, int | float) and not isinstance(before, bool)
        for other in (True, 7, "x", None, ["x"], {"x": 7}):
            if type(other) is type(before) or (numbers and other == 7):
                continue
            if other is None and key in nullable:
                continue
            part[key] = other
            with pytest.raises(UNREADABLE):
                raise AssertionError(f"{key} was read from {other}: {read(content)}")
        part[key] = before
    read(content)


def test_every_field_of_the_memory_is_read_by_its_type() -> None:
    row = {**_row("started", 0), "test": False}
    memory = replace(
        MEMORY,
        known_sites=replace(
            MEMORY.known_sites,
            sites={"s1": Site("s1", "Site", "", (Meter("m1", "Meter", "load"),))},
        ),
        unlogged=Unlogged(7, (row,)),
    )
    content = json.loads(json_bytes(_memory_json(memory, dispatch_as_json)))
    nullable = (
        *("listed", "first_missing", "told", "unlogged", "by_hand"),
        *("user_id", "end_time", "commitment"),
    )
    _assert_every_field_has_its_type(content, _memory, nullable)


def test_every_field_of_the_log_is_read_by_its_type() -> None:
    rows: list[Json] = [
        {
            **_row("started", 0),
            "received": NOON.isoformat(),
            "moment": NOON.isoformat(),
            "change_id": "abc",
            "status": "active",
            "test": False,
            "actionable": True,
            "start_time": NOON.isoformat(),
            "end_time": at(60).isoformat(),
            "late_seconds": 0.5,
            "delay_seconds": 0,
            "count": 2,
        },
        {
            "announced": NOON.isoformat(),
            "type": "curtailment_started",
            "sites": ["s1"],
            "dispatch_ids": ["d1"],
        },
        {
            "announced": NOON.isoformat(),
            "type": "opted_out",
            "dispatch_id": "d1",
            "test": False,
            "reason": "warm",
            "note": "seen",
            "after_seconds": 0.5,
            "user_id": "ana",
            "sites": ["s1"],
        },
    ]
    content = {
        "origin": ORIGIN,
        "rows": rows,
        "past": [dispatch_as_json(dispatch("d1"))],
        "added": 5,
    }
    times = ("moment", "start_time", "end_time", "late_seconds", "delay_seconds")
    nullable = (*times, "user_id")
    _assert_every_field_has_its_type(content, _log_content, nullable)
