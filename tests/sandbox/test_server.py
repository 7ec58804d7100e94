"""The local Voltus over a real socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
import json
import re
from typing import Any

import aiohttp
from aiohttp import web
from freezegun.api import FrozenDateTimeFactory
import pytest

from sandbox.api import DEFAULT_SITES, Request, new_id
from sandbox.faults import HUGE, Faults
from sandbox.scenario import State, custom_scenario, new_dispatch
from sandbox.server import LocalVoltus, serve

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
LIST = "/2022-04-15/dispatches"


@dataclass(frozen=True, slots=True)
class Got:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the JSON of the body."""
        return json.loads(self.body)


type Call = Callable[..., Awaitable[Got]]


@pytest.fixture
async def call(url: str) -> AsyncIterator[Call]:
    """Return a function that sends one request."""
    async with aiohttp.ClientSession() as session:

        async def send(
            method: str,
            path: str,
            *,
            key: str | None = "sandbox-key",
            json: object = None,
            data: str | None = None,
        ) -> Got:
            address = url + (
                path
                if path == "/" or path.startswith("/_control")
                else f"/2022-04-15{path}"
            )
            headers = {} if key is None else {"X-Voltus-API-Key": key}
            asked = session.request(
                method,
                address,
                headers=headers,
                json=json,
                data=data,
                allow_redirects=False,
            )
            async with asked as response:
                return Got(response.status, response.headers, await response.read())

        yield send


@pytest.fixture(autouse=True)
def _noon(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOON)


def a_dispatch(start: int = 30, end: int = 150) -> dict[str, Any]:
    seconds = [NOON + timedelta(seconds=each) for each in (start, end)]
    return dict(new_dispatch(DEFAULT_SITES, seconds[0], seconds[1], created=NOON))


def show(voltus: LocalVoltus, **dispatches: dict[str, Any]) -> None:
    voltus.accounts["sandbox-key"].scenario = {
        each: (State(NOON, dispatches[each]),) for each in dispatches
    }


async def listed(call: Call, key: str = "sandbox-key") -> Any:
    response = await call("GET", "/dispatches", key=key)
    assert response.status == 200
    body = response.json()
    assert (body["page"], body["perPage"]) == (0, 0)
    return body["dispatches"]


def envelope(response: Got) -> tuple[int, str, str]:
    body = response.json()
    assert body.keys() == {"message", "type"}
    return response.status, body["message"], body["type"]


# Keys


async def test_a_request_without_key_is_a_bad_request(call: Call) -> None:
    response = await call("GET", "/dispatches", key=None)
    assert response.json() == {
        "message": '"X-Voltus-API-Key" is missing from header',
        "type": "Bad Request",
    }
    assert response.status == 400


@pytest.mark.parametrize("status", [401, 403])
async def test_a_wrong_key_is_refused_as_seen_or_as_documented(
    voltus: LocalVoltus, call: Call, status: int
) -> None:
    voltus.denied_status = status
    response = await call("GET", "/dispatches", key="guess")
    assert envelope(response) == (status, "Permission denied", "Unauthorized")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "//dispatches", (404, "Not Found", "Not Found")),
        ("GET", "/facilities", (404, "Not Found", "Not Found")),
        ("GET", "/dispatches/", (404, "Not Found", "Not Found")),
        ("GET", "/dispatches/none", (404, "Not Found", "Not Found")),
        ("GET", "/scenarios", (405, "Method Not Allowed", "Method Not Allowed")),
        (
            "DELETE",
            "/dispatches/none",
            (405, "Method Not Allowed", "Method Not Allowed"),
        ),
    ],
)
async def test_what_does_not_exist_says_so(
    call: Call, method: str, path: str, expected: tuple[int, str, str]
) -> None:
    assert envelope(await call(method, path)) == expected


async def test_every_answer_carries_rate_limit_headers_and_every_request_is_recorded(
    voltus: LocalVoltus, call: Call
) -> None:
    good, bad = await call("GET", "/sites"), await call("GET", "/dispatches", key=None)
    assert [
        good.headers[f"x-ratelimit-{each}"] for each in ("limit", "remaining", "reset")
    ] == ["101", "100", "1"]
    assert [
        bad.headers[f"x-ratelimit-{each}"] for each in ("limit", "remaining", "reset")
    ] == ["101", "99", "2"]
    assert voltus.requests == [
        Request("GET", "/2022-04-15/sites", "sandbox-key"),
        Request("GET", LIST, ""),
    ]


