"""All dispatches, past and to come, as a calendar."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import override

from homeassistant.components.calendar import CalendarEntity, CalendarEvent
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util.dt import as_local

from .aiovoltus.models import Dispatch
from .aiovoltus.schedule import Status, status
from .announcing.wording import kilowatts, showable
from .coordinator import VoltusConfigEntry
from .entity import VoltusEntity

PARALLEL_UPDATES = 0

# Voltus' own notebook pads an unknown end by 24 hours as well.
OPEN_END_STEP = timedelta(hours=24)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: VoltusConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the one calendar of the account."""
    async_add_entities([DispatchCalendar(entry.runtime_data, "dispatches")])


class DispatchEvent(CalendarEvent):
    """An event that is under way by its instants, whatever the clocks do meanwhile.

    Home Assistant compares local times as they stand on the clock. In the hour that
    comes twice when clocks are set back, `start` may so come after the real end, which
    is refused: there `end` is the start and the real duration on the clock.
    """

    instants: tuple[datetime, datetime]

    @property
    @override
    def start_datetime_local(self) -> datetime:
        """Return the start, by an offset of its own: it compares as an instant."""
        return self.instants[0]

    @property
    @override
    def end_datetime_local(self) -> datetime:
        """Return the real end likewise."""
        return self.instants[1]


@dataclass(frozen=True, slots=True)
class _Found:
    """The event to show from one instant until another, as far as it is known now."""

    dispatches: Mapping[str, Dispatch]
    since: datetime
    until: datetime
    event: CalendarEvent | None

    def still_holds(self, dispatches: Mapping[str, Dispatch], now: datetime) -> bool:
        return self.dispatches is dispatches and self.since <= now < self.until


class DispatchCalendar(VoltusEntity, CalendarEntity):
    """What Voltus says, tests and cancelled dispatches included and marked."""

    _shown: tuple[Mapping[str, Dispatch], CalendarEvent | None, str]
    _found: _Found | None = None

    @override
    async def async_added_to_hass(self) -> None:
        """Note what the first state shows."""
        await super().async_added_to_hass()
        self._shown = self._now_shown

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the state, and have open calendars read again, if there is news.

        Home Assistant writes it at the start and end of `event` by itself; we do if
        its timer was late, as after the machine was suspended.
        """
        if (shown := self._now_shown) != self._shown:
            self._shown = shown
            super()._handle_coordinator_update()

    @property
    def _now_shown(self) -> tuple[Mapping[str, Dispatch], CalendarEvent | None, str]:
        return self._dispatches, self.event, self.state

    @property
    @override
    def event(self) -> CalendarEvent | None:
        """Return the dispatch that is under way, else the next one.

        Home Assistant asks for it several times for each state that it writes.
        """
        now, found = self.coordinator.now(), self._found
        if not found or not found.still_holds(self._dispatches, now):
            found = self._found = _find(self._dispatches, now)
        return found.event

    @override
    async def async_get_events(
        self, hass: HomeAssistant, start_date: datetime, end_date: datetime
    ) -> list[CalendarEvent]:
        """Return every dispatch that overlaps the range, in order."""
        now = self.coordinator.now()
        dispatches = {**self.coordinator.log.past, **self._dispatches}
        return [
            _event(dispatch, now)
            for dispatch in sorted(dispatches.values(), key=lambda d: (_start(d), d.id))
            if _start(dispatch) < _end(dispatch, now)
            and _start(dispatch) < end_date
            and _end(dispatch, now) > start_date
        ]

    @property
    def _dispatches(self) -> Mapping[str, Dispatch]:
        return self.coordinator.data.snapshot.dispatches


def _find(dispatches: Mapping[str, Dispatch], now: datetime) -> _Found:
    """Find what is under way, else what is next, and until when it is."""
    ahead = [d for d in dispatches.values() if not status(d, now).over]
    if not ahead:
        return _Found(dispatches, now, datetime.max.replace(tzinfo=UTC), None)
    next_start = max(min(dispatch.start_time for dispatch in ahead), now)
    first = min(
        (dispatch for dispatch in ahead if dispatch.start_time <= next_start),
        key=lambda dispatch: (_end(dispatch, now), dispatch.id),
    )
    starts = (d.start_time for d in ahead if d.start_time > now)
    return _Found(dispatches, now, min([_end(first, now), *starts]), _event(first, now))


def _start(dispatch: Dispatch) -> datetime:
    return showable(dispatch.start_time)


def _end(dispatch: Dispatch, now: datetime) -> datetime:
    """Return the end; an unknown one rolls on by whole days from the start.

    Of an open-ended dispatch that was cancelled, the first of these days is shown.
    """
    if dispatch.end_time is not None:
        return showable(dispatch.end_time)
    start = _start(dispatch)
    past = max(now - start, timedelta(0)) if not status(dispatch, now).over else None
    days = 1 if past is None else past // OPEN_END_STEP + 1
    return start + days * OPEN_END_STEP


def _event(dispatch: Dispatch, now: datetime) -> CalendarEvent:
    program = dispatch.program
    cancelled = status(dispatch, now) is Status.CANCELLED
    start, end = as_local(_start(dispatch)), as_local(_end(dispatch, now))
    event = DispatchEvent(
        start=start,
        end=max(end, start + (end.astimezone(UTC) - start.astimezone(UTC))),
        summary=(
            ("Cancelled: " if cancelled else "")
            + ("Test: " if dispatch.test else "")
            + ("Drill: " if dispatch.drill else "")
            + (program.name if program and program.name else "Dispatch")
        ),
        description="\n".join(
            site.name
            if site.commitment is None
            else f"{site.name}: {kilowatts(site.commitment)}"
            for site in dispatch.sites
        ),
        uid=dispatch.id,
    )
    event.instants = _with_offset(start), _with_offset(end)
    return event


def _with_offset(local: datetime) -> datetime:
    return local.replace(tzinfo=timezone(local.utcoffset() or timedelta(0)))
