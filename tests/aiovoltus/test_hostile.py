"""An API that means no good: whatever it sends is read, refused by name, or bounded."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
import json
import math
from random import Random
import tracemalloc
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import AsyncMock

from hypothesis import example, given
from hypothesis import strategies as st
import pytest
from yarl import URL

from custom_components.voltus.aiovoltus import reconcile
from custom_components.voltus.aiovoltus.backoff import LONGEST_PAUSE, Backoff
from custom_components.voltus.aiovoltus.client import VoltusClient, decode, parse_origin
from custom_components.voltus.aiovoltus.clock_skew import ClockSkew
from custom_components.voltus.aiovoltus.errors import VoltusError, VoltusFormatError
from custom_components.voltus.aiovoltus.models import (
    LONGEST_TEXT,
    MOST_ITEMS,
    MOST_REFUSALS,
    Dispatch,
    Json,
    Listing,
    Refusal,
    Snapshot,
    Trace,
    can_be_asked_for,
    clean,
    parse_dispatch,
    parse_listing,
    parse_sites,
    parse_time,
)
from custom_components.voltus.aiovoltus.reconcile import KnownSites
from custom_components.voltus.aiovoltus.schedule import (
    Curtailment,
    Policy,
    changes,
    differences,
    look,
)
from tests.builders import NOON, at, dispatch, wire_dispatch

from .hostile import (
    EDGES_OF_TIME,
    FLOODS,
    LISTING,
    TEXTS,
    deeply_nested,
    spoiled_listings,
    spoiled_sites,
    values,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = "k3y-that-nobody-may-see"
MEBIBYTE = 2**20
APART = timedelta(seconds=30)
SITE: dict[str, Json] = {"id": "s1", "name": "Site s1", "customer_location_id": ""}

any_instant = st.datetimes(
    datetime(1970, 1, 1), datetime.max, timezones=st.just(UTC)
) | st.sampled_from([NOON, at(5), at(60)])
any_policy = st.builds(
    Policy,
    lead_time=st.integers(0, 120).map(lambda n: timedelta(minutes=n)),
    act_on_test_dispatches=st.booleans(),
    offline_hold=st.integers(1, 24).map(lambda n: timedelta(hours=n)),
    ignored_sites=st.frozensets(st.sampled_from(["s1", "s2", ""])),
)
known_dispatches = st.sampled_from(
    [{}, {"d1": dispatch("d1"), "d2": dispatch("d2", end=None, withdrawn=True)}]
)


# Bytes


@st.composite
def _spoiled_bytes(draw: st.DrawFn) -> bytes:
    content = bytearray(json.dumps(LISTING).encode())
    for _ in range(draw(st.integers(1, 6))):
        where = draw(st.integers(0, len(content)))
        until = where + draw(st.sampled_from([0, 1, 1, 20]))
        content[where:until] = draw(st.binary(max_size=4))
    return bytes(content)


@given(_spoiled_bytes())
def test_a_spoiled_body_is_a_listing_or_a_format_error(content: bytes) -> None:
    try:
        listing = parse_listing(decode(content), {}, NOON)
    except VoltusFormatError:
        return
    _assert_sound(listing)


@pytest.mark.parametrize("content", deeply_nested().values(), ids=deeply_nested())
def test_what_is_nested_without_end_is_a_format_error(content: bytes) -> None:
    with pytest.raises(VoltusFormatError):
        decode(content)


def test_a_number_of_five_thousand_digits_is_a_format_error() -> None:
    with pytest.raises(VoltusFormatError):
        decode(
            b'{"dispatches":[{"id":"d1","modification_number":' + b"9" * 5000 + b"}]}"
        )


@pytest.mark.parametrize(
    "number",
    [b"9" * 4000, b"-" + b"9" * 4000, b"9" * 4000 + b".5", b"1e999", b"-1e999"],
    ids=["4,000 digits", "negative", "with a fraction", "1e999", "-1e999"],
)
@pytest.mark.parametrize(
    "field", ["modification_number", "program", "sites", "metadata"]
)
def test_a_number_beyond_all_bounds_costs_its_field_alone(
    number: bytes, field: str
) -> None:
    spoil: dict[str, Json] = {
        "modification_number": "NUMBER",
        "program": {"id": "NUMBER", "name": "A Program"},
        "sites": [{**SITE, "commitment": "NUMBER", "drop_by": 7}],
        "metadata": {"deep": ["NUMBER"]},
    }
    wire = wire_dispatch() | {field: spoil[field]}
    content = json.dumps({"dispatches": [wire]}).encode().replace(b'"NUMBER"', number)
    listing = parse_listing(decode(content), {}, NOON)
    _assert_sound(listing)
    assert listing.dispatches["d1"].start_time == NOON
    assert len(listing.refusals) == 1
    assert len(listing.refusals[0].value) < 100


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_no_json(name: str) -> None:
    with pytest.raises(VoltusFormatError):
        decode(f'{{"dispatches": [], "x": {name}}}'.encode())


def test_of_one_key_given_twice_the_later_counts() -> None:
    content = json.dumps({"dispatches": [wire_dispatch(authorized=False)]})
    content = content.replace('"id": "d1"', '"id": "d1", "authorized": true')
    (read,) = parse_listing(decode(content.encode()), {}, NOON).dispatches.values()
    assert not read.authorized


# Dispatches


@given(spoiled_listings, known_dispatches)
def test_whatever_became_of_a_list_what_is_read_is_sound(
    payload: Json, known: dict[str, Dispatch]
) -> None:
    try:
        listing = parse_listing(payload, known, NOON)
    except VoltusFormatError:
        return
    _assert_sound(listing)


@given(values, known_dispatches)
def test_any_item_is_a_sound_dispatch_or_a_refusal(
    item: Json, known: dict[str, Dispatch]
) -> None:
    refusals: list[Refusal] = []
    read = parse_dispatch(item, known, NOON, refusals)
    assert read or refusals
    _assert_sound(Listing({read.id: read} if read else {}, tuple(refusals)))


@given(spoiled_listings, spoiled_listings, st.randoms(), known_dispatches)
def test_what_stood_on_the_list_before_is_read_as_if_for_the_first_time(
    before: Json, after: Json, random: Random, known: dict[str, Dispatch]
) -> None:
    try:
        last = parse_listing(before, known, NOON)
        parse_listing(after, known, NOON)
    except VoltusFormatError:
        return
    items: Any = [*cast("Any", before)["dispatches"], *cast("Any", after)["dispatches"]]
    random.shuffle(items)
    known = {**known, **last.dispatches, "d1": dispatch("d1", withdrawn=True)}
    again = parse_listing({"dispatches": items}, known, at(1), last)
    anew = parse_listing({"dispatches": items}, known, at(1))
    assert again == anew
    for dispatch_id, each in again.dispatches.items():
        assert each.received == anew.dispatches[dispatch_id].received
        assert (each is known.get(dispatch_id)) == (each.received != at(1))


@given(st.lists(values, max_size=4), st.integers(0, 4))
def test_a_good_dispatch_counts_beside_anything(items: list[Json], place: int) -> None:
    good = wire_dispatch("good")
    items.insert(place, good)
    listing = parse_listing({"dispatches": items}, {}, NOON)
    assert listing.dispatches["good"] == dispatch("good")


@given(st.lists(values, max_size=4), st.integers(0, 4))
def test_a_good_site_counts_beside_anything(items: list[Json], place: int) -> None:
    items.insert(place, {"id": "good", "commitment": 5})
    read = parse_dispatch(wire_dispatch() | {"sites": items}, {}, NOON, [])
    assert read
    assert [site.commitment for site in read.sites if site.id == "good"] == [5.0]


@pytest.mark.parametrize("text", EDGES_OF_TIME, ids=lambda text: text[:32])
@pytest.mark.parametrize("field", ["start_time", "end_time", "creation_time"])
def test_a_time_at_the_edge_is_one_to_look_at_or_refused(field: str, text: str) -> None:
    known = {"d1": dispatch()}
    read = parse_dispatch(wire_dispatch() | {field: text}, known, NOON, [])
    assert read
    for now in (NOON, datetime.max.replace(tzinfo=UTC)):
        _look_at(Snapshot({"d1": read}, Trace(1, NOON)), Policy(), now)


@given(st.text("0123456789-:.TtZz+ ٣", max_size=40))
@example("9999-12-31T23:59:59-00:01")
@example("0001-01-01T00:00:00+00:01")
def test_a_text_made_of_the_letters_of_a_time_is_one_or_refused(text: str) -> None:
    try:
        time = parse_time(text)
    except ValueError:
        return
    assert time - timedelta(hours=2) >= datetime.min.replace(tzinfo=UTC)


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_no_text_carries_control_characters_or_goes_on_for_ever(text: str) -> None:
    name = clean(text)
    assert len(name) <= LONGEST_TEXT
    assert name.isprintable()
    assert name.encode().decode() == name


@pytest.mark.parametrize("text", [*TEXTS, "a\n", "é", "a b"], ids=ascii)
def test_only_harmless_ids_become_part_of_an_address(text: str) -> None:
    harmless = {"__proto__"}
    assert can_be_asked_for(text) is (text in harmless)


@given(spoiled_listings, spoiled_listings, any_policy, any_instant, any_instant)
def test_what_was_read_can_be_looked_at_at_any_instant_with_any_policy(
    first: Json, second: Json, policy: Policy, then: datetime, now: datetime
) -> None:
    before = _taken_in(Snapshot(), first, 1, then)
    after = _taken_in(before, second, 2, now)
    _look_at(before, policy, then)
    _look_at(after, policy, now)
    for change in (
        *changes(None, then, after, now),
        *changes(before, then, after, now),
    ):
        differences(change)


@given(spoiled_listings, any_instant, any_instant)
def test_absence_of_what_was_read_can_be_concluded_at_any_instant(
    payload: Json, then: datetime, now: datetime
) -> None:
    known = _taken_in(Snapshot(), payload, 1, then)
    known = reconcile.listed(known, Listing({}), 2, now, apart=APART)
    for dispatch_id in reconcile.missing(known, now):
        for asked in (3, 4):
            known = reconcile.not_found(
                known,
                dispatch_id,
                asked,
                now,
                rule=reconcile.SANDBOX_ABSENCE,
                lead_time=timedelta(hours=2),
            )
    reconcile.held(known, now)
    assert not reconcile.missing(known, now)


# Sites


@given(spoiled_sites)
def test_whatever_became_of_the_sites_what_is_read_is_sound(payload: Json) -> None:
    try:
        answer = parse_sites(payload)
    except VoltusFormatError:
        return
    for site in answer.sites.values():
        texts = [site.id, site.name, site.customer_location_id]
        for meter in site.meters:
            texts += [meter.id, meter.name, meter.asset_type]
        for text in texts:
            assert clean(text) == text
        assert site.id
        assert site.name
    reconcile.sites_listed(KnownSites(), answer, Snapshot(), NOON)


@given(st.lists(values, max_size=4), st.integers(0, 4))
def test_a_good_site_is_on_the_roster_beside_anything(
    items: list[Json], place: int
) -> None:
    items.insert(place, {"id": "good", "name": "Good"})
    assert "good" in parse_sites({"sites": items}).sites


# Too much


def test_ten_thousand_sites_are_read() -> None:
    amounts = {f"s{number}": 1.0 for number in range(MOST_ITEMS)}
    known = _taken_in(
        Snapshot(), {"dispatches": [wire_dispatch(sites=amounts)]}, 1, NOON
    )
    shown = look(known, Policy(), NOON)
    assert shown.curtailment("s9999").curtail
    assert shown.curtailment(None).commitment == MOST_ITEMS
    sites = parse_sites({"sites": [{"id": site_id} for site_id in amounts]})
    assert len(sites.sites) == MOST_ITEMS


def test_one_item_more_is_an_outage() -> None:
    for read in (lambda p: parse_listing(p, {}, NOON), parse_sites):
        for name in ("dispatches", "sites"):
            payload: Json = {name: [0] * (MOST_ITEMS + 1)}
            with pytest.raises(VoltusFormatError):
                read(payload)


def test_one_site_more_releases_no_site() -> None:
    known = {"d1": dispatch()}
    item = wire_dispatch() | {"sites": [{"id": "s2"}] * (MOST_ITEMS + 1)}
    refusals: list[Refusal] = []
    read = parse_dispatch(item, known, NOON, refusals)
    assert read
    assert [site.id for site in read.sites] == ["s1"]
    assert [refusal.field for refusal in refusals] == ["sites"]


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
@pytest.mark.parametrize("where", ["dispatches", "sites of dispatches", "meters"])
def test_a_flood_of_nothing_takes_no_more_room_than_its_own(
    flood: bytes, where: str
) -> None:
    """Two mebibytes, since Python reads them slowly while its memory is traced."""
    many = b",".join([flood] * (2 * MEBIBYTE // (len(flood) + 1)))
    if where == "dispatches":
        content = b'{"dispatches":[' + many + b"]}"
    elif where == "meters":
        content = b'{"sites":[{"id":"s1","meters":[' + many + b"]}]}"
    else:
        start = b'{"authorized":true,"start_time":"2026-07-15T12:00:00Z","sites":['
        some = many[: 4000 * (len(flood) + 1)] + b'{"id":"s1"}]'
        content = (
            b'{"dispatches":['
            + b",".join(
                start + some + b',"id":"d%d"}' % number
                for number in range(2 * MEBIBYTE // len(some) + 1)
            )
            + b"]}"
        )
    payload = decode(content)
    refusals: tuple[Refusal, ...] = ()
    tracemalloc.start()
    try:
        if where == "meters":
            parse_sites(payload)
        else:
            refusals = parse_listing(payload, {}, NOON).refusals
    except VoltusFormatError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 2 * len(content)
    assert len(refusals) <= MOST_REFUSALS


def test_a_text_as_long_as_an_answer_is_cut() -> None:
    long = "x" * (10 * MEBIBYTE)
    wire = wire_dispatch() | {"sites": [SITE | {"name": long}, SITE | {"id": long}]}
    wire |= {"start_time": f"2026-07-15T12:00:00.{'1' * MEBIBYTE}Z"}
    refusals: list[Refusal] = []
    read = parse_dispatch(wire, {}, NOON, refusals)
    assert read
    assert read.start_time == NOON + timedelta(microseconds=111111)
    assert [len(site.name) for site in read.sites] == [LONGEST_TEXT]
    assert [refusal.field for refusal in refusals] == ["sites[1].id"]
    assert len(refusals[0].value) < 100


# Headers and error envelopes


_header_texts = (
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)
    | st.sampled_from([*TEXTS, "0", "-5", "86400", "9" * 4000, "9" * 5000, "1e3", "٣"])
    | st.lists(
        st.sampled_from(
            [
                *(
                    "Wed,",
                    "15",
                    "Jul",
                    "2026",
                    "12:00:00",
                    "GMT",
                    "0001",
                    "99999999999",
                ),
                *(
                    "Mon",
                    "1",
                    "Jan",
                    "+2359",
                    "-2359",
                    "-0000",
                    "9999",
                    "24:60:61",
                    ",",
                ),
                *("Dec", "31", "23:59:59", "00:00", "EST", "(", ")", "-", ":"),
            ]
        ),
        max_size=8,
    ).map(" ".join)
)


@given(st.none() | _header_texts, st.floats(0, 1), st.integers(0, 10))
def test_any_retry_after_is_a_pause_of_five_minutes_at_most(
    header: str | None, jitter: float, before: int
) -> None:
    backoff = Backoff(rate_limited=before).slowed_down(header, NOON, jitter)
    assert backoff.not_before
    assert timedelta(0) < backoff.not_before - NOON <= LONGEST_PAUSE


class _Session:
    """Answers every request with the same answer."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self._answer = SimpleNamespace(
            status=status, headers=headers, url=URL("https://voltus.example/x")
        )
        self._body = body

    @asynccontextmanager
    async def request(
        self, _method: str, _url: URL, **_: Any
    ) -> AsyncIterator[SimpleNamespace]:
        parts = [self._body, b""]
        self._answer.content = SimpleNamespace(readany=AsyncMock(side_effect=parts))
        yield self._answer


