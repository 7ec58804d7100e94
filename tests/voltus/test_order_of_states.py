"""What an automation on `curtail` finds of the rest, in the instant in which it runs."""

import asyncio
from collections.abc import Callable
from typing import Any

from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import (
    CoreState,
    Event,
    EventStateChangedData,
    HomeAssistant,
    callback,
)
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.voltus.account import loop_share
from custom_components.voltus.account.options import (
    CONF_ACT_ON_TEST_DISPATCHES,
    CONF_IGNORED_SITES,
    CONF_LEAD_TIME,
)
from custom_components.voltus.aiovoltus import reconcile
from custom_components.voltus.sensor import CurtailmentSensor
from tests.builders import at, wire_dispatch

from .harness import KEY, Harness

type Found = dict[str, str | float]

SEEN = "seen"
COMPANIONS = {
    "active": "binary_sensor.{}_dispatch_active",
    "phase": "sensor.{}_phase",
    "commitment": "sensor.{}_commitment",
    "end": "sensor.{}_curtailment_end",
    "next": "sensor.{}_next_start",
}
IDLE: Found = {
    "active": "off",
    "phase": "idle",
    "commitment": 0.0,
    "end": "unknown",
    "next": "unknown",
}
ACTIVE: Found = {
    "active": "on",
    "phase": "active",
    "commitment": 100.0,
    "end": "2026-07-15T13:00:00+00:00",
    "next": "unknown",
}


class Seen:
    """An automation that notes what it finds whenever a `curtail` turns."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Have seen nothing yet."""
        self._hass = hass
        self._events: list[Event[dict[str, Any]]] = async_capture_events(hass, SEEN)

    async def set_up(self, *names: str) -> None:
        """Watch these devices, whether they are there already or not."""
        automations = [
            {
                "alias": name,
                "mode": "queued",
                "triggers": {
                    "trigger": "state",
                    "entity_id": _curtail(name),
                    "to": ["on", "off"],
                },
                "actions": {
                    "event": SEEN,
                    "event_data": {
                        "site": name,
                        "curtail": "{{ trigger.to_state.state }}",
                        **{
                            key: f"{{{{ states('{entity_id.format(name)}') }}}}"
                            for key, entity_id in COMPANIONS.items()
                        },
                    },
                },
            }
            for name in names
        ]
        assert await async_setup_component(
            self._hass, "automation", {"automation": automations}
        )
        await self._hass.async_block_till_done()

    @property
    def turns(self) -> list[tuple[str, str, Found]]:
        """Who turned, to what, and what was found beside it; read once."""
        turns = [
            (data.pop("site"), data.pop("curtail"), data)
            for data in ({**event.data} for event in self._events)
        ]
        self._events.clear()
        return turns


def _curtail(name: str) -> str:
    account = name == "voltus_sandbox"
    return f"binary_sensor.{name}_{'any_site_curtailing' if account else 'curtail'}"


@pytest.fixture
async def seen(hass: HomeAssistant) -> Seen:
    """Watch three sites, of which Voltus knows the first two, and the account."""
    seen = Seen(hass)
    await seen.set_up("site_s1", "site_s2", "site_s3", "voltus_sandbox")
    return seen


async def test_at_a_start_and_an_end_all_is_there_as_it_is_from_now_on(
    harness: Harness, seen: Seen
) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(60)))
    await harness.set_up()
    assert {turn for _, turn, _ in seen.turns} == {"off"}
    await harness.move_to(at(10))
    assert seen.turns == [("site_s1", "on", ACTIVE), ("voltus_sandbox", "on", ACTIVE)]
    await harness.move_to(at(60))
    assert seen.turns == [("site_s1", "off", IDLE), ("voltus_sandbox", "off", IDLE)]


