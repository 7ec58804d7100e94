"""What was not sent before a restart is made from the recorder."""

from datetime import timedelta

from homeassistant.components.recorder import Recorder
import pytest
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from tests.builders import at

from .harness import Harness
from .test_telemetry import (
    COUNTER,
    POWER,
    map_meters,
    mapping,
    metered,
    pass_to,
    received,
    show,
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
    assert sent[0] > begun - 24 * 60
