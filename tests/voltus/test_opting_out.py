"""To let go of a dispatch by hand, and to take part again."""

from typing import Any

from homeassistant.auth.const import GROUP_ID_USER
from homeassistant.exceptions import ServiceValidationError, Unauthorized
import pytest

from custom_components.voltus.const import DOMAIN
from sandbox.faults import Faults
from tests.builders import NOON, at, wire_dispatch

from .by_hand import BOTH, act, during_a_dispatch, listen, notice, somebody
from .harness import Harness

WARM = "the freezer gets warm"


async def opt_out(harness: Harness, *site_ids: str, dispatch: str = "d1") -> Any:
    """Let go of sites."""
    return await act(
        harness, "opt_out", dispatch_id=dispatch, site_ids=[*site_ids], reason=WARM
    )


async def test_a_site_is_let_go_at_once_and_the_other_one_stays(
    harness: Harness,
) -> None:
    await during_a_dispatch(harness)
    answer = await opt_out(harness, "s1")
    assert answer == {"dispatch_id": "d1", "sites": ["s1"]}
    assert not harness.curtails("s1")
    assert harness.curtails("s2")
    assert harness.curtails()
    assert harness.state("curtail", "s1").attributes["opted_out"] == ["d1"]
    assert harness.state("commitment").state == "50.0"


async def test_without_sites_all_of_the_dispatch_are_meant(harness: Harness) -> None:
    await during_a_dispatch(harness)
    assert (await opt_out(harness))["sites"] == ["s1", "s2"]
    assert not harness.curtails()
    assert harness.state("curtail").attributes["opted_out"] == ["d1"]
    assert notice(harness)
    assert harness.state("active_dispatches").state == "1"


async def test_it_stays_so_through_polls_outages_restarts_and_updates(
    harness: Harness,
) -> None:
    await during_a_dispatch(harness)
    await opt_out(harness, "s1")
    harness.publish(wire_dispatch("d1", at(-10), at(90), {"s1": 500.0, "s2": 1.0}))
    await harness.move_to(at(1))
    assert not harness.curtails("s1")
    harness.voltus.faults = Faults(status=500)
    disk = harness.disk()
    await harness.restart(disk)
    assert harness.written_states("curtail", "s1") == ["off"]
    assert harness.curtails("s2")
    await harness.move_to(at(89))
    assert not harness.curtails("s1")
    assert notice(harness)


async def test_the_load_goes_down_again_if_one_opts_in_again(harness: Harness) -> None:
    await during_a_dispatch(harness)
    await opt_out(harness, "s1")
    heard = listen(harness, "opted_in")
    answer = await act(harness, "opt_in", dispatch_id="d1", reason="repaired")
    assert answer == {"dispatch_id": "d1", "sites": ["s1"]}
    assert harness.curtails("s1")
    assert harness.state("curtail", "s1").attributes["opted_out"] == []
    assert not notice(harness)
    assert heard[0].data["reason"] == "repaired"


async def test_a_site_that_is_removed_and_named_again_takes_part_again(
    harness: Harness,
) -> None:
    await during_a_dispatch(harness)
    await opt_out(harness, "s1")
    for minute, sites in enumerate(({"s2": 50.0}, BOTH), start=1):
        harness.publish(
            wire_dispatch("d1", at(-10), at(60), sites, modification_number=minute)
        )
        await harness.move_to(at(minute))
    assert harness.curtails("s1")
    assert not notice(harness)


async def test_another_dispatch_that_overlaps_counts(harness: Harness) -> None:
    await during_a_dispatch(harness)
    await opt_out(harness)
    first = wire_dispatch("d1", at(-10), at(60), BOTH)
    harness.publish(first, wire_dispatch("d2", at(5), at(20), {"s1": 7.0}))
    await harness.poll()
    await harness.move_to(at(5))
    assert harness.curtails("s1")
    assert harness.state("curtail", "s1").attributes["by_dispatch"] == {"d2": 7.0}
    await harness.move_to(at(20.05))
    assert not harness.curtails("s1")


async def test_one_that_has_not_begun_never_curtails(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(20)))
    await harness.set_up()
    await opt_out(harness)
    assert harness.state("phase", "s1").state == "idle"
    await harness.move_to(at(10))
    assert harness.stories[-1] == ("d1", "started")
    assert not harness.told[-1].data["actionable"]
    assert "on" not in harness.written_states("curtail", "s1")


