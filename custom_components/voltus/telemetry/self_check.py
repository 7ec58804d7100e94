"""Once a day, read back of yesterday what was sent, and say where Voltus has otherwise."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from homeassistant.util.dt import as_local

from ..account.issues import Issue, names, plain
from ..aiovoltus.errors import VoltusError
from ..aiovoltus.models import Site
from ..aiovoltus.telemetry import TelemetryRow, asked
from ..asking.conversation import Conversation
from ..const import LOGGER
from .agreement import (
    DAY,
    HOUR,
    Difference,
    Sent,
    as_stored,
    day_before,
    from_stored,
    largest_difference,
)
from .meters import MappedMeter


class SelfCheck:
    """Keeps the hourly means of what Voltus took, and compares them with what it has."""

    def __init__(self, conversation: Conversation, after: timedelta) -> None:
        """Prepare to ask so long after midnight in UTC."""
        self._conversation = conversation
        self._after = after
        self._sent: dict[str, Sent] = {}
        self._differences: dict[str, Difference] = {}
        self._checked: datetime | None = None
        self._not_before: datetime | None = None

    def load(self, stored: Mapping[str, Any]) -> None:
        """Go on from what was written. Raises what a damaged file does."""
        self._sent = from_stored(stored)

    def as_stored(self) -> dict[str, Any]:
        """Return what to write."""
        return as_stored(self._sent)

    def follow(self, unchanged: Iterable[str], mapped: Iterable[str]) -> None:
        """Keep what was sent of `unchanged`, and begin anew with the others."""
        now, same = self._conversation.now(), {*unchanged}
        self._sent = {
            i: self._sent[i] if i in same and i in self._sent else Sent(now)
            for i in mapped
        }
        self._differences = {i: d for i, d in self._differences.items() if i in same}

    def took(self, rows: Iterable[TelemetryRow]) -> None:
        """Note what Voltus has taken."""
        begin = day_before(self._conversation.now())
        by_meter = defaultdict[str, list[TelemetryRow]](list)
        for each in rows:
            if each.units == "kW" and each.meter_id in self._sent:
                by_meter[each.meter_id].append(each)
        for meter_id, some in by_meter.items():
            self._sent[meter_id] = self._sent[meter_id].with_(some, begin)

    async def async_check(self, sites: Mapping[str, Site]) -> None:
        """Compare yesterday, if that is due; if it fails, again in an hour."""
        now = self._conversation.now()
        day = day_before(now)
        if self._checked == day or now < day + 24 * HOUR + self._after:
            return
        if self._not_before and now < self._not_before <= now + HOUR:
            return
        self._not_before = now + HOUR
        sent = {
            i: means for i, each in self._sent.items() if (means := each.means(day))
        }
        try:
            found = await self._read_back(sent, sites, day)
        except VoltusError as err:
            LOGGER.debug("Telemetry of yesterday is read back in an hour: %s", err)
            return
        self._checked = day
        self._compare(sent, found)

    async def _read_back(
        self, sent: Mapping[str, Any], sites: Mapping[str, Site], day: datetime
    ) -> Mapping[str, Mapping[datetime, float | None]]:
        """Return what Voltus has of meters, by the end of each hour."""
        concerned = [
            site
            for site in sites.values()
            if any(meter.id in sent for meter in site.meters)
        ]
        found = defaultdict[str, dict[datetime, float | None]](dict)
        for site_ids, start, end in asked(concerned, day, day + DAY, HOUR):
            load = await self._conversation.telemetry_kw(site_ids, start, end, 3600)
            for meters in load.values():
                for meter_id, rows in meters.items():
                    found[meter_id] |= {
                        each.end: each.kw for each in rows if each.interval == HOUR
                    }
        return found

    def _compare(
        self,
        sent: Mapping[str, Mapping[datetime, float]],
        found: Mapping[str, Mapping[datetime, float | None]],
    ) -> None:
        for meter_id, means in sent.items():
            known = found.get(meter_id, {})
            if meter_id not in self._sent or means.keys().isdisjoint(
                end for end, kw in known.items() if kw is not None
            ):
                continue
            self._differences.pop(meter_id, None)
            if difference := largest_difference(means, known):
                self._differences[meter_id] = difference

    def issues(self, meters: Mapping[str, MappedMeter]) -> list[Issue]:
        """Return what the operator has to know."""
        found = [
            _in_words(meters[meter_id].name, each)
            for meter_id, each in self._differences.items()
            if meter_id in meters
        ]
        return [Issue("telemetry_differs", {"meters": names(found)})] if found else []


def _in_words(name: str, each: Difference) -> str:
    hour = f"{as_local(each.end - HOUR):%Y-%m-%d %H:%M}"
    values = f"{each.sent:.2f} kW, Voltus {each.found:.2f} kW"
    return f"{plain(name)[:80]} ({hour}: {values})"
