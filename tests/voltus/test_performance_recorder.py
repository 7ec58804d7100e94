"""The load of the days before: from the recorder, and from long-term statistics."""

from datetime import timedelta

from homeassistant.components.recorder import Recorder, get_instance
from homeassistant.components.recorder.models import (
    StatisticData,
    StatisticMeanType,
    StatisticMetaData,
)
from homeassistant.components.recorder.statistics import (
    async_import_statistics,
    statistics_during_period,
)
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from custom_components.voltus.performance.hourly import (
    async_add_to_statistics,
    async_hourly,
)
from custom_components.voltus.telemetry.meters import MappedMeter
from tests.builders import NOON, at

from .harness import Harness
from .test_performance import POWER, chosen, shown
from .test_telemetry import map_meters, pass_to, show

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _custom_integrations(
    recorder_db_url: str, enable_custom_integrations: None
) -> None:
    """Have a database before there is a Home Assistant, as the recorder's fixture asks."""


def meter(*, inverted: bool = False) -> MappedMeter:
    return MappedMeter("m1", "Meter", POWER, False, MINUTE, inverted)


async def test_an_hour_of_the_statistics_stands_for_its_quarter_hours(
    recorder_mock: Recorder, hass: HomeAssistant, harness: Harness
) -> None:
    start = NOON - timedelta(days=3)
    async_import_statistics(
        hass,
        StatisticMetaData(
            mean_type=StatisticMeanType.ARITHMETIC,
            has_sum=False,
            name=None,
            source="recorder",
            statistic_id=POWER,
            unit_class="power",
            unit_of_measurement="W",
        ),
        [StatisticData(start=start, mean=42_000.0)],
    )
    await async_wait_recording_done(hass)
    expected = {start + timedelta(minutes=n): 42.0 for n in (0, 15, 30, 45)}
    assert await async_hourly(hass, [meter()], NOON) == expected
    turned = await async_hourly(hass, [meter(inverted=True)], NOON)
    assert turned == dict.fromkeys(expected, -42.0)


async def test_the_hours_that_voltus_has_are_given_to_the_graphs(
    recorder_mock: Recorder, hass: HomeAssistant, harness: Harness
) -> None:
    start = NOON - timedelta(hours=2)
    await async_add_to_statistics(hass, "Account", "s-1", "Site", {start: 12.5})
    await async_wait_recording_done(hass)
    name = "voltus:account_s_1_load"
    rows = await get_instance(hass).async_add_executor_job(
        lambda: statistics_during_period(
            hass, start, None, {name}, "hour", None, {"mean"}
        )
    )
    assert [row["mean"] for row in rows[name]] == [12.5]


async def test_without_a_recorder_there_are_no_hours(harness: Harness) -> None:
    assert await async_hourly(harness.hass, [meter()], NOON) == {}
    await async_add_to_statistics(harness.hass, "a", "s1", "Site", {NOON: 1.0})


async def test_what_was_shown_before_a_crash_is_taken_from_the_recorder(
    recorder_mock: Recorder, harness: Harness
) -> None:
    show(harness.hass, POWER, 80)
    await async_wait_recording_done(harness.hass)
    harness.freezer.move_to(at(30))
    show(harness.hass, POWER, 90)
    await async_wait_recording_done(harness.hass)
    map_meters(harness, chosen())
    harness.freezer.move_to(at(60))
    await harness.set_up()
    await pass_to(harness, 61)
    (load,) = harness.entry.runtime_data.performance._follower.loads.values()  # noqa: SLF001  nothing shows it until a dispatch comes
    assert load.quarters[at(0)] == pytest.approx(80)
    assert load.quarters[at(45)] == pytest.approx(90)
    assert shown(harness.hass, "load") == "90.0"


async def test_the_minute_of_a_restart_is_known_as_a_whole(
    recorder_mock: Recorder, harness: Harness
) -> None:
    show(harness.hass, POWER, 80)
    await async_wait_recording_done(harness.hass)
    map_meters(harness, chosen())
    harness.freezer.move_to(at(10.75))
    show(harness.hass, POWER, 40)
    await harness.set_up()
    await pass_to(harness, 11.5)
    assert float(shown(harness.hass, "load")) == pytest.approx(70)
