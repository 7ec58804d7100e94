"""Home Assistant's pages, as an operator goes through them: from set-up to an outage.

The tests are one journey: each goes on where the one before has left off.
"""

from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Protocol

from PIL import Image
from playwright.async_api import Locator, Page, async_playwright, expect
import pytest

from demo import stage
from sandbox.server import LocalVoltus

from .stage import DOMAIN, HILLTOP, KEY, RIVERSIDE, ROOT, Home, dispatch, publish

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


class TakePicture(Protocol):
    """Keep what can be seen, or a part of it, as docs/images/<name>.png."""

    async def __call__(self, name: str, part: Locator | None = None) -> None: ...


@pytest.fixture(scope="module")
async def page(
    request: pytest.FixtureRequest, home: Home, cut_off: str
) -> AsyncIterator[Page]:
    """A browser that Home Assistant has not seen before."""
    browser_path = request.config.getoption("--browser")
    if not browser_path:
        pytest.skip("no browser: install the package chromium, use scripts/test")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=browser_path, args=SWITCHES
        )
        page = await browser.new_page(
            base_url=home.url,
            viewport={"width": 1280, "height": 800},
            device_scale_factor=2,
        )
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        yield page
        await browser.close()


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
    async def take(name: str, part: Locator | None = None) -> None:
        await page.mouse.move(0, 0)
        await page.wait_for_timeout(1000)  # whatever still moves
        png = await (part or page).screenshot(animations="disabled")
        few_colours = Image.open(BytesIO(png)).convert("RGB").quantize(128)
        few_colours.save(album / f"{name}.png", optimize=True)

    return take


@pytest.fixture(autouse=True)
async def _last_sight(
    page: Page, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[None]:
    """Leave a picture of how each test ended, for the one who asks why it failed."""
    yield
    await page.screenshot(path=tmp_path / "last-sight.png")


async def send_key(page: Page, key: str) -> None:
    """Send the form for an account with this key."""
    await page.locator("ha-selector-text input").fill(key)
    await page.get_by_role("button", name="Submit").click()


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
    await page.get_by_role("button", name="Submit").click()

    refused = page.get_by_text("Voltus does not accept this key")
    await expect(refused).to_be_visible()
    await take_picture("set-up")


async def test_the_right_key_sets_the_account_up(page: Page, home: Home) -> None:
    await send_key(page, KEY)

    for name in (ACCOUNT, "Riverside Cold Storage", "Hilltop Workshop"):
        await expect(page.get_by_placeholder(name)).to_be_visible()
    await page.get_by_role("button", name="Skip and finish").click()
    path = f"config/config_entries/entry?domain={DOMAIN}"
    entries = await home.api.request("GET", path)
    states = {entry["title"]: entry["state"] for entry in entries}
    assert states[ACCOUNT] == "loaded"


async def test_options_are_kept(page: Page, take_picture: TakePicture) -> None:
    await page.goto(f"/config/integrations/integration/{DOMAIN}")
    poll_interval = await open_options(page)
    await expect(poll_interval).to_have_value("30")
    await take_picture("options")
    await poll_interval.fill("5")
    await poll_interval.press("Tab")
    await page.get_by_role("button", name="Submit").click()
    await expect(page.get_by_text("Options successfully saved")).to_be_visible()
    await page.get_by_role("button", name="Finish").click()

    await expect(await open_options(page)).to_have_value("5")


async def test_the_dashboard_is_pasted(page: Page) -> None:
    await page.goto("/config/lovelace/dashboards")
    await page.get_by_role("button", name="Add dashboard").click()
    await page.get_by_text("New dashboard from scratch").click()
    await page.locator("ha-selector-text input").first.fill("Curtailment")
    await page.get_by_role("button", name="Create").click()
    await page.get_by_role("link", name="Curtailment").click()
    await page.get_by_role("button", name="Edit dashboard").click()
    await page.get_by_role("button", name="Open dashboard menu").last.click()
    await page.get_by_text("Raw configuration editor").click()
    await page.locator(".cm-content").click()
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.insert_text(stage.dashboard())
    # It asks whether comments may get lost.
    page.once("dialog", lambda question: question.accept())
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("button", name="Close").click()
    await page.get_by_role("button", name="Done").click()

    await expect(page.get_by_text("Nothing to do")).to_be_visible()
    await expect(page.get_by_text("Entity not found")).to_have_count(0)
    await expect(page.get_by_text("Configuration error")).to_have_count(0)


async def test_a_dispatch_is_seen_on_the_dashboard(
    page: Page, voltus: LocalVoltus, take_picture: TakePicture
) -> None:
    both = (RIVERSIDE, HILLTOP)
    publish(voltus, k3x9=dispatch(*both, starts_in=8, lasts=2700))
    await expect(page.get_by_text("A dispatch is coming")).to_be_visible()
    await expect(page.get_by_text("Curtail now")).to_be_visible()
    await expect(page.get_by_text("200.0 kW").first).to_be_visible()
    await take_picture("dashboard")


async def test_the_device_of_a_site_shows_what_is_asked(
    page: Page, take_picture: TakePicture
) -> None:
    await open_device(page, "Riverside Cold Storage")
    await expect(page.get_by_text("100.0 kW").first).to_be_visible()
    await take_picture("device")


async def test_an_outage_is_seen_on_the_device_and_under_repairs(
    page: Page, cut_off: str, take_picture: TakePicture
) -> None:
    await page.goto("/config/repairs")
    no_contact = page.get_by_text("No contact with Voltus")
    await expect(no_contact).to_be_visible(timeout=330_000)
    await no_contact.click()
    await expect(page.get_by_text("has had no usable answer since")).to_be_visible()
    await take_picture("repair")
