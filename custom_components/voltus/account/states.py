"""In which order the states of sites and account are written, and what they show.

Home Assistant runs an automation's template in the same instant in which a state is
written. So all that belongs to `curtail` is written before it.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from operator import itemgetter
from typing import final

from homeassistant.core import CALLBACK_TYPE, Context, callback

from ..aiovoltus.schedule import IDLE, Curtailment, Look
from ..const import LOGGER
from .cause import behind, caused_by
from .loop_share import LoopShare


@final
@dataclass(frozen=True, slots=True)
class Place:
    """Where in the order a state is written: among its site's, or the account's (None).

    The `last` one, `curtail`, comes after all others of the same site or account. It is
    written if what it `shows` of what is asked has changed.
    """

    site_id: str | None
    last: bool
    shows: Callable[[Curtailment], object]


class States:
    """What the curtailment entities of an account show, and how it changes.

    A site changes in its turn, with all its entities at once. Until then they show what
    they have shown, whoever has them written.
    """

    def __init__(self, entry_id: str) -> None:
        """Begin with everyone idle, and without any entity."""
        self._entry_id = entry_id
        self._behind: dict[str | None, Collection[str]] = {}
        self._shown: dict[str | None, Curtailment] = {}
        self._entities: dict[str | None, dict[CALLBACK_TYPE, Place]] = {}

    def curtailment(self, site_id: str | None) -> Curtailment:
        """Return what is shown of a site, or of the account (None)."""
        return self._shown.get(site_id, IDLE)

    def new_context(self, site_id: str | None) -> Context:
        """Return a context for a state that leads to what has caused what is shown."""
        return caused_by(self._entry_id, self._behind.get(site_id, ()))

    @callback
    def async_add(self, place: Place, write: CALLBACK_TYPE) -> Callable[[], None]:
        """Write this state in its turn from now on. Return how to stop that."""
        entities = self._entities.setdefault(place.site_id, {})
        entities[write] = place
        return lambda: entities.__delitem__(write)

    async def async_show_sites(self, look: Look, share: LoopShare) -> None:
        """Show what a look asks of each site, one site after the other."""
        for site_id in {**self._shown, **look.curtailments}:
            if site_id is not None and self._show(site_id, look):
                await share.step()

    @callback
    def async_show_account(self, look: Look) -> None:
        """Show what a look asks of the account."""
        self._show(None, look)

    def _show(self, site_id: str | None, look: Look) -> bool:
        """Write those states of a site that change."""
        asked, before = look.curtailment(site_id), self.curtailment(site_id)
        if asked == before:
            return False
        self._shown[site_id] = asked
        self._behind[site_id] = behind(before, asked)
        turning = [
            (place.last, write)
            for write, place in self._entities.get(site_id, {}).items()
            if place.shows(asked) != place.shows(before)
        ]
        for _, write in sorted(turning, key=itemgetter(0)):
            try:
                write()
            except Exception:  # noqa: BLE001  one that is odd keeps back no other
                LOGGER.exception(
                    "A state of %s could not be written", site_id or "the account"
                )
        return True
