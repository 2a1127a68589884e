"""Says what pip-audit's answers amount to: `python script/audit_answers.py requirements.lock pypi.json osv.json`.

Ends with 0 where each locked package was asked for and has no known hole, with 1 where one has, with 2 where some were not
asked for: no connection must never look like no hole.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path


def plain(name: str) -> str:
    """A package's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def answered(path: Path) -> list[dict]:
    """The packages that a database answered for, none where it was not reached."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["dependencies"]
    except (OSError, ValueError, KeyError):
        return []
    return [package for package in found if "skip_reason" not in package]


def main(lock: Path, answers: list[Path]) -> int:
    """Prints the sentences.

    Returns:
        The exit code.
    """
    wanted = {plain(name) for name in re.findall(r"^([\w.-]+)==", lock.read_text("utf-8"), re.MULTILINE)}
    packages = [package for path in answers for package in answered(path)]
    holes = sorted({(p["name"], p["version"], v["id"]) for p in packages for v in p["vulns"]})
    for name, version, hole in holes:
        print(f"{name} {version}: {hole}")
    missing = sorted(wanted - {plain(package["name"]) for package in packages})
    if len(missing) == len(wanted):
        print(
            "No database of known holes could be reached, so nothing is known; try again with the internet."
        )
    elif missing:
        print(f"Nothing is known of {len(missing)} of {len(wanted)} packages: {', '.join(missing)}.")
    elif not holes:
        print(f"None of {len(wanted)} packages has a known hole.")
    return 1 if holes else 2 if missing else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]))
