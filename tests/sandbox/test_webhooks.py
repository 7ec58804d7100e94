"""Webhooks of the local Voltus: created with a handshake, called at each publication."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
import json
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from freezegun.api import FrozenDateTimeFactory
import pytest

from sandbox.api import DEFAULT_SITES
from sandbox.scenario import State, new_dispatch
from sandbox.server import LocalVoltus
from sandbox.webhooks import GARBAGE, WebhookFaults

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
EVENTS = [{"name": "dispatch.create"}, {"name": "dispatch.update"}]
HANDSHAKE = {"event": {"name": ""}, "resource": ""}


@dataclass
class Listener:
    """Listens for deliveries, and answers as it is told to."""

    url: str = ""
    status: int = 200
    bodies: list[bytes] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        """Take a delivery."""
        assert "X-Voltus-API-Key" not in request.headers
        self.bodies.append(await request.read())
        self.called.set()
        return web.Response(status=self.status)

    def heard(self) -> list[tuple[str, str]]:
        """Return event and dispatch id of what was delivered since asked last."""
        deliveries = [json.loads(body) for body in self.bodies]
        self.bodies.clear()
        return [
            (each["event"]["name"], each["resource"].rpartition("/")[2])
            for each in deliveries
        ]


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    """Listen on a real socket."""
    listener = Listener()
    app = web.Application()
    app.router.add_post("/hook", listener.answer)
    server = TestServer(app)
    await server.start_server(access_log=None)
    async with server:
        listener.url = str(server.make_url("/hook"))
        yield listener


@pytest.fixture(autouse=True)
def _noon(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOON)


async def ask(
    url: str,
    method: str,
    path: str,
    json: object = None,
    *,
    key: str = "sandbox-key",
) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession(headers={"X-Voltus-API-Key": key}) as session,
        session.request(method, url + path, json=json) as response,
    ):
        return response.status, await response.json()


async def create(url: str, listens: str, events: object = EVENTS) -> tuple[int, Any]:
    body = {"url": listens, "events": events}
    return await ask(url, "POST", "/2022-04-15/webhooks", body)


def publish(voltus: LocalVoltus, dispatch_id: str = "d1", after: float = 0) -> None:
    """Publish another version of a dispatch so many seconds after noon."""
    account = voltus.accounts["sandbox-key"]
    states = (*account.scenario.get(dispatch_id, ()),)
    dispatch = new_dispatch(
        DEFAULT_SITES, NOON, NOON + timedelta(hours=1), created=NOON
    )
    state = State(
        NOON + timedelta(seconds=after),
        {**dispatch, "modification_number": len(states)},
    )
    account.scenario = {**account.scenario, dispatch_id: (*states, state)}


async def test_a_webhook_is_created_once_who_listens_has_answered(
    url: str, listener: Listener
) -> None:
    status, webhook = await create(url, listener.url)
    assert status == 200
    assert webhook == {"id": webhook["id"], "url": listener.url, "events": EVENTS}
    assert [json.loads(body) for body in listener.bodies] == [HANDSHAKE]
    assert await ask(url, "GET", "/2022-04-15/webhooks") == (
        200,
        {"webhooks": [webhook], "page": 0, "perPage": 0},
    )


async def test_deleting_returns_it_and_is_final(url: str, listener: Listener) -> None:
    _, webhook = await create(url, listener.url)
    path = f"/2022-04-15/webhooks/{webhook['id']}"
    assert await ask(url, "DELETE", path) == (200, webhook)
    status, _ = await ask(url, "DELETE", path)
    assert status == 404


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"url": "https://x/"},
            "A create webhook request must contain an 'events' field",
        ),
        ({"url": "ftp://x/", "events": EVENTS}, "url of the webhook must be an"),
        ({"events": EVENTS}, "the webhook has no url"),
        ({"url": "https://x/", "events": []}, "events of the webhook must be a list"),
        ({"url": "https://x/", "events": ["dispatch.create"]}, "event 0 of the"),
        ({"url": "https://x/", "events": [{"name": "x"}]}, "there is no event x"),
    ],
)
async def test_what_cannot_be_created_is_named(
    url: str, body: object, message: str
) -> None:
    status, answer = await ask(url, "POST", "/2022-04-15/webhooks", body)
    assert status == 400
    assert answer["message"].startswith(message)


@pytest.mark.parametrize("answers", [500, 302, 404])
async def test_who_does_not_answer_the_handshake_gets_no_webhook(
    url: str, listener: Listener, answers: int
) -> None:
    listener.status = answers
    status, answer = await create(url, listener.url)
    assert (status, answer["type"]) == (400, "Bad Request")
    _, shown = await ask(url, "GET", "/2022-04-15/webhooks")
    assert shown["webhooks"] == []


async def test_nobody_is_called_for_a_key_that_is_refused(
    url: str, listener: Listener
) -> None:
    body = {"url": listener.url, "events": EVENTS}
    for key, refusal in (("nobody", 401), ("secret", 403)):
        status, _ = await ask(url, "POST", "/2022-04-15/webhooks", body, key=key)
        assert status == refusal
    assert listener.bodies == []


async def test_the_public_key_shows_the_fixture(url: str) -> None:
    _, shown = await ask(url, "GET", "/2022-04-15/webhooks", key="secret")
    assert [each["id"] for each in shown["webhooks"]] == ["asd8f"]
    status, _ = await ask(url, "DELETE", "/2022-04-15/webhooks/asd8f", key="secret")
    assert status == 403


async def test_news_are_delivered_when_they_are_published(
    voltus: LocalVoltus, url: str, listener: Listener, freezer: FrozenDateTimeFactory
) -> None:
    await create(url, listener.url)
    listener.heard()
    publish(voltus)
    publish(voltus, after=60)
    await voltus.deliver()
    assert listener.heard() == [("dispatch.create", "d1")]
    await voltus.deliver()
    assert listener.heard() == []
    freezer.tick(60)
    await voltus.deliver()
    assert listener.heard() == [("dispatch.update", "d1")]


async def test_who_asks_for_one_kind_of_event_hears_of_no_other(
    voltus: LocalVoltus, url: str, listener: Listener
) -> None:
    await create(url, listener.url, [{"name": "dispatch.update"}])
    listener.heard()
    publish(voltus)
    await voltus.deliver()
    publish(voltus)
    await voltus.deliver()
    assert listener.heard() == [("dispatch.update", "d1")]


async def test_what_was_published_before_the_webhook_is_not_delivered(
    voltus: LocalVoltus, url: str, listener: Listener
) -> None:
    publish(voltus)
    await voltus.deliver()
    await create(url, listener.url)
    await voltus.deliver()
    assert listener.heard() == [("", "")]


async def test_a_test_dispatch_is_delivered_by_itself(
    voltus: LocalVoltus, url: str, listener: Listener
) -> None:
    await create(url, listener.url)
    listener.heard()
    listener.called.clear()
    times = {"start_time": "2026-08-01T12:10:00Z", "end_time": "2026-08-01T12:20:00Z"}
    async with (
        aiohttp.ClientSession(headers={"X-Voltus-API-Key": "sandbox-key"}) as session,
        session.post(f"{url}/2022-04-15/dispatches", json=times) as response,
    ):
        assert (response.status, await response.read()) == (200, b"")
    async with asyncio.timeout(10):
        await listener.called.wait()
    (made,) = voltus.accounts["sandbox-key"].scenario
    assert listener.heard() == [("dispatch.create", made)]


async def test_what_is_not_taken_is_delivered_again_until_it_is(
    voltus: LocalVoltus, url: str, listener: Listener, freezer: FrozenDateTimeFactory
) -> None:
    await create(url, listener.url)
    listener.heard()
    listener.status = 503
    publish(voltus)
    for wait in (0, 1, 2, 4):
        freezer.tick(wait)
        await voltus.deliver()
        assert listener.heard() == [("dispatch.create", "d1")]
    listener.status = 204
    freezer.tick(8)
    await voltus.deliver()
    assert listener.heard() == [("dispatch.create", "d1")]
    assert voltus.outbox == []


async def test_in_the_end_nothing_is_delivered_again(
    voltus: LocalVoltus, url: str, listener: Listener, freezer: FrozenDateTimeFactory
) -> None:
    await create(url, listener.url)
    listener.status = 500
    publish(voltus)
    for _ in range(8):
        await voltus.deliver()
        freezer.tick(60)
    assert voltus.outbox == []


@pytest.mark.parametrize(
    ("faults", "heard"),
    [
        (WebhookFaults(drop=True), []),
        (WebhookFaults(double=True), ["d1", "d1", "d2", "d2"]),
        (WebhookFaults(reorder=True), ["d2", "d1"]),
        (WebhookFaults(delay=1), []),
    ],
)
async def test_deliveries_go_wrong(
    voltus: LocalVoltus,
    url: str,
    listener: Listener,
    faults: WebhookFaults,
    heard: list[str],
) -> None:
    await create(url, listener.url)
    listener.heard()
    voltus.webhook_faults = faults
    publish(voltus, "d1")
    publish(voltus, "d2")
    await voltus.deliver()
    assert [dispatch_id for _, dispatch_id in listener.heard()] == heard


async def test_a_late_delivery_comes_in_the_end(
    voltus: LocalVoltus, url: str, listener: Listener, freezer: FrozenDateTimeFactory
) -> None:
    await create(url, listener.url)
    listener.heard()
    voltus.webhook_faults = WebhookFaults(delay=60)
    publish(voltus)
    await voltus.deliver()
    freezer.tick(60)
    await voltus.deliver()
    assert listener.heard() == [("dispatch.create", "d1")]


async def test_an_early_delivery_is_about_what_cannot_be_read_yet(
    voltus: LocalVoltus, url: str, listener: Listener, freezer: FrozenDateTimeFactory
) -> None:
    await create(url, listener.url)
    listener.heard()
    voltus.webhook_faults = WebhookFaults(early=2)
    publish(voltus, after=2)
    await voltus.deliver()
    assert listener.heard() == [("dispatch.create", "d1")]
    status, _ = await ask(url, "GET", "/2022-04-15/dispatches/d1")
    assert status == 404
    freezer.tick(2)
    status, _ = await ask(url, "GET", "/2022-04-15/dispatches/d1")
    assert status == 200


async def test_garbage_is_delivered(
    voltus: LocalVoltus, url: str, listener: Listener
) -> None:
    await create(url, listener.url)
    listener.bodies.clear()
    voltus.webhook_faults = WebhookFaults(garbage=True)
    publish(voltus)
    await voltus.deliver()
    assert listener.bodies == [GARBAGE]


async def test_a_handshake_may_be_refused_whatever_was_answered(
    voltus: LocalVoltus, url: str, listener: Listener
) -> None:
    voltus.webhook_faults = WebhookFaults(handshake_refused=True)
    status, _ = await create(url, listener.url)
    assert status == 400
    assert len(listener.bodies) == 1


async def test_webhook_faults_are_switched_over_http_and_webhooks_forgotten(
    voltus: LocalVoltus, url: str, listener: Listener
) -> None:
    control = "/_control/webhook_faults"
    status, shown = await ask(url, "PUT", control, {"early": 2})
    assert (status, shown["early"], voltus.webhook_faults.early) == (200, 2, 2)
    assert (await ask(url, "GET", control))[1] == shown
    status, refused = await ask(url, "PUT", control, {"early": -1})
    assert (status, refused["message"]) == (
        400,
        "early of webhook faults must be a number of seconds, 0 or more",
    )
    await ask(url, "DELETE", control)
    assert voltus.webhook_faults == WebhookFaults()
    await create(url, listener.url)
    await ask(url, "DELETE", "/_control/webhooks")
    assert voltus.accounts["sandbox-key"].webhooks == ()
