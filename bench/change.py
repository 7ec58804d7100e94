"""What a poll costs in which one dispatch of many has changed.

Beside it the way of Voltus' tutorial: everything is decoded, every time is read by
`dateutil`, and dispatches are compared as dicts.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import json
from statistics import median
from typing import Any, final

from dateutil import parser

from custom_components.voltus.aiovoltus import reconcile
from custom_components.voltus.aiovoltus.models import (
    NOTHING_LISTED,
    Snapshot,
    parse_listing,
)
from custom_components.voltus.aiovoltus.schedule import Policy, changes, look
from custom_components.voltus.asking.conversation import decoded
from sandbox.scenario import State

from .elsewhere import Published, voltus_elsewhere
from .figures import Figure, at_most, ratio_at_most
from .home import home, set_up
from .rounds import callbacks_timed, in_turns
from .wire import LONG_AGO, dispatches, scenario, wire_sites

SIZES = (1, 100, 1000)
SITES = 10
CHANGE_EVERY = timedelta(seconds=1)
TIMES = ("start_time", "end_time", "creation_time")


@final
@dataclass(frozen=True, slots=True)
class ChangedPoll:
    """Seconds from the bytes to what there is to tell, for so many dispatches."""

    size: int
    ours: float
    tutorial: float


@final
@dataclass(frozen=True, slots=True)
class ChangedPolls:
    """One poll per size; the longest block of the event loop at the greatest, in s."""

    polls: tuple[ChangedPoll, ...]
    block: float

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Return the cost beside the tutorial's way, and the longest block."""
        greatest = self.polls[-1].size
        return (
            *(
                Figure(
                    f"changed poll, 1 of {poll.size:,} x {SITES}, beside the tutorial's way",
                    poll.ours * 1000,
                    "ms",
                    poll.tutorial * 1000,
                    ratio_at_most(1 / 5) if poll.size == greatest else None,
                )
                for poll in self.polls
            ),
            Figure(
                f"longest block of the event loop, 1 of {greatest:,} x {SITES} changed",
                self.block * 1000,
                "ms",
                goal=at_most(50, "ms"),
            ),
        )


async def measure(
    sizes: tuple[int, ...] = SIZES, rounds: int = 15, polls: int = 9
) -> ChangedPolls:
    """Take in lists that differ in one dispatch, bare and in Home Assistant."""
    return ChangedPolls(
        tuple([await _changed_poll(size, rounds) for size in sizes]),
        await _longest_block(sizes[-1], polls),
    )


async def _changed_poll(size: int, rounds: int) -> ChangedPoll:
    now = datetime.now(UTC)
    contents = [_content(size, now, number) for number in range(2)]
    ours, tutorial = _Ours(contents, now), _Tutorial(contents)
    for first in (ours, tutorial):
        await first.poll()
    spent = await in_turns(rounds, {"ours": ours.poll, "tutorial": tutorial.poll})
    return ChangedPoll(size, spent["ours"], spent["tutorial"])


def _content(size: int, now: datetime, modification_number: int) -> bytes:
    listed = dispatches(size, SITES, now)
    listed[size // 2]["modification_number"] = modification_number
    return json.dumps({"dispatches": listed}).encode()


class _Ours:
    """Our way from bytes to changes and to the look that states are written from."""

    def __init__(self, contents: list[bytes], now: datetime) -> None:
        self._contents = contents
        self._now = now
        self._asked = 0
        self._known = Snapshot()
        self._listing = NOTHING_LISTED

    async def poll(self) -> None:
        before, self._asked = self._known, self._asked + 1
        payload = decoded(self._contents[self._asked % 2])
        self._listing = parse_listing(
            payload, before.dispatches, self._now, self._listing
        )
        self._known = reconcile.listed(
            before, self._listing, self._asked, self._now, apart=timedelta(0)
        )
        look(self._known, Policy(), self._now)
        told = changes(before, self._now, self._known, self._now)
        assert self._asked == 1 or len(told) == 1


class _Tutorial:
    """The tutorial's way from bytes to the dispatches that are new or another."""

    def __init__(self, contents: list[bytes]) -> None:
        self._contents = contents
        self._asked = 0
        self._known: dict[str, Any] = {}

    async def poll(self) -> None:
        before, self._asked = self._known, self._asked + 1
        payload = json.loads(self._contents[self._asked % 2])
        self._known = {item["id"]: _with_times(item) for item in payload["dispatches"]}
        told = [i for i, each in self._known.items() if each != before.get(i)]
        assert self._asked == 1 or len(told) == 1


def _with_times(item: dict[str, Any]) -> dict[str, Any]:
    return item | {name: parser.parse(item[name]) for name in TIMES}


async def _longest_block(size: int, polls: int) -> float:
    """Return the median over polls of the longest callback, in seconds."""
    now = datetime.now(UTC)
    listed = dispatches(size, SITES, now)
    changing = listed[size // 2]
    published = {
        **scenario(listed),
        str(changing["id"]): tuple(
            State(since, changing | {"modification_number": number})
            for number, since in enumerate(_steps(now))
        ),
    }
    blocks = []
    with voltus_elsewhere(Published(published, wire_sites(SITES))) as url:
        async with home() as hass:
            coordinator = await set_up(hass, url)
            for _ in range(polls):
                await asyncio.sleep(CHANGE_EVERY.total_seconds())
                before = coordinator.data
                with callbacks_timed() as spent:
                    await coordinator.async_refresh()
                    await hass.async_block_till_done()
                assert coordinator.data is not before
                blocks.append(max(spent))
    return median(blocks)


def _steps(now: datetime) -> Iterator[datetime]:
    """Yield an instant long ago, and then one per second for five minutes."""
    yield LONG_AGO
    for step in range(300):
        yield now + step * CHANGE_EVERY
