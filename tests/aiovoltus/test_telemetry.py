"""What is to be sent of meters, and what of it next."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
import pytest

from custom_components.voltus.aiovoltus.errors import VoltusFormatError
from custom_components.voltus.aiovoltus.models import Json
from custom_components.voltus.aiovoltus.telemetry import (
    KEPT,
    MOST_ROWS,
    SET_ASIDE,
    LoadRow,
    Outbox,
    Span,
    TelemetryRow,
    parse_load,
    parts,
)
from tests.builders import NOON, at

MICROSECOND = timedelta(microseconds=1)


def row(meter_id: str, minute: float, units: str = "kW") -> TelemetryRow:
    return TelemetryRow(meter_id, at(minute), 60, 1.5, units)


def test_a_row_is_what_voltus_takes() -> None:
    assert row("m1", 1).as_wire() == {
        "meter_id": "m1",
        "timestamp": "2026-07-15T12:01:00+00:00",
        "interval_seconds": 60,
        "value": 1.5,
        "units": "kW",
    }


def test_of_a_meter_of_which_no_rows_are_made_nothing_is_said() -> None:
    assert Outbox().added([row("a", 1)], {}, NOON).sent_until() == {}


def test_what_is_newest_goes_first_and_batteries_by_themselves() -> None:
    rows = [row("a", 1), row("b", 1), row("b", 1, "kWh"), row("a", 2)]
    outbox = Outbox().added(rows, {}, NOON)
    assert [*outbox.batches(NOON)] == [
        (row("a", 2), row("a", 1)),
        (row("b", 1), row("b", 1, "kWh")),
    ]


def test_a_request_has_so_many_rows_at_most() -> None:
    rows = [row("a", minute / 10) for minute in range(MOST_ROWS + 1)]
    batches = Outbox().added(rows, {}, NOON).batches(NOON)
    assert [len(batch) for batch in batches] == [MOST_ROWS, 1]


def test_what_was_taken_is_sent_no_more_and_what_is_a_day_old_is_not_kept() -> None:
    outbox = Outbox().added([row("a", 1), row("a", 2)], {"a": at(2)}, NOON)
    assert outbox.sent_until()["a"] == at(1) - MICROSECOND
    outbox = outbox.taken([row("a", 1)])
    assert outbox.sent_until()["a"] == at(2) - MICROSECOND
    assert outbox.added((), {}, at(2) + KEPT).rows == (row("a", 2),)
    outbox = outbox.added((), {}, at(2) + KEPT + MICROSECOND)
    assert outbox.rows == ()
    assert outbox.missing == {"a": Span(at(1), at(2))}
    assert outbox.sent_until()["a"] == at(1)
    assert "b" not in outbox.sent_until()


def test_what_is_kept_no_more_is_made_once_more_bit_by_bit() -> None:
    outbox = Outbox().added((), {"a": at(9)}, NOON).lacking("a", Span(at(1), at(2)))
    outbox = outbox.lacking("a", Span(at(4), at(5))).caught_up("a", at(3))
    assert outbox.missing == {"a": Span(at(3), at(5))}
    assert outbox.sent_until()["a"] == at(3)
    assert outbox.only(()).missing == {}
    outbox = outbox.caught_up("a", at(5))
    assert outbox.missing == {}
    assert outbox.sent_until()["a"] == at(9)


def test_a_meter_that_is_refused_is_tried_again_in_an_hour() -> None:
    outbox = Outbox().added([row("a", 1), row("b", 1)], {}, NOON)
    outbox = outbox.set_aside("a", "no such meter", NOON)
    assert [*outbox.batches(NOON + SET_ASIDE - MICROSECOND)] == [(row("b", 1),)]
    assert [*outbox.batches(NOON + SET_ASIDE)] == [(row("a", 1), row("b", 1))]
    assert outbox.taken([row("a", 1)]).refused == {}
    assert outbox.taken([row("b", 1)]).refused.keys() == {"a"}


def test_of_a_meter_that_is_mapped_no_more_nothing_stays() -> None:
    outbox = Outbox().added([row("a", 1), row("b", 1)], {"a": at(1), "b": at(1)}, NOON)
    outbox = outbox.set_aside("a", "no such meter", NOON).only(["b"])
    assert outbox == Outbox().added([row("b", 1)], {"b": at(1)}, NOON)


some_rows = st.lists(
    st.builds(
        TelemetryRow,
        st.sampled_from("abc"),
        st.integers(0, 40).map(at),
        st.sampled_from([30, 60, 300]),
        st.floats(allow_nan=False),
        st.sampled_from(["kW", "kWh"]),
    ),
    unique=True,
)


@given(rows=some_rows, data=st.data())
def test_what_is_kept_is_what_was_added_and_not_taken(
    rows: list[TelemetryRow], data: st.DataObject
) -> None:
    """Whatever the order, in which parts, and whatever is taken of it."""
    cut = data.draw(st.integers(0, len(rows)))
    outbox = Outbox().added(rows[:cut], {}, NOON).added(rows[cut:], {}, NOON)
    assert sorted(map(hash, outbox.rows)) == sorted(map(hash, rows))
    gone = {each for each in rows if data.draw(st.booleans())}
    outbox = outbox.taken(gone)
    left = [each for each in rows if each not in gone]
    assert sorted(map(hash, outbox.rows)) == sorted(map(hash, left))
    batches = [*outbox.batches(NOON)]
    assert sorted(map(hash, sum(batches, ()))) == sorted(map(hash, left))
    for batch in batches:
        ends = [each.timestamp for each in batch]
        assert ends == sorted(ends, reverse=True)


@given(rows=some_rows, minute=st.integers(0, 41))
def test_what_is_older_than_a_day_is_missing_and_nothing_else(
    rows: list[TelemetryRow], minute: int
) -> None:
    outbox = Outbox().added(rows, {}, at(minute) + KEPT)
    old = [each for each in rows if each.timestamp < at(minute)]
    kept = [each for each in rows if each.timestamp >= at(minute)]
    assert sorted(map(hash, outbox.rows)) == sorted(map(hash, kept))
    assert outbox.missing.keys() == {each.meter_id for each in old}
    for each in old:
        assert outbox.missing[each.meter_id].start <= each.start
        assert outbox.missing[each.meter_id].end >= each.timestamp


@pytest.mark.parametrize(
    ("rows", "too_large", "expected"),
    [
        ([row("a", 1)], False, []),
        ([row("a", 1)], True, []),
        ([row("a", 1), row("a", 1, "kWh")], False, []),
        ([row("b", 1), row("a", 1)], False, [(row("a", 1),), (row("b", 1),)]),
        ([row("a", 1), row("a", 2)], False, [(row("a", 1),), (row("a", 2),)]),
        (
            [row("a", 1), row("b", 1), row("a", 2)],
            True,
            [(row("a", 1), row("b", 1)), (row("a", 2),)],
        ),
    ],
)
def test_what_is_refused_as_a_whole_goes_in_parts(
    rows: list[TelemetryRow],
    too_large: bool,
    expected: list[tuple[TelemetryRow, ...]],
) -> None:
    assert parts(rows, too_large=too_large) == expected


@given(
    rows=st.lists(
        st.builds(row, st.sampled_from("abc"), st.integers(0, 40)), unique=True
    ),
    bad=st.sets(st.integers(0, 40), max_size=2),
)
def test_every_good_row_is_found_whatever_is_bad(
    rows: list[TelemetryRow], bad: set[int]
) -> None:
    wrong = {each for each in rows if each.timestamp in {at(m) for m in bad}}
    taken: list[TelemetryRow] = []

    def give(some: tuple[TelemetryRow, ...]) -> None:
        if not wrong & {*some}:
            taken.extend(some)
            return
        for part in parts(some, too_large=False):
            give(part)

    give(tuple(rows))
    assert sorted(map(hash, taken)) == sorted(map(hash, set(rows) - wrong))


# What is read back

MINUTE = timedelta(minutes=1)


def wire_row(minute: float, value: Json = 1.5, **fields: Json) -> dict[str, Json]:
    return {
        "timestamp": at(minute).isoformat(),
        "interval_seconds": 60,
        "units": "kW",
        "value": value,
        **fields,
    }


def answer(*meters: tuple[str, list[Json] | None]) -> dict[str, Json]:
    read: list[Json] = [{"meter_id": i, "telemetry": rows} for i, rows in meters]
    return {"data": {"sites": [{"site_id": "s1", "meters": read}]}}


def test_a_meter_that_stands_there_twice_is_put_together() -> None:
    assert parse_load(
        answer(
            ("a", [wire_row(3), wire_row(2, None)]),
            ("b", None),
            ("a", [wire_row(1), wire_row(2, 7), wire_row(3, None)]),
        )
    ) == {
        "s1": {
            "a": (
                LoadRow(at(1), MINUTE, 1.5),
                LoadRow(at(2), MINUTE, 7),
                LoadRow(at(3), MINUTE, 1.5),
            ),
            "b": (),
        }
    }


def test_a_row_without_a_value_is_one_that_voltus_does_not_know() -> None:
    without = {name: each for name, each in wire_row(1).items() if name != "value"}
    expected = {"s1": {"a": (LoadRow(at(1), MINUTE, None),)}}
    assert parse_load(answer(("a", [without]))) == expected
    for value in (None, "1.5", True):
        assert parse_load(answer(("a", [wire_row(1, value)]))) == expected


@pytest.mark.parametrize(
    "odd",
    [
        "row",
        wire_row(1, timestamp="noon"),
        wire_row(1, interval_seconds=None),
        wire_row(1, interval_seconds=1e300),
        wire_row(1, units="kWh"),
        wire_row(1, units=None),
        {},
    ],
)
def test_an_unreadable_row_is_left_out(odd: Json) -> None:
    load = parse_load(answer(("a", [odd, wire_row(2, units="kw")])))
    assert load == {"s1": {"a": (LoadRow(at(2), MINUTE, 1.5),)}}


def test_an_account_without_telemetry_has_no_load() -> None:
    assert parse_load({"data": None}) == {}
    assert parse_load({"data": {"sites": None}}) == {}
    assert parse_load({"data": {"sites": [{"site_id": "s1"}]}}) == {"s1": {}}


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"data": []},
        {"data": {}},
        {"data": {"sites": {}}},
        {"data": {"sites": [{}]}},
        {"data": {"sites": [{"site_id": 1}]}},
        {"data": {"sites": [{"site_id": "s1", "meters": [1]}]}},
    ],
)
def test_what_is_no_telemetry_is_refused(payload: Json) -> None:
    with pytest.raises(VoltusFormatError):
        parse_load(payload)
