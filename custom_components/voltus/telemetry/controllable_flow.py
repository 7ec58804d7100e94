"""The form that says which load of a site can be curtailed."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from homeassistant.config_entries import SubentryFlowResult
from homeassistant.helpers.selector import (
    EntitySelector,
    EntitySelectorConfig,
    EntityWithDeviceFilterSelectorConfig,
    ObjectSelector,
    ObjectSelectorConfig,
    SelectSelector,
    SelectSelectorConfig,
)
import voluptuous as vol

from ..account.subentries import CONF_SITE_ID, SubentryFlow
from .controllable import CONF_KW, CONF_LOADS, SUBENTRY
from .meters import CONF_SOURCE, counts, entity_id_of, stored_id

_POWER = EntityWithDeviceFilterSelectorConfig(domain="sensor", device_class="power")
_SCHEMA = vol.Schema(
    {
        vol.Optional(CONF_LOADS): ObjectSelector(
            ObjectSelectorConfig(
                multiple=True,
                translation_key="controllable_loads",
                label_field=CONF_SOURCE,
                description_field=CONF_KW,
                fields={
                    CONF_SOURCE: {"required": True, "selector": {"entity": {}}},
                    CONF_KW: {
                        "required": True,
                        "selector": {
                            "number": {
                                "min": 0,
                                "max": 1_000_000,
                                "step": "any",
                                "mode": "box",
                                "unit_of_measurement": "kW",
                            }
                        },
                    },
                },
            )
        ),
        vol.Optional(CONF_SOURCE): EntitySelector(EntitySelectorConfig(filter=_POWER)),
    }
)


class ControllableLoadFlow(SubentryFlow):
    """Say what can be curtailed of a site, or change it."""

    def __init__(self) -> None:
        """Begin with nothing chosen."""
        self._site_id = ""
        self._chosen: dict[str, Any] = {}

    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Choose the site."""
        if not self.is_loaded:
            return self.async_abort(reason="not_loaded")
        choices = self.sites_without(SUBENTRY)
        if not choices:
            return self.async_abort(reason="no_sites")
        if user_input is not None:
            self._site_id = user_input[CONF_SITE_ID]
            return await self.async_step_loads()
        selector = SelectSelector(SelectSelectorConfig(options=choices))
        return self.async_show_form(
            step_id="user",
            data_schema=vol.Schema({vol.Required(CONF_SITE_ID): selector}),
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change what can be curtailed of a site."""
        if not self.is_loaded:
            return self.async_abort(reason="not_loaded")
        data = self._get_reconfigure_subentry().data
        self._site_id = data[CONF_SITE_ID]
        self._chosen = _with_ids(data, lambda each: entity_id_of(self.hass, each))
        return await self.async_step_loads()

    async def async_step_loads(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Choose its loads, or what measures them."""
        errors: dict[str, str] = {}
        if user_input is not None:
            self._chosen = user_input
            errors = self._errors(user_input)
            if not errors:
                return self._finished()
        schema = self.add_suggested_values_to_schema(_SCHEMA, self._chosen)
        return self.async_show_form(
            step_id="loads",
            data_schema=schema,
            description_placeholders={"site": self.site_name(self._site_id)},
            errors=errors,
        )

    def _errors(self, chosen: Mapping[str, Any]) -> dict[str, str]:
        loads, source = chosen.get(CONF_LOADS), chosen.get(CONF_SOURCE)
        if bool(loads) == bool(source):
            return {"base": "loads_or_sensor"}
        if not all(isfinite(float(each[CONF_KW])) for each in loads or ()):
            return {CONF_LOADS: "no_number"}
        state = self.hass.states.get(source) if source else None
        if source and (state is None or counts(state) is not False):
            return {CONF_SOURCE: "no_power"}
        return {}

    def _finished(self) -> SubentryFlowResult:
        chosen = _with_ids(self._chosen, lambda each: stored_id(self.hass, each))
        data = {CONF_SITE_ID: self._site_id, **chosen}
        title, unique_id = (
            self.site_name(self._site_id),
            f"controllable_{self._site_id}",
        )
        return self.finished(title, data, unique_id)


def _with_ids(data: Mapping[str, Any], convert: Callable[[str], str]) -> dict[str, Any]:
    """Return the loads, or the sensor, with their ids converted."""
    if loads := data.get(CONF_LOADS):
        rows = [{**each, CONF_SOURCE: convert(each[CONF_SOURCE])} for each in loads]
        return {CONF_LOADS: rows}
    return {CONF_SOURCE: convert(data[CONF_SOURCE])}
