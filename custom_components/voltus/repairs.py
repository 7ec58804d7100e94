"""The way out of a repair issue, where one click can be it."""

from collections.abc import Mapping
from typing import override

from homeassistant.components.repairs import (
    ConfirmRepairFlow,
    RepairsFlow,
    RepairsFlowResult,
)
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant

from .coordinator import VoltusConfigEntry

type IssueData = Mapping[str, str | int | float | None]


class FixFlow(ConfirmRepairFlow):
    """Asks first, and then does the one thing that mends an issue of an account."""

    def __init__(self, entry: VoltusConfigEntry, issue: IssueData) -> None:
        """Know which issue of which account."""
        self.entry = entry
        self.issue = issue

    @override
    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Ask, and mend it upon the answer."""
        if self.entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(
                reason="not_loaded",
                description_placeholders={"name": self.entry.title},
            )
        if user_input is not None and (reason := await self.fix()):
            return self.async_abort(
                reason=reason, description_placeholders={"name": self.entry.title}
            )
        return await super().async_step_confirm(user_input)

    async def fix(self) -> str | None:
        """Mend it. Return why it cannot be, or need not be any more, if so."""
        raise NotImplementedError


class WithdrawFlow(FixFlow):
    """Lets go, upon the operator's word, of a dispatch that Voltus knows no more."""

    @override
    async def fix(self) -> str | None:
        dispatch_id = str(self.issue["dispatch_id"])
        withdrawn = self.entry.runtime_data.async_withdraw(dispatch_id)
        return None if withdrawn else "not_held"


class PollAgainFlow(FixFlow):
    """Switches polling on again, in place: the coordinator hears of it and polls."""

    @override
    async def fix(self) -> str | None:
        self.hass.config_entries.async_update_entry(
            self.entry, pref_disable_polling=False
        )
        return None


class NewSiteFlow(FixFlow):
    """Takes the operator's word that the sites named in the question are seen to."""

    def __init__(self, entry: VoltusConfigEntry, issue: IssueData) -> None:
        """Note which sites these are: one that comes meanwhile is asked for anew."""
        super().__init__(entry, issue)
        self._sites = entry.runtime_data.new_sites

    @override
    async def fix(self) -> str | None:
        self.entry.runtime_data.async_confirm(self._sites)
        return None


class CallAgainFlow(FixFlow):
    """Has Voltus call us at once: what answers is well again."""

    @override
    async def fix(self) -> str | None:
        passed = await self.entry.runtime_data.push.async_test()
        return None if passed else "still_unreachable"


FLOWS: Mapping[str, type[FixFlow]] = {
    "held_dispatch": WithdrawFlow,
    "new_site": NewSiteFlow,
    "polling_disabled": PollAgainFlow,
    "push_in_doubt": CallAgainFlow,
    "push_unreachable": CallAgainFlow,
}


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the flow that mends an issue. None of ours comes without data."""
    assert data
    entry = hass.config_entries.async_get_known_entry(str(data["entry_id"]))
    return FLOWS[str(data["key"])](entry, data)
