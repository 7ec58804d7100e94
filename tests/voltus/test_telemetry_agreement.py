"""Whether Voltus has what was sent: yesterday is read back once a day."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from homeassistant.helpers import issue_registry as ir
from hypothesis import given
from hypothesis import strategies as st
import pytest

from custom_components.voltus.aiovoltus.models import Meter, Site
from custom_components.voltus.aiovoltus.telemetry import (
    MOST_POINTS,
    TelemetryRow,
    asked,
)
from custom_components.voltus.telemetry.agreement import (
    DAY,
    HOUR,
    Difference,
    Sent,
    as_stored,
    day_before,
    from_stored,
    largest_difference,
)
from sandbox.faults import Faults
from tests.builders import NOON, at

from .harness import KEY, Harness
from .test_telemetry import (
    CHARGE,
    POWER,
    SECOND,
    map_meters,
    mapping,
    metered,
    pass_to,
    show,
)

__all__ = ["metered"]

MIDNIGHT = datetime(2026, 7, 15, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def rows(lengths: Sequence[int], kw: float = 6.0) -> list[TelemetryRow]:
    """Return rows that follow one another from midnight, so many seconds long."""
    found, end = [], MIDNIGHT
    for number, each in enumerate(lengths):
        end += each * SECOND
        found.append(TelemetryRow("main", end, each, kw * number))
    return found


@given(
    lengths=st.lists(st.sampled_from([30, 60, 300]), min_size=24, max_size=60),
    data=st.data(),
)
def test_the_mean_of_an_hour_is_that_of_its_rows_however_often_they_are_sent(
    lengths: list[int], data: st.DataObject
) -> None:
    some = rows(lengths)
    order = data.draw(st.permutations(some + some[::2]))
    sent = Sent(MIDNIGHT)
    for each in order:
        sent = sent.with_([each], MIDNIGHT)
    expected = {}
    for hour in range(sum(lengths) // 3600):
        begin, end = MIDNIGHT + hour * HOUR, MIDNIGHT + (hour + 1) * HOUR
        expected[end] = pytest.approx(
            sum(
                each.value
                * max(min(each.timestamp, end) - max(each.start, begin), 0 * HOUR)
                / HOUR
                for each in some
            )
        )
    assert sent.means(MIDNIGHT) == expected
    assert from_stored(as_stored({"main": sent})) == {"main": sent}


def test_hours_with_a_gap_and_days_begun_without_the_meter_are_not_compared() -> None:
    whole = rows([300] * 12)
    assert Sent(MIDNIGHT).with_(whole[1:], MIDNIGHT).means(MIDNIGHT) == {}
    late = Sent(MIDNIGHT + SECOND).with_(whole, MIDNIGHT)
    assert late.means(MIDNIGHT) == {}
    assert late.means(MIDNIGHT - DAY) == {}
    assert Sent(MIDNIGHT).with_(whole, MIDNIGHT + HOUR).hours == {}
    assert late.with_((), MIDNIGHT + HOUR).hours == {}


def test_yesterday_is_the_day_in_utc() -> None:
    assert day_before(NOON) == MIDNIGHT - DAY
    assert day_before(MIDNIGHT) == MIDNIGHT - DAY
    assert day_before(MIDNIGHT - SECOND) == MIDNIGHT - 2 * DAY


@pytest.mark.parametrize(
    ("sent", "found", "differs"),
    [
        (10, 10, False),
        (10, 10.2, False),
        (10, 10.21, True),
        (10, -10, True),
        (-10, 10, True),
        (0, 0.1, False),
        (0, 0.11, True),
        (1, 1.09, False),
        (10, None, False),
    ],
)
def test_a_difference_counts_from_2_percent_and_a_tenth_of_a_kilowatt(
    sent: float, found: float | None, differs: bool
) -> None:
    difference = largest_difference({at(60): sent}, {at(60): found})
    assert (difference is not None) is differs
    assert largest_difference({at(60): sent}, {}) is None


def test_the_largest_difference_is_named() -> None:
    sent = {at(60): 10.0, at(120): 10.0, at(180): 10.0}
    found: dict[datetime, float | None] = {at(60): 11, at(120): -3, at(180): 12}
    assert largest_difference(sent, found) == Difference(at(120), 10, -3)


@given(st.lists(st.integers(0, 3000), max_size=25))
def test_no_more_is_asked_for_than_voltus_gives(sizes: list[int]) -> None:
    sites = [
        Site(f"s{n}", "", "", tuple(Meter(f"m{m}", "", "load") for m in range(size)))
        for n, size in enumerate(sizes)
    ]
    hours = dict.fromkeys((site.id for site in sites), 0)
    for site_ids, start, end in asked(sites, MIDNIGHT, MIDNIGHT + DAY, HOUR):
        assert len(site_ids) <= 10
        for site_id in site_ids:
            count = (end - start) // HOUR
            assert start == MIDNIGHT + hours[site_id] * HOUR
            assert count * sizes[int(site_id[1:])] <= MOST_POINTS
            hours[site_id] += count
    assert set(hours.values()) <= {24}


def _change(harness: Harness, end: float, factor: float) -> None:
    """Have Voltus have another value of the hour until then, of meter main."""
    rows = harness.voltus.accounts[KEY].telemetry
    for key, row in rows.items():
        meter_id, _, timestamp = key
        ends = datetime.fromisoformat(str(timestamp))
        if meter_id == "main" and at(end - 60) < ends <= at(end):
            value = row["value"]
            assert isinstance(value, int | float)
            rows[key] = {**row, "value": value * factor}


def _raised(registry: ir.IssueRegistry) -> str | None:
    issue = registry.async_get_issue("voltus", "telemetry_differs_account")
    return (issue.translation_placeholders or {})["meters"] if issue else None


async def test_what_voltus_has_otherwise_is_named_until_a_later_day_agrees(
    metered: Harness, issue_registry: ir.IssueRegistry
) -> None:
    hours = 60
    show(metered.hass, POWER, 10)
    meters = [mapping(each, POWER, interval=300) for each in ("main", "solar")]
    map_meters(metered, *meters)
    await metered.set_up()
    await pass_to(metered, 12 * hours, step=300)
    # Of the day that began without the meters nothing is compared.
    _change(metered, 5 * hours, 10)
    await pass_to(metered, 14 * hours, step=300)
    assert _raised(issue_registry) is None
    await pass_to(metered, 36.5 * hours, step=300)
    _change(metered, 20 * hours, -1)
    _change(metered, 21 * hours, 1.015)
    await pass_to(metered, 36.9 * hours, step=300)
    assert _raised(issue_registry) is None
    disk = metered.disk()
    metered.voltus.faults = Faults(status=503, paths=["/kw"])
    await pass_to(metered, 37.5 * hours, step=300)
    assert _raised(issue_registry) is None
    metered.voltus.faults = Faults()
    await pass_to(metered, 39 * hours, step=300)
    expected = "main (2026-07-16 07:00: 10.00 kW, Voltus -10.00 kW)"
    assert _raised(issue_registry) == expected
    await metered.restart(disk)
    show(metered.hass, POWER, 10)
    await pass_to(metered, 39.2 * hours)
    assert _raised(issue_registry) == expected
    await pass_to(metered, 61.5 * hours, step=300)
    assert _raised(issue_registry) is None


async def test_of_a_battery_the_power_is_compared(
    metered: Harness, issue_registry: ir.IssueRegistry
) -> None:
    hours = 60
    show(metered.hass, POWER, 10)
    show(metered.hass, CHARGE, 5, "kWh")
    map_meters(metered, mapping("store", POWER, interval=300, state_of_charge=CHARGE))
    await metered.set_up()
    await pass_to(metered, 36.5 * hours, step=300)
    await pass_to(metered, 38.5 * hours, step=300)
    assert _raised(issue_registry) is None
