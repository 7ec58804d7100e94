"""The conversation with Voltus' REST API, version 2022-04-15."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
import ipaddress
import json
from json import scanner
from typing import Final, NoReturn, final, override

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout
from yarl import URL

from .errors import (
    VoltusAuthError,
    VoltusConnectionError,
    VoltusFormatError,
    VoltusNotFoundError,
    VoltusRateLimitError,
    VoltusRequestError,
    VoltusTooLargeError,
)
from .models import Json, SiteList, can_be_asked_for, clean, parse_sites
from .telemetry import (
    MOST_SITES,
    ControllableLoadRow,
    Load,
    TelemetryRow,
    on_grid,
    parse_load,
)
from .webhooks import EVENTS, Webhook, parse_webhook, parse_webhooks

PRODUCTION: Final = "https://api.voltus.co"
SANDBOX: Final = "https://sandbox.voltus.co"
PUBLIC_KEY: Final = "secret"

_VERSION = "2022-04-15"
_TIMEOUT = ClientTimeout(total=10)
# Voltus calls the address before it answers, and may wait for that call to time out.
HANDSHAKE_TIMEOUT = ClientTimeout(total=30)
_LARGEST_BODY = 10 * 1024 * 1024
# Shorter ones may be part of any text, and none of Voltus' is but the public one.
_SHORTEST_KEY = 8
_RATE_LIMIT = ("limit", "remaining", "reset")


@final
@dataclass(frozen=True, slots=True)
class Exchange:
    """What is to be seen of an answer, good or bad, besides its content.

    `size` is that of the body in bytes; `server_time` is when it was sent by the
    server's clock, to the second: its `Date`, and the `Age` it may have in a cache.
    `rate_limit` has what the headers `x-ratelimit-limit`, `-remaining` and `-reset`
    say; Voltus does not document them.
    """

    status: int
    size: int
    server_time: datetime | None = None
    rate_limit: Mapping[str, int] = field(default_factory=dict, hash=False)


class VoltusClient:
    """Speaks to one Voltus host with one API key.

    The key is sent to the origin given and nowhere else: no redirect is followed. The
    session is the caller's and is never closed here. Every method raises VoltusError,
    by its kinds in `errors`, and nothing else. `exchange` is that of the last request,
    None if it brought no answer.
    """

    def __init__(self, session: ClientSession, origin: str, api_key: str) -> None:
        """Use `origin`, as `parse_origin` returns it."""
        self._session = session
        self._base = URL(origin) / _VERSION
        self._api_key = api_key
        self.exchange: Exchange | None = None

    @override
    def __repr__(self) -> str:
        """Name the host; the key is nobody's business."""
        return f"VoltusClient({str(self._base)!r})"

    async def dispatches(self) -> bytes:
        """Return the body of `GET /dispatches`, to decode for `parse_listing`.

        It is left undecoded so that the same bytes need not be read twice; what they
        are decoded to has to go through `without_key`.
        """
        return await self._request("GET", "dispatches")

    def without_key(self, decoded: Json, content: bytes) -> Json:
        """Return what `content` was decoded to, with the key cut from all its texts.

        A host that echoes the key must get it into no log, name or error. That can be
        seen only after decoding: JSON may write any character of it by an escape.
        """
        key = self._api_key
        # What hides it there: an escape, or an encoding of more than one byte.
        seen = any(each in content for each in (key.encode(), b"\\", b"\0"))
        return _cut(key, decoded) if seen and len(key) >= _SHORTEST_KEY else decoded

    def _decode(self, content: bytes) -> Json:
        return self.without_key(decode(content), content)

    async def dispatch(self, dispatch_id: str) -> Json:
        """Return the decoded answer of `GET /dispatches/{id}`, for `parse_dispatch`.

        Raises VoltusNotFoundError if Voltus does not know it (any more).
        """
        if not can_be_asked_for(dispatch_id):
            raise VoltusRequestError("This id cannot be part of an address")
        return self._decode(await self._request("GET", "dispatches", dispatch_id))

    async def sites(self) -> SiteList:
        """Return the sites that the key may see."""
        return parse_sites(self._decode(await self._request("GET", "sites")))

    async def create_test_dispatch(
        self,
        start_time: datetime,
        end_time: datetime,
        program_id: int | None = None,
    ) -> None:
        """Have Voltus issue a test dispatch to all sites of the key.

        Both times must be in the future and within 72 hours. Voltus answers without an
        id: list the dispatches to find it.
        """
        body: dict[str, Json] = {
            "start_time": start_time.isoformat(),
            "end_time": end_time.isoformat(),
        }
        if program_id is not None:
            body["program_id"] = program_id
        await self._request("POST", "dispatches", body=body)

    async def post_scenario(self, scenario: Mapping[str, Json]) -> None:
        """Have a sandbox play a scenario, in place of the one before.

        `scenario` has the custom form: name, scenario_type and dispatches, a map of
        names to states. Production knows no scenarios (VoltusNotFoundError).
        """
        await self._request("POST", "scenarios", body=scenario)

    async def webhooks(self) -> tuple[Webhook, ...]:
        """Return the webhooks of the account, those of others included."""
        return parse_webhooks(self._decode(await self._request("GET", "webhooks")))

    async def create_webhook(self, url: str) -> Webhook:
        """Have Voltus deliver news of dispatches to `url`, and return the webhook.

        Voltus calls `url` before it answers: what listens there has to answer already.
        Raises VoltusRequestError if that call did not come through.
        """
        body: dict[str, Json] = {
            "url": url,
            "events": [{"name": name} for name in sorted(EVENTS)],
        }
        answer = await self._request(
            "POST", "webhooks", body=body, patience=HANDSHAKE_TIMEOUT
        )
        return parse_webhook(self._decode(answer))

    async def delete_webhook(self, webhook_id: str) -> None:
        """Have Voltus deliver no more to a webhook.

        Raises VoltusNotFoundError if it is gone already.
        """
        if not can_be_asked_for(webhook_id):
            raise VoltusRequestError("This id cannot be part of an address")
        await self._request("DELETE", "webhooks", webhook_id)

    async def send_telemetry(self, rows: Sequence[TelemetryRow]) -> None:
        """Give Voltus what meters have measured. What it has already does no harm.

        Raises VoltusTooLargeError for too many rows, VoltusRequestError if any of them
        is refused: then it has taken none.
        """
        body: dict[str, Json] = {"telemetry": [each.as_wire() for each in rows]}
        await self._request("POST", "telemetry", body=body)

    async def send_controllable_load(self, rows: Sequence[ControllableLoadRow]) -> None:
        """Tell Voltus how much of sites can be curtailed. It refuses all rows or none."""
        body: dict[str, Json] = {"controllable_load": [each.as_wire() for each in rows]}
        await self._request("POST", "telemetry", "controllable-load", body=body)

    async def telemetry_kw(
        self,
        site_ids: Sequence[str],
        start: datetime,
        end: datetime,
        interval_seconds: int,
    ) -> Load:
        """Return the load that Voltus has of sites, of the intervals that end in (start, end].

        `interval_seconds` is 30, 60, 300, 900, 1800, 3600 or 21600. Voltus gives no more
        than 90 days and 10,000 rows of a site, and ten sites at once: of more it is asked
        several times. An answer may be large, and is read where it keeps nobody waiting.
        """
        times = {"start_time": on_grid(start), "end_time": on_grid(end)}
        query = [(name, time.isoformat()) for name, time in times.items()]
        query.append(("interval_seconds", str(interval_seconds)))
        found: Load = {}
        for first in range(0, len(site_ids), MOST_SITES):
            some = [("site_id", each) for each in site_ids[first : first + MOST_SITES]]
            content = await self._request("GET", "telemetry", "kw", query=query + some)
            found = {**found, **await asyncio.to_thread(self._load, content)}
        return found

    def _load(self, content: bytes) -> Load:
        return parse_load(self._decode(content))

    async def _request(
        self,
        method: str,
        *path: str,
        query: Sequence[tuple[str, str]] = (),
        body: Mapping[str, Json] | None = None,
        patience: ClientTimeout | None = None,
    ) -> bytes:
        url = self._base.joinpath(*path).with_query(query)
        timeout = patience or _TIMEOUT
        headers = {"X-Voltus-API-Key": self._api_key, "Accept": "application/json"}
        self.exchange = None
        try:
            async with self._session.request(
                method,
                url,
                headers=headers,
                json=body,
                allow_redirects=False,
                timeout=timeout,
            ) as response:
                content = await _read(response)
        except TimeoutError:
            failure = f"did not answer within {timeout.total:g} seconds"
        except (ClientError, OSError, ValueError) as err:
            failure = f"could not be reached ({type(err).__name__})"
        else:
            self.exchange = Exchange(
                response.status, len(content), _date(response), _rate_limit(response)
            )
            if not 200 <= response.status < 300:
                try:
                    payload = self._decode(content)
                except VoltusFormatError:
                    payload = None
                _refuse(response, payload)
            return content
        # Raised out here because the errors of aiohttp carry the request and with it
        # the key: they may not even be the context of ours.
        raise VoltusConnectionError(f"{url.host} {failure}")