# The public sandbox


async def test_the_public_key_shows_the_public_sandbox(
    voltus: LocalVoltus, call: Call
) -> None:
    voltus.public_start_offset = 5
    assert (await call("GET", "/sites", key="secret")).json() == {
        "sites": [
            {"id": "asdf", "name": "Site 1", "customer_location_id": ""},
            {"id": "lkjh", "name": "Site 2", "customer_location_id": ""},
        ],
        "page": 0,
        "perPage": 0,
    }
    expected = {
        "id": "asdf",
        "authorized": True,
        "test": False,
        "creation_time": "2026-08-01T11:00:00Z",
        "start_time": "2026-08-01T12:00:05Z",
        "end_time": "2026-08-01T13:00:05Z",
        "modification_number": 0,
        "program": {
            "id": 42,
            "name": "MISO - Operating Reserves",
            "market": "MISO",
            "timezone": "US/Central",
            "program_type": "ancillary_services",
        },
        "sites": [
            {
                "id": "asdf",
                "name": "Site 1",
                "customer_location_id": "1",
                "commitment": 12,
                "drop_by": 12,
            },
            {
                "id": "lkjh",
                "name": "Site 2",
                "customer_location_id": "2",
                "commitment": 40,
                "drop_by": 40,
            },
        ],
    }
    assert await listed(call, "secret") == [expected]
    assert (await call("GET", "/dispatches/asdf", key="secret")).json() == expected


async def test_the_public_sandbox_can_send_nanoseconds(
    voltus: LocalVoltus, call: Call
) -> None:
    voltus.public_nanoseconds = True
    (dispatch,) = await listed(call, "secret")
    assert dispatch["end_time"] == "2026-08-01T12:59:59.999999928Z"


@pytest.mark.parametrize("path", ["/dispatches", "/scenarios"])
async def test_the_public_key_only_reads(call: Call, path: str) -> None:
    response = await call("POST", path, key="secret", json={})
    message = "Permission denied: the public key only reads, use an issued one"
    assert envelope(response) == (403, message, "Unauthorized")


# Sites, scenarios and test dispatches of an issued key


async def test_an_account_has_sites_with_meters_and_they_can_be_replaced(
    voltus: LocalVoltus, call: Call
) -> None:
    sites = (await call("GET", "/sites")).json()["sites"]
    assert [(site["id"], site["name"], len(site["meters"])) for site in sites] == [
        ("kd1k", "Riverside Cold Storage", 1),
        ("m3ll", "Hilltop Workshop", 2),
    ]
    voltus.accounts["sandbox-key"].sites = [{"id": "n0ne"}]
    assert (await call("GET", "/sites")).json()["sites"] == [{"id": "n0ne"}]


async def test_a_scenario_is_shown_as_it_is_published(
    call: Call, freezer: FrozenDateTimeFactory
) -> None:
    dispatch = a_dispatch()
    body = custom_scenario(dispatch, NOON + timedelta(seconds=10))
    response = await call("POST", "/scenarios", json=body)
    assert response.status == 200
    echo = response.json()
    dispatch_id = echo["dispatches"]["Dispatch"]["id"]
    assert re.fullmatch("[a-z0-9]{4,6}", dispatch_id)
    assert await listed(call) == []
    freezer.tick(10)
    assert await listed(call) == [{"id": dispatch_id, **dispatch}]
    assert (await call("GET", f"/dispatches/{dispatch_id}")).json() == {
        "id": dispatch_id,
        **dispatch,
    }


async def test_a_scenario_overwrites_the_one_before(call: Call) -> None:
    body = custom_scenario(a_dispatch(), NOON)
    first, second = [
        (await call("POST", "/scenarios", json=body)).json()["dispatches"]["Dispatch"][
            "id"
        ]
        for _ in range(2)
    ]
    assert [dispatch["id"] for dispatch in await listed(call)] == [second]
    assert (await call("GET", f"/dispatches/{first}")).status == 404


