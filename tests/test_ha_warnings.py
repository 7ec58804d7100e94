"""A run notices when Home Assistant complains of us."""

import inspect
import logging

from homeassistant.helpers import deprecation, frame
import pytest

from .ha_warnings import HomeAssistantWarnings


@pytest.mark.parametrize(
    ("said", "of_us"),
    [
        ("Detected that custom integration 'voltus' calls `x` at y, line 1", True),
        ("Detected that custom integration 'other' calls `x` at y, line 1", False),
        ("The deprecated function x was called from voltus. Use y instead", True),
        ("The deprecated function x was called from other. Use y instead", False),
        ("please report it to the author of the 'voltus' custom integration", True),
        ("create a bug report at https://github.com/voltus-ha/voltus/issues", True),
        ("Dispatch d1: end_time cannot be read (later)", False),
    ],
)
def test_a_complaint_is_known_by_its_words(said: str, of_us: bool) -> None:
    warnings = HomeAssistantWarnings()
    warnings.handle(logging.makeLogRecord({"msg": said}))
    assert warnings.found == ({said} if of_us else set())


def test_home_assistant_still_complains_in_these_words() -> None:
    assert "Detected that %sintegration '%s' %s at" in inspect.getsource(frame)
    assert "The deprecated %s %s was %s from %s." in inspect.getsource(deprecation)
