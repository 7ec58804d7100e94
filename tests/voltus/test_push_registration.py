"""The address at which Voltus calls us: given to it, kept right, taken back."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
import sys
from types import ModuleType
from typing import Any

from aiohttp import ClientTimeout
from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.const import CONF_API_KEY, CONF_URL, CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.voltus.account.options import CONF_PUSH, CONF_PUSH_URL
from custom_components.voltus.aiovoltus import client as client_module
from custom_components.voltus.aiovoltus.client import PUBLIC_KEY
from custom_components.voltus.asking.address import may_be_plain, parse_base
from custom_components.voltus.asking.registration import CONF_WEBHOOKS
from custom_components.voltus.config_flow import CONF_NEW_PUSH_ADDRESS
from custom_components.voltus.const import DOMAIN
from sandbox.api import Account
from sandbox.faults import Faults
from sandbox.server import LocalVoltus, serve
from sandbox.webhooks import WebhookFaults
from tests.builders import at, wire_dispatch

from .harness import KEY, Harness, issues
from .pushed import Pushed, delivery
from .test_services import call

NO_WEBHOOKS = ["/webhooks"]


def methods(pushed: Pushed) -> list[str]:
    """Return what was done about webhooks since asked last."""
    return [method for method, _ in pushed.asked("/webhooks")]


async def choose(pushed: Pushed, **options: Any) -> None:
    """Set options of the account."""
    pushed.harness.hass.config_entries.async_update_entry(
        pushed.harness.entry, options={CONF_PUSH_URL: pushed.base, **options}
    )
    await pushed.harness.settle()


# Given


async def test_the_address_is_given_to_voltus_in_the_background(pushed: Pushed) -> None:
    await pushed.harness.set_up()
    (webhook,) = pushed.webhooks
    assert webhook["url"] == pushed.url
    assert {event["name"] for event in webhook["events"]} == {  # type: ignore[attr-defined]
        "dispatch.create",
        "dispatch.update",
    }
    assert methods(pushed) == ["GET", "POST"]
    assert pushed.harness.entry.data[CONF_WEBHOOKS] == {pushed.url: webhook["id"]}
    assert pushed.state.state == "on"
    assert pushed.state.attributes["via"] == "own_url"
    assert pushed.state.attributes["reason"] is None


async def test_a_restart_costs_one_request_and_posts_nothing(pushed: Pushed) -> None:
    await pushed.harness.set_up()
    before = pushed.webhooks
    pushed.asked()
    await pushed.harness.restart()
    assert methods(pushed) == ["GET"]
    assert pushed.webhooks == before
    assert pushed.state.state == "on"


async def test_noting_what_voltus_has_of_us_polls_nobody(pushed: Pushed) -> None:
    await pushed.harness.set_up()
    assert [path for _, path in pushed.asked("/dispatches")] == ["/dispatches"]


async def test_while_home_assistant_starts_nothing_is_registered(
    pushed: Pushed,
) -> None:
    await pushed.harness.set_up()
    pushed.asked()
    await pushed.harness.restart(started=False)
    assert methods(pushed) == []
    await pushed.harness.finish_start()
    await pushed.harness.settle()
    assert methods(pushed) == ["GET"]


@pytest.mark.parametrize(
    "fault",
    [
        Faults(status=500, paths=NO_WEBHOOKS),
        Faults(status=429, retry_after="120", paths=NO_WEBHOOKS),
        Faults(status=403, paths=NO_WEBHOOKS),
        Faults(body="html", paths=NO_WEBHOOKS),
        Faults(cut=True, paths=NO_WEBHOOKS),
    ],
    ids=["500", "429", "403", "html", "cut"],
)
async def test_what_fails_at_registering_fails_no_set_up_and_is_tried_again(
    pushed: Pushed, fault: Faults
) -> None:
    pushed.voltus.faults = fault
    await pushed.harness.set_up()
    assert pushed.harness.entry.state is ConfigEntryState.LOADED
    assert pushed.state.state == "off"
    assert pushed.state.attributes["reason"] == "not_registered"
    assert pushed.harness.state("connection").state == "on"
    pushed.voltus.faults = Faults()
    for seconds in (30, 60, 90, 120):
        await pushed.harness.move_to(at(seconds / 60))
    assert pushed.urls == [pushed.url]
    assert pushed.state.state == "on"


async def test_a_pause_that_voltus_asks_for_is_kept(pushed: Pushed) -> None:
    pushed.voltus.faults = Faults(status=429, retry_after="120", paths=NO_WEBHOOKS)
    await pushed.harness.set_up()
    pushed.asked()
    for minute in (0.5, 1, 1.5):
        await pushed.harness.move_to(at(minute))
    assert methods(pushed) == []


async def test_a_handshake_that_never_comes_holds_up_nobody(
    pushed: Pushed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "HANDSHAKE_TIMEOUT", ClientTimeout(total=25))
    pushed.voltus.webhook_faults = WebhookFaults(handshake_never=True)
    await pushed.harness.hass.config_entries.async_setup(pushed.harness.entry.entry_id)
    while ("POST", "/webhooks") not in pushed.asked():
        await asyncio.sleep(0)
    assert pushed.harness.entry.state is ConfigEntryState.LOADED
    pushed.harness.freezer.tick(26)
    await pushed.harness.settle()
    assert pushed.state.attributes["reason"] == "not_registered"


async def test_a_handshake_that_comes_after_nineteen_seconds_is_in_time(
    pushed: Pushed,
) -> None:
    pushed.voltus.webhook_faults = WebhookFaults(handshake_delay=19)
    await pushed.harness.hass.config_entries.async_setup(pushed.harness.entry.entry_id)
    while ("POST", "/webhooks") not in pushed.asked():
        await asyncio.sleep(0)
    pushed.harness.freezer.tick(20)
    await pushed.harness.settle()
    assert pushed.state.state == "on"
    assert pushed.urls == [pushed.url]


# Kept right


async def test_another_address_is_given_before_the_old_one_is_taken_back(
    pushed: Pushed,
) -> None:
    await pushed.harness.set_up()
    stranger = pushed.add_stranger()
    pushed.harness.written.clear()
    pushed.asked()
    base = f"{pushed.base}/elsewhere/.."
    await choose(pushed, **{CONF_PUSH_URL: base})
    assert methods(pushed) == ["GET", "POST", "DELETE"]
    assert pushed.urls == [stranger["url"], f"{base}/api/webhook/{pushed.webhook_id}"]
    assert pushed.state.state == "on"
    assert "unavailable" not in {state for _, state in pushed.harness.written}


async def test_a_new_external_address_is_given_to_voltus(pushed: Pushed) -> None:
    await choose(pushed, **{CONF_PUSH_URL: ""})
    await pushed.harness.set_up()
    assert pushed.urls == []
    assert pushed.state.attributes["reason"] == "no_address"
    await pushed.harness.hass.config.async_update(external_url=pushed.base)
    await pushed.harness.settle()
    assert pushed.urls == [pushed.url]
    assert pushed.state.attributes["via"] == "external_url"
    await pushed.harness.hass.config.async_update(external_url=None)
    await pushed.harness.settle()
    assert pushed.urls == []


async def test_a_webhook_that_was_deleted_by_hand_comes_back_within_a_day(
    pushed: Pushed,
) -> None:
    await pushed.harness.set_up()
    pushed.voltus.accounts[KEY].webhooks = ()
    await pushed.harness.move_to(at(60 * 24))
    assert pushed.urls == [pushed.url]


async def test_another_key_has_the_webhook_as_well(pushed: Pushed) -> None:
    harness = pushed.harness
    await harness.set_up()
    harness.voltus.accounts["second"] = Account(
        sites=harness.voltus.accounts[KEY].sites
    )
    harness.hass.config_entries.async_update_entry(
        harness.entry, data={**harness.entry.data, CONF_API_KEY: "second"}
    )
    await harness.settle()
    assert [each["url"] for each in harness.voltus.accounts["second"].webhooks] == [
        pushed.url
    ]


async def test_two_entries_of_one_account_leave_each_other_alone(
    pushed: Pushed,
) -> None:
    harness = pushed.harness
    await harness.set_up()
    other = MockConfigEntry(
        domain=DOMAIN,
        title="Other",
        data={CONF_URL: harness.url, CONF_API_KEY: KEY},
        options={CONF_PUSH_URL: pushed.base},
    )
    other.add_to_hass(harness.hass)
    await harness.hass.config_entries.async_setup(other.entry_id)
    await harness.settle()
    second = f"{pushed.base}/api/webhook/{other.data[CONF_WEBHOOK_ID]}"
    assert pushed.urls == [pushed.url, second]
    await harness.hass.config_entries.async_remove(harness.entry.entry_id)
    await harness.settle()
    assert pushed.urls == [second]


async def test_a_copy_of_this_instance_takes_the_webhook_and_both_go_on(
    pushed: Pushed,
) -> None:
    """A backup on a second machine has our secret; the last one to start has it."""
    await pushed.harness.set_up()
    copy = pushed.add_stranger(f"https://copy.example/api/webhook/{pushed.webhook_id}")
    await pushed.harness.restart()
    assert copy["url"] not in pushed.urls
    assert pushed.urls == [pushed.url]


# Refused


async def refuse_three_times(pushed: Pushed) -> None:
    pushed.voltus.webhook_faults = WebhookFaults(handshake_refused=True)
    await pushed.harness.set_up()
    for minute in (5, 15):
        assert "push_unreachable" not in issues(pushed.harness)
        await pushed.harness.move_to(at(minute))


async def test_an_address_that_voltus_cannot_call_is_told_after_the_third_try(
    pushed: Pushed,
) -> None:
    await refuse_three_times(pushed)
    assert "push_unreachable" in issues(pushed.harness)
    assert pushed.state.attributes["reason"] == "unreachable"
    pushed.voltus.webhook_faults = WebhookFaults()
    await pushed.harness.move_to(at(35))
    assert "push_unreachable" not in issues(pushed.harness)
    assert pushed.state.state == "on"


@pytest.mark.parametrize("mended", [True, False])
async def test_voltus_calls_again_when_the_operator_asks_for_it(
    pushed: Pushed, mended: bool
) -> None:
    await refuse_three_times(pushed)
    if mended:
        pushed.voltus.webhook_faults = WebhookFaults()
    hass = pushed.harness.hass
    assert await async_setup_component(hass, "repairs", {})
    flows = repairs_flow_manager(hass)
    assert flows
    issue_id = f"push_unreachable_{pushed.harness.entry.entry_id}"
    form = await flows.async_init(DOMAIN, data={"issue_id": issue_id})
    done = await flows.async_configure(form["flow_id"], {})
    await pushed.harness.settle()
    assert done["type"] is (
        FlowResultType.CREATE_ENTRY if mended else FlowResultType.ABORT
    )
    assert ("push_unreachable" in issues(pushed.harness)) is not mended


async def test_nothing_that_is_told_or_logged_has_the_secret_in_it(
    pushed: Pushed,
    hass_client: ClientSessionGenerator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Voltus' refusal names the address."""
    await refuse_three_times(pushed)
    given: dict[str, Any] = {
        **await get_diagnostics_for_config_entry(
            pushed.harness.hass, hass_client, pushed.harness.entry
        )
    }
    assert given["push"]["failure"]["refused"] is True
    ours = [each.getMessage() for each in caplog.records if DOMAIN in each.name]
    assert any("cannot call" in message for message in ours)
    told = [
        str(given),
        str(pushed.state.as_dict()),
        *ours,
        *(
            str(each.translation_placeholders)
            for each in pushed.harness.hass.data["issue_registry"].issues.values()
        ),
    ]
    assert not [text for text in told if pushed.webhook_id in text]
    assert pushed.base not in str(given)


