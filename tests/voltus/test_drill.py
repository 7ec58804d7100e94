"""Rehearsals without Voltus, through everything that a dispatch goes through."""

from datetime import timedelta
from typing import Any

from homeassistant.auth.const import GROUP_ID_USER
from homeassistant.exceptions import ServiceValidationError, Unauthorized
import pytest

from sandbox.faults import Faults
from tests.builders import NOON, Amounts, at, wire_dispatch

from .by_hand import BOTH, act, notice, somebody
from .harness import Harness, issues

DOWN = Faults(status=500)
TEN = {"minutes": 10}


async def start(harness: Harness, **fields: Any) -> str:
    """Start a drill of ten minutes, and return its id."""
    answer = await act(harness, "start_drill", **{"duration": TEN, **fields})
    first: str = answer["dispatch_ids"][0]
    return first


def kinds(harness: Harness, dispatch: str) -> list[str]:
    """Return what was told of a dispatch."""
    return [kind for each, kind in harness.stories if each == dispatch]


async def test_a_drill_goes_through_all_that_a_dispatch_does(harness: Harness) -> None:
    await harness.set_up()
    drill = await start(harness, commitment=40)
    assert harness.curtails("s1")
    assert harness.curtails()
    assert harness.state("commitment", "s1").state == "40.0"
    assert harness.state("active_dispatches").state == "1"
    assert harness.state("curtailment_end", "s1").state == at(10).isoformat()
    attributes = harness.state("curtail", "s1").attributes
    assert (attributes["drill"], attributes["test"]) == (True, False)
    assert attributes["dispatch_ids"] == [drill]
    assert harness.state("acknowledgement_pending").state == "on"
    assert harness.state("dispatches").attributes["message"] == "Drill: Dispatch"
    await harness.move_to(at(10))
    assert not harness.curtails("s1")
    assert kinds(harness, drill) == ["created", "started", "ended"]
    for event in harness.told:
        assert event.data["drill"]
        assert event.data["actionable"]
        assert not event.data["test"]
    assert harness.state("dispatch").attributes["drill"]


async def test_it_is_on_record_as_a_drill(harness: Harness) -> None:
    await harness.set_up()
    drill = await start(harness)
    await harness.move_to(at(10))
    await harness.restart(harness.disk())
    (found,) = (await act(harness, "get_dispatches"))["dispatches"]
    assert (found["id"], found["drill"], found["status"]) == (drill, True, "ended")
    log = await act(harness, "get_log", dispatch_id=drill)
    assert {row["drill"] for row in log["changes"]} == {True}
    assert [each["site_id"] for each in log["curtailments"]] == ["s1", "s2"]


async def test_the_answer_says_what_is_going_to_happen(harness: Harness) -> None:
    await harness.set_up()
    answer = await act(
        harness,
        "start_drill",
        pattern="two_dispatches",
        site_ids="s2",
        start_time=at(5).isoformat(),
        duration={"minutes": 20},
    )
    first, second = answer.pop("dispatch_ids")
    assert first.startswith("drill-")
    assert second == f"{first}-2"
    assert answer == {
        "start_time": at(5).isoformat(),
        "until": at(50).isoformat(),
        "sites": ["s2"],
    }


async def test_a_drill_to_come_is_announced_at_once(harness: Harness) -> None:
    await harness.set_up()
    drill = await start(harness, start_time=at(30).isoformat())
    assert kinds(harness, drill) == ["created"]
    assert harness.told[0].data["notice_seconds"] == 30 * 60
    assert harness.told[0].data["late_seconds"] == 0
    assert harness.state("phase", "s1").state == "scheduled"
    await harness.move_to(at(30))
    assert harness.curtails("s1")


async def test_the_lead_time_counts(harness: Harness) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"lead_time": 10}
    )
    await harness.set_up()
    await start(harness, start_time=at(30).isoformat())
    await harness.move_to(at(20))
    assert harness.state("phase", "s1").state == "preparing"


@pytest.mark.parametrize(
    ("pattern", "story", "turns"),
    [
        ("basic", ["created", "started", "ended"], {0: True, 20: False}),
        (
            "ancillary_services",
            ["created", "started", "updated", "ended"],
            {0: True, 20: False},
        ),
        (
            "two_dispatches",
            ["created", "started", "updated", "ended"] * 2,
            {0: True, 20: False, 25: True, 45: False},
        ),
        ("cancelled", ["created", "cancelled"], {0: False, 20: False}),
    ],
)
async def test_the_patterns_of_the_certification_play_without_voltus(
    harness: Harness, pattern: str, story: list[str], turns: dict[int, bool]
) -> None:
    await harness.set_up()
    harness.voltus.faults = DOWN
    await act(harness, "start_drill", pattern=pattern)
    for minute in (0, 10, 19.9, 20, 24.9, 25, 44.9, 45):
        await harness.move_to(at(minute))
        on = [turns[each] for each in turns if each <= minute]
        assert harness.curtails("s1") is on[-1], minute
    assert [kind for _, kind in harness.stories] == story


