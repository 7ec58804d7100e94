"""How long after its planned instant a start or an end is written as a state.

Beside it a poller as Voltus' tutorial describes it: it asks every 30 seconds, and acts
at once on what it then finds.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import gc
from itertools import pairwise
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
from homeassistant.helpers.event import async_track_time_interval

from tests.builders import wire_dispatch

from .elsewhere import Published, voltus_elsewhere
from .figures import Figure, at_most, ratio_at_most
from .home import entity_id, home, set_up
from .telemetry import mapping, show
from .wire import scenario, site_ids, wire_sites

POLLER_PERIOD = 30.0
POLLERS = 1000
SHOWN_EVERY = timedelta(seconds=5)

type Window = tuple[datetime, datetime]


@final
@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds from each planned boundary to its state; the poller's with many phases.

    `polls` are the seconds from one poll of ours to the next.
    """

    ours: tuple[float, ...]
    poller: tuple[float, ...]
    polls: tuple[float, ...] = ()

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


@final
@dataclass(frozen=True, slots=True)
class Metered:
    """Delays while the telemetry of so many meters is sent, beside those without it."""

    meters: int
    delays: Delays
    without: Delays

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Return the middle, the slowest hundredth and the slowest, in ms."""
        what = f"signal delay with {self.meters} meters"
        with_, without = self.delays.ours, self.without.ours
        goal = at_most(20, "ms")
        rows = (
            ("p50", percentile(with_, 50), percentile(without, 50), None),
            ("p99", percentile(with_, 99), percentile(without, 99), goal),
            ("max", max(with_), max(without), None),
        )
        return (
            *(
                Figure(f"{what}, {name}", own * 1000, "ms", other * 1000, goal)
                for name, own, other, goal in rows
            ),
            Figure(
                f"longest from poll to poll with {self.meters} meters",
                max(self.delays.polls, default=0.0),
                "s",
                max(self.without.polls, default=0.0),
            ),
        )


async def measure_metered(
    windows: int = 110, seconds: float = 60, head_start: float = 10, meters: int = 100
) -> Metered:
    """Live through the same twice, without meters and with so many."""
    without = await measure(windows, seconds, head_start)
    delays = await measure(windows, seconds, head_start, meters)
    return Metered(meters, delays, without)


async def measure(
    windows: int = 110, seconds: float = 60, head_start: float = 10, meters: int = 0
) -> Delays:
    """Live through windows that begin and end by chance within so many seconds.

    All is set up within the head start. Of so many meters the telemetry is sent, from
    sensors that all change every few seconds.
    """
    random = Random(5)
    async with home() as hass:
        begin = datetime.now(UTC) + timedelta(seconds=head_start)
        planned = {
            site_id: _window(random, begin, seconds) for site_id in site_ids(windows)
        }
        with voltus_elsewhere(_published(planned, meters)) as url:
            _show_all(hass, meters)
            account = await set_up(hass, url, map(mapping, range(meters)))
            gc.collect()
            assert datetime.now(UTC) < begin
            until = begin + timedelta(seconds=seconds + 1)
            with _showing(hass, meters):
                written = await _written(hass, planned, until)
            polls = [each.at for each in account.recent.polls]
            sent = map(account.telemetry.sent_until, account.telemetry.meters)
            assert all(each and (each > begin or seconds < 60) for each in sent)
    ours = [
        written[site_id, state] - boundary.timestamp()
        for site_id, window in planned.items()
        for state, boundary in zip(("on", "off"), window, strict=True)
    ]
    return Delays(
        tuple(ours),
        tuple(_poller(random, planned.values())),
        tuple((b - a).total_seconds() for a, b in pairwise(polls)),
    )


def percentile(values: Iterable[float], percent: int) -> float:
    """Return what so many percent of the values are not above."""
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def _window(random: Random, begin: datetime, seconds: float) -> Window:
    """Return a start and an end, a second or more apart."""
    start, end = sorted(random.uniform(0, seconds - 1) for _ in range(2))
    return begin + timedelta(seconds=start), begin + timedelta(seconds=end + 1)


@contextmanager
def _showing(hass: HomeAssistant, meters: int) -> Iterator[None]:
    """Have the sensors of meters show something else every few seconds."""
    stop = async_track_time_interval(
        hass, callback(lambda _: _show_all(hass, meters)), SHOWN_EVERY
    )
    try:
        yield
    finally:
        stop()


@callback
def _show_all(hass: HomeAssistant, meters: int) -> None:
    now = datetime.now(UTC)
    for number in range(meters):
        show(hass, number, now.timestamp() % 100 + number, now)


def _published(planned: Mapping[str, Window], meters: int) -> Published:
    """Return a dispatch for each site."""
    return Published(
        scenario(
            wire_dispatch(f"for-{site_id}", start, end, {site_id: 100.0})
            for site_id, (start, end) in planned.items()
        ),
        wire_sites(len(planned), meters),
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
