"""A Home Assistant that Voltus can call."""

from collections.abc import Mapping
from dataclasses import dataclass
import json

from aiohttp import ClientSession
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import State

from custom_components.voltus.aiovoltus.models import Json
from custom_components.voltus.asking.push import Push
from sandbox.server import LocalVoltus
from sandbox.wire import Wire

from .harness import KEY, Harness


def delivery(dispatch_id: str, name: str = "dispatch.create") -> bytes:
    """Return what Voltus posts about a dispatch."""
    resource = f"/2022-04-15/dispatches/{dispatch_id}"
    return json.dumps({"event": {"name": name}, "resource": resource}).encode()


@dataclass
class Pushed:
    """A harness whose Home Assistant listens at `base`, on a real socket."""

    harness: Harness
    base: str

    @property
    def voltus(self) -> LocalVoltus:
        """The local Voltus."""
        return self.harness.voltus

    @property
    def push(self) -> Push:
        """What takes its calls."""
        push: Push = self.harness.entry.runtime_data.push
        return push

    @property
    def webhook_id(self) -> str:
        """The secret."""
        secret: str = self.harness.entry.data[CONF_WEBHOOK_ID]
        return secret

    @property
    def url(self) -> str:
        """The address that Voltus ought to have."""
        return f"{self.base}/api/webhook/{self.webhook_id}"

    @property
    def webhooks(self) -> list[Wire]:
        """What Voltus has of the account, strangers included."""
        return list(self.voltus.accounts[KEY].webhooks)

    @property
    def urls(self) -> list[object]:
        """The addresses of these."""
        return [webhook["url"] for webhook in self.webhooks]

    @property
    def state(self) -> State:
        """The entity `push`."""
        return self.harness.state("push")

    def add_stranger(self, url: str = "https://other.example/hook") -> Wire:
        """Have somebody else listen to the same account."""
        events = [{"name": "dispatch.create"}, {"name": "dispatch.update"}]
        webhook = {"id": "strange", "url": url, "events": events}
        account = self.voltus.accounts[KEY]
        account.webhooks = [*account.webhooks, webhook]
        return webhook

    def asked(self, *paths: str) -> list[tuple[str, str]]:
        """Return what was asked of Voltus below these paths, since asked last."""
        asked = [
            (each.method, each.path.removeprefix("/2022-04-15"))
            for each in self.voltus.requests
        ]
        self.voltus.requests.clear()
        return [each for each in asked if not paths or each[1].startswith(paths)]

    async def deliver(self, *dispatches: Mapping[str, Json]) -> None:
        """Publish these, let Voltus call, and what follows from it happen."""
        if dispatches:
            self.harness.publish(*dispatches)
        await self.voltus.deliver()
        await self.harness.settle()

    async def call(
        self, body: bytes, method: str = "POST", url: str | None = None
    ) -> int:
        """Call as anybody may who knows the address; return the status."""
        async with (
            ClientSession() as session,
            session.request(method, url or self.url, data=body) as response,
        ):
            return response.status

    async def call_about(self, *dispatch_ids: str) -> None:
        """Call about dispatches, and let what follows from it happen."""
        for dispatch_id in dispatch_ids:
            assert await self.call(delivery(dispatch_id)) == 200
        await self.harness.settle()
