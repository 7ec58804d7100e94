"""What reaches the disk when, what the disk refuses, and what a crash leaves."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
import json
from pathlib import Path
import shutil
from threading import current_thread, main_thread
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.storage import STORAGE_DIR
import pytest

from custom_components.voltus.aiovoltus.client import VoltusClient
from custom_components.voltus.aiovoltus.models import Json
from custom_components.voltus.const import DOMAIN
from custom_components.voltus.remembering.files import (
    CheckedStore,
    NotReadError,
    NotWrittenError,
    async_load_or_set_aside,
)
from custom_components.voltus.remembering.log import LOG_ROWS
from sandbox.faults import Faults
from tests.builders import NOON, at, wire_dispatch

from .harness import Harness
from .real_disk import hass_config_dir, hass_storage  # noqa: F401  fixtures

MEMORY = "voltus.account"
LOG = "voltus.account.log"
TICK = 0.5


@pytest.fixture
def disk(hass: HomeAssistant) -> Path:
    """Return the folder in which Home Assistant keeps what is stored."""
    return Path(hass.config.path(STORAGE_DIR))


@contextmanager
def in_the_way(file: Path) -> Iterator[None]:
    """Have the disk neither give nor take a file, as root's too would not.

    Where it was is a folder, which can be neither read nor replaced.
    """
    aside = file.with_name(f"{file.name}.aside")
    if file.exists():
        file.rename(aside)
    (file / "full").mkdir(parents=True)
    yield
    shutil.rmtree(file)
    if aside.exists():
        aside.rename(file)


@contextmanager
def refusal(
    reason: str, kind: type[HomeAssistantError] = NotWrittenError
) -> Iterator[None]:
    """Expect an error that names the file and this reason."""
    with pytest.raises(kind) as raised:
        yield
    assert raised.value.translation_placeholders == {
        "file": "voltus.shed",
        "reason": reason,
    }


def stored(file: Path) -> Any:
    """Return what a file holds."""
    return json.loads(file.read_text())["data"]


def not_written(harness: Harness) -> Mapping[str, str] | None:
    """Return what the repair issue says of files that cannot be written, if there is one."""
    issue = ir.async_get(harness.hass).async_get_issue(DOMAIN, "not_written")
    return issue.translation_placeholders if issue else None


async def log(harness: Harness) -> dict[str, Any]:
    """Return the answer of `get_log`."""
    answer = await harness.hass.services.async_call(
        DOMAIN, "get_log", {}, blocking=True, return_response=True
    )
    assert answer
    return answer


async def changes(harness: Harness) -> list[tuple[Json, Json]]:
    """Return the changes that the log has, as (dispatch id, type)."""
    return [
        (row["dispatch_id"], row["type"]) for row in (await log(harness))["changes"]
    ]


async def kill(harness: Harness, disk: Path) -> None:
    """Start again with the disk as it is now, as if nothing more had been written."""
    as_it_was = shutil.copytree(disk, disk.with_name("as_it_was"))
    await harness.hass.config_entries.async_unload(harness.entry.entry_id)
    await harness.settle()
    shutil.rmtree(disk)
    as_it_was.rename(disk)
    await harness.set_up()


# What the disk refuses


@pytest.mark.parametrize("name", [MEMORY, LOG])
async def test_what_the_disk_refuses_is_told_and_tried_again(
    harness: Harness, disk: Path, name: str
) -> None:
    await harness.set_up()
    with in_the_way(disk / name):
        harness.publish(wire_dispatch("d1", at(0), at(60)))
        for turn in range(1, 4):
            await harness.move_to(at(turn * TICK))
        assert not_written(harness) == {"files": name, "reason": "Is a directory"}
        assert harness.curtails("s1")
    await harness.move_to(at(4 * TICK))
    await harness.move_to(at(5 * TICK))
    assert not_written(harness) is None
    content = stored(disk / name)
    assert "d1" in json.dumps(content)


async def test_with_room_again_a_kill_in_mid_dispatch_costs_nothing(
    harness: Harness, disk: Path
) -> None:
    await harness.set_up()
    with in_the_way(disk / MEMORY):
        harness.publish(wire_dispatch("d1", at(0), at(60)))
        await harness.move_to(at(TICK))
    await harness.move_to(at(2 * TICK))
    harness.voltus.faults = Faults(status=500)
    await kill(harness, disk)
    assert harness.curtails("s1")
    assert harness.stories == [("d1", "created"), ("d1", "started")]


async def test_rows_that_the_log_cannot_write_are_kept_with_the_memory(
    harness: Harness, disk: Path
) -> None:
    await harness.set_up()
    with in_the_way(disk / LOG):
        harness.publish(wire_dispatch("d1", at(0), at(60)))
        for turn in range(1, 4):
            await harness.move_to(at(turn * TICK))
    (disk / LOG).unlink(missing_ok=True)
    await kill(harness, disk)
    assert await changes(harness) == [("d1", "created"), ("d1", "started")]


async def test_when_the_account_goes_so_does_the_notice_of_its_files(
    harness: Harness, disk: Path
) -> None:
    await harness.set_up()
    with in_the_way(disk / MEMORY):
        harness.publish(wire_dispatch("d1", at(0), at(60)))
        await harness.move_to(at(TICK))
        assert not_written(harness)
    await harness.hass.config_entries.async_remove(harness.entry.entry_id)
    assert not_written(harness) is None


async def test_a_write_is_done_when_it_is_on_the_disk(
    hass: HomeAssistant, disk: Path
) -> None:
    store = CheckedStore(hass, "shed")
    await store.async_write({"number": 1})
    assert stored(disk / "voltus.shed") == {"number": 1}
    with in_the_way(disk / "voltus.shed"), refusal("Is a directory"):
        await store.async_write({"number": 2})
    await store.async_write({"number": 3})
    assert stored(disk / "voltus.shed") == {"number": 3}


async def test_what_is_no_json_is_not_written_and_said_so(
    hass: HomeAssistant, disk: Path
) -> None:
    store = CheckedStore(hass, "shed")
    with refusal("SerializationError"):
        await store.async_write({"number": object()})
    assert not (disk / "voltus.shed").exists()


async def test_a_folder_that_cannot_be_made_is_told_like_a_full_disk(
    hass: HomeAssistant, disk: Path
) -> None:
    disk.write_text("in the way")
    with refusal("File exists"):
        await CheckedStore(hass, "shed").async_write({})
    disk.unlink()


async def test_writes_that_wait_for_each_other_all_know_how_theirs_went(
    hass: HomeAssistant, disk: Path
) -> None:
    store = CheckedStore(hass, "shed")
    with in_the_way(disk / "voltus.shed"):
        outcomes = await asyncio.gather(
            *(store.async_write({"number": number}) for number in range(4)),
            return_exceptions=True,
        )
    assert [type(outcome) for outcome in outcomes] == [NotWrittenError] * 4
    await asyncio.gather(*(store.async_write({"number": n}) for n in range(4)))
    assert stored(disk / "voltus.shed") == {"number": 3}


async def test_what_is_written_is_put_together_off_the_loop_and_the_last_one_stays(
    hass: HomeAssistant, disk: Path
) -> None:
    by_the_loop: list[bool] = []

    def content(number: int) -> dict[str, Any]:
        by_the_loop.append(current_thread() is main_thread())
        return {"number": number}

    store = CheckedStore(hass, "shed")
    await asyncio.gather(*(store.async_write(partial(content, n)) for n in range(4)))
    assert stored(disk / "voltus.shed") == {"number": 3}
    assert by_the_loop
    assert not any(by_the_loop)


# What the disk does not give


@pytest.mark.parametrize("name", [MEMORY, LOG])
async def test_a_file_that_cannot_be_read_now_is_no_damage(
    harness: Harness, disk: Path, name: str
) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    await harness.set_up()
    await harness.hass.config_entries.async_unload(harness.entry.entry_id)
    before = (disk / name).read_text()
    harness.voltus.faults = Faults(status=500)
    with in_the_way(disk / name):
        await harness.set_up()
        assert harness.entry.state is ConfigEntryState.SETUP_RETRY
        assert f"{name} cannot be read (Is a directory)" in str(harness.entry.reason)
    assert (disk / name).read_text() == before
    assert not [*disk.glob("*.set-aside")]
    await harness.move_to(at(1))
    assert harness.entry.state is ConfigEntryState.LOADED
    assert harness.curtails("s1")
    assert await changes(harness) == [("d1", "created"), ("d1", "started")]


async def test_a_damaged_file_that_cannot_be_set_aside_is_not_overwritten(
    hass: HomeAssistant, disk: Path
) -> None:
    store = CheckedStore(hass, "shed")
    await store.async_write({})
    (disk / "voltus.shed.set-aside" / "full").mkdir(parents=True)

    def damaged(_content: dict[str, Any]) -> None:
        raise ValueError

    with refusal("Is a directory", NotReadError):
        await async_load_or_set_aside(store, damaged)
    assert (disk / "voltus.shed").exists()


# What a crash leaves


async def test_what_was_announced_is_in_the_log_after_a_crash(
    harness: Harness, disk: Path
) -> None:
    await harness.set_up()
    harness.publish(wire_dispatch("d1", at(1), at(60)))
    await harness.move_to(at(TICK))
    await harness.move_to(at(1))
    await kill(harness, disk)
    assert await changes(harness) == [("d1", "created"), ("d1", "started")]
    (curtailed,) = (await log(harness))["curtailments"]
    assert curtailed == {
        "site_id": "s1",
        "on": at(1).isoformat(),
        "off": None,
        "dispatch_ids": ["d1"],
    }
    assert harness.stories == [("d1", "created"), ("d1", "started")]


async def test_a_scenario_is_in_the_log_after_a_crash(
    harness: Harness, disk: Path
) -> None:
    await harness.set_up()
    await harness.move_to(at(10))
    await run_scenario(harness)
    await harness.settle()
    await kill(harness, disk)
    assert [each["scenario"] for each in (await log(harness))["scenarios"]] == ["basic"]


async def test_no_row_is_twice_in_the_log_whenever_the_crash_comes(
    harness: Harness, disk: Path
) -> None:
    await harness.set_up()
    told = []
    for minute in range(1, 8):
        harness.publish(wire_dispatch("d1", at(60), at(90 + minute)))
        await harness.move_to(at(minute * TICK))
        told.append(("d1", "created" if minute == 1 else "updated"))
        if minute % 2:
            await kill(harness, disk)
        (created, *updated) = (await log(harness))["changes"]
        assert created["type"] == "created"
        assert sum(row.get("count", 1) for row in updated) == minute - 1
    assert harness.stories == told


async def test_the_file_of_the_log_follows_within_a_minute(
    harness: Harness, disk: Path
) -> None:
    await harness.set_up()
    harness.publish(wire_dispatch("d1", at(1), at(2)))
    for turn in range(1, 8):
        await harness.move_to(at(turn * TICK))
    content = stored(disk / LOG)
    assert [row["type"] for row in content["rows"]] == [
        "created",
        "started",
        "curtailment_started",
        "ended",
        "curtailment_ended",
    ]
    assert [each["wire"]["id"] for each in content["past"]] == ["d1"]
    harness.publish(wire_dispatch("d2", at(60), at(90)))
    await harness.move_to(at(4))
    unlogged = stored(disk / MEMORY)["unlogged"]
    assert unlogged["first"] == len(content["rows"])
    assert [row["dispatch_id"] for row in unlogged["rows"]] == ["d2"]


async def test_no_more_rows_wait_than_the_log_keeps(harness: Harness) -> None:
    await harness.set_up()
    account = harness.entry.runtime_data
    for number in range(LOG_ROWS + 5):
        row: dict[str, Json] = {"announced": NOON.isoformat(), "type": "released"}
        account.log.async_add({**row, "dispatch_id": f"d{number}"}, NOON)
    assert len(account.log.unlogged.rows) == LOG_ROWS
    assert account.log.unlogged.first == 5


# The end of a run


async def run_scenario(harness: Harness) -> None:
    """Post a scenario."""
    await harness.hass.services.async_call(
        DOMAIN,
        "run_scenario",
        {"scenario": "basic", "site_ids": ["s1"]},
        blocking=True,
        return_response=True,
    )


async def test_a_scenario_posted_across_a_reload_is_in_the_log(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.set_up()
    post_scenario = VoltusClient.post_scenario

    async def across_a_reload(
        client: VoltusClient, scenario: Mapping[str, Json]
    ) -> None:
        await post_scenario(client, scenario)
        harness.hass.config_entries.async_schedule_reload(harness.entry.entry_id)
        for _turn in range(200):
            await asyncio.sleep(0)

    monkeypatch.setattr(VoltusClient, "post_scenario", across_a_reload)
    await run_scenario(harness)
    await harness.settle()
    assert harness.entry.state is ConfigEntryState.LOADED
    assert [each["scenario"] for each in (await log(harness))["scenarios"]] == ["basic"]


async def test_after_unload_nothing_saves(harness: Harness, disk: Path) -> None:
    await harness.set_up()
    account = harness.entry.runtime_data
    harness.publish(wire_dispatch("d1", at(0), at(60)))
    await harness.move_to(at(TICK))
    await harness.hass.config_entries.async_unload(harness.entry.entry_id)
    for name in (MEMORY, LOG):
        (disk / name).unlink()
    account.log.async_add({"announced": NOON.isoformat(), "type": "released"}, NOON)
    account.async_confirm(["s1"])
    await harness.move_to(at(10))
    assert not (disk / MEMORY).exists()
    assert not (disk / LOG).exists()