async def test_a_scenario_of_the_past_clears_the_list(call: Call) -> None:
    year = -365 * 86400
    show_nothing = custom_scenario(
        a_dispatch(year, year + 60), NOON + timedelta(seconds=year)
    )
    dispatch_id = (await call("POST", "/scenarios", json=show_nothing)).json()[
        "dispatches"
    ]["Dispatch"]["id"]
    assert await listed(call) == []
    assert (await call("GET", f"/dispatches/{dispatch_id}")).status == 200


async def test_a_scenario_that_is_refused_leaves_the_old_one(
    voltus: LocalVoltus, call: Call
) -> None:
    show(voltus, old1=a_dispatch())
    response = await call(
        "POST", "/scenarios", json={"name": "x", "scenario_type": "basic"}
    )
    message = 'scenario_type of the scenario must be "custom", the only form known here'
    assert envelope(response) == (400, message, "Bad Request")
    assert [dispatch["id"] for dispatch in await listed(call)] == ["old1"]


async def test_a_body_that_is_not_json_is_a_bad_request(call: Call) -> None:
    status, message, kind = envelope(await call("POST", "/scenarios", data="{"))
    assert (status, kind) == (400, "Bad Request")
    assert message.startswith("the body is not JSON: ")


async def test_a_test_dispatch_is_found_by_listing(call: Call) -> None:
    times = {"start_time": "2026-08-01T12:02:00Z", "end_time": "2026-08-01T12:22:00Z"}
    response = await call("POST", "/dispatches", json=times)
    assert (response.status, response.body) == (200, b"")
    (dispatch,) = await listed(call)
    assert dispatch["test"] is True
    assert {name: dispatch[name] for name in times} == times


async def test_a_test_dispatch_of_the_past_is_refused(call: Call) -> None:
    response = await call(
        "POST",
        "/dispatches",
        json={"start_time": "2026-08-01T11:00:00Z", "end_time": "2026-08-01T13:00:00Z"},
    )
    assert envelope(response) == (
        400,
        "start_time must be in the future, end_time after it, and both within 72 hours",
        "Bad Request",
    )


async def test_every_issued_key_has_an_account_of_its_own() -> None:
    voltus = LocalVoltus(["one", "two"])
    voltus.accounts["one"].scenario = {"d1s9": (State(NOON, a_dispatch()),)}
    async with serve(voltus) as url, aiohttp.ClientSession() as session:
        counts = []
        for key in ("one", "two"):
            async with session.get(
                url + LIST, headers={"X-Voltus-API-Key": key}
            ) as response:
                counts.append(len((await response.json())["dispatches"]))
    assert counts == [1, 0]


def test_a_new_id_is_not_one_that_is_taken() -> None:
    class FirstIsTaken:
        asked = 0

        def __contains__(self, item: object) -> bool:
            self.asked += 1
            return self.asked == 1

    taken = FirstIsTaken()
    assert re.fullmatch("[a-z0-9]{4,6}", new_id(taken))
    assert taken.asked == 2


# Faults


async def test_a_status_stands_in_for_the_answer_and_the_request_has_no_effect(
    voltus: LocalVoltus, call: Call
) -> None:
    voltus.faults = Faults(status=503, retry_after="7", times=1)
    response = await call(
        "POST", "/scenarios", json=custom_scenario(a_dispatch(), NOON)
    )
    assert envelope(response) == (503, "Service Unavailable", "Service Unavailable")
    assert response.headers["Retry-After"] == "7"
    assert voltus.faults == Faults()
    assert await listed(call) == []


async def test_an_error_page_of_a_proxy(voltus: LocalVoltus, call: Call) -> None:
    voltus.faults = Faults(status=403, body="html")
    response = await call("GET", "/dispatches")
    assert (response.status, response.headers["Content-Type"]) == (403, "text/html")


async def test_a_huge_body_arrives_whole(voltus: LocalVoltus, call: Call) -> None:
    voltus.faults = Faults(body="huge")
    response = await call("GET", "/dispatches")
    assert len(response.body) == HUGE
    assert response.json()["dispatches"] == []


@pytest.mark.parametrize(
    ("redirect", "status", "sent"),
    [("http://127.0.0.1:1/x", None, 302), ("/elsewhere", 307, 307)],
)
async def test_a_redirect(
    voltus: LocalVoltus, call: Call, redirect: str, status: int | None, sent: int
) -> None:
    voltus.faults = Faults(redirect=redirect, status=status)
    response = await call("GET", "/dispatches")
    assert (response.status, response.headers["Location"]) == (sent, redirect)


