"""The whole road with an API, or a disk, that means no good; the disk is a real one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
import json
import logging
from pathlib import Path
from typing import Any

from homeassistant.components.calendar import DOMAIN as CALENDAR
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.json import json_bytes
from homeassistant.util.json import json_loads
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
import pytest

from custom_components.voltus.aiovoltus import reconcile
from custom_components.voltus.aiovoltus.models import (
    MOST_ITEMS,
    DispatchSite,
    Json,
    Listing,
)
from custom_components.voltus.aiovoltus.schedule import Policy, look
from custom_components.voltus.asking import conversation
from custom_components.voltus.certification.course import (
    Reaction,
    Scenario,
    course,
)
from custom_components.voltus.certification.verdict import as_row, verdicts
from custom_components.voltus.remembering.encoding import dispatch_as_json
from custom_components.voltus.remembering.files import UNREADABLE
from custom_components.voltus.remembering.log import _log_content, _log_json
from custom_components.voltus.remembering.memory import (
    MemoryStore,
    _memory,
    _memory_json,
)
from sandbox.faults import Faults
from sandbox.server import LocalVoltus
from sandbox.wire import Answer
from tests.aiovoltus.hostile import (
    EDGES_OF_TIME,
    NUMBERS,
    TEXTS,
    deeply_nested,
    spoiled,
    spoiled_listings,
    spoiled_sites,
)
from tests.builders import NOON, at, wire_dispatch

from .harness import Harness
from .real_disk import hass_config_dir, hass_storage  # noqa: F401  fixtures
from .test_remembering import MEMORY

GOOD: dict[str, Json] = wire_dispatch("good", at(-10), at(600), {"s1": 5.0})
ROUNDS = 60


@pytest.fixture
async def harness(harness: Harness) -> Harness:
    """Live in the west, where the first hours of the calendar are none."""
    await harness.hass.config.async_set_time_zone("America/Los_Angeles")
    return harness


def drawn[T](strategy: st.SearchStrategy[T], count: int) -> list[T]:
    """Return examples of what there may be."""
    examples: list[T] = []

    @settings(
        max_examples=count,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(example: T) -> None:
        examples.append(example)

    draw()
    return examples


def crashes(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged of exceptions that nobody expected."""
    return [
        caplog.handler.format(record)
        for record in caplog.records
        if record.exc_info and record.levelno > logging.DEBUG
    ]


class Bodies:
    """What the local Voltus answers, byte for byte, by the end of the path."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand between the local Voltus and its answers."""
        self.by_path: dict[str, bytes] = {}
        answer: Callable[..., Answer] = LocalVoltus.answer

        def other(voltus: LocalVoltus, request: Any, *rest: Any) -> Answer:
            for path, body in self.by_path.items():
                if request.path.endswith(path):
                    return Answer(body=body)
            return answer(voltus, request, *rest)

        monkeypatch.setattr(LocalVoltus, "answer", other)
        # Ask for the sites at every poll.
        monkeypatch.setattr(reconcile, "SITES_EVERY", timedelta(0))
        monkeypatch.setattr(conversation, "SITES_RETRY", timedelta(0))

    def give(self, path: str, payload: Json) -> None:
        """Answer this JSON; what is infinite is written so that JSON can hold it."""
        text = json.dumps(payload).replace("Infinity", "1e999").replace("NaN", "1e-999")
        self.by_path[path] = text.encode()


@pytest.fixture
def bodies(monkeypatch: pytest.MonkeyPatch) -> Bodies:
    """Let a test choose every byte that Voltus says."""
    return Bodies(monkeypatch)


async def poll(harness: Harness, minute: float) -> None:
    harness.freezer.move_to(at(minute))
    await harness.poll()