async def test_an_open_end_shows_none_until_it_comes(harness: Harness) -> None:
    await harness.set_up()
    await act(harness, "start_drill", pattern="ancillary_services", duration=4 * 3600)
    harness.voltus.faults = DOWN
    await harness.move_to(at(239))
    assert harness.curtails("s1")
    assert harness.state("curtailment_end", "s1").state == "unknown"
    assert issues(harness) == {"no_contact"}
    await harness.move_to(at(240))
    assert not harness.curtails("s1")


async def test_voltus_is_told_nothing_and_asked_for_nothing_of_it(
    harness: Harness,
) -> None:
    await harness.set_up()
    drill = await start(harness)
    for minute in range(1, 12):
        await harness.move_to(at(minute))
    assert {request.method for request in harness.voltus.requests} == {"GET"}
    assert not [r for r in harness.voltus.requests if drill in r.path]
    assert kinds(harness, drill) == ["created", "started", "ended"]


# To stop it


async def test_it_can_be_stopped(harness: Harness) -> None:
    await harness.set_up()
    drill = await start(harness)
    await harness.move_to(at(3))
    assert await act(harness, "stop_drill") == {"dispatch_ids": [drill]}
    assert not harness.curtails("s1")
    assert kinds(harness, drill) == ["created", "started", "updated", "ended"]
    assert await act(harness, "stop_drill") == {"dispatch_ids": []}


async def test_one_to_come_can_be_called_off(harness: Harness) -> None:
    await harness.set_up()
    drill = await start(harness, start_time=at(30).isoformat())
    await act(harness, "stop_drill")
    assert kinds(harness, drill) == ["created", "cancelled"]
    await harness.move_to(at(31))
    assert not harness.curtails("s1")
    await start(harness)
    assert harness.curtails("s1")


# Restarts


async def test_it_goes_on_after_a_power_cut_and_ends_by_itself(
    harness: Harness,
) -> None:
    await harness.set_up()
    drill = await start(harness)
    disk = harness.disk()
    harness.voltus.faults = DOWN
    await harness.move_to(at(4))
    await harness.restart(disk)
    assert harness.written_states("curtail", "s1") == ["on"]
    await harness.move_to(at(10))
    assert not harness.curtails("s1")
    assert kinds(harness, drill) == ["created", "started", "ended"]


async def test_it_never_outlives_its_end_over_a_restart(harness: Harness) -> None:
    await harness.set_up()
    drill = await start(harness)
    disk = harness.disk()
    await harness.hass.config_entries.async_unload(harness.entry.entry_id)
    harness.freezer.move_to(at(15))
    await harness.restart(disk)
    assert harness.written_states("curtail", "s1") == ["off"]
    assert kinds(harness, drill) == ["created", "started", "ended"]


async def test_what_comes_of_it_comes_over_a_restart_too(harness: Harness) -> None:
    await harness.set_up()
    await act(harness, "start_drill", pattern="two_dispatches")
    disk = harness.disk()
    await harness.hass.config_entries.async_unload(harness.entry.entry_id)
    harness.freezer.move_to(at(30))
    await harness.restart(disk)
    assert harness.curtails("s1")
    await harness.move_to(at(45))
    assert not harness.curtails("s1")


async def test_after_two_days_it_is_forgotten_but_in_the_log(harness: Harness) -> None:
    await harness.set_up()
    drill = await start(harness)
    await harness.move_to(at(10))
    await harness.move_to(at(10) + timedelta(days=2))
    account = harness.entry.runtime_data
    assert account.by_hand.drills == ()
    assert drill not in account.data.snapshot.dispatches
    assert drill in account.log.past
    assert kinds(harness, drill) == ["created", "started", "ended"]


# Beside real dispatches


async def test_it_gives_way_to_a_real_one_and_the_site_stays_down(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(5), at(20), {"s1": 100.0}))
    await harness.set_up()
    drill = await start(harness, commitment=40)
    await harness.move_to(at(5))
    assert "off" not in harness.written_states("curtail", "s1")[1:]
    assert harness.state("curtail", "s1").attributes["by_dispatch"] == {"d1": 100.0}
    assert not harness.curtails("s2")
    assert kinds(harness, drill) == ["created", "started", "updated", "ended"]
    assert harness.told[-1].data["dispatch_id"] == "d1"
    await harness.move_to(at(20.05))
    assert not harness.curtails("s1")


async def test_that_it_gave_way_is_on_the_disk_before_anything_is_told(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(5), at(7), BOTH))
    await harness.set_up()
    drill = await start(harness)
    await harness.restart(harness.disk(), started=False)
    await harness.move_to(at(5))
    assert kinds(harness, drill) == ["created", "started"]
    disk = harness.disk()
    await harness.restart(disk)
    await harness.move_to(at(7.05))
    assert not harness.curtails("s1")
    kept = disk["voltus.account"]["data"]["by_hand"]["drills"]
    assert [each["received"] for each in kept] == [
        NOON.isoformat(),
        at(5).isoformat(),
    ]


