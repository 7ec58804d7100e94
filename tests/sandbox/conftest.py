"""A local Voltus on a real socket."""

from collections.abc import AsyncIterator

import pytest

from sandbox.server import LocalVoltus, serve


@pytest.fixture(autouse=True)
def _sockets(socket_enabled: None) -> None:
    """Let these tests open sockets."""


@pytest.fixture
def voltus() -> LocalVoltus:
    """Return a local Voltus with one issued key."""
    return LocalVoltus()


@pytest.fixture
async def url(voltus: LocalVoltus) -> AsyncIterator[str]:
    """Serve it, and return its address."""
    async with serve(voltus) as address:
        yield address
