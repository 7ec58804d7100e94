"""Stands in for `pyspeex-noise`."""


class AudioProcessor:
    """Imported, never used."""
