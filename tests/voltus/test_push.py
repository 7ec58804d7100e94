"""News by push: Voltus calls, the dispatch is asked for, the poll stays the net."""

import asyncio
from datetime import timedelta
from typing import cast

from aiohttp import web
from homeassistant.components import webhook
from homeassistant.config_entries import ConfigEntryState
from homeassistant.util.aiohttp import MockRequest
import pytest

from custom_components.voltus.account.options import CONF_PUSH, CONF_PUSH_URL
from custom_components.voltus.aiovoltus.models import Json
from custom_components.voltus.aiovoltus.webhooks import LARGEST_DELIVERY
from custom_components.voltus.asking import push as push_module
from custom_components.voltus.asking.push import READ_WITHIN
from sandbox.faults import Faults
from sandbox.webhooks import WebhookFaults
from tests.builders import NOON, at, wire_dispatch

from .pushed import Pushed, delivery

HANDSHAKE = b'{"event": {"name": ""}, "resource": ""}'


async def test_a_dispatch_is_known_as_soon_as_voltus_calls(pushed: Pushed) -> None:
    harness = pushed.harness
    await harness.set_up()
    pushed.asked()
    await pushed.deliver(wire_dispatch("d1"))
    assert pushed.asked() == [("GET", "/dispatches/d1")]
    assert harness.curtails("s1")
    assert harness.stories == [("d1", "created"), ("d1", "started")]
    assert [event.data["source"] for event in harness.told] == ["push", "push"]


async def test_the_next_poll_finds_nothing_new(pushed: Pushed) -> None:
    harness = pushed.harness
    await harness.set_up()
    await pushed.deliver(wire_dispatch("d1"))
    told = len(harness.told)
    await harness.poll()
    assert len(harness.told) == told


async def test_a_cancel_that_voltus_calls_about_lets_go_at_once(pushed: Pushed) -> None:
    harness = pushed.harness
    harness.publish(wire_dispatch("d1"))
    await pushed.voltus.deliver()
    await harness.set_up()
    assert harness.curtails("s1")
    await pushed.deliver(wire_dispatch("d1", authorized=False, modification_number=1))
    assert not harness.curtails("s1")
    assert harness.stories[-1] == ("d1", "cancelled")


async def test_every_change_says_what_brought_it(pushed: Pushed) -> None:
    harness = pushed.harness
    await harness.set_up()
    harness.publish(wire_dispatch("d1", at(1), at(2)))
    await harness.poll()
    await harness.move_to(at(1))
    await pushed.deliver(wire_dispatch("d1", at(1), at(4), modification_number=1))
    disk = harness.disk()
    harness.freezer.move_to(at(5))
    await harness.restart(disk)
    assert [
        (story[1], event.data["source"])
        for story, event in zip(harness.stories, harness.told, strict=True)
    ] == [
        ("created", "poll"),
        ("started", "clock"),
        ("updated", "push"),
        ("ended", "restart"),
    ]
    rows = harness.entry.runtime_data.log.rows
    assert [row["type"] for row in rows if row.get("source") == "restart"] == ["ended"]


async def test_the_same_list_as_before_the_call_is_news(pushed: Pushed) -> None:
    """A poll need not read bytes that it has read, unless a call came in between."""
    harness = pushed.harness
    first = wire_dispatch("d1", at(10), at(20))
    harness.publish(first)
    await harness.set_up()
    await pushed.deliver(wire_dispatch("d1", at(10), at(30)))
    harness.publish(first)
    await harness.poll()
    assert harness.told[-1].data["end_time"] == at(20).isoformat()


async def test_an_answer_that_was_overtaken_by_a_poll_is_ignored(
    pushed: Pushed,
) -> None:
    harness = pushed.harness
    await harness.set_up()
    pushed.voltus.faults = Faults(delay=5, paths=["/dispatches/d1"])
    harness.publish(wire_dispatch("d1", at(10), at(20)))
    await pushed.voltus.deliver()
    harness.publish(wire_dispatch("d1", at(10), at(30)))
    await harness.entry.runtime_data.async_refresh()
    harness.freezer.tick(6)
    await harness.settle()
    assert ("GET", "/dispatches/d1") in pushed.asked()
    assert harness.told[-1].data["end_time"] == at(30).isoformat()


# What is answered


