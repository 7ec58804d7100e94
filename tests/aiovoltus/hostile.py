"""What an API might send that means no good: values, and real payloads spoiled by them."""

from copy import deepcopy
from itertools import chain

from hypothesis import strategies as st

from custom_components.voltus.aiovoltus.models import Json
from tests.builders import ONE, at, wire_dispatch

from .strategies import json_values

type Path = tuple[str | int, ...]

DEPTH = 100_000

EDGES_OF_TIME = (
    "0001-01-01T00:00:00Z",
    "0001-01-01T01:59:59Z",
    "0001-01-01T02:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "0001-01-01T00:00:00-23:59",
    "9999-12-31T23:59:59.999999999Z",
    "9999-12-31T23:59:59-23:59",
    "9999-12-31T24:00:00Z",
    "0000-01-01T00:00:00Z",
    "2026-02-30T12:00:00Z",
    "2026-07-15T12:00:60Z",
    "2026-07-15T12:00:00+99:99",
    "2026-07-15T12:00:00." + "9" * 5000 + "Z",
    "٢٠٢٦-07-15T12:00:00Z",
)
TEXTS = (
    "",
    " ",
    "?",
    "<script>alert(1)</script>",
    "[pay](https://attacker.example)",
    "![](https://attacker.example/x.png)",
    "{{ states('sun.sun') }}",
    "{name}",
    "%s%n",
    "\x00\x1b[2J\r\n\x7f",
    "\u202eevil\u2028",
    "\ud800",
    "\udfff\ud800",
    "..",
    "../../api/config",
    "a/b",
    "a.b",
    "a?b#c%2f",
    "__proto__",
    "0" * 1000,
    "\U0001f50c" * 300,
    "e\u0301" * 300,
)
NUMBERS = (
    0,
    -0.0,
    -1,
    5e-324,
    1e308,
    -1e308,
    float("inf"),
    float("nan"),
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    10**400,
)


def _nested(depth: int) -> Json:
    value: Json = "bottom"
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


values: st.SearchStrategy[Json] = (
    st.sampled_from([*EDGES_OF_TIME, *TEXTS, *NUMBERS, True, False, None, [], {}])
    | st.sampled_from([9, 40, 400]).map(_nested)
    | json_values
)


def _paths(value: Json) -> list[Path]:
    """Return where something lies within a value, and () for all of it."""
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [(), *((key, *path) for key, each in inner for path in _paths(each))]


@st.composite
def spoiled(draw: st.DrawFn, payload: Json) -> Json:
    """Draw a payload in which some things are replaced, missing or there twice."""
    holder: dict[str, Json] = {"payload": deepcopy(payload)}
    for _ in range(draw(st.integers(1, 4))):
        *way, last = draw(
            st.sampled_from([("payload", *path) for path in _paths(holder["payload"])])
        )
        place: Json = holder
        for step in way:
            place = place[step]  # type: ignore[index]
        what = draw(st.sampled_from(["replace", "replace", "remove", "twice"]))
        if isinstance(place, list) and isinstance(last, int):
            again = [place[last]] * (what == "twice")
            place[last : last + 1] = [place[last], *again]
            if what == "remove":
                del place[last]
        elif what == "remove" and place is not holder:
            del place[last]  # type: ignore[union-attr, arg-type]
        if what == "replace":
            place[last] = draw(values)  # type: ignore[index]
    return holder["payload"]


PROGRAM_AND_METADATA: dict[str, Json] = {"metadata": {"a": [1, {"b": "c"}]}}
LISTING: Json = {
    "dispatches": [
        wire_dispatch(
            "d1", at(-10), ONE, {"s1": 5.0, "s2": None}, **PROGRAM_AND_METADATA
        ),
        wire_dispatch("d2", at(5), None, {"s1": 7.5}, test=True),
        wire_dispatch("d3", at(-60), at(-30), authorized=False),
    ],
    "page": 0,
    "perPage": 0,
}
SITES: Json = {
    "sites": [
        {
            "id": "s1",
            "name": "Site s1",
            "customer_location_id": "location-s1",
            "meters": [{"id": "m1", "name": "Main meter", "asset_type": "load"}],
        },
        {"id": "s2", "name": "Site s2", "customer_location_id": ""},
    ],
    "page": 0,
    "perPage": 0,
}

spoiled_listings = spoiled(LISTING)
spoiled_sites = spoiled(SITES)

FLOODS = {
    "no objects": b"0",
    "empty objects": b"{}",
    "lists": b"[]",
    "objects with a long id": b'{"id":"' + b"x" * 300 + b'"}',
}
"""Items that are none, small enough for millions of them in one answer."""


def deeply_nested() -> dict[str, bytes]:
    """Return JSON that goes down a hundred thousand levels, closed again or not."""
    shapes = {"lists": (b"[", b"]"), "objects": (b'{"a":', b"}")}
    return dict(
        chain.from_iterable(
            (
                (f"{name} left open", opening * DEPTH),
                (name, opening * DEPTH + b"0" + closing * DEPTH),
                (
                    f"{name} in a field",
                    b'{"dispatches":[{"id":"d1","metadata":'
                    + opening * DEPTH
                    + b"0"
                    + closing * DEPTH
                    + b"}]}",
                ),
            )
            for name, (opening, closing) in shapes.items()
        )
    )
