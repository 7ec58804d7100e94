"""Print what CHANGELOG.md says of the version that is tagged by the only argument.

A tag is `v` and the version of the manifest; what is released has a date.
"""

import json
from pathlib import Path
import re
import sys

ROOT = Path(__file__).parent.parent
MANIFEST = ROOT / "custom_components" / "voltus" / "manifest.json"
SECTION = re.compile(
    r"^## \[(?P<version>[^\]]+)\] - (?P<date>.+)\n(?P<notes>(?:(?!## |\[).*\n)*)",
    re.MULTILINE,
)


def notes(tag: str, version: str, changelog: str) -> str:
    """Return the newest section. Raises ValueError if it is not what the tag says."""
    if tag != f"v{version}":
        raise ValueError(f"{tag} is not the version of the manifest, {version}")
    newest = SECTION.search(changelog)
    if newest is None or newest["version"] != version:
        raise ValueError(f"CHANGELOG.md does not begin with {version}")
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", newest["date"]):
        raise ValueError(f"{version} has no date in CHANGELOG.md")
    return newest["notes"].strip()


def main() -> int:
    """Print the notes, or why there are none; return the exit status."""
    version = json.loads(MANIFEST.read_text(encoding="utf-8"))["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    try:
        print(notes(sys.argv[1], version, changelog))
    except ValueError as err:
        print(err, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
