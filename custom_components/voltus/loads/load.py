"""What one load is doing, and what to do next about it: decisions, no deeds.

A load is told until it obeys, and again when it has come on by itself. What it reports
soon after a command is its answer; what changes later, and not by us, is somebody's
wish.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, final

from .goals import OFF, STATE, Request, Values, differs, goal, met, obeyed

PAUSES: Final = (timedelta(seconds=10), timedelta(seconds=30), timedelta(seconds=60))
"""How long to wait after the first command, the second, and each later one."""
SETTLING: Final = timedelta(seconds=15)
"""For so long after a command, and after each answer to it, a report is an answer."""
LONGEST_SETTLING: Final = timedelta(seconds=60)
BELIEVED_AFTER: Final = 3
"""Commands, after which a load is believed that reports at once what it is told to be:
it may not have reported yet what it did before."""
FAILS_AFTER: Final = timedelta(minutes=2)
GIVES_UP_AFTER: Final = timedelta(minutes=10)
"""For so long a load is told to come back."""


class Phase(StrEnum):
    """What a load is doing; one that is back is not remembered any more."""

    GOING_DOWN = "going_down"
    DOWN = "down"
    TAKEN_OVER = "taken_over"
    COMING_BACK = "coming_back"


class Cause(StrEnum):
    """Whose doing it is that a load reports something else."""

    COMMAND = "command"
    """Ours."""
    PERSON = "person"
    OTHER = "other"
    """The device's own, a button's, another automation's."""


@final
@dataclass(frozen=True, slots=True)
class Report:
    """What Home Assistant shows of a load.

    `values` are None while nobody knows them; then `reachable` says whether it can be
    told anything.
    """

    values: Values | None
    reachable: bool = True


