"""What Home Assistant has logged about us, whatever the other tests did before."""

import re

from .harness import LOADED_CUSTOM, Home

EXPECTED = re.compile(
    rf"{LOADED_CUSTOM}"
    # Voltus was stopped or broken on purpose: each outage is told once.
    r"|ERROR \(MainThread\) \[custom_components\.voltus\] Error fetching Voltus"
)


async def test_no_deprecation_no_warning_and_no_traceback_names_us(home: Home) -> None:
    warnings = home.warnings()
    assert any(LOADED_CUSTOM in warning for warning in warnings)
    unexpected = [each for each in warnings if not EXPECTED.search(each)]
    assert unexpected == []
    assert not [each for each in warnings if "Traceback" in each]
