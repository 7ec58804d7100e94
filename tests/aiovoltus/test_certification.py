"""Voltus' scenarios, as its notebook posts them, and what has to come of them."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st
import pytest

from custom_components.voltus.aiovoltus.certification import (
    LONGEST,
    SHORTEST,
    Course,
    Curtailed,
    Expected,
    Outcome,
    Reaction,
    Scenario,
    as_request,
    as_row,
    course,
    curtailments,
    curtails_before_cancel,
    timetable,
    verdicts,
)
from custom_components.voltus.aiovoltus.models import (
    DispatchSite,
    Json,
    Snapshot,
    Trace,
    parse_time,
)
from custom_components.voltus.aiovoltus.schedule import Policy, look
from tests.builders import NOON, at, wire_time

SITE = DispatchSite("kd1k", "My Site", "example-location-id", 1000.0)
LENGTH, GAP = timedelta(minutes=20), timedelta(minutes=5)
POLLS = timedelta(seconds=30)
PLAIN = Reaction(timedelta(0), POLLS)
RUN = [scenario for scenario in Scenario if scenario is not Scenario.CLEAR]


def spans(low: timedelta, high: timedelta) -> st.SearchStrategy[timedelta]:
    """Return durations in whole seconds."""
    return st.integers(int(low.total_seconds()), int(high.total_seconds())).map(
        lambda each: timedelta(seconds=each)
    )


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


def row(
    kind: str, when: datetime, *sites: str, ids: Sequence[str] = ("d1",)
) -> dict[str, Json]:
    """Return the row of a log that says when `curtail` of sites went on or off."""
    return {
        "announced": when.isoformat(),
        "type": f"curtailment_{kind}",
        "sites": [*sites],
        "dispatch_ids": [*ids],
    }


def judged(
    run: Course, on: Iterable[tuple[datetime, datetime]], now: datetime | None = None
) -> tuple[Json, Json]:
    """Return verdict and reasons when `curtail` of the site was on as given."""
    rows: list[dict[str, Json]] = [as_row(run)]
    for begin, end in on:
        rows += [row("started", begin, SITE.id), row("ended", end, SITE.id)]
    (verdict,) = verdicts(rows, run.until if now is None else now)
    return verdict["verdict"], verdict["reasons"]


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
        # 40 seconds: a poll, and the time that an answer may take.
        (Scenario.BASIC, 5, [(0, 0, 40, 20, 0, 1)]),
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


def late(seconds: float) -> datetime:
    return at(0) + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("scenario", "on", "reasons"),
    [
        (Scenario.BASIC, [(late(30), at(20))], []),
        (
            Scenario.BASIC,
            [(late(55), at(20))],
            ["12:00:40+00:00: curtail of kd1k was off for 15 s and had to be on"],
        ),
        (
            Scenario.BASIC,
            [],
            ["12:00:40+00:00: curtail of kd1k was off for 1160 s and had to be on"],
        ),
        (
            Scenario.BASIC,
            [(late(30), at(19))],
            ["12:19:00+00:00: curtail of kd1k was off for 60 s and had to be on"],
        ),
        (
            Scenario.BASIC,
            [(late(30), at(20) + timedelta(seconds=5))],
            ["12:20:01+00:00: curtail of kd1k was on for 4 s and had to be off"],
        ),
        (
            Scenario.BASIC,
            [(late(30), at(4)), (at(5), at(20))],
            ["12:04:00+00:00: curtail of kd1k was off for 60 s and had to be on"],
        ),
        (Scenario.CANCELLED, [], []),
        (
            Scenario.CANCELLED,
            [(at(9), at(10))],
            ["12:09:00+00:00: curtail of kd1k was on for 60 s and had to be off"],
        ),
        (
            Scenario.TWO_DISPATCHES,
            [(late(30), at(45))],
            ["12:20:40+00:00: curtail of kd1k was on for 260 s and had to be off"],
        ),
    ],
)
def test_a_verdict_names_every_time_at_which_curtail_was_wrong(
    scenario: Scenario, on: list[tuple[datetime, datetime]], reasons: list[str]
) -> None:
    outcome = Outcome.FAILED if reasons else Outcome.PASSED
    assert judged(posted(scenario), on) == (
        outcome,
        [f"{NOON.date()}T{reason}" for reason in reasons],
    )


def test_a_scenario_runs_until_everything_has_happened() -> None:
    run = posted(Scenario.ANCILLARY_SERVICES)
    end = at(20) + timedelta(seconds=30)
    assert run.until == at(20) + timedelta(seconds=40)
    moment = timedelta(microseconds=1)
    assert judged(run, [], NOON)[0] == Outcome.RUNNING
    assert judged(run, [(late(20), end)], run.until - moment)[0] == Outcome.RUNNING
    assert judged(run, [(late(20), end)], run.until)[0] == Outcome.PASSED


def test_a_scenario_that_has_failed_already_is_not_running_any_more() -> None:
    assert judged(posted(Scenario.BASIC), [], at(1))[0] == Outcome.FAILED


def test_a_scenario_that_was_replaced_before_it_was_over_has_failed() -> None:
    rows = [as_row(posted(Scenario.CANCELLED)), as_row(posted(Scenario.CLEAR, at(5)))]
    (only,) = verdicts(rows, at(60))
    assert only["verdict"] == Outcome.FAILED
    assert only["reasons"] == [
        "2026-07-15T12:05:00+00:00: clear was posted in its place, before it was over"
    ]


def test_the_next_scenario_does_not_spoil_one_that_was_over() -> None:
    first = posted(Scenario.CANCELLED)
    rows = [as_row(first), as_row(posted(Scenario.CANCELLED, first.until))]
    assert [each["verdict"] for each in verdicts(rows, at(200))] == ["passed"] * 2


def test_every_site_has_to_pass() -> None:
    sites = [SITE, DispatchSite("m3ll", "Another", "", 1.0)]
    run = posted(Scenario.BASIC, sites=sites)
    on = [row("started", late(5), "kd1k"), row("ended", at(20), "kd1k")]
    (verdict,) = verdicts([as_row(run), *on], at(60))
    assert verdict["sites"] == ["kd1k", "m3ll"]
    assert isinstance(verdict["reasons"], list)
    (reason,) = verdict["reasons"]
    assert "curtail of m3ll was off" in str(reason)


def test_curtailments_are_read_from_the_log_site_by_site() -> None:
    rows: list[dict[str, Json]] = [
        row("ended", at(0), "s1"),
        row("started", at(1), "s1", "s2"),
        {"announced": at(1).isoformat(), "type": "started", "dispatch_id": "d1"},
        row("started", at(2), "s1"),
        row("ended", at(3), "s1", ids=["d2"]),
    ]
    assert curtailments(rows) == [
        Curtailed("s1", at(1), ("d1",), at(3)).ended(at(3), ("d2",)),
        Curtailed("s2", at(1), ("d1",)),
    ]


@pytest.mark.parametrize(
    "damage",
    [
        {"until": 5},
        {"sites": "s1"},
        {"expected": {}},
        {"expected": [5]},
        {"expected": [{"on_from": NOON.isoformat()}]},
        {"announced": "noon"},
    ],
)
def test_a_row_that_is_none_is_refused(damage: dict[str, Json]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        verdicts([as_row(posted(Scenario.BASIC)) | damage], NOON)


def lived(
    run: Course, reaction: Reaction, polls: Iterable[datetime]
) -> list[tuple[datetime, datetime]]:
    """Return when `curtail` is on if Voltus is polled at these instants."""
    policy = Policy(lead_time=reaction.lead_time)
    on: list[tuple[datetime, datetime]] = []
    since: datetime | None = None
    due = [(each, True) for each in polls]
    known = Snapshot()
    while due:
        now, polled = due.pop(0)
        if polled:
            out = {d.id: d for d in run.dispatches if d.received <= now}
            known = Snapshot(out, Trace(1, now))
        seen = look(known, policy, now)
        if seen.until and (not due or seen.until < due[0][0]):
            due.insert(0, (seen.until, False))
        curtail = seen.curtailment(SITE.id).curtail
        if curtail and since is None:
            since = now
        elif since and not curtail:
            on.append((since, now))
            since = None
    assert since is None
    return on


@given(
    scenario=st.sampled_from(RUN),
    length=spans(SHORTEST, timedelta(hours=1)),
    gap=spans(timedelta(minutes=-2), timedelta(minutes=10)),
    lead_time=spans(timedelta(0), timedelta(minutes=30)),
    poll_interval=spans(timedelta(seconds=5), timedelta(seconds=60)),
    second=st.integers(0, 59),
    phase=st.floats(0, 1),
)
def test_whoever_polls_and_obeys_passes_and_whoever_does_not_fails(
    scenario: Scenario,
    length: timedelta,
    gap: timedelta,
    lead_time: timedelta,
    poll_interval: timedelta,
    second: int,
    phase: float,
) -> None:
    reaction = Reaction(lead_time, poll_interval)
    now = NOON + timedelta(seconds=second)
    run = posted(scenario, now, length=length, gap=gap, reaction=reaction)
    assume(not curtails_before_cancel(run, reaction))
    count = (run.until - now) // poll_interval + 2
    polls = [now + (phase + k) * poll_interval for k in range(count)]
    on = lived(run, reaction, polls)

    assert judged(run, on, run.until + LONGEST) == (Outcome.PASSED, [])
    for index, (begin, _) in enumerate(on):
        others = [*on[:index], *on[index + 1 :]]
        assert judged(run, others)[0] == Outcome.FAILED
        too_short = (begin, max(begin, run.expected[index].on_by))
        assert judged(run, sorted([*others, too_short]))[0] == Outcome.FAILED


def test_what_is_written_of_a_scenario_can_be_read_again() -> None:
    run = posted(Scenario.TWO_DISPATCHES)
    (verdict,) = verdicts([as_row(run)], NOON)
    expected = verdict["expected"]
    assert isinstance(expected, list)
    assert tuple(Expected.from_json(each) for each in expected) == run.expected
    assert parse_time(verdict["until"]) == run.until
