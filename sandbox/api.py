"""The API itself: from a request of a known account to its answer. No clock and no socket."""

from collections.abc import Container, Sequence
import copy
from dataclasses import dataclass, field
from datetime import datetime
import secrets
import string

from .faults import Faults
from .scenario import (
    Scenario,
    State,
    find,
    parse_scenario,
    parse_test_dispatch,
    published,
)
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


@dataclass(slots=True)
class Account:
    """What one API key opens: its sites, and the scenario that is on."""

    sites: Sequence[Wire] = field(
        default_factory=lambda: copy.deepcopy(list(DEFAULT_SITES))
    )
    scenario: Scenario = field(default_factory=dict)
    read_only: bool = False


def respond(
    account: Account, request: Request, body: bytes, faults: Faults, now: datetime
) -> Answer:
    """Answer a request of an account at `now`; a POST changes the account. Raises RequestError."""
    match request.method, request.path.removeprefix(BASE_PATH).split("/")[1:]:
        case "GET", ["dispatches"]:
            return _page(dispatches=faults.listed(published(account.scenario, now)))
        case "GET", ["dispatches", dispatch_id]:
            return _dispatch(account, dispatch_id, faults, now)
        case "GET", ["sites"]:
            return _page(sites=account.sites)
        case "POST", ["dispatches" | "scenarios"] if account.read_only:
            raise RequestError(
                "Permission denied: the public key only reads, use an issued one", 403
            )
        case "POST", ["dispatches"]:
            return _add_test_dispatch(account, read_json(body), now)
        case "POST", ["scenarios"]:
            return _replace_scenario(account, read_json(body))
        case _, ["dispatches" | "sites" | "scenarios"] | ["dispatches", _]:
            raise RequestError("Method Not Allowed", 405)
    raise RequestError("Not Found", 404)


def _page(**rows: Sequence[Wire]) -> Answer:
    return json_answer({**rows, "page": 0, "perPage": 0})


def _dispatch(
    account: Account, dispatch_id: str, faults: Faults, now: datetime
) -> Answer:
    known = find(account.scenario, dispatch_id, now)
    shown = None if known is None else faults.found(known)
    if shown is None:
        raise RequestError("Not Found", 404)
    return json_answer(shown)


def _add_test_dispatch(account: Account, asked: object, now: datetime) -> Answer:
    state = parse_test_dispatch(asked, account.sites, now)
    account.scenario = {**account.scenario, new_id(account.scenario): (state,)}
    return Answer()


def _replace_scenario(account: Account, asked: object) -> Answer:
    scenario: dict[str, Sequence[State]] = {}
    echo = {}
    for name, states in parse_scenario(asked).items():
        dispatch_id = new_id(scenario)
        scenario[dispatch_id] = states
        echo[name] = {"id": dispatch_id}
    account.scenario = scenario
    return json_answer({**as_object(asked, "the scenario"), "dispatches": echo})


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
