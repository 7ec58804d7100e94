"""The integration in Home Assistant itself, over REST and websocket."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from demo import onboarding
from sandbox.faults import Faults
from sandbox.server import LocalVoltus

from .harness import DOMAIN, HILLTOP, KEY, RIVERSIDE, Home, dispatch, publish

OF_EACH_SITE = {
    "curtail",
    "dispatch_active",
    "phase",
    "commitment",
    "next_start",
    "curtailment_end",
    "acknowledge",
    "acknowledgement_pending",
}
OF_THE_ACCOUNT = {
    *OF_EACH_SITE,
    *("connection", "push", "dispatch", "dispatches", "active_dispatches"),
}
ACCOUNT_CURTAIL = "binary_sensor.voltus_sandbox_any_site_curtailing"
CREATED = "voltus_dispatch_created"
ANNOUNCED = "event.voltus_sandbox_dispatch"
RIVERSIDE_CURTAIL = "binary_sensor.riverside_cold_storage_curtail"
HILLTOP_CURTAIL = "binary_sensor.hilltop_workshop_curtail"


async def ours(home: Home, entry_id: str) -> list[dict[str, Any]]:
    """Return what the entity registry holds of an account."""
    registered = await home.api.command("config/entity_registry/list")
    return [each for each in registered if each["config_entry_id"] == entry_id]


async def test_an_account_is_loaded(home: Home, entry_id: str) -> None:
    path = f"config/config_entries/entry?domain={DOMAIN}"
    (entry,) = await home.api.request("GET", path)
    assert entry["entry_id"] == entry_id
    assert entry["state"] == "loaded"
    assert entry["supports_options"]
    assert entry["supports_reconfigure"]


async def test_all_entities_are_there_and_available(home: Home, entry_id: str) -> None:
    entities = await ours(home, entry_id)

    names = {each["unique_id"].removeprefix(f"{entry_id}_") for each in entities}
    sites = (RIVERSIDE, HILLTOP)
    assert names == OF_THE_ACCOUNT | {
        f"{site}_{key}" for site in sites for key in OF_EACH_SITE
    }
    for each in entities:
        assert await home.state(each["entity_id"]) != "unavailable"


async def test_a_dispatch_comes_and_goes(
    home: Home, voltus: LocalVoltus, entry_id: str
) -> None:
    seen: list[tuple[str, str]] = []
    async with home.signed_in() as listener, asyncio.timeout(60):
        told = await listener.subscribe("subscribe_events")
        publish(voltus, coming=dispatch({RIVERSIDE: 110}, starts_in=7, lasts=3))
        async for event in told:
            kind, data = event["event_type"], event["data"]
            if kind.startswith("voltus_dispatch_"):
                assert data["entry_id"] == entry_id
                seen.append((data["dispatch_id"], kind))
            elif kind == "state_changed" and data["entity_id"] == RIVERSIDE_CURTAIL:
                seen.append((RIVERSIDE_CURTAIL, data["new_state"]["state"]))
            if kind == "voltus_dispatch_ended":
                break

    assert seen == [
        ("coming", "voltus_dispatch_created"),
        (RIVERSIDE_CURTAIL, "on"),
        ("coming", "voltus_dispatch_started"),
        (RIVERSIDE_CURTAIL, "off"),
        ("coming", "voltus_dispatch_ended"),
    ]


async def test_what_voltus_calls_about_is_obeyed_at_once(
    home: Home, voltus: LocalVoltus, entry_id: str
) -> None:
    await home.until_state("binary_sensor.voltus_sandbox_push", "on")
    async with home.signed_in() as listener, asyncio.timeout(30):
        told = await listener.subscribe("subscribe_events", event_type=CREATED)
        # Right after a poll the next one is five seconds away.
        asked = len(voltus.requests)
        while len(voltus.requests) == asked:
            await asyncio.sleep(0.05)
        begun = datetime.now(UTC)
        publish(voltus, pushed=dispatch({RIVERSIDE: 110}, starts_in=0, lasts=2))
        await voltus.deliver()
        event = await anext(told)
    assert event["data"]["dispatch_id"] == "pushed"
    assert event["data"]["source"] == "push"
    assert datetime.fromisoformat(event["time_fired"]) - begun < timedelta(seconds=2)
    await home.until_state(RIVERSIDE_CURTAIL, "off")


async def test_a_meter_is_mapped_and_what_it_measures_arrives(
    home: Home, voltus: LocalVoltus, entry_id: str
) -> None:
    await onboarding.map_meter(
        home.api, entry_id, "p4xq", "sensor.riverside_total_power"
    )
    await home.until_state("binary_sensor.riverside_cold_storage_telemetry_late", "off")

    async def arrived() -> bool:
        return bool(voltus.accounts[KEY].telemetry)

    await onboarding.until(arrived, 150, "waiting for telemetry")
    row = next(iter(voltus.accounts[KEY].telemetry.values()))
    assert (row["meter_id"], row["units"], row["interval_seconds"]) == (
        "p4xq",
        "kW",
        30,
    )


async def test_an_automation_on_curtail_finds_all_that_belongs_to_it(
    home: Home, voltus: LocalVoltus, entry_id: str
) -> None:
    companions = {
        "active": "binary_sensor.riverside_cold_storage_dispatch_active",
        "phase": "sensor.riverside_cold_storage_phase",
        "commitment": "sensor.riverside_cold_storage_commitment",
        "end": "sensor.riverside_cold_storage_curtailment_end",
        "next": "sensor.riverside_cold_storage_next_start",
    }
    automation = {
        "alias": "Note what is there",
        "mode": "queued",
        "triggers": [
            {"trigger": "state", "entity_id": RIVERSIDE_CURTAIL, "to": ["on", "off"]}
        ],
        "actions": [
            {
                "event": "found",
                "event_data": {
                    key: f"{{{{ states('{entity_id}') }}}}"
                    for key, entity_id in companions.items()
                },
            }
        ],
    }
    path = "config/automation/config/note_what_is_there"
    await home.api.request("POST", path, automation)
    coming = dispatch({RIVERSIDE: 110}, starts_in=8, lasts=3)
    async with home.signed_in() as listener, asyncio.timeout(60):
        told = await listener.subscribe("subscribe_events", event_type="found")
        publish(voltus, noted=coming)
        found = [(await anext(told))["data"] for _ in range(2)]
    await home.api.request("DELETE", path)

    end = datetime.fromisoformat(str(coming["end_time"])).isoformat()
    assert found == [
        {
            "active": "on",
            "phase": "active",
            "commitment": 110.0,
            "end": end,
            "next": "unknown",
        },
        {
            "active": "off",
            "phase": "idle",
            "commitment": 0.0,
            "end": "unknown",
            "next": "unknown",
        },
    ]


async def test_a_kill_in_the_middle_is_survived_without_voltus(
    home: Home, voltus: LocalVoltus, entry_id: str
) -> None:
    publish(
        voltus,
        ending=dispatch({RIVERSIDE: 110}, starts_in=0, lasts=8),
        lasting=dispatch({HILLTOP: 60}, starts_in=9, lasts=600),
    )
    await home.until_state(RIVERSIDE_CURTAIL, "on")
    assert await home.state(HILLTOP_CURTAIL) == "off"

    await home.kill()
    voltus.faults = Faults(status=503)
    killed = datetime.now(UTC)
    # One dispatch ends and one starts while nobody is there.
    await asyncio.sleep(10)
    await home.restart()

    await home.until_state("binary_sensor.voltus_sandbox_connection", "off")
    for entity_id, truth in (
        (RIVERSIDE_CURTAIL, "off"),
        (HILLTOP_CURTAIL, "on"),
        (ACCOUNT_CURTAIL, "on"),
    ):
        states = await home.written(entity_id, killed)
        assert [each["state"] for each in states] == [truth], entity_id
    announced = await home.written(ANNOUNCED, killed)
    assert [
        each["attributes"]["event_type"]
        for each in announced
        if each["attributes"]["event_type"]
    ] == ["ended", "started"]


async def test_voltus_is_heard_again(
    home: Home, voltus: LocalVoltus, entry_id: str
) -> None:
    voltus.faults = Faults()
    publish(voltus)
    await home.until_state("binary_sensor.voltus_sandbox_connection", "on")
    await home.until_state(HILLTOP_CURTAIL, "off")


async def test_an_account_that_is_cut_off_leaves_the_others_alone(
    home: Home, entry_id: str, cut_off: str
) -> None:
    await home.until_state(cut_off, "off")
    assert await home.state("binary_sensor.voltus_sandbox_connection") == "on"
