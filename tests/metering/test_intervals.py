"""Rows of meters beside what a hand, or an independent integral, makes of the readings."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import fsum, inf, nan

from hypothesis import given
from hypothesis import strategies as st
import pytest

from custom_components.voltus.metering.intervals import (
    ENOUGH,
    LONGEST,
    Reading,
    Row,
    aligned,
    counter_rows,
    grid,
    last_values,
    merged,
    power_rows,
    timeline,
    value_at,
)

NOON = datetime(2026, 7, 15, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def read(*readings: tuple[float, float | None]) -> tuple[Reading, ...]:
    """Return readings by the seconds since noon."""
    return timeline(Reading(NOON + s * SECOND, value) for s, value in readings)


def told(rows: Sequence[Row]) -> list[tuple[float, float, object]]:
    """Return rows as (seconds from noon to the end, seconds, value)."""
    return [
        (
            (row.end - NOON).total_seconds(),
            row.length.total_seconds(),
            pytest.approx(row.value),
        )
        for row in rows
    ]


# Power


@pytest.mark.parametrize(
    ("readings", "rows"),
    [
        pytest.param(read((-5, 10)), [(60, 60, 10), (120, 60, 10)], id="goes on"),
        pytest.param(
            read((0, 10), (30, 20)), [(60, 60, 15), (120, 60, 20)], id="by time"
        ),
        pytest.param(
            read((0, 10), (90, -20)), [(60, 60, 10), (120, 60, -5)], id="export"
        ),
        pytest.param(
            read((0, 10), (50, None), (62, 4)),
            [(60, 60, 10), (120, 60, 4)],
            id="12 s are lost, 10 and 2",
        ),
        pytest.param(
            read((0, 10), (47, None), (60, 4)), [(120, 60, 4)], id="13 s are too many"
        ),
        pytest.param(
            read((12, 10)), [(60, 60, 10), (120, 60, 10)], id="begins in an interval"
        ),
        pytest.param(read((13, 10)), [(120, 60, 10)], id="begins too late in it"),
        pytest.param(read(), [], id="nothing"),
        pytest.param(read((0, nan), (60, inf)), [], id="no numbers"),
    ],
)
def test_a_power_is_averaged_over_the_time_for_which_it_is_known(
    readings: tuple[Reading, ...], rows: list[tuple[float, float, float]]
) -> None:
    assert told(power_rows(readings, MINUTE, NOON, NOON + 2 * MINUTE)) == rows


def test_only_whole_intervals_have_a_row() -> None:
    readings = read((-1000, 10))
    since, until = NOON + SECOND, NOON + timedelta(seconds=179)
    assert told(power_rows(readings, MINUTE, since, until)) == [(120, 60, 10)]


# Counters


@pytest.mark.parametrize(
    ("readings", "rows"),
    [
        pytest.param(read((0, 1), (120, 3)), [(60, 60, 60), (120, 60, 60)], id="even"),
        pytest.param(
            read((-30, 0), (30, 1), (90, 1), (150, 3)),
            [(60, 60, 30), (120, 60, 60)],
            id="between readings",
        ),
        pytest.param(read((0, 1), (60, 2)), [(60, 60, 60)], id="not beyond the last"),
        pytest.param(read((0, 1), (301, 2)), [], id="too far apart"),
        pytest.param(
            read((0, 100), (60, 101), (70, 1), (120, 2)), [(60, 60, 60)], id="reset"
        ),
        pytest.param(
            read((0, 100), (60, 101), (90, 100.9), (120, 101.9)),
            [(60, 60, 60)],
            id="trembles",
        ),
        pytest.param(
            read((0, 1), (30, None), (90, 2), (120, 3)),
            [(120, 120, 60)],
            id="one reading lost: one longer row",
        ),
    ],
)
def test_a_counter_says_what_went_between_its_readings(
    readings: tuple[Reading, ...], rows: list[tuple[float, float, float]]
) -> None:
    assert told(counter_rows(readings, MINUTE, NOON, NOON + 2 * MINUTE)) == rows


def test_a_longer_row_is_no_longer_than_five_minutes() -> None:
    until = NOON + 8 * MINUTE
    short = read((0, 0), (90, 1), (100, None), (230, 2), (480, 3))
    assert [row[:2] for row in told(counter_rows(short, MINUTE, NOON, until))] == [
        (60, 60),
        (240, 180),
        *((end, 60) for end in (300, 360, 420, 480)),
    ]
    long = read((0, 0), (30, 1), (40, None), (325, 2), (480, 3))
    assert [row[:2] for row in told(counter_rows(long, MINUTE, NOON, until))] == [
        (420, 60),
        (480, 60),
    ]


# Charge


def test_a_charge_is_what_is_shown_at_the_end() -> None:
    readings = read((0, 5), (60, 6), (119, 7), (130, None))
    rows = last_values(readings, MINUTE, NOON, NOON + 3 * MINUTE)
    assert told(rows) == [(60, 60, 6), (120, 60, 7)]


# The grid


@pytest.mark.parametrize("seconds", [30, 60, 300])
def test_the_grid_is_one_of_utc(seconds: int) -> None:
    length = timedelta(seconds=seconds)
    for start, end in grid(length, NOON - timedelta(minutes=11), NOON):
        assert start.timestamp() % seconds == 0
        assert end - start == length
    assert aligned(NOON + 29 * SECOND, length) == NOON


def test_what_is_kept_is_what_later_rows_need() -> None:
    kept = read((0, 1), (10, 2), (70, 3))
    later = merged(kept, read((80, 4)), NOON + MINUTE)
    assert later == read((10, 2), (70, 3), (80, 4))
    assert value_at(later, NOON + MINUTE) == 2
    assert value_at(later, NOON) is None


# Properties

SINCE, UNTIL = NOON, NOON + timedelta(minutes=20)
LENGTHS = st.sampled_from([timedelta(seconds=s) for s in (30, 60, 300)])
VALUES = st.none() | st.floats(-1000, 1000)
SECONDS = st.integers(-400, 1300).map(lambda ms: ms * 1.0) | st.floats(-400, 1300)
READINGS = st.lists(st.tuples(SECONDS, VALUES), max_size=30).map(lambda r: read(*r))
COUNTS = st.lists(
    st.tuples(st.integers(-400, 1300), st.none() | st.floats(0, 5)), max_size=40
)


def counter(counts: list[tuple[int, float | None]]) -> tuple[Reading, ...]:
    """Return a counter that goes up by these steps."""
    total, readings = 0.0, []
    for second, more in sorted(counts, key=lambda each: each[0]):
        total += more or 0
        readings.append((float(second), None if more is None else total))
    return read(*readings)


def integral(
    readings: Sequence[Reading], start: datetime, end: datetime
) -> tuple[float, float]:
    """Return (value x seconds, seconds known) by going from edge to edge."""
    edges = {start, end, *(each.at for each in readings if start < each.at < end)}
    parts, known = [], []
    for one, other in pairwise(sorted(edges)):
        shown = [each for each in readings if each.at <= one]
        if shown and (value := shown[-1].value) is not None:
            seconds = (other - one).total_seconds()
            parts.append(value * seconds)
            known.append(seconds)
    return fsum(parts), fsum(known)


@given(readings=READINGS, length=LENGTHS)
def test_a_row_is_there_if_and_only_if_four_fifths_are_known_and_is_their_mean(
    readings: tuple[Reading, ...], length: timedelta
) -> None:
    rows = {row.end: row for row in power_rows(readings, length, SINCE, UNTIL)}
    for start, end in grid(length, SINCE, UNTIL):
        energy, known = integral(readings, start, end)
        if abs(known - ENOUGH * length.total_seconds()) < 1e-6:
            continue
        assert (end in rows) is (known > ENOUGH * length.total_seconds())
        if end in rows:
            assert rows[end].value == pytest.approx(energy / known, rel=1e-9, abs=1e-9)
    assert all(row.end <= UNTIL and row.length == length for row in rows.values())


@given(counts=COUNTS, length=LENGTHS)
def test_the_energy_of_a_counters_rows_is_what_it_has_counted(
    counts: list[tuple[int, float | None]], length: timedelta
) -> None:
    readings = counter(counts)
    rows = counter_rows(readings, length, SINCE, UNTIL)
    numbers = [each for each in readings if each.value is not None]
    for row in rows:
        assert row.length <= LONGEST
        counted = [_counted(numbers, instant) for instant in (row.start, row.end)]
        kwh = row.value * (row.length / timedelta(hours=1))
        assert kwh == pytest.approx(counted[1] - counted[0], rel=1e-9, abs=1e-9)
    ends = [row.end for row in rows]
    assert ends == sorted(set(ends))
    assert all(one.end <= other.start for one, other in pairwise(rows))


def _counted(numbers: list[Reading], instant: datetime) -> float:
    """Return what a counter that only goes up had counted, straight in between."""
    before = [each for each in numbers if each.at <= instant][-1]
    after = next((each for each in numbers if each.at > instant), before)
    assert before.value is not None
    assert after.value is not None
    if after is before:
        return before.value
    share = (instant - before.at) / (after.at - before.at)
    return before.value + share * (after.value - before.value)


@given(readings=READINGS, length=LENGTHS, cut=st.integers(0, 20))
def test_where_a_timeline_is_split_changes_no_row(
    readings: tuple[Reading, ...], length: timedelta, cut: int
) -> None:
    middle = aligned(SINCE + cut * MINUTE, length)
    early = [each for each in readings if each.at <= middle]
    late = [each for each in readings if each.at > middle]
    kept = merged(early, late, middle)
    assert power_rows(readings, length, SINCE, UNTIL) == [
        *power_rows(early, length, SINCE, middle),
        *power_rows(kept, length, middle, UNTIL),
    ]


@given(readings=READINGS, order=st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(
    readings: tuple[Reading, ...], order: object
) -> None:
    shuffled = list(readings)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert timeline(shuffled) == readings
