"""docs/reliability.md names tests that exist, and each of its rows names one."""

from pathlib import Path
import re

import pytest

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "reliability.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(?:(aiovoltus|loads)/)?(\w+)::(\w+)`")
ROW = re.compile(r"^\| (?!what )[^|]+ \| [^|]+ \| [^|]+ \|$", re.MULTILINE)


@pytest.mark.parametrize(
    ("package", "module", "name"),
    NAMED.findall(PAGE),
    ids=lambda part: part or "voltus",
)
def test_every_test_that_is_named_exists(package: str, module: str, name: str) -> None:
    file = TESTS / (package or "voltus") / f"test_{module}.py"
    assert f"def test_{name}(" in file.read_text(encoding="utf-8")


def test_every_row_names_a_test() -> None:
    table, _, _ = PAGE.partition("## Over time")
    rows = ROW.findall(table)
    assert len(rows) > 30
    for row in rows:
        assert NAMED.search(row), row
