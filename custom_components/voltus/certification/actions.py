"""How an operator has something to curtail for: test dispatches and scenarios."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from homeassistant.core import ServiceResponse
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util.dt import as_local, utcnow

from ..account.options import poll_interval
from ..aiovoltus.client import PRODUCTION
from ..aiovoltus.errors import (
    VoltusAuthError,
    VoltusError,
    VoltusNotFoundError,
    VoltusRateLimitError,
    VoltusRequestError,
)
from ..aiovoltus.models import Dispatch, DispatchSite, iso
from ..const import DOMAIN
from ..coordinator import VoltusCoordinator
from .course import (
    LONGEST,
    SHORTEST,
    Course,
    Reaction,
    Scenario,
    as_request,
    course,
    curtails_before_cancel,
    timetable,
)
from .verdict import as_row

HORIZON: Final = timedelta(hours=72)
"""How far ahead Voltus takes a test dispatch."""
SOON: Final = timedelta(minutes=2)
FIVE_MINUTES: Final = timedelta(minutes=5)
PUSH_TEST_LASTS: Final = timedelta(minutes=1)
PUSH_WITHIN: Final = 30
"""Seconds that the delivery of a test has."""
TWENTY_MINUTES: Final = timedelta(minutes=20)


async def create_test_dispatch(
    account: VoltusCoordinator,
    *,
    start_time: datetime | None = None,
    duration: timedelta = TWENTY_MINUTES,
    program_id: int | None = None,
) -> ServiceResponse:
    """Have Voltus issue a test dispatch, and find it on the list."""
    now = utcnow()
    start = (start_time or now + SOON).replace(microsecond=0)
    _check_test_dispatch(start, duration, now)
    end = (start + duration).replace(microsecond=0)
    known = account.data.snapshot.dispatches
    with asking():
        await account.conversation.client.create_test_dispatch(start, end, program_id)
    await account.async_refresh()
    found = next(
        (
            each
            for each in account.data.snapshot.dispatches.values()
            if each.test
            and each.id not in known
            and (each.start_time, each.end_time) == (start, end)
        ),
        None,
    )
    curtailing = _sites_curtailed_in_a_test(account, found)
    return {
        "dispatch_id": found.id if found else None,
        "start_time": start.isoformat(),
        "end_time": end.isoformat(),
        "will_curtail": bool(curtailing),
        "sites": [*curtailing],
        "notes": [*_notes(account, found, curtailing)],
    }


async def run_scenario(
    account: VoltusCoordinator,
    *,
    scenario: Scenario,
    length: timedelta = TWENTY_MINUTES,
    gap: timedelta = FIVE_MINUTES,
    site_ids: Iterable[str] = (),
    commitment: float = 1000.0,
) -> ServiceResponse:
    """Have a sandbox play a scenario, and note what has to come of it."""
    if account.origin == PRODUCTION:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="scenario_in_production"
        )
    _check_scenario(length, gap)
    now = utcnow().replace(microsecond=0)
    reaction = Reaction(
        account.data.policy.lead_time, poll_interval(account.config_entry.options)
    )
    posted = course(
        scenario,
        _sites_of_scenario(account, site_ids, commitment),
        now,
        length=length,
        gap=gap,
        reaction=reaction,
    )
    if curtails_before_cancel(posted, reaction):
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="curtails_before_cancel",
            translation_placeholders={
                "lead_time": f"{reaction.lead_time.total_seconds() / 60:g}"
            },
        )
    # A reload has to wait, or the scenario would be in the log that it has just ended.
    async with account.config_entry.setup_lock:
        with asking():
            await account.conversation.client.post_scenario(as_request(posted))
        account.async_log(as_row(posted), now)
    return _scenario(posted, account)


async def test_push(account: VoltusCoordinator) -> ServiceResponse:
    """Have Voltus issue a test dispatch, and return how soon its delivery came."""
    _check_push(account)
    posted = utcnow()
    start = (posted + SOON).replace(microsecond=0)
    end = start + PUSH_TEST_LASTS
    with asking():
        await account.conversation.client.create_test_dispatch(start, end)
    try:
        async with asyncio.timeout(PUSH_WITHIN):
            while (delivery := _delivery(account, (start, end), posted)) is None:
                await account.push.async_answered()
    except TimeoutError as err:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="push_did_not_come",
            translation_placeholders={"seconds": str(PUSH_WITHIN)},
        ) from err
    dispatch_id, received = delivery
    return {
        "dispatch_id": dispatch_id,
        "milliseconds": round((received - posted).total_seconds() * 1000),
        "via": account.push.via,
    }


def _check_push(account: VoltusCoordinator) -> None:
    """Raise where no delivery can come, or where a test would shed loads."""
    if account.push.health.since is None:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="push_is_off",
            translation_placeholders={
                "reason": account.push.reason or "not_registered"
            },
        )
    if account.data.policy.act_on_test_dispatches:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="push_test_would_curtail"
        )


def _delivery(
    account: VoltusCoordinator, times: tuple[datetime, datetime], posted: datetime
) -> tuple[str, datetime] | None:
    """Return the id of the test dispatch with these times, and when it was delivered."""
    known = account.known.dispatches
    for dispatch_id, received in account.push.health.delivered.items():
        each = known.get(dispatch_id)
        if (
            each
            and each.test
            and (each.start_time, each.end_time) == times
            and received >= posted
        ):
            return dispatch_id, received
    return None


def check_sites(account: VoltusCoordinator, site_ids: Iterable[str]) -> None:
    """Raise for a site that the account does not have."""
    if unknown := [each for each in site_ids if each not in account.all_sites]:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="unknown_site",
            translation_placeholders={
                "unknown": ", ".join(unknown),
                "known": ", ".join(account.all_sites),
            },
        )


def _check_test_dispatch(start: datetime, duration: timedelta, now: datetime) -> None:
    """Raise for times that Voltus would not take."""
    if start <= now:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="start_in_the_past",
            translation_placeholders={"start": _shown(start)},
        )
    if duration < timedelta(seconds=1):
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="no_duration"
        )
    if start > now + HORIZON or duration > now + HORIZON - start:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="too_far_ahead",
            translation_placeholders={"latest": _shown(now + HORIZON)},
        )


def _sites_curtailed_in_a_test(
    account: VoltusCoordinator, found: Dispatch | None
) -> list[str]:
    """Return the sites at which the test curtails; until it is found, it is for all."""
    policy = account.data.policy
    if not policy.act_on_test_dispatches:
        return []
    sites = [site.id for site in found.sites] if found else [*account.all_sites]
    return [site_id for site_id in sites if site_id not in policy.ignored_sites]


def _notes(
    account: VoltusCoordinator, found: Dispatch | None, curtailing: list[str]
) -> Iterator[str]:
    if not found:
        yield (
            "Voltus has accepted the test dispatch, but does not list it yet. It is "
            "announced as soon as a poll finds it."
        )
    if not account.data.policy.act_on_test_dispatches:
        yield "Curtail stays off: the option “Act on test dispatches” is off."
    elif not curtailing:
        yield "Curtail stays off: all of its sites are ignored in the options."


def _check_scenario(length: timedelta, gap: timedelta) -> None:
    """Raise for durations with which a scenario would show nothing."""
    if not SHORTEST <= length <= LONGEST:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="length_out_of_range"
        )
    if not -length < gap <= LONGEST:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="gap_out_of_range"
        )


def _sites_of_scenario(
    account: VoltusCoordinator, site_ids: Iterable[str], commitment: float
) -> list[DispatchSite]:
    """Return the sites named, or all, as a scenario dispatches them."""
    check_sites(account, site_ids)
    sites = [account.all_sites[each] for each in dict.fromkeys(site_ids)]
    if not account.all_sites:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="no_sites"
        )
    return [
        DispatchSite(site.id, site.name, site.customer_location_id, commitment)
        for site in sites or account.all_sites.values()
    ]


def _scenario(posted: Course, account: VoltusCoordinator) -> ServiceResponse:
    """Return what is going to happen, what of it passes, and what stands against it."""
    site_ids = [site.id for site in posted.dispatches[0].sites]
    return {
        "scenario": posted.scenario.value,
        "posted": posted.posted.isoformat(),
        "until": posted.until.isoformat(),
        "sites": [*site_ids],
        "criterion": posted.criterion,
        "timetable": [
            {
                "at": step.at.isoformat(),
                "until": iso(step.until),
                "what": step.what,
            }
            for step in timetable(posted)
        ],
        "expected": [each.as_json() for each in posted.expected],
        "notes": [*_obstacles(posted, account, site_ids)],
    }


def _obstacles(
    posted: Course, account: VoltusCoordinator, site_ids: Iterable[str]
) -> Iterator[str]:
    """Say why a scenario cannot pass as things are."""
    if posted.scenario is Scenario.CLEAR:
        return
    for site_id in site_ids:
        if site_id in account.data.policy.ignored_sites:
            yield f"{site_id} is ignored in the options: its Curtail never comes on."
        elif account.data.curtailment(site_id).curtail:
            yield (
                f"{site_id} is curtailing already. Run the scenario “clear”, wait for "
                "two polls, and run this one again."
            )


@contextmanager
def asking() -> Iterator[None]:
    """Tell in Home Assistant's way why Voltus does not do what it was asked for."""
    try:
        yield
    except VoltusAuthError as err:
        raise HomeAssistantError(
            translation_domain=DOMAIN, translation_key="action_not_allowed"
        ) from err
    except VoltusRateLimitError as err:
        raise HomeAssistantError(
            translation_domain=DOMAIN, translation_key="action_too_soon"
        ) from err
    except (VoltusRequestError, VoltusNotFoundError) as err:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="action_refused",
            translation_placeholders={"error": str(err)},
        ) from err
    except VoltusError as err:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="action_unanswered",
            translation_placeholders={"error": str(err)},
        ) from err


def _shown(instant: datetime) -> str:
    return f"{as_local(instant):%Y-%m-%d %H:%M:%S}"
