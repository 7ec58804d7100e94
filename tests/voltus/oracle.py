"""What ought to happen, reckoned naively from the answers that were taken in.

Written from the rules of dispatches alone: it shares no code with what it judges, keeps
no plan of what comes next, and looks at every dispatch again whenever it is asked.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta

type Wire = Mapping[str, object]
type Site = tuple[str, str, float | None]  # name, location, kW
type Turn = tuple[str, frozenset[str], bool]  # which way, sites, and the account too?

SECOND = timedelta(seconds=1)
NEVER = datetime.max.replace(tzinfo=UTC)
OVER = ("ended", "cancelled")
PHASES = ("idle", "scheduled", "preparing", "active")
PREPARING = 2
RANK = {"ended": 0, "cancelled": 0, "scheduled": 1, "active": 2}


@dataclass(frozen=True)
class Version:
    """What one dispatch says; two are equal if their content is."""

    authorized: bool
    test: bool
    start_time: datetime
    end_time: datetime | None
    creation_time: datetime | None
    modification_number: int | None
    program: object
    sites: Mapping[str, Site]
    metadata: object
    withdrawn: bool = False
    drill: bool = False

    def is_older_than(self, other: Version) -> bool:
        """Whether it has a lower number; without one nobody can tell."""
        mine, theirs = self.modification_number, other.modification_number
        return mine is not None and theirs is not None and mine < theirs

    def status(self, now: datetime) -> str:
        """Return one of scheduled, active, ended and cancelled."""
        if not self.authorized or self.withdrawn:
            return "cancelled"
        if self.end_time and self.end_time <= max(now, self.start_time):
            return "ended"
        return "active" if self.start_time <= now else "scheduled"


@dataclass
class Known:
    """A dispatch, since when it is like this, and how we know."""

    version: Version
    received: datetime
    asked: int
    contact: datetime
    first_missing: datetime | None = None
    gone: bool = False
    older_since: datetime | None = (
        None  # an older version is answered, and not believed
    )


@dataclass(frozen=True)
class Options:
    """What the operator has chosen."""

    lead_time: timedelta = timedelta(0)
    act_on_test: bool = False
    offline_hold: timedelta = timedelta(hours=4)
    ignored_sites: frozenset[str] = frozenset()
    poll_interval: timedelta = timedelta(seconds=30)

    def lead(self, version: Version) -> datetime:
        """Return when a dispatch begins to curtail."""
        return version.start_time - self.lead_time


@dataclass(frozen=True)
class Drill:
    """What the operator has asked to rehearse, at these sites, from T on."""

    name: str
    pattern: str
    sites: Mapping[str, Site]
    begin: datetime
    length: timedelta

    def versions(self, now: datetime) -> dict[str, list[tuple[datetime, Version]]]:
        """Return by dispatch every version, and from when on it counts."""
        begin, end = self.begin, self._after(1)
        told = self._version(begin, end, now)
        opened = self._version(begin, None, now)
        closed = replace(told, modification_number=1)
        if self.pattern == "basic":
            return {self.name: [(now, told)]}
        if self.pattern == "cancelled":
            later = self._version(end, self._after(2), now)
            off = replace(later, modification_number=1, authorized=False)
            return {self.name: [(now, later), (self._after(0.5), off)]}
        played = {self.name: [(now, opened), (end, closed)]}
        if self.pattern == "two_dispatches":
            first, last = self._after(1.25), self._after(2.25)
            second = self._version(first, None, first)
            over = replace(second, end_time=last, modification_number=1)
            played[f"{self.name}-2"] = [(first, second), (last, over)]
        return played

    def _after(self, lengths: float) -> datetime:
        return (self.begin + lengths * self.length).replace(microsecond=0)

    def _version(
        self, start: datetime, end: datetime | None, created: datetime
    ) -> Version:
        return Version(
            authorized=True,
            test=False,
            start_time=start,
            end_time=end,
            creation_time=created,
            modification_number=0,
            program=None,
            sites=self.sites,
            metadata=None,
            drill=True,
        )


@dataclass(frozen=True)
class Window:
    """For how long one dispatch calls on one site."""

    begin: datetime
    start: datetime
    end: datetime
    id: str
    amount: float | None


@dataclass(frozen=True)
class Truth:
    """What a site or the account has to show; `commitments` are all that will do."""

    phase: str
    commitments: frozenset[float | None]
    next_start: datetime | None
    end: datetime | None
    by_dispatch: Mapping[str, float | None] | None

    @property
    def curtail(self) -> bool:
        """Whether the load has to be down."""
        return self.phase in ("preparing", "active")


@dataclass(frozen=True)
class Telling:
    """One event that has to be told, in the look of this `rank` and `moment`."""

    type: str
    dispatch_id: str
    status: str
    actionable: bool
    late: float | None
    delay: float
    curtail: Mapping[str, bool]
    changed: frozenset[str]
    missed: bool | None
    reason: str | None
    number: int  # of this type and dispatch: told again after a crash, it keeps its id
    content: str  # of an update, or the instant of a start or end: another one by that
    order: tuple[int, datetime | None]
    look: int


@dataclass
class Oracle:
    """The history so far, and all that follows from it."""

    production: bool
    options: Options = field(default_factory=Options)
    announcing: bool = False
    known: dict[str, Known] = field(default_factory=dict)
    listed: int = 0
    told: dict[str, tuple[Version, str]] | None = None
    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    curtailing: frozenset[str] = frozenset()
    looks: int = 0
    sites: set[str] = field(default_factory=set)
    wanted: list[str] = field(default_factory=list)
    expected: list[Telling] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    phases: Mapping[str, int] | None = None
    drills: dict[str, list[tuple[datetime, Version]]] = field(default_factory=dict)
    drilled: Mapping[str, Version] = field(default_factory=dict)
    opted_out: set[tuple[str, str]] = field(default_factory=set)
    seen: dict[tuple[str, str], tuple[object, object, float | None]] = field(
        default_factory=dict
    )

    # What outlives a crash

    def memory(self) -> Oracle:
        """Return what would be on the disk now."""
        kept = replace(self, expected=[], turns=[], wanted=[], announcing=False)
        kept.known = {i: replace(each) for i, each in self.known.items()}
        kept.sites = set(self.sites)
        kept.drills = {i: list(each) for i, each in self.drills.items()}
        kept.opted_out, kept.seen = set(self.opted_out), dict(self.seen)
        return kept

    def recall(self, memory: Oracle) -> None:
        """Go on from what was on the disk."""
        self.known = deepcopy(memory.known)
        self.phases = None
        self.drills = {i: list(each) for i, each in memory.drills.items()}
        self.opted_out, self.seen = set(memory.opted_out), dict(memory.seen)
        for each in self.known.values():
            each.older_since = None
        self.listed, self.told, self.counts, self.curtailing, self.sites = (
            memory.listed,
            memory.told,
            memory.counts,
            memory.curtailing,
            set(memory.sites),
        )
        self.wanted = []

    def lasting(self) -> Mapping[str, object]:
        """Return what has to be on the disk as soon as it has changed."""
        return {
            "sites": self.sites,
            "known": {i: each.version for i, each in self.known.items()},
            "missing": {i for i, e in self.known.items() if e.first_missing},
            "gone": {i for i, each in self.known.items() if each.gone},
            "told": self.told,
            "counts": self.counts,
            "curtailing": self.curtailing,
            "drills": self.drills,
            "opted_out": self.opted_out,
            "seen": self.seen,
        }

    # Answers

    def take_list(self, asked: int, payload: object, now: datetime) -> None:
        """Take in an answer to `GET /dispatches`; anything but a list is an outage."""
        items = payload.get("dispatches") if isinstance(payload, dict) else None
        if not isinstance(items, list):
            return
        seen = {
            dispatch_id
            for item in items
            if (dispatch_id := self._take(asked, item, now)) is not None
        }
        self.listed = asked
        for dispatch_id in self.known.keys() - seen:
            self.known[dispatch_id].older_since = None
        self.wanted = [
            dispatch_id
            for dispatch_id, each in self.known.items()
            if dispatch_id not in seen and each.version.status(now) not in OVER
        ]

    def take_found(self, asked: int, item: object, now: datetime) -> None:
        """Take in a 200 to `GET /dispatches/{id}`."""
        self._take(asked, item, now)

    def take_missing(self, asked: int, dispatch_id: str, now: datetime) -> None:
        """Take in a 404 to `GET /dispatches/{id}`: two of them mean that it is gone."""
        each = self.known[dispatch_id]
        if each.asked > asked or each.gone:
            return
        if each.first_missing is None:
            each.first_missing = now
            return
        if self.production and now - each.first_missing < 60 * SECOND:
            return
        each.gone = True
        each.contact = each.first_missing
        begun = each.version.start_time - self.options.lead_time <= now
        if not (begun and self.production):
            self.withdraw(dispatch_id, now)

    def withdraw(self, dispatch_id: str, now: datetime) -> None:
        """Hold a dispatch for off, by absence or upon the operator's word."""
        each = self.known[dispatch_id]
        each.version = replace(each.version, withdrawn=True)
        each.received = now

    def take_sites(self, payload: object) -> None:
        """Take in an answer to `GET /sites`."""
        items = payload.get("sites") if isinstance(payload, dict) else None
        self.sites |= {item["id"] for item in items or ()}

    def _take(self, asked: int, item: object, now: datetime) -> str | None:
        if not isinstance(item, dict) or not isinstance(item.get("id"), str):
            return None
        dispatch_id: str = item["id"]
        last = self.known.get(dispatch_id)
        version = read(item, last.version if last else None)
        if version is None:
            return None
        if last and last.asked > asked:
            return dispatch_id
        if last and version.is_older_than(last.version):
            since = min(last.older_since or now, now)
            if now - since < self.options.poll_interval - SECOND:
                self.known[dispatch_id] = Known(
                    last.version, last.received, asked, now, older_since=since
                )
                return dispatch_id
        received = last.received if last and last.version == version else now
        self.known[dispatch_id] = Known(version, received, asked, now)
        if version.status(now) not in OVER:
            self.sites |= version.sites.keys()
        return dispatch_id

    # What the operator says

    def start_drill(self, drill: Drill, now: datetime) -> bool:
        """Begin a drill unless something stands against it. Return whether it is on."""
        sites = drill.sites.keys()
        begin = max(now, drill.begin - self.options.lead_time)
        if (
            not sites
            or sites - (self.sites - self.options.ignored_sites)
            or any(not over for over in self._drills_over(now).values())
            or any(self.site(site, begin, drills=False).curtail for site in sites)
        ):
            return False
        self.drills |= drill.versions(now)
        return True

    def stop_drills(self, now: datetime) -> None:
        """End what is rehearsed now, cancel what is to be, and forget what would come."""
        over = self._drills_over(now)
        for dispatch_id, versions in list(self.drills.items()):
            out = [each for each in versions if each[0] <= now]
            if not out:
                del self.drills[dispatch_id]
                continue
            version = out[-1][1]
            number = (version.modification_number or 0) + 1
            if version.start_time < now:
                last = replace(version, end_time=now, modification_number=number)
            else:
                last = replace(version, authorized=False, modification_number=number)
            self.drills[dispatch_id] = [
                *out,
                *([] if over[dispatch_id] else [(now, last)]),
            ]

    def _drills_over(self, now: datetime) -> dict[str, bool]:
        published = self._published(now)
        return {
            dispatch_id: published.get(dispatch_id, versions[0][1]).status(now) in OVER
            for dispatch_id, versions in self.drills.items()
        }

    def _published(self, now: datetime) -> dict[str, Version]:
        return {
            dispatch_id: out[-1]
            for dispatch_id, versions in self.drills.items()
            if (out := [version for since, version in versions if since <= now])
        }

    def _gives_way(self, now: datetime) -> bool:
        """Whether a drill has begun where a real dispatch curtails."""
        published = self._published(now)
        return any(
            self.site(site, now, drills=False).curtail
            for dispatch_id, versions in self.drills.items()
            for version in [published.get(dispatch_id, versions[0][1])]
            if version.status(now) not in OVER and self.options.lead(version) <= now
            for site in version.sites
        )

    def opt(self, dispatch_id: str, sites: Iterable[str], *, out: bool) -> None:
        """Let go of sites of a dispatch by hand, or take that back."""
        pairs = {(dispatch_id, site) for site in sites}
        self.opted_out = self.opted_out | pairs if out else self.opted_out - pairs

    def acknowledge(self, dispatch_id: str | None, now: datetime) -> None:
        """Note that somebody has seen a dispatch, or (None) all that wait for it."""
        for site in self._called(now):
            for each in self.pending(site, now):
                if dispatch_id in (None, each):
                    version = self.everything(now)[each].version
                    self.seen[each, site] = _asked(version, site)

    def pending(self, site: str, now: datetime) -> set[str]:
        """Return what calls on a site, now or later, and nobody has seen like this."""
        waiting = set()
        for window in self.windows(site, now):
            version = self.everything(now)[window.id].version
            start, end, amount = _asked(version, site)
            seen = self.seen.get((window.id, site))
            covered = seen and seen[:2] == (start, end) and _no_more(amount, seen[2])
            if window.end > now and not covered:
                waiting.add(window.id)
        return waiting

    def let_go(self, site: str, now: datetime) -> set[str]:
        """Return what would call on a site, now or later, but for the operator."""
        if site in self.options.ignored_sites:
            return set()
        return {
            dispatch_id
            for dispatch_id, each in self.everything(now).items()
            if (dispatch_id, site) in self.opted_out
            and each.version.status(now) not in OVER
        }

    def heed(self, now: datetime) -> None:
        """Have drills give way, and forget what was said of what is not called on."""
        if self._gives_way(now):
            self.stop_drills(now)
        named = {
            (dispatch_id, site)
            for dispatch_id, each in self.everything(now).items()
            for site in each.version.sites
        }
        self.opted_out = self.opted_out & named
        self.seen = {pair: each for pair, each in self.seen.items() if pair in named}

    # What is asked of everyone

    def everything(self, now: datetime, *, drills: bool = True) -> dict[str, Known]:
        """Return all dispatches as they are known, drills among them."""
        ours = self._published(now) if drills else {}
        received = {
            i: max(since for since, _ in self.drills[i] if since <= now) for i in ours
        }
        return {
            i: Known(version, received[i], 0, NEVER) for i, version in ours.items()
        } | self.known

    def calls_on(self, dispatch_id: str, version: Version) -> set[str]:
        """Return the sites that a dispatch may curtail."""
        if version.test and not self.options.act_on_test:
            return set()
        return {
            site
            for site in version.sites.keys() - self.options.ignored_sites
            if (dispatch_id, site) not in self.opted_out
        }

    def believed(self, dispatch_id: str) -> datetime:
        """Return until when a dispatch is believed without another word of it."""
        if dispatch_id not in self.known:
            return NEVER  # a drill needs no word
        each = self.known[dispatch_id]
        if each.version.end_time:
            return NEVER
        return max(each.version.start_time, each.contact) + self.options.offline_hold

    def released(self, now: datetime) -> list[str]:
        """Return the open-ended dispatches that are active, but believed no more."""
        return [i for i in self.active(now) if self.believed(i) <= now]

    def active(self, now: datetime) -> list[str]:
        """Return what is active by Voltus' own word, and ours of drills."""
        return [
            dispatch_id
            for dispatch_id, each in self.everything(now).items()
            if each.version.status(now) == "active"
        ]

    def held(self, now: datetime) -> list[str]:
        """Return what is obeyed though Voltus knows it no more."""
        return [
            dispatch_id
            for dispatch_id, each in self.known.items()
            if each.gone and each.version.status(now) not in OVER
        ]

    def windows(self, site: str, now: datetime, *, drills: bool = True) -> list[Window]:
        """Return every window in which the site is called on, past ones included."""
        return [
            Window(
                each.version.start_time - self.options.lead_time,
                each.version.start_time,
                each.version.end_time or NEVER,
                dispatch_id,
                each.version.sites[site][2],
            )
            for dispatch_id, each in self.everything(now, drills=drills).items()
            if each.version.authorized
            and not each.version.withdrawn
            and (each.version.end_time or NEVER) > each.version.start_time
            and self.believed(dispatch_id) > now
            and site in self.calls_on(dispatch_id, each.version)
        ]

    def site(self, site: str, now: datetime, *, drills: bool = True) -> Truth:
        """Return what one site has to show, with drills or as if there were none."""
        windows = self.windows(site, now, drills=drills)
        end = _merged_end(windows, now)
        holding = {w.id: w.amount for w in windows if w.begin <= now < w.end}
        to_come = [w for w in windows if w.begin > now]
        commitments: frozenset[float | None]
        if holding:
            amounts = [amount for amount in holding.values() if amount is not None]
            unstated = len(amounts) < len(holding)
            commitments = frozenset({None if unstated else max(amounts)})
        elif end:  # a pause of less than a second
            commitments = frozenset(w.amount for w in to_come if w.begin < now + SECOND)
        else:
            commitments = frozenset({0.0})
        if any(w.start <= now < w.end for w in windows):
            phase = "active"
        elif end:
            phase = "preparing"
        else:
            phase = "scheduled" if to_come else "idle"
        return Truth(
            phase,
            commitments,
            min((w.start for w in windows if w.start > now), default=None),
            None if end == NEVER else end,
            holding if holding or not end else None,
        )

    def account(self, now: datetime) -> Truth:
        """Return what the account has to show: the union of its sites."""
        sites = {site: self.site(site, now) for site in self._called(now)}
        phases = {truth.phase for truth in sites.values()}
        phase = next(
            (p for p in ("active", "preparing", "scheduled") if p in phases), "idle"
        )
        pause = any(truth.by_dispatch is None for truth in sites.values())
        sums: dict[str, float | None] = {}
        for truth in sites.values():
            for dispatch_id, amount in (truth.by_dispatch or {}).items():
                sums[dispatch_id] = _plus(sums.get(dispatch_id, 0.0), amount)
        commitment: float | None = 0.0
        for truth in sites.values():
            commitment = _plus(commitment, next(iter(truth.commitments)))
        starts = [t.next_start for t in sites.values() if t.next_start]
        return Truth(
            phase,
            frozenset() if pause else frozenset({commitment}),
            min(starts, default=None),
            self._account_end(now),
            None if pause else sums,
        )

    def _called(self, now: datetime) -> set[str]:
        known = self.everything(now).values()
        return {site for each in known for site in each.version.sites}

    def _account_end(self, now: datetime) -> datetime | None:
        """Return when first no site curtails: from end to end while another one does."""
        end = None
        windows = [self.windows(site, now) for site in self._called(now)]
        instant = now
        while ends := [e for each in windows if (e := _merged_end(each, instant))]:
            instant = end = max(ends)
            if end == NEVER:
                return None
        return end

    def boundaries(self, now: datetime) -> set[datetime]:
        """Return all instants to come at which time alone may change something."""
        found = {since for each in self.drills.values() for since, _ in each}
        for dispatch_id, each in self.everything(now).items():
            start, end = each.version.start_time, each.version.end_time
            found |= {start, start - self.options.lead_time}
            found.add(end or self.believed(dispatch_id))
        return {instant for instant in found if now < instant < NEVER}

    # What has to be told

    def waits(self, now: datetime) -> bool:
        """Whether time lets sites go, and does nothing else: an answer may come first."""
        before, after = self.phases or {}, self._phases(now)
        let_go = {s for s in before if before[s] >= PREPARING > after.get(s, 0)}
        rises = any(after[site] > before.get(site, 0) for site in after)
        if self._gives_way(now) or self._published(now) != self.drilled:
            return False
        return not rises and any(
            each.version.end_time
            and each.version.end_time <= now < each.version.end_time + SECOND
            and each.version.sites.keys() & let_go
            for each in self.everything(now).values()
            if each.version.status(now) == "ended"
        )

    def _phases(self, now: datetime) -> dict[str, int]:
        return {site: PHASES.index(self.site(site, now).phase) for site in self.sites}

    def look(self, now: datetime) -> None:
        """Note what has to be told at this instant, in the order of telling."""
        self.heed(now)
        self.phases, self.drilled = self._phases(now), self._published(now)
        if not self.announcing:
            return
        self.looks += 1
        told, tellings = self.told or {}, []
        known = self.everything(now)
        for dispatch_id, each in known.items():
            was = told.get(dispatch_id)
            tellings += [
                self._telling(kind, dispatch_id, was, now)
                for kind in self._kinds(was, each.version, now)
            ]
        # Stable: what is told of one dispatch stays in its order.
        tellings.sort(key=lambda telling: telling.order[0])
        self.expected += tellings
        for telling in tellings:
            name = telling.dispatch_id, telling.type
            self.counts = {**self.counts, name: telling.number + 1}
        if tellings or self.told is None:
            self.told = {
                dispatch_id: (each.version, each.version.status(now))
                for dispatch_id, each in known.items()
            }
        self._turn(now)

    def _turn(self, now: datetime) -> None:
        """Note which sites begin or cease to curtail, for those who wait for that."""
        before = self.curtailing
        after = frozenset(s for s in self._called(now) if self.site(s, now).curtail)
        if before - after:
            self.turns.append(("curtailment_ended", before - after, not after))
        if after - before:
            self.turns.append(("curtailment_started", after - before, not before))
        self.curtailing = after

    def _kinds(
        self, was: tuple[Version, str] | None, version: Version, now: datetime
    ) -> Iterable[str]:
        to = version.status(now)
        if was is None:
            if to not in OVER:
                yield "created"
            elif self.told is not None:
                yield to
            if to == "active":
                yield "started"
            return
        before, came_from = was
        if came_from in OVER and to in OVER:
            return
        differs = before != version
        if differs and to != "cancelled":
            yield "updated"
        course = ["scheduled", "active", "ended"]
        by_time = came_from in course[: course.index(to)] if to in course else False
        if to not in (came_from, "scheduled") and (differs or by_time):
            yield "started" if to == "active" else to

    def _telling(
        self,
        kind: str,
        dispatch_id: str,
        was: tuple[Version, str] | None,
        now: datetime,
    ) -> Telling:
        each = self.everything(now)[dispatch_id]
        version = each.version
        moment = {
            "created": version.creation_time,
            "started": version.start_time,
            "ended": version.end_time,
        }.get(kind)
        either = [version]
        if was and kind in ("updated", "ended", "cancelled"):
            either.append(was[0])
        to = version.status(now)
        return Telling(
            type=kind,
            dispatch_id=dispatch_id,
            status=to,
            actionable=any(self.calls_on(dispatch_id, each) for each in either),
            late=_seconds(now - moment) if moment else None,
            delay=_seconds(now - max(moment or each.received, each.received)),
            curtail={site: self.site(site, now).curtail for site in version.sites},
            changed=_differences(was[0], version)
            if was and kind == "updated"
            else frozenset(),
            missed=(was is None or was[1] != "active") if kind == "ended" else None,
            reason=("withdrawn" if version.withdrawn else "unauthorized")
            if kind == "cancelled"
            else None,
            number=self.counts.get((dispatch_id, kind), 0),
            content={
                "updated": _content(version),
                "started": repr(moment),
                "ended": repr(moment),
            }.get(kind, ""),
            order=(RANK[to], moment if kind in ("started", "ended") else None),
            look=self.looks,
        )


