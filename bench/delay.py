"""How long after its planned instant a start or an end is written as a state.

Beside it a poller as Voltus' tutorial describes it: it asks every 30 seconds, and acts
at once on what it then finds.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import fmean, quantiles
from typing import final

from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import (
    Event,
    EventStateChangedData,
    HomeAssistant,
    callback,
)

from tests.builders import wire_dispatch

from .elsewhere import Published, voltus_elsewhere
from .figures import Figure, at_most, ratio_at_most
from .home import entity_id, home, set_up
from .wire import scenario, site_ids, wire_sites

POLLER_PERIOD = 30.0
POLLERS = 1000

type Window = tuple[datetime, datetime]


@final
@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds from each planned boundary to its state; the poller's with many phases."""

    ours: tuple[float, ...]
    poller: tuple[float, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Return the middle, the slowest hundredth and the slowest, in ms."""
        mean = fmean(self.poller) * 1000
        rows = (
            ("p50", percentile(self.ours, 50), percentile(self.poller, 50)),
            ("p99", percentile(self.ours, 99), percentile(self.poller, 99)),
            ("max", max(self.ours), max(self.poller)),
        )
        goals = {"p99": at_most(20, "ms")}
        return (
            *(
                Figure(
                    f"signal delay, {name}, of {len(self.ours)} boundaries",
                    ours * 1000,
                    "ms",
                    poller * 1000,
                    goals.get(name),
                )
                for name, ours, poller in rows
            ),
            Figure(
                "signal delay, p99, beside the poller's mean",
                percentile(self.ours, 99) * 1000,
                "ms",
                mean,
                ratio_at_most(1 / 500),
            ),
        )


async def measure(
    windows: int = 110, seconds: float = 60, head_start: float = 10
) -> Delays:
    """Live through windows that begin and end by chance within so many seconds.

    All is set up within the head start.
    """
    random = Random(5)
    async with home() as hass:
        begin = datetime.now(UTC) + timedelta(seconds=head_start)
        planned = {
            site_id: _window(random, begin, seconds) for site_id in site_ids(windows)
        }
        with voltus_elsewhere(_published(planned)) as url:
            await set_up(hass, url)
            assert datetime.now(UTC) < begin
            until = begin + timedelta(seconds=seconds + 1)
            written = await _written(hass, planned, until)
    ours = [
        written[site_id, state] - boundary.timestamp()
        for site_id, window in planned.items()
        for state, boundary in zip(("on", "off"), window, strict=True)
    ]
    return Delays(tuple(ours), tuple(_poller(random, planned.values())))


def percentile(values: Iterable[float], percent: int) -> float:
    """Return what so many percent of the values are not above."""
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def _window(random: Random, begin: datetime, seconds: float) -> Window:
    """Return a start and an end, a second or more apart."""
    start, end = sorted(random.uniform(0, seconds - 1) for _ in range(2))
    return begin + timedelta(seconds=start), begin + timedelta(seconds=end + 1)


def _published(planned: Mapping[str, Window]) -> Published:
    """Return a dispatch for each site."""
    return Published(
        scenario(
            wire_dispatch(f"for-{site_id}", start, end, {site_id: 100.0})
            for site_id, (start, end) in planned.items()
        ),
        wire_sites(len(planned)),
    )


async def _written(
    hass: HomeAssistant, planned: Iterable[str], until: datetime
) -> dict[tuple[str, str], float]:
    """Return when each state of each site's `curtail` was written, as a timestamp."""
    written: dict[tuple[str, str], float] = {}
    site_of = {entity_id(hass, site_id): site_id for site_id in planned}

    @callback
    def note(event: Event[EventStateChangedData]) -> None:
        site_id = site_of.get(event.data["entity_id"])
        if site_id and (state := event.data["new_state"]):
            written[site_id, state.state] = event.time_fired_timestamp

    hass.bus.async_listen(EVENT_STATE_CHANGED, note)
    await asyncio.sleep((until - datetime.now(UTC)).total_seconds())
    return written


def _poller(random: Random, windows: Iterable[Window]) -> Iterable[float]:
    """Yield the delays of many pollers, each with a phase of its own."""
    phases = [random.uniform(0, POLLER_PERIOD) for _ in range(POLLERS)]
    for window in windows:
        for boundary in window:
            for phase in phases:
                yield (phase - boundary.timestamp()) % POLLER_PERIOD
