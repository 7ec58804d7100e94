"""The way out of a repair issue, where one click can be it."""

from typing import TYPE_CHECKING, override

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow
from homeassistant.core import HomeAssistant

from .coordinator import VoltusConfigEntry

if TYPE_CHECKING:
    # Younger than the oldest Home Assistant that we run on.
    from homeassistant.components.repairs import RepairsFlowResult


class WithdrawFlow(ConfirmRepairFlow):
    """Let go, upon the operator's word, of a dispatch that Voltus knows no more."""

    def __init__(self, entry: VoltusConfigEntry, dispatch_id: str) -> None:
        """Know which one."""
        self._entry = entry
        self._dispatch_id = dispatch_id

    @override
    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Ask first."""
        if user_input is not None:
            self._entry.runtime_data.async_withdraw(self._dispatch_id)
        return await super().async_step_confirm(user_input)


async def async_create_fix_flow(
    hass: HomeAssistant,
    issue_id: str,
    data: dict[str, str | int | float | None] | None,
) -> RepairsFlow:
    """Return the flow of the one issue that has any: `held_dispatch`."""
    assert data
    entry = hass.config_entries.async_get_known_entry(str(data["entry_id"]))
    return WithdrawFlow(entry, str(data["dispatch_id"]))
