"""What the operator has chosen of a site: where its load comes from, and its baseline."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant

from ..account.subentries import CONF_SITE_ID
from ..aiovoltus.models import Site
from ..metering.baseline import (
    PRESETS,
    QUARTER_HOUR,
    Adjustment,
    AdjustmentType,
    Before,
    DayType,
    FirmLevel,
    Fixed,
    MeterBefore,
    Method,
    Select,
    XOfY,
)
from ..telemetry.meters import MappedMeter, entity_id_of, mapped_meters

SUBENTRY: Final = "performance"
CONF_SOURCE: Final = "source"
CONF_ENTITY: Final = "entity_id"
CONF_COUNTS: Final = "counts"
CONF_METHOD: Final = "method"
CONF_KW: Final = "kw"
CONF_X: Final = "x"
CONF_Y: Final = "y"
CONF_SELECT: Final = "select"
CONF_DAY_TYPE: Final = "day_type"
CONF_ADJUSTMENT: Final = "adjustment"
CONF_WINDOW: Final = "window"
CONF_CAP: Final = "cap"

METHODS: Final = (*PRESETS, "x_of_y", "meter_before", "firm_level", "fixed")
NO_ADJUSTMENT: Final = "none"
_HOUR: Final = timedelta(hours=1)
WINDOWS: Final[Mapping[str, tuple[timedelta, timedelta, Before]]] = {
    "4_to_1_hours": (4 * _HOUR, _HOUR, Before.START),
    "3_to_1_hours": (3 * _HOUR, _HOUR, Before.START),
    "2_to_0_hours": (2 * _HOUR, timedelta(0), Before.START),
    "15_minutes_before_notice": (QUARTER_HOUR, timedelta(0), Before.NOTICE),
}
"""From when to when before the start, or the notice, loads move a baseline."""
MEASURED_EVERY: Final = timedelta(minutes=1)


class LoadSource(StrEnum):
    """Where the load of a site comes from."""

    METERS = "meters"
    VOLTUS = "voltus"
    ENTITY = "entity"


@final
@dataclass(frozen=True, slots=True)
class SitePerformance:
    """What is chosen of a site.

    `measured_by` are the entities whose loads add up to its load; none if Voltus
    measures it. `settings` are those of the method, as they are stored.
    """

    site_id: str
    source: LoadSource
    method: Method
    settings: Mapping[str, Any]
    measured_by: tuple[MappedMeter, ...] = ()


def site_performances(
    hass: HomeAssistant, entry: ConfigEntry, sites: Mapping[str, Site]
) -> Iterator[SitePerformance]:
    """Return what is chosen of each site."""
    mapped = list(mapped_meters(hass, entry))
    for subentry in entry.subentries.values():
        if subentry.subentry_type == SUBENTRY:
            data = subentry.data
            source = LoadSource(data[CONF_SOURCE])
            yield SitePerformance(
                data[CONF_SITE_ID],
                source,
                method_of(data),
                method_settings(data),
                tuple(_measured_by(hass, source, data, mapped, sites)),
            )


def chosen_sites(entry: ConfigEntry) -> frozenset[str]:
    """Return the sites for which a method is chosen."""
    return frozenset(
        each.data[CONF_SITE_ID]
        for each in entry.subentries.values()
        if each.subentry_type == SUBENTRY
    )


def main_meters(site: Site | None) -> set[str]:
    """Return the meters that add up to the load of a site.

    Where Voltus has one at the point of interconnection it measures all the others.
    """
    meters = site.meters if site else ()
    whole = {each.id for each in meters if each.asset_type == "poi"}
    return whole or {each.id for each in meters}


def method_settings(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return of what is stored what makes the method."""
    others = {CONF_SITE_ID, CONF_SOURCE, CONF_ENTITY, CONF_COUNTS}
    return {key: value for key, value in data.items() if key not in others}


def method_of(data: Mapping[str, Any]) -> Method:
    """Return the method that is stored. Raises ValueError if it makes no sense."""
    name = data[CONF_METHOD]
    if name in PRESETS:
        return PRESETS[name]
    return _MAKERS[name](data)


def _x_of_y(data: Mapping[str, Any]) -> XOfY:
    adjustment = None
    if data[CONF_ADJUSTMENT] != NO_ADJUSTMENT:
        opens, closes, before = WINDOWS[data[CONF_WINDOW]]
        cap = data.get(CONF_CAP)
        adjustment = Adjustment(
            AdjustmentType(data[CONF_ADJUSTMENT]),
            opens,
            closes,
            before,
            None if cap is None else cap / 100,
        )
    return XOfY(
        int(data[CONF_X]),
        int(data[CONF_Y]),
        Select(data[CONF_SELECT]),
        DayType(data[CONF_DAY_TYPE]),
        adjustment=adjustment,
    )


_MAKERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Method]]] = {
    "x_of_y": _x_of_y,
    "meter_before": lambda _: MeterBefore(),
    "firm_level": lambda data: FirmLevel(data[CONF_KW]),
    "fixed": lambda data: Fixed(data[CONF_KW]),
}


def _measured_by(
    hass: HomeAssistant,
    source: LoadSource,
    data: Mapping[str, Any],
    mapped: list[MappedMeter],
    sites: Mapping[str, Site],
) -> Iterator[MappedMeter]:
    if source is LoadSource.ENTITY:
        entity_id = entity_id_of(hass, data[CONF_ENTITY])
        yield MappedMeter(
            data[CONF_SITE_ID], entity_id, entity_id, data[CONF_COUNTS], MEASURED_EVERY
        )
    if source is LoadSource.METERS:
        wanted = main_meters(sites.get(data[CONF_SITE_ID]))
        yield from (each for each in mapped if each.meter_id in wanted)
