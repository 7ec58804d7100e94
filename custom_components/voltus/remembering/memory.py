"""What is known of an account, and what was announced of it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.json import json_bytes, json_fragment

from ..aiovoltus.by_hand import ByHand
from ..aiovoltus.models import Dispatch, Snapshot, parse_time
from ..aiovoltus.reconcile import KnownSites
from .by_hand import by_hand_as_json, by_hand_from_json
from .encoding import (
    dispatch_as_json,
    site_from_json,
    snapshot_as_json,
    snapshot_from_json,
    texts,
    typed,
)
from .files import CheckedStore, async_load_or_set_aside
from .log import Unlogged, unlogged_as_json, unlogged_from_json

type AnnouncementCounts = Mapping[str, Mapping[str, int]]
"""How often each type of change was announced, by dispatch."""


@final
@dataclass(frozen=True, slots=True)
class Told:
    """Up to where everything was announced.

    `snapshot` is what was known then, as it was `at` that instant; `counts` has how
    often each change was announced, `curtailing` the sites last told to curtail.
    """

    snapshot: Snapshot
    at: datetime
    counts: AnnouncementCounts = field(default_factory=dict)
    curtailing: frozenset[str] = frozenset()


@final
@dataclass(frozen=True, slots=True)
class Memory:
    """What the coordinator knows of one origin, and what it has told of it.

    `told` is None before the first announcement. `by_hand` is what the operator has
    said of it. `unlogged` is what the log has of it and has not written yet.
    """

    origin: str
    known: Snapshot = field(default_factory=Snapshot)
    told: Told | None = None
    known_sites: KnownSites = field(default_factory=KnownSites)
    by_hand: ByHand = field(default_factory=ByHand)
    unlogged: Unlogged = field(default_factory=Unlogged)

    def with_unlogged(self, unlogged: Unlogged) -> Memory:
        """Return it with these rows of the log."""
        return replace(self, unlogged=unlogged)

    @property
    def latest(self) -> datetime:
        """The latest instant at which something was known or told, or the earliest."""
        traces = [*self.known.traces.values(), *filter(None, [self.known.listed])]
        told = [self.told.at] if self.told else []
        return max(
            [*(trace.contact for trace in traces), *told],
            default=datetime.min.replace(tzinfo=UTC),
        )


class MemoryStore:
    """Keeps the memory of one entry: small, written at once, atomic."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Use a file of the entry's own."""
        self._store = CheckedStore(hass, entry_id)
        self._written: dict[int, tuple[Dispatch, json_fragment]] = {}

    async def async_load(self, origin: str) -> Memory | None:
        """Return the memory of this origin; another origin is a new world.

        Raises NotReadError if the disk does not give it.
        """
        memory = await async_load_or_set_aside(self._store, _memory)
        return memory if memory and memory.origin == origin else None

    async def async_save(self, memory: Memory) -> None:
        """Write the memory now; what is still as it was written is not encoded again.

        Raises NotWrittenError if it is not on the disk then.
        """
        await self._store.async_write(lambda: self._encoded(memory))

    def _encoded(self, memory: Memory) -> dict[str, Any]:
        before, self._written = self._written, {}

        def encoded(dispatch: Dispatch) -> json_fragment:
            key = id(dispatch)
            written = self._written.get(key) or before.get(key)
            if written is None:
                written = (
                    dispatch,
                    json_fragment(json_bytes(dispatch_as_json(dispatch))),
                )
            self._written[key] = written
            return written[1]

        return _memory_json(memory, encoded)


def _memory_json(memory: Memory, encoded: Callable[[Dispatch], Any]) -> dict[str, Any]:
    return {
        "origin": memory.origin,
        "known": snapshot_as_json(memory.known, encoded),
        "told": memory.told and _told_json(memory.told, encoded),
        "sites": [asdict(site) for site in memory.known_sites.sites.values()],
        "absent_since": {
            site_id: since.isoformat()
            for site_id, since in memory.known_sites.absent_since.items()
        },
        "called": memory.known_sites.answered,
        "new_sites": sorted(memory.known_sites.new),
        "departed_sites": sorted(memory.known_sites.departed),
        "by_hand": by_hand_as_json(memory.by_hand),
        "unlogged": unlogged_as_json(memory.unlogged),
    }


def _memory(content: dict[str, Any]) -> Memory:
    told, unlogged = content["told"], content.get("unlogged")
    by_hand = content.get("by_hand")
    sites = [site_from_json(site) for site in typed(list, content["sites"])]
    return Memory(
        origin=typed(str, content["origin"]),
        known=snapshot_from_json(content["known"]),
        told=None if told is None else _told(told),
        known_sites=KnownSites(
            {site.id: site for site in sites},
            {
                site_id: parse_time(since)
                for site_id, since in content["absent_since"].items()
            },
            answered=typed(bool, content["called"]),
            new=frozenset(texts(content["new_sites"])) & {site.id for site in sites},
            departed=frozenset(texts(content.get("departed_sites", []))),
        ),
        by_hand=ByHand() if by_hand is None else by_hand_from_json(by_hand),
        unlogged=Unlogged() if unlogged is None else unlogged_from_json(unlogged),
    )


def _told_json(told: Told, encoded: Callable[[Dispatch], Any]) -> dict[str, Any]:
    return {
        "snapshot": snapshot_as_json(told.snapshot, encoded),
        "at": told.at.isoformat(),
        "tellings": told.counts,
        "curtailing": sorted(told.curtailing),
    }


def _told(content: dict[str, Any]) -> Told:
    return Told(
        snapshot=snapshot_from_json(content["snapshot"]),
        at=parse_time(content["at"]),
        counts={
            dispatch_id: {kind: typed(int, times) for kind, times in counts.items()}
            for dispatch_id, counts in content["tellings"].items()
        },
        curtailing=frozenset(texts(content["curtailing"])),
    )
