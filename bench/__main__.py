"""`python -m bench [NAME...]`: measure, print the table, and say what is missed."""

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
import os
from pathlib import Path
import platform
import sys

from homeassistant.const import __version__

from .delay import Delays
from .measurements import MEASUREMENTS, measured
from .plot import plot
from .scale import Scale
from .table import put_into, table

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
    conditions = _conditions()
    names = () if options.write else options.names
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as alone:
        # Each in a process of its own: what one leaves behind is nothing to the next.
        found = alone.map(measured, names or MEASUREMENTS)
        results = dict(zip(names or MEASUREMENTS, found, strict=True))
    figures = [figure for each in results.values() for figure in each.figures]
    report = f"{table(figures)}\n\n{conditions}"
    print(report)
    match results:
        case {"delay": Delays() as delays, "scale": Scale() as sizes} if options.write:
            put_into(DOCS / "performance.md", report)
            plot(delays, sizes, DOCS / "images" / "bench.svg")
    return int(any(figure.met is False for figure in figures))


def _conditions() -> str:
    """Say what the figures were measured on, and whether it had other work."""
    versions = f"Python {platform.python_version()}, Home Assistant {__version__}"
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    busy = "The machine was busy" if load > cores / 4 else "The machine was idle"
    return f"{versions}, {cores} cores. {busy} before: load average {load:.1f}."


if __name__ == "__main__":
    sys.exit(main())
