"""Telemetry: what Home Assistant's meters measure goes to Voltus."""
