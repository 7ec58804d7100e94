"""Whatever fails, and whatever is changed meanwhile: what the operator then sees."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from email.utils import format_datetime
import logging
from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import CoreState
from homeassistant.helpers import (
    device_registry as dr,
)
from homeassistant.helpers import (
    entity_registry as er,
)
from homeassistant.helpers import (
    issue_registry as ir,
)
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.voltus.account.devices import device_id
from custom_components.voltus.aiovoltus.client import VoltusClient
from custom_components.voltus.aiovoltus.models import Json
from custom_components.voltus.const import DOMAIN
from sandbox.faults import Faults
from sandbox.server import LocalVoltus, serve
from tests.builders import NOON, at, wire_dispatch

from .harness import KEY, Harness, issues

REFUSED = Faults(paths=("no request arrives",))
SILENCE = Faults(hang=True)
FAULTS = {
    "500": Faults(status=500),
    "502 with an HTML page": Faults(status=502, body="html"),
    "503": Faults(status=503),
    "200 with an HTML page": Faults(body="html"),
    "403 with an HTML page": Faults(status=403, body="html"),
    "404": Faults(status=404),
    "a request that never ends": SILENCE,
    "a refused connection": REFUSED,
    "a cut in the middle of the body": Faults(cut=True),
    "truncated JSON": Faults(body="truncated"),
    "malformed JSON": Faults(body="malformed"),
    "another shape": Faults(body="wrong_shape"),
    "dispatches: null": Faults(body="null_dispatches"),
    "an empty body": Faults(body="empty"),
    "11 MiB": Faults(body="huge"),
    "301": Faults(status=301, redirect="http://127.0.0.1:1/"),
    "429": Faults(status=429),
    "429 with a pause": Faults(status=429, retry_after="60"),
    "401": Faults(status=401),
    "403 with the envelope": Faults(status=403),
}
MOMENTS: dict[str, list[dict[str, Json]]] = {
    "idle": [],
    "before a dispatch": [wire_dispatch("d1", at(3.5), at(60))],
    "in the middle of a dispatch": [wire_dispatch("d1", at(-10), at(3.5))],
    "in the middle of an open-ended one": [wire_dispatch("d1", at(-10), None)],
}

every_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
idle_and_busy = pytest.mark.parametrize(
    "dispatches",
    [MOMENTS["idle"], MOMENTS["in the middle of a dispatch"]],
    ids=["idle", "in the middle of a dispatch"],
)
every_moment = pytest.mark.parametrize("dispatches", MOMENTS.values(), ids=MOMENTS)


class Outage:
    """Breaks the local Voltus, mends it, and lets time pass through silence."""

    def __init__(self, harness: Harness, fault: Faults, server: AsyncExitStack) -> None:
        """Break nothing yet."""
        self.harness = harness
        self.fault = fault
        self.broken = False
        self._server = server
        self._port = int(harness.entry.data[CONF_URL].rpartition(":")[2])

    async def begin(self) -> None:
        self.broken = True
        self.harness.voltus.faults = self.fault
        if self.fault is REFUSED:
            await self._server.aclose()

    async def end(self) -> None:
        self.broken = False
        self.harness.voltus.faults = Faults()
        if self.fault is REFUSED:
            await self._server.enter_async_context(
                serve(self.harness.voltus, self._port)
            )

    async def move_to(self, instant: datetime) -> None:
        """Let the clock jump, and what is due happen, but not what the network owes."""
        self.harness.freezer.move_to(instant)
        async_fire_time_changed(self.harness.hass)
        await self.harness.hass.async_block_till_done()

    async def settle(self) -> None:
        """Wait until nothing is under way; silence is borne for ten seconds a poll."""
        asking = self.harness.entry.runtime_data.conversation._polling  # noqa: SLF001
        await let_bytes_arrive()
        while self.broken and self.fault is SILENCE and asking.locked():
            self.harness.freezer.tick(10.5)
            async_fire_time_changed(self.harness.hass)
            await let_bytes_arrive()
        await self.harness.settle()


async def let_bytes_arrive() -> None:
    """Let what was sent on this machine be received, while the clock stands still."""
    for _ in range(1000):
        await asyncio.sleep(0)


@asynccontextmanager
async def outage_of(harness: Harness, fault: Faults) -> AsyncIterator[Outage]:
    """Have the account live on a server that can be stopped and started again."""
    async with AsyncExitStack() as server:
        url = await server.enter_async_context(serve(harness.voltus))
        harness.hass.config_entries.async_update_entry(
            harness.entry, data={CONF_URL: url, CONF_API_KEY: KEY}
        )
        yield Outage(harness, fault, server)
        await harness.hass.config_entries.async_unload(harness.entry.entry_id)


def lines(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """Return what the integration has logged at a level."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("custom_components.voltus")
        and record.levelno == level
    ]


