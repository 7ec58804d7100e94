"""Reading: what counts, what is refused, and what outlives what cannot be read."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import pytest

from custom_components.voltus.aiovoltus import models
from custom_components.voltus.aiovoltus.errors import VoltusFormatError
from custom_components.voltus.aiovoltus.models import (
    DEEPEST_METADATA,
    LONGEST_LEAD_TIME,
    MOST_REFUSALS,
    Dispatch,
    DispatchSite,
    Json,
    Listing,
    Meter,
    Program,
    Refusal,
    Site,
    SiteList,
    Snapshot,
    Trace,
    clean,
    parse_dispatch,
    parse_listing,
    parse_sites,
    parse_time,
)
from tests.builders import NOON, PROGRAM, at, dispatch, snapshot, wire_dispatch

from .strategies import json_values, readable_dispatches, wire_like

LATER = at(1)


def read(item: Json, *known: Dispatch) -> tuple[Dispatch | None, list[Refusal]]:
    """Read one item a minute after noon."""
    refusals: list[Refusal] = []
    parsed = parse_dispatch(item, {each.id: each for each in known}, LATER, refusals)
    return parsed, refusals


def read_well(item: Json, *known: Dispatch) -> Dispatch:
    """Read one item in which nothing is to be refused."""
    parsed, refusals = read(item, *known)
    assert not refusals
    assert parsed is not None
    return parsed


def read_partly(item: Json, *known: Dispatch) -> tuple[Dispatch, list[str]]:
    """Read one item in which something is refused; return the fields that are."""
    parsed, refusals = read(item, *known)
    assert parsed is not None
    assert {refusal.dispatch_id for refusal in refusals} == {"d1"}
    return parsed, [refusal.field for refusal in refusals]


def without(name: str) -> dict[str, Json]:
    """Return a dispatch on the wire that lacks one field."""
    return {key: value for key, value in wire_dispatch().items() if key != name}


def wire_site(**wire_fields: Json) -> dict[str, Json]:
    """Return a site as a dispatch on the wire names it, with these fields alone."""
    return {"id": "s1", "name": "Site s1", "customer_location_id": ""} | wire_fields


def commitment_of(**wire_fields: Json) -> float | None:
    """Return the commitment that is read for a site with these fields."""
    parsed, _ = read(wire_dispatch() | {"sites": [wire_site(**wire_fields)]})
    assert parsed is not None
    return parsed.sites[0].commitment


# Times


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-07-15T11:59:60Z", NOON),
        ("2026-07-15T13:59:60.5+02:00", NOON + timedelta(seconds=0.5)),
        ("2026-12-31T23:59:60Z", datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_second_60_is_the_next_minutes_0(text: str, time: datetime) -> None:
    assert parse_time(text) == time


@pytest.mark.parametrize(
    "text",
    [
        "2026-07-15T12:00:00Z",
        "2026-07-15t12:00:00z",
        "2026-07-15T14:00:00+02:00",
        "2026-07-15T06:30:00-05:30",
        "2026-07-15T12:00:00-00:00",
        "2026-07-16T11:59:00+23:59",
    ],
)
def test_a_time_of_any_zone_is_read_as_utc(text: str) -> None:
    time = parse_time(text)
    assert time == NOON
    assert time.tzinfo is UTC


@pytest.mark.parametrize("digits", range(1, 13))
def test_a_fraction_of_any_length_is_cut_to_the_microsecond(digits: int) -> None:
    fraction = "563070478999"[:digits]
    expected = int(fraction[:6].ljust(6, "0"))
    assert parse_time(f"2026-07-15T12:00:00.{fraction}Z") == NOON.replace(
        microsecond=expected
    )


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("0001-01-01T02:00:00Z", datetime(1, 1, 1, 2, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime.max.replace(tzinfo=UTC)),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_a_time_may_lie_at_the_edge_of_the_calendar(text: str, time: datetime) -> None:
    assert parse_time(text) == time


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("2026-07-15T12:00:00", id="no zone"),
        pytest.param("2026-07-15", id="a date alone"),
        pytest.param("2026-W29-3T12:00:00Z", id="a week date"),
        pytest.param("2026-196T12:00:00Z", id="an ordinal date"),
        pytest.param("20260715T120000Z", id="the basic form"),
        pytest.param("2026-07-15T12:00Z", id="no seconds"),
        pytest.param("2026-07-15 12:00:00Z", id="a space for the T"),
        pytest.param("2026-07-15T12:00:00+07", id="a zone of hours"),
        pytest.param("2026-07-15T12:00:00+0700", id="a zone without colon"),
        pytest.param("2026-07-15T12:00:00+24:00", id="a zone of a day"),
        pytest.param("2026-07-15T12:00:00+00:60", id="a zone of sixty minutes"),
        pytest.param("2026-07-15T12:00:00 Z", id="a space before the zone"),
        pytest.param("2026-07-15T12:00:00,5Z", id="a comma"),
        pytest.param("2026-07-15T12:00:00.Z", id="a point without digits"),
        pytest.param("2026-07-15T12:00:61Z", id="a second 61"),
        pytest.param("2026-07-15T25:00:00Z", id="an hour too many"),
        pytest.param("2026-02-29T12:00:00Z", id="no leap year"),
        pytest.param("0000-07-15T12:00:00Z", id="the year 0"),
        pytest.param("0001-01-01T01:59:59Z", id="no room for a lead time"),
        pytest.param("0001-01-01T12:00:00+23:00", id="before the calendar"),
        pytest.param("9999-12-31T23:00:00-02:00", id="after the calendar"),
        pytest.param("12026-07-15T12:00:00Z", id="five digits of a year"),
        pytest.param("٢٠٢٦-07-15T12:00:00Z", id="other digits"),
        pytest.param("2026-07-15T12:00:00Z\n", id="a line break after it"),
        pytest.param("2026-07-15T12:00:00ZZ", id="something after it"),
        pytest.param("", id="nothing"),
        pytest.param("now", id="a word"),
        pytest.param(1_784_116_800, id="a number"),
        pytest.param(None, id="null"),
        pytest.param(["2026-07-15T12:00:00Z"], id="a list"),
    ],
)
def test_any_other_form_of_a_time_is_refused(value: Json) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_time(value)


@given(
    st.text() | st.from_regex(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d([Zz]|[+-]\d\d:\d\d)")
)
def test_a_text_is_a_time_in_the_calendar_or_refused(text: str) -> None:
    try:
        time = parse_time(text)
    except ValueError:
        return
    assert time - LONGEST_LEAD_TIME >= datetime.min.replace(tzinfo=UTC)


# Names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Riverside Cold Storage", "Riverside Cold Storage"),
        ("  Hilltop ", "Hilltop"),
        ("Hill\ntop\t\x1b[31m\x00", "Hilltop[31m"),
        ("Hill\u202etop\u200b", "Hilltop"),
        ("Zürich 東京 ⚡", "Zürich 東京 ⚡"),
        ("<b>Hilltop</b>", "<b>Hilltop</b>"),
        ("x" * 300, "x" * 255),
        (" " + "x" * 300, "x" * 254),
        ("\ud800", ""),
        ("", ""),
    ],
)
def test_a_text_is_stripped_of_control_characters_and_cut(text: str, name: str) -> None:
    assert clean(text) == name


# One dispatch


def test_a_dispatch_is_read_field_by_field() -> None:
    item = wire_dispatch(
        sites={"s2": None, "s1": 5.3},
        modification_number=3,
        metadata={"sandbox": True},
    )
    assert read_well(item) == Dispatch(
        id="d1",
        authorized=True,
        test=False,
        start_time=NOON,
        end_time=at(60),
        creation_time=datetime(2026, 7, 15, 8, tzinfo=UTC),
        modification_number=3,
        program=PROGRAM,
        sites=(
            DispatchSite("s1", "Site s1", "", 5.3),
            DispatchSite("s2", "Site s2", "", None),
        ),
        metadata={"sandbox": True},
        received=LATER,
    )


def test_the_builders_of_the_tests_agree() -> None:
    assert read_well(wire_dispatch()) == dispatch()


def test_id_authorized_start_and_one_site_are_enough() -> None:
    item: Json = {
        "id": "d1",
        "authorized": True,
        "test": True,
        "start_time": "2026-07-15T12:00:00Z",
        "sites": [{"id": "s1", "name": "Hilltop", "customer_location_id": "2"}],
    }
    assert read_well(item) == Dispatch(
        id="d1",
        authorized=True,
        test=True,
        start_time=NOON,
        end_time=None,
        creation_time=None,
        modification_number=None,
        program=None,
        sites=(DispatchSite("s1", "Hilltop", "2", None),),
        metadata=None,
        received=LATER,
    )


def test_fields_that_are_new_to_us_are_ignored() -> None:
    item = wire_dispatch(priority="high", price={"usd": 1})
    assert read_well(item) == dispatch()


def test_order_of_sites_form_of_numbers_and_offset_of_times_do_not_count() -> None:
    one = wire_dispatch(sites={"s1": 100.0, "s2": 5.0}, modification_number=1)
    other = wire_dispatch(
        sites={"s2": 5, "s1": 100},
        modification_number=1.0,
        start_time="2026-07-15T05:00:00.000-07:00",
    )
    assert read_well(one) == read_well(other)


def test_an_equal_version_keeps_the_instant_at_which_it_first_came() -> None:
    known = dispatch(received=NOON)
    assert read_well(wire_dispatch(), known).received == NOON


def test_a_version_of_other_content_comes_now() -> None:
    known = dispatch(received=NOON)
    assert read_well(wire_dispatch(end=at(30)), known).received == LATER


def test_what_was_withdrawn_comes_back_as_another_version() -> None:
    known = dispatch(withdrawn=True)
    again = read_well(wire_dispatch(), known)
    assert not again.withdrawn
    assert again != known


@pytest.mark.parametrize("value", [None, "", "0001-01-01T00:00:00Z"])
def test_an_end_of_null_or_nothing_is_not_known_yet(value: Json) -> None:
    known = dispatch(end=at(60))
    assert read_well(wire_dispatch(end_time=value), known).end_time is None
    assert read_well(wire_dispatch(end_time=value)).end_time is None


def test_an_end_that_is_missing_is_not_known_yet() -> None:
    known = dispatch(end=at(60))
    assert read_well(without("end_time"), known).end_time is None


# What cannot be read, in a dispatch that is not known yet


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("authorized", None),
        ("authorized", "true"),
        ("authorized", 1),
        ("start_time", None),
        ("start_time", ""),
        ("start_time", "soon"),
        ("start_time", 1_784_116_800),
        ("sites", None),
        ("sites", []),
        ("sites", {}),
        ("sites", "s1"),
    ],
)
def test_a_new_dispatch_is_refused_without_what_it_takes_to_act(
    field: str, value: Json
) -> None:
    for item in (wire_dispatch() | {field: value}, without(field)):
        parsed, refusals = read(item)
        assert parsed is None
        assert [(each.dispatch_id, each.field) for each in refusals] == [("d1", field)]


@pytest.mark.parametrize(
    "sites", [[None], [{}], [{"id": 7.5}, "s1"], [{"id": ""}], [{"id": "s\n1"}]]
)
def test_a_new_dispatch_without_any_readable_site_is_refused(sites: Json) -> None:
    parsed, refusals = read(wire_dispatch() | {"sites": sites})
    assert parsed is None
    assert refusals[0].field == "sites[0].id"


@pytest.mark.parametrize(
    "dispatch_id",
    [None, "", 7.5, 1e300, True, ["d1"], "d\n1", " d1", "d1 ", "\ud800", "d" * 256],
)
def test_an_item_without_a_proper_id_is_refused_and_told_by_its_start(
    dispatch_id: Json,
) -> None:
    start = "2026-07-15T12:00:00Z"
    parsed, refusals = read(wire_dispatch() | {"id": dispatch_id, "start_time": start})
    assert parsed is None
    told = [(each.dispatch_id, each.field) for each in refusals]
    assert told == [(f"? {start}", "id")]


@pytest.mark.parametrize("number", [7, 7.0])
def test_an_id_that_is_a_whole_number_is_its_digits(number: float) -> None:
    site: dict[str, Json] = {**wire_site(), "id": number}
    parsed, refusals = read(wire_dispatch() | {"id": number, "sites": [site]})
    assert parsed
    assert (parsed.id, parsed.sites[0].id, refusals) == ("7", "7", [])
    listed = parse_sites({"sites": [{"id": number, "meters": [{"id": number}]}]})
    assert listed.sites["7"].meters == (Meter("7", "", ""),)


@pytest.mark.parametrize("item", [None, "d1", 7, [], [wire_dispatch()]])
def test_an_item_that_is_no_object_is_refused(item: Json) -> None:
    parsed, refusals = read(item)
    assert parsed is None
    assert [(each.dispatch_id, each.field) for each in refusals] == [("?", "id")]


@pytest.mark.parametrize("value", [None, "false", 0, {}])
def test_a_new_dispatch_is_no_test_unless_it_says_so(value: Json) -> None:
    parsed, refused = read_partly(wire_dispatch(test=value))
    assert not parsed.test
    assert refused == ["test"]


@pytest.mark.parametrize("value", ["later", "2026-07-15T13:00:00", 0, False, []])
def test_a_new_dispatch_with_an_unreadable_end_has_none(value: Json) -> None:
    parsed, refused = read_partly(wire_dispatch(end_time=value))
    assert parsed.end_time is None
    assert refused == ["end_time"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("creation_time", "yesterday"),
        ("modification_number", 1.5),
        ("modification_number", "1"),
        ("modification_number", True),
        ("modification_number", 2**63),
        ("program", "CAISO"),
        ("metadata", ["sandbox"]),
    ],
)
def test_of_a_new_dispatch_an_unreadable_detail_is_null(
    field: str, value: Json
) -> None:
    parsed, refused = read_partly(wire_dispatch() | {field: value})
    assert getattr(parsed, field) is None
    assert refused == [field]


# What cannot be read, in a dispatch that is known


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("authorized", None),
        ("authorized", "false"),
        ("test", None),
        ("test", "no"),
        ("start_time", None),
        ("start_time", "13:00"),
        ("end_time", "14:00"),
        ("creation_time", 0),
        ("modification_number", "9"),
        ("modification_number", float("inf")),
        ("modification_number", float("nan")),
        ("program", 5555),
        ("program", []),
        ("sites", None),
        ("sites", []),
        ("sites", {"id": "s2"}),
        ("sites", [{"id": None}]),
        ("metadata", "none"),
    ],
)
def test_a_field_that_cannot_be_read_keeps_its_last_good_value(
    field: str, value: Json
) -> None:
    known = dispatch(
        test=True,
        modification_number=4,
        sites={"s1": 100.0, "s2": None},
        metadata={"a": [1]},
    )
    item: dict[str, Json] = known.as_wire()
    parsed, refused = read_partly(item | {field: value}, known)
    assert parsed is known
    assert [name.removesuffix("[0].id") for name in refused] == [field]


@pytest.mark.parametrize("field", ["authorized", "test", "start_time", "sites"])
def test_a_field_that_must_be_there_and_is_not_keeps_its_last_good_value(
    field: str,
) -> None:
    known = dispatch()
    parsed, refused = read_partly(without(field), known)
    assert parsed is known
    assert refused == [field]


@pytest.mark.parametrize(
    "field", ["creation_time", "modification_number", "program", "metadata"]
)
def test_a_detail_that_voltus_no_longer_states_is_null(field: str) -> None:
    known = dispatch(metadata={"a": 1})
    for item in (wire_dispatch() | {field: None}, without(field)):
        assert getattr(read_well(item, known), field) is None


_GARBLED: dict[str, Json] = {
    "test": "?",
    "start_time": "?",
    "creation_time": "?",
    "modification_number": "?",
    "program": "?",
    "sites": "?",
    "metadata": "?",
}


def test_a_cancel_counts_beside_anything_unreadable() -> None:
    known = dispatch()
    parsed, refused = read_partly(
        wire_dispatch(authorized=False) | _GARBLED | {"end_time": "?"}, known
    )
    assert parsed == replace(known, authorized=False)
    assert sorted(refused) == sorted([*_GARBLED, "end_time"])


def test_an_end_counts_beside_anything_unreadable() -> None:
    known = dispatch(end=None)
    parsed, refused = read_partly(
        wire_dispatch(end=at(20)) | _GARBLED | {"authorized": "?"}, known
    )
    assert parsed == replace(known, end_time=at(20))
    assert sorted(refused) == sorted([*_GARBLED, "authorized"])


def test_an_unreadable_part_of_the_program_keeps_its_last_good_value() -> None:
    program: Json = {
        "id": "5555",
        "name": 7,
        "market": None,
        "timezone": [],
        "program_type": "energy",
    }
    parsed, refused = read_partly(wire_dispatch(program=program), dispatch())
    assert parsed.program == Program(5555, "A Program", None, "US/Pacific", "energy")
    assert refused == ["program.id", "program.name", "program.timezone"]


def test_a_program_may_lack_everything() -> None:
    parsed = read_well(wire_dispatch(program={}))
    assert parsed.program == Program(None, None, None, None, None)


def test_texts_of_the_program_are_cleaned() -> None:
    parsed = read_well(wire_dispatch(program={"name": "\x07A" + "b" * 300}))
    assert parsed.program is not None
    assert parsed.program.name == "A" + "b" * 254


# Sites of a dispatch


@pytest.mark.parametrize(
    "broken", [None, "s2", {}, {"id": None}, {"id": "s\x002"}, {"name": "Site s2"}]
)
def test_beside_an_unreadable_site_no_site_is_dropped_and_its_neighbours_count(
    broken: Json,
) -> None:
    known = dispatch(sites={"s1": 100.0, "s2": 50.0})
    item = wire_dispatch() | {"sites": [wire_site(commitment=30), broken]}
    parsed, refused = read_partly(item, known)
    assert {site.id: site.commitment for site in parsed.sites} == {"s1": 30, "s2": 50}
    assert refused == ["sites[1].id"]


def test_a_site_that_is_not_named_any_more_is_dropped() -> None:
    known = dispatch(sites={"s1": 100.0, "s2": 50.0})
    parsed = read_well(wire_dispatch(sites={"s2": 50.0}), known)
    assert [site.id for site in parsed.sites] == ["s2"]


def test_an_unreadable_name_keeps_the_last_or_is_the_id() -> None:
    broken = wire_site(name=7, customer_location_id=None)
    item = wire_dispatch() | {"sites": [broken, broken | {"id": "s2"}]}
    known = dispatch(sites={"s1": None})
    known = replace(
        known, sites=(replace(known.sites[0], customer_location_id="riverside-01"),)
    )
    parsed, refused = read_partly(item, known)
    assert parsed.sites == (
        DispatchSite("s1", "Site s1", "riverside-01", None),
        DispatchSite("s2", "s2", "", None),
    )
    assert refused == [
        f"sites[{index}].{name}"
        for index in (0, 1)
        for name in ("name", "customer_location_id")
    ]


def test_of_one_site_named_twice_the_later_counts() -> None:
    item = wire_dispatch() | {
        "sites": [wire_site(commitment=1), wire_site(commitment=2)]
    }
    assert [site.commitment for site in read_well(item).sites] == [2]


# Amounts


@pytest.mark.parametrize(
    ("value", "amount"),
    [(0, 0.0), (0.0, 0.0), (12, 12.0), (5.3, 5.3), (1e9, 1e9), (None, None)],
)
def test_an_amount_is_a_number_of_kilowatts_or_not_stated(
    value: Json, amount: float | None
) -> None:
    assert commitment_of(commitment=value) == amount


@pytest.mark.parametrize(
    "value",
    [-1, -0.001, True, False, "12", "", [12], {}, float("nan"), float("inf"), 10**400],
)
def test_anything_else_is_not_stated_which_is_not_zero(value: Json) -> None:
    item = wire_dispatch() | {"sites": [wire_site(commitment=value)]}
    for known in ((), (dispatch(),)):
        parsed, refused = read_partly(item, *known)
        assert parsed.sites[0].commitment is None
        assert refused == ["sites[0].commitment"]


@pytest.mark.parametrize(
    ("wire_fields", "amount"),
    [
        ({"drop_by": 40}, 40),
        ({"commitment": None, "drop_by": 40}, 40),
        ({"commitment": "?", "drop_by": 40}, 40),
        ({"commitment": 0, "drop_by": 40}, 0),
        ({"commitment": 12, "drop_by": 40}, 12),
        ({"commitment": 12, "drop_by": "?"}, 12),
        ({"commitment": None, "drop_by": "?"}, None),
        ({"commitment": None, "drop_by": None}, None),
        ({}, None),
    ],
)
def test_where_no_commitment_is_stated_drop_by_counts(
    wire_fields: dict[str, Json], amount: float | None
) -> None:
    assert commitment_of(**wire_fields) == amount


# Metadata


def nested(depth: int) -> Json:
    """Return objects within objects, so many of them."""
    value: Json = "core"
    for _ in range(depth):
        value = {"in": value}
    return value


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"dispatch_source": "manual_test"},
        {"a": [1, 2.5, None, True, "ü", {"b": []}]},
        nested(DEEPEST_METADATA),
    ],
)
def test_metadata_is_kept_as_it_is(metadata: Json) -> None:
    assert read_well(wire_dispatch(metadata=metadata)).metadata == metadata


@pytest.mark.parametrize(
    "metadata",
    [
        nested(DEEPEST_METADATA + 1),
        nested(5000),
        {"a": [[[[[[[[0]]]]]]]]},
        {"a": 2**63},
        {"a": -(2**63) - 1},
        {"a": float("inf")},
        {"a": float("nan")},
        {"a": "\ud800"},
        {"\ud800": 1},
    ],
    ids=lambda metadata: repr(metadata)[:30].encode("ascii", "replace").decode(),
)
def test_metadata_that_no_file_could_hold_is_refused(metadata: Json) -> None:
    parsed, refused = read_partly(
        wire_dispatch(metadata=metadata), dispatch(metadata={"a": 1})
    )
    assert parsed.metadata == {"a": 1}
    assert refused == ["metadata"]


# Refusals


def test_a_refusal_names_dispatch_and_field_and_cuts_the_value() -> None:
    item = wire_dispatch(start_time="x" * 500) | {"id": "xv1w4"}
    parsed, (refusal,) = read(item)
    assert parsed is None
    assert (refusal.dispatch_id, refusal.field) == ("xv1w4", "start_time")
    assert refusal.value.startswith("'xxx")
    assert len(refusal.value) < 100


def test_a_refusal_shows_control_characters_escaped() -> None:
    _, (refusal,) = read(wire_dispatch(start_time="soon\n\x1b[31m"))
    assert refusal.value == r"'soon\n\x1b[31m'"


# The list


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "",
        7,
        {},
        {"dispatches": None},
        {"dispatches": {}},
        {"dispatches": "none"},
        {"message": "oops", "type": "Internal Server Error"},
        [wire_dispatch()],
    ],
)
def test_anything_but_a_list_of_dispatches_is_an_outage(payload: Json) -> None:
    with pytest.raises(VoltusFormatError, match="dispatches"):
        parse_listing(payload, {}, NOON)


def test_an_empty_list_is_a_complete_one() -> None:
    assert parse_listing({"dispatches": []}, {}, NOON) == Listing({})


def test_one_unreadable_item_spoils_no_other() -> None:
    payload: Json = {
        "dispatches": [wire_dispatch("d1"), 7, without("sites"), wire_dispatch("d2")],
        "page": 0,
    }
    listing = parse_listing(payload, {}, NOON)
    assert listing.dispatches == {
        "d1": dispatch("d1"),
        "d2": dispatch("d2"),
    }
    assert [(each.dispatch_id, each.field) for each in listing.refusals] == [
        ("?", "id"),
        ("d1", "sites"),
    ]


@pytest.mark.parametrize(
    ("numbers", "counts"),
    [
        ((0, 1), 1),
        ((1, 0), 0),
        ((1, 1), 1),
        ((None, None), 1),
        ((None, 0), 1),
        ((2, None), 0),
        ((-1, None), 1),
    ],
)
def test_of_two_items_with_one_id_the_higher_modification_number_counts_then_the_later(
    numbers: tuple[Json, Json], counts: int
) -> None:
    items: list[Json] = [
        wire_dispatch(end=at(index), modification_number=number)
        for index, number in enumerate(numbers, start=10)
    ]
    listing = parse_listing({"dispatches": items}, {}, NOON)
    assert listing.dispatches["d1"].end_time == at(10 + counts)


# The list before


def reread(
    before: Json, after: Json, **known: Dispatch
) -> tuple[Dispatch | None, int, int]:
    """Read d1 twice; return it, and the number of refusals in either list."""
    last = parse_listing({"dispatches": [before]}, {}, NOON)
    listing = parse_listing(
        {"dispatches": [after]}, {**last.dispatches, **known}, LATER, last
    )
    return listing.dispatches.get("d1"), len(last.refusals), len(listing.refusals)


def test_what_is_the_same_on_the_wire_is_the_same_dispatch_and_is_not_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    items: list[Json] = [wire_dispatch("d1"), wire_dispatch("d2")]
    before = json.dumps({"dispatches": items})
    after = json.dumps({"dispatches": [*items, wire_dispatch("d3")]})
    last = parse_listing(json.loads(before), {}, NOON)
    read_now: list[Json] = []

    def parse(item: Json, *args: Any) -> Dispatch | None:
        read_now.append(item)
        return parse_dispatch(item, *args)

    monkeypatch.setattr(models, "parse_dispatch", parse)
    listing = parse_listing(json.loads(after), last.dispatches, LATER, last)

    assert read_now == [wire_dispatch("d3")]
    assert listing.dispatches["d1"] is last.dispatches["d1"]
    assert listing.dispatches["d2"] is last.dispatches["d2"]


def test_what_cannot_be_read_is_refused_in_every_list() -> None:
    spoiled = wire_dispatch(creation_time="yesterday")
    assert reread(spoiled, spoiled) == (dispatch(creation_time=None), 1, 1)


def test_beyond_the_most_refusals_nothing_counts_as_read_well() -> None:
    sites: list[Json] = [7] * MOST_REFUSALS
    many = wire_dispatch("d0") | {"sites": sites}
    spoiled = wire_dispatch("d1", creation_time="yesterday")
    last = parse_listing({"dispatches": [many, spoiled]}, {}, NOON)
    assert len(last.refusals) == MOST_REFUSALS

    listing = parse_listing({"dispatches": [spoiled]}, last.dispatches, NOON, last)

    assert [refusal.field for refusal in listing.refusals] == ["creation_time"]


def test_true_is_not_the_amount_1_that_it_was() -> None:
    one, true = wire_dispatch(sites={"s1": 1}), wire_dispatch(sites={"s1": True})
    assert one == true
    assert reread(one, true) == (dispatch(sites={"s1": None}), 0, 1)


def test_what_was_withdrawn_meanwhile_is_back_when_it_is_listed_again() -> None:
    item = wire_dispatch()
    assert reread(item, item, d1=dispatch(withdrawn=True)) == (dispatch(), 0, 0)


def test_what_is_nested_as_deep_as_nobody_nests_is_read_each_time() -> None:
    deep: Json = []
    for _ in range(3000):
        deep = [deep]
    item = wire_dispatch(unknown=deep)
    assert reread(item, item) == (dispatch(), 0, 0)


# Sites of the key


def test_sites_are_read_with_their_meters() -> None:
    meters: Json = [
        {"id": "p4xq", "name": "Main meter", "asset_type": "load"},
        {"id": "h2be", "name": 7},
        "w7tz",
    ]
    payload: Json = {
        "sites": [
            {
                "id": "kd1k",
                "name": "Cold Storage",
                "customer_location_id": "riverside-01",
                "meters": meters,
            },
            {"id": "m3ll", "name": "", "customer_location_id": None, "meters": None},
            {"id": "asdf"},
        ]
    }
    assert parse_sites(payload) == SiteList(
        {
            "kd1k": Site(
                "kd1k",
                "Cold Storage",
                "riverside-01",
                (Meter("p4xq", "Main meter", "load"), Meter("h2be", "", "")),
            ),
            "m3ll": Site("m3ll", "m3ll", ""),
            "asdf": Site("asdf", "asdf", ""),
        },
        complete=True,
    )


@pytest.mark.parametrize("broken", [None, "kd1k", {}, {"id": 7.5}, {"id": "\n"}, []])
def test_a_list_with_an_unreadable_site_is_not_complete(broken: Json) -> None:
    sites = parse_sites({"sites": [{"id": "kd1k"}, broken]})
    assert list(sites.sites) == ["kd1k"]
    assert not sites.complete


@pytest.mark.parametrize("payload", [None, [], {}, {"sites": None}, {"sites": {}}])
def test_anything_but_a_list_of_sites_is_an_outage(payload: Json) -> None:
    with pytest.raises(VoltusFormatError, match="sites"):
        parse_sites(payload)


# What is known


def test_snapshots_are_equal_if_their_content_is() -> None:
    one, other = snapshot(dispatch(), at=NOON), snapshot(dispatch(), at=LATER)
    assert one == other
    assert one != snapshot(dispatch(end=None), at=NOON)


def test_what_has_no_trace_of_its_own_has_that_of_the_list() -> None:
    on_the_list, own = Trace(1, NOON), Trace(2, LATER)
    known = Snapshot({}, on_the_list, {"d2": own})
    assert known.trace("d1") == on_the_list
    assert known.trace("d2") == own


# Any input


@given(readable_dispatches)
def test_a_dispatch_written_as_wire_is_read_back_as_itself(known: Dispatch) -> None:
    wire = json.loads(json.dumps(known.as_wire()))
    assert read_well(wire) == known
    assert "received" not in wire


@given(wire_like, st.booleans())
def test_whatever_is_read_can_be_written_and_read_again(
    item: Json, is_known: bool
) -> None:
    known: Mapping[str, Dispatch] = {"d1": dispatch("d1")} if is_known else {}
    refusals: list[Refusal] = []
    parsed = parse_dispatch(item, known, LATER, refusals)
    assert parsed or refusals
    if parsed:
        assert read_well(json.loads(json.dumps(parsed.as_wire()))) == parsed


@given(json_values | st.fixed_dictionaries({"dispatches": st.lists(wire_like)}))
def test_any_json_is_a_list_or_a_format_error(payload: Json) -> None:
    try:
        listing = parse_listing(payload, {"d1": dispatch("d1")}, LATER)
    except VoltusFormatError:
        return
    assert all(each.id == key for key, each in listing.dispatches.items())


@given(json_values | st.fixed_dictionaries({"sites": st.lists(wire_like)}))
def test_any_json_is_a_list_of_sites_or_a_format_error(payload: Json) -> None:
    try:
        sites = parse_sites(payload)
    except VoltusFormatError:
        return
    assert all(each.name for each in sites.sites.values())
