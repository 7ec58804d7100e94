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

from .stage import KEY, Stage

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
def _another_account(stage: Stage) -> None:
    """Have Voltus know a second key, with sites of its own."""
    stage.voltus.accounts[NEW_KEY] = Account()


@pytest.fixture
def production(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the local Voltus be production: nothing leaves this machine."""
    monkeypatch.setattr(config_flow, "PRODUCTION", stage.url)
    monkeypatch.setitem(config_flow.HOSTS, "production", stage.url)
    return stage.url


async def start(stage: Stage) -> ConfigFlowResult:
    """Open the form for a new account."""
    form = await stage.hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "user"
    return form


async def fill_in(
    stage: Stage, form: ConfigFlowResult, **user_input: str
) -> ConfigFlowResult:
    """Submit a form, and wait for what comes of it."""
    result = await stage.hass.config_entries.flow.async_configure(
        form["flow_id"], user_input
    )
    await stage.settle()
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


def placeholders(form: ConfigFlowResult) -> Mapping[str, str]:
    """Return what stands in the texts of a form."""
    found = form["description_placeholders"]
    assert found
    return found


async def test_an_account_of_production(stage: Stage, production: str) -> None:
    result = await fill_in(stage, await start(stage), url="production", api_key=NEW_KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "Voltus"
    assert result["data"] == {CONF_URL: production, CONF_API_KEY: NEW_KEY}
    assert result["result"].state is ConfigEntryState.LOADED


async def test_an_account_of_the_sandbox(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(config_flow.HOSTS, "sandbox", stage.url)
    result = await fill_in(stage, await start(stage), url="sandbox", api_key=PUBLIC_KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "Voltus sandbox"
    assert result["data"] == {CONF_URL: stage.url, CONF_API_KEY: PUBLIC_KEY}
    assert result["result"].runtime_data.all_sites.keys() == {"asdf", "lkjh"}


def test_the_choices_are_voltus_own_hosts() -> None:
    assert config_flow.HOSTS == {"production": PRODUCTION, "sandbox": SANDBOX}


@pytest.mark.parametrize("ending", ["", "/", "/2022-04-15", "/2022-04-15/", "  "])
async def test_of_an_address_the_origin_is_kept(stage: Stage, ending: str) -> None:
    result = await fill_in(
        stage, await start(stage), url=stage.url + ending, api_key=NEW_KEY
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_URL] == stage.url


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
    stage: Stage, address: str
) -> None:
    form = await fill_in(stage, await start(stage), url=address, api_key=NEW_KEY)
    assert form["type"] is FlowResultType.FORM
    assert form["errors"] == {CONF_URL: "invalid_url"}
    assert stage.voltus.requests == []

    result = await fill_in(stage, form, url=stage.url, api_key=NEW_KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_blanks_around_the_key_are_cut(stage: Stage) -> None:
    result = await fill_in(
        stage, await start(stage), url=stage.url, api_key=f" {NEW_KEY}\n"
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_API_KEY] == NEW_KEY


@pytest.mark.parametrize("key", ["", "  ", "schlüssel", "two\nlines", "\x00"])
async def test_what_cannot_be_a_key_is_never_sent(stage: Stage, key: str) -> None:
    form = await fill_in(stage, await start(stage), url=stage.url, api_key=key)
    assert form["errors"] == {CONF_API_KEY: "invalid_auth"}
    assert stage.voltus.requests == []

    result = await fill_in(stage, form, url=stage.url, api_key=NEW_KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_the_public_key_is_not_tried_on_production(
    stage: Stage, production: str
) -> None:
    form = await fill_in(
        stage, await start(stage), url="production", api_key=PUBLIC_KEY
    )
    assert form["errors"] == {CONF_API_KEY: "public_key_on_production"}
    assert placeholders(form)["public_key"] == PUBLIC_KEY
    assert stage.voltus.requests == []

    result = await fill_in(stage, form, url="production", api_key=NEW_KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_the_same_account_twice_is_refused(stage: Stage) -> None:
    await stage.set_up()
    form = await fill_in(stage, await start(stage), url=stage.url + "/", api_key=KEY)
    assert form["errors"] == {CONF_API_KEY: "already_configured"}

    result = await fill_in(stage, form, url=stage.url, api_key=NEW_KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(("fault", "error"), ANSWERS.values(), ids=ANSWERS.keys())
async def test_a_failed_check_is_shown_and_can_be_tried_again(
    stage: Stage, fault: Faults, error: str
) -> None:
    stage.voltus.faults = fault
    form = await fill_in(stage, await start(stage), url=stage.url, api_key=NEW_KEY)
    assert form["type"] is FlowResultType.FORM
    assert form["errors"] == {"base": error}
    assert placeholders(form)["error"].startswith(("127.0.0.1", "The answer"))
    assert shown(form)[CONF_URL] == stage.url

    stage.voltus.faults = Faults()
    result = await fill_in(stage, form, url=stage.url, api_key=NEW_KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_an_answer_that_never_comes_is_waited_for_in_vain_for_ten_seconds(
    stage: Stage,
) -> None:
    form = await start(stage)
    stage.voltus.faults = Faults(hang=True)
    submitted = stage.hass.async_create_task(
        fill_in(stage, form, url=stage.url, api_key=NEW_KEY)
    )
    while not stage.voltus.requests:
        await asyncio.sleep(0)
    stage.freezer.tick(11)
    form = await submitted
    assert form["errors"] == {"base": "cannot_connect"}
    assert "10 seconds" in placeholders(form)["error"]

    stage.voltus.faults = Faults()
    result = await fill_in(stage, form, url=stage.url, api_key=NEW_KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_a_wrong_key_can_be_corrected(stage: Stage) -> None:
    form = await fill_in(stage, await start(stage), url=stage.url, api_key=WRONG_KEY)
    assert form["errors"] == {"base": "invalid_auth"}
    result = await fill_in(stage, form, url=stage.url, api_key=NEW_KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_a_wrong_port_can_be_corrected(
    stage: Stage, unused_tcp_port: int
) -> None:
    form = await fill_in(
        stage,
        await start(stage),
        url=f"http://127.0.0.1:{unused_tcp_port}",
        api_key=NEW_KEY,
    )
    assert form["errors"] == {"base": "cannot_connect"}
    result = await fill_in(stage, form, url=stage.url, api_key=NEW_KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_no_text_of_an_answer_becomes_markup(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = wire.error(400, "<b>[Pay here](https://example.com)</b>")
    monkeypatch.setattr(stage.voltus, "answer", lambda *_: error)
    form = await fill_in(stage, await start(stage), url=stage.url, api_key=NEW_KEY)
    assert form["errors"] == {"base": "unknown"}
    text = placeholders(form)["error"]
    assert "Pay here" in text
    assert not set("<>[]/") & set(text)


async def test_a_refused_key_is_replaced(stage: Stage) -> None:
    stage.publish(wire_dispatch(), key=KEY)
    await stage.set_up()
    account = stage.voltus.accounts[NEW_KEY] = stage.voltus.accounts.pop(KEY)
    await stage.poll()
    (form,) = stage.flows(SOURCE_REAUTH)
    assert form["step_id"] == "reauth_confirm"

    again = await fill_in(stage, form, api_key=WRONG_KEY)
    assert again["errors"] == {"base": "invalid_auth"}
    result = await fill_in(stage, again, api_key=NEW_KEY)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reauth_successful"
    assert stage.entry.data == {CONF_URL: stage.url, CONF_API_KEY: NEW_KEY}

    assert account is stage.voltus.accounts[NEW_KEY]
    assert stage.state("connection").state == "on"
    assert stage.curtails("s1")
    assert "unavailable" not in {state for _, state in stage.written}
    assert stage.flows(SOURCE_REAUTH) == []


async def test_a_new_key_is_used_at_once_by_an_entry_that_could_not_start(
    stage: Stage,
) -> None:
    stage.voltus.accounts[NEW_KEY] = stage.voltus.accounts.pop(KEY)
    await stage.set_up()
    assert stage.entry.state is ConfigEntryState.SETUP_ERROR
    (form,) = stage.flows(SOURCE_REAUTH)

    result = await fill_in(stage, form, api_key=NEW_KEY)
    assert result["reason"] == "reauth_successful"
    assert stage.entry.state is ConfigEntryState.LOADED
    assert stage.state("connection").state == "on"
    assert stage.flows(SOURCE_REAUTH) == []
    assert {request.key for request in stage.voltus.requests[-2:]} == {NEW_KEY}


async def test_the_key_of_another_account_does_not_replace_a_key(stage: Stage) -> None:
    await stage.set_up()
    form = await stage.entry.start_reauth_flow(stage.hass)
    again = await fill_in(stage, form, api_key=NEW_KEY)
    assert again["errors"] == {CONF_API_KEY: "wrong_account"}
    assert stage.entry.data[CONF_API_KEY] == KEY

    stage.voltus.accounts["rotated"] = stage.voltus.accounts[KEY]
    result = await fill_in(stage, again, api_key="rotated")
    assert result["reason"] == "reauth_successful"


async def test_a_key_that_shows_no_site_or_one_that_we_know_is_of_the_same_account(
    stage: Stage,
) -> None:
    await stage.set_up()
    sites = stage.voltus.accounts[KEY].sites
    stage.voltus.accounts["no sites"] = Account(sites=[])
    stage.voltus.accounts["one site"] = Account(sites=sites[:1])
    for key in ("no sites", "one site"):
        form = await stage.entry.start_reauth_flow(stage.hass)
        result = await fill_in(stage, form, api_key=key)
        assert result["reason"] == "reauth_successful"


async def test_the_key_of_another_entry_does_not_replace_a_key(stage: Stage) -> None:
    stage.voltus.accounts["rotated"] = stage.voltus.accounts[KEY]
    other = MockConfigEntry(
        domain=DOMAIN, data={CONF_URL: stage.url, CONF_API_KEY: "rotated"}
    )
    other.add_to_hass(stage.hass)
    await stage.set_up()
    form = await stage.entry.start_reauth_flow(stage.hass)
    again = await fill_in(stage, form, api_key="rotated")
    assert again["errors"] == {CONF_API_KEY: "already_configured"}

    result = await fill_in(stage, again, api_key=KEY)
    assert result["reason"] == "reauth_successful"


async def test_no_form_shows_a_stored_key(stage: Stage) -> None:
    await stage.set_up()
    reauth = await stage.entry.start_reauth_flow(stage.hass)
    assert shown(reauth) == {}
    reconfigure = await stage.entry.start_reconfigure_flow(stage.hass)
    assert shown(reconfigure) == {CONF_URL: stage.url}
    assert KEY not in str(placeholders(reauth)) + str(placeholders(reconfigure))


async def test_a_known_host_is_shown_by_its_name(stage: Stage, production: str) -> None:
    await stage.set_up()
    form = await stage.entry.start_reconfigure_flow(stage.hass)
    assert shown(form) == {CONF_URL: "production"}


async def test_a_new_key_at_the_same_address_takes_effect_in_place(
    stage: Stage,
) -> None:
    stage.publish(wire_dispatch())
    await stage.set_up()
    coordinator = stage.entry.runtime_data
    stage.voltus.accounts[NEW_KEY] = stage.voltus.accounts[KEY]
    stage.written.clear()

    form = await stage.entry.start_reconfigure_flow(stage.hass)
    result = await fill_in(stage, form, url=stage.url, api_key=NEW_KEY)
    assert result["reason"] == "reconfigure_successful"
    assert stage.entry.runtime_data is coordinator
    assert stage.voltus.requests[-1].key == NEW_KEY
    assert stage.written == []
    assert stage.curtails("s1")


async def test_another_address_is_a_new_world(stage: Stage) -> None:
    stage.publish(wire_dispatch("ours", at(-5), at(60)))
    await stage.set_up()
    stage.told.clear()
    elsewhere = LocalVoltus([NEW_KEY])
    async with serve(elsewhere) as url:
        form = await stage.entry.start_reconfigure_flow(stage.hass)
        result = await fill_in(stage, form, url=url, api_key=NEW_KEY)
        assert result["reason"] == "reconfigure_successful"
        assert stage.entry.data == {CONF_URL: url, CONF_API_KEY: NEW_KEY}
        assert stage.entry.state is ConfigEntryState.LOADED
        assert stage.told == []
        assert not stage.curtails()
        assert stage.entry.runtime_data.all_sites.keys() == {"kd1k", "m3ll"}
        await stage.hass.config_entries.async_unload(stage.entry.entry_id)


async def test_a_right_address_is_used_at_once_by_an_entry_that_waits_to_try_again(
    stage: Stage, unused_tcp_port: int
) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    stage.hass.config_entries.async_update_entry(
        stage.entry, data={**stage.entry.data, CONF_URL: url}
    )
    await stage.set_up()
    assert stage.entry.state is ConfigEntryState.SETUP_RETRY
    form = await stage.entry.start_reconfigure_flow(stage.hass)
    result = await fill_in(stage, form, url=stage.url, api_key=KEY)
    assert result["reason"] == "reconfigure_successful"
    assert stage.entry.state is ConfigEntryState.LOADED
    assert not stage.curtails("s1")


async def test_a_failed_reconfiguration_changes_nothing_and_can_be_corrected(
    stage: Stage,
) -> None:
    await stage.set_up()
    before = dict(stage.entry.data)
    form = await stage.entry.start_reconfigure_flow(stage.hass)
    again = await fill_in(stage, form, url=stage.url, api_key=WRONG_KEY)
    assert again["errors"] == {"base": "invalid_auth"}
    assert stage.entry.data == before

    result = await fill_in(stage, again, url=stage.url, api_key=KEY)
    assert result["reason"] == "reconfigure_successful"
    assert stage.flows(SOURCE_RECONFIGURE) == []


async def test_the_key_stands_in_no_log(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    form = await start(stage)
    for fault, _ in ANSWERS.values():
        stage.voltus.faults = fault
        form = await fill_in(stage, form, url=stage.url, api_key=NEW_KEY)
    stage.voltus.faults = Faults()
    result = await fill_in(stage, form, url=stage.url, api_key=NEW_KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    said = [
        record.getMessage()
        for record in caplog.records
        if not record.name.startswith("pytest_homeassistant_custom_component")
    ]
    assert said
    assert not [line for line in said if NEW_KEY in line]
