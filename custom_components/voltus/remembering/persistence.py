"""When what is known is written: at once, and again until it is on the disk."""

from collections.abc import Coroutine, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.core import HomeAssistant

from ..const import LOGGER
from .files import NotWrittenError
from .log import Log
from .memory import Memory, MemoryStore

REMEMBER_CONTACT_EVERY: Final = timedelta(minutes=5)
LOG_DELAY: Final = timedelta(seconds=30)


class Persistence:
    """Keeps the memory and the log of one account on the disk.

    The memory is small and written at once. The log is not: until it is written, its
    new rows are kept with the memory, so that what was announced is on the disk
    together with the note that it was. What the disk refuses is tried again at the
    next look; a repair issue says so meanwhile.
    """

    def __init__(self, hass: HomeAssistant, entry_id: str, log: Log) -> None:
        """Use the files of this entry; nothing is read yet."""
        self._log = log
        self._store = MemoryStore(hass, entry_id)
        self._saved: Memory | None = None
        self._saved_at: datetime | None = None
        self._log_due: datetime | None = None

    async def async_load(self, origin: str) -> Memory | None:
        """Take up what an earlier run has left of this origin; None if nothing.

        Raises NotReadError if the disk does not give it.
        """
        await self._log.async_load(origin)
        memory = self._saved = await self._store.async_load(origin)
        if memory:
            self._log.take_up(memory.unlogged)
        return memory

    def due_writes(
        self, memory: Memory, now: datetime, *, open_ended: bool
    ) -> Iterator[Coroutine[Any, Any, None]]:
        """Return the writes to be run now: of what has changed, and of what was refused.

        While an end is open, how far it may be believed counts as a change now and then.
        """
        memory = memory.with_unlogged(self._log.unlogged)
        if self._is_due(memory, now, open_ended=open_ended):
            yield self._async_write(memory, now)
        if self._log_is_due(now):
            yield self._async_write_log()

    async def async_save(self, memory: Memory, now: datetime) -> None:
        """Write everything that outlives us."""
        await self._async_write(memory.with_unlogged(self._log.unlogged), now)
        await self._async_write_log()

    def _is_due(self, memory: Memory, now: datetime, *, open_ended: bool) -> bool:
        saved, saved_at = self._saved, self._saved_at
        stale = saved_at is None or now - saved_at >= REMEMBER_CONTACT_EVERY
        return (
            saved is None
            or saved.known.dispatches is not memory.known.dispatches
            or saved.known.traces is not memory.known.traces
            or saved.told is not memory.told
            or saved.known_sites is not memory.known_sites
            or saved.by_hand is not memory.by_hand
            or bool(memory.unlogged.rows and saved.unlogged is not memory.unlogged)
            or (stale and open_ended)
        )

    def _log_is_due(self, now: datetime) -> bool:
        if not self._log.unsaved:
            return False
        # The clock may have been set back since.
        if self._log_due is None or self._log_due - now > LOG_DELAY:
            self._log_due = now + LOG_DELAY
        return now >= self._log_due

    async def _async_write(self, memory: Memory, now: datetime) -> None:
        self._saved, self._saved_at = memory, now
        try:
            await self._store.async_save(memory)
        except NotWrittenError as err:
            LOGGER.debug("The memory is not on the disk: %s", err)
            if self._saved is memory:
                self._saved = None

    async def _async_write_log(self) -> None:
        self._log_due = None
        try:
            await self._log.async_save()
        except NotWrittenError as err:
            LOGGER.debug("The log is not on the disk: %s", err)
