"""Voltus is asked once more before a boundary acts, and at an end."""

import asyncio
from datetime import datetime, timedelta

from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.util.dt import utcnow
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.voltus.aiovoltus.client import VoltusClient
from sandbox.faults import Faults
from tests.builders import at, wire_dispatch

from .harness import Harness

SECOND = timedelta(seconds=1)


def lists(harness: Harness) -> int:
    """Return how often the list of dispatches was asked for."""
    return len([r for r in harness.voltus.requests if r.path.endswith("/dispatches")])


async def pass_by_seconds(harness: Harness, begin: datetime, end: datetime) -> None:
    """Let time pass second by second."""
    while begin <= end:
        await harness.move_to(begin)
        begin += SECOND


@pytest.fixture(autouse=True)
def _no_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("custom_components.voltus.asking.once_more.random", lambda: 0.0)


@pytest.fixture
async def between_polls(harness: Harness) -> Harness:
    """Have the account poll at whole minutes only, as it never does by itself."""
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"poll_interval": 60}
    )
    return harness


async def test_two_dispatches_that_abut_the_second_published_at_its_start(
    between_polls: Harness,
) -> None:
    first = wire_dispatch("d1", at(-10), at(10.5))
    between_polls.publish(first)
    await between_polls.set_up()
    await between_polls.move_to(at(10))
    await between_polls.move_to(at(10.5) - SECOND)
    between_polls.publish(first, wire_dispatch("d2", at(10.5), at(20)))
    await between_polls.move_to(at(10.5))
    assert set(between_polls.written_states("curtail", "s1")) == {"on"}
    assert between_polls.stories[2:] == [
        ("d1", "ended"),
        ("d2", "created"),
        ("d2", "started"),
    ]
    assert between_polls.told[2].data["sites"][0]["curtail"] is True


@pytest.mark.parametrize(
    ("published", "curtails"),
    [
        pytest.param(
            wire_dispatch("d1", at(10.5), at(30), authorized=False), False, id="cancel"
        ),
        pytest.param(wire_dispatch("d1", at(11), at(30)), False, id="a later start"),
    ],
)
async def test_what_is_published_shortly_before_a_start_is_seen(
    between_polls: Harness, published: dict[str, object], curtails: bool
) -> None:
    between_polls.publish(wire_dispatch("d1", at(10.5), at(30)))
    await between_polls.set_up()
    await between_polls.move_to(at(10))
    between_polls.publish(published)  # type: ignore[arg-type]
    await pass_by_seconds(between_polls, at(10) + SECOND, at(10.5) + SECOND)
    assert between_polls.curtails("s1") is curtails
    assert between_polls.written_states("curtail", "s1") == ["off"]


async def test_it_asks_once_three_seconds_before_and_at_the_end(
    between_polls: Harness,
) -> None:
    between_polls.publish(wire_dispatch("d1", at(10.5), at(20.5)))
    await between_polls.set_up()
    for boundary, expected in ((at(10.5), 1), (at(20.5), 2)):
        await between_polls.move_to(boundary - timedelta(seconds=30))
        asked = lists(between_polls)
        await between_polls.move_to(boundary - 3.1 * SECOND)
        assert lists(between_polls) == asked
        await pass_by_seconds(
            between_polls, boundary - 3 * SECOND, boundary + 3 * SECOND
        )
        assert lists(between_polls) == asked + expected


async def test_boundaries_that_fall_together_are_asked_about_together(
    between_polls: Harness,
) -> None:
    between_polls.publish(
        *(
            wire_dispatch(f"d{n}", at(10.5) + n * timedelta(seconds=0.5), at(40))
            for n in range(5)
        )
    )
    await between_polls.set_up()
    await between_polls.move_to(at(10))
    asked = lists(between_polls)
    await pass_by_seconds(between_polls, at(10) + SECOND, at(10.5) + 5 * SECOND)
    assert asked < lists(between_polls) <= asked + 2


