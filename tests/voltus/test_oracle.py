"""Random histories, lived through, against an oracle that knows nothing but the rules.

Below the coordinator only `VoltusClient._request` is replaced, by calls into the local
Voltus' own functions. `pytest tests/voltus/test_oracle.py --seed 17 --histories 1`
lives through one history again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
import json
import logging
import random
import time
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import (
    CONF_API_KEY,
    CONF_URL,
    EVENT_HOMEASSISTANT_FINAL_WRITE,
    EVENT_HOMEASSISTANT_STARTED,
    EVENT_HOMEASSISTANT_STOP,
    EVENT_STATE_CHANGED,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
)
from homeassistant.core import (
    CoreState,
    Event,
    EventStateChangedData,
    HomeAssistant,
    State,
    callback,
)
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.storage import Store
from homeassistant.util.async_ import get_scheduled_timer_handles
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.voltus.aiovoltus.client import PRODUCTION, SANDBOX, VoltusClient
from custom_components.voltus.aiovoltus.errors import (
    VoltusAuthError,
    VoltusConnectionError,
    VoltusNotFoundError,
    VoltusRateLimitError,
    VoltusRequestError,
)
from custom_components.voltus.aiovoltus.schedule import CurtailmentChange
from custom_components.voltus.announcing.announcer import TOLD, ToldType
from custom_components.voltus.const import DOMAIN
from custom_components.voltus.operating import drill
from sandbox.api import BASE_PATH, Request
from sandbox.faults import Faults
from sandbox.scenario import State as ScenarioState
from sandbox.server import LocalVoltus
from sandbox.wire import Answer
from tests.builders import NOON, wire_dispatch

from .harness import EVENTS, KEY, PLATFORM_OF
from .histories import (
    SITES,
    WELL,
    Acknowledge,
    Act,
    Break,
    Choose,
    History,
    Lag,
    Opt,
    Poll,
    Publish,
    Restart,
    StartDrill,
    StopDrill,
    Suspend,
    Withdraw,
    write_history,
)
from .oracle import OVER, Drill, Options, Oracle, Telling, Truth

CHUNK = 50
TIMES_OUT = 10.0
ENTRY = "account"
ASIDE = tuple(timedelta(seconds=each) for each in (-1, -1e-6, 1e-6, 0.4, 1))
USUAL = f'"program": {json.dumps(wire_dispatch()["program"])}, '
KEYS = (
    "curtail",
    "dispatch_active",
    "phase",
    "commitment",
    "next_start",
    "curtailment_end",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Spread the histories over many tests, so that many cores can share them."""
    if "seeds" in metafunc.fixturenames:
        first = metafunc.config.getoption("--seed")
        last = first + metafunc.config.getoption("--histories")
        chunks = [range(i, min(i + CHUNK, last)) for i in range(first, last, CHUNK)]
        ids = [f"{chunk.start}-{chunk.stop - 1}" for chunk in chunks]
        metafunc.parametrize("seeds", chunks, ids=ids)


@pytest.mark.drawn
async def test_states_and_events_are_what_the_answers_call_for(
    life: Life, seeds: range
) -> None:
    for seed in seeds:
        history = write_history(seed, life.begin())
        try:
            await life.live(history)
        except AssertionError as failure:
            failure.add_note(f"{history}\n{life.diary()}")
            failure.add_note(f"again: --seed {seed} --histories 1")
            raise


@pytest.fixture
async def life(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> AsyncIterator[Life]:
    """A Home Assistant whose requests and writes go through our hands."""
    freezer.move_to(NOON)
    hass.loop.set_debug(False)  # it would tell of each leap of the clock
    caplog.set_level(logging.ERROR)
    life = Life(hass, freezer, hass_storage)
    write = Store._async_write_data  # noqa: SLF001

    async def request(
        client: VoltusClient, method: str, *path: str, body: object = None
    ) -> bytes:
        return await life.request(method, *path)

    async def note_write(store: Store[Any], data: dict[str, Any]) -> None:
        await write(store, data)
        life.note_write(store.key)

    hass.bus.async_listen(EVENT_STATE_CHANGED, life.see)
    for each in EVENTS:
        hass.bus.async_listen(f"{DOMAIN}_dispatch_{each}", life.hear)
    async_dispatcher_connect(hass, TOLD, life.hear_turn)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VoltusClient, "_request", request)
        patch.setattr(drill, "random_uuid_hex", lambda: f"{life.drills:06}")
        patch.setattr(Store, "_async_write_data", note_write)
        yield life
    # What Home Assistant puts off, such as saving its registries.
    for _ in range(2):
        freezer.tick(timedelta(minutes=5))
        async_fire_time_changed(hass)
        await hass.async_block_till_done()


