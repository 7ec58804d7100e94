"""What is kept of loads, baselines and records: read again, or set aside."""

from datetime import UTC, date, datetime, time, timedelta
import json
from typing import Any
from zoneinfo import ZoneInfo

from homeassistant.core import Event, callback
from hypothesis import given
from hypothesis import strategies as st
import pytest

from custom_components.voltus.certification.verdict import Curtailed
from custom_components.voltus.metering.baseline import PRESETS, Baseline
from custom_components.voltus.metering.intervals import Row
from custom_components.voltus.metering.load import (
    MINUTE,
    LoadInterval,
    SiteLoad,
    by_minute,
    quarter_hours,
    summed,
)
from custom_components.voltus.performance.encoding import (
    Frozen,
    frozen_as_json,
    frozen_from_json,
    quarters_as_json,
    quarters_from_json,
)
from custom_components.voltus.records.report import report, result_in_words
from custom_components.voltus.records.season import season
from tests.builders import NOON, at, dispatch, wire_dispatch

from .harness import Harness
from .test_performance import HALF_AN_HOUR, POWER, chosen, shown
from .test_services import RECORD
from .test_telemetry import map_meters, pass_to, show

QUARTER = timedelta(minutes=15)
ZONE = ZoneInfo("US/Pacific")
FROZEN = Frozen(
    NOON,
    {"method": "caiso_10_of_10"},
    Baseline(
        PRESETS["caiso_10_of_10"],
        ZONE,
        {time(5, 15): 12.5},
        complete=False,
        needed=10,
        days={date(2026, 7, 14): {time(5, 15): 12.5}},
        window={at(-60): 11.0},
        adjustment=1.1,
    ),
)
KNOWN = st.dictionaries(
    st.integers(-400, 400), st.floats(-1e4, 1e4).map(lambda kw: round(kw, 3))
)


# Loads


@given(KNOWN)
def test_quarter_hours_are_read_as_they_were_written(known: dict[int, float]) -> None:
    quarters = {NOON + n * QUARTER: kw for n, kw in known.items()}
    written = json.loads(json.dumps(quarters_as_json(quarters)))
    assert quarters_from_json(written) == quarters


def test_a_row_stands_for_each_of_its_whole_minutes() -> None:
    rows = [
        Row(at(3), 3 * MINUTE, 10.0),
        Row(at(4.5), 1.5 * MINUTE, 20.0),
        Row(at(6), MINUTE, float("nan")),
    ]
    assert by_minute(rows) == {at(0): 10, at(1): 10, at(2): 10, at(3): 20}


@given(st.lists(KNOWN, min_size=1, max_size=4))
def test_the_load_of_meters_is_their_sum_where_all_are_known(
    known: list[dict[int, float]],
) -> None:
    parts = [{at(n): kw for n, kw in each.items()} for each in known]
    total = summed(parts)
    assert total.keys() == set(parts[0]).intersection(*parts)
    for minute, kw in total.items():
        assert kw == pytest.approx(sum(part[minute] for part in parts))
    assert summed([*reversed(parts)]) == total
    assert summed([]) == {}


def test_a_quarter_hour_is_known_by_fourteen_of_its_minutes() -> None:
    minutes = {at(n): float(n) for n in range(15)}
    assert quarter_hours(minutes) == {NOON: 7}
    del minutes[at(0)]
    assert quarter_hours(minutes) == {NOON: 7.5}
    del minutes[at(14)]
    assert quarter_hours(minutes) == {}


@given(st.permutations(range(30)), st.integers(1, 29))
def test_neither_order_nor_portions_of_minutes_matter(
    order: list[int], split: int
) -> None:
    whole, apart = SiteLoad(), SiteLoad()
    whole.add_minutes({at(n): float(n) for n in range(30)})
    for some in (order[:split], order[split:]):
        apart.add_minutes({at(n): float(n) for n in some})
    assert (apart.minutes, apart.quarters) == (whole.minutes, whole.quarters)
    assert whole.quarters == {at(0): 7, at(15): 22}


def test_quarter_hours_fill_what_is_not_known_by_the_minute() -> None:
    load = SiteLoad({at(1): 5.0}, {NOON: 8.0})
    assert load.intervals(at(0.5), at(2)) == [
        LoadInterval(at(0), at(1), 8),
        LoadInterval(at(1), at(2), 5),
        LoadInterval(at(2), at(3), 8),
    ]
    assert load.kw(at(4), timedelta(minutes=2)) == 5
    assert load.kw(at(4.1), timedelta(minutes=2)) is None


def test_what_is_older_than_a_baseline_goes_back_is_forgotten() -> None:
    load = SiteLoad()
    for days in (1.9, 2.1, 45.9, 46.1):
        then = NOON - timedelta(days=days)
        load.minutes[then] = load.quarters[then] = load.hourly[then] = 1.0
    load.forget(NOON)
    assert [len(kept) for kept in (load.minutes, load.quarters, load.hourly)] == [
        1,
        3,
        3,
    ]


# Baselines


def test_a_frozen_baseline_is_read_as_it_was_written() -> None:
    written = json.loads(json.dumps(frozen_as_json(FROZEN)))
    found = frozen_from_json(written, {"US/Pacific": ZONE})
    assert found == FROZEN
    assert found.baseline.kw == FROZEN.baseline.kw
    assert found.baseline.days == FROZEN.baseline.days
    assert found.baseline.window == FROZEN.baseline.window


