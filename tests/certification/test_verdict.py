"""What the log of a scenario proves, whatever the polls, the lead time and the gap."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st
import pytest

from custom_components.voltus.aiovoltus.models import (
    DispatchSite,
    Json,
    Snapshot,
    Trace,
    parse_time,
)
from custom_components.voltus.aiovoltus.schedule import Policy, look
from custom_components.voltus.certification.course import (
    LONGEST,
    SHORTEST,
    Course,
    Expected,
    Reaction,
    Scenario,
    course,
    curtails_before_cancel,
)
from custom_components.voltus.certification.verdict import (
    Curtailed,
    Outcome,
    as_row,
    curtailments,
    verdicts,
)
from tests.builders import NOON, at

SITE = DispatchSite("kd1k", "My Site", "example-location-id", 1000.0)
PLAIN = Reaction(timedelta(0), timedelta(seconds=30))
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
    length: timedelta = timedelta(minutes=20),
    gap: timedelta = timedelta(minutes=5),
    reaction: Reaction = PLAIN,
    sites: Iterable[DispatchSite] = (SITE,),
) -> Course:
    """Return a scenario, by default as Voltus' notebook has it."""
    return course(scenario, sites, now, length=length, gap=gap, reaction=reaction)


def told(run: Course) -> list[dict[str, Json]]:
    """Return the rows of all that has to be announced."""
    return [
        {
            "announced": max(run.posted, start).isoformat(),
            "type": change.value,
            "start_time": start.isoformat(),
            "dispatch_id": f"d{start:%M}",
        }
        for change, start in run.changes
    ]


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
    rows = [as_row(run), *told(run)]
    for begin, end in on:
        rows += [row("started", begin, SITE.id), row("ended", end, SITE.id)]
    (verdict,) = verdicts(rows, run.until if now is None else now)
    return verdict["verdict"], verdict["reasons"]


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
            ["12:20:02+00:00: curtail of kd1k was on for 3 s and had to be off"],
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
        "2026-07-15T12:05:00+00:00: another scenario was posted in its place, before it was over"
    ]


def test_the_next_scenario_does_not_spoil_one_that_was_over() -> None:
    first = posted(Scenario.CANCELLED)
    second = posted(Scenario.CANCELLED, first.until)
    rows = [as_row(first), *told(first), as_row(second), *told(second)]
    assert [each["verdict"] for each in verdicts(rows, at(200))] == ["passed"] * 2


@pytest.mark.parametrize("scenario", RUN)
def test_nothing_passes_of_which_nobody_was_told(scenario: Scenario) -> None:
    run = posted(scenario)
    on = [(each.on_by, each.off_from) for each in run.expected]
    assert judged(run, on) == (Outcome.PASSED, [])
    spans = [
        row(kind, when, SITE.id)
        for span in on
        for kind, when in zip(("started", "ended"), span, strict=True)
    ]
    for index, left_out in enumerate(told(run)):
        rows = told(run)
        del rows[index]
        (verdict,) = verdicts([as_row(run), *rows, *spans], run.until)
        assert verdict["verdict"] == Outcome.FAILED
        assert verdict["reasons"] == [
            (
                f"{left_out['type']} was not announced of the dispatch that starts at "
                f"{left_out['start_time']}"
            )
        ]


def test_the_dispatches_of_a_scenario_are_named() -> None:
    run = posted(Scenario.TWO_DISPATCHES)
    (verdict,) = verdicts([as_row(run), *told(run)], NOON)
    assert verdict["dispatch_ids"] == ["d00", "d25"]


def test_what_was_told_before_it_was_posted_does_not_count() -> None:
    run = posted(Scenario.CANCELLED)
    early = [each | {"announced": at(-1).isoformat()} for each in told(run)]
    (verdict,) = verdicts([*early, as_row(run)], run.until)
    assert verdict["verdict"] == Outcome.FAILED


def test_every_site_has_to_pass() -> None:
    sites = [SITE, DispatchSite("m3ll", "Another", "", 1.0)]
    run = posted(Scenario.BASIC, sites=sites)
    on = [row("started", late(5), "kd1k"), row("ended", at(20), "kd1k")]
    (verdict,) = verdicts([as_row(run), *told(run), *on], at(60))
    assert verdict["sites"] == ["kd1k", "m3ll"]
    assert isinstance(verdict["reasons"], list)
    (reason,) = verdict["reasons"]
    assert "curtail of m3ll was off" in str(reason)


def test_what_curtails_elsewhere_is_nothing_to_a_scenario() -> None:
    run = posted(Scenario.CANCELLED)
    rows = [as_row(run), *told(run), row("started", at(1), "elsewhere")]
    (verdict,) = verdicts(rows, run.until)
    assert verdict["verdict"] == Outcome.PASSED


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
        {"changes": [5]},
        {"changes": [{"type": "created"}]},
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
