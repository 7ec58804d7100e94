"""`python -m demo`: Home Assistant, a local Voltus and a dispatch, until Ctrl-C."""

import argparse
import asyncio
from asyncio import TaskGroup
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
import signal
import socket
import sys

from aiohttp import ClientError, ClientSession
from homeassistant.const import __version__

from sandbox.server import LocalVoltus, serve

from . import onboarding
from .api import DemoError, signed_in
from .process import LOG_NAME, keep_running, make_config

ROOT = Path(__file__).parent.parent
STARTS_IN = timedelta(seconds=30)
LASTS = timedelta(seconds=150)
METERS = {
    "p4xq": "sensor.riverside_total_power",
    "w7tz": "sensor.hilltop_total_power",
}


def _config(port: int) -> Path:
    return ROOT / ".tools" / f"demo-config-{port}"


def _check(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as err:
            advice = "Choose another: scripts/demo --port 8124"
            raise DemoError(f"Port {port} cannot be used: {err}. {advice}") from err


ESTIMATED = ("kd1k", "m3ll")
"""The sites whose load is held against the commitment; their days before are made up."""


async def _run(port: int) -> None:
    _check(port)
    make_config(_config(port))
    print(f"Starting Home Assistant {__version__}.")
    print("The first time it installs what it needs; that takes a few minutes.")
    url = f"http://127.0.0.1:{port}"
    async with (
        serve(LocalVoltus([onboarding.API_KEY])) as voltus,
        ClientSession(url) as session,
        TaskGroup() as tasks,
    ):
        scenarios = f"{voltus}/2022-04-15/scenarios"
        variables = {"DEMO_PORT": str(port), "DEMO_SCENARIOS": scenarios}
        tasks.create_task(keep_running(_config(port), variables))
        token = await onboarding.create_user(session, f"{url}/")
        async with signed_in(session, token) as api:
            await onboarding.finish_onboarding(api, f"{url}/")
            await onboarding.turn_loads_on(api)
            entry = await onboarding.add_integration(api, voltus, push_url=url)
            for meter_id, entity_id in METERS.items():
                await onboarding.map_meter(api, entry, meter_id, entity_id)
                await onboarding.send_first(api, voltus, meter_id, entity_id)
            for site_id in ESTIMATED:
                await onboarding.add_performance(api, entry, site_id)
            names = await onboarding.entities(api, entry)
            await onboarding.add_automations(api, names)
            await onboarding.add_dashboards(api, names)
            await onboarding.start_dispatch(api, STARTS_IN, LASTS)
        print(_programme(url, voltus, datetime.now().astimezone()))


def _programme(url: str, voltus: str, now: datetime) -> str:
    start = now + STARTS_IN
    return f"""
Open {url}
No login is needed. (If one is asked for: {onboarding.USER}, password {onboarding.USER}.)

  {now:%X}  All loads run, and Voltus announces a dispatch for both sites.
  {start:%X}  It starts: "Curtail" comes on, and the loads go off; the pump, on a poor
            radio, when it is told for the third time, after 40 seconds.
  {start + LASTS:%X}  It ends: "Curtail" goes off, and the loads come on again.

The buttons on the dashboard start more of them.
The local Voltus says at {voltus} how to post your own.
Ctrl-C ends it all.
"""


async def _until_signal(port: int) -> None:
    running = asyncio.ensure_future(_run(port))
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(each, running.cancel)
    with suppress(asyncio.CancelledError):
        await running


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument(
        "--port",
        type=int,
        default=8123,
        help="where Home Assistant listens (default: 8123)",
    )
    port = parser.parse_args(arguments).port
    status = 0
    try:
        asyncio.run(_until_signal(port))
    except* DemoError as problems:
        status = 1
        print(*problems.exceptions, sep="\n", file=sys.stderr)
    except* ClientError as problems:
        status = 1
        print("Home Assistant is gone:", *problems.exceptions, file=sys.stderr)
        print(f"Its log: {_config(port) / LOG_NAME}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
