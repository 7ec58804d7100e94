"""What is told, as triggers of automations."""

from abc import abstractmethod
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, ClassVar, Final, cast, override

from homeassistant.const import CONF_EXCLUDE, CONF_OPTIONS, CONF_TARGET
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.target import (
    TargetSelection,
    async_extract_referenced_entity_ids,
)
from homeassistant.helpers.trigger import (
    NotTriggeredInfo,
    Trigger,
    TriggerActionRunner,
    TriggerConfig,
    TriggerNotTriggeredReporter,
)
from homeassistant.helpers.typing import ConfigType
import voluptuous as vol

from .account.cause import caused_by
from .account.devices import device_id
from .aiovoltus.schedule import ChangeType, CurtailmentChange, total
from .announcing.announcer import TOLD, RecordEvent, ToldType
from .const import DOMAIN

CONF_ACTIONABLE_ONLY: Final = "actionable_only"
MOST_NAMES: Final = 3

LISTENS_TO: Final[Mapping[str, ToldType]] = {
    "curtailment_started": CurtailmentChange.STARTED,
    "curtailment_ended": CurtailmentChange.ENDED,
    "dispatch_announced": ChangeType.CREATED,
    "dispatch_updated": ChangeType.UPDATED,
    "dispatch_cancelled": ChangeType.CANCELLED,
    "dispatch_evaluated": RecordEvent.EVALUATED,
}


def _someone(target: ConfigType) -> ConfigType:
    """Refuse a target that nothing can ever hit."""
    if not TargetSelection(target).has_any_target:
        raise vol.Invalid(
            "it names no one; choose at least one site or account by its device, "
            "an entity, an area, a floor or a label"
        )
    return target


_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_TARGET): vol.All(cv.TARGET_FIELDS, _someone),
        vol.Optional(CONF_OPTIONS, default={}): {},
    }
)
_DISPATCH_SCHEMA = _SCHEMA.extend(
    {
        vol.Optional(CONF_OPTIONS, default={}): {
            vol.Optional(CONF_ACTIONABLE_ONLY, default=True): cv.boolean
        }
    }
)


class VoltusTrigger(Trigger):
    """Fires when something is told that concerns its target.

    Who is meant is asked when it is told: entities come and go with reloads, and
    areas and labels are given and taken at any time.
    """

    schema: ClassVar[vol.Schema] = _SCHEMA

    @classmethod
    @override
    async def async_validate_config(
        cls, hass: HomeAssistant, config: ConfigType
    ) -> ConfigType:
        """Demand a target, and no option that there is not."""
        return cast(ConfigType, cls.schema(config))

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Listen to nothing yet."""
        super().__init__(hass, config)
        key = config.key.removeprefix(f"{DOMAIN}.")
        self._listens_to = LISTENS_TO[key]
        self._verb = key.rpartition("_")[2]
        self._target = config.target or {}
        self._options = config.options or {}

    @override
    async def async_attach_runner(
        self,
        run_action: TriggerActionRunner,
        did_not_trigger: TriggerNotTriggeredReporter | None = None,
    ) -> CALLBACK_TYPE:
        """Listen to all that any account tells."""

        @callback
        def hear(told: ToldType, data: Mapping[str, Any]) -> None:
            if told is not self._listens_to:
                return
            variables = self._concern(data, _devices(self._hass, self._target))
            if variables is None:
                return
            if reason := self._unwanted(data):
                if did_not_trigger:
                    did_not_trigger(NotTriggeredInfo(reason, variables))
                return
            context = caused_by(data["entry_id"], self._behind(data))
            run_action(variables, self._describe(variables), context)

        return async_dispatcher_connect(self._hass, TOLD, hear)

    @abstractmethod
    def _concern(
        self, data: Mapping[str, Any], devices: Collection[str]
    ) -> dict[str, Any] | None:
        """Return what the automation gets to know; None if it is not concerned."""

    @abstractmethod
    def _behind(self, data: Mapping[str, Any]) -> list[str]:
        """Return the dispatches that have caused it."""

    @abstractmethod
    def _describe(self, variables: Mapping[str, Any]) -> str:
        """Return what has happened, to follow "triggered by" in the logbook."""

    def _unwanted(self, data: Mapping[str, Any]) -> str | None:
        """Return why the options leave this out, if they do."""
        return None


class CurtailmentTrigger(VoltusTrigger):
    """Fires when `curtail` of targeted sites, or of the account, has turned."""

    @override
    def _concern(
        self, data: Mapping[str, Any], devices: Collection[str]
    ) -> dict[str, Any] | None:
        everyone = data["whole_account"] and data["device_id"] in devices
        sites = [
            site for site in data["sites"] if everyone or site["device_id"] in devices
        ]
        if not sites:
            return None
        ends = [site["curtailment_end"] for site in sites]
        return {
            "entry_id": data["entry_id"],
            "sites": sites,
            "commitment": total(site["commitment"] for site in sites),
            "curtailment_end": (
                None if None in ends else max(ends, key=datetime.fromisoformat)
            ),
        }

    @override
    def _behind(self, data: Mapping[str, Any]) -> list[str]:
        return [*data["dispatch_ids"]]

    @override
    def _describe(self, variables: Mapping[str, Any]) -> str:
        return f"curtailment {self._verb} at {_names(variables['sites'])}"


class DispatchTrigger(VoltusTrigger):
    """Fires when something is told of a dispatch that names targeted sites.

    One that an update has taken off the dispatch is still concerned by that update.
    """

    schema = _DISPATCH_SCHEMA

    @override
    def _concern(
        self, data: Mapping[str, Any], devices: Collection[str]
    ) -> dict[str, Any] | None:
        removed = data.get("changes", {}).get("sites", {}).get("removed", ())
        concerned = {
            data["device_id"],
            *(site["device_id"] for site in data["sites"]),
            *(device_id(self._hass, data["entry_id"], site_id) for site_id in removed),
        }
        return None if concerned.isdisjoint(devices) else dict(data)

    @override
    def _behind(self, data: Mapping[str, Any]) -> list[str]:
        return [data["dispatch_id"]]

    @override
    def _describe(self, variables: Mapping[str, Any]) -> str:
        dispatch_id, sites = variables["dispatch_id"], variables["sites"]
        return f"dispatch {dispatch_id} {self._verb} for {_names(sites)}"

    @override
    def _unwanted(self, data: Mapping[str, Any]) -> str | None:
        only = self._options[CONF_ACTIONABLE_ONLY]
        return "not_actionable" if only and not data["actionable"] else None


def _devices(hass: HomeAssistant, target: ConfigType) -> set[str]:
    """Return the devices that a target means; any entity of ours stands for its own."""
    selected = async_extract_referenced_entity_ids(
        hass, TargetSelection(target), expand_group=False
    )
    registry = er.async_get(hass)
    entities = map(
        registry.async_get, selected.referenced | selected.indirectly_referenced
    )
    devices = selected.referenced_devices | {
        entity.device_id
        for entity in entities
        if entity and entity.device_id and entity.platform == DOMAIN
    }
    # Home Assistant leaves out an excluded entity, but not the device behind it.
    excluded = target.get(CONF_EXCLUDE)
    return devices - _devices(hass, excluded) if excluded else devices


def _names(sites: Collection[Mapping[str, Any]]) -> str:
    if len(sites) > MOST_NAMES:
        return f"{len(sites)} sites"
    return ", ".join(site["name"] for site in sites)


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return our triggers."""
    return {
        key: CurtailmentTrigger
        if isinstance(told, CurtailmentChange)
        else DispatchTrigger
        for key, told in LISTENS_TO.items()
    }
