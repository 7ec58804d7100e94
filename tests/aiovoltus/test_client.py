"""The conversation with Voltus, over a real socket, with all that can go wrong."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
import json
import re

from aiohttp import ClientSession, ClientTimeout, web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
import pytest

from custom_components.voltus.aiovoltus import client as client_module
from custom_components.voltus.aiovoltus.client import (
    PRODUCTION,
    PUBLIC_KEY,
    SANDBOX,
    VoltusClient,
    decode,
    parse_origin,
    plays_scenarios,
)
from custom_components.voltus.aiovoltus.errors import (
    VoltusAuthError,
    VoltusConnectionError,
    VoltusError,
    VoltusFormatError,
    VoltusNotFoundError,
    VoltusRateLimitError,
    VoltusRequestError,
    VoltusTooLargeError,
)
from custom_components.voltus.aiovoltus.models import (
    DispatchSite,
    Json,
    Listing,
    Refusal,
    can_be_asked_for,
    parse_dispatch,
    parse_listing,
)
from custom_components.voltus.aiovoltus.telemetry import (
    LoadRow,
    TelemetryRow,
    on_grid,
)
from custom_components.voltus.aiovoltus.webhooks import EVENTS, Webhook
from sandbox.faults import Faults
from sandbox.server import LocalVoltus, serve
from sandbox.webhooks import WebhookFaults
from sandbox.wire import Answer
from tests.builders import NOON, at, wire_dispatch

KEY = "k3y-that-nobody-may-see"

type Call = Callable[[VoltusClient], Awaitable[object]]

START = datetime.now(UTC) + timedelta(hours=1)
END = START + timedelta(minutes=20)
SCENARIO: dict[str, Json] = {
    "name": "Basic",
    "scenario_type": "custom",
    "dispatches": {
        "Dispatch": {
            "states": [
                {
                    "published_time": "2026-07-15T12:00:00Z",
                    "dispatch": {
                        name: value
                        for name, value in wire_dispatch(
                            start=START, end=END, creation_time="2026-07-15T12:00:00Z"
                        ).items()
                        if name != "id"
                    },
                }
            ]
        }
    },
}

METHODS: dict[str, Call] = {
    "dispatches": lambda client: client.dispatches(),
    "dispatch": lambda client: client.dispatch("xv1w4"),
    "sites": lambda client: client.sites(),
    "create_test_dispatch": lambda client: client.create_test_dispatch(START, END),
    "post_scenario": lambda client: client.post_scenario(SCENARIO),
    "webhooks": lambda client: client.webhooks(),
    "delete_webhook": lambda client: client.delete_webhook("asd8f"),
    "telemetry_kw": lambda client: client.telemetry_kw(["kd1k"], START, END, 60),
}

every_method = pytest.mark.parametrize("call", METHODS.values(), ids=METHODS)


@pytest.fixture
def voltus() -> LocalVoltus:
    """Return a local Voltus that knows our key."""
    return LocalVoltus(keys=[KEY])


@pytest.fixture
async def url(voltus: LocalVoltus, socket_enabled: None) -> AsyncIterator[str]:
    """Serve it, and return its address."""
    async with serve(voltus) as address:
        yield address


@pytest.fixture
async def session(socket_enabled: None) -> AsyncIterator[ClientSession]:
    """Return the session of the caller."""
    async with ClientSession() as session:
        yield session


@pytest.fixture
def client(session: ClientSession, url: str) -> VoltusClient:
    """Return a client of the local Voltus."""
    return VoltusClient(session, url, KEY)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client wait no longer than a tenth of a second."""
    for name in ("_TIMEOUT", "HANDSHAKE_TIMEOUT"):
        monkeypatch.setattr(client_module, name, ClientTimeout(total=0.1))


