"""What it takes to send the telemetry of many meters, and how long others wait for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import gc
from time import thread_time
import tracemalloc
from typing import cast, final

from homeassistant.config_entries import ConfigSubentryData
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.voltus.aiovoltus.telemetry import (
    Outbox,
    TelemetryRow,
)
from custom_components.voltus.asking.conversation import Conversation
from custom_components.voltus.const import DOMAIN
from custom_components.voltus.metering.intervals import Reading, power_rows
from custom_components.voltus.telemetry.sender import Telemetry

from .figures import Figure, at_most
from .home import home
from .rounds import callbacks_timed
from .scale import exponent

METERS = (100, 300, 1000)
NOON = datetime(2026, 7, 15, 12, tzinfo=UTC)
HALF_MINUTE = timedelta(seconds=30)
DAY = timedelta(hours=24)


@final
@dataclass(frozen=True, slots=True)
class Sent:
    """Rounds of sending: CPU seconds of a row and the longest callback, by meters.

    `replayed` are rows a second of CPU, from readings 10 s apart; `memory` bytes of the
    rows of a meter and a day.
    """

    per_row: dict[int, float]
    blocks: dict[int, float]
    replayed: float
    memory: float

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Return what a row costs, and how that grows."""
        most = max(self.per_row)
        per_round = {n: n * each for n, each in self.per_row.items()}
        what = f"telemetry of {most:,} meters"
        return (
            Figure(f"{what}, CPU per row", self.per_row[most] * 1e6, "µs"),
            Figure(
                f"{what}, longest block of the event loop",
                self.blocks[most] * 1000,
                "ms",
                None,
                at_most(50, "ms"),
            ),
            Figure(
                "telemetry, rows a second made of a day's readings", self.replayed, ""
            ),
            Figure(
                "telemetry, memory per meter for 24 h at 30 s",
                self.memory / 1024,
                "KiB",
                None,
                at_most(200, "KiB"),
            ),
            Figure(
                "exponent of telemetry by meters (1 is linear)", exponent(per_round), ""
            ),
        )


class _Voltus:
    """Takes all rows at once, at a time of its own."""

    must_wait = False

    def __init__(self) -> None:
        self.time = NOON
        self.rows = 0

    def now(self) -> datetime:
        return self.time

    async def send_telemetry(self, rows: Sequence[TelemetryRow]) -> None:
        self.rows += len(rows)


async def measure(meters: Sequence[int] = METERS, rounds: int = 5) -> Sent:
    """Send of so many meters each, so often."""
    per_row, blocks = {}, {}
    for each in meters:
        async with home(()) as hass:
            per_row[each], blocks[each] = await _rounds(hass, each, rounds)
    return Sent(per_row, blocks, _replayed(), _memory())


async def _rounds(hass: HomeAssistant, meters: int, rounds: int) -> tuple[float, float]:
    """Return the CPU seconds of a row, and the longest callback."""
    entry = MockConfigEntry(
        domain=DOMAIN, subentries_data=[mapping(each) for each in range(meters)]
    )
    entry.add_to_hass(hass)
    voltus, longest, spent = _Voltus(), 0.0, 0.0
    telemetry = Telemetry(
        hass,
        entry,
        cast("Conversation", voltus),
        is_curtailing=lambda: False,
        sites=dict,
        changed=lambda: None,
    )
    for each in range(meters):
        show(hass, each, 0, NOON)
    await telemetry.async_start()
    for minute in range(1, rounds + 1):
        for second in range(-50, 10, 10):
            at = NOON + timedelta(minutes=minute, seconds=second)
            for each in range(meters):
                show(hass, each, second + 60 * minute, at)
        await hass.async_block_till_done()
        voltus.time = NOON + timedelta(minutes=minute, seconds=5)
        gc.collect()
        begun = thread_time()
        with callbacks_timed() as callbacks:
            await hass.async_create_task(telemetry._work())  # noqa: SLF001  a round
        spent += thread_time() - begun
        longest = max([longest, *callbacks])
    await telemetry.async_stop()
    assert voltus.rows == 2 * meters * rounds
    return spent / voltus.rows, longest


def mapping(number: int) -> ConfigSubentryData:
    """Return a meter that stands for a sensor of power, each half minute."""
    data = {
        "meter_id": f"m{number}",
        "entity_id": f"sensor.m{number}",
        "counts": False,
        "interval": 30,
        "invert": False,
    }
    return ConfigSubentryData(
        data=data, subentry_type="meter", title=f"m{number}", unique_id=f"m{number}"
    )


def show(hass: HomeAssistant, number: int, value: float, at: datetime) -> None:
    """Have the sensor of a meter show a value."""
    hass.states.async_set(
        f"sensor.m{number}",
        str(value),
        {"unit_of_measurement": "kW"},
        timestamp=at.timestamp(),
    )


def _replayed() -> float:
    """Return how many rows a second of CPU makes of a day of readings."""
    readings = [Reading(NOON + n * timedelta(seconds=10), n % 100) for n in range(8640)]
    begun = thread_time()
    rows = power_rows(readings, HALF_MINUTE, NOON, NOON + DAY)
    return len(rows) / (thread_time() - begun)


def _memory(meters: int = 20) -> float:
    """Return the bytes that the rows of a day take, of one meter."""
    gc.collect()
    tracemalloc.start()
    rows = [
        TelemetryRow(meter, NOON + n * HALF_MINUTE, 30, n / 7)
        for meter in [f"m{each}" for each in range(meters)]
        for n in range(DAY // HALF_MINUTE)
    ]
    outbox = Outbox().added(rows, {}, NOON + DAY)
    del rows
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert outbox.rows
    return size / meters
