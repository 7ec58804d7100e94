"""One start in a process of its own: prints as JSON the seconds of CPU that it takes.

`home_assistant`: to import what every Home Assistant does; `voltus`: to import us on
top of that; `set_up`: to set up an account of two sites from memory, once loaded.
"""

import asyncio
from importlib import import_module
import json
from time import thread_time

HOME_ASSISTANT = (
    "homeassistant.bootstrap",
    "homeassistant.components.binary_sensor",
    "homeassistant.components.calendar",
    "homeassistant.components.event",
    "homeassistant.components.sensor",
)
VOLTUS = (
    "custom_components.voltus.binary_sensor",
    "custom_components.voltus.calendar",
    "custom_components.voltus.config_flow",
    "custom_components.voltus.event",
    "custom_components.voltus.sensor",
)


def importing(*modules: str) -> float:
    """Return the seconds that importing takes."""
    begun = thread_time()
    for module in modules:
        import_module(module)
    return thread_time() - begun


async def setting_up() -> float:
    """Return the seconds that setting up again takes, with what is stored."""
    # Not above: they import what is to be timed.
    from sandbox.server import LocalVoltus, serve  # noqa: PLC0415

    from .home import home, set_up  # noqa: PLC0415

    async with serve(LocalVoltus()) as url, home() as hass:
        entry = (await set_up(hass, url)).config_entry
        await hass.config_entries.async_unload(entry.entry_id)
        begun = thread_time()
        await hass.config_entries.async_setup(entry.entry_id)
        return thread_time() - begun


if __name__ == "__main__":
    spent = {
        "home_assistant": importing(*HOME_ASSISTANT),
        "voltus": importing(*VOLTUS),
        "set_up": asyncio.run(setting_up()),
    }
    print(json.dumps(spent))
