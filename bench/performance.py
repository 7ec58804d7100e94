"""What baselines and records cost: time, the longest stretch, and room on the disk."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import json
from math import sin, tau
from time import thread_time
from typing import Any, final
from zoneinfo import ZoneInfo

from custom_components.voltus.metering.baseline import (
    PRESETS,
    QUARTER_HOUR,
    DispatchTimes,
    baseline,
)
from custom_components.voltus.metering.load import MINUTE, SiteLoad
from custom_components.voltus.performance.estimate import outcome
from custom_components.voltus.records.report import Record, report, sealed
from tests.builders import dispatch

from .figures import Figure, at_most

SITES = 1000
DAYS = 60
RECORDS = 500
START = datetime(2026, 7, 15, 22, tzinfo=UTC)
TIMES = DispatchTimes(START - timedelta(hours=1), START, START + timedelta(hours=2))
ZONE = ZoneInfo("America/Los_Angeles")


@final
@dataclass(frozen=True, slots=True)
class Estimated:
    """CPU seconds of the baseline of each site, and what records take.

    `records` dispatches of 2 hours at one site take `size` bytes, and are read in
    `opened` seconds.
    """

    baselines: tuple[float, ...]
    records: int
    size: int
    opened: float

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Return the baselines of all sites, the longest of one, and the records."""
        what = f"baseline of {len(self.baselines):,} sites over {DAYS} days"
        return (
            Figure(f"{what}, CPU", sum(self.baselines), "s"),
            Figure(
                f"{what}, longest block of the event loop",
                max(self.baselines) * 1000,
                "ms",
                None,
                at_most(50, "ms"),
            ),
            Figure(f"{self.records} records, size", self.size / 2**20, "MiB"),
            Figure(f"{self.records} records, read", self.opened * 1000, "ms"),
        )


async def measure(sites: int = SITES, records: int = RECORDS) -> Estimated:
    """Calculate so many baselines, one after the other, and keep so many records."""
    load = _load()
    spent = []
    for _ in range(sites):
        begun = thread_time()
        baseline(PRESETS["caiso_10_of_10"], load.history, TIMES, ZONE)
        spent.append(thread_time() - begun)
    text = json.dumps(_records(load, records))
    begun = thread_time()
    json.loads(text)
    return Estimated(tuple(spent), records, len(text), thread_time() - begun)


def _load() -> SiteLoad:
    """Return a load of so many days, and by the minute on the last one."""
    load = SiteLoad()
    quarters = round(timedelta(days=DAYS) / QUARTER_HOUR)
    for number in range(quarters):
        kw = 100 + 40 * sin(tau * number / 96)
        load.quarters[START - number * QUARTER_HOUR] = kw
    load.add_minutes({START + n * MINUTE: 60.0 + n % 7 for n in range(-180, 240)})
    return load


def _records(load: SiteLoad, count: int) -> list[Record]:
    found: list[Record] = []
    made = baseline(PRESETS["caiso_10_of_10"], load.history, TIMES, ZONE)
    now = START + timedelta(hours=3)
    for number in range(count):
        each = dispatch(
            f"d{number}", START, START + timedelta(hours=2), sites={"s1": 40.0}
        )
        rows: list[dict[str, Any]] = [
            {"announced": START.isoformat(), "type": kind, "dispatch_id": each.id}
            for kind in ("created", "started", "ended")
        ]
        of_site = outcome(each, "s1", made, load, now)
        of_site |= {"source": "entity", "method": {"method": "caiso_10_of_10"}}
        whole = report(each, rows, (), now, options={}, sites=[of_site])
        found.append(sealed(whole, found[-1]["hash"] if found else "", 1))
    return found
