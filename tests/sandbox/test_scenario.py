"""What an account shows at an instant, and which scenarios it takes."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.api import DEFAULT_SITES
from sandbox.scenario import (
    State,
    custom_scenario,
    find,
    new_dispatch,
    parse_scenario,
    parse_test_dispatch,
    public_scenario,
    published,
)
from sandbox.wire import RequestError, parse_time

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    """Return the instant so many minutes after noon."""
    return NOON + timedelta(minutes=minutes)


ANCILLARY = {
    "d1s9": (
        State(
            at(20),
            {"start_time": "2026-08-01T12:00:00Z", "end_time": "2026-08-01T12:20:00Z"},
        ),
        State(at(0), {"start_time": "2026-08-01T12:00:00Z"}),
    )
}
OPEN = [{"id": "d1s9", "start_time": "2026-08-01T12:00:00Z"}]
CLOSED = [
    {
        "id": "d1s9",
        "start_time": "2026-08-01T12:00:00Z",
        "end_time": "2026-08-01T12:20:00Z",
    }
]


@pytest.mark.parametrize(
    ("minutes", "listed"),
    [
        pytest.param(-0.01, [], id="nothing before the first state"),
        pytest.param(0, OPEN, id="a state counts from its very instant"),
        pytest.param(19.99, OPEN, id="until the next one"),
        pytest.param(20, CLOSED, id="which replaces it wholly"),
        pytest.param(20 + 24 * 60, CLOSED, id="for 24 hours after its end"),
        pytest.param(20.01 + 24 * 60, [], id="and no longer"),
    ],
)
def test_the_list_shows_the_state_published_last(
    minutes: float, listed: list[object]
) -> None:
    assert published(ANCILLARY, at(minutes)) == listed


def test_by_id_shows_what_has_left_the_list() -> None:
    assert find(ANCILLARY, "d1s9", at(9999)) == CLOSED[0]


@pytest.mark.parametrize(("dispatch_id", "minutes"), [("d1s9", -1), ("else", 0)])
def test_by_id_finds_nothing_unpublished_or_unknown(
    dispatch_id: str, minutes: float
) -> None:
    assert find(ANCILLARY, dispatch_id, at(minutes)) is None


def test_of_two_states_published_at_once_the_later_counts() -> None:
    scenario = {"d1s9": (State(NOON, {"test": True}), State(NOON, {"test": False}))}
    assert published(scenario, NOON) == [{"id": "d1s9", "test": False}]


def test_a_dispatch_is_known_by_its_key() -> None:
    assert published({"d1s9": (State(NOON, {"id": "other"}),)}, NOON) == [
        {"id": "d1s9"}
    ]


@pytest.mark.parametrize("end", [None, "", "tomorrow", "2020-01-01T00:00:00", 7])
def test_an_end_that_cannot_be_read_leaves_a_dispatch_listed(end: object) -> None:
    assert published({"d1s9": (State(NOON, {"end_time": end}),)}, at(9999)) == [
        {"id": "d1s9", "end_time": end}
    ]


def scenario_body() -> Any:
    dispatch = new_dispatch(DEFAULT_SITES, at(1), at(3), created=NOON)
    return copy.deepcopy(dict(custom_scenario(dispatch, NOON)))


def test_a_custom_scenario_becomes_states_by_display_name() -> None:
    body = scenario_body()
    dispatch = body["dispatches"]["Dispatch"]["states"][0]["dispatch"]
    assert parse_scenario(body) == {"Dispatch": (State(NOON, dispatch),)}


MISSING = object()

IN_SCENARIO = "the scenario"
IN_DISPATCH = 'the dispatch in state 0 of "Dispatch"'
A_TIME = "a time with its zone, such as 2026-08-01T12:00:00Z"
STATE = ("dispatches", "Dispatch", "states", 0)
SITES = (*STATE, "dispatch", "sites")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("name",), MISSING, "the scenario has no name: it must be a text"),
        (
            ("scenario_type",),
            "basic",
            'scenario_type of the scenario must be "custom", the only form known here',
        ),
        (("dispatches",), MISSING, "dispatches must be an object"),
        (
            ("dispatches",),
            {},
            (
                "dispatches names none: to clear a scenario, "
                "post one whose times are a year in the past"
            ),
        ),
        (("dispatches", "Dispatch"), [], '"Dispatch" must be an object'),
        (
            ("dispatches", "Dispatch", "states"),
            [],
            'states of "Dispatch" must be a list that is not empty',
        ),
        (STATE, 5, 'state 0 of "Dispatch" must be an object'),
        (
            (*STATE, "published_time"),
            "2026-08-01T12:00:00",
            f'published_time of state 0 of "Dispatch" must be {A_TIME}',
        ),
        ((*STATE, "dispatch"), None, f"{IN_DISPATCH} must be an object"),
        (
            (*STATE, "dispatch", "authorized"),
            1,
            f"authorized of {IN_DISPATCH} must be true or false",
        ),
        (
            (*STATE, "dispatch", "test"),
            MISSING,
            f"{IN_DISPATCH} has no test: it must be true or false",
        ),
        (
            (*STATE, "dispatch", "start_time"),
            "2026-08-01 12:00:00+00:00",
            f"start_time of {IN_DISPATCH} must be {A_TIME}",
        ),
        (
            (*STATE, "dispatch", "end_time"),
            "2026-13-01T12:00:00Z",
            f"end_time of {IN_DISPATCH} must be {A_TIME}",
        ),
        (
            (*STATE, "dispatch", "modification_number"),
            True,
            f"modification_number of {IN_DISPATCH} must be a whole number",
        ),
        (
            (*STATE, "dispatch", "metadata"),
            "x",
            f"metadata of {IN_DISPATCH} must be an object",
        ),
        (
            (*STATE, "dispatch", "program", "id"),
            "5555",
            'id of the program in state 0 of "Dispatch" must be a whole number',
        ),
        (
            SITES,
            "kd1k",
            'sites in state 0 of "Dispatch" must be a list that is not empty',
        ),
        ((*SITES, 1, "id"), 7, 'id of site 1 in state 0 of "Dispatch" must be a text'),
        (
            (*SITES, 1, "commitment"),
            float("inf"),
            'commitment of site 1 in state 0 of "Dispatch" must be a number of kW, or null',
        ),
        (
            (*SITES, 1, "name"),
            "Riverside Cold Storage",
            'two sites in state 0 of "Dispatch" have the same name',
        ),
    ],
)
def test_a_scenario_that_does_not_fit_is_refused_by_name(
    path: tuple[Any, ...], value: object, message: str
) -> None:
    body = scenario_body()
    *parents, last = path
    inner = body
    for step in parents:
        inner = inner[step]
    if value is MISSING:
        del inner[last]
    else:
        inner[last] = value
    with pytest.raises(RequestError) as refused:
        parse_scenario(body)
    assert (str(refused.value), refused.value.status) == (message, 400)


def test_a_scenario_may_leave_open_what_voltus_leaves_open() -> None:
    body = scenario_body()
    dispatch = body["dispatches"]["Dispatch"]["states"][0]["dispatch"]
    del dispatch["end_time"]
    dispatch["metadata"] = {"sandbox": True}
    dispatch["sites"] = [
        {"id": "a", "name": "A", "customer_location_id": "", "commitment": None},
        {"id": "b", "name": "B", "customer_location_id": "", "drop_by": 5.3},
    ]
    assert parse_scenario(body)["Dispatch"] == (State(NOON, dispatch),)


def test_a_test_dispatch_names_all_sites_of_the_account() -> None:
    body = {
        "start_time": "2026-08-01T05:02:00-07:00",
        "end_time": "2026-08-01T12:22:00.5Z",
    }
    state = parse_test_dispatch(body, DEFAULT_SITES, NOON)
    sites: Any = state.dispatch["sites"]
    assert state.published_time == NOON
    assert {
        name: state.dispatch[name]
        for name in ("test", "authorized", "start_time", "end_time", "creation_time")
    } == {
        "test": True,
        "authorized": True,
        "start_time": "2026-08-01T12:02:00Z",
        "end_time": "2026-08-01T12:22:00.500000Z",
        "creation_time": "2026-08-01T12:00:00Z",
    }
    assert [(site["id"], site["commitment"]) for site in sites] == [
        ("kd1k", 100.0),
        ("m3ll", 100.0),
    ]


HOURS_72 = 72 * 60


@pytest.mark.parametrize(
    ("start", "end", "accepted"),
    [
        pytest.param(0.01, 1, True, id="just ahead"),
        pytest.param(0, 1, False, id="start is now"),
        pytest.param(-1, 1, False, id="start is past"),
        pytest.param(5, 5, False, id="end is the start"),
        pytest.param(5, 4, False, id="end before the start"),
        pytest.param(HOURS_72 - 1, HOURS_72, True, id="72 hours"),
        pytest.param(HOURS_72 - 1, HOURS_72 + 0.01, False, id="beyond 72 hours"),
    ],
)
def test_a_test_dispatch_lies_within_the_next_72_hours(
    start: float, end: float, *, accepted: bool
) -> None:
    body = {"start_time": at(start).isoformat(), "end_time": at(end).isoformat()}
    if accepted:
        assert parse_test_dispatch(body, DEFAULT_SITES, NOON).dispatch["test"] is True
    else:
        with pytest.raises(RequestError, match="both within 72 hours"):
            parse_test_dispatch(body, DEFAULT_SITES, NOON)


@pytest.mark.parametrize(
    ("asked", "name"),
    [({}, "Test Program"), ({"program_id": 1111}, "A Different Program")],
)
def test_a_test_dispatch_is_of_the_program_asked_for(
    asked: dict[str, int], name: str
) -> None:
    body = {"start_time": at(1).isoformat(), "end_time": at(2).isoformat(), **asked}
    program: Any = parse_test_dispatch(body, DEFAULT_SITES, NOON).dispatch["program"]
    assert program["name"] == name


def test_a_program_without_registered_sites_is_refused() -> None:
    body = {
        "start_time": at(1).isoformat(),
        "end_time": at(2).isoformat(),
        "program_id": 7,
    }
    with pytest.raises(
        RequestError, match="no site is registered in program 7; known are 5555, 1111"
    ):
        parse_test_dispatch(body, DEFAULT_SITES, NOON)


def public_times(
    now: datetime, start_offset: float, *, nanoseconds: bool
) -> tuple[object, ...]:
    (dispatch,) = published(
        public_scenario(now, start_offset, nanoseconds=nanoseconds), now
    )
    return dispatch["creation_time"], dispatch["start_time"], dispatch["end_time"]


def test_the_public_dispatch_moves_with_the_clock() -> None:
    now = NOON + timedelta(microseconds=563070)
    assert public_times(now, 0, nanoseconds=False) == (
        "2026-08-01T11:00:00Z",
        "2026-08-01T12:00:00Z",
        "2026-08-01T13:00:00Z",
    )
    assert public_times(now + timedelta(seconds=30), 5, nanoseconds=False) == (
        "2026-08-01T11:00:30Z",
        "2026-08-01T12:00:35Z",
        "2026-08-01T13:00:35Z",
    )


def test_with_nanoseconds_the_public_dispatch_lasts_550_less_than_an_hour() -> None:
    assert public_times(NOON + timedelta(microseconds=563070), 0, nanoseconds=True) == (
        "2026-08-01T11:00:00.563070478Z",
        "2026-08-01T12:00:00.563070478Z",
        "2026-08-01T13:00:00.563069928Z",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-08-01t12:00:00z", NOON),
        ("2026-08-01T05:00:00-07:00", NOON),
        ("2026-08-01T12:00:00.000000999Z", NOON),
    ],
)
def test_a_time_is_read_in_every_form_of_rfc3339(text: str, expected: datetime) -> None:
    assert parse_time(text) == expected
