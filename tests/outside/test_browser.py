"""Home Assistant's pages, as an operator goes through them: from set-up to an outage.

The tests are one journey: each goes on where the one before has left off.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.async_api import Locator, Page, async_playwright, expect
import pytest

from demo import onboarding
from sandbox.server import LocalVoltus

from .harness import DOMAIN, HILLTOP, KEY, RIVERSIDE, ROOT, Home, dispatch, publish

SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 20_000
"""How long a page may take for what it is waited for, in milliseconds."""

ACCOUNT = "Voltus sandbox"


WIDTH, HEIGHT = 1280, 800

type TakePicture = Callable[..., Awaitable[None]]
"""Keep what can be seen as a picture of this name, in a window of this height."""


@pytest.fixture(scope="module")
async def page(
    request: pytest.FixtureRequest, home: Home, cut_off: str
) -> AsyncIterator[Page]:
    """A browser that Home Assistant has not seen before."""
    browser_path = request.config.getoption("--browser")
    if not browser_path:
        pytest.skip("there is no browser, or it is not scripts/test that runs this")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=browser_path, args=SWITCHES
        )
        page = await browser.new_page(
            base_url=home.url,
            viewport={"width": WIDTH, "height": HEIGHT},
            device_scale_factor=2,
        )
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        yield page
        await browser.close()


@pytest.fixture(scope="module", autouse=True)
async def _leave_no_account(home: Home) -> AsyncIterator[None]:
    """Remove the account that was set up in the browser: others may be tested next."""
    yield
    path = "config/config_entries/entry"
    for each in await home.api.request("GET", f"{path}?domain={DOMAIN}"):
        if each["title"] == ACCOUNT:
            await home.api.request("DELETE", f"{path}/{each['entry_id']}")


@pytest.fixture(scope="module")
def album(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder for pictures: the one of docs/ only when that is asked for."""
    if request.config.getoption("--pictures"):
        return ROOT / "docs" / "images"
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture
def take_picture(page: Page, album: Path) -> TakePicture:
    async def take(name: str, height: int = HEIGHT) -> None:
        await page.set_viewport_size({"width": WIDTH, "height": height})
        await page.mouse.move(0, 0)
        await page.wait_for_timeout(1000)  # whatever still moves
        png = await page.screenshot(animations="disabled")
        few_colours = Image.open(BytesIO(png)).convert("RGB").quantize(128)
        few_colours.save(album / f"{name}.png", optimize=True)
        await page.set_viewport_size({"width": WIDTH, "height": HEIGHT})

    return take


@pytest.fixture
async def entry_id(home: Home) -> str:
    """The account that was set up in the browser."""
    path = f"config/config_entries/entry?domain={DOMAIN}"
    entries = await home.api.request("GET", path)
    (entry_id,) = [each["entry_id"] for each in entries if each["title"] == ACCOUNT]
    return str(entry_id)


@pytest.fixture(autouse=True)
async def _last_sight(page: Page, tmp_path: Path) -> AsyncIterator[None]:
    """Leave a picture of how each test ended, for the one who asks why it failed."""
    yield
    await page.screenshot(path=tmp_path / "last-sight.png")


async def open_options(page: Page) -> Locator:
    """Open the options of the account, and return the field "Poll interval"."""
    entry = page.locator("ha-config-entry-row").filter(has_text=ACCOUNT)
    await entry.get_by_role("button", name="Configure").click()
    field = page.locator("ha-selector-number").last.locator("input")
    await expect(field).to_be_visible()
    return field


async def open_device(page: Page, name: str) -> None:
    """Find the page of a device in the list of the integration's."""
    await page.goto(f"/config/devices/dashboard?domain={DOMAIN}")
    await page.get_by_text(name, exact=True).first.click()
    await expect(page.get_by_text("Service info")).to_be_visible()


async def test_the_integration_is_found_and_a_wrong_key_is_refused(
    page: Page, voltus_url: str, take_picture: TakePicture
) -> None:
    await page.goto("/config/integrations/dashboard")
    await page.get_by_role("button", name="Add integration").click()
    await page.get_by_placeholder("Search for a brand name").fill(DOMAIN)
    brands = page.locator("ha-integration-list-item")
    await brands.get_by_text("Voltus", exact=True).click()
    await expect(page.get_by_text("Connect to Voltus")).to_be_visible()
    await page.locator("ha-selector-text input").fill("wrong-key")
    await page.locator("ha-selector-select").click()
    for offered in ("Production (api.voltus.co)", "Sandbox (sandbox.voltus.co)"):
        await expect(page.get_by_text(offered)).to_be_visible()
    await page.get_by_placeholder("Add custom item").fill(voltus_url)
    await page.get_by_text("Add custom item").last.click()
    await expect(page.locator("ha-selector-select")).to_contain_text(voltus_url)
    await take_picture("set-up")
    await page.get_by_role("button", name="Submit").click()

    refused = page.get_by_text("Voltus does not accept this key")
    await expect(refused).to_be_visible()