async def assert_sound(harness: Harness) -> None:
    """All that can be seen can be stored, sent and shown."""
    assert harness.entry.state is ConfigEntryState.LOADED
    for state in harness.hass.states.async_all():
        assert state.state != STATE_UNAVAILABLE
        assert json_loads(json_bytes(state.as_dict()))
    for event in harness.told:
        assert json_loads(json_bytes(event.data))
    for start, end in (
        (datetime.min, datetime.max),
        (datetime(1900, 1, 1), datetime(2100, 1, 1)),
    ):
        shown = await harness.hass.services.async_call(
            CALENDAR,
            "get_events",
            {
                "entity_id": harness.entity_id("dispatches"),
                "start_date_time": start.replace(tzinfo=UTC) + timedelta(days=3),
                "end_date_time": end.replace(tzinfo=UTC) - timedelta(days=3),
            },
            blocking=True,
            return_response=True,
        )
        assert json_bytes(shown)
    again = await MemoryStore(harness.hass, harness.entry.entry_id).async_load(
        harness.url
    )
    assert again
    assert again.known == harness.entry.runtime_data.data.snapshot
    assert again.known_sites.sites == harness.entry.runtime_data.all_sites
    for issue in ir.async_get(harness.hass).issues.values():
        for text in (issue.translation_placeholders or {}).values():
            assert not set(text) & set("[]<>`*!|{}\\")


@pytest.mark.drawn
async def test_whatever_voltus_says_a_good_dispatch_beside_it_curtails(
    harness: Harness, bodies: Bodies, caplog: pytest.LogCaptureFixture
) -> None:
    bodies.give("/dispatches", {"dispatches": [GOOD]})
    await harness.set_up()
    listings = drawn(spoiled_listings, ROUNDS)
    site_lists = drawn(spoiled_sites, ROUNDS)
    for minute, (listing, sites) in enumerate(
        zip(listings, site_lists, strict=False), start=1
    ):
        _items(listing).append(GOOD)
        bodies.give("/dispatches", listing)
        bodies.give("/sites", sites)
        await poll(harness, minute)
        assert harness.curtails("s1"), listing
        assert not crashes(caplog), (listing, sites)
        await assert_sound(harness)
    assert ("good", "cancelled") not in harness.stories
    assert harness.stories.count(("good", "started")) == 1


@pytest.mark.drawn
async def test_what_was_read_of_it_outlives_a_restart(
    harness: Harness, bodies: Bodies, caplog: pytest.LogCaptureFixture
) -> None:
    bodies.give("/dispatches", {"dispatches": [GOOD]})
    await harness.set_up()
    for minute, listing in enumerate(drawn(spoiled_listings, 20), start=1):
        bodies.give("/dispatches", {"dispatches": [GOOD, listing, *_items(listing)]})
        await poll(harness, minute)
        before = harness.entry.runtime_data.data
        bodies.by_path["/dispatches"] = b""
        assert await harness.hass.config_entries.async_reload(harness.entry.entry_id)
        await harness.settle()
        assert harness.entry.runtime_data.data == before, listing
        assert harness.curtails("s1")
    assert "set-aside" not in caplog.text
    assert harness.stories.count(("good", "started")) == 1


def _items(listing: Json) -> list[Json]:
    items = listing.get("dispatches") if isinstance(listing, dict) else None
    return items if isinstance(items, list) else []


@pytest.mark.parametrize("text", EDGES_OF_TIME, ids=lambda text: text[:32])
async def test_a_time_at_the_edge_of_the_calendar_is_shown_and_survived(
    harness: Harness, bodies: Bodies, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    edges: list[Json] = [
        GOOD | {"id": "start", "start_time": text},
        GOOD | {"id": "end", "end_time": text},
        GOOD | {"id": "created", "creation_time": text},
        GOOD | {"id": "open", "start_time": text, "end_time": None},
        GOOD | {"id": "both", "start_time": text, "end_time": text},
        GOOD | {"id": "off", "start_time": text, "end_time": None, "authorized": False},
    ]
    bodies.give("/dispatches", {"dispatches": [*edges, GOOD]})
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"lead_time": 120}
    )
    await harness.set_up()
    for minute in (0, 1, 600):
        await harness.move_to(at(minute))
        await assert_sound(harness)
    bodies.give(
        "/dispatches",
        {
            "dispatches": [
                {"id": edge["id"], "authorized": False}
                for edge in edges
                if isinstance(edge, dict)
            ]
        },
    )
    await harness.move_to(at(601))
    await assert_sound(harness)
    assert not crashes(caplog)


