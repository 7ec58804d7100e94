"""The local Voltus takes telemetry as strictly as Voltus does."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.api import DEFAULT_SITES
from sandbox.telemetry import parse_controllable_load, parse_telemetry
from sandbox.wire import RequestError

NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)
ROW = {
    "meter_id": "p4xq",
    "timestamp": "2026-07-15T12:00:00Z",
    "interval_seconds": 60,
    "value": 12.5,
    "units": "kW",
}


def read(*rows: dict[str, Any], most: int = 100) -> list[Any]:
    return parse_telemetry({"telemetry": rows and list(rows)}, DEFAULT_SITES, most, NOW)


def test_rows_of_meters_are_taken() -> None:
    other = {**ROW, "meter_id": "w7tz", "value": -3, "interval_seconds": 300}
    assert read(ROW, other) == [ROW, other]


@pytest.mark.parametrize(
    "wrong",
    [
        {"meter_id": "none"},
        {"interval_seconds": 45},
        {"interval_seconds": 330},
        {"interval_seconds": 0},
        {"interval_seconds": "60"},
        {"value": None},
        {"value": "12"},
        {"value": True},
        {"units": "W"},
        {"timestamp": "2026-07-15T12:00:01Z"},
        {"timestamp": "noon"},
    ],
)
def test_one_bad_row_fails_them_all(wrong: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match=next(iter(wrong))) as refused:
        read(ROW, {**ROW, **wrong})
    assert refused.value.status == 400


def test_too_many_rows_are_refused_by_another_status() -> None:
    with pytest.raises(RequestError) as refused:
        read(ROW, ROW, most=1)
    assert refused.value.status == 413


def test_units_may_not_be_mixed_but_for_batteries_which_need_both() -> None:
    battery = {**ROW, "meter_id": "h2be"}
    assert read(battery, {**battery, "units": "kWh"})
    with pytest.raises(RequestError, match="h2be"):
        read(battery)
    with pytest.raises(RequestError, match="only batteries"):
        read(ROW, {**ROW, "meter_id": "w7tz", "units": "kWh"})


CONTROLLABLE = {
    "site_id": "kd1k",
    "timestamp": "2026-07-15T12:00:00Z",
    "interval_seconds": 60,
    "value": 42.5,
    "units": "kW",
}


def test_what_can_be_curtailed_is_taken() -> None:
    asked = {"controllable_load": [CONTROLLABLE]}
    assert parse_controllable_load(asked, DEFAULT_SITES, NOW) == [CONTROLLABLE]


@pytest.mark.parametrize(
    "wrong",
    [
        {"site_id": "none"},
        {"interval_seconds": 45},
        {"value": None},
        {"units": "kWh"},
        {"timestamp": "2026-07-15T12:00:01Z"},
    ],
)
def test_one_bad_row_of_what_can_be_curtailed_fails_all(wrong: dict[str, Any]) -> None:
    asked = {"controllable_load": [CONTROLLABLE, {**CONTROLLABLE, **wrong}]}
    with pytest.raises(RequestError, match=next(iter(wrong))):
        parse_controllable_load(asked, DEFAULT_SITES, NOW)
