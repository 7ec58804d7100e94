"""What the operator can choose."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from ..aiovoltus.schedule import Policy

CONF_POLL_INTERVAL: Final = "poll_interval"
CONF_LEAD_TIME: Final = "lead_time"
CONF_ACT_ON_TEST_DISPATCHES: Final = "act_on_test_dispatches"
CONF_OFFLINE_HOLD: Final = "offline_hold"
CONF_IGNORED_SITES: Final = "ignored_sites"
CONF_PUSH: Final = "push"
CONF_PUSH_URL: Final = "push_url"

# Seconds, minutes, yes or no, hours, site ids, yes or no, an address.
DEFAULTS: Final[Mapping[str, Any]] = {
    CONF_POLL_INTERVAL: 30,
    CONF_LEAD_TIME: 0,
    CONF_ACT_ON_TEST_DISPATCHES: False,
    CONF_OFFLINE_HOLD: 4,
    CONF_IGNORED_SITES: [],
    CONF_PUSH: True,
    CONF_PUSH_URL: "",
}


def poll_interval(options: Mapping[str, Any]) -> timedelta:
    """Return the time from one request to the next."""
    return timedelta(seconds={**DEFAULTS, **options}[CONF_POLL_INTERVAL])


def push_is_on(options: Mapping[str, Any]) -> bool:
    """Return whether Voltus may call us."""
    return bool({**DEFAULTS, **options}[CONF_PUSH])


def push_url(options: Mapping[str, Any]) -> str:
    """Return the base address that the operator has given for it; empty: find one."""
    return str({**DEFAULTS, **options}[CONF_PUSH_URL])


def policy(options: Mapping[str, Any]) -> Policy:
    """Return what to act on, and how."""
    chosen = {**DEFAULTS, **options}
    return Policy(
        lead_time=timedelta(minutes=chosen[CONF_LEAD_TIME]),
        act_on_test_dispatches=chosen[CONF_ACT_ON_TEST_DISPATCHES],
        offline_hold=timedelta(hours=chosen[CONF_OFFLINE_HOLD]),
        ignored_sites=frozenset(chosen[CONF_IGNORED_SITES]),
    )
