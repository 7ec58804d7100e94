"""Voltus' certification scenarios, run by our own action and judged by our own log."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
import json
from typing import Any

import pytest

from custom_components.voltus.aiovoltus.models import Json
from custom_components.voltus.const import DOMAIN
from sandbox.faults import Faults
from tests.builders import NOON, at, wire_dispatch

from .stage import Stage

POSTED = NOON + timedelta(seconds=20)
OPEN_ENDED = ["created", "started", "updated", "ended"]


async def run(stage: Stage, scenario: str, **fields: Any) -> Mapping[str, Any]:
    """Have the local Voltus play a scenario; return what the action answers."""
    answer = await stage.hass.services.async_call(
        DOMAIN,
        "run_scenario",
        {"scenario": scenario, **fields},
        blocking=True,
        return_response=True,
    )
    assert answer
    return answer


async def verdict(stage: Stage) -> Mapping[str, Any]:
    """Return what the log says of the only scenario."""
    log: Any = await stage.hass.services.async_call(
        DOMAIN, "get_log", {}, blocking=True, return_response=True
    )
    (only,) = log["scenarios"]
    assert isinstance(only, Mapping)
    return only


def polls(until: datetime) -> Iterator[datetime]:
    """Return when Voltus is asked from now on."""
    now = NOON + timedelta(seconds=30)
    while now < until:
        yield now
        now += timedelta(seconds=30)


def choose(stage: Stage, **options: Any) -> None:
    """Set options of the account."""
    stage.hass.config_entries.async_update_entry(
        stage.entry, options={**stage.entry.options, **options}
    )


@pytest.mark.parametrize(
    ("scenario", "fields", "curtailed", "told"),
    [
        pytest.param(
            "basic", {}, [(0.5, 4)], ["created", "started", "ended"], id="basic"
        ),
        pytest.param(
            "ancillary_services", {}, [(0.5, 4)], OPEN_ENDED, id="ancillary services"
        ),
        pytest.param(
            "two_dispatches",
            {},
            [(0.5, 4), (9, 13)],
            OPEN_ENDED * 2,
            id="two dispatches",
        ),
        pytest.param(
            "two_dispatches",
            {"gap": {"minutes": -1}},
            [(0.5, 7)],
            [*OPEN_ENDED[:2] * 2, *OPEN_ENDED[2:] * 2],
            id="two that overlap",
        ),
        pytest.param(
            "two_dispatches",
            {"gap": 0},
            [(0.5, 8)],
            OPEN_ENDED * 2,
            id="two that touch",
        ),
        pytest.param("cancelled", {}, [], ["created", "cancelled"], id="cancelled"),
        pytest.param("curtailing", {}, [(0.5, 10)], OPEN_ENDED, id="curtailing"),
    ],
)
async def test_every_scenario_passes(
    stage: Stage,
    scenario: str,
    fields: Mapping[str, Any],
    curtailed: list[tuple[float, float]],
    told: list[str],
) -> None:
    await stage.set_up()
    await stage.move_to(POSTED)
    answer = await run(stage, scenario, length="00:04:00", **fields)
    assert answer["notes"] == []
    until = datetime.fromisoformat(answer["until"])
    for now in polls(until):
        await stage.move_to(now)
        expected = any(at(start) <= now < at(end) for start, end in curtailed)
        for site_id in ("s1", "s2"):
            assert stage.curtails(site_id) is expected, now
            shown = stage.state("commitment", site_id).state
            assert float(shown) == 1000 * expected
        assert (await verdict(stage))["verdict"] == "running"
    await stage.move_to(until)
    assert [kind for _, kind in stage.stories] == told
    assert json.dumps([event.data for event in stage.told])
    found = await verdict(stage)
    assert (found["verdict"], found["reasons"]) == ("passed", [])
    assert found["sites"] == ["s1", "s2"]


async def test_a_scenario_passes_though_home_assistant_restarts_in_the_middle(
    stage: Stage,
) -> None:
    await stage.set_up()
    answer = await run(stage, "ancillary_services", length="00:04:00")
    await stage.move_to(at(0.5))
    await stage.move_to(at(2))
    await stage.restart()
    for minute in (3, 3.5, 4, 4.5):
        await stage.move_to(at(minute))
    await stage.move_to(datetime.fromisoformat(answer["until"]))
    assert (await verdict(stage))["verdict"] == "passed"


async def test_an_ignored_site_fails_and_is_named_beforehand(stage: Stage) -> None:
    await stage.set_up()
    choose(stage, ignored_sites=["s2"])
    await stage.settle()
    answer = await run(stage, "basic", length="00:04:00")
    (note,) = answer["notes"]
    assert note.startswith("s2 is ignored")
    for minute in (0.5, 1, 4, 5):
        await stage.move_to(at(minute))
    found = await verdict(stage)
    assert found["verdict"] == "failed"
    assert found["reasons"] == [
        "2026-07-15T12:00:40+00:00: curtail of s2 was off for 200 s and had to be on"
    ]


async def test_a_lead_time_that_outruns_the_cancel_fails(stage: Stage) -> None:
    await stage.set_up()
    await run(stage, "cancelled")
    await stage.move_to(at(0.5))
    choose(stage, lead_time=15)
    for minute in (1, 5, 10, 11, 41):
        await stage.move_to(at(minute))
    found = await verdict(stage)
    assert found["verdict"] == "failed"
    assert found["reasons"] == [
        f"2026-07-15T12:05:00+00:00: curtail of {site_id} was on for 300 s "
        "and had to be off"
        for site_id in ("s1", "s2")
    ]


async def test_an_outage_at_the_start_fails(stage: Stage) -> None:
    await stage.set_up()
    await run(stage, "basic", length="00:05:00", site_ids=["s1"])
    stage.voltus.faults = Faults(status=500)
    await stage.move_to(at(1))
    stage.voltus.faults = Faults()
    for minute in (2, 5, 6):
        await stage.move_to(at(minute))
    assert (await verdict(stage))["reasons"] == [
        "2026-07-15T12:00:40+00:00: curtail of s1 was off for 80 s and had to be on"
    ]


async def test_what_curtails_already_is_told_and_clear_ends_it(stage: Stage) -> None:
    stage.publish(wire_dispatch("d1", at(-1), at(60), {"s1": 1.0}))
    await stage.set_up()
    (note,) = (await run(stage, "cancelled"))["notes"]
    assert note.startswith("s1 is curtailing already")
    cleared = await run(stage, "clear")
    assert (cleared["expected"], cleared["notes"]) == ([], [])
    for minute in (0.5, 1):
        await stage.move_to(at(minute))
    assert not stage.curtails("s1")
    assert stage.stories[-1] == ("d1", "cancelled")
    found = await verdict(stage)
    assert found["scenario"] == "cancelled"
    assert found["verdict"] == "failed"
    assert any("another scenario was posted" in each for each in found["reasons"])


@pytest.mark.parametrize(
    ("dispatch", "commitment"),
    [
        pytest.param({"commitment": 12, "drop_by": 3}, "12.0", id="both"),
        pytest.param({"drop_by": 40}, "40.0", id="only drop_by"),
        pytest.param({"commitment": None, "drop_by": None}, "unknown", id="null"),
        pytest.param({}, "unknown", id="none"),
        pytest.param({"commitment": 0}, "0.0", id="zero"),
    ],
)
async def test_every_form_of_an_amount_curtails(
    stage: Stage, dispatch: dict[str, Json], commitment: str
) -> None:
    site: dict[str, Json] = {"id": "s1", "name": "S", "customer_location_id": ""}
    stage.publish(_wire(sites=[site | dispatch]))
    await stage.set_up()
    assert stage.curtails("s1")
    assert stage.state("commitment", "s1").state == commitment


@pytest.mark.parametrize(
    "start",
    ["2026-07-15T12:01:00.123456789Z", "2026-07-15T05:01:00.123456-07:00"],
    ids=["nanoseconds", "another zone"],
)
async def test_every_form_of_a_time_starts_to_the_microsecond(
    stage: Stage, start: str
) -> None:
    instant = at(1) + timedelta(microseconds=123456)
    stage.publish(_wire(start_time=start))
    await stage.set_up()
    assert stage.state("curtailment_end", "s1").state == "unknown"
    await stage.move_to(instant - timedelta(microseconds=1))
    assert not stage.curtails("s1")
    await stage.move_to(instant)
    assert stage.curtails("s1")
    assert stage.told[1].data["start_time"] == instant.isoformat()


def _wire(**fields: Json) -> dict[str, Json]:
    return wire_dispatch("d1", at(-1), None) | fields
