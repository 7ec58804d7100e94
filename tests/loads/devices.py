"""Devices as they behave in the world, for the decisions alone: no Home Assistant."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from custom_components.voltus.aiovoltus.models import Json
from custom_components.voltus.loads.goals import STATE, Request, Values
from custom_components.voltus.loads.load import (
    ABSENT,
    Cause,
    Load,
    Phase,
    Report,
    advance,
    change,
    due,
    restore,
    shed,
)
from tests.builders import NOON

SECOND = timedelta(seconds=1)


@dataclass
class Device:
    """What a load really does, and what is shown of it.

    Of the commands to come, `lost` are lost; the others are answered `slow` seconds
    late. While it is not `there`, nothing reaches it and nothing is shown.
    """

    values: dict[str, Json]
    lost: int = 0
    slow: int = 0
    there: bool = True
    commands: list[tuple[datetime, dict[str, Json]]] = field(default_factory=list)


@dataclass
class Simulation:
    """One load, one device, and the seconds that pass."""

    device: Device
    now: datetime = NOON
    load: Load | None = None
    shown: Report = ABSENT
    phases: list[Phase | None] = field(default_factory=list)
    answers: list[tuple[datetime, Values, Cause]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Show the device as it is."""
        self.shown = self._report()

    @property
    def phase(self) -> Phase | None:
        """What the load is doing; None if it is not remembered."""
        return self.load and self.load.phase

    def _report(self) -> Report:
        return Report(dict(self.device.values)) if self.device.there else ABSENT

    def shed(self, request: Request, scope: str = "shed") -> None:
        """Have a scope hold the load down."""
        self.load = shed(self.load, scope, request, self.shown, self.now)
        self._advance()

    def restore(self, scope: str = "shed", after: int = 0) -> None:
        """Have a scope let the load go."""
        if self.load and scope in self.load.scopes:
            self.load = restore(self.load, scope, self.now + after * SECOND)
            self._advance()

    def restart(self) -> None:
        """Forget all that does not outlive a restart; nothing is shown at first."""
        if self.load:
            self.load = Load(
                scopes=self.load.scopes,
                phase=self.load.phase,
                since=self.load.since,
                before=self.load.before,
                touched=self.load.touched,
                failed=self.load.failed,
                counts=self.load.counts,
            )
        self.answers.clear()
        self.shown = ABSENT
        self.show()

    def by_hand(self, **values: Json) -> None:
        """Have a person change the device, by Home Assistant."""
        self.device.values |= values
        self.show(Cause.PERSON)

    def by_itself(self, **values: Json) -> None:
        """Have the device, or somebody at it, change it."""
        self.device.values |= values
        self.show()

    def reach(self, *, there: bool) -> None:
        """Have the device drop out, or come back."""
        self.device.there = there
        self.show()

    def show(self, cause: Cause = Cause.OTHER) -> None:
        """Show the device as it is."""
        was, self.shown = self.shown, self._report()
        if self.load and was != self.shown:
            self.load = change(
                self.load, was.values, self.shown.values, self.now, cause
            )
        self._advance()

    def wait(self, seconds: int) -> None:
        """Let seconds pass; each time something is due it is done."""
        for _ in range(seconds):
            self.now += SECOND
            self._answer()
            if self.load:
                instant = due(self.load, self.shown)
                if instant and instant <= self.now:
                    self._advance()
            self.phases.append(self.phase)

    def _advance(self) -> None:
        if self.load is None:
            return
        self.load, told = advance(self.load, self.shown, self.now)
        if told and self.load:
            self._tell(self.load)

    def _tell(self, load: Load) -> None:
        coming = load.phase is Phase.COMING_BACK
        aim = dict(load.before if coming and load.before else load.goal)
        self.device.commands.append((self.now, aim))
        if self.device.lost or not self.device.there:
            self.device.lost = max(0, self.device.lost - 1)
            return
        at = self.now + self.device.slow * SECOND
        self.answers.append((at, aim, Cause.COMMAND))
        self._answer()

    def _answer(self) -> None:
        for answer in [each for each in self.answers if each[0] <= self.now]:
            self.answers.remove(answer)
            self.device.values |= answer[1]
            # What comes late comes without the context of the command.
            self.show(Cause.OTHER if self.device.slow > 5 else answer[2])


def switch(state: str = "on", *, lost: int = 0, slow: int = 0) -> Simulation:
    """Return a switch."""
    return Simulation(Device({STATE: state}, lost, slow))


def thermostat(mode: str = "cool", **values: Json) -> Simulation:
    """Return a thermostat with steps of half a degree."""
    aims = {
        "temperature": 22.0,
        "min_temp": 10,
        "max_temp": 30,
        "target_temp_step": 0.5,
    }
    return Simulation(Device({STATE: mode, **aims, **values}))
