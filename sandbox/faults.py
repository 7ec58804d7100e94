"""What can be made to go wrong, and what it does to an answer. Pure: the server acts on it."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace

from .wire import FLAG, Answer, Rule, Wire, as_object, error, is_number, only

HUGE = 11 * 2**20

BODIES: Mapping[str, Callable[[bytes], bytes]] = {
    "html": lambda body: (
        b"<!doctype html><title>Error</title><h1>The web server reported an error</h1>"
    ),
    "truncated": lambda body: body[: len(body) // 2],
    "malformed": lambda body: b'{"dispatches": [}',
    "empty": lambda body: b"",
    "null_dispatches": lambda body: b'{"dispatches": null, "page": 0, "perPage": 0}',
    "null_data": lambda body: b'{"data": null}',
    "wrong_shape": lambda body: b'["dispatches"]',
    "huge": lambda body: body.ljust(HUGE),
}
"""What may take the place of a body. `huge` is good JSON, padded with blanks to 11 MiB."""


def _is_line(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable()


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _map_of(holds: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(map(holds, value.values()))


SECONDS = Rule(
    "a number of seconds, thirty years at most",
    lambda value: is_number(value, -1e9, 1e9),
)
_STATUS = Rule(
    "an HTTP status from 200 to 599",
    lambda value: isinstance(value, int) and is_number(value, 200, 599),
)
_BODY = Rule(
    f"one of {', '.join(BODIES)}",
    lambda value: isinstance(value, str) and value in BODIES,
)
_DELAY = Rule("a number of seconds, 0 or more", lambda value: is_number(value, 0, 1e9))
_LINE = Rule("a text in one line", _is_line)
_TEXTS = Rule("a list of texts", _are_texts)
_CORRUPT = Rule(
    "an object of objects: {id: {field: value}}",
    _map_of(lambda value: isinstance(value, dict)),
)
_OMIT = Rule("an object of lists: {id: [field]}", _map_of(_are_texts))
_TIMES = Rule(
    "a whole number, 1 or more",
    lambda value: isinstance(value, int) and is_number(value, 1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What is wrong with the local Voltus; nothing, unless it is said.

    Those of an answer (`status` to `date_offset`) strike the requests whose path ends with one of
    `paths`, or all. Those of a dispatch (`drop` to `omit`) strike it wherever it is shown.
    """

    status: int | None = field(default=None, metadata={"rule": _STATUS})
    """Answer with this status and its envelope; the request itself has no effect."""
    redirect: str | None = field(default=None, metadata={"rule": _LINE})
    """Send the client to this address, with `status` or 302."""
    body: str | None = field(default=None, metadata={"rule": _BODY})
    """Replace the body, see `BODIES`."""
    retry_after: str | None = field(default=None, metadata={"rule": _LINE})
    """Send this `Retry-After`, whatever it says."""
    delay: float = field(default=0, metadata={"rule": _DELAY})
    """Send the answer so many seconds late; it is as old as the request."""
    hang: bool = field(default=False, metadata={"rule": FLAG})
    """Never answer."""
    cut: bool = field(default=False, metadata={"rule": FLAG})
    """Close the connection in the middle of the body."""
    date_offset: float = field(default=0, metadata={"rule": SECONDS})
    """Let the `Date` header run so many seconds ahead."""
    drop: Collection[str] = field(default=(), metadata={"rule": _TEXTS})
    """Ids of dispatches that are not listed, and not found by id."""
    drop_from_list: Collection[str] = field(default=(), metadata={"rule": _TEXTS})
    """Ids of dispatches that are not listed, but found by id."""
    corrupt: Mapping[str, Wire] = field(
        default_factory=dict, metadata={"rule": _CORRUPT}
    )
    """By dispatch id: fields and what they hold instead."""
    omit: Mapping[str, Collection[str]] = field(
        default_factory=dict, metadata={"rule": _OMIT}
    )
    """By dispatch id: fields that are missing."""
    paths: Collection[str] = field(default=(), metadata={"rule": _TEXTS})
    """Ends of the paths that are struck, such as `/dispatches`; all, if there are none."""
    times: int | None = field(default=None, metadata={"rule": _TIMES})
    """How many requests are struck before all is well again; without it, all."""

    def strikes(self, path: str) -> bool:
        """Tell whether a request for this path is struck."""
        return not self.paths or path.endswith(tuple(self.paths))

    def at(self, path: str) -> Faults:
        """Return what is wrong at this path: all of it, or with the dispatches alone."""
        if self.strikes(path):
            return self
        return Faults(
            drop=self.drop,
            drop_from_list=self.drop_from_list,
            corrupt=self.corrupt,
            omit=self.omit,
        )

    def after(self, path: str) -> Faults:
        """Return what is left after a request for this path."""
        if self.times is None or not self.strikes(path):
            return self
        return replace(self, times=self.times - 1) if self.times > 1 else Faults()

    def listed(self, dispatches: Iterable[Wire]) -> list[Wire]:
        """Return the dispatches as the list shows them."""
        hidden = {*self.drop, *self.drop_from_list}
        return [
            self._spoiled(dispatch)
            for dispatch in dispatches
            if dispatch["id"] not in hidden
        ]

    def found(self, dispatch: Wire) -> Wire | None:
        """Return a dispatch as it is shown by id; None if it is not."""
        return None if dispatch["id"] in self.drop else self._spoiled(dispatch)

    def _spoiled(self, dispatch: Wire) -> Wire:
        dispatch_id = str(dispatch["id"])
        shown = {**dispatch, **self.corrupt.get(dispatch_id, {})}
        return {
            name: value
            for name, value in shown.items()
            if name not in self.omit.get(dispatch_id, ())
        }

    def instead(self) -> Answer | None:
        """Return the answer that is given without looking at the request, if any."""
        if self.redirect is not None:
            return Answer(self.status or 302, headers={"Location": self.redirect})
        return error(self.status) if self.status is not None else None

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer."""
        headers = dict(answer.headers)
        if self.retry_after is not None:
            headers["Retry-After"] = self.retry_after
        if self.body is None:
            return replace(answer, headers=headers)
        if self.body == "html":
            headers["Content-Type"] = "text/html"
        return replace(answer, body=BODIES[self.body](answer.body), headers=headers)


_RULES: Mapping[str, Rule] = {
    each.name: each.metadata["rule"] for each in fields(Faults)
}


def parse_faults(body: object) -> Faults:
    """Read the faults to switch on; null switches none on. Raises RequestError."""
    given = {
        name: value
        for name, value in as_object(body, "faults").items()
        if value is not None
    }
    return Faults(**only(given, "faults", _RULES))  # type: ignore[arg-type]