@dataclass
class Life:
    """One Home Assistant and one local Voltus live, and the oracle looks on."""

    hass: HomeAssistant
    freezer: FrozenDateTimeFactory
    storage: dict[str, Any]
    entry: MockConfigEntry = field(init=False)
    oracle: Oracle = field(init=False)
    voltus: LocalVoltus = field(init=False)
    chance: random.Random = field(init=False)
    history: History = field(init=False)
    began: datetime = field(init=False)

    def begin(self) -> datetime:
        """Return when the next history begins: at a whole minute."""
        now = datetime.now(UTC) + timedelta(minutes=2)
        return now.replace(second=0, microsecond=0)

    async def live(self, history: History) -> None:
        """Live through a history and check at every instant that is worth it."""
        random.seed(history.seed)
        self._be_born(history)
        await self._wake_up(0)
        for step in history.steps:
            await self._pass(step.wait)
            self.say(step.told)
            await self._do(step.act)
        await self._come_to_rest()
        await self.hass.config_entries.async_remove(ENTRY)
        await self.hass.async_block_till_done(wait_background_tasks=True)

    def _be_born(self, history: History) -> None:
        self.history = history
        self.began = self.begin()
        self.freezer.move_to(self.began)
        self.chance = random.Random(history.seed)
        self.oracle = Oracle(history.production)
        self.voltus = LocalVoltus()
        self.voltus.accounts[KEY].sites = [
            {
                "id": site,
                "name": f"Site {site}",
                "customer_location_id": "",
                "meters": [],
            }
            for site in ("s1", "s2")
        ]
        self.entry = MockConfigEntry(
            domain=DOMAIN,
            entry_id=ENTRY,
            title="Voltus",
            data={
                CONF_URL: PRODUCTION if history.production else SANDBOX,
                CONF_API_KEY: KEY,
            },
        )
        self.entry.add_to_hass(self.hass)
        self.said: list[str] = []
        self.requests = 0
        self.drills = 0
        self.lags: list[bool] = []
        self.published_before = self.voltus.accounts[KEY].scenario
        self.served_with: dict[tuple[str, ...], tuple[Answer, Faults]] = {}
        self.served = asyncio.Event()
        self.served.set()
        self.slow: list[tuple[datetime, asyncio.Future[None]]] = []
        self.lists = 0
        self.bodies: dict[tuple[str, ...], str] = {}
        self.asked_for: list[str] | None = None
        self.told: list[Event[dict[str, Any]]] = []
        self.turned: list[tuple[str, frozenset[str], bool]] = []
        self.ids: dict[object, str] = {}
        self.changes: dict[str, object] = {}
        self.disks: list[tuple[dict[str, Any], Oracle]] = []
        self.wrong: list[str] = []
        self.living = False

    @property
    def now(self) -> datetime:
        """What the clock says."""
        return datetime.now(UTC)

    def say(self, text: str) -> None:
        """Note for the reader of a failure what goes on."""
        self.said.append(f"{(self.now - self.began).total_seconds():12.6f}  {text}")

    def diary(self) -> str:
        """Return what went on lately."""
        return "\n".join(self.said[-80:])

    # Requests

    async def request(self, method: str, *path: str) -> bytes:
        """Answer as the local Voltus does, and let the oracle know what it said."""
        self.requests += 1
        asked = self.requests
        address = "/".join((BASE_PATH, *path))
        # An end waits for its own answer, whatever another poll of that instant brings:
        # they bring the same.
        if path not in self.served_with:
            faults = self.voltus.faults.at(address)
            self.voltus.faults = self.voltus.faults.after(address)
            with self._lagging(path):
                answer = self.voltus.answer(
                    Request(method, address, KEY), b"", self.now, faults
                )
            self.served_with[path] = answer, faults
        answer, faults = self.served_with[path]
        await self.served.wait()
        if faults.delay and not self._ends_within(faults.delay + 1):
            slow = asyncio.get_running_loop().create_future()
            self.slow.append((self.now + timedelta(seconds=faults.delay), slow))
            await slow
        if path[1:] and self.asked_for is not None:
            self.asked_for.append(path[1])
        self._take(asked, path, answer, faults)
        return content(answer, faults)

    def _ends_within(self, seconds: float) -> bool:
        """Whether an end may have to wait for an answer that takes so long."""
        known = self.oracle.everything(self.now).values()
        ends = [each.version.end_time for each in known]
        later = self.now + timedelta(seconds=seconds)
        return any(end and self.now <= end <= later for end in ends)

    @contextmanager
    def _lagging(self, path: tuple[str, ...]) -> Iterator[None]:
        """Have this answer about dispatches lag behind, if it is its turn to."""
        account = self.voltus.accounts[KEY]
        published = account.scenario
        if path[0] == "dispatches" and self.lags and self.lags.pop(0):
            self.say("  lags behind:")
            account.scenario = self.published_before
        yield
        account.scenario = published

    def _take(
        self, asked: int, path: tuple[str, ...], answer: Answer, faults: Faults
    ) -> None:
        """Have the oracle take in an answer as it arrives."""
        said = answer.body.decode().strip().replace(USUAL, "")[:2000]
        same = self.bodies.get(path) == said
        self.bodies[path] = said
        body = "the same" if same else said
        self.say(f"  {'/'.join(path)} #{asked}: {answer.status} {body}")
        try:
            payload = json.loads(content(answer, faults))
        except VoltusNotFoundError:
            if path[1:]:
                self.oracle.take_missing(asked, path[1], self.now)
        except (*FAILURES, ValueError):
            pass  # an end that has waited waits no longer
        else:
            if path == ("dispatches",):
                self._take_list(asked, payload)
            elif path == ("sites",):
                self.oracle.take_sites(payload)
            else:
                self.oracle.take_found(asked, payload, self.now)
        self.oracle.look(self.now)

    def _take_list(self, asked: int, payload: object) -> None:
        self.oracle.take_list(asked, payload, self.now)
        if self.oracle.listed == asked:
            self.lists += 1
            self.asked_for = []

    # What is written, seen and heard

    def note_write(self, key: str) -> None:
        """Keep what is on the disk, and what the oracle would have put there."""
        if key == f"{DOMAIN}.{ENTRY}":
            disk = {k: v for k, v in self.storage.items() if k.startswith(key)}
            self.disks.append((disk, self.oracle.memory()))

    @callback
    def see(self, event: Event[EventStateChangedData]) -> None:
        """Check that no state of `curtail` is ever written that is not true."""
        state = event.data["new_state"]
        if not self.living or state is None or state.domain != "binary_sensor":
            return
        entity = er.async_get(self.hass).async_get(state.entity_id)
        if entity is None or not entity.unique_id.endswith("_curtail"):
            return
        if state.state == STATE_UNAVAILABLE and state.attributes.get("restored"):
            return
        site = entity.unique_id.removeprefix(ENTRY).removesuffix("curtail").strip("_")
        truth = self._truth(site or None)
        if state.state != ("on" if truth.curtail else "off"):
            self.wrong.append(f"curtail of {site or 'the account'} was {state.state}")

    @callback
    def hear(self, event: Event[dict[str, Any]]) -> None:
        """Keep what is told."""
        self.told.append(event)

    @callback
    def hear_turn(self, kind: ToldType, data: Mapping[str, Any]) -> None:
        """Keep which sites are told to curtail, and which no more."""
        if isinstance(kind, CurtailmentChange):
            sites = frozenset(site["id"] for site in data["sites"])
            self.turned.append((kind.value, sites, data["whole_account"]))

    def _truth(self, site: str | None) -> Truth:
        now = self.now
        return self.oracle.site(site, now) if site else self.oracle.account(now)

    # Time

    @asynccontextmanager
    async def moment(
        self, instant: datetime, *, acts: bool = False
    ) -> AsyncIterator[None]:
        """Do something at an instant; then what was asked is answered, and all checked.

        An end waits for an answer, unless the operator `acts`.

        Requests are answered after all that time alone brings: so the oracle need not
        guess which of two things at the same instant was first.
        """
        self.served.clear()
        self.served_with.clear()
        self.freezer.move_to(instant)
        if acts or not self.oracle.waits(instant):
            self.oracle.look(instant)
        yield
        asked = self.requests
        fire_due_timers(self.hass)
        if self.requests == asked:
            self.oracle.look(instant)  # nothing is asked: no end waits
        for _ in range(3):
            await asyncio.sleep(0)
        self.served.set()
        await self._settle()
        self.oracle.look(instant)
        self.check()

    async def _settle(self) -> None:
        """Wait until nothing is under way but requests that are slow."""
        for due, slow in self.slow:
            if due <= self.now and not slow.done():
                slow.set_result(None)
        self.slow = [each for each in self.slow if not each[1].done()]
        patience = 1_000_000
        while self._busy() and patience > 0:
            patience -= 30_000 if self.slow else 1
            await asyncio.sleep(0)
        assert patience or self.slow, f"hangs: {self._busy()}"

    def _busy(self) -> set[asyncio.Future[Any]]:
        tasks = self.hass._tasks | self.hass._background_tasks  # noqa: SLF001
        return tasks - {asyncio.current_task()}

    async def _pass(self, seconds: float) -> None:
        """Let time pass, and look whenever it is worth it."""
        end = self.now + timedelta(seconds=seconds)
        planned: set[datetime] = set()
        seen: set[datetime] = set()
        while (now := self.now) < end:
            boundaries = self.oracle.boundaries(now)
            for boundary in sorted(boundaries - seen):
                seen.add(boundary)
                planned |= {
                    boundary + offset for offset in ASIDE if self.chance.random() < 0.2
                }
            tick = self._poll_interval * self.chance.uniform(0.3, 1.3)
            hop = now + timedelta(seconds=max(tick, seconds / 6))
            slow = {due for due, _ in self.slow}
            instants = {end, hop, *boundaries, *planned, *slow}
            async with self.moment(min(each for each in instants if each > now)):
                pass

    @property
    def _poll_interval(self) -> float:
        return float(self.entry.options.get("poll_interval", 30))

    async def _do(self, act: Act) -> None:
        match act:
            case Lag(answers):
                self.lags = list(answers)
            case Publish(dispatches):
                self.published_before = self.voltus.accounts[KEY].scenario
                self.voltus.accounts[KEY].scenario = {
                    str(wire["id"]): (ScenarioState(NOON.replace(year=2000), wire),)
                    for wire in dispatches
                }
            case Break(faults):
                self.voltus.faults = faults
            case Choose(options):
                await self._choose(options)
            case Restart():
                await self._restart(act)
            case Suspend(seconds):
                async with self.moment(self.now + timedelta(seconds=seconds)):
                    pass
            case Poll():
                async with self.moment(self.now):
                    self.entry.runtime_data.async_refresh_soon()
            case Withdraw():
                await self._withdraw()
            case _:
                await self._do_by_hand(act)

    async def _choose(self, options: Mapping[str, Any]) -> None:
        self.oracle.options = Options(
            lead_time=timedelta(minutes=options["lead_time"]),
            act_on_test=options["act_on_test_dispatches"],
            offline_hold=timedelta(hours=options["offline_hold"]),
            ignored_sites=frozenset(options["ignored_sites"]),
            poll_interval=timedelta(seconds=options["poll_interval"]),
        )
        async with self.moment(self.now, acts=True):
            self.hass.config_entries.async_update_entry(self.entry, options=options)

    async def _withdraw(self) -> None:
        for dispatch_id in self.oracle.held(self.now):
            self.oracle.withdraw(dispatch_id, self.now)
            async with self.moment(self.now, acts=True):
                self.entry.runtime_data.async_withdraw(dispatch_id)

    # What the operator says

    async def _do_by_hand(
        self, act: StartDrill | StopDrill | Opt | Acknowledge
    ) -> None:
        match act:
            case StartDrill():
                await self._start_drill(act)
            case StopDrill():
                await self._say("stop_drill", self.oracle.stop_drills)
            case Opt():
                await self._opt(act)
            case Acknowledge(dispatch):
                await self._acknowledge(dispatch)

    async def _say(
        self,
        action: str,
        meanwhile: Callable[[datetime], object] | None,
        **fields: object,
    ) -> None:
        """Call an action, of which the oracle knows first; None: it must be refused."""
        if meanwhile:
            meanwhile(self.now)
        async with self.moment(self.now, acts=True):
            call = self.hass.services.async_call(DOMAIN, action, fields, blocking=True)
            if meanwhile:
                await call
            else:
                with pytest.raises(ServiceValidationError):
                    await call

    async def _start_drill(self, act: StartDrill) -> None:
        self.drills += 1
        begin = self.now + timedelta(seconds=act.ahead)
        asked = Drill(
            f"drill-{self.drills:06}",
            act.pattern,
            {site: (f"Site {site}", "", 5.0) for site in act.sites},
            begin.replace(microsecond=0),
            timedelta(seconds=act.length),
        )
        self.oracle.heed(self.now)
        accepted = self.oracle.start_drill(asked, self.now)
        await self._say(
            "start_drill",
            (lambda _: None) if accepted else None,
            pattern=act.pattern,
            site_ids=[*act.sites],
            duration=act.length,
            commitment=5,
            **({"start_time": begin.isoformat()} if act.ahead else {}),
        )

    async def _opt(self, act: Opt) -> None:
        name = act.dispatch or f"drill-{self.drills:06}"
        each = self.oracle.everything(self.now).get(name)
        open_ = each and each.version.status(self.now) not in OVER
        meant = each and open_ and set(act.sites) <= each.version.sites.keys()
        await self._say(
            "opt_out" if act.out else "opt_in",
            (lambda _: self.oracle.opt(name, act.sites, out=act.out))
            if meant
            else None,
            dispatch_id=name,
            site_ids=[*act.sites],
        )

    async def _acknowledge(self, dispatch: str | None) -> None:
        each = self.oracle.everything(self.now).get(dispatch or "")
        over = each is None or each.version.status(self.now) in OVER
        await self._say(
            "acknowledge",
            None
            if dispatch and over
            else lambda now: self.oracle.acknowledge(dispatch, now),
            **({"dispatch_id": dispatch} if dispatch else {}),
        )

    # Restarts

    async def _restart(self, act: Restart) -> None:
        if act.forgets is None:
            await self._stop(act.stopping)
        self._check_saved()
        disks = self.disks[: max(1, len(self.disks) - (act.forgets or 0))]
        disk, memory = disks[-1]
        self.living = False
        await self.hass.config_entries.async_unload(ENTRY)
        await self.hass.async_block_till_done()
        assert not self.slow or all(slow.done() for _, slow in self.slow)
        self.slow.clear()
        for key in [key for key in self.storage if key.startswith(f"{DOMAIN}.")]:
            del self.storage[key]
        self.storage.update(disk)
        for entity_id in self.hass.states.async_entity_ids():
            self.hass.states.async_remove(entity_id)
        await self.hass.async_block_till_done()
        self.oracle.announcing = False
        self.oracle.recall(memory)
        self.freezer.move_to(self.now + timedelta(seconds=act.off))
        self.disks = disks
        await self._wake_up(act.starting)

    async def _stop(self, seconds: float) -> None:
        """Stop orderly: from the first moment on nothing is told any more."""
        self.oracle.announcing = False
        self.hass.set_state(CoreState.stopping)
        await self._pass(seconds)
        async with self.moment(self.now):
            self.hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
        self.hass.set_state(CoreState.final_write)
        self.hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
        await self._settle()

    def _check_saved(self) -> None:
        """Check that the disk has all that may not be lost."""
        _, memory = self.disks[-1]
        saved, meant = memory.lasting(), self.oracle.lasting()
        for name in meant:
            assert saved[name] == meant[name], f"{name}: not saved"

    async def _wake_up(self, starting: float) -> None:
        """Set up, and say some time later that Home Assistant has started."""
        self.asked_for = None
        self.hass.set_state(CoreState.starting)
        self.oracle.look(self.now)
        self.living = True
        await self.hass.config_entries.async_setup(ENTRY)
        await self._settle()
        self.oracle.look(self.now)
        assert self.entry.state is ConfigEntryState.LOADED
        self.check()
        await self._pass(starting)
        self.oracle.announcing = True
        async with self.moment(self.now):
            self.hass.set_state(CoreState.running)
            self.hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)

    async def _come_to_rest(self) -> None:
        """All is well again: Voltus must be heard before long."""
        self.voltus.faults = WELL
        self.lags = []
        lists = self.lists
        await self._pass(TIMES_OUT)
        for _ in range(12):
            if self.lists == lists:
                await self._pass(31)
        assert self.lists > lists, "Voltus was not asked again"

    # What has to be true

    def check(self) -> None:
        """Compare all that can be seen and heard with what the oracle says."""
        assert not self.wrong
        self._check_events()
        self._check_asking()
        now = self.now
        ignored = self.oracle.options.ignored_sites
        self._check_states(None, self.oracle.account(now))
        for site in SITES:
            shown = self._entity_id("curtail", site) is not None
            assert shown or site not in self.oracle.sites - ignored, f"no {site}"
            assert not (shown and site in ignored), f"{site} is ignored"
            if shown:
                self._check_states(site, self.oracle.site(site, now))
                self._check_by_hand(site)
        active = str(len(self.oracle.active(now)))
        assert self._state("active_dispatches").state == active
        issues = ir.async_get(self.hass)
        blind = issues.async_get_issue(DOMAIN, f"released_blind_{ENTRY}")
        assert bool(blind) == bool(self.oracle.released(now))
        for dispatch_id in self.oracle.known:
            held = issues.async_get_issue(
                DOMAIN, f"held_dispatch_{ENTRY}_{dispatch_id}"
            )
            assert bool(held) == (dispatch_id in self.oracle.held(now))
            let_go = issues.async_get_issue(DOMAIN, f"opted_out_{ENTRY}_{dispatch_id}")
            meant = any(dispatch_id in self.oracle.let_go(s, now) for s in SITES)
            assert bool(let_go) == meant, f"opted out of {dispatch_id}"

    def _check_states(self, site: str | None, truth: Truth) -> None:
        said = {key: self._state(key, site).state for key in KEYS}
        meant = {
            "curtail": "on" if truth.curtail else "off",
            "dispatch_active": "on" if truth.phase == "active" else "off",
            "phase": truth.phase,
            "commitment": said["commitment"],
            "next_start": shown(truth.next_start),
            "curtailment_end": shown(truth.end),
        }
        assert said == meant, f"{site or 'the account'} is wrong"
        if truth.commitments:
            unknown = said["commitment"] == STATE_UNKNOWN
            amount = None if unknown else float(said["commitment"])
            assert amount in truth.commitments, f"commitment of {site or 'the account'}"
        if truth.by_dispatch is not None:
            attributes = self._state("curtail", site).attributes
            assert attributes["by_dispatch"] == truth.by_dispatch
            assert attributes["dispatch_ids"] == sorted(truth.by_dispatch)

    def _check_by_hand(self, site: str) -> None:
        """Check what was said by hand, and that no drill changes a real dispatch."""
        now, curtail = self.now, self._state("curtail", site)
        assert curtail.attributes["opted_out"] == sorted(self.oracle.let_go(site, now))
        pending = self._state("acknowledgement_pending", site)
        waiting = sorted(self.oracle.pending(site, now))
        assert pending.attributes["dispatch_ids"] == waiting, f"unseen at {site}"
        assert pending.state == ("on" if waiting else "off")
        real = self.oracle.site(site, now, drills=False)
        if real.curtail:
            assert curtail.state == "on"
        if real.curtail and real.by_dispatch is not None:
            assert curtail.attributes["by_dispatch"] == real.by_dispatch
            assert not curtail.attributes["drill"]

    def _entity_id(self, key: str, site: str | None) -> str | None:
        return er.async_get(self.hass).async_get_entity_id(
            PLATFORM_OF.get(key, "sensor"),
            DOMAIN,
            "_".join(filter(None, (ENTRY, site, key))),
        )

    def _state(self, key: str, site: str | None = None) -> State:
        entity_id = self._entity_id(key, site)
        state = self.hass.states.get(entity_id or "")
        assert state, f"no {key} of {site or 'the account'}"
        return state

    def _check_asking(self) -> None:
        """Check that the poll has asked for what was missing from the list."""
        if self.asked_for is None or self.slow:
            return
        wanted = self.oracle.wanted
        assert len(self.asked_for) == len(set(self.asked_for)) == min(5, len(wanted))
        assert set(self.asked_for) <= set(wanted)
        self.asked_for = None

    def _check_events(self) -> None:
        """Check what was told since the last time: all of it, once, and in order."""
        assert self.turned == self.oracle.turns
        told, expected = list(self.told), list(self.oracle.expected)
        for each in (self.turned, self.oracle.turns, self.told, self.oracle.expected):
            each.clear()
        assert len(told) == len(expected), different(told, expected)
        for look in sorted({telling.look for telling in expected}):
            tellings = [telling for telling in expected if telling.look == look]
            events, told = told[: len(tellings)], told[len(tellings) :]
            self._check_look(events, tellings)

    def _check_look(
        self, events: list[Event[dict[str, Any]]], tellings: list[Telling]
    ) -> None:
        found = []
        for event in events:
            name = kind(event), event.data["dispatch_id"]
            same = [t for t in tellings if (t.type, t.dispatch_id) == name]
            assert len(same) == 1, different(events, tellings)
            found += same
            self._check_event(event, same[0])
        assert found == ordered(found), different(events, tellings)

    def _check_event(self, event: Event[dict[str, Any]], telling: Telling) -> None:
        data = event.data
        said = {
            "status": data["status"],
            "actionable": data["actionable"],
            "late": data["late_seconds"],
            "delay": data["delay_seconds"],
            "curtail": {site["id"]: site["curtail"] for site in data["sites"]},
            "changed": data.get("changes", {}).keys(),
            "missed": data.get("missed"),
            "reason": data.get("reason"),
        }
        meant = {key: getattr(telling, key) for key in said}
        assert said == meant, f"{telling.type} {telling.dispatch_id}"
        assert data["drill"] == telling.dispatch_id.startswith("drill-")
        change = telling.number, telling.dispatch_id, telling.type, telling.content
        change_id = data["change_id"]
        assert self.ids.setdefault(change, change_id) == change_id, "another change_id"
        assert self.changes.setdefault(change_id, change) == change, "change_id reused"


