"""What happened to a dispatch or a load, as a sentence in the logbook.

The name comes before the message: "Voltus announced dispatch 5j94 for ...".
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from homeassistant.components.logbook import (
    LOGBOOK_ENTRY_ENTITY_ID,
    LOGBOOK_ENTRY_MESSAGE,
    LOGBOOK_ENTRY_NAME,
)
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.util.dt import utcnow

from .aiovoltus.by_hand import OperatorAct
from .aiovoltus.schedule import ChangeType
from .announcing.wording import kilowatts, listed, moment
from .const import DOMAIN
from .loads.notices import EVENT_FAILED, EVENT_TAKEN_OVER
from .records.keeper import EVENT_EVALUATED
from .records.report import result_in_words

type Data = Mapping[str, Any]

VERBS: Mapping[ChangeType, str] = {
    ChangeType.CREATED: "announced",
    ChangeType.UPDATED: "updated",
    ChangeType.STARTED: "started",
    ChangeType.ENDED: "ended",
    ChangeType.CANCELLED: "cancelled",
}
ACTS: Mapping[OperatorAct, str] = {
    OperatorAct.ACKNOWLEDGED: "had {dispatch} acknowledged for {sites}",
    OperatorAct.OPTED_OUT: "no longer curtails {sites} for {dispatch}",
    OperatorAct.OPTED_IN: "curtails {sites} for {dispatch} again",
}
REASONS: Mapping[str, str] = {
    "unauthorized": "no longer authorized",
    "withdrawn": "no longer known to Voltus",
}
FAILED: Mapping[str, str] = {
    "going_down": "has not gone down for two minutes, and is told again",
    "coming_back": "has not come back for two minutes",
}
# Of a field that is changed, what it is now.
FLAGS: Mapping[str, Mapping[bool, str]] = {
    "authorized": {True: "authorized again", False: "no longer authorized"},
    "test": {True: "now a test", False: "no longer a test"},
    "withdrawn": {True: "no longer known to Voltus", False: "known again"},
}


@callback
def async_describe_events(
    hass: HomeAssistant,
    async_describe_event: Callable[[str, str, Callable[[Event], dict[str, Any]]], None],
) -> None:
    """Describe the events of dispatches, of the operator's acts, and of loads."""

    def describe(told: ChangeType | OperatorAct) -> Callable[[Event], dict[str, Any]]:
        @callback
        def entry(event: Event) -> dict[str, Any]:
            return _entry(hass, told, event.data)

        return entry

    for told in (*ChangeType, *OperatorAct):
        async_describe_event(DOMAIN, f"{DOMAIN}_dispatch_{told}", describe(told))

    @callback
    def evaluated(event: Event) -> dict[str, Any]:
        return _evaluated_entry(hass, event.data)

    async_describe_event(DOMAIN, EVENT_EVALUATED, evaluated)

    @callback
    def failed(event: Event) -> dict[str, Any]:
        return _load_entry(hass, event, FAILED[event.data["phase"]])

    @callback
    def taken_over(event: Event) -> dict[str, Any]:
        return _load_entry(hass, event, "is somebody else's by now: it is left alone")

    async_describe_event(DOMAIN, EVENT_FAILED, failed)
    async_describe_event(DOMAIN, EVENT_TAKEN_OVER, taken_over)


def _load_entry(hass: HomeAssistant, event: Event, message: str) -> dict[str, Any]:
    entity_id = event.data["entity_id"]
    state = hass.states.get(entity_id)
    return {
        LOGBOOK_ENTRY_NAME: state.name if state else entity_id,
        LOGBOOK_ENTRY_MESSAGE: message,
        LOGBOOK_ENTRY_ENTITY_ID: entity_id,
    }


def _evaluated_entry(hass: HomeAssistant, data: Data) -> dict[str, Any]:
    entry_id = str(data.get("entry_id"))
    entry = hass.config_entries.async_get_entry(entry_id)
    sites = "; ".join(map(result_in_words, data.get("sites", ())))
    return {
        LOGBOOK_ENTRY_NAME: entry.title if entry else "Voltus",
        LOGBOOK_ENTRY_MESSAGE: (
            f"evaluated dispatch {data.get('dispatch_id')}: {sites}, estimated"
        ),
    }