def chain(err: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and all that it was raised from or while handling."""
    while err is not None:
        yield err
        err = err.__cause__ or err.__context__


def assert_keeps_the_key(err: BaseException) -> None:
    """Assert that the key shows in no part of an error."""
    for each in chain(err):
        assert KEY not in f"{each} {each!r} {each.args!r} {each.__dict__!r}"


async def failure(call: Call, client: VoltusClient) -> VoltusError:
    """Return the error that a call ends in, once it is clear that it keeps the key."""
    with pytest.raises(VoltusError) as caught:
        await call(client)
    assert_keeps_the_key(caught.value)
    return caught.value


@asynccontextmanager
async def raw_server(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answer everything with these bytes; yield the address and what was received."""
    received: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        body = await reader.readexactly(int(length[1])) if length else b""
        received.append(head + body)
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", received


# What goes well


async def test_dispatches_are_read_from_the_bytes_of_the_list(
    client: VoltusClient,
) -> None:
    assert parse_listing(decode(await client.dispatches()), {}, NOON) == Listing({})
    await client.post_scenario(SCENARIO)
    listing = parse_listing(decode(await client.dispatches()), {}, NOON)
    (dispatch,) = listing.dispatches.values()
    assert (dispatch.start_time, dispatch.end_time) == (START, END)
    assert listing.refusals == ()


async def test_one_dispatch_is_asked_for_by_its_id(client: VoltusClient) -> None:
    await client.post_scenario(SCENARIO)
    (listed,) = parse_listing(
        decode(await client.dispatches()), {}, NOON
    ).dispatches.values()
    assert parse_dispatch(await client.dispatch(listed.id), {}, NOON, []) == listed


async def test_the_sites_of_the_key_are_read_with_their_meters(
    client: VoltusClient,
) -> None:
    sites = await client.sites()
    assert sites.complete
    assert {site.id: len(site.meters) for site in sites.sites.values()} == {
        "kd1k": 1,
        "m3ll": 2,
    }


async def test_a_test_dispatch_shows_in_the_list(client: VoltusClient) -> None:
    await client.create_test_dispatch(START, END)
    listing = parse_listing(decode(await client.dispatches()), {}, NOON)
    (dispatch,) = listing.dispatches.values()
    assert dispatch.test
    assert (dispatch.start_time, dispatch.end_time) == (START, END)


async def test_a_test_dispatch_may_be_of_a_program(session: ClientSession) -> None:
    async with raw_server(b"HTTP/1.1 200 OK\r\n\r\n") as (address, received):
        client = VoltusClient(session, address, KEY)
        await client.create_test_dispatch(NOON, at(20), program_id=867)
        await client.create_test_dispatch(NOON, at(20))
    times = {
        "start_time": "2026-07-15T12:00:00+00:00",
        "end_time": "2026-07-15T12:20:00+00:00",
    }
    assert [json.loads(each.partition(b"\r\n\r\n")[2]) for each in received] == [
        times | {"program_id": 867},
        times,
    ]


async def test_the_public_key_opens_the_public_sandbox(
    session: ClientSession, url: str
) -> None:
    client = VoltusClient(session, url, PUBLIC_KEY)
    assert set((await client.sites()).sites) == {"asdf", "lkjh"}
    listing = parse_listing(decode(await client.dispatches()), {}, NOON)
    assert set(listing.dispatches) == {"asdf"}


@pytest.mark.parametrize("nanoseconds", [False, True])
async def test_the_times_of_the_public_sandbox_are_read_to_the_microsecond(
    session: ClientSession, url: str, voltus: LocalVoltus, nanoseconds: bool
) -> None:
    voltus.public_nanoseconds = nanoseconds
    client = VoltusClient(session, url, PUBLIC_KEY)
    listing = parse_listing(decode(await client.dispatches()), {}, NOON)
    assert listing.refusals == ()
    assert listing.dispatches["asdf"].end_time is not None


# Where the key goes


@every_method
async def test_the_key_travels_in_its_header_alone(
    session: ClientSession, call: Call
) -> None:
    async with raw_server(b"HTTP/1.1 200 OK\r\n\r\n{}") as (address, received):
        try:
            await call(VoltusClient(session, address, KEY))
        except VoltusFormatError as err:
            assert_keeps_the_key(err)
    (request,) = received
    assert request.count(KEY.encode()) == 1
    assert f"\r\nX-Voltus-API-Key: {KEY}\r\n".encode() in request
    assert b"\r\nAccept: application/json\r\n" in request


@every_method
async def test_every_path_is_versioned(
    session: ClientSession, voltus: LocalVoltus, url: str, call: Call
) -> None:
    client = VoltusClient(session, parse_origin(f"{url}/2022-04-15/"), KEY)
    with suppress(VoltusNotFoundError):
        await call(client)
    (request,) = voltus.requests
    assert re.fullmatch(
        r"/2022-04-15/(dispatches|sites|scenarios|webhooks|telemetry)(/(xv1w4|asd8f|kw))?",
        request.path,
    )


@every_method
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(
    client: VoltusClient, voltus: LocalVoltus, call: Call, status: int
) -> None:
    async with raw_server(b"HTTP/1.1 200 OK\r\n\r\n{}") as (elsewhere, received):
        voltus.faults = Faults(redirect=f"{elsewhere}/2022-04-15/x", status=status)
        err = await failure(call, client)
    assert received == []
    assert type(err) is VoltusConnectionError
    assert re.search(rf"redirect \({status}\).*address may be wrong", str(err))


def test_the_client_shows_its_host_and_not_the_key(session: ClientSession) -> None:
    shown = repr(VoltusClient(session, SANDBOX, KEY))
    assert shown == "VoltusClient('https://sandbox.voltus.co/2022-04-15')"


async def test_the_session_stays_open(
    client: VoltusClient, session: ClientSession, voltus: LocalVoltus
) -> None:
    voltus.faults = Faults(cut=True)
    await failure(METHODS["sites"], client)
    assert not session.closed


# What Voltus refuses


@every_method
@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (400, VoltusRequestError, r"127\.0\.0\.1: Bad Request"),
        (401, VoltusAuthError, "refuses the API key"),
        (403, VoltusAuthError, "refuses the API key"),
        (404, VoltusNotFoundError, "Not Found"),
        (405, VoltusRequestError, "Method Not Allowed"),
        (413, VoltusTooLargeError, "Content Too Large"),
        (429, VoltusRateLimitError, "slow down"),
        (500, VoltusConnectionError, "status 500"),
        (502, VoltusConnectionError, "status 502"),
        (503, VoltusConnectionError, "status 503"),
        (522, VoltusConnectionError, "status 522"),
    ],
)
async def test_every_status_has_its_error(
    client: VoltusClient,
    voltus: LocalVoltus,
    call: Call,
    status: int,
    kind: type[VoltusError],
    text: str,
) -> None:
    voltus.faults = Faults(status=status)
    err = await failure(call, client)
    assert type(err) is kind
    assert re.search(text, str(err))
    assert "127.0.0.1" in str(err)


