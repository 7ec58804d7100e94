"""Stands in for `pymicro-vad`."""


class MicroVad:
    """Imported, never used."""
