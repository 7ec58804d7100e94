"""What the random histories have brought to light, each in its smallest form."""

from datetime import timedelta

from tests.builders import NOON, at, wire_dispatch

from .harness import Harness


async def test_a_site_no_longer_ignored_is_shown_right_from_its_first_state(
    harness: Harness,
) -> None:
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"ignored_sites": ["s1"]}
    )
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    await harness.set_up()
    harness.hass.config_entries.async_update_entry(harness.entry, options={})
    await harness.settle()
    assert harness.written_states("curtail", "s1") == ["on"]


async def test_what_time_alone_has_brought_is_not_told_again_after_a_kill(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(0.25), at(60)))
    await harness.set_up()
    await harness.move_to(at(0.25))
    await harness.restart(harness.disk())
    assert harness.stories == [("d1", "created"), ("d1", "started")]


async def test_two_updates_while_the_clock_is_held_have_two_change_ids(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(60)))
    await harness.set_up()
    harness.freezer.move_to(NOON - timedelta(seconds=30))
    for amount in (1, 2, 3):
        harness.publish(wire_dispatch("d1", at(10), at(60), {"s1": amount}))
        await harness.poll()
    ids = [event.data["change_id"] for event in harness.told]
    assert [kind for _, kind in harness.stories] == ["created", *["updated"] * 3]
    assert len(set(ids)) == 4
