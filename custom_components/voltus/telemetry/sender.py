"""Makes rows of what meters show, and gives them to Voltus until it has them all."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from random import random
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import (
    CALLBACK_TYPE,
    Event,
    EventStateChangedData,
    HomeAssistant,
    callback,
)
from homeassistant.helpers.event import (
    async_call_later,
    async_track_state_change_event,
    async_track_time_interval,
)

from ..account.issues import Issue, names
from ..aiovoltus.errors import (
    VoltusError,
    VoltusRequestError,
    VoltusTooLargeError,
)
from ..aiovoltus.models import Site, parse_time
from ..aiovoltus.telemetry import (
    MOST_ROWS,
    ControllableLoadRow,
    Outbox,
    Span,
    TelemetryRow,
    parts,
)
from ..asking.conversation import Conversation
from ..const import LOGGER
from ..metering.intervals import (
    LONGEST,
    Reading,
    Row,
    aligned,
    last_values,
    merged,
)
from ..remembering.files import CheckedStore, NotWrittenError, async_load_or_set_aside
from .controllable import ControllableLoad, controllable_loads
from .history import SLICE, async_readings
from .meters import MappedMeter, mapped_meters, reading, rows_of
from .self_check import SelfCheck

EVERY: Final = timedelta(seconds=30)
SETTLED: Final = timedelta(seconds=2)
"""After its end an interval has a row: until then a state may still come."""
SPREAD: Final = 6
"""Seconds over which the instances of one network give their rows."""
CHECKED: Final = timedelta(hours=1)
"""After midnight in UTC, and up to so much more, yesterday is read back."""
SAVED_EVERY: Final = timedelta(minutes=5)
REBUILT: Final = timedelta(days=7)
"""How far back what was not sent is rebuilt from the recorder."""
AT_ONCE: Final = 50
"""Meters whose rows are made before anybody else's turn."""
CATCHING_UP: Final = 15
"""Seconds that one round may take for it."""
GIVEN_UP: Final = 2 * LONGEST
"""So long a counter may keep silent and still have its next row begin where it was."""
LONGEST_PAUSE: Final = timedelta(minutes=5)
SHORTEST_PAUSE: Final = timedelta(seconds=15)
LATE: Final = timedelta(minutes=15)
LATE_CURTAILING: Final = timedelta(minutes=5)
UNREAD: Final = timedelta(hours=1)


