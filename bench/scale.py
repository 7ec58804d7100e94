"""How set-up, memory and a dispatch to all sites grow with their number.

Beside it a bare integration with as many sensors on as many devices.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import gc
import math
from statistics import linear_regression, median
from time import thread_time
import tracemalloc
from typing import final
from unittest.mock import patch

from homeassistant.components.sensor import SensorEntity
from homeassistant.config_entries import ConfigEntry, ConfigFlow
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddEntitiesCallback
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockModule,
    MockPlatform,
    mock_config_flow,
    mock_integration,
    mock_platform,
)

from custom_components.voltus.aiovoltus.client import VoltusClient
from sandbox.server import LocalVoltus, serve
from tests.builders import wire_dispatch

from .elsewhere import KEY
from .figures import Figure, ratio_at_most
from .home import home, set_up
from .wire import scenario, site_ids, wire_sites

ROUNDS = {1: 3, 100: 3, 1000: 3, 1200: 1}
"""How often each number of sites is set up.

Home Assistant allows 10,000 enabled entities of a config entry: 1,248 sites of ours.
"""
PER_SITE = 8
OF_ACCOUNT = 5
TURNING = PER_SITE - 2
"""How many of a site's change at a start: all but `next_start` and the button."""


@final
@dataclass(frozen=True, slots=True)
class Size:
    """Seconds for so many sites: set-up, the bare set-up, and a dispatch to all."""

    sites: int
    entities: int
    set_up: float
    bare: float
    dispatch: float


