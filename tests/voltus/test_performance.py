"""Load against commitment: what is shown while a dispatch runs, and what is told after."""

from datetime import timedelta
import json
from typing import Any

from homeassistant.config_entries import ConfigSubentryData
from homeassistant.core import Event, HomeAssistant, ServiceCall, callback
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import async_mock_service

from custom_components.voltus.logbook import async_describe_events
from custom_components.voltus.records.report import hash_of
from tests.builders import NOON, at, wire_dispatch

from .harness import Harness
from .test_services import call
from .test_telemetry import (
    METERS,
    map_meters,
    mapping,
    pass_to,
    set_meters,
    show,
)

POWER = "sensor.power"
LOAD = "sensor.site_s1_load"
HALF_AN_HOUR = wire_dispatch("d1", at(10), at(40), {"s1": 40.0})


def chosen(site_id: str = "s1", **data: Any) -> ConfigSubentryData:
    """Return what the form stores: by default a fixed baseline of 100 kW, and an entity."""
    stored = {
        "site_id": site_id,
        "source": "entity",
        "entity_id": POWER,
        "counts": False,
        "method": "fixed",
        "kw": 100.0,
        **data,
    }
    return ConfigSubentryData(
        data=stored,
        subentry_type="performance",
        title=site_id,
        unique_id=f"performance_{site_id}",
    )


def shown(hass: HomeAssistant, name: str) -> str:
    """Return the state of an estimate of site s1."""
    kind = "binary_sensor" if name == "behind_target" else "sensor"
    suffix = "" if name == "load" else "_estimated"
    state = hass.states.get(f"{kind}.site_s1_{name}{suffix}")
    assert state
    return state.state


@pytest.fixture
def evaluated(hass: HomeAssistant) -> list[dict[str, Any]]:
    """The data of what was told of results."""
    told: list[dict[str, Any]] = []

    @callback
    def hear(event: Event) -> None:
        told.append(dict(event.data))

    hass.bus.async_listen("voltus_dispatch_evaluated", hear)
    return told


@pytest.fixture
async def measured(harness: Harness) -> Harness:
    """Site s1 draws 100 kW, and is asked for 40 kW less from 12:10 to 12:40."""
    show(harness.hass, POWER, 100)
    harness.publish(HALF_AN_HOUR)
    map_meters(harness, chosen())
    await harness.set_up()
    return harness


async def evaluate(measured: Harness) -> None:
    """Have the site draw 60 kW from 12:12 on, until what came of it was told."""
    await pass_to(measured, 12)
    show(measured.hass, POWER, 60)
    await pass_to(measured, 75, 60)


async def test_without_a_choice_there_are_no_estimates(harness: Harness) -> None:
    await harness.set_up()
    assert harness.hass.states.get(LOAD) is None


async def test_what_is_shown_is_what_a_calculation_by_hand_gives(
    measured: Harness,
) -> None:
    hass = measured.hass
    await pass_to(measured, 9.75)
    assert (shown(hass, "load"), shown(hass, "baseline")) == ("100.0", "100.0")
    assert shown(hass, "target_load") == "60.0"
    assert shown(hass, "reduction") == "unknown"
    assert shown(hass, "behind_target") == "unknown"
    await pass_to(measured, 14)
    assert shown(hass, "behind_target") == "on"
    show(hass, POWER, 50)
    await pass_to(measured, 20.6)
    # Four minutes of nothing, six of 50 kW: a mean of 30 kW, 3/4 of 40, over 10 minutes.
    assert shown(hass, "reduction") == "50.0"
    assert shown(hass, "performance") == "75.0"
    assert shown(hass, "reduced_energy") == "5.0"
    assert shown(hass, "behind_target") == "off"
    await pass_to(measured, 41)
    assert shown(hass, "reduced_energy") == str(round(26 * 50 / 60, 3))
    assert shown(hass, "reduction") == "unknown"
    await pass_to(measured, 102, 60)
    assert shown(hass, "performance") == "unknown"


async def test_what_is_not_known_is_not_made_up(measured: Harness) -> None:
    hass = measured.hass
    await pass_to(measured, 20)
    hass.states.async_set(POWER, "unavailable")
    await pass_to(measured, 40)
    assert shown(hass, "load") == "unknown"
    assert shown(hass, "performance") == "unknown"
    assert shown(hass, "behind_target") in ("on", "unknown")


