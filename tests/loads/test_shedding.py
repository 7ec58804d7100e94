"""Loads as they behave in the world: each way in which one was lost."""

from datetime import timedelta
from typing import Any

from homeassistant.components.climate import HVACMode
from homeassistant.core import Context, HomeAssistant, ServiceCall
from homeassistant.setup import async_setup_component
import pytest

from tests.fake_loads import FakeLoads, Habits, Thermostat

from .conftest import Shedding

FREEZER, PUMP, FAN = "switch.freezer", "switch.pump", "switch.fan"
HALL = "climate.hall"


def thermostat(
    aim: float = 22, mode: HVACMode = HVACMode.COOL, **habits: Any
) -> pytest.MarkDecorator:
    """Have a test run with a thermostat in the hall that behaves like this."""
    loads = FakeLoads(thermostats={"hall": Thermostat(mode, aim, 20)})
    loads.habits["hall"] = Habits(**habits)
    return pytest.mark.parametrize("fake_loads", [loads])


async def test_a_load_whose_command_fails_once_is_told_again(
    shedding: Shedding,
) -> None:
    shedding.loads.habits["freezer"].fails = 1
    await shedding.shed(FREEZER, FAN)
    assert shedding.loads.running == ["freezer"]
    await shedding.wait(10)
    assert shedding.loads.running == []
    assert shedding.stories == []


async def test_one_that_fails_for_two_minutes_is_told_and_goes_on_being_told(
    shedding: Shedding,
) -> None:
    shedding.loads.habits["freezer"].fails = 4
    await shedding.shed(FREEZER)
    await shedding.wait(120)
    assert shedding.stories == [(FREEZER, "load_failed")]
    assert shedding.told[0].data == {
        "entity_id": FREEZER,
        "scopes": ["shed"],
        "phase": "going_down",
        "wanted": {"state": "off"},
        "since": "2026-07-15T12:00:00+00:00",
    }
    await shedding.wait(60)
    assert shedding.loads.running == ["fan"]
    assert len(shedding.told) == 1


async def test_an_extension_that_comes_before_a_load_reports_that_it_is_on(
    shedding: Shedding,
) -> None:
    await shedding.shed(FREEZER)
    await shedding.wait(60)
    shedding.loads.habits["freezer"].late = 20
    await shedding.restore()
    assert shedding.loads.switches["freezer"], "it is on"
    assert shedding.state(FREEZER) == "off", "but it has not said so"
    await shedding.wait(5)
    await shedding.shed(FREEZER)
    await shedding.wait(120)
    assert not shedding.loads.switches["freezer"]
    assert shedding.stories == []
    shedding.loads.habits["freezer"].late = 0
    await shedding.restore()
    await shedding.wait(120)
    assert shedding.loads.switches["freezer"]
    assert shedding.kept == {}


async def test_a_load_that_hangs_holds_up_no_other(shedding: Shedding) -> None:
    shedding.loads.habits["freezer"].hangs = True
    await shedding.shed(FREEZER, FAN)
    assert shedding.loads.running == ["freezer"]
    await shedding.wait(11)
    assert shedding.loads.commands.count(("freezer", "off")) == 2
    shedding.loads.habits["freezer"].hangs = False
    await shedding.wait(40)
    assert shedding.loads.running == []
    shedding.loads.habits["freezer"].hangs = True
    await shedding.restore()
    assert shedding.loads.running == ["fan"]
    shedding.loads.habits["freezer"].hangs = False
    await shedding.wait(60)
    assert shedding.loads.running == ["freezer", "fan"]


@thermostat(echoes=True, late=30)
async def test_a_thermostat_that_shows_what_it_was_told_and_rounds_it_later(
    shedding: Shedding,
) -> None:
    await shedding.shed(HALL, set_back={"warmer": 2.7, "colder": 0})
    state = shedding.hass.states.get(HALL)
    assert state
    assert state.attributes["temperature"] == 24.7
    await shedding.wait(60)
    assert shedding.loads.thermostats["hall"].aim == 24.5
    await shedding.restore()
    await shedding.wait(60)
    assert shedding.loads.thermostats["hall"].aim == 22
    assert shedding.stories == []


