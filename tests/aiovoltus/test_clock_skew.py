"""Whether our clock can be trusted, and what the operator has to know of it."""

from datetime import timedelta

import pytest

from custom_components.voltus.aiovoltus.clock_skew import ClockSkew
from tests.builders import NOON, at


def measured(*offsets: float) -> ClockSkew:
    """Return what is known after answers whose clock differed by so many seconds."""
    skew = ClockSkew()
    for offset in offsets:
        skew = skew.measured(NOON + timedelta(seconds=offset), NOON)
    return skew


@pytest.mark.parametrize(
    ("offsets", "seconds"),
    [
        pytest.param([], None, id="nothing measured"),
        pytest.param([60, 60], None, id="not measured often enough"),
        pytest.param([60, 60, 60], 60, id="ahead of us"),
        pytest.param([-60, -60, -60], -60, id="behind us"),
        pytest.param([5, 5, 5], None, id="tolerable"),
        pytest.param([-5.5, -5.5, -5.5], -5.5, id="not tolerable any more"),
        pytest.param([0, 600, 0], None, id="one slow answer"),
        pytest.param([60, 60, 60, 0, 0, 0], None, id="all is well again"),
        pytest.param([0, 0, 0, 60, 60, 60], 60, id="since the last three answers"),
        pytest.param([9, 9, 9, 9, 9, 0, 0, 9], 9, id="the last five count"),
    ],
)
def test_the_middle_of_the_last_few_differences_counts(
    offsets: list[float], seconds: float | None
) -> None:
    assert measured(*offsets).seconds(NOON) == seconds


def test_a_step_back_is_told_for_an_hour() -> None:
    skew = ClockSkew().stepped(timedelta(minutes=90), NOON)
    assert skew.seconds(NOON) == timedelta(minutes=-90).total_seconds()
    assert skew.seconds(at(59)) is not None
    assert skew.seconds(at(60)) is None


def test_what_was_measured_before_a_step_means_nothing_after_it() -> None:
    skew = measured(60, 60, 60).stepped(timedelta(minutes=2), NOON)
    assert skew.seconds(at(60)) is None


def test_what_is_measured_after_a_step_says_more_than_the_step() -> None:
    skew = ClockSkew().stepped(timedelta(minutes=2), NOON)
    for _ in range(3):
        skew = skew.measured(at(11), at(10))
    assert skew.seconds(at(10)) == timedelta(minutes=1).total_seconds()
