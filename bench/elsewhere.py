"""A local Voltus in a process of its own, so that its work is not counted as ours."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
import pickle
import subprocess
import sys

from sandbox.api import Account
from sandbox.child import end
from sandbox.scenario import Scenario
from sandbox.server import LocalVoltus, serve
from sandbox.wire import Wire

KEY = "sandbox-key"
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Published:
    """What the account shows, by the clock where a dispatch has several states."""

    scenario: Scenario
    sites: Sequence[Wire] = ()


@contextmanager
def voltus_elsewhere(published: Published) -> Iterator[str]:
    """Serve it until the context is left, and yield the address."""
    with subprocess.Popen(
        (sys.executable, "-m", "bench.elsewhere"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            pickle.dump((published.scenario, published.sites), process.stdin)
            process.stdin.flush()
            yield process.stdout.readline().decode().strip()
        finally:
            end(process)


async def _serve() -> None:
    """Serve what comes by stdin, and print the address."""
    scenario, sites = pickle.load(sys.stdin.buffer)  # noqa: S301  our own parent's
    voltus = LocalVoltus()
    voltus.accounts[KEY] = Account(sites, scenario)
    async with serve(voltus) as url:
        print(url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
