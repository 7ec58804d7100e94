"""Setting up, unloading and removing an account."""

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import CONF_URL, EVENT_HOMEASSISTANT_STOP
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.voltus.const import DOMAIN
from sandbox.faults import Faults
from sandbox.server import serve
from tests.builders import at, wire_dispatch

from .harness import KEY, Harness


async def test_the_first_set_up_waits_for_an_answer(harness: Harness) -> None:
    harness.voltus.faults = Faults(status=500)
    await harness.set_up()
    assert harness.entry.state is ConfigEntryState.SETUP_RETRY
    assert harness.entry.reason
    assert "status 500" in harness.entry.reason
    harness.voltus.faults = Faults()
    await harness.move_to(at(1))
    assert harness.entry.state is ConfigEntryState.LOADED


async def test_the_first_set_up_asks_for_a_key_if_it_is_refused(
    harness: Harness,
) -> None:
    harness.voltus.faults = Faults(status=401)
    await harness.set_up()
    assert harness.entry.state is ConfigEntryState.SETUP_ERROR
    assert len(harness.flows(SOURCE_REAUTH)) == 1
    await harness.hass.config_entries.async_unload(harness.entry.entry_id)


async def test_history_is_not_announced_at_the_first_set_up(harness: Harness) -> None:
    harness.publish(
        wire_dispatch("over", at(-60), at(-30)),
        wire_dispatch("dropped", at(10), at(30), authorized=False),
        wire_dispatch("running", at(-10), at(30)),
    )
    await harness.set_up()
    assert harness.stories == [("running", "created"), ("running", "started")]


async def test_an_unloaded_account_asks_and_tells_nothing(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(1), at(30)))
    await harness.set_up()
    assert await harness.hass.config_entries.async_unload(harness.entry.entry_id)
    asked = len(harness.voltus.requests)
    await harness.move_to(at(10))
    assert len(harness.voltus.requests) == asked
    assert harness.stories == [("d1", "created")]


async def test_a_reload_tells_nothing_again(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(-1), at(30)))
    await harness.set_up()
    await harness.hass.config_entries.async_reload(harness.entry.entry_id)
    await harness.settle()
    assert harness.curtails("s1")
    assert harness.stories == [("d1", "created"), ("d1", "started")]


async def test_all_is_saved_when_home_assistant_stops(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(-1), None))
    await harness.set_up()
    await harness.move_to(at(4))
    harness.storage.clear()
    harness.hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await harness.settle()
    stored = harness.storage[f"{DOMAIN}.account"]["data"]
    assert stored["known"]["listed"]["contact"] == at(4).isoformat()
    assert f"{DOMAIN}.account.log" in harness.storage


async def test_a_removed_account_leaves_nothing_behind(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(-1), None))
    await harness.set_up()
    await harness.hass.config_entries.async_remove(harness.entry.entry_id)
    await harness.settle()
    assert not [key for key in harness.storage if key.startswith(f"{DOMAIN}.account")]
    assert not harness.entities()


async def test_another_address_is_another_world(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(-1), at(30)))
    await harness.set_up()
    harness.publish(wire_dispatch("d2", at(-1), at(30)))
    async with serve(harness.voltus) as url:
        harness.hass.config_entries.async_update_entry(
            harness.entry, data={**harness.entry.data, CONF_URL: url}
        )
        await harness.settle()
    assert harness.stories[2:] == [("d2", "created"), ("d2", "started")]
    assert harness.state("curtail", "s1").attributes["dispatch_ids"] == ["d2"]


async def test_two_accounts_may_hold_the_same_site(harness: Harness) -> None:
    harness.voltus.accounts["other-key"] = type(harness.voltus.accounts[KEY])()
    harness.voltus.accounts["other-key"].sites = harness.voltus.accounts[KEY].sites
    other = MockConfigEntry(
        domain=DOMAIN,
        entry_id="other",
        title="Voltus sandbox",
        data={**harness.entry.data, "api_key": "other-key"},
    )
    harness.publish(wire_dispatch("d1", at(-1), at(30)))
    await harness.set_up()
    other.add_to_hass(harness.hass)
    await harness.hass.config_entries.async_setup(other.entry_id)
    await harness.settle()
    assert harness.curtails("s1")
    others = Harness(
        harness.hass,
        harness.freezer,
        harness.voltus,
        harness.url,
        other,
        harness.storage,
    )
    assert not others.curtails("s1")
    assert others.entity_id("curtail", "s1") != harness.entity_id("curtail", "s1")
    assert len(others.entities()) == len(harness.entities())