async def test_a_lead_time_comes_with_its_amount_and_the_start_ahead(
    harness: Harness, seen: Seen
) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={CONF_LEAD_TIME: 5}
    )
    harness.publish(wire_dispatch("d1", at(10), at(60)))
    await harness.set_up()
    assert len(seen.turns) == 3
    await harness.move_to(at(5))
    preparing = ACTIVE | {
        "active": "off",
        "phase": "preparing",
        "next": "2026-07-15T12:10:00+00:00",
    }
    assert [found for _, _, found in seen.turns] == [preparing, preparing]


async def test_what_a_poll_brings_and_takes_away_comes_together(
    harness: Harness, seen: Seen
) -> None:
    await harness.set_up()
    assert seen.turns
    harness.publish(wire_dispatch("d1", at(0), at(60)))
    await harness.move_to(at(1))
    assert seen.turns == [("site_s1", "on", ACTIVE), ("voltus_sandbox", "on", ACTIVE)]
    harness.publish(wire_dispatch("d1", at(0), at(60), authorized=False))
    await harness.move_to(at(2))
    assert seen.turns == [("site_s1", "off", IDLE), ("voltus_sandbox", "off", IDLE)]


async def test_the_amount_is_there_when_another_dispatch_takes_over(
    harness: Harness, seen: Seen
) -> None:
    harness.publish(
        wire_dispatch("d1", at(0), at(30), {"s1": 100.0}),
        wire_dispatch("d2", at(30), at(60), {"s2": 100.0}),
    )
    await harness.set_up()
    assert seen.turns
    await harness.move_to(at(30))
    assert seen.turns == [("site_s1", "off", IDLE), ("site_s2", "on", ACTIVE)]


@pytest.mark.parametrize("minute", [1, 61])
async def test_the_first_states_after_a_restart_come_in_the_same_order(
    harness: Harness, seen: Seen, minute: int
) -> None:
    harness.publish(wire_dispatch("d1", at(0), at(60), {"s1": 100.0, "s2": None}))
    await harness.set_up()
    assert [turn for _, turn, _ in seen.turns] == ["on", "on", "on"]
    harness.freezer.move_to(at(minute))
    await harness.restart()
    turn, found = ("on", ACTIVE) if minute == 1 else ("off", IDLE)
    not_stated = found | {"commitment": "unknown"} if turn == "on" else found
    assert seen.turns == [
        ("site_s1", turn, found),
        ("site_s2", turn, not_stated),
        ("voltus_sandbox", turn, not_stated),
    ]


async def test_a_site_that_comes_with_its_dispatch_has_its_amount_first(
    harness: Harness, seen: Seen
) -> None:
    await harness.set_up()
    assert len(seen.turns) == 3
    harness.publish(wire_dispatch("d1", at(0), at(60), {"s3": 100.0}))
    await harness.move_to(at(1))
    assert seen.turns == [("site_s3", "on", ACTIVE), ("voltus_sandbox", "on", ACTIVE)]


async def test_it_waits_for_what_takes_its_time_to_be_added(
    harness: Harness, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.set_up()
    assert len(seen.turns) == 3
    added = CurtailmentSensor.async_added_to_hass

    async def slowly(sensor: CurtailmentSensor) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        await added(sensor)

    monkeypatch.setattr(CurtailmentSensor, "async_added_to_hass", slowly)
    harness.publish(wire_dispatch("d1", at(0), at(60), {"s3": 100.0}))
    await harness.move_to(at(1))
    assert ("site_s3", "on", ACTIVE) in seen.turns


async def test_what_got_another_entity_id_is_still_written_before(
    harness: Harness, seen: Seen
) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(60)))
    await harness.set_up()
    assert len(seen.turns) == 3
    entity_id, back = harness.entity_id("commitment", "s1"), "sensor.renamed"
    for old, new in ((entity_id, back), (back, entity_id)):
        er.async_get(harness.hass).async_update_entity(old, new_entity_id=new)
        await harness.settle()
    await harness.move_to(at(10))
    assert seen.turns[0] == ("site_s1", "on", ACTIVE)