async def test_the_date_header_runs_ahead(voltus: LocalVoltus, call: Call) -> None:
    voltus.faults = Faults(date_offset=90)
    response = await call("GET", "/dispatches")
    assert parsedate_to_datetime(response.headers["Date"]) == NOON + timedelta(
        seconds=90
    )


async def test_dispatches_vanish_and_are_damaged(
    voltus: LocalVoltus, call: Call
) -> None:
    dispatch = a_dispatch()
    show(voltus, gone=dispatch, list=dispatch, dirt=dispatch)
    voltus.faults = Faults(
        drop=["gone"], drop_from_list=["list"], corrupt={"dirt": {"start_time": 5}}
    )
    assert await listed(call) == [{"id": "dirt", **dispatch, "start_time": 5}]
    assert [
        (await call("GET", f"/dispatches/{each}")).status
        for each in ("gone", "list", "dirt")
    ] == [404, 200, 200]


async def test_the_list_can_be_good_while_one_dispatch_cannot_be_fetched(
    voltus: LocalVoltus, call: Call
) -> None:
    show(voltus, d1s9=a_dispatch())
    voltus.faults = Faults(
        drop_from_list=["d1s9"], status=500, paths=["/dispatches/d1s9"]
    )
    assert await listed(call) == []
    assert (await call("GET", "/dispatches/d1s9")).status == 500


@pytest.mark.parametrize("path", ["/dispatches", "/dispatches/d1s9", "/none"])
async def test_a_connection_is_cut_in_the_middle_of_the_body(
    voltus: LocalVoltus, call: Call, path: str
) -> None:
    show(voltus, d1s9=a_dispatch())
    voltus.faults = Faults(cut=True, times=1)
    with pytest.raises(aiohttp.ClientPayloadError):
        await call("GET", path)
    assert await listed(call)


async def test_a_request_whose_answer_is_cut_has_been_carried_out(
    voltus: LocalVoltus, call: Call
) -> None:
    voltus.faults = Faults(cut=True, times=1)
    with pytest.raises(aiohttp.ClientPayloadError):
        await call(
            "POST",
            "/dispatches",
            json={
                "start_time": "2026-08-01T12:02:00Z",
                "end_time": "2026-08-01T12:22:00Z",
            },
        )
    assert len(await listed(call)) == 1


async def until(voltus: LocalVoltus, requests: int) -> None:
    """Wait until so many requests have come in."""
    while len(voltus.requests) < requests:
        await asyncio.sleep(0)


async def test_a_late_answer_is_as_old_as_its_request(
    voltus: LocalVoltus, call: Call, freezer: FrozenDateTimeFactory
) -> None:
    show(voltus, old1=a_dispatch())
    voltus.faults = Faults(delay=30, paths=["/dispatches"], times=1)
    late = asyncio.create_task(listed(call))
    await until(voltus, 1)
    show(voltus, new1=a_dispatch())
    assert [dispatch["id"] for dispatch in await listed(call)] == ["new1"]
    assert not late.done()
    freezer.tick(31)
    assert [dispatch["id"] for dispatch in await late] == ["old1"]


async def test_faults_strike_the_api_alone(voltus: LocalVoltus, call: Call) -> None:
    voltus.faults = Faults(status=500)
    assert (await call("GET", "/")).status == 200
    assert (await call("GET", "/_control/faults")).status == 200
    assert voltus.requests == []


async def test_hanging_requests_end_with_the_server(voltus: LocalVoltus) -> None:
    voltus.faults = Faults(hang=True)
    async with aiohttp.ClientSession(
        headers={"X-Voltus-API-Key": "sandbox-key"}
    ) as session:
        async with serve(voltus) as url:
            hanging = [asyncio.create_task(session.get(url + LIST)) for _ in range(3)]
            await until(voltus, 3)
            for _ in range(
                10
            ):  # time enough for a closed connection to be noticed, and for aiohttp's second try
                async with session.get(url) as response:
                    assert response.status == 200
            assert len(voltus.requests) == 3
            assert not any(each.done() for each in hanging)
        assert all(
            isinstance(each, aiohttp.ClientError)
            for each in await asyncio.gather(*hanging, return_exceptions=True)
        )


