"""How much of a site's load can be curtailed right now, as Voltus wants to know it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import STATE_OFF, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant

from ..account.subentries import CONF_SITE_ID
from .meters import CONF_SOURCE, entity_id_of, reading

SUBENTRY: Final = "controllable_load"
CONF_LOADS: Final = "loads"
CONF_KW: Final = "kw"
_OUT_OF_REACH: Final = (STATE_OFF, STATE_UNAVAILABLE, STATE_UNKNOWN)


@final
@dataclass(frozen=True, slots=True)
class ControllableLoad:
    """What can be curtailed of a site: loads with their kW, or a sensor of the power."""

    site_id: str
    loads: Mapping[str, float]
    source: str | None = None

    def kilowatts(self, hass: HomeAssistant) -> float:
        """Return what is on and within reach; what cannot be reached cannot be curtailed."""
        if self.source is None:
            return sum(kw for each, kw in self.loads.items() if _counts(hass, each))
        shown = reading(hass.states.get(self.source), counter=False)
        return max(0.0, (shown and shown.value) or 0.0)


def controllable_loads(
    hass: HomeAssistant, entry: ConfigEntry
) -> Iterator[ControllableLoad]:
    """Return what the operator has said of each site."""
    for subentry in entry.subentries.values():
        if subentry.subentry_type == SUBENTRY:
            data = subentry.data
            source = data.get(CONF_SOURCE)
            loads = {
                entity_id_of(hass, each[CONF_SOURCE]): float(each[CONF_KW])
                for each in data.get(CONF_LOADS, ())
            }
            yield ControllableLoad(
                data[CONF_SITE_ID], loads, source and entity_id_of(hass, source)
            )


def _counts(hass: HomeAssistant, entity_id: str) -> bool:
    """Whether a load is on and reachable."""
    state = hass.states.get(entity_id)
    return state is not None and state.state not in _OUT_OF_REACH