class Telemetry:
    """Sends the telemetry of one account. Off until a meter is mapped.

    It never delays a poll or a boundary: it works in a task of its own, one request at a
    time, and keeps the pauses that Voltus asks for.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        conversation: Conversation,
        is_curtailing: Callable[[], bool],
        sites: Callable[[], Mapping[str, Site]],
        changed: Callable[[], None],
    ) -> None:
        """Prepare to send of the meters of `sites`, as Voltus lists them.

        `changed` is called when there is something new to show.
        """
        self._hass = hass
        self._entry = entry
        self._conversation = conversation
        self._is_curtailing = is_curtailing
        self._sites = sites
        self._listeners: set[Callable[[], None]] = set()
        self._changed = changed
        self._store = CheckedStore(hass, f"{entry.entry_id}.telemetry")
        self._readings: dict[str, tuple[Reading, ...]] = {}
        self._outbox = Outbox()
        self._seen, self._seen_until = self._outbox, dict[str, datetime]()
        self._shown_by: Mapping[str, Sequence[MappedMeter]] = {}
        self._unsub_ticks: CALLBACK_TYPE | None = None
        self._unsub_soon: CALLBACK_TYPE | None = None
        self._unsub_states: CALLBACK_TYPE | None = None
        self._at_work = False
        self._failures = 0
        self._not_before: datetime | None = None
        self._saved_at: datetime | None = None
        self._saved: Mapping[str, str] = {}
        self._check = SelfCheck(conversation, CHECKED * (1 + random()))
        self._loaded = False
        self._shown: tuple[object, ...] = ()
        self.meters: Mapping[str, MappedMeter] = self._mapped()
        self.controllable: Mapping[str, ControllableLoad] = self._controllable()

    async def async_start(self) -> None:
        """Take up what was sent, and go on from there; call it once all is started."""
        self._saved = await async_load_or_set_aside(self._store, self._noted) or {}
        self._loaded = True
        self._map()
        self._lack_what_was_not_sent()
        self._unsub_ticks = async_track_time_interval(self._hass, self._on_tick, EVERY)

    @callback
    def async_apply_entry(self) -> None:
        """Act on mappings that were added, changed or removed."""
        if self._loaded:
            self._map()
            self._changed()

    async def async_stop(self) -> None:
        """Follow nothing any more, and note until when Voltus has everything."""
        if not self._loaded:
            return
        self._loaded = False
        for unsub in (self._unsub_states, self._unsub_ticks, self._unsub_soon):
            if unsub:
                unsub()
        await self._save()

    @callback
    def async_add_listener(self, listener: Callable[[], None]) -> CALLBACK_TYPE:
        """Have a listener called after each round; entities of an account are not."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def sent_until(self, meter_id: str) -> datetime | None:
        """Return until when Voltus has everything of a meter."""
        return self._sent_until().get(meter_id)

    def _sent_until(self) -> Mapping[str, datetime]:
        """Return that of all meters; of many rows it is found out once."""
        if self._seen is not self._outbox:
            self._seen, self._seen_until = self._outbox, self._outbox.sent_until()
        return self._seen_until

    def is_late(self, meter_ids: Iterable[str]) -> bool:
        """Whether Voltus lacks what these meters measured some time ago."""
        now = self._conversation.now()
        known = filter(None, map(self.sent_until, meter_ids))
        behind = now - min(known, default=now)
        return behind > LATE or (behind > LATE_CURTAILING and self._is_curtailing())

    def issues(self) -> list[Issue]:
        """Return what the operator has to know."""
        refused = self._outbox.refused
        unread = [each.source for each in self.meters.values() if self._is_unread(each)]
        found = []
        if refused:
            reasons = {each.reason for each in refused.values()}
            meters = [self.meters[each].name for each in refused]
            found.append(
                Issue(
                    "meters_refused",
                    {"meters": names(meters), "reason": names(reasons)},
                )
            )
        if gone := self._gone():
            found.append(Issue("meters_gone", {"meters": names(gone)}))
        if unread:
            found.append(Issue("meters_unread", {"entities": names(unread)}))
        return [*found, *self._check.issues(self.meters)]

    def _gone(self) -> list[str]:
        """Return the names of mapped meters that Voltus lists no more."""
        sites = self._sites().values()
        listed = {meter.id for site in sites for meter in site.meters}
        mapped = self.meters.values() if sites else ()
        return [each.name for each in mapped if each.meter_id not in listed]

    def _to_show(self) -> tuple[object, ...]:
        """Return all that entities and notices show."""
        return self.issues(), [self.is_late([each]) for each in self.meters]

    def _is_unread(self, meter: MappedMeter) -> bool:
        """Whether an entity has shown nothing that can be used for an hour."""
        readings = self._readings.get(meter.source, ())
        last = readings[-1] if readings else None
        now = self._conversation.now()
        return (
            last is not None and last.value is None and now - last.at >= UNREAD
        ) or (last is None and self._hass.states.get(meter.source) is None)

    def _mapped(self) -> dict[str, MappedMeter]:
        found = mapped_meters(self._hass, self._entry)
        return {each.meter_id: each for each in found}

    def _controllable(self) -> dict[str, ControllableLoad]:
        found = controllable_loads(self._hass, self._entry)
        return {each.site_id: each for each in found}

    @callback
    def _map(self) -> None:
        """Follow the entities of the meters that are mapped, and no others."""
        mapped = self._mapped()
        now = self._conversation.now()
        kept = {i for i, each in mapped.items() if self.meters.get(i) in (each, None)}
        self._outbox = self._outbox.only(kept)
        self._check.follow(kept, mapped)
        begun = {i: now for i in mapped if i not in self._outbox.produced}
        self._outbox = self._outbox.added((), begun, now)
        self.meters = mapped
        self.controllable = self._controllable()
        entity_ids: dict[str, list[MappedMeter]] = {}
        for meter in mapped.values():
            for entity_id in meter.entity_ids:
                entity_ids.setdefault(entity_id, []).append(meter)
        self._shown_by = entity_ids
        self._readings = {e: self._readings.get(e, ()) for e in entity_ids}
        for entity_id in entity_ids:
            self._read(entity_id)
        if self._unsub_states:
            self._unsub_states()
        self._unsub_states = async_track_state_change_event(
            self._hass, [*entity_ids], self._on_state
        )

    def _lack_what_was_not_sent(self) -> None:
        """Have what was measured since Voltus had everything made from the recorder."""
        now = self._conversation.now()
        for meter in self.meters.values():
            if saved := self._saved.get(meter.meter_id):
                since = max(parse_time(saved), now - REBUILT)
                # The interval of now has begun without us.
                until = aligned(now, meter.interval)
                until += timedelta(0) if until == now else meter.interval
                if since < until:
                    span = Span(since, until)
                    self._outbox = self._outbox.lacking(meter.meter_id, span)

    @callback
    def _on_state(self, event: Event[EventStateChangedData]) -> None:
        self._read(event.data["entity_id"])

    def _read(self, entity_id: str) -> None:
        for meter in self._shown_by[entity_id]:
            state = self._hass.states.get(entity_id)
            counter = meter.counts or entity_id == meter.charge
            if found := reading(state, counter=counter):
                self._add(entity_id, [found])

    def _add(self, entity_id: str, readings: Iterable[Reading]) -> None:
        """Keep readings, and of those before what is still to be sent the last one."""
        meters = self._shown_by[entity_id]
        since = min(self._outbox.produced[each.meter_id] for each in meters)
        before = self._readings.get(entity_id, ())
        self._readings[entity_id] = merged(before, readings, since - LONGEST)

    async def _catch_up(self) -> None:
        """Give Voltus what it may lack of before, made from the recorder once more.

        Bit by bit, and not for long: what is measured now comes first.
        """
        begun = self._hass.loop.time()
        for meter_id in [*self._outbox.missing]:
            made = False
            while (meter := self.meters.get(meter_id)) and self._may_catch_up(meter):
                if self._hass.loop.time() - begun > CATCHING_UP:
                    return
                made |= await self._catch_up_with(meter)
                if meter_id not in self._outbox.missing and not made:
                    LOGGER.warning(
                        "The recorder has nothing of what meter %s measured while "
                        "nothing could be sent: Voltus has a gap there",
                        meter_id,
                    )

    def _may_catch_up(self, meter: MappedMeter) -> bool:
        now = self._conversation.now()
        missing = self._outbox.missing.get(meter.meter_id)
        return (
            missing is not None
            and missing.end + SETTLED <= now
            and meter.meter_id not in self._outbox.refused
            and not self._is_curtailing()
        )

    async def _catch_up_with(self, meter: MappedMeter) -> bool:
        """Give Voltus the first hours of what it may lack; whether there are any."""
        missing = self._outbox.missing[meter.meter_id]
        since = max(missing.start, self._conversation.now() - REBUILT)
        until = min(aligned(since + SLICE, LONGEST), missing.end)
        shown = {
            e: await self._recall(meter, e, since, until) for e in meter.entity_ids
        }
        rows, _ = _rows_of(meter, shown, since, until)
        for first in range(0, len(rows), MOST_ROWS):
            await self._give(rows[first : first + MOST_ROWS], set())
        # The meter may have been mapped anew in the meantime.
        if self._outbox.missing.get(meter.meter_id) == missing:
            self._outbox = self._outbox.caught_up(meter.meter_id, until)
        return bool(rows)

    async def _recall(
        self, meter: MappedMeter, entity_id: str, since: datetime, until: datetime
    ) -> tuple[Reading, ...]:
        counter = meter.counts or entity_id == meter.charge
        end = min(until + LONGEST, self._conversation.now())
        return await async_readings(
            self._hass, entity_id, since - LONGEST, end, counter=counter
        )

    @callback
    def _on_tick(self, now: datetime) -> None:
        whole_minute = now.second < EVERY.seconds
        if (
            (self.meters or self.controllable)
            and not self._at_work
            and (whole_minute or self._is_curtailing())
        ):
            self._unsub_soon = async_call_later(
                self._hass, SETTLED + timedelta(seconds=SPREAD * random()), self._begin
            )

    @callback
    def _begin(self, _now: datetime) -> None:
        self._entry.async_create_background_task(
            self._hass, self._work(), f"{self._entry.title} telemetry"
        )

    async def _work(self) -> None:
        """Make the rows of what is over, give them to Voltus, and note how far it is."""
        if self._at_work:
            return
        self._at_work = True
        try:
            await self._make_rows()
            await self._give_all()
            if not self._failures and not self._is_curtailing():
                await self._check.async_check(self._sites())
            now = self._conversation.now()
            if self._saved_at is None or now - self._saved_at >= SAVED_EVERY:
                await self._save()
        finally:
            self._at_work = False
        for listener in [*self._listeners]:
            listener()
        if (showing := self._to_show()) != self._shown:
            self._shown = showing
            self._changed()

    async def _make_rows(self) -> None:
        now = self._conversation.now()
        rows: list[TelemetryRow] = []
        produced: dict[str, datetime] = {}
        for meter in [*self.meters.values()]:
            if self.meters.get(meter.meter_id) != meter:
                continue
            since = self._outbox.produced[meter.meter_id]
            made, until = _rows_of(meter, self._readings, since, now - SETTLED)
            rows += made
            produced[meter.meter_id] = until
            if len(produced) % AT_ONCE == 0:
                await asyncio.sleep(0)
        # A mapping may have been removed in the meantime.
        rows = [each for each in rows if each.meter_id in self.meters]
        produced = {i: each for i, each in produced.items() if i in self.meters}
        self._outbox = self._outbox.added(rows, produced, now)

    async def _give_all(self) -> None:
        now = self._conversation.now()
        if self._conversation.must_wait or (
            self._not_before and now < self._not_before
        ):
            return
        bad: set[str] = set()
        try:
            await self._tell_controllable_load(now)
            for batch in self._outbox.batches(now):
                await self._give(batch, bad)
            await self._catch_up()
        except VoltusError as err:
            self._failures += 1
            pause = SHORTEST_PAUSE * 2 ** min(self._failures - 1, 10)
            self._not_before = now + min(pause, LONGEST_PAUSE)
            LOGGER.debug("Telemetry was not taken and is sent again: %s", err)
            return
        self._failures, self._not_before = 0, None

    async def _tell_controllable_load(self, now: datetime) -> None:
        """Tell Voltus what can be curtailed now; what it was before is of no use to it."""
        sites = self._sites()
        length = EVERY if self._is_curtailing() else 2 * EVERY
        rows = [
            ControllableLoadRow(
                each.site_id,
                aligned(now, length),
                round(length.total_seconds()),
                round(each.kilowatts(self._hass), 6),
            )
            for each in self.controllable.values()
            if each.site_id in sites
        ]
        if rows:
            try:
                await self._conversation.send_controllable_load(rows)
            except VoltusRequestError as err:
                # Of the meters everything is sent all the same.
                LOGGER.debug("The controllable load was refused: %s", err)

    async def _give(self, rows: Sequence[TelemetryRow], bad: set[str]) -> None:
        """Give rows to Voltus, in parts where it refuses them as a whole.

        Of a meter that turns out to be `bad`, nothing more is sent now.
        """
        try:
            await self._conversation.send_telemetry(rows)
        except VoltusRequestError as err:
            too_large = isinstance(err, VoltusTooLargeError)
            smaller = parts(rows, too_large=too_large)
            if not smaller:
                bad.add(rows[0].meter_id)
                self._set_aside(rows[0].meter_id, err)
            for part in smaller:
                if part[0].meter_id not in bad:
                    await self._give(part, bad)
        else:
            self._outbox = self._outbox.taken(rows)
            self._check.took(rows)

    def _set_aside(self, meter_id: str, err: VoltusError) -> None:
        now = self._conversation.now()
        if meter_id not in self._outbox.refused:
            LOGGER.warning(
                "Voltus refuses the telemetry of meter %s, which is tried again in an "
                "hour: %s",
                meter_id,
                err,
            )
        self._outbox = self._outbox.set_aside(meter_id, str(err), now)

    def _noted(self, content: dict[str, Any]) -> Mapping[str, str]:
        """Read what was noted. Raises if it is not a time for each meter."""
        noted = dict(content["sent_until"])
        for each in noted.values():
            parse_time(each)
        self._check.load(content.get("sent", {}))
        return noted

    async def _save(self) -> None:
        """Note until when Voltus has everything of each meter."""
        found = {i: self.sent_until(i) for i in self.meters}
        sent = {i: each.isoformat() for i, each in found.items() if each}
        self._saved_at = self._conversation.now()
        if sent == self._saved:
            return
        self._saved = sent
        try:
            await self._store.async_write(
                {"sent_until": sent, "sent": self._check.as_stored()}
            )
        except NotWrittenError as err:
            LOGGER.debug("Until when telemetry was sent is not noted: %s", err)


