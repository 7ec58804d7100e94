"""What was not sent before a restart is made from the recorder."""

from datetime import timedelta

from homeassistant.components.recorder import Recorder
import pytest
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from sandbox.faults import Faults
from tests.builders import at

from .harness import Harness
from .test_telemetry import (
    COUNTER,
    POWER,
    fill_in,
    map_meters,
    mapping,
    metered,
    pass_to,
    received,
    show,
    start,
)

__all__ = ["metered"]


@pytest.fixture(autouse=True)
def _custom_integrations(
    recorder_db_url: str, enable_custom_integrations: None
) -> None:
    """Have a database before there is a Home Assistant, as the recorder's fixture asks."""


def noted(metered: Harness, minutes: float) -> None:
    """Have Voltus have had everything until then."""
    metered.storage["voltus.account.telemetry"] = {
        "version": 1,
        "minor_version": 1,
        "key": "voltus.account.telemetry",
        "data": {"sent_until": {"main": at(minutes).isoformat()}},
    }


@pytest.mark.parametrize("counts", [False, True])
async def test_what_was_measured_since_is_sent(
    recorder_mock: Recorder, metered: Harness, counts: bool
) -> None:
    hass = metered.hass
    for minute in range(6):
        metered.freezer.move_to(at(minute))
        if counts:
            show(hass, COUNTER, minute / 6, "kWh")
        else:
            show(hass, POWER, 10 + minute)
        await hass.async_block_till_done()
    await async_wait_recording_done(hass)
    noted(metered, 2)
    map_meters(metered, mapping("main", COUNTER if counts else POWER, counts=counts))
    metered.freezer.move_to(at(5) + timedelta(seconds=30))
    await metered.set_up()
    await pass_to(metered, 6.25)
    expected = [(3, 10), (4, 10), (5, 10)] if counts else [(3, 12), (4, 13), (5, 14)]
    found = [each for each in received(metered) if each[0] <= 5]
    assert found == [(end, pytest.approx(kw)) for end, kw in expected]


async def test_beyond_a_week_nothing_is_made(
    recorder_mock: Recorder, metered: Harness
) -> None:
    show(metered.hass, POWER, 10)
    await async_wait_recording_done(metered.hass)
    noted(metered, 0)
    map_meters(metered, mapping("main", POWER))
    metered.freezer.move_to(at(0) + timedelta(days=8))
    await metered.set_up()
    begun = 8 * 24 * 60
    await pass_to(metered, begun + 1.25)
    sent = [end for end, _ in received(metered)]
    assert sent
    assert sent[0] == pytest.approx(begun - 7 * 24 * 60, abs=3)
    assert len(sent) == begun + 1 - sent[0] + 1


async def test_after_26_hours_without_voltus_it_has_every_row(
    recorder_mock: Recorder, metered: Harness
) -> None:
    """More than is kept in memory: the first hours are made from the recorder."""
    hass = metered.hass
    show(hass, POWER, 10)
    map_meters(metered, mapping("main", POWER, interval=300))
    await metered.set_up()
    await pass_to(metered, 10.25)
    metered.voltus.faults = Faults(status=503)
    for hour in range(1, 27):
        await pass_to(metered, hour * 60, step=300)
        show(hass, POWER, 10 + hour)
        await hass.async_block_till_done()
    await async_wait_recording_done(hass)
    assert received(metered)[-1] == (10, 10)
    metered.voltus.faults = Faults()
    await pass_to(metered, 26 * 60 + 31)
    ends = range(5, 26 * 60 + 31, 5)
    assert received(metered) == [(end, 10 + (end - 1) // 60) for end in ends]


async def test_killed_while_voltus_is_down_nothing_is_lost(
    recorder_mock: Recorder, metered: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    hass = metered.hass
    show(hass, POWER, 10)
    map_meters(metered, mapping("main", POWER))
    await metered.set_up()
    await pass_to(metered, 10.25)
    metered.voltus.faults = Faults(status=503, paths=["/telemetry"])
    disk = metered.disk()
    await pass_to(metered, 20)
    await async_wait_recording_done(hass)
    await metered.restart(disk)
    show(hass, POWER, 10)
    await pass_to(metered, 25)
    await async_wait_recording_done(hass)
    metered.voltus.faults = Faults()
    await pass_to(metered, 40.25)
    rows = received(metered)
    # From its removal to its return the entity was not there.
    assert [end for end, _ in rows] == list(range(1, 41))
    assert {kw for _, kw in rows} == {10}


async def test_what_the_recorder_does_not_have_is_a_gap_that_is_told_once(
    recorder_mock: Recorder, metered: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    noted(metered, -60)
    map_meters(metered, mapping("main", POWER))
    show(metered.hass, POWER, 10)
    await metered.set_up()
    await pass_to(metered, 5.25)
    assert [end for end, _ in received(metered)] == [1, 2, 3, 4, 5]
    assert caplog.text.count("Voltus has a gap there") == 1


async def test_how_coarse_a_counter_may_be_depends_on_the_load_of_the_last_hour(
    recorder_mock: Recorder, metered: Harness
) -> None:
    """3 kW for half an hour: steps of 0.12 kW are fine enough, of 0.6 kW not."""
    hass = metered.hass
    for minute in range(31):
        metered.freezer.move_to(at(minute))
        show(hass, COUNTER, f"{100 + minute * 0.05:.2f}", "kWh")
        await hass.async_block_till_done()
    await async_wait_recording_done(hass)
    await metered.set_up()
    flow = await fill_in(metered, await start(metered), meter_id="main")
    chosen = {"entity_id": COUNTER, "interval": "60", "invert": False}
    flow = await fill_in(metered, flow, **chosen)
    assert flow["step_id"] == "confirm_coarse"
    assert flow["description_placeholders"]["seconds"] == "300"
