"""In place of packages for voice assistants, which have to be compiled.

Home Assistant's interface does not load without them, though the demo never speaks.
"""
