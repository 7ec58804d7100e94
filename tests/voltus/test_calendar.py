"""All dispatches, past and to come, as a calendar."""

from collections.abc import Iterator
from datetime import datetime, timedelta
import sys
from typing import Any
from unittest.mock import Mock, patch

from homeassistant.components.calendar import CalendarEntity
from homeassistant.const import Platform
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_component import DATA_INSTANCES
import pytest
from pytest_homeassistant_custom_component.common import snapshot_platform
from syrupy.assertion import SnapshotAssertion

from sandbox.faults import Faults
from tests.builders import NOON, at, wire_dispatch

from .stage import Stage

DAY = 24 * 60
YESTERDAY, NEXT_MONTH = at(-DAY), at(30 * DAY)
SECOND = timedelta(seconds=1)


async def events(
    stage: Stage, start: datetime = YESTERDAY, end: datetime = NEXT_MONTH
) -> list[dict[str, Any]]:
    """Return what the calendar shows from `start` to `end`."""
    entity_id = stage.entity_id("dispatches")
    response = await stage.hass.services.async_call(
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


async def ids(stage: Stage, start: datetime, end: datetime) -> list[str | None]:
    """Return which dispatches the calendar shows from `start` to `end`."""
    entity = stage.hass.data[DATA_INSTANCES]["calendar"].get_entity(
        stage.entity_id("dispatches")
    )
    assert isinstance(entity, CalendarEntity)
    return [
        event.uid for event in await entity.async_get_events(stage.hass, start, end)
    ]


def span(event: dict[str, Any]) -> tuple[datetime, datetime]:
    """Return start and end of an event."""
    return datetime.fromisoformat(event["start"]), datetime.fromisoformat(event["end"])


async def test_the_calendar_while_a_dispatch_is_under_way(
    stage: Stage, snapshot: SnapshotAssertion
) -> None:
    stage.publish(
        wire_dispatch("d1", at(-10), at(60), {"s1": 100.0, "s2": None}),
        wire_dispatch("d2", at(30), at(90)),
    )
    with patch("custom_components.voltus.PLATFORMS", [Platform.CALENDAR]):
        await stage.set_up()
        await snapshot_platform(
            stage.hass, er.async_get(stage.hass), snapshot, stage.entry.entry_id
        )
        await stage.hass.config_entries.async_unload(stage.entry.entry_id)


async def test_the_calendar_goes_on_at_the_start_and_off_at_the_end(
    stage: Stage,
) -> None:
    stage.publish(wire_dispatch("d1", at(10), at(20)))
    await stage.set_up()
    seen = []
    for instant in (at(0), at(10) - SECOND, at(10), at(20) - SECOND, at(20)):
        await stage.move_to(instant)
        seen.append(stage.state("dispatches").state)
    assert seen == ["off", "off", "on", "on", "off"]
    assert "message" not in stage.state("dispatches").attributes


async def test_the_one_under_way_is_shown_before_the_next(stage: Stage) -> None:
    stage.publish(
        wire_dispatch("next", at(5), at(15), {"s2": 1.0}),
        wire_dispatch("long", at(-30), at(20), {"s1": 2.0}),
        wire_dispatch("short", at(-10), at(10), {"s1": 3.0}),
    )
    await stage.set_up()

    def shown() -> str:
        text: str = stage.state("dispatches").attributes["description"]
        return text

    assert shown() == "Site s1: 3 kW"
    await stage.move_to(at(10))
    assert shown() == "Site s2: 1 kW"
    await stage.move_to(at(15))
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
    stage: Stage, start: datetime, end: datetime, shown: list[str]
) -> None:
    stage.publish(
        wire_dispatch("d2", at(40), at(50)), wire_dispatch("d1", at(10), at(20))
    )
    await stage.set_up()
    assert await ids(stage, start, end) == shown


async def test_what_voltus_says_is_shown_whatever_we_act_on(stage: Stage) -> None:
    stage.hass.config_entries.async_update_entry(
        stage.entry, options={"ignored_sites": ["s1"]}
    )
    stage.publish(
        wire_dispatch("d1", at(10), at(20)),
        wire_dispatch("d2", at(20), at(30), authorized=False),
        wire_dispatch("d3", at(30), at(40), test=True),
        wire_dispatch("d4", at(40), at(50), test=True, authorized=False),
        wire_dispatch("d5", at(50), at(60), program=None),
    )
    await stage.set_up()
    assert [event["summary"] for event in await events(stage)] == [
        "A Program",
        "Cancelled: A Program",
        "Test: A Program",
        "Cancelled: Test: A Program",
        "Dispatch",
    ]


