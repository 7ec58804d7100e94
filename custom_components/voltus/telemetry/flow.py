"""The form in which a meter of Voltus' is mapped to an entity."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from homeassistant.config_entries import SubentryFlowResult
from homeassistant.core import callback
from homeassistant.helpers.selector import (
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
    EntityWithDeviceFilterSelectorConfig,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
)
from homeassistant.util.dt import utcnow
import voluptuous as vol

from ..account.subentries import SubentryFlow
from ..aiovoltus.models import Meter, Site
from ..metering.intervals import Reading
from .dashboard import async_suggestion
from .history import async_readings
from .meters import (
    CONF_CHARGE,
    CONF_COUNTS,
    CONF_INTERVAL,
    CONF_INVERT,
    CONF_METER_ID,
    CONF_SOURCE,
    INTERVALS,
    coarseness,
    counts,
    entity_id_of,
    mapped_meters,
    mean_kw,
    reading,
    shortest_fine,
    stored_id,
)

DEFAULT_INTERVAL = 60
LAST = timedelta(hours=1)
"""So long a counter is looked at to tell the load of now."""
_FILTER = EntityWithDeviceFilterSelectorConfig(
    domain="sensor", device_class=["power", "energy", "energy_storage"]
)


class MeterFlow(SubentryFlow):
    """Map a meter, or change its mapping. Nothing is sent before it is confirmed."""

    def __init__(self) -> None:
        """Begin with nothing chosen."""
        self._meter_id = ""
        self._chosen: dict[str, Any] = {}
        self._step: dict[str, str] = {}

    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Choose the meter."""
        if not self.is_loaded:
            return self.async_abort(reason="not_loaded")
        subentries = self._get_entry().subentries.values()
        mapped = {each.data.get(CONF_METER_ID) for each in subentries}
        choices = [
            SelectOptionDict(value=meter.id, label=f"{site.name}: {meter.name}")
            for site, meter in self._meters()
            if meter.id not in mapped
        ]
        if not choices:
            return self.async_abort(reason="no_meters")
        if user_input is not None:
            self._meter_id = user_input[CONF_METER_ID]
            self._chosen = await self._suggestion()
            return await self.async_step_source()
        selector = SelectSelector(SelectSelectorConfig(options=choices))
        return self.async_show_form(
            step_id="user",
            data_schema=vol.Schema({vol.Required(CONF_METER_ID): selector}),
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change what stands for a meter."""
        if not self.is_loaded:
            return self.async_abort(reason="not_loaded")
        data = self._get_reconfigure_subentry().data
        self._meter_id = data[CONF_METER_ID]
        self._chosen = {
            **data,
            **{
                key: entity_id_of(self.hass, data[key])
                for key in (CONF_SOURCE, CONF_CHARGE)
                if data.get(key)
            },
        }
        return await self.async_step_source()

    async def async_step_source(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Choose what stands for it, and how often it is sent."""
        errors: dict[str, str] = {}
        if user_input is not None:
            self._chosen = user_input
            errors = self._errors(user_input)
            if not errors:
                return await self._confirm()
        return self.async_show_form(
            step_id="source",
            data_schema=self.add_suggested_values_to_schema(
                self._source_schema(), self._chosen
            ),
            description_placeholders={"meter": self._name},
            errors=errors,
        )

    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Show what would be sent right now; sending it begins with this."""
        if user_input is None:
            return self.async_show_form(
                step_id="confirm",
                data_schema=vol.Schema({}),
                description_placeholders={"meter": self._name, **self._preview()},
            )
        return self.finished(self._name, self._data(), self._meter_id)

    async def async_step_confirm_counter(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Show it of a counter, and by how much a mean changes at least."""
        return await self._confirm_counter("confirm_counter", user_input)

    async def async_step_confirm_coarse(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Show it of a counter that is fine enough for a longer interval alone."""
        return await self._confirm_counter("confirm_coarse", user_input)

    async def async_step_confirm_too_coarse(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Show it of a counter that is too coarse for every interval."""
        return await self._confirm_counter("confirm_too_coarse", user_input)

    async def _confirm(self) -> SubentryFlowResult:
        """Ask for a confirmation, and of a counter say whether it is too coarse."""
        state = self.hass.states.get(self._chosen[CONF_SOURCE])
        if state is None or not counts(state):
            return await self.async_step_confirm()
        seconds = int(self._chosen[CONF_INTERVAL])
        load = mean_kw(await self._last_hour())
        shortest = shortest_fine(state, load)
        self._step = {
            "step": f"{coarseness(state, timedelta(seconds=seconds)):,.3g} kW",
            "seconds": str(shortest or ""),
        }
        if shortest is None:
            return await self.async_step_confirm_too_coarse()
        if shortest > seconds:
            return await self.async_step_confirm_coarse()
        return await self.async_step_confirm_counter()

    async def _confirm_counter(
        self, step_id: str, user_input: dict[str, Any] | None
    ) -> SubentryFlowResult:
        if user_input is not None:
            return await self.async_step_confirm(user_input)
        return self.async_show_form(
            step_id=step_id,
            data_schema=vol.Schema({}),
            description_placeholders={
                "meter": self._name,
                **self._step,
                **self._preview(),
            },
        )

    async def _last_hour(self) -> tuple[Reading, ...]:
        """Return what the recorder has of a counter."""
        now = utcnow()
        entity_id = self._chosen[CONF_SOURCE]
        return await async_readings(self.hass, entity_id, now - LAST, now, counter=True)

    async def _suggestion(self) -> dict[str, Any]:
        """Return what the energy dashboard says measures this, unless it is mapped."""
        mapped = {each.source for each in mapped_meters(self.hass, self._get_entry())}
        asset_type = self._meter.asset_type if self._meter else ""
        return await async_suggestion(self.hass, asset_type, mapped)

    def _meters(self) -> list[tuple[Site, Meter]]:
        return [(site, meter) for site in self.sites.values() for meter in site.meters]

    @property
    def _meter(self) -> Meter | None:
        return next((m for _, m in self._meters() if m.id == self._meter_id), None)

    @property
    def _name(self) -> str:
        names = {
            meter.id: f"{site.name}: {meter.name}" for site, meter in self._meters()
        }
        return names.get(self._meter_id, self._meter_id)

    @property
    def _is_battery(self) -> bool:
        return self._meter is not None and self._meter.asset_type == "battery"

    def _source_schema(self) -> vol.Schema:
        entities = EntitySelector(EntitySelectorConfig(filter=_FILTER))
        intervals = SelectSelector(
            SelectSelectorConfig(
                options=[str(each) for each in INTERVALS], translation_key="interval"
            )
        )
        charge = {vol.Required(CONF_CHARGE): entities} if self._is_battery else {}
        return vol.Schema(
            {
                vol.Required(CONF_SOURCE): entities,
                **charge,
                vol.Required(CONF_INTERVAL, default=str(DEFAULT_INTERVAL)): intervals,
                vol.Required(CONF_INVERT, default=False): BooleanSelector(),
            }
        )

    @callback
    def _errors(self, chosen: Mapping[str, Any]) -> dict[str, str]:
        """Say which entity cannot be what it is chosen for."""
        errors = {}
        source = self.hass.states.get(chosen[CONF_SOURCE])
        kind = source and counts(source)
        if kind is None:
            errors[CONF_SOURCE] = "neither_power_nor_energy"
        elif kind and self._is_battery:
            errors[CONF_SOURCE] = "no_power"
        if self._is_battery:
            charge = self.hass.states.get(chosen[CONF_CHARGE])
            if not charge or not counts(charge):
                errors[CONF_CHARGE] = "no_energy"
        return errors

    def _preview(self) -> dict[str, str]:
        """Return what the entity shows now, in kW or kWh."""
        state = self.hass.states.get(self._chosen[CONF_SOURCE])
        kind = bool(state and counts(state))
        found = reading(state, counter=kind)
        if found is None or found.value is None:
            return {"now": "?"}
        value = -found.value if self._chosen[CONF_INVERT] and not kind else found.value
        return {"now": f"{value:,.2f} {'kWh' if kind else 'kW'}"}

    def _data(self) -> dict[str, Any]:
        chosen = self._chosen
        state = self.hass.states.get(chosen[CONF_SOURCE])
        data = {
            CONF_METER_ID: self._meter_id,
            CONF_SOURCE: stored_id(self.hass, chosen[CONF_SOURCE]),
            CONF_COUNTS: bool(state and counts(state)),
            CONF_INTERVAL: int(chosen[CONF_INTERVAL]),
            CONF_INVERT: chosen[CONF_INVERT],
        }
        if self._is_battery:
            data[CONF_CHARGE] = stored_id(self.hass, chosen[CONF_CHARGE])
        return data
