"""Whom to tell what has changed: the bus, our entities and triggers, and the log."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.util.dt import utcnow
from homeassistant.util.signal_type import SignalType

from ..account.cause import dispatch_context
from ..account.devices import device_id
from ..account.loop_share import LoopShare
from ..aiovoltus.models import Json, Snapshot
from ..aiovoltus.schedule import (
    Change,
    ChangeType,
    CurtailmentChange,
    Look,
    changes,
    status,
)
from ..aiovoltus.schedule import look as look_again
from ..const import DOMAIN
from ..remembering.log import Log, curtailment_row, log_row, said_row
from ..remembering.memory import Memory, Told
from .announcement import (
    DeviceIds,
    Said,
    announcement,
    counted,
    curtailment_announcement,
    said_announcement,
)


class RecordEvent(StrEnum):
    """What is told of the record of a dispatch."""

    EVALUATED = "evaluated"


type ToldType = ChangeType | CurtailmentChange | RecordEvent
# Carries the type and the data of all that any account announces.
TOLD: Final = SignalType[ToldType, dict[str, Json]](f"{DOMAIN}_told")


class Announcer:
    """Announces, look by look, what has changed since the announcement before."""

    def __init__(self, hass: HomeAssistant, entry_id: str, log: Log) -> None:
        """Speak for one account."""
        self._hass = hass
        self._entry_id = entry_id
        self._log = log
        self._began = utcnow()
        self._last: Look | None = None

    async def async_announce(
        self, look: Look, memory: Memory, now: datetime, share: LoopShare
    ) -> Told | None:
        """Tell what is new in a look, and return up to where everything is told.

        That is `memory.told`, the same object, if nothing is new. `now` is when it is
        told, the look may be of a little earlier.
        """
        if look is self._last:
            return memory.told
        told = await self._tell_changes(look, memory.told, now, share)
        self._log_looks(look)
        told = self._tell_curtailment_changes(look, memory, told, now)
        self._last = look
        return told

    @callback
    def async_tell_said(
        self, said: Said, look: Look, now: datetime, context: Context
    ) -> None:
        """Tell what the operator has said, and whose word it is."""
        data = said_announcement(
            said,
            look=look,
            entry_id=self._entry_id,
            device_ids=self._device_ids(said.site_ids),
            user_id=context.user_id,
        )
        self._hass.bus.async_fire(
            f"{DOMAIN}_dispatch_{said.act}", data, context=context
        )
        self._log.async_add(said_row(data, said.act, said.site_ids, now), now)

    async def _tell_changes(
        self, look: Look, before: Told | None, now: datetime, share: LoopShare
    ) -> Told:
        known = look.snapshot
        told = before or Told(Snapshot(), look.at)
        # A clock set back tells nothing by itself, nor what it passes again later.
        then = min(told.at, look.at)
        news = changes(before and before.snapshot, then, known, look.at)
        for change in news:
            self._tell(change, look, told, now)
            await share.step()
        if before and not news:
            return before
        counts = counted(told.counts, news)
        kept = {i: counts[i] for i in counts.keys() & known.dispatches.keys()}
        return replace(told, snapshot=known, at=look.at, counts=kept)

    def _tell(self, change: Change, look: Look, told: Told, now: datetime) -> None:
        data = announcement(
            change,
            look=look,
            now=now,
            counts=told.counts,
            entry_id=self._entry_id,
            device_ids=self._device_ids(site.id for site in change.dispatch.sites),
            began=self._began,
        )
        async_dispatcher_send(self._hass, TOLD, change.type, data)
        self._hass.bus.async_fire(
            f"{DOMAIN}_dispatch_{change.type}",
            data,
            context=dispatch_context(self._entry_id, change.dispatch.id),
        )
        self._log.async_add(log_row(data, change, now), now)

    def _tell_curtailment_changes(
        self, look: Look, memory: Memory, told: Told, now: datetime
    ) -> Told:
        """Tell whose `curtail` has turned since it was told last.

        A clock set back tells nothing by itself: as long as it is behind what was told,
        what counts is what holds at the instant up to which was told.
        """
        reached = (
            look
            if told.at <= look.at
            else look_again(look.snapshot, look.policy, told.at)
        )
        before, after = told.curtailing, reached.curtailing
        if before == after:
            return told
        for change, site_ids, whole_account, behind in (
            (CurtailmentChange.ENDED, before - after, not after, self._last),
            (CurtailmentChange.STARTED, after - before, not before, look),
        ):
            if site_ids:
                data = curtailment_announcement(
                    site_ids,
                    whole_account=whole_account,
                    look=look,
                    sites=memory.known_sites.sites,
                    entry_id=self._entry_id,
                    device_ids=self._device_ids(site_ids),
                )
                row = curtailment_row(change, site_ids, behind, now)
                data["dispatch_ids"] = row["dispatch_ids"]
                async_dispatcher_send(self._hass, TOLD, change, data)
                self._log.async_add(row, now)
        return replace(told, curtailing=after)

    def _device_ids(self, site_ids: Iterable[str]) -> DeviceIds:
        return {
            key: device_id(self._hass, self._entry_id, key) for key in (None, *site_ids)
        }

    def _log_looks(self, look: Look) -> None:
        """Log what is not announced: how dispatches ended up, and broken holds."""
        known, now = look.snapshot.dispatches, look.at
        before = self._last.released if self._last else frozenset()
        live = {i for i, each in known.items() if not status(each, now).over}
        resumed = (before - look.released) & live
        self._log.async_note_over((known[i] for i in known.keys() - live), now)
        for kind, ids in (("released", look.released - before), ("resumed", resumed)):
            for dispatch_id in sorted(ids):
                row = {"announced": now.isoformat(), "type": kind}
                self._log.async_add({**row, "dispatch_id": dispatch_id}, now)
