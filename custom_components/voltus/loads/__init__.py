"""Loads: told to go down until they do, and brought back as they were."""
