"""The load of a site is held against the commitment in Home Assistant as it is."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from demo import onboarding
from sandbox.server import LocalVoltus

from .harness import RIVERSIDE, Home, dispatch, publish

LOAD = "sensor.scripted_load"
POWER = {"unit_of_measurement": "kW", "device_class": "power"}
MINUTE = timedelta(minutes=1)

type Script = list[tuple[datetime, float]]
"""From when on the meter showed which load, in kW."""


async def show(home: Home, script: Script, kw: float) -> None:
    """Have the meter show a load from now on."""
    state = {"state": str(kw), "attributes": POWER}
    answer = await home.api.request("POST", f"states/{LOAD}", state)
    script.append((datetime.fromisoformat(answer["last_updated"]), kw))


async def add(home: Home, entry_id: str, kw: float) -> None:
    """Fill in the form *Add performance*: a fixed baseline, and the meter."""
    flows = "config/config_entries/subentries/flow"
    form = await home.api.request("POST", flows, {"handler": [entry_id, "performance"]})
    chosen = {"source": "entity", "entity_id": LOAD, "method": "fixed"}
    for step in ({"site_id": RIVERSIDE, **chosen}, {"kw": kw}):
        form = await home.api.request("POST", f"{flows}/{form['flow_id']}", step)
    assert form["type"] == "create_entry"


async def report(home: Home, entry_id: str, dispatch_id: str) -> dict[str, Any]:
    """Return the report on a dispatch."""
    path = "services/voltus/get_report?return_response"
    asked = {"config_entry_id": entry_id, "dispatch_id": dispatch_id}
    answer = await home.api.request("POST", path, asked)
    found: dict[str, Any] = answer["service_response"]["content"]
    return found


def energy(script: Script, start: datetime, end: datetime) -> float:
    """Return what the meter showed in this time, in kW times seconds."""
    until = [*script, (end, 0.0)]
    return sum(
        kw * max((min(later, end) - max(at, start)).total_seconds(), 0)
        for (at, kw), (later, _) in pairwise(until)
    )


def by_minute(script: Script, start: datetime, end: datetime) -> float:
    """Return the same, with each minute at its mean: what a meter of minutes shows."""
    minute, found = start.replace(second=0, microsecond=0), 0.0
    while minute < end:
        inside = min(minute + MINUTE, end) - max(minute, start)
        found += energy(script, minute, minute + MINUTE) * (inside / MINUTE)
        minute += MINUTE
    return found


async def test_every_number_of_the_report_is_that_of_a_calculation_by_hand(
    home: Home, entry_id: str, voltus: LocalVoltus
) -> None:
    script: Script = []
    await show(home, script, 100)
    await add(home, entry_id, kw=100)
    # The minute in which it starts is to be known as a whole.
    await asyncio.sleep(60 - datetime.now(UTC).second)
    publish(voltus, p3rf=dispatch({RIVERSIDE: 40.0}, starts_in=5, lasts=50))
    await asyncio.sleep(20)
    await show(home, script, 55)
    await asyncio.sleep(15)
    await show(home, script, 60.5)

    async def known() -> dict[str, Any]:
        (site,) = (await report(home, entry_id, "p3rf"))["sites"] or [{"result": {}}]
        return site if site["result"].get("complete") else {}

    site = await onboarding.until(known, 120, "waiting for the load of the dispatch")
    content = await report(home, entry_id, "p3rf")
    start, end = (
        datetime.fromisoformat(content["dispatch"][name])
        for name in ("start_time", "end_time")
    )
    mean = by_minute(script, start, end) / (end - start).total_seconds()
    hours = (end - start) / timedelta(hours=1)
    result = site["result"]
    assert result["reduction"] == pytest.approx(100 - mean, abs=0.01)
    assert result["performance"] == pytest.approx((100 - mean) / 0.4, abs=0.1)
    assert result["energy"] == pytest.approx((100 - mean) * hours, abs=0.001)
    assert result["worst"]["load"] == pytest.approx(mean, abs=0.01)
    assert result["worst"]["target"] == 60
    assert result["reached_target"] is False
    assert result["minutes_to_full_drop"] is None
    # Every input of it is there, too.
    loads = {datetime.fromisoformat(at): kw for at, kw in site["load"]}
    minute = start.replace(second=0, microsecond=0)
    shown = energy(script, minute, minute + MINUTE) / 60
    assert loads[minute] == pytest.approx(shown, abs=0.01)
    assert (site["commitment"], site["method"]["kw"]) == (40.0, 100)
    assert {kw for _, kw in site["baseline"]["kw"]} == {100}
    assert [row["type"] for row in content["changes"]] == [
        "created",
        "started",
        "ended",
    ]
    assert content["preliminary"] is True
    await home.until_state(
        "sensor.riverside_cold_storage_reduced_energy_estimated",
        str(result["energy"]),
    )