def _cut(secret: str, decoded: Json) -> Json:
    """Return JSON with a secret cut from all its texts, however deep."""
    whole: list[Json] = [decoded]
    parts: list[list[Json] | dict[str, Json]] = [whole]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            for name in [name for name in part if secret in name]:
                part[name.replace(secret, "...")] = part.pop(name)
        items = part.items() if isinstance(part, dict) else enumerate(part)
        for place, value in [*items]:
            if isinstance(value, str):
                if secret in value:
                    part[place] = value.replace(secret, "...")
            elif isinstance(value, dict | list):
                parts.append(value)
    return whole[0]


def decode(content: bytes, *, in_steps: bool = False) -> Json:
    """Read JSON. Raises VoltusFormatError for anything else, NaN included.

    `in_steps` is slow, but lets other threads run in between, whatever the content: the
    usual reader keeps them all waiting until it has read everything.
    """
    reader = _InSteps if in_steps else json.JSONDecoder
    try:
        decoded: Json = json.loads(content, cls=reader, parse_constant=_no_number)
    except ValueError, RecursionError:
        raise VoltusFormatError("The answer is not JSON") from None
    return decoded


class _InSteps(json.JSONDecoder):
    """Reads each value by a step in Python."""

    def __init__(self, *, parse_constant: Callable[[str], object]) -> None:
        super().__init__(parse_constant=parse_constant)
        # What json itself uses where it has no reader in C; typeshed leaves it out.
        self.scan_once = scanner.py_make_scanner(self)  # type: ignore[attr-defined]