@every_method
async def test_after_a_fault_all_is_well_again(
    client: VoltusClient, voltus: LocalVoltus, call: Call
) -> None:
    voltus.faults = Faults(status=500, times=1)
    await failure(call, client)
    try:
        await call(client)
    except VoltusNotFoundError:
        assert call in (METHODS["dispatch"], METHODS["delete_webhook"])


@pytest.mark.parametrize("denied", [401, 403])
async def test_a_wrong_key_is_refused(
    session: ClientSession, url: str, voltus: LocalVoltus, denied: int
) -> None:
    voltus.denied_status = denied
    client = VoltusClient(session, url, f"{KEY}-not")
    assert type(await failure(METHODS["sites"], client)) is VoltusAuthError


async def test_a_refused_request_is_told_in_voltus_own_words(
    client: VoltusClient,
) -> None:
    err = await failure(lambda it: it.create_test_dispatch(NOON, NOON), client)
    assert type(err) is VoltusRequestError
    assert "start_time" in str(err) or "end_time" in str(err)


async def test_a_dispatch_that_voltus_does_not_know_is_not_found(
    client: VoltusClient,
) -> None:
    assert type(await failure(METHODS["dispatch"], client)) is VoltusNotFoundError


@pytest.mark.parametrize(
    "retry_after", ["120", "Wed, 21 Oct 2026 07:28:00 GMT", "soon", None]
)
async def test_a_request_to_slow_down_keeps_what_voltus_said(
    client: VoltusClient, voltus: LocalVoltus, retry_after: str | None
) -> None:
    voltus.faults = Faults(status=429, retry_after=retry_after)
    err = await failure(METHODS["dispatches"], client)
    assert isinstance(err, VoltusRateLimitError)
    assert err.retry_after == retry_after


