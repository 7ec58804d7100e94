"""How long others wait while an answer of 10 MiB is read and taken in.

What the loop cannot do is told by a clock that ticks in it, so what a thread holds up is
counted as well. The answers come from memory: to receive them is aiohttp's.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
import gc
import json
from time import perf_counter
from typing import Final, final
from unittest.mock import patch

from custom_components.voltus.aiovoltus.client import VoltusClient
from sandbox.server import LocalVoltus, serve

from .elsewhere import KEY
from .figures import Figure, at_most
from .home import home, set_up
from .wire import dispatches, wire_sites

LARGEST: Final = 10 * 1024 * 1024
SITES: Final = 10
TICK: Final = 0.001


@final
@dataclass(frozen=True, slots=True)
class LargeAnswers:
    """Seconds of the longest block of the event loop, by what was answered."""

    blocks: Mapping[str, float]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Return a row for each answer."""
        return tuple(
            Figure(
                f"longest block of the event loop, {what}",
                block * 1000,
                "ms",
                goal=at_most(50, "ms"),
            )
            for what, block in self.blocks.items()
        )


async def measure(size: int = LARGEST) -> LargeAnswers:
    """Answer polls with so many bytes of this and that."""
    voltus = LocalVoltus()
    voltus.accounts[KEY].sites = wire_sites(SITES)
    blocks = {}
    async with serve(voltus) as url, home() as hass:
        coordinator = await set_up(hass, url)
        for what, content in _answers(size).items():
            with patch.object(VoltusClient, "dispatches", return_value=content):
                gc.collect()
                async with _blocks() as found:
                    await coordinator.async_refresh()
                    await hass.async_block_till_done()
            blocks[what] = max(found)
    return LargeAnswers(blocks)


def _answers(size: int) -> dict[str, bytes]:
    listed = dispatches(max(size // 1250, 1), SITES, datetime.now(UTC))
    changed = [*listed[:-1], listed[-1] | {"modification_number": 1}]
    return {
        "dispatches, all new": json.dumps({"dispatches": listed}).encode(),
        "dispatches, one changed": json.dumps({"dispatches": changed}).encode(),
        "numbers": b"[%s0]" % (b"0," * (size // 2)),
        "texts": b'["%s"]' % (b'","' * (size // 3)),
        "empty objects": b'{"dispatches":[%s{}]}' % (b"{}," * (size // 3)),
        "no JSON": b"x" * size,
    }


@asynccontextmanager
async def _blocks() -> AsyncIterator[list[float]]:
    """Note by how much each tick of a clock in this loop is late, in seconds."""
    late: list[float] = []

    async def tick() -> None:
        while True:
            begun = perf_counter()
            await asyncio.sleep(TICK)
            late.append(perf_counter() - begun - TICK)

    clock = asyncio.create_task(tick())
    await asyncio.sleep(10 * TICK)
    yield late
    await asyncio.sleep(10 * TICK)
    clock.cancel()
