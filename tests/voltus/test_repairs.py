"""What the operator is told of, and the way out."""

from datetime import timedelta

from homeassistant.components.repairs import RepairsFlowResult, repairs_flow_manager
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest

from custom_components.voltus.account.issues import FIXABLE
from custom_components.voltus.aiovoltus import reconcile
from custom_components.voltus.const import DOMAIN
from custom_components.voltus.repairs import FLOWS
from sandbox.faults import Faults
from tests.builders import NOON, at, wire_dispatch

from .harness import KEY, Harness


@pytest.fixture
def production(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> Harness:
    """Take the local Voltus for the production host."""
    monkeypatch.setattr(
        "custom_components.voltus.asking.conversation.plays_scenarios", lambda _: False
    )
    return harness


def _issue(harness: Harness, key: str) -> ir.IssueEntry | None:
    return ir.async_get(harness.hass).async_get_issue(
        DOMAIN, f"{key}_{harness.entry.entry_id}"
    )


async def _open(harness: Harness, issue_id: str) -> RepairsFlowResult:
    """Return the form behind an issue."""
    assert await async_setup_component(harness.hass, "repairs", {})
    flows = repairs_flow_manager(harness.hass)
    assert flows
    return await flows.async_init(DOMAIN, data={"issue_id": issue_id})


async def _submit(
    harness: Harness,
    form: RepairsFlowResult,
    ends: FlowResultType = FlowResultType.CREATE_ENTRY,
) -> None:
    flows = repairs_flow_manager(harness.hass)
    assert flows
    done = await flows.async_configure(form["flow_id"], {})
    assert done["type"] is ends
    await harness.settle()


def _add_site(harness: Harness, site_id: str, name: str) -> None:
    account = harness.voltus.accounts[KEY]
    site = {"id": site_id, "name": name, "customer_location_id": "", "meters": []}
    account.sites = [*account.sites, site]


async def test_in_production_a_running_dispatch_that_vanishes_is_held_to_its_end(
    production: Harness,
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
    production: Harness,
) -> None:
    production.publish(wire_dispatch("d1", at(30), at(60)))
    await production.set_up()
    production.voltus.faults = Faults(drop=("d1",))
    for minute in (1, 2, 3):
        await production.move_to(at(minute))
    assert production.stories == [("d1", "created"), ("d1", "cancelled")]


async def test_an_outage_between_two_404s_neither_counts_nor_resets(
    production: Harness,
) -> None:
    production.publish(wire_dispatch("d1", at(30), at(60)))
    await production.set_up()
    gone = Faults(drop=("d1",))
    for minute, fault in enumerate((gone, Faults(status=500), gone), start=1):
        production.voltus.faults = fault
        assert production.stories == [("d1", "created")]
        await production.move_to(at(minute))
    assert production.stories[-1] == ("d1", "cancelled")


async def test_the_operator_can_let_go_of_a_held_dispatch(production: Harness) -> None:
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
    production: Harness,
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
    harness: Harness,
) -> None:
    names = [f"d{number}" for number in range(100)]
    harness.publish(*(wire_dispatch(name, at(30), at(60)) for name in names))
    await harness.set_up()
    harness.voltus.faults = Faults(drop=tuple(names))
    for _ in range(3):
        asked = len(harness.voltus.requests)
        await harness.poll()
        assert len(harness.voltus.requests) == asked + 6
    assert [kind for _, kind in harness.stories].count("cancelled") == 5


async def test_what_cannot_be_read_is_named_and_the_rest_works(
    harness: Harness,
) -> None:
    harness.publish(
        wire_dispatch("good", at(-10), at(60), {"s1": 5}),
        wire_dispatch("bad", at(-10), at(60), {"s2": 5}),
    )
    harness.voltus.faults = Faults(corrupt={"bad": {"start_time": "[soon](x)"}})
    await harness.set_up()
    assert harness.curtails("s1")
    assert not harness.curtails("s2")
    issue = _issue(harness, "unreadable_dispatch")
    assert issue
    assert issue.translation_placeholders
    assert issue.translation_placeholders["dispatches"] == "bad (start_time)"
    harness.voltus.faults = Faults()
    await harness.poll()
    assert harness.curtails("s2")
    assert not _issue(harness, "unreadable_dispatch")