async def test_the_handshake_is_answered_and_asks_nobody(pushed: Pushed) -> None:
    await pushed.harness.set_up()
    pushed.asked()
    assert await pushed.call(HANDSHAKE) == 200
    await pushed.harness.settle()
    assert pushed.asked() == []
    assert pushed.push.health.last_received is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"resource": "https://evil.example/2022-04-15/dispatches/d1"}',
        b'{"resource": "/2022-04-15/dispatches/../sites"}',
        b'{"resource": "//evil.example/2022-04-15/dispatches/d1"}',
        b'{"resource": "/2022-04-15/dispatches/d1/../../sites"}',
        delivery("d1") + b" " * LARGEST_DELIVERY,
        b"x" * (10 * 2**20),
    ],
    ids=lambda body: body[:60],
)
async def test_what_is_no_delivery_is_refused_and_asks_nobody(
    pushed: Pushed, body: bytes
) -> None:
    await pushed.harness.set_up()
    pushed.asked()
    assert await pushed.call(body) == 503
    await pushed.harness.settle()
    assert pushed.asked() == []
    assert pushed.push.refused == 1


async def test_the_key_goes_to_our_origin_alone(pushed: Pushed) -> None:
    """Whatever a delivery names, nobody else is asked."""
    asked = []

    async def note(request: web.Request) -> web.Response:
        asked.append(request)
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", note)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    other = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        await pushed.harness.set_up()
        pushed.asked()
        for resource in (
            f"http://{other}/2022-04-15/dispatches/d1",
            f"//{other}/2022-04-15/dispatches/d1",
            f"/2022-04-15/dispatches/@{other}",
        ):
            body = f'{{"event": {{"name": "x"}}, "resource": "{resource}"}}'
            assert await pushed.call(body.encode()) == 503
        await pushed.harness.settle()
    finally:
        await runner.cleanup()
    assert (asked, pushed.asked()) == ([], [])


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_only_post_is_taken(pushed: Pushed, method: str) -> None:
    await pushed.harness.set_up()
    assert await pushed.call(delivery("d1"), method) == 405


