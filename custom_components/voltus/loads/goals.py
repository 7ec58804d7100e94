"""What is asked of a load, and whether what it reports is that."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isclose
from typing import Final, final

from ..aiovoltus.models import Json

type Values = Mapping[str, Json]
"""How a load is: its `state`, and its attributes by their names."""

STATE: Final = "state"
OFF: Final = "off"
TEMPERATURES: Final = ("temperature", "target_temp_low", "target_temp_high")
STEPS: Final = ("target_temp_step", "step")
TEMPERATURE_STEP: Final = 0.5
"""Degrees: the step of a thermostat that does not tell its own."""


@final
@dataclass(frozen=True, slots=True)
class To:
    """Bring a load to these values."""

    values: Values


@final
@dataclass(frozen=True, slots=True)
class SetBack:
    """Set a thermostat back: what cools `warmer`, what heats `colder`, in degrees."""

    warmer: float
    colder: float


type Request = To | SetBack


def goal(request: Request, before: Values | None) -> Values:
    """Return what a load is to be brought to; nothing where nothing is asked of it.

    No thermostat leaves the range that it allows, and one that is off stays off. What
    to set back to cannot be said as long as nobody knows how it was.
    """
    if isinstance(request, To):
        return request.values
    return {} if before is None else _set_back(request, before)


def met(asked: Values, values: Values) -> bool:
    """Whether a load is exactly as it is asked to be."""
    return all(_same(value, values.get(name)) for name, value in asked.items())


def obeyed(asked: Values, before: Values | None, reported: Values) -> bool:
    """Whether a load does what was asked of it, as far as it can.

    A number counts within one step of the device, or when at least half the way is
    gone: devices round, and some go on in steps. Everything else has to be the same.
    """
    return all(
        _near(name, value, reported)
        or _half_way(value, (before or {}).get(name), reported.get(name))
        for name, value in asked.items()
    )


def differs(names: Iterable[str], one: Values, other: Values) -> bool:
    """Whether any of these values is another, by more than one step of the device."""
    return not all(_near(name, one.get(name), other) for name in names)


def number(value: Json) -> float | None:
    """Return a value as a number, None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _set_back(request: SetBack, before: Values) -> Values:
    mode = before.get(STATE)
    aim, low, high = (number(before.get(name)) for name in TEMPERATURES)
    least, most = number(before.get("min_temp")), number(before.get("max_temp"))

    def warmer(aim: float) -> float:
        return round(min(aim + request.warmer, aim if most is None else most), 1)

    def colder(aim: float) -> float:
        return round(max(aim - request.colder, aim if least is None else least), 1)

    if mode in ("heat_cool", "auto") and low is not None and high is not None:
        return {"target_temp_low": colder(low), "target_temp_high": warmer(high)}
    if mode == OFF or aim is None:
        return {}
    if _cools(before, aim):
        return {"temperature": warmer(aim)}
    return {"temperature": colder(aim)}


def _cools(before: Values, aim: float) -> bool:
    """Whether a thermostat cools; in other modes its temperature tells."""
    mode, current = before.get(STATE), number(before.get("current_temperature"))
    if mode in ("cool", "dry"):
        return True
    return mode != "heat" and current is not None and current > aim


def _same(one: Json, other: Json, step: float = 0) -> bool:
    first, second = number(one), number(other)
    if first is None or second is None:
        return one == other
    return isclose(first, second, abs_tol=max(step, 1e-6) + 1e-9)


def _near(name: str, value: Json, reported: Values) -> bool:
    return _same(value, reported.get(name), _step(name, reported))


def _step(name: str, reported: Values) -> float:
    stated = next(filter(None, (number(reported.get(each)) for each in STEPS)), None)
    return stated or (TEMPERATURE_STEP if name in TEMPERATURES else 0)


def _half_way(asked: Json, before: Json, reported: Json) -> bool:
    aim, begun, now = number(asked), number(before), number(reported)
    if aim is None or begun is None or now is None:
        return False
    return abs(now - aim) <= abs(begun - aim) / 2
