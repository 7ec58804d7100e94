"""All dispatches, past and to come, as a calendar."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
import sys
from typing import Any
from unittest.mock import Mock, patch
from zoneinfo import ZoneInfo

from homeassistant.components.calendar import CalendarEntity
from homeassistant.const import Platform
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_component import DATA_INSTANCES
from hypothesis import given
from hypothesis import strategies as st
import pytest
from pytest_homeassistant_custom_component.common import snapshot_platform
from syrupy.assertion import SnapshotAssertion

from custom_components.voltus.calendar import _event
from sandbox.faults import Faults
from tests.builders import NOON, at, dispatch, wire_dispatch

from .harness import Harness

DAY = 24 * 60
YESTERDAY, NEXT_MONTH = at(-DAY), at(30 * DAY)
SECOND = timedelta(seconds=1)


async def events(
    harness: Harness, start: datetime = YESTERDAY, end: datetime = NEXT_MONTH
) -> list[dict[str, Any]]:
    """Return what the calendar shows from `start` to `end`."""
    entity_id = harness.entity_id("dispatches")
    response = await harness.hass.services.async_call(
        "calendar",
        "get_events",
        {"entity_id": entity_id, "start_date_time": start, "end_date_time": end},
        blocking=True,
        return_response=True,
    )
    assert response
    shown: Any = response[entity_id]
    found: list[dict[str, Any]] = shown["events"]
    return found


async def ids(harness: Harness, start: datetime, end: datetime) -> list[str | None]:
    """Return which dispatches the calendar shows from `start` to `end`."""
    entity = harness.hass.data[DATA_INSTANCES]["calendar"].get_entity(
        harness.entity_id("dispatches")
    )
    assert isinstance(entity, CalendarEntity)
    return [
        event.uid for event in await entity.async_get_events(harness.hass, start, end)
    ]


def span(event: dict[str, Any]) -> tuple[datetime, datetime]:
    """Return start and end of an event."""
    return datetime.fromisoformat(event["start"]), datetime.fromisoformat(event["end"])


async def test_the_calendar_while_a_dispatch_is_under_way(
    harness: Harness, snapshot: SnapshotAssertion
) -> None:
    harness.publish(
        wire_dispatch("d1", at(-10), at(60), {"s1": 100.0, "s2": None}),
        wire_dispatch("d2", at(30), at(90)),
    )
    with patch("custom_components.voltus.PLATFORMS", [Platform.CALENDAR]):
        await harness.set_up()
        await snapshot_platform(
            harness.hass, er.async_get(harness.hass), snapshot, harness.entry.entry_id
        )
        await harness.hass.config_entries.async_unload(harness.entry.entry_id)


async def test_the_calendar_goes_on_at_the_start_and_off_at_the_end(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(20)))
    await harness.set_up()
    seen = []
    for instant in (at(0), at(10) - SECOND, at(10), at(20) - SECOND, at(20)):
        await harness.move_to(instant)
        seen.append(harness.state("dispatches").state)
    assert seen == ["off", "off", "on", "on", "off"]
    assert "message" not in harness.state("dispatches").attributes


async def test_the_one_under_way_is_shown_before_the_next(harness: Harness) -> None:
    harness.publish(
        wire_dispatch("next", at(5), at(15), {"s2": 1.0}),
        wire_dispatch("long", at(-30), at(20), {"s1": 2.0}),
        wire_dispatch("short", at(-10), at(10), {"s1": 3.0}),
    )
    await harness.set_up()

    def shown() -> str:
        text: str = harness.state("dispatches").attributes["description"]
        return text

    assert shown() == "Site s1: 3 kW"
    await harness.move_to(at(10))
    assert shown() == "Site s2: 1 kW"
    await harness.move_to(at(15))
    assert shown() == "Site s1: 2 kW"


@pytest.mark.parametrize(
    ("start", "end", "shown"),
    [
        (at(0), at(10), []),
        (at(0), at(10) + SECOND, ["d1"]),
        (at(12), at(13), ["d1"]),
        (at(20) - SECOND, at(30), ["d1"]),
        (at(20), at(30), []),
        (at(0), at(60), ["d1", "d2"]),
    ],
    ids=[
        "until the start",
        "over the start",
        "within",
        "over the end",
        "from the end",
        "both",
    ],
)
async def test_a_range_shows_what_overlaps_it(
    harness: Harness, start: datetime, end: datetime, shown: list[str]
) -> None:
    harness.publish(
        wire_dispatch("d2", at(40), at(50)), wire_dispatch("d1", at(10), at(20))
    )
    await harness.set_up()
    assert await ids(harness, start, end) == shown


async def test_what_voltus_says_is_shown_whatever_we_act_on(harness: Harness) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"ignored_sites": ["s1"]}
    )
    harness.publish(
        wire_dispatch("d1", at(10), at(20)),
        wire_dispatch("d2", at(20), at(30), authorized=False),
        wire_dispatch("d3", at(30), at(40), test=True),
        wire_dispatch("d4", at(40), at(50), test=True, authorized=False),
        wire_dispatch("d5", at(50), at(60), program=None),
    )
    await harness.set_up()
    assert [event["summary"] for event in await events(harness)] == [
        "A Program",
        "Cancelled: A Program",
        "Test: A Program",
        "Cancelled: Test: A Program",
        "Dispatch",
    ]


async def test_a_cancelled_dispatch_is_never_the_current_one(harness: Harness) -> None:
    harness.publish(
        wire_dispatch("d1", at(-10), at(20), authorized=False),
        wire_dispatch("d2", at(30), at(40), test=True),
    )
    await harness.set_up()
    assert harness.state("dispatches").attributes["message"] == "Test: A Program"


async def test_the_description_names_sites_and_amounts(harness: Harness) -> None:
    harness.publish(wire_dispatch(sites={"s2": None, "s1": 12.5}))
    await harness.set_up()
    (event,) = await events(harness)
    assert event["description"] == "Site s1: 12.5 kW\nSite s2"


async def test_an_open_end_rolls_on_by_whole_days(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(10), None))
    await harness.set_up()

    async def shown() -> list[tuple[datetime, datetime]]:
        assert harness.state("dispatches").state in ("on", "off")
        return [span(event) for event in await events(harness)]

    assert await shown() == [(at(10), at(10 + DAY))]
    await harness.move_to(at(10 + DAY) - SECOND)
    assert await shown() == [(at(10), at(10 + DAY))]
    await harness.move_to(at(10 + DAY))
    assert await shown() == [(at(10), at(10 + 2 * DAY))]
    assert harness.state("dispatches").state == "on"

    harness.publish(wire_dispatch("d1", at(10), at(20 + DAY)))
    await harness.move_to(at(11 + DAY))
    assert await shown() == [(at(10), at(20 + DAY))]


async def test_of_a_cancelled_open_end_one_day_is_shown(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(-3 * DAY), None, authorized=False))
    await harness.set_up()
    (event,) = await events(harness, at(-5 * DAY), at(DAY))
    assert span(event) == (at(-3 * DAY), at(-2 * DAY))


async def test_what_is_over_stays_in_the_calendar_after_it_left_the_list(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(20)))
    await harness.set_up()
    await harness.move_to(at(20))
    await harness.move_to(at(DAY))
    harness.publish(wire_dispatch("d2", at(5 * DAY), at(6 * DAY)))
    await harness.move_to(at(4 * DAY))
    assert harness.entry.runtime_data.data.snapshot.dispatches.keys() == {"d2"}
    assert await ids(harness, at(-DAY), at(DAY)) == ["d1"]

    await harness.restart()
    (event,) = await events(harness, at(-DAY), at(DAY))
    assert span(event) == (at(10), at(20))


async def test_an_empty_window_is_left_out(harness: Harness) -> None:
    harness.publish(
        wire_dispatch("backwards", at(20), at(10)),
        wire_dispatch("nothing", at(30), at(30)),
        wire_dispatch("d1", at(40), at(50)),
    )
    await harness.set_up()
    assert await ids(harness, at(0), at(60)) == ["d1"]
    assert harness.state("dispatches").attributes["start_time"] == "2026-07-15 12:40:00"


@pytest.mark.parametrize("time_zone", ["UTC", "Pacific/Kiritimati", "US/Pacific"])
@pytest.mark.parametrize("end", [{}, {"end_time": "9999-12-31T23:59:59Z"}])
async def test_the_end_of_the_calendar_breaks_nothing(
    harness: Harness, time_zone: str, end: dict[str, str]
) -> None:
    await harness.hass.config.async_set_time_zone(time_zone)
    far = wire_dispatch("far", NOON, None)
    harness.publish(
        far | {"start_time": "9999-12-31T22:00:00Z"} | end,
        wire_dispatch("endless") | {"end_time": "9999-12-31T23:00:00Z"},
    )
    await harness.set_up()
    assert await ids(harness, at(0), at(10)) == ["endless"]
    assert harness.state("dispatches").state == "on"


@pytest.mark.parametrize("time_zone", ["UTC", "Pacific/Kiritimati", "US/Pacific"])
async def test_the_beginning_of_the_calendar_breaks_nothing(
    harness: Harness, time_zone: str
) -> None:
    await harness.hass.config.async_set_time_zone(time_zone)
    early = {"start_time": "0001-01-01T03:00:00Z"}
    harness.publish(
        wire_dispatch("open", end=None) | early, wire_dispatch("d1") | early
    )
    await harness.set_up()
    assert set(await ids(harness, at(0), at(10))) == {"open", "d1"}
    assert harness.state("dispatches").state == "on"


async def test_the_calendar_reads_the_clock_not_the_last_poll(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(20)))
    await harness.set_up()
    harness.voltus.faults = Faults(status=500)
    await harness.move_to(at(10))
    assert harness.state("dispatches").state == "on"
    assert "unavailable" not in harness.written_states("dispatches")


@pytest.fixture
def written() -> Iterator[Mock]:
    """Count what the calendar writes, whether or not it is the same state again."""
    with patch.object(
        CalendarEntity,
        "async_write_ha_state",
        autospec=True,
        side_effect=CalendarEntity.async_write_ha_state,
    ) as counted:
        yield counted


async def test_it_writes_only_what_is_news_to_a_calendar(
    harness: Harness, written: Mock
) -> None:
    harness.publish(
        wire_dispatch("soon", at(10), at(20)), wire_dispatch("later", at(60), at(70))
    )
    await harness.set_up()
    written.reset_mock()
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"lead_time": 6, "ignored_sites": ["s1"]}
    )
    await harness.settle()
    harness.voltus.faults = Faults(status=500)
    await harness.move_to(at(1))
    harness.voltus.faults = Faults()
    for minute in (2, 4, 5):
        await harness.move_to(at(minute))
    assert not written.mock_calls, "options, outages and lead times are none"

    harness.publish(
        wire_dispatch("soon", at(10), at(20)), wire_dispatch("later", at(60), at(80))
    )
    await harness.poll()
    assert written.mock_calls, "open calendars have to read it again"


async def test_an_open_end_is_written_once_a_day(
    harness: Harness, written: Mock
) -> None:
    harness.publish(wire_dispatch("d1", at(-10), None))
    await harness.set_up()
    written.reset_mock()
    for hour in range(1, 24):
        await harness.move_to(at(hour * 60))
    assert not written.mock_calls
    await harness.move_to(at(DAY))
    assert written.mock_calls
    end = harness.state("dispatches").attributes["end_time"]
    assert end == "2026-07-17 11:50:00"


async def test_the_calendar_is_right_even_if_its_own_timers_never_come(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sys.modules[CalendarEntity.__module__],
        "async_track_point_in_time",
        lambda *_: lambda: None,
    )
    harness.publish(wire_dispatch("d1", at(10), at(20)))
    await harness.set_up()
    await harness.move_to(at(10))
    assert harness.state("dispatches").state == "on"


async def test_of_those_that_start_together_the_earlier_end_is_shown(
    harness: Harness,
) -> None:
    harness.publish(
        wire_dispatch("a", at(10), None, {"s1": 1.0}),
        wire_dispatch("b", at(10), at(30), {"s1": 2.0}),
        wire_dispatch("c", at(10), at(20), {"s1": 3.0}),
    )
    await harness.set_up()
    seen = []
    for minute in (0, 10, 20, 30):
        await harness.move_to(at(minute))
        seen.append(harness.state("dispatches").attributes["description"])
    assert seen == [f"Site s1: {amount} kW" for amount in (3, 3, 2, 1)]


async def test_dispatches_that_touch_are_shown_one_after_the_other(
    harness: Harness,
) -> None:
    harness.publish(
        wire_dispatch("second", at(20), at(30)), wire_dispatch("first", at(10), at(20))
    )
    await harness.set_up()
    assert await ids(harness, at(10), at(20)) == ["first"]
    assert await ids(harness, at(20), at(30)) == ["second"]
    await harness.move_to(at(20))
    state = harness.state("dispatches")
    assert state.state == "on"
    assert state.attributes["start_time"] == "2026-07-15 12:20:00"


async def test_amounts_of_any_size_are_readable(harness: Harness) -> None:
    harness.publish(wire_dispatch(sites={"s1": 1234567.89, "s2": 0.0}))
    await harness.set_up()
    (event,) = await events(harness)
    assert event["description"] == "Site s1: 1234567.9 kW\nSite s2: 0 kW"


async def test_times_are_shown_in_local_time(harness: Harness) -> None:
    await harness.hass.config.async_set_time_zone("US/Pacific")
    harness.publish(wire_dispatch("d1", at(10), at(20)))
    await harness.set_up()
    (event,) = await events(harness)
    assert event["start"] == "2026-07-15T05:10:00-07:00"


# The nights in which the clocks change


def utc(text: str) -> datetime:
    """Return an instant of the night in which Los Angeles sets its clocks back."""
    return datetime.fromisoformat(f"2026-11-01T{text}:00+00:00")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        pytest.param("08:40", "09:20", id="01:40 PDT to 01:20 PST"),
        pytest.param("08:20", "09:20", id="01:20 PDT to 01:20 PST"),
        pytest.param("07:30", "09:30", id="00:30 PDT to 01:30 PST"),
        pytest.param("09:10", "10:30", id="01:10 PST to 02:30 PST"),
    ],
)
async def test_in_the_hour_that_comes_twice_the_calendar_is_on_as_long_as_it_is(
    harness: Harness, start: str, end: str
) -> None:
    await harness.hass.config.async_set_time_zone("America/Los_Angeles")
    harness.freezer.move_to(utc("07:00"))
    harness.publish(
        wire_dispatch("d1", utc(start), utc(end)),
        wire_dispatch("d2", utc("20:00"), utc("21:00")),
    )
    await harness.set_up()
    on = []
    minute = utc("07:00")
    while minute < utc("12:00"):
        await harness.move_to(minute)
        if harness.state("dispatches").state == "on":
            on.append(minute)
        minute += timedelta(minutes=10)
    assert (on[0], on[-1]) == (utc(start), utc(end) - timedelta(minutes=10))
    assert len(on) == (utc(end) - utc(start)) // timedelta(minutes=10)
    assert await ids(harness, utc("00:00"), utc("23:00")) == ["d1", "d2"]
    shown = await events(harness, utc("00:00"), utc("23:00"))
    begin, over = span(shown[0])
    assert begin == utc(start)
    assert utc(end) <= over <= utc(end) + timedelta(hours=1)


async def test_a_set_up_in_the_hour_that_comes_twice_has_a_calendar(
    harness: Harness,
) -> None:
    await harness.hass.config.async_set_time_zone("America/Los_Angeles")
    harness.freezer.move_to(utc("09:00"))
    harness.publish(wire_dispatch("d1", utc("08:40"), utc("09:20")))
    await harness.set_up()
    assert harness.state("dispatches").state == "on"
    await harness.move_to(utc("09:20"))
    assert harness.state("dispatches").state == "off"
    await harness.move_to(utc("09:20") + timedelta(days=21))
    assert await ids(harness, utc("00:00"), utc("23:00")) == ["d1"]


@given(
    start=st.datetimes(
        datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)
    ),
    duration=st.timedeltas(timedelta(seconds=1), timedelta(days=2)),
    zone=st.sampled_from(
        ["America/Los_Angeles", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata"]
    ),
)
def test_whenever_a_dispatch_is_home_assistant_takes_it_as_an_event(
    start: datetime, duration: timedelta, zone: str
) -> None:
    with patch("homeassistant.util.dt.DEFAULT_TIME_ZONE", ZoneInfo(zone)):
        event = _event(dispatch(start=start, end=start + duration), start)
    assert event.start == start
    assert event.start_datetime_local == start
    assert event.end_datetime_local == start + duration
