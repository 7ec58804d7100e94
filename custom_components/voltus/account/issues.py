"""What the operator has to know, raised while it lasts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
import re
from typing import final

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.util.dt import as_local

from ..aiovoltus.models import Refusal, Snapshot
from ..aiovoltus.reconcile import held
from ..const import DOMAIN

NO_CONTACT_AFTER = timedelta(minutes=5)
MOST_NAMED = 5
# What one click can mend; `repairs` has the clicks.
FIXABLE = frozenset(
    {
        "held_dispatch",
        "new_site",
        "polling_disabled",
        "push_in_doubt",
        "push_unreachable",
    }
)


@final
@dataclass(frozen=True, slots=True)
class Issue:
    """A repair issue, perhaps about a single dispatch."""

    key: str
    placeholders: Mapping[str, str] = field(default_factory=dict)
    dispatch_id: str | None = None
    severity: ir.IssueSeverity = ir.IssueSeverity.ERROR


def current_issues(  # noqa: PLR0913 (each kind of issue comes from elsewhere)
    *,
    now: datetime,
    began: datetime,
    known: Snapshot,
    polling_disabled: bool,
    new_sites: Iterable[str],
    skew: float | None,
    released: Iterable[str],
    refusals: Iterable[Refusal],
) -> list[Issue]:
    """Return the issues of what is known and asked; we have been asking since `began`.

    `new_sites` are names.
    """
    found = [
        Issue("held_dispatch", {"dispatch": plain(each)}, each)
        for each in sorted(held(known, now))
    ]
    last_contact = known.listed.contact if known.listed else began
    if polling_disabled:
        found.append(Issue("polling_disabled"))
    elif now - max(began, last_contact) >= NO_CONTACT_AFTER:
        since = f"{as_local(last_contact):%Y-%m-%d %H:%M}"
        found.append(Issue("no_contact", {"since": since}))
    if skew is not None:
        found.append(Issue("clock_skew", {"seconds": f"{abs(skew):.0f}"}))
    if new := names(new_sites):
        found.append(
            Issue("new_site", {"sites": new}, severity=ir.IssueSeverity.WARNING)
        )
    if ended := names(released):
        found.append(Issue("released_blind", {"dispatches": ended}))
    if unread := names(f"{each.dispatch_id} ({each.field})" for each in refusals):
        found.append(Issue("unreadable_dispatch", {"dispatches": unread}))
    return found


def opted_out_issues(opted_out: Mapping[str, Iterable[str]]) -> list[Issue]:
    """Return an issue for each dispatch that sites are let go of, by their names."""
    return [
        Issue(
            "opted_out",
            {"dispatch": plain(each), "sites": names(opted_out[each])},
            each,
        )
        for each in sorted(opted_out)
    ]


class Issues:
    """Keeps the repair issues of one entry in step with what is wrong."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Begin with none raised."""
        self._hass = hass
        self._entry_id = entry_id
        self._raised: dict[str, Issue] = {}

    def show(self, name: str, found: Iterable[Issue]) -> None:
        """Raise what is new, and take back what is over."""
        registry = ir.async_get(self._hass)
        now = {self._issue_id(issue): issue for issue in found}
        for issue_id in self._raised.keys() - now.keys():
            ir.async_delete_issue(self._hass, DOMAIN, issue_id)
        for issue_id, issue in now.items():
            # A fix flow deletes its issue, even if what it is about goes on.
            if self._raised.get(issue_id) != issue or not registry.async_get_issue(
                DOMAIN, issue_id
            ):
                ir.async_create_issue(
                    self._hass,
                    DOMAIN,
                    issue_id,
                    data={
                        "entry_id": self._entry_id,
                        "key": issue.key,
                        "dispatch_id": issue.dispatch_id,
                    },
                    is_fixable=issue.key in FIXABLE,
                    severity=issue.severity,
                    translation_key=issue.key,
                    translation_placeholders={"name": name, **issue.placeholders},
                )
        self._raised = now

    def _issue_id(self, issue: Issue) -> str:
        return "_".join(filter(None, (issue.key, self._entry_id, issue.dispatch_id)))


def plain(text: str) -> str:
    """Return a text of Voltus' without anything that could become markup."""
    return re.sub(r"[^\w .,:()-]", "", text)[:150]


def names(texts: Iterable[str]) -> str:
    """Return a list to read, no longer than anybody would read."""
    found = sorted({plain(text) or "?" for text in texts})
    more = ["..."] if len(found) > MOST_NAMED else []
    return ", ".join(found[:MOST_NAMED] + more)
