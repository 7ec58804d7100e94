"""Measuring in turns, so that what disturbs the machine disturbs all alike.

The clock is the CPU time of this thread, the event loop's: what a machine that has
nothing else to do takes by the clock on the wall.
"""

from collections.abc import Awaitable, Callable, Mapping
from statistics import median
from time import thread_time


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
