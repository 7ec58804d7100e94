"""The automations of docs/examples.md do what is written about them."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from homeassistant.components.climate import HVACMode
from homeassistant.core import ServiceCall
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import parse_yaml
import pytest
from pytest_homeassistant_custom_component.common import async_mock_service

from .builders import at, wire_dispatch
from .house import House, Thermostat
from .test_readme import ROOT, code
from .voltus.stage import KEY, Stage

PAGE = ROOT / "docs" / "examples.md"


def example(alias: str) -> Any:
    """Return the automation of this name."""
    configs: Iterator[Any] = map(parse_yaml, code(PAGE, "yaml"))
    return next(each for each in configs if each["alias"] == f"Voltus: {alias}")


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Have no automations but ours."""
    return str(tmp_path)


@pytest.fixture(autouse=True)
def _site(stage: Stage) -> None:
    """Call the site as the examples do."""
    account = stage.voltus.accounts[KEY]
    account.sites = [{**account.sites[0], "name": "Riverside Cold Storage"}]


async def automate(stage: Stage, house: House, alias: str) -> None:
    """Move in, set Voltus up, and paste the example."""
    await stage.hass.config.async_set_time_zone("UTC")
    await house.move_in(stage.hass)
    await stage.set_up()
    config = {"automation": [example(alias)]}
    assert await async_setup_component(stage.hass, "automation", config)
    await stage.settle()


async def curtail(stage: Stage, kw: float | None = 100, *, on: bool = True) -> None:
    """Have Voltus ask for so much from now on, or for nothing."""
    dispatch = wire_dispatch(end=at(600), sites={"s1": kw})
    stage.publish(dispatch | {"authorized": on})
    await stage.poll()


async def run_again(stage: Stage, entity_id: str) -> None:
    """Run the automation for no new reason."""
    data = {"entity_id": entity_id, "skip_condition": False}
    await stage.hass.services.async_call("automation", "trigger", data, blocking=True)
    await stage.settle()


# The battery


@pytest.mark.parametrize(
    ("kw", "watts"), [(100, 100_000), (0, 0), (300, 250_000), (None, 250_000)]
)
async def test_the_battery_gives_what_is_asked_for(
    stage: Stage, kw: float | None, watts: float
) -> None:
    house = House(numbers={"battery discharge power": 7})
    await automate(stage, house, "discharge the battery")
    assert house.numbers["battery discharge power"] == 7
    await curtail(stage, kw)
    assert house.numbers["battery discharge power"] == watts
    await curtail(stage, on=False)
    assert house.numbers["battery discharge power"] == 0


async def test_the_battery_follows_the_amount(stage: Stage) -> None:
    house = House(numbers={"battery discharge power": 0})
    await automate(stage, house, "discharge the battery")
    for kw, watts in ((50, 50_000), (80, 80_000), (None, 250_000), (20, 20_000)):
        await curtail(stage, kw)
        assert house.numbers["battery discharge power"] == watts


async def test_the_battery_keeps_on_while_home_assistant_does_not_know(
    stage: Stage,
) -> None:
    house = House(numbers={"battery discharge power": 0})
    await automate(stage, house, "discharge the battery")
    await curtail(stage, 50)
    await stage.hass.config_entries.async_unload(stage.entry.entry_id)
    await run_again(stage, "automation.voltus_discharge_the_battery")
    assert house.numbers["battery discharge power"] == 50_000
    await stage.set_up()
    assert house.numbers["battery discharge power"] == 50_000


# The freezer


async def warm(stage: Stage, degrees: float | str) -> None:
    """Have the thermometer of the freezer say so."""
    stage.hass.states.async_set("sensor.freezer_temperature", str(degrees))
    await stage.settle()


@pytest.fixture
async def freezer_house(stage: Stage) -> House:
    """The freezer runs, and is cold enough."""
    house = House(switches={"freezer": True})
    await warm(stage, -20)
    await automate(stage, house, "shed the freezer")
    return house


async def test_the_freezer_is_shed_and_comes_back(
    stage: Stage, freezer_house: House
) -> None:
    await curtail(stage)
    await warm(stage, -18)
    assert freezer_house.running == []
    await curtail(stage, on=False)
    assert freezer_house.running == ["freezer"]


async def test_the_freezer_runs_as_soon_as_it_is_too_warm_until_the_end(
    stage: Stage, freezer_house: House
) -> None:
    await curtail(stage)
    await warm(stage, -14.9)
    assert freezer_house.running == ["freezer"]
    for degrees in (-14, -18, -20):
        await warm(stage, degrees)
        assert freezer_house.running == ["freezer"]
    await curtail(stage, on=False)
    assert freezer_house.running == ["freezer"]
    await curtail(stage)
    assert freezer_house.running == []


async def test_the_freezer_runs_when_its_thermometer_is_lost_for_long(
    stage: Stage, freezer_house: House
) -> None:
    await curtail(stage)
    await warm(stage, "unavailable")
    await stage.move_to(at(9))
    assert freezer_house.running == []
    await stage.move_to(at(10) + timedelta(seconds=1))
    assert freezer_house.running == ["freezer"]


