"""The files below `.storage`: opened, read, written, set aside, removed."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, override

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady, HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.storage import Store
from homeassistant.util.file import WriteError
from homeassistant.util.hass_dict import HassKey
from homeassistant.util.json import SerializationError

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
_FAILURES: HassKey[dict[str, str]] = HassKey(f"{DOMAIN}_not_written")


class NotWrittenError(HomeAssistantError):
    """What was to be kept is not on the disk, and a restart would lose it."""


class NotReadError(ConfigEntryNotReady):
    """A file is there, and the disk does not give it: what it holds is not known yet."""


class CheckedStore(Store[dict[str, Any]]):
    """A file of ours: written atomically, serialised off the loop, and for certain.

    Home Assistant's own store logs a failed write and goes on as if it had been done.
    """

    def __init__(self, hass: HomeAssistant, name: str) -> None:
        """Use the file of this name; nothing is read yet."""
        super().__init__(
            hass,
            VERSION,
            f"{DOMAIN}.{name}",
            atomic_writes=True,
            serialize_in_event_loop=False,
        )
        self._failure: Exception | None = None
        self._content: Callable[[], dict[str, Any]] = dict

    async def async_write(
        self, content: dict[str, Any] | Callable[[], dict[str, Any]]
    ) -> None:
        """Write this: when it returns, it (or what was handed in later) is on the disk.

        What is much to put together is handed in as what does so: that runs off the
        loop, for one write after the other, and nothing of it may change meanwhile.

        Raises NotWrittenError if it is not. A repair issue says so until a write of
        this file succeeds; whoever writes tries again. Once Home Assistant is stopping
        it writes all files at the very end, and this returns before.
        """
        self._content = content if callable(content) else lambda: content
        await self.async_save({})
        failure = self._failure
        reason = _reason(failure) if failure else None
        _show_failures(self.hass, self.key, reason)
        if reason is not None:
            raise NotWrittenError(
                translation_domain=DOMAIN,
                translation_key="not_written",
                translation_placeholders={"file": self.key, "reason": reason},
            ) from failure

    @override
    async def async_remove(self) -> None:
        """Remove the file."""
        await super().async_remove()
        _show_failures(self.hass, self.key, None)

    @override
    async def _async_write_data(self, data: dict[str, Any]) -> None:
        # Whoever waits for the same write reads its outcome before the next begins.
        self._failure = None
        try:
            await super()._async_write_data(
                {name: data[name] for name in data if name != "data"}
                | {"data_func": self._content}
            )
        except OSError as err:
            self._failure = err
            raise WriteError(err) from err
        except (SerializationError, WriteError) as err:
            self._failure = err
            raise


async def async_load_or_set_aside[T](
    store: Store[dict[str, Any]], read: Callable[[dict[str, Any]], T]
) -> T | None:
    """Load a store; what is damaged or newer is set aside with one warning.

    Raises NotReadError for a fault of the disk: that is no damage, and may pass.
    """
    try:
        return await _async_load_or_set_aside(store, read)
    except OSError as err:
        raise NotReadError(
            translation_domain=DOMAIN,
            translation_key="not_read",
            translation_placeholders={"file": store.key, "reason": _reason(err)},
        ) from err


async def _async_load_or_set_aside[T](
    store: Store[dict[str, Any]], read: Callable[[dict[str, Any]], T]
) -> T | None:
    try:
        content = await store.async_load()
        return None if content is None else read(content)
    except UNREADABLE as err:
        # So Home Assistant wraps what the disk says.
        if isinstance(err.__cause__, OSError):
            raise err.__cause__ from None
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
        await CheckedStore(hass, name).async_remove()


async def async_files(
    hass: HomeAssistant, entry_id: str
) -> dict[str, dict[str, Json] | None]:
    """Return of each file that is kept for an entry when it was saved, and its size.

    None stands for a file that is not there.
    """
    paths = [Path(CheckedStore(hass, name).path) for name in _names(entry_id)]
    return await hass.async_add_executor_job(
        lambda: {path.name: _file(path) for path in paths}
    )


def _show_failures(hass: HomeAssistant, file: str, reason: str | None) -> None:
    """Keep the repair issue in step: one for all files that cannot be written."""
    failures = hass.data.setdefault(_FAILURES, {})
    if reason is None and failures.pop(file, None) is None:
        return
    if reason is not None:
        failures[file] = reason
    if not failures:
        ir.async_delete_issue(hass, DOMAIN, "not_written")
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        "not_written",
        is_fixable=False,
        severity=ir.IssueSeverity.ERROR,
        translation_key="not_written",
        translation_placeholders={
            "files": ", ".join(sorted(failures)),
            "reason": ", ".join(sorted({*failures.values()})),
        },
    )


def _reason(err: BaseException) -> str:
    """Say in a few words why a file could not be read or written, without its path."""
    cause = err.__cause__ if isinstance(err, WriteError) else err
    return (isinstance(cause, OSError) and cause.strerror) or type(err).__name__


def _set_aside(path: Path, aside: Path) -> None:
    with suppress(FileNotFoundError):
        path.replace(aside)


def _names(entry_id: str) -> tuple[str, ...]:
    kinds = ("log", "telemetry", "load", "records")
    return entry_id, *(f"{entry_id}.{kind}" for kind in kinds)


def _file(path: Path) -> dict[str, Json] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    saved = datetime.fromtimestamp(found.st_mtime, UTC)
    return {"saved": saved.isoformat(), "bytes": found.st_size}