# Taken back


async def test_a_reload_keeps_the_webhook(pushed: Pushed) -> None:
    await pushed.harness.set_up()
    before = pushed.webhooks
    await pushed.harness.hass.config_entries.async_unload(pushed.harness.entry.entry_id)
    assert pushed.webhooks == before


async def test_switching_push_off_takes_the_webhook_back(pushed: Pushed) -> None:
    await pushed.harness.set_up()
    stranger = pushed.add_stranger()
    await choose(pushed, **{CONF_PUSH: False})
    assert pushed.webhooks == [stranger]
    assert pushed.harness.entry.data[CONF_WEBHOOKS] == {}
    assert pushed.state.state == "off"
    pushed.asked()
    await pushed.harness.move_to(at(60 * 24))
    assert methods(pushed) == []


async def test_an_account_that_is_disabled_takes_it_back(pushed: Pushed) -> None:
    await pushed.harness.set_up()
    await pushed.harness.hass.config_entries.async_set_disabled_by(
        pushed.harness.entry.entry_id, ConfigEntryDisabler.USER
    )
    await pushed.harness.settle()
    assert pushed.webhooks == []


async def test_an_account_that_is_removed_takes_it_back(pushed: Pushed) -> None:
    await pushed.harness.set_up()
    stranger = pushed.add_stranger()
    await pushed.harness.hass.config_entries.async_remove(pushed.harness.entry.entry_id)
    await pushed.harness.settle()
    assert pushed.webhooks == [stranger]