def http(status: int, body: bytes) -> bytes:
    """Return a whole HTTP answer."""
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def envelope(kind: object, message: object = "No.") -> bytes:
    """Return the body of an error of Voltus'."""
    return json.dumps({"message": message, "type": kind}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        pytest.param(
            400, b"<h1>Bad Request</h1>", VoltusConnectionError, id="400 of a proxy"
        ),
        pytest.param(400, b"", VoltusConnectionError, id="400 without body"),
        pytest.param(400, b"[]", VoltusConnectionError, id="400 with a list"),
        pytest.param(400, b"{}", VoltusConnectionError, id="400 without type"),
        pytest.param(
            400, envelope(7), VoltusConnectionError, id="400 with a number for a type"
        ),
        pytest.param(
            400, envelope("Bad Request", 7), VoltusRequestError, id="400 without text"
        ),
        pytest.param(
            401, b"<h1>Who are you?</h1>", VoltusAuthError, id="401 of anyone"
        ),
        pytest.param(
            403, b"<h1>Forbidden</h1>", VoltusConnectionError, id="403 of a firewall"
        ),
        pytest.param(
            403, envelope("Forbidden"), VoltusRequestError, id="403 not about the key"
        ),
        pytest.param(
            404, b"<h1>Not Found</h1>", VoltusConnectionError, id="404 of a proxy"
        ),
        pytest.param(
            404, envelope("Not Found"), VoltusNotFoundError, id="404 of Voltus"
        ),
        pytest.param(407, b"", VoltusConnectionError, id="407 of a proxy"),
        pytest.param(
            429, b"<h1>Slow down</h1>", VoltusRateLimitError, id="429 of anyone"
        ),
        pytest.param(
            500,
            envelope("Unauthorized"),
            VoltusConnectionError,
            id="500 whatever its type",
        ),
        pytest.param(304, b"", VoltusConnectionError, id="304"),
    ],
)
async def test_only_what_carries_voltus_envelope_is_its_own_answer(
    session: ClientSession, status: int, body: bytes, kind: type[VoltusError]
) -> None:
    async with raw_server(http(status, body)) as (address, _):
        client = VoltusClient(session, address, KEY)
        err = await failure(METHODS["dispatches"], client)
    assert type(err) is kind


async def test_the_words_of_voltus_are_cleaned(session: ClientSession) -> None:
    body = envelope("Bad Request", "bad\n\x1b[31m" + "x" * 500)
    async with raw_server(http(400, body)) as (address, _):
        err = await failure(METHODS["sites"], VoltusClient(session, address, KEY))
    assert str(err) == "127.0.0.1: bad[31m" + "x" * 248


# What arrives broken, or not at all


@every_method
async def test_a_cut_in_the_middle_of_the_body_is_an_outage(
    client: VoltusClient, voltus: LocalVoltus, call: Call
) -> None:
    voltus.faults = Faults(cut=True, status=200)
    err = await failure(call, client)
    assert type(err) is VoltusConnectionError
    assert "could not be reached" in str(err)


@pytest.mark.usefixtures("impatient")
@every_method
async def test_an_answer_that_does_not_come_is_an_outage(
    client: VoltusClient, voltus: LocalVoltus, call: Call
) -> None:
    voltus.faults = Faults(hang=True)
    err = await failure(call, client)
    assert type(err) is VoltusConnectionError
    assert str(err) == "127.0.0.1 did not answer within 0.1 seconds"


@every_method
async def test_more_than_ten_mebibytes_are_not_read(
    client: VoltusClient, voltus: LocalVoltus, call: Call
) -> None:
    voltus.faults = Faults(body="huge")
    err = await failure(call, client)
    assert type(err) is VoltusConnectionError
    assert "more than 10485760 bytes" in str(err)


@pytest.mark.parametrize(
    ("length", "is_read"), [(10 * 2**20, True), (10 * 2**20 + 1, False)]
)
async def test_ten_mebibytes_are_read_and_not_a_byte_more(
    session: ClientSession, length: int, is_read: bool
) -> None:
    async with raw_server(http(200, b" " * length)) as (address, _):
        client = VoltusClient(session, address, KEY)
        if is_read:
            assert len(await client.dispatches()) == length
        else:
            await failure(METHODS["dispatches"], client)


@pytest.mark.parametrize("body", ["html", "truncated", "malformed", "empty"])
async def test_what_is_not_json_is_a_format_error(
    client: VoltusClient, voltus: LocalVoltus, body: str
) -> None:
    voltus.faults = Faults(body=body)
    err = await failure(METHODS["sites"], client)
    assert type(err) is VoltusFormatError
    assert str(err) == "The answer is not JSON"
    with pytest.raises(VoltusFormatError):
        decode(await client.dispatches())


@pytest.mark.parametrize("body", ["null_dispatches", "wrong_shape"])
async def test_json_of_another_shape_is_a_format_error(
    client: VoltusClient, voltus: LocalVoltus, body: str
) -> None:
    voltus.faults = Faults(body=body)
    assert type(await failure(METHODS["sites"], client)) is VoltusFormatError
    with pytest.raises(VoltusFormatError):
        parse_listing(decode(await client.dispatches()), {}, NOON)


