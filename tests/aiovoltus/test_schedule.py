"""What is asked of whom and when, decided from what is known."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
import pytest

from custom_components.voltus.aiovoltus.models import Dispatch, Snapshot, Trace
from custom_components.voltus.aiovoltus.schedule import (
    IDLE,
    Curtailment,
    Phase,
    Policy,
    Status,
    hold_expiry,
    look,
    status,
)
from tests.builders import NOON, Amounts, at, dispatch, snapshot

from .strategies import (
    SITES,
    crowded_snapshots,
    hurried_policies,
    instants,
    policies,
    snapshots,
    versions,
)

PLAIN = Policy()
HALF_PAST = at(30)
FIVE_MINUTES_AHEAD = Policy(lead_time=timedelta(minutes=5))
FOREVER = datetime.max.replace(tzinfo=UTC)
SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)


def asked(
    *dispatches: Dispatch,
    now: datetime = HALF_PAST,
    policy: Policy = PLAIN,
    site_id: str | None = "s1",
) -> Curtailment:
    """Return what dispatches listed at `now` ask of a site."""
    return look(snapshot(*dispatches, at=now), policy, now).curtailment(site_id)


def phases(
    *dispatches: Dispatch, minutes: Iterable[float], policy: Policy = PLAIN
) -> list[Phase]:
    """Return the phases of a site at some minutes after noon."""
    return [
        asked(*dispatches, now=at(minute), policy=policy).phase for minute in minutes
    ]


# Status


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(at(-60), Status.SCHEDULED, id="before"),
        pytest.param(NOON - MICROSECOND, Status.SCHEDULED, id="just before"),
        pytest.param(NOON, Status.ACTIVE, id="at the start"),
        pytest.param(at(30), Status.ACTIVE, id="during"),
        pytest.param(at(60) - MICROSECOND, Status.ACTIVE, id="just before the end"),
        pytest.param(at(60), Status.ENDED, id="at the end"),
        pytest.param(at(90), Status.ENDED, id="after"),
    ],
)
def test_a_dispatch_is_active_from_its_start_until_before_its_end(
    now: datetime, expected: Status
) -> None:
    assert status(dispatch(start=NOON, end=at(60)), now) is expected


@pytest.mark.parametrize("now", [NOON, at(60), FOREVER])
def test_a_dispatch_without_end_goes_on(now: datetime) -> None:
    assert status(dispatch(end=None), now) is Status.ACTIVE


@pytest.mark.parametrize("end", [NOON, at(-10)])
@pytest.mark.parametrize("now", [at(-60), at(-5), NOON, at(5)])
def test_an_end_at_or_before_the_start_is_over_at_once(
    end: datetime, now: datetime
) -> None:
    assert status(dispatch(start=NOON, end=end), now) is Status.ENDED


@pytest.mark.parametrize("end", [None, at(60), at(-10)])
@pytest.mark.parametrize("now", [at(-60), at(30), at(90)])
@pytest.mark.parametrize(
    "call_off",
    [
        {"authorized": False},
        {"withdrawn": True},
        {"authorized": False, "withdrawn": True},
    ],
)
def test_what_is_not_authorized_or_withdrawn_is_cancelled_whenever(
    end: datetime | None, now: datetime, call_off: dict[str, bool]
) -> None:
    cancelled = dispatch(
        end=end,
        authorized=call_off.get("authorized", True),
        withdrawn=call_off.get("withdrawn", False),
    )
    assert status(cancelled, now) is Status.CANCELLED


def test_over_means_ended_or_cancelled() -> None:
    assert [each for each in Status if each.over] == [Status.ENDED, Status.CANCELLED]


@given(versions("d1"), instants, instants)
def test_status_never_goes_back_in_time(
    version: Dispatch, one: datetime, other: datetime
) -> None:
    course = list(Status)
    earlier, later = (status(version, now) for now in sorted([one, other]))
    assert course.index(earlier) <= course.index(later)


# Phase


def test_a_site_goes_through_its_phases() -> None:
    assert phases(
        dispatch(), minutes=[-6, -5, -0.1, 0, 59.9, 60], policy=FIVE_MINUTES_AHEAD
    ) == [
        Phase.SCHEDULED,
        Phase.PREPARING,
        Phase.PREPARING,
        Phase.ACTIVE,
        Phase.ACTIVE,
        Phase.IDLE,
    ]


def test_without_lead_time_nothing_is_prepared() -> None:
    assert phases(dispatch(), minutes=[-1, 0]) == [Phase.SCHEDULED, Phase.ACTIVE]


def test_only_preparing_and_active_curtail() -> None:
    assert [each for each in Phase if Curtailment(phase=each).curtail] == [
        Phase.PREPARING,
        Phase.ACTIVE,
    ]


def test_a_site_that_nothing_calls_on_is_idle() -> None:
    assert asked() == IDLE
    assert asked(dispatch(sites={"s2": 1.0})) == IDLE
    assert asked(site_id=None) == IDLE
    assert Curtailment(Phase.IDLE, 0, None, None, {}, test=False) == IDLE


def test_while_one_is_active_the_next_ones_lead_time_does_not_show() -> None:
    calls = (dispatch("d1", NOON, at(30)), dispatch("d2", at(32), at(60)))
    assert phases(*calls, minutes=[29, 30, 31, 32], policy=FIVE_MINUTES_AHEAD) == [
        Phase.ACTIVE,
        Phase.PREPARING,
        Phase.PREPARING,
        Phase.ACTIVE,
    ]


# Windows that meet


@pytest.mark.parametrize(
    ("second_start", "holds_between"),
    [
        pytest.param(at(20), True, id="overlapping"),
        pytest.param(at(30), True, id="back to back"),
        pytest.param(at(30) + MICROSECOND, True, id="a microsecond between"),
        pytest.param(at(30) + SECOND - MICROSECOND, True, id="almost a second between"),
        pytest.param(at(30) + SECOND, False, id="a second between"),
        pytest.param(at(31), False, id="a minute between"),
    ],
)
def test_between_windows_less_than_a_second_apart_nothing_is_released(
    second_start: datetime, holds_between: bool
) -> None:
    calls = (dispatch("d1", NOON, at(30)), dispatch("d2", second_start, at(60)))
    assert asked(*calls, now=at(20)).end == (at(60) if holds_between else at(30))
    middle = at(30) + (second_start - at(30)) / 2
    for now in (at(30), max(at(30), middle), max(at(30), second_start - MICROSECOND)):
        assert asked(*calls, now=now).curtail is holds_between
    assert asked(*calls, now=max(at(30), second_start)).curtail


def test_between_windows_that_touch_the_next_one_is_already_held() -> None:
    calls = (
        dispatch("d1", NOON, at(30), {"s1": 100.0}),
        dispatch("d2", at(30) + SECOND / 2, at(60), {"s1": 40.0}),
    )
    between = asked(*calls, now=at(30))
    assert between.by_dispatch == {"d2": 40.0}
    assert between.commitment == 40
    assert between.end == at(60)


def test_a_second_after_the_last_window_nothing_is_left_of_it() -> None:
    known = snapshot(dispatch("d1", NOON, at(30)))
    for now in (at(30), at(30) + SECOND / 2, at(30) + SECOND):
        assert not look(known, PLAIN, now).curtailments


def test_windows_touch_one_after_the_other() -> None:
    half = timedelta(milliseconds=500)
    calls = [
        dispatch(f"d{index}", at(10 * index), at(10 * index + 10) - half)
        for index in range(5)
    ]
    assert asked(*reversed(calls), now=NOON).end == at(50) - half


def test_a_long_window_bridges_what_a_short_one_within_it_does_not() -> None:
    calls = (
        dispatch("d1", NOON, at(60)),
        dispatch("d2", at(5), at(10)),
        dispatch("d3", at(60) + SECOND / 2, at(90)),
    )
    assert asked(*calls, now=at(1)).end == at(90)
    assert asked(*calls, now=at(60)).curtail


def test_windows_of_different_sites_do_not_touch() -> None:
    calls = (
        dispatch("d1", NOON, at(30), {"s1": 1.0}),
        dispatch("d2", at(30) + SECOND / 2, at(60), {"s2": 1.0}),
    )
    assert asked(*calls, now=at(20)).end == at(30)
    assert not asked(*calls, now=at(30), site_id="s2").curtail


def test_a_lead_time_reaches_into_the_dispatch_before() -> None:
    calls = (dispatch("d1", NOON, at(30)), dispatch("d2", at(34), at(60)))
    assert asked(*calls, now=at(10), policy=FIVE_MINUTES_AHEAD).end == at(60)
    assert asked(*calls, now=at(10)).end == at(30)


@pytest.mark.parametrize(
    "bridge",
    [
        pytest.param(dispatch("d2", at(30), at(40), test=True), id="a test"),
        pytest.param(dispatch("d2", at(30), at(40), authorized=False), id="cancelled"),
        pytest.param(dispatch("d2", at(30), at(40), withdrawn=True), id="withdrawn"),
        pytest.param(dispatch("d2", at(30), at(40), {"s2": 1.0}), id="another site"),
        pytest.param(dispatch("d2", at(40), at(30)), id="an empty window"),
    ],
)
def test_what_does_not_call_for_curtailment_bridges_nothing(bridge: Dispatch) -> None:
    calls = (dispatch("d1", NOON, at(30)), bridge, dispatch("d3", at(40), at(60)))
    assert asked(*calls, now=at(20)).end == at(30)
    assert phases(*calls, minutes=[29, 30, 35, 40]) == [
        Phase.ACTIVE,
        Phase.SCHEDULED,
        Phase.SCHEDULED,
        Phase.ACTIVE,
    ]


@pytest.mark.parametrize(
    "call_off",
    [
        dispatch("d1", NOON, at(30), authorized=False),
        dispatch("d1", NOON, at(30), withdrawn=True),
    ],
)
def test_what_was_called_off_does_not_hold_until_a_window_half_a_second_later(
    call_off: Dispatch,
) -> None:
    following = dispatch("d2", at(30) + SECOND / 2, at(60))
    assert not asked(call_off, following, now=at(30)).curtail


# Policy


@pytest.mark.parametrize(
    ("test", "act_on_tests", "ignored", "lets_through"),
    [
        (False, False, set(), True),
        (False, True, set(), True),
        (True, False, set(), False),
        (True, True, set(), True),
        (False, False, {"s1"}, True),
        (False, False, {"s1", "s2"}, False),
        (True, True, {"s1", "s2"}, False),
        (False, False, {"s3"}, True),
    ],
)
def test_the_policy_lets_through_what_is_no_test_and_names_a_site_that_is_not_ignored(
    test: bool, act_on_tests: bool, ignored: set[str], lets_through: bool
) -> None:
    policy = Policy(
        act_on_test_dispatches=act_on_tests, ignored_sites=frozenset(ignored)
    )
    call = dispatch(test=test, sites={"s1": 1.0, "s2": None})
    assert policy.lets_through(call) is lets_through
    assert policy.lets_through(replace(call, authorized=False)) is lets_through


def test_an_ignored_site_is_idle_and_counts_for_nothing() -> None:
    policy = Policy(ignored_sites=frozenset({"s1"}))
    call = dispatch(sites={"s1": None, "s2": 40.0})
    assert asked(call, policy=policy) == IDLE
    assert asked(call, policy=policy, site_id="s2").commitment == 40
    account = asked(call, policy=policy, site_id=None)
    assert account.commitment == 40
    assert account.by_dispatch == {"d1": 40}


@pytest.mark.parametrize(
    ("tests", "is_test"),
    [((True, True), True), ((True, False), False), ((False, False), False)],
)
def test_a_curtailment_is_a_test_if_all_that_hold_are(
    tests: tuple[bool, bool], is_test: bool
) -> None:
    policy = Policy(act_on_test_dispatches=True)
    calls = [dispatch(f"d{index}", test=test) for index, test in enumerate(tests)]
    assert asked(*calls, policy=policy).test is is_test
    assert asked(*calls, policy=policy, site_id=None).test is is_test


def test_a_test_that_is_still_to_come_makes_no_test_of_now() -> None:
    policy = Policy(act_on_test_dispatches=True)
    assert not asked(dispatch(test=True), policy=policy, now=at(-1)).test


# Commitment


@pytest.mark.parametrize(
    ("amounts", "commitment"),
    [
        ([40.0], 40.0),
        ([40.0, 100.0], 100.0),
        ([100.0, 40.0], 100.0),
        ([0.0], 0.0),
        ([0.0, 5.3], 5.3),
        ([None], None),
        ([None, 100.0], None),
        ([100.0, None], None),
        ([0.0, None], None),
    ],
)
def test_the_commitment_is_the_largest_unless_one_states_no_amount(
    amounts: Sequence[float | None], commitment: float | None
) -> None:
    calls = [
        dispatch(f"d{index}", sites={"s1": amount})
        for index, amount in enumerate(amounts)
    ]
    curtailment = asked(*calls)
    assert curtailment.commitment == commitment
    assert curtailment.by_dispatch == {
        f"d{index}": amount for index, amount in enumerate(amounts)
    }
    assert curtailment.phase is Phase.ACTIVE


def test_only_what_holds_now_counts_for_the_commitment() -> None:
    calls = (
        dispatch("d1", at(-60), at(10), {"s1": None}),
        dispatch("d2", NOON, at(60), {"s1": 40.0}),
        dispatch("d3", at(35), at(60), {"s1": 100.0}),
        dispatch("d4", at(36), at(60), {"s1": None}),
    )
    assert asked(*calls, now=at(5), policy=FIVE_MINUTES_AHEAD).commitment is None
    assert asked(*calls, now=at(29), policy=FIVE_MINUTES_AHEAD).commitment == 40
    assert asked(*calls, now=at(30), policy=FIVE_MINUTES_AHEAD).commitment == 100
    assert asked(*calls, now=at(31), policy=FIVE_MINUTES_AHEAD).commitment is None


def test_nothing_is_committed_while_nothing_holds() -> None:
    idle = asked(dispatch(sites={"s1": None}), now=at(-1))
    assert idle.commitment == 0
    assert idle.by_dispatch == {}


# Start and end


def test_the_next_start_is_the_earliest_after_now() -> None:
    calls = (
        dispatch("d1", NOON, at(60)),
        dispatch("d2", at(90), at(120)),
        dispatch("d3", at(40), at(50)),
    )
    assert [asked(*calls, now=at(n)).next_start for n in (-1, 0, 39, 40, 90)] == [
        NOON,
        at(40),
        at(40),
        at(90),
        None,
    ]


def test_inside_the_lead_time_the_start_is_still_to_come() -> None:
    assert asked(dispatch(), now=at(-2), policy=FIVE_MINUTES_AHEAD).next_start == NOON


@pytest.mark.parametrize(
    ("calls", "end"),
    [
        pytest.param([dispatch(end=at(60))], at(60), id="its own"),
        pytest.param([dispatch(end=None)], None, id="open"),
        pytest.param(
            [dispatch("d1", end=at(60)), dispatch("d2", at(50), None)],
            None,
            id="open in the end",
        ),
        pytest.param(
            [dispatch("d1", end=at(60)), dispatch("d2", at(61), None)],
            at(60),
            id="open later",
        ),
        pytest.param(
            [
                dispatch("d1", end=at(40)),
                dispatch("d2", at(35), at(50)),
                dispatch("d3", at(50), at(70)),
            ],
            at(70),
            id="merged",
        ),
        pytest.param(
            [dispatch("d1", end=at(90)), dispatch("d2", at(35), at(50))],
            at(90),
            id="of the longer one",
        ),
        pytest.param([dispatch("d1", at(31), at(60))], None, id="not begun"),
    ],
)
def test_a_curtailment_ends_with_the_merged_window(
    calls: list[Dispatch], end: datetime | None
) -> None:
    assert asked(*calls, now=at(30)).end == end
    assert asked(*calls, now=at(30), site_id=None).end == end


# The account


def account(s1: Amounts, s2: Amounts) -> Curtailment:
    """Return what is asked of the account by dispatches with these amounts per site."""
    calls = {
        dispatch_id: {
            site_id: amounts[dispatch_id]
            for site_id, amounts in (("s1", s1), ("s2", s2))
            if dispatch_id in amounts
        }
        for dispatch_id in {**s1, **s2}
    }
    return asked(
        *(dispatch(i, sites=sites) for i, sites in calls.items()), site_id=None
    )


@pytest.mark.parametrize(
    ("s1", "s2", "commitment", "by_dispatch"),
    [
        ({"d1": 40.0}, {"d1": 2.5}, 42.5, {"d1": 42.5}),
        ({"d1": 40.0, "d2": 100.0}, {"d1": 2.5}, 102.5, {"d1": 42.5, "d2": 100.0}),
        ({"d1": 40.0}, {"d2": None}, None, {"d1": 40.0, "d2": None}),
        ({"d1": None}, {"d1": 2.5}, None, {"d1": None}),
        ({"d1": 0.0}, {"d1": 0.0}, 0.0, {"d1": 0.0}),
    ],
)
def test_the_account_adds_up_its_sites_unless_one_is_unknown(
    s1: Amounts,
    s2: Amounts,
    commitment: float | None,
    by_dispatch: dict[str, float | None],
) -> None:
    curtailment = account(s1, s2)
    assert curtailment.commitment == commitment
    assert curtailment.by_dispatch == by_dispatch


def test_a_site_that_is_not_curtailing_adds_nothing() -> None:
    calls = (
        dispatch("d1", sites={"s1": 40.0}),
        dispatch("d2", at(90), at(120), {"s2": None}),
    )
    assert asked(*calls, site_id=None).commitment == 40


def test_the_account_is_the_union_of_its_sites() -> None:
    calls = (
        dispatch("d1", NOON, at(30), {"s1": 1.0}),
        dispatch("d2", at(25), at(50), {"s2": 1.0}),
        dispatch("d3", at(80), at(90), {"s1": 1.0}),
    )
    seen = [asked(*calls, now=at(n), site_id=None) for n in (-1, 0, 30, 50, 80, 90)]
    assert [(each.phase, each.next_start, each.end) for each in seen] == [
        (Phase.SCHEDULED, NOON, None),
        (Phase.ACTIVE, at(25), at(50)),
        (Phase.ACTIVE, at(80), at(50)),
        (Phase.SCHEDULED, at(80), None),
        (Phase.ACTIVE, None, at(90)),
        (Phase.IDLE, None, None),
    ]


def test_the_account_is_active_while_a_site_is_and_another_prepares() -> None:
    calls = (
        dispatch("d1", NOON, at(60), {"s1": 1.0}),
        dispatch("d2", at(33), at(50), {"s2": 1.0}),
    )
    assert (
        asked(*calls, policy=FIVE_MINUTES_AHEAD, site_id="s2").phase is Phase.PREPARING
    )
    assert asked(*calls, policy=FIVE_MINUTES_AHEAD, site_id=None).phase is Phase.ACTIVE


# Open-ended and out of touch


def known_since(contact: datetime, *dispatches: Dispatch) -> Snapshot:
    """Return what was last heard of at `contact`."""
    return snapshot(*dispatches, at=contact)


@pytest.mark.parametrize(
    ("start", "contact", "expiry"),
    [
        pytest.param(NOON, at(-60), at(240), id="contact before the start"),
        pytest.param(NOON, at(30), at(270), id="contact after the start"),
        pytest.param(at(24 * 60), NOON, at(28 * 60), id="day-ahead"),
    ],
)
def test_an_open_end_is_believed_until_a_while_after_start_or_contact(
    start: datetime, contact: datetime, expiry: datetime
) -> None:
    call = dispatch(start=start, end=None)
    known = known_since(contact, call)
    assert hold_expiry(known, call, PLAIN) == expiry
    before = look(known, PLAIN, expiry - MICROSECOND)
    assert before.curtailment("s1").phase is Phase.ACTIVE
    assert not before.released
    assert before.until == expiry
    after = look(known, PLAIN, expiry)
    assert after.curtailment("s1") == IDLE
    assert after.released == {"d1"}
    assert after.until is None
    assert status(call, expiry) is Status.ACTIVE


def test_an_open_end_that_starts_tomorrow_is_not_released_before() -> None:
    known = known_since(NOON, dispatch(start=at(24 * 60), end=None))
    seen = look(known, PLAIN, at(23 * 60))
    assert seen.curtailment("s1").phase is Phase.SCHEDULED
    assert not seen.released


def test_the_own_trace_of_a_dispatch_decides_about_its_end() -> None:
    call = dispatch(end=None)
    known = replace(known_since(at(200), call), traces={"d1": Trace(1, NOON)})
    assert hold_expiry(known, call, PLAIN) == at(240)


def test_with_the_next_contact_the_truth_holds_again() -> None:
    call = dispatch(end=None)
    assert look(known_since(NOON, call), PLAIN, at(300)).released == {"d1"}
    assert look(known_since(at(300), call), PLAIN, at(300)).curtailment("s1").curtail


def test_a_known_end_is_held_however_long_there_is_no_contact() -> None:
    call = dispatch(end=at(24 * 60))
    seen = look(known_since(at(-600), call), PLAIN, at(24 * 60) - MICROSECOND)
    assert seen.curtailment("s1").curtail
    assert not seen.released


def test_a_released_dispatch_bridges_nothing_and_counts_for_nothing() -> None:
    calls = (
        dispatch("d1", NOON, None, {"s1": None}),
        dispatch("d2", at(230), at(250), {"s1": 40.0}),
        dispatch("d3", at(251), at(260), {"s1": 40.0}),
    )
    seen = look(known_since(NOON, *calls), PLAIN, at(245)).curtailment("s1")
    assert seen.commitment == 40
    assert seen.end == at(250)


def test_no_lead_time_is_prepared_that_a_hold_does_not_outlive() -> None:
    policy = Policy(lead_time=timedelta(hours=2), offline_hold=timedelta(hours=1))
    call = dispatch(start=NOON, end=None)
    seen = look(known_since(at(-600), call), policy, at(-1)).curtailment("s1")
    assert seen.phase is Phase.PREPARING


def test_a_look_tells_whether_any_open_end_is_to_be_believed() -> None:
    seen = [
        look(known_since(NOON, call), PLAIN, at(300)).open_ended
        for call in (
            dispatch(end=None),
            dispatch(start=at(600), end=None),
            dispatch(end=None, authorized=False),
            dispatch(end=at(600)),
        )
    ]
    assert seen == [True, True, False, False]


def test_a_start_at_the_end_of_the_calendar_is_held_to_it() -> None:
    start = FOREVER - timedelta(hours=1)
    call = dispatch(start=start, end=None)
    known = known_since(NOON, call)
    assert hold_expiry(known, call, PLAIN) == FOREVER
    assert look(known, PLAIN, NOON).curtailment("s1").next_start == start


def test_an_end_within_a_second_of_the_end_of_the_calendar_is_one() -> None:
    calls = (
        dispatch("d1", NOON, FOREVER - MICROSECOND),
        dispatch("d2", FOREVER - timedelta(hours=1), None),
    )
    assert asked(*calls).end is None


# When to look again


def test_every_boundary_is_a_time_to_look_again() -> None:
    calls = (
        dispatch("d1", at(10), at(30)),
        dispatch("d2", at(32), at(50), test=True),
        dispatch("d3", at(60), None, {"s2": 1.0}),
        dispatch("d4", at(70), at(65)),
        dispatch("d5", at(1), at(2), authorized=False),
    )
    known = known_since(NOON, *calls)
    policy = Policy(
        lead_time=timedelta(minutes=5),
        offline_hold=timedelta(minutes=30),
        ignored_sites=frozenset({"s2"}),
    )
    boundaries = []
    seen = look(known, policy, NOON)
    while seen.until:
        boundaries.append(seen.until)
        seen = look(known, policy, seen.until)
    assert boundaries == [at(n) for n in (5, 10, 27, 30, 32, 50, 55, 60, 90)]


def test_with_nothing_to_come_there_is_nothing_to_look_for() -> None:
    assert look(Snapshot(), PLAIN, NOON).until is None
    assert look(known_since(NOON, dispatch()), PLAIN, at(60)).until is None


def test_two_looks_are_equal_if_they_show_the_same() -> None:
    one, other = (look(known_since(NOON, dispatch()), PLAIN, at(n)) for n in (10, 20))
    assert one == other
    assert (one.at, one.until) == (at(10), at(60))
    assert one != look(known_since(NOON, dispatch()), PLAIN, at(60))
    assert one != look(known_since(NOON, dispatch()), FIVE_MINUTES_AHEAD, at(10))


# Any dispatches


def holds_naively(known: Snapshot, policy: Policy, site_id: str, now: datetime) -> bool:
    """Whether any window holds, or two of them leave a pause of less than a second."""
    windows = []
    for call in known.dispatches.values():
        end = call.end_time or max(call.start_time, NOON) + policy.offline_hold
        if (
            call.authorized
            and call.start_time < end
            and (policy.act_on_test_dispatches or not call.test)
            and site_id not in policy.ignored_sites
            and any(site.id == site_id for site in call.sites)
        ):
            begin = call.start_time - policy.lead_time
            windows.append((begin, end, call.end_time is not None))
    return any(begin <= now < end for begin, end, _ in windows) or any(
        end <= now < begin < end + SECOND
        for _, end, is_stated in windows
        for begin, _, _ in windows
        if is_stated
    )


@given(crowded_snapshots, hurried_policies)
def test_a_site_curtails_whenever_any_window_holds(
    known: Snapshot, policy: Policy
) -> None:
    for half_seconds in range(-8, 34):
        now = NOON + timedelta(seconds=half_seconds / 2)
        seen = look(known, policy, now)
        naive = {site: holds_naively(known, policy, site, now) for site in SITES}
        assert {site: seen.curtailment(site).curtail for site in SITES} == naive
        assert seen.curtailment(None).curtail is any(naive.values())


@given(snapshots, policies)
def test_between_two_boundaries_everything_stays_as_it_is(
    known: Snapshot, policy: Policy
) -> None:
    seen = look(known, policy, at(-10))
    while seen.until:
        assert seen.at < seen.until
        middle = seen.at + (seen.until - seen.at) / 2
        for between in (middle, seen.until - MICROSECOND):
            assert look(known, policy, between) == seen
        seen = look(known, policy, seen.until)


@given(snapshots, policies, instants)
def test_an_end_that_is_told_is_the_next_release(
    known: Snapshot, policy: Policy, now: datetime
) -> None:
    for site_id in (*SITES, None):
        curtailment = look(known, policy, now).curtailment(site_id)
        if (end := curtailment.end) is None:
            continue
        boundary: datetime | None = now
        while boundary and boundary < end:
            seen = look(known, policy, boundary)
            assert seen.curtailment(site_id).curtail
            boundary = seen.until
        assert not look(known, policy, end).curtailment(site_id).curtail


@given(snapshots, policies, instants)
def test_the_commitment_is_zero_unless_curtailing(
    known: Snapshot, policy: Policy, now: datetime
) -> None:
    for curtailment in look(known, policy, now).curtailments.values():
        assert bool(curtailment.by_dispatch) is curtailment.curtail
        if not curtailment.curtail:
            assert curtailment.commitment == 0
            assert curtailment.end is None


@given(st.data())
def test_the_order_in_which_dispatches_are_known_does_not_count(
    data: st.DataObject,
) -> None:
    known, policy = data.draw(snapshots), data.draw(policies)
    now = data.draw(instants)
    shuffled = snapshot(*data.draw(st.permutations(list(known.dispatches.values()))))
    assert look(shuffled, policy, now) == look(known, policy, now)
