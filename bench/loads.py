"""What it takes to shed many loads at once, and how long others wait for it."""

from dataclasses import dataclass
import gc
from statistics import median
from time import perf_counter
from typing import final

from homeassistant.core import HomeAssistant, ServiceCall, callback
from homeassistant.setup import async_setup_component

from custom_components.voltus.const import DOMAIN

from .figures import Figure, at_most
from .home import home
from .rounds import callbacks_timed

LOADS = 500


@final
@dataclass(frozen=True, slots=True)
class Shed:
    """Several sheddings of so many loads, each figure in seconds and one per shedding.

    From the call to the last command, and the longest callback of the event loop.
    """

    loads: int
    last_told: tuple[float, ...]
    blocks: tuple[float, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Return how late the last load is told, and the longest block: the worst."""
        what = f"{self.loads:,} loads shed"
        return (
            Figure(
                f"{what}, until the last is told, median",
                median(self.last_told) * 1000,
                "ms",
                None,
                at_most(1000, "ms"),
            ),
            Figure(
                f"{what}, longest block of the event loop",
                max(self.blocks) * 1000,
                "ms",
                None,
                at_most(50, "ms"),
            ),
        )


async def measure(loads: int = LOADS, rounds: int = 5) -> Shed:
    """Shed so many loads so often."""
    last_told, blocks = [], []
    async with home() as hass:
        assert await async_setup_component(hass, DOMAIN, {})
        told = _radio(hass)
        for number in range(rounds):
            # Those of the rounds before are held as well: more than anybody has.
            entity_ids = [f"switch.load_{number}_{each}" for each in range(loads)]
            for entity_id in entity_ids:
                hass.states.async_set(entity_id, "on")
            await hass.async_block_till_done()
            gc.collect()
            told.clear()
            begun = perf_counter()
            with callbacks_timed() as callbacks:
                await _call(hass, "shed", entity_id=entity_ids)
                await hass.async_block_till_done(wait_background_tasks=True)
            assert told.keys() == set(entity_ids)
            last_told.append(max(told.values()) - begun)
            blocks.append(max(callbacks))
    return Shed(loads, tuple(last_told), tuple(blocks))


def _radio(hass: HomeAssistant) -> dict[str, float]:
    """Have switches that answer at once. Return when each was last told to go off."""
    told: dict[str, float] = {}

    @callback
    def turn_off(call: ServiceCall) -> None:
        entity_id = call.data["entity_id"]
        told[entity_id] = perf_counter()
        hass.states.async_set(entity_id, "off", context=call.context)

    hass.services.async_register("switch", "turn_off", turn_off)
    return told


async def _call(hass: HomeAssistant, action: str, **data: object) -> None:
    await hass.services.async_call(
        DOMAIN, action, {"scope": "bench", **data}, blocking=True
    )