@every_method
async def test_a_closed_port_is_an_outage(session: ClientSession, call: Call) -> None:
    async with raw_server(b"") as (address, _):
        pass
    err = await failure(call, VoltusClient(session, address, KEY))
    assert type(err) is VoltusConnectionError
    assert "127.0.0.1 could not be reached" in str(err)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing at all"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 abc OK\r\n\r\n", id="a status that is none"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
            id="a length that is none",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
            id="a header too long",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            id="a bad chunk",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnone",
            id="no gzip",
        ),
    ],
)
@every_method
async def test_what_is_no_http_is_an_outage(
    session: ClientSession, call: Call, answer: bytes
) -> None:
    async with raw_server(answer) as (address, _):
        err = await failure(call, VoltusClient(session, address, KEY))
    assert type(err) is VoltusConnectionError


@every_method
@pytest.mark.parametrize("tail", ["\n", "\r\nX-Other: 1", "\x00"])
async def test_a_key_that_fits_no_header_is_never_sent(
    session: ClientSession, voltus: LocalVoltus, url: str, call: Call, tail: str
) -> None:
    err = await failure(call, VoltusClient(session, url, KEY + tail))
    assert isinstance(err, VoltusError)
    assert voltus.requests == []


# What is to be seen of an answer


async def test_of_each_answer_status_size_and_limits_are_kept(
    client: VoltusClient, voltus: LocalVoltus
) -> None:
    content = await client.dispatches()
    good = client.exchange
    assert good
    assert (good.status, good.size) == (200, len(content))
    voltus.faults = Faults(status=500)
    with suppress(VoltusError):
        await client.sites()
    bad = client.exchange
    assert bad
    assert bad.status == 500
    assert bad.size > 0
    assert good.rate_limit == {"limit": 101, "remaining": 100, "reset": 1}
    assert bad.rate_limit == {"limit": 101, "remaining": 99, "reset": 2}


@pytest.mark.parametrize(
    "faults", [Faults(cut=True), Faults(body="huge")], ids=["cut", "huge"]
)
async def test_without_a_whole_answer_there_is_nothing_to_see(
    client: VoltusClient, voltus: LocalVoltus, faults: Faults
) -> None:
    await client.sites()
    assert client.exchange
    voltus.faults = faults
    with pytest.raises(VoltusConnectionError):
        await client.sites()
    assert client.exchange is None


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("7", {"limit": 7}),
        ("1234567890123", {"limit": 123456789}),
        *((text, {}) for text in ("", "-1", "1.5", "many", "1, 2", "\xb2")),
    ],
)
async def test_a_limit_is_a_whole_number_or_left_out(
    session: ClientSession, value: str, kept: dict[str, int]
) -> None:
    answer = f"HTTP/1.1 200 OK\r\nX-RateLimit-Limit: {value}\r\n\r\n{{}}"
    async with raw_server(answer.encode("latin-1")) as (address, _):
        client = VoltusClient(session, address, KEY)
        await client.dispatches()
    assert client.exchange
    assert client.exchange.rate_limit == kept


async def test_the_date_of_the_last_answer_is_kept(
    client: VoltusClient, voltus: LocalVoltus
) -> None:
    seen = []
    for faults in (Faults(date_offset=-86_400, status=500), Faults()):
        voltus.faults = faults
        with suppress(VoltusError):
            await client.sites()
        assert client.exchange
        assert client.exchange.server_time
        seen.append(client.exchange.server_time)
    assert seen[1] - seen[0] >= timedelta(days=1)


def test_before_any_answer_there_is_nothing_to_see(session: ClientSession) -> None:
    assert VoltusClient(session, SANDBOX, KEY).exchange is None