async def test_a_voltus_that_does_not_answer_holds_up_no_removal(
    pushed: Pushed, caplog: pytest.LogCaptureFixture
) -> None:
    await pushed.harness.set_up()
    (webhook,) = pushed.webhooks
    pushed.voltus.faults = Faults(hang=True)
    await pushed.harness.hass.config_entries.async_remove(pushed.harness.entry.entry_id)
    assert not pushed.harness.hass.config_entries.async_entries(DOMAIN)
    while ("DELETE", f"/webhooks/{webhook['id']}") not in pushed.asked():
        await asyncio.sleep(0)
    pushed.harness.freezer.tick(11)
    await pushed.harness.settle()
    assert f"(id {webhook['id']}) may be left at Voltus" in caplog.text


async def test_an_account_that_moves_takes_it_back_where_it_was(
    pushed: Pushed,
) -> None:
    harness = pushed.harness
    await harness.set_up()
    other = LocalVoltus()
    async with serve(other) as url:
        harness.hass.config_entries.async_update_entry(
            harness.entry, data={**harness.entry.data, CONF_URL: url}
        )
        await harness.settle()
        assert pushed.webhooks == []
        assert [each["url"] for each in other.accounts[KEY].webhooks] == [pushed.url]


async def test_a_new_secret_address_takes_the_place_of_one_that_has_leaked(
    pushed: Pushed,
) -> None:
    harness = pushed.harness
    await harness.set_up()
    old, old_url = pushed.webhook_id, pushed.url
    form = await harness.entry.start_reconfigure_flow(harness.hass)
    done = await harness.hass.config_entries.flow.async_configure(
        form["flow_id"],
        {CONF_URL: harness.url, CONF_API_KEY: KEY, CONF_NEW_PUSH_ADDRESS: True},
    )
    assert done["reason"] == "reconfigure_successful"
    await harness.settle()
    assert pushed.webhook_id != old
    assert pushed.urls == [pushed.url]
    pushed.asked()
    assert await pushed.call(delivery("d1"), url=old_url) == 200
    await harness.settle()
    assert pushed.asked() == []
    await pushed.deliver(wire_dispatch("d1"))
    assert harness.curtails("s1")


