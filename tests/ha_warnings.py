"""A run fails in which Home Assistant complains of us, whatever its tests say.

A plugin of pytest's. Home Assistant complains of a place in the code once a process, and
so in whichever test comes first: only a whole run can tell.
"""

from collections.abc import Mapping
import logging
import re
from typing import Any, override

import pytest

WARNING = re.compile(
    r"Detected that custom integration 'voltus'"
    r"|The deprecated .+ was .+ from voltus\."
    r"|bug report at https://github\.com/voltus-ha/voltus/"
    r"|the author of the 'voltus' custom integration"
)
"""How Home Assistant says that we use it as it does not want to be used."""


class HomeAssistantWarnings(logging.Handler):
    """Keeps what was complained of. With pytest-xdist, each process hands its own in."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__(logging.WARNING)
        self.found: set[str] = set()

    @override
    def emit(self, record: logging.LogRecord) -> None:
        """Keep a complaint."""
        if WARNING.search(message := record.getMessage()):
            self.found.add(message)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take in what one of the processes has found; it has no output if it died."""
        output: Mapping[str, Any] = getattr(node, "workeroutput", {})
        self.found.update(output.get("warnings", ()))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run that has passed otherwise."""
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["warnings"] = sorted(self.found)
        elif self.found and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        """Say why."""
        if self.found:
            terminalreporter.section("Home Assistant complains", red=True, bold=True)
            terminalreporter.write_line("\n".join(sorted(self.found)))


def pytest_configure(config: pytest.Config) -> None:
    """Listen from the beginning."""
    warnings = HomeAssistantWarnings()
    logging.getLogger().addHandler(warnings)
    config.pluginmanager.register(warnings)
