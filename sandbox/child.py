"""The end of a program of ours that runs in a process of its own."""

from contextlib import suppress
from subprocess import Popen, TimeoutExpired
from typing import Any

STOP_SECONDS = 10


def end(process: Popen[Any], seconds: float = STOP_SECONDS) -> None:
    """Ask a process to end, and see to it when it does not within so many seconds."""
    process.terminate()
    with suppress(TimeoutExpired):
        process.wait(seconds)
    process.kill()  # nothing if it has ended
    process.wait()
