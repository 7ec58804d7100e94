"""What is sent to Voltus of a site's meters, and what to send next.

Voltus takes rows in any order, and one that it has already does no harm: whatever is in
doubt is sent again. A single bad row fails the whole request.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import batched, groupby
from math import isfinite
from operator import attrgetter
from struct import Struct
from typing import Final, Protocol, TypeGuard, final

from .errors import VoltusFormatError
from .models import Json, Site, as_object, iso, parse_time

MOST_ROWS: Final = 2000
"""Of one request; Voltus advises no more than 2,048."""
MOST_SITES: Final = 10
"""Whose load Voltus gives in one answer."""
MOST_POINTS: Final = 10_000
"""That Voltus gives of a site at once."""
GRID: Final = timedelta(seconds=30)
"""On which the times of intervals lie, since the epoch."""
KEPT: Final = timedelta(hours=24)
SET_ASIDE: Final = timedelta(hours=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PACKED: Final = Struct("<qid")
"""A row as it is kept: microseconds from the epoch to its end, seconds, value."""


@final
@dataclass(frozen=True, slots=True)
class TelemetryRow:
    """What a meter has measured in the `seconds` until `timestamp`, the END, in `units`.

    Power in kW counts positive what the site takes, negative what it gives; the charge
    of a battery is in kWh.
    """

    meter_id: str
    timestamp: datetime
    seconds: int
    value: float
    units: str = "kW"

    @property
    def start(self) -> datetime:
        """From when it counts."""
        return self.timestamp - timedelta(seconds=self.seconds)

    def as_wire(self) -> dict[str, Json]:
        """Return it as Voltus takes it."""
        return {
            "meter_id": self.meter_id,
            "timestamp": iso(self.timestamp),
            "interval_seconds": self.seconds,
            "value": self.value,
            "units": self.units,
        }


@final
@dataclass(frozen=True, slots=True)
class ControllableLoadRow:
    """How much of a site could be curtailed in the `seconds` until `timestamp`, in kW."""

    site_id: str
    timestamp: datetime
    seconds: int
    kw: float

    def as_wire(self) -> dict[str, Json]:
        """Return it as Voltus takes it."""
        return {
            "site_id": self.site_id,
            "timestamp": iso(self.timestamp),
            "interval_seconds": self.seconds,
            "value": self.kw,
            "units": "kW",
        }


@final
@dataclass(frozen=True, slots=True)
class LoadRow:
    """The mean load of a meter in the `interval` until `end`; None if Voltus has none."""

    end: datetime
    interval: timedelta
    kw: float | None


type Load = Mapping[str, Mapping[str, tuple[LoadRow, ...]]]
"""What Voltus has of meters: rows in the order of time, by site id and meter id."""


@final
@dataclass(frozen=True, slots=True)
class Refusal:
    """Why Voltus refuses the rows of a meter, and until when none are sent."""

    reason: str
    until: datetime


@final
@dataclass(frozen=True, slots=True)
class Span:
    """From when until when something is missing."""

    start: datetime
    end: datetime

    def with_(self, other: Span | None) -> Span:
        """Return what reaches over both, and over what lies between them."""
        if other is None:
            return self
        return Span(min(self.start, other.start), max(self.end, other.end))


type _Kind = tuple[str, str]
"""The id of a meter and the units of its rows."""


class _Bisect(Protocol):
    def __call__(
        self, places: Sequence[int], end: int, /, *, key: Callable[[int], int]
    ) -> int: ...


@final
@dataclass(frozen=True, slots=True)
class Outbox:
    """The rows that Voltus has not taken yet, and which meters it refuses.

    `kept` are the rows, packed and in the order of time: a day of 1,000 meters is much.
    `produced` is until when rows were made of each meter. `missing` is of which time
    Voltus may lack rows that are kept no more: they have to be made once more.
    """

    kept: Mapping[_Kind, bytes] = field(default_factory=dict)
    produced: Mapping[str, datetime] = field(default_factory=dict)
    refused: Mapping[str, Refusal] = field(default_factory=dict)
    missing: Mapping[str, Span] = field(default_factory=dict)

    @property
    def rows(self) -> tuple[TelemetryRow, ...]:
        """All rows; of many meters that is a lot."""
        return tuple(row for kind in self.kept for row in _unpacked(kind, self.kept))

    def added(
        self,
        rows: Iterable[TelemetryRow],
        produced: Mapping[str, datetime],
        now: datetime,
    ) -> Outbox:
        """Return it with more rows; what is older than a day is kept no more."""
        kept, missing = dict(self.kept), dict(self.missing)
        for kind, some in _by_kind(rows).items():
            kept[kind] = _with(kept.get(kind, b""), some)
        for kind, lot in [*kept.items()]:
            first = _first_from(lot, now - KEPT)
            for each in _unpacked(kind, {kind: lot[:first]}):
                lost = Span(each.start, each.timestamp)
                missing[each.meter_id] = lost.with_(missing.get(each.meter_id))
            kept[kind] = lot[first:]
        return replace(
            self,
            kept=_not_empty(kept),
            produced={**self.produced, **produced},
            missing=missing,
        )

    def lacking(self, meter_id: str, span: Span) -> Outbox:
        """Return it as Voltus may lack what a meter measured in a span."""
        missing = span.with_(self.missing.get(meter_id))
        return replace(self, missing={**self.missing, meter_id: missing})

    def caught_up(self, meter_id: str, until: datetime) -> Outbox:
        """Return it as all was done to give Voltus what a meter measured until then."""
        missing = dict(self.missing)
        span = missing.pop(meter_id)
        if until < span.end:
            missing[meter_id] = Span(until, span.end)
        return replace(self, missing=missing)

    def taken(self, rows: Iterable[TelemetryRow]) -> Outbox:
        """Return it as Voltus has taken these."""
        done = _by_kind(rows)
        meters = {meter_id for meter_id, _ in done}
        less = {
            kind: _without(self.kept[kind], some)
            for kind, some in done.items()
            if kind in self.kept
        }
        return replace(
            self,
            kept=_not_empty({**self.kept, **less}),
            refused={i: each for i, each in self.refused.items() if i not in meters},
        )

    def set_aside(self, meter_id: str, reason: str, now: datetime) -> Outbox:
        """Return it as Voltus refuses a meter: it is tried again in an hour."""
        refusal = Refusal(reason, now + SET_ASIDE)
        return replace(self, refused={**self.refused, meter_id: refusal})

    def only(self, meter_ids: Iterable[str]) -> Outbox:
        """Return it with nothing of meters that are mapped no more."""
        mapped = set(meter_ids)
        return Outbox(
            {kind: each for kind, each in self.kept.items() if kind[0] in mapped},
            {i: each for i, each in self.produced.items() if i in mapped},
            {i: each for i, each in self.refused.items() if i in mapped},
            {i: each for i, each in self.missing.items() if i in mapped},
        )

    def sent_until(self) -> dict[str, datetime]:
        """Return until when Voltus has everything, of each meter that rows are made of."""
        found = dict(self.produced)
        for (meter_id, _), lot in self.kept.items():
            before = _EPOCH + (_end(lot) - 1) * _MICROSECOND
            if before < found.get(meter_id, before):
                found[meter_id] = before
        return found | {i: each.start for i, each in self.missing.items()}

    def batches(self, now: datetime) -> Iterator[tuple[TelemetryRow, ...]]:
        """Yield what to send now, one request after the other, what is newest first.

        Power and charge may go together only for batteries, so meters with a charge go
        by themselves.
        """
        due = [kind for kind in self.kept if self._is_due(kind[0], now)]
        batteries = {meter_id for meter_id, units in due if units == "kWh"}
        for is_battery in (False, True):
            lots = (
                _unpacked(kind, self.kept, newest_first=True)
                for kind in due
                if (kind[0] in batteries) is is_battery
            )
            rows = merge(*lots, key=attrgetter("timestamp"), reverse=True)
            yield from batched(rows, MOST_ROWS, strict=False)

    def _is_due(self, meter_id: str, now: datetime) -> bool:
        refusal = self.refused.get(meter_id)
        return refusal is None or now >= refusal.until


def _by_kind(rows: Iterable[TelemetryRow]) -> Mapping[_Kind, list[bytes]]:
    """Return rows as they are kept, by their meter and units."""
    found = defaultdict[_Kind, list[bytes]](list)
    for each in rows:
        end = (each.timestamp - _EPOCH) // _MICROSECOND
        packed = _PACKED.pack(end, each.seconds, each.value)
        found[each.meter_id, each.units].append(packed)
    return found


def _unpacked(
    kind: _Kind, kept: Mapping[_Kind, bytes], *, newest_first: bool = False
) -> Iterator[TelemetryRow]:
    """Yield the rows of a kind one by one."""
    meter_id, units = kind
    lot = kept[kind]
    starts = range(0, len(lot), _PACKED.size)
    for start in reversed(starts) if newest_first else starts:
        end, seconds, value = _PACKED.unpack_from(lot, start)
        instant = _EPOCH + end * _MICROSECOND
        yield TelemetryRow(meter_id, instant, seconds, value, units)


def _with(lot: bytes, rows: Iterable[bytes]) -> bytes:
    """Return rows in the order of time, with more of them."""
    more = sorted(rows, key=_end)
    first = _place(lot, _end(more[0]))
    later = sorted([*_each(lot[first:]), *more], key=_end)
    return b"".join([lot[:first], *later])


def _without(lot: bytes, rows: Sequence[bytes]) -> bytes:
    """Return rows without some; only what lies between these is looked at."""
    ends, gone = [*map(_end, rows)], set(rows)
    first, after = _place(lot, min(ends)), _place(lot, max(ends), bisect_right)
    left = [each for each in _each(lot[first:after]) if each not in gone]
    return b"".join([lot[:first], *left, lot[after:]])


def _first_from(lot: bytes, instant: datetime) -> int:
    """Return where the rows begin that do not end before an instant."""
    return _place(lot, (instant - _EPOCH) // _MICROSECOND)


def _place(lot: bytes, end: int, bisect: _Bisect = bisect_left) -> int:
    """Return where a row with an end has its place."""
    starts = range(0, len(lot), _PACKED.size)
    return bisect(starts, end, key=lambda start: _end(lot, start)) * _PACKED.size


def _end(lot: bytes, start: int = 0) -> int:
    end: int = _PACKED.unpack_from(lot, start)[0]
    return end


def _each(lot: bytes) -> Iterator[bytes]:
    size = _PACKED.size
    return (lot[start : start + size] for start in range(0, len(lot), size))


def _not_empty(kept: Mapping[_Kind, bytes]) -> dict[_Kind, bytes]:
    return {kind: lot for kind, lot in kept.items() if lot}


def parts(
    rows: Sequence[TelemetryRow], *, too_large: bool
) -> list[tuple[TelemetryRow, ...]]:
    """Return what to send in place of rows that were refused as a whole.

    Nothing if no smaller part can be told apart: a single row, or all of one instant.
    What is too large is halved. Else each meter goes by itself, then halves of it, until
    the bad row is found.
    """
    ordered = sorted(rows, key=attrgetter("meter_id", "timestamp"))
    by_meter = [tuple(each) for _, each in groupby(ordered, attrgetter("meter_id"))]
    if len(by_meter) > 1 and not too_large:
        return by_meter
    instants = sorted({each.timestamp for each in rows})
    if len(instants) < 2:
        return []
    middle = instants[len(instants) // 2]
    return [
        tuple(each for each in rows if each.timestamp < middle),
        tuple(each for each in rows if each.timestamp >= middle),
    ]


def asked(
    sites: Iterable[Site], start: datetime, end: datetime, interval: timedelta
) -> Iterator[tuple[Sequence[str], datetime, datetime]]:
    """Yield of which sites to ask from when until when, to be given all of this time."""
    for some in batched(sites, MOST_SITES, strict=False):
        most = max(len(each.meters) for each in some)
        length = max(1, MOST_POINTS // max(1, most)) * interval
        since = start
        while since < end:
            until = min(since + length, end)
            yield [each.id for each in some], since, until
            since = until


def on_grid(instant: datetime) -> datetime:
    """Return the last instant of the grid that is not after this one."""
    return instant - (instant - _EPOCH) % GRID


def parse_load(payload: Json) -> Load:
    """Read the answer of `GET /telemetry/kw`; a row that is unreadable is left out.

    Of an account without telemetry `data` is null. A meter may stand there twice: its
    rows are put together. Raises VoltusFormatError if it is no such answer.
    """
    try:
        data = as_object(payload)["data"]
        sites = [] if data is None else _list(as_object(data)["sites"])
        rows: dict[str, dict[str, dict[datetime, LoadRow]]] = {}
        for site in map(as_object, sites):
            meters = rows.setdefault(_text(site["site_id"]), {})
            for meter in map(as_object, _list(site.get("meters"))):
                known = meters.setdefault(_text(meter["meter_id"]), {})
                for row in filter(None, map(_load_row, _list(meter.get("telemetry")))):
                    if row.kw is not None or row.end not in known:
                        known[row.end] = row
    except (ValueError, KeyError) as err:
        raise VoltusFormatError("The answer holds no telemetry") from err
    return {
        site_id: {
            meter_id: tuple(sorted(known.values(), key=attrgetter("end")))
            for meter_id, known in meters.items()
        }
        for site_id, meters in rows.items()
    }


def _load_row(item: Json) -> LoadRow | None:
    try:
        row = as_object(item)
        seconds, value = row["interval_seconds"], row.get("value")
        if not _is_number(seconds) or _text(row.get("units", "kW")).lower() != "kw":
            return None
        return LoadRow(
            parse_time(row["timestamp"]),
            timedelta(seconds=float(seconds)),
            float(value) if _is_number(value) else None,
        )
    except ValueError, KeyError, OverflowError:
        return None


def _is_number(value: Json) -> TypeGuard[int | float]:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and isfinite(value)
    )


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value


def _list(value: Json) -> list[Json]:
    """Return a list; null is an empty one. Raises ValueError for anything else."""
    if not isinstance(value, list | None):
        raise ValueError("not a list")
    return value or []
