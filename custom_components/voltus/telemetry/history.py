"""What the recorder still has of entities, for the time that was not sent."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from homeassistant.core import HomeAssistant, State

from ..metering.intervals import Reading, timeline
from .meters import reading

SLICE: Final = timedelta(hours=6)
"""So much is asked for at once, so that nobody else waits long for the recorder."""


async def async_readings(
    hass: HomeAssistant,
    entity_id: str,
    since: datetime,
    until: datetime,
    *,
    counter: bool,
) -> tuple[Reading, ...]:
    """Return what an entity showed, in kW, or of a counter or a charge in kWh."""
    states = await _async_states(hass, entity_id, since, until)
    return timeline(filter(None, (reading(each, counter=counter) for each in states)))


async def _async_states(
    hass: HomeAssistant, entity_id: str, since: datetime, until: datetime
) -> list[State]:
    """Return the states of an entity, the one at the beginning included."""
    if "recorder" not in hass.config.components:
        return []
    from homeassistant.components.recorder import get_instance  # noqa: PLC0415
    from homeassistant.components.recorder.history import (  # noqa: PLC0415
        state_changes_during_period,
    )

    def states(start: datetime, end: datetime) -> Iterable[State]:
        found = state_changes_during_period(
            hass, start, end, entity_id, include_start_time_state=True
        )
        return found.get(entity_id, [])

    found: list[State] = []
    while since < until:
        end = min(since + SLICE, until)
        found += await get_instance(hass).async_add_executor_job(states, since, end)
        since = end
    return found