@pytest.mark.parametrize("leaving", [True, False])
async def test_hanging_requests_end_under_another_runner(
    voltus: LocalVoltus, caplog: pytest.LogCaptureFixture, *, leaving: bool
) -> None:
    voltus.faults = Faults(hang=True)
    runner = web.AppRunner(voltus.app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession(
        headers={"X-Voltus-API-Key": "sandbox-key"}
    ) as session:
        hanging = asyncio.create_task(
            session.get(f"http://127.0.0.1:{runner.addresses[0][1]}{LIST}")
        )
        await until(voltus, 1)
        if leaving:
            hanging.cancel()
        await asyncio.gather(runner.cleanup(), hanging, return_exceptions=True)
    assert not [
        record for record in caplog.records if record.levelname in ("WARNING", "ERROR")
    ]


async def test_a_hanging_request_ends_when_its_client_leaves(
    voltus: LocalVoltus, url: str
) -> None:
    before = asyncio.all_tasks()
    voltus.faults = Faults(hang=True)
    async with aiohttp.ClientSession(
        headers={"X-Voltus-API-Key": "sandbox-key"}
    ) as session:
        hanging = asyncio.create_task(session.get(url + LIST))
        await until(voltus, 1)
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
    while asyncio.all_tasks() - before:
        await asyncio.sleep(0)


async def test_the_server_can_go_and_come_back_on_the_same_port(
    voltus: LocalVoltus,
) -> None:
    show(voltus, d1s9=a_dispatch())
    headers = {"X-Voltus-API-Key": "sandbox-key"}
    async with aiohttp.ClientSession(headers=headers) as session:
        async with serve(voltus) as url, session.get(url + LIST) as response:
            assert response.status == 200
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url + LIST)
        async with (
            serve(voltus, int(url.rpartition(":")[2])),
            session.get(url + LIST) as response,
        ):
            assert len((await response.json())["dispatches"]) == 1


# Control


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_faults_are_switched_on_shown_and_cleared_over_http(
    voltus: LocalVoltus, call: Call, method: str
) -> None:
    response = await call(
        method, "/_control/faults", json={"status": 500, "paths": ["/dispatches"]}
    )
    assert response.status == 200
    assert voltus.faults == Faults(status=500, paths=["/dispatches"])
    shown = (await call("GET", "/_control/faults")).json()
    assert shown == response.json()
    assert (shown["status"], shown["hang"], shown["drop"]) == (500, False, [])
    await call("PUT", "/_control/faults", json=shown)
    assert voltus.faults == Faults(
        status=500, paths=["/dispatches"], drop=[], drop_from_list=[]
    )
    await call("DELETE", "/_control/faults")
    assert voltus.faults == Faults()


async def test_settings_are_changed_over_http_one_by_one(
    voltus: LocalVoltus, call: Call
) -> None:
    response = await call("PUT", "/_control/settings", json={"public_start_offset": 5})
    assert response.json() == {
        "public_start_offset": 5,
        "public_nanoseconds": False,
        "denied_status": 401,
    }
    await call(
        "PUT",
        "/_control/settings",
        json={"public_nanoseconds": True, "denied_status": 403},
    )
    assert (
        voltus.public_start_offset,
        voltus.public_nanoseconds,
        voltus.denied_status,
    ) == (5, True, 403)


@pytest.mark.parametrize(
    ("method", "name", "sent", "expected"),
    [
        ("PUT", "faults", {"statu": 1}, (400, "faults knows no statu; it knows body")),
        (
            "PUT",
            "settings",
            {"denied_status": 500},
            (400, "denied_status of settings must be 401, as seen, or 403"),
        ),
        (
            "PUT",
            "settings",
            {"public": 1},
            (400, "settings knows no public; it knows denied_status"),
        ),
        (
            "DELETE",
            "settings",
            None,
            (404, "Here are faults and webhook_faults"),
        ),
        (
            "GET",
            "weather",
            None,
            (404, "Here are faults and webhook_faults"),
        ),
    ],
)
async def test_what_cannot_be_controlled_is_named(
    call: Call, method: str, name: str, sent: object, expected: tuple[int, str]
) -> None:
    status, message, _ = envelope(await call(method, f"/_control/{name}", json=sent))
    assert status == expected[0]
    assert message.startswith(expected[1])