@pytest.mark.parametrize(
    ("header", "time"),
    [
        pytest.param("Date: Wed, 15 Jul 2026 12:00:00 GMT", NOON, id="GMT"),
        pytest.param("Date: Wed, 15 Jul 2026 12:00:00 -0000", NOON, id="no zone"),
        pytest.param("Date: Wed, 15 Jul 2026 14:00:00 +0200", NOON, id="another zone"),
        pytest.param(
            "Age: 45\r\nDate: Wed, 15 Jul 2026 11:59:15 GMT", NOON, id="from a cache"
        ),
        pytest.param(
            "Age: old\r\nDate: Wed, 15 Jul 2026 12:00:00 GMT", NOON, id="no age"
        ),
        pytest.param(
            "Age: 999999999999\r\nDate: Fri, 31 Dec 9999 23:59:59 GMT",
            None,
            id="beyond the calendar",
        ),
        pytest.param("Date: now", None, id="no date"),
        pytest.param("Date: Wed, 99 Jul 2026 12:00:00 GMT", None, id="no such day"),
        pytest.param("Date:", None, id="empty"),
        pytest.param("X: y", None, id="none"),
    ],
)
async def test_a_date_is_read_as_utc_or_not_at_all(
    session: ClientSession, header: str, time: datetime | None
) -> None:
    answer = f"HTTP/1.1 200 OK\r\n{header}\r\n\r\n{{}}".encode()
    async with raw_server(answer) as (address, _):
        client = VoltusClient(session, address, KEY)
        await client.dispatches()
    assert client.exchange
    assert client.exchange.server_time == time


# JSON


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"{",
        b'{"a": NaN}',
        b"Infinity",
        b"[-Infinity]",
        b"\xff\xfe\xfd",
        b'"\xe4"',
        b"[" * 200_000,
        b"9" * 5000,
        b"{} {}",
        b"{'a': 1}",
    ],
    ids=lambda content: repr(content[:12]),
)
@pytest.mark.parametrize("in_steps", [False, True])
def test_anything_that_is_not_json_is_refused(content: bytes, in_steps: bool) -> None:
    with pytest.raises(VoltusFormatError, match="The answer is not JSON"):
        decode(content, in_steps=in_steps)


ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(content=st.binary() | st.text().map(str.encode))
@pytest.mark.parametrize("in_steps", [False, True])
def test_any_bytes_are_json_or_a_format_error(content: bytes, in_steps: bool) -> None:
    try:
        decoded = decode(content, in_steps=in_steps)
    except VoltusFormatError:
        return
    assert decoded == json.loads(content)


@given(ANY_JSON)
def test_read_in_steps_any_json_says_the_same(value: object) -> None:
    content = json.dumps(value).encode()
    assert decode(content, in_steps=True) == decode(content)


# Ids and addresses


@pytest.mark.parametrize("dispatch_id", ["xv1w4", "A-b_9", "-", "x" * 64])
def test_an_id_of_letters_digits_hyphens_and_underscores_can_be_asked_for(
    dispatch_id: str,
) -> None:
    assert can_be_asked_for(dispatch_id)


@pytest.mark.parametrize(
    "dispatch_id",
    [
        "",
        ".",
        "..",
        "../sites",
        "a/b",
        "a?b",
        "a#b",
        "a%2Fb",
        "a b",
        "a\n",
        "é",
        "x" * 65,
    ],
)
async def test_any_other_id_never_becomes_part_of_an_address(
    client: VoltusClient, voltus: LocalVoltus, dispatch_id: str
) -> None:
    assert not can_be_asked_for(dispatch_id)
    err = await failure(lambda it: it.dispatch(dispatch_id), client)
    assert type(err) is VoltusRequestError
    assert voltus.requests == []


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        (PRODUCTION, "https://api.voltus.co"),
        (SANDBOX, "https://sandbox.voltus.co"),
        ("https://api.voltus.co/", "https://api.voltus.co"),
        ("https://api.voltus.co/2022-04-15", "https://api.voltus.co"),
        ("https://api.voltus.co/2022-04-15/", "https://api.voltus.co"),
        ("  https://api.voltus.co \n", "https://api.voltus.co"),
        ("HTTPS://API.Voltus.co", "https://api.voltus.co"),
        ("https://api.voltus.co:443", "https://api.voltus.co"),
        ("https://api.voltus.co.", "https://api.voltus.co"),
        ("https://api.voltus.co.:8443/", "https://api.voltus.co:8443"),
        ("https://proxy.example:8443/", "https://proxy.example:8443"),
        ("https://8.8.8.8", "https://8.8.8.8"),
        ("http://localhost:8930", "http://localhost:8930"),
        ("http://127.0.0.1:8930/2022-04-15", "http://127.0.0.1:8930"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://192.168.1.20:8930", "http://192.168.1.20:8930"),
        ("http://10.0.0.1", "http://10.0.0.1"),
        ("http://172.16.0.1", "http://172.16.0.1"),
        ("http://[::1]:8930", "http://[::1]:8930"),
        ("http://[fd00::1]", "http://[fd00::1]"),
    ],
)
def test_an_address_is_cut_to_its_origin(text: str, origin: str) -> None:
    assert parse_origin(text) == origin
    assert parse_origin(origin) == origin


