"""Coverage-guided fuzzing with atheris of what reads bytes in Python itself: `python -m tests.guided zip --seconds 60`.

Pictures and videos are read by C libraries, whose lines it does not see; tests/fuzz.py mutates those.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tbd_app.media.sniff", "tbd_app.media.archive", "zipfile"]):
    from tbd_app.errors import InputError
    from tbd_app.media import archive
    from tbd_app.media.sniff import HEAD_BYTES, sniff

from tests import fuzz, hostile

MAX_BYTES = 20_000


def recognise(data: bytes) -> None:
    """Any bytes are something, or nothing that is known."""
    content = sniff(data[:HEAD_BYTES])
    if content.reader not in ("video", "image", "zip", "other"):
        raise AssertionError(content)


def unzip(data: bytes, path: Path) -> None:
    """Any bytes are a zip of frames or refused with a code."""
    path.write_bytes(data)
    place = {"limits": fuzz.LIMITS, "path": str(path), "format_name": "zip"}
    try:
        info, _ = archive.probe(**place)
        archive.decode(**place, n_frames=info["n_frames"], n=4, index="")
    except InputError:
        pass


def main() -> None:
    """The command; libFuzzer ends it, with an exit code other than 0 where something was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("target", choices=("sniff", "zip"))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tbd-guided-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    for i, content in enumerate(fuzz.seeds(folder, videos=args.target == "sniff")):
        if args.target == "sniff" or content.startswith(b"PK"):
            (corpus / str(i)).write_bytes(content[:MAX_BYTES])
    if args.target == "zip":
        for name, case in hostile.CASES.items():
            if name.startswith("zip") and len(content := case.make(folder)) <= MAX_BYTES:
                (corpus / name.replace(" ", "-")).write_bytes(content)
    options = [
        f"-max_total_time={args.seconds}", f"-seed={args.seed}", f"-max_len={MAX_BYTES}", "-timeout=60",
        "-rss_limit_mb=4096", f"-artifact_prefix={folder}/",
    ]  # fmt: skip
    work = recognise if args.target == "sniff" else lambda data: unzip(data, folder / "file")
    atheris.Setup([sys.argv[0], *options, str(corpus)], work)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
