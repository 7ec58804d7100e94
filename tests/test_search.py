"""What scripts/test draws is drawn again, and what scripts/fuzz draws is not."""

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest


def drawn(how: settings) -> list[int]:
    """Return what is drawn by one run of a test."""
    numbers: list[int] = []

    @settings(how, max_examples=20)
    @given(st.integers())
    def draw(number: int) -> None:
        numbers.append(number)

    draw()
    return numbers


@pytest.mark.parametrize(
    ("profile", "same"), [("repeated", True), ("drawn_anew", False)]
)
def test_what_is_drawn_twice(profile: str, same: bool) -> None:
    how = settings.get_profile(profile)
    assert (drawn(how) == drawn(how)) is same
