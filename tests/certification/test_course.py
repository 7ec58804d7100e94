"""Voltus' scenarios, as its notebook posts them, and what has to come of them."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest

from custom_components.voltus.aiovoltus.models import (
    DispatchSite,
    Json,
)
from custom_components.voltus.certification.course import (
    SHORTEST,
    Course,
    Expected,
    Reaction,
    Scenario,
    as_request,
    course,
    curtails_before_cancel,
    timetable,
)
from tests.builders import NOON, at, wire_time

SITE = DispatchSite("kd1k", "My Site", "example-location-id", 1000.0)
LENGTH, GAP = timedelta(minutes=20), timedelta(minutes=5)
POLLS = timedelta(seconds=30)
PLAIN = Reaction(timedelta(0), POLLS)
RUN = [scenario for scenario in Scenario if scenario is not Scenario.CLEAR]


def posted(
    scenario: Scenario,
    now: datetime = NOON,
    *,
    length: timedelta = LENGTH,
    gap: timedelta = GAP,
    reaction: Reaction = PLAIN,
    sites: Iterable[DispatchSite] = (SITE,),
) -> Course:
    """Return a scenario, by default as Voltus' notebook has it."""
    return course(scenario, sites, now, length=length, gap=gap, reaction=reaction)


def state(
    published: float,
    start: float,
    end: float | None,
    number: int = 0,
    *,
    creation: float = 0,
    authorized: bool = True,
    other_program: bool = False,
    metadata: Json = None,
) -> Json:
    """Return a state as Voltus' notebook writes it; times are minutes after T."""
    program: dict[str, Json] = {
        "id": 5555,
        "name": "A Program",
        "market": "CAISO",
        "timezone": "US/Pacific",
        "program_type": "capacity",
    }
    if other_program:
        program |= {
            "id": 1111,
            "name": "A Different Program",
            "program_type": "ancillary_services",
        }
    dispatch: dict[str, Json] = {
        "authorized": authorized,
        "test": False,
        "creation_time": wire_time(at(creation)),
        "start_time": wire_time(at(start)),
        "modification_number": number,
        "sites": [
            {
                "id": "kd1k",
                "name": "My Site",
                "customer_location_id": "example-location-id",
                "commitment": 1000.0,
            }
        ],
        "program": program,
    }
    if metadata is not None:
        dispatch["metadata"] = metadata
    if end is not None:
        dispatch["end_time"] = wire_time(at(end))
    return {"published_time": wire_time(at(published)), "dispatch": dispatch}


SANDBOX: Json = {"sandbox": True}
YEAR = -365 * 24 * 60


@pytest.mark.parametrize(
    ("scenario", "dispatches"),
    [
        (Scenario.BASIC, {"Dispatch": [state(0, 0, 20)]}),
        (
            Scenario.ANCILLARY_SERVICES,
            {
                "Dispatch": [
                    state(0, 0, None, metadata=SANDBOX),
                    state(20, 0, 20, 1, metadata=SANDBOX),
                ]
            },
        ),
        (
            Scenario.TWO_DISPATCHES,
            {
                "Dispatch 1": [state(0, 0, None), state(20, 0, 20, 1)],
                "Dispatch 2": [
                    state(25, 25, None, creation=25, other_program=True),
                    state(45, 25, 45, 1, creation=25, other_program=True),
                ],
            },
        ),
        (
            Scenario.CANCELLED,
            {"Dispatch": [state(0, 20, 40), state(10, 20, 40, 1, authorized=False)]},
        ),
        (
            Scenario.CURTAILING,
            {"Dispatch": [state(0, 0, None), state(20, 0, 20, 1)]},
        ),
        (Scenario.CLEAR, {"Dispatch": [state(YEAR, YEAR, YEAR + 20, creation=YEAR)]}),
    ],
)
def test_a_scenario_is_posted_as_voltus_notebook_does(
    scenario: Scenario, dispatches: dict[str, list[Json]]
) -> None:
    request = as_request(posted(scenario, NOON + timedelta(seconds=42.5)))
    assert request.pop("name")
    assert request == {
        "scenario_type": "custom",
        "dispatches": {name: {"states": each} for name, each in dispatches.items()},
    }


def test_the_curtailing_test_takes_ten_minutes_at_least() -> None:
    (_, last) = posted(Scenario.CURTAILING, length=SHORTEST).dispatches
    assert last.end_time == at(10)


