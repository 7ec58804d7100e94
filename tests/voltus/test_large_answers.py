"""Answers so large that to read them at once would keep Home Assistant waiting."""

from collections.abc import Callable
import json
from threading import Event, current_thread, main_thread

import pytest

from custom_components.voltus.aiovoltus import reconcile
from custom_components.voltus.aiovoltus.client import VoltusClient, decode
from custom_components.voltus.aiovoltus.errors import VoltusFormatError
from custom_components.voltus.aiovoltus.models import Json
from custom_components.voltus.asking import conversation
from custom_components.voltus.asking.conversation import AT_ONCE, ON_THE_LOOP, decoded
from tests.builders import at, dispatch, wire_dispatch

from .harness import Harness

LARGE: Json = {"padding": "x" * ON_THE_LOOP}
"""Metadata that makes any list a large one."""


def read_by(
    monkeypatch: pytest.MonkeyPatch, before: Callable[[], object] = lambda: None
) -> list[bool]:
    """Note of each list that is read whether that is done by the event loop's thread."""
    by_the_loop: list[bool] = []

    def noted(content: bytes) -> Json:
        by_the_loop.append(current_thread() is main_thread())
        before()
        return decoded(content)

    monkeypatch.setattr(conversation, "decoded", noted)
    return by_the_loop


async def test_only_what_is_read_quickly_is_read_by_the_event_loop(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.set_up()
    by_the_loop = read_by(monkeypatch)
    harness.publish(wire_dispatch("d1", at(0), at(60)))
    await harness.poll()
    harness.publish(wire_dispatch("d1", at(0), at(60), metadata=LARGE))
    await harness.poll()
    assert by_the_loop == [True, False]
    assert harness.curtails("s1")
    assert harness.stories[-1] == ("d1", "updated")


async def test_what_is_learned_while_a_list_is_read_is_not_lost(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.publish(wire_dispatch("d1", at(0), at(60), modification_number=1))
    await harness.set_up()
    coordinator = harness.entry.runtime_data
    newer = dispatch("d1", at(0), at(60), {"s1": 7.0}, modification_number=2)

    learned = Event()

    def learn() -> None:
        known = reconcile.found(
            coordinator.known, newer, 99, at(0), apart=at(1) - at(0)
        )
        coordinator.learn(known, coordinator.known_sites, at(0))
        learned.set()

    def learn_and_wait() -> None:
        harness.hass.loop.call_soon_threadsafe(learn)
        assert learned.wait(timeout=10)

    read_by(monkeypatch, learn_and_wait)
    harness.publish(
        wire_dispatch("d1", at(0), at(60), modification_number=1, metadata=LARGE),
        wire_dispatch("d2", at(10), at(60)),
    )
    await harness.poll()
    assert coordinator.known.dispatches["d1"] == newer
    assert "d2" in coordinator.known.dispatches


async def test_a_large_answer_that_cannot_be_read_is_an_outage(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.publish(wire_dispatch("d1", at(0), at(60)))
    await harness.set_up()

    async def junk(_: object) -> bytes:
        return b"[" * (ON_THE_LOOP + 1)

    monkeypatch.setattr(VoltusClient, "dispatches", junk)
    await harness.poll()
    assert harness.state("connection").state == "off"
    assert harness.curtails("s1")


@pytest.mark.parametrize(
    "content",
    [
        b'{"dispatches":[%s{}]}' % (b"{}," * ON_THE_LOOP),
        b"[%s[]]" % (b"[]," * ON_THE_LOOP),
        b"[" * (ON_THE_LOOP + 1),
    ],
    ids=["empty objects", "empty lists", "open"],
)
def test_where_no_dispatch_can_be_nothing_is_read(content: bytes) -> None:
    with pytest.raises(VoltusFormatError, match="holds no list of dispatches"):
        decoded(content)


@pytest.mark.parametrize(
    ("values", "in_steps"), [(AT_ONCE // 2, False), (AT_ONCE + 1, True)]
)
def test_what_holds_much_is_read_in_steps(
    monkeypatch: pytest.MonkeyPatch, values: int, in_steps: bool
) -> None:
    asked: list[bool] = []

    def noted(content: bytes, *, in_steps: bool = False) -> Json:
        asked.append(in_steps)
        return decode(content, in_steps=in_steps)

    monkeypatch.setattr(conversation, "decode", noted)
    content = json.dumps({"dispatches": [], "x": ["padding"] * values}).encode()
    assert len(content) > ON_THE_LOOP
    assert decoded(content) == json.loads(content)
    assert asked == [True] * in_steps


def test_a_list_of_the_shortest_dispatches_is_read() -> None:
    shortest = {
        "id": "d",
        "authorized": True,
        "start_time": "2026-07-15T12:00:00Z",
        "sites": [{"id": "s1", "commitment": 1}] * 20,
    }
    content = json.dumps({"dispatches": [shortest] * 500}, separators=(",", ":"))
    assert len(content) > ON_THE_LOOP
    assert decoded(content.encode()) == json.loads(content)
