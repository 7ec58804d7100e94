"""What all tests share."""

import pytest

import custom_components.voltus.aiovoltus  # noqa: F401  our `custom_components`, before any other of that name


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the histories of tests/voltus/test_oracle.py be chosen."""
    group = parser.getgroup("oracle", "histories against the oracle")
    group.addoption("--histories", type=int, default=2000, help="how many (2000)")
    group.addoption("--seed", type=int, default=0, help="seed of the first one (0)")