@pytest.mark.parametrize(
    ("origin", "plays"),
    [
        (SANDBOX, True),
        ("http://localhost:8930", True),
        ("http://127.0.0.1:8930", True),
        ("https://192.168.1.20", True),
        ("http://[fd00::1]", True),
        (PRODUCTION, False),
        ("https://gateway.example", False),
        ("https://8.8.8.8", False),
    ],
)
def test_only_the_sandbox_and_private_hosts_play_scenarios(
    origin: str, *, plays: bool
) -> None:
    assert plays_scenarios(origin) is plays


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "api.voltus.co",
        "//api.voltus.co",
        "https://",
        "https:api.voltus.co",
        "https:///2022-04-15",
        "ftp://api.voltus.co",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://user@api.voltus.co",
        "https://user:password@api.voltus.co",
        "https://:password@api.voltus.co",
        "https://api.voltus.co/v1",
        "https://api.voltus.co/2020-12-30",
        "https://api.voltus.co/2022-04-15/dispatches",
        "https://api.voltus.co?key=1",
        "https://api.voltus.co/#top",
        "https://api.voltus.co:99999",
        "https://api.voltus.co:port",
        "https://[::1",
        "http://api.voltus.co",
        "http://sandbox.voltus.co",
        "http://8.8.8.8",
        "http://[2001:4860:4860::8888]",
        "http://100.64.0.1",
        "http://localhost.example",
        "http://127.0.0.1.example",
        "http://homeassistant.local:8930",
        "http://2130706433",
    ],
)
def test_an_address_that_no_key_may_be_sent_to_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_origin(text)


@given(
    st.text() | st.text().map("https://{}".format) | st.text().map("http://{}".format)
)
def test_any_text_is_an_origin_or_refused(text: str) -> None:
    try:
        origin = parse_origin(text)
    except ValueError:
        return
    assert parse_origin(origin) == origin
    assert re.fullmatch(r"https?://[^/?#@]+", origin)


# A host that echoes the key

SLASHED = "k3y/that/nobody/may/see"
WRITINGS: dict[str, Callable[[str], bytes]] = {
    "plainly": lambda text: text.encode(),
    "with escaped slashes": lambda text: text.replace("/", "\\/").encode(),
    "by numbers": lambda text: text.replace("k", "\\u006b").encode(),
    "in UTF-16": lambda text: text.encode("utf-16"),
}
every_writing = pytest.mark.parametrize("write", WRITINGS.values(), ids=WRITINGS)


@every_writing
@every_method
async def test_an_echoed_key_is_in_no_error(
    monkeypatch: pytest.MonkeyPatch,
    session: ClientSession,
    url: str,
    call: Call,
    write: Callable[[str], bytes],
) -> None:
    echo = write(json.dumps({"type": "Bad", "message": f"({SLASHED}) is no key"}))
    monkeypatch.setattr(LocalVoltus, "answer", lambda *_: Answer(status=400, body=echo))
    error = await failure(call, VoltusClient(session, url, SLASHED))
    assert str(error).endswith("(...) is no key")
    assert isinstance(error, VoltusRequestError)


@every_writing
async def test_an_echoed_key_is_in_nothing_that_is_read(
    monkeypatch: pytest.MonkeyPatch,
    session: ClientSession,
    url: str,
    write: Callable[[str], bytes],
) -> None:
    item = {**wire_dispatch("d1"), "metadata": {f"a{SLASHED}": [{"b": SLASHED}]}}
    item["sites"] = [{"id": SLASHED, "name": f"{SLASHED}!", "commitment": SLASHED}]
    client = VoltusClient(session, url, SLASHED)
    body = write(json.dumps(item))
    monkeypatch.setattr(LocalVoltus, "answer", lambda *_: Answer(body=body))
    refusals: list[Refusal] = []
    dispatch = parse_dispatch(await client.dispatch("d1"), {}, NOON, refusals)
    assert dispatch
    assert dispatch.metadata == {"a...": [{"b": "..."}]}
    assert dispatch.sites == (DispatchSite("...", "...!", "", None),)
    assert [refusal.value for refusal in refusals] == ["'...'", "None"]

    sites = write(json.dumps({"sites": [{"id": "s1", "name": SLASHED}]}))
    monkeypatch.setattr(LocalVoltus, "answer", lambda *_: Answer(body=sites))
    assert (await client.sites()).sites["s1"].name == "..."
    everything = client.without_key(decode(sites), sites)
    assert everything == {"sites": [{"id": "s1", "name": "..."}]}