async def test_half_an_hour_after_the_end_it_is_told_once(
    measured: Harness, evaluated: list[dict[str, Any]]
) -> None:
    await pass_to(measured, 12)
    show(measured.hass, POWER, 60)
    await pass_to(measured, 69, 60)
    assert evaluated == []
    await pass_to(measured, 75, 60)
    (told,) = evaluated
    (site,) = told["sites"]
    # 28 of 30 minutes at 40 kW: 37.333 kW, 18.667 kWh, 93.3 %.
    assert told["dispatch_id"] == "d1"
    assert told["estimated"] is True
    assert site["reduction"] == pytest.approx(37.333)
    assert site["energy"] == pytest.approx(18.667)
    assert site["performance"] == pytest.approx(93.3)
    assert site["minutes_to_full_drop"] == 2
    assert site["complete"] is True
    assert site["worst"]["load"] == pytest.approx(60 + 40 * 2 / 15, abs=0.001)
    record = measured.entry.runtime_data.records.of("d1")
    assert told["hash"] == record["hash"]
    assert record["sites"][0]["target"] == [
        [at(minute).isoformat(), 60.0] for minute in (10, 15, 30)
    ]
    await pass_to(measured, 180, 60)
    assert len(evaluated) == 1


async def test_the_record_is_sealed_and_bound_to_the_one_before(
    measured: Harness,
) -> None:
    await pass_to(measured, 75, 60)
    measured.publish(HALF_AN_HOUR, wire_dispatch("d2", at(100), at(110), {"s1": 1.0}))
    await pass_to(measured, 145, 60)
    first, second = measured.entry.runtime_data.records.records
    assert (first["before"], second["before"]) == ("", first["hash"])
    for record in (first, second):
        assert record["hash"] == hash_of(record)
        assert not record["preliminary"]
    edited = json.loads(json.dumps(first))
    edited["sites"][0]["result"]["energy"] = 1000
    assert hash_of(edited) != first["hash"]


async def test_a_dispatch_without_a_choice_is_on_record_with_its_times(
    harness: Harness, evaluated: list[dict[str, Any]]
) -> None:
    harness.publish(HALF_AN_HOUR)
    await harness.set_up()
    await pass_to(harness, 75, 60)
    record = harness.entry.runtime_data.records.of("d1")
    assert [row["type"] for row in record["changes"]] == ["created", "started", "ended"]
    assert (record["sites"], evaluated) == ([], [])


async def test_it_outlives_a_restart_in_the_middle(
    measured: Harness, evaluated: list[dict[str, Any]]
) -> None:
    await pass_to(measured, 12)
    show(measured.hass, POWER, 60)
    await pass_to(measured, 50, 60)
    await measured.hass.config_entries.async_reload("account")
    await measured.settle()
    assert measured.entry.runtime_data.records.records == ()
    await pass_to(measured, 75, 60)
    assert [each["dispatch_id"] for each in evaluated] == ["d1"]
    await measured.hass.config_entries.async_reload("account")
    await measured.settle()
    await pass_to(measured, 80, 60)
    assert measured.entry.runtime_data.records.of("d1")["sites"]
    assert len(evaluated) == 1


async def test_the_mapped_meters_of_a_site_add_up(harness: Harness) -> None:
    hass = harness.hass
    set_meters(harness, METERS[:2])
    show(hass, POWER, 100)
    show(hass, "sensor.solar", 30_000, "W")
    map_meters(
        harness,
        mapping("main", POWER),
        mapping("solar", "sensor.solar", invert=True),
        chosen(source="meters"),
    )
    await harness.set_up()
    await pass_to(harness, 3)
    assert shown(hass, "load") == "70.0"


