"""What crosses the wire: JSON, times, answers and errors."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
import http.client
import json
import re
import sys
from typing import NamedTuple

type Wire = Mapping[str, object]
"""A JSON object, with the names that Voltus gives its fields."""

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


class RequestError(Exception):
    """A request that is answered with an error: its message, and the HTTP status."""

    def __init__(self, message: str, status: int = 400) -> None:
        """Keep the status beside the message."""
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer that has not been sent yet."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(payload: object, status: int = 200) -> Answer:
    """Answer with a JSON body."""
    return Answer(
        status,
        json.dumps(payload).encode() + b"\n",
        {"Content-Type": "application/json"},
    )


def error(status: int, message: str | None = None) -> Answer:
    """Answer with Voltus' error envelope: `type` is the status in words."""
    kind = http.client.responses.get(
        401 if status == 403 else status, "Internal Server Error"
    )
    if message is None:
        message = "Permission denied" if kind == "Unauthorized" else kind
    return json_answer({"message": message, "type": kind}, status)


def read_json(body: bytes) -> object:
    """Read the JSON of a request; raises RequestError."""
    try:
        return json.loads(body)
    except ValueError as err:
        raise RequestError(f"the body is not JSON: {err}") from err


def parse_time(value: object) -> datetime:
    """Read an RFC 3339 time, cut to microseconds; raises ValueError."""
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError(f"not an RFC 3339 time: {value!r}")
    return datetime.fromisoformat(value.upper())


def rfc3339(when: datetime) -> str:
    """Write an aware time as Voltus does: UTC with `Z`, a fraction only where there is one."""
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Rule(NamedTuple):
    """What a field may hold: in words, for the error, and as a test."""

    wanted: str
    holds: Callable[[object], bool]


def is_number(
    value: object, low: float = -sys.float_info.max, high: float = sys.float_info.max
) -> bool:
    """Tell whether it is a finite number from `low` to `high`."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and low <= value <= high
    )


def _is_time(value: object) -> bool:
    try:
        parse_time(value)
    except ValueError:
        return False
    return True


FLAG = Rule("true or false", lambda value: isinstance(value, bool))
TEXT = Rule("a text", lambda value: isinstance(value, str))
WHOLE = Rule(
    "a whole number", lambda value: isinstance(value, int) and is_number(value)
)
AMOUNT = Rule(
    "a number of kW, or null", lambda value: value is None or is_number(value)
)
TIME = Rule("a time with its zone, such as 2026-08-01T12:00:00Z", _is_time)
OBJECT = Rule("an object", lambda value: isinstance(value, dict))


def as_object(value: object, where: str) -> Wire:
    """Return the JSON object found at `where`; raises RequestError."""
    if not isinstance(value, dict):
        raise RequestError(f"{where} must be an object")
    return value


def as_list(value: object, where: str) -> list[object]:
    """Return the list with at least one item found at `where`; raises RequestError."""
    if not isinstance(value, list) or not value:
        raise RequestError(f"{where} must be a list that is not empty")
    return value


def checked(
    value: object,
    where: str,
    must: Mapping[str, Rule],
    may: Mapping[str, Rule] | None = None,
) -> Wire:
    """Return the object at `where` if its fields keep the rules. Raises RequestError."""
    found = as_object(value, where)
    present = {name: rule for name, rule in (may or {}).items() if name in found}
    for name, rule in {**must, **present}.items():
        if name not in found:
            raise RequestError(f"{where} has no {name}: it must be {rule.wanted}")
        if not rule.holds(found[name]):
            raise RequestError(f"{name} of {where} must be {rule.wanted}")
    return found


def only(value: object, where: str, may: Mapping[str, Rule]) -> Wire:
    """Like `checked`, for an object that may have no other fields."""
    found = checked(value, where, {}, may)
    if unknown := found.keys() - may.keys():
        raise RequestError(
            f"{where} knows no {_names(unknown)}; it knows {_names(may)}"
        )
    return found


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
