"""A figure knows whether it reaches its goal."""

import pytest

from bench.figures import Figure, Goal, above_at_most, at_most, ratio_at_most
from bench.table import table


@pytest.mark.parametrize(
    ("measured", "baseline", "goal", "met"),
    [
        (20, None, at_most(20, "ms"), True),
        (21, None, at_most(20, "ms"), False),
        (450, 300, above_at_most(150, "µs"), True),
        (451, 300, above_at_most(150, "µs"), False),
        (3, 2, ratio_at_most(1.5), True),
        (4, 2, ratio_at_most(1.5), False),
        (1, 500, ratio_at_most(1 / 500), True),
        (2, 500, ratio_at_most(1 / 500), False),
        (2, 500, None, None),
    ],
)
def test_a_goal_is_met_up_to_its_limit(
    measured: float, baseline: float | None, goal: Goal | None, met: bool | None
) -> None:
    assert Figure("it", measured, "", baseline, goal).met is met


def test_a_missed_goal_stands_out_in_the_table() -> None:
    *_, row = table([Figure("it", 1234, "ms", 100, ratio_at_most(1 / 5))]).splitlines()
    assert row == "| it   | 1,234 ms | 100 ms   | 12.34 | ratio ≤ 1/5 | MISSED |"