@pytest.mark.parametrize("text", [*TEXTS, "s1/../s2"], ids=ascii)
async def test_a_text_of_any_kind_stays_a_text(
    harness: Harness, bodies: Bodies, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    program: Json = {
        "id": 1,
        "name": text,
        "market": text,
        "timezone": text,
        "program_type": text,
    }
    site: Json = {
        "id": text,
        "name": text,
        "customer_location_id": text,
        "commitment": 1,
    }
    hostile: dict[str, Json] = GOOD | {
        "id": text,
        "program": program,
        "sites": [site, {"id": "s1"}],
        "metadata": {text: text},
    }
    bodies.give("/dispatches", {"dispatches": [hostile, GOOD | {"program": program}]})
    bodies.give("/sites", {"sites": [site]})
    await harness.set_up()
    assert harness.curtails("s1")
    await assert_sound(harness)
    bodies.give("/dispatches", {"dispatches": [GOOD]})
    asked = len(harness.voltus.requests)
    for minute in (1, 2):
        await poll(harness, minute)
    paths = {request.path for request in harness.voltus.requests[asked:]}
    assert paths <= {
        "/2022-04-15/dispatches",
        "/2022-04-15/sites",
        f"/2022-04-15/dispatches/{text}",
    }
    assert (f"/2022-04-15/dispatches/{text}" in paths) is (text == "__proto__")
    assert not crashes(caplog)


@pytest.mark.parametrize(
    "body",
    [
        *deeply_nested().values(),
        b'{"dispatches":[' + b"9" * 5000 + b"]}",
        b'{"dispatches":[NaN]}',
        b'{"dispatches":[' + b"0," * MOST_ITEMS + b"0]}",
        b"\xff\xfe{}",
        b"\x00" * 1000,
    ],
    ids=[*deeply_nested(), "5,000 digits", "NaN", "too many items", "UTF-16", "zeros"],
)
async def test_a_body_that_cannot_be_read_is_an_outage(
    harness: Harness, bodies: Bodies, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    harness.publish(GOOD)
    await harness.set_up()
    bodies.by_path = {"/dispatches": body, "/sites": body}
    await poll(harness, 1)
    assert harness.state("connection").state == "off"
    assert harness.curtails("s1")
    bodies.by_path = {"/sites": body}
    await poll(harness, 2)
    assert harness.state("connection").state == "on"
    assert harness.stories == [("good", "created"), ("good", "started")]
    assert not crashes(caplog)


@pytest.mark.parametrize(
    "number",
    NUMBERS,
    ids=lambda n: repr(n)[:12],
)
async def test_a_number_of_any_size_leaves_the_signal_alone(
    harness: Harness, bodies: Bodies, number: float
) -> None:
    sites: Json = [
        {"id": site, "name": site, "commitment": number} for site in ("s1", "s2")
    ]
    bodies.give(
        "/dispatches",
        {"dispatches": [GOOD | {"sites": sites, "modification_number": number}]},
    )
    await harness.set_up()
    assert harness.curtails("s1")
    await assert_sound(harness)


async def test_many_sites_are_all_called_on(harness: Harness, bodies: Bodies) -> None:
    """A thousand: what costs is Home Assistant's six entities for each of them."""
    amounts = {f"s{number}": 1.0 for number in range(1000)}
    bodies.give(
        "/dispatches", {"dispatches": [wire_dispatch("d1", at(-1), at(60), amounts)]}
    )
    await harness.set_up()
    assert harness.curtails("s999")
    assert harness.state("commitment").state == "1000.0"
    assert json_loads(json_bytes(harness.told[0].data))


async def test_thousands_of_refusals_are_one_issue_and_few_lines(
    harness: Harness, bodies: Bodies, caplog: pytest.LogCaptureFixture
) -> None:
    bad: list[Json] = [{"id": f"[x](y){number}"} for number in range(5000)]
    bodies.give("/dispatches", {"dispatches": [*bad, GOOD]})
    await harness.set_up()
    bodies.give("/dispatches", {"dispatches": [*bad[::-1], GOOD]})
    await poll(harness, 1)
    assert harness.curtails("s1")
    ours = [each for each in caplog.records if "voltus" in each.name]
    assert len(ours) < 1100
    (issue,) = ir.async_get(harness.hass).issues.values()
    assert issue.translation_placeholders
    assert len(issue.translation_placeholders["dispatches"]) < 1000
    assert "[" not in issue.translation_placeholders["dispatches"]


# The disk

MEMORY_CONTENT: Any = json_loads(json_bytes(_memory_json(MEMORY, dispatch_as_json)))
SCENARIO_ROW = as_row(
    course(
        Scenario.BASIC,
        [DispatchSite("s1", "S", "", 1.0)],
        NOON,
        length=timedelta(minutes=20),
        gap=timedelta(0),
        reaction=Reaction(timedelta(0), timedelta(seconds=30)),
    )
)


def _row(kind: str, **fields: Json) -> dict[str, Json]:
    return {"announced": NOON.isoformat(), "type": kind, **fields}


LOG_ROWS: list[Json] = [
    SCENARIO_ROW,
    _row("created", dispatch_id="d1", start_time=NOON.isoformat(), count=2),
    _row("updated", dispatch_id="d1", start_time=NOON.isoformat(), count=2),
    _row("curtailment_started", sites=["s1"], dispatch_ids=["d1"]),
    _row("curtailment_ended", sites=["s1"], dispatch_ids=["d1"]),
]
LOG_CONTENT: Json = {
    "origin": "http://127.0.0.1:8930",
    "rows": LOG_ROWS,
    "past": MEMORY_CONTENT["known"]["dispatches"],
}


def _from_disk(payload: Json) -> Any:
    """Return it as Home Assistant would read it, or as null where no file can hold it."""
    try:
        return json_loads(json_bytes(payload))
    except HomeAssistantError, TypeError, ValueError:
        return None


@given(spoiled(MEMORY_CONTENT), st.sampled_from([NOON, at(-(10**6)), at(10**7)]))
def test_a_spoiled_memory_is_sound_or_set_aside(payload: Json, now: datetime) -> None:
    try:
        memory = _memory(_from_disk(payload))
    except UNREADABLE:
        return
    stored: Any = json_loads(json_bytes(_memory_json(memory, dispatch_as_json)))
    assert _memory(stored) == memory
    if memory.known.listed is not None:
        look(memory.known, Policy(), now)
        reconcile.held(memory.known, now)
        reconcile.missing(memory.known, now)
        reconcile.listed(memory.known, Listing({}), 2**62, now, apart=timedelta(0))


@given(spoiled(LOG_CONTENT))
def test_a_spoiled_log_is_sound_or_set_aside(payload: Json) -> None:
    try:
        content = _log_content(_from_disk(payload))
    except UNREADABLE:
        return
    assert json_bytes(verdicts([*content.rows, SCENARIO_ROW], at(60)))
    again: Any = json_loads(json_bytes(_log_json(content)))
    assert _log_content(again) == content


@pytest.mark.drawn
async def test_with_any_spoiled_disk_the_account_starts_and_curtails(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    harness.publish(GOOD)
    await harness.set_up()
    file = Path(harness.hass.config.path(".storage", "voltus.account"))
    await harness.hass.config_entries.async_unload(harness.entry.entry_id)
    stored = json.loads(file.read_text())
    for number, data in enumerate(drawn(spoiled(stored["data"]), ROUNDS)):
        caplog.clear()
        file.write_bytes(json_bytes(stored | {"data": _from_disk(data)}))
        harness.voltus.faults = Faults(status=500) if number % 2 else Faults()
        await harness.hass.config_entries.async_setup(harness.entry.entry_id)
        await harness.settle()
        assert harness.entry.state in (
            ConfigEntryState.LOADED,
            ConfigEntryState.SETUP_RETRY,
        ), data
        harness.voltus.faults = Faults()
        if harness.entry.state is ConfigEntryState.SETUP_RETRY:
            await harness.hass.config_entries.async_reload(harness.entry.entry_id)
            await harness.settle()
        await harness.poll()
        assert harness.curtails("s1"), data
        assert not crashes(caplog), data
        await harness.hass.config_entries.async_unload(harness.entry.entry_id)