@thermostat(mode=HVACMode.AUTO, in_steps=True, late=5)
async def test_a_thermostat_that_shows_its_mode_first_and_the_rest_later(
    shedding: Shedding,
) -> None:
    await shedding.shed(HALL, set_back={"warmer": 0, "colder": 3.7})
    await shedding.wait(60)
    assert shedding.loads.thermostats["hall"] == Thermostat(HVACMode.HEAT, 18, 20)
    shedding.loads.habits["hall"].in_steps = False
    await shedding.restore()
    await shedding.wait(60)
    assert shedding.loads.thermostats["hall"] == Thermostat(HVACMode.AUTO, 22, 20)
    assert shedding.stories == []


async def test_two_that_share_a_load(shedding: Shedding) -> None:
    await shedding.shed(FREEZER, FAN, scope="north")
    await shedding.shed(FREEZER, scope="south")
    await shedding.wait(60)
    await shedding.restore("north")
    await shedding.wait(60)
    assert shedding.loads.running == ["fan"]
    await shedding.restore("south")
    await shedding.wait(60)
    assert shedding.loads.running == ["freezer", "fan"]
    assert shedding.kept == {}


async def test_a_load_with_an_attribute_that_is_no_json_loses_no_other(
    shedding: Shedding,
) -> None:
    odd = {"since": timedelta(hours=1), "rate": float("nan"), "zones": ("a", "b")}
    shedding.hass.states.async_set("switch.odd", "on", odd)
    await shedding.shed("switch.odd", FREEZER)
    assert shedding.kept.keys() == {"switch.odd", FREEZER}
    assert shedding.kept["switch.odd"]["before"] == {"state": "on"}


async def test_a_load_without_registry_entry_that_appears_is_shed(
    shedding: Shedding,
) -> None:
    told: list[ServiceCall] = []

    async def turn_off(call: ServiceCall) -> None:
        told.append(call)
        entity_id = call.data["entity_id"]
        shedding.hass.states.async_set(entity_id, "off", context=call.context)

    await shedding.shed("valve.mqtt")
    await shedding.wait(60)
    shedding.hass.services.async_register("valve", "turn_off", turn_off)
    shedding.hass.states.async_set("valve.mqtt", "on")
    await shedding.settle()
    assert shedding.state("valve.mqtt") == "off"
    assert len(told) == 1


async def test_a_group_stands_for_its_members(shedding: Shedding) -> None:
    group = {"group": {"all": {"entities": [FREEZER, PUMP]}}}
    assert await async_setup_component(shedding.hass, "group", group)
    answer = await shedding.shed("group.all")
    assert answer.keys() == {FREEZER, PUMP}
    await shedding.wait(60)
    assert shedding.loads.running == ["fan"]
    await shedding.restore()
    await shedding.wait(60)
    assert shedding.loads.running == ["freezer", "fan"], "the pump was off"


async def test_a_running_load_that_is_unknown_is_told_all_the_same(
    shedding: Shedding,
) -> None:
    shedding.loads.unknown.add("freezer")
    shedding.loads.tell("freezer")
    assert shedding.state(FREEZER) == "unknown"
    await shedding.shed(FREEZER)
    assert shedding.loads.running == ["fan"]
    await shedding.wait(60)
    await shedding.restore()
    assert shedding.stories == [(FREEZER, "load_failed")], "nobody knows how it was"
    assert shedding.kept == {}


@pytest.mark.parametrize("to", [False, {"state": False}, "off", {"state": "off"}])
async def test_an_unquoted_off_is_what_it_says(shedding: Shedding, to: object) -> None:
    await shedding.shed(FREEZER, PUMP, to=to)
    await shedding.wait(60)
    assert shedding.loads.running == ["fan"]
    await shedding.turn("on", PUMP)
    await shedding.restore()
    await shedding.wait(60)
    assert shedding.loads.running == ["freezer", "pump", "fan"]


# More of what devices do