# Reading


def read(item: Wire, last: Version | None) -> Version | None:
    """Read a dispatch; what is unreadable stays as it was."""
    authorized, test = item.get("authorized"), item.get("test")
    start = time(item.get("start_time"))
    if not isinstance(authorized, bool):
        authorized = last.authorized if last else None
    if not isinstance(test, bool):
        test = last.test if last else False
    if start is None:
        start = last.start_time if last else None
    end = time(item.get("end_time"))
    if end is None and item.get("end_time") not in (None, ""):
        end = last.end_time if last else None
    sites = _sites(item.get("sites"), last.sites if last else {})
    if authorized is None or start is None or not sites:
        return None
    number = item.get("modification_number")
    if not isinstance(number, int | None):
        number = last.modification_number if last else None
    created = time(item.get("creation_time"))
    if created is None and item.get("creation_time") is not None:
        created = last.creation_time if last else None
    program, metadata = item.get("program"), item.get("metadata")
    if not isinstance(program, dict | None):
        program = last.program if last else None
    if not isinstance(metadata, dict | None):
        metadata = last.metadata if last else None
    return Version(
        authorized=authorized,
        test=test,
        start_time=start,
        end_time=end,
        creation_time=created,
        modification_number=number,
        program=program,
        sites=sites,
        metadata=metadata,
    )