ABSENT: Final = Report(None, reachable=False)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A load that is held down, or on its way back.

    `scopes` are those who hold it, with what each asks, in the order in which they
    came. `before` is how it was when the first came, None as long as nobody knows, and
    `touched` whether it was ever to be changed. `since` is when what its phase wants
    began to be wanted; on its way back it is told nothing before. `counts` names the
    values that show somebody's wish, `left` is how they were left. `answered` is whether
    it has reported since the last command that it is back.
    """

    scopes: Mapping[str, Request]
    phase: Phase
    since: datetime
    before: Values | None = None
    touched: bool = True
    failed: bool = False
    counts: frozenset[str] = frozenset({STATE})
    left: Values | None = field(default=None, compare=False)
    told: int = field(default=0, compare=False)
    told_at: datetime | None = field(default=None, compare=False)
    settles_at: datetime | None = field(default=None, compare=False)
    answered: bool = field(default=False, compare=False)

    @property
    def goal(self) -> Values:
        """What the load is to be brought to now."""
        if self.phase is not Phase.COMING_BACK:
            return _deepest(self.scopes, self.before)
        before = self.before or {}
        return {name: before[name] for name in sorted(self.counts) if name in before}


def shed(
    load: Load | None, scope: str, request: Request, report: Report, now: datetime
) -> Load:
    """Have a scope hold a load down; nothing changes if it does already."""
    if load is None:
        return _first_shed(scope, request, report.values, now)
    joined = _counting(replace(load, scopes={**load.scopes, scope: request}))
    if load.phase is Phase.COMING_BACK:
        return _begin(joined, Phase.GOING_DOWN, now)
    return _aimed_anew(joined, load.goal, now)


def restore(load: Load, scope: str, begins: datetime) -> Load | None:
    """Have a scope let a load go; it comes back, from `begins` on, if it was the last.

    Return None for a load that was never to be changed, is somebody else's by now, or
    of which nobody knows how it was.
    """
    rest = {name: asked for name, asked in load.scopes.items() if name != scope}
    if rest:
        return _aimed_anew(replace(load, scopes=rest), load.goal, begins)
    if load.phase is Phase.TAKEN_OVER or not load.touched or load.before is None:
        return None
    return _begin(replace(load, scopes={}), Phase.COMING_BACK, begins)


def change(
    load: Load, was: Values | None, values: Values | None, now: datetime, cause: Cause
) -> Load | None:
    """Take in that a load reports something else; None is what nobody knows.

    Return None for a load that somebody has taken over on its way back.
    """
    if values is None or load.phase is Phase.TAKEN_OVER:
        return load
    if load.before is None:
        load = _learn(load, values)
    return _CHANGES[load.phase](load, was, values, now, cause)


def advance(load: Load, report: Report, now: datetime) -> tuple[Load | None, bool]:
    """Do what is due now. Return the load, None once it is back, and whether to tell it.

    A load that has not obeyed for long enough to tell the operator has `failed` set.
    """
    settled = _settled_at(load, report)
    if settled and settled <= now:
        if load.phase is Phase.COMING_BACK:
            return None, False
        return replace(load, phase=Phase.DOWN, left=report.values, failed=False), False
    if load.phase in _UNDER_WAY and now >= load.since + FAILS_AFTER:
        load = replace(load, failed=True)
    command = _next_command(load, report)
    if command is None or now < command:
        return load, False
    return (
        replace(
            load,
            told=load.told + 1,
            told_at=now,
            settles_at=now + SETTLING,
            answered=False,
        ),
        True,
    )


def due(load: Load, report: Report) -> datetime | None:
    """Return when there is something to do next if nothing is reported until then."""
    fails = None
    if load.phase in _UNDER_WAY and not load.failed:
        fails = load.since + FAILS_AFTER
    instants = (_settled_at(load, report), _next_command(load, report), fails)
    return min(filter(None, instants), default=None)


_UNDER_WAY: Final = (Phase.GOING_DOWN, Phase.COMING_BACK)


def _deepest(scopes: Mapping[str, Request], before: Values | None) -> Values:
    """Return the deepest of what is asked: off, else what was asked first."""
    goals = [goal(asked, before) for asked in scopes.values()]
    off = (each for each in goals if each.get(STATE) == OFF)
    return next(off, next(iter(goals), {}))


def _first_shed(
    scope: str, request: Request, before: Values | None, now: datetime
) -> Load:
    load = Load(
        scopes={scope: request}, phase=Phase.GOING_DOWN, since=now, before=before
    )
    return _left_alone_if_met(_counting(load), before)


def _counting(load: Load) -> Load:
    """Have also the values count that the load is to be brought to."""
    return replace(load, counts=load.counts | load.goal.keys())


def _left_alone_if_met(load: Load, values: Values | None) -> Load:
    if values is None or not met(load.goal, values):
        return load
    return replace(load, phase=Phase.DOWN, touched=False, left=values)


def _aimed_anew(load: Load, before: Values, now: datetime) -> Load:
    """Begin to bring a load down once more if it is to be brought elsewhere now."""
    if load.phase is Phase.TAKEN_OVER or load.goal == before:
        return load
    return _begin(replace(load, touched=True), Phase.GOING_DOWN, now)


def _begin(load: Load, phase: Phase, now: datetime) -> Load:
    return replace(
        load,
        phase=phase,
        since=now,
        failed=False,
        told=0,
        told_at=None,
        settles_at=None,
        answered=False,
    )


def _learn(load: Load, values: Values) -> Load:
    """Take the first report of a load for how it was, unless that is our doing."""
    if load.told and obeyed(load.goal, None, values):
        return load
    known = _counting(replace(load, before=values))
    return known if load.told else _left_alone_if_met(known, values)


def _while_going_down(
    load: Load, was: Values | None, values: Values, now: datetime, cause: Cause
) -> Load:
    if load.told and obeyed(load.goal, load.before, values):
        down = replace(load, phase=Phase.DOWN, left=values, failed=False)
        return _answered(down, now)
    # Whatever else a load does that is to be off is no wish: it has not obeyed yet.
    aims = load.goal.keys() - {STATE}
    if load.told and _is_a_wish(load, was, values, aims, now, cause):
        return replace(load, phase=Phase.TAKEN_OVER, failed=False)
    return load


def _while_down(
    load: Load, was: Values | None, values: Values, now: datetime, cause: Cause
) -> Load:
    known = was and load.left
    if _is_a_wish(load, known, values, load.counts, now, cause):
        return replace(load, phase=Phase.TAKEN_OVER)
    if obeyed(load.goal, load.before, values):
        return _answered(replace(load, left=values), now)
    if _settling(load, now):
        return replace(load, phase=Phase.GOING_DOWN)
    # It was out of reach, as after a power cut, and came on: that is nobody's wish.
    return _begin(replace(load, touched=True), Phase.GOING_DOWN, now)


def _while_coming_back(
    load: Load, was: Values | None, values: Values, now: datetime, cause: Cause
) -> Load | None:
    if was is None and now >= load.since:
        return _begin(load, Phase.COMING_BACK, now)
    if load.told and _is_back(load, values):
        return _answered(load, now)
    # Once told, only a person's doing is told apart from a late or partial answer.
    under_way = load.told and now < load.since + GIVES_UP_AFTER
    if (cause is Cause.PERSON or not under_way) and _is_a_wish(
        load, was, values, load.counts, now, cause
    ):
        return None
    return replace(load, answered=False)


_CHANGES: Final = {
    Phase.GOING_DOWN: _while_going_down,
    Phase.DOWN: _while_down,
    Phase.COMING_BACK: _while_coming_back,
}


def _is_a_wish(
    load: Load,
    was: Values | None,
    values: Values,
    names: Iterable[str],
    now: datetime,
    cause: Cause,
) -> bool:
    """Whether somebody wants a load to be like this.

    Within the settling time only a person's own command is; what was out of reach has
    changed by nobody's doing.
    """
    if was is None or cause is Cause.COMMAND:
        return False
    if cause is Cause.OTHER and _settling(load, now):
        return False
    return differs(names, was, values)


def _is_back(load: Load, values: Values) -> bool:
    return obeyed(load.goal, load.left, values)


def _settling(load: Load, now: datetime) -> bool:
    """Whether what the load reports is still its answer to a command."""
    return load.settles_at is not None and now < load.settles_at


def _answered(load: Load, now: datetime) -> Load:
    """Note an answer: devices that report in steps have more to say."""
    if load.told_at is None or not _settling(load, now):
        return replace(load, answered=True)
    longest = load.told_at + LONGEST_SETTLING
    return replace(load, answered=True, settles_at=min(now + SETTLING, longest))


def _settled_at(load: Load, report: Report) -> datetime | None:
    """Return from when on a load is believed that reports what it was told to be.

    None if it does not. One that has changed to it is believed once it has settled.
    """
    if load.phase not in _UNDER_WAY or report.values is None or not load.goal:
        return None
    believed = load.answered or load.told >= BELIEVED_AFTER
    start = load.before if load.phase is Phase.GOING_DOWN else load.left
    return (
        load.settles_at
        if believed and obeyed(load.goal, start, report.values)
        else None
    )


def _next_command(load: Load, report: Report) -> datetime | None:
    if load.phase not in _UNDER_WAY or not report.reachable or not load.goal:
        return None
    if load.told_at is None:
        return load.since
    if _settled_at(load, report):
        return None
    instant = load.told_at + PAUSES[min(load.told, len(PAUSES)) - 1]
    if load.phase is Phase.COMING_BACK and instant >= load.since + GIVES_UP_AFTER:
        return None
    return instant
