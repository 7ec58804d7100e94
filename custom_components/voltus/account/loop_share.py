"""How much of the event loop's time a long piece of work takes at a stretch."""

from asyncio import AbstractEventLoop, sleep
from typing import Final

AT_A_STRETCH: Final = 0.01
"""Seconds; what runs in between, such as an automation, is not told apart from us."""


class LoopShare:
    """Gives the event loop to others between the steps of a long piece of work."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        """Begin to count now."""
        self._loop = loop
        self._since = loop.time()

    async def step(self) -> None:
        """End a step: let others run if the work has had its share."""
        if self._loop.time() - self._since >= AT_A_STRETCH:
            await sleep(0)
            self._since = self._loop.time()
