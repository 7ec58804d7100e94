"""What caused what: each dispatch has a context, and all that comes of it leads there.

Home Assistant's *Activity* follows contexts: from a load to the automation, from there to
`curtail`, and from there, by its parent, to what was announced of the dispatch.
"""

from collections.abc import Collection
from functools import lru_cache
from hashlib import sha256

from homeassistant.core import Context
from homeassistant.util.ulid import bytes_to_ulid

from ..aiovoltus.schedule import Curtailment


def dispatch_context(entry_id: str, dispatch_id: str) -> Context:
    """Return the context of a dispatch: it has the same id for ever."""
    return Context(id=_context_id(entry_id, dispatch_id))


# All states of all sites of a dispatch ask for it in a row.
@lru_cache
def _context_id(entry_id: str, dispatch_id: str) -> str:
    digest = sha256(f"{entry_id}\n{dispatch_id}".encode()).digest()
    return bytes_to_ulid(digest[:16])


def caused_by(entry_id: str, dispatch_ids: Collection[str]) -> Context:
    """Return a context of its own for what these, or nobody we know of, have caused."""
    if not dispatch_ids:
        return Context()
    return Context(parent_id=_context_id(entry_id, min(dispatch_ids)))


def behind(before: Curtailment, after: Curtailment) -> Collection[str]:
    """Return which dispatches a change of what is asked comes from, the nearest first.

    They are those that begin to hold, else those that cease to, else those that are
    new or seen, else those that hold all the while.
    """
    held, holds = before.by_dispatch.keys(), after.by_dispatch.keys()
    return (
        holds - held
        or held - holds
        or before.unacknowledged ^ after.unacknowledged
        or before.opted_out ^ after.opted_out
        or holds
    )
