"""Bytes that stay on disk: pieces of files, end to end, each read where it lies when it is asked for.

A loader process gets the places and not the bytes. Nothing is mapped: mapped pages would count as memory of every process
that touched them, and the system keeps what was read lately anyhow.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_LOCAL = 30  # bytes of a zip member's own header before its name; the lengths of name and extra field end it


class OnDisk:
    """Pieces of files as one row of bytes.

    Args:
        paths: the files.
        file: (N,) row of `paths` of each piece.
        at: (N,) its first byte there.
        sizes: (N,) its bytes.
    """

    def __init__(
        self, paths: Sequence[Path], file: Sequence[int], at: Sequence[int], sizes: Sequence[int]
    ) -> None:
        self.paths = [str(path) for path in paths]
        self.file, self.at = np.asarray(file, np.int32), np.asarray(at, np.int64)
        self.offsets = np.cumsum([0, *sizes]).astype(np.int64)

    def __len__(self) -> int:
        return int(self.offsets[-1])

    def __getitem__(self, part: slice) -> np.ndarray:
        """(stop-start,) uint8; both ends lie in one piece."""
        piece = int(np.searchsorted(self.offsets, part.start, side="right")) - 1
        with Path(self.paths[self.file[piece]]).open("rb") as file:
            file.seek(int(self.at[piece] + part.start - self.offsets[piece]))
            return np.frombuffer(file.read(part.stop - part.start), np.uint8)


def array_in(path: Path, name: str) -> OnDisk:
    """An array (N,) uint8 of a file that `np.savez` wrote, left on disk."""
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo(f"{name}.npy")
        with archive.open(member) as file:
            version = np.lib.format.read_magic(file)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            (size,), _, _ = read(file)
            header = file.tell()
    with path.open("rb") as file:
        file.seek(member.header_offset + _LOCAL - 4)
        own = sum(struct.unpack("<HH", file.read(4)))
    return OnDisk([path], [0], [member.header_offset + _LOCAL + own + header], [size])