async def test_a_site_no_longer_ignored_has_its_amount_first(
    harness: Harness, seen: Seen
) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={CONF_IGNORED_SITES: ["s1"]}
    )
    harness.publish(wire_dispatch("d1", at(0), at(60)))
    await harness.set_up()
    assert [turn for _, turn, _ in seen.turns] == ["off", "off"]
    harness.hass.config_entries.async_update_entry(harness.entry, options={})
    await harness.settle()
    assert seen.turns == [("site_s1", "on", ACTIVE), ("voltus_sandbox", "on", ACTIVE)]


async def test_another_choice_comes_with_all_that_belongs_to_it(
    harness: Harness, seen: Seen
) -> None:
    harness.publish(wire_dispatch("d1", at(0), at(60), test=True))
    await harness.set_up()
    assert len(seen.turns) == 3
    for act, turn, found in ((True, "on", ACTIVE), (False, "off", IDLE)):
        harness.hass.config_entries.async_update_entry(
            harness.entry, options={CONF_ACT_ON_TEST_DISPATCHES: act}
        )
        await harness.settle()
        assert seen.turns == [
            ("site_s1", turn, found),
            ("voltus_sandbox", turn, found),
        ]


async def test_sites_turn_one_after_the_other_then_the_account_then_it_is_told(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(60), {"s1": 100.0, "s2": 50.0}))
    await harness.set_up()
    order: list[str] = []

    @callback
    def note(event: Event[Any]) -> None:
        order.append(event.data.get("entity_id", "told"))

    for kind in (EVENT_STATE_CHANGED, "voltus_dispatch_started"):
        harness.hass.bus.async_listen(kind, note)
    await harness.move_to(at(10))
    curtail = [harness.entity_id("curtail", each) for each in ("s1", "s2", None)]
    assert [entity_id for entity_id in order if entity_id in curtail] == curtail
    devices = [entity_id.partition(".")[2][:7] for entity_id in order]
    of_sites = [device for device in devices if device.startswith("site")]
    assert of_sites == ["site_s1"] * 6 + ["site_s2"] * 6, order
    assert order[-3:] == [curtail[-1], harness.entity_id("dispatch"), "told"]


async def test_a_state_that_cannot_be_written_keeps_no_other_back(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(60)))
    await harness.set_up()

    def broken(_: CurtailmentSensor) -> None:
        raise ValueError("broken")

    with monkeypatch.context() as patched:
        patched.setattr(CurtailmentSensor, "native_value", property(broken))
        await harness.move_to(at(10))
    assert harness.curtails("s1")
    assert harness.curtails()
    assert harness.stories[-1] == ("d1", "started")
    assert "A state of s1 could not be written" in caplog.text
    caplog.clear()


MANY = [f"n{number}" for number in range(12)]


