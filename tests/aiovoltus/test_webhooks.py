"""Webhooks: what is delivered, which are ours, how many requests, and whether to trust them."""

from contextlib import suppress
from datetime import datetime, timedelta
import json

from hypothesis import given
from hypothesis import strategies as st
import pytest

from custom_components.voltus.aiovoltus.errors import VoltusFormatError
from custom_components.voltus.aiovoltus.models import Json
from custom_components.voltus.aiovoltus.webhooks import (
    BURST,
    EVENTS,
    LARGEST_DELIVERY,
    MOST_WAITING,
    Health,
    Plan,
    Queue,
    TokenBucket,
    Webhook,
    parse_webhook,
    parse_webhooks,
    plan,
    read_delivery,
)
from tests.builders import NOON

PATH = "/api/webhook/5ec2e7"
OURS = f"https://home.example{PATH}"
CLOUD = "https://hooks.example/gAAAA"


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def delivery(resource: Json, name: Json = "dispatch.create") -> bytes:
    return json.dumps({"event": {"name": name}, "resource": resource}).encode()


# What is delivered


@pytest.mark.parametrize("name", ["dispatch.create", "dispatch.update", "anything", 5])
def test_a_delivery_names_a_dispatch_whatever_the_event_is_called(name: Json) -> None:
    assert read_delivery(delivery("/2022-04-15/dispatches/asdf", name)) == "asdf"


def test_a_delivery_needs_no_event() -> None:
    body = b'{"resource": "/2022-04-15/dispatches/a-1_B", "more": null}'
    assert read_delivery(body) == "a-1_B"


def test_the_handshake_is_about_nothing() -> None:
    assert read_delivery(delivery("", "")) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"/2022-04-15/dispatches/asdf"',
        b"\xff",
        b"[" * 4000,
        b'{"resource": ""}',
        delivery(""),
        delivery(None),
        delivery(5),
        delivery(["/2022-04-15/dispatches/asdf"]),
        delivery("/2022-04-15/dispatches/"),
        delivery("/2022-04-15/dispatches/asdf/"),
        delivery("/2022-04-15/dispatches/asdf\n"),
        delivery("/2022-04-15/dispatches/../sites"),
        delivery("/2022-04-15/dispatches/.."),
        delivery("/2022-04-15/dispatches/%2e%2e"),
        delivery("/2022-04-15/dispatches/a?b=c"),
        delivery("/2022-04-15/dispatches/ä"),
        delivery("/2022-04-15/dispatches/" + 65 * "a"),
        delivery("/2020-12-30/dispatches/asdf"),
        delivery("//evil.example/2022-04-15/dispatches/asdf"),
        delivery("https://evil.example/2022-04-15/dispatches/asdf"),
        delivery("/2022-04-15/sites/asdf"),
        delivery("/2022-04-15/dispatches/asdf") + b" " * LARGEST_DELIVERY,
    ],
)
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(VoltusFormatError):
        read_delivery(body)


@given(st.binary())
def test_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(VoltusFormatError):
        read_delivery(body)


# What is registered


def wire(webhook_id: Json = "asd8f", url: Json = OURS, *names: Json) -> dict[str, Json]:
    return {"id": webhook_id, "url": url, "events": [{"name": name} for name in names]}


def test_webhooks_are_read() -> None:
    answer: Json = {
        "webhooks": [wire("asd8f", OURS, "dispatch.update", "dispatch.create")],
        "page": 0,
    }
    assert parse_webhooks(answer) == (Webhook("asd8f", OURS, EVENTS),)


def test_an_account_without_webhooks_may_have_null() -> None:
    assert parse_webhooks({"webhooks": None}) == ()
    assert parse_webhooks({"webhooks": []}) == ()


@pytest.mark.parametrize(
    "item", [None, 5, {}, wire(True), wire("../x"), wire("x", None)]
)
def test_a_webhook_that_is_unreadable_is_none_of_ours(item: Json) -> None:
    assert parse_webhooks({"webhooks": [item, wire()]}) == (
        Webhook("asd8f", OURS, frozenset()),
    )
    with pytest.raises(VoltusFormatError):
        parse_webhook(item)


def test_an_id_that_is_a_whole_number_is_its_digits() -> None:
    assert parse_webhook(wire(5)).id == "5"


@pytest.mark.parametrize("events", [None, "dispatch.create", [5], [{"name": 5}]])
def test_events_that_are_unreadable_are_none(events: Json) -> None:
    assert parse_webhook({"id": "x", "url": OURS, "events": events}) == Webhook(
        "x", OURS, frozenset()
    )


@pytest.mark.parametrize(
    "answer", [None, [], {}, {"webhooks": 5}, {"webhooks": {"a": 1}}]
)
def test_what_is_no_list_of_webhooks_is_refused(answer: Json) -> None:
    with pytest.raises(VoltusFormatError):
        parse_webhooks(answer)