async def test_a_notice_says_until_the_end_that_voltus_has_to_be_called(
    harness: Harness,
) -> None:
    await during_a_dispatch(harness)
    await opt_out(harness, "s1")
    issue = notice(harness)
    assert issue
    assert issue.translation_placeholders == {
        "name": "Voltus sandbox",
        "dispatch": "d1",
        "sites": "Site s1",
    }
    await harness.move_to(at(60))
    assert not notice(harness)
    assert harness.state("curtail", "s1").attributes["opted_out"] == []


async def test_who_and_why_is_told_and_on_record(harness: Harness) -> None:
    await during_a_dispatch(harness)
    heard = listen(harness, "opted_out")
    context = await somebody(harness)
    await act(
        harness, "opt_out", context, dispatch_id="d1", site_ids=["s1"], reason=WARM
    )
    (event,) = heard
    assert event.context is context
    assert event.data == {
        "entry_id": "account",
        "device_id": harness.device(),
        "dispatch_id": "d1",
        "test": False,
        "drill": False,
        "start_time": at(-10).isoformat(),
        "end_time": at(60).isoformat(),
        "sites": [
            {
                "id": "s1",
                "name": "Site s1",
                "customer_location_id": "",
                "commitment": 100.0,
                "device_id": harness.device("s1"),
                "curtail": False,
            }
        ],
        "user_id": context.user_id,
        "reason": WARM,
    }
    await harness.restart(harness.disk())
    log = await act(harness, "get_log", dispatch_id="d1")
    (row,) = [each for each in log["changes"] if each["type"] == "opted_out"]
    assert row == {
        "announced": NOON.isoformat(),
        "type": "opted_out",
        "dispatch_id": "d1",
        "test": False,
        "drill": False,
        "reason": WARM,
        "user_id": context.user_id,
        "sites": ["s1"],
    }
    (s1, _) = log["curtailments"]
    assert (s1["site_id"], s1["off"]) == ("s1", NOON.isoformat())


async def test_to_opt_out_twice_tells_nothing_new(harness: Harness) -> None:
    await during_a_dispatch(harness)
    await opt_out(harness, "s1")
    heard = listen(harness, "opted_out")
    assert (await opt_out(harness, "s1"))["sites"] == []
    assert (await opt_out(harness))["sites"] == ["s2"]
    assert len(heard) == 1


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"dispatch_id": "d9"}, "no_such_dispatch"),
        ({"dispatch_id": "over"}, "no_such_dispatch"),
        ({"dispatch_id": "d1", "site_ids": ["s3"]}, "site_not_named"),
    ],
)
@pytest.mark.parametrize("name", ["opt_out", "opt_in"])
async def test_what_is_not_there_is_refused(
    harness: Harness, name: str, fields: dict[str, Any], key: str
) -> None:
    harness.publish(wire_dispatch("d1"), wire_dispatch("over", at(-60), at(-30)))
    await harness.set_up()
    with pytest.raises(ServiceValidationError) as raised:
        await act(harness, name, **fields)
    assert raised.value.translation_key == key


@pytest.mark.parametrize("name", ["opt_out", "opt_in"])
async def test_only_administrators_let_go(harness: Harness, name: str) -> None:
    await during_a_dispatch(harness)
    user = await somebody(harness, GROUP_ID_USER)
    with pytest.raises(Unauthorized):
        await act(harness, name, user, dispatch_id="d1")
    assert harness.curtails("s1")


async def test_the_states_are_written_when_the_action_is_done(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await during_a_dispatch(harness)
    # As with thousands of sites: between any two of them others have their turn.
    monkeypatch.setattr(
        "custom_components.voltus.account.loop_share.AT_A_STRETCH", -1.0
    )
    fields = {"dispatch_id": "d1"}
    await harness.hass.services.async_call(DOMAIN, "opt_out", fields, blocking=True)
    assert not harness.curtails("s2")
    assert not harness.curtails()


async def test_a_reason_cannot_break_anything(harness: Harness) -> None:
    await during_a_dispatch(harness)
    heard = listen(harness, "opted_out")
    await act(harness, "opt_out", dispatch_id="d1", reason="\x00a\n" * 500)
    assert heard[0].data["reason"] == "a" * 255


async def test_voltus_is_asked_and_told_nothing(harness: Harness) -> None:
    await during_a_dispatch(harness)
    asked = len(harness.voltus.requests)
    await opt_out(harness)
    assert len(harness.voltus.requests) == asked