async def test_nothing_is_asked_about_what_turns_no_site(
    between_polls: Harness,
) -> None:
    between_polls.publish(wire_dispatch("d1", at(10.5), at(11.5), test=True))
    await between_polls.set_up()
    await between_polls.move_to(at(10))
    asked = lists(between_polls)
    await pass_by_seconds(between_polls, at(10) + SECOND, at(11) - SECOND)
    assert lists(between_polls) == asked


async def test_a_pause_that_voltus_asks_for_is_kept_and_nothing_waits(
    between_polls: Harness,
) -> None:
    between_polls.publish(wire_dispatch("d1", at(-10), at(10.5)))
    await between_polls.set_up()
    between_polls.voltus.faults = Faults(status=429, retry_after="300", times=1)
    await between_polls.move_to(at(10))
    asked = lists(between_polls)
    await pass_by_seconds(between_polls, at(10.5) - 5 * SECOND, at(10.5))
    assert lists(between_polls) == asked
    assert not between_polls.curtails("s1")


async def test_in_a_pause_it_is_looked_no_more_often(
    between_polls: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    between_polls.publish(wire_dispatch("d1", at(10.5), at(20)))
    await between_polls.set_up()
    between_polls.voltus.faults = Faults(status=429, retry_after="300", times=1)
    await between_polls.move_to(at(10))
    planned: list[timedelta] = []

    def counted(
        hass: HomeAssistant, job: HassJob[[datetime], None], when: datetime
    ) -> CALLBACK_TYPE:
        planned.append(when - utcnow())
        return async_track_point_in_utc_time(hass, job, when)

    monkeypatch.setattr(
        "custom_components.voltus.coordinator.async_track_point_in_utc_time", counted
    )
    await pass_by_seconds(between_polls, at(10.5) - 5 * SECOND, at(10.5))
    assert all(ahead > timedelta(0) for ahead in planned)
    assert between_polls.curtails("s1")


async def test_a_second_refusal_out_of_turn_asks_for_another_key_at_the_next_poll(
    between_polls: Harness,
) -> None:
    between_polls.publish(wire_dispatch("d1", at(10.5), at(20)))
    await between_polls.set_up()
    between_polls.voltus.faults = Faults(status=401)
    await between_polls.move_to(at(10))
    assert not between_polls.flows(SOURCE_REAUTH)
    await pass_by_seconds(between_polls, at(10.5) - 3 * SECOND, at(10.5))
    await between_polls.move_to(at(11))
    assert len(between_polls.flows(SOURCE_REAUTH)) == 1


@pytest.mark.parametrize("fault", [Faults(status=500), Faults(cut=True)])
async def test_without_an_answer_an_end_lets_go_all_the_same(
    between_polls: Harness, fault: Faults
) -> None:
    between_polls.publish(wire_dispatch("d1", at(-10), at(10.5)))
    await between_polls.set_up()
    await between_polls.move_to(at(10))
    between_polls.voltus.faults = fault
    await between_polls.move_to(at(10.5))
    assert not between_polls.curtails("s1")
    assert between_polls.told[-1].data["late_seconds"] == 0


async def test_an_end_waits_one_second_at_most(
    between_polls: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    between_polls.publish(wire_dispatch("d1", at(-10), at(10.5)))
    await between_polls.set_up()
    await between_polls.move_to(at(10.5) - SECOND)
    ask = VoltusClient.dispatches

    async def late(client: VoltusClient) -> bytes:
        """Answer when more than a second has gone by."""
        for seconds in (0.4, 0.7):
            assert between_polls.curtails("s1")
            between_polls.freezer.tick(timedelta(seconds=seconds))
            async_fire_time_changed(between_polls.hass)
        assert not between_polls.curtails("s1")
        return await ask(client)

    monkeypatch.setattr(VoltusClient, "dispatches", late)
    await between_polls.move_to(at(10.5))
    assert not between_polls.curtails("s1")
    assert between_polls.told[-1].data["late_seconds"] == pytest.approx(1.1)


async def test_a_start_at_the_same_instant_waits_for_nothing(
    between_polls: Harness,
) -> None:
    between_polls.publish(
        wire_dispatch("d1", at(-10), at(10.5), {"s1": 1.0}),
        wire_dispatch("d2", at(10.5), at(20), {"s2": 1.0}),
    )
    await between_polls.set_up()
    await between_polls.move_to(at(10.5) - SECOND)
    between_polls.freezer.move_to(at(10.5))
    async_fire_time_changed(between_polls.hass)
    # Not a turn of the event loop is given to the network.
    assert between_polls.curtails("s2")
    assert not between_polls.curtails("s1")
    await between_polls.settle()


async def test_nor_does_a_start_that_is_not_acted_on(between_polls: Harness) -> None:
    between_polls.publish(
        wire_dispatch("d1", at(-10), at(10.5)),
        wire_dispatch("d2", at(10.5), at(20), test=True),
    )
    await between_polls.set_up()
    await between_polls.move_to(at(10.5) - SECOND)
    between_polls.freezer.move_to(at(10.5))
    async_fire_time_changed(between_polls.hass)
    assert not between_polls.curtails("s1")
    assert between_polls.stories[-2:] == [("d1", "ended"), ("d2", "started")]
    await between_polls.settle()


async def test_while_an_end_waits_another_sites_start_does_not(
    between_polls: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    between_polls.publish(
        wire_dispatch("d1", at(-10), at(10.5), {"s1": 1.0}),
        wire_dispatch("d2", at(10.5) + 0.4 * SECOND, at(20), {"s2": 1.0}),
    )
    await between_polls.set_up()
    await between_polls.move_to(at(10.5) - SECOND)
    ask = VoltusClient.dispatches

    async def late(client: VoltusClient) -> bytes:
        """Answer when the start has gone by."""
        await asyncio.sleep(0)
        assert between_polls.curtails("s1")
        between_polls.freezer.tick(0.4 * SECOND)
        async_fire_time_changed(between_polls.hass)
        assert between_polls.curtails("s2")
        return await ask(client)

    monkeypatch.setattr(VoltusClient, "dispatches", late)
    await between_polls.move_to(at(10.5))
    assert between_polls.curtails("s2")
    assert not between_polls.curtails("s1")


async def test_an_end_slept_through_is_not_waited_for(between_polls: Harness) -> None:
    between_polls.publish(wire_dispatch("d1", at(-10), at(10.5)))
    await between_polls.set_up()
    await between_polls.move_to(at(10))
    asked = lists(between_polls)
    between_polls.freezer.move_to(at(10.6))
    async_fire_time_changed(between_polls.hass)
    assert not between_polls.curtails("s1")
    assert lists(between_polls) == asked
    await between_polls.settle()


async def test_the_account_may_be_unloaded_while_an_end_waits(
    between_polls: Harness,
) -> None:
    between_polls.publish(wire_dispatch("d1", at(-10), at(10.5)))
    await between_polls.set_up()
    await between_polls.move_to(at(10.5) - SECOND)
    between_polls.freezer.move_to(at(10.5))
    async_fire_time_changed(between_polls.hass)
    assert between_polls.curtails("s1"), "it waits for an answer"
    await between_polls.hass.config_entries.async_unload(between_polls.entry.entry_id)
    await between_polls.settle()


async def test_polls_do_not_overlap_whoever_asks(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.set_up()
    ask, at_once, most = VoltusClient.dispatches, 0, 0

    async def counted(client: VoltusClient) -> bytes:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        answer = await ask(client)
        at_once -= 1
        return answer

    monkeypatch.setattr(VoltusClient, "dispatches", counted)
    conversation = harness.entry.runtime_data.conversation
    await asyncio.gather(conversation.poll(), harness.poll(), conversation.poll())
    assert most == 1
