"""The local Voltus over HTTP: reads clock, requests and faults, and sends the answers."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
import html
from string import Template

from aiohttp import web

from .api import BASE_PATH, Account, Request, respond
from .delivering import shake_hands, take
from .faults import SECONDS, Faults, parse_faults
from .guide import guide
from .scenario import PUBLIC_SITES, public_scenario
from .webhooks import (
    PUBLIC_WEBHOOKS,
    Delivery,
    WebhookFaults,
    deliveries,
    newest,
    next_publication,
    parse_webhook,
    parse_webhook_faults,
)
from .wire import (
    FLAG,
    Answer,
    RequestError,
    Rule,
    Wire,
    error,
    json_answer,
    only,
    read_json,
)

KEY_HEADER = "X-Voltus-API-Key"
PUBLIC_KEY = "secret"
RATE_LIMIT = 101

SETTINGS = {
    "public_start_offset": SECONDS,
    "public_nanoseconds": FLAG,
    "denied_status": Rule(
        "401, as seen, or 403, as documented", lambda value: value in (401, 403)
    ),
}

_PAGE = Template(
    "<!doctype html><title>A local Voltus</title><pre style='white-space: pre-wrap'>$text</pre>"
)
_CLOSING = web.AppKey("closing", asyncio.Event)


class LocalVoltus:
    """All that the server knows; every attribute may be read and assigned while it runs."""

    def __init__(self, keys: Iterable[str] = ("sandbox-key",)) -> None:
        """Give each issued key its own account; the public key `secret` works besides."""
        self.accounts = {key: Account() for key in keys}
        self.faults = Faults()
        self.webhook_faults = WebhookFaults()
        self.outbox: list[Delivery] = []
        """What is still to be delivered."""
        self._published = asyncio.Event()
        self.requests: list[Request] = []
        """Requests for versioned paths, newest last."""
        self.public_start_offset: float = 0
        """Seconds from now to the start of the public sandbox's dispatch."""
        self.public_nanoseconds = False
        self.denied_status = 401
        """The status for a wrong key."""

    def app(self) -> web.Application:
        """Return the application; each call a new one, over the same accounts."""
        app = web.Application(client_max_size=64 * 2**20)
        app[_CLOSING] = asyncio.Event()
        app.on_shutdown.append(_close)
        app.cleanup_ctx.append(self._delivering)
        app.router.add_get("/", self._guide)
        app.router.add_route("*", "/_control/{name}", self._control)
        app.router.add_route("*", BASE_PATH + "/{path:.*}", self._versioned)
        return app

    def answer(
        self, request: Request, body: bytes, now: datetime, faults: Faults
    ) -> Answer:
        """Return the answer to a request received at `now`, as these faults leave it."""
        return faults.spoil(
            faults.instead() or self._good_answer(request, body, now, faults)
        )

    def _good_answer(
        self, request: Request, body: bytes, now: datetime, faults: Faults
    ) -> Answer:
        try:
            return respond(self._account(request.key, now), request, body, faults, now)
        except RequestError as refused:
            return error(refused.status, str(refused))

    def _account(self, key: str, now: datetime) -> Account:
        if not key:
            raise RequestError(f'"{KEY_HEADER}" is missing from header')
        if key == PUBLIC_KEY:
            scenario = public_scenario(
                now, self.public_start_offset, nanoseconds=self.public_nanoseconds
            )
            return Account(PUBLIC_SITES, scenario, PUBLIC_WEBHOOKS, read_only=True)
        if key not in self.accounts:
            raise RequestError("Permission denied", self.denied_status)
        return self.accounts[key]

    def control(self, method: str, name: str, body: bytes) -> Answer:
        """Show or change the faults or the settings; raises RequestError."""
        match method, name:
            case "GET", "faults" | "settings" | "webhook_faults":
                pass
            case "PUT" | "POST", "webhook_faults":
                self.webhook_faults = parse_webhook_faults(read_json(body))
            case "DELETE", "webhook_faults":
                self.webhook_faults = WebhookFaults()
            case "DELETE", "webhooks":
                for account in self.accounts.values():
                    account.webhooks = ()
            case "PUT" | "POST", "faults":
                self.faults = parse_faults(read_json(body))
            case "DELETE", "faults":
                self.faults = Faults()
            case "PUT" | "POST", "settings":
                for setting, value in only(
                    read_json(body), "settings", SETTINGS
                ).items():
                    setattr(self, setting, value)
            case _:
                raise RequestError(
                    "Here are faults and webhook_faults (GET, PUT, DELETE), "
                    "settings (GET, PUT) and webhooks (DELETE)",
                    404,
                )
        return json_answer(self._shown(name))

    def _shown(self, name: str) -> Wire:
        match name:
            case "faults":
                return asdict(self.faults)
            case "webhook_faults":
                return asdict(self.webhook_faults)
            case "settings":
                return {each: getattr(self, each) for each in SETTINGS}
        return {"webhooks": []}

    async def _guide(self, request: web.Request) -> web.Response:
        text = guide(
            str(request.url.origin()), next(iter(self.accounts)), datetime.now(UTC)
        )
        if "text/html" not in request.headers.get("Accept", ""):
            return web.Response(text=text)
        return web.Response(
            text=_PAGE.substitute(text=html.escape(text)), content_type="text/html"
        )

    async def _control(self, request: web.Request) -> web.Response:
        try:
            answer = self.control(
                request.method, request.match_info["name"], await request.read()
            )
        except RequestError as refused:
            answer = error(refused.status, str(refused))
        return web.Response(
            status=answer.status, body=answer.body, headers=answer.headers
        )

    async def _versioned(self, http: web.Request) -> web.StreamResponse:
        key = http.headers.get(KEY_HEADER, "")
        request = Request(http.method, http.path, key, tuple(http.query.items()))
        self.requests.append(request)
        faults = self.faults.at(request.path)
        self.faults = self.faults.after(request.path)
        body = await http.read()
        try:
            await self._shake_hands(http, request, body, faults)
        except RequestError as refused:
            answer = error(refused.status, str(refused))
        else:
            answer = self.answer(request, body, datetime.now(UTC), faults)
        if request.method == "POST":
            self._published.set()
        if faults.hang or faults.delay:
            await _wait(http.app[_CLOSING], None if faults.hang else faults.delay)
        if faults.hang:
            return _hang_up(http)
        headers = {
            **answer.headers,
            **self._headers(datetime.now(UTC) + timedelta(seconds=faults.date_offset)),
        }
        if faults.cut:
            return await _cut(http, answer, headers)
        return web.Response(status=answer.status, body=answer.body, headers=headers)

    async def _shake_hands(
        self, http: web.Request, request: Request, body: bytes, faults: Faults
    ) -> None:
        """Call the address of a webhook that is to be created. Raises RequestError."""
        if (
            (request.method, request.path) != ("POST", f"{BASE_PATH}/webhooks")
            or request.key not in self.accounts
            or faults.instead()
        ):
            return
        url = str(parse_webhook(read_json(body))["url"])
        if self.webhook_faults.handshake_never:
            await _wait(http.app[_CLOSING], None)
        taken = await shake_hands(url, self.webhook_faults.handshake_delay)
        if self.webhook_faults.handshake_refused or not taken:
            raise RequestError(f"{url} did not answer the handshake with 2xx")

    async def deliver(self) -> None:
        """Deliver what is published and due by now; what is not taken stays for later."""
        now = datetime.now(UTC)
        seen = now + timedelta(seconds=self.webhook_faults.early)
        for account in self.accounts.values():
            told, account.told = account.told, newest(account.scenario, seen)
            self.outbox += deliveries(
                account.webhooks, told, account.told, self.webhook_faults, now
            )
        due = [each for each in self.outbox if each.due <= now]
        self.outbox = [each for each in self.outbox if each.due > now]
        taken = await asyncio.gather(*(take(each.url, each.body) for each in due))
        failed = (each for each, done in zip(due, taken, strict=True) if not done)
        self.outbox += filter(None, (each.again(now) for each in failed))

    def _next_delivery(self) -> float | None:
        """Return the seconds until there may be something to deliver."""
        now = datetime.now(UTC)
        early = timedelta(seconds=self.webhook_faults.early)
        scenarios = [each.scenario for each in self.accounts.values()]
        publication = next_publication(scenarios, now + early)
        times = [each.due for each in self.outbox]
        times += [publication - early] if publication else []
        return (min(times) - now).total_seconds() if times else None

    async def _delivering(self, _app: web.Application) -> AsyncIterator[None]:
        """Deliver in the background as long as the server lives."""
        task = asyncio.create_task(self._deliver_for_ever())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def _deliver_for_ever(self) -> None:
        while True:
            self._published.clear()
            await self.deliver()
            await _wait(self._published, self._next_delivery())

    def _headers(self, date: datetime) -> dict[str, str]:
        used = len(self.requests) % RATE_LIMIT
        return {
            "Date": format_datetime(date, usegmt=True),
            "x-ratelimit-limit": str(RATE_LIMIT),
            "x-ratelimit-remaining": str(RATE_LIMIT - used),
            "x-ratelimit-reset": str(used),
        }


async def _close(app: web.Application) -> None:
    app[_CLOSING].set()


async def _wait(closing: asyncio.Event, seconds: float | None) -> None:
    """Wait so many seconds, or for ever, but no longer than the server lives."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await closing.wait()


def _hang_up(http: web.Request) -> web.StreamResponse:
    """Close the connection; the response is for aiohttp's books alone."""
    if http.transport is not None:
        http.transport.close()
    return web.Response()


async def _cut(
    http: web.Request, answer: Answer, headers: dict[str, str]
) -> web.StreamResponse:
    """Promise the whole body, send half of it, and close the connection."""
    response = web.StreamResponse(status=answer.status, headers=headers)
    response.content_length = len(answer.body) + 1
    await response.prepare(http)
    await response.write(answer.body[: len(answer.body) // 2])
    _hang_up(http)
    return response


@asynccontextmanager
async def serve(voltus: LocalVoltus, port: int = 0) -> AsyncIterator[str]:
    """Serve on 127.0.0.1 and yield the address; port 0 lets the system choose. Raises OSError."""
    runner = web.AppRunner(voltus.app(), access_log=None, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