async def test_an_unreadable_site_releases_nobody(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60), {"s1": 5, "s2": 6}))
    await harness.set_up()
    sites = [{"name": "?"}, {"id": "s2", "name": "S", "commitment": 7}]
    harness.voltus.faults = Faults(corrupt={"d1": {"sites": sites}})
    await harness.poll()
    assert harness.curtails("s1")
    assert harness.state("commitment", "s2").state == "7.0"
    assert _issue(harness, "unreadable_dispatch")


@pytest.mark.parametrize(("offset", "told"), [(7, "7"), (-3600, "3600")])
async def test_clocks_that_differ_are_told_but_nothing_is_shifted(
    harness: Harness, offset: int, told: str
) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(60)))
    harness.voltus.faults = Faults(date_offset=offset)
    await harness.set_up()
    assert not _issue(harness, "clock_skew")
    await harness.poll()
    await harness.poll()
    issue = _issue(harness, "clock_skew")
    assert issue
    assert issue.translation_placeholders == {"name": "Voltus sandbox", "seconds": told}
    await harness.move_to(at(10))
    assert harness.curtails("s1")
    harness.voltus.faults = Faults()
    for _ in range(3):
        await harness.poll()
    assert not _issue(harness, "clock_skew")


async def test_a_clock_that_was_set_back_is_told(harness: Harness) -> None:
    await harness.set_up()
    harness.freezer.move_to(at(-120))
    await harness.poll()
    issue = _issue(harness, "clock_skew")
    assert issue
    assert issue.translation_placeholders == {
        "name": "Voltus sandbox",
        "seconds": "7200",
    }
    await harness.move_to(at(-59))
    assert not _issue(harness, "clock_skew")


async def test_polling_switched_off_is_told_and_boundaries_go_on(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(1), at(2)))
    await harness.set_up()
    harness.hass.config_entries.async_update_entry(
        harness.entry, pref_disable_polling=True
    )
    await harness.hass.config_entries.async_reload(harness.entry.entry_id)
    await harness.settle()
    assert _issue(harness, "polling_disabled")
    assert harness.state("connection").state == "off"
    asked = len(harness.voltus.requests)
    for minute in (1, 2, 10):
        await harness.move_to(at(minute))
    assert len(harness.voltus.requests) == asked
    assert [kind for _, kind in harness.stories] == ["created", "started", "ended"]
    assert not _issue(harness, "no_contact")


async def test_one_click_polls_again_and_interrupts_nothing(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    harness.hass.config_entries.async_update_entry(
        harness.entry, pref_disable_polling=True
    )
    await harness.set_up()
    asked = len(harness.voltus.requests)
    await harness.move_to(at(10))
    assert len(harness.voltus.requests) == asked
    form = await _open(harness, "polling_disabled_account")
    assert form["description_placeholders"] == {"name": "Voltus sandbox"}
    harness.written.clear()
    await _submit(harness, form)
    assert not harness.entry.pref_disable_polling
    assert len(harness.voltus.requests) == asked + 1
    for polls in (2, 3):
        await harness.move_to(at(10 + polls))
        assert len(harness.voltus.requests) == asked + polls
    assert harness.state("connection").state == "on"
    assert harness.curtails("s1")
    assert "curtail" not in {entity.split("_")[-1] for entity, _ in harness.written}
    assert "unavailable" not in {state for _, state in harness.written}
    assert not ir.async_get(harness.hass).issues


async def test_the_first_sites_are_not_new(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", sites={"s1": 1.0, "s9": 2.0}))
    harness.voltus.faults = Faults(status=500, paths=("/sites",))
    await harness.set_up()
    harness.voltus.faults = Faults()
    await harness.move_to(at(6))
    assert harness.entry.runtime_data.sites.keys() == {"s1", "s2", "s9"}
    assert not _issue(harness, "new_site")


async def test_a_site_that_appears_is_told_until_it_is_confirmed(
    harness: Harness,
) -> None:
    await harness.set_up()
    _add_site(harness, "s3", "Almacén [Norte](x)")
    harness.publish(wire_dispatch("d1", sites={"s4": 1.0}))
    await harness.poll()
    issue = _issue(harness, "new_site")
    assert issue
    assert issue.severity is ir.IssueSeverity.WARNING
    assert issue.translation_placeholders == {
        "name": "Voltus sandbox",
        "sites": "Almacén Norte(x), Site s4",
    }
    for disk in (None, harness.disk()):
        await harness.restart(disk)
        assert _issue(harness, "new_site"), "kept over a restart and a crash"

    await _submit(harness, await _open(harness, "new_site_account"))
    for _ in range(2):
        assert not _issue(harness, "new_site")
        await harness.poll()
        await harness.restart(harness.disk())


async def test_a_site_that_comes_while_another_is_confirmed_is_told(
    harness: Harness,
) -> None:
    await harness.set_up()
    harness.publish(wire_dispatch("d1", sites={"s3": 1.0}))
    await harness.poll()
    form = await _open(harness, "new_site_account")
    harness.publish(wire_dispatch("d1", sites={"s3": 1.0, "s4": 1.0}))
    await harness.poll()
    await _submit(harness, form)
    await harness.poll()
    issue = _issue(harness, "new_site")
    assert issue
    assert issue.translation_placeholders
    assert issue.translation_placeholders["sites"] == "Site s4"


async def test_an_ignored_site_is_not_told_as_new(harness: Harness) -> None:
    await harness.set_up()
    harness.publish(wire_dispatch("d1", sites={"s3": 1.0}))
    await harness.poll()
    assert _issue(harness, "new_site")
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"ignored_sites": ["s3"]}
    )
    await harness.settle()
    assert not _issue(harness, "new_site")


