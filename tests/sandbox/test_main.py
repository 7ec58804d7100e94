"""`python -m sandbox`."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

import sandbox.__main__ as command
from sandbox.child import end
from sandbox.server import LocalVoltus

PROJECT = Path(command.__file__).parents[1]


@pytest.fixture
def _heeded_interrupt() -> Iterator[None]:
    """Heed Ctrl-C, and so have children do: in the background of a script nobody does."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_heeded_interrupt")
def test_it_runs_until_interrupted() -> None:
    arguments = [sys.executable, "-m", "sandbox", "--port", "0", "--key", "my-key"]
    with subprocess.Popen(
        arguments, cwd=PROJECT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
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
        finally:
            end(process)


STUBBORN = """
import signal, time
for each in (signal.SIGINT, signal.SIGTERM):
    signal.signal(each, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(20)
"""


@pytest.mark.parametrize(
    ("program", "patience", "status"),
    [
        (STUBBORN, 0, -signal.SIGKILL),
        ("print('willing', flush=True); input()", 60, -signal.SIGTERM),
    ],
    ids=["deaf", "willing"],
)
def test_a_child_is_ended_in_any_case(
    program: str, patience: float, status: int
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
        finally:
            end(process, patience)
    assert process.returncode == status


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