@every_fault
@every_moment
async def test_states_hold_boundaries_fire_and_all_is_well_again_by_itself(
    harness: Harness,
    fault: Faults,
    dispatches: list[dict[str, Json]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An outage from 12:01 on, with a boundary at 12:03:30 in the middle of it."""
    harness.publish(*dispatches)
    async with outage_of(harness, fault) as outage:
        await harness.set_up()
        before = harness.curtails("s1")
        await outage.begin()
        for minute in (1.0, 2.0, 3.0):
            await outage.move_to(at(minute))
            assert harness.curtails("s1") is before
            await outage.settle()
            assert harness.state("connection").state == "off"
            assert "no_contact" not in issues(harness)
        await outage.move_to(at(3.5) - timedelta(microseconds=1))
        assert harness.curtails("s1") is before
        await outage.move_to(at(3.5))
        after = any(
            dispatch.get("end_time") != "2026-07-15T12:03:30Z"
            for dispatch in dispatches
        )
        if before:
            # A release waits a second for the answer to one more question.
            await outage.settle()
        assert harness.curtails("s1") is after
        await outage.settle()
        for minute in (5.1, 6.0, 7.0):
            await outage.move_to(at(minute))
            assert harness.curtails("s1") is after
            await outage.settle()
            assert "no_contact" in issues(harness)
        assert len(lines(caplog, logging.ERROR)) == 1
        assert not lines(caplog, logging.WARNING)
        told = harness.stories

        await outage.end()
        for minute in (8.0, 12.5, 13.0):
            await harness.move_to(at(minute))
        assert harness.state("connection").state == "on"
        assert not issues(harness)
        assert not harness.flows(SOURCE_REAUTH)
        assert (
            len([line for line in lines(caplog, logging.INFO) if "recovered" in line])
            == 1
        )
        assert len(lines(caplog, logging.ERROR)) == 1
        assert harness.stories == told, "nothing is told again"
        assert harness.written_states("curtail", "s1") == [
            {True: "on", False: "off"}[state]
            for state in ([before] if before is after else [before, after])
        ]
        assert KEY not in caplog.text


@idle_and_busy
@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_asks_once_for_another_and_dispatches_go_on(
    harness: Harness, status: int, dispatches: list[dict[str, Json]]
) -> None:
    harness.publish(*dispatches)
    await harness.set_up()
    harness.voltus.faults = Faults(status=status)
    await harness.move_to(at(0.5))
    for minute in range(1, 20):
        await harness.move_to(at(minute))
        assert len(harness.flows(SOURCE_REAUTH)) == 1
    (flow,) = harness.flows(SOURCE_REAUTH)
    assert flow["step_id"] == "reauth_confirm"
    harness.voltus.faults = Faults()
    await harness.move_to(at(21))
    assert harness.state("connection").state == "on"
    await harness.move_to(at(22))
    assert not harness.flows(SOURCE_REAUTH)


@idle_and_busy
async def test_a_refusal_in_every_other_answer_asks_for_no_key(
    harness: Harness, dispatches: list[dict[str, Json]]
) -> None:
    harness.publish(*dispatches)
    await harness.set_up()
    for half_minute in range(1, 41):
        harness.voltus.faults = (Faults(status=401), Faults())[half_minute % 2]
        await harness.move_to(at(half_minute / 2))
        assert not harness.flows(SOURCE_REAUTH)


@idle_and_busy
async def test_403_with_an_html_page_asks_for_no_key(
    harness: Harness, dispatches: list[dict[str, Json]]
) -> None:
    harness.publish(*dispatches)
    await harness.set_up()
    harness.voltus.faults = Faults(status=403, body="html")
    for minute in range(1, 10):
        await harness.move_to(at(minute))
    assert not harness.flows(SOURCE_REAUTH)
    assert issues(harness) == {"no_contact"}


@pytest.mark.parametrize(
    ("retry_after", "pause"),
    [
        pytest.param("100", 100, id="seconds"),
        pytest.param(
            format_datetime(at(1) + timedelta(seconds=100), usegmt=True),
            100,
            id="a date",
        ),
        pytest.param(None, 60, id="none"),
        pytest.param("0", 60, id="0"),
        pytest.param("-5", 60, id="negative"),
        pytest.param("soon", 60, id="garbage"),
        pytest.param("9" * 4000, 300, id="4,000 digits"),
        pytest.param("86400", 300, id="a day"),
        pytest.param(
            format_datetime(at(1440), usegmt=True), 300, id="a date of tomorrow"
        ),
        pytest.param(format_datetime(at(-60), usegmt=True), 60, id="a date gone by"),
    ],
)
async def test_429_skips_requests_for_so_long_and_never_a_boundary(
    harness: Harness,
    monkeypatch: pytest.MonkeyPatch,
    retry_after: str | None,
    pause: int,
) -> None:
    monkeypatch.setattr(
        "custom_components.voltus.asking.conversation.random", lambda: 0.0
    )
    start, end = at(1) + timedelta(seconds=25), at(1) + timedelta(seconds=35)
    harness.publish(wire_dispatch("d1", start, end))
    await harness.set_up()
    harness.voltus.faults = Faults(status=429, retry_after=retry_after, times=1)
    await harness.move_to(at(1))
    asked = len(harness.voltus.requests)
    for seconds in range(5, 400, 5):
        await harness.move_to(at(1) + timedelta(seconds=seconds))
        assert harness.curtails("s1") is (25 <= seconds < 35)
        if len(harness.voltus.requests) > asked:
            break
    assert pause <= seconds <= pause + 30
    assert harness.stories == [("d1", "created"), ("d1", "started"), ("d1", "ended")]
    assert [event.data["late_seconds"] for event in harness.told[1:]] == [0, 0]


@idle_and_busy
@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308, 399])
async def test_no_redirect_is_followed_and_the_address_is_doubted(
    harness: Harness,
    status: int,
    dispatches: list[dict[str, Json]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    harness.publish(*dispatches)
    await harness.set_up()
    elsewhere = LocalVoltus()
    async with serve(elsewhere) as url:
        for target in (
            f"{url}/2022-04-15/dispatches",
            f"{harness.url}/2022-04-15/sites",
        ):
            harness.voltus.faults = Faults(status=status, redirect=target)
            asked = len(harness.voltus.requests)
            await harness.poll()
            assert len(harness.voltus.requests) == asked + 1
        assert not elsewhere.requests
    assert harness.state("connection").state == "off"
    (line,) = lines(caplog, logging.ERROR)
    assert "the address may be wrong" in line
    assert harness.written_states("curtail", "s1") == [
        harness.state("curtail", "s1").state
    ]


async def test_an_outage_that_began_before_a_restart_is_told_as_well(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    await harness.set_up()
    harness.voltus.faults = Faults(status=500)
    await harness.restart(harness.disk())
    assert harness.curtails("s1")
    assert harness.state("connection").state == "off"
    await harness.move_to(at(6))
    assert issues(harness) == {"no_contact"}
    assert harness.curtails("s1")


# Contact with an open end


async def test_a_day_ahead_open_end_is_held_from_its_start_though_contact_is_lost(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(1440), None))
    await harness.set_up()
    harness.voltus.faults = Faults(status=500)
    for hour in (1, 12, 23):
        await harness.move_to(at(60 * hour))
        assert not harness.curtails("s1")
    await harness.restart(harness.disk())
    await harness.move_to(at(1440))
    assert harness.curtails("s1")
    await harness.move_to(at(1440 + 240) - timedelta(seconds=1))
    assert harness.curtails("s1")
    await harness.move_to(at(1440 + 240))
    assert not harness.curtails("s1")
    assert "released_blind" in issues(harness)
    assert harness.stories == [("d1", "created"), ("d1", "started")]


# Clocks


async def test_a_clock_set_forward_and_back_again_repeats_no_event(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(60), at(300)))
    await harness.set_up()
    await harness.move_to(at(120))
    assert harness.curtails("s1")
    harness.freezer.move_to(at(1))
    await harness.poll()
    assert not harness.curtails("s1"), "the clock counts"
    assert issues(harness) == {"clock_skew"}
    await harness.move_to(at(60))
    assert harness.curtails("s1")
    await harness.move_to(at(300))
    assert not harness.curtails("s1")
    assert harness.stories == [("d1", "created"), ("d1", "started"), ("d1", "ended")]


@pytest.mark.parametrize("boundary", ["start", "end"])
@pytest.mark.parametrize("step", [3, -3])
async def test_a_small_step_over_a_boundary_tells_it_once(
    harness: Harness, boundary: str, step: int
) -> None:
    times = (at(2), at(60)) if boundary == "start" else (at(-10), at(2))
    harness.publish(wire_dispatch("d1", *times))
    await harness.set_up()
    await harness.move_to(at(2) + timedelta(seconds=1 if step < 0 else -1))
    await harness.move_to(
        at(2) + timedelta(seconds=1 if step < 0 else -1) + timedelta(seconds=step)
    )
    await harness.move_to(at(2) + timedelta(seconds=30))
    assert harness.curtails("s1") is (boundary == "start")
    assert [kind for _, kind in harness.stories] == {
        "start": ["created", "started"],
        "end": ["created", "started", "ended"],
    }[boundary]
    assert not issues(harness)


@pytest.mark.parametrize(
    ("woken", "curtails", "told"),
    [
        pytest.param(10, True, ["created", "started"], id="over the start"),
        pytest.param(30, False, ["created", "ended"], id="over all of it"),
    ],
)
async def test_a_machine_that_slept_is_right_when_it_wakes(
    harness: Harness, woken: float, curtails: bool, told: list[str]
) -> None:
    harness.publish(wire_dispatch("d1", at(5), at(20)))
    await harness.set_up()
    harness.voltus.faults = Faults(status=500)
    await harness.move_to(at(woken))
    assert harness.curtails("s1") is curtails
    assert [kind for _, kind in harness.stories] == told
    assert harness.told[-1].data.get("missed", False) is (woken == 30)


# What the user does


def _remove_entities(harness: Harness) -> None:
    for entity in harness.entities():
        er.async_get(harness.hass).async_remove(entity.entity_id)


def _disable_entities(harness: Harness) -> None:
    for entity in harness.entities():
        er.async_get(harness.hass).async_update_entity(
            entity.entity_id, disabled_by=er.RegistryEntryDisabler.USER
        )


def _rename_entities(harness: Harness) -> None:
    for entity in harness.entities():
        er.async_get(harness.hass).async_update_entity(
            entity.entity_id,
            new_entity_id=f"{entity.entity_id}_renamed",
            name="Another name",
        )


def _remove_devices(harness: Harness) -> None:
    registry = dr.async_get(harness.hass)
    for device in dr.async_entries_for_config_entry(registry, harness.entry.entry_id):
        registry.async_remove_device(device.id)


def _disable_devices(harness: Harness) -> None:
    registry = dr.async_get(harness.hass)
    for device in dr.async_entries_for_config_entry(registry, harness.entry.entry_id):
        registry.async_update_device(device.id, disabled_by=dr.DeviceEntryDisabler.USER)


def _rename_devices(harness: Harness) -> None:
    registry = dr.async_get(harness.hass)
    for device in dr.async_entries_for_config_entry(registry, harness.entry.entry_id):
        registry.async_update_device(device.id, name_by_user="Another name")


DEEDS: dict[str, Callable[[Harness], None]] = {
    "removes all entities": _remove_entities,
    "disables all entities": _disable_entities,
    "renames all entities": _rename_entities,
    "removes all devices": _remove_devices,
    "disables all devices": _disable_devices,
    "renames all devices": _rename_devices,
}


@idle_and_busy
@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
async def test_whatever_the_user_does_to_entities_and_devices_events_go_on(
    harness: Harness,
    deed: Callable[[Harness], None],
    dispatches: list[dict[str, Json]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    harness.publish(*dispatches)
    await harness.set_up()
    deed(harness)
    await harness.settle()
    harness.told.clear()
    others = [{**each, "end_time": "2026-07-15T12:06:00Z"} for each in dispatches]
    harness.publish(*others, wire_dispatch("d2", at(2), at(4), {"s1": 1, "s3": 2}))
    for minute in (1, 2, 4, 6, 7):
        await harness.move_to(at(minute))
    of_d2 = [kind for dispatch_id, kind in harness.stories if dispatch_id == "d2"]
    assert of_d2 == ["created", "started", "ended"]
    assert [kind for _, kind in harness.stories].count("ended") == 1 + len(dispatches)
    assert [
        event.data["late_seconds"]
        for event in harness.told
        if event.data["status"] == "active" and event.data["dispatch_id"] == "d2"
    ] == [0]
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]

    await harness.hass.config_entries.async_reload(harness.entry.entry_id)
    await harness.settle()
    for site_id in (None, "s1", "s2", "s3"):
        assert device_id(harness.hass, harness.entry.entry_id, site_id)
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


async def test_a_renamed_sensor_shows_the_signal_under_its_new_name(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(2), at(4)))
    await harness.set_up()
    _rename_entities(harness)
    await harness.settle()
    for minute, expected in ((1, False), (2, True), (4, False)):
        await harness.move_to(at(minute))
        assert harness.curtails("s1") is expected
    assert harness.entity_id("curtail", "s1").endswith("_renamed")


# What Voltus changes while a dispatch is running


async def test_a_start_that_is_moved_later_after_it_came_lets_go_until_then(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(-5), at(60)))
    await harness.set_up()
    harness.publish(wire_dispatch("d1", at(10), at(60), modification_number=1))
    await harness.move_to(at(1))
    assert not harness.curtails("s1")
    assert harness.state("next_start", "s1").state == at(10).isoformat()
    await harness.move_to(at(10))
    assert harness.curtails("s1")
    assert [kind for _, kind in harness.stories] == [
        "created",
        "started",
        "updated",
        "started",
    ]


async def test_an_end_that_is_moved_into_the_past_ends_it_at_once(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(-5), at(60)))
    await harness.set_up()
    harness.publish(wire_dispatch("d1", at(-5), at(-1), modification_number=1))
    await harness.move_to(at(1))
    assert not harness.curtails("s1")
    assert [kind for _, kind in harness.stories] == [
        "created",
        "started",
        "updated",
        "ended",
    ]
    assert harness.told[-1].data["late_seconds"] == 120
    assert harness.told[-1].data["delay_seconds"] == 0


@pytest.mark.parametrize("minutes", [0, -30])
async def test_an_end_at_or_before_the_start_asks_for_nothing(
    harness: Harness, minutes: float
) -> None:
    await harness.set_up()
    harness.publish(wire_dispatch("d1", at(10), at(10 + minutes)))
    for minute in (1, 10, 11):
        await harness.move_to(at(minute))
        assert not harness.curtails("s1")
    assert harness.stories == [("d1", "ended")]
    assert harness.written_states("curtail", "s1") == ["off"]


async def test_an_end_that_is_extended_after_it_was_over_curtails_again(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(-5), at(1)))
    await harness.set_up()
    await harness.move_to(at(1))
    assert not harness.curtails("s1")
    harness.publish(wire_dispatch("d1", at(-5), at(10), modification_number=1))
    await harness.move_to(at(2))
    assert harness.curtails("s1")
    await harness.move_to(at(10))
    assert not harness.curtails("s1")
    assert [kind for _, kind in harness.stories] == [
        *("created", "started", "ended"),
        *("updated", "started", "ended"),
    ]


async def test_what_is_authorized_again_after_a_cancel_curtails_again(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(-5), at(60)))
    await harness.set_up()
    for minute, authorized in ((1, False), (2, True)):
        harness.publish(wire_dispatch("d1", at(-5), at(60), authorized=authorized))
        await harness.move_to(at(minute))
        assert harness.curtails("s1") is authorized
    assert [kind for _, kind in harness.stories] == [
        *("created", "started", "cancelled", "updated", "started"),
    ]


async def test_sites_follow_their_own_truth_as_they_come_and_go(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(-5), at(60), {"s1": 5}))
    await harness.set_up()
    for minute, sites in enumerate(
        ({"s1": 5, "s2": 7}, {"s2": 7}, {"s2": 7, "s9": 1}), start=1
    ):
        harness.publish(
            wire_dispatch("d1", at(-5), at(60), sites, modification_number=minute)
        )
        await harness.move_to(at(minute))
        for site_id in ("s1", "s2"):
            assert harness.curtails(site_id) is (site_id in sites)
        assert float(harness.state("commitment").state) == sum(sites.values())
    assert harness.curtails("s9"), "a site that nobody has told us of"
    assert [kind for _, kind in harness.stories] == [
        "created",
        "started",
        *["updated"] * 3,
    ]
    assert [event.data["changes"]["sites"] for event in harness.told[2:]] == [
        {"added": ["s2"], "removed": [], "changed": []},
        {"added": [], "removed": ["s1"], "changed": []},
        {"added": ["s9"], "removed": [], "changed": []},
    ]


async def test_a_commitment_that_changes_is_shown_and_nothing_else(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(-5), at(60), {"s1": 5, "s2": 7}))
    await harness.set_up()
    harness.publish(wire_dispatch("d1", at(-5), at(60), {"s1": 9, "s2": None}))
    await harness.move_to(at(1))
    assert harness.state("commitment", "s1").state == "9.0"
    assert harness.state("commitment", "s2").state == "unknown"
    assert harness.written_states("curtail", "s1")[0] == "on"
    assert set(harness.written_states("curtail", "s1")) == {"on"}
    assert [kind for _, kind in harness.stories] == ["created", "started", "updated"]
    assert harness.told[-1].data["changes"]["sites"]["changed"] == ["s1", "s2"]


async def test_a_dispatch_that_becomes_a_test_lets_go_and_says_so(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(-5), at(60)))
    await harness.set_up()
    harness.publish(wire_dispatch("d1", at(-5), at(60), test=True))
    await harness.move_to(at(1))
    assert not harness.curtails("s1")
    assert [kind for _, kind in harness.stories] == ["created", "started", "updated"]
    update = harness.told[-1].data
    assert update["changes"] == {"test": {"old": False, "new": True}}
    assert update["actionable"] is True, "who acts on it must hear that it lets go"
    assert update["sites"][0]["curtail"] is False
    harness.publish(wire_dispatch("d1", at(-5), at(60)))
    await harness.move_to(at(2))
    assert harness.curtails("s1")


# Order


async def test_no_request_overtakes_another(harness: Harness) -> None:
    """Two polls at once: the later waits for the earlier, and the later answer counts."""
    harness.publish(wire_dispatch("d1", at(-5), at(60)))
    await harness.set_up()
    harness.voltus.faults = Faults(delay=5, times=1)
    asked = len(harness.voltus.requests)
    coordinator = harness.entry.runtime_data
    polls = [
        harness.hass.async_create_background_task(
            coordinator.async_refresh(), f"poll {n}"
        )
        for n in (1, 2)
    ]
    while len(harness.voltus.requests) == asked:
        await asyncio.sleep(0)
    harness.publish(wire_dispatch("d1", at(-5), at(60), authorized=False))
    await let_bytes_arrive()
    assert len(harness.voltus.requests) == asked + 1
    assert harness.curtails("s1")
    harness.freezer.tick(6)
    await asyncio.gather(*polls)
    await harness.settle()
    assert not harness.curtails("s1")
    assert [kind for _, kind in harness.stories] == ["created", "started", "cancelled"]


# Two accounts


async def test_a_fault_of_one_account_is_nothing_to_another(harness: Harness) -> None:
    other_voltus = LocalVoltus()
    other_voltus.accounts[KEY].sites = harness.voltus.accounts[KEY].sites
    async with serve(other_voltus) as url:
        other = type(harness.entry)(
            domain=DOMAIN,
            entry_id="other",
            title="Voltus",
            data=MappingProxyType({CONF_URL: url, CONF_API_KEY: KEY}),
        )
        other.add_to_hass(harness.hass)
        others = Harness(
            harness.hass, harness.freezer, other_voltus, url, other, harness.storage
        )
        harness.publish(wire_dispatch("d1", at(-5), at(60)))
        others.publish(wire_dispatch("d1", at(-5), at(3)))
        await harness.set_up()
        harness.voltus.faults = Faults(status=401)
        for minute in (1, 3, 6):
            await harness.move_to(at(minute))
            assert harness.curtails("s1")
            assert others.curtails("s1") is (minute < 3)
        assert harness.state("connection").state == "off"
        assert others.state("connection").state == "on"
        assert len(harness.flows(SOURCE_REAUTH)) == 1
        assert not others.flows(SOURCE_REAUTH)
        assert f"no_contact_{other.entry_id}" not in {
            i for _, i in ir.async_get(harness.hass).issues
        }
        await harness.hass.config_entries.async_unload(other.entry_id)


async def test_killed_while_it_starts_the_next_start_tells_it(harness: Harness) -> None:
    """What a poll brought during a start is known from the disk, and still told."""
    await harness.set_up()
    harness.publish(wire_dispatch("d1", at(1), at(60)))
    harness.freezer.move_to(at(2))
    await harness.restart(started=False)
    await harness.settle()
    assert harness.curtails("s1")
    assert harness.told == []
    killed = harness.disk()
    harness.voltus.faults = Faults(status=500)
    harness.hass.set_state(CoreState.running)
    harness.freezer.move_to(at(3))
    await harness.restart(killed, started=False)
    assert harness.written_states("curtail", "s1") == ["on"]
    await harness.finish_start()
    assert harness.stories == [("d1", "created"), ("d1", "started")]
    assert harness.told[-1].data["late_seconds"] == 120
    assert harness.told[-1].data["delay_seconds"] == 60


# A server that lags behind


async def test_two_servers_that_answer_in_turn_turn_nothing_and_tell_nothing(
    harness: Harness,
) -> None:
    lagging = wire_dispatch("d1", at(-10), None, modification_number=0)
    ahead = wire_dispatch("d1", at(-10), at(0), modification_number=1)
    for poll in range(12):
        harness.publish((lagging, ahead)[poll % 2])
        await (harness.poll() if poll else harness.set_up())
        harness.freezer.tick(timedelta(seconds=30))
    assert harness.written_states("curtail", "s1") == ["on", "off"]
    assert harness.stories == [
        ("d1", "created"),
        ("d1", "started"),
        ("d1", "updated"),
        ("d1", "ended"),
    ]


async def test_a_number_that_stays_lower_is_believed_with_the_next_poll_and_logged(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60), modification_number=5))
    await harness.set_up()
    harness.publish(wire_dispatch("d1", at(-10), at(30), modification_number=2))
    await harness.move_to(at(0.5))
    assert harness.state("curtailment_end", "s1").state == at(60).isoformat()
    await harness.move_to(at(1))
    assert harness.state("curtailment_end", "s1").state == at(30).isoformat()
    assert len([m for m in caplog.messages if "is believed now" in m]) == 1


# A pause that Voltus asks for


async def test_a_first_set_up_keeps_the_pause_that_voltus_asks_for(
    harness: Harness,
) -> None:
    harness.voltus.faults = Faults(status=429, retry_after="300")
    await harness.set_up()
    assert len(harness.voltus.requests) == 1
    for seconds in range(5, 300, 5):
        await harness.move_to(NOON + timedelta(seconds=seconds))
    assert len(harness.voltus.requests) == 1
    harness.voltus.faults = Faults()
    for seconds in range(300, 420, 5):
        await harness.move_to(NOON + timedelta(seconds=seconds))
    assert harness.entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize("also", [{"options": {"lead_time": 5}}, {"title": "Mine"}])
async def test_the_pause_is_kept_by_options_and_ended_by_a_new_key(
    harness: Harness, also: dict[str, Any]
) -> None:
    await harness.set_up()
    harness.voltus.faults = Faults(status=429, retry_after="300", times=1)
    await harness.poll()
    asked = len(harness.voltus.requests)
    harness.hass.config_entries.async_update_entry(harness.entry, **also)
    await harness.settle()
    await harness.move_to(at(4))
    assert len(harness.voltus.requests) == asked
    harness.voltus.accounts["new-key"] = harness.voltus.accounts[KEY]
    harness.hass.config_entries.async_update_entry(
        harness.entry, data={**harness.entry.data, CONF_API_KEY: "new-key"}
    )
    await harness.settle()
    assert len(harness.voltus.requests) > asked


async def test_a_429_to_a_request_by_id_slows_the_polling_too(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    await harness.set_up()
    harness.publish()
    harness.voltus.faults = Faults(status=429, retry_after="120", paths=("/d1",))
    await harness.move_to(at(0.5))
    asked = len(harness.voltus.requests)
    for half_minute in range(2, 5):
        await harness.move_to(at(half_minute / 2))
    assert len(harness.voltus.requests) == asked
    await harness.move_to(at(2.5) + timedelta(seconds=1))
    assert len(harness.voltus.requests) > asked
    assert harness.curtails("s1")


async def test_a_good_answer_ends_the_growing_of_the_pauses(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "custom_components.voltus.asking.conversation.random", lambda: 0.0
    )
    await harness.set_up()
    for round_begins in (0, 10):
        harness.voltus.faults = Faults(status=429, times=1)
        await harness.move_to(at(round_begins + 1))
        asked = len(harness.voltus.requests)
        await harness.move_to(at(round_begins + 2) - timedelta(seconds=1))
        assert len(harness.voltus.requests) == asked
        await harness.move_to(at(round_begins + 2.5))
        assert len(harness.voltus.requests) > asked


async def test_polls_are_measured_from_start_to_start(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.set_up()
    ask = VoltusClient.dispatches

    async def ask_for_five_seconds(client: VoltusClient) -> bytes:
        answer = await ask(client)
        harness.freezer.tick(timedelta(seconds=5))
        return answer

    monkeypatch.setattr(VoltusClient, "dispatches", ask_for_five_seconds)
    await harness.move_to(at(1))
    asked = len(harness.voltus.requests)
    await harness.move_to(at(1.5) + timedelta(seconds=1))
    assert len(harness.voltus.requests) == asked + 1