# What to do next

RIGHT = Webhook("right", OURS)
STRANGER = Webhook("stranger", "https://other.example/api/webhook/0therpath")
MOVED = Webhook("moved", f"https://old.example{PATH}")
HALF = Webhook("half", OURS, frozenset({"dispatch.create"}))
TWIN = Webhook("twin", OURS)
CLOUDHOOK = Webhook("cloudhook", CLOUD)


@pytest.mark.parametrize(
    ("wanted", "stored", "listed", "expected"),
    [
        # The right one there: nothing is posted.
        (OURS, OURS, [STRANGER, RIGHT], Plan(RIGHT, None, ())),
        (OURS, None, [RIGHT], Plan(RIGHT, None, ())),
        (CLOUD, CLOUD, [CLOUDHOOK], Plan(CLOUDHOOK, None, ())),
        # None there, or deleted by hand.
        (OURS, None, [], Plan(None, OURS, ())),
        (OURS, OURS, [STRANGER], Plan(None, OURS, ())),
        # Another address: make before break.
        (OURS, MOVED.url, [MOVED], Plan(None, OURS, (MOVED,))),
        (OURS, None, [MOVED], Plan(None, OURS, (MOVED,))),
        (OURS, CLOUD, [CLOUDHOOK, STRANGER], Plan(None, OURS, (CLOUDHOOK,))),
        (CLOUD, OURS, [RIGHT], Plan(None, CLOUD, (RIGHT,))),
        # Too few events, too many webhooks.
        (OURS, OURS, [HALF], Plan(None, OURS, (HALF,))),
        (OURS, OURS, [HALF, RIGHT], Plan(RIGHT, None, (HALF,))),
        (OURS, OURS, [RIGHT, TWIN, MOVED], Plan(RIGHT, None, (TWIN, MOVED))),
        # None wanted any more.
        (None, OURS, [RIGHT, STRANGER], Plan(None, None, (RIGHT,))),
        (None, CLOUD, [CLOUDHOOK], Plan(None, None, (CLOUDHOOK,))),
        (None, None, [STRANGER, CLOUDHOOK], Plan(None, None, ())),
    ],
)
def test_what_is_wanted_stored_and_listed_decides_what_to_do(
    wanted: str | None, stored: str | None, listed: list[Webhook], expected: Plan
) -> None:
    known = [stored] if stored else []
    assert plan(wanted=wanted, stored=known, path=PATH, listed=listed) == expected


def test_even_the_right_one_is_replaced_when_it_is_to_be_made_anew() -> None:
    assert plan(
        wanted=OURS, stored=[OURS], path=PATH, listed=[STRANGER, RIGHT], anew=True
    ) == Plan(None, OURS, (RIGHT,))


urls = st.sampled_from([OURS, CLOUD, MOVED.url, STRANGER.url, "https://x/", ""])
webhooks = st.builds(
    Webhook,
    st.text("ab", min_size=1, max_size=3),
    urls,
    st.sampled_from([EVENTS, frozenset()]),
)


@given(
    wanted=st.none() | st.sampled_from([OURS, CLOUD]),
    stored=st.lists(st.sampled_from([OURS, CLOUD, MOVED.url])),
    listed=st.lists(webhooks, unique_by=lambda each: each.id),
    anew=st.booleans(),
)
def test_once_the_plan_is_carried_out_one_of_ours_is_left_and_every_stranger(
    wanted: str | None, stored: list[str], listed: list[Webhook], anew: bool
) -> None:
    made = plan(wanted=wanted, stored=stored, path=PATH, listed=listed, anew=anew)
    left = [each for each in listed if each not in made.delete]
    left += [Webhook("posted", made.post)] if made.post else []
    others = [each for each in listed if each.url in (STRANGER.url, "https://x/", "")]
    assert [each for each in left if each in others] == others
    again = plan(wanted=wanted, stored=stored, path=PATH, listed=left)
    assert (again.post, again.delete) == (None, ())
    assert (again.keep is not None) is (wanted is not None)


# How many requests


def test_deliveries_cause_ten_requests_at_once_and_then_one_every_two_seconds() -> None:
    bucket, now, taken = TokenBucket(), NOON, 0
    while now < after(60):
        if not bucket.wait(now):
            bucket, taken = bucket.taken(now), taken + 1
        else:
            now += bucket.wait(now)
    assert taken == BURST + 29


def test_the_bucket_fills_to_the_brim_and_no_further() -> None:
    bucket = TokenBucket(0, NOON)
    assert bucket.wait(NOON) == timedelta(seconds=2)
    assert bucket.wait(after(1)) == timedelta(seconds=1)
    assert bucket.filled(after(7)).tokens == pytest.approx(3.5)
    assert bucket.filled(after(3600)).tokens == BURST


