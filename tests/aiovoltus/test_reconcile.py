"""What answers teach: what is known after them, what to ask for, and what is gone."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from hypothesis import given
from hypothesis import strategies as st
import pytest

from custom_components.voltus.aiovoltus import reconcile
from custom_components.voltus.aiovoltus.models import (
    Dispatch,
    Listing,
    Site,
    SiteList,
    Snapshot,
    Trace,
)
from custom_components.voltus.aiovoltus.reconcile import (
    PRODUCTION_ABSENCE,
    SANDBOX_ABSENCE,
    Absence,
    KnownSites,
    confirm,
    held,
    introduce,
    missing,
    not_found,
    sites_listed,
    stepped_back,
    unchanged,
    withdraw,
)
from custom_components.voltus.aiovoltus.schedule import (
    ChangeType,
    Policy,
    Status,
    changes,
    hold_expiry,
    look,
    status,
)
from tests.builders import NOON, at, dispatch, snapshot

from .strategies import several_versions

SECOND = timedelta(seconds=1)
APART = 30 * SECOND
listed = partial(reconcile.listed, apart=APART)
found = partial(reconcile.found, apart=APART)
DAY = 24 * 60
NOTHING = Snapshot()


def a_list(*dispatches: Dispatch) -> Listing:
    """Return a complete list of these."""
    return Listing({each.id: each for each in dispatches})


def number(now: datetime) -> int:
    """Return the number of the request sent at `now`: they grow with time."""
    return int((now - NOON).total_seconds())


def polled(known: Snapshot, now: datetime, *dispatches: Dispatch) -> Snapshot:
    """Return what is known after a complete list of these at `now`."""
    return listed(known, a_list(*dispatches), number(now), now)


def asked_in_vain(
    known: Snapshot,
    *instants: datetime,
    dispatch_id: str = "d1",
    rule: Absence = PRODUCTION_ABSENCE,
    lead_time: timedelta = timedelta(0),
) -> Snapshot:
    """Return what is known after an empty list and a 404 at each of these instants."""
    for now in instants:
        known = polled(known, now)
        assert dispatch_id in missing(known, now)
        known = not_found(
            known, dispatch_id, number(now), now, rule=rule, lead_time=lead_time
        )
    return known


def events(
    before: Snapshot, then: datetime, after: Snapshot, now: datetime
) -> list[ChangeType]:
    """Return the types of what there is to tell."""
    return [change.type for change in changes(before, then, after, now)]


def status_of(known: Snapshot, now: datetime, dispatch_id: str = "d1") -> Status:
    """Return the status of a known dispatch."""
    return status(known.dispatches[dispatch_id], now)


# Lists


def test_a_list_teaches_what_it_lists() -> None:
    known = polled(NOTHING, NOON, dispatch("d1"), dispatch("d2"))
    assert set(known.dispatches) == {"d1", "d2"}
    assert known.trace("d1") == known.trace("d2") == Trace(number(NOON), NOON)


def test_absence_from_a_list_is_no_cancel() -> None:
    known = polled(NOTHING, NOON, dispatch("d1"), dispatch("d2"))
    later = polled(known, at(1), dispatch("d2"))
    assert later == known
    assert later.trace("d1").contact == NOON
    assert later.trace("d2").contact == at(1)


def test_what_is_listed_again_after_an_empty_list_tells_nothing() -> None:
    known = polled(NOTHING, NOON, dispatch(end=None))
    empty = polled(known, at(1))
    back = polled(empty, at(2), dispatch(end=None))
    assert events(known, NOON, empty, at(1)) == []
    assert events(empty, at(1), back, at(2)) == []
    assert not missing(back, at(2))
    assert back.trace("d1").contact == at(2)


def test_a_list_asked_for_earlier_than_the_last_one_is_ignored() -> None:
    known = listed(NOTHING, a_list(dispatch("d1", end=at(90))), number(at(2)), at(3))
    late = a_list(dispatch("d1", end=at(60)), dispatch("d2"))
    assert listed(known, late, number(at(1)), at(4)) is known


def test_a_list_asked_for_before_a_dispatch_was_found_does_not_count_for_it() -> None:
    known = polled(NOTHING, NOON, dispatch("d1"), dispatch("d2"))
    known = found(known, dispatch("d1", end=at(90)), number(at(2)), at(2))
    late = a_list(dispatch("d1", end=at(60)), dispatch("d2", end=at(80)))
    after = listed(known, late, number(at(1)), at(3))
    assert after.dispatches["d1"].end_time == at(90)
    assert after.dispatches["d2"].end_time == at(80)
    assert after.trace("d1") == Trace(number(at(2)), at(2))


def test_a_list_asked_for_before_a_dispatch_was_found_does_not_miss_it() -> None:
    known = found(polled(NOTHING, NOON), dispatch("d1"), number(at(2)), at(2))
    after = listed(known, a_list(), number(at(1)), at(3))
    assert "d1" in after.dispatches
    assert not missing(after, at(3))
    assert missing(polled(after, at(4)), at(4)) == ["d1"]


def test_a_later_list_takes_over_from_what_was_found() -> None:
    known = found(polled(NOTHING, NOON), dispatch("d1"), number(at(1)), at(1))
    after = polled(known, at(2), dispatch("d1", end=at(90)))
    assert after.dispatches["d1"].end_time == at(90)
    assert after.traces == {}


def test_the_same_list_again_moves_the_contact_on_and_nothing_else() -> None:
    known = polled(NOTHING, NOON, dispatch("d1"), dispatch("d2", end=None))
    known = polled(known, at(1), dispatch("d1"))
    again = unchanged(known, a_list(dispatch("d1")), number(at(2)), at(2))
    assert again == known
    assert again.traces is known.traces
    assert again.trace("d1") == Trace(number(at(2)), at(2))
    assert again.trace("d2") == known.trace("d2")
    assert missing(again, at(2)) == ["d2"]


def test_what_was_found_by_id_and_is_on_the_same_list_again_is_not_missing() -> None:
    known = polled(NOTHING, NOON, dispatch("d1"))
    known = found(known, known.dispatches["d1"], number(at(1)), at(1))
    again = unchanged(known, a_list(dispatch("d1")), number(at(2)), at(2))
    assert missing(again, at(2)) == []
    late = unchanged(known, a_list(dispatch("d1")), number(at(0.5)), at(2))
    assert late.traces == known.traces, "a list asked for earlier"


# Asking for what is missing


def test_what_is_listed_is_not_asked_for() -> None:
    assert missing(polled(NOTHING, NOON, dispatch()), NOON) == []
    assert missing(NOTHING, NOON) == []


def test_what_was_found_without_any_list_is_not_missing_from_one() -> None:
    assert missing(found(NOTHING, dispatch(), number(NOON), NOON), at(1)) == []


@pytest.mark.parametrize(
    "over",
    [
        dispatch(start=at(-60), end=at(-30)),
        dispatch(authorized=False),
        dispatch(withdrawn=True),
        dispatch(start=NOON, end=at(-10)),
    ],
)
def test_what_is_over_is_not_asked_for(over: Dispatch) -> None:
    known = polled(polled(NOTHING, NOON, over), at(1))
    assert missing(known, at(1)) == []


def test_at_most_five_are_asked_for_the_longest_missing_first() -> None:
    calls = [dispatch(f"d{index}", end=None) for index in range(7)]
    known = NOTHING
    for minute in range(8):
        known = polled(known, at(minute), *calls[minute:])
    assert missing(known, at(7)) == ["d0", "d1", "d2", "d3", "d4"]


def test_of_equally_long_missing_ones_the_id_decides() -> None:
    calls = [dispatch(f"d{index}", end=None) for index in range(7)]
    known = polled(polled(NOTHING, NOON, *reversed(calls)), at(1))
    assert missing(known, at(1)) == ["d0", "d1", "d2", "d3", "d4"]


def test_what_answers_goes_to_the_end_of_the_queue() -> None:
    calls = [dispatch(f"d{index}", end=None) for index in range(6)]
    known = polled(polled(NOTHING, NOON, *calls), at(1))
    known = found(known, calls[0], number(at(1)), at(1))
    known = polled(known, at(2))
    assert missing(known, at(2)) == ["d1", "d2", "d3", "d4", "d5"]


def test_what_is_gone_for_sure_does_not_starve_the_others() -> None:
    held = [dispatch(f"a{index}", end=None) for index in range(5)]
    known = polled(NOTHING, NOON, *held, dispatch("z", end=None))
    known = polled(known, at(1), dispatch("z", end=None))
    for now in (at(1), at(2)):
        for each in held:
            known = not_found(
                known,
                each.id,
                number(now),
                now,
                rule=PRODUCTION_ABSENCE,
                lead_time=timedelta(0),
            )
    known = polled(known, at(3))
    assert missing(known, at(3)) == ["z", "a0", "a1", "a2", "a3"]


def test_what_cannot_be_asked_for_takes_nobodys_turn() -> None:
    odd = [dispatch(f"a/{index}", end=None) for index in range(6)]
    known = polled(NOTHING, NOON, *odd, dispatch("d1", end=None))
    assert missing(polled(known, at(1)), at(1)) == ["d1"]


# Found by id


def test_what_is_found_by_id_is_its_new_version() -> None:
    known = polled(polled(NOTHING, NOON, dispatch()), at(1))
    after = found(known, dispatch(end=at(90)), number(at(1)), at(2))
    assert after.dispatches["d1"].end_time == at(90)
    assert after.trace("d1") == Trace(number(at(1)), at(2))
    assert events(known, at(1), after, at(2)) == [ChangeType.UPDATED]


def test_what_was_never_listed_may_be_found() -> None:
    known = found(NOTHING, dispatch(), number(NOON), NOON)
    assert set(known.dispatches) == {"d1"}


def test_an_older_version_found_late_is_ignored() -> None:
    known = listed(NOTHING, a_list(dispatch(end=at(90))), number(at(2)), at(2))
    assert found(known, dispatch(end=at(60)), number(at(1)), at(3)) is known


# Two 404s


def test_the_first_404_changes_nothing_but_the_count() -> None:
    known = polled(NOTHING, NOON, dispatch())
    after = asked_in_vain(known, at(1))
    assert after == known
    assert after.trace("d1") == Trace(number(NOON), NOON, first_missing=at(1))


@pytest.mark.parametrize(
    ("apart", "gone"),
    [
        (timedelta(0), False),
        (timedelta(seconds=59), False),
        (timedelta(seconds=60), True),
        (timedelta(minutes=5), True),
    ],
)
def test_in_production_two_404s_count_if_they_are_a_minute_apart(
    apart: timedelta, gone: bool
) -> None:
    known = polled(NOTHING, NOON, dispatch(start=at(30)))
    after = asked_in_vain(known, at(1), at(1) + apart)
    assert after.trace("d1").gone is gone
    assert status_of(after, at(10)) is (Status.CANCELLED if gone else Status.SCHEDULED)


def test_404s_in_quick_succession_count_from_the_first() -> None:
    known = polled(NOTHING, NOON, dispatch(start=at(30)))
    known = asked_in_vain(known, at(1), at(1.5))
    assert not known.trace("d1").gone
    assert asked_in_vain(known, at(2)).trace("d1").gone


def test_elsewhere_any_two_polls_will_do() -> None:
    known = polled(NOTHING, NOON, dispatch())
    after = asked_in_vain(known, at(1), at(1) + SECOND, rule=SANDBOX_ABSENCE)
    assert status_of(after, at(2)) is Status.CANCELLED


def test_what_has_not_begun_is_withdrawn() -> None:
    known = polled(NOTHING, NOON, dispatch(start=at(30)))
    after = asked_in_vain(known, at(1), at(2))
    assert after.dispatches["d1"] == replace(known.dispatches["d1"], withdrawn=True)
    assert after.dispatches["d1"].received == at(2)
    (cancelled,) = changes(known, NOON, after, at(2))
    assert (cancelled.type, cancelled.reason) == (ChangeType.CANCELLED, "withdrawn")
    assert missing(polled(after, at(3)), at(3)) == []


@pytest.mark.parametrize(
    ("lead_minutes", "expected"),
    [(7, Status.SCHEDULED), (8, Status.SCHEDULED), (6, Status.CANCELLED)],
)
def test_a_lead_time_that_has_begun_is_under_way(
    lead_minutes: int, expected: Status
) -> None:
    known = polled(NOTHING, NOON, dispatch(start=at(9)))
    after = asked_in_vain(
        known, at(1), at(2), lead_time=timedelta(minutes=lead_minutes)
    )
    assert status_of(after, at(2)) is expected


@pytest.mark.parametrize("start", [NOON, at(2)])
def test_in_production_one_under_way_is_held_to_its_end(start: datetime) -> None:
    known = polled(NOTHING, NOON, dispatch(start=start, end=at(10 * 60)))
    after = asked_in_vain(known, at(1), at(2))
    assert after == known
    assert after.trace("d1").gone
    for minutes, curtails in ((2, True), (10 * 60 - 1, True), (10 * 60, False)):
        seen = look(after, Policy(), at(minutes)).curtailment("s1")
        assert seen.curtail is curtails


def test_in_production_an_open_end_is_held_from_the_first_404() -> None:
    known = polled(NOTHING, NOON, dispatch(end=None))
    after = asked_in_vain(known, at(1), at(5))
    assert after.trace("d1").contact == at(1)
    for minutes in (10, 20):
        after = polled(after, at(minutes))
        again = not_found(
            after,
            "d1",
            number(at(minutes)),
            at(minutes),
            rule=PRODUCTION_ABSENCE,
            lead_time=timedelta(0),
        )
        assert again is after
    expiry = hold_expiry(after, after.dispatches["d1"], Policy())
    assert expiry == at(1) + Policy().offline_hold


def test_elsewhere_one_under_way_is_withdrawn_too() -> None:
    known = polled(NOTHING, NOON, dispatch(end=None))
    after = asked_in_vain(known, at(1), at(2), rule=SANDBOX_ABSENCE)
    assert status_of(after, at(2)) is Status.CANCELLED
    assert not look(after, Policy(), at(2)).curtailment("s1").curtail


def test_one_that_has_begun_since_the_first_404_is_under_way() -> None:
    known = polled(NOTHING, NOON, dispatch(start=at(1.5)))
    after = asked_in_vain(known, at(1), at(2))
    assert status_of(after, at(2)) is Status.ACTIVE


def test_a_404_asked_for_before_the_last_good_answer_does_not_count() -> None:
    known = listed(NOTHING, a_list(dispatch()), number(at(2)), at(2))
    after = not_found(
        known, "d1", number(at(1)), at(3), rule=SANDBOX_ABSENCE, lead_time=timedelta(0)
    )
    assert after is known


def test_being_found_resets_the_count() -> None:
    known = asked_in_vain(polled(NOTHING, NOON, dispatch()), at(1))
    known = found(known, dispatch(), number(at(2)), at(2))
    assert known.trace("d1") == Trace(number(at(2)), at(2))
    assert not asked_in_vain(known, at(3)).trace("d1").gone


def test_being_listed_resets_the_count() -> None:
    known = asked_in_vain(polled(NOTHING, NOON, dispatch()), at(1))
    known = polled(known, at(2), dispatch())
    assert not asked_in_vain(known, at(3)).trace("d1").gone


def test_an_empty_list_neither_counts_nor_resets() -> None:
    known = asked_in_vain(polled(NOTHING, NOON, dispatch(start=at(30))), at(1))
    known = polled(known, at(2))
    assert known.trace("d1").first_missing == at(1)
    assert asked_in_vain(known, at(3)).trace("d1").gone


def test_a_held_dispatch_that_is_found_again_goes_on_as_ever() -> None:
    known = asked_in_vain(polled(NOTHING, NOON, dispatch(end=None)), at(1), at(2))
    back = found(known, dispatch(end=None), number(at(3)), at(3))
    assert back == known
    assert back.trace("d1") == Trace(number(at(3)), at(3))


def test_a_withdrawn_dispatch_that_is_listed_again_is_updated_and_started() -> None:
    known = polled(NOTHING, NOON, dispatch(end=None))
    withdrawn = asked_in_vain(known, at(1), at(2), rule=SANDBOX_ABSENCE)
    back = polled(withdrawn, at(3), dispatch(end=None))
    assert events(withdrawn, at(2), back, at(3)) == [
        ChangeType.UPDATED,
        ChangeType.STARTED,
    ]


# What Voltus knows no more


def test_what_is_gone_and_obeyed_all_the_same_is_held() -> None:
    calls = (dispatch("d1"), dispatch("d2"), dispatch("d3", start=at(30)))
    known = polled(NOTHING, NOON, *calls)
    known = asked_in_vain(known, at(1), at(2), dispatch_id="d1")
    assert held(known, at(2)) == ["d1"]
    known = asked_in_vain(known, at(3), at(4), dispatch_id="d3")
    assert status_of(known, at(4), "d3") is Status.CANCELLED
    assert held(known, at(4)) == ["d1"]
    assert held(known, at(60)) == []


def test_what_voltus_knows_again_is_no_longer_held() -> None:
    known = asked_in_vain(polled(NOTHING, NOON, dispatch()), at(1), at(2))
    assert held(polled(known, at(3), dispatch()), at(3)) == []
    assert held(found(known, dispatch(), number(at(3)), at(3)), at(3)) == []


def test_what_is_held_can_be_withdrawn_until_voltus_lists_it_again() -> None:
    known = asked_in_vain(polled(NOTHING, NOON, dispatch()), at(1), at(2))
    after = withdraw(known, "d1", at(3))
    assert events(known, at(2), after, at(3)) == [ChangeType.CANCELLED]
    assert after.dispatches["d1"].received == at(3)
    assert held(after, at(3)) == []
    assert missing(polled(after, at(4)), at(4)) == []
    back = polled(after, at(5), dispatch())
    assert events(after, at(3), back, at(5)) == [
        ChangeType.UPDATED,
        ChangeType.STARTED,
    ]


def test_withdrawing_again_changes_nothing() -> None:
    known = withdraw(polled(NOTHING, NOON, dispatch()), "d1", at(1))
    assert withdraw(known, "d1", at(2)) is known


# Forgetting


@pytest.mark.parametrize(
    "over",
    [dispatch(), dispatch(authorized=False), dispatch(end=None, withdrawn=True)],
)
def test_what_is_over_is_forgotten_two_days_after_it_was_last_listed(
    over: Dispatch,
) -> None:
    known = polled(polled(NOTHING, NOON, over), at(1))
    assert "d1" in polled(known, at(2 * DAY) - SECOND).dispatches
    after = polled(known, at(2 * DAY))
    assert after.dispatches == {}
    assert after.traces == {}


def test_forgetting_tells_nothing() -> None:
    known = polled(NOTHING, NOON, dispatch())
    assert events(known, at(60), polled(known, at(2 * DAY)), at(2 * DAY)) == []


def test_what_is_still_listed_is_not_forgotten() -> None:
    known = polled(NOTHING, NOON, dispatch())
    assert "d1" in polled(known, at(5 * DAY), dispatch()).dispatches


def test_what_is_not_over_is_never_forgotten() -> None:
    known = polled(
        NOTHING, NOON, dispatch("d1", end=None), dispatch("d2", at(9 * DAY), None)
    )
    assert set(polled(known, at(5 * DAY)).dispatches) == {"d1", "d2"}


def test_what_ended_off_the_list_is_known_for_two_days_from_its_last_contact() -> None:
    known = polled(NOTHING, NOON, dispatch(end=None))
    known = polled(known, at(1))
    known = found(known, dispatch(end=at(DAY)), number(at(DAY)), at(DAY))
    assert "d1" in polled(known, at(3 * DAY) - SECOND).dispatches
    assert polled(known, at(3 * DAY)).dispatches == {}


# The sites

HILLTOP = Site("m3ll", "Hilltop Workshop", "hilltop-02")
RIVERSIDE = Site("kd1k", "Riverside Cold Storage", "riverside-01")
SIX_HOURS = 6 * 60


def known_sites(*sites: Site) -> KnownSites:
    """Return what is known after an answer with all of these."""
    return KnownSites({site.id: site for site in sites}, answered=True)


def after_answer(
    known: KnownSites,
    now: datetime,
    *present: Site,
    complete: bool = True,
    dispatches: Snapshot = NOTHING,
) -> KnownSites:
    """Return the known sites after an answer of `GET /sites`."""
    answer = SiteList({site.id: site for site in present}, complete)
    return sites_listed(known, answer, dispatches, now)


def test_a_site_that_a_dispatch_names_is_introduced() -> None:
    known = introduce(known_sites(HILLTOP), [dispatch(sites={"m3ll": 1.0, "s1": None})])
    assert known.sites == {"m3ll": HILLTOP, "s1": Site("s1", "Site s1", "")}


def test_without_new_sites_the_roster_is_the_same() -> None:
    known = known_sites(HILLTOP)
    assert introduce(known, [dispatch(sites={"m3ll": 1.0})]) is known


def test_a_roll_call_knows_more_of_a_site_than_a_dispatch() -> None:
    known = introduce(KnownSites(), [dispatch(sites={"m3ll": 1.0})])
    assert after_answer(known, NOON, HILLTOP) == known_sites(HILLTOP)


def test_a_site_leaves_when_it_misses_two_roll_calls_six_hours_apart() -> None:
    known = after_answer(known_sites(HILLTOP, RIVERSIDE), NOON, HILLTOP)
    assert set(known.sites) == {"m3ll", "kd1k"}
    known = after_answer(known, at(SIX_HOURS) - SECOND, HILLTOP)
    assert set(known.sites) == {"m3ll", "kd1k"}
    assert after_answer(known, at(SIX_HOURS), HILLTOP) == known_sites(HILLTOP)


def test_a_site_that_answers_in_between_stays() -> None:
    known = after_answer(known_sites(HILLTOP, RIVERSIDE), NOON, HILLTOP)
    known = after_answer(known, at(60), HILLTOP, RIVERSIDE)
    known = after_answer(known, at(SIX_HOURS), HILLTOP)
    assert set(known.sites) == {"m3ll", "kd1k"}
    assert after_answer(known, at(2 * SIX_HOURS), HILLTOP) == known_sites(HILLTOP)


@pytest.mark.parametrize(
    ("present", "complete"), [((), True), ((), False), ((HILLTOP,), False)]
)
def test_an_empty_or_incomplete_answer_proves_no_absence(
    present: tuple[Site, ...], complete: bool
) -> None:
    known = known_sites(HILLTOP, RIVERSIDE)
    for now in (NOON, at(SIX_HOURS), at(5 * SIX_HOURS)):
        known = after_answer(known, now, *present, complete=complete)
    assert known == known_sites(HILLTOP, RIVERSIDE)


def test_an_incomplete_answer_still_brings_new_sites_and_names() -> None:
    renamed = replace(HILLTOP, name="Hilltop Mill")
    known = after_answer(known_sites(HILLTOP), NOON, renamed, RIVERSIDE, complete=False)
    assert known == replace(known_sites(renamed, RIVERSIDE), new=frozenset({"kd1k"}))


def test_what_comes_before_the_first_roll_call_is_not_new() -> None:
    known = introduce(KnownSites(), [dispatch(sites={"m3ll": 1.0})])
    assert not after_answer(known, NOON, HILLTOP, RIVERSIDE).new


def test_a_site_is_new_by_whichever_way_it_appears_until_it_is_confirmed() -> None:
    known = introduce(known_sites(HILLTOP), [dispatch(sites={"m3ll": 1.0, "s1": None})])
    known = after_answer(known, NOON, HILLTOP, RIVERSIDE)
    assert known.new == {"s1", "kd1k"}
    known = confirm(known, ["s1", "unknown"])
    assert known.new == {"kd1k"}
    known = after_answer(known, at(60), HILLTOP, RIVERSIDE)
    known = introduce(known, [dispatch(sites={"s1": None})])
    assert known.new == {"kd1k"}


@pytest.mark.parametrize("complete", [True, False])
def test_the_first_answer_of_all_makes_the_next_site_new(complete: bool) -> None:
    known = after_answer(KnownSites(), NOON, complete=complete)
    assert after_answer(known, at(60), HILLTOP).new == {"m3ll"}


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_site_that_left_is_new_again_only_if_nobody_had_seen_to_it(
    confirmed: bool,
) -> None:
    known = after_answer(known_sites(HILLTOP), NOON, HILLTOP, RIVERSIDE)
    if confirmed:
        known = confirm(known, ["kd1k"])
    for hours in (1, 7):
        known = after_answer(known, at(hours * 60), HILLTOP)
    assert known == known_sites(HILLTOP)
    again = frozenset() if confirmed else {"kd1k"}
    assert after_answer(known, at(8 * 60), HILLTOP, RIVERSIDE).new == again
    assert introduce(known, [dispatch(sites={"kd1k": 1.0})]).new == again


def test_what_was_there_at_the_first_set_up_is_not_new_when_it_returns() -> None:
    known = known_sites(HILLTOP, RIVERSIDE)
    for hours in (1, 8):
        known = after_answer(known, at(hours * 60), HILLTOP)
    assert set(known.sites) == {"m3ll"}
    assert not after_answer(known, at(9 * 60), HILLTOP, RIVERSIDE).new


def test_a_site_that_a_dispatch_calls_on_stays_until_that_is_over() -> None:
    call = snapshot(dispatch(end=at(3 * SIX_HOURS), sites={"kd1k": None}))
    known = known_sites(HILLTOP, RIVERSIDE)
    for now in (NOON, at(SIX_HOURS), at(2 * SIX_HOURS)):
        known = after_answer(known, now, HILLTOP, dispatches=call)
        assert set(known.sites) == {"m3ll", "kd1k"}
    known = after_answer(known, at(3 * SIX_HOURS), HILLTOP, dispatches=call)
    assert known == known_sites(HILLTOP)


# Any answers


@given(st.lists(several_versions, min_size=1, max_size=5))
def test_after_any_lists_everything_ever_listed_is_known_by_its_last_version(
    lists: list[list[Dispatch]],
) -> None:
    known = NOTHING
    expected: dict[str, Dispatch] = {}
    for minute, dispatches in enumerate(lists):
        known = polled(known, at(minute), *dispatches)
        expected |= {each.id: each for each in dispatches}
        assert not known.traces.keys() & {each.id for each in dispatches}
        assert all(known.trace(dispatch_id) for dispatch_id in known.dispatches)
    assert known == snapshot(*expected.values())
    off_the_list = expected.keys() - {each.id for each in lists[-1]}
    assert set(missing(known, at(5))) == {
        dispatch_id
        for dispatch_id in off_the_list
        if not status(expected[dispatch_id], at(5)).over
    }


# A server that lags behind

OPEN = dispatch("d1", end=None, modification_number=0)
ENDED = dispatch("d1", end=at(20), modification_number=1)


def polls(*answers: tuple[float, Dispatch]) -> list[Dispatch]:
    """Return what is known of d1 after each answer (minutes, version)."""
    known, story = NOTHING, []
    for minutes, version in answers:
        known = polled(known, at(minutes), version)
        story.append(known.dispatches["d1"])
    return story


def test_answers_of_two_servers_in_turn_one_of_them_late_turn_nothing() -> None:
    answers = [(each, (OPEN, ENDED)[each % 2]) for each in range(12)]
    assert polls(*answers) == [OPEN, *[ENDED] * 11]


def test_a_lower_number_is_believed_when_it_is_seen_again_a_poll_later() -> None:
    story = polls((0, ENDED), (1, OPEN), (1.4, OPEN), (1.5, OPEN), (2, OPEN))
    assert story == [ENDED, ENDED, ENDED, OPEN, OPEN]


def test_between_two_sightings_there_is_no_other_answer() -> None:
    story = polls((0, ENDED), (1, OPEN), (2, ENDED), (3, OPEN), (4, OPEN))
    assert story == [ENDED, ENDED, ENDED, ENDED, OPEN]


def test_an_answer_for_one_dispatch_is_a_sighting_like_a_list() -> None:
    known = polled(NOTHING, at(0), ENDED, dispatch("d2"))
    known = found(known, OPEN, number(at(1)), at(1))
    assert known.dispatches["d1"] is ENDED
    assert known.trace("d1").contact == at(1)
    known = found(known, dispatch("d2", test=True), number(at(1.2)), at(1.2))
    assert known.lagging == {"d1": at(1)}
    known = found(known, OPEN, number(at(2)), at(2))
    assert known.dispatches["d1"] is OPEN
    assert not known.lagging


def test_what_lags_behind_is_heard_of_and_not_missing() -> None:
    known = polled(polled(NOTHING, at(0), ENDED), at(1), OPEN)
    assert not missing(known, at(1))
    assert known.trace("d1").contact == at(1)


def test_a_clock_set_back_between_two_sightings_only_puts_off_the_second() -> None:
    known = polled(polled(NOTHING, at(0), ENDED), at(60), OPEN)
    known = listed(known, a_list(OPEN), number(at(61)), at(1))
    assert known.lagging == {"d1": at(1)}
    known = listed(known, a_list(OPEN), number(at(62)), at(2))
    assert known.dispatches["d1"] is OPEN


@pytest.mark.parametrize("numbers", [(1, 1), (1, 2), (None, 1), (1, None)])
def test_another_content_without_a_lower_number_counts_at_once(
    numbers: tuple[int | None, int | None],
) -> None:
    before, after = (
        dispatch("d1", end=at(end), modification_number=number)
        for end, number in zip((20, 30), numbers, strict=True)
    )
    assert polls((0, before), (1, after)) == [before, after]


def test_a_step_back_is_told_when_it_is_believed() -> None:
    before = polled(NOTHING, at(0), ENDED)
    doubted = polled(before, at(1), OPEN)
    believed = polled(doubted, at(2), OPEN)
    assert stepped_back(before, doubted) == []
    assert stepped_back(doubted, believed) == ["d1"]
    assert stepped_back(believed, polled(believed, at(3), ENDED)) == []
