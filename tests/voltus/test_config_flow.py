"""Connecting an account, and mending the connection of one."""

import asyncio
from collections.abc import Mapping
import logging
from typing import Any

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigEntryState,
    ConfigFlowResult,
)
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.voltus import config_flow
from custom_components.voltus.aiovoltus.client import PRODUCTION, PUBLIC_KEY, SANDBOX
from custom_components.voltus.const import DOMAIN
from sandbox import wire
from sandbox.api import Account
from sandbox.faults import Faults
from sandbox.server import LocalVoltus, serve
from tests.builders import at, wire_dispatch

from .harness import KEY, Harness

NEW_KEY = "another-issued-key"
WRONG_KEY = "no-such-key"

ANSWERS = {
    "401": (Faults(status=401), "invalid_auth"),
    "403 Unauthorized": (Faults(status=403), "invalid_auth"),
    "403 of a proxy": (Faults(status=403, body="html"), "cannot_connect"),
    "404": (Faults(status=404), "unknown"),
    "429": (Faults(status=429), "rate_limited"),
    "500": (Faults(status=500), "cannot_connect"),
    "a cut connection": (Faults(cut=True), "cannot_connect"),
    "a redirect": (Faults(redirect="https://example.com/login"), "cannot_connect"),
    "a web page": (Faults(body="html"), "unknown"),
    "garbage": (Faults(body="malformed"), "unknown"),
    "another shape": (Faults(body="wrong_shape"), "unknown"),
    "too much": (Faults(body="huge"), "cannot_connect"),
}


@pytest.fixture(autouse=True)
def _another_account(harness: Harness) -> None:
    """Have Voltus know a second key, with sites of its own."""
    harness.voltus.accounts[NEW_KEY] = Account()