async def test_what_voltus_has_measured_is_asked_of_it(
    harness: Harness, evaluated: list[dict[str, Any]]
) -> None:
    hass = harness.hass
    set_meters(harness, METERS[:1])
    harness.publish(HALF_AN_HOUR)
    map_meters(harness, chosen(source="voltus", method="caiso_10_of_10"))
    await harness.set_up()
    await pass_to(harness, 12)
    assert float(shown(hass, "load")) > 0
    state = hass.states.get("sensor.site_s1_baseline_estimated")
    assert state
    assert state.attributes["days"] == 10
    assert state.attributes["complete"] is True
    assert state.attributes["method"] == "caiso_10_of_10"
    await pass_to(harness, 75, 60)
    (told,) = evaluated
    assert told["sites"][0]["complete"]
    await harness.move_to(NOON + timedelta(hours=25, minutes=1))
    await pass_to(harness, 60 * 25 + 5, 60)
    record = harness.entry.runtime_data.records.of("d1")
    assert record["revision"] == 2


async def test_it_goes_with_the_choice(measured: Harness) -> None:
    hass, entry = measured.hass, measured.entry
    await pass_to(measured, 2)
    assert shown(hass, "load") == "100.0"
    (subentry_id,) = entry.subentries
    hass.config_entries.async_remove_subentry(entry, subentry_id)
    await measured.settle()
    assert hass.states.get(LOAD) is None


async def test_a_season_is_added_up_by_program_and_site(measured: Harness) -> None:
    await evaluate(measured)
    answer = await call(
        measured.hass, "get_season", rate_per_kwh=2, rate_per_kw_month=3
    )
    (row,) = answer["sites"]
    assert (row["dispatches"], row["answered"], row["evaluated"]) == (1, 1, 1)
    assert row["energy"] == pytest.approx(18.667)
    assert row["money"] == pytest.approx(2 * 18.667 + 3 * 37.333, abs=0.01)
    assert row["worst"] == {"dispatch_id": "d1", "performance": 93.3}
    assert (await call(measured.hass, "get_season", end=at(9)))["sites"] == []


async def test_what_loads_come_to_is_on_record(measured: Harness) -> None:
    hass = measured.hass
    await pass_to(measured, 10)
    hass.states.async_set("switch.pump", "on")
    pump = async_mock_service(hass, "switch", "turn_off")
    await call(hass, "shed", scope="pump", entity_id=["switch.pump"])
    await measured.settle()
    assert pump
    hass.states.async_set("switch.pump", "off")
    await pass_to(measured, 75, 60)
    record = measured.entry.runtime_data.records.of("d1")
    assert [(row["type"], row["entity_id"]) for row in record["loads"]] == [
        ("load_down", "switch.pump")
    ]
    page = (await call(hass, "get_report", dispatch_id="d1", format="html"))["content"]
    assert "switch.pump" in page
    assert "Estimated by fixed" in page
    assert page.count("<polyline") == 3


async def test_the_result_is_a_sentence_in_the_logbook(
    measured: Harness, evaluated: list[dict[str, Any]]
) -> None:
    await evaluate(measured)
    handlers: dict[str, Any] = {}
    async_describe_events(
        measured.hass, lambda _, kind, each: handlers.update({kind: each})
    )
    event = Event("voltus_dispatch_evaluated", evaluated[0])
    assert handlers["voltus_dispatch_evaluated"](event) == {
        "name": "Voltus sandbox",
        "message": "evaluated dispatch d1: Site s1: 37 of 40 kW, 19 kWh, "
        "full drop after 2 min, estimated",
    }


async def test_the_trigger_tells_the_sites_that_are_meant(measured: Harness) -> None:
    hass = measured.hass
    heard: list[Any] = []

    @callback
    def hear(call: ServiceCall) -> None:
        heard.append(call.data)

    hass.services.async_register("test", "told", hear)
    automation = {
        "id": "told",
        "triggers": {
            "trigger": "voltus.dispatch_evaluated",
            "target": {"device_id": measured.device("s1")},
        },
        "actions": {
            "action": "test.told",
            "data": {"energy": "{{ trigger.sites[0].energy }}"},
        },
    }
    assert await async_setup_component(hass, "automation", {"automation": [automation]})
    await measured.settle()
    await pass_to(measured, 75, 60)
    assert heard == [{"energy": 0.0}]


async def test_one_that_was_called_off_before_its_start_has_no_result(
    measured: Harness, evaluated: list[dict[str, Any]]
) -> None:
    measured.publish({**HALF_AN_HOUR, "authorized": False, "modification_number": 1})
    await measured.poll()
    await pass_to(measured, 32, 60)
    record = measured.entry.runtime_data.records.of("d1")
    assert (record["status"], record["sites"], evaluated) == ("cancelled", [], [])


