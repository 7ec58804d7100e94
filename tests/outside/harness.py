"""A Home Assistant in a process of its own, and what can be seen of it from outside."""

from asyncio import FIRST_COMPLETED, create_task, wait
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
import os
from pathlib import Path
import re
import signal
import socket
from typing import Any, Final

from aiohttp import ClientError, ClientSession

from demo import onboarding
from demo.api import Api, DemoError, signed_in
from demo.process import DEMO, LOG_NAME, started
from sandbox.api import DEFAULT_SITES
from sandbox.scenario import SITE, State, new_dispatch
from sandbox.server import LocalVoltus
from sandbox.wire import Wire

ROOT: Final = DEMO.parent
PYTHON: Final = str(ROOT / ".tools" / "demo" / "bin" / "python")

LOADED_CUSTOM: Final = "We found a custom integration voltus which has not been tested"
"""What Home Assistant says of every custom integration at every start."""

DOMAIN: Final = "voltus"
KEY: Final = onboarding.API_KEY
RIVERSIDE, HILLTOP = "kd1k", "m3ll"

_RECORD = re.compile(r"^\d{4}-\d\d-\d\d [\d:.+-]+ (?=[A-Z]+ \()", re.MULTILINE)
_WARNING = re.compile(r"(WARNING|ERROR|CRITICAL) ")


class Home:
    """A Home Assistant on a folder. While it runs, `api` speaks to it as its owner.

    Its websocket does not outlive a minute without a command: see `signed_in`.
    """

    api: Api

    def __init__(
        self, session: ClientSession, config: Path, variables: Mapping[str, str]
    ) -> None:
        """Take a session for Home Assistant at DEMO_PORT, which is among the variables."""
        self.url = f"http://127.0.0.1:{variables['DEMO_PORT']}/"
        self._session = session
        self._config = config
        self._variables = variables
        self._token = ""
        self._process: Process
        self._life = AsyncExitStack()

    async def set_up(self) -> None:
        """Start for the first time, and answer the questions for a new home."""
        await self._start()
        self._token = await self._alive(onboarding.create_user(self._session, self.url))
        self.api = await self._life.enter_async_context(self.signed_in())
        await self._alive(onboarding.finish_onboarding(self.api, self.url))

    @property
    def pid(self) -> int:
        """The process, which leads a group of its own."""
        return self._process.pid

    async def restart(self) -> None:
        """Start once more, and wait until everything runs."""
        await self._start()
        await self._alive(onboarding.until(self._runs, 120, "starting Home Assistant"))
        self.api = await self._life.enter_async_context(self.signed_in())

    async def kill(self) -> None:
        """Let it die without a warning."""
        os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        await self.stop()

    async def stop(self) -> None:
        """Stop in good order whatever still runs."""
        await self._life.aclose()

    @asynccontextmanager
    async def signed_in(self) -> AsyncIterator[Api]:
        """Open one more connection of the owner's."""
        async with signed_in(self._session, self._token) as api:
            yield api

    async def rename(self, entry_id: str, name: str) -> None:
        """Give an account's entry, device and entities another name than all have."""
        command = self.api.command
        await command("config_entries/update", entry_id=entry_id, title=name)
        for device in await command("config/device_registry/list"):
            if [DOMAIN, entry_id] in device["identifiers"]:
                await command(
                    "config/device_registry/update",
                    device_id=device["id"],
                    name_by_user=name,
                )
        old_ids = [
            entity["entity_id"]
            for entity in await command("config/entity_registry/list")
            if entity["config_entry_id"] == entry_id
        ]
        renamed = await command(
            "config/entity_registry/get_automatic_entity_ids", entity_ids=old_ids
        )
        for old, new in renamed.items():
            await command(
                "config/entity_registry/update", entity_id=old, new_entity_id=new
            )

    async def state(self, entity_id: str) -> str:
        """Return the state of an entity."""
        found: str = (await self.api.request("GET", f"states/{entity_id}"))["state"]
        return found

    async def until_state(self, entity_id: str, state: str, seconds: int = 60) -> None:
        """Wait until an entity is in a state."""

        async def is_in_it() -> bool:
            return await self.state(entity_id) == state

        await onboarding.until(
            is_in_it, seconds, f"waiting for {entity_id} to be {state}"
        )

    async def written(self, entity_id: str, since: datetime) -> list[dict[str, Any]]:
        """Return the states of an entity that were written since, as recorded."""
        path = f"history/period/{since.isoformat()}?filter_entity_id={entity_id}"
        return [
            state
            for states in await self.api.request("GET", path)
            for state in states
            if datetime.fromisoformat(state["last_updated"]) > since
        ]

    def warnings(self) -> list[str]:
        """Return what was logged so far, as a warning or worse, and names us anywhere."""
        log = (self._config / LOG_NAME).read_text(errors="replace")
        return [
            record
            for record in _RECORD.split(log.replace(str(ROOT), ""))
            if _WARNING.match(record) and DOMAIN in record
        ]

    async def _start(self) -> None:
        running = started(self._config, self._variables, PYTHON)
        self._process = await self._life.enter_async_context(running)

    async def _alive[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Await something of Home Assistant; raises DemoError if it ends first."""
        task, end = create_task(work), create_task(self._process.wait())
        await wait({task, end}, return_when=FIRST_COMPLETED)
        end.cancel()
        if not task.done():
            task.cancel()
            raise DemoError(f"Home Assistant has ended: see {self._config / LOG_NAME}")
        return task.result()

    async def _runs(self) -> bool:
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            async with self._session.get("/api/config", headers=headers) as answer:
                return answer.ok and (await answer.json())["state"] == "RUNNING"
        except ClientError:
            return False


@asynccontextmanager
async def new_home(config: Path, variables: Mapping[str, str]) -> AsyncIterator[Home]:
    """Run Home Assistant for the first time on a folder, as its first user.

    Its configuration names the environment's variable DEMO_PORT as its port.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    async with ClientSession(f"http://127.0.0.1:{port}") as session:
        home = Home(session, config, {"DEMO_PORT": str(port), **variables})
        try:
            await home.set_up()
            yield home
        finally:
            await home.stop()


def dispatch(amounts: Mapping[str, float], *, starts_in: float, lasts: float) -> Wire:
    """Return a dispatch of default sites, by their amounts in kW; seconds from now."""
    now = datetime.now(UTC).replace(microsecond=0)
    start = now + timedelta(seconds=starts_in)
    end = start + timedelta(seconds=lasts)
    sites = [
        {**{name: site[name] for name in SITE}, "commitment": amounts[str(site["id"])]}
        for site in DEFAULT_SITES
        if site["id"] in amounts
    ]
    return {**new_dispatch((), start, end, created=now), "sites": sites}


def publish(voltus: LocalVoltus, **dispatches: Wire) -> None:
    """Have Voltus say from now on that there are these dispatches and no other."""
    now = datetime.now(UTC)
    voltus.accounts[KEY].scenario = {
        dispatch_id: (State(now, content),)
        for dispatch_id, content in dispatches.items()
    }
