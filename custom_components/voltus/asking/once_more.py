"""Asks once more before something acts on what is known: a boundary that turns a site.

What Voltus publishes at the last moment, such as a cancel, another start or a dispatch
that begins as one ends, so costs no flicker.
"""

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from random import random
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later

from ..aiovoltus.errors import VoltusError
from ..aiovoltus.schedule import Look, just_ended
from ..const import LOGGER
from .conversation import Conversation

AHEAD: Final = timedelta(seconds=3)
LONGEST_WAIT: Final = timedelta(seconds=1)


class OnceMore:
    """Polls out of turn some three seconds before a boundary, and at an end.

    An end that lets sites go waits for the answer to the request sent at the end itself,
    one second at most; no other boundary waits for anything.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        conversation: Conversation,
        may_ask: Callable[[], bool],
        start: Callable[[Coroutine[object, object, None]], object],
        look: Callable[[], None],
    ) -> None:
        """Ask in a background task by `start`, where `may_ask` allows it.

        By `look` it is looked again when an answer is there, or does not come.
        """
        self._hass = hass
        self._conversation = conversation
        self._may_ask = may_ask
        self._start = start
        self._look = look
        # Of many instances that are dispatched together, each asks at another moment.
        self._ahead = AHEAD + timedelta(seconds=random())
        self._asked_for: datetime | None = None
        self._waiting: CALLBACK_TYPE | None = None
        self._answered: frozenset[str] = frozenset()

    def due(self, last: Look) -> datetime | None:
        """Return when to ask before the next boundary that may turn a site.

        None if that was done: one request serves all boundaries in its reach.
        """
        listed = last.snapshot.listed
        if last.turns is None or not listed:
            return None
        asked_for = max(listed.contact + self._ahead, self._asked_for or listed.contact)
        return None if last.turns <= asked_for else last.turns - self._ahead

    @callback
    def ask_ahead(self, last: Look, now: datetime) -> None:
        """Ask if it is time to, unless Voltus is to be left alone."""
        due = self.due(last)
        if due and due <= now and self._may_ask():
            self._asked_for = now + self._ahead
            self._start(self._poll(lambda: None))

    @callback
    def holds_back(self, before: Look, after: Look) -> bool:
        """Whether a look that lets sites go has to wait; asks when it begins to."""
        ended = just_ended(before, after)
        if not ended:
            self._answered = frozenset()
        if ended <= self._answered:
            return False
        if self._waiting is None and self._may_ask():
            self._wait(ended)
        return self._waiting is not None

    def _wait(self, ended: frozenset[str]) -> None:
        """Ask, and look again with the answer, or when it has taken too long."""

        @callback
        def look(_: object = None) -> None:
            if self._waiting is over:
                self.stop()
                self._answered = ended
                self._look()

        over = async_call_later(self._hass, LONGEST_WAIT, HassJob(look))
        self._waiting = over
        self._start(self._poll(look))

    @callback
    def stop(self) -> None:
        """Wait for nothing any more."""
        if self._waiting:
            self._waiting()
            self._waiting = None

    async def _poll(self, then: Callable[[], None]) -> None:
        """Poll out of turn. The polls in turn tell the operator of failures."""
        try:
            await self._conversation.poll()
        except VoltusError as err:
            LOGGER.debug("A poll out of turn failed: %s", err)
        finally:
            then()
