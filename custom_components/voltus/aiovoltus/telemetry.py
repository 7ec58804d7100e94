"""What is sent to Voltus of a site's meters, and what to send next.

Voltus takes rows in any order, and one that it has already does no harm: whatever is in
doubt is sent again. A single bad row fails the whole request.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Final, final

from .models import Json, iso

MOST_ROWS: Final = 2000
"""Of one request; Voltus advises no more than 2,048."""
KEPT: Final = timedelta(hours=24)
SET_ASIDE: Final = timedelta(hours=1)


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
class Refusal:
    """Why Voltus refuses the rows of a meter, and until when none are sent."""

    reason: str
    until: datetime


@final
@dataclass(frozen=True, slots=True)
class Outbox:
    """The rows that Voltus has not taken yet, and which meters it refuses.

    `produced` is until when rows were made of each meter.
    """

    rows: tuple[TelemetryRow, ...] = ()
    produced: Mapping[str, datetime] = field(default_factory=dict)
    refused: Mapping[str, Refusal] = field(default_factory=dict)

    def added(
        self,
        rows: Iterable[TelemetryRow],
        produced: Mapping[str, datetime],
        now: datetime,
    ) -> Outbox:
        """Return it with more rows; what is older than a day is given up."""
        fresh = (each for each in (*self.rows, *rows) if now - each.timestamp <= KEPT)
        return replace(self, rows=tuple(fresh), produced={**self.produced, **produced})

    def taken(self, rows: Iterable[TelemetryRow]) -> Outbox:
        """Return it as Voltus has taken these."""
        done = set(rows)
        meters = {each.meter_id for each in done}
        return replace(
            self,
            rows=tuple(each for each in self.rows if each not in done),
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
            tuple(each for each in self.rows if each.meter_id in mapped),
            {i: each for i, each in self.produced.items() if i in mapped},
            {i: each for i, each in self.refused.items() if i in mapped},
        )

    def sent_until(self, meter_id: str) -> datetime | None:
        """Return until when Voltus has everything of a meter, None if nothing was made."""
        waiting = (e.timestamp for e in self.rows if e.meter_id == meter_id)
        produced = self.produced.get(meter_id)
        first = min(waiting, default=None)
        if first is None or produced is None:
            return produced
        return min(first - timedelta(microseconds=1), produced)

    def batches(self, now: datetime) -> list[tuple[TelemetryRow, ...]]:
        """Return what to send now, one request after the other, what is newest first.

        Power and charge may go together only for batteries, so meters with a charge go
        by themselves.
        """
        due = [
            each
            for each in self.rows
            if (refusal := self.refused.get(each.meter_id)) is None
            or now >= refusal.until
        ]
        batteries = {each.meter_id for each in due if each.units == "kWh"}
        due.sort(key=attrgetter("timestamp"), reverse=True)
        groups = (
            [each for each in due if each.meter_id not in batteries],
            [each for each in due if each.meter_id in batteries],
        )
        return [
            tuple(group[start : start + MOST_ROWS])
            for group in groups
            for start in range(0, len(group), MOST_ROWS)
        ]


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
