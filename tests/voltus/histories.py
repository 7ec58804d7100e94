"""Histories to live through: what Voltus, its faults, the operator and the power do.

Each is written in advance, whole, from its seed alone, so that it can be printed, and
lived through again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from random import Random
from typing import override

from custom_components.voltus.aiovoltus.models import Json
from sandbox.faults import Faults
from tests.builders import wire_dispatch, wire_time

type Wire = Mapping[str, Json]

SITES = ("s1", "s2", "s3")  # GET /sites has the first two of them
STEPS = (8, 20)
WELL = Faults()


@dataclass(frozen=True)
class Publish:
    """Voltus knows these dispatches from now on, and no other."""

    dispatches: tuple[Wire, ...]


@dataclass(frozen=True)
class Break:
    """Something is wrong with Voltus; or nothing any more."""

    faults: Faults


@dataclass(frozen=True)
class Choose:
    """The operator chooses these options."""

    options: Mapping[str, object]


@dataclass(frozen=True)
class Restart:
    """Home Assistant is off for a while.

    Its power is cut and it finds the save before the last `forgets` ones; or it is
    `stopping` for so long and keeps all. It has started so long after it has come back.
    """

    off: float
    starting: float
    forgets: int | None = None
    stopping: float = 0


@dataclass(frozen=True)
class Suspend:
    """The machine sleeps."""

    seconds: float


@dataclass(frozen=True)
class Poll:
    """Voltus is asked out of turn."""


@dataclass(frozen=True)
class Withdraw:
    """The operator gives up a dispatch that is held, if there is one."""


@dataclass(frozen=True)
class Lag:
    """Of the next answers some come from a server that lags one publication behind."""

    answers: tuple[bool, ...]


@dataclass(frozen=True)
class StartDrill:
    """The operator rehearses after a pattern, so many seconds from now, for so long."""

    pattern: str
    sites: tuple[str, ...]
    ahead: float
    length: int


@dataclass(frozen=True)
class StopDrill:
    """The operator ends the drill, if there is one."""


@dataclass(frozen=True)
class Opt:
    """The operator lets go of sites of a dispatch (None: of the drill), or opts in."""

    dispatch: str | None
    sites: tuple[str, ...]
    out: bool


@dataclass(frozen=True)
class Acknowledge:
    """Somebody has seen a dispatch, or (None) all of them."""

    dispatch: str | None


type Act = (
    Publish
    | Break
    | Choose
    | Restart
    | Suspend
    | Poll
    | Withdraw
    | Lag
    | StartDrill
    | StopDrill
    | Opt
    | Acknowledge
)


@dataclass(frozen=True)
class Step:
    """What is done after a while; `note` is for the reader."""

    wait: float
    act: Act
    note: str = ""

    @property
    def told(self) -> str:
        """What is done, in one line."""
        if isinstance(self.act, Break):
            return f"Break({_changed(self.act.faults)})"
        return self.note or repr(self.act)


@dataclass(frozen=True)
class History:
    """A life of one account, and the seed it is from."""

    seed: int
    production: bool
    steps: tuple[Step, ...]

    @override
    def __str__(self) -> str:
        """Return it for reading, times as seconds from the beginning."""
        lines = [f"history {self.seed}, production={self.production}"]
        time = 0.0
        for step in self.steps:
            time += step.wait
            lines.append(f"{time:10.3f}  {step.told}")
            time += _lasts(step.act)
        return "\n".join(lines)


def write_history(seed: int, begin: datetime) -> History:
    """Write the history of this seed, to be lived from `begin` on."""
    return _Author(seed, begin).write()


@dataclass
class _Draft:
    """A dispatch as Voltus means it."""

    start: datetime
    end: datetime | None
    sites: dict[str, Wire]
    fields: dict[str, Json] = field(default_factory=dict)
    number: int = 0
    zone: tzinfo = UTC


class _Author:
    def __init__(self, seed: int, begin: datetime) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.begin = self.now = begin
        self.drafts: dict[str, _Draft] = {}
        self.created = 0
        self.note = ""
        self.dark = False

    def write(self) -> History:
        production = self.random.random() < 0.3
        first = Step(0, self.create(), self.note)
        second = Step(0, self.choose())
        steps = [self._next() for _ in range(self.random.randint(*STEPS))]
        return History(self.seed, production, (first, second, *steps))

    def _next(self) -> Step:
        wait = self._wait()
        self.now += timedelta(seconds=wait)
        self.note = ""
        act: Act | None = None
        while act is None:
            (choose,) = self.random.choices(list(_CHOICES), list(_CHOICES.values()))
            if self.dark and self.random.random() < 0.3:
                choose = _Author.restart
            act = choose(self)
        self.now += timedelta(seconds=_lasts(act))
        return Step(wait, act, self.note)

    def _wait(self) -> float:
        hours = 3 if self.dark else 0.4
        low, high = self.random.choices(
            [(0, 0), (0, 5), (5, 60), (60, 240), (1000, 4000)], [1, 6, 10, 5, hours]
        )[0]
        return round(self.random.uniform(low, high), self.random.choice((0, 3, 6)))

    # What Voltus publishes

    def _publish(self, note: str) -> Publish:
        self.note = f"Publish: {note}"
        return Publish(tuple(self._wire(i, d) for i, d in self.drafts.items()))

    def _wire(self, dispatch_id: str, draft: _Draft) -> Wire:
        wire = wire_dispatch(
            dispatch_id,
            draft.start.astimezone(draft.zone),
            draft.end,
            {},
            modification_number=draft.number,
            creation_time=wire_time(self.begin - timedelta(minutes=5)),
        )
        return {
            **wire,
            **draft.fields,
            "sites": [dict(s) for s in draft.sites.values()],
        }

    def create(self) -> Publish:
        self.created += 1
        name = f"d{self.created}"
        start = self._start()
        draft = _Draft(start, self._end(start), self._sites())
        if self.random.random() < 0.2:
            draft.fields["test"] = True
        self.drafts[name] = draft
        return self._publish(f"create {name} {self._told(draft)}")

    def change(self) -> Publish | None:
        if not self.drafts:
            return None
        name = self.random.choice(list(self.drafts))
        draft = self.drafts[name]
        (change,) = self.random.choices(list(_CHANGES), list(_CHANGES.values()))
        change(self, draft)
        if self.random.random() < 0.8:
            draft.number += 1
        return self._publish(f"{change.__name__} {name} {self._told(draft)}")

    def move_start(self, draft: _Draft) -> None:
        draft.start = self._start()

    def shift_start(self, draft: _Draft) -> None:
        draft.start += timedelta(seconds=self.random.uniform(-120, 120))

    def move_end(self, draft: _Draft) -> None:
        draft.end = self._end(draft.start)

    def end_soon(self, draft: _Draft) -> None:
        draft.end = self.now + timedelta(seconds=self.random.uniform(-60, 60))

    def open(self, draft: _Draft) -> None:
        draft.end = None

    def cancel(self, draft: _Draft) -> None:
        draft.fields["authorized"] = False

    def authorise(self, draft: _Draft) -> None:
        draft.fields["authorized"] = True

    def flip_test(self, draft: _Draft) -> None:
        draft.fields["test"] = not draft.fields.get("test", False)

    def new_sites(self, draft: _Draft) -> None:
        draft.sites = self._sites()

    def new_commitments(self, draft: _Draft) -> None:
        draft.sites = {site: self._site(site) for site in draft.sites}

    def new_metadata(self, draft: _Draft) -> None:
        draft.fields["metadata"] = {"price": self.random.randint(0, 3)}

    def write_otherwise(self, draft: _Draft) -> None:
        """Say the same in another form."""
        draft.zone = timezone(timedelta(hours=-7))
        draft.sites = dict(reversed(draft.sites.items()))

    def vanish(self) -> Publish | None:
        if not self.drafts:
            return None
        name = self.random.choice(list(self.drafts))
        del self.drafts[name]
        return self._publish(f"vanish {name}")

    def _start(self) -> datetime:
        """Choose a start: anywhere near, or beside a dispatch that there is."""
        ends = [draft.end for draft in self.drafts.values() if draft.end]
        if ends and self.random.random() < 0.4:
            gap = self.random.choice((-60, -1, 0, 0, 0.3, 0.999999, 1, 1.000001, 10))
            return self.random.choice(ends) + timedelta(seconds=gap)
        start = self.now + timedelta(seconds=self.random.uniform(-120, 300))
        return start.replace(microsecond=self.random.choice((0, 0, start.microsecond)))

    def _end(self, start: datetime) -> datetime | None:
        low, high = self.random.choices(
            [(5, 400), (0, 2), (0, 0), (-100, 0)], [10, 2, 0.5, 0.5]
        )[0]
        if self.random.random() < 0.2:
            return None
        return start + timedelta(seconds=self.random.uniform(low, high))

    def _sites(self) -> dict[str, Wire]:
        some = self.random.sample(SITES, self.random.choice((1, 1, 2, 3)))
        return {site: self._site(site) for site in some}

    def _site(self, site: str) -> Wire:
        return {
            "id": site,
            "name": f"Site {site}",
            "customer_location_id": "",
            self.random.choice(("commitment", "drop_by")): self.random.choice(
                (0, 5, 12.5, 12.5, 100, None, -1, "all", True)
            ),
        }

    def _told(self, draft: _Draft) -> str:
        start, end = (
            f"{(instant - self.begin).total_seconds():.6f}" if instant else "open"
            for instant in (draft.start, draft.end)
        )
        sites = {
            site: wire.get("commitment", wire.get("drop_by"))
            for site, wire in draft.sites.items()
        }
        return f"[{start}, {end}) {sites} {draft.fields}"

    # What goes wrong

    def break_it(self) -> Break:
        faults: dict[str, object] = dict(self.random.choice(_FAULTS))
        faults["paths"] = self.random.choice(
            ((), (), ("/dispatches",), tuple(self.drafts))
        )
        faults["times"] = self.random.choice((None, None, 1, 2, 3))
        # An open end is let go after an hour of this.
        is_open = any(draft.end is None for draft in self.drafts.values())
        self.dark = is_open and not faults["paths"] and not faults["times"]
        return Break(Faults(**faults))  # type: ignore[arg-type]

    def hide(self) -> Break | None:
        if not self.drafts or self.dark:
            return None
        some = tuple(self.random.sample(list(self.drafts), 1))
        how = self.random.choice(("drop", "drop_from_list"))
        times = self.random.choice((None, None, 1, 2, 3, 4))
        return Break(Faults(**{how: some}, times=times))  # type: ignore[arg-type]

    def corrupt(self) -> Break | None:
        if not self.drafts or self.dark:
            return None
        name = self.random.choice(list(self.drafts))
        spoiled = {
            each: self.random.choice(_GARBAGE[each])
            for each in self.random.sample(list(_GARBAGE), self.random.randint(1, 3))
        }
        if self.random.random() < 0.3:
            return Break(Faults(omit={name: tuple(spoiled)}))
        return Break(Faults(corrupt={name: spoiled}))

    def mend(self) -> Break | None:
        if self.dark and self.random.random() < 0.7:
            return None
        self.dark = False
        return Break(WELL)

    # What the operator and the power do

    def choose(self) -> Choose:
        chance = self.random
        return Choose(
            {
                "lead_time": chance.choice((0, 0, 1, 3)),
                "act_on_test_dispatches": chance.random() < 0.5,
                "offline_hold": chance.choice((1, 1, 2)),
                "ignored_sites": chance.choice(([], [], ["s1"], ["s2", "s3"])),
                "poll_interval": chance.choice((5, 30, 30, 60)),
            }
        )

    def restart(self) -> Restart:
        chance = self.random
        off = chance.choice((0, chance.uniform(0, 30), chance.uniform(0, 300)))
        starting = chance.choice((0, 0, chance.uniform(0, 20), chance.uniform(0, 100)))
        if chance.random() < 0.6:
            return Restart(off, starting, forgets=chance.choice((0, 0, 0, 1, 1, 2, 4)))
        stopping = chance.choice((0, 0, chance.uniform(0, 60)))
        return Restart(off, starting, stopping=stopping)

    def suspend(self) -> Suspend:
        return Suspend(self.random.uniform(1, 300))

    def poll(self) -> Poll:
        return Poll()

    def withdraw(self) -> Withdraw:
        return Withdraw()

    def lag(self) -> Lag:
        some = self.random.randint(1, 8)
        return Lag(tuple(self.random.random() < 0.6 for _ in range(some)))

    def start_drill(self) -> StartDrill:
        chance = self.random
        return StartDrill(
            chance.choice(
                ("basic", "ancillary_services", "two_dispatches", "cancelled")
            ),
            tuple(chance.sample(SITES[:2], chance.choice((1, 1, 2)))),
            chance.choice((0, 0, chance.uniform(1, 300))),
            chance.randint(10, 400),
        )

    def stop_drill(self) -> StopDrill:
        return StopDrill()

    def opt(self) -> Opt:
        """Choose a dispatch, rather one of the last, or the drill; and some sites of it."""
        name = self.random.choice([*[*self.drafts][-3:], None])
        named = [*self.drafts[name].sites] if name else ["s1"]
        some = self.random.sample(named, self.random.randint(1, len(named)))
        return Opt(name, tuple(some), out=self.random.random() < 0.7)

    def acknowledge(self) -> Acknowledge:
        return Acknowledge(self.random.choice([*self.drafts, None, None]))


_CHOICES: Mapping[Callable[[_Author], Act | None], float] = {
    _Author.create: 4,
    _Author.change: 10,
    _Author.vanish: 1.5,
    _Author.break_it: 3,
    _Author.hide: 2,
    _Author.corrupt: 2,
    _Author.mend: 4,
    _Author.choose: 2,
    _Author.restart: 3,
    _Author.suspend: 1,
    _Author.poll: 3,
    _Author.withdraw: 0.5,
    _Author.lag: 2,
    _Author.start_drill: 4,
    _Author.stop_drill: 0.7,
    _Author.opt: 4,
    _Author.acknowledge: 2,
}
_CHANGES: Mapping[Callable[[_Author, _Draft], None], float] = {
    _Author.move_start: 2,
    _Author.shift_start: 2,
    _Author.move_end: 3,
    _Author.end_soon: 2,
    _Author.open: 1,
    _Author.cancel: 2,
    _Author.authorise: 2,
    _Author.flip_test: 1.5,
    _Author.new_sites: 1.5,
    _Author.new_commitments: 1.5,
    _Author.new_metadata: 0.5,
    _Author.write_otherwise: 0.5,
}
_FAULTS: tuple[Mapping[str, object], ...] = (
    {"status": 500},
    {"status": 502, "body": "html"},
    {"status": 401},
    {"status": 403},
    {"status": 403, "body": "html"},
    {"status": 429},
    {"status": 429, "retry_after": "20"},
    {"status": 404, "body": "html"},
    {"redirect": "http://127.0.0.1:1/"},
    {"hang": True},
    {"cut": True},
    {"delay": 4.0},
    {"delay": 9.0},
    {"body": "truncated"},
    {"body": "empty"},
    {"body": "null_dispatches"},
    {"body": "wrong_shape"},
)
_GARBAGE: Mapping[str, tuple[Json, ...]] = {
    "authorized": ("yes", None),
    "test": ("no", 1),
    "start_time": ("soon", 17, "2026-07-15"),
    "end_time": ("late", 17, False, ""),
    "creation_time": ("then",),
    "modification_number": ("two", 1.5),
    "metadata": ([], "x"),
    "sites": (
        [],
        "all",
        [{"id": 7.5}],
        [{"id": "s1", "name": "Site s1", "customer_location_id": ""}, {"id": None}],
    ),
}


def _lasts(act: Act) -> float:
    """Return for how many seconds an act goes on."""
    match act:
        case Suspend(seconds):
            return seconds
        case Restart():
            return act.stopping + act.off + act.starting
    return 0


def _changed(faults: Faults) -> str:
    """Return what is wrong, and nothing else."""
    return ", ".join(
        f"{each.name}={value!r}"
        for each in fields(Faults)
        if (value := getattr(faults, each.name)) != getattr(WELL, each.name)
    )
