"""What a dispatch has brought: by hand, and where not all is known."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st
import pytest

from custom_components.voltus.metering.baseline import (
    SLOTS,
    Baseline,
    DispatchTimes,
    FirmLevel,
    Fixed,
    XOfY,
    baseline,
)
from custom_components.voltus.metering.load import LoadInterval
from custom_components.voltus.metering.performance import (
    Interval,
    Performance,
    behind,
    performance,
    target_load,
)

from .builders import FRIDAY, LOS_ANGELES, local, times

TIMES = times("16:00", "18:00")
FIXED = baseline(Fixed(300), {}, TIMES, LOS_ANGELES)
FIRM = baseline(FirmLevel(190), {}, TIMES, LOS_ANGELES)


def at(minutes: float) -> datetime:
    """Return an instant by the minutes after the start of the dispatch."""
    return TIMES.start + timedelta(minutes=minutes)


def load(*stretches: tuple[float, float, float]) -> list[LoadInterval]:
    """Return loads by their first minute, the minute after their last, and kW."""
    return [LoadInterval(at(start), at(end), kw) for start, end, kw in stretches]


def result(
    *stretches: tuple[float, float, float],
    reference: Baseline = FIXED,
    commitment: float | None = 110,
    when: DispatchTimes = TIMES,
    until: float = 150,
) -> Performance:
    return performance(reference, commitment, load(*stretches), when, at(until))


# By hand


def test_a_dispatch_of_two_hours_by_hand() -> None:
    # 300 kW of baseline. 4 min at 250 kW, 116 min at 180 kW: the mean of the reduction is
    # (4 x 50 + 116 x 120) / 120 = 117.67 kW, 106.97 % of 110 kW, 235.33 kWh in 2 h.
    done = result((-30, 0, 310), (0, 4, 250), (4, 120, 180), (120, 150, 320))
    assert done.reduction == pytest.approx(14120 / 120)
    assert done.percent == pytest.approx(100 * 14120 / 120 / 110)
    assert done.energy == pytest.approx(14120 / 60)
    assert done.full_drop == timedelta(minutes=4)
    assert (done.reached_target, done.covered, done.complete) == (True, 1, True)
    assert len(done.intervals) == 8
    first = done.intervals[0]
    assert first == done.worst
    assert first.load == pytest.approx((4 * 250 + 11 * 180) / 15)
    assert first.reduction == pytest.approx((4 * 50 + 11 * 120) / 15)
    assert first.margin == pytest.approx((4 * -60 + 11 * 10) / 15)
    assert (first.baseline, first.target) == pytest.approx((300, 190))


def test_the_baseline_of_each_quarter_hour_counts_for_its_time() -> None:
    # From 16:10 to 16:40: 5 min at 100 kW, 15 at 200, 10 at 300, less a load of 50.
    kw = dict(zip(SLOTS[64:67], (100.0, 200.0, 300.0), strict=True))
    reference = Baseline(XOfY(1, 1), LOS_ANGELES, kw)
    when = times("16:10", "16:40")
    done = performance(reference, 100, load((10, 40, 50)), when, at(999))
    assert done.reduction == pytest.approx((5 * 50 + 15 * 150 + 10 * 250) / 30)
    assert [(each.start, each.end) for each in done.intervals] == [
        (at(10), at(25)),
        (at(25), at(40)),
    ]
    assert done.intervals[0].baseline == pytest.approx((5 * 100 + 10 * 200) / 15)
    assert done.intervals[1].target == pytest.approx((5 * 100 + 10 * 200) / 15)
    assert done.full_drop == timedelta(minutes=5)


@pytest.mark.parametrize(
    ("kw", "percent", "reduction"),
    [(190, 100, 110), (245, 50, 55), (300, 0, 0), (355, -50, -55), (-30, 300, 330)],
)
def test_what_was_done_is_neither_cut_at_nothing_nor_at_all(
    kw: float, percent: float, reduction: float
) -> None:
    done = result((0, 120, kw))
    assert done.percent == pytest.approx(percent)
    assert done.reduction == pytest.approx(reduction)
    assert done.energy == pytest.approx(2 * reduction)


@pytest.mark.parametrize(
    ("stretches", "reached", "full_drop"),
    [
        ([(0, 120, 190)], True, 0),
        ([(0, 120, 190.1)], False, None),
        ([(-15, 120, 100)], True, 0),  # shed early
        ([(0, 7, 250), (7, 8, 190), (8, 120, 250)], True, 7),  # reached is reached
        ([(0, 30, 250), (30, 120, 100)], True, 30),
        ([(0, 7, 250), (7.5, 120, 190)], True, 7.5),  # half a minute is missing
        ([(0, 5, 250), (7, 120, 190)], True, None),  # two of seven: was it earlier?
        ([(5, 120, 190)], True, None),
        ([(0, 60, 250)], None, None),
        ([], None, None),
        ([(120, 150, 0)], None, None),  # too late
    ],
)
def test_the_full_drop_is_when_the_target_is_first_reached(
    stretches: list[tuple[float, float, float]],
    reached: bool | None,
    full_drop: float | None,
) -> None:
    done = result(*stretches)
    assert done.reached_target is reached
    assert done.full_drop == (
        None if full_drop is None else timedelta(minutes=full_drop)
    )


def test_the_worst_interval_is_the_first_that_fell_short_most() -> None:
    done = result((0, 15, 200), (15, 45, 220), (45, 120, 100))
    assert done.worst == Interval(at(15), at(30), 220, 300, 190)
    assert (
        result((0, 20, 100), (20, 21, 1000), (21, 120, 100)).worst
        == (result((0, 20, 100), (20, 21, 1000), (21, 120, 100)).intervals[1])
    )


def test_without_a_target_the_worst_interval_is_that_of_the_least_reduction() -> None:
    done = result((0, 90, 100), (90, 105, 200), (105, 120, 0), commitment=None)
    assert done.worst == Interval(at(90), at(105), 200, 300, None)


# What is not known


def test_without_a_commitment_there_is_a_reduction_but_nothing_to_hold_it_against() -> (
    None
):
    done = result((0, 120, 100), commitment=None)
    assert (done.reduction, done.energy) == (200, 400)
    assert (done.percent, done.reached_target, done.full_drop) == (None, None, None)
    assert done.complete


def test_of_a_commitment_of_nothing_there_is_no_share() -> None:
    done = result((0, 120, 100), commitment=0)
    assert (done.percent, done.reduction) == (None, 200)
    assert done.full_drop == timedelta(0)


def test_with_the_meter_away_for_the_middle_third_nothing_is_said_of_the_whole() -> (
    None
):
    done = result((0, 40, 100), (80, 120, 100))
    assert (done.reduction, done.percent, done.energy) == (None, None, None)
    assert done.covered == pytest.approx(2 / 3)
    assert not done.complete
    assert [each.load for each in done.intervals] == [
        *(100, 100, None, None, None, None, 100, 100)
    ]
    assert done.worst == done.intervals[0]
    assert done.full_drop == timedelta(0)


@pytest.mark.parametrize(
    ("minutes", "reduction", "energy"), [(108, 200, 360), (107, None, None)]
)
def test_nine_tenths_of_the_time_are_enough_and_no_more_than_they_is_counted(
    minutes: float, reduction: float | None, energy: float | None
) -> None:
    done = result((0, minutes, 100))
    assert done.reduction == reduction
    assert done.energy == (None if energy is None else pytest.approx(energy))
    assert done.complete is (reduction is not None)


def test_nothing_is_known_without_any_load() -> None:
    done = result()
    assert done == Performance(
        intervals=tuple(
            Interval(at(minute), at(minute + 15), None, None, None)
            for minute in range(0, 120, 15)
        )
    )
    assert done.worst is None


def test_a_load_that_is_no_number_is_not_known() -> None:
    assert result((0, 120, float("nan"))) == result()


def test_without_a_baseline_there_is_a_load_and_no_more() -> None:
    nothing = Baseline(XOfY(1, 1), LOS_ANGELES, {}, complete=False)
    done = result((0, 120, 100), reference=nothing)
    assert (done.covered, done.reduction, done.percent) == (0, None, None)
    assert (done.reached_target, done.worst, done.complete) == (None, None, False)
    assert done.intervals[0] == Interval(at(0), at(15), 100, None, None)


def test_of_a_baseline_that_is_not_complete_nothing_is() -> None:
    done = result((0, 120, 100), reference=replace(FIXED, complete=False))
    assert (done.reduction, done.complete) == (200, False)


# Firm level


def test_a_firm_level_is_reached_by_the_load_alone() -> None:
    done = result((0, 10, 250), (10, 120, 150), reference=FIRM, commitment=None)
    assert (done.reduction, done.percent, done.energy) == (None, None, None)
    assert (done.covered, done.complete) == (1, True)
    assert done.full_drop == timedelta(minutes=10)
    assert done.worst == done.intervals[0]
    assert done.worst.margin == pytest.approx(190 - (10 * 250 + 5 * 150) / 15)


@pytest.mark.parametrize(
    ("reference", "commitment", "expected"),
    [
        (FIXED, 110, 190),
        (FIXED, 0, 300),
        (FIXED, 400, -100),
        (FIXED, None, None),
        (FIRM, 110, 190),
        (FIRM, None, 190),
        (Baseline(XOfY(1, 1), LOS_ANGELES, {}), 110, None),
    ],
)
def test_the_target_is_the_baseline_less_the_commitment_or_the_firm_level(
    reference: Baseline, commitment: float | None, expected: float | None
) -> None:
    assert target_load(reference, commitment, at(7)) == expected


# While it runs


def test_while_it_runs_only_the_time_until_now_counts() -> None:
    done = result((0, 20, 100), (20, 120, 0), until=20)
    assert (done.reduction, done.covered) == (200, 1)
    assert done.energy == pytest.approx(200 / 3)
    assert [each.end for each in done.intervals] == [at(15), at(20)]


def test_a_dispatch_without_end_goes_on_until_now() -> None:
    endless = times("16:00", None)
    done = result((0, 600, 100), when=endless, until=300)
    assert done.energy == pytest.approx(1000)
    assert len(done.intervals) == 20


@pytest.mark.parametrize("until", [-10, 0])
def test_before_the_start_there_is_nothing(until: float) -> None:
    assert result((-60, 60, 100), until=until) == Performance()


def test_an_empty_window_has_no_result() -> None:
    assert result((-60, 60, 100), when=times("16:00", "16:00")) == Performance()


def test_across_the_change_of_the_clocks_time_is_time() -> None:
    # From 00:30 to 03:30 the clock shows three hours, and four go by.
    autumn = FRIDAY.replace(day=1)
    when = times("00:30", "03:30", day=autumn)
    kw = {slot: 100.0 + slot.hour for slot in SLOTS}
    reference = Baseline(XOfY(1, 1), LOS_ANGELES, kw)
    rows = [LoadInterval(local(autumn, "00:00"), local(autumn, "06:00"), 0)]
    done = performance(reference, 50, rows, when, at(999))
    assert len(done.intervals) == 16
    # Half an hour of 100, two of 101, one of 102, half of 103.
    assert done.energy == pytest.approx(50 + 2 * 101 + 102 + 51.5)


# What is true of all

stretches = st.lists(
    st.tuples(st.integers(1, 25), st.integers(-100, 400) | st.none()), max_size=12
)
commitments = st.none() | st.integers(0, 300)
untils = st.integers(-5, 150)


def rows(lengths: list[tuple[int, int | None]]) -> list[tuple[float, float, float]]:
    """Lay stretches of minutes one after the other; None is a gap."""
    laid: list[tuple[float, float, float]] = []
    minute = -10
    for length, kw in lengths:
        if kw is not None:
            laid.append((minute, minute + length, kw))
        minute += length
    return laid


def the_same(one: Performance, other: Performance) -> bool:
    def flat(each: Performance) -> list[float | None]:
        values = [each.covered, each.reduction, each.percent, each.energy]
        values += [kw for part in each.intervals for kw in (part.load, part.target)]
        return values

    exact = [
        (each.complete, each.reached_target, each.full_drop) for each in (one, other)
    ]
    return exact[0] == exact[1] and flat(one) == [
        kw if kw is None else pytest.approx(kw) for kw in flat(other)
    ]


@given(stretches, commitments, untils)
def test_splitting_a_load_changes_nothing(
    lengths: list[tuple[int, int | None]], commitment: float | None, until: float
) -> None:
    whole = rows(lengths)
    split = [
        (minute, minute + 1, kw)
        for start, end, kw in whole
        for minute in range(int(start), int(end))
    ]
    assert the_same(
        result(*whole, commitment=commitment, until=until),
        result(*split, commitment=commitment, until=until),
    )


@given(stretches, untils, st.randoms(use_true_random=False))
def test_the_order_of_the_loads_never_matters(
    lengths: list[tuple[int, int | None]], until: float, random: Random
) -> None:
    whole = rows(lengths)
    shuffled = random.sample(whole, len(whole))
    assert result(*shuffled, until=until) == result(*whole, until=until)


@given(stretches, commitments, untils, st.integers(-300, 300))
def test_a_load_and_a_baseline_that_are_both_higher_have_the_same_result(
    lengths: list[tuple[int, int | None]],
    commitment: float | None,
    until: float,
    more: int,
) -> None:
    higher = [(start, end, kw + more) for start, end, kw in rows(lengths)]
    raised = baseline(Fixed(300 + more), {}, TIMES, LOS_ANGELES)
    one = result(*rows(lengths), commitment=commitment, until=until)
    other = result(*higher, reference=raised, commitment=commitment, until=until)
    assert (one.covered, one.complete) == (other.covered, other.complete)
    assert one.full_drop == other.full_drop
    assert [one.reduction, one.energy, one.percent] == [
        kw if kw is None else pytest.approx(kw)
        for kw in (other.reduction, other.energy, other.percent)
    ]


@given(stretches, commitments, untils)
def test_a_result_is_what_is_measured_minute_by_minute(
    lengths: list[tuple[int, int | None]], commitment: float | None, until: int
) -> None:
    minutes = {
        minute: kw
        for start, end, kw in rows(lengths)
        for minute in range(int(start), int(end))
        if 0 <= minute < min(until, 120)
    }
    elapsed = max(0, min(until, 120))
    done = result(*rows(lengths), commitment=commitment, until=until)
    assert done.covered == (pytest.approx(len(minutes) / elapsed) if elapsed else 0)
    if not elapsed or len(minutes) < 0.9 * elapsed:
        assert (done.reduction, done.percent, done.energy) == (None, None, None)
        return
    saved = sum(300 - kw for kw in minutes.values())
    assert done.energy == pytest.approx(saved / 60, abs=1e-9)
    assert done.reduction == pytest.approx(saved / len(minutes), abs=1e-9)
    if commitment:
        reached = [minute for minute, kw in minutes.items() if kw <= 300 - commitment]
        assert done.reached_target is bool(reached)


# Behind the target, by the minute


@pytest.mark.parametrize(
    ("kws", "expected"),
    [
        ([], None),
        ([60], False),
        ([62], False),  # 38 of 40 kW are 95 %
        ([62.1], False),  # for one minute only
        ([62.1, 62.1], True),
        ([100, 100, 60], False),
        ([100, 100, 60, 100], False),
        ([100, 60, 100], False),
        ([100, 100, 100], True),
    ],
)
def test_behind_is_two_minutes_with_less_than_is_asked_for(
    kws: list[float], expected: bool | None
) -> None:
    baseline = Baseline(Fixed(100), UTC, dict.fromkeys(SLOTS, 100.0))
    rows = [
        LoadInterval(at(minute), at(minute + 1), kw) for minute, kw in enumerate(kws)
    ]
    assert behind(baseline, 40, rows) is expected
    assert behind(baseline, None, rows) is None


def test_with_a_firm_level_behind_is_above_it() -> None:
    baseline = Baseline(FirmLevel(50), UTC, {})
    for kw, expected in ((52.4, False), (52.6, True)):
        rows = [LoadInterval(at(m), at(m + 1), kw) for m in range(2)]
        assert behind(baseline, None, rows) is expected
