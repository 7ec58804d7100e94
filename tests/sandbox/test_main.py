"""`python -m sandbox`."""

import asyncio
from pathlib import Path
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

import sandbox.__main__ as command
from sandbox.server import LocalVoltus

PROJECT = Path(command.__file__).parents[1]


def test_it_runs_until_interrupted() -> None:
    arguments = [sys.executable, "-m", "sandbox", "--port", "0", "--key", "my-key"]
    with subprocess.Popen(
        arguments, cwd=PROJECT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found
        asked = urllib.request.Request(
            f"{found[0]}/2022-04-15/sites", headers={"X-Voltus-API-Key": "my-key"}
        )
        with urllib.request.urlopen(asked) as response:
            assert response.status == 200
        process.send_signal(signal.SIGINT)
        assert "curl -s -X PUT" in process.stdout.read()
        assert process.wait() == 0


async def test_it_prints_what_it_offers(capsys: pytest.CaptureFixture[str]) -> None:
    running = asyncio.create_task(command.run(LocalVoltus(), 0))
    while not (printed := capsys.readouterr().out):
        await asyncio.sleep(0)
    running.cancel()
    assert "API key  sandbox-key" in printed
    with pytest.raises(asyncio.CancelledError):
        await running


def test_a_busy_port_gives_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        assert command.main(["--port", str(port)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert (
        printed.err
        == f"Port {port}: Address already in use. Choose another with --port, or 0 for any.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "http"], "argument --port: a port is a number from 0 to 65535"),
        (["--port", "65536"], "argument --port: a port is a number from 0 to 65535"),
        (
            ["--key", "secret"],
            "argument --key: secret is the public key, which works anyway",
        ),
    ],
)
def test_what_it_cannot_use_is_named(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert message in capsys.readouterr().err