@pytest.mark.parametrize(
    "fake_loads",
    [
        FakeLoads(
            lights={"hall": 200},
            covers={"roof": True},
            selects={"pump": "boost"},
            numbers={"charger": 16},
        )
    ],
)
async def test_lights_dim_covers_close_and_what_has_values_takes_them(
    shedding: Shedding,
) -> None:
    loads = shedding.loads
    await shedding.shed("light.hall", to={"state": "on", "brightness": 50})
    await shedding.shed("cover.roof", to="closed")
    await shedding.shed("select.pump", to="eco")
    await shedding.shed("number.charger", to={"state": 6})
    await shedding.wait(60)
    assert (loads.lights, loads.covers) == ({"hall": 50}, {"roof": False})
    assert (loads.selects, loads.numbers) == ({"pump": "eco"}, {"charger": 6})
    await shedding.restore()
    await shedding.wait(60)
    assert (loads.lights, loads.covers) == ({"hall": 200}, {"roof": True})
    assert (loads.selects, loads.numbers) == ({"pump": "boost"}, {"charger": 16})
    assert shedding.kept == {}
    assert shedding.stories == []


async def test_a_load_that_comes_on_by_itself_after_a_power_cut_goes_off_again(
    shedding: Shedding,
) -> None:
    await shedding.shed(FREEZER)
    await shedding.wait(60)
    shedding.loads.reach("freezer", possible=False)
    shedding.loads.switches["freezer"] = True
    await shedding.wait(60)
    shedding.loads.reach("freezer", possible=True)
    await shedding.settle()
    assert shedding.loads.running == ["fan"]
    assert shedding.stories == []


async def test_a_load_that_somebody_switches_on_is_left_alone_and_told_so(
    shedding: Shedding,
) -> None:
    await shedding.shed(FREEZER)
    await shedding.wait(60)
    await shedding.turn("on", FREEZER)
    await shedding.wait(120)
    assert shedding.loads.running == ["freezer", "fan"]
    assert shedding.stories == [(FREEZER, "load_taken_over")]
    assert shedding.told[0].data == {
        "entity_id": FREEZER,
        "scopes": ["shed"],
        "state": "on",
        "user_id": None,
    }
    await shedding.turn("off", FREEZER)
    await shedding.restore()
    await shedding.wait(60)
    assert shedding.loads.running == ["fan"]


async def test_a_person_is_told_apart_from_an_answer(
    shedding: Shedding, hass_admin_user: Any
) -> None:
    await shedding.shed(FREEZER)
    await shedding.wait(2)
    await shedding.turn("on", FREEZER, Context(user_id=hass_admin_user.id))
    await shedding.wait(60)
    assert shedding.loads.running == ["freezer", "fan"]
    assert shedding.told[0].data["user_id"] == hass_admin_user.id


async def test_what_was_told_by_a_persons_call_is_no_persons_wish(
    shedding: Shedding, hass_admin_user: Any
) -> None:
    await shedding.hass.services.async_call(
        "voltus",
        "shed",
        {"scope": "shed", "entity_id": FREEZER},
        blocking=True,
        context=Context(user_id=hass_admin_user.id),
    )
    await shedding.wait(60)
    assert shedding.stories == []
    state = shedding.hass.states.get(FREEZER)
    assert state
    assert state.context.user_id is None
    await shedding.restore()
    await shedding.wait(60)
    assert shedding.loads.running == ["freezer", "fan"]


async def test_a_load_that_does_not_come_back_is_told_and_a_notice_says_so(
    shedding: Shedding, issue_registry: Any
) -> None:
    await shedding.shed(FREEZER)
    await shedding.wait(60)
    shedding.loads.habits["freezer"].fails = 1000
    await shedding.restore()
    await shedding.wait(121)
    issue = issue_registry.async_get_issue("voltus", "loads_not_back")
    assert issue
    assert issue.translation_placeholders == {"loads": "switch.freezer"}
    assert shedding.stories == [(FREEZER, "load_failed")]
    await shedding.wait(600)
    shedding.loads.commands.clear()
    await shedding.wait(300)
    assert shedding.loads.commands == []
    shedding.loads.habits["freezer"].fails = 0
    await shedding.turn("on", FREEZER)
    await shedding.wait(60)
    assert not issue_registry.async_get_issue("voltus", "loads_not_back")
    assert shedding.kept == {}


async def test_what_a_load_was_is_on_the_disk_before_it_is_told(
    hass: HomeAssistant, shedding: Shedding
) -> None:
    kept: list[set[str]] = []

    async def turn_off(call: ServiceCall) -> None:
        kept.append(set(shedding.kept))

    hass.services.async_register("switch", "turn_off", turn_off)
    await shedding.shed(FREEZER, FAN)
    assert kept == [{FREEZER, FAN}, {FREEZER, FAN}]
