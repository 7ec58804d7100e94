"""The report on a dispatch: on one page, in a table, and by hashes that bind it."""

from collections.abc import Callable
import csv
import io
import json
from pathlib import Path
from typing import Any

from homeassistant.exceptions import ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from tests.builders import at, wire_dispatch

from .harness import Harness
from .test_services import call

PROOF = Path(__file__).parents[2] / "docs" / "proof.md"


@pytest.fixture
async def dispatched(harness: Harness) -> Harness:
    """A dispatch to two sites came, was extended, and is over for an hour."""
    first = wire_dispatch("d1", at(10), at(20), {"s1": 110.0, "s2": None})
    sites: Any = first["sites"]
    sites[0]["name"] = "<b>Riverside</b>"
    harness.publish(first)
    await harness.set_up()
    await harness.move_to(at(10))
    harness.publish({**first, "end_time": at(25).isoformat(), "modification_number": 1})
    await harness.poll()
    await harness.move_to(at(25))
    await harness.move_to(at(90))
    return harness


async def get(harness: Harness, **fields: Any) -> Any:
    return await call(harness.hass, "get_report", dispatch_id="d1", **fields)


async def test_it_has_all_that_was_told_and_when_each_site_curtailed(
    dispatched: Harness,
) -> None:
    answer = await get(dispatched)
    content = answer["content"]
    assert [row["type"] for row in content["changes"]] == [
        "created",
        "started",
        "updated",
        "ended",
    ]
    assert content["curtailments"] == [
        {"site_id": site, "on": at(10).isoformat(), "off": at(25).isoformat()}
        for site in ("s1", "s2")
    ]
    assert (content["status"], content["drill"]) == ("ended", False)
    assert answer["preliminary"] is content["preliminary"] is False


async def test_until_half_an_hour_after_its_end_it_is_preliminary(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(20)))
    await harness.set_up()
    for minutes, preliminary in ((1, True), (15, True), (20, True), (49.9, True)):
        await harness.move_to(at(minutes))
        assert (await get(harness))["preliminary"] is preliminary
    await harness.move_to(at(51))
    assert (await get(harness))["preliminary"] is False


def checked(content: dict[str, Any]) -> None:
    """Check a record by the program in docs/proof.md, which raises if it was edited."""
    page = PROOF.read_text(encoding="utf-8")
    program = page.partition("```python\n")[2].partition("```")[0]
    exec(program, {"record": json.loads(json.dumps(content))})


async def test_a_record_that_was_edited_by_hand_is_found_out_as_documented(
    dispatched: Harness,
) -> None:
    content = (await get(dispatched))["content"]
    checked(content)
    edits: list[Callable[[Any], object]] = [
        lambda record: record["changes"].pop(),
        lambda record: record["changes"].pop(0),
        lambda record: record["curtailments"][0].update(on=at(9).isoformat()),
        lambda record: record.update(status="cancelled"),
        lambda record: record["dispatch"].update(start_time=at(11).isoformat()),
        lambda record: record["options"].update(lead_time=60),
        lambda record: record.update(before="0" * 64),
    ]
    for edit in edits:
        edited = json.loads(json.dumps(content))
        edit(edited)
        with pytest.raises(AssertionError):
            checked(edited)


async def test_a_page_that_was_edited_differs_from_the_one_that_is_kept(
    dispatched: Harness,
) -> None:
    pages = [(await get(dispatched, format="html"))["content"] for _ in range(2)]
    record = (await get(dispatched))["content"]
    assert pages[0] == pages[1]
    assert record["hash"] in pages[0]


async def test_as_a_table_it_has_a_row_for_each_change(dispatched: Harness) -> None:
    text = (await get(dispatched, format="csv"))["content"]
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["type"] for row in rows] == ["created", "started", "updated", "ended"]
    assert rows[1]["moment"] == at(10).isoformat()


async def test_as_a_page_it_runs_nothing_and_shows_texts_as_texts(
    dispatched: Harness,
) -> None:
    text = (await get(dispatched, format="html"))["content"]
    assert "&lt;b&gt;Riverside&lt;/b&gt;" in text
    assert "<b>" not in text
    assert "<script" not in text
    assert "http" not in text
    assert text.count('fill="#c4392b"') == 2
    assert "the whole curtailment plan" in text
    assert "2026-07-15 12:25:00" in text


async def test_an_open_end_is_drawn_up_to_now(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(-5), None))
    await harness.set_up()
    await harness.move_to(at(3))
    text = (await get(harness, format="html"))["content"]
    assert "open" in text
    assert "Preliminary" in text


async def test_a_dispatch_that_nobody_knows_is_refused(harness: Harness) -> None:
    await harness.set_up()
    with pytest.raises(ServiceValidationError) as refused:
        await get(harness)
    assert refused.value.translation_key == "unknown_dispatch"


# To be downloaded


@pytest.mark.parametrize(
    ("form", "kind", "text"),
    [
        ("json", "application/json", '"changes"'),
        ("csv", "text/csv", "announced,type"),
        ("html", "text/html", "<!DOCTYPE html>"),
    ],
)
async def test_whoever_is_signed_in_may_download_it(
    dispatched: Harness,
    hass_client: ClientSessionGenerator,
    form: str,
    kind: str,
    text: str,
) -> None:
    client = await hass_client()
    answer = await client.get(f"/api/voltus/report/account/d1.{form}")
    assert answer.status == 200
    assert answer.content_type == kind
    assert text in await answer.text()
    assert "script-src" not in answer.headers["Content-Security-Policy"]


async def test_nobody_else_may_but_by_the_address_that_the_action_answers(
    dispatched: Harness, hass_client_no_auth: ClientSessionGenerator
) -> None:
    client = await hass_client_no_auth()
    url = (await get(dispatched, format="html"))["url"]
    assert (await client.get(url.partition("?")[0])).status == 401
    assert (await client.get(url)).status == 200
    assert (await client.get(url.replace("d1", "d2"))).status == 401


async def test_a_user_who_may_only_read_may_read_reports(
    dispatched: Harness,
    hass_client: ClientSessionGenerator,
    hass_read_only_access_token: str,
) -> None:
    client = await hass_client(hass_read_only_access_token)
    answer = await client.get("/api/voltus/report/account/d1.json")
    assert answer.status == 200
    assert (await answer.json())["dispatch"]["id"] == "d1"


@pytest.mark.parametrize("path", ["account/d2.html", "other/d1.html", "account/d1.exe"])
async def test_what_there_is_not_is_not_found(
    dispatched: Harness, hass_client: ClientSessionGenerator, path: str
) -> None:
    client = await hass_client()
    assert (await client.get(f"/api/voltus/report/{path}")).status == 404
