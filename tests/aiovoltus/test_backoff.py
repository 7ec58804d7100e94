"""How long Voltus is left alone after it has refused us."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
import pytest

from custom_components.voltus.aiovoltus.backoff import LONGEST_PAUSE, Backoff
from tests.builders import NOON, at

SECOND = timedelta(seconds=1)


def pause(retry_after: str | None, *, jitter: float = 0) -> timedelta:
    """Return how long is waited after the first request to slow down."""
    waiting = Backoff().slowed_down(retry_after, NOON, jitter).not_before
    assert waiting is not None
    return waiting - NOON


def test_nobody_waits_who_was_not_refused() -> None:
    assert not Backoff().must_wait(NOON)


def test_a_pause_is_over_when_its_time_has_come() -> None:
    waiting = Backoff(not_before=at(2))
    assert waiting.must_wait(NOON)
    assert waiting.must_wait(at(2) - SECOND)
    assert not waiting.must_wait(at(2))


def test_a_clock_that_was_set_back_prolongs_no_pause() -> None:
    waiting = Backoff(not_before=at(5))
    assert waiting.must_wait(NOON)
    assert not waiting.must_wait(NOON - SECOND)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("1", 1),
        ("120", 120),
        ("300", 300),
        ("301", 300),
        ("9" * 5000, 300),
        ("Wed, 15 Jul 2026 12:01:30 GMT", 90),
        ("Wed, 15 Jul 2026 14:01:30 +0200", 90),
        ("Wed, 15 Jul 2026 12:01:30 -0000", 90),
        ("Wed, 15 Jul 2026 13:00:00 GMT", 300),
    ],
)
def test_retry_after_is_heeded_up_to_five_minutes(
    retry_after: str, seconds: int
) -> None:
    assert pause(retry_after) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "retry_after",
    [
        None,
        "",
        "0",
        "-5",
        "1.5",
        "soon",
        "²",
        "Wed, 15 Jul 2026 12:00:00 GMT",
        "Wed, 15 Jul 2020 12:00:00 GMT",
        "Wed, 99 Jul 2026 12:00:00 GMT",
        "Wed, 15 Jul 2026 12:00:00 +" + "9" * 30,
        "Wed, 15 Jul " + "9" * 30 + " 12:00:00 GMT",
    ],
)
def test_a_retry_after_without_sense_is_taken_for_a_minute(
    retry_after: str | None,
) -> None:
    assert pause(retry_after) == timedelta(seconds=60)


def test_the_pauses_grow_until_five_minutes() -> None:
    backoff, pauses = Backoff(), []
    for _ in range(6):
        backoff = backoff.slowed_down(None, NOON, 0)
        assert backoff.not_before is not None
        pauses.append((backoff.not_before - NOON).total_seconds())
    assert pauses == [60, 120, 240, 300, 300, 300]


@pytest.mark.parametrize(("jitter", "seconds"), [(0, 60), (0.5, 57), (1, 54)])
def test_a_pause_of_our_own_is_up_to_a_tenth_shorter(
    jitter: float, seconds: float
) -> None:
    assert pause(None, jitter=jitter) == timedelta(seconds=seconds)
    assert pause("120", jitter=jitter) == timedelta(seconds=120)


def test_a_refused_key_is_tried_at_the_same_pace_for_five_minutes() -> None:
    backoff = Backoff()
    for second in range(0, 300, 30):
        now = NOON + second * SECOND
        assert not backoff.must_wait(now)
        backoff = backoff.key_refused(now)
        assert backoff.refused_since == NOON


def test_then_it_is_tried_once_a_minute() -> None:
    backoff = Backoff().key_refused(NOON).key_refused(at(5))
    assert backoff.must_wait(at(5.5))
    assert not backoff.must_wait(at(6))


def test_slowing_down_in_between_does_not_restart_the_five_minutes() -> None:
    backoff = Backoff().key_refused(NOON).slowed_down(None, at(1), 0)
    assert backoff.key_refused(at(5)).must_wait(at(5.5))


@given(st.text() | st.integers().map(str), st.floats(0, 1))
def test_whatever_retry_after_says_the_pause_is_sensible(
    retry_after: str, jitter: float
) -> None:
    assert timedelta(0) < pause(retry_after, jitter=jitter) <= LONGEST_PAUSE