def fire_due_timers(hass: HomeAssistant) -> None:
    """Run the timers that are due, as the harness does, but none before its time."""
    close = 1e-6  # where floats end, and a timer would be set anew for the rest
    due, now = hass.loop.time() + close, time.time() + close
    with patch("homeassistant.helpers.event.time_tracker_timestamp", return_value=now):
        for handle in list(get_scheduled_timer_handles(hass.loop)):
            if handle.when() <= due and not handle.cancelled():
                handle._run()  # noqa: SLF001
                handle.cancel()


def ordered(tellings: list[Telling]) -> list[Telling]:
    """Return events of one look in a right order, as near as can be to theirs."""
    for kinds in (("ended",), ("started",)):
        moments = [t.order[1] for t in tellings if t.type in kinds and t.order[1]]
        if moments != sorted(moments):
            return []
    # What is told of one dispatch comes as the oracle tells it.
    sequence = ("created", "updated", "started", "ended", "cancelled")
    for dispatch_id in {telling.dispatch_id for telling in tellings}:
        types = [
            sequence.index(t.type) for t in tellings if t.dispatch_id == dispatch_id
        ]
        if types != sorted(types):
            return []
    return sorted(tellings, key=lambda telling: telling.order[0])


def kind(event: Event[dict[str, Any]]) -> str:
    """Return created, updated, started, ended or cancelled."""
    return str(event.event_type).removeprefix(f"{DOMAIN}_dispatch_")