@final
@dataclass(frozen=True, slots=True)
class Scale:
    """All sizes; bytes of memory per site, ours and the bare integration's."""

    sizes: tuple[Size, ...]
    memory: float
    bare_memory: float

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Return set-up per entity, memory per site, and how both grow."""
        set_ups = {size.sites: size.set_up for size in self.sizes}
        to_all = {size.sites: size.dispatch for size in self.sizes}
        return (
            *(
                Figure(
                    f"set-up per entity, {size.sites:,} sites, beside bare sensors",
                    size.set_up / size.entities * 1e6,
                    "µs",
                    size.bare / size.entities * 1e6,
                    ratio_at_most(1.5) if 100 <= size.sites <= 1000 else None,
                )
                for size in self.sizes
            ),
            *(
                Figure(
                    f"a dispatch to all of {size.sites:,} sites, from bytes to last state",
                    size.dispatch * 1000,
                    "ms",
                )
                for size in self.sizes
            ),
            Figure(
                "memory per site, beside bare sensors",
                self.memory / 1024,
                "KiB",
                self.bare_memory / 1024,
            ),
            Figure("exponent of set-up by sites (1 is linear)", exponent(set_ups), ""),
            Figure("exponent of a dispatch by sites", exponent(to_all), ""),
        )


async def measure(rounds: Mapping[int, int] = ROUNDS, weighed: int = 500) -> Scale:
    """Set up ever more sites, in turns with bare sensors; weigh so many of them."""
    sizes = tuple([await _size(sites, each) for sites, each in rounds.items()])
    ours, bare = await _weigh(weighed)
    return Scale(sizes, ours / weighed, bare / weighed)


def exponent(seconds: Mapping[int, float]) -> float:
    """Return the slope of a line through the logarithms, from 100 sites on.

    Below that, what does not depend on the sites outweighs what does.
    """
    points = {x: y for x, y in seconds.items() if x >= 100} or seconds
    return linear_regression(
        [math.log(x) for x in points], [math.log(y) for y in points.values()]
    ).slope


async def _size(sites: int, rounds: int) -> Size:
    entities = PER_SITE * (sites + 1) + OF_ACCOUNT
    set_ups, bares, to_all = [], [], []
    for _ in range(rounds):
        bares.append(await _bare(entities))
        set_up_time, dispatch_time = await _ours(sites, entities)
        set_ups.append(set_up_time)
        to_all.append(dispatch_time)
    return Size(sites, entities, median(set_ups), median(bares), median(to_all))


async def _ours(sites: int, entities: int) -> tuple[float, float]:
    """Return the seconds for the set-up, and for a dispatch to all sites."""
    voltus = LocalVoltus()
    account = voltus.accounts[KEY]
    account.sites = wire_sites(sites)
    async with serve(voltus) as url, home() as hass:
        gc.collect()
        begun = thread_time()
        coordinator = await set_up(hass, url)
        spent = thread_time() - begun
        assert len(er.async_get(hass).entities) == entities

        now = datetime.now(UTC)
        amounts = dict.fromkeys(site_ids(sites), 100.0)
        account.scenario = scenario(
            [wire_dispatch("to-all", now, now + timedelta(hours=1), amounts)]
        )
        with _noted(hass) as (arrived, written):
            await coordinator.async_refresh()
            await hass.async_block_till_done()
        assert len(written) >= sites * TURNING
        return spent, written[-1] - arrived[0]


@contextmanager
def _noted(hass: HomeAssistant) -> Iterator[tuple[list[float], list[float]]]:
    """Note when lists arrive and when states are written, in seconds."""
    arrived: list[float] = []
    written: list[float] = []
    dispatches = VoltusClient.dispatches

    async def arriving(client: VoltusClient) -> bytes:
        content = await dispatches(client)
        arrived.append(thread_time())
        return content

    @callback
    def writing(_event: Event[EventStateChangedData]) -> None:
        written.append(thread_time())

    unsub = hass.bus.async_listen(EVENT_STATE_CHANGED, writing)
    with patch.object(VoltusClient, "dispatches", arriving):
        yield arrived, written
    unsub()


async def _bare(entities: int) -> float:
    """Return the seconds for setting up so many bare sensors."""
    async with home() as hass:
        gc.collect()
        begun = thread_time()
        await set_up_bare(hass, map(BareSensor, range(entities)))
        spent = thread_time() - begun
        assert len(er.async_get(hass).entities) == entities
        return spent


async def set_up_bare(hass: HomeAssistant, entities: Iterable[Entity]) -> None:
    """Set up an integration that has these entities and nothing else."""

    async def set_up_entry(hass: HomeAssistant, entry: ConfigEntry) -> bool:
        await hass.config_entries.async_forward_entry_setups(entry, ["sensor"])
        return True

    async def set_up_platform(
        hass: HomeAssistant,
        entry: ConfigEntry,
        async_add_entities: AddEntitiesCallback,
    ) -> None:
        async_add_entities(entities)

    mock_integration(hass, MockModule("bare", async_setup_entry=set_up_entry))
    mock_platform(hass, "bare.config_flow")
    mock_platform(hass, "bare.sensor", MockPlatform(async_setup_entry=set_up_platform))
    entry = MockConfigEntry(domain="bare")
    entry.add_to_hass(hass)
    with mock_config_flow("bare", ConfigFlow):
        assert await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()


class BareSensor(SensorEntity):
    """The least that a sensor with a device can be."""

    _attr_has_entity_name = True
    _attr_native_value = 0

    def __init__(self, number: int) -> None:
        """Share a device with as many as ours do."""
        device = f"device-{number // PER_SITE}"
        self._attr_name = f"Sensor {number % PER_SITE}"
        self._attr_unique_id = f"bare-{number}"
        self._attr_device_info = DeviceInfo(identifiers={("bare", device)}, name=device)


async def _weigh(sites: int) -> tuple[int, int]:
    """Return the bytes that so many sites take, and as many bare sensors."""
    voltus = LocalVoltus()
    voltus.accounts[KEY].sites = wire_sites(sites)
    async with serve(voltus) as url, home() as hass:
        with _weighed() as ours:
            await set_up(hass, url)
    async with home() as hass:
        with _weighed() as bare:
            await set_up_bare(hass, map(BareSensor, range(PER_SITE * sites)))
    return ours[0], bare[0]


@contextmanager
def _weighed() -> Iterator[list[int]]:
    """Weigh in bytes what is allocated and kept until the end of the context."""
    kept: list[int] = []
    tracemalloc.start()
    try:
        yield kept
        gc.collect()
        kept.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
