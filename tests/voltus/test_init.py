"""Setting up, unloading and removing an account."""

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import CONF_URL, EVENT_HOMEASSISTANT_STOP
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.voltus.const import DOMAIN
from sandbox.faults import Faults
from sandbox.server import serve
from tests.builders import at, wire_dispatch

from .stage import KEY, Stage


async def test_the_first_set_up_waits_for_an_answer(stage: Stage) -> None:
    stage.voltus.faults = Faults(status=500)
    await stage.set_up()
    assert stage.entry.state is ConfigEntryState.SETUP_RETRY
    assert stage.entry.reason
    assert "status 500" in stage.entry.reason
    stage.voltus.faults = Faults()
    await stage.move_to(at(1))
    assert stage.entry.state is ConfigEntryState.LOADED


async def test_the_first_set_up_asks_for_a_key_if_it_is_refused(stage: Stage) -> None:
    stage.voltus.faults = Faults(status=401)
    await stage.set_up()
    assert stage.entry.state is ConfigEntryState.SETUP_ERROR
    assert len(stage.flows(SOURCE_REAUTH)) == 1
    await stage.hass.config_entries.async_unload(stage.entry.entry_id)


async def test_history_is_not_announced_at_the_first_set_up(stage: Stage) -> None:
    stage.publish(
        wire_dispatch("over", at(-60), at(-30)),
        wire_dispatch("dropped", at(10), at(30), authorized=False),
        wire_dispatch("running", at(-10), at(30)),
    )
    await stage.set_up()
    assert stage.stories == [("running", "created"), ("running", "started")]


async def test_an_unloaded_account_asks_and_tells_nothing(stage: Stage) -> None:
    stage.publish(wire_dispatch("d1", at(1), at(30)))
    await stage.set_up()
    assert await stage.hass.config_entries.async_unload(stage.entry.entry_id)
    asked = len(stage.voltus.requests)
    await stage.move_to(at(10))
    assert len(stage.voltus.requests) == asked
    assert stage.stories == [("d1", "created")]


async def test_a_reload_tells_nothing_again(stage: Stage) -> None:
    stage.publish(wire_dispatch("d1", at(-1), at(30)))
    await stage.set_up()
    await stage.hass.config_entries.async_reload(stage.entry.entry_id)
    await stage.settle()
    assert stage.curtails("s1")
    assert stage.stories == [("d1", "created"), ("d1", "started")]


async def test_all_is_saved_when_home_assistant_stops(stage: Stage) -> None:
    stage.publish(wire_dispatch("d1", at(-1), None))
    await stage.set_up()
    await stage.move_to(at(4))
    stage.storage.clear()
    stage.hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await stage.settle()
    stored = stage.storage[f"{DOMAIN}.account"]["data"]
    assert stored["known"]["listed"]["contact"] == at(4).isoformat()
    assert f"{DOMAIN}.account.log" in stage.storage


async def test_a_removed_account_leaves_nothing_behind(stage: Stage) -> None:
    stage.publish(wire_dispatch("d1", at(-1), None))
    await stage.set_up()
    await stage.hass.config_entries.async_remove(stage.entry.entry_id)
    await stage.settle()
    assert not [key for key in stage.storage if key.startswith(f"{DOMAIN}.account")]
    assert not stage.entities()


async def test_another_address_is_another_world(stage: Stage) -> None:
    stage.publish(wire_dispatch("d1", at(-1), at(30)))
    await stage.set_up()
    stage.publish(wire_dispatch("d2", at(-1), at(30)))
    async with serve(stage.voltus) as url:
        stage.hass.config_entries.async_update_entry(
            stage.entry, data={**stage.entry.data, CONF_URL: url}
        )
        await stage.settle()
    assert stage.stories[2:] == [("d2", "created"), ("d2", "started")]
    assert stage.state("curtail", "s1").attributes["dispatch_ids"] == ["d2"]


async def test_two_accounts_may_hold_the_same_site(stage: Stage) -> None:
    stage.voltus.accounts["other-key"] = type(stage.voltus.accounts[KEY])()
    stage.voltus.accounts["other-key"].sites = stage.voltus.accounts[KEY].sites
    other = MockConfigEntry(
        domain=DOMAIN,
        entry_id="other",
        title="Voltus sandbox",
        data={**stage.entry.data, "api_key": "other-key"},
    )
    stage.publish(wire_dispatch("d1", at(-1), at(30)))
    await stage.set_up()
    other.add_to_hass(stage.hass)
    await stage.hass.config_entries.async_setup(other.entry_id)
    await stage.settle()
    assert stage.curtails("s1")
    others = Stage(
        stage.hass, stage.freezer, stage.voltus, stage.url, other, stage.storage
    )
    assert not others.curtails("s1")
    assert others.entity_id("curtail", "s1") != stage.entity_id("curtail", "s1")
    assert len(others.entities()) == len(stage.entities())