def _entry(
    hass: HomeAssistant, told: ChangeType | OperatorAct, data: Data
) -> dict[str, Any]:
    entry_id = str(data.get("entry_id"))
    entry = hass.config_entries.async_get_entry(entry_id)
    return {
        # The entry may be gone by now.
        LOGBOOK_ENTRY_NAME: entry.title if entry else "Voltus",
        LOGBOOK_ENTRY_MESSAGE: (
            _message(told, data)
            if isinstance(told, ChangeType)
            else _act_message(told, data)
        ),
        LOGBOOK_ENTRY_ENTITY_ID: er.async_get(hass).async_get_entity_id(
            "event", DOMAIN, f"{entry_id}_dispatch"
        ),
    }


def _message(change: ChangeType, data: Data) -> str:
    """Return the message of an event; the recorder drops data of more than 32 KB."""
    if not data:
        return f"{VERBS[change]} a dispatch"
    marks = [
        *(["test"] if data["test"] else []),
        *(["drill"] if data["drill"] else []),
        *([] if data["actionable"] else ["not acted on here"]),
    ]
    more = _details(data)
    return (
        f"{VERBS[change]} dispatch {data['dispatch_id']}"
        f" for {listed([site['name'] for site in data['sites']])}"
        f", {_span(data)}, {_amount(data['commitment'])}"
        + (f" ({', '.join(marks)})" if marks else "")
        + (f": {more}" if more else "")
    )


def _act_message(act: OperatorAct, data: Data) -> str:
    """Return what the operator has said; the recorder drops data of more than 32 KB."""
    if not data:
        return ACTS[act].format(sites="sites", dispatch="a dispatch")
    said = ACTS[act].format(
        sites=listed([site["name"] for site in data["sites"]]),
        dispatch=f"dispatch {data['dispatch_id']}",
    )
    if "after_seconds" in data:
        said += f" after {data['after_seconds']:.0f} s"
    words = data.get("reason") or data.get("note")
    return f"{said}: {words}" if words else said


def _details(data: Data) -> str:
    """Return what there is to add: the reason, what has changed, what was missed."""
    if data.get("missed"):
        return "its start was never announced"
    if "reason" in data:
        return REASONS[data["reason"]]
    return "; ".join(_changes(data))


def _changes(data: Data) -> list[str]:
    """Return what an update has changed, each in words.

    A modification number comes with every change; it is told where there is no other.
    """
    changes = dict(data.get("changes", {}))
    if len(changes) > 1:
        changes.pop("modification_number", None)
    return [
        part
        for field, change in changes.items()
        for part in _change(field, change, data)
    ]


def _change(field: str, change: Data, data: Data) -> list[str]:
    if field == "sites":
        return _sites(change, data)
    old, new = change["old"], change["new"]
    if field in FLAGS:
        return [FLAGS[field][new]]
    if field in ("start_time", "end_time"):
        return [_moved(field.removesuffix("_time"), old, new)]
    return [f"{field.replace('_', ' ')} changed"]


def _moved(name: str, old: str | None, new: str | None) -> str:
    if new is None:
        return f"{name} taken back"
    if old is None:
        return f"{name} set to {moment(_time(new), utcnow())}"
    return f"{name} moved from {_span_of(old, new)}"


def _sites(change: Data, data: Data) -> list[str]:
    names = {site["id"]: site["name"] for site in data["sites"]}
    return [
        f"{listed([names.get(site_id, site_id) for site_id in ids])} {what}"
        for what, ids in change.items()
        if ids
    ]


def _span(data: Data) -> str:
    start, end = data["start_time"], data["end_time"]
    if end is None:
        return f"from {moment(_time(start), utcnow())}, end open"
    return _span_of(start, end)


def _span_of(first: str, second: str) -> str:
    """Return "14:00 to 15:00", with a date where it is not today's or not the same."""
    begin, end = _time(first), _time(second)
    return f"{moment(begin, utcnow())} to {moment(end, begin)}"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _amount(commitment: float | None) -> str:
    return "no amount stated" if commitment is None else kilowatts(commitment)
