"""The API itself: from a request of a known account to its answer. No clock and no socket."""

from collections.abc import Container, Mapping, Sequence
import copy
from dataclasses import dataclass, field
from datetime import datetime
import secrets
import string
from typing import NoReturn

from .faults import Faults
from .history import curtailments, load, parse_asked
from .scenario import (
    Scenario,
    State,
    find,
    parse_scenario,
    parse_test_dispatch,
    published,
)
from .telemetry import parse_controllable_load, parse_telemetry
from .webhooks import parse_webhook
from .wire import Answer, RequestError, Wire, as_object, json_answer, read_json

BASE_PATH = "/2022-04-15"

DEFAULT_SITES: Sequence[Wire] = (
    {
        "id": "kd1k",
        "name": "Riverside Cold Storage",
        "customer_location_id": "riverside-01",
        "meters": [{"id": "p4xq", "name": "Main meter", "asset_type": "load"}],
    },
    {
        "id": "m3ll",
        "name": "Hilltop Workshop",
        "customer_location_id": "hilltop-02",
        "meters": [
            {"id": "w7tz", "name": "Main meter", "asset_type": "load"},
            {"id": "h2be", "name": "Battery", "asset_type": "battery"},
        ],
    },
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request for a versioned path; `key` is empty if none was sent."""

    method: str
    path: str
    key: str
    query: Sequence[tuple[str, str]] = ()


@dataclass(slots=True)
class Account:
    """What one API key opens: its sites, the scenario that is on, and its webhooks.

    `told` has what was delivered of the scenario, or would have been if anybody listened,
    `telemetry` the rows of its meters: the same again does no harm. `most_rows` is what
    one request may have.
    """

    sites: Sequence[Wire] = field(
        default_factory=lambda: copy.deepcopy(list(DEFAULT_SITES))
    )
    scenario: Scenario = field(default_factory=dict)
    webhooks: Sequence[Wire] = ()
    told: Mapping[str, State] = field(default_factory=dict)
    telemetry: dict[tuple[object, ...], Wire] = field(default_factory=dict)
    controllable_load: dict[tuple[object, ...], Wire] = field(default_factory=dict)
    most_rows: int = 2048
    read_only: bool = False


def respond(
    account: Account, request: Request, body: bytes, faults: Faults, now: datetime
) -> Answer:
    """Answer a request of an account at `now`; a POST changes the account. Raises RequestError."""
    path = request.path.removeprefix(BASE_PATH).split("/")[1:]
    if request.method != "GET" and account.read_only:
        raise RequestError(
            "Permission denied: the public key only reads, use an issued one", 403
        )
    match request.method, path:
        case "GET", ["dispatches", *dispatch_id]:
            return _dispatches(account, dispatch_id, faults, now)
        case "GET", ["sites"]:
            return _page(sites=account.sites)
        case "POST", (
            ["dispatches" | "scenarios" | "telemetry" as name]
            | ["telemetry", "controllable-load" as name]
        ):
            return _POSTED[name](account, read_json(body), now)
        case "GET", ["telemetry", "kw"]:
            return _load(account, request, now)
        case _, ["webhooks", *webhook_id]:
            return _webhooks(account, request.method, webhook_id, body)
    return _refuse(path)


def _webhooks(
    account: Account, method: str, webhook_id: Sequence[str], body: bytes
) -> Answer:
    match method, webhook_id:
        case "GET", []:
            return _page(webhooks=account.webhooks)
        case "POST", []:
            return _add_webhook(account, read_json(body))
        case "DELETE", [deleted]:
            return _delete_webhook(account, deleted)
    return _refuse(["webhooks", *webhook_id])


def _refuse(path: Sequence[str]) -> NoReturn:
    match path:
        case (
            ["dispatches" | "sites" | "scenarios" | "telemetry" | "webhooks"]
            | [
                "dispatches" | "webhooks",
                _,
            ]
            | ["telemetry", "kw" | "controllable-load"]
        ):
            raise RequestError("Method Not Allowed", 405)
    raise RequestError("Not Found", 404)


def _page(**rows: Sequence[Wire]) -> Answer:
    return json_answer({**rows, "page": 0, "perPage": 0})


def _dispatches(
    account: Account, dispatch_id: Sequence[str], faults: Faults, now: datetime
) -> Answer:
    match dispatch_id:
        case []:
            return _page(dispatches=faults.listed(published(account.scenario, now)))
        case [asked] if known := find(account.scenario, asked, now):
            if (shown := faults.found(known)) is not None:
                return json_answer(shown)
    raise RequestError("Not Found", 404)


def _add_test_dispatch(account: Account, asked: object, now: datetime) -> Answer:
    state = parse_test_dispatch(asked, account.sites, now)
    account.scenario = {**account.scenario, new_id(account.scenario): (state,)}
    return Answer()


def _replace_scenario(account: Account, asked: object, _now: datetime) -> Answer:
    scenario: dict[str, Sequence[State]] = {}
    echo = {}
    for name, states in parse_scenario(asked).items():
        dispatch_id = new_id(scenario)
        scenario[dispatch_id] = states
        echo[name] = {"id": dispatch_id}
    account.scenario = scenario
    return json_answer({**as_object(asked, "the scenario"), "dispatches": echo})


def _add_telemetry(account: Account, asked: object, now: datetime) -> Answer:
    for row in parse_telemetry(asked, account.sites, account.most_rows, now):
        account.telemetry[row["meter_id"], row["units"], row["timestamp"]] = row
    return Answer()


def _add_controllable_load(account: Account, asked: object, now: datetime) -> Answer:
    for row in parse_controllable_load(asked, account.sites, now):
        account.controllable_load[row["site_id"], row["timestamp"]] = row
    return Answer()


def _load(account: Account, request: Request, now: datetime) -> Answer:
    """Answer with the load of sites; of the public ones Voltus has none."""
    asked = parse_asked(request.query, account.sites)
    if account.read_only:
        return json_answer({"data": None})
    curtailed = curtailments(account.scenario, now)
    rows = account.telemetry.values()
    return json_answer({"data": {"sites": load(asked, rows, curtailed, now)}})


_POSTED = {
    "dispatches": _add_test_dispatch,
    "scenarios": _replace_scenario,
    "telemetry": _add_telemetry,
    "controllable-load": _add_controllable_load,
}


def _add_webhook(account: Account, asked: object) -> Answer:
    """Add a webhook; whether anybody listens was found out before."""
    taken = [str(each["id"]) for each in account.webhooks]
    webhook = {"id": new_id(taken), **parse_webhook(asked)}
    account.webhooks = (*account.webhooks, webhook)
    return json_answer(webhook)


def _delete_webhook(account: Account, webhook_id: str) -> Answer:
    for webhook in account.webhooks:
        if webhook["id"] == webhook_id:
            account.webhooks = [each for each in account.webhooks if each != webhook]
            return json_answer(webhook)
    raise RequestError("Not Found", 404)


def new_id(taken: Container[str]) -> str:
    """Return a random id of 4 to 6 letters and digits that is not taken."""
    while True:
        length = 4 + secrets.randbelow(3)
        made = "".join(
            secrets.choice(string.ascii_lowercase + string.digits)
            for _ in range(length)
        )
        if made not in taken:
            return made
