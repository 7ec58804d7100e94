"""Hourly loads: what the statistics have of entities, and what Voltus has for them."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.const import UnitOfEnergy, UnitOfPower
from homeassistant.core import HomeAssistant
from homeassistant.util import slugify
from homeassistant.util.dt import utc_from_timestamp
from homeassistant.util.unit_conversion import PowerConverter

from ..const import DOMAIN
from ..metering.baseline import FARTHEST, QUARTER_HOUR
from ..metering.load import summed
from ..telemetry.meters import MappedMeter

HOUR: Final = timedelta(hours=1)


async def async_hourly(
    hass: HomeAssistant, meters: Iterable[MappedMeter], now: datetime
) -> dict[datetime, float]:
    """Return the load by the quarter hour as far as hourly statistics can tell, in kW.

    Each quarter hour of an hour has the mean of the hour: a start at half past is not
    seen in it.
    """
    if "recorder" not in hass.config.components:
        return {}
    from homeassistant.components.recorder import get_instance  # noqa: PLC0415
    from homeassistant.components.recorder.statistics import (  # noqa: PLC0415
        statistics_during_period,
    )

    found = list(meters)
    rows = await get_instance(hass).async_add_executor_job(
        lambda: statistics_during_period(
            hass,
            now - timedelta(days=FARTHEST + 1),
            now - timedelta(microseconds=1),
            {each.source for each in found},
            "hour",
            {
                "power": UnitOfPower.KILO_WATT,
                "energy": UnitOfEnergy.KILO_WATT_HOUR,
            },
            {"mean", "change"},
        )
    )
    return summed([_quarters(each, rows.get(each.source, [])) for each in found])


def _quarters(
    meter: MappedMeter, rows: Iterable[Mapping[str, Any]]
) -> dict[datetime, float]:
    sign = -1 if meter.inverted else 1
    kind = "change" if meter.counts else "mean"
    return {
        utc_from_timestamp(row["start"]) + n * QUARTER_HOUR: sign * row[kind]
        for row in rows
        if row.get(kind) is not None
        for n in range(4)
    }


async def async_add_to_statistics(
    hass: HomeAssistant,
    entry_id: str,
    site_id: str,
    name: str,
    hours: Mapping[datetime, float],
) -> None:
    """Give the hourly load that Voltus has of a site to the graphs, as `voltus:…_load`."""
    if not hours or "recorder" not in hass.config.components:
        return
    from homeassistant.components.recorder.models import (  # noqa: PLC0415
        StatisticData,
        StatisticMeanType,
        StatisticMetaData,
    )
    from homeassistant.components.recorder.statistics import (  # noqa: PLC0415
        async_add_external_statistics,
    )

    async_add_external_statistics(
        hass,
        StatisticMetaData(
            mean_type=StatisticMeanType.ARITHMETIC,
            has_sum=False,
            name=f"{name}: load (Voltus)",
            source=DOMAIN,
            statistic_id=f"{DOMAIN}:{slugify(f'{entry_id}_{site_id}')}_load",
            unit_class=PowerConverter.UNIT_CLASS,
            unit_of_measurement=UnitOfPower.KILO_WATT,
        ),
        [StatisticData(start=start, mean=kw) for start, kw in sorted(hours.items())],
    )