@pytest.fixture
async def many(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> Harness:
    """Many sites that are to start at 12:10, and no time for more than one of them."""
    monkeypatch.setattr(loop_share, "AT_A_STRETCH", 0)
    harness.voltus.accounts[KEY].sites = [
        {"id": each, "name": f"Site {each}", "customer_location_id": "", "meters": []}
        for each in MANY
    ]
    harness.publish(wire_dispatch("d1", at(10), at(60), dict.fromkeys(MANY, 100.0)))
    await harness.set_up()
    harness.written.clear()
    return harness


def when_the_first_is_on(harness: Harness, act: Callable[[], object]) -> None:
    """Do something once, soon after the first of the sites is on."""
    first = harness.entity_id("curtail", MANY[0])

    @callback
    def see(event: Event[EventStateChangedData]) -> None:
        if event.data["entity_id"] == first:
            unsub()
            harness.hass.loop.call_soon(act)

    unsub = harness.hass.bus.async_listen(EVENT_STATE_CHANGED, see)


def on(harness: Harness) -> list[str]:
    """Return the sites that curtail now."""
    return [each for each in MANY if harness.curtails(each)]


async def test_with_many_sites_the_loop_is_given_back_in_between(many: Harness) -> None:
    seen: list[int] = []

    def look() -> None:
        seen.append(len(on(many)))
        if seen[-1] < len(MANY):
            many.hass.loop.call_soon(look)

    when_the_first_is_on(many, look)
    await many.move_to(at(10))
    assert seen == [*range(1, len(MANY) + 1)]
    assert many.stories[-1] == ("d1", "started")


async def test_a_state_asked_for_out_of_turn_is_not_ahead_of_its_companions(
    many: Harness,
) -> None:
    last = many.entity_id("curtail", MANY[-1])
    found: list[tuple[str, str]] = []

    def rename() -> None:
        er.async_get(many.hass).async_update_entity(last, name="Shed")

    def note() -> None:
        rename()
        many.hass.loop.call_soon(
            lambda: found.append((many.state("curtail", MANY[-1]).name, on(many)[-1]))
        )

    when_the_first_is_on(many, note)
    await many.move_to(at(10))
    assert found[0][0].endswith("Shed")
    assert found[0][1] != MANY[-1]
    assert on(many) == MANY


async def test_what_is_learned_meanwhile_comes_after_it(many: Harness) -> None:
    account = many.entry.runtime_data

    def withdraw() -> None:
        many.publish()
        known = reconcile.withdraw(account.known, "d1", account.now())
        account.learn(known, account.known_sites, account.now())

    when_the_first_is_on(many, withdraw)
    await many.move_to(at(10))
    for each in (*MANY, None):
        assert many.written_states("curtail", each) == ["on", "off"]
    assert many.stories[-2:] == [("d1", "started"), ("d1", "cancelled")]


async def test_an_end_meanwhile_comes_after_it(many: Harness) -> None:
    when_the_first_is_on(many, lambda: many.freezer.move_to(at(60)))
    when_the_first_is_on(many, many.entry.runtime_data.async_update_listeners)
    await many.move_to(at(10))
    for each in (*MANY, None):
        assert many.written_states("curtail", each) == ["on", "off"]
    assert many.stories[-2:] == [("d1", "started"), ("d1", "ended")]


async def test_choices_made_meanwhile_come_after_it(many: Harness) -> None:
    def ignore() -> None:
        many.hass.config_entries.async_update_entry(
            many.entry, options={CONF_IGNORED_SITES: MANY[6:]}
        )

    when_the_first_is_on(many, ignore)
    await many.move_to(at(10))
    assert [each for each in many.hass.states.async_entity_ids() if "n7" in each] == []
    assert all(many.curtails(each) for each in MANY[:6])
    assert many.stories.count(("d1", "started")) == 1


async def test_unloading_meanwhile_leaves_the_rest_to_the_next_start(
    many: Harness,
) -> None:
    unloading = []
    unload = many.hass.config_entries.async_unload
    when_the_first_is_on(
        many,
        lambda: unloading.append(
            many.hass.async_create_task(unload(many.entry.entry_id))
        ),
    )
    await many.move_to(at(10))
    assert await unloading[0]
    assert ("d1", "started") not in many.stories
    await many.restart()
    assert on(many) == MANY
    assert many.stories.count(("d1", "started")) == 1


async def test_stopping_meanwhile_leaves_the_telling_to_the_next_start(
    many: Harness,
) -> None:
    when_the_first_is_on(many, lambda: many.hass.set_state(CoreState.stopping))
    await many.move_to(at(10))
    assert on(many) == MANY
    assert ("d1", "started") not in many.stories
    many.hass.set_state(CoreState.running)
    await many.restart()
    assert many.stories.count(("d1", "started")) == 1


async def test_a_restart_shows_all_of_many_sites_from_their_first_state(
    many: Harness,
) -> None:
    many.freezer.move_to(at(20))
    await many.restart()
    for each in (*MANY, None):
        assert many.written_states("curtail", each) == ["on"]
