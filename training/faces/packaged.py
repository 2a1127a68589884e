"""Files that installed packages carry, such as weights, found without running the package's code."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def packaged_file(package: str, file: str) -> Path | None:
    """A file below a package, which is not imported; None where either is missing.

    Args:
        package: top-level importable name.
        file: its path below the package.
    """
    found = find_spec(package)
    for folder in found.submodule_search_locations or () if found else ():
        path = Path(folder) / file
        if path.is_file():
            return path
    return None
