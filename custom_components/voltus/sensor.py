"""What is asked, how much of it, and from when to when."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import PERCENTAGE, EntityCategory, UnitOfEnergy, UnitOfPower
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .aiovoltus.schedule import Curtailment, Phase, Status, status
from .coordinator import VoltusConfigEntry, VoltusCoordinator
from .entity import (
    CurtailmentEntity,
    PerformanceEntity,
    VoltusEntity,
    async_add_for_everyone,
    async_add_where_mapped,
    is_estimated,
)
from .performance.estimate import Estimate

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class VoltusSensorDescription(SensorEntityDescription):
    """A value of a curtailment."""

    value_fn: Callable[[Curtailment], str | float | datetime | None]


SENSORS: tuple[VoltusSensorDescription, ...] = (
    VoltusSensorDescription(
        key="phase",
        device_class=SensorDeviceClass.ENUM,
        options=[phase.value for phase in Phase],
        value_fn=lambda curtailment: curtailment.phase.value,
    ),
    VoltusSensorDescription(
        key="commitment",
        device_class=SensorDeviceClass.POWER,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfPower.KILO_WATT,
        suggested_display_precision=1,
        value_fn=lambda curtailment: curtailment.commitment,
    ),
    VoltusSensorDescription(
        key="next_start",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda curtailment: curtailment.next_start,
    ),
    VoltusSensorDescription(
        key="curtailment_end",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda curtailment: curtailment.end,
    ),
)


@dataclass(frozen=True, kw_only=True)
class EstimateSensorDescription(SensorEntityDescription):
    """A value of an estimate."""

    value_fn: Callable[[Estimate], float | None]


def _estimated_power(
    key: str, value_fn: Callable[[Estimate], float | None]
) -> EstimateSensorDescription:
    return EstimateSensorDescription(
        key=key,
        device_class=SensorDeviceClass.POWER,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfPower.KILO_WATT,
        suggested_display_precision=1,
        value_fn=value_fn,
    )


ESTIMATES: tuple[EstimateSensorDescription, ...] = (
    _estimated_power("load", lambda estimate: estimate.load),
    _estimated_power("baseline", lambda estimate: estimate.baseline),
    _estimated_power("target_load", lambda estimate: estimate.target),
    _estimated_power("reduction", lambda estimate: estimate.reduction),
    EstimateSensorDescription(
        key="performance",
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=PERCENTAGE,
        suggested_display_precision=0,
        value_fn=lambda estimate: estimate.percent,
    ),
    EstimateSensorDescription(
        key="reduced_energy",
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=1,
        value_fn=lambda estimate: estimate.energy,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: VoltusConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensors of the account and of each site."""
    async_add_entities([ActiveDispatchesSensor(entry.runtime_data)])
    async_add_for_everyone(entry, async_add_entities, CurtailmentSensor, SENSORS)
    async_add_where_mapped(entry, async_add_entities, SentUntilSensor)
    for each in ESTIMATES:
        async_add_where_mapped(
            entry, async_add_entities, partial(EstimateSensor, each), is_estimated
        )
    async_add_where_mapped(
        entry,
        async_add_entities,
        ControllableLoadSensor,
        lambda coordinator, site_id: site_id in coordinator.telemetry.controllable,
    )


class CurtailmentSensor(CurtailmentEntity, SensorEntity):
    """A value of what is asked of a site or of the account."""

    entity_description: VoltusSensorDescription

    @override
    def shows(self, curtailment: Curtailment) -> object:
        """Return the value."""
        return self.entity_description.value_fn(curtailment)

    @property
    @override
    def native_value(self) -> str | float | datetime | None:
        """Answer by the last look."""
        return self.entity_description.value_fn(self.curtailment)


class EstimateSensor(PerformanceEntity, SensorEntity):
    """A value of what is estimated of a site."""

    entity_description: EstimateSensorDescription

    def __init__(
        self,
        description: EstimateSensorDescription,
        coordinator: VoltusCoordinator,
        site_id: str,
    ) -> None:
        """Show one row of the table for one site."""
        super().__init__(coordinator, description.key, site_id)
        self.entity_description = description

    @property
    @override
    def native_value(self) -> float | None:
        """Answer by the last estimate."""
        value = self.entity_description.value_fn(self.estimate)
        return None if value is None else round(value, 3)

    @property
    @override
    def last_reset(self) -> datetime | None:
        """The energy counts from the start of the dispatch that it is about."""
        total = self.entity_description.state_class is SensorStateClass.TOTAL
        return self.estimate.since if total else None

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """Tell of a baseline how it came about."""
        chosen = self.coordinator.performance.source_of(str(self.site_id))
        if self.entity_description.key != "baseline" or chosen is None:
            return None
        estimate = self.estimate
        return {
            "method": chosen.settings["method"],
            "source": chosen.source.value,
            "dispatch_id": estimate.dispatch_id,
            "complete": estimate.complete,
            "days": estimate.days,
            "days_needed": estimate.needed,
            "adjustment": estimate.adjustment,
        }


class ActiveDispatchesSensor(VoltusEntity, SensorEntity):
    """How many dispatches are active by what Voltus says, tests included."""

    _attr_state_class = SensorStateClass.MEASUREMENT

    def __init__(self, coordinator: VoltusCoordinator) -> None:
        """Count for the whole account."""
        super().__init__(coordinator, "active_dispatches")
        self._attr_native_value = self._count()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the count if it is another."""
        if (count := self._count()) != self._attr_native_value:
            self._attr_native_value = count
            super()._handle_coordinator_update()

    def _count(self) -> int:
        last = self.coordinator.data
        return sum(
            status(dispatch, last.at) is Status.ACTIVE
            for dispatch in last.snapshot.dispatches.values()
        )


class TelemetrySensor(VoltusEntity, SensorEntity):
    """A value that changes with the rounds of sending, and with nothing else."""

    @override
    async def async_added_to_hass(self) -> None:
        """Follow each round of sending."""
        await super().async_added_to_hass()
        listen = self.coordinator.telemetry.async_add_listener
        self.async_on_remove(listen(self.async_write_ha_state))


class SentUntilSensor(TelemetrySensor):
    """Until when Voltus has everything that the meters of a site measured."""

    _attr_device_class = SensorDeviceClass.TIMESTAMP
    _attr_entity_category = EntityCategory.DIAGNOSTIC
    _attr_entity_registry_enabled_default = False

    def __init__(self, coordinator: VoltusCoordinator, site_id: str) -> None:
        """Belong to a site."""
        super().__init__(coordinator, "telemetry_sent_until", site_id)

    @property
    @override
    def native_value(self) -> datetime | None:
        """Answer by the meter that is furthest behind."""
        meters = self.coordinator.meters_of(str(self.site_id))
        known = filter(None, map(self.coordinator.telemetry.sent_until, meters))
        return min(known, default=None)


class ControllableLoadSensor(TelemetrySensor):
    """How much of a site can be curtailed right now, as Voltus is told."""

    _attr_device_class = SensorDeviceClass.POWER
    _attr_state_class = SensorStateClass.MEASUREMENT
    _attr_native_unit_of_measurement = UnitOfPower.KILO_WATT
    _attr_suggested_display_precision = 1

    def __init__(self, coordinator: VoltusCoordinator, site_id: str) -> None:
        """Belong to a site."""
        super().__init__(coordinator, "controllable_load", site_id)

    @property
    @override
    def native_value(self) -> float | None:
        """Answer by the loads that are on and within reach."""
        load = self.coordinator.telemetry.controllable.get(str(self.site_id))
        return load and load.kilowatts(self.hass)
