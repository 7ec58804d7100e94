"""A day of polls, on a real disk: nothing grows.

`pytest tests/voltus/test_soak.py` (without xdist) shows the figures.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
import gc
import logging
from pathlib import Path
import random
import sys
from typing import override

from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.const import CONF_API_KEY
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.storage import STORAGE_DIR
from homeassistant.util.async_ import get_scheduled_timer_handles
import pytest

from custom_components.voltus.const import DOMAIN
from custom_components.voltus.remembering.log import LOG_ROWS
from sandbox.faults import Faults
from tests.builders import NOON, at, wire_dispatch

from .harness import Harness
from .real_disk import hass_config_dir, hass_storage  # noqa: F401  fixtures

# A day takes a minute alone, and may take some beside others.
pytestmark = pytest.mark.timeout(400)

POLLS_A_DAY = 24 * 60 * 2
WARM_UP = 4 * 60 * 2
SILENCE = Faults(hang=True)
FAULTS = (
    Faults(status=500),
    Faults(status=502, body="html"),
    Faults(status=403, body="html"),
    Faults(status=401),
    Faults(status=403),
    Faults(status=429),
    Faults(status=429, retry_after="90"),
    Faults(redirect="http://127.0.0.1:1/"),
    Faults(cut=True),
    Faults(body="truncated"),
    Faults(body="null_dispatches"),
    Faults(body="empty"),
    Faults(drop_from_list=("running",)),
    Faults(drop_from_list=("running", "open", "hourly")),
    Faults(corrupt={"running": {"start_time": "soon", "sites": [7]}}),
    Faults(omit={"hourly": ("sites", "authorized")}),
    Faults(date_offset=60),
    SILENCE,
)


@dataclass(frozen=True)
class Footprint:
    """What would grow if anything was let lie about."""

    blocks: int
    listeners: int
    timers: int
    tasks: int
    states: int
    issues: int

    @override
    def __str__(self) -> str:
        """List them in one line."""
        return ", ".join(f"{value} {name}" for name, value in vars(self).items())


def footprint(hass: HomeAssistant) -> Footprint:
    """Count what there is now; `blocks` are those that Python has allocated."""
    gc.collect()
    entry = hass.config_entries.async_entries(DOMAIN)[0]
    return Footprint(
        blocks=sys.getallocatedblocks(),
        listeners=sum(hass.bus.async_listeners().values())
        + len(entry.update_listeners),
        timers=len(
            [h for h in get_scheduled_timer_handles(hass.loop) if not h.cancelled()]
        ),
        tasks=len(asyncio.all_tasks()),
        states=len(hass.states.async_all()),
        issues=len(ir.async_get(hass).issues),
    )


@pytest.fixture(autouse=True)
async def _quiet(hass: HomeAssistant) -> AsyncIterator[None]:
    """Log nothing, since what pytest keeps of a log would grow; and no tracebacks."""
    logging.disable(logging.CRITICAL)
    hass.loop.set_debug(enabled=False)
    yield
    logging.disable(logging.NOTSET)


async def live(harness: Harness, poll: int) -> None:
    """Let half a minute pass, in which silence is borne for ten seconds."""
    harness.freezer.move_to(NOON + poll * timedelta(seconds=30))
    passed = asyncio.ensure_future(harness.move_to(NOON + poll * timedelta(seconds=30)))
    while harness.voltus.faults is SILENCE and not passed.done():
        for _ in range(300):
            await asyncio.sleep(0)
        harness.freezer.tick(10.5)
    await passed


def publish(harness: Harness, poll: int) -> None:
    """Have a long dispatch, an open-ended one, and one that moves on every hour."""
    hour = poll // 120
    harness.publish(
        wire_dispatch("running", at(-10), at(3 * 1440), {"s1": 5.0}),
        wire_dispatch("open", at(-10), None, {"s2": None}),
        wire_dispatch(
            "hourly", at(60 * hour + 20), at(60 * hour + 40), {"s1": 9.0, "s2": 1.0}
        ),
    )


async def recover(harness: Harness, poll: int) -> None:
    """Let all be well again."""
    harness.voltus.faults = Faults()
    while harness.state("connection").state == "off" or issues(harness):
        poll += 1
        await live(harness, poll)


def say(request: pytest.FixtureRequest, *lines: str) -> None:
    """Show figures where there is a terminal, past all capturing."""
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    if terminal:
        terminal.write("\n".join(("", *lines, "")))


async def test_a_day_with_all_faults_leaves_nothing_behind(
    harness: Harness, request: pytest.FixtureRequest
) -> None:
    chance = random.Random(24)
    publish(harness, 0)
    await harness.set_up()
    log = harness.entry.runtime_data.log
    log.rows = [
        {**log.rows[0], "dispatch_id": f"d{number}"} for number in range(LOG_ROWS)
    ]

    change_at, struck = 0, 0
    before = None
    for poll in range(1, POLLS_A_DAY + 1):
        publish(harness, poll)
        if poll >= change_at:
            well = harness.voltus.faults != Faults()
            harness.voltus.faults = Faults() if well else chance.choice(FAULTS)
            change_at = poll + chance.randint(1, 20)
        struck += harness.voltus.faults != Faults()
        await live(harness, poll)
        if poll in (WARM_UP, POLLS_A_DAY):
            await recover(harness, poll)
            for each in (harness.told, harness.written, harness.voltus.requests):
                each.clear()
            after = footprint(harness.hass)
            before = before or after
        if poll > WARM_UP:
            assert harness.curtails("s1")
    assert before
    say(
        request,
        f"24 h, {POLLS_A_DAY} polls, {struck} of them struck by a fault",
        f"  after  {WARM_UP // 120} h: {before}",
        f"  after 24 h: {after}",
    )
    # Whatever a poll let lie about would come to more than one block for each.
    assert after.blocks - before.blocks < POLLS_A_DAY - WARM_UP
    # One more if a save is put off just now.
    assert after.listeners <= before.listeners + 1
    assert after.timers <= before.timers + 1
    assert after.tasks == before.tasks
    assert after.states == before.states
    assert after.issues == before.issues == 0
    assert not harness.flows(SOURCE_REAUTH)
    assert len(log.rows) == LOG_ROWS
    assert len(harness.entry.runtime_data.data.snapshot.dispatches) == 3


def issues(harness: Harness) -> list[str]:
    return [
        issue_id
        for domain, issue_id in ir.async_get(harness.hass).issues
        if domain == DOMAIN
    ]


async def test_a_day_of_the_public_sandbox_fills_neither_log_nor_disk(
    harness: Harness, request: pytest.FixtureRequest
) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, data={**harness.entry.data, CONF_API_KEY: "secret"}
    )
    await harness.set_up()
    for poll in range(1, POLLS_A_DAY + 1):
        await live(harness, poll)
    assert len(harness.told) == 2 + POLLS_A_DAY
    assert harness.written_states("curtail", "asdf") == ["on"]
    await harness.entry.runtime_data.async_save()
    rows = harness.entry.runtime_data.log.rows
    disk = Path(harness.hass.config.path(STORAGE_DIR))
    sizes = {each.name: each.stat().st_size for each in disk.glob(f"{DOMAIN}.account*")}
    say(request, f"24 h of the public sandbox: {len(rows)} rows of log, bytes: {sizes}")
    assert len(rows) < 100
    assert rows[-1]["count"] == POLLS_A_DAY
    assert len(sizes) == 2
    assert sum(sizes.values()) < 256 * 1024