async def test_a_cancelled_dispatch_is_never_the_current_one(stage: Stage) -> None:
    stage.publish(
        wire_dispatch("d1", at(-10), at(20), authorized=False),
        wire_dispatch("d2", at(30), at(40), test=True),
    )
    await stage.set_up()
    assert stage.state("dispatches").attributes["message"] == "Test: A Program"


async def test_the_description_names_sites_and_amounts(stage: Stage) -> None:
    stage.publish(wire_dispatch(sites={"s2": None, "s1": 12.5}))
    await stage.set_up()
    (event,) = await events(stage)
    assert event["description"] == "Site s1: 12.5 kW\nSite s2"


async def test_an_open_end_rolls_on_by_whole_days(stage: Stage) -> None:
    stage.publish(wire_dispatch("d1", at(10), None))
    await stage.set_up()

    async def shown() -> list[tuple[datetime, datetime]]:
        assert stage.state("dispatches").state in ("on", "off")
        return [span(event) for event in await events(stage)]

    assert await shown() == [(at(10), at(10 + DAY))]
    await stage.move_to(at(10 + DAY) - SECOND)
    assert await shown() == [(at(10), at(10 + DAY))]
    await stage.move_to(at(10 + DAY))
    assert await shown() == [(at(10), at(10 + 2 * DAY))]
    assert stage.state("dispatches").state == "on"

    stage.publish(wire_dispatch("d1", at(10), at(20 + DAY)))
    await stage.move_to(at(11 + DAY))
    assert await shown() == [(at(10), at(20 + DAY))]


async def test_of_a_cancelled_open_end_one_day_is_shown(stage: Stage) -> None:
    stage.publish(wire_dispatch("d1", at(-3 * DAY), None, authorized=False))
    await stage.set_up()
    (event,) = await events(stage, at(-5 * DAY), at(DAY))
    assert span(event) == (at(-3 * DAY), at(-2 * DAY))


async def test_what_is_over_stays_in_the_calendar_after_it_left_the_list(
    stage: Stage,
) -> None:
    stage.publish(wire_dispatch("d1", at(10), at(20)))
    await stage.set_up()
    await stage.move_to(at(20))
    await stage.move_to(at(DAY))
    stage.publish(wire_dispatch("d2", at(5 * DAY), at(6 * DAY)))
    await stage.move_to(at(4 * DAY))
    assert stage.entry.runtime_data.data.snapshot.dispatches.keys() == {"d2"}
    assert await ids(stage, at(-DAY), at(DAY)) == ["d1"]

    await stage.restart()
    (event,) = await events(stage, at(-DAY), at(DAY))
    assert span(event) == (at(10), at(20))


async def test_an_empty_window_is_left_out(stage: Stage) -> None:
    stage.publish(
        wire_dispatch("backwards", at(20), at(10)),
        wire_dispatch("nothing", at(30), at(30)),
        wire_dispatch("d1", at(40), at(50)),
    )
    await stage.set_up()
    assert await ids(stage, at(0), at(60)) == ["d1"]
    assert stage.state("dispatches").attributes["start_time"] == "2026-07-15 12:40:00"


@pytest.mark.parametrize("time_zone", ["UTC", "Pacific/Kiritimati", "US/Pacific"])
@pytest.mark.parametrize("end", [{}, {"end_time": "9999-12-31T23:59:59Z"}])
async def test_the_end_of_the_calendar_breaks_nothing(
    stage: Stage, time_zone: str, end: dict[str, str]
) -> None:
    await stage.hass.config.async_set_time_zone(time_zone)
    far = wire_dispatch("far", NOON, None)
    stage.publish(
        far | {"start_time": "9999-12-31T22:00:00Z"} | end,
        wire_dispatch("endless") | {"end_time": "9999-12-31T23:00:00Z"},
    )
    await stage.set_up()
    assert await ids(stage, at(0), at(10)) == ["endless"]
    assert stage.state("dispatches").state == "on"


