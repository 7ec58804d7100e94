"""What the random histories have brought to light, each in its smallest form."""

from datetime import timedelta

from tests.builders import NOON, at, wire_dispatch

from .stage import Stage


async def test_a_site_no_longer_ignored_is_shown_right_from_its_first_state(
    stage: Stage,
) -> None:
    stage.hass.config_entries.async_update_entry(
        stage.entry, options={"ignored_sites": ["s1"]}
    )
    stage.publish(wire_dispatch("d1", at(-10), at(60)))
    await stage.set_up()
    stage.hass.config_entries.async_update_entry(stage.entry, options={})
    await stage.settle()
    assert stage.written_states("curtail", "s1") == ["on"]


async def test_what_time_alone_has_brought_is_not_told_again_after_a_kill(
    stage: Stage,
) -> None:
    stage.publish(wire_dispatch("d1", at(0.25), at(60)))
    await stage.set_up()
    await stage.move_to(at(0.25))
    await stage.restart(stage.disk())
    assert stage.stories == [("d1", "created"), ("d1", "started")]


async def test_two_updates_while_the_clock_is_held_have_two_change_ids(
    stage: Stage,
) -> None:
    stage.publish(wire_dispatch("d1", at(10), at(60)))
    await stage.set_up()
    stage.freezer.move_to(NOON - timedelta(seconds=30))
    for amount in (1, 2, 3):
        stage.publish(wire_dispatch("d1", at(10), at(60), {"s1": amount}))
        await stage.poll()
    ids = [event.data["change_id"] for event in stage.told]
    assert [kind for _, kind in stage.stories] == ["created", *["updated"] * 3]
    assert len(set(ids)) == 4
