"""Whether to curtail, as a condition of automations."""

from typing import override

from homeassistant.const import STATE_ON, Platform
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.condition import Condition, EntityStateConditionBase

from .const import DOMAIN


class IsCurtailing(EntityStateConditionBase):
    """Holds while `curtail` of the targeted sites, or of the account, is on."""

    _domain_specs = {Platform.BINARY_SENSOR: DomainSpec()}
    _states = {STATE_ON}

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        """Leave out all entities but `curtail`."""
        registry = er.async_get(self._hass)
        return {
            entity_id
            for entity_id in super().entity_filter(entities)
            if (entity := registry.async_get(entity_id))
            and (entity.platform, entity.translation_key) == (DOMAIN, "curtail")
        }

    @override
    def _check_all_match_state(self, states: list[State]) -> bool:
        """Do not call it curtailing when there is nobody who could."""
        return bool(states) and super()._check_all_match_state(states)


async def async_get_conditions(hass: HomeAssistant) -> dict[str, type[Condition]]:
    """Return our conditions."""
    return {"is_curtailing": IsCurtailing}
