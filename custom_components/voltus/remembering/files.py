"""The files below `.storage`: opened, read, set aside, removed."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store

from ..aiovoltus.models import Json
from ..const import DOMAIN, LOGGER

VERSION = 1

# What loading and reading a damaged, foreign or newer file is known to raise.
UNREADABLE = (
    HomeAssistantError,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
    NotImplementedError,
)


def open_store(hass: HomeAssistant, name: str) -> Store[dict[str, Any]]:
    """Return the store of this name: written atomically, serialised off the loop."""
    return Store(
        hass,
        VERSION,
        f"{DOMAIN}.{name}",
        atomic_writes=True,
        serialize_in_event_loop=False,
    )


async def async_load_or_set_aside[T](
    store: Store[dict[str, Any]], read: Callable[[dict[str, Any]], T]
) -> T | None:
    """Load a store; what cannot be read is set aside with one warning."""
    try:
        content = await store.async_load()
        return None if content is None else read(content)
    except UNREADABLE as err:
        aside = Path(f"{store.path}.set-aside")
        LOGGER.warning(
            "%s cannot be read (%s); it was renamed to %s and a new one is begun",
            store.path,
            type(err).__name__,
            aside.name,
        )
        await store.hass.async_add_executor_job(_set_aside, Path(store.path), aside)
        return None


async def async_forget(hass: HomeAssistant, entry_id: str) -> None:
    """Remove what was kept for an entry."""
    for name in _names(entry_id):
        await open_store(hass, name).async_remove()


async def async_files(
    hass: HomeAssistant, entry_id: str
) -> dict[str, dict[str, Json] | None]:
    """Return of each file that is kept for an entry when it was saved, and its size.

    None stands for a file that is not there.
    """
    paths = [Path(open_store(hass, name).path) for name in _names(entry_id)]
    return await hass.async_add_executor_job(
        lambda: {path.name: _file(path) for path in paths}
    )


def _set_aside(path: Path, aside: Path) -> None:
    with suppress(FileNotFoundError):
        path.replace(aside)


def _names(entry_id: str) -> tuple[str, str]:
    return entry_id, f"{entry_id}.log"


def _file(path: Path) -> dict[str, Json] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    saved = datetime.fromtimestamp(found.st_mtime, UTC)
    return {"saved": saved.isoformat(), "bytes": found.st_size}
