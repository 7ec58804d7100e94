"""What is given away for a bug report, and what is not."""

from collections.abc import Iterator
from datetime import datetime
import json
from pathlib import Path
import re
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
    get_diagnostics_for_device,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.voltus.account.devices import identifier
from custom_components.voltus.account.recent_activity import KEPT
from custom_components.voltus.const import DOMAIN
from sandbox.faults import Faults
from tests.builders import NOON, at, wire_dispatch

from .harness import KEY, Harness

ROOT = Path(__file__).parents[2]

type Given = dict[str, Any]


async def of_entry(harness: Harness, hass_client: ClientSessionGenerator) -> Given:
    """Return the diagnostics of the account, over HTTP as a user downloads them."""
    return {
        **await get_diagnostics_for_config_entry(
            harness.hass, hass_client, harness.entry
        )
    }


async def of_device(
    harness: Harness, hass_client: ClientSessionGenerator, site_id: str | None
) -> Given:
    """Return the diagnostics of a site, or of the account's own device."""
    device = dr.async_get(harness.hass).async_get_device_by_identifier(
        identifier(harness.entry.entry_id, site_id), harness.entry.entry_id
    )
    assert isinstance(device, dr.DeviceEntry)
    return {
        **await get_diagnostics_for_device(
            harness.hass, hass_client, harness.entry, device
        )
    }


def leaves(value: object) -> Iterator[object]:
    """Yield every key and every value in it."""
    match value:
        case dict():
            for key, each in value.items():
                yield key
                yield from leaves(each)
        case list():
            for each in value:
                yield from leaves(each)
        case _:
            yield value


async def test_no_secret_is_given_away(
    harness: Harness, hass_client: ClientSessionGenerator
) -> None:
    """Not even by a host that sends back the key wherever it can."""
    wire = wire_dispatch(f"d-{KEY}", at(-10), None, {"s1": 5.0, f"s-{KEY}": None})
    harness.publish(
        wire
        | {"metadata": {KEY: KEY, "phone": "555-0100"}}
        | {"program": {"id": 1, "name": "Cold Deal", "market": KEY}},
        wire_dispatch("d2", at(-10), at(60)),
    )
    harness.voltus.faults = Faults(corrupt={"d2": {"end_time": f"soon {KEY}"}})
    harness.voltus.accounts[KEY].sites = [
        {
            "id": "s1",
            "name": "Riverside Cold Storage",
            "customer_location_id": "riverside-01",
            "meters": [{"id": "m1", "name": "Main Meter", "asset_type": "load"}],
        }
    ]
    harness.hass.config_entries.async_update_entry(
        harness.entry,
        title="Riverside Foods",
        options={"ignored_sites": [f"x-{KEY}"]},
    )
    await harness.set_up()
    given = await of_entry(harness, hass_client)
    for site_id in (None, "s1", "s-..."):
        text = json.dumps([given, await of_device(harness, hass_client, site_id)])
        for secret in (
            KEY,
            "Riverside",
            "riverside-01",
            "Main Meter",
            "Site s",
            "Cold Deal",
            "555-0100",
        ):
            assert secret not in text
    assert "**REDACTED**" in given["entry"]["data"][CONF_API_KEY]
    assert {"s1", "m1", "d2"} <= {*map(str, leaves(given))}, "ids stay"


async def test_user_info_in_an_address_is_not_given_away(
    harness: Harness, hass_client: ClientSessionGenerator
) -> None:
    url = harness.url.replace("://", "://somebody:hunter2@")
    harness.hass.config_entries.async_update_entry(
        harness.entry, data={**harness.entry.data, CONF_URL: url}
    )
    await harness.set_up()
    given = await of_entry(harness, hass_client)
    assert "hunter2" not in json.dumps(given)
    assert "somebody" not in json.dumps(given)


async def test_all_that_is_known_is_there(
    harness: Harness, hass_client: ClientSessionGenerator
) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60), {"s1": 100.0}))
    await harness.set_up()
    given = await of_entry(harness, hass_client)
    page = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == given.keys()
    assert given["entry"]["state"] == "loaded"
    assert given["entry"]["options"]["poll_interval"] == 30
    assert given["entry"]["pref_disable_polling"] is False
    assert {site["id"] for site in given["sites"]} == {"s1", "s2"}
    (dispatch,) = given["dispatches"]
    assert dispatch["status"] == "active"
    assert dispatch["let_through"] is True
    assert dispatch["received"] == NOON.isoformat()
    assert dispatch["wire"]["start_time"] == at(-10).isoformat()
    assert {each["site"]: each["curtail"] for each in given["curtailments"]} == {
        None: True,
        "s1": True,
    }
    assert given["log"] == {"rows": len(harness.entry.runtime_data.log.rows), "past": 0}
    assert given["log"]["rows"] > 0
    kinds = ("", ".log", ".telemetry", ".load", ".records")
    assert given["stored"] == {f"voltus.account{kind}": None for kind in kinds}
    coordinator = given["coordinator"]
    assert coordinator["last_contact"] == NOON.isoformat()
    assert coordinator["next_boundary"] == at(60).isoformat()
    assert coordinator["rate_limit"]["limit"] == 101
    assert coordinator["backoff"] == {
        "not_before": None,
        "rate_limited": 0,
        "refused_since": None,
    }