def time(value: object) -> datetime | None:
    """Read a time with a zone, None for anything else."""
    try:
        read = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return read.astimezone(UTC) if read.tzinfo else None


def _sites(items: object, last: Mapping[str, Site]) -> Mapping[str, Site]:
    if not isinstance(items, list) or not items:
        return last
    sites = {}
    complete = True
    for item in items:
        if isinstance(item, dict) and isinstance(item.get("id"), str):
            amount = _amount(item.get("commitment"))
            if amount is None:
                amount = _amount(item.get("drop_by"))
            sites[item["id"]] = item["name"], item["customer_location_id"], amount
        else:
            complete = False
    return sites if complete else {**last, **sites}


def _amount(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    return float(value)


# Little helpers


def _merged_end(windows: Iterable[Window], now: datetime) -> datetime | None:
    """Return the end of the merged window that `now` lies in, None if in none."""
    begin = end = None
    for window in sorted(windows, key=lambda w: w.begin):
        if begin is None or end is None or window.begin - end >= SECOND:
            if begin and end and begin <= now < end:
                return end
            begin, end = window.begin, window.end
        end = max(end, window.end)
    return end if begin and end and begin <= now < end else None


def _asked(version: Version, site: str) -> tuple[object, object, float | None]:
    return version.start_time, version.end_time, version.sites[site][2]


def _no_more(amount: float | None, seen: float | None) -> bool:
    return seen is None or (amount is not None and amount <= seen)


def _content(version: Version) -> str:
    """Return what Voltus says; in whatever order it names the sites."""
    sites = dict(sorted(version.sites.items()))
    return repr(replace(version, sites=sites, withdrawn=False))


def _differences(before: Version, after: Version) -> frozenset[str]:
    return frozenset(
        each.name
        for each in fields(Version)
        if getattr(before, each.name) != getattr(after, each.name)
    )


def _plus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _seconds(span: timedelta) -> float:
    return round(span.total_seconds(), 3)