def different(events: list[Event[dict[str, Any]]], tellings: list[Telling]) -> str:
    """Say what was told and what should have been."""
    told = [f"{kind(event)} {event.data['dispatch_id']}" for event in events]
    meant = [f"{telling.type} {telling.dispatch_id}" for telling in tellings]
    return f"told {told}, not {meant}"


def shown(instant: datetime | None) -> str:
    """Return a time as a state has it."""
    return instant.isoformat(timespec="seconds") if instant else STATE_UNKNOWN


FAILURES = (
    VoltusAuthError,
    VoltusConnectionError,
    VoltusRateLimitError,
    VoltusRequestError,
)


def content(answer: Answer, faults: Faults) -> bytes:
    """Return the body of an answer, or raise what the client raises instead."""
    if faults.hang or faults.cut:
        raise VoltusConnectionError("no answer, or half of one")
    if 200 <= answer.status < 300:
        return answer.body
    envelope = answer.headers.get("Content-Type") == "application/json"
    if answer.status == 401 or (answer.status == 403 and envelope):
        raise VoltusAuthError("refused")
    if answer.status == 429:
        raise VoltusRateLimitError("slow down", answer.headers.get("Retry-After"))
    if answer.status < 400 or answer.status >= 500 or not envelope:
        raise VoltusConnectionError(f"status {answer.status}")
    if answer.status == 404:
        raise VoltusNotFoundError("not found")
    raise VoltusRequestError(f"status {answer.status}")