def test_a_clock_that_is_set_back_neither_fills_nor_empties_the_bucket() -> None:
    assert TokenBucket(3, NOON).filled(after(-3600)) == TokenBucket(3, after(-3600))


# What to ask for


def test_a_dispatch_that_is_delivered_is_asked_for_at_once() -> None:
    queue = Queue().delivered("d1", NOON)
    assert queue.due(NOON) == ["d1"]
    assert queue.next_due() == NOON
    assert Queue().next_due() is None


def test_what_is_answered_is_not_asked_for_again() -> None:
    queue = Queue().delivered("d1", NOON).delivered("d2", NOON)
    assert queue.answered(queue, ["d1"]).due(NOON) == ["d2"]


def test_what_is_delivered_again_while_it_is_asked_for_is_asked_for_again() -> None:
    asked = Queue().delivered("d1", NOON)
    queue = asked.delivered("d1", after(1))
    assert queue.answered(asked, ["d1"]).due(after(1)) == ["d1"]
    assert queue.not_there(asked, ["d1"], after(1)) == queue


def test_what_is_not_there_yet_is_asked_for_after_1_3_and_10_seconds() -> None:
    queue, now, waits = Queue().delivered("d1", NOON), NOON, []
    while (queue := queue.not_there(queue, ["d1"], now)).waiting:
        due = queue.next_due()
        assert due
        assert queue.due(due - timedelta(seconds=0.1)) == []
        waits.append((due - now).total_seconds())
        now = due
    assert waits == [1, 3, 10]


def test_a_new_delivery_of_what_was_not_there_begins_anew() -> None:
    queue = Queue().delivered("d1", NOON)
    queue = queue.not_there(queue, ["d1"], NOON).delivered("d1", after(0.5))
    assert queue.due(after(0.5)) == ["d1"]


def test_of_a_flood_no_more_than_a_hundred_wait() -> None:
    queue = Queue()
    for number in range(1000):
        queue = queue.delivered(f"d{number}", NOON)
    assert len(queue.waiting) == MOST_WAITING


# Whether to trust it


def registered() -> Health:
    return Health().registered(NOON)


def missed_two() -> Health:
    health = registered()
    for dispatch_id, seen in (("d1", 60), ("d2", 200)):
        health = health.seen_by_poll([dispatch_id], after(seen - 30), after(seen))
        health = health.judged(after(seen + 90))
    return health


def test_two_changes_in_a_row_that_a_poll_saw_first_put_push_in_doubt() -> None:
    health = registered().seen_by_poll(["d1"], after(30), after(60))
    assert (health.missed, health.in_doubt) == (0, False)
    assert health.judged(after(149)).missed == 0
    assert health.judged(after(150)).missed == 1
    assert not health.judged(after(150)).in_doubt
    assert missed_two().in_doubt


def test_a_delivery_clears_all_doubt() -> None:
    health = missed_two().heard("d3", after(300))
    assert (health.missed, health.in_doubt) == (0, False)
    assert health.last_received == after(300)


def test_a_delivery_within_ninety_seconds_is_only_late() -> None:
    health = registered().seen_by_poll(["d1"], after(30), after(60))
    assert health.heard("d1", after(149)).judged(after(500)).missed == 0


def test_a_delivery_whose_dispatch_could_not_be_read_in_time_is_not_missed() -> None:
    health = registered().heard("d1", after(55))
    assert health.seen_by_poll(["d1"], after(30), after(60)).awaited == {}
    assert health.seen_by_poll(["d1"], after(200), after(230)).awaited.keys() == {"d1"}


@pytest.mark.parametrize("last_poll", [None, after(-1)])
def test_what_was_published_before_push_was_registered_is_not_missed(
    last_poll: datetime | None,
) -> None:
    health = registered().seen_by_poll(["d1"], last_poll, after(29))
    assert health.judged(after(500)).missed == 0


def test_nothing_is_missed_while_voltus_has_no_address_of_ours() -> None:
    health = missed_two().unregistered()
    assert not health.in_doubt
    assert health.seen_by_poll(["d1"], after(300), after(330)).awaited == {}


def test_a_test_that_is_passed_ends_the_doubt_and_registering_anew_does_not() -> None:
    assert missed_two().registered(after(300)).in_doubt
    assert not missed_two().trusted().in_doubt


def test_only_recent_deliveries_are_remembered() -> None:
    health = registered()
    for number in range(1000):
        health = health.heard(f"d{number}", NOON)
    assert len(health.delivered) == MOST_WAITING
    assert "d999" in health.delivered
    assert health.heard("new", after(100)).delivered.keys() == {"new"}
