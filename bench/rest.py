"""`python -m bench.rest PORT`: ask a server again and again, from another process.

Prints, once its input ends, the seconds that the slowest answer took.
"""

from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from select import select
import sys
from time import monotonic

from aiohttp import web
from aiohttp.test_utils import TestServer

from .elsewhere import ROOT

PAUSE = 0.002


@asynccontextmanager
async def asked() -> AsyncIterator[list[float]]:
    """Answer from this event loop, and have somebody ask until the context is left.

    The slowest answer, in seconds, is there then.
    """
    slowest: list[float] = []
    async with TestServer(_app()) as server:
        process = await create_subprocess_exec(
            *(sys.executable, "-m", "bench.rest", str(server.port)),
            stdin=PIPE,
            stdout=PIPE,
            cwd=ROOT,
        )
        assert process.stdout
        await process.stdout.readline()
        try:
            yield slowest
        finally:
            printed, _ = await process.communicate()
            slowest.append(float(printed))


def _app() -> web.Application:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"message": "API running."})

    app = web.Application()
    app.router.add_get("/", answer)
    return app


def _slowest(port: int) -> float:
    """Ask until the input ends, and return the seconds of the slowest answer."""
    connection = HTTPConnection("127.0.0.1", port)
    slowest = 0.0
    while not select([sys.stdin], [], [], PAUSE)[0]:
        begun = monotonic()
        connection.request("GET", "/")
        connection.getresponse().read()
        slowest = max(slowest, monotonic() - begun)
    return slowest


if __name__ == "__main__":
    print("ready", flush=True)
    print(_slowest(int(sys.argv[1])))
