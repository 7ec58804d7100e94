"""The local Voltus gives telemetry back, and makes up what nobody has posted."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from sandbox.api import DEFAULT_SITES
from sandbox.history import (
    Asked,
    Curtailed,
    curtailments,
    load,
    parse_asked,
)
from sandbox.scenario import State, new_dispatch
from sandbox.wire import RequestError, Wire, rfc3339

NOON = datetime(2026, 7, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RIVERSIDE, HILLTOP = DEFAULT_SITES


def query(**given: object) -> list[tuple[str, str]]:
    """Return a query for the hour before noon, with other values for some names."""
    asked = {
        "start_time": rfc3339(NOON - HOUR),
        "end_time": rfc3339(NOON),
        "interval_seconds": 60,
        "site_id": ["kd1k"],
        **given,
    }
    return [
        (name, str(each))
        for name, value in asked.items()
        if value is not None
        for each in (value if isinstance(value, list) else [value])
    ]


def ask(**given: object) -> Asked:
    return parse_asked(query(**given), DEFAULT_SITES)


def given(
    asked: Asked,
    *rows: Wire,
    curtailed: list[Curtailed] | None = None,
    now: datetime = NOON,
) -> dict[str, list[float | None]]:
    """Return the values of each meter, put together."""
    found: dict[str, list[float | None]] = {}
    for site in load(asked, rows, curtailed or [], now):
        meters: Any = site["meters"]
        for meter in meters:
            values = found.setdefault(meter["meter_id"], [])
            values += [row.get("value") for row in meter["telemetry"]]
    return found


def row(minutes: float, value: float, seconds: int = 60, units: str = "kW") -> Wire:
    return {
        "meter_id": "p4xq",
        "timestamp": rfc3339(NOON - HOUR + timedelta(minutes=minutes)),
        "interval_seconds": seconds,
        "value": value,
        "units": units,
    }


def test_a_day_of_half_minutes_is_the_default() -> None:
    asked = ask(end_time=None, interval_seconds=None, site_id=["m3ll", "kd1k", "m3ll"])
    assert asked == Asked(
        [HILLTOP, RIVERSIDE], NOON - HOUR, NOON + 23 * HOUR, timedelta(seconds=30)
    )


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"start_time": None}, 400),
        ({"start_time": "noon"}, 400),
        ({"start_time": "2026-07-15T11:00:01Z"}, 400),
        ({"end_time": "2026-07-15T12:00:00.5Z"}, 400),
        ({"end_time": "2026-07-15T11:00:00Z"}, 400),
        ({"end_time": "2026-10-14T11:00:00Z", "interval_seconds": 21600}, 400),
        ({"interval_seconds": 45}, 400),
        ({"site_id": None}, 400),
        ({"site_id": ["kd1k"] * 11}, 400),
        ({"site_id": ["none"]}, 404),
        ({"end_time": "2026-07-23T11:00:00Z"}, 413),
        (
            {
                "start_time": "2026-06-01T00:00:00Z",
                "interval_seconds": 300,
                "site_id": ["m3ll"],
            },
            413,
        ),
        ({"page": 1}, 400),
    ],
)
def test_what_voltus_refuses_is_refused(wrong: dict[str, object], status: int) -> None:
    with pytest.raises(RequestError) as refused:
        ask(**wrong)
    assert refused.value.status == status


def test_what_was_posted_is_averaged_over_time() -> None:
    rows = [row(1, 10), row(2, 20), row(10, 4, 300), row(3, 9, units="kWh")]
    values = given(ask(interval_seconds=300), *rows)["p4xq"]
    assert values == [15, 4, *[None] * 10]
    assert given(ask(), *rows)["p4xq"][:7] == [10, 20, None, None, None, 4, 4]


def test_of_a_site_with_one_meter_posted_the_other_is_still_made_up() -> None:
    values = given(ask(site_id=["m3ll"]), {**row(1, 10), "meter_id": "w7tz"})
    assert values["w7tz"] == [10, *[None] * 59]
    assert None not in values["h2be"]


def test_the_days_before_a_meter_was_first_posted_look_like_what_it_sent() -> None:
    times = {"start_time": rfc3339(NOON - 25 * HOUR), "interval_seconds": 900}
    values = given(ask(**times), row(1, 10))["p4xq"]
    known = [each for each in values if each is not None]
    assert known[95] == pytest.approx(10, rel=0.01)
    assert 5 < min(known) < max(known) < 20
    assert values[100:] == []


def test_a_made_up_load_is_smooth_and_the_same_again() -> None:
    asked = ask(start_time=rfc3339(NOON - 24 * HOUR), interval_seconds=300)
    values = given(asked)["p4xq"]
    assert values == given(asked)["p4xq"]
    numbers = [each for each in values if each is not None]
    assert len(numbers) == 288
    assert 150 <= min(numbers) < max(numbers) <= 500
    assert max(abs(one - other) for one, other in pairwise(numbers)) < 3


def test_what_is_still_to_come_has_no_value() -> None:
    values = given(ask(), now=NOON - HOUR / 2)["p4xq"]
    assert values.index(None) == 30
    assert not any(values[30:])


def test_the_load_is_lower_by_the_commitment_while_a_dispatch_names_the_site() -> None:
    dispatch = new_dispatch(
        DEFAULT_SITES, NOON - HOUR / 2, NOON - HOUR / 4, created=NOON - HOUR
    )
    scenario = {"d1": (State(NOON - HOUR, dispatch),)}
    asked = ask(interval_seconds=900, site_id=["kd1k", "m3ll"])
    before, after = given(asked), given(asked, curtailed=curtailments(scenario, NOON))

    def lowered(meter: str) -> list[float]:
        pairs = zip(before[meter], after[meter], strict=True)
        return [(one or 0) - (other or 0) for one, other in pairs]

    assert lowered("p4xq") == pytest.approx([0, 0, 100, 0])
    assert lowered("w7tz") == pytest.approx([0, 0, 100, 0])
    assert lowered("h2be") == [0, 0, 0, 0]


def test_only_what_is_authorized_and_states_an_amount_lowers_a_load() -> None:
    called_off = {
        **new_dispatch(DEFAULT_SITES, NOON, NOON + HOUR, created=NOON),
        "authorized": False,
    }
    open_end: dict[str, Any] = dict(
        new_dispatch(DEFAULT_SITES, NOON, NOON, created=NOON)
    )
    del open_end["end_time"]
    open_end["sites"][0]["commitment"] = None
    scenario = {"d1": (State(NOON, called_off),), "d2": (State(NOON, open_end),)}
    assert curtailments(scenario, NOON + HOUR) == [
        Curtailed("m3ll", NOON, NOON + HOUR, 100)
    ]


def test_each_meter_stands_there_twice() -> None:
    (site,) = load(ask(interval_seconds=900), [], [], NOON)
    meters: Any = site["meters"]
    assert [each["meter_id"] for each in meters] == ["p4xq", "p4xq"]
    assert [len(each["telemetry"]) for each in meters] == [2, 2]
    assert meters[0]["telemetry"][0] == {
        "timestamp": "2026-07-15T11:15:00Z",
        "interval_seconds": 900,
        "units": "kW",
        "value": meters[0]["telemetry"][0]["value"],
    }
