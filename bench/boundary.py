"""What a start costs at which all of many sites turn, and how long others wait for it.

Beside it as many states of bare entities, written one after the other. What the set-up
has left to the garbage collector is collected before: a Home Assistant that has run for
some minutes has done so.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Container, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import gc
from itertools import cycle, islice
from statistics import median
from time import thread_time
from typing import final

from homeassistant.components.binary_sensor import BinarySensorEntity
from homeassistant.components.sensor import SensorEntity
from homeassistant.const import EVENT_STATE_CHANGED, STATE_ON
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.device_registry import DeviceInfo

from custom_components.voltus.aiovoltus.schedule import IDLE, Curtailment, Phase
from custom_components.voltus.binary_sensor import (
    BINARY_SENSORS,
    VoltusBinarySensorDescription,
)
from custom_components.voltus.sensor import SENSORS, VoltusSensorDescription
from sandbox.scenario import Scenario
from tests.builders import wire_dispatch

from .elsewhere import Published, voltus_elsewhere
from .figures import Figure, at_most, ratio_at_most
from .home import entity_id, home, set_up
from .rest import asked
from .rounds import callbacks_timed
from .scale import set_up_bare
from .wire import LONG_AGO, scenario, site_ids, wire_sites

SITES = 1000
CURTAILING = Curtailment(
    phase=Phase.ACTIVE,
    commitment=100.0,
    next_start=LONG_AGO,
    end=LONG_AGO,
    by_dispatch={"start": 100.0},
)
EVERY = timedelta(seconds=6)
LASTS = timedelta(seconds=2)
READY = timedelta(seconds=2)
MARGIN = timedelta(seconds=0.5)


@final
@dataclass(frozen=True, slots=True)
class Starts:
    """Several starts at so many sites, each figure in seconds and one per start.

    The CPU of all that is done for it, the longest callback of the event loop, how long
    after its planned instant the last site is on, and, of other starts, the slowest
    answer to somebody who asks meanwhile. `bare` is the CPU of as many bare states.
    """

    sites: int
    spent: tuple[float, ...]
    blocks: tuple[float, ...]
    last_on: tuple[float, ...]
    answers: tuple[float, ...]
    bare: float

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Return the cost beside bare states, and of the others the worst."""
        what = f"a start at all of {self.sites:,} sites"
        return (
            Figure(
                f"{what}, CPU, beside as many bare states",
                median(self.spent) * 1000,
                "ms",
                self.bare * 1000,
                ratio_at_most(1.3),
            ),
            *(
                Figure(
                    f"{what}, {name}",
                    max(each) * 1000,
                    "ms",
                    None,
                    at_most(limit, "ms"),
                )
                for name, each, limit in (
                    ("longest block of the event loop", self.blocks, 50),
                    ("until the last is on", self.last_on, 300),
                    ("slowest answer over HTTP meanwhile", self.answers, 150),
                )
            ),
        )


async def measure(
    sites: int = SITES, rounds: int = 5, head_start: float = 25
) -> Starts:
    """Live through so many starts alone, and through as many while somebody asks.

    All is set up within the head start.
    """
    begin = datetime.now(UTC) + timedelta(seconds=head_start)
    starts = [begin + number * EVERY for number in range(2 * rounds)]
    published = Published(_published(sites, starts), wire_sites(sites))
    last_on: list[float] = []
    with voltus_elsewhere(published) as url:
        async with home() as hass:
            await set_up(hass, url)
            assert datetime.now(UTC) < begin - READY
            timed = []
            for start in starts[:rounds]:
                async with _lived_through(hass, sites, start) as on:
                    with callbacks_timed() as callbacks:
                        await _until(start + MARGIN)
                timed.append(callbacks)
                last_on.append(max(on) - start.timestamp())
            answers = []
            for start in starts[rounds:]:
                async with _lived_through(hass, sites, start), asked() as slowest:
                    await _until(start + MARGIN)
                answers += slowest
    return Starts(
        sites,
        tuple(map(sum, timed)),
        tuple(map(max, timed)),
        tuple(last_on),
        tuple(answers),
        await _bare(sites, rounds),
    )


