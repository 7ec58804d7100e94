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
from .fake_loads import FakeLoads, Thermostat
from .test_readme import ROOT, code
from .voltus.harness import KEY, Harness

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
def _site(harness: Harness) -> None:
    """Call the site as the examples do."""
    account = harness.voltus.accounts[KEY]
    account.sites = [{**account.sites[0], "name": "Riverside Cold Storage"}]


async def automate(harness: Harness, loads: FakeLoads, alias: str) -> None:
    """Move in, set Voltus up, and paste the example."""
    await harness.hass.config.async_set_time_zone("UTC")
    await loads.add_to_hass(harness.hass)
    await harness.set_up()
    config = {"automation": [example(alias)]}
    assert await async_setup_component(harness.hass, "automation", config)
    await harness.settle()


async def curtail(harness: Harness, kw: float | None = 100, *, on: bool = True) -> None:
    """Have Voltus ask for so much from now on, or for nothing."""
    dispatch = wire_dispatch(end=at(600), sites={"s1": kw})
    harness.publish(dispatch | {"authorized": on})
    await harness.poll()


async def run_again(harness: Harness, entity_id: str) -> None:
    """Run the automation for no new reason."""
    data = {"entity_id": entity_id, "skip_condition": False}
    await harness.hass.services.async_call("automation", "trigger", data, blocking=True)
    await harness.settle()


# The battery


@pytest.mark.parametrize(
    ("kw", "watts"), [(100, 100_000), (0, 0), (300, 250_000), (None, 250_000)]
)
async def test_the_battery_gives_what_is_asked_for(
    harness: Harness, kw: float | None, watts: float
) -> None:
    loads = FakeLoads(numbers={"battery discharge power": 7})
    await automate(harness, loads, "discharge the battery")
    assert loads.numbers["battery discharge power"] == 7
    await curtail(harness, kw)
    assert loads.numbers["battery discharge power"] == watts
    await curtail(harness, on=False)
    assert loads.numbers["battery discharge power"] == 0


async def test_the_battery_follows_the_amount(harness: Harness) -> None:
    loads = FakeLoads(numbers={"battery discharge power": 0})
    await automate(harness, loads, "discharge the battery")
    for kw, watts in ((50, 50_000), (80, 80_000), (None, 250_000), (20, 20_000)):
        await curtail(harness, kw)
        assert loads.numbers["battery discharge power"] == watts


async def test_the_battery_keeps_on_while_home_assistant_does_not_know(
    harness: Harness,
) -> None:
    loads = FakeLoads(numbers={"battery discharge power": 0})
    await automate(harness, loads, "discharge the battery")
    await curtail(harness, 50)
    await harness.hass.config_entries.async_unload(harness.entry.entry_id)
    await run_again(harness, "automation.voltus_discharge_the_battery")
    assert loads.numbers["battery discharge power"] == 50_000
    await harness.set_up()
    assert loads.numbers["battery discharge power"] == 50_000


# The freezer


async def warm(harness: Harness, degrees: float | str) -> None:
    """Have the thermometer of the freezer say so."""
    harness.hass.states.async_set("sensor.freezer_temperature", str(degrees))
    await harness.settle()


@pytest.fixture
async def freezer_loads(harness: Harness) -> FakeLoads:
    """The freezer runs, and is cold enough."""
    loads = FakeLoads(switches={"freezer": True})
    await warm(harness, -20)
    await automate(harness, loads, "shed the freezer")
    return loads


async def test_the_freezer_is_shed_and_comes_back(
    harness: Harness, freezer_loads: FakeLoads
) -> None:
    await curtail(harness)
    await warm(harness, -18)
    assert freezer_loads.running == []
    await curtail(harness, on=False)
    assert freezer_loads.running == ["freezer"]


async def test_the_freezer_runs_as_soon_as_it_is_too_warm_until_the_end(
    harness: Harness, freezer_loads: FakeLoads
) -> None:
    await curtail(harness)
    await warm(harness, -14.9)
    assert freezer_loads.running == ["freezer"]
    for degrees in (-14, -18, -20):
        await warm(harness, degrees)
        assert freezer_loads.running == ["freezer"]
    await curtail(harness, on=False)
    assert freezer_loads.running == ["freezer"]
    await curtail(harness)
    assert freezer_loads.running == []


async def test_the_freezer_runs_when_its_thermometer_is_lost_for_long(
    harness: Harness, freezer_loads: FakeLoads
) -> None:
    await curtail(harness)
    await warm(harness, "unavailable")
    await harness.move_to(at(9))
    assert freezer_loads.running == []
    await harness.move_to(at(10) + timedelta(seconds=1))
    assert freezer_loads.running == ["freezer"]


