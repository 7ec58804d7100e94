"""The page for curious users: every command on it works as it stands."""

import argparse
from datetime import UTC, datetime
import shlex

import aiohttp
from freezegun.api import FrozenDateTimeFactory
import pytest

from sandbox.server import LocalVoltus, serve

CURL = argparse.ArgumentParser()
CURL.add_argument("-s", action="store_true", required=True)
CURL.add_argument("-X")
CURL.add_argument("-H", action="append", default=[])
CURL.add_argument("-d")
CURL.add_argument("url")


async def run(session: aiohttp.ClientSession, command: str) -> tuple[int, str]:
    """Do what curl would do."""
    asked = CURL.parse_args(shlex.split(command)[1:])
    headers = dict(header.split(": ", 1) for header in asked.H)
    method = asked.X or ("POST" if asked.d else "GET")
    async with session.request(
        method, asked.url, headers=headers, data=asked.d
    ) as response:
        return response.status, await response.text()


@pytest.mark.parametrize("key", ["sandbox-key", "it's mine; $HOME"])
async def test_every_command_on_the_page_works(
    key: str, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to(datetime(2026, 8, 1, 12, 0, 0, 700_000, tzinfo=UTC))
    voltus = LocalVoltus([key])
    async with serve(voltus) as url, aiohttp.ClientSession() as session:
        status, page = await run(session, f"curl -s {url}/")
        assert status == 200
        assert f"address  {url}\n" in page
        commands = [line for line in page.splitlines() if line.startswith("curl ")]
        assert len(commands) == 13
        for command in commands:
            status, text = await run(session, command)
            assert status == 200, (command, text)
    shown = [states[0].dispatch for states in voltus.accounts[key].scenario.values()]
    assert [(each["test"], each["start_time"], each["end_time"]) for each in shown] == [
        (False, "2026-08-01T12:00:30Z", "2026-08-01T12:02:30Z"),
        (True, "2026-08-01T12:00:30Z", "2026-08-01T12:02:30Z"),
    ]
    assert voltus.public_start_offset == 5


async def test_a_browser_gets_the_page_as_html(url: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers={"Accept": "text/html,*/*;q=0.8"}) as response,
    ):
        assert response.content_type == "text/html"
        assert "&quot;start_time&quot;" in await response.text()
