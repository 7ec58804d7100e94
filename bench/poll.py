"""What a poll costs that brings the same bytes as the last one."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import final
from unittest.mock import patch

from homeassistant.const import EVENT_STATE_CHANGED, EVENT_STATE_REPORTED
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from custom_components.voltus.asking import conversation
from custom_components.voltus.coordinator import VoltusCoordinator

from .elsewhere import KEY, Published, voltus_elsewhere
from .figures import Figure, above_at_most, at_most
from .home import home, set_up
from .rounds import in_turns
from .wire import dispatches, scenario, wire_sites

SIZES = (1, 100, 1000)
SITES = 10


@final
@dataclass(frozen=True, slots=True)
class UnchangedPoll:
    """Seconds of CPU for a list of so many dispatches, and what was done for nothing."""

    size: int
    ours: float
    bare: float
    compare: float
    idle_work: int


@final
@dataclass(frozen=True, slots=True)
class UnchangedPolls:
    """One poll per size."""

    polls: tuple[UnchangedPoll, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Return the cost beside a bare GET, and that nothing else was done."""
        return (
            *(
                Figure(
                    f"unchanged poll of {poll.size:,} x {SITES}, CPU, beside {name}",
                    poll.ours * 1e6,
                    "µs",
                    floor * 1e6,
                    goal,
                )
                for poll in self.polls
                for name, floor, goal in (
                    ("a bare GET", poll.bare, above_at_most(150, "µs")),
                    ("a bare GET and ==", poll.compare, None),
                )
            ),
            Figure(
                "states written, entities called, JSON read in unchanged polls",
                sum(poll.idle_work for poll in self.polls),
                "",
                goal=at_most(0, ""),
            ),
        )


async def measure(sizes: tuple[int, ...] = SIZES, rounds: int = 60) -> UnchangedPolls:
    """Poll the same list again and again, in turns with a bare GET of it."""
    return UnchangedPolls(tuple([await _poll(size, rounds) for size in sizes]))


async def _poll(size: int, rounds: int) -> UnchangedPoll:
    listed = dispatches(size, SITES, datetime.now(UTC))
    published = Published(scenario(listed), wire_sites(SITES))
    with voltus_elsewhere(published) as url:
        async with home() as hass:
            coordinator = await set_up(hass, url)
            idle_work = await _idle_work(hass, coordinator)
            session = async_get_clientsession(hass)

            async def bare() -> bytes:
                async with session.get(
                    f"{url}/2022-04-15/dispatches", headers={"X-Voltus-API-Key": KEY}
                ) as response:
                    return await response.read()

            before = await bare()

            async def compare() -> bool:
                return await bare() == before

            spent = await in_turns(
                rounds,
                {"ours": coordinator.async_refresh, "bare": bare, "compare": compare},
            )
    return UnchangedPoll(size, idle_work=idle_work, **spent)


async def _idle_work(hass: HomeAssistant, coordinator: VoltusCoordinator) -> int:
    """Return how often anything is written, called or read in one unchanged poll."""
    done: list[object] = []

    @callback
    def everything(_data: object) -> bool:
        return True

    unsub = (
        coordinator.async_add_listener(lambda: done.append("called")),
        hass.bus.async_listen(EVENT_STATE_CHANGED, done.append, everything),
        hass.bus.async_listen(EVENT_STATE_REPORTED, done.append, everything),
    )
    with patch.object(conversation, "decoded", side_effect=done.append):
        await coordinator.async_refresh()
        await hass.async_block_till_done()
    for each in unsub:
        each()
    return len(done)
