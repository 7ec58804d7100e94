"""Refuse a test run that left too much of a file of the integration unseen.

Reads the JSON report of coverage named by the only argument. What a user types in and
what decides on dispatches is covered wholly, every other file by more than 95 %, lines
and branches alike; an average would hide the one file that nothing tests.
"""

import json
from pathlib import Path, PurePath
import sys
from typing import Any

INTEGRATION = PurePath("custom_components/voltus")
WHOLLY = (INTEGRATION / "config_flow.py", INTEGRATION / "aiovoltus")
MOSTLY = 95


def shortfall(file: PurePath, report: dict[str, Any]) -> str | None:
    """Say what a file of the integration lacks, if it does."""
    covered = report["summary"]["percent_covered"]
    wholly = any(file.is_relative_to(path) for path in WHOLLY)
    if covered == 100 or (covered > MOSTLY and not wholly):
        return None
    lines = ", ".join(map(str, report["missing_lines"])) or "none"
    branches = ", ".join(f"{a}->{b}" for a, b in report["missing_branches"]) or "none"
    needed = "100 %" if wholly else f"more than {MOSTLY} %"
    return (
        f"{file}: {covered:.1f} % covered, {needed} needed;"
        f" missing lines: {lines}; missing branches: {branches}"
    )


def main() -> int:
    """Print what is lacking; return the exit status."""
    files = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["files"]
    ours = {
        PurePath(name): report
        for name, report in files.items()
        if PurePath(name).is_relative_to(INTEGRATION)
    }
    if not ours:
        print(f"Coverage saw no file of {INTEGRATION}.", file=sys.stderr)
        return 1
    lacking = [line for file in ours if (line := shortfall(file, ours[file]))]
    print(*lacking, sep="\n", end="\n" if lacking else "", file=sys.stderr)
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