async def test_the_right_key_sets_the_account_up(page: Page, home: Home) -> None:
    await page.locator("ha-selector-text input").fill(KEY)
    await page.get_by_role("button", name="Submit").click()

    for name in (ACCOUNT, "Riverside Cold Storage", "Hilltop Workshop"):
        await expect(page.get_by_placeholder(name)).to_be_visible()
    await page.get_by_role("button", name="Skip and finish").click()
    await home.until_state("binary_sensor.voltus_sandbox_connection", "on")


async def test_options_are_kept(page: Page, take_picture: TakePicture) -> None:
    await page.goto(f"/config/integrations/integration/{DOMAIN}")
    poll_interval = await open_options(page)
    await expect(poll_interval).to_have_value("30")
    await take_picture("options", 1040)
    await poll_interval.fill("5")
    await poll_interval.press("Tab")
    await page.get_by_role("button", name="Submit").click()
    await expect(page.get_by_text("Options successfully saved")).to_be_visible()
    await page.get_by_role("button", name="Finish").click()

    await expect(await open_options(page)).to_have_value("5")


async def test_the_dashboard_is_offered_and_added(
    page: Page, take_picture: TakePicture
) -> None:
    await page.goto("/config/lovelace/dashboards")
    await page.get_by_role("button", name="Add dashboard").click()
    offered = page.locator("dashboard-card").filter(has_text="Voltus")
    await expect(offered).to_be_visible()
    await take_picture("add-dashboard")
    await offered.click()
    await page.locator("ha-selector-text input").first.fill("Curtailment")
    await page.get_by_role("button", name="Create").click()
    await page.get_by_role("link", name="Curtailment").click()

    for site in ("Riverside Cold Storage", "Hilltop Workshop"):
        card = page.locator("voltus-site-card").filter(has_text=site)
        await expect(card.get_by_text("Nothing to do")).to_be_visible()
    await expect(page.get_by_text("Configuration error")).to_have_count(0)


async def test_a_site_rehearses_from_its_card(
    page: Page, home: Home, take_picture: TakePicture
) -> None:
    card = page.locator("voltus-site-card").filter(has_text="Hilltop Workshop")
    curtail = "binary_sensor.hilltop_workshop_curtail"

    async def click(name: str) -> None:
        await card.get_by_role("button", name=name, exact=True).click()

    await click("Start drill")
    await expect(card.get_by_text("Brings your real loads down")).to_be_visible()
    await card.get_by_label("Minutes").fill("5")
    await take_picture("start-drill")
    await card.get_by_role("dialog").get_by_role("button", name="Start drill").click()
    await expect(card.get_by_text("Curtail now")).to_be_visible()
    await expect(card.get_by_text("Drill", exact=True)).to_be_visible()
    await take_picture("drill")

    await click("Acknowledge")
    acknowledge = card.get_by_role("button", name="Acknowledge", exact=True)
    await expect(acknowledge).to_have_count(0)
    await click("Opt out")
    await card.get_by_label("Reason").fill("The freezer gets warm")
    await card.get_by_label("Reason").press("Enter")
    await expect(card.get_by_text("Opted out: call Voltus")).to_be_visible()
    await home.until_state(curtail, "off")
    await click("Opt in again")
    await home.until_state(curtail, "on")

    await click("Opt out")
    await card.get_by_role("button", name="Cancel").click()
    await click("Stop drill")
    await expect(card.get_by_text("Nothing to do")).to_be_visible()
    async with page.context.expect_page() as opened:
        await click("Report")
    report = await opened.value
    await expect(report.get_by_role("heading", name="Drill")).to_be_visible()
    await expect(report.get_by_text("opted_out").first).to_be_visible()
    await report.close()
    await page.bring_to_front()


async def test_a_dispatch_is_seen_and_sheds_loads(
    page: Page, home: Home, voltus: LocalVoltus, entry_id: str
) -> None:
    async with home.signed_in() as api:
        await onboarding.add_automations(api, await onboarding.entities(api, entry_id))
        await onboarding.turn_loads_on(api)
    coming = dispatch({RIVERSIDE: 110, HILLTOP: 60}, starts_in=12, lasts=90)
    publish(voltus, k3x9=coming)

    await expect(page.get_by_text("A dispatch is coming")).to_have_count(2)
    await expect(page.get_by_text("Curtail now")).to_have_count(2)
    await expect(page.get_by_text("110 kW below the baseline")).to_be_visible()
    await home.until_state("input_boolean.walk_in_freezer", "off")
    await home.until_state("input_boolean.ev_chargers", "off")
    # Its radio does not hear the first two commands.
    assert await home.state("switch.pump") == "on"
    await home.until_state("switch.pump", "off", 60)


