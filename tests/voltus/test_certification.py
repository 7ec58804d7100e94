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

from .harness import Harness

POSTED = NOON + timedelta(seconds=20)
OPEN_ENDED = ["created", "started", "updated", "ended"]


async def run(harness: Harness, scenario: str, **fields: Any) -> Mapping[str, Any]:
    """Have the local Voltus play a scenario; return what the action answers."""
    answer = await harness.hass.services.async_call(
        DOMAIN,
        "run_scenario",
        {"scenario": scenario, **fields},
        blocking=True,
        return_response=True,
    )
    assert answer
    return answer


async def verdict(harness: Harness) -> Mapping[str, Any]:
    """Return what the log says of the only scenario."""
    log: Any = await harness.hass.services.async_call(
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


def choose(harness: Harness, **options: Any) -> None:
    """Set options of the account."""
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={**harness.entry.options, **options}
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
    harness: Harness,
    scenario: str,
    fields: Mapping[str, Any],
    curtailed: list[tuple[float, float]],
    told: list[str],
) -> None:
    await harness.set_up()
    await harness.move_to(POSTED)
    answer = await run(harness, scenario, length="00:04:00", **fields)
    assert answer["notes"] == []
    until = datetime.fromisoformat(answer["until"])
    for now in polls(until):
        await harness.move_to(now)
        expected = any(at(start) <= now < at(end) for start, end in curtailed)
        for site_id in ("s1", "s2"):
            assert harness.curtails(site_id) is expected, now
            shown = harness.state("commitment", site_id).state
            assert float(shown) == 1000 * expected
        assert (await verdict(harness))["verdict"] == "running"
    await harness.move_to(until)
    assert [kind for _, kind in harness.stories] == told
    assert json.dumps([event.data for event in harness.told])
    found = await verdict(harness)
    assert (found["verdict"], found["reasons"]) == ("passed", [])
    assert found["sites"] == ["s1", "s2"]


async def test_a_scenario_passes_though_home_assistant_restarts_in_the_middle(
    harness: Harness,
) -> None:
    await harness.set_up()
    answer = await run(harness, "ancillary_services", length="00:04:00")
    await harness.move_to(at(0.5))
    await harness.move_to(at(2))
    await harness.restart()
    for minute in (3, 3.5, 4, 4.5):
        await harness.move_to(at(minute))
    await harness.move_to(datetime.fromisoformat(answer["until"]))
    assert (await verdict(harness))["verdict"] == "passed"


async def test_an_ignored_site_fails_and_is_named_beforehand(harness: Harness) -> None:
    await harness.set_up()
    choose(harness, ignored_sites=["s2"])
    await harness.settle()
    answer = await run(harness, "basic", length="00:04:00")
    (note,) = answer["notes"]
    assert note.startswith("s2 is ignored")
    for minute in (0.5, 1, 4, 5):
        await harness.move_to(at(minute))
    found = await verdict(harness)
    assert found["verdict"] == "failed"
    assert found["reasons"] == [
        "2026-07-15T12:00:40+00:00: curtail of s2 was off for 200 s and had to be on"
    ]


async def test_a_lead_time_that_outruns_the_cancel_fails(harness: Harness) -> None:
    await harness.set_up()
    await run(harness, "cancelled")
    await harness.move_to(at(0.5))
    choose(harness, lead_time=15)
    for minute in (1, 5, 10, 11, 41):
        await harness.move_to(at(minute))
    found = await verdict(harness)
    assert found["verdict"] == "failed"
    assert found["reasons"] == [
        f"2026-07-15T12:05:00+00:00: curtail of {site_id} was on for 300 s "
        "and had to be off"
        for site_id in ("s1", "s2")
    ]


async def test_an_outage_at_the_start_fails(harness: Harness) -> None:
    await harness.set_up()
    await run(harness, "basic", length="00:05:00", site_ids=["s1"])
    harness.voltus.faults = Faults(status=500)
    await harness.move_to(at(1))
    harness.voltus.faults = Faults()
    for minute in (2, 5, 6):
        await harness.move_to(at(minute))
    assert (await verdict(harness))["reasons"] == [
        "2026-07-15T12:00:40+00:00: curtail of s1 was off for 80 s and had to be on"
    ]


async def test_what_curtails_already_is_told_and_clear_ends_it(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(-1), at(60), {"s1": 1.0}))
    await harness.set_up()
    (note,) = (await run(harness, "cancelled"))["notes"]
    assert note.startswith("s1 is curtailing already")
    cleared = await run(harness, "clear")
    assert (cleared["expected"], cleared["notes"]) == ([], [])
    for minute in (0.5, 1):
        await harness.move_to(at(minute))
    assert not harness.curtails("s1")
    assert harness.stories[-1] == ("d1", "cancelled")
    found = await verdict(harness)
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
    harness: Harness, dispatch: dict[str, Json], commitment: str
) -> None:
    site: dict[str, Json] = {"id": "s1", "name": "S", "customer_location_id": ""}
    harness.publish(_wire(sites=[site | dispatch]))
    await harness.set_up()
    assert harness.curtails("s1")
    assert harness.state("commitment", "s1").state == commitment


@pytest.mark.parametrize(
    "start",
    ["2026-07-15T12:01:00.123456789Z", "2026-07-15T05:01:00.123456-07:00"],
    ids=["nanoseconds", "another zone"],
)
async def test_every_form_of_a_time_starts_to_the_microsecond(
    harness: Harness, start: str
) -> None:
    instant = at(1) + timedelta(microseconds=123456)
    harness.publish(_wire(start_time=start))
    await harness.set_up()
    assert harness.state("curtailment_end", "s1").state == "unknown"
    await harness.move_to(instant - timedelta(microseconds=1))
    assert not harness.curtails("s1")
    await harness.move_to(instant)
    assert harness.curtails("s1")
    assert harness.told[1].data["start_time"] == instant.isoformat()


def _wire(**fields: Json) -> dict[str, Json]:
    return wire_dispatch("d1", at(-1), None) | fields
