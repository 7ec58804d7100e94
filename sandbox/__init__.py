"""A local Voltus: the API that the integration speaks, on this machine, with faults to switch on.

`python -m sandbox` starts it. It needs aiohttp alone, knows nothing of Home Assistant
and curtails nothing.
"""
