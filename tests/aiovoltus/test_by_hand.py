"""What the operator has said of dispatches, and for how long it is in force."""

from typing import Any

import pytest

from custom_components.voltus.aiovoltus.by_hand import Acknowledgement, ByHand, OptOut
from custom_components.voltus.aiovoltus.models import Dispatch
from custom_components.voltus.aiovoltus.schedule import Phase, Policy, look
from tests.builders import NOON, ONE, Amounts, at, dispatch, snapshot

WARM = OptOut(NOON, "the freezer gets warm", "ana")
BOTH = {"s1": 100.0, "s2": 50.0}
OUT = Policy(opted_out=frozenset({("d1", "s1")}))


def test_who_opts_out_twice_has_opted_out_once() -> None:
    once = ByHand().opt_out("d1", ["s1"], WARM)
    twice = once.opt_out("d1", ["s1", "s2"], OptOut(at(5)))
    assert twice.opt_outs == {("d1", "s1"): WARM, ("d1", "s2"): OptOut(at(5))}


def test_to_opt_in_takes_back_these_sites_alone() -> None:
    out = ByHand().opt_out("d1", ["s1", "s2"], WARM).opt_out("d2", ["s1"], WARM)
    back = out.opt_in("d1", ["s1"])
    assert back.opt_outs.keys() == {("d1", "s2"), ("d2", "s1")}


def test_it_is_in_force_while_the_dispatch_is_known_and_names_the_site() -> None:
    out = ByHand().opt_out("d1", ["s1", "s2"], WARM)
    assert out.kept({"d1": dispatch(sites=BOTH)}) is out
    less = out.kept({"d1": dispatch(sites={"s2": 50.0})})
    assert less.opt_outs.keys() == {("d1", "s2")}
    assert less.kept({}).opt_outs == {}


def test_a_site_that_is_opted_out_is_not_called_on() -> None:
    seen = look(snapshot(dispatch(sites=BOTH)), OUT, NOON)
    assert seen.curtailing == {"s2"}
    assert seen.curtailment("s1").phase is Phase.IDLE
    assert seen.curtailment("s1").opted_out == {"d1"}
    assert seen.curtailment("s2").opted_out == frozenset()
    assert seen.curtailment(None).opted_out == {"d1"}
    assert seen.curtailment(None).commitment == 50


def test_another_dispatch_calls_on_it_all_the_same() -> None:
    seen = look(snapshot(dispatch(), dispatch("d2", sites={"s1": 7.0})), OUT, NOON)
    assert seen.curtailment("s1").curtail
    assert seen.curtailment("s1").by_dispatch == {"d2": 7.0}
    assert seen.curtailment("s1").opted_out == {"d1"}


def test_what_is_opted_out_bridges_nothing() -> None:
    known = snapshot(
        dispatch("d0", at(-20), at(-10)),
        dispatch("d1", at(-10), at(10)),
        dispatch("d2", at(10), at(20)),
    )
    assert look(known, OUT, at(-15)).curtailment("s1").end == at(-10)
    assert not look(known, OUT, NOON).curtailment("s1").curtail


def test_nothing_is_said_of_a_dispatch_that_is_over() -> None:
    seen = look(snapshot(dispatch(end=at(10))), OUT, at(10))
    assert seen.curtailments == {}


def test_an_ignored_site_shows_nothing() -> None:
    policy = Policy(ignored_sites=frozenset({"s1"}), opted_out=OUT.opted_out)
    assert look(snapshot(dispatch()), policy, NOON).curtailments == {}


def test_a_dispatch_with_no_site_left_is_let_through_no_more() -> None:
    assert not OUT.lets_through(dispatch())
    assert OUT.lets_through(dispatch(sites=BOTH))


# Acknowledgement


def seen(*, sites: Amounts = BOTH, **version: Any) -> ByHand:
    """Return that `ana` has seen this version of d1, at all its sites."""
    each = dispatch(sites=sites, **version)
    return ByHand().acknowledge(each, sites.keys(), NOON, "on my way", "ana")


@pytest.mark.parametrize(
    ("version", "asks_again"),
    [
        pytest.param(dispatch(sites=BOTH), set[str](), id="the same"),
        pytest.param(dispatch(test=True, sites=BOTH), set[str](), id="no matter"),
        pytest.param(dispatch(start=at(1), sites=BOTH), {"s1", "s2"}, id="start"),
        pytest.param(dispatch(end=at(90), sites=BOTH), {"s1", "s2"}, id="end"),
        pytest.param(dispatch(end=None, sites=BOTH), {"s1", "s2"}, id="end open"),
        pytest.param(
            dispatch(sites={"s1": 100.5, "s2": 50.0}), {"s1"}, id="more at a site"
        ),
        pytest.param(dispatch(sites={"s1": 1.0, "s2": 0.0}), set[str](), id="less"),
        pytest.param(dispatch(sites={"s1": 1.0, "s2": None}), {"s2"}, id="full plan"),
        pytest.param(dispatch(sites={**BOTH, "s3": 1.0}), {"s3"}, id="another site"),
    ],
)
def test_what_asks_for_other_times_or_more_is_to_be_seen_again(
    version: Dispatch, asks_again: set[str]
) -> None:
    acknowledged = seen().acknowledged({"d1": version})
    sites = {site.id for site in version.sites}
    assert sites - {site_id for _, site_id in acknowledged} == asks_again


def test_who_has_seen_the_full_plan_has_seen_any_amount() -> None:
    full = seen(sites={"s1": None})
    assert full.acknowledged({"d1": dispatch(sites={"s1": 1e6})}) == {("d1", "s1")}


def test_an_acknowledgement_says_who_when_and_what() -> None:
    assert seen(sites={"s1": 7.0}).acknowledgements == {
        ("d1", "s1"): Acknowledgement(NOON, NOON, ONE, 7.0, "on my way", "ana")
    }


def test_it_goes_with_the_site() -> None:
    less = seen().kept({"d1": dispatch(sites={"s2": 50.0})})
    assert less.acknowledgements.keys() == {("d1", "s2")}


def test_what_calls_on_a_site_now_or_later_has_to_be_acknowledged() -> None:
    known = snapshot(
        dispatch("d1"),
        dispatch("later", at(90), at(120)),
        dispatch("over", at(-20), at(-10)),
        dispatch("test", test=True),
        dispatch("out"),
    )
    policy = Policy(
        opted_out=frozenset({("out", "s1")}),
        acknowledged=frozenset({("d1", "s1")}),
    )
    asked = look(known, policy, NOON)
    assert asked.curtailment("s1").unacknowledged == {"later"}
    assert asked.curtailment(None).unacknowledged == {"later"}
