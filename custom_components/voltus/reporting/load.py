"""What Voltus has of the load of sites, from whatever meter."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from homeassistant.core import ServiceResponse
from homeassistant.exceptions import HomeAssistantError

from ..aiovoltus.errors import VoltusConnectionError, VoltusFormatError
from ..aiovoltus.models import Json
from ..aiovoltus.telemetry import Load, LoadRow
from ..certification.actions import asking, check_sites
from ..const import DOMAIN
from ..coordinator import VoltusCoordinator

INTERVALS: Final = (30, 60, 300, 900, 1800, 3600, 21600)
"""Seconds; Voltus gives back no other ones."""
DAY: Final = timedelta(days=1)


async def get_telemetry(
    account: VoltusCoordinator,
    *,
    site_ids: Sequence[str] = (),
    start: datetime | None = None,
    end: datetime | None = None,
    interval: int = 300,
) -> ServiceResponse:
    """Return the load that Voltus has of sites, as it measures what they save."""
    check_sites(account, site_ids)
    until = end or (start + DAY if start else account.now())
    since = start or until - DAY
    asked = [*(site_ids or account.sites)]
    with asking():
        try:
            load = await account.conversation.telemetry_kw(
                asked, since, until, interval
            )
        except (VoltusConnectionError, VoltusFormatError) as err:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="cannot_connect",
                translation_placeholders={"error": str(err)},
            ) from err
    return {"interval": interval, "sites": _sites(load)}


def _sites(load: Load) -> list[Json]:
    return [
        {
            "site_id": site_id,
            "meters": [
                {"meter_id": meter_id, "rows": [*map(_row, rows)]}
                for meter_id, rows in meters.items()
            ],
        }
        for site_id, meters in load.items()
    ]


def _row(row: LoadRow) -> Json:
    return {"end": row.end.isoformat(), "kw": row.kw}