@pytest.mark.parametrize("time_zone", ["UTC", "Pacific/Kiritimati", "US/Pacific"])
async def test_the_beginning_of_the_calendar_breaks_nothing(
    stage: Stage, time_zone: str
) -> None:
    await stage.hass.config.async_set_time_zone(time_zone)
    early = {"start_time": "0001-01-01T03:00:00Z"}
    stage.publish(wire_dispatch("open", end=None) | early, wire_dispatch("d1") | early)
    await stage.set_up()
    assert set(await ids(stage, at(0), at(10))) == {"open", "d1"}
    assert stage.state("dispatches").state == "on"


async def test_the_calendar_reads_the_clock_not_the_last_poll(stage: Stage) -> None:
    stage.publish(wire_dispatch("d1", at(10), at(20)))
    await stage.set_up()
    stage.voltus.faults = Faults(status=500)
    await stage.move_to(at(10))
    assert stage.state("dispatches").state == "on"
    assert "unavailable" not in stage.written_states("dispatches")


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
    stage: Stage, written: Mock
) -> None:
    stage.publish(
        wire_dispatch("soon", at(10), at(20)), wire_dispatch("later", at(60), at(70))
    )
    await stage.set_up()
    written.reset_mock()
    stage.hass.config_entries.async_update_entry(
        stage.entry, options={"lead_time": 6, "ignored_sites": ["s1"]}
    )
    await stage.settle()
    stage.voltus.faults = Faults(status=500)
    await stage.move_to(at(1))
    stage.voltus.faults = Faults()
    for minute in (2, 4, 5):
        await stage.move_to(at(minute))
    assert not written.mock_calls, "options, outages and lead times are none"

    stage.publish(
        wire_dispatch("soon", at(10), at(20)), wire_dispatch("later", at(60), at(80))
    )
    await stage.poll()
    assert written.mock_calls, "open calendars have to read it again"


async def test_an_open_end_is_written_once_a_day(stage: Stage, written: Mock) -> None:
    stage.publish(wire_dispatch("d1", at(-10), None))
    await stage.set_up()
    written.reset_mock()
    for hour in range(1, 24):
        await stage.move_to(at(hour * 60))
    assert not written.mock_calls
    await stage.move_to(at(DAY))
    assert written.mock_calls
    end = stage.state("dispatches").attributes["end_time"]
    assert end == "2026-07-17 11:50:00"


async def test_the_calendar_is_right_even_if_its_own_timers_never_come(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sys.modules[CalendarEntity.__module__],
        "async_track_point_in_time",
        lambda *_: lambda: None,
    )
    stage.publish(wire_dispatch("d1", at(10), at(20)))
    await stage.set_up()
    await stage.move_to(at(10))
    assert stage.state("dispatches").state == "on"


async def test_of_those_that_start_together_the_earlier_end_is_shown(
    stage: Stage,
) -> None:
    stage.publish(
        wire_dispatch("a", at(10), None, {"s1": 1.0}),
        wire_dispatch("b", at(10), at(30), {"s1": 2.0}),
        wire_dispatch("c", at(10), at(20), {"s1": 3.0}),
    )
    await stage.set_up()
    seen = []
    for minute in (0, 10, 20, 30):
        await stage.move_to(at(minute))
        seen.append(stage.state("dispatches").attributes["description"])
    assert seen == [f"Site s1: {amount} kW" for amount in (3, 3, 2, 1)]


async def test_dispatches_that_touch_are_shown_one_after_the_other(
    stage: Stage,
) -> None:
    stage.publish(
        wire_dispatch("second", at(20), at(30)), wire_dispatch("first", at(10), at(20))
    )
    await stage.set_up()
    assert await ids(stage, at(10), at(20)) == ["first"]
    assert await ids(stage, at(20), at(30)) == ["second"]
    await stage.move_to(at(20))
    state = stage.state("dispatches")
    assert state.state == "on"
    assert state.attributes["start_time"] == "2026-07-15 12:20:00"


async def test_amounts_of_any_size_are_readable(stage: Stage) -> None:
    stage.publish(wire_dispatch(sites={"s1": 1234567.89, "s2": 0.0}))
    await stage.set_up()
    (event,) = await events(stage)
    assert event["description"] == "Site s1: 1234567.9 kW\nSite s2: 0 kW"


async def test_times_are_shown_in_local_time(stage: Stage) -> None:
    await stage.hass.config.async_set_time_zone("US/Pacific")
    stage.publish(wire_dispatch("d1", at(10), at(20)))
    await stage.set_up()
    (event,) = await events(stage)
    assert event["start"] == "2026-07-15T05:10:00-07:00"
