"""What a measurement says: figures, each beside its baseline and its goal."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, final


@final
@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value, its unit, and what it is compared with in the same unit."""

    what: str
    measured: float
    unit: str
    baseline: float | None = None
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        """The measured value as a multiple of its baseline."""
        return self.measured / self.baseline if self.baseline else None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        return None if self.goal is None else self.goal.reached(self)


@final
@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure is to reach, in words and as a test."""

    text: str
    reached: Callable[[Figure], bool]


class Result(Protocol):
    """What a measurement returns, whatever else it holds for the plot."""

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Return the rows of the table."""


def at_most(limit: float, unit: str) -> Goal:
    """Be no more than so much."""
    return Goal(f"≤ {limit:g} {unit}", lambda figure: figure.measured <= limit)


def above_at_most(limit: float, unit: str) -> Goal:
    """Be no more than so much above the baseline."""
    return Goal(
        f"≤ {limit:g} {unit} above",
        lambda figure: figure.measured - (figure.baseline or 0) <= limit,
    )


def ratio_at_most(limit: float) -> Goal:
    """Be no more than so many times the baseline."""
    text = f"ratio ≤ {limit:g}" if limit >= 1 else f"ratio ≤ 1/{1 / limit:g}"
    return Goal(text, lambda figure: (figure.ratio or 0) <= limit)
