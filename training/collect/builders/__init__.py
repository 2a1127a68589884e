"""One file per data set: each reads the layout and the split files that its authors published.

A builder is a function `media(root) -> list[Medium]` in a file whose text shows the expected layout.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from inspect import cleandoc
from pathlib import Path

from training.collect.builders import (
    celebdf,
    df40,
    dfd,
    dfdc,
    dfdcp,
    faces140k,
    ffiw,
    ffpp,
    folder,
    shared,
    uadfv,
    wilddeepfake,
)
from training.collect.medium import Medium

BUILDERS: dict[str, Callable[[Path], list[Medium]]] = {
    "ffpp": ffpp.media,
    "dfd": dfd.media,
    "celebdf1": celebdf.media_v1,
    "celebdf2": celebdf.media_v2,
    "dfdc": dfdc.media,
    "dfdcp": dfdcp.media,
    "uadfv": uadfv.media,
    "wilddeepfake": wilddeepfake.media,
    "df40": df40.media,
    "ffiw": ffiw.media,
    "faces140k": faces140k.media,
    "folder": folder.media,
    "shared": shared.media,
}


def build(name: str, root: Path) -> list[Medium]:
    """All media of a data set.

    Raises:
        SystemExit: no such builder, or the folder does not have the layout; the message shows it.
    """
    if name not in BUILDERS:
        raise SystemExit(f"There is no builder {name!r}; there are {', '.join(BUILDERS)}.")
    if not root.is_dir():
        raise SystemExit(f"{root} is not a folder.\n\n{name} expects: {layout(name)}")
    return BUILDERS[name](root)


def layout(name: str) -> str:
    """The text of a builder: what its data set is and which files it expects."""
    return cleandoc(sys.modules[BUILDERS[name].__module__].__doc__ or "")
