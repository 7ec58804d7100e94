"""To say that a dispatch has been seen."""

from typing import Any

from homeassistant.auth.const import GROUP_ID_USER
from homeassistant.core import Context
from homeassistant.exceptions import ServiceValidationError
import pytest

from tests.builders import NOON, at, wire_dispatch

from .by_hand import BOTH, act, during_a_dispatch, listen, somebody
from .harness import Harness


def pending(harness: Harness, site_id: str | None = None) -> list[str]:
    """Return what nobody has seen; the sensor must be on for that, and off without."""
    state = harness.state("acknowledgement_pending", site_id)
    dispatches: list[str] = state.attributes["dispatch_ids"]
    assert state.state == ("on" if dispatches else "off")
    return dispatches


async def press(
    harness: Harness, site_id: str | None = None, context: Context | None = None
) -> None:
    """Press a button *Acknowledge*."""
    data = {"entity_id": harness.entity_id("acknowledge", site_id)}
    await harness.hass.services.async_call(
        "button", "press", data, blocking=True, context=context
    )
    await harness.settle()


async def test_a_dispatch_waits_to_be_seen_until_it_is_or_is_over(
    harness: Harness,
) -> None:
    harness.publish(wire_dispatch("d1", at(10), at(20), BOTH))
    await harness.set_up()
    assert pending(harness, "s1") == pending(harness) == ["d1"]
    answer = await act(harness, "acknowledge")
    assert answer == {"dispatches": [{"dispatch_id": "d1", "sites": ["s1", "s2"]}]}
    assert pending(harness, "s1") == pending(harness) == []
    assert harness.state("phase", "s1").state == "scheduled"
    await harness.restart(harness.disk())
    assert pending(harness) == []


async def test_what_nobody_has_seen_waits_no_longer_than_it_lasts(
    harness: Harness,
) -> None:
    await during_a_dispatch(harness)
    await harness.move_to(at(60))
    assert pending(harness) == pending(harness, "s1") == []


async def test_the_button_of_a_site_is_for_that_site(harness: Harness) -> None:
    first = wire_dispatch("d1", at(-10), at(60), BOTH)
    harness.publish(first, wire_dispatch("d2", at(5), at(9)))
    await harness.set_up()
    heard = listen(harness, "acknowledged")
    await press(harness, "s1")
    assert pending(harness, "s1") == []
    assert pending(harness, "s2") == pending(harness) == ["d1"]
    assert [event.data["dispatch_id"] for event in heard] == ["d1", "d2"]
    await press(harness)
    assert pending(harness) == []
    assert [site["id"] for site in heard[2].data["sites"]] == ["s2"]


async def test_to_press_where_nothing_waits_says_nothing(harness: Harness) -> None:
    await harness.set_up()
    heard = listen(harness, "acknowledged")
    await press(harness)
    await press(harness, "s1")
    assert not heard


async def test_one_dispatch_can_be_named(harness: Harness) -> None:
    harness.publish(wire_dispatch("d1"), wire_dispatch("d2"))
    await harness.set_up()
    await act(harness, "acknowledge", dispatch_id="d2")
    assert pending(harness) == ["d1"]


async def test_who_when_and_after_how_long_is_told_and_on_record(
    harness: Harness,
) -> None:
    await during_a_dispatch(harness)
    heard = listen(harness, "acknowledged")
    harness.freezer.tick(42.5)
    user = await somebody(harness, GROUP_ID_USER)
    await act(harness, "acknowledge", user, dispatch_id="d1", note="on my way")
    (event,) = heard
    assert event.context is user
    said = {key: event.data[key] for key in ("user_id", "note", "after_seconds")}
    assert said == {
        "user_id": user.user_id,
        "note": "on my way",
        "after_seconds": 42.5,
    }
    assert [site["id"] for site in event.data["sites"]] == ["s1", "s2"]
    log = await act(harness, "get_log", dispatch_id="d1")
    (row,) = [each for each in log["changes"] if each["type"] == "acknowledged"]
    assert row == {
        "announced": at(42.5 / 60).isoformat(),
        "type": "acknowledged",
        "dispatch_id": "d1",
        "test": False,
        "drill": False,
        "sites": ["s1", "s2"],
        **said,
    }


async def test_who_presses_a_button_is_named_too(harness: Harness) -> None:
    await during_a_dispatch(harness)
    heard = listen(harness, "acknowledged")
    user = await somebody(harness)
    await press(harness, "s2", user)
    assert heard[0].data["user_id"] == user.user_id


@pytest.mark.parametrize(
    ("update", "waits"),
    [
        pytest.param(
            wire_dispatch("d1", at(-10), at(90), BOTH), ["s1", "s2"], id="its end"
        ),
        pytest.param(
            wire_dispatch("d1", at(-10), at(60), {**BOTH, "s2": 51.0}),
            ["s2"],
            id="more kW at one site",
        ),
        pytest.param(
            wire_dispatch("d1", at(-10), at(60), BOTH, metadata={"price": 1}),
            [],
            id="what does not matter",
        ),
    ],
)
async def test_a_change_that_matters_asks_again(
    harness: Harness, update: dict[str, Any], waits: list[str]
) -> None:
    await during_a_dispatch(harness)
    await act(harness, "acknowledge")
    harness.publish(update)
    await harness.poll()
    assert [site for site in ("s1", "s2") if pending(harness, site)] == waits


async def test_a_dispatch_that_calls_on_nobody_need_not_be_seen(
    harness: Harness,
) -> None:
    await during_a_dispatch(harness, test=True)
    assert pending(harness) == []
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"act_on_test_dispatches": True}
    )
    await harness.settle()
    assert pending(harness) == ["d1"]
    await act(harness, "opt_out", dispatch_id="d1", site_ids=["s1"])
    assert (pending(harness, "s1"), pending(harness, "s2")) == ([], ["d1"])


async def test_it_outlives_other_options(harness: Harness) -> None:
    await during_a_dispatch(harness)
    await act(harness, "acknowledge")
    await act(harness, "opt_out", dispatch_id="d1", site_ids=["s1"])
    harness.hass.config_entries.async_update_entry(
        harness.entry, options={"lead_time": 5}
    )
    await harness.settle()
    assert pending(harness) == []
    assert not harness.curtails("s1")


async def test_it_never_turns_a_site(harness: Harness) -> None:
    await during_a_dispatch(harness)
    harness.written.clear()
    await act(harness, "acknowledge")
    assert harness.written_states("curtail", "s1") == []
    assert harness.curtails("s1")


async def test_a_dispatch_that_is_not_there_cannot_be_acknowledged(
    harness: Harness,
) -> None:
    await harness.set_up()
    with pytest.raises(ServiceValidationError) as raised:
        await act(harness, "acknowledge", dispatch_id="d9")
    assert raised.value.translation_key == "no_such_dispatch"


async def test_of_a_version_that_came_later_the_seconds_count_from_there(
    harness: Harness,
) -> None:
    await during_a_dispatch(harness)
    await harness.move_to(at(5))
    harness.publish(wire_dispatch("d1", at(-10), at(90), BOTH))
    await harness.poll()
    heard = listen(harness, "acknowledged")
    await harness.move_to(at(6))
    await act(harness, "acknowledge")
    assert heard[0].data["after_seconds"] == 60
    assert harness.entry.runtime_data.now() == at(6) > NOON
