"""The devices that entities belong to, and how entities come and go with the sites."""

from collections.abc import Callable, Iterable
from typing import override

from homeassistant.core import callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import (
    AddConfigEntryEntitiesCallback,
    async_get_current_platform,
)
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .account.devices import identifier
from .account.states import Place
from .aiovoltus.schedule import Curtailment
from .const import DOMAIN
from .coordinator import VoltusConfigEntry, VoltusCoordinator
from .performance.estimate import Estimate


class VoltusEntity(CoordinatorEntity[VoltusCoordinator]):
    """An entity of the account (site None) or of one site.

    It is available for as long as it exists: what is known stays true through any
    outage, and `connection` tells of the outage.
    """

    _attr_has_entity_name = True

    def __init__(
        self, coordinator: VoltusCoordinator, key: str, site_id: str | None = None
    ) -> None:
        """Name the entity by its translation key, which users may rely on."""
        super().__init__(coordinator)
        entry_id = coordinator.config_entry.entry_id
        scope = entry_id if site_id is None else f"{entry_id}_{site_id}"
        self.site_id = site_id
        self._attr_translation_key = key
        self._attr_unique_id = f"{scope}_{key}"
        self._attr_device_info = DeviceInfo(identifiers={identifier(entry_id, site_id)})

    @property
    @override
    def available(self) -> bool:
        """Stay available: the last known truth holds."""
        return True


class CurtailmentEntity(VoltusEntity):
    """An entity that shows, by its description, what is asked of someone now."""

    def __init__(
        self,
        coordinator: VoltusCoordinator,
        description: EntityDescription,
        site_id: str | None,
    ) -> None:
        """Show one row of a table for one site, or for the account."""
        super().__init__(coordinator, description.key, site_id)
        self.entity_description = description
        self.coordinator_context = Place(
            site_id, last=description.key == "curtail", shows=self.shows
        )

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the state as an effect of what has caused it."""
        self.async_set_context(self.coordinator.states.new_context(self.site_id))
        super()._handle_coordinator_update()

    def shows(self, curtailment: Curtailment) -> object:
        """Return what makes the state another when it changes; by default nothing."""
        return None

    @property
    def curtailment(self) -> Curtailment:
        """What is asked, as all entities of the site show it."""
        return self.coordinator.states.curtailment(self.site_id)


class PerformanceEntity(VoltusEntity):
    """An entity that shows what is estimated of a site, every half minute at most."""

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the estimates, not the looks."""
        await Entity.async_added_to_hass(self)
        tracker = self.coordinator.performance
        self.async_on_remove(tracker.async_add_listener(self.async_write_ha_state))

    @property
    def estimate(self) -> Estimate:
        """What is estimated of the site; nothing before the first time."""
        estimates = self.coordinator.performance.estimates
        return estimates.get(str(self.site_id), Estimate())


def is_estimated(coordinator: VoltusCoordinator, site_id: str) -> bool:
    """Whether the operator has chosen how the performance of a site is estimated."""
    return site_id in coordinator.performance.site_ids


def async_add_for_everyone(
    entry: VoltusConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    entity_class: type[CurtailmentEntity],
    descriptions: Iterable[EntityDescription],
) -> None:
    """Add the entities of each site and of the account now, and those of later sites.

    What comes later comes in the order in which the platforms were set up.
    """
    coordinator = entry.runtime_data
    platform = async_get_current_platform()
    known: set[str | None] = set()

    def new_entities() -> list[CurtailmentEntity]:
        everyone = (*coordinator.sites, None)
        new = [site_id for site_id in everyone if site_id not in known]
        known.intersection_update(everyone)
        known.update(new)
        return [
            entity_class(coordinator, description, site_id)
            for site_id in new
            for description in descriptions
        ]

    async def add(entities: list[CurtailmentEntity]) -> None:
        async with coordinator.adding:
            await platform.async_add_entities(entities)

    @callback
    def add_later() -> None:
        if entities := new_entities():
            entry.async_create_task(
                coordinator.hass, add(entities), f"{coordinator.name} new sites"
            )

    async_add_entities(new_entities())
    entry.async_on_unload(coordinator.async_add_listener(add_later))


def async_add_where_mapped(
    entry: VoltusConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    entity_class: Callable[[VoltusCoordinator, str], VoltusEntity],
    is_mapped: Callable[[VoltusCoordinator, str], object] = VoltusCoordinator.meters_of,
) -> None:
    """Add an entity to each site of which a meter (or so) is mapped, now and later.

    It goes when the last mapping does.
    """
    coordinator = entry.runtime_data
    domain = async_get_current_platform().domain
    known: set[str] = set()

    @callback
    def update() -> None:
        mapped = {i for i in coordinator.sites if is_mapped(coordinator, i)}
        for site_id in known - mapped:
            _remove(domain, entity_class(coordinator, site_id))
        new = sorted(mapped - known)
        known.clear()
        known.update(mapped)
        async_add_entities(entity_class(coordinator, i) for i in new)

    update()
    entry.async_on_unload(coordinator.async_add_listener(update))


def _remove(domain: str, entity: VoltusEntity) -> None:
    registry = er.async_get(entity.coordinator.hass)
    entity_id = registry.async_get_entity_id(domain, DOMAIN, str(entity.unique_id))
    if entity_id:
        registry.async_remove(entity_id)
