"""How the loads that are held stand on the disk."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any, final

from homeassistant.const import MAX_LENGTH_STATE_STATE
from homeassistant.core import valid_entity_id

from ..aiovoltus.models import Json
from ..remembering.encoding import texts, typed
from .goals import OFF, STATE, Request, SetBack, To, Values
from .load import Load, Phase


def storable(value: object) -> bool:
    """Whether a value is the same after it was written as JSON and read again."""
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, list):
        return all(map(storable, value))
    if isinstance(value, Mapping):
        return all(
            isinstance(key, str) and storable(each) for key, each in value.items()
        )
    return value is None or isinstance(value, str | int)


@final
@dataclass(frozen=True, slots=True)
class Kept:
    """What is on the disk: the loads, and which scopes are those of automations."""

    loads: Mapping[str, Load] = field(default_factory=dict)
    automations: frozenset[str] = frozenset()


def dump(kept: Kept) -> dict[str, Any]:
    """Return what is written; of what loads were told nothing is kept."""
    return {
        "loads": {
            entity_id: _dump_load(each) for entity_id, each in kept.loads.items()
        },
        "automations": sorted(kept.automations),
    }


def read(content: dict[str, Any]) -> Kept:
    """Read what was written. Raises KeyError, TypeError or ValueError if it is not."""
    loads = typed(dict, content["loads"])
    return Kept(
        {_entity_id(entity_id): _read_load(each) for entity_id, each in loads.items()},
        frozenset(texts(content["automations"])),
    )


def read_saved_states(content: dict[str, Any], now: datetime) -> Kept:
    """Read what the action `save_states`, which is no more, has left.

    Raises as `read` does.
    """
    loads: dict[str, Load] = {}
    for scope, saved in content.items():
        for entity_id, each in saved.items():
            left = each.get("left")
            wanted = {STATE: OFF} if left is None else _values(left)
            before = _state_and_attributes(
                {**_values(each["attributes"]), STATE: each[STATE]}
            )
            loads[_entity_id(entity_id)] = Load(
                scopes={scope: To(wanted)},
                phase=Phase.GOING_DOWN if left is None else Phase.DOWN,
                since=now,
                before=before,
                touched=any(before.get(name) != left[name] for name in left or {})
                or left is None,
                counts=frozenset({STATE, *wanted}),
                left=left,
            )
    return Kept(loads)


def _dump_load(load: Load) -> dict[str, Any]:
    return {
        "scopes": {scope: _dump_request(asked) for scope, asked in load.scopes.items()},
        "phase": load.phase,
        "since": load.since.isoformat(),
        "before": load.before,
        "touched": load.touched,
        "failed": load.failed,
        "counts": sorted(load.counts),
    }


def _read_load(content: dict[str, Any]) -> Load:
    before = content["before"]
    since = datetime.fromisoformat(content["since"])
    if since.tzinfo is None:
        raise ValueError(f"A time without a zone: {since}")
    return Load(
        scopes={str(s): _read_request(asked) for s, asked in content["scopes"].items()},
        phase=Phase(content["phase"]),
        since=since,
        before=None if before is None else _state_and_attributes(before),
        touched=typed(bool, content["touched"]),
        failed=typed(bool, content["failed"]),
        counts=frozenset(texts(content["counts"])),
    )


def _entity_id(text: str) -> str:
    if not valid_entity_id(text):
        raise ValueError(f"No entity id: {text}")
    return text


def _dump_request(request: Request) -> dict[str, Any]:
    if isinstance(request, To):
        return {"to": request.values}
    return {"warmer": request.warmer, "colder": request.colder}


def _read_request(content: dict[str, Any]) -> Request:
    if "to" in content:
        return To(_values(content["to"]))
    return SetBack(float(content["warmer"]), float(content["colder"]))


def _state_and_attributes(content: object) -> Values:
    values = _values(content)
    state = typed(str, values[STATE])
    if len(state) > MAX_LENGTH_STATE_STATE:
        raise ValueError(f"A state of {len(state)} characters")
    return values


def _values(content: object) -> dict[str, Json]:
    return typed(dict, content)