async def test_what_was_refused_and_what_cannot_be_read_is_there(
    harness: Harness, hass_client: ClientSessionGenerator
) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    harness.voltus.faults = Faults(corrupt={"d1": {"end_time": "soon"}})
    await harness.set_up()
    harness.voltus.faults = Faults(status=401)
    await harness.move_to(at(1))
    harness.voltus.faults = Faults(status=429, retry_after="120")
    await harness.move_to(at(2))
    given = await of_entry(harness, hass_client)
    assert given["unreadable"] == [{"dispatch": "d1", "field": "end_time"}]
    coordinator = given["coordinator"]
    assert coordinator["last_update_success"] is False
    assert "slow down" in coordinator["last_exception"]
    assert coordinator["backoff"] == {
        "not_before": at(4).isoformat(),
        "rate_limited": 1,
        "refused_since": at(1).isoformat(),
    }


async def test_each_poll_is_there_with_how_it_went(
    harness: Harness, hass_client: ClientSessionGenerator
) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60)))
    await harness.set_up()
    faults = (Faults(), Faults(status=500), Faults(body="html"), Faults(cut=True))
    for minute, each in enumerate(faults, start=1):
        harness.voltus.faults = each
        await harness.move_to(at(minute))
    polls = (await of_entry(harness, hass_client))["polls"]
    assert [datetime.fromisoformat(poll["at"]) for poll in polls] == [
        at(minute) for minute in range(5)
    ]
    assert [(poll["status"], poll["unchanged"], poll["error"]) for poll in polls] == [
        (200, False, None),
        (200, True, None),
        (500, False, "VoltusConnectionError"),
        (200, False, "VoltusFormatError"),
        (None, False, "VoltusConnectionError"),
    ]
    assert polls[0]["size"] == polls[1]["size"] > 100
    assert polls[4]["size"] is None
    assert all(poll["seconds"] >= 0 for poll in polls)


async def test_a_pause_is_no_poll_and_fifty_are_kept(
    harness: Harness, hass_client: ClientSessionGenerator
) -> None:
    await harness.set_up()
    for _ in range(KEPT):
        await harness.poll()
    harness.voltus.faults = Faults(status=429, retry_after="60")
    for _ in range(3):
        await harness.poll()
    polls = (await of_entry(harness, hass_client))["polls"]
    assert len(polls) == KEPT == 50
    assert [poll["status"] for poll in polls[-2:]] == [200, 429]


async def test_each_boundary_is_there_with_how_late_it_was(
    harness: Harness, hass_client: ClientSessionGenerator
) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(20)))
    await harness.set_up()
    await harness.move_to(at(5))
    await harness.move_to(at(10))
    await harness.move_to(at(20.5))
    assert (await of_entry(harness, hass_client))["boundaries"] == [
        {
            "planned": at(10).isoformat(),
            "looked": at(10).isoformat(),
            "delay_seconds": 0.0,
        },
        {
            "planned": at(20).isoformat(),
            "looked": at(20.5).isoformat(),
            "delay_seconds": 30.0,
        },
    ]


async def test_the_clocks_are_compared(
    harness: Harness, hass_client: ClientSessionGenerator
) -> None:
    harness.voltus.faults = Faults(date_offset=7)
    await harness.set_up()
    clock = (await of_entry(harness, hass_client))["clock"]
    assert clock["median_offset"] == 7.0


async def test_what_was_said_by_hand_is_there_but_not_in_whose_words(
    harness: Harness, hass_client: ClientSessionGenerator
) -> None:
    harness.publish(wire_dispatch("d1", at(-10), at(60), {"s2": 1.0}))
    await harness.set_up()
    said = {"dispatch_id": "d1"}
    for name, fields in (
        ("start_drill", {"site_ids": ["s1"]}),
        ("acknowledge", {**said, "note": "Ana is there"}),
        ("opt_out", {**said, "reason": "Ana says no"}),
    ):
        await harness.hass.services.async_call(DOMAIN, name, fields, blocking=True)
    given = await of_entry(harness, hass_client)
    (drill,) = given["by_hand"]["drills"]
    assert drill["wire"]["start_time"] == NOON.isoformat()
    of_s2 = [{"dispatch": "d1", "site": "s2", "at": NOON.isoformat()}]
    assert given["by_hand"]["opted_out"] == given["by_hand"]["acknowledged"] == of_s2
    assert not [each for each in leaves(given) if "Ana" in str(each)]
    of_s1 = (await of_device(harness, hass_client, "s1"))["by_hand"]
    assert (len(of_s1["drills"]), of_s1["opted_out"]) == (1, [])


async def test_a_site_shows_what_concerns_it(
    harness: Harness, hass_client: ClientSessionGenerator
) -> None:
    harness.publish(
        wire_dispatch("d1", at(-10), at(60), {"s1": 1.0}),
        wire_dispatch("d2", at(-10), at(60), {"s2": 1.0}),
    )
    await harness.set_up()
    given = await of_device(harness, hass_client, "s1")
    assert [site["id"] for site in given["sites"]] == ["s1"]
    assert [each["wire"]["id"] for each in given["dispatches"]] == ["d1"]
    assert [each["site"] for each in given["curtailments"]] == ["s1"]
    assert given["polls"]
    assert len((await of_device(harness, hass_client, None))["dispatches"]) == 2


@pytest.mark.parametrize("status", [401, 500])
async def test_an_account_that_does_not_run_says_why(
    harness: Harness, hass_client: ClientSessionGenerator, status: int
) -> None:
    harness.voltus.faults = Faults(status=status)
    await harness.set_up()
    assert harness.entry.state is not ConfigEntryState.LOADED
    given = await of_entry(harness, hass_client)
    assert given["entry"]["reason"]
    assert given.keys() == {"entry", "stored"}
    dr.async_get(harness.hass).async_get_or_create(
        config_entry_id=harness.entry.entry_id, identifiers={(DOMAIN, "account")}
    )
    assert await of_device(harness, hass_client, None) == given
    await harness.hass.config_entries.async_unload(harness.entry.entry_id)