async def test_a_new_site_that_leaves_is_told_no_more(harness: Harness) -> None:
    await harness.set_up()
    _add_site(harness, "s3", "Hilltop")
    await harness.move_to(at(6 * 60))
    assert _issue(harness, "new_site")
    harness.voltus.accounts[KEY].sites = harness.voltus.accounts[KEY].sites[:-1]
    for hours in (12, 18):
        assert _issue(harness, "new_site")
        await harness.move_to(at(hours * 60 + 1))
    assert not _issue(harness, "new_site")


@pytest.mark.parametrize("key", ["new_site", "polling_disabled"])
async def test_nothing_is_mended_while_the_account_does_not_run(
    harness: Harness, key: str
) -> None:
    await harness.set_up()
    harness.publish(wire_dispatch("d1", sites={"s3": 1.0}))
    await harness.poll()
    harness.hass.config_entries.async_update_entry(
        harness.entry, pref_disable_polling=True
    )
    await harness.settle()
    form = await _open(harness, f"{key}_account")
    await harness.hass.config_entries.async_unload(harness.entry.entry_id)
    await _submit(harness, form, FlowResultType.ABORT)
    await harness.restart()
    assert _issue(harness, key)


async def test_every_issue_that_one_click_can_mend_has_that_click() -> None:
    assert FLOWS.keys() == FIXABLE


async def test_no_issue_outlives_its_account(harness: Harness) -> None:
    await harness.set_up()
    harness.voltus.faults = Faults(status=500)
    await harness.move_to(at(6))
    assert _issue(harness, "no_contact")
    await harness.hass.config_entries.async_set_disabled_by(
        harness.entry.entry_id, ConfigEntryDisabler.USER
    )
    assert not _issue(harness, "no_contact")


async def test_a_form_left_open_withdraws_nothing_that_voltus_lists_again(
    production: Harness,
) -> None:
    running = wire_dispatch("d1", at(-10), at(180))
    production.publish(running)
    await production.set_up()
    production.publish()
    for minute in (1, 3):
        await production.move_to(at(minute))
    form = await _open(production, "held_dispatch_account_d1")
    production.publish(running)
    await production.move_to(at(4))
    await _submit(production, form, FlowResultType.ABORT)
    for minute in range(5, 65, 5):
        await production.move_to(at(minute))
        assert production.curtails("s1")


async def test_what_is_known_by_anything_but_a_list_is_read_anew_from_the_next(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    await harness.set_up()
    account = harness.entry.runtime_data
    known = reconcile.withdraw(account.known, "d1", account.now())
    account.learn(known, account.known_sites, account.now())
    assert not harness.curtails("s1")
    await harness.poll()
    assert harness.curtails("s1")
