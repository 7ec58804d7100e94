"""The form in which the operator chooses how the performance of a site is estimated."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import SubentryFlowResult
from homeassistant.helpers.selector import (
    EntitySelector,
    EntitySelectorConfig,
    EntityWithDeviceFilterSelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
)
import voluptuous as vol

from ..account.subentries import CONF_SITE_ID, SubentryFlow
from ..metering.baseline import AdjustmentType, DayType, Select
from ..telemetry.meters import counts, entity_id_of, mapped_meters, stored_id
from .settings import (
    CONF_ADJUSTMENT,
    CONF_CAP,
    CONF_COUNTS,
    CONF_DAY_TYPE,
    CONF_ENTITY,
    CONF_KW,
    CONF_METHOD,
    CONF_SELECT,
    CONF_SOURCE,
    CONF_WINDOW,
    CONF_X,
    CONF_Y,
    METHODS,
    NO_ADJUSTMENT,
    SUBENTRY,
    WINDOWS,
    LoadSource,
    main_meters,
    method_of,
)

_SENSORS = EntityWithDeviceFilterSelectorConfig(
    domain="sensor", device_class=["power", "energy"]
)
_DEFAULTS = {CONF_SOURCE: LoadSource.VOLTUS.value, CONF_METHOD: "caiso_10_of_10"}


def _select(key: str, options: list[str]) -> SelectSelector:
    return SelectSelector(SelectSelectorConfig(options=options, translation_key=key))


def _number(least: float, most: float, unit: str | None = None) -> NumberSelector:
    config = NumberSelectorConfig(
        min=least, max=most, step=1, mode=NumberSelectorMode.BOX
    )
    return NumberSelector(
        config if unit is None else {**config, "unit_of_measurement": unit}
    )


_KW_SCHEMA = vol.Schema({vol.Required(CONF_KW): _number(-(10**6), 10**6, "kW")})
_METHOD_SCHEMAS: Mapping[str, vol.Schema] = {
    "fixed": _KW_SCHEMA,
    "firm_level": _KW_SCHEMA,
    "x_of_y": vol.Schema(
        {
            vol.Required(CONF_X, default=10): _number(1, 30),
            vol.Required(CONF_Y, default=10): _number(1, 30),
            vol.Required(CONF_SELECT, default=Select.ALL.value): _select(
                "days_selected", [each.value for each in Select]
            ),
            vol.Required(CONF_DAY_TYPE, default=DayType.WEEKDAY_WEEKEND.value): _select(
                "day_type", [each.value for each in DayType]
            ),
            vol.Required(CONF_ADJUSTMENT, default=NO_ADJUSTMENT): _select(
                "adjustment", [NO_ADJUSTMENT, *(each.value for each in AdjustmentType)]
            ),
            vol.Required(CONF_WINDOW, default=next(iter(WINDOWS))): _select(
                "adjustment_window", [*WINDOWS]
            ),
            vol.Optional(CONF_CAP): _number(0, 100, "%"),
        }
    ),
}


class PerformanceFlow(SubentryFlow):
    """Choose a site, where its load comes from, and the method of its baseline."""

    def __init__(self) -> None:
        """Begin with nothing chosen."""
        self._site_id = ""
        self._chosen: dict[str, Any] = dict(_DEFAULTS)

    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Choose the site, the source and the method."""
        if not self.is_loaded:
            return self.async_abort(reason="not_loaded")
        choices = self.sites_without(SUBENTRY)
        if not choices:
            return self.async_abort(reason="no_sites")
        selector = SelectSelector(SelectSelectorConfig(options=choices))
        site = {vol.Required(CONF_SITE_ID): selector}
        return await self._step("user", site, user_input)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change the source or the method."""
        if not self.is_loaded:
            return self.async_abort(reason="not_loaded")
        if not self._site_id:
            data = self._get_reconfigure_subentry().data
            self._site_id = data[CONF_SITE_ID]
            self._chosen = dict(data)
            if CONF_ENTITY in data:
                self._chosen[CONF_ENTITY] = entity_id_of(self.hass, data[CONF_ENTITY])
        return await self._step("reconfigure", {}, user_input)

    async def async_step_settings(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Choose what the method needs."""
        errors = {}
        if user_input is not None:
            self._chosen |= user_input
            if CONF_CAP not in user_input:
                self._chosen.pop(CONF_CAP, None)
            try:
                method_of(self._chosen)
            except ValueError:
                errors["base"] = "no_such_days"
            else:
                return self._done()
        return self.async_show_form(
            step_id="settings",
            data_schema=self.add_suggested_values_to_schema(
                _METHOD_SCHEMAS[self._chosen[CONF_METHOD]], self._chosen
            ),
            description_placeholders={"site": self.site_name(self._site_id)},
            errors=errors,
        )

    async def _step(
        self, step_id: str, site: Mapping[Any, Any], user_input: dict[str, Any] | None
    ) -> SubentryFlowResult:
        errors: dict[str, str] = {}
        if user_input is not None:
            self._chosen |= user_input
            self._site_id = self._chosen.get(CONF_SITE_ID, self._site_id)
            errors = self._errors()
            if not errors:
                if self._chosen[CONF_METHOD] in _METHOD_SCHEMAS:
                    return await self.async_step_settings()
                return self._done()
        schema = vol.Schema(
            {
                **site,
                vol.Required(CONF_SOURCE): _select("source", [*LoadSource]),
                vol.Optional(CONF_ENTITY): EntitySelector(
                    EntitySelectorConfig(filter=_SENSORS)
                ),
                vol.Required(CONF_METHOD): _select("method", [*METHODS]),
            }
        )
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, self._chosen),
            description_placeholders={"site": self.site_name(self._site_id)},
            errors=errors,
        )

    def _errors(self) -> dict[str, str]:
        """Say why the load cannot come from where it is to."""
        match self._chosen[CONF_SOURCE]:
            case LoadSource.ENTITY if not self._chosen.get(CONF_ENTITY):
                return {CONF_ENTITY: "no_entity"}
            case LoadSource.ENTITY if self._counts() is None:
                return {CONF_ENTITY: "neither_power_nor_energy"}
            case LoadSource.METERS if not self._has_meters():
                return {CONF_SOURCE: "no_mapped_meters"}
        return {}

    def _counts(self) -> bool | None:
        state = self.hass.states.get(self._chosen[CONF_ENTITY])
        return counts(state) if state else None

    def _has_meters(self) -> bool:
        mapped = {m.meter_id for m in mapped_meters(self.hass, self._get_entry())}
        return bool(mapped & main_meters(self.sites.get(self._site_id)))

    def _done(self) -> SubentryFlowResult:
        method = self._chosen[CONF_METHOD]
        keys = {str(key) for key in _METHOD_SCHEMAS.get(method, vol.Schema({})).schema}
        data = {
            CONF_SITE_ID: self._site_id,
            CONF_SOURCE: self._chosen[CONF_SOURCE],
            CONF_METHOD: method,
            **{key: self._chosen[key] for key in keys if key in self._chosen},
        }
        if data[CONF_SOURCE] == LoadSource.ENTITY:
            data[CONF_ENTITY] = stored_id(self.hass, self._chosen[CONF_ENTITY])
            data[CONF_COUNTS] = bool(self._counts())
        title, unique_id = self.site_name(self._site_id), f"performance_{self._site_id}"
        return self.finished(title, data, unique_id)
