"""Set up a new Home Assistant as its user would: account, integration, dashboard."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from string import Template
from typing import Any

from aiohttp import ClientError, ClientSession
from homeassistant.util.yaml import parse_yaml

from .api import Api, DemoError
from .process import DEMO

API_KEY = "sandbox-key"
USER = "demo"
DASHBOARD = "voltus-demo"
POLL_INTERVAL = 5
VOLTUS = {"strategy": {"type": "custom:voltus"}}

AUTOMATIONS = Template((DEMO / "automations.yaml").read_text())
VIEW = Template((DEMO / "dashboard.yaml").read_text())


async def until[T](question: Callable[[], Awaitable[T]], seconds: int, doing: str) -> T:
    """Ask every second until the answer is true, and return it.

    Says every five seconds what it waits for; raises DemoError when time is up.
    """
    for second in range(1, seconds + 1):
        if answer := await question():
            return answer
        if second % 5 == 0:
            print(f"  {doing}, {second} s")
        await asyncio.sleep(1)
    raise DemoError(f"Gave up {doing} after {seconds} s.")


async def create_user(session: ClientSession, url: str) -> str:
    """Wait for Home Assistant, create its first user, and return an access token."""

    async def answers() -> bool:
        try:
            async with session.get("/api/onboarding") as response:
                return response.ok
        except ClientError:
            return False

    await until(answers, 1800, "starting Home Assistant")
    account = {
        "name": "Demo",
        "username": USER,
        "password": USER,
        "client_id": url,
        "language": "en",
    }
    async with session.post("/api/onboarding/users", json=account) as response:
        code = (await response.json())["auth_code"]
    grant = {"grant_type": "authorization_code", "code": code, "client_id": url}
    async with session.post("/auth/token", data=grant) as response:
        token: str = (await response.json())["access_token"]
    return token


async def finish_onboarding(api: Api, url: str) -> None:
    """Answer the questions for a new home, and wait until everything runs."""

    async def runs() -> bool:
        return bool((await api.request("GET", "config"))["state"] == "RUNNING")

    back = {"client_id": url, "redirect_uri": url}
    await api.request("POST", "onboarding/core_config", {})
    await api.request("POST", "onboarding/analytics", {})
    await api.request("POST", "onboarding/integration", back)
    await until(runs, 900, "setting Home Assistant up")
    for entry in await api.request("GET", "config/config_entries/entry"):
        if entry["source"] == "onboarding":
            path = f"config/config_entries/entry/{entry['entry_id']}"
            await api.request("DELETE", path)
    # An address from YAML is on trial: not promoted, it is dropped after five minutes,
    # and Home Assistant restarts on all interfaces.
    await api.command("http/config/promote")
    await api.command(
        "repairs/ignore_issue", domain="http", issue_id="deprecated_yaml", ignore=True
    )


async def turn_loads_on(api: Api) -> None:
    """Begin with loads that run."""
    await api.request("POST", "services/script/turn_all_loads_on", {})


async def start_dispatch(api: Api, starts_in: timedelta, lasts: timedelta) -> None:
    """Do what the dashboard's button does, with times of our own."""
    times = {"starts_in": starts_in.seconds, "lasts": lasts.seconds}
    await api.request("POST", "services/script/start_a_dispatch", times)


async def add_integration(
    api: Api, voltus: str, key: str = API_KEY, *, push_url: str = ""
) -> str:
    """Go through the integration's own forms, and return the id of its entry.

    `voltus` is asked for dispatches, and calls Home Assistant at `push_url`.
    """
    flows = "config/config_entries/flow"
    flow = await api.request("POST", flows, {"handler": "voltus"})
    account = {"url": voltus, "api_key": key}
    done = await api.request("POST", f"{flows}/{flow['flow_id']}", account)
    if done["type"] != "create_entry":
        raise DemoError(f"The integration could not be set up: {done}")
    entry: str = done["result"]["entry_id"]
    flows = "config/config_entries/options/flow"
    flow = await api.request("POST", flows, {"handler": entry})
    options = {
        field["name"]: field["description"]["suggested_value"]
        for field in flow["data_schema"]
    }
    options["poll_interval"] = POLL_INTERVAL
    options["push_url"] = push_url
    await api.request("POST", f"{flows}/{flow['flow_id']}", options)
    return entry


