"""What we add to the start of Home Assistant."""

from asyncio.subprocess import PIPE, create_subprocess_exec
from dataclasses import dataclass
import json
from pathlib import Path
from statistics import median
import sys
from typing import final

from .figures import Figure

ROOT = Path(__file__).parent.parent


@final
@dataclass(frozen=True, slots=True)
class Start:
    """Seconds of CPU to import Home Assistant, to import us, and to set us up."""

    home_assistant: float
    voltus: float
    set_up: float

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Return the import beside Home Assistant's own, and the set-up."""
        return (
            Figure(
                "start, import, beside Home Assistant's own",
                self.voltus * 1000,
                "ms",
                self.home_assistant * 1000,
            ),
            Figure("start, set-up of 2 sites from memory", self.set_up * 1000, "ms"),
        )


async def measure(rounds: int = 3) -> Start:
    """Start anew so many times."""
    starts = [await _start() for _ in range(rounds)]
    return Start(
        median(start.home_assistant for start in starts),
        median(start.voltus for start in starts),
        median(start.set_up for start in starts),
    )


async def _start() -> Start:
    process = await create_subprocess_exec(
        sys.executable, "-m", "bench.boot", stdout=PIPE, cwd=ROOT
    )
    try:
        printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return Start(**json.loads(printed))
