"""What push brings is what the next poll would have brought, only earlier.

Deliveries are dropped, doubled, delayed and reordered; answers overtake each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from custom_components.voltus.aiovoltus import reconcile
from custom_components.voltus.aiovoltus.models import Dispatch, Listing, Snapshot
from custom_components.voltus.aiovoltus.schedule import ChangeType, changes
from tests.builders import NOON, at, dispatch

APART = timedelta(seconds=29)
IDS = ("d1", "d2", "d3")

steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.sampled_from(IDS), st.integers(0, 5)),
        st.tuples(st.just("cancel"), st.sampled_from(IDS), st.just(0)),
        # A delivery is asked about; nothing stands for one that is dropped.
        st.tuples(st.just("ask"), st.sampled_from(IDS), st.just(0)),
        # An answer comes: the oldest that is on its way, or another before it.
        st.tuples(st.just("answer"), st.just(""), st.integers(0, 3)),
        st.tuples(st.just("poll"), st.just(""), st.just(0)),
    ),
    max_size=60,
)


@dataclass
class Client:
    """What one client knows, and what it has told of each dispatch."""

    known: Snapshot = field(default_factory=Snapshot)
    requests: int = 0
    on_the_way: list[tuple[int, Dispatch | None]] = field(default_factory=list)
    told: list[tuple[str, ChangeType]] = field(default_factory=list)
    first_known: dict[str, int] = field(default_factory=dict)

    def learn(self, known: Snapshot, step: int) -> None:
        """Take in what is known, and tell what is new in it."""
        now = NOON + timedelta(seconds=step)
        before = self.known if self.known.listed else None
        for change in changes(before, now, known, now):
            self.told.append((change.dispatch.id, change.type))
        for dispatch_id in known.dispatches:
            self.first_known.setdefault(dispatch_id, step)
        self.known = known

    def poll(self, published: Mapping[str, Dispatch], step: int) -> None:
        """Ask for the list, and be answered at once."""
        self.requests += 1
        now = NOON + timedelta(seconds=step)
        listing = Listing(dict(published))
        self.learn(
            reconcile.listed(self.known, listing, self.requests, now, apart=APART), step
        )

    def ask(self, shown: Dispatch | None) -> None:
        """Ask for one dispatch: what is answered is what is published by now."""
        self.requests += 1
        self.on_the_way.append((self.requests, shown))

    def answer(self, which: int, step: int) -> None:
        """Be answered; what is not found says nothing."""
        if not self.on_the_way:
            return
        asked, shown = self.on_the_way.pop(min(which, len(self.on_the_way) - 1))
        if shown is not None:
            now = NOON + timedelta(seconds=step)
            self.learn(
                reconcile.found(self.known, shown, asked, now, apart=APART), step
            )


@settings(max_examples=500)
@given(steps)
def test_the_story_is_the_polls_only_earlier(
    history: list[tuple[str, str, int]],
) -> None:
    published: dict[str, Dispatch] = {}
    pushed, polled = Client(), Client()
    for client in (pushed, polled):
        client.poll(published, 0)
    for step, (kind, dispatch_id, number) in enumerate(history, start=1):
        match kind:
            case "publish" | "cancel":
                before = published.get(dispatch_id)
                published[dispatch_id] = dispatch(
                    dispatch_id,
                    start=at(60),
                    end=at(90 + number),
                    authorized=kind == "publish",
                    modification_number=(
                        0 if before is None else (before.modification_number or 0) + 1
                    ),
                )
            case "ask":
                pushed.ask(published.get(dispatch_id))
            case "answer":
                pushed.answer(number, step)
            case _:
                for client in (pushed, polled):
                    client.poll(published, step)
                assert pushed.known.dispatches == polled.known.dispatches
    for dispatch_id, step in polled.first_known.items():
        assert pushed.first_known[dispatch_id] <= step
    for dispatch_id in published:
        kinds = [kind for i, kind in pushed.told if i == dispatch_id]
        assert kinds.count(ChangeType.CREATED) <= 1
        for one, other in pairwise(kinds):
            assert one is not other or one is ChangeType.UPDATED