@pytest.mark.parametrize("width", [360, 1920])
async def test_the_dashboard_fits_a_phone_and_a_wall(page: Page, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": HEIGHT})
    await expect(page.get_by_text("Curtail now").first).to_be_visible()
    overflow = "document.scrollingElement.scrollWidth - window.innerWidth"
    assert await page.evaluate(overflow) <= 0
    await page.set_viewport_size({"width": WIDTH, "height": HEIGHT})


async def test_the_dashboard_speaks_the_users_language(page: Page) -> None:
    for language, said in (("fr", "Réduire maintenant"), ("es-419", "Reducir ahora")):
        await page.evaluate(
            f"localStorage.setItem('selectedLanguage', '\"{language}\"')"
        )
        await page.reload()
        await expect(page.get_by_text(said).first).to_be_visible()
    await page.evaluate("localStorage.removeItem('selectedLanguage')")
    await page.reload()


async def test_the_card_suggests_itself_for_curtail_of_a_site(page: Page) -> None:
    suggested = """([hass, entity]) => window.customCards
        .find((card) => card.type === "voltus-site-card")
        .getEntitySuggestion(hass, entity)?.config.type ?? null"""
    for entity_id, card in (
        ("binary_sensor.hilltop_workshop_curtail", "custom:voltus-site-card"),
        ("binary_sensor.hilltop_workshop_dispatch_active", None),
        ("binary_sensor.voltus_sandbox_any_site_curtailing", None),
        ("switch.pump", None),
    ):
        hass = await page.evaluate_handle(
            "document.querySelector('home-assistant').hass"
        )
        assert await page.evaluate(suggested, [hass, entity_id]) == card


async def test_the_device_of_a_site_shows_what_is_asked(
    page: Page, take_picture: TakePicture
) -> None:
    await open_device(page, "Riverside Cold Storage")
    await expect(page.get_by_text("110.0 kW").first).to_be_visible()
    await take_picture("device")


async def test_the_loads_run_again_when_it_is_over(home: Home) -> None:
    await home.until_state("binary_sensor.hilltop_workshop_curtail", "off", 120)
    await home.until_state("input_boolean.ev_chargers", "on")
    await home.until_state("switch.pump", "on")


async def test_the_automation_editor_offers_our_triggers_for_a_site(
    page: Page, take_picture: TakePicture
) -> None:
    await page.goto("/config/automation/edit/new")
    await page.get_by_role("button", name="Add trigger").click()
    await page.get_by_text("Services", exact=True).click()
    await page.get_by_text("Riverside Cold Storage", exact=True).first.click()
    started = page.get_by_text("Curtailment started").last
    await expect(started).to_be_visible()
    await take_picture("triggers")
    await started.click()

    await expect(page.get_by_text("3 entities")).to_be_visible()


async def test_a_scenario_is_run_from_the_tools(
    page: Page, home: Home, take_picture: TakePicture
) -> None:
    await page.goto("/config/tools/action")
    await page.locator("ha-service-picker").click()
    await page.get_by_placeholder("Search").last.fill("voltus.run_scenario")
    await page.get_by_text("voltus.run_scenario").last.click()
    await page.locator("ha-selector-select").first.click()
    await page.get_by_text("Basic dispatch").last.click()
    await page.locator("ha-checkbox").first.click()
    await page.locator("ha-config-entry-picker").click()
    await page.get_by_text(ACCOUNT).last.click()
    await page.locator("ha-checkbox").last.click()
    await page.locator("ha-selector-number input").last.fill("110")
    await take_picture("run-scenario", 1000)
    await page.get_by_role("button", name="Perform action").click()

    await expect(page.get_by_text("Response").last).to_be_visible()
    await home.until_state("binary_sensor.riverside_cold_storage_curtail", "on")


async def test_an_outage_is_seen_on_the_device_and_under_repairs(
    page: Page, cut_off: str, take_picture: TakePicture
) -> None:
    await open_device(page, "Voltus Harbor")
    await expect(page.get_by_text("Disconnected").first).to_be_visible()

    await page.goto("/config/repairs")
    no_contact = page.get_by_text("No contact with Voltus")
    await expect(no_contact).to_be_visible(timeout=330_000)
    await no_contact.click()
    await expect(page.get_by_text("has had no usable answer since")).to_be_visible()
    await take_picture("repair")


async def test_the_dashboards_show_how_it_went(
    page: Page,
    home: Home,
    voltus: LocalVoltus,
    entry_id: str,
    take_picture: TakePicture,
) -> None:
    await page.goto("/dashboard-curtailment/now")
    await expect(page.get_by_text("Curtail now")).to_have_count(2)
    await take_picture("dashboard", 1130)
    # A site that comes is there without a reload.
    newcomer = dispatch({RIVERSIDE: 110}, starts_in=600, lasts=60)
    site = {"id": "q7zd", "name": "Bay Pumps", "customer_location_id": ""}
    publish(voltus, m2p4={**newcomer, "sites": [{**site, "commitment": 5}]})
    card = page.locator("voltus-site-card").filter(has_text="Bay Pumps")
    await expect(card.get_by_text("A dispatch is coming")).to_be_visible()

    async with home.signed_in() as api:
        await onboarding.add_dashboards(api, await onboarding.entities(api, entry_id))
    await page.goto(f"/{onboarding.DASHBOARD}/now")
    await expect(page.get_by_text("the loads below are off")).to_be_visible()
    await take_picture("demo-dashboard", 780)
