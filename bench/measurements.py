"""What there is to measure."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
import logging
import sys

from . import (
    boundary,
    change,
    delay,
    large,
    loads,
    performance,
    poll,
    push,
    scale,
    startup,
    telemetry,
)
from .figures import Result

MEASUREMENTS: Mapping[str, Callable[[], Coroutine[object, object, Result]]] = {
    "delay": delay.measure,
    "metered": delay.measure_metered,
    "poll": poll.measure,
    "change": change.measure,
    "large": large.measure,
    "boundary": boundary.measure,
    "loads": loads.measure,
    "push": push.measure,
    "telemetry": telemetry.measure,
    "performance": performance.measure,
    "scale": scale.measure,
    "startup": startup.measure,
}


def measured(name: str) -> Result:
    """Measure, in a process that does nothing else."""
    print(f"Measuring {name} ...", file=sys.stderr, flush=True)
    logging.disable(logging.WARNING)
    return asyncio.run(MEASUREMENTS[name]())
