"""What the forms of an account's subentries have in common."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import (
    ConfigEntryState,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.helpers.selector import SelectOptionDict

from ..aiovoltus.models import Site

CONF_SITE_ID = "site_id"


class SubentryFlow(ConfigSubentryFlow):
    """Adds something to an account that runs, or changes it."""

    @property
    def is_loaded(self) -> bool:
        """Whether the account runs, so that its sites are known."""
        return self._get_entry().state is ConfigEntryState.LOADED

    @property
    def sites(self) -> Mapping[str, Site]:
        """The sites that have a device."""
        sites: Mapping[str, Site] = self._get_entry().runtime_data.sites
        return sites

    def site_name(self, site_id: str) -> str:
        """Return the name of a site; of one that is gone its id."""
        site = self.sites.get(site_id)
        return site.name if site else site_id

    def sites_without(self, subentry_type: str) -> list[SelectOptionDict]:
        """Return the sites that have no subentry of a type yet, to be chosen."""
        taken = {
            each.data[CONF_SITE_ID]
            for each in self._get_entry().subentries.values()
            if each.subentry_type == subentry_type
        }
        return [
            SelectOptionDict(value=site.id, label=site.name)
            for site in self.sites.values()
            if site.id not in taken
        ]

    def finished(
        self, title: str, data: Mapping[str, Any], unique_id: str
    ) -> SubentryFlowResult:
        """Store what was chosen: as something new, or in place of what it was."""
        if self.source == "reconfigure":
            return self.async_update_and_abort(
                self._get_entry(), self._get_reconfigure_subentry(), data=data
            )
        return self.async_create_entry(title=title, data=data, unique_id=unique_id)
