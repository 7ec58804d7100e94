"""Setting up an account, giving it another key or address, and its options."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.components import webhook
from homeassistant.config_entries import (
    ConfigEntryState,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryFlow,
    OptionsFlow,
)
from homeassistant.const import CONF_API_KEY, CONF_URL, CONF_WEBHOOK_ID
from homeassistant.core import callback
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import voluptuous as vol

from .account.issues import plain
from .account.options import (
    CONF_ACT_ON_TEST_DISPATCHES,
    CONF_IGNORED_SITES,
    CONF_LEAD_TIME,
    CONF_OFFLINE_HOLD,
    CONF_POLL_INTERVAL,
    CONF_PUSH,
    CONF_PUSH_URL,
    DEFAULTS,
)
from .aiovoltus.client import (
    PRODUCTION,
    PUBLIC_KEY,
    SANDBOX,
    VoltusClient,
    parse_origin,
)
from .aiovoltus.errors import (
    VoltusAuthError,
    VoltusConnectionError,
    VoltusError,
    VoltusRateLimitError,
)
from .asking.address import parse_base
from .const import DOMAIN
from .coordinator import VoltusConfigEntry
from .performance.flow import PerformanceFlow
from .performance.settings import SUBENTRY as PERFORMANCE
from .telemetry.controllable import SUBENTRY as CONTROLLABLE_LOAD
from .telemetry.controllable_flow import ControllableLoadFlow
from .telemetry.flow import MeterFlow
from .telemetry.meters import SUBENTRY as METER

CONF_NEW_PUSH_ADDRESS = "new_push_address"

CONTACT = "api-support@voltus.co"
HOSTS = {"production": PRODUCTION, "sandbox": SANDBOX}

ERRORS: tuple[tuple[type[VoltusError], str], ...] = (
    (VoltusAuthError, "invalid_auth"),
    (VoltusRateLimitError, "rate_limited"),
    (VoltusConnectionError, "cannot_connect"),
    (VoltusError, "unknown"),
)

KEY_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_API_KEY): TextSelector(
            TextSelectorConfig(
                type=TextSelectorType.PASSWORD, autocomplete="current-password"
            )
        )
    }
)
ACCOUNT_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_URL, default="production"): SelectSelector(
            SelectSelectorConfig(
                options=list(HOSTS), custom_value=True, translation_key="url"
            )
        )
    }
).extend(KEY_SCHEMA.schema)
RECONFIGURE_SCHEMA = ACCOUNT_SCHEMA.extend(
    {vol.Required(CONF_NEW_PUSH_ADDRESS, default=False): BooleanSelector()}
)


class _InputError(Exception):
    """Something that the user can mend: which field, and what is wrong with it."""

    def __init__(self, field: str, error: str) -> None:
        super().__init__(error)
        self.errors = {field: error}


class VoltusConfigFlow(ConfigFlow, domain=DOMAIN):
    """Connect an account, or mend the connection of one."""

    _error = ""

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: VoltusConfigEntry) -> OptionsFlow:
        """Return the flow behind the cogwheel."""
        return VoltusOptionsFlow()

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(
        cls, config_entry: VoltusConfigEntry
    ) -> dict[str, type[ConfigSubentryFlow]]:
        """Return the forms behind *Add meter* and the like."""
        return {
            METER: MeterFlow,
            CONTROLLABLE_LOAD: ControllableLoadFlow,
            PERFORMANCE: PerformanceFlow,
        }

    @override
    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Connect an account."""
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                data = await self._check(user_input, None)
            except _InputError as err:
                errors = err.errors
            else:
                title = "Voltus" if data[CONF_URL] == PRODUCTION else "Voltus sandbox"
                return self.async_create_entry(title=title, data=data)
        return self._form("user", ACCOUNT_SCHEMA, user_input, errors)

    async def async_step_reauth(
        self, entry_data: Mapping[str, Any]
    ) -> ConfigFlowResult:
        """Begin to replace a key that Voltus refuses."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Replace the key."""
        return await self._mend(
            "reauth_confirm", KEY_SCHEMA, self._get_reauth_entry(), user_input
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Replace the address, the key, or the address at which Voltus calls us."""
        return await self._mend(
            "reconfigure", RECONFIGURE_SCHEMA, self._get_reconfigure_entry(), user_input
        )

    async def _mend(
        self,
        step_id: str,
        schema: vol.Schema,
        entry: VoltusConfigEntry,
        user_input: dict[str, Any] | None,
    ) -> ConfigFlowResult:
        """Change the address or key of an entry, in place if it runs."""
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                data = await self._check({**entry.data, **user_input}, entry)
            except _InputError as err:
                errors = err.errors
            else:
                done = self.async_update_and_abort(entry, data_updates=data)
                if entry.state is not ConfigEntryState.LOADED:
                    # It begins at once, so the new data have to be there already.
                    self.hass.config_entries.async_schedule_reload(entry.entry_id)
                return done
        names = {origin: name for name, origin in HOSTS.items()}
        url = entry.data[CONF_URL]
        shown = user_input or {CONF_URL: names.get(url, url)}
        return self._form(step_id, schema, shown, errors)

    def _form(
        self,
        step_id: str,
        schema: vol.Schema,
        shown: dict[str, Any] | None,
        errors: dict[str, str],
    ) -> ConfigFlowResult:
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, shown),
            errors=errors,
            description_placeholders={
                "contact": CONTACT,
                "error": self._error,
                "example": "https://api.example.com",
                "public_key": PUBLIC_KEY,
            },
        )

    async def _check(
        self, user_input: Mapping[str, Any], entry: VoltusConfigEntry | None
    ) -> dict[str, Any]:
        """Try an address and a key, and return what to store. Raises _InputError."""
        data = _account(user_input)
        self._refuse_a_second(data, entry)
        client = VoltusClient(
            async_get_clientsession(self.hass), data[CONF_URL], data[CONF_API_KEY]
        )
        try:
            answer = await client.sites()
        except VoltusError as err:
            self._error = plain(str(err))
            raise _InputError(
                "base", next(name for kind, name in ERRORS if isinstance(err, kind))
            ) from err
        # Another flow may have been quicker.
        self._refuse_a_second(data, entry)
        if entry and _is_another_account(entry, data[CONF_URL], answer.sites):
            raise _InputError(CONF_API_KEY, "wrong_account")
        if user_input.get(CONF_NEW_PUSH_ADDRESS):
            data[CONF_WEBHOOK_ID] = webhook.async_generate_id()
        return data

    def _refuse_a_second(
        self, data: Mapping[str, Any], entry: VoltusConfigEntry | None
    ) -> None:
        """Raise _InputError if another entry has this address and key."""
        others = (each for each in self._async_current_entries() if each is not entry)
        if any({**other.data, **data} == {**other.data} for other in others):
            raise _InputError(CONF_API_KEY, "already_configured")


class VoltusOptionsFlow(OptionsFlow):
    """Choose what to act on, and how early. Applied at once, without a reload."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show all options on one page."""
        errors: dict[str, str] = {}
        entry: VoltusConfigEntry = self.config_entry
        if user_input is not None:
            try:
                return self.async_create_entry(data=_options(user_input, entry))
            except _InputError as err:
                errors = err.errors
        shown = {**DEFAULTS, **entry.options, **(user_input or {})}
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(
                _options_schema(_site_names(entry)), shown
            ),
            errors=errors,
            description_placeholders={"example": "https://home.example.com"},
        )


