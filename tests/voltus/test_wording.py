"""How instants, amounts and names are put for people."""

from datetime import UTC, datetime

from homeassistant.core import HomeAssistant
import pytest

from custom_components.voltus.announcing.wording import kilowatts, listed, moment
from tests.builders import NOON, at

DAY = 24 * 60


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (0.0, "0 kW"),
        (110.0, "110 kW"),
        (12.55, "12.6 kW"),
        (0.04, "0 kW"),
        (1234567.8, "1234567.8 kW"),
    ],
)
def test_an_amount_has_one_decimal_or_none(amount: float, words: str) -> None:
    assert kilowatts(amount) == words


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], ""),
        (["A"], "A"),
        (["A", "B"], "A and B"),
        (["A", "B", "C", "D"], "A and 3 more"),
    ],
)
def test_of_many_names_the_first_is_told(names: list[str], words: str) -> None:
    assert listed(names) == words


@pytest.mark.parametrize(
    ("instant", "words"),
    [
        (at(30), "05:30"),
        (at(0.5), "05:00:30"),
        (at(DAY), "2026-07-16 05:00"),
        (at(-6 * 60), "2026-07-14 23:00"),
        (datetime.max.replace(tzinfo=UTC), "9999-12-29 15:59:59"),
        (datetime.min.replace(tzinfo=UTC), "0001-01-02 16:07:02"),
    ],
)
async def test_a_moment_is_local_and_has_its_date_unless_that_goes_without_saying(
    hass: HomeAssistant, instant: datetime, words: str
) -> None:
    await hass.config.async_set_time_zone("US/Pacific")
    assert moment(instant, NOON) == words
