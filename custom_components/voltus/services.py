"""The actions: who may call them, with what, and what they answer."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, final

from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
)
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import (
    async_get_config_entry,
    async_register_admin_service,
)
from homeassistant.util.dt import as_utc
import voluptuous as vol

from .aiovoltus.schedule import Status
from .certification.actions import create_test_dispatch, run_scenario, test_push
from .certification.course import Scenario
from .const import DOMAIN
from .coordinator import VoltusConfigEntry, VoltusCoordinator
from .loads.actions import async_setup_load_actions
from .operating.actions import acknowledge, opt_in, opt_out
from .operating.drill import PATTERNS, start_drill, stop_drill
from .reporting.download import Format, get_report
from .reporting.load import INTERVALS, get_telemetry
from .reporting.queries import get_dispatches, get_log, get_season

type _Answer = Coroutine[Any, Any, ServiceResponse]
type _Act = Callable[..., _Answer]


def _instant(value: object) -> datetime:
    """Read a time, as UTC; one without a zone is Home Assistant's."""
    try:
        return as_utc(cv.datetime(value))
    except OverflowError as err:
        raise vol.Invalid("beyond the calendar") from err


def _duration(value: object) -> timedelta:
    """Read a duration, which may be negative."""
    try:
        duration: timedelta = cv.time_period(value)
    except OverflowError as err:
        raise vol.Invalid("longer than any calendar") from err
    return duration


_ACCOUNT = {vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string}
_KILOWATTS = vol.All(vol.Coerce(float), vol.Range(min=0, max=10**6))
_RATE = vol.All(vol.Coerce(float), vol.Range(min=0, max=10**6))
_PERIOD = {vol.Optional("start"): _instant, vol.Optional("end"): _instant}

CREATE_TEST_DISPATCH_SCHEMA = vol.Schema(
    {
        **_ACCOUNT,
        vol.Optional("start_time"): _instant,
        vol.Optional("duration"): _duration,
        vol.Optional("program_id"): vol.Coerce(int),
    }
)
RUN_SCENARIO_SCHEMA = vol.Schema(
    {
        **_ACCOUNT,
        vol.Required("scenario"): vol.Coerce(Scenario),
        vol.Optional("length"): _duration,
        vol.Optional("gap"): _duration,
        vol.Optional("site_ids"): vol.All(cv.ensure_list, [cv.string]),
        vol.Optional("commitment"): _KILOWATTS,
    }
)
TEST_PUSH_SCHEMA = vol.Schema(_ACCOUNT)
GET_DISPATCHES_SCHEMA = vol.Schema(
    {
        **_ACCOUNT,
        vol.Optional("status"): vol.All(cv.ensure_list, [vol.Coerce(Status)]),
        vol.Optional("site_id"): cv.string,
        **_PERIOD,
    }
)
GET_LOG_SCHEMA = vol.Schema(
    {**_ACCOUNT, vol.Optional("dispatch_id"): cv.string, **_PERIOD}
)
GET_REPORT_SCHEMA = vol.Schema(
    {
        **_ACCOUNT,
        vol.Required("dispatch_id"): cv.string,
        vol.Optional("format"): vol.Coerce(Format),
    }
)
GET_SEASON_SCHEMA = vol.Schema(
    {
        **_ACCOUNT,
        **_PERIOD,
        vol.Optional("rate_per_kwh"): _RATE,
        vol.Optional("rate_per_kw_month"): _RATE,
    }
)
GET_TELEMETRY_SCHEMA = vol.Schema(
    {
        **_ACCOUNT,
        vol.Optional("site_ids"): vol.All(cv.ensure_list, [cv.string]),
        **_PERIOD,
        vol.Optional("interval"): vol.All(vol.Coerce(int), vol.In(INTERVALS)),
    }
)
START_DRILL_SCHEMA = vol.Schema(
    {
        **_ACCOUNT,
        vol.Optional("pattern"): vol.All(vol.Coerce(Scenario), vol.In(PATTERNS)),
        vol.Optional("site_ids"): vol.All(cv.ensure_list, [cv.string]),
        vol.Optional("start_time"): _instant,
        vol.Optional("duration"): _duration,
        vol.Optional("commitment"): _KILOWATTS,
    }
)
STOP_DRILL_SCHEMA = vol.Schema({**_ACCOUNT})
ACKNOWLEDGE_SCHEMA = vol.Schema(
    {
        **_ACCOUNT,
        vol.Optional("dispatch_id"): cv.string,
        vol.Optional("note"): cv.string,
    }
)
OPT_SCHEMA = vol.Schema(
    {
        **_ACCOUNT,
        vol.Required("dispatch_id"): cv.string,
        vol.Optional("site_ids"): vol.All(cv.ensure_list, [cv.string]),
        vol.Optional("reason"): cv.string,
    }
)


def _for_account(
    act: _Act,
) -> Callable[[ServiceCall], _Answer]:
    """Have something done for the account that is named, or the only one there is."""

    async def handle(call: ServiceCall) -> ServiceResponse:
        account, fields = _account_and_fields(call)
        return await act(account, **fields)

    return handle


def _by_operator(
    say: _Act,
) -> Callable[[ServiceCall], _Answer]:
    """Have something said likewise, as the word of whoever calls."""

    async def handle(call: ServiceCall) -> ServiceResponse:
        account, fields = _account_and_fields(call)
        return await say(account, call.context, **fields)

    return handle


def _account_and_fields(call: ServiceCall) -> tuple[VoltusCoordinator, dict[str, Any]]:
    fields = dict(call.data)
    entry: VoltusConfigEntry = async_get_config_entry(
        call.hass, DOMAIN, fields.pop(ATTR_CONFIG_ENTRY_ID, None)
    )
    return entry.runtime_data, fields


@final
@dataclass(frozen=True, slots=True)
class _Action:
    """An action of the name of a function: with what, for whom, and what it answers."""

    act: _Act
    schema: vol.Schema
    handler: Callable[[_Act], Callable[[ServiceCall], _Answer]] = _for_account
    admin: bool = True
    answers: SupportsResponse = SupportsResponse.OPTIONAL


_ACTIONS: Final = (
    _Action(create_test_dispatch, CREATE_TEST_DISPATCH_SCHEMA),
    _Action(run_scenario, RUN_SCENARIO_SCHEMA),
    _Action(test_push, TEST_PUSH_SCHEMA),
    _Action(start_drill, START_DRILL_SCHEMA, _by_operator),
    _Action(stop_drill, STOP_DRILL_SCHEMA, _by_operator),
    _Action(opt_out, OPT_SCHEMA, _by_operator),
    _Action(opt_in, OPT_SCHEMA, _by_operator),
    _Action(acknowledge, ACKNOWLEDGE_SCHEMA, _by_operator, admin=False),
    *(
        _Action(ask, schema, admin=False, answers=SupportsResponse.ONLY)
        for ask, schema in (
            (get_dispatches, GET_DISPATCHES_SCHEMA),
            (get_log, GET_LOG_SCHEMA),
            (get_report, GET_REPORT_SCHEMA),
            (get_season, GET_SEASON_SCHEMA),
            (get_telemetry, GET_TELEMETRY_SCHEMA),
        )
    ),
)


async def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    for each in _ACTIONS:
        register = (
            partial(async_register_admin_service, hass)
            if each.admin
            else hass.services.async_register
        )
        register(
            DOMAIN,
            each.act.__name__,
            each.handler(each.act),
            each.schema,
            each.answers,
        )
    await async_setup_load_actions(hass)