@pytest.mark.parametrize("spoiled", [True, "12", None, float("inf")])
def test_what_is_no_number_is_refused(spoiled: object) -> None:
    written = frozen_as_json(FROZEN) | {"kw": {"05:15": spoiled}}
    with pytest.raises(ValueError, match="not"):
        frozen_from_json(written, {"US/Pacific": ZONE})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("load", {"sites": {"s1": {"first": "noon", "kw": [1]}}, "frozen": {}}),
        ("load", {"sites": {}, "frozen": {"d1 s1": {"time_zone": 7}}}),
        ("load", {"sites": {}, "frozen": []}),
        ("records", {"records": [{"dispatch": {}}], "told": ""}),
        ("records", {"records": {}}),
    ],
)
async def test_what_cannot_be_read_is_set_aside_and_nothing_else_is_lost(
    harness: Harness, name: str, content: dict[str, Any]
) -> None:
    key = f"voltus.account.{name}"
    stored = {"version": 1, "minor_version": 1, "key": key, "data": content}
    harness.storage[key] = stored
    show(harness.hass, POWER, 100)
    harness.publish(HALF_AN_HOUR)
    map_meters(harness, chosen())
    await harness.set_up()
    await pass_to(harness, 12)
    assert shown(harness.hass, "load") == "100.0"
    assert harness.curtails("s1")
    await pass_to(harness, 75, 60)
    assert harness.entry.runtime_data.records.of("d1")["sites"]


async def test_what_a_crash_left_untold_is_told_at_the_next_start(
    harness: Harness,
) -> None:
    show(harness.hass, POWER, 100)
    harness.publish(HALF_AN_HOUR)
    map_meters(harness, chosen())
    told: list[Any] = []

    @callback
    def hear(event: Event) -> None:
        told.append(event.data["dispatch_id"])

    harness.hass.bus.async_listen("voltus_dispatch_evaluated", hear)
    await harness.set_up()
    await pass_to(harness, 75, 60)
    assert told == ["d1"]
    kept = harness.entry.runtime_data.records
    kept._told = ""  # noqa: SLF001  as if the process had ended right before
    await kept._save()  # noqa: SLF001
    await harness.hass.config_entries.async_reload("account")
    await pass_to(harness, 78, 60)
    assert told == ["d1", "d1"]


async def test_what_is_kept_no_more_is_not_put_on_record_again(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.voltus.records.keeper.MOST_RECORDS", 2)
    harness.publish(
        *(wire_dispatch(f"d{n}", at(10 * n), at(10 * n + 5)) for n in (1, 2, 3))
    )
    await harness.set_up()
    await pass_to(harness, 70, 60)
    kept = harness.entry.runtime_data.records
    records = kept.records
    assert [each["dispatch"]["id"] for each in records] == ["d2", "d3"]
    await pass_to(harness, 75, 60)
    assert kept.records is records
    assert kept.of("d1") is None


# In words, and over a season


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "Riverside: 118 of 110 kW, 236 kWh, full drop after 4 min"),
        ({"reduction": None}, "Riverside: not known"),
        (
            {"commitment": None, "minutes_to_full_drop": None, "complete": False},
            "Riverside: 118 kW, 236 kWh, incomplete",
        ),
    ],
)
def test_a_result_is_put_in_words(changed: dict[str, Any], words: str) -> None:
    result = {
        "name": "Riverside",
        "reduction": 118.2,
        "commitment": 110.0,
        "energy": 236.4,
        "minutes_to_full_drop": 4.0,
        "complete": True,
    }
    assert result_in_words({**result, **changed}) == words


def record(**changed: Any) -> dict[str, Any]:
    dispatch = {**RECORD["dispatch"], **changed.pop("dispatch", {})}  # type: ignore[dict-item]
    return {**RECORD, "dispatch": dispatch, **changed}


def test_a_season_leaves_out_drills_tests_and_what_was_cancelled() -> None:
    left_out = [
        record(drill=True),
        record(status="cancelled"),
        record(dispatch={"test": True}),
    ]
    assert season(left_out) == []
    (row,) = season([*left_out, record()])
    assert row["dispatches"] == 1
    assert (row["program"], row["site_id"]) == ("CAISO Operating Reserves", "kd1k")
    (nameless,) = season([record(dispatch={"program": None})])
    assert nameless["program"] == ""


def test_a_season_is_honest_about_what_is_not_known() -> None:
    (row,) = season([record(sites=[], curtailments=[])], rate_per_kwh=1)
    assert (row["answered"], row["evaluated"]) == (0, 0)
    assert (
        row["reduction"] is row["performance"] is row["energy"] is row["worst"] is None
    )
    assert "money" not in row


def test_the_rate_of_a_month_counts_each_month_once() -> None:
    july, august = datetime(2026, 7, 20, tzinfo=UTC), datetime(2026, 8, 1, tzinfo=UTC)
    records = [
        record(),
        record(dispatch={"start_time": july.isoformat()}),
        record(dispatch={"start_time": august.isoformat()}),
    ]
    (row,) = season(records, rate_per_kw_month=2)
    assert row["money"] == pytest.approx(2 * 2 * 112.4)
    assert row["dispatches"] == 3


# What loads did


def test_what_loads_did_while_it_curtailed_and_came_back_belongs_to_it() -> None:
    rows: list[dict[str, Any]] = [
        {"announced": at(minute).isoformat(), "type": kind, "entity_id": f"e{minute}"}
        for minute, kind in (
            (-1, "load_down"),
            (0, "load_down"),
            (20, "ended"),
            (140, "load_back"),
            (151, "load_back"),
        )
    ]
    acts = [
        Curtailed("s1", at(0), ("d1",), at(20)),
        Curtailed("s2", at(5), ("d1",), at(30)),
        Curtailed("s3", at(-9), ("d2",), at(99)),
    ]
    content = report(dispatch("d1"), rows, acts, at(200), options={})
    assert [row["entity_id"] for row in content["loads"]] == ["e0", "e140"]
    assert report(dispatch("d3"), rows, acts, at(200), options={})["loads"] == []
