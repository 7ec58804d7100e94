"""A Home Assistant with our actions and with loads, and no account."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import Context, Event, HomeAssistant, callback
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.voltus.const import DOMAIN
from tests.builders import NOON
from tests.fake_loads import FakeLoads


@dataclass
class Shedding:
    """What is shed, and what came of it."""

    hass: HomeAssistant
    freezer: FrozenDateTimeFactory
    loads: FakeLoads
    storage: dict[str, Any]
    told: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Hear what is told of loads."""
        for kind in ("load_failed", "load_taken_over"):
            self.hass.bus.async_listen(f"{DOMAIN}_{kind}", self._hear)

    @callback
    def _hear(self, event: Event) -> None:
        self.told.append(event)

    @property
    def stories(self) -> list[tuple[str, str]]:
        """What was told so far, as (entity id, type)."""
        return [
            (event.data["entity_id"], str(event.event_type).removeprefix(f"{DOMAIN}_"))
            for event in self.told
        ]

    @property
    def kept(self) -> dict[str, Any]:
        """The loads as they stand on the disk."""
        data: dict[str, Any] = self.storage.get("voltus.loads", {}).get("data", {})
        loads: dict[str, Any] = data.get("loads", {})
        return loads

    async def shed(
        self, *entity_ids: str, scope: str = "shed", **data: Any
    ) -> Mapping[str, Any]:
        """Have a scope hold loads down. Return what each of them is doing."""
        return await self.call(
            "shed", {"scope": scope, "entity_id": list(entity_ids), **data}
        )

    async def restore(self, scope: str = "shed", **data: Any) -> Mapping[str, Any]:
        """Have a scope let its loads go."""
        return await self.call("restore", {"scope": scope, **data})

    async def call(self, action: str, data: dict[str, Any]) -> Mapping[str, Any]:
        """Call an action. Return what each load is doing."""
        answer = await self.hass.services.async_call(
            DOMAIN, action, data, blocking=True, return_response=True
        )
        await self.settle()
        assert answer
        loads: Mapping[str, Any] = answer["loads"]  # type: ignore[assignment]
        return loads

    async def turn(
        self, state: str, entity_id: str, context: Context | None = None
    ) -> None:
        """Turn a load on or off, as somebody does at the device itself."""
        domain, _, _ = entity_id.partition(".")
        await self.hass.services.async_call(
            domain,
            f"turn_{state}",
            {"entity_id": entity_id},
            blocking=True,
            context=context,
        )
        await self.settle()

    async def settle(self) -> None:
        """Let everything happen that does not wait, though a load may hang."""
        for _turn in range(50):
            await asyncio.sleep(0)
        if not self.loads.hanging:
            await self.hass.async_block_till_done(wait_background_tasks=True)

    async def wait(self, seconds: float) -> None:
        """Let time pass, second by second."""
        while seconds > 0:
            self.freezer.tick(timedelta(seconds=min(seconds, 1)))
            async_fire_time_changed(self.hass)
            await self.settle()
            seconds -= 1

    def state(self, entity_id: str) -> str:
        """Return what Home Assistant shows of a load."""
        state = self.hass.states.get(entity_id)
        assert state
        return state.state


@pytest.fixture
def fake_loads() -> FakeLoads:
    """The freezer and the fan run, the pump does not."""
    return FakeLoads(switches={"freezer": True, "pump": False, "fan": True})


@pytest.fixture
async def shedding(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
    enable_custom_integrations: None,
    fake_loads: FakeLoads,
) -> Shedding:
    """It is noon."""
    freezer.move_to(NOON)
    await fake_loads.add_to_hass(hass)
    shedding = Shedding(hass, freezer, fake_loads, hass_storage)
    assert await async_setup_component(hass, DOMAIN, {})
    await shedding.settle()
    return shedding