_envelopes = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["Unauthorized", "Not Found", "Bad Request"]) | values,
        "message": st.sampled_from([KEY, f"your key {KEY} is bad"]) | values,
    },
)
_bodies = (
    st.binary(max_size=60)
    | _envelopes.map(lambda body: json.dumps(body).encode())
    | values.map(lambda body: json.dumps(body).encode())
    | st.sampled_from([*deeply_nested().values()])
)


@given(
    st.integers(100, 599),
    st.dictionaries(st.sampled_from(["Date", "Retry-After"]), _header_texts),
    _bodies,
)
def test_any_answer_is_read_or_one_of_our_errors_and_shows_no_key(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    session = cast("Any", _Session(status, headers, body))
    client = VoltusClient(session, "https://voltus.example", KEY)
    for ask in (client.dispatches, client.sites, lambda: client.dispatch("d1")):
        failure: VoltusError | None = None
        try:
            asyncio.run(cast("Any", ask()))
        except VoltusError as err:
            failure = err
        if failure:
            said = (failure, failure.__context__, failure.__cause__)
            assert KEY not in f"{failure} {said!r}"
            assert str(failure).isprintable()
    if client.exchange and client.exchange.server_time:
        ClockSkew().measured(client.exchange.server_time, NOON)


# Addresses


_hosts = st.sampled_from(
    [
        *("localhost", "127.0.0.1", "10.0.0.1", "[::1]", "[fe80::1%25eth0]", "8.8.8.8"),
        *(
            "127.0.0.1.attacker.example",
            "localhost.attacker.example",
            "[::ffff:8.8.8.8]",
        ),
        *(
            "0x7f000001",
            "127.1",
            "2130706433",
            "127.0.0.1%2eattacker.example",
            "\uff4cocalhost",
        ),
        *(
            "localhost\x00",
            "loc\talhost",
            "127.0.0.1\\@attacker.example",
            "",
            "*",
            "[",
            "]",
        ),
    ]
)


@given(
    st.builds(
        "".join,
        st.tuples(
            st.sampled_from(["http://", "https://", "HTTP://", "//", "ftp://", ""]),
            st.sampled_from(["", "", "user@", "user:password@", "@"]),
            _hosts | st.text(max_size=8),
            st.sampled_from(["", ":80", ":99999", ":-1", ":x", ":"]),
            st.sampled_from(["", "/", "/2022-04-15", "/a", "?a", "#a", "\\", "//x"]),
        ),
    )
)
def test_no_address_leads_plain_http_off_this_machine_and_its_networks(
    text: str,
) -> None:
    try:
        origin = parse_origin(text)
    except ValueError:
        return
    url = URL(origin)
    assert url.user is None
    assert url.path == "/"
    assert not url.query_string
    assert url.scheme == "https" or url.host in {
        *("localhost", "127.0.0.1", "10.0.0.1", "::1", "fe80::1%eth0"),
    }
    assert parse_origin(origin) == origin


def _taken_in(known: Snapshot, payload: Json, asked: int, now: datetime) -> Snapshot:
    try:
        listing = parse_listing(payload, known.dispatches, now)
    except VoltusFormatError:
        listing = Listing({})
    return reconcile.listed(known, listing, asked, now, apart=APART)


def _look_at(known: Snapshot, policy: Policy, now: datetime) -> None:
    """Look, and at the boundary after it as well."""
    shown = look(known, policy, now)
    for curtailment in shown.curtailments.values():
        _assert_sound_curtailment(curtailment)
    if shown.until is not None:
        assert shown.until > now
        look(known, policy, shown.until)


def _assert_sound_curtailment(curtailment: Curtailment) -> None:
    for amount in (curtailment.commitment, *curtailment.by_dispatch.values()):
        assert amount is None or 0 <= amount < math.inf


def _assert_sound(listing: Listing) -> None:
    """Whatever was read can be written as JSON, and read again as what it was."""
    for known_id, read in listing.dispatches.items():
        assert known_id == read.id == clean(read.id) != ""
        wire = json.loads(json.dumps(read.as_wire(), allow_nan=False).encode())
        refusals: list[Refusal] = []
        assert parse_dispatch(wire, {}, NOON, refusals) == replace(
            read, withdrawn=False
        )
        assert not refusals
        for site in read.sites:
            assert site.id
            assert site.name
    for refusal in listing.refusals:
        assert len(refusal.value) <= LONGEST_TEXT
        assert refusal.value.isprintable()
        assert hash(refusal) is not None
