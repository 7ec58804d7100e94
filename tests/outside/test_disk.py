"""A disk that takes nothing more: the signal goes on, and the operator is told."""

import asyncio
from pathlib import Path
import shutil
import subprocess

import pytest

from demo import onboarding
from demo.process import make_config
from sandbox.faults import Faults
from sandbox.server import LocalVoltus, serve

from .harness import KEY, RIVERSIDE, Home, dispatch, new_home, publish

CURTAIL = "binary_sensor.riverside_cold_storage_curtail"


def limit(home: Home, size: str) -> None:
    """Let no file of Home Assistant grow beyond so many bytes."""
    command = ["prlimit", "--pid", str(home.pid), f"--fsize={size}:unlimited"]
    subprocess.run(command, check=True)


async def is_told(home: Home) -> bool:
    """Whether the notice is there."""
    listed = await home.api.command("repairs/list_issues")
    return "not_written" in {each["issue_id"] for each in listed["issues"]}


@pytest.mark.skipif(not shutil.which("prlimit"), reason="no prlimit on this machine")
async def test_a_full_disk_is_told_and_stops_no_dispatch(tmp_path: Path) -> None:
    make_config(tmp_path / "config")
    voltus = LocalVoltus([KEY])
    variables = {"DEMO_SCENARIOS": "http://127.0.0.1:9/"}
    async with (
        serve(voltus) as url,
        new_home(tmp_path / "config", variables) as home,
        asyncio.timeout(240),
    ):
        await onboarding.add_integration(home.api, url)
        # Home Assistant writes its own registries up to ten seconds late.
        await asyncio.sleep(12)
        limit(home, "0")
        publish(voltus, full=dispatch({RIVERSIDE: 110}, starts_in=0, lasts=600))
        await home.until_state(CURTAIL, "on")

        async def told() -> bool:
            return await is_told(home)

        async def is_over() -> bool:
            return not await is_told(home)

        await onboarding.until(told, 60, "waiting for the notice")
        limit(home, "unlimited")
        await onboarding.until(is_over, 90, "waiting for the notice to go")
        # What was written late is there after a kill, without Voltus.
        voltus.faults = Faults(status=503)
        await home.kill()
        await home.restart()
        await home.until_state(CURTAIL, "on")