# Where there is none


async def test_the_public_key_is_never_registered_with(pushed: Pushed) -> None:
    harness = pushed.harness
    harness.hass.config_entries.async_update_entry(
        harness.entry, data={**harness.entry.data, CONF_API_KEY: PUBLIC_KEY}
    )
    await harness.set_up()
    assert methods(pushed) == []
    assert pushed.state.attributes["reason"] == "public_key"


@pytest.mark.parametrize(
    ("text", "origin", "base"),
    [
        ("https://home.example.com", "https://api.voltus.co", None),
        (" https://home.example.com:8443/ha/ ", "https://api.voltus.co", None),
        ("http://127.0.0.1:8123", "http://127.0.0.1:8930", None),
        ("http://home.example.com", "https://api.voltus.co", ValueError),
        ("https://me:pw@home.example.com", "https://api.voltus.co", ValueError),
        ("https://home.example.com/?a=b", "https://api.voltus.co", ValueError),
        ("https://home.example.com/#x", "https://api.voltus.co", ValueError),
        ("home.example.com", "https://api.voltus.co", ValueError),
        ("https://", "https://api.voltus.co", ValueError),
        ("ftp://home.example.com", "http://127.0.0.1:8930", ValueError),
    ],
)
def test_an_address_for_push_is_one_that_voltus_may_call(
    text: str, origin: str, base: type[Exception] | None
) -> None:
    if base:
        with pytest.raises(base):
            parse_base(text, origin)
    else:
        assert parse_base(text, origin) == text.strip().rstrip("/")
    assert may_be_plain(origin) is origin.startswith("http:")


