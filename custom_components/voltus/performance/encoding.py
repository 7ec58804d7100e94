"""What is kept of loads and baselines, as JSON; what cannot be read raises ValueError."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from math import isfinite
from typing import Any, final

from ..aiovoltus.models import parse_time
from ..metering.baseline import QUARTER_HOUR, Baseline
from ..remembering.encoding import typed
from .settings import method_of


@final
@dataclass(frozen=True, slots=True)
class Frozen:
    """The baseline of a dispatch at a site as it was at the start, with its settings."""

    start: datetime
    settings: Mapping[str, Any]
    baseline: Baseline


def quarters_as_json(quarters: Mapping[datetime, float]) -> dict[str, Any]:
    """Return quarter hours as the first of them, and the kW of all since: None unknown."""
    if not quarters:
        return {"first": None, "kw": []}
    first, last = min(quarters), max(quarters)
    count = (last - first) // QUARTER_HOUR + 1
    known = (quarters.get(first + n * QUARTER_HOUR) for n in range(count))
    return {
        "first": first.isoformat(),
        "kw": [None if kw is None else round(kw, 3) for kw in known],
    }


def quarters_from_json(content: object) -> dict[datetime, float]:
    """Read quarter hours."""
    found = typed(dict, content)
    if found["first"] is None:
        return {}
    first = parse_time(found["first"])
    return {
        first + n * QUARTER_HOUR: _number(kw)
        for n, kw in enumerate(typed(list, found["kw"]))
        if kw is not None
    }


def frozen_as_json(frozen: Frozen) -> dict[str, Any]:
    """Return a frozen baseline."""
    made = frozen.baseline
    return {
        "start": frozen.start.isoformat(),
        "settings": dict(frozen.settings),
        "time_zone": str(made.zone),
        "kw": _profile_as_json(made.kw),
        "complete": made.complete,
        "needed": made.needed,
        "days": {day.isoformat(): _profile_as_json(p) for day, p in made.days.items()},
        "window": {instant.isoformat(): kw for instant, kw in made.window.items()},
        "adjustment": made.adjustment,
    }


def frozen_from_json(content: object, zones: Mapping[str, tzinfo]) -> Frozen:
    """Read a frozen baseline; `zones` has the time zones by their names."""
    found = typed(dict, content)
    settings = typed(dict, found["settings"])
    adjustment = found["adjustment"]
    return Frozen(
        parse_time(found["start"]),
        settings,
        Baseline(
            method_of(settings),
            zones[typed(str, found["time_zone"])],
            _profile_from_json(found["kw"]),
            typed(bool, found["complete"]),
            typed(int, found["needed"]),
            {
                date.fromisoformat(day): _profile_from_json(profile)
                for day, profile in typed(dict, found["days"]).items()
            },
            {parse_time(i): _number(kw) for i, kw in found["window"].items()},
            None if adjustment is None else _number(adjustment),
        ),
    )


def _profile_as_json(profile: Mapping[time, float]) -> dict[str, float]:
    return {f"{slot:%H:%M}": round(kw, 6) for slot, kw in profile.items()}


def _profile_from_json(content: object) -> dict[time, float]:
    found = typed(dict, content)
    return {time.fromisoformat(slot): _number(kw) for slot, kw in found.items()}


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a number")
    if not isfinite(value):
        raise ValueError("not finite")
    return value