async def test_one_that_was_called_off_counts_until_then(
    measured: Harness, evaluated: list[dict[str, Any]]
) -> None:
    await pass_to(measured, 12)
    show(measured.hass, POWER, 60)
    await pass_to(measured, 20)
    measured.publish({**HALF_AN_HOUR, "authorized": False, "modification_number": 1})
    await measured.poll()
    await pass_to(measured, 52, 60)
    ((site,),) = [each["sites"] for each in evaluated]
    # 8 of 10 minutes at 40 kW.
    assert site["reduction"] == pytest.approx(32, abs=0.1)
    assert site["complete"] is True


async def test_of_two_that_overlap_each_has_its_own_result(
    measured: Harness, evaluated: list[dict[str, Any]]
) -> None:
    second = wire_dispatch("d2", at(20), at(50), {"s1": 20.0, "s2": 5.0})
    measured.publish(HALF_AN_HOUR, second)
    await measured.poll()
    await pass_to(measured, 30)
    show(measured.hass, POWER, 60)
    await pass_to(measured, 85, 60)
    results = {each["dispatch_id"]: each["sites"][0] for each in evaluated}
    # 10 of 30 minutes at 40 kW, and 20 of 30.
    assert results["d1"]["reduction"] == pytest.approx(40 / 3, abs=0.1)
    assert results["d2"]["reduction"] == pytest.approx(80 / 3, abs=0.1)
    assert results["d2"]["performance"] == pytest.approx(133.3, abs=0.5)


async def test_an_end_that_is_open_has_estimates_but_no_result_yet(
    measured: Harness, evaluated: list[dict[str, Any]]
) -> None:
    measured.publish(wire_dispatch("d1", at(10), None, {"s1": 40.0}))
    await measured.poll()
    show(measured.hass, POWER, 60)
    await pass_to(measured, 100, 60)
    assert float(shown(measured.hass, "performance")) == pytest.approx(100, abs=1)
    assert evaluated == []
    content = (await call(measured.hass, "get_report", dispatch_id="d1"))["content"]
    assert content["preliminary"] is True
    assert content["sites"][0]["result"]["performance"] == pytest.approx(100, abs=1)


async def test_a_third_without_a_load_is_not_made_up(
    measured: Harness, evaluated: list[dict[str, Any]]
) -> None:
    show(measured.hass, POWER, 60)
    await pass_to(measured, 20)
    measured.hass.states.async_set(POWER, "unavailable")
    await pass_to(measured, 30)
    show(measured.hass, POWER, 60)
    await pass_to(measured, 75, 60)
    ((site,),) = [each["sites"] for each in evaluated]
    assert site["complete"] is False
    assert site["performance"] is None
    assert site["covered"] == pytest.approx(2 / 3, abs=0.02)


async def test_a_drill_is_on_record_as_one(
    measured: Harness, evaluated: list[dict[str, Any]]
) -> None:
    measured.publish()
    await measured.poll()
    await call(measured.hass, "start_drill", site_ids=["s1"], duration=600)
    show(measured.hass, POWER, 60)
    await pass_to(measured, 45, 60)
    (told,) = [each for each in evaluated if each["drill"]]
    record = measured.entry.runtime_data.records.of(told["dispatch_id"])
    assert record["drill"] is True
    assert (await call(measured.hass, "get_season"))["sites"] == []


async def test_a_later_dispatch_of_the_day_keeps_the_baseline_of_the_first(
    harness: Harness,
) -> None:
    set_meters(harness, METERS[:1])
    # The first lowers the load by which the second would be adjusted.
    first = wire_dispatch("d1", at(10), at(130), {"s1": 100.0})
    second = wire_dispatch("d2", at(240), at(270), {"s1": 100.0})
    harness.publish(first, second)
    map_meters(harness, chosen(source="voltus", method="caiso_10_of_10"))
    await harness.set_up()
    await pass_to(harness, 305, 60)
    records = harness.entry.runtime_data.records
    one, other = (records.of(each)["sites"][0]["baseline"] for each in ("d1", "d2"))
    assert one["adjustment"] == other["adjustment"] == pytest.approx(1, abs=0.05)
    assert one["days"].keys() == other["days"].keys()