async def test_an_external_address_without_https_is_none_to_voltus_itself(
    pushed: Pushed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "custom_components.voltus.asking.address.may_be_plain", lambda _: False
    )
    await choose(pushed, **{CONF_PUSH_URL: ""})
    await pushed.harness.hass.config.async_update(external_url=pushed.base)
    await pushed.harness.set_up()
    assert pushed.state.attributes["reason"] == "no_address"


async def test_the_options_refuse_an_address_that_voltus_may_not_call(
    pushed: Pushed,
) -> None:
    hass, entry = pushed.harness.hass, pushed.harness.entry
    await pushed.harness.set_up()
    form = await hass.config_entries.options.async_init(entry.entry_id)
    schema = form["data_schema"]
    assert schema
    shown = {str(each): each.description["suggested_value"] for each in schema.schema}
    again = await hass.config_entries.options.async_configure(
        form["flow_id"], {**shown, CONF_PUSH_URL: "ftp://home.example.com"}
    )
    assert again["errors"] == {CONF_PUSH_URL: "invalid_push_url"}
    done = await hass.config_entries.options.async_configure(
        form["flow_id"], {**shown, CONF_PUSH_URL: f"{pushed.base}/"}
    )
    assert done["data"][CONF_PUSH_URL] == pushed.base


# By the cloud


class CloudNotAvailable(HomeAssistantError):  # noqa: N818  its name
    """As the cloud's own."""


class CloudConnectionState(Enum):
    """As the cloud's own."""

    CLOUD_CONNECTED = "cloud_connected"
    CLOUD_DISCONNECTED = "cloud_disconnected"


@dataclass
class Cloud:
    """A stand-in for the cloud, which needs more than is installed for tests."""

    base: str
    subscribed: bool = True
    connected: bool = True
    hooks: list[str] = field(default_factory=list)
    connection: list[Callable[[CloudConnectionState], Any]] = field(
        default_factory=list
    )

    def url(self, webhook_id: str) -> str:
        """Return an address that does not end in our path."""
        return f"{self.base}/api/webhook/{webhook_id}?by=cloud"

    async def turn(self, harness: Harness, state: CloudConnectionState) -> None:
        """Connect or disconnect."""
        self.connected = state is CloudConnectionState.CLOUD_CONNECTED
        for listener in self.connection:
            await listener(state)
        await harness.settle()

    def module(self) -> ModuleType:
        """Return what is imported of it."""

        async def get_or_create(_hass: HomeAssistant, webhook_id: str) -> str:
            if not self.connected:
                raise CloudNotAvailable
            self.hooks.append(webhook_id)
            return self.url(webhook_id)

        async def delete(_hass: HomeAssistant, webhook_id: str) -> None:
            if webhook_id not in self.hooks:
                raise ValueError("Hook is not enabled for the cloud.")
            self.hooks = [each for each in self.hooks if each != webhook_id]

        def listen(_hass: HomeAssistant, target: Any) -> Callable[[], None]:
            self.connection.append(target)
            return lambda: self.connection.remove(target)

        module = ModuleType("homeassistant.components.cloud")
        module.CloudNotAvailable = CloudNotAvailable  # type: ignore[attr-defined]
        module.CloudConnectionState = CloudConnectionState  # type: ignore[attr-defined]
        module.async_active_subscription = lambda _: self.subscribed  # type: ignore[attr-defined]
        module.async_get_or_create_cloudhook = get_or_create  # type: ignore[attr-defined]
        module.async_delete_cloudhook = delete  # type: ignore[attr-defined]
        module.async_listen_connection_change = listen  # type: ignore[attr-defined]
        module.async_listen_cloudhook_change = lambda *_: lambda: None  # type: ignore[attr-defined]
        return module


