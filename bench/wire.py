"""What the local Voltus says in a measurement."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sandbox.scenario import Scenario, State
from sandbox.wire import Wire
from tests.builders import wire_dispatch

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def site_ids(count: int) -> list[str]:
    """Return the ids of so many sites."""
    return [f"site-{number}" for number in range(count)]


def wire_sites(count: int, meters: int = 0) -> list[dict[str, object]]:
    """Return so many sites as `GET /sites` lists them; the first have a meter each."""
    return [
        {
            "id": site_id,
            "name": f"Site {site_id}",
            "customer_location_id": f"location-{site_id}",
            "meters": [_meter(number)] if number < meters else [],
        }
        for number, site_id in enumerate(site_ids(count))
    ]


def _meter(number: int) -> dict[str, object]:
    return {"id": f"m{number}", "name": f"Meter {number}", "asset_type": "load"}


def dispatches(count: int, sites: int, now: datetime) -> list[dict[str, object]]:
    """Return dispatches to come, an hour apart, each for the same so many sites."""
    amounts = dict.fromkeys(site_ids(sites), 100.0)
    return [
        dict(
            wire_dispatch(
                f"dispatch-{number}",
                now + timedelta(hours=number + 1),
                now + timedelta(hours=number + 1.5),
                amounts,
            )
        )
        for number in range(count)
    ]


def scenario(listed: Iterable[Wire]) -> Scenario:
    """Return what publishes these dispatches, always the same."""
    return {str(item["id"]): (State(LONG_AGO, item),) for item in listed}