def test_a_key_that_any_text_may_have_is_left_in_it(session: ClientSession) -> None:
    client = VoltusClient(session, "http://localhost", PUBLIC_KEY)
    assert client.without_key({"name": "secret"}, b'{"name": "secret"}') == {
        "name": "secret"
    }


# Telemetry


async def test_the_load_of_sites_is_read_back(
    client: VoltusClient, voltus: LocalVoltus
) -> None:
    end = on_grid(datetime.now(UTC))
    minutes = [end - each * timedelta(minutes=1) for each in (2, 0)]
    rows = [TelemetryRow("p4xq", each, 60, 12.5) for each in minutes]
    await client.send_telemetry(rows)
    start = end - timedelta(minutes=3)
    odd = timedelta(seconds=7)
    load = await client.telemetry_kw(["kd1k"], start + odd, end + odd, 30)
    interval = timedelta(seconds=30)
    assert load == {
        "kd1k": {
            "p4xq": tuple(
                LoadRow(start + n * interval, interval, kw)
                for n, kw in enumerate([12.5, 12.5, None, None, 12.5, 12.5], 1)
            )
        }
    }


async def test_of_more_than_ten_sites_voltus_is_asked_several_times(
    client: VoltusClient, voltus: LocalVoltus
) -> None:
    meters = [{"id": "m", "name": "", "asset_type": "load"}]
    sites = [{"id": f"s{n}", "name": "", "meters": meters} for n in range(21)]
    voltus.accounts[KEY].sites = sites
    site_ids = [str(each["id"]) for each in sites]
    end = datetime.now(UTC)
    load = await client.telemetry_kw(site_ids, end - timedelta(hours=1), end, 300)
    assert [*load] == site_ids
    assert len(voltus.requests) == 3
    assert all(len(each["m"]) == 12 for each in load.values())


async def test_where_there_is_no_telemetry_there_is_no_load(
    session: ClientSession, url: str
) -> None:
    client = VoltusClient(session, url, PUBLIC_KEY)
    assert await client.telemetry_kw(["asdf"], START, END, 60) == {}


# Webhooks


@pytest.fixture
async def listens(socket_enabled: None) -> AsyncIterator[str]:
    """Return an address that takes whatever is delivered."""

    async def take(request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", take)
    server = TestServer(app)
    await server.start_server(access_log=None)
    async with server:
        yield str(server.make_url("/hook"))


async def test_a_webhook_is_created_listed_and_deleted(
    client: VoltusClient, listens: str
) -> None:
    created = await client.create_webhook(listens)
    assert created == Webhook(created.id, listens, EVENTS)
    assert await client.webhooks() == (created,)
    await client.delete_webhook(created.id)
    assert await client.webhooks() == ()


async def test_an_address_that_nobody_answers_at_is_refused(
    client: VoltusClient, voltus: LocalVoltus, listens: str
) -> None:
    voltus.webhook_faults = WebhookFaults(handshake_refused=True)
    with pytest.raises(VoltusRequestError, match="did not answer the handshake"):
        await client.create_webhook(listens)
    assert await client.webhooks() == ()


@pytest.mark.usefixtures("impatient")
async def test_a_handshake_that_never_comes_is_an_outage(
    client: VoltusClient, voltus: LocalVoltus, listens: str
) -> None:
    voltus.webhook_faults = WebhookFaults(handshake_never=True)
    with pytest.raises(VoltusConnectionError, match="did not answer within"):
        await client.create_webhook(listens)


async def test_the_client_waits_for_a_handshake_that_takes_nineteen_seconds(
    client: VoltusClient,
    voltus: LocalVoltus,
    listens: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert client_module.HANDSHAKE_TIMEOUT.total == 30
    monkeypatch.setattr(client_module, "_TIMEOUT", ClientTimeout(total=0.05))
    voltus.webhook_faults = WebhookFaults(handshake_delay=0.1)
    assert (await client.create_webhook(listens)).url == listens


async def test_an_id_that_cannot_be_part_of_a_path_deletes_nothing(
    client: VoltusClient, voltus: LocalVoltus
) -> None:
    with pytest.raises(VoltusRequestError):
        await client.delete_webhook("../dispatches")
    assert voltus.requests == []