async def test_it_gives_way_to_one_that_comes_without_notice(harness: Harness) -> None:
    await harness.set_up()
    await start(harness)
    harness.publish(wire_dispatch("d1", at(-1), at(20), BOTH))
    await harness.move_to(at(1))
    assert harness.written_states("curtail", "s1")[-1] == "on"
    assert harness.written_states("curtail", "s1").count("off") == 1
    assert harness.state("curtail").attributes["dispatch_ids"] == ["d1"]


async def test_one_elsewhere_leaves_it_alone(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(5), at(7), {"s2": 100.0}))
    await harness.set_up()
    drill = await start(harness, site_ids=["s1"])
    await harness.move_to(at(6))
    assert harness.state("curtail").attributes["dispatch_ids"] == ["d1", drill]
    await harness.move_to(at(7.05))
    assert harness.curtails("s1")
    assert not harness.curtails("s2")


async def test_a_real_one_that_is_cancelled_does_not_bring_it_back(
    harness: Harness,
) -> None:
    real = wire_dispatch("d1", at(2), at(20), BOTH)
    harness.publish(real)
    await harness.set_up()
    await start(harness)
    await harness.move_to(at(2))
    harness.publish({**real, "authorized": False})
    await harness.poll()
    assert not harness.curtails("s1")


@pytest.mark.parametrize(
    ("begins", "sites", "refused"),
    [
        pytest.param(-5, BOTH, True, id="one is on"),
        pytest.param(4, BOTH, True, id="in the lead time"),
        pytest.param(6, BOTH, False, id="one is to come"),
        pytest.param(-5, {"s2": 1.0}, False, id="at another site"),
    ],
)
async def test_none_starts_during_a_real_dispatch(
    harness: Harness, begins: int, sites: Amounts, refused: bool
) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"lead_time": 5}
    )
    harness.publish(wire_dispatch("d1", at(begins), at(60), sites))
    await harness.set_up()
    if not refused:
        assert await start(harness, site_ids=["s1"])
        return
    with pytest.raises(ServiceValidationError) as raised:
        await start(harness, site_ids=["s1"])
    assert raised.value.translation_key == "dispatch_on"
    assert raised.value.translation_placeholders == {"sites": "Site s1"}


async def test_what_counts_is_when_its_own_lead_time_begins(harness: Harness) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"lead_time": 5}
    )
    harness.publish(wire_dispatch("d1", at(-5), at(27), BOTH))
    await harness.set_up()
    with pytest.raises(ServiceValidationError):
        await start(harness, start_time=at(30).isoformat())
    assert await start(harness, start_time=at(32).isoformat())


async def test_a_test_that_nobody_acts_on_is_no_real_dispatch(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(-5), at(60), BOTH, test=True))
    await harness.set_up()
    await start(harness)
    assert harness.curtails("s1")


# With the operator's other means


async def test_to_opt_out_of_a_drill_is_nothing_to_call_voltus_for(
    harness: Harness,
) -> None:
    await harness.set_up()
    drill = await start(harness)
    await act(harness, "opt_out", dispatch_id=drill, site_ids=["s1"])
    assert not harness.curtails("s1")
    assert harness.curtails("s2")
    assert not notice(harness, drill)
    assert harness.state("curtail", "s1").attributes["opted_out"] == [drill]


# What is refused


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"duration": 9}, "drill_duration"),
        ({"duration": 4 * 3600 + 1}, "drill_duration"),
        ({"start_time": at(-1).isoformat()}, "drill_start"),
        ({"start_time": at(7 * 24 * 60 + 1).isoformat()}, "drill_start"),
        ({"site_ids": ["s3"]}, "unknown_site"),
        ({"site_ids": ["s2"]}, "unknown_site"),
    ],
)
async def test_what_is_no_rehearsal_is_refused(
    harness: Harness, fields: dict[str, Any], key: str
) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"ignored_sites": ["s2"]}
    )
    await harness.set_up()
    with pytest.raises(ServiceValidationError) as raised:
        await start(harness, **fields)
    assert raised.value.translation_key == key


async def test_ignored_sites_do_not_take_part(harness: Harness) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"ignored_sites": ["s2"]}
    )
    await harness.set_up()
    await start(harness)
    assert [site["id"] for site in harness.told[0].data["sites"]] == ["s1"]


async def test_without_sites_there_is_nothing_to_rehearse(harness: Harness) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"ignored_sites": ["s1", "s2"]}
    )
    await harness.set_up()
    with pytest.raises(ServiceValidationError) as raised:
        await start(harness)
    assert raised.value.translation_key == "no_sites"


async def test_there_is_one_drill_at_a_time(harness: Harness) -> None:
    await harness.set_up()
    await act(harness, "start_drill", pattern="two_dispatches")
    for minute in (1, 22):
        await harness.move_to(at(minute))
        with pytest.raises(ServiceValidationError) as raised:
            await start(harness)
        assert raised.value.translation_key == "drill_on"
    await harness.move_to(at(45))
    assert await start(harness)


async def test_only_administrators_rehearse(harness: Harness) -> None:
    await harness.set_up()
    user = await somebody(harness, GROUP_ID_USER)
    for name in ("start_drill", "stop_drill"):
        with pytest.raises(Unauthorized):
            await act(harness, name, user)
    assert not harness.curtails()
    assert harness.entry.runtime_data.now() == NOON