async def map_meter(api: Api, entry: str, meter_id: str, entity_id: str) -> None:
    """Have an entity stand for one of Voltus' meters, by the form."""
    flows = "config/config_entries/subentries/flow"
    flow = await api.request("POST", flows, {"handler": [entry, "meter"]})
    source = {"entity_id": entity_id, "interval": "30", "invert": False}
    for step in ({"meter_id": meter_id}, source, {}):
        flow = await api.request("POST", f"{flows}/{flow['flow_id']}", step)
    if flow["type"] != "create_entry":
        raise DemoError(f"The meter could not be mapped: {flow}")


async def send_first(api: Api, voltus: str, meter_id: str, entity_id: str) -> None:
    """Give the local Voltus what a meter shows now: it makes up days before that fit."""
    state = await api.request("GET", f"states/{entity_id}")
    unit = state["attributes"]["unit_of_measurement"]
    kw = float(state["state"]) / (1000 if unit == "W" else 1)
    seconds = int(datetime.now(UTC).timestamp()) // 30 * 30
    row = {
        "meter_id": meter_id,
        "timestamp": datetime.fromtimestamp(seconds, UTC).isoformat(),
        "interval_seconds": 30,
        "value": kw,
        "units": "kW",
    }
    async with ClientSession(headers={"X-Voltus-API-Key": API_KEY}) as session:
        path = f"{voltus}/2022-04-15/telemetry"
        async with session.post(path, json={"telemetry": [row]}) as answer:
            answer.raise_for_status()


async def add_performance(api: Api, entry: str, site_id: str) -> None:
    """Have the load of a site, as Voltus has it, held against the commitment."""
    flows = "config/config_entries/subentries/flow"
    flow = await api.request("POST", flows, {"handler": [entry, "performance"]})
    chosen = {"site_id": site_id, "source": "voltus", "method": "caiso_10_of_10"}
    done = await api.request("POST", f"{flows}/{flow['flow_id']}", chosen)
    if done["type"] != "create_entry":
        raise DemoError(f"The performance could not be added: {done}")


async def entities(api: Api, entry: str) -> Mapping[str, str]:
    """Wait for the entities that automations and dashboard name.

    Returns entity ids: by `<translation key>` those of the account, by
    `<site id>_<translation key>` those of a site.
    """
    wanted = {*AUTOMATIONS.get_identifiers(), *VIEW.get_identifiers()}

    async def found() -> Mapping[str, str]:
        names = {
            each["unique_id"].removeprefix(f"{entry}_"): each["entity_id"]
            for each in await api.command("config/entity_registry/list")
            if each["config_entry_id"] == entry
        }
        return names if names.keys() >= wanted else {}

    return await until(found, 60, "waiting for the integration's entities")


async def add_automations(api: Api, names: Mapping[str, str]) -> None:
    """Make the automations from the blueprint, as the automation editor does."""
    for automation in _filled(AUTOMATIONS, names):
        path = f"config/automation/config/{automation['id']}"
        await api.request("POST", path, automation)


async def add_dashboards(api: Api, names: Mapping[str, str]) -> None:
    """Make one of the loads, which opens first, and the one that Voltus brings."""
    for other in await api.command("lovelace/dashboards/list"):
        await api.command("lovelace/dashboards/delete", dashboard_id=other["id"])
    loads: Any = {"views": [_filled(VIEW, names)]}
    for path, title, icon, config in (
        (DASHBOARD, "Voltus demo", "mdi:power-plug", loads),
        ("voltus-voltus", "Voltus", "mdi:transmission-tower", VOLTUS),
    ):
        await api.command(
            "lovelace/dashboards/create", url_path=path, title=title, icon=icon
        )
        await api.command("lovelace/config/save", url_path=path, config=config)
    start = {"default_panel": DASHBOARD}
    await api.command("frontend/set_system_data", key="core", value=start)


def _filled(template: Template, names: Mapping[str, str]) -> Any:
    return parse_yaml(template.substitute(names))