def parse_origin(text: str) -> str:
    """Return scheme, host and port of an address: all that a user can choose of it.

    A trailing slash or version path is cut, and the dot that may end a host name. Plain
    http is for this machine and private networks: `localhost`, or an IP address that is
    loopback or private. Raises ValueError for anything else, since the key would travel
    there.
    """
    url = URL(text.strip())
    if (
        url.scheme not in ("http", "https")
        or not url.host
        or url.user is not None
        or url.password is not None
        or url.query_string
        or url.fragment
        or url.path.strip("/") not in ("", _VERSION)
        or (url.scheme == "http" and not _is_near(url.host))
    ):
        raise ValueError("not an address that a key may be sent to")
    return str(url.origin().with_host(url.host.rstrip(".")))


def plays_scenarios(origin: str) -> bool:
    """Whether scenarios are posted there: Voltus' sandbox, this machine, a private one.

    Whatever else there is, a gateway too, may have production behind it.
    """
    return origin == SANDBOX or _is_near(URL(origin).host or "")


def _is_near(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_private


async def _read(response: ClientResponse) -> bytes:
    size, chunks = 0, []
    while chunk := await response.content.readany():
        size += len(chunk)
        if size > _LARGEST_BODY:
            raise VoltusConnectionError(
                f"{response.url.host} answered with more than {_LARGEST_BODY} bytes"
            )
        chunks.append(chunk)
    return b"".join(chunks)


def _refuse(response: ClientResponse, payload: Json) -> NoReturn:
    """Raise the error that an answer other than 200 stands for."""
    status, host = response.status, response.url.host
    kind, message = _envelope(payload)
    if status == HTTPStatus.UNAUTHORIZED or (
        status == HTTPStatus.FORBIDDEN and kind == "Unauthorized"
    ):
        raise VoltusAuthError(f"{host} refuses the API key")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise VoltusRateLimitError(
            f"{host} asks us to slow down", response.headers.get("Retry-After")
        )
    if 300 <= status < 400:
        raise VoltusConnectionError(
            f"{host} answered with a redirect ({status}), which is not followed: "
            "the address may be wrong"
        )
    # A proxy before Voltus may refuse a large body, too.
    if status != HTTPStatus.CONTENT_TOO_LARGE and (kind is None or status >= 500):
        raise VoltusConnectionError(f"{host} answered with status {status}")
    if status == HTTPStatus.NOT_FOUND:
        raise VoltusNotFoundError(f"{host}: {message}")
    if status == HTTPStatus.CONTENT_TOO_LARGE:
        raise VoltusTooLargeError(f"{host}: {message}")
    raise VoltusRequestError(f"{host}: {message}")


def _envelope(payload: Json) -> tuple[str | None, str]:
    """Return type and message of Voltus' error envelope; no type without one."""
    if not isinstance(payload, dict):
        return None, ""
    kind, message = payload.get("type"), payload.get("message")
    return (
        kind if isinstance(kind, str) else None,
        clean(message) if isinstance(message, str) else "",
    )


def _date(response: ClientResponse) -> datetime | None:
    headers = response.headers
    try:
        date = parsedate_to_datetime(headers.get("Date", ""))
        age = timedelta(seconds=_count(headers.get("Age", "")))
        return date.replace(tzinfo=date.tzinfo or UTC) + age
    except ValueError, OverflowError:
        return None


def _rate_limit(response: ClientResponse) -> dict[str, int]:
    headers = {
        name: response.headers.get(f"x-ratelimit-{name}", "") for name in _RATE_LIMIT
    }
    return {name: _count(text) for name, text in headers.items() if text.isdecimal()}


def _count(text: str) -> int:
    """Return the number that a header states, 0 for anything else."""
    return int(text[:9]) if text.isdecimal() else 0


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