async def test_a_surprise_is_answered_so_that_voltus_calls_again(
    pushed: Pushed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pushed.harness.set_up()

    def surprise(_body: bytes) -> str:
        raise RuntimeError

    monkeypatch.setattr(push_module, "read_delivery", surprise)
    assert await pushed.call(delivery("d1")) == 503


async def test_a_call_that_does_not_end_is_given_up(pushed: Pushed) -> None:
    await pushed.harness.set_up()
    host, port = pushed.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    path = pushed.url.removeprefix(pushed.base)
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99\r\n\r\n{{".encode()
    )
    for _ in range(200):
        await asyncio.sleep(0)
    pushed.harness.freezer.tick(READ_WITHIN + 1)
    status = await reader.readline()
    writer.close()
    assert b" 503 " in status


async def test_until_the_set_up_is_through_voltus_is_told_to_call_again(
    pushed: Pushed,
) -> None:
    pushed.voltus.faults = Faults(delay=5, paths=["/dispatches"], times=1)
    entry = pushed.harness.entry
    setting_up = asyncio.create_task(
        pushed.harness.hass.config_entries.async_setup(entry.entry_id)
    )
    async with asyncio.timeout(10):
        while not pushed.voltus.requests:
            await asyncio.sleep(0)
    assert entry.state is ConfigEntryState.SETUP_IN_PROGRESS
    assert await pushed.call(delivery("d1")) == 503
    pushed.harness.freezer.tick(6)
    assert await setting_up
    await pushed.harness.settle()
    assert await pushed.call(HANDSHAKE) == 200


async def test_a_call_by_the_cloud_is_taken(pushed: Pushed) -> None:
    """Its request is no real one: it has no `read()`, and reads from the beginning."""
    harness = pushed.harness
    await harness.set_up()
    harness.publish(wire_dispatch("d1"))
    for body, status in (
        (delivery("d1"), 200),
        (b"x" * (LARGEST_DELIVERY + 1), 503),
    ):
        response = await webhook.async_handle_webhook(
            harness.hass,
            pushed.webhook_id,
            MockRequest(body, mock_source="cloud", method="POST"),
        )
        assert response.status == status
    await harness.settle()
    assert harness.curtails("s1")


async def test_what_voltus_calls_about_while_push_is_off_is_not_asked_for(
    pushed: Pushed,
) -> None:
    await pushed.harness.set_up()
    await choose(pushed, push=False)
    pushed.asked()
    assert await pushed.call(delivery("d1")) == 200
    await pushed.harness.settle()
    assert pushed.asked() == []


# What is asked for


async def test_up_to_three_dispatches_are_asked_for_one_by_one(pushed: Pushed) -> None:
    await pushed.harness.set_up()
    pushed.asked()
    await pushed.deliver(*(wire_dispatch(f"d{number}") for number in range(3)))
    assert {("GET", f"/dispatches/d{number}") for number in range(3)} == {
        *pushed.asked()
    }


async def test_more_of_them_are_asked_for_by_one_list(pushed: Pushed) -> None:
    harness = pushed.harness
    await harness.set_up()
    pushed.asked()
    # While the first is asked for, the others come.
    pushed.voltus.faults = Faults(delay=1, paths=["/dispatches/d0"])
    harness.publish(*(wire_dispatch(f"d{number}") for number in range(6)))
    await pushed.voltus.deliver()
    harness.freezer.tick(2)
    await harness.settle()
    assert pushed.asked() == [("GET", "/dispatches/d0"), ("GET", "/dispatches")]
    assert {story[0] for story in harness.stories} == {f"d{n}" for n in range(6)}
    assert {event.data["source"] for event in harness.told} == {"push"}


async def test_a_flood_costs_ten_requests_and_then_one_every_two_seconds(
    pushed: Pushed,
) -> None:
    harness = pushed.harness
    await harness.set_up()
    pushed.asked()
    await pushed.call_about(*(f"x{number}" for number in range(200)))
    assert len(pushed.asked()) == 10
    for second in range(1, 11):
        await harness.move_to(NOON + timedelta(seconds=second))
    assert len(pushed.asked()) <= 6


async def test_a_good_call_within_a_flood_is_acted_on_within_two_seconds(
    pushed: Pushed,
) -> None:
    harness = pushed.harness
    await harness.set_up()
    harness.publish(wire_dispatch("d1"))
    ids = [f"x{number}" for number in range(300)]
    await pushed.call_about(*ids[:150], "d1", *ids[150:])
    await harness.move_to(NOON + timedelta(seconds=2))
    assert harness.curtails("s1")


async def test_what_is_not_there_yet_is_asked_for_again(pushed: Pushed) -> None:
    harness = pushed.harness
    await harness.set_up()
    await pushed.call_about("d1")
    assert pushed.asked("/dispatches/d1") == [("GET", "/dispatches/d1")]
    waits = []
    for second in range(1, 30):
        await harness.move_to(NOON + timedelta(seconds=second))
        waits += [second for _ in pushed.asked("/dispatches/d1")]
    assert waits == [1, 4, 14]


async def test_a_call_that_comes_early_is_acted_on_as_soon_as_it_can_be(
    pushed: Pushed,
) -> None:
    harness = pushed.harness
    await harness.set_up()
    pushed.voltus.faults = Faults(drop=["d1"])
    await pushed.deliver(wire_dispatch("d1"))
    assert harness.stories == []
    pushed.voltus.faults = Faults()
    await harness.move_to(NOON + timedelta(seconds=1))
    assert harness.curtails("s1")
    assert harness.told[0].data["source"] == "push"


async def test_a_call_about_what_is_not_found_is_no_vote_for_withdrawn(
    pushed: Pushed,
) -> None:
    harness = pushed.harness
    harness.publish(wire_dispatch("d1"))
    await harness.set_up()
    pushed.voltus.faults = Faults(drop=["d1"])
    await pushed.call_about("d1")
    trace = harness.entry.runtime_data.known.trace("d1")
    assert (trace.first_missing, trace.gone) == (None, False)
    for second in (1, 4, 14):
        await harness.move_to(NOON + timedelta(seconds=second))
    assert harness.curtails("s1")


@pytest.mark.parametrize("fault", [Faults(status=500), Faults(cut=True)])
async def test_what_could_not_be_asked_for_is_asked_for_again(
    pushed: Pushed, fault: Faults
) -> None:
    harness = pushed.harness
    await harness.set_up()
    pushed.voltus.faults = fault
    await pushed.deliver(wire_dispatch("d1"))
    pushed.voltus.faults = Faults()
    await harness.move_to(NOON + timedelta(seconds=1))
    assert harness.curtails("s1")


async def test_voltus_is_left_alone_when_it_asks_for_it(pushed: Pushed) -> None:
    harness = pushed.harness
    await harness.set_up()
    pushed.voltus.faults = Faults(status=429, retry_after="45", times=1)
    await pushed.deliver(wire_dispatch("d1"))
    pushed.asked()
    await pushed.call_about("d1", "d2")
    for second in (1, 10, 30, 44):
        await harness.move_to(NOON + timedelta(seconds=second))
    assert pushed.asked() == []
    for second in (60, 90):
        await harness.move_to(NOON + timedelta(seconds=second))
    assert harness.curtails("s1")


async def test_a_call_that_comes_twice_is_told_once(pushed: Pushed) -> None:
    harness = pushed.harness
    await harness.set_up()
    pushed.voltus.webhook_faults = WebhookFaults(double=True)
    await pushed.deliver(wire_dispatch("d1"))
    assert harness.stories == [("d1", "created"), ("d1", "started")]


async def test_what_was_refused_during_an_outage_of_ours_comes_again(
    pushed: Pushed, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = pushed.harness
    await harness.set_up()
    with monkeypatch.context() as patch:
        patch.setattr(pushed.push, "_ready", False)
        await pushed.deliver(wire_dispatch("d1"))
    assert harness.stories == []
    harness.freezer.tick(1)
    await pushed.deliver()
    assert harness.curtails("s1")


async def test_a_site_that_nobody_knew_is_asked_about_at_the_next_poll(
    pushed: Pushed,
) -> None:
    harness = pushed.harness
    await harness.set_up()
    await pushed.deliver(wire_dispatch("d1", sites={"s9": 5}))
    assert harness.curtails("s9")
    pushed.asked()
    await harness.poll()
    assert ("GET", "/sites") in pushed.asked()


# Whether it can be relied on


async def see_by_poll(pushed: Pushed, dispatch_id: str, minutes: float) -> None:
    """Publish something that Voltus does not call about, and let polls find it."""
    harness = pushed.harness
    await harness.move_to(at(minutes))
    harness.publish(
        *(
            cast("dict[str, Json]", dict(states[0].dispatch))
            for states in pushed.voltus.accounts["sandbox-key"].scenario.values()
        ),
        wire_dispatch(dispatch_id, at(600), at(660)),
    )
    pushed.voltus.webhook_faults = WebhookFaults(drop=True)
    await pushed.voltus.deliver()
    for seconds in (30, 60, 90, 120, 150):
        await harness.move_to(at(minutes) + timedelta(seconds=seconds))
    pushed.voltus.webhook_faults = WebhookFaults()


async def test_two_changes_in_a_row_without_a_call_put_push_in_doubt(
    pushed: Pushed,
) -> None:
    await pushed.harness.set_up()
    assert pushed.state.state == "on"
    await see_by_poll(pushed, "d1", 1)
    assert (pushed.state.state, pushed.state.attributes["missed"]) == ("on", 1)
    pushed.asked()
    await see_by_poll(pushed, "d2", 5)
    assert (pushed.state.state, pushed.state.attributes["missed"]) == ("off", 2)
    assert pushed.state.attributes["reason"] == "in_doubt"
    # It is registered anew, once, and make before break.
    assert [method for method, _ in pushed.asked("/webhooks")] == [
        "GET",
        "POST",
        "DELETE",
    ]
    assert pushed.urls == [pushed.url]


async def test_a_call_ends_the_doubt(pushed: Pushed) -> None:
    await pushed.harness.set_up()
    await see_by_poll(pushed, "d1", 1)
    await see_by_poll(pushed, "d2", 5)
    await pushed.deliver(wire_dispatch("d3", at(600), at(660)))
    assert pushed.state.state == "on"
    assert pushed.state.attributes["missed"] == 0
    assert pushed.state.attributes["last_received"] is not None


async def test_a_call_that_comes_within_ninety_seconds_is_only_late(
    pushed: Pushed,
) -> None:
    harness = pushed.harness
    await harness.set_up()
    pushed.voltus.webhook_faults = WebhookFaults(delay=60)
    await harness.move_to(at(1))
    await pushed.deliver(wire_dispatch("d1", at(600), at(660)))
    for seconds in (30, 60, 90, 120, 150, 180):
        await harness.move_to(at(1) + timedelta(seconds=seconds))
        await pushed.deliver()
    assert pushed.state.attributes["missed"] == 0
    assert harness.told[0].data["source"] == "poll"


async def test_what_changed_while_we_did_not_run_was_not_missed(
    pushed: Pushed,
) -> None:
    harness = pushed.harness
    await harness.set_up()
    disk = harness.disk()
    harness.publish(*(wire_dispatch(f"d{n}", at(600), at(660)) for n in range(3)))
    harness.freezer.move_to(at(10))
    await harness.restart(disk)
    for seconds in (30, 60, 90, 120):
        await harness.move_to(at(10) + timedelta(seconds=seconds))
    assert pushed.state.attributes["missed"] == 0


async def test_without_push_nothing_is_missed(pushed: Pushed) -> None:
    await pushed.harness.set_up()
    await choose(pushed, push=False)
    await see_by_poll(pushed, "d1", 1)
    await see_by_poll(pushed, "d2", 5)
    assert pushed.state.attributes["missed"] == 0
    assert pushed.state.attributes["reason"] == "switched_off"


async def choose(pushed: Pushed, *, push: bool) -> None:
    harness = pushed.harness
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={CONF_PUSH: push, CONF_PUSH_URL: pushed.base}
    )
    await harness.settle()
