"""How a drill is begun and ended: its actions, and what stands against it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from homeassistant.core import Context, ServiceResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util.dt import as_local
from homeassistant.util.uuid import random_uuid_hex

from ..aiovoltus.drills import LONGEST, Drills, live, obstacles, stopped
from ..aiovoltus.models import DispatchSite, Site
from ..certification.course import Scenario, versions
from ..const import DOMAIN
from ..coordinator import VoltusCoordinator

PATTERNS: Final = (
    Scenario.BASIC,
    Scenario.ANCILLARY_SERVICES,
    Scenario.TWO_DISPATCHES,
    Scenario.CANCELLED,
)
SHORTEST: Final = timedelta(seconds=10)
HORIZON: Final = timedelta(days=7)
TWENTY_MINUTES: Final = timedelta(minutes=20)


async def start_drill(
    account: VoltusCoordinator,
    context: Context,
    *,
    pattern: Scenario = Scenario.BASIC,
    site_ids: Iterable[str] = (),
    start_time: datetime | None = None,
    duration: timedelta = TWENTY_MINUTES,
    commitment: float | None = None,
) -> ServiceResponse:
    """Begin a drill, or announce one, without asking Voltus."""
    now = account.now()
    begin = (start_time or now).replace(microsecond=0)
    _check_times(begin, duration, now)
    sites = _sites(account, site_ids)
    _check_free(account, sites, max(now, begin - account.lead_time), now)
    by_hand, name = account.by_hand, f"drill-{random_uuid_hex()[:6]}"
    called = [
        DispatchSite(each.id, each.name, each.customer_location_id, commitment)
        for each in sites
    ]
    made = drill(name, pattern, called, begin, duration, now)
    by_hand = replace(by_hand, drills=(*by_hand.drills, *made))
    account.async_take_word(by_hand, (), context)
    await account.async_shown()
    return {
        "dispatch_ids": [*dict.fromkeys(each.id for each in made)],
        "start_time": made[0].start_time.isoformat(),
        "until": max(each.end_time or each.received for each in made).isoformat(),
        "sites": [each.id for each in sites],
    }


async def stop_drill(account: VoltusCoordinator, context: Context) -> ServiceResponse:
    """End the drill that is on or announced, if there is one."""
    now, by_hand = account.now(), account.by_hand
    over = live(by_hand.drills, now)
    if over:
        by_hand = replace(by_hand, drills=stopped(by_hand.drills, now))
        account.async_take_word(by_hand, (), context)
        await account.async_shown()
    return {"dispatch_ids": [each.id for each in over]}


def drill(
    name: str,
    pattern: Scenario,
    sites: Iterable[DispatchSite],
    begin: datetime,
    length: timedelta,
    now: datetime,
) -> Drills:
    """Return a drill after a pattern of the certification whose T is `begin`.

    The first dispatch is announced at once; all else comes when the pattern has it. Two
    dispatches are as far apart as in the certification, for their length.
    """
    played = versions(pattern, sites, begin, length=length, gap=length / 4)
    return tuple(
        replace(
            version,
            id=name if number == 0 else f"{name}-{number + 1}",
            drill=True,
            program=None,
            metadata=None,
            creation_time=now if number == 0 else version.creation_time,
            received=now if version is played[0][0] else version.received,
        )
        for number, of_one in enumerate(played)
        for version in of_one
    )


def _check_times(begin: datetime, duration: timedelta, now: datetime) -> None:
    """Raise for times that are no rehearsal any more."""
    if not now - timedelta(seconds=1) < begin <= now + HORIZON:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="drill_start",
            translation_placeholders={
                "start": f"{as_local(begin):%Y-%m-%d %H:%M:%S}",
            },
        )
    if not SHORTEST <= duration <= LONGEST:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="drill_duration"
        )


def _sites(account: VoltusCoordinator, site_ids: Iterable[str]) -> list[Site]:
    """Return these sites, or all but the ignored ones. Raise for any other."""
    known, chosen = account.sites, list(dict.fromkeys(site_ids))
    if unknown := [each for each in chosen if each not in known]:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="unknown_site",
            translation_placeholders={
                "unknown": ", ".join(unknown),
                "known": ", ".join(known),
            },
        )
    if not known:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="no_sites"
        )
    return [known[each] for each in chosen or known]


def _check_free(
    account: VoltusCoordinator, sites: Iterable[Site], begin: datetime, now: datetime
) -> None:
    """Raise if another drill is on, or a real dispatch would be when this one begins."""
    if other := live(account.by_hand.drills, now):
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="drill_on",
            translation_placeholders={"drill": other[0].id},
        )
    named = {each.id: each.name for each in sites}
    if taken := obstacles(named, account.known, account.data.policy, begin):
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="dispatch_on",
            translation_placeholders={"sites": ", ".join(named[i] for i in taken)},
        )
