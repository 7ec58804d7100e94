"""How soon a dispatch that is published without notice is obeyed, where Voltus can call.

Beside it a poller, whose mean is half its period. And what a flood of calls costs.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import json
from time import perf_counter
from typing import final

from aiohttp import ClientSession, web
from homeassistant.components import webhook
from homeassistant.const import CONF_WEBHOOK_ID, EVENT_STATE_CHANGED, STATE_ON
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.voltus.account.options import CONF_PUSH_URL
from custom_components.voltus.const import DOMAIN
from sandbox.api import Account
from sandbox.server import LocalVoltus, serve
from tests.builders import wire_dispatch

from .delay import POLLER_PERIOD, percentile
from .figures import Figure, at_most
from .home import home
from .rounds import callbacks_timed
from .wire import scenario, site_ids, wire_sites

LASTS = timedelta(hours=1)
APART = 2.1
"""Seconds from one dispatch of an account to the next: each may ask once in two."""
COUNTED = 10
"""Seconds of a flood."""


@final
@dataclass(frozen=True, slots=True)
class Pushed:
    """Seconds from each publication to `curtail`, and what a flood of calls costs.

    Of the flood: the requests that it caused, the seconds until a good call among them
    was obeyed, and the longest callback of the event loop meanwhile.
    """

    late: tuple[float, ...]
    flood: int
    requests: int
    good_call: float
    block: float

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Return the middle, the slowest hundredth and the slowest, and the flood."""
        mean = POLLER_PERIOD / 2 * 1000
        what = f"push, publication to curtail, of {len(self.late)} dispatches"
        flood = f"a flood of {self.flood:,} calls"
        return (
            Figure(f"{what}, p50", percentile(self.late, 50) * 1000, "ms", mean),
            Figure(
                f"{what}, p99",
                percentile(self.late, 99) * 1000,
                "ms",
                mean,
                at_most(100, "ms"),
            ),
            Figure(f"{what}, max", max(self.late) * 1000, "ms", mean),
            Figure(
                f"{flood}, requests in {COUNTED} s",
                self.requests,
                "",
                None,
                at_most(30, ""),
            ),
            Figure(
                f"{flood}, until a good one among them is obeyed",
                self.good_call * 1000,
                "ms",
                None,
                at_most(5000, "ms"),
            ),
            Figure(
                f"{flood}, longest block of the event loop",
                self.block * 1000,
                "ms",
                None,
                at_most(50, "ms"),
            ),
        )


async def measure(accounts: int = 10, each: int = 20, flood: int = 1000) -> Pushed:
    """Publish so many dispatches to each account, one by one; then flood one more."""
    keys = [f"key-{number}" for number in range(accounts + 1)]
    voltus = LocalVoltus(keys)
    for key in keys:
        voltus.accounts[key] = Account(wire_sites(each))
    late: list[float] = []
    async with serve(voltus) as url, home() as hass, _called(hass) as base:
        entries = {key: await _set_up(hass, url, base, key) for key in keys}
        for site_id in site_ids(each):
            next_round = asyncio.create_task(asyncio.sleep(APART))
            late += [
                await _obeyed(hass, voltus, entries[key], key, site_id)
                for key in keys[:-1]
            ]
            await next_round
        requests, good_call, block = await _flooded(
            hass, voltus, entries[keys[-1]], keys[-1], flood
        )
    return Pushed(tuple(late), flood, requests, good_call, block)


@asynccontextmanager
async def _called(hass: HomeAssistant) -> AsyncIterator[str]:
    """Take calls for Home Assistant's webhooks; yield the address."""
    assert await async_setup_component(hass, "webhook", {})

    async def take(request: web.Request) -> web.StreamResponse:
        webhook_id = request.match_info["webhook_id"]
        return await webhook.async_handle_webhook(hass, webhook_id, request)

    app = web.Application()
    app.router.add_post("/api/webhook/{webhook_id}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


async def _set_up(
    hass: HomeAssistant, url: str, base: str, key: str
) -> MockConfigEntry:
    """Set an account up, and wait until Voltus has its address."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        entry_id=key,
        title=key,
        data={"url": url, "api_key": key},
        options={CONF_PUSH_URL: base},
    )
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.runtime_data.push.works
    return entry


async def _obeyed(
    hass: HomeAssistant,
    voltus: LocalVoltus,
    entry: MockConfigEntry,
    key: str,
    site_id: str,
) -> float:
    """Publish a dispatch of a site that has begun. Return the seconds to `curtail`."""
    on = _turns_on(hass, entry, site_id)
    _publish(voltus, key, site_id)
    begun = perf_counter()
    await asyncio.gather(voltus.deliver(), on)
    return on.result() - begun


def _publish(voltus: LocalVoltus, key: str, site_id: str) -> None:
    now = datetime.now(UTC)
    dispatch = wire_dispatch(site_id, now, now + LASTS, {site_id: 100.0})
    account = voltus.accounts[key]
    account.scenario = {**account.scenario, **scenario([dispatch])}


def _turns_on(
    hass: HomeAssistant, entry: MockConfigEntry, site_id: str
) -> asyncio.Future[float]:
    """Return when `curtail` of a site comes on, by `perf_counter`."""
    entity_id = er.async_get(hass).async_get_entity_id(
        "binary_sensor", DOMAIN, f"{entry.entry_id}_{site_id}_curtail"
    )
    on: asyncio.Future[float] = hass.loop.create_future()

    @callback
    def note(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if event.data["entity_id"] == entity_id and state and state.state == STATE_ON:
            on.set_result(perf_counter())
            unsub()

    unsub = hass.bus.async_listen(EVENT_STATE_CHANGED, note)
    return on


async def _flooded(
    hass: HomeAssistant,
    voltus: LocalVoltus,
    entry: MockConfigEntry,
    key: str,
    calls: int,
) -> tuple[int, float, float]:
    """Call so often about nothing, and once, in the middle, about a dispatch."""
    (site_id, *_) = site_ids(1)
    on = _turns_on(hass, entry, site_id)
    voltus.requests.clear()
    url = f"{entry.options[CONF_PUSH_URL]}/api/webhook/{entry.data[CONF_WEBHOOK_ID]}"
    async with ClientSession() as session:
        with callbacks_timed() as callbacks:
            end = asyncio.create_task(asyncio.sleep(COUNTED))
            for number in range(calls):
                if number == calls // 2:
                    _publish(voltus, key, site_id)
                    begun = perf_counter()
                about = site_id if number == calls // 2 else f"none-{number}"
                resource = f"/2022-04-15/dispatches/{about}"
                body = {"event": {"name": "dispatch.create"}, "resource": resource}
                await session.post(url, data=json.dumps(body))
            good_call = await on - begun
            await end
    asked = [each for each in voltus.requests if each.method == "GET"]
    return len(asked), good_call, max(callbacks)