def _rows_of(
    meter: MappedMeter,
    shown: Mapping[str, Sequence[Reading]],
    since: datetime,
    until: datetime,
) -> tuple[list[TelemetryRow], datetime]:
    """Return the rows of a meter in a time, and until when there are some."""
    readings = shown.get(meter.source, ())
    powers = rows_of(meter, readings, meter.interval, since, until)
    rows = [_telemetry(meter, each, each.value) for each in powers]
    if meter.charge:
        charge = shown.get(meter.charge, ())
        charges = last_values(charge, meter.interval, since, until)
        rows = list(_with_charges(meter, rows, charges))
    if not meter.counts:
        return rows, max(since, aligned(until, meter.interval))
    # What a counter has not told yet may still come.
    last = powers[-1].end if powers else since
    return rows, max(since, last, aligned(until - GIVEN_UP, meter.interval))


def _telemetry(
    meter: MappedMeter, row: Row, value: float, units: str = "kW"
) -> TelemetryRow:
    seconds = round(row.length.total_seconds())
    return TelemetryRow(meter.meter_id, row.end, seconds, round(value, 6), units)


def _with_charges(
    meter: MappedMeter, powers: Iterable[TelemetryRow], charges: Iterable[Row]
) -> Iterable[TelemetryRow]:
    """Yield power and charge of a battery where both are known: Voltus takes no less."""
    by_end = {each.end: each for each in charges}
    for power in powers:
        if charge := by_end.get(power.timestamp):
            yield power
            yield _telemetry(meter, charge, charge.value, "kWh")