@pytest.fixture
def production(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the local Voltus be production: nothing leaves this machine."""
    monkeypatch.setattr(config_flow, "PRODUCTION", harness.url)
    monkeypatch.setitem(config_flow.HOSTS, "production", harness.url)
    return harness.url


async def start(harness: Harness) -> ConfigFlowResult:
    """Open the form for a new account."""
    form = await harness.hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "user"
    return form


async def fill_in(
    harness: Harness, form: ConfigFlowResult, **user_input: str
) -> ConfigFlowResult:
    """Submit a form, and wait for what comes of it."""
    result = await harness.hass.config_entries.flow.async_configure(
        form["flow_id"], user_input
    )
    await harness.settle()
    return result


def shown(form: ConfigFlowResult) -> dict[str, Any]:
    """Return what the fields of a form hold when it is opened."""
    schema = form["data_schema"]
    assert schema
    return {
        str(marker): marker.description["suggested_value"]
        for marker in schema.schema
        if marker.description and "suggested_value" in marker.description
    }


def connection(harness: Harness) -> dict[str, Any]:
    """Return where an entry asks, and with which key."""
    return {key: harness.entry.data[key] for key in (CONF_URL, CONF_API_KEY)}


def placeholders(form: ConfigFlowResult) -> Mapping[str, str]:
    """Return what stands in the texts of a form."""
    found = form["description_placeholders"]
    assert found
    return found


async def test_an_account_of_production(harness: Harness, production: str) -> None:
    result = await fill_in(
        harness, await start(harness), url="production", api_key=NEW_KEY
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "Voltus"
    assert result["data"] == {CONF_URL: production, CONF_API_KEY: NEW_KEY}
    assert result["result"].state is ConfigEntryState.LOADED


async def test_an_account_of_the_sandbox(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(config_flow.HOSTS, "sandbox", harness.url)
    result = await fill_in(
        harness, await start(harness), url="sandbox", api_key=PUBLIC_KEY
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "Voltus sandbox"
    assert result["data"] == {CONF_URL: harness.url, CONF_API_KEY: PUBLIC_KEY}
    assert result["result"].runtime_data.all_sites.keys() == {"asdf", "lkjh"}


def test_the_choices_are_voltus_own_hosts() -> None:
    assert config_flow.HOSTS == {"production": PRODUCTION, "sandbox": SANDBOX}


@pytest.mark.parametrize("ending", ["", "/", "/2022-04-15", "/2022-04-15/", "  "])
async def test_of_an_address_the_origin_is_kept(harness: Harness, ending: str) -> None:
    result = await fill_in(
        harness, await start(harness), url=harness.url + ending, api_key=NEW_KEY
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_URL] == harness.url


@pytest.mark.parametrize(
    "address",
    [
        "http://api.example.com",
        "http://8.8.8.8",
        "https://me@api.example.com",
        "https://me:pass@api.example.com",
        "https://api.example.com?key=1",
        "https://api.example.com#top",
        "https://api.example.com/v2",
        "https://api.example.com/2022-04-15/dispatches",
        "https://api.example.com:99999",
        "https://[",
        "api.example.com",
        "ftp://api.example.com",
        "https://",
        "",
    ],
)
async def test_an_address_that_cannot_be_used_is_refused_and_can_be_corrected(
    harness: Harness, address: str
) -> None:
    form = await fill_in(harness, await start(harness), url=address, api_key=NEW_KEY)
    assert form["type"] is FlowResultType.FORM
    assert form["errors"] == {CONF_URL: "invalid_url"}
    assert harness.voltus.requests == []

    result = await fill_in(harness, form, url=harness.url, api_key=NEW_KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_blanks_around_the_key_are_cut(harness: Harness) -> None:
    result = await fill_in(
        harness, await start(harness), url=harness.url, api_key=f" {NEW_KEY}\n"
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_API_KEY] == NEW_KEY


@pytest.mark.parametrize("key", ["", "  ", "schlüssel", "two\nlines", "\x00"])
async def test_what_cannot_be_a_key_is_never_sent(harness: Harness, key: str) -> None:
    form = await fill_in(harness, await start(harness), url=harness.url, api_key=key)
    assert form["errors"] == {CONF_API_KEY: "invalid_auth"}
    assert harness.voltus.requests == []

    result = await fill_in(harness, form, url=harness.url, api_key=NEW_KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_the_public_key_is_not_tried_on_production(
    harness: Harness, production: str
) -> None:
    form = await fill_in(
        harness, await start(harness), url="production", api_key=PUBLIC_KEY
    )
    assert form["errors"] == {CONF_API_KEY: "public_key_on_production"}
    assert placeholders(form)["public_key"] == PUBLIC_KEY
    assert harness.voltus.requests == []

    result = await fill_in(harness, form, url="production", api_key=NEW_KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_the_same_account_twice_is_refused(harness: Harness) -> None:
    await harness.set_up()
    form = await fill_in(
        harness, await start(harness), url=harness.url + "/", api_key=KEY
    )
    assert form["errors"] == {CONF_API_KEY: "already_configured"}

    result = await fill_in(harness, form, url=harness.url, api_key=NEW_KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_of_two_forms_submitted_at_once_one_makes_an_entry(
    harness: Harness,
) -> None:
    forms = [await start(harness), await start(harness)]
    results = await asyncio.gather(
        *(fill_in(harness, form, url=harness.url, api_key=NEW_KEY) for form in forms)
    )
    assert len(harness.hass.config_entries.async_entries(DOMAIN)) == 2
    (created,) = [r for r in results if r["type"] is FlowResultType.CREATE_ENTRY]
    (refused,) = [r for r in results if r is not created]
    assert refused["errors"] == {CONF_API_KEY: "already_configured"}


async def test_a_key_that_two_entries_are_given_at_once_goes_to_one(
    harness: Harness,
) -> None:
    harness.voltus.accounts["rotated"] = harness.voltus.accounts[KEY]
    other = MockConfigEntry(
        domain=DOMAIN, data={CONF_URL: harness.url, CONF_API_KEY: NEW_KEY}
    )
    other.add_to_hass(harness.hass)
    forms = [
        await entry.start_reauth_flow(harness.hass) for entry in (harness.entry, other)
    ]
    await asyncio.gather(*(fill_in(harness, form, api_key="rotated") for form in forms))
    keys = [entry.data[CONF_API_KEY] for entry in (harness.entry, other)]
    assert keys.count("rotated") == 1


@pytest.mark.parametrize(("fault", "error"), ANSWERS.values(), ids=ANSWERS.keys())
async def test_a_failed_check_is_shown_and_can_be_tried_again(
    harness: Harness, fault: Faults, error: str
) -> None:
    harness.voltus.faults = fault
    form = await fill_in(
        harness, await start(harness), url=harness.url, api_key=NEW_KEY
    )
    assert form["type"] is FlowResultType.FORM
    assert form["errors"] == {"base": error}
    assert placeholders(form)["error"].startswith(("127.0.0.1", "The answer"))
    assert shown(form)[CONF_URL] == harness.url

    harness.voltus.faults = Faults()
    result = await fill_in(harness, form, url=harness.url, api_key=NEW_KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_an_answer_that_never_comes_is_waited_for_in_vain_for_ten_seconds(
    harness: Harness,
) -> None:
    form = await start(harness)
    harness.voltus.faults = Faults(hang=True)
    submitted = harness.hass.async_create_task(
        fill_in(harness, form, url=harness.url, api_key=NEW_KEY)
    )
    while not harness.voltus.requests:
        await asyncio.sleep(0)
    harness.freezer.tick(11)
    form = await submitted
    assert form["errors"] == {"base": "cannot_connect"}
    assert "10 seconds" in placeholders(form)["error"]

    harness.voltus.faults = Faults()
    result = await fill_in(harness, form, url=harness.url, api_key=NEW_KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_a_wrong_key_can_be_corrected(harness: Harness) -> None:
    form = await fill_in(
        harness, await start(harness), url=harness.url, api_key=WRONG_KEY
    )
    assert form["errors"] == {"base": "invalid_auth"}
    result = await fill_in(harness, form, url=harness.url, api_key=NEW_KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_a_wrong_port_can_be_corrected(
    harness: Harness, unused_tcp_port: int
) -> None:
    form = await fill_in(
        harness,
        await start(harness),
        url=f"http://127.0.0.1:{unused_tcp_port}",
        api_key=NEW_KEY,
    )
    assert form["errors"] == {"base": "cannot_connect"}
    result = await fill_in(harness, form, url=harness.url, api_key=NEW_KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_no_text_of_an_answer_becomes_markup(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = wire.error(400, "<b>[Pay here](https://example.com)</b>")
    monkeypatch.setattr(harness.voltus, "answer", lambda *_: error)
    form = await fill_in(
        harness, await start(harness), url=harness.url, api_key=NEW_KEY
    )
    assert form["errors"] == {"base": "unknown"}
    text = placeholders(form)["error"]
    assert "Pay here" in text
    assert not set("<>[]/") & set(text)


async def test_a_refused_key_is_replaced(harness: Harness) -> None:
    harness.publish(wire_dispatch(), key=KEY)
    await harness.set_up()
    account = harness.voltus.accounts[NEW_KEY] = harness.voltus.accounts.pop(KEY)
    await harness.poll()
    await harness.poll()
    (form,) = harness.flows(SOURCE_REAUTH)
    assert form["step_id"] == "reauth_confirm"

    again = await fill_in(harness, form, api_key=WRONG_KEY)
    assert again["errors"] == {"base": "invalid_auth"}
    result = await fill_in(harness, again, api_key=NEW_KEY)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reauth_successful"
    assert connection(harness) == {CONF_URL: harness.url, CONF_API_KEY: NEW_KEY}

    assert account is harness.voltus.accounts[NEW_KEY]
    assert harness.state("connection").state == "on"
    assert harness.curtails("s1")
    assert "unavailable" not in {state for _, state in harness.written}
    assert harness.flows(SOURCE_REAUTH) == []


async def test_a_new_key_is_used_at_once_by_an_entry_that_could_not_start(
    harness: Harness,
) -> None:
    harness.voltus.accounts[NEW_KEY] = harness.voltus.accounts.pop(KEY)
    await harness.set_up()
    assert harness.entry.state is ConfigEntryState.SETUP_ERROR
    (form,) = harness.flows(SOURCE_REAUTH)

    result = await fill_in(harness, form, api_key=NEW_KEY)
    assert result["reason"] == "reauth_successful"
    assert harness.entry.state is ConfigEntryState.LOADED
    assert harness.state("connection").state == "on"
    assert harness.flows(SOURCE_REAUTH) == []
    assert {request.key for request in harness.voltus.requests[-2:]} == {NEW_KEY}


async def test_the_key_of_another_account_does_not_replace_a_key(
    harness: Harness,
) -> None:
    await harness.set_up()
    form = await harness.entry.start_reauth_flow(harness.hass)
    again = await fill_in(harness, form, api_key=NEW_KEY)
    assert again["errors"] == {CONF_API_KEY: "wrong_account"}
    assert harness.entry.data[CONF_API_KEY] == KEY

    harness.voltus.accounts["rotated"] = harness.voltus.accounts[KEY]
    result = await fill_in(harness, again, api_key="rotated")
    assert result["reason"] == "reauth_successful"


async def test_a_key_that_shows_no_site_or_one_that_we_know_is_of_the_same_account(
    harness: Harness,
) -> None:
    await harness.set_up()
    sites = harness.voltus.accounts[KEY].sites
    harness.voltus.accounts["no sites"] = Account(sites=[])
    harness.voltus.accounts["one site"] = Account(sites=sites[:1])
    for key in ("no sites", "one site"):
        form = await harness.entry.start_reauth_flow(harness.hass)
        result = await fill_in(harness, form, api_key=key)
        assert result["reason"] == "reauth_successful"


async def test_the_key_of_another_entry_does_not_replace_a_key(
    harness: Harness,
) -> None:
    harness.voltus.accounts["rotated"] = harness.voltus.accounts[KEY]
    other = MockConfigEntry(
        domain=DOMAIN, data={CONF_URL: harness.url, CONF_API_KEY: "rotated"}
    )
    other.add_to_hass(harness.hass)
    await harness.set_up()
    form = await harness.entry.start_reauth_flow(harness.hass)
    again = await fill_in(harness, form, api_key="rotated")
    assert again["errors"] == {CONF_API_KEY: "already_configured"}

    result = await fill_in(harness, again, api_key=KEY)
    assert result["reason"] == "reauth_successful"


async def test_no_form_shows_a_stored_key(harness: Harness) -> None:
    await harness.set_up()
    reauth = await harness.entry.start_reauth_flow(harness.hass)
    assert shown(reauth) == {}
    reconfigure = await harness.entry.start_reconfigure_flow(harness.hass)
    assert shown(reconfigure) == {CONF_URL: harness.url}
    assert KEY not in str(placeholders(reauth)) + str(placeholders(reconfigure))


async def test_a_known_host_is_shown_by_its_name(
    harness: Harness, production: str
) -> None:
    await harness.set_up()
    form = await harness.entry.start_reconfigure_flow(harness.hass)
    assert shown(form) == {CONF_URL: "production"}


async def test_a_new_key_at_the_same_address_takes_effect_in_place(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch())
    await harness.set_up()
    coordinator = harness.entry.runtime_data
    harness.voltus.accounts[NEW_KEY] = harness.voltus.accounts[KEY]
    harness.written.clear()

    form = await harness.entry.start_reconfigure_flow(harness.hass)
    result = await fill_in(harness, form, url=harness.url, api_key=NEW_KEY)
    assert result["reason"] == "reconfigure_successful"
    assert harness.entry.runtime_data is coordinator
    assert harness.voltus.requests[-1].key == NEW_KEY
    assert harness.written == []
    assert harness.curtails("s1")


async def test_another_address_is_a_new_world(harness: Harness) -> None:
    harness.publish(wire_dispatch("ours", at(-5), at(60)))
    await harness.set_up()
    harness.told.clear()
    elsewhere = LocalVoltus([NEW_KEY])
    async with serve(elsewhere) as url:
        form = await harness.entry.start_reconfigure_flow(harness.hass)
        result = await fill_in(harness, form, url=url, api_key=NEW_KEY)
        assert result["reason"] == "reconfigure_successful"
        assert connection(harness) == {CONF_URL: url, CONF_API_KEY: NEW_KEY}
        assert harness.entry.state is ConfigEntryState.LOADED
        assert harness.told == []
        assert not harness.curtails()
        assert harness.entry.runtime_data.all_sites.keys() == {"kd1k", "m3ll"}
        await harness.hass.config_entries.async_unload(harness.entry.entry_id)


async def test_a_right_address_is_used_at_once_by_an_entry_that_waits_to_try_again(
    harness: Harness, unused_tcp_port: int
) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    harness.hass.config_entries.async_update_entry(
        harness.entry, data={**harness.entry.data, CONF_URL: url}
    )
    await harness.set_up()
    assert harness.entry.state is ConfigEntryState.SETUP_RETRY
    form = await harness.entry.start_reconfigure_flow(harness.hass)
    result = await fill_in(harness, form, url=harness.url, api_key=KEY)
    assert result["reason"] == "reconfigure_successful"
    assert harness.entry.state is ConfigEntryState.LOADED
    assert not harness.curtails("s1")


async def test_a_failed_reconfiguration_changes_nothing_and_can_be_corrected(
    harness: Harness,
) -> None:
    await harness.set_up()
    before = dict(harness.entry.data)
    form = await harness.entry.start_reconfigure_flow(harness.hass)
    again = await fill_in(harness, form, url=harness.url, api_key=WRONG_KEY)
    assert again["errors"] == {"base": "invalid_auth"}
    assert harness.entry.data == before

    result = await fill_in(harness, again, url=harness.url, api_key=KEY)
    assert result["reason"] == "reconfigure_successful"
    assert harness.flows(SOURCE_RECONFIGURE) == []


async def test_the_key_stands_in_no_log(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    form = await start(harness)
    for fault, _ in ANSWERS.values():
        harness.voltus.faults = fault
        form = await fill_in(harness, form, url=harness.url, api_key=NEW_KEY)
    harness.voltus.faults = Faults()
    result = await fill_in(harness, form, url=harness.url, api_key=NEW_KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    said = [
        record.getMessage()
        for record in caplog.records
        if not record.name.startswith("pytest_homeassistant_custom_component")
    ]
    assert said
    assert not [line for line in said if NEW_KEY in line]
