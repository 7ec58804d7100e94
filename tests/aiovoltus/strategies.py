"""Arbitrary dispatches, histories and JSON for Hypothesis.

Times lie on a coarse grid of minutes after noon, so that starts, ends, answers and
looks often meet in the same instant.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from custom_components.voltus.aiovoltus.models import (
    LONGEST_LEAD_TIME,
    Dispatch,
    DispatchSite,
    Json,
    Program,
    Snapshot,
    clean,
)
from custom_components.voltus.aiovoltus.schedule import Policy
from tests.builders import NOON, at, dispatch, snapshot

IDS = ("d1", "d2", "d3")
SITES = ("s1", "s2")

instants = st.integers(0, 12).map(at)
amounts = st.none() | st.sampled_from([0.0, 5.3, 100.0, 250.0])
site_amounts = st.dictionaries(st.sampled_from(SITES), amounts, min_size=1)


def versions(dispatch_id: str) -> st.SearchStrategy[Dispatch]:
    """Return versions of one dispatch: any window, also an empty or a past one."""
    return st.builds(
        dispatch,
        id=st.just(dispatch_id),
        start=instants,
        end=st.none() | instants,
        sites=site_amounts,
        authorized=st.sampled_from([True, True, True, False]),
        test=st.sampled_from([False, False, True]),
        withdrawn=st.sampled_from([False, False, False, True]),
    )


def _several(
    of_one: Mapping[str, st.SearchStrategy[Dispatch]],
) -> st.SearchStrategy[list[Dispatch]]:
    return st.lists(st.sampled_from(IDS), unique=True).flatmap(
        lambda ids: st.tuples(*(of_one[dispatch_id] for dispatch_id in ids)).map(list)
    )


several_versions = _several({dispatch_id: versions(dispatch_id) for dispatch_id in IDS})
snapshots = several_versions.map(lambda dispatches: snapshot(*dispatches))


@st.composite
def histories(draw: st.DrawFn) -> dict[datetime, Snapshot]:
    """Draw what is known after each answer, by the instant of the answer.

    A dispatch once known stays known; an answer holds new versions of some, or of none.
    """
    answers = draw(
        st.lists(st.tuples(instants, several_versions), min_size=1, max_size=4)
    )
    known: dict[str, Dispatch] = {}
    history = {}
    for instant, dispatches in sorted(answers, key=lambda answer: answer[0]):
        known = known | {each.id: each for each in dispatches}
        history[instant] = snapshot(*known.values(), at=instant)
    return history


policies = st.builds(
    Policy,
    lead_time=st.sampled_from([0, 1, 5]).map(lambda n: timedelta(minutes=n)),
    act_on_test_dispatches=st.booleans(),
    offline_hold=st.sampled_from([3, 240]).map(lambda n: timedelta(minutes=n)),
    ignored_sites=st.sampled_from([frozenset(), frozenset({"s2"})]),
)

_instants_to_half_a_second = st.integers(0, 20).map(
    lambda n: NOON + timedelta(seconds=n / 2)
)
crowded_snapshots = st.lists(
    st.builds(
        dispatch,
        start=_instants_to_half_a_second,
        end=st.none() | _instants_to_half_a_second,
        sites=site_amounts,
        authorized=st.sampled_from([True, True, True, False]),
        test=st.sampled_from([False, False, True]),
    ),
    max_size=4,
).map(
    lambda dispatches: snapshot(
        *(replace(each, id=f"d{index}") for index, each in enumerate(dispatches))
    )
)
"""Ten seconds of windows that overlap, touch or leave half a second between."""

hurried_policies = st.builds(
    Policy,
    lead_time=st.sampled_from([0, 1, 3]).map(lambda n: timedelta(seconds=n)),
    act_on_test_dispatches=st.booleans(),
    offline_hold=st.sampled_from([5, 3600]).map(lambda n: timedelta(seconds=n)),
    ignored_sites=st.sampled_from([frozenset(), frozenset({"s2"})]),
)
"""Policies that matter within those seconds."""


# Reading

_texts = st.text(max_size=20)
_scalars: st.SearchStrategy[Json] = (
    st.none() | st.booleans() | st.integers() | st.floats() | _texts
)
json_values: st.SearchStrategy[Json] = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3)
    ),
    max_leaves=12,
)
_times_on_the_wire = st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
_half_right: st.SearchStrategy[Json] = (
    json_values
    | _times_on_the_wire
    | st.sampled_from(["d1", "s1", "", True, False, 0, 12.5])
)


def _object_with(
    *names: str, **fields: st.SearchStrategy[Json]
) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(
        {}, optional={**dict.fromkeys(names, _half_right), **fields}
    )


wire_like: st.SearchStrategy[Json] = _object_with(
    "authorized",
    "test",
    "start_time",
    "end_time",
    "creation_time",
    "modification_number",
    "metadata",
    id=st.sampled_from(["d1", "d2"]) | _half_right,
    program=_object_with("id", "name", "market", "timezone", "program_type")
    | _half_right,
    sites=st.lists(
        _object_with("id", "name", "customer_location_id", "commitment", "drop_by")
        | _half_right,
        max_size=3,
    )
    | _half_right,
)
"""Objects that look like dispatches, until one looks closer."""

_names = st.text(max_size=30).map(clean)
_ids = st.text(min_size=1, max_size=12).map(clean).filter(bool)
_integers = st.integers(-(2**63), 2**63 - 1)
_earliest = datetime(1, 1, 1, tzinfo=UTC) + LONGEST_LEAD_TIME
_times = st.datetimes(_earliest.replace(tzinfo=None), timezones=st.just(UTC))
_storable: st.SearchStrategy[Json] = st.recursive(
    st.none()
    | st.booleans()
    | _integers
    | st.floats(-1e9, 1e9)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=3
        )
    ),
    max_leaves=5,
)


def _by_id(sites: list[DispatchSite]) -> tuple[DispatchSite, ...]:
    return tuple(sorted(sites, key=lambda site: site.id))


readable_dispatches = st.builds(
    Dispatch,
    id=_ids,
    authorized=st.booleans(),
    test=st.booleans(),
    start_time=_times,
    end_time=st.none() | _times,
    creation_time=st.none() | _times,
    modification_number=st.none() | _integers,
    program=st.none()
    | st.builds(
        Program,
        id=st.none() | _integers,
        name=st.none() | _names,
        market=st.none() | _names,
        timezone=st.none() | _names,
        program_type=st.none() | _names,
    ),
    sites=st.lists(
        st.builds(
            DispatchSite,
            id=_ids,
            name=_names.filter(bool),
            customer_location_id=_names,
            commitment=st.none() | st.floats(0, 1e6),
        ),
        min_size=1,
        max_size=3,
        unique_by=lambda site: site.id,
    ).map(_by_id),
    metadata=st.none()
    | st.dictionaries(
        st.text(st.characters(codec="utf-8"), max_size=5), _storable, max_size=3
    ),
    received=st.just(NOON),
)
"""Everything that a dispatch can be read as."""
