"""Which entity stands for which of Voltus' meters, and what it shows, in kW or kWh."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import (
    ATTR_UNIT_OF_MEASUREMENT,
    UnitOfEnergy,
    UnitOfPower,
)
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.util.unit_conversion import EnergyConverter, PowerConverter

from ..metering.intervals import LONGEST, Reading, Row, counter_rows, power_rows

SUBENTRY: Final = "meter"
CONF_METER_ID: Final = "meter_id"
CONF_SOURCE: Final = "entity_id"
CONF_CHARGE: Final = "state_of_charge"
CONF_INTERVAL: Final = "interval"
CONF_INVERT: Final = "invert"
CONF_COUNTS: Final = "counts"
COARSE_KW: Final = 1.0
COARSE_SHARE: Final = 0.05
"""Steps of a counter that are larger than one of these say little of a load."""
INTERVALS: Final = (30, 60, 300)
"""Seconds; Voltus takes no finer and no longer ones."""


@final
@dataclass(frozen=True, slots=True)
class MappedMeter:
    """A meter of Voltus' and the entities that measure it.

    `counts` is whether the entity is a counter of energy rather than a power; `charge`
    is the entity with the state of charge of a battery. Positive is what the site takes,
    unless it is to be `inverted`. `name` is what the operator reads.
    """

    meter_id: str
    name: str
    source: str
    counts: bool
    interval: timedelta
    inverted: bool = False
    charge: str | None = None

    @property
    def entity_ids(self) -> tuple[str, ...]:
        """The entities to follow."""
        return (self.source,) if self.charge is None else (self.source, self.charge)


def mapped_meters(hass: HomeAssistant, entry: ConfigEntry) -> Iterator[MappedMeter]:
    """Return what the operator has mapped."""
    for subentry in entry.subentries.values():
        if subentry.subentry_type == SUBENTRY:
            data = subentry.data
            charge = data.get(CONF_CHARGE)
            yield MappedMeter(
                meter_id=data[CONF_METER_ID],
                name=subentry.title,
                source=entity_id_of(hass, data[CONF_SOURCE]),
                counts=data[CONF_COUNTS],
                interval=timedelta(seconds=int(data[CONF_INTERVAL])),
                inverted=data[CONF_INVERT],
                charge=charge and entity_id_of(hass, charge),
            )


def rows_of(
    meter: MappedMeter,
    readings: Sequence[Reading],
    length: timedelta,
    since: datetime,
    until: datetime,
) -> list[Row]:
    """Return what a meter measured in each whole interval, in kW, positive what is taken."""
    make = counter_rows if meter.counts else power_rows
    rows = make(readings, length, since, until)
    if not meter.inverted:
        return rows
    return [replace(each, value=-each.value) for each in rows]


def entity_id_of(hass: HomeAssistant, stored: str) -> str:
    """Return the entity id of what was stored: its registry id, or itself."""
    found = er.async_get(hass).async_get(stored)
    return found.entity_id if found else stored


def stored_id(hass: HomeAssistant, entity_id: str) -> str:
    """Return what to store of an entity, so that renaming it does no harm."""
    found = er.async_get(hass).async_get(entity_id)
    return found.id if found else entity_id


def counts(state: State) -> bool | None:
    """Whether a state is of a counter of energy, or of a power; None if of neither."""
    unit = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
    if unit in EnergyConverter.VALID_UNITS:
        return True
    return False if unit in PowerConverter.VALID_UNITS else None


def reading(state: State | None, *, counter: bool) -> Reading | None:
    """Return what a state says in kW, or of a counter or a charge in kWh."""
    if state is None:
        return None
    return Reading(state.last_updated, _value(state, counter=counter))


def _value(state: State, *, counter: bool) -> float | None:
    if counts(state) is not counter:
        return None
    try:
        shown = float(state.state)
    except ValueError:
        return None
    unit = state.attributes[ATTR_UNIT_OF_MEASUREMENT]
    if counter:
        return EnergyConverter.convert(shown, unit, UnitOfEnergy.KILO_WATT_HOUR)
    return PowerConverter.convert(shown, unit, UnitOfPower.KILO_WATT)


def coarseness(state: State, interval: timedelta) -> float:
    """Return the kW that the last digit of a counter makes of an interval.

    A counter that shows no fraction may be a fine one at a round value: it says no more.
    """
    _, _, fraction = state.state.partition(".")
    unit = state.attributes[ATTR_UNIT_OF_MEASUREMENT]
    digit = 10.0 ** -(len(fraction) if fraction.isdecimal() else 0)
    step = EnergyConverter.convert(digit, unit, UnitOfEnergy.KILO_WATT_HOUR)
    return step / (interval / timedelta(hours=1))


def mean_kw(readings: Sequence[Reading]) -> float | None:
    """Return the mean power over all readings of a counter; None if it does not say."""
    known = [(each.at, each.value) for each in readings if each.value is not None]
    if not known or known[-1][0] - known[0][0] < LONGEST:
        return None
    (since, first), (until, last) = known[0], known[-1]
    return max(0.0, last - first) / ((until - since) / timedelta(hours=1)) or None


def is_coarse(step: float, load: float | None) -> bool:
    """Whether steps of so many kW are too coarse for a load, as far as it is known."""
    return step > COARSE_KW or (load is not None and step > COARSE_SHARE * load)


def shortest_fine(state: State, load: float | None) -> int | None:
    """Return the shortest interval, in seconds, for which a counter is fine enough."""
    for each in INTERVALS:
        if not is_coarse(coarseness(state, timedelta(seconds=each)), load):
            return each
    return None
