"""A load is told until it obeys, and comes back as it was unless somebody has it."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
import pytest

from custom_components.voltus.loads.goals import SetBack, To
from custom_components.voltus.loads.load import PAUSES, Phase, due

from .devices import Simulation, switch, thermostat

OFF = To({"state": "off"})
WARMER = SetBack(warmer=2.7, colder=3.0)
MINUTE = 60


def commands(load: Simulation) -> list[int]:
    """Return after how many seconds the load was told something."""
    begin = load.device.commands[0][0]
    return [round((at - begin).total_seconds()) for at, _ in load.device.commands]


# Going down


def test_a_load_that_runs_is_told_once_and_comes_back() -> None:
    load = switch("on")
    load.shed(OFF)
    load.wait(10 * MINUTE)
    assert load.device.values == {"state": "off"}
    assert load.phase is Phase.DOWN
    load.restore()
    load.wait(MINUTE)
    assert load.device.values == {"state": "on"}
    assert load.phase is None
    assert len(load.device.commands) == 2


def test_a_load_that_is_off_already_is_told_nothing_and_stays_off() -> None:
    load = switch("off")
    load.shed(OFF)
    load.wait(MINUTE)
    load.restore()
    load.wait(MINUTE)
    assert load.device.commands == []
    assert load.phase is None


def test_a_load_that_does_not_obey_is_told_again() -> None:
    load = switch("on", lost=5)
    load.shed(OFF)
    load.wait(10 * MINUTE)
    assert commands(load) == [0, 10, 40, 100, 160, 220]
    assert load.phase is Phase.DOWN


def test_the_operator_hears_of_a_load_that_has_not_obeyed_for_two_minutes() -> None:
    load = switch("on", lost=4)
    load.shed(OFF)
    load.wait(2 * MINUTE - 1)
    assert load.load
    assert not load.load.failed
    load.wait(1)
    assert load.load.failed
    load.wait(2 * MINUTE)
    assert not load.load.failed


def test_a_load_that_is_out_of_reach_is_told_when_it_appears() -> None:
    load = switch("on")
    load.reach(there=False)
    load.shed(OFF)
    load.wait(5 * MINUTE)
    assert load.device.commands == []
    assert load.load
    assert load.load.failed
    load.reach(there=True)
    assert load.device.values == {"state": "off"}
    load.wait(MINUTE)
    load.restore()
    load.wait(MINUTE)
    assert load.device.values == {"state": "on"}


def test_a_load_that_nobody_knows_is_told_all_the_same() -> None:
    load = switch("unknown")
    load.device.values = {}
    load.shown = type(load.shown)(None, reachable=True)
    load.shed(OFF)
    assert [aim for _, aim in load.device.commands] == [{"state": "off"}]
    load.wait(MINUTE)
    assert load.phase is Phase.DOWN
    load.restore()
    assert load.phase is None
    assert load.device.values == {"state": "off"}, "nobody knows how it was"


def test_a_load_that_nobody_knows_comes_back_if_it_reported_first_how_it_was() -> None:
    load = switch("on", lost=1)
    load.shown = type(load.shown)(None, reachable=True)
    load.shed(OFF)
    load.show()
    load.wait(MINUTE)
    assert load.device.values == {"state": "off"}
    load.restore()
    load.wait(MINUTE)
    assert load.device.values == {"state": "on"}


# What counts as an answer, and what as somebody's wish


@pytest.mark.parametrize("seconds", [20, 600])
def test_what_changes_later_is_somebodys_wish(seconds: int) -> None:
    load = switch("on")
    load.shed(OFF)
    load.wait(seconds)
    load.by_itself(state="on")
    assert load.phase is Phase.TAKEN_OVER
    load.wait(10 * MINUTE)
    assert len(load.device.commands) == 1
    load.by_itself(state="off")
    load.restore()
    load.wait(MINUTE)
    assert load.device.values == {"state": "off"}


def test_what_a_load_reports_at_once_is_its_answer() -> None:
    load = switch("on")
    load.shed(OFF)
    load.wait(3)
    load.by_itself(state="on")
    assert commands(load) == [0]
    load.wait(MINUTE)
    assert load.device.values == {"state": "off"}
    assert load.phase is Phase.DOWN
    assert commands(load) == [0, 10], "not at once"


def test_each_answer_may_be_followed_by_another() -> None:
    load = switch("on", lost=1)
    load.shed(OFF)
    load.wait(9)
    load.by_itself(state="off")
    load.wait(12)
    load.by_itself(state="on")
    assert load.device.values == {"state": "off"}
    assert commands(load) == [0, 21]


def test_answers_come_within_a_minute() -> None:
    load = switch("on")
    load.shed(OFF)
    for _ in range(6):
        load.wait(10)
        load.by_itself(level=1)
        load.device.values.pop("level")
        load.by_itself()
    load.by_itself(state="on")
    assert load.phase is Phase.TAKEN_OVER


def test_once_down_nothing_is_due() -> None:
    load = switch("on")
    load.shed(OFF)
    assert load.load
    assert due(load.load, load.shown) is None


def test_a_person_is_told_apart_at_once() -> None:
    load = switch("on")
    load.shed(OFF)
    load.wait(3)
    load.by_hand(state="on")
    load.wait(MINUTE)
    assert load.phase is Phase.TAKEN_OVER
    assert load.device.values == {"state": "on"}


def test_a_power_cut_is_nobodys_wish() -> None:
    load = switch("on")
    load.shed(OFF)
    load.wait(MINUTE)
    load.reach(there=False)
    load.wait(10 * MINUTE)
    load.device.values["state"] = "on"
    load.device.lost = 1
    load.reach(there=True)
    load.wait(1)
    assert load.load
    assert not load.load.failed, "it has obeyed all the while"
    load.wait(10)
    assert load.device.values == {"state": "off"}
    load.restore()
    load.wait(MINUTE)
    assert load.device.values == {"state": "on"}


def test_a_load_that_was_off_goes_off_again_after_a_power_cut_and_stays_off() -> None:
    load = switch("off")
    load.shed(OFF)
    load.wait(MINUTE)
    load.reach(there=False)
    load.device.values["state"] = "on"
    load.reach(there=True)
    load.wait(MINUTE)
    assert load.device.values == {"state": "off"}
    load.restore()
    load.wait(MINUTE)
    assert load.device.values == {"state": "off"}


def test_a_load_switched_on_in_the_middle_that_was_off_stays_on() -> None:
    load = switch("off")
    load.shed(OFF)
    load.wait(MINUTE)
    load.by_itself(state="on")
    load.wait(MINUTE)
    load.restore()
    load.wait(MINUTE)
    assert load.device.values == {"state": "on"}
    assert load.device.commands == []


# Coming back


def test_a_load_that_does_not_come_back_is_told_for_ten_minutes() -> None:
    load = switch("on")
    load.shed(OFF)
    load.wait(MINUTE)
    load.device.lost = 1000
    load.restore()
    load.device.commands.clear()
    load.wait(20 * MINUTE)
    assert commands(load)[-1] <= 10 * MINUTE
    assert load.load
    assert load.load.failed
    load.device.lost = 0
    load.reach(there=False)
    load.reach(there=True)
    load.wait(MINUTE)
    assert load.device.values == {"state": "on"}
    assert load.phase is None


def test_given_up_it_is_whoevers_switches_it_on() -> None:
    load = switch("on")
    load.shed(OFF)
    load.wait(MINUTE)
    load.device.lost = 1000
    load.restore()
    load.wait(20 * MINUTE)
    load.by_itself(state="on")
    load.wait(MINUTE)
    assert load.phase is None


def test_called_again_before_it_reports_that_it_is_on_it_goes_off() -> None:
    load = switch("on")
    load.shed(OFF)
    load.wait(MINUTE)
    load.device.slow = 20
    load.restore()
    load.wait(2)
    assert load.shown.values == {"state": "off"}
    load.shed(OFF)
    load.wait(3 * MINUTE)
    assert load.device.values == {"state": "off"}
    assert load.phase is Phase.DOWN
    load.restore()
    load.wait(3 * MINUTE)
    assert load.device.values == {"state": "on"}


def test_let_go_before_it_reports_that_it_is_off_it_comes_back() -> None:
    load = switch("on", slow=20)
    load.shed(OFF)
    load.wait(2)
    load.restore()
    load.wait(3 * MINUTE)
    assert load.device.values == {"state": "on"}
    assert load.phase is None


def test_whoever_waits_to_come_back_is_down_meanwhile() -> None:
    load = switch("on")
    load.shed(OFF)
    load.wait(MINUTE)
    load.restore(after=300)
    load.wait(299)
    assert load.device.values == {"state": "off"}
    load.wait(2)
    assert load.device.values == {"state": "on"}


def test_switched_on_while_it_waits_to_come_back_it_is_told_nothing() -> None:
    load = switch("on")
    load.shed(OFF)
    load.wait(MINUTE)
    load.restore(after=300)
    load.wait(MINUTE)
    load.by_itself(state="on")
    load.wait(MINUTE)
    load.by_itself(state="off")
    load.wait(5 * MINUTE)
    assert load.device.values == {"state": "off"}


# Held by several


def test_held_by_two_it_comes_back_when_the_last_lets_go() -> None:
    load = switch("on")
    load.shed(OFF, "north")
    load.wait(MINUTE)
    load.shed(OFF, "south")
    load.restore("north")
    load.wait(MINUTE)
    assert load.device.values == {"state": "off"}
    load.restore("south")
    load.wait(MINUTE)
    assert load.device.values == {"state": "on"}
    assert len(load.device.commands) == 2


def test_set_back_by_one_and_shed_by_another_it_is_off_as_long_as_either_wants() -> (
    None
):
    load = thermostat()
    load.shed(WARMER, "north")
    load.wait(MINUTE)
    load.shed(OFF, "south")
    load.wait(MINUTE)
    assert load.device.values["state"] == "off"
    load.restore("south")
    load.wait(2 * MINUTE)
    assert load.device.values["temperature"] == 24.7
    load.restore("north")
    load.wait(2 * MINUTE)
    assert load.device.values["state"] == "cool"
    assert load.device.values["temperature"] == 22


# Thermostats


def test_a_set_back_that_is_shown_and_then_rounded_is_put_back() -> None:
    load = thermostat()
    load.shed(WARMER)
    assert load.device.values["temperature"] == 24.7
    load.wait(40)
    load.by_itself(temperature=24.5)
    load.wait(10 * MINUTE)
    assert load.phase is Phase.DOWN
    assert len(load.device.commands) == 1
    load.restore()
    load.wait(2 * MINUTE)
    assert load.device.values["temperature"] == 22


def test_a_thermostat_that_answers_in_steps_is_put_back() -> None:
    load = thermostat("auto", current_temperature=18)
    load.shed(SetBack(warmer=3, colder=3))
    load.wait(3)
    load.by_itself(state="heat")
    load.wait(3)
    load.by_itself(temperature=18.0)
    load.wait(10 * MINUTE)
    assert load.phase is Phase.DOWN
    load.restore()
    load.wait(2 * MINUTE)
    assert load.device.values["temperature"] == 22
    assert load.device.values["state"] == "auto"


def test_a_thermostat_that_answers_late_and_in_part_on_its_way_back_is_told_again() -> (
    None
):
    load = thermostat("heat")
    load.shed(SetBack(warmer=3, colder=3))
    load.wait(MINUTE)
    load.device.lost = 2
    load.restore()
    load.wait(30)
    load.by_itself(state="auto")
    load.wait(MINUTE)
    assert load.device.values["temperature"] == 22
    assert load.device.values["state"] == "heat"


def test_a_thermostat_that_does_not_obey_and_is_set_by_hand_is_somebodys() -> None:
    load = thermostat()
    load.device.lost = 100
    load.shed(WARMER)
    load.wait(30)
    load.by_itself(temperature=20.0)
    assert load.phase is Phase.TAKEN_OVER


@pytest.mark.parametrize("wish", [{"temperature": 26.0}, {"state": "off"}])
def test_a_thermostat_that_somebody_sets_otherwise_is_left_alone(
    wish: dict[str, float | str],
) -> None:
    load = thermostat()
    load.shed(WARMER)
    load.wait(2 * MINUTE)
    load.by_itself(**wish)
    load.restore()
    load.wait(2 * MINUTE)
    assert load.device.values | wish == load.device.values
    assert len(load.device.commands) == 1


def test_a_thermostat_that_is_off_stays_off() -> None:
    load = thermostat("off")
    load.shed(WARMER)
    load.wait(MINUTE)
    load.restore()
    assert load.device.commands == []


# Whatever happens

WAITS = st.integers(1, 200)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "shed a",
                "shed b",
                "restore a",
                "restore b",
                "lose",
                "slow",
                "cut",
                "back",
            ]
        ),
        WAITS,
    ),
    max_size=12,
)


def play(load: Simulation, what: str) -> None:
    """Have something happen."""
    match what.split():
        case ["shed", scope]:
            load.shed(OFF, scope)
        case ["restore", scope]:
            load.restore(scope)
        case ["lose"]:
            load.device.lost = 3
        case ["slow"]:
            load.device.slow = 25 - load.device.slow
        case ["cut"]:
            load.reach(there=False)
        case ["back"]:
            load.reach(there=True)
        case ["restart"]:
            load.restart()
        case _:
            load.reach(there=False)
            load.device.values["state"] = "on"
            load.reach(there=True)


@given(steps=STEPS, state=st.sampled_from(["on", "off"]))
def test_whatever_devices_do_they_are_down_while_held_and_as_they_were_after(
    steps: list[tuple[str, int]], state: str
) -> None:
    load = switch(state)
    on_again = False
    for what, seconds in steps:
        known = load.load and load.load.before
        on_again |= what == "cut and come on" and known is None
        play(load, what)
        load.wait(seconds)
    load.device.slow = 0
    load.reach(there=True)
    load.wait(5 * MINUTE)
    held = load.load is not None and bool(load.load.scopes)
    if held and load.phase is not Phase.TAKEN_OVER:
        assert load.device.values["state"] == "off"
    for scope in "ab":
        load.restore(scope)
    load.wait(12 * MINUTE)
    assert load.phase is None
    if not on_again:
        assert load.device.values["state"] == state


@given(steps=STEPS)
def test_as_long_as_it_does_not_obey_it_is_told_within_a_minute(
    steps: list[tuple[str, int]],
) -> None:
    load = switch("on")
    load.device.lost = 10**6
    for what, seconds in steps:
        if what not in ("lose", "slow", "restart"):
            play(load, what)
        for _ in range(seconds):
            load.wait(1)
            if load.phase is Phase.GOING_DOWN and load.shown.reachable:
                assert load.load
                since = max(load.load.since, load.device.commands[-1][0])
                assert load.now - since <= PAUSES[-1] + timedelta(seconds=1)


@given(steps=STEPS, wait=WAITS, wish=st.sampled_from(["on", "off"]))
def test_what_a_person_wants_in_the_end_is_so(
    steps: list[tuple[str, int]], wait: int, wish: str
) -> None:
    load = switch("on")
    for what, seconds in steps:
        play(load, what)
        load.wait(seconds)
    load.device.slow = 0
    load.reach(there=True)
    load.wait(5 * MINUTE)
    if load.device.values["state"] == wish:
        return
    load.by_hand(state=wish)
    load.wait(wait)
    for scope in "ab":
        load.restore(scope)
    load.wait(12 * MINUTE)
    assert load.device.values["state"] == wish
