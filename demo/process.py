"""Home Assistant as a child process that never outlives the one who started it."""

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
import os
from pathlib import Path
import re
import shutil
import signal
import sys
from typing import NoReturn

from homeassistant.const import RESTART_EXIT_CODE

from .api import DemoError

LOG_NAME = "output.log"
STOP_SECONDS = 30

DEMO = Path(__file__).parent
NOT_INSTALLED = (
    # Has to be compiled: many machines cannot, and the demo has stand-ins.
    "pymicro-vad",
    "pyspeex-noise",
    # For what Home Assistant adds to a new home by itself, and what then calls out.
    "PyMetno",
    "gTTS",
    "radios",
)

_INSTALLING = re.compile(r"Attempting install of (\S+)")
_FAILED = re.compile(r"Unable to install package ([^\s:]+): *(.*)")
_HOPELESS = "Activating recovery mode"
_COMPILED = shutil.ignore_patterns("__pycache__")


def make_config(config: Path) -> None:
    """Make a folder for Home Assistant anew: the demo's configuration, and all of ours."""
    shutil.rmtree(config, ignore_errors=True)
    shutil.copytree(DEMO / "config", config)
    for folder in ("custom_components", "blueprints"):
        source = DEMO.parent / folder
        shutil.copytree(source, config / folder, ignore=_COMPILED)


@asynccontextmanager
async def started(
    config: Path, variables: Mapping[str, str], python: str = sys.executable
) -> AsyncIterator[Process]:
    """Start Home Assistant on a folder, with what a Python has installed.

    It writes its log to the end of LOG_NAME in that folder. When the block ends so does
    it: in good order, and then at once whatever it left behind.
    """
    options = ("--verbose", "--log-no-color", "--config", str(config))
    skipped = ("--skip-pip-packages", ",".join(NOT_INSTALLED))
    with (config / LOG_NAME).open("a") as output:
        process = await asyncio.create_subprocess_exec(
            *(python, "-m", "homeassistant", *options, *skipped),
            cwd=config,
            env={**os.environ, **variables, "PYTHONPATH": str(DEMO / "stand_ins")},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Its own group: Ctrl-C reaches the demo alone, which then ends it all.
            start_new_session=True,
        )
    try:
        yield process
    finally:
        await _stop(process)


async def keep_running(config: Path, variables: Mapping[str, str]) -> NoReturn:
    """Run Home Assistant on a folder until cancelled; restart it when its user asks.

    Raises DemoError when it ends by itself, or cannot start.
    """
    log = config / LOG_NAME
    log.touch()
    with log.open(errors="replace") as lines:
        while (status := await _run(config, variables, lines)) == RESTART_EXIT_CODE:
            print("Home Assistant restarts.")
    raise DemoError(f"Home Assistant ended with exit status {status}. Its log: {log}")


async def _run(config: Path, variables: Mapping[str, str], lines: Iterable[str]) -> int:
    async with started(config, variables) as process:
        while process.returncode is None:
            _report(lines, config / LOG_NAME)
            await asyncio.sleep(0.5)
    return process.returncode


def _report(lines: Iterable[str], log: Path) -> None:
    """Say what is being installed; raises DemoError when Home Assistant gives up."""
    for line in lines:
        if found := _INSTALLING.search(line):
            print(f"  installing {found[1]}")
        elif found := _FAILED.search(line):
            print(f"  {found[1]} could not be installed: {found[2].strip()}")
        elif _HOPELESS in line:
            raise DemoError(f"Home Assistant cannot start: see above, and {log}")


async def _stop(process: Process) -> None:
    """End the process in good order, then at once whatever it left behind."""
    try:
        if process.returncode is None:
            print("\nStopping Home Assistant ...")
            process.terminate()
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
