"""Drills go by the clock alone, beside what Voltus says and never instead of it."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
import pytest

from custom_components.voltus.aiovoltus.by_hand import ByHand, OptOut, heed
from custom_components.voltus.aiovoltus.drills import (
    beside,
    giving_way,
    live,
    next_publication,
    obstacles,
    published,
    remembered,
    stopped,
)
from custom_components.voltus.aiovoltus.models import Dispatch, Snapshot
from custom_components.voltus.aiovoltus.schedule import Policy, Status, look, status
from tests.builders import NOON, Amounts, at, dispatch, snapshot

S1: Amounts = {"s1": 100.0}
POLICY = Policy()
MADE, END = at(-1), at(20)


def version(
    start: datetime = NOON,
    end: datetime | None = END,
    *,
    received: datetime = MADE,
    id: str = "drill-1",
    sites: Amounts = S1,
) -> Dispatch:
    """Return a version of a dispatch of a drill."""
    made = dispatch(id, start, end, sites, received=received, creation_time=received)
    return replace(made, drill=True)


OPEN = (version(end=None), version(received=at(20)))


def test_a_version_counts_from_when_it_is_published() -> None:
    assert published(OPEN, at(-2)) == {}
    assert published(OPEN, at(19.9)) == {"drill-1": OPEN[0]}
    assert published(OPEN, at(20)) == {"drill-1": OPEN[1]}
    assert next_publication(OPEN, at(-1)) == at(20)
    assert next_publication(OPEN, at(20)) is None


def test_without_drills_what_is_known_stays_the_same_object() -> None:
    known = snapshot(dispatch())
    assert beside(known, (), NOON) is known


def test_a_drill_never_hides_a_dispatch_of_voltus() -> None:
    real = dispatch("drill-1", sites={"s2": 1.0})
    both = beside(snapshot(real, dispatch("d1")), OPEN, NOON)
    assert both.dispatches == {"drill-1": real, "d1": dispatch("d1")}


def test_what_is_on_ends_and_what_is_to_come_is_cancelled() -> None:
    second = version(at(25), at(45), received=at(25), id="drill-1-2")
    later = version(at(30), at(40), id="drill-2")
    left = stopped((*OPEN, second, later), at(5))
    assert [each.id for each in live(left, at(5))] == []
    seen = published(left, at(5))
    assert (seen["drill-1"].end_time, seen["drill-1"].received) == (at(5), at(5))
    assert status(seen["drill-1"], at(5)) is Status.ENDED
    assert status(seen["drill-2"], at(5)) is Status.CANCELLED
    assert "drill-1-2" not in published(left, at(90))


def test_one_that_begins_right_now_is_cancelled_rather_than_ended() -> None:
    (over,) = published(stopped((version(),), NOON), NOON).values()
    assert status(over, NOON) is Status.CANCELLED


def test_what_is_over_already_stays_as_it_was() -> None:
    drills = (version(),)
    assert stopped(drills, at(20)) == drills


@pytest.mark.parametrize(
    ("real", "now", "gives_way"),
    [
        pytest.param(dispatch(start=at(5)), at(5), True, id="one begins"),
        pytest.param(dispatch(start=at(5)), at(4), False, id="not yet"),
        pytest.param(dispatch(sites={"s2": 1.0}), at(5), False, id="elsewhere"),
        pytest.param(dispatch(test=True), at(5), False, id="a test"),
        pytest.param(dispatch(authorized=False), at(5), False, id="cancelled"),
        pytest.param(dispatch(start=at(-30)), at(-0.5), False, id="not begun"),
        pytest.param(dispatch(start=at(-30)), NOON, True, id="begins within one"),
    ],
)
def test_it_gives_way_to_a_real_dispatch(
    real: Dispatch, now: datetime, gives_way: bool
) -> None:
    left = giving_way(OPEN, snapshot(real), POLICY, now)
    assert (left != OPEN) is gives_way
    assert bool(live(left, now)) is not gives_way


def test_lead_times_count_on_both_sides() -> None:
    policy = Policy(lead_time=timedelta(minutes=3))
    real = snapshot(dispatch(start=at(8)))
    assert giving_way(OPEN, real, policy, at(4.9)) is OPEN
    assert not live(giving_way(OPEN, real, policy, at(5)), at(5))
    early = snapshot(dispatch(start=at(-60)))
    drills = (version(received=at(-20)),)
    assert giving_way(drills, early, policy, at(-3.1)) is drills
    assert not live(giving_way(drills, early, policy, at(-3)), at(-3))


def test_what_was_opted_out_of_takes_no_precedence() -> None:
    policy = Policy(opted_out=frozenset({("d1", "s1")}))
    assert giving_way(OPEN, snapshot(dispatch()), policy, at(5)) is OPEN


def test_it_is_forgotten_two_days_after_it_is_over() -> None:
    end = at(20) + timedelta(days=2)
    assert remembered(OPEN, end - timedelta(seconds=1)) is OPEN
    assert remembered(OPEN, end) == ()
    later = version(end, end + timedelta(minutes=9), id="drill-2")
    assert remembered((*OPEN, later), end) == (later,)


def test_a_real_dispatch_stands_against_it_where_it_curtails_then() -> None:
    real = snapshot(dispatch(start=at(30), end=at(40)))
    assert obstacles(["s1", "s2"], real, POLICY, at(30)) == ["s1"]
    assert obstacles(["s1", "s2"], real, POLICY, at(29)) == []


def test_an_open_drill_is_held_without_any_contact() -> None:
    policy = Policy(offline_hold=timedelta(minutes=1))
    known = beside(Snapshot({}, snapshot(at=at(-600)).listed), OPEN, at(19))
    seen = look(known, policy, at(19))
    assert seen.curtailing == {"s1"}
    assert not seen.open_ended


def test_a_drill_acts_whatever_is_done_with_tests_but_not_on_ignored_sites() -> None:
    known = beside(snapshot(), (version(sites={"s1": 1.0, "s2": 1.0}),), NOON)
    seen = look(known, Policy(ignored_sites=frozenset({"s2"})), NOON)
    assert seen.curtailing == {"s1"}
    assert seen.curtailment("s1").drill
    assert seen.curtailment(None).drill


def test_beside_a_real_dispatch_it_is_not_all_a_drill() -> None:
    known = beside(snapshot(dispatch()), OPEN, NOON)
    assert not look(known, POLICY, NOON).curtailment("s1").drill


def test_what_stays_the_same_stays_the_same_object() -> None:
    known, said = snapshot(dispatch(sites={"s2": 1.0})), ByHand(drills=OPEN)
    first = heed(said, known, POLICY, NOON, None)
    polled = replace(known, listed=snapshot(at=at(1)).listed)
    again = heed(first.by_hand, polled, POLICY, at(1), first)
    assert again.by_hand is first.by_hand is said
    assert again.policy is first.policy
    assert again.snapshot.dispatches is first.snapshot.dispatches
    assert again.snapshot.listed is polled.listed
    ended = heed(again.by_hand, polled, POLICY, at(20), again)
    assert ended.snapshot.dispatches["drill-1"] is OPEN[1]


def test_one_can_opt_out_of_a_drill_and_acknowledge_it() -> None:
    said = ByHand(drills=OPEN).opt_out("drill-1", ["s1"], OptOut(NOON))
    said = said.acknowledge(OPEN[0], ["s1"], NOON)
    heeded = heed(said, snapshot(), POLICY, NOON, None)
    assert look(heeded.snapshot, heeded.policy, NOON).curtailing == frozenset()
    assert heeded.policy.acknowledged == {("drill-1", "s1")}


minutes = st.integers(-40, 40)


@given(minutes, st.integers(0, 30), minutes, st.integers(1, 30), minutes, minutes)
def test_no_drill_ever_changes_what_a_real_dispatch_asks_for(
    start: int, length: int, real_start: int, real_length: int, lead: int, now: int
) -> None:
    """At the sites of real ones all is as without the drill; nowhere do both act."""
    policy = Policy(lead_time=timedelta(minutes=max(lead, 0)))
    real = snapshot(
        dispatch("d1", at(real_start), at(real_start + real_length), {"s1": 7.0}),
        at=at(-90),
    )
    made = version(
        at(start), at(start + length), received=at(-90), sites={"s1": 9.0, "s2": 9.0}
    )
    heeded = heed(ByHand(drills=(made,)), real, policy, at(now), None)
    with_drill = look(heeded.snapshot, heeded.policy, at(now))
    without = look(real, policy, at(now))
    if "s1" in without.curtailing:
        assert with_drill.curtailment("s1").by_dispatch == {"d1": 7.0}
        assert with_drill.curtailing == {"s1"}
    assert heeded.snapshot.dispatches["d1"] is real.dispatches["d1"]
