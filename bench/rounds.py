"""Measuring in turns, so that what disturbs the machine disturbs all alike.

The clock is the CPU time of this thread, the event loop's: what a machine that has
nothing else to do takes by the clock on the wall.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from time import thread_time
from unittest.mock import patch


async def in_turns(
    rounds: int, contestants: Mapping[str, Callable[[], Awaitable[object]]]
) -> dict[str, float]:
    """Return the median of the seconds that each takes."""
    spent: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            begun = thread_time()
            await run()
            spent[name].append(thread_time() - begun)
    return {name: median(seconds) for name, seconds in spent.items()}


@contextmanager
def callbacks_timed() -> Iterator[list[float]]:
    """Time every callback of the event loop, in seconds."""
    spent: list[float] = []
    run = asyncio.Handle._run  # noqa: SLF001  there is no public way to see them all

    def timed(handle: asyncio.Handle) -> None:
        begun = thread_time()
        run(handle)
        spent.append(thread_time() - begun)

    with patch.object(asyncio.Handle, "_run", timed):
        yield spent
