"""What `shed` and `restore` are called for, and for whom."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from tests.fake_loads import FakeLoads

from .conftest import Shedding

FREEZER, PUMP, FAN = "switch.freezer", "switch.pump", "switch.fan"


async def test_it_answers_what_each_load_is_doing(shedding: Shedding) -> None:
    since = "2026-07-15T12:00:00+00:00"
    assert await shedding.shed(FREEZER, PUMP) == {
        FREEZER: {"phase": "down", "since": since},
        PUMP: {"phase": "down", "since": since},
    }
    await shedding.wait(60)
    assert await shedding.shed(FREEZER) == {FREEZER: {"phase": "down", "since": since}}
    assert await shedding.restore() == {
        FREEZER: {"phase": "coming_back", "since": "2026-07-15T12:01:00+00:00"}
    }
    assert await shedding.restore() == {}


async def test_called_again_it_tells_nobody_anything(shedding: Shedding) -> None:
    await shedding.shed(FREEZER)
    await shedding.wait(60)
    for _ in range(3):
        await shedding.shed(FREEZER)
    assert shedding.loads.commands == [("freezer", "off")]


async def test_of_an_area_only_what_can_be_shed_counts(shedding: Shedding) -> None:
    registry = er.async_get(shedding.hass)
    entry = MockConfigEntry()
    entry.add_to_hass(shedding.hass)
    for entity_id in (FAN, FREEZER, "sensor.warmth", "lock.door"):
        domain, _, name = entity_id.partition(".")
        created = registry.async_get_or_create(
            domain, "other", name, suggested_object_id=f"{name}_2", config_entry=entry
        )
        registry.async_update_entity(created.entity_id, area_id="hall")
    answer = await shedding.call("shed", {"scope": "shed", "area_id": "hall"})
    assert answer.keys() == {"switch.fan_2", "switch.freezer_2"}


async def test_a_call_without_loads_is_refused(shedding: Shedding) -> None:
    with pytest.raises(ServiceValidationError) as refused:
        await shedding.call("shed", {"scope": "shed"})
    assert refused.value.translation_key == "no_loads"
    assert await shedding.shed() == {}


@pytest.mark.parametrize(
    "data",
    [
        {"scope": ""},
        {"to": {}},
        {"to": {"state": None}},
        {"to": {"hours": float("inf")}},
        {"to": "off", "set_back": {"warmer": 1, "colder": 1}},
        {"set_back": {"warmer": 1}},
        {"set_back": {"warmer": -1, "colder": 1}},
        {"set_back": {"warmer": 1, "colder": "much"}},
    ],
)
async def test_a_call_that_makes_no_sense_is_refused(
    shedding: Shedding, data: dict[str, Any]
) -> None:
    with pytest.raises(vol.Invalid):
        await shedding.call("shed", {"scope": "shed", "entity_id": FREEZER, **data})
    assert shedding.loads.running == ["freezer", "fan"]


@pytest.mark.parametrize("pause", [-1, 3601, "long"])
async def test_a_pause_is_up_to_an_hour(shedding: Shedding, pause: object) -> None:
    with pytest.raises(vol.Invalid):
        await shedding.restore(pause=pause)


async def test_loads_come_back_one_after_the_other_as_they_were_shed(
    shedding: Shedding,
) -> None:
    await shedding.shed(FAN, PUMP, FREEZER)
    await shedding.wait(60)
    await shedding.restore(pause=30)
    assert shedding.loads.running == ["fan"]
    await shedding.wait(29)
    assert shedding.loads.running == ["fan"]
    await shedding.wait(1)
    assert shedding.loads.running == ["freezer", "fan"]


# Automations that are no more


async def automate(hass: HomeAssistant) -> None:
    automation = {
        "id": "shed",
        "alias": "Shed",
        "triggers": [],
        "actions": [],
    }
    assert await async_setup_component(hass, "automation", {"automation": [automation]})
    await hass.async_block_till_done()


@pytest.mark.parametrize("scope", ["shed", "automation.shed"])
async def test_the_loads_of_an_automation_that_is_removed_are_let_go(
    shedding: Shedding, issue_registry: ir.IssueRegistry, scope: str
) -> None:
    await automate(shedding.hass)
    await shedding.shed(FREEZER, scope=scope)
    await shedding.shed(FAN, scope="by hand")
    await shedding.wait(60)
    shedding.hass.states.async_remove("automation.shed")
    er.async_get(shedding.hass).async_remove("automation.shed")
    await shedding.settle()
    await shedding.wait(60)
    assert shedding.loads.running == ["freezer"]
    issue = issue_registry.async_get_issue("voltus", "automation_gone")
    assert issue
    assert issue.translation_placeholders == {
        "loads": FREEZER,
        "scope": scope,
    }


async def test_another_automation_that_is_removed_lets_nothing_go(
    shedding: Shedding,
) -> None:
    await automate(shedding.hass)
    await shedding.shed(FREEZER, scope="shed")
    await shedding.shed(FAN, scope="other")
    registry = er.async_get(shedding.hass)
    registry.async_get_or_create("automation", "automation", "another")
    registry.async_remove("automation.automation_another")
    await shedding.wait(60)
    assert shedding.loads.running == []


async def test_with_the_last_account_all_loads_are_let_go(shedding: Shedding) -> None:
    entries = []
    for number in range(2):
        entry = MockConfigEntry(domain="voltus", title=str(number))
        entry.add_to_hass(shedding.hass)
        entries.append(entry)
    await shedding.shed(FREEZER, scope="a")
    await shedding.shed(FAN, scope="b")
    await shedding.wait(60)
    remove = shedding.hass.config_entries.async_remove
    await remove(entries[0].entry_id)
    await shedding.wait(60)
    assert shedding.loads.running == []
    await remove(entries[1].entry_id)
    await shedding.wait(60)
    assert shedding.loads.running == ["freezer", "fan"]
    assert "voltus.loads" not in shedding.storage


# Over a restart


def stored(loads: dict[str, Any], automations: list[str]) -> dict[str, Any]:
    return {
        "voltus.loads": {
            "version": 1,
            "minor_version": 1,
            "key": "voltus.loads",
            "data": {"loads": loads, "automations": automations},
        }
    }


def held(phase: str, *scopes: str, since: str = "2026-07-15T11:50:00+00:00") -> Any:
    """Return a load that ran, as it stands on the disk."""
    return {
        "scopes": {scope: {"to": {"state": "off"}} for scope in scopes},
        "phase": phase,
        "since": since,
        "before": {"state": "on"},
        "touched": True,
        "failed": False,
        "counts": ["state"],
    }


async def start(
    hass: HomeAssistant, freezer: Any, storage: dict[str, Any], **running: bool
) -> Shedding:
    """Start Home Assistant with loads that are on or off."""
    freezer.move_to("2026-07-15T12:00:00+00:00")
    loads = FakeLoads(switches=running)
    await loads.add_to_hass(hass)
    assert await async_setup_component(hass, "voltus", {})
    shedding = Shedding(hass, freezer, loads, storage)
    await shedding.settle()
    return shedding


@pytest.mark.usefixtures("enable_custom_integrations")
async def test_a_restart_goes_on_where_it_was(
    hass: HomeAssistant, hass_storage: dict[str, Any], freezer: Any
) -> None:
    loads = {
        "switch.going": held("going_down", "shed"),
        "switch.down": held("down", "shed"),
        "switch.coming": held("coming_back"),
        "switch.taken": held("taken_over", "shed"),
    }
    hass_storage.update(stored(loads, []))
    shedding = await start(
        hass, freezer, hass_storage, going=True, down=False, coming=False, taken=True
    )
    await shedding.wait(60)
    assert shedding.loads.running == ["coming", "taken"]
    assert shedding.kept.keys() == {"switch.going", "switch.down", "switch.taken"}
    await shedding.restore()
    await shedding.wait(60)
    assert shedding.loads.running == ["going", "down", "coming", "taken"]
    assert shedding.kept == {}


@pytest.mark.usefixtures("enable_custom_integrations")
async def test_a_clock_set_back_does_not_keep_loads_from_coming_back(
    hass: HomeAssistant, hass_storage: dict[str, Any], freezer: Any
) -> None:
    late = held("coming_back", since="2026-07-15T15:00:00+00:00")
    soon = held("coming_back", since="2026-07-15T12:00:30+00:00")
    hass_storage.update(stored({"switch.late": late, "switch.soon": soon}, []))
    shedding = await start(hass, freezer, hass_storage, late=False, soon=False)
    assert shedding.loads.running == ["late"]
    await shedding.wait(30)
    assert shedding.loads.running == ["late", "soon"]


@pytest.mark.usefixtures("enable_custom_integrations")
async def test_an_automation_that_went_while_home_assistant_was_down(
    hass: HomeAssistant, hass_storage: dict[str, Any], freezer: Any
) -> None:
    hass_storage.update(stored({"switch.a": held("down", "shed")}, ["shed"]))
    shedding = await start(hass, freezer, hass_storage, a=False)
    await shedding.wait(60)
    assert shedding.loads.running == ["a"]


async def test_a_disk_that_cannot_be_written_keeps_no_load_from_being_shed(
    shedding: Shedding, monkeypatch: pytest.MonkeyPatch, issue_registry: Any
) -> None:
    async def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("homeassistant.helpers.storage.Store._async_write_data", full)
    await shedding.shed(FREEZER)
    assert shedding.loads.running == ["fan"]
    assert issue_registry.async_get_issue("voltus", "not_written")
    monkeypatch.undo()
    await shedding.restore()
    await shedding.wait(60)
    assert shedding.loads.running == ["freezer", "fan"]
