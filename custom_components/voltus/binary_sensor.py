"""Whether to curtail, and whether Voltus can be heard."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .aiovoltus.schedule import Curtailment, Phase
from .coordinator import VoltusConfigEntry, VoltusCoordinator
from .entity import (
    CurtailmentEntity,
    PerformanceEntity,
    VoltusEntity,
    async_add_for_everyone,
    async_add_where_mapped,
    is_estimated,
)

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class VoltusBinarySensorDescription(BinarySensorEntityDescription):
    """A yes or no about a curtailment."""

    is_on_fn: Callable[[Curtailment], bool]
    attributes_fn: Callable[[Curtailment], dict[str, Any]] = lambda _: {}


BINARY_SENSORS: tuple[VoltusBinarySensorDescription, ...] = (
    VoltusBinarySensorDescription(
        key="dispatch_active",
        is_on_fn=lambda curtailment: curtailment.phase is Phase.ACTIVE,
    ),
    VoltusBinarySensorDescription(
        key="acknowledgement_pending",
        is_on_fn=lambda curtailment: bool(curtailment.unacknowledged),
        attributes_fn=lambda curtailment: {
            "dispatch_ids": sorted(curtailment.unacknowledged)
        },
    ),
    VoltusBinarySensorDescription(
        key="curtail",
        is_on_fn=lambda curtailment: curtailment.curtail,
        attributes_fn=lambda curtailment: {
            "dispatch_ids": sorted(curtailment.by_dispatch),
            "test": curtailment.test,
            "drill": curtailment.drill,
            "by_dispatch": dict(curtailment.by_dispatch),
            "opted_out": sorted(curtailment.opted_out),
        },
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: VoltusConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the binary sensors of the account and of each site."""
    async_add_entities(
        [
            ConnectionBinarySensor(entry.runtime_data, "connection"),
            PushBinarySensor(entry.runtime_data, "push"),
        ]
    )
    async_add_for_everyone(
        entry, async_add_entities, CurtailmentBinarySensor, BINARY_SENSORS
    )
    async_add_where_mapped(entry, async_add_entities, TelemetryBinarySensor)
    async_add_where_mapped(
        entry,
        async_add_entities,
        lambda account, site_id: BehindTargetBinarySensor(
            account, "behind_target", site_id
        ),
        is_estimated,
    )


class CurtailmentBinarySensor(CurtailmentEntity, BinarySensorEntity):
    """A yes or no about what is asked of a site or of the account."""

    entity_description: VoltusBinarySensorDescription

    @property
    @override
    def _name_translation_key(self) -> str | None:
        """Tell the account's from a site's: it is on while any site has to curtail."""
        key: str | None = super()._name_translation_key
        if key and self.site_id is None:
            key = key.replace(".curtail.", ".any_site_curtailing.")
        return key

    @override
    def shows(self, curtailment: Curtailment) -> object:
        """Return the answer and what is told with it."""
        description = self.entity_description
        return description.is_on_fn(curtailment), description.attributes_fn(curtailment)

    @property
    @override
    def is_on(self) -> bool:
        """Answer by the last look."""
        return self.entity_description.is_on_fn(self.curtailment)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Tell which dispatches are behind it."""
        return self.entity_description.attributes_fn(self.curtailment)


class ConnectionBinarySensor(VoltusEntity, BinarySensorEntity):
    """Whether the last request to Voltus brought an answer."""

    _attr_device_class = BinarySensorDeviceClass.CONNECTIVITY
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    @property
    @override
    def is_on(self) -> bool:
        """Answer no as well where the user has switched polling off."""
        return (
            self.coordinator.last_update_success
            and not self.coordinator.config_entry.pref_disable_polling
        )


class PushBinarySensor(VoltusEntity, BinarySensorEntity):
    """Whether Voltus calls us when there is news."""

    _attr_device_class = BinarySensorDeviceClass.CONNECTIVITY
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    @property
    @override
    def is_on(self) -> bool:
        """Answer no where Voltus has no address of ours, and where it is in doubt."""
        return self.coordinator.push.works

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Tell by which way it calls, or why not, and how well that goes."""
        push = self.coordinator.push
        return {
            "via": push.via,
            "reason": push.reason,
            "last_received": push.health.last_received,
            "missed": push.health.missed,
        }


class TelemetryBinarySensor(VoltusEntity, BinarySensorEntity):
    """Whether Voltus lacks what the meters of a site measured some time ago."""

    _attr_device_class = BinarySensorDeviceClass.PROBLEM
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    def __init__(self, coordinator: VoltusCoordinator, site_id: str) -> None:
        """Belong to a site."""
        super().__init__(coordinator, "telemetry", site_id)

    @property
    def _meters(self) -> Sequence[str]:
        return self.coordinator.meters_of(str(self.site_id))

    @property
    @override
    def is_on(self) -> bool:
        """Answer by what Voltus has taken of the meters that are mapped."""
        return self.coordinator.telemetry.is_late(self._meters)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Tell which meters are mapped."""
        return {"meters": self._meters}


class BehindTargetBinarySensor(PerformanceEntity, BinarySensorEntity):
    """Whether a site lowers its load by less than a dispatch asks for; an estimate."""

    _attr_device_class = BinarySensorDeviceClass.PROBLEM

    @property
    @override
    def is_on(self) -> bool | None:
        """Answer while a dispatch is under way and the load is known."""
        return self.estimate.behind
