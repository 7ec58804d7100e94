"""What a site would have drawn: by hand for each method, and what is true of all."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
import pytest

from custom_components.voltus.metering.baseline import (
    PRESETS,
    QUARTER_HOUR,
    SLOTS,
    Adjustment,
    AdjustmentType,
    Baseline,
    Before,
    DayType,
    DispatchTimes,
    FirmLevel,
    Fixed,
    MeterBefore,
    RankedBy,
    Select,
    XOfY,
    baseline,
    days_of,
    quarter_hour,
    wall_clock,
)

from .builders import (
    FRIDAY,
    LOS_ANGELES,
    day_of_load,
    history,
    local,
    times,
    weekdays_before,
)

WEEKDAYS = weekdays_before(FRIDAY, 25)
ALL_DAYS = [FRIDAY - timedelta(days=back) for back in range(1, 46)]
ON_THE_DAY = Adjustment(AdjustmentType.ADDITIVE, timedelta(hours=4), timedelta(hours=1))


def at(result: Baseline, clock: str, day: date = FRIDAY) -> float | None:
    return result.at(local(day, clock))


def mornings(kw: float, *, until: str = "23:45") -> dict[datetime, float]:
    """Return a load of the day of the dispatch from midnight on."""
    load = day_of_load(FRIDAY, kw)
    return {each: kw for each in load if each < local(FRIDAY, until)}


# What the markets do, by numbers simple enough for a calculation by head


def test_caiso_takes_the_mean_of_ten_weekdays_and_moves_it_by_a_fifth_at_most() -> None:
    # 100, 110 … 190: 145 kW. From 12:00 to 15:00 the site draws 159.5 kW, 10 % more.
    loads = history(zip(WEEKDAYS, range(100, 350, 10), strict=True))
    result = baseline(
        PRESETS["caiso_10_of_10"], loads | mornings(159.5), times(), LOS_ANGELES
    )
    assert list(result.days) == WEEKDAYS[:10]
    assert result.adjustment == pytest.approx(1.1)
    assert at(result, "16:00") == pytest.approx(159.5)
    assert (result.complete, result.needed) == (True, 10)

    for kw, factor in ((300, 1.2), (20, 0.8), (0, 0.8)):
        result = baseline(
            PRESETS["caiso_10_of_10"], loads | mornings(kw), times(), LOS_ANGELES
        )
        assert result.adjustment == factor
        assert at(result, "16:00") == pytest.approx(145 * factor)


def test_iso_ne_adds_what_was_missing_in_the_quarter_hour_before_the_notice() -> None:
    # The notice comes at 14:37; from 14:15 to 14:30 the site draws 20 kW less than the
    # mean of ten weekdays (145 kW), at all other times it is off.
    loads = history(zip(WEEKDAYS, range(100, 350, 10), strict=True)) | mornings(0)
    loads[local(FRIDAY, "14:15")] = 125
    result = baseline(PRESETS["iso_ne"], loads, times(notice="14:37"), LOS_ANGELES)
    assert result.window == {local(FRIDAY, "14:15"): 125}
    assert result.adjustment == -20
    assert at(result, "17:45") == 125


def test_iso_ne_compares_a_saturday_with_saturdays() -> None:
    saturday = FRIDAY + timedelta(days=1)
    loads = history((day, 7 if day.weekday() == 5 else 99) for day in ALL_DAYS)
    when = times(day=saturday)
    result = baseline(PRESETS["iso_ne"], loads, when, LOS_ANGELES)
    assert {day.weekday() for day in result.days} == {5}
    assert not result.complete
    assert at(result, "16:00") == 7


def test_pjm_leaves_out_the_lowest_of_five_weekdays_in_the_hours_of_the_dispatch() -> (
    None
):
    # In these hours 100, 120, 60, 140 and 160 kW: without the 60, 130 kW. The day of 60
    # is the highest of all by its night. From 12:00 to 15:00: 15 kW over the mean, 100.
    at_night = (300, 300, 900, 300, 300)
    by_day = (100, 120, 60, 140, 160)

    def load(night: float, day: float) -> dict[time, float]:
        hours = {slot: day if 16 <= slot.hour < 18 else night for slot in SLOTS}
        return hours | {slot: 100.0 for slot in SLOTS if 12 <= slot.hour < 15}

    loads = history(
        (day, load(*kws).__getitem__)
        for day, kws in zip(WEEKDAYS, zip(at_night, by_day, strict=True), strict=False)
    )
    result = baseline(
        PRESETS["pjm_high_4_of_5"], loads | mornings(115), times(), LOS_ANGELES
    )
    assert result.adjustment == pytest.approx(15)
    assert at(result, "16:30") == pytest.approx(145)
    assert result.complete


def test_ercot_leaves_out_the_highest_and_the_lowest_day_of_ten() -> None:
    # 10, 100 and eight of 50 kW; the day between 13:00 and 15:00 at 60 kW: a factor of
    # 1.2, which nothing limits: at 200 kW it is 4.
    kws = (50, 10, 50, 50, 50, 100, 50, 50, 50, 50)
    loads = history(zip(WEEKDAYS, kws, strict=False))
    for kw, factor in ((60, 1.2), (200, 4)):
        result = baseline(
            PRESETS["ercot_mid_8_of_10"], loads | mornings(kw), times(), LOS_ANGELES
        )
        assert result.adjustment == pytest.approx(factor)
        assert at(result, "17:00") == pytest.approx(50 * factor)
    assert min(result.window) == local(FRIDAY, "13:00")
    assert max(result.window) == local(FRIDAY, "14:45")


def test_ercot_ranks_by_the_whole_day() -> None:
    # One day is the lowest in the hours of the dispatch and the highest over the day.
    odd = WEEKDAYS[3]
    loads = history(
        (
            day,
            (lambda clock: 10 if 16 <= clock.hour < 18 else 900) if day == odd else 50,
        )
        for day in WEEKDAYS
    )
    method = replace(PRESETS["ercot_mid_8_of_10"], adjustment=None)
    assert at(baseline(method, loads, times(), LOS_ANGELES), "16:00") == 50


def test_ieso_takes_the_fifteen_highest_of_twenty_for_each_hour() -> None:
    # Ten days draw 100 kW by day and 40 in the evening, ten the other way round: of each
    # hour ten of 100 and five of 40 count, whichever days that are: 80 kW.
    def load(number: int) -> dict[time, float]:
        low = range(12) if number % 2 else range(12, 24)
        return {slot: 40 if slot.hour in low else 100 for slot in SLOTS}

    loads = history(
        (day, load(number).__getitem__) for number, day in enumerate(WEEKDAYS)
    )
    result = baseline(
        PRESETS["ieso_15_of_20"], loads | mornings(88), times(), LOS_ANGELES
    )
    assert result.adjustment == pytest.approx(1.1)
    assert at(result, "16:00") == pytest.approx(88)
    assert at(result, "06:00") == pytest.approx(88)
    assert (result.complete, result.needed, len(result.days)) == (True, 20, 20)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_of_a_steady_load_what_the_load_is(name: str) -> None:
    loads = history((day, 42) for day in ALL_DAYS) | mornings(42)
    result = baseline(PRESETS[name], loads, times(), LOS_ANGELES)
    assert set(result.kw.values()) == {42}
    assert result.complete


# Which days count


@pytest.mark.parametrize(
    ("day_type", "weekday", "expected"),
    [
        (DayType.ALL, 4, {0, 1, 2, 3, 4, 5, 6}),
        (DayType.ALL, 6, {0, 1, 2, 3, 4, 5, 6}),
        (DayType.WEEKDAY_WEEKEND, 0, {0, 1, 2, 3, 4}),
        (DayType.WEEKDAY_WEEKEND, 4, {0, 1, 2, 3, 4}),
        (DayType.WEEKDAY_WEEKEND, 5, {5, 6}),
        (DayType.WEEKDAY_WEEKEND, 6, {5, 6}),
        (DayType.WEEKDAY_SATURDAY_SUNDAY, 2, {0, 1, 2, 3, 4}),
        (DayType.WEEKDAY_SATURDAY_SUNDAY, 5, {5}),
        (DayType.WEEKDAY_SATURDAY_SUNDAY, 6, {6}),
    ],
)
def test_a_day_is_compared_with_days_like_it(
    day_type: DayType, weekday: int, expected: set[int]
) -> None:
    day = FRIDAY + timedelta(days=weekday - 4)
    days = [day - timedelta(days=back) for back in range(1, 60)]
    loads = history((each, 5) for each in days)
    method = XOfY(30, 30, day_type=day_type)
    result = baseline(method, loads, times(day=day), LOS_ANGELES)
    assert {each.weekday() for each in result.days} == expected


def test_days_of_a_curtailment_or_a_drill_are_left_out_and_older_ones_taken() -> None:
    loads = history((day, 5) for day in WEEKDAYS)
    excluded = frozenset(WEEKDAYS[1:3])
    result = baseline(XOfY(3, 3), loads, times(), LOS_ANGELES, excluded)
    assert list(result.days) == [WEEKDAYS[0], *WEEKDAYS[3:5]]
    assert result.complete


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2026-11-27T08:00", "2026-11-27T09:00", {27}),
        ("2026-11-27T00:00", "2026-11-28T00:00", {27}),
        ("2026-11-27T00:00", "2026-11-28T00:00:00.000001", {27, 28}),
        ("2026-11-26T23:59", "2026-11-27T00:01", {26, 27}),
        ("2026-11-26T23:59", "2026-11-29T12:00", {26, 27, 28, 29}),
        ("2026-11-27T00:00", "2026-11-27T00:00", {27}),
        ("2026-11-27T00:00", "2026-11-26T22:00", {27}),
    ],
)
def test_a_curtailment_touches_the_days_of_the_place_it_lies_in(
    start: str, end: str, days: set[int]
) -> None:
    here = [
        datetime.fromisoformat(each).replace(tzinfo=LOS_ANGELES).astimezone(UTC)
        for each in (start, end)
    ]
    assert {day.day for day in days_of(here[0], here[1], LOS_ANGELES)} == days


@pytest.mark.parametrize(("missing", "taken"), [(9, True), (10, False)])
def test_a_day_counts_with_nine_tenths_of_its_data(missing: int, taken: bool) -> None:
    loads = history((day, 5) for day in WEEKDAYS[:2])
    for instant in sorted(day_of_load(WEEKDAYS[0], 5))[:missing]:
        del loads[instant]
    result = baseline(XOfY(1, 1), loads, times(), LOS_ANGELES)
    assert (WEEKDAYS[0] in result.days) is taken
    assert len(result.days) == 1


def test_what_is_no_number_is_not_known() -> None:
    loads = history((day, 5) for day in WEEKDAYS[:2])
    loads |= dict.fromkeys(day_of_load(WEEKDAYS[0], 5), float("nan"))
    result = baseline(XOfY(2, 2), loads, times(), LOS_ANGELES)
    assert list(result.days) == [WEEKDAYS[1]]


def test_forty_five_days_back_is_the_farthest() -> None:
    loads = history((FRIDAY - timedelta(days=back), back) for back in (45, 46))
    method = XOfY(2, 2, day_type=DayType.ALL)
    result = baseline(method, loads, times(), LOS_ANGELES)
    assert list(result.days) == [FRIDAY - timedelta(days=45)]
    assert at(result, "16:00") == 45


def test_the_day_itself_is_none_of_the_days() -> None:
    loads = history([(FRIDAY, 900), (WEEKDAYS[0], 5)])
    assert at(baseline(XOfY(1, 1), loads, times(), LOS_ANGELES), "10:00") == 5


@pytest.mark.parametrize(
    ("select", "found", "expected"),
    [
        (Select.HIGHEST, 5, 45),  # 30, 40, 50, 60 of 20 … 60
        (Select.HIGHEST, 4, 45),  # all of 30 … 60, though one is missing
        (Select.HIGHEST, 2, 55),
        (Select.MIDDLE, 5, 35),  # of 20 … 60 the highest goes: one cannot be halved
        (Select.MIDDLE, 6, 35),  # of 10 … 60 the lowest and the highest
        (Select.MIDDLE, 1, 60),
    ],
)
def test_with_fewer_days_than_wanted_as_many_as_x_still_count(
    select: Select, found: int, expected: float
) -> None:
    loads = history(zip(WEEKDAYS[:found], range(60, 0, -10), strict=False))
    result = baseline(XOfY(4, 6, select), loads, times(), LOS_ANGELES)
    assert at(result, "16:00") == expected
    assert result.complete is (found == 6)
    assert (len(result.days), result.needed) == (found, 6)


def test_without_any_day_nothing_is_known() -> None:
    result = baseline(PRESETS["caiso_10_of_10"], mornings(5), times(), LOS_ANGELES)
    assert at(result, "16:00") is None
    assert (result.complete, result.days, result.needed) == (False, {}, 10)


def test_a_baseline_that_rests_on_half_of_its_days_is_not_complete() -> None:
    loads = history((day, 5) for day in WEEKDAYS[:2])
    for clock in ("16:00", "16:15", "16:30", "16:45"):
        del loads[local(WEEKDAYS[0], clock)]
    assert baseline(XOfY(2, 2), loads, times("10:00", "12:00"), LOS_ANGELES).complete
    result = baseline(XOfY(2, 2), loads, times(), LOS_ANGELES)
    assert not result.complete
    assert at(result, "16:00") == 5


def test_a_dispatch_without_end_is_ranked_by_what_is_left_of_the_day() -> None:
    def evening(kw: float) -> Mapping[time, float]:
        return {slot: kw if slot.hour >= 23 else 10 for slot in SLOTS}

    kws = (100, 50)
    loads = history(
        (day, evening(kw).__getitem__) for day, kw in zip(WEEKDAYS, kws, strict=False)
    )
    loads |= dict.fromkeys(day_of_load(WEEKDAYS[2], 0), 0.0)
    result = baseline(XOfY(1, 3, Select.HIGHEST), loads, times(end=None), LOS_ANGELES)
    assert at(result, "23:00") == 100


def test_a_dispatch_over_midnight_keeps_the_baseline_of_its_first_day() -> None:
    loads = history((day, lambda clock: clock.hour) for day in WEEKDAYS)
    when = DispatchTimes(
        notice=local(FRIDAY, "12:00"),
        start=local(FRIDAY, "22:00"),
        end=local(FRIDAY + timedelta(days=1), "02:00"),
    )
    result = baseline(PRESETS["caiso_10_of_10"], loads, when, LOS_ANGELES)
    assert at(result, "01:00", FRIDAY + timedelta(days=1)) == 1
    assert at(result, "22:00") == 22


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: XOfY(0, 5, Select.HIGHEST),
        lambda: XOfY(6, 5, Select.HIGHEST),
        lambda: XOfY(4, 5),
        lambda: replace(ON_THE_DAY, closes=timedelta(hours=4)),
        lambda: replace(ON_THE_DAY, closes=timedelta(minutes=-1)),
        lambda: replace(ON_THE_DAY, cap=-0.1),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"X|window|cap"):
        wrong()


# The adjustment


@pytest.mark.parametrize(
    ("type", "cap", "usual", "actual", "expected"),
    [
        (AdjustmentType.ADDITIVE, None, 100, 250, 250),
        (AdjustmentType.ADDITIVE, None, 100, -30, -30),
        (AdjustmentType.ADDITIVE, 0.2, 100, 250, 120),
        (AdjustmentType.ADDITIVE, 0.2, 100, 0, 80),
        (AdjustmentType.ADDITIVE, 0.2, -100, 0, -80),
        (AdjustmentType.ADDITIVE, 0.2, -100, -200, -120),
        (AdjustmentType.ADDITIVE, 0.0, 100, 250, 100),
        (AdjustmentType.RATIO, None, 100, 250, 250),
        (AdjustmentType.RATIO, None, 100, 0, 0),
        (AdjustmentType.RATIO, 0.2, 100, 110, 110),
        (AdjustmentType.RATIO, 0.2, 100, 250, 120),
        (AdjustmentType.RATIO, 0.2, 100, 0, 80),
    ],
)
def test_the_load_before_the_dispatch_moves_the_baseline(
    type: AdjustmentType,
    cap: float | None,
    usual: float,
    actual: float,
    expected: float,
) -> None:
    method = XOfY(5, 5, adjustment=replace(ON_THE_DAY, type=type, cap=cap))
    loads = history((day, usual) for day in WEEKDAYS) | mornings(actual)
    result = baseline(method, loads, times(), LOS_ANGELES)
    assert at(result, "16:00") == pytest.approx(expected)
    assert result.complete


@pytest.mark.parametrize(("usual", "actual"), [(0, 10), (-10, -12), (10, -10)])
def test_a_net_load_below_zero_has_no_ratio(usual: float, actual: float) -> None:
    ratio = replace(ON_THE_DAY, type=AdjustmentType.RATIO)
    method = XOfY(5, 5, adjustment=ratio)
    loads = history((day, usual) for day in WEEKDAYS) | mornings(actual)
    result = baseline(method, loads, times(), LOS_ANGELES)
    assert at(result, "16:00") == usual
    assert (result.adjustment, result.complete) == (None, False)
    assert set(result.window.values()) == {actual}


def test_without_the_load_before_the_dispatch_the_baseline_is_not_complete() -> None:
    method = XOfY(5, 5, adjustment=ON_THE_DAY)
    loads = history((day, 100) for day in WEEKDAYS)
    eleven = {local(FRIDAY, "12:15") + number * QUARTER_HOUR for number in range(11)}
    enough = baseline(method, loads | dict.fromkeys(eleven, 90), times(), LOS_ANGELES)
    assert (enough.complete, enough.adjustment) == (True, -10)
    ten = eleven - {local(FRIDAY, "13:00")}
    short = baseline(method, loads | dict.fromkeys(ten, 90), times(), LOS_ANGELES)
    assert (short.complete, short.adjustment) == (False, None)
    assert at(short, "16:00") == 100


def test_a_notice_after_the_start_looks_at_the_load_before_the_start() -> None:
    loads = history((day, 100) for day in WEEKDAYS) | mornings(90, until="16:00")
    when = times(notice="16:20")
    result = baseline(PRESETS["iso_ne"], loads, when, LOS_ANGELES)
    assert set(result.window) == {local(FRIDAY, "15:45")}
    assert result.adjustment == -10


def test_of_a_start_between_two_quarter_hours_the_window_ends_before_the_first() -> (
    None
):
    loads = history((day, 100) for day in WEEKDAYS) | mornings(90)
    adjustment = replace(ON_THE_DAY, opens=QUARTER_HOUR, closes=timedelta(0))
    method = XOfY(5, 5, adjustment=adjustment)
    result = baseline(method, loads, times("16:07"), LOS_ANGELES)
    assert set(result.window) == {local(FRIDAY, "15:45")}


# The other methods


def test_the_meter_before_is_the_last_whole_quarter_hour() -> None:
    loads = mornings(90, until="15:45") | {
        local(FRIDAY, "15:45"): -3.5,
        local(FRIDAY, "16:00"): 20,
    }
    result = baseline(MeterBefore(), loads, times("16:14"), LOS_ANGELES)
    assert set(result.kw.values()) == {-3.5}
    assert result.window == {local(FRIDAY, "15:45"): -3.5}
    assert result.complete


def test_without_the_meter_before_nothing_is_known() -> None:
    loads = mornings(90, until="15:45")
    result = baseline(MeterBefore(), loads, times(), LOS_ANGELES)
    assert at(result, "16:00") is None
    assert not result.complete


def test_a_fixed_baseline_is_what_was_agreed_upon() -> None:
    result = baseline(Fixed(250), {}, times(), LOS_ANGELES)
    assert at(result, "16:00") == 250
    assert result.complete


def test_a_firm_level_has_no_baseline_and_misses_none() -> None:
    result = baseline(FirmLevel(40), {}, times(), LOS_ANGELES)
    assert at(result, "16:00") is None
    assert result.complete


# The clock on the wall

SPRING = date(2026, 3, 8)
AUTUMN = date(2026, 11, 1)


def by_the_clock(clock: time) -> float:
    """Return a load that depends on the clock alone."""
    return clock.hour + clock.minute / 60


@pytest.mark.parametrize("change", [SPRING, AUTUMN])
def test_days_before_and_after_the_clocks_change_meet_by_the_clock(
    change: date,
) -> None:
    day = change + timedelta(days=3)
    days = weekdays_before(day, 10)
    assert min(days) < change < max(days)
    loads = history((each, by_the_clock) for each in days)
    method = replace(PRESETS["caiso_10_of_10"], adjustment=None)
    result = baseline(method, loads, times(day=day), LOS_ANGELES)
    assert at(result, "16:00", day) == 16
    assert at(result, "08:30", day) == 8.5
    assert result.complete


def test_the_hour_that_a_day_skips_has_no_value() -> None:
    monday = SPRING + timedelta(days=1)
    loads = history([(SPRING, by_the_clock), (SPRING - timedelta(days=1), 50)])
    method = XOfY(1, 1, day_type=DayType.ALL)
    result = baseline(method, loads, times(day=monday), LOS_ANGELES)
    assert list(result.days) == [SPRING]
    assert len(result.kw) == 92
    assert at(result, "01:45", monday) == 1.75
    assert at(result, "02:00", monday) is None
    assert at(result, "03:00", monday) == 3

    both = replace(method, x=2, y=2)
    result = baseline(both, loads, times(day=monday), LOS_ANGELES)
    assert at(result, "02:00", monday) == 50
    assert at(result, "03:00", monday) == 26.5


def test_the_hour_that_a_day_has_twice_counts_with_its_mean() -> None:
    monday = AUTUMN + timedelta(days=1)
    loads = history([(AUTUMN, 10)])
    first = local(AUTUMN, "01:00")
    loads |= {first: 20, first + timedelta(hours=1): 40}
    method = XOfY(1, 1, day_type=DayType.ALL)
    result = baseline(method, loads, times(day=monday), LOS_ANGELES)
    assert len(result.kw) == 96
    assert at(result, "01:00", monday) == 30
    assert at(result, "01:15", monday) == 10


def test_on_the_day_of_the_change_both_hours_have_the_baseline_of_the_clock() -> None:
    saturday = AUTUMN - timedelta(days=1)
    loads = history([(saturday, by_the_clock)])
    method = XOfY(1, 1, day_type=DayType.ALL)
    result = baseline(method, loads, times(day=AUTUMN), LOS_ANGELES)
    first = local(AUTUMN, "01:30")
    assert result.at(first) == result.at(first + timedelta(hours=1)) == 1.5
    assert result.at(first + timedelta(hours=1.5)) == 2


@pytest.mark.parametrize(
    ("day", "missing", "taken"),
    [(SPRING, 9, True), (SPRING, 10, False), (AUTUMN, 10, True), (AUTUMN, 11, False)],
)
def test_a_short_day_needs_less_data_and_a_long_one_more(
    day: date, missing: int, taken: bool
) -> None:
    loads = history([(day, 5)])
    for instant in sorted(loads)[:missing]:
        del loads[instant]
    method = XOfY(1, 1, day_type=DayType.ALL)
    when = times(day=day + timedelta(days=1))
    assert bool(baseline(method, loads, when, LOS_ANGELES).days) is taken


def test_the_same_instants_are_other_days_elsewhere() -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    loads = history([(FRIDAY, 5)], tokyo)
    when = times("03:00", "04:00", day=FRIDAY + timedelta(days=1), zone=tokyo)
    method = XOfY(1, 1, day_type=DayType.ALL)
    assert list(baseline(method, loads, when, tokyo).days) == [FRIDAY]
    assert not baseline(method, loads, when, LOS_ANGELES).days


@pytest.mark.parametrize("clock", ["16:00:00", "16:07:31", "16:14:59.999999"])
def test_a_quarter_hour_goes_from_its_beginning_to_the_next(clock: str) -> None:
    instant = local(FRIDAY, clock)
    assert quarter_hour(instant) == local(FRIDAY, "16:00")
    assert quarter_hour(instant.astimezone(LOS_ANGELES)).tzinfo is UTC
    assert wall_clock(instant, LOS_ANGELES) == time(16)
    assert wall_clock(instant, ZoneInfo("Asia/Kathmandu")) == time(5, 45)


# What is true of all methods

kilowatts = st.integers(-200, 1000).map(float)
adjustments = st.none() | st.builds(
    Adjustment,
    type=st.sampled_from(AdjustmentType),
    opens=st.integers(4, 16).map(lambda number: number * QUARTER_HOUR),
    closes=st.integers(0, 3).map(lambda number: number * QUARTER_HOUR),
    before=st.sampled_from(Before),
    cap=st.none() | st.sampled_from([0.0, 0.2, 0.5]),
)


@st.composite
def methods(draw: st.DrawFn) -> XOfY:
    y = draw(st.integers(1, 6))
    select = draw(st.sampled_from(Select))
    return XOfY(
        x=y if select is Select.ALL else draw(st.integers(1, y)),
        y=y,
        select=select,
        day_type=draw(st.sampled_from(DayType)),
        ranked_by=draw(st.sampled_from(RankedBy)),
        adjustment=draw(adjustments),
    )


def _of_block(kws: list[float], clock: time) -> float:
    return kws[clock.hour // 3]


@st.composite
def histories(draw: st.DrawFn) -> dict[datetime, float]:
    """Return the load of the last days, in blocks of three hours, with days missing."""
    days = draw(st.sets(st.sampled_from(ALL_DAYS[:12]), min_size=1))
    blocks = st.lists(kilowatts, min_size=8, max_size=8)
    loads = {day: draw(blocks) for day in sorted({*days, FRIDAY})}
    return history((day, partial(_of_block, kws)) for day, kws in loads.items())


dispatches = st.sampled_from(
    [times(), times(end=None), times("09:07", "09:52"), times("01:00", "23:00")]
)


@given(methods(), histories(), dispatches, st.integers(-500, 500))
def test_a_constant_on_all_days_is_a_constant_on_the_baseline(
    method: XOfY, loads: dict[datetime, float], when: DispatchTimes, more: int
) -> None:
    adjustment = method.adjustment
    if adjustment and adjustment.type is AdjustmentType.ADDITIVE:
        method = replace(method, adjustment=replace(adjustment, cap=None))
    else:
        method = replace(method, adjustment=None)
    lifted = {instant: kw + more for instant, kw in loads.items()}
    before = baseline(method, loads, when, LOS_ANGELES)
    after = baseline(method, lifted, when, LOS_ANGELES)
    assert after.kw == pytest.approx(
        {slot: kw + more for slot, kw in before.kw.items()}
    )


@given(methods(), histories(), dispatches, st.sampled_from([0.5, 2.0, 8.0]))
def test_a_load_of_twice_the_size_has_a_baseline_of_twice_the_size(
    method: XOfY, loads: dict[datetime, float], when: DispatchTimes, factor: float
) -> None:
    larger = {instant: kw * factor for instant, kw in loads.items()}
    before = baseline(method, loads, when, LOS_ANGELES)
    after = baseline(method, larger, when, LOS_ANGELES)
    assert after.kw == pytest.approx(
        {slot: kw * factor for slot, kw in before.kw.items()}
    )


@given(
    methods(),
    histories(),
    dispatches,
    st.sets(st.sampled_from(ALL_DAYS[:12])),
    kilowatts,
)
def test_excluded_days_never_matter(
    method: XOfY,
    loads: dict[datetime, float],
    when: DispatchTimes,
    excluded: set[date],
    kw: float,
) -> None:
    # The windows of these dispatches lie within the day, so that no other day is looked at.
    changed = loads | history((day, kw) for day in excluded)
    if when.start < local(FRIDAY, "05:00"):
        method = replace(method, adjustment=None)
    assert baseline(method, changed, when, LOS_ANGELES, excluded) == baseline(
        method, loads, when, LOS_ANGELES, excluded
    )


@given(methods(), histories(), dispatches)
def test_the_order_of_what_is_known_never_matters(
    method: XOfY, loads: dict[datetime, float], when: DispatchTimes
) -> None:
    turned = dict(reversed(loads.items()))
    assert baseline(method, turned, when, LOS_ANGELES) == baseline(
        method, loads, when, LOS_ANGELES
    )


@given(methods(), st.permutations([0.0, 0.0, 3.0, 8.0, 80.0, -9.0]), dispatches)
def test_the_order_of_the_days_never_matters(
    method: XOfY, kws: list[float], when: DispatchTimes
) -> None:
    x = 6 if method.select is Select.ALL else method.x
    method = replace(method, x=x, y=6, adjustment=None)

    def of(loads: list[float]) -> Baseline:
        days = history(zip(WEEKDAYS, loads, strict=False))
        return baseline(method, days, when, LOS_ANGELES)

    assert of(kws).kw == of(sorted(kws)).kw


@given(methods(), histories(), dispatches)
def test_a_baseline_lies_between_the_days_it_comes_from(
    method: XOfY, loads: dict[datetime, float], when: DispatchTimes
) -> None:
    result = baseline(replace(method, adjustment=None), loads, when, LOS_ANGELES)
    for slot, kw in result.kw.items():
        seen = [profile[slot] for profile in result.days.values() if slot in profile]
        assert min(seen) - 1e-9 <= kw <= max(seen) + 1e-9


@given(methods(), histories(), dispatches, st.sampled_from([0.0, 0.1, 0.2, 1.0]))
def test_a_cap_binds(
    method: XOfY, loads: dict[datetime, float], when: DispatchTimes, cap: float
) -> None:
    adjustment = replace(method.adjustment or ON_THE_DAY, cap=cap)
    plain = baseline(replace(method, adjustment=None), loads, when, LOS_ANGELES)
    moved = baseline(replace(method, adjustment=adjustment), loads, when, LOS_ANGELES)
    if adjustment.type is AdjustmentType.RATIO:
        limits = {slot: cap * abs(kw) for slot, kw in plain.kw.items()}
    else:
        usual = [plain.kw[wall_clock(each, LOS_ANGELES)] for each in moved.window]
        mean = abs(sum(usual) / len(usual)) if usual else 0
        limits = dict.fromkeys(plain.kw, cap * mean)
    for slot, kw in plain.kw.items():
        assert abs(moved.kw[slot] - kw) <= limits[slot] + 1e-6


@given(methods(), histories(), dispatches, kilowatts)
def test_what_comes_after_the_start_never_matters(
    method: XOfY, loads: dict[datetime, float], when: DispatchTimes, kw: float
) -> None:
    later = {
        instant: kw
        for instant in day_of_load(FRIDAY, 0)
        if instant + QUARTER_HOUR > when.start
    }
    assert baseline(method, loads | later, when, LOS_ANGELES) == baseline(
        method, loads, when, LOS_ANGELES
    )
    assert baseline(MeterBefore(), loads | later, when, LOS_ANGELES) == baseline(
        MeterBefore(), loads, when, LOS_ANGELES
    )


@given(methods(), histories(), dispatches)
def test_a_baseline_can_be_calculated_again_from_what_it_keeps(
    method: XOfY, loads: dict[datetime, float], when: DispatchTimes
) -> None:
    result = baseline(method, loads, when, LOS_ANGELES)
    kept = history(
        (day, profile.__getitem__) for day, profile in result.days.items()
    ) | dict(result.window)
    assert baseline(method, kept, when, LOS_ANGELES) == result
