"""What Voltus says, as frozen objects.

Reading is tolerant field by field: what cannot be read falls back to what was last
read of the same dispatch, so that a cancel or an end is never lost with its neighbour.
Names are those of the wire (REST API, version 2022-04-15).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
import marshal
import re
from reprlib import repr as short_repr
from typing import final

from dateutil.parser import isoparse

from .errors import VoltusFormatError

type DispatchAndSite = tuple[str, str]
"""The ids of a dispatch and of a site that it names."""
type Json = bool | int | float | str | list[Json] | dict[str, Json] | None

LONGEST_LEAD_TIME = timedelta(hours=2)
LONGEST_TEXT = 255
DEEPEST_METADATA = 8
MOST_ITEMS = 10_000
MOST_REFUSALS = 1_000

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:)(\d\d)((?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d))",
    re.ASCII,
)
_GO_ZERO_TIME = "0001-01-01T00:00:00Z"
_PATH_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_EARLIEST = datetime.min.replace(tzinfo=UTC) + LONGEST_LEAD_TIME


class Source(StrEnum):
    """What brought a change to us.

    A delivery, a poll, the clock alone (a start, an end), or the clock while we were
    not running.
    """

    PUSH = "push"
    POLL = "poll"
    CLOCK = "clock"
    RESTART = "restart"


@final
@dataclass(frozen=True, slots=True)
class Meter:
    """A meter of a site; `asset_type` is load, battery, generator, poi or newer."""

    id: str
    name: str
    asset_type: str


@final
@dataclass(frozen=True, slots=True)
class Site:
    """A place that takes part in demand response, identified by `id` alone."""

    id: str
    name: str
    customer_location_id: str
    meters: tuple[Meter, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Program:
    """The market or utility product behind a dispatch; for display only."""

    id: int | None
    name: str | None
    market: str | None
    timezone: str | None
    program_type: str | None

    def as_wire(self) -> dict[str, Json]:
        """Return it as Voltus would send it."""
        return {
            "id": self.id,
            "name": self.name,
            "market": self.market,
            "timezone": self.timezone,
            "program_type": self.program_type,
        }


@final
@dataclass(frozen=True, slots=True)
class DispatchSite:
    """A site as a dispatch names it.

    `commitment` is the reduction in kW asked for against the site's registered
    baseline; None means that no amount is stated (the full plan), which is not 0.
    """

    id: str
    name: str
    customer_location_id: str
    commitment: float | None

    def as_wire(self) -> dict[str, Json]:
        """Return it as Voltus would send it."""
        return {
            "id": self.id,
            "name": self.name,
            "customer_location_id": self.customer_location_id,
            "commitment": self.commitment,
        }


@final
@dataclass(frozen=True, slots=True)
class Dispatch:
    """One version of a call to lower the load of sites in `[start_time, end_time)`.

    Times are UTC. Two versions are equal if their content is; `received` and `source`
    (when and how this version first reached us) do not count. `withdrawn` is our own
    conclusion from lasting absence, and counts as content. A `drill` is of our own
    making.
    """

    id: str
    authorized: bool
    test: bool
    start_time: datetime
    end_time: datetime | None
    creation_time: datetime | None
    modification_number: int | None
    program: Program | None
    sites: tuple[DispatchSite, ...]
    metadata: Mapping[str, Json] | None = field(hash=False)
    received: datetime = field(compare=False)
    withdrawn: bool = False
    source: Source = field(default=Source.POLL, compare=False)
    drill: bool = False

    def names(self, site_id: str) -> bool:
        """Whether it calls on a site."""
        return any(site.id == site_id for site in self.sites)

    def as_wire(self) -> dict[str, Json]:
        """Return it as Voltus would send it: `parse_dispatch` reads it back."""
        return {
            "id": self.id,
            "authorized": self.authorized,
            "test": self.test,
            "start_time": self.start_time.isoformat(),
            "end_time": iso(self.end_time),
            "creation_time": iso(self.creation_time),
            "modification_number": self.modification_number,
            "program": self.program and self.program.as_wire(),
            "sites": [site.as_wire() for site in self.sites],
            "metadata": None if self.metadata is None else dict(self.metadata),
        }


@final
@dataclass(frozen=True, slots=True)
class Refusal:
    """Something on the wire that could not be read; `value` is cut for the log."""

    dispatch_id: str
    field: str
    value: str


@final
@dataclass(frozen=True, slots=True)
class Listing:
    """A complete list of dispatches, as far as it could be read.

    It notes the first thousand refusals. `clean` has what nothing was refused of, by
    the imprint of its item.
    """

    dispatches: Mapping[str, Dispatch]
    refusals: tuple[Refusal, ...] = ()
    clean: Mapping[bytes, Dispatch] = field(
        default_factory=dict, compare=False, repr=False
    )


@final
@dataclass(frozen=True, slots=True)
class SiteList:
    """The sites of the key; `complete` unless an item of the list was unreadable."""

    sites: Mapping[str, Site]
    complete: bool


@final
@dataclass(frozen=True, slots=True)
class Trace:
    """How we come to know a dispatch; never part of its content.

    `asked` is the number of the request whose answer we believe; later requests have
    higher numbers (a clock can be set back). `contact` is when we last read a version
    of it: an open end is held from there on. `first_missing` is its first 404 since
    then, `gone` that a second one has confirmed it.
    """

    asked: int
    contact: datetime
    first_missing: datetime | None = None
    gone: bool = False


@final
@dataclass(frozen=True, slots=True)
class Snapshot:
    """All dispatches that are known. Equal if their content is.

    `listed` is the one trace of all that stood on the last complete list; the others
    have one of their own. `lagging` has the dispatches of which the last answer held an
    older version than is known, and since when.

    Whoever asks whether anything has changed compares `dispatches` and `traces` by
    identity: they are replaced when their content changes, and only then, and nothing
    in them is ever changed in place. So do the look (is the last one still true?), the
    announcements (is there anything to tell?), the file (is there anything to write?),
    and the shortcut for an answer word for word like the last list (is what is known
    still what that list said?).
    """

    dispatches: Mapping[str, Dispatch] = field(default_factory=dict, hash=False)
    listed: Trace | None = field(default=None, compare=False)
    traces: Mapping[str, Trace] = field(default_factory=dict, compare=False)
    lagging: Mapping[str, datetime] = field(default_factory=dict, compare=False)

    def trace(self, dispatch_id: str) -> Trace:
        """Return how a known dispatch is known."""
        trace = self.traces.get(dispatch_id) or self.listed
        assert trace is not None
        return trace


def parse_time(value: object) -> datetime:
    """Read an RFC 3339 time with a zone, as UTC, to the microsecond.

    Second 60 is the next minute's 0. Raises ValueError for any other form, and for an
    instant that (less the longest lead time) is no date of Python's.
    """
    parts = _TIME.fullmatch(value) if isinstance(value, str) else None
    if not parts:
        raise ValueError("not an RFC 3339 time with a zone")
    minute, second, rest = parts.groups()
    leap = timedelta(minutes=1) if second == "60" else timedelta(0)
    try:
        time = isoparse(f"{minute}{'00' if leap else second}{rest}").astimezone(UTC)
        time += leap
    except OverflowError as err:
        raise ValueError("beyond the calendar") from err
    if time < _EARLIEST:
        raise ValueError("beyond the calendar")
    return time


NOTHING_LISTED = Listing({})


def parse_listing(
    payload: Json,
    known: Mapping[str, Dispatch],
    now: datetime,
    last: Listing = NOTHING_LISTED,
    source: Source = Source.POLL,
) -> Listing:
    """Read the answer of `GET /dispatches`, item by item.

    What `last`, the list before, has as well and what is still known by it is not read
    again. Raises VoltusFormatError if it is no complete list: `{"dispatches": [...]}`,
    of at most ten thousand.
    """
    dispatches: dict[str, Dispatch] = {}
    refusals: list[Refusal] = []
    clean: dict[bytes, Dispatch] = {}
    for item in _items(payload, "dispatches"):
        imprint = _imprint(item)
        parsed = last.clean.get(imprint)
        if parsed is None or known.get(parsed.id) is not parsed:
            refused: list[Refusal] = []
            parsed = parse_dispatch(item, known, now, refused, source)
            refusals += refused[: MOST_REFUSALS - len(refusals)]
            if refused or parsed is None:
                imprint = b""
        if parsed and imprint:
            clean[imprint] = parsed
        if parsed and _supersedes(parsed, dispatches.get(parsed.id)):
            dispatches[parsed.id] = parsed
    return Listing(dispatches, tuple(refusals), clean)


def parse_dispatch(
    item: Json,
    known: Mapping[str, Dispatch],
    now: datetime,
    refusals: list[Refusal],
    source: Source = Source.POLL,
) -> Dispatch | None:
    """Read one dispatch, with `known` for what is unreadable in it.

    Adds to `refusals` whatever could not be read. Returns None if the id, or for a
    dispatch that is not known yet `authorized`, `start_time` or every site, is
    missing. An equal version keeps the `received` and `source` of the known one.
    """
    dispatch_id = _identifier(item)
    if dispatch_id is None:
        _refuse(refusals, _nameless(item), "id", item)
        return None
    last = known.get(dispatch_id)
    reader = _Reader(dispatch_id, "", item, refusals)
    authorized = reader.read("authorized", _boolean, last and last.authorized)
    start_time = reader.read("start_time", parse_time, last and last.start_time)
    sites = _sites(reader, last.sites if last else ())
    if authorized is None or start_time is None or not sites:
        return None
    dispatch = Dispatch(
        id=dispatch_id,
        authorized=authorized,
        test=bool(reader.read("test", _boolean, last and last.test)),
        start_time=start_time,
        end_time=reader.read("end_time", _end_time, last and last.end_time),
        creation_time=reader.read(
            "creation_time", _optional(parse_time), last and last.creation_time
        ),
        modification_number=reader.read(
            "modification_number",
            _optional(_integer),
            last and last.modification_number,
        ),
        program=_program(reader, last and last.program),
        sites=sites,
        metadata=reader.read("metadata", _optional(_metadata), last and last.metadata),
        received=now,
        source=source,
    )
    return last if dispatch == last else dispatch


def parse_sites(payload: Json) -> SiteList:
    """Read the answer of `GET /sites`.

    Raises VoltusFormatError if it is not `{"sites": [...]}`, of at most ten thousand.
    """
    items = _items(payload, "sites")
    sites = [site for item in items if (site := _site(item))]
    return SiteList({site.id: site for site in sites}, len(sites) == len(items))


def iso(time: datetime | None) -> str | None:
    """Write a time in ISO 8601 with offset; None where there is none."""
    return time.isoformat() if time else None


def as_object(value: Json) -> dict[str, Json]:
    """Return a JSON object. Raises ValueError for anything else."""
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def can_be_asked_for(dispatch_id: str) -> bool:
    """Whether an id is harmless as a part of a path."""
    return _PATH_ID.fullmatch(dispatch_id) is not None


def clean(text: str) -> str:
    """Strip control characters from a text and cut it, so that it can be a name."""
    printable = text if text.isprintable() else "".join(filter(str.isprintable, text))
    return printable[:LONGEST_TEXT].strip()


def _nameless(item: Json) -> str:
    """Return what a dispatch without a readable id can be told by: its start."""
    start = item.get("start_time") if isinstance(item, dict) else None
    return clean(f"? {start}") if isinstance(start, str) else "?"


class _Reader:
    """Reads one wire object field by field and notes what it refuses."""

    def __init__(
        self, dispatch_id: str, path: str, item: Json, refusals: list[Refusal]
    ) -> None:
        self.dispatch_id = dispatch_id
        self.path = path
        self.item = item if isinstance(item, dict) else {}
        self.refusals = refusals

    def refuse(self, name: str, value: object) -> None:
        _refuse(self.refusals, self.dispatch_id, self.path + name, value)

    def read[T](
        self, name: str, convert: Callable[[Json], T | None], fallback: T | None
    ) -> T | None:
        value = self.item.get(name)
        try:
            return convert(value)
        except ValueError:
            self.refuse(name, value)
            return fallback

    def within(self, path: str, item: Json) -> _Reader:
        return _Reader(self.dispatch_id, f"{self.path}{path}.", item, self.refusals)


def _refuse(
    refusals: list[Refusal], dispatch_id: str, field_name: str, value: object
) -> None:
    """Note what cannot be read, until there is more than anybody would read."""
    if len(refusals) < MOST_REFUSALS:
        shown = short_repr(value)[:LONGEST_TEXT]
        refusals.append(Refusal(dispatch_id, field_name, shown))


def _items(payload: Json, name: str) -> list[Json]:
    items = payload.get(name) if isinstance(payload, dict) else None
    if not isinstance(items, list):
        raise VoltusFormatError(f"The answer holds no list of {name}")
    if len(items) > MOST_ITEMS:
        raise VoltusFormatError(f"The answer holds more than {MOST_ITEMS} {name}")
    return items


def _imprint(item: Json) -> bytes:
    """Return bytes that no other item has; none if it is nested too deeply.

    To `==` 1 is the same as true. Where an item shares other objects with its
    neighbours than it did before, it has other bytes, and is read again.
    """
    try:
        return marshal.dumps(item)
    except ValueError:
        return b""


def _supersedes(dispatch: Dispatch, other: Dispatch | None) -> bool:
    """Of two with one id the higher modification number counts, then the later."""
    return other is None or (
        (dispatch.modification_number or 0) >= (other.modification_number or 0)
    )


def _sites(reader: _Reader, last: tuple[DispatchSite, ...]) -> tuple[DispatchSite, ...]:
    """Read `sites`; an unreadable item must not release a site of the last version."""
    items = reader.item.get("sites")
    if not isinstance(items, list) or not 0 < len(items) <= MOST_ITEMS:
        reader.refuse("sites", items)
        return last
    before = {site.id: site for site in last}
    read = [
        _dispatch_site(reader.within(f"sites[{index}]", item), before)
        for index, item in enumerate(items)
    ]
    sites = {site.id: site for site in read if site}
    if None in read:
        sites = before | sites
    return tuple(sites[site_id] for site_id in sorted(sites))


def _dispatch_site(
    reader: _Reader, before: Mapping[str, DispatchSite]
) -> DispatchSite | None:
    site_id = _identifier(reader.item)
    if site_id is None:
        reader.refuse("id", reader.item.get("id"))
        return None
    last = before.get(site_id)
    commitment = reader.read("commitment", _amount, None)
    if commitment is None:
        commitment = reader.read("drop_by", _amount, None)
    name = reader.read("name", _text, last and last.name)
    location = reader.read(
        "customer_location_id", _text, last and last.customer_location_id
    )
    return DispatchSite(site_id, name or site_id, location or "", commitment)


def _program(reader: _Reader, last: Program | None) -> Program | None:
    item = reader.read("program", _optional(as_object), None)
    if item is None:
        return last if reader.item.get("program") is not None else None
    inner = reader.within("program", item)
    text = _optional(_text)
    return Program(
        id=inner.read("id", _optional(_integer), last and last.id),
        name=inner.read("name", text, last and last.name),
        market=inner.read("market", text, last and last.market),
        timezone=inner.read("timezone", text, last and last.timezone),
        program_type=inner.read("program_type", text, last and last.program_type),
    )


def _site(item: Json) -> Site | None:
    site_id = _identifier(item)
    if site_id is None or not isinstance(item, dict):
        return None
    meters = item.get("meters")
    return Site(
        id=site_id,
        name=_text_or_empty(item.get("name")) or site_id,
        customer_location_id=_text_or_empty(item.get("customer_location_id")),
        meters=tuple(
            Meter(
                meter_id,
                _text_or_empty(meter.get("name")),
                _text_or_empty(meter.get("asset_type")),
            )
            for meter in (meters if isinstance(meters, list) else ())
            if isinstance(meter, dict) and (meter_id := _identifier(meter))
        ),
    )


def _optional[T](convert: Callable[[Json], T]) -> Callable[[Json], T | None]:
    return lambda value: None if value is None else convert(value)


def _boolean(value: Json) -> bool:
    if not isinstance(value, bool):
        raise ValueError("not a boolean")
    return value


def _number(value: Json) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a number")
    if not -(2**63) <= value < 2**63:
        raise ValueError("out of range")
    return value


def _integer(value: Json) -> int:
    number = _number(value)
    if number != int(number):
        raise ValueError("not a whole number")
    return int(number)


def _amount(value: Json) -> float | None:
    """Read an amount in kW, not negative, or None where none is stated."""
    if value is None:
        return None
    # The greatest integers become greater still as a float.
    if not 0 <= (amount := float(_number(value))) < 2**63:
        raise ValueError("not an amount")
    return amount


def _end_time(value: Json) -> datetime | None:
    """Read an end: missing, null, "" and Go's zero time mean that it is not known yet."""
    return None if value in (None, "", _GO_ZERO_TIME) else parse_time(value)


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    return clean(value)


def _text_or_empty(value: Json) -> str:
    return clean(value) if isinstance(value, str) else ""


def _identifier(item: Json) -> str | None:
    """Return the id of a wire object if it has one that is safe to print and keep.

    One that is a whole number is its digits.
    """
    value = item.get("id") if isinstance(item, dict) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _digits(value)
    return value if isinstance(value, str) and value and clean(value) == value else None


def _digits(value: float) -> str | None:
    try:
        return str(_integer(value))
    except ValueError:
        return None


def _metadata(value: Json) -> dict[str, Json]:
    mapping = as_object(value)
    _check_storable(mapping, DEEPEST_METADATA)
    return mapping


def _check_storable(value: Json, depth: int) -> None:
    """Raise ValueError for what a JSON file cannot hold or a reader would choke on."""
    match value:
        case bool() | None:
            pass
        case int() | float():
            _number(value)
        case str():
            value.encode()
        case _ if depth == 0:
            raise ValueError("nested too deeply")
        case dict():
            for key, item in value.items():
                key.encode()
                _check_storable(item, depth - 1)
        case _:
            for item in value:
                _check_storable(item, depth - 1)