@pytest.mark.parametrize(
    ("scenario", "gap", "expected"),
    [
        # 40 seconds: a poll, and the time that an answer may take. 2: an end asks once more.
        (Scenario.BASIC, 5, [(0, 0, 40, 20, 0, 2)]),
        (Scenario.ANCILLARY_SERVICES, 5, [(0, 0, 40, 20, 0, 40)]),
        (
            Scenario.TWO_DISPATCHES,
            5,
            [(0, 0, 40, 20, 0, 40), (25, 0, 40, 45, 0, 40)],
        ),
        (Scenario.TWO_DISPATCHES, 0, [(0, 0, 40, 40, 0, 40)]),
        (Scenario.TWO_DISPATCHES, -5, [(0, 0, 40, 35, 0, 40)]),
        (Scenario.CANCELLED, 5, []),
        (Scenario.CURTAILING, 5, [(0, 0, 40, 20, 0, 40)]),
        (Scenario.CLEAR, 5, []),
    ],
)
def test_curtail_is_expected_from_the_news_to_the_end(
    scenario: Scenario, gap: int, expected: list[tuple[int, ...]]
) -> None:
    def after(minutes: int, more: int) -> datetime:
        return at(minutes) + timedelta(seconds=more)

    run = posted(scenario, gap=timedelta(minutes=gap))
    assert run.expected == tuple(
        Expected(
            after(on, on_from),
            after(on, on_by),
            after(off, off_from),
            after(off, off_by),
        )
        for on, on_from, on_by, off, off_from, off_by in expected
    )


def test_nothing_is_expected_before_the_scenario_was_posted() -> None:
    now = NOON + timedelta(seconds=59)
    (expected,) = posted(
        Scenario.BASIC, now, reaction=Reaction(timedelta(minutes=10), POLLS)
    ).expected
    assert (expected.on_from, expected.on_by) == (now, now + timedelta(seconds=40))


@pytest.mark.parametrize(
    ("lead_minutes", "length", "refused"),
    [(0, 20, False), (9, 20, False), (10, 20, True), (10, 30, False), (0, 3, False)],
)
def test_a_lead_time_may_not_outrun_the_cancel(
    lead_minutes: int, length: int, refused: bool
) -> None:
    reaction = Reaction(timedelta(minutes=lead_minutes), POLLS)
    run = posted(
        Scenario.CANCELLED, length=timedelta(minutes=length), reaction=reaction
    )
    assert curtails_before_cancel(run, reaction) is refused
    assert not curtails_before_cancel(posted(Scenario.BASIC), reaction)


def test_the_timetable_tells_what_happens_there_and_here() -> None:
    steps = timetable(posted(Scenario.TWO_DISPATCHES))
    assert [(step.at, step.what) for step in steps] == [
        (at(0), "Voltus publishes Dispatch 1"),
        (at(0), "Curtail comes on"),
        (at(20), "Voltus sends the end of Dispatch 1"),
        (at(20), "Curtail goes off"),
        (at(25), "Voltus publishes Dispatch 2"),
        (at(25), "Curtail comes on"),
        (at(45), "Voltus sends the end of Dispatch 2"),
        (at(45), "Curtail goes off"),
    ]
    assert steps[1].until == at(0) + timedelta(seconds=40)
    cancelled = [step.what for step in timetable(posted(Scenario.CANCELLED))]
    assert cancelled == ["Voltus publishes Dispatch", "Voltus cancels Dispatch"]


@pytest.mark.parametrize("scenario", RUN)
def test_every_scenario_says_in_words_what_passes(scenario: Scenario) -> None:
    assert posted(scenario).criterion.startswith("Curtail ")


def test_what_has_to_be_announced_is_every_turn_of_every_dispatch() -> None:
    assert posted(Scenario.CANCELLED).changes == [
        ("created", at(20)),
        ("cancelled", at(20)),
    ]
    assert posted(Scenario.TWO_DISPATCHES).changes == [
        (kind, start)
        for start in (at(0), at(25))
        for kind in ("created", "started", "ended")
    ]


def test_clear_has_nothing_to_wait_for() -> None:
    run = posted(Scenario.CLEAR)
    assert (run.until, run.expected, timetable(run)) == (NOON, (), [])