def _options(user_input: Mapping[str, Any], entry: VoltusConfigEntry) -> dict[str, Any]:
    """Return the options as they are stored. Raises _InputError."""
    whole = (CONF_POLL_INTERVAL, CONF_LEAD_TIME, CONF_OFFLINE_HOLD)
    base = user_input.get(CONF_PUSH_URL, "").strip()
    try:
        base = parse_base(base, entry.data[CONF_URL]) if base else ""
    except ValueError:
        raise _InputError(CONF_PUSH_URL, "invalid_push_url") from None
    return {
        **user_input,
        **{key: int(user_input[key]) for key in whole},
        CONF_PUSH_URL: base,
    }


def _account(user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return address and key as they are stored. Raises _InputError."""
    url, key = user_input[CONF_URL], user_input[CONF_API_KEY].strip()
    try:
        origin = HOSTS.get(url) or parse_origin(url)
    except ValueError:
        raise _InputError(CONF_URL, "invalid_url") from None
    if origin == PRODUCTION and key == PUBLIC_KEY:
        raise _InputError(CONF_API_KEY, "public_key_on_production")
    if not (key and key.isascii() and key.isprintable()):
        raise _InputError(CONF_API_KEY, "invalid_auth")
    return {CONF_URL: origin, CONF_API_KEY: key}


def _is_another_account(
    entry: VoltusConfigEntry, origin: str, sites: Mapping[str, Any]
) -> bool:
    """Whether a key of the same origin shows none of the sites that we know."""
    if origin != entry.data[CONF_URL] or entry.state is not ConfigEntryState.LOADED:
        return False
    known = entry.runtime_data.all_sites
    return bool(known and sites) and known.keys().isdisjoint(sites)


def _site_names(entry: VoltusConfigEntry) -> dict[str, str]:
    names = {site_id: site_id for site_id in entry.options.get(CONF_IGNORED_SITES, ())}
    if entry.state is ConfigEntryState.LOADED:
        sites = entry.runtime_data.all_sites.values()
        names |= {site.id: f"{site.name} ({site.id})" for site in sites}
    return names


def _options_schema(site_names: Mapping[str, str]) -> vol.Schema:
    return vol.Schema(
        {
            vol.Required(CONF_LEAD_TIME): _whole(0, 120, "min"),
            vol.Required(CONF_ACT_ON_TEST_DISPATCHES): BooleanSelector(),
            vol.Required(CONF_OFFLINE_HOLD): _whole(1, 24, "h"),
            vol.Required(CONF_POLL_INTERVAL): _whole(5, 60, "s"),
            vol.Optional(CONF_IGNORED_SITES, default=[]): SelectSelector(
                SelectSelectorConfig(
                    options=[
                        SelectOptionDict(value=site_id, label=name)
                        for site_id, name in site_names.items()
                    ],
                    multiple=True,
                )
            ),
            vol.Required(CONF_PUSH): BooleanSelector(),
            vol.Optional(CONF_PUSH_URL): TextSelector(
                TextSelectorConfig(type=TextSelectorType.URL)
            ),
        }
    )


def _whole(lowest: int, highest: int, unit: str) -> NumberSelector:
    return NumberSelector(
        NumberSelectorConfig(min=lowest, max=highest, step=1, unit_of_measurement=unit)
    )
