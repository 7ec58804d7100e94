"""`python -m bench [NAME...]`: measure, print the table, and say what is missed."""

import argparse
import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
import logging
import os
from pathlib import Path
import platform
import sys

from homeassistant.const import __version__

from . import change, delay, poll, scale, startup
from .delay import Delays
from .figures import Result
from .plot import plot
from .scale import Scale
from .table import put_into, table

MEASUREMENTS: Mapping[str, Callable[[], Coroutine[object, object, Result]]] = {
    "delay": delay.measure,
    "poll": poll.measure,
    "change": change.measure,
    "scale": scale.measure,
    "startup": startup.measure,
}
DOCS = Path(__file__).parent.parent / "docs"


def _name(text: str) -> str:
    if text not in MEASUREMENTS:
        raise argparse.ArgumentTypeError(
            f"there is {', '.join(MEASUREMENTS)}, and no {text}"
        )
    return text


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="How fast it is, measured beside what it is to be compared with.",
    )
    parser.add_argument(
        "names", nargs="*", type=_name, metavar="NAME", help=", ".join(MEASUREMENTS)
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="measure all, and put figures and plot into docs/",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for, by default all; return 1 if a goal is missed."""
    options = _parse(arguments)
    logging.disable(logging.WARNING)
    conditions = _conditions()
    names = () if options.write else options.names
    results = {name: _measure(name) for name in names or MEASUREMENTS}
    figures = [figure for each in results.values() for figure in each.figures]
    report = f"{table(figures)}\n\n{conditions}"
    print(report)
    match results:
        case {"delay": Delays() as delays, "scale": Scale() as sizes} if options.write:
            put_into(DOCS / "performance.md", report)
            plot(delays, sizes, DOCS / "images" / "bench.svg")
    return int(any(figure.met is False for figure in figures))


def _measure(name: str) -> Result:
    print(f"Measuring {name} ...", file=sys.stderr, flush=True)
    return asyncio.run(MEASUREMENTS[name]())


def _conditions() -> str:
    """Say what the figures were measured on, and whether it had other work."""
    versions = f"Python {platform.python_version()}, Home Assistant {__version__}"
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    busy = "The machine was busy" if load > cores / 4 else "The machine was idle"
    return f"{versions}, {cores} cores. {busy} before: load average {load:.1f}."


if __name__ == "__main__":
    sys.exit(main())
