"""What is committed, in a Home Assistant that knows nothing else of us."""

from pathlib import Path
import shutil
import subprocess

import pytest

from demo import onboarding
from sandbox.server import LocalVoltus, serve

from .harness import KEY, LOADED_CUSTOM, ROOT, new_home

CONFIGURATION = """
config:
history:
http:
  server_host: 127.0.0.1
  server_port: !env_var DEMO_PORT
"""


def unpack(folder: Path) -> None:
    """Put custom_components there as the last commit has them."""
    archive = folder / "archive.tar"
    git = ["git", "-c", "safe.directory=*", "-C", str(ROOT)]
    command = [*git, "archive", "--output", str(archive), "HEAD", "custom_components"]
    subprocess.run(command, check=True)
    shutil.unpack_archive(archive, folder, filter="data")


@pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="not a clone of the repository"
)
async def test_it_runs_without_a_warning_of_its_own(tmp_path: Path) -> None:
    unpack(tmp_path)
    (tmp_path / "configuration.yaml").write_text(CONFIGURATION)
    async with serve(LocalVoltus([KEY])) as voltus, new_home(tmp_path, {}) as home:
        await onboarding.add_integration(home.api, voltus)
        await home.until_state("binary_sensor.voltus_sandbox_connection", "on")
        await home.stop()

    (warning,) = home.warnings()
    assert LOADED_CUSTOM in warning
