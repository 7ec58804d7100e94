"""How tests say something of a dispatch, and hear what is told of it."""

from typing import Any

from homeassistant.core import Context, Event
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import (
    MockUser,
    async_capture_events,
)

from custom_components.voltus.const import DOMAIN
from tests.builders import Amounts, at, wire_dispatch

from .harness import Harness

BOTH: Amounts = {"s1": 100.0, "s2": 50.0}


async def act(
    harness: Harness, name: str, context: Context | None = None, **fields: Any
) -> Any:
    """Call an action, and return its answer."""
    answer = await harness.hass.services.async_call(
        DOMAIN, name, fields, blocking=True, return_response=True, context=context
    )
    await harness.settle()
    return answer


def listen(harness: Harness, act: str) -> list[Event[Any]]:
    """Return what will have the events of such acts from now on."""
    return async_capture_events(harness.hass, f"{DOMAIN}_dispatch_{act}")


async def somebody(harness: Harness, *group_ids: str) -> Context:
    """Return the context of a user of these groups; without any, of the owner."""
    found = [await harness.hass.auth.async_get_group(each) for each in group_ids]
    groups = [group for group in found if group]
    user = MockUser(is_owner=not groups, groups=groups).add_to_hass(harness.hass)
    return Context(user_id=user.id)


def notice(harness: Harness, dispatch: str = "d1") -> ir.IssueEntry | None:
    """Return the repair notice about an opt-out."""
    return ir.async_get(harness.hass).async_get_issue(
        DOMAIN, f"opted_out_account_{dispatch}"
    )


async def during_a_dispatch(harness: Harness, **fields: Any) -> None:
    """Begin in the middle of a dispatch at both sites."""
    harness.publish(wire_dispatch("d1", at(-10), at(60), BOTH, **fields))
    await harness.set_up()
