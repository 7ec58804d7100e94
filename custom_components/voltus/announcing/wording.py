"""How instants, amounts and names are put for people."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from homeassistant.util.dt import as_local

# Beyond these an instant is no date in every time zone, or has no day after it.
EARLIEST = datetime.min.replace(tzinfo=UTC) + timedelta(days=2)
LATEST = datetime.max.replace(tzinfo=UTC) - timedelta(days=2)


def showable(instant: datetime) -> datetime:
    """Return the instant, or the nearest that has a date in every time zone."""
    return min(max(instant, EARLIEST), LATEST)


def moment(instant: datetime, beside: datetime) -> str:
    """Return the local time, with its date unless that is the one of `beside`."""
    local, other = as_local(showable(instant)), as_local(showable(beside))
    date = "" if local.date() == other.date() else f"{local:%Y-%m-%d} "
    return date + f"{local:%H:%M:%S}".removesuffix(":00")


def kilowatts(amount: float) -> str:
    """Return an amount in kW, with one decimal unless it is a whole one."""
    return f"{amount:.1f}".removesuffix(".0") + " kW"


def listed(names: Sequence[str]) -> str:
    """Return the names if they are few, else the first and how many more there are."""
    if len(names) <= 2:
        return " and ".join(names)
    return f"{names[0]} and {len(names) - 1} more"