async def test_a_freezer_that_was_off_is_not_switched_on(
    stage: Stage, freezer_house: House
) -> None:
    freezer_house.switches["freezer"] = False
    freezer_house.tell("freezer")
    await curtail(stage)
    for degrees in (0, -20, 5):
        await warm(stage, degrees)
    await curtail(stage, on=False)
    assert freezer_house.running == []


# The offices and the chargers


@pytest.mark.parametrize(
    ("before", "meanwhile"),
    [
        (Thermostat(HVACMode.COOL, 22), 26),
        (Thermostat(HVACMode.COOL, 28), 28),
        (Thermostat(HVACMode.OFF, 22), 22),
    ],
)
async def test_the_offices_are_set_back(
    stage: Stage, before: Thermostat, meanwhile: float
) -> None:
    house = House(thermostats={"offices": Thermostat(before.mode, before.aim)})
    await automate(stage, house, "set the offices back")
    await curtail(stage)
    assert house.thermostats["offices"].aim == meanwhile
    await curtail(stage, on=False)
    assert house.thermostats["offices"] == before


async def test_the_chargers_are_limited(stage: Stage) -> None:
    house = House(numbers={"ev chargers limit": 32})
    await automate(stage, house, "limit the chargers")
    await curtail(stage)
    assert house.numbers["ev chargers limit"] == 6
    await curtail(stage, on=False)
    assert house.numbers["ev chargers limit"] == 32


# The person, and the dry run

TO_COME = wire_dispatch("d1", start=at(60), end=at(120))


@pytest.fixture
async def sent(
    stage: Stage, patience: Callable[[], None]
) -> list[tuple[str, str, Any]]:
    """What the phones get from now on, as (whose, title, rest)."""
    sent: list[tuple[str, str, Any]] = []

    async def send(call: ServiceCall) -> None:
        whose = call.service.removeprefix("mobile_app_")
        sent.append((whose, call.data["title"], call.data.get("data")))

    for phone in ("operator", "manager"):
        stage.hass.services.async_register("notify", f"mobile_app_{phone}", send)
    await automate(stage, House(), "have a dispatch acknowledged")
    patience()
    return sent


FIRST = ("operator", "Voltus dispatch")
REMINDER = ("operator", "Voltus dispatch, reminder")
ESCALATION = ("manager", "Voltus dispatch, not acknowledged")


async def test_a_dispatch_nobody_acknowledges_reaches_the_manager(
    stage: Stage, sent: list[tuple[str, str, Any]]
) -> None:
    stage.publish(TO_COME)
    await stage.poll()
    for minutes, told in (
        (0, [FIRST]),
        (4, [FIRST]),
        (5.1, [FIRST, REMINDER]),
        (10.2, [FIRST, REMINDER, REMINDER]),
        (15.3, [FIRST, REMINDER, REMINDER, ESCALATION]),
        (30, [FIRST, REMINDER, REMINDER, ESCALATION]),
    ):
        await stage.move_to(at(minutes))
        assert [(whose, title) for whose, title, _ in sent] == told


async def acknowledge(stage: Stage, action: str) -> None:
    stage.hass.bus.async_fire("mobile_app_notification_action", {"action": action})
    await stage.settle()


async def test_whoever_knows_is_not_reminded(
    stage: Stage, sent: list[tuple[str, str, Any]]
) -> None:
    stage.publish(TO_COME)
    await stage.poll()
    ((_, _, rest),) = sent
    await acknowledge(stage, "VOLTUS_SEEN_another")
    await stage.move_to(at(5.1))
    assert len(sent) == 2
    await acknowledge(stage, rest["actions"][0]["action"])
    await stage.move_to(at(30))
    assert len(sent) == 2


async def test_nobody_is_reminded_of_what_was_taken_back(
    stage: Stage, sent: list[tuple[str, str, Any]]
) -> None:
    stage.publish(TO_COME)
    await stage.poll()
    stage.publish(TO_COME | {"authorized": False})
    await stage.poll()
    await stage.move_to(at(30))
    assert [(whose, title) for whose, title, _ in sent] == [FIRST]


async def test_a_dry_run_tells_and_touches_nothing(stage: Stage) -> None:
    house = House(switches={"pump": True, "fans": False})
    told = async_mock_service(stage.hass, "notify", "send_message")
    logged = async_mock_service(stage.hass, "logbook", "log")
    await automate(stage, house, "dry run")
    stage.publish(
        wire_dispatch(end=at(10), test=True), wire_dispatch("d2", start=at(20))
    )
    await stage.poll()
    await stage.move_to(at(10))
    await stage.move_to(at(20))
    assert house.running == ["pump"]
    assert [call.data["message"] for call in told] == [
        "Site s1: would now shed switch.pump",
        "Site s1: would now put the loads back",
    ]
    assert len(logged) == 2