async def test_a_freezer_that_was_off_is_not_switched_on(
    harness: Harness, freezer_loads: FakeLoads
) -> None:
    freezer_loads.switches["freezer"] = False
    freezer_loads.tell("freezer")
    await curtail(harness)
    for degrees in (0, -20, 5):
        await warm(harness, degrees)
    await curtail(harness, on=False)
    assert freezer_loads.running == []


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
    harness: Harness, before: Thermostat, meanwhile: float
) -> None:
    loads = FakeLoads(thermostats={"offices": Thermostat(before.mode, before.aim)})
    await automate(harness, loads, "set the offices back")
    await curtail(harness)
    assert loads.thermostats["offices"].aim == meanwhile
    await curtail(harness, on=False)
    assert loads.thermostats["offices"] == before


async def test_the_chargers_are_limited(harness: Harness) -> None:
    loads = FakeLoads(numbers={"ev chargers limit": 32})
    await automate(harness, loads, "limit the chargers")
    await curtail(harness)
    assert loads.numbers["ev chargers limit"] == 6
    await curtail(harness, on=False)
    assert loads.numbers["ev chargers limit"] == 32


# The person, and the dry run

TO_COME = wire_dispatch("d1", start=at(60), end=at(120))


@pytest.fixture
async def sent(
    harness: Harness, patience: Callable[[], None]
) -> list[tuple[str, str, Any]]:
    """What the phones get from now on, as (whose, title, rest)."""
    sent: list[tuple[str, str, Any]] = []

    async def send(call: ServiceCall) -> None:
        whose = call.service.removeprefix("mobile_app_")
        sent.append((whose, call.data["title"], call.data.get("data")))

    for phone in ("operator", "manager"):
        harness.hass.services.async_register("notify", f"mobile_app_{phone}", send)
    await automate(harness, FakeLoads(), "have a dispatch acknowledged")
    patience()
    return sent


FIRST = ("operator", "Voltus dispatch")
REMINDER = ("operator", "Voltus dispatch, reminder")
ESCALATION = ("manager", "Voltus dispatch, not acknowledged")


async def test_a_dispatch_nobody_acknowledges_reaches_the_manager(
    harness: Harness, sent: list[tuple[str, str, Any]]
) -> None:
    harness.publish(TO_COME)
    await harness.poll()
    for minutes, told in (
        (0, [FIRST]),
        (4, [FIRST]),
        (5.1, [FIRST, REMINDER]),
        (10.2, [FIRST, REMINDER, REMINDER]),
        (15.3, [FIRST, REMINDER, REMINDER, ESCALATION]),
        (30, [FIRST, REMINDER, REMINDER, ESCALATION]),
    ):
        await harness.move_to(at(minutes))
        assert [(whose, title) for whose, title, _ in sent] == told


async def acknowledge(harness: Harness, action: str) -> None:
    harness.hass.bus.async_fire("mobile_app_notification_action", {"action": action})
    await harness.settle()


async def test_whoever_knows_is_not_reminded(
    harness: Harness, sent: list[tuple[str, str, Any]]
) -> None:
    harness.publish(TO_COME)
    await harness.poll()
    ((_, _, rest),) = sent
    await acknowledge(harness, "VOLTUS_SEEN_another")
    await harness.move_to(at(5.1))
    assert len(sent) == 2
    await acknowledge(harness, rest["actions"][0]["action"])
    await harness.move_to(at(30))
    assert len(sent) == 2


async def test_nobody_is_reminded_of_what_was_taken_back(
    harness: Harness, sent: list[tuple[str, str, Any]]
) -> None:
    harness.publish(TO_COME)
    await harness.poll()
    harness.publish(TO_COME | {"authorized": False})
    await harness.poll()
    await harness.move_to(at(30))
    assert [(whose, title) for whose, title, _ in sent] == [FIRST]


async def test_a_dry_run_tells_and_touches_nothing(harness: Harness) -> None:
    loads = FakeLoads(switches={"pump": True, "fans": False})
    told = async_mock_service(harness.hass, "notify", "send_message")
    logged = async_mock_service(harness.hass, "logbook", "log")
    await automate(harness, loads, "dry run")
    harness.publish(
        wire_dispatch(end=at(10), test=True), wire_dispatch("d2", start=at(20))
    )
    await harness.poll()
    await harness.move_to(at(10))
    await harness.move_to(at(20))
    assert loads.running == ["pump"]
    assert [call.data["message"] for call in told] == [
        "Site s1: would now shed switch.pump",
        "Site s1: would now put the loads back",
    ]
    assert len(logged) == 2
