"""What the operator is told of, and the way out."""

from datetime import timedelta

from homeassistant.components.repairs import RepairsFlowResult, repairs_flow_manager
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest

from custom_components.voltus.account.issues import FIXABLE
from custom_components.voltus.const import DOMAIN
from custom_components.voltus.repairs import FLOWS
from sandbox.faults import Faults
from tests.builders import NOON, at, wire_dispatch

from .stage import KEY, Stage


@pytest.fixture
def production(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Take the local Voltus for the production host."""
    monkeypatch.setattr("custom_components.voltus.coordinator.PRODUCTION", stage.url)
    return stage


def _issue(stage: Stage, key: str) -> ir.IssueEntry | None:
    return ir.async_get(stage.hass).async_get_issue(
        DOMAIN, f"{key}_{stage.entry.entry_id}"
    )


async def _open(stage: Stage, issue_id: str) -> RepairsFlowResult:
    """Return the form behind an issue."""
    assert await async_setup_component(stage.hass, "repairs", {})
    flows = repairs_flow_manager(stage.hass)
    assert flows
    return await flows.async_init(DOMAIN, data={"issue_id": issue_id})


async def _submit(
    stage: Stage,
    form: RepairsFlowResult,
    ends: FlowResultType = FlowResultType.CREATE_ENTRY,
) -> None:
    flows = repairs_flow_manager(stage.hass)
    assert flows
    done = await flows.async_configure(form["flow_id"], {})
    assert done["type"] is ends
    await stage.settle()


def _add_site(stage: Stage, site_id: str, name: str) -> None:
    account = stage.voltus.accounts[KEY]
    site = {"id": site_id, "name": name, "customer_location_id": "", "meters": []}
    account.sites = [*account.sites, site]


async def test_in_production_a_running_dispatch_that_vanishes_is_held_to_its_end(
    production: Stage,
) -> None:
    production.publish(wire_dispatch("d1", at(-10), at(60)))
    await production.set_up()
    production.voltus.faults = Faults(drop=("d1",))
    await production.poll()
    await production.move_to(NOON + timedelta(seconds=59))
    assert not _issue(production, "held_dispatch_d1")
    for minute in (1, 2, 59):
        await production.move_to(at(minute + 0.5))
        assert production.curtails("s1")
    issue = ir.async_get(production.hass).async_get_issue(
        DOMAIN, "held_dispatch_account_d1"
    )
    assert issue
    assert issue.is_fixable
    await production.move_to(at(60))
    assert not production.curtails("s1")
    assert production.stories[-1] == ("d1", "ended")
    assert not ir.async_get(production.hass).issues


async def test_in_production_a_dispatch_to_come_that_vanishes_is_withdrawn(
    production: Stage,
) -> None:
    production.publish(wire_dispatch("d1", at(30), at(60)))
    await production.set_up()
    production.voltus.faults = Faults(drop=("d1",))
    for minute in (1, 2, 3):
        await production.move_to(at(minute))
    assert production.stories == [("d1", "created"), ("d1", "cancelled")]


async def test_an_outage_between_two_404s_neither_counts_nor_resets(
    production: Stage,
) -> None:
    production.publish(wire_dispatch("d1", at(30), at(60)))
    await production.set_up()
    gone = Faults(drop=("d1",))
    for minute, fault in enumerate((gone, Faults(status=500), gone), start=1):
        production.voltus.faults = fault
        assert production.stories == [("d1", "created")]
        await production.move_to(at(minute))
    assert production.stories[-1] == ("d1", "cancelled")


async def test_the_operator_can_let_go_of_a_held_dispatch(production: Stage) -> None:
    production.publish(wire_dispatch("d1", at(-10), None))
    await production.set_up()
    production.voltus.faults = Faults(drop=("d1",))
    for minute in (1, 2, 3):
        await production.move_to(at(minute))
    assert production.curtails("s1")

    form = await _open(production, "held_dispatch_account_d1")
    assert form["type"] is FlowResultType.FORM
    assert form["description_placeholders"] == {
        "name": "Voltus sandbox",
        "dispatch": "d1",
    }
    await _submit(production, form)
    assert not production.curtails("s1")
    assert production.stories[-1] == ("d1", "cancelled")
    assert production.told[-1].data["reason"] == "withdrawn"
    assert not ir.async_get(production.hass).issues

    production.voltus.faults = Faults()
    await production.move_to(at(5))
    assert production.curtails("s1"), "listed again, it counts again"


async def test_in_production_an_open_end_is_held_from_the_first_404(
    production: Stage,
) -> None:
    production.publish(wire_dispatch("d1", at(-10), None))
    await production.set_up()
    production.voltus.faults = Faults(drop=("d1",))
    for minute in range(10, 250, 10):
        await production.move_to(at(minute))
        assert production.curtails("s1")
    await production.move_to(at(250))
    assert not production.curtails("s1")
    assert production.state("active_dispatches").state == "1"


async def test_hundreds_that_vanish_at_once_are_asked_for_five_a_poll(
    stage: Stage,
) -> None:
    names = [f"d{number}" for number in range(100)]
    stage.publish(*(wire_dispatch(name, at(30), at(60)) for name in names))
    await stage.set_up()
    stage.voltus.faults = Faults(drop=tuple(names))
    for _ in range(3):
        asked = len(stage.voltus.requests)
        await stage.poll()
        assert len(stage.voltus.requests) == asked + 6
    assert [kind for _, kind in stage.stories].count("cancelled") == 5


async def test_what_cannot_be_read_is_named_and_the_rest_works(stage: Stage) -> None:
    stage.publish(
        wire_dispatch("good", at(-10), at(60), {"s1": 5}),
        wire_dispatch("bad", at(-10), at(60), {"s2": 5}),
    )
    stage.voltus.faults = Faults(corrupt={"bad": {"start_time": "[soon](x)"}})
    await stage.set_up()
    assert stage.curtails("s1")
    assert not stage.curtails("s2")
    issue = _issue(stage, "unreadable_dispatch")
    assert issue
    assert issue.translation_placeholders
    assert issue.translation_placeholders["dispatches"] == "bad (start_time)"
    stage.voltus.faults = Faults()
    await stage.poll()
    assert stage.curtails("s2")
    assert not _issue(stage, "unreadable_dispatch")


async def test_an_unreadable_site_releases_nobody(stage: Stage) -> None:
    stage.publish(wire_dispatch("d1", at(-10), at(60), {"s1": 5, "s2": 6}))
    await stage.set_up()
    sites = [{"name": "?"}, {"id": "s2", "name": "S", "commitment": 7}]
    stage.voltus.faults = Faults(corrupt={"d1": {"sites": sites}})
    await stage.poll()
    assert stage.curtails("s1")
    assert stage.state("commitment", "s2").state == "7.0"
    assert _issue(stage, "unreadable_dispatch")


@pytest.mark.parametrize(("offset", "told"), [(7, "7"), (-3600, "3600")])
async def test_clocks_that_differ_are_told_but_nothing_is_shifted(
    stage: Stage, offset: int, told: str
) -> None:
    stage.publish(wire_dispatch("d1", at(10), at(60)))
    stage.voltus.faults = Faults(date_offset=offset)
    await stage.set_up()
    assert not _issue(stage, "clock_skew")
    await stage.poll()
    await stage.poll()
    issue = _issue(stage, "clock_skew")
    assert issue
    assert issue.translation_placeholders == {"name": "Voltus sandbox", "seconds": told}
    await stage.move_to(at(10))
    assert stage.curtails("s1")
    stage.voltus.faults = Faults()
    for _ in range(3):
        await stage.poll()
    assert not _issue(stage, "clock_skew")


async def test_a_clock_that_was_set_back_is_told(stage: Stage) -> None:
    await stage.set_up()
    stage.freezer.move_to(at(-120))
    await stage.poll()
    issue = _issue(stage, "clock_skew")
    assert issue
    assert issue.translation_placeholders == {
        "name": "Voltus sandbox",
        "seconds": "7200",
    }
    await stage.move_to(at(-59))
    assert not _issue(stage, "clock_skew")


async def test_polling_switched_off_is_told_and_boundaries_go_on(stage: Stage) -> None:
    stage.publish(wire_dispatch("d1", at(1), at(2)))
    await stage.set_up()
    stage.hass.config_entries.async_update_entry(stage.entry, pref_disable_polling=True)
    await stage.hass.config_entries.async_reload(stage.entry.entry_id)
    await stage.settle()
    assert _issue(stage, "polling_disabled")
    assert stage.state("connection").state == "off"
    asked = len(stage.voltus.requests)
    for minute in (1, 2, 10):
        await stage.move_to(at(minute))
    assert len(stage.voltus.requests) == asked
    assert [kind for _, kind in stage.stories] == ["created", "started", "ended"]
    assert not _issue(stage, "no_contact")


async def test_one_click_polls_again_and_interrupts_nothing(stage: Stage) -> None:
    stage.publish(wire_dispatch("d1", at(-10), at(60)))
    stage.hass.config_entries.async_update_entry(stage.entry, pref_disable_polling=True)
    await stage.set_up()
    asked = len(stage.voltus.requests)
    await stage.move_to(at(10))
    assert len(stage.voltus.requests) == asked
    form = await _open(stage, "polling_disabled_account")
    assert form["description_placeholders"] == {"name": "Voltus sandbox"}
    stage.written.clear()
    await _submit(stage, form)
    assert not stage.entry.pref_disable_polling
    assert len(stage.voltus.requests) == asked + 1
    for polls in (2, 3):
        await stage.move_to(at(10 + polls))
        assert len(stage.voltus.requests) == asked + polls
    assert stage.state("connection").state == "on"
    assert stage.curtails("s1")
    assert "curtail" not in {entity.split("_")[-1] for entity, _ in stage.written}
    assert "unavailable" not in {state for _, state in stage.written}
    assert not ir.async_get(stage.hass).issues


async def test_the_first_sites_are_not_new(stage: Stage) -> None:
    stage.publish(wire_dispatch("d1", sites={"s1": 1.0, "s9": 2.0}))
    stage.voltus.faults = Faults(status=500, paths=("/sites",))
    await stage.set_up()
    stage.voltus.faults = Faults()
    await stage.move_to(at(6))
    assert stage.entry.runtime_data.sites.keys() == {"s1", "s2", "s9"}
    assert not _issue(stage, "new_site")


async def test_a_site_that_appears_is_told_until_it_is_confirmed(stage: Stage) -> None:
    await stage.set_up()
    _add_site(stage, "s3", "Almacén [Norte](x)")
    stage.publish(wire_dispatch("d1", sites={"s4": 1.0}))
    await stage.poll()
    issue = _issue(stage, "new_site")
    assert issue
    assert issue.severity is ir.IssueSeverity.WARNING
    assert issue.translation_placeholders == {
        "name": "Voltus sandbox",
        "sites": "Almacén Norte(x), Site s4",
    }
    for disk in (None, stage.disk()):
        await stage.restart(disk)
        assert _issue(stage, "new_site"), "kept over a restart and a crash"

    await _submit(stage, await _open(stage, "new_site_account"))
    for _ in range(2):
        assert not _issue(stage, "new_site")
        await stage.poll()
        await stage.restart(stage.disk())


async def test_a_site_that_comes_while_another_is_confirmed_is_told(
    stage: Stage,
) -> None:
    await stage.set_up()
    stage.publish(wire_dispatch("d1", sites={"s3": 1.0}))
    await stage.poll()
    form = await _open(stage, "new_site_account")
    stage.publish(wire_dispatch("d1", sites={"s3": 1.0, "s4": 1.0}))
    await stage.poll()
    await _submit(stage, form)
    await stage.poll()
    issue = _issue(stage, "new_site")
    assert issue
    assert issue.translation_placeholders
    assert issue.translation_placeholders["sites"] == "Site s4"


async def test_an_ignored_site_is_not_told_as_new(stage: Stage) -> None:
    await stage.set_up()
    stage.publish(wire_dispatch("d1", sites={"s3": 1.0}))
    await stage.poll()
    assert _issue(stage, "new_site")
    stage.hass.config_entries.async_update_entry(
        stage.entry, options={"ignored_sites": ["s3"]}
    )
    await stage.settle()
    assert not _issue(stage, "new_site")


async def test_a_new_site_that_leaves_is_told_no_more(stage: Stage) -> None:
    await stage.set_up()
    _add_site(stage, "s3", "Hilltop")
    await stage.move_to(at(6 * 60))
    assert _issue(stage, "new_site")
    stage.voltus.accounts[KEY].sites = stage.voltus.accounts[KEY].sites[:-1]
    for hours in (12, 18):
        assert _issue(stage, "new_site")
        await stage.move_to(at(hours * 60 + 1))
    assert not _issue(stage, "new_site")


@pytest.mark.parametrize("key", ["new_site", "polling_disabled"])
async def test_nothing_is_mended_while_the_account_does_not_run(
    stage: Stage, key: str
) -> None:
    await stage.set_up()
    stage.publish(wire_dispatch("d1", sites={"s3": 1.0}))
    await stage.poll()
    stage.hass.config_entries.async_update_entry(stage.entry, pref_disable_polling=True)
    await stage.settle()
    form = await _open(stage, f"{key}_account")
    await stage.hass.config_entries.async_unload(stage.entry.entry_id)
    await _submit(stage, form, FlowResultType.ABORT)
    await stage.restart()
    assert _issue(stage, key)


async def test_every_issue_that_one_click_can_mend_has_that_click() -> None:
    assert FLOWS.keys() == FIXABLE


async def test_no_issue_outlives_its_account(stage: Stage) -> None:
    await stage.set_up()
    stage.voltus.faults = Faults(status=500)
    await stage.move_to(at(6))
    assert _issue(stage, "no_contact")
    await stage.hass.config_entries.async_set_disabled_by(
        stage.entry.entry_id, ConfigEntryDisabler.USER
    )
    assert not _issue(stage, "no_contact")
