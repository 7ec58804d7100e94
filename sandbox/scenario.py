"""What an account shows at an instant. Nothing here reads a clock: `now` is an argument, aware."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .wire import (
    AMOUNT,
    FLAG,
    OBJECT,
    TEXT,
    TIME,
    WHOLE,
    RequestError,
    Rule,
    Wire,
    as_list,
    as_object,
    checked,
    parse_time,
    rfc3339,
)

LIST_WINDOW = timedelta(hours=24)
TEST_DISPATCH_HORIZON = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class State:
    """A full snapshot of a dispatch, shown from `published_time` (aware) on, until the next one.

    The dispatch needs no `id`: the key under which its states stand in the scenario is its id.
    """

    published_time: datetime
    dispatch: Wire


type Scenario = Mapping[str, Sequence[State]]
"""The states of each dispatch, by dispatch id."""


def published(scenario: Scenario, now: datetime) -> list[Wire]:
    """Return the dispatches that `GET /dispatches` lists at `now`.

    Of each, the state published last (Voltus' own rule); none before its first. What ended
    more than 24 hours ago has left the list.
    """
    found = (find(scenario, dispatch_id, now) for dispatch_id in scenario)
    return [
        dispatch
        for dispatch in found
        if dispatch is not None and not _has_left_list(dispatch, now)
    ]


def find(scenario: Scenario, dispatch_id: str, now: datetime) -> Wire | None:
    """Return what `GET /dispatches/{id}` shows at `now`, on the list or not."""
    due = [
        state for state in scenario.get(dispatch_id, ()) if state.published_time <= now
    ]
    if not due:
        return None
    last = max(reversed(due), key=lambda state: state.published_time)
    return {"id": dispatch_id, **last.dispatch} | {"id": dispatch_id}


def _has_left_list(dispatch: Wire, now: datetime) -> bool:
    try:
        return parse_time(dispatch.get("end_time")) < now - LIST_WINDOW
    except ValueError:
        return False


# POST /scenarios

CUSTOM_SCENARIO = {
    "name": TEXT,
    "scenario_type": Rule(
        '"custom", the only form known here', lambda value: value == "custom"
    ),
}
DISPATCH = {
    "authorized": FLAG,
    "test": FLAG,
    "creation_time": TIME,
    "start_time": TIME,
    "modification_number": WHOLE,
}
DISPATCH_OPTIONAL = {"end_time": TIME, "metadata": OBJECT}
PROGRAM = {
    "id": WHOLE,
    "name": TEXT,
    "market": TEXT,
    "timezone": TEXT,
    "program_type": TEXT,
}
SITE = {"id": TEXT, "name": TEXT, "customer_location_id": TEXT}
SITE_OPTIONAL = {"commitment": AMOUNT, "drop_by": AMOUNT}


def parse_scenario(body: object) -> dict[str, tuple[State, ...]]:
    """Read a custom scenario: the states of each dispatch, by display name. Raises RequestError."""
    dispatches = as_object(
        checked(body, "the scenario", CUSTOM_SCENARIO).get("dispatches"), "dispatches"
    )
    if not dispatches:
        raise RequestError(
            "dispatches names none: to clear a scenario, "
            "post one whose times are a year in the past"
        )
    return {
        name: _parse_states(value, f'"{name}"') for name, value in dispatches.items()
    }


def _parse_states(value: object, where: str) -> tuple[State, ...]:
    states = as_list(as_object(value, where).get("states"), f"states of {where}")
    return tuple(
        _parse_state(state, f"state {number} of {where}")
        for number, state in enumerate(states)
    )


def _parse_state(value: object, where: str) -> State:
    state = checked(value, where, {"published_time": TIME})
    dispatch = checked(
        state.get("dispatch"), f"the dispatch in {where}", DISPATCH, DISPATCH_OPTIONAL
    )
    checked(dispatch.get("program"), f"the program in {where}", PROGRAM)
    _check_sites(as_list(dispatch.get("sites"), f"sites in {where}"), where)
    return State(parse_time(state["published_time"]), dispatch)


def _check_sites(sites: Sequence[object], where: str) -> None:
    found = [
        checked(site, f"site {number} in {where}", SITE, SITE_OPTIONAL)
        for number, site in enumerate(sites)
    ]
    for name in SITE:
        values = [site[name] for site in found if site[name]]
        if len(set(values)) < len(values):
            raise RequestError(f"two sites in {where} have the same {name}")


# POST /dispatches

TEST_DISPATCH = {"start_time": TIME, "end_time": TIME}
TEST_DISPATCH_OPTIONAL = {"program_id": WHOLE}
TEST_PROGRAM: Wire = {
    "id": 9999,
    "name": "Test Program",
    "market": "",
    "timezone": "US/Pacific",
    "program_type": "not_specified",
}
PROGRAMS: Mapping[int, Wire] = {
    5555: {
        "id": 5555,
        "name": "A Program",
        "market": "CAISO",
        "timezone": "US/Pacific",
        "program_type": "capacity",
    },
    1111: {
        "id": 1111,
        "name": "A Different Program",
        "market": "CAISO",
        "timezone": "US/Pacific",
        "program_type": "ancillary_services",
    },
}


def parse_test_dispatch(body: object, sites: Sequence[Wire], now: datetime) -> State:
    """Read a test dispatch asked for at `now`, for all of these sites. Raises RequestError."""
    asked = checked(body, "the test dispatch", TEST_DISPATCH, TEST_DISPATCH_OPTIONAL)
    start, end = parse_time(asked["start_time"]), parse_time(asked["end_time"])
    if not now < start < end <= now + TEST_DISPATCH_HORIZON:
        raise RequestError(
            "start_time must be in the future, end_time after it, and both within 72 hours"
        )
    program = _program(asked.get("program_id"))
    return State(
        now, new_dispatch(sites, start, end, created=now, test=True, program=program)
    )


def _program(program_id: object) -> Wire:
    if program_id is None:
        return TEST_PROGRAM
    if not isinstance(program_id, int) or program_id not in PROGRAMS:
        raise RequestError(
            f"no site is registered in program {program_id}; "
            f"known are {', '.join(map(str, PROGRAMS))}"
        )
    return PROGRAMS[program_id]


# What the sandbox writes itself


def new_dispatch(
    sites: Sequence[Wire],
    start: datetime,
    end: datetime,
    *,
    created: datetime,
    test: bool = False,
    program: Wire = PROGRAMS[5555],
) -> Wire:
    """Return an authorized dispatch that asks 100 kW of each of these sites."""
    return {
        "authorized": True,
        "test": test,
        "creation_time": rfc3339(created),
        "start_time": rfc3339(start),
        "end_time": rfc3339(end),
        "modification_number": 0,
        "program": program,
        "sites": [
            {**{name: site[name] for name in SITE if name in site}, "commitment": 100.0}
            for site in sites
        ],
    }


def custom_scenario(dispatch: Wire, published_time: datetime) -> Wire:
    """Return the body of `POST /scenarios` that shows this from `published_time` on."""
    states = [{"published_time": rfc3339(published_time), "dispatch": dispatch}]
    return {
        "name": "One dispatch",
        "scenario_type": "custom",
        "dispatches": {"Dispatch": {"states": states}},
    }


# The public sandbox: the same for everybody, its times move with the clock

PUBLIC_SITES: Sequence[Wire] = (
    {"id": "asdf", "name": "Site 1", "customer_location_id": ""},
    {"id": "lkjh", "name": "Site 2", "customer_location_id": ""},
)


def public_scenario(
    now: datetime, start_offset: float, *, nanoseconds: bool
) -> Scenario:
    """Return the public sandbox's scenario at `now`: one dispatch, about to start.

    With whole seconds it lasts an hour; with nanoseconds 550 ns less, as recorded in 2023.
    """
    created = now - timedelta(hours=1)
    start = now + timedelta(seconds=start_offset)
    end = start + timedelta(hours=1)
    if nanoseconds:
        times = (
            _with_nanoseconds(created, 478),
            _with_nanoseconds(start, 478),
            _with_nanoseconds(end, 478 - 550),
        )
    else:
        times = _whole_seconds(created), _whole_seconds(start), _whole_seconds(end)
    return {"asdf": (State(now, _public_dispatch(*times)),)}


def _whole_seconds(when: datetime) -> str:
    return rfc3339(when.replace(microsecond=0))


def _with_nanoseconds(when: datetime, nanoseconds: int) -> str:
    microseconds, rest = divmod(nanoseconds, 1000)
    shifted = when + timedelta(microseconds=microseconds)
    return f"{shifted:%Y-%m-%dT%H:%M:%S.%f}{rest:03d}Z"


def _public_dispatch(creation_time: str, start_time: str, end_time: str) -> Wire:
    return {
        "authorized": True,
        "test": False,
        "creation_time": creation_time,
        "start_time": start_time,
        "end_time": end_time,
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