def _published(sites: int, starts: list[datetime]) -> Scenario:
    amounts = dict.fromkeys(site_ids(sites), 100.0)
    return scenario(
        wire_dispatch(f"start-{number}", start, start + LASTS, amounts)
        for number, start in enumerate(starts)
    )


@asynccontextmanager
async def _lived_through(
    hass: HomeAssistant, sites: int, start: datetime
) -> AsyncIterator[list[float]]:
    """Enter shortly before a start, and leave after its end.

    Yields when the sites were on, as timestamps.
    """
    gc.collect()
    on: list[float] = []
    curtail = {entity_id(hass, site_id) for site_id in site_ids(sites)}
    unsub = hass.bus.async_listen(EVENT_STATE_CHANGED, _note(curtail, on))
    await _until(start - READY)
    yield on
    assert len(on) == sites
    await _until(start + LASTS + MARGIN)
    unsub()


def _note(
    entity_ids: Container[str], on: list[float]
) -> Callable[[Event[EventStateChangedData]], None]:
    """Return what notes when each of these is on, as a timestamp."""

    @callback
    def note(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if event.data["entity_id"] in entity_ids and state and state.state == STATE_ON:
            on.append(event.time_fired_timestamp)

    return note


async def _until(instant: datetime) -> None:
    await asyncio.sleep((instant - datetime.now(UTC)).total_seconds())


async def _bare(sites: int, rounds: int) -> float:
    """Return the median of the seconds for the states of as many bare entities."""
    spent = []
    async with home() as hass:
        entities = [each for number in range(sites + 1) for each in _bare_of(number)]
        await set_up_bare(hass, entities)
        hass.bus.async_listen(EVENT_STATE_CHANGED, _note(set(), []))
        for curtailment in islice(cycle((CURTAILING, IDLE)), 2 * rounds):
            gc.collect()
            for entity in entities:
                entity.lay_ready(curtailment)
            begun = thread_time()
            for entity in entities:
                entity.async_write_ha_state()
            spent.append(thread_time() - begun)
            await hass.async_block_till_done()
    return median(spent)


def _bare_of(number: int) -> Iterator[BareSensor | BareBinarySensor]:
    """Yield those that a start changes: ours are not written otherwise."""
    for sensor in SENSORS:
        if sensor.value_fn(CURTAILING) != sensor.value_fn(IDLE):
            yield BareSensor(number, sensor)
    for binary in BINARY_SENSORS:
        if binary.is_on_fn(CURTAILING) != binary.is_on_fn(IDLE):
            yield BareBinarySensor(number, binary)


class BareSensor(SensorEntity):
    """A sensor that is described as ours is, and whose next value is laid ready."""

    entity_description: VoltusSensorDescription

    def __init__(self, number: int, description: VoltusSensorDescription) -> None:
        """Share a device with as many as ours do."""
        self.entity_description = description
        self._attr_unique_id = f"bare-{number}-{description.key}"
        self._attr_device_info = DeviceInfo(identifiers={("bare", str(number))})

    def lay_ready(self, curtailment: Curtailment) -> None:
        """Have the value that this curtailment has."""
        self._attr_native_value = self.entity_description.value_fn(curtailment)


class BareBinarySensor(BinarySensorEntity):
    """The same for a binary sensor."""

    entity_description: VoltusBinarySensorDescription

    def __init__(self, number: int, description: VoltusBinarySensorDescription) -> None:
        """Share a device with as many as ours do."""
        self.entity_description = description
        self._attr_unique_id = f"bare-{number}-{description.key}"
        self._attr_device_info = DeviceInfo(identifiers={("bare", str(number))})

    def lay_ready(self, curtailment: Curtailment) -> None:
        """Have the value and the attributes that this curtailment has."""
        self._attr_is_on = self.entity_description.is_on_fn(curtailment)
        self._attr_extra_state_attributes = self.entity_description.attributes_fn(
            curtailment
        )
