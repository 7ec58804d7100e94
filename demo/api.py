"""What a browser does: Home Assistant's own HTTP and websocket API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from aiohttp import ClientError, ClientSession, ClientWebSocketResponse


class DemoError(Exception):
    """The demo cannot go on; the text says why, and what to do."""


class Api:
    """A signed-in user of Home Assistant.

    Methods raise DemoError if Home Assistant refuses, ClientError if it is gone.
    """

    def __init__(
        self, session: ClientSession, token: str, socket: ClientWebSocketResponse
    ) -> None:
        """Take a session for Home Assistant's address, and a signed-in websocket."""
        self._session = session
        self._headers = {"Authorization": f"Bearer {token}"}
        self._socket = socket
        self._ids = count(1)

    async def request(self, method: str, path: str, body: object = None) -> Any:
        """Send JSON to a path below `/api/` and return the JSON that comes back."""
        async with self._session.request(
            method, f"/api/{path}", json=body, headers=self._headers
        ) as response:
            if not response.ok:
                answer = f"{response.status} {await response.text()}"
                raise DemoError(f"Home Assistant refused {path}: {answer}")
            return await response.json()

    async def command(self, command: str, **data: object) -> Any:
        """Send a websocket command and return its result."""
        sent = next(self._ids)
        await self._socket.send_json({"id": sent, "type": command, **data})
        answer = await self._received()
        if not answer["success"]:
            reason = answer["error"]["message"]
            raise DemoError(f"Home Assistant refused {command}: {reason}")
        return answer["result"]

    async def subscribe(self, command: str, **data: object) -> AsyncIterator[Any]:
        """Send a websocket command and return what it keeps telling; send no other."""
        await self.command(command, **data)
        return self._told()

    async def _told(self) -> AsyncIterator[Any]:
        while True:
            yield (await self._received())["event"]

    async def _received(self) -> Any:
        try:
            return await self._socket.receive_json()
        except TypeError as err:
            raise ClientError("it closed the connection") from err


@asynccontextmanager
async def signed_in(session: ClientSession, token: str) -> AsyncIterator[Api]:
    """Open a websocket with an access token, and yield the API of its user."""
    async with session.ws_connect("/api/websocket") as socket:
        await socket.receive_json()
        await socket.send_json({"type": "auth", "access_token": token})
        await socket.receive_json()
        yield Api(session, token, socket)