@pytest.fixture
def cloud(pushed: Pushed, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Have a subscription, and no address besides it."""
    from homeassistant import components  # noqa: PLC0415

    cloud, hass = Cloud(pushed.base), pushed.harness.hass
    module = cloud.module()
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(components, "cloud", module, raising=False)
    hass.config.components.add("cloud")
    hass.config_entries.async_update_entry(pushed.harness.entry, options={})
    yield cloud
    hass.config.components.remove("cloud")


async def test_voltus_calls_by_the_cloud(pushed: Pushed, cloud: Cloud) -> None:
    await pushed.harness.set_up()
    assert pushed.urls == [cloud.url(pushed.webhook_id)]
    assert pushed.state.attributes["via"] == "cloud"
    await pushed.deliver(wire_dispatch("d1"))
    assert pushed.harness.curtails("s1")


async def test_a_cloud_that_is_not_connected_yet_changes_nothing(
    pushed: Pushed, cloud: Cloud
) -> None:
    await pushed.harness.set_up()
    before = pushed.webhooks
    cloud.connected = False
    await pushed.harness.restart()
    assert pushed.state.attributes["reason"] == "cloud_not_connected"
    assert pushed.webhooks == before
    pushed.asked()
    await cloud.turn(pushed.harness, CloudConnectionState.CLOUD_CONNECTED)
    assert methods(pushed) == ["GET"]
    assert pushed.state.state == "on"


async def test_a_cloud_that_loses_its_connection_for_a_while_is_left_alone(
    pushed: Pushed, cloud: Cloud
) -> None:
    await pushed.harness.set_up()
    pushed.asked()
    await cloud.turn(pushed.harness, CloudConnectionState.CLOUD_DISCONNECTED)
    assert methods(pushed) == []
    assert pushed.state.state == "on"


async def test_without_the_subscription_the_external_address_takes_over(
    pushed: Pushed, cloud: Cloud
) -> None:
    await pushed.harness.set_up()
    await pushed.harness.hass.config.async_update(external_url=pushed.base)
    cloud.subscribed = False
    await cloud.turn(pushed.harness, CloudConnectionState.CLOUD_DISCONNECTED)
    assert pushed.urls == [pushed.url]
    assert pushed.state.attributes["via"] == "external_url"


async def test_the_address_of_the_cloud_goes_with_the_account(
    pushed: Pushed, cloud: Cloud
) -> None:
    await pushed.harness.set_up()
    await pushed.harness.hass.config_entries.async_remove(pushed.harness.entry.entry_id)
    await pushed.harness.settle()
    assert (pushed.webhooks, cloud.hooks) == ([], [])


# Tested


async def test_a_test_dispatch_shows_how_soon_a_call_comes(pushed: Pushed) -> None:
    await pushed.harness.set_up()
    answer = await call(pushed.harness.hass, "test_push")
    (dispatch_id,) = pushed.voltus.accounts[KEY].scenario
    assert answer == {"dispatch_id": dispatch_id, "milliseconds": 0, "via": "own_url"}
    assert not pushed.harness.curtails("s1")


async def test_a_test_of_push_says_why_it_cannot_be(pushed: Pushed) -> None:
    await pushed.harness.set_up()
    await choose(pushed, act_on_test_dispatches=True)
    with pytest.raises(HomeAssistantError) as refused:
        await call(pushed.harness.hass, "test_push")
    assert refused.value.translation_key == "push_test_would_curtail"
    await choose(pushed, push=False)
    with pytest.raises(HomeAssistantError) as refused:
        await call(pushed.harness.hass, "test_push")
    assert refused.value.translation_key == "push_is_off"
    assert refused.value.translation_placeholders == {"reason": "switched_off"}


async def test_a_test_of_push_says_that_no_call_came(
    pushed: Pushed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.voltus.certification.actions.PUSH_WITHIN", 0)
    await pushed.harness.set_up()
    pushed.voltus.webhook_faults = WebhookFaults(drop=True)
    with pytest.raises(HomeAssistantError) as refused:
        await call(pushed.harness.hass, "test_push")
    assert refused.value.translation_key == "push_did_not_come"
