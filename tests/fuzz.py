"""Mutates valid files and reads what comes of it: `script/fuzz --minutes 10`, with a seed that repeats a run.

A mutation is (seed, number): the same pair gives the same bytes. What must never come is an error without a code or a dead
parent; a crash of the confined child is the code `corrupt_media`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tbd_app.errors import InputError
from tbd_app.media import archive, stills
from tbd_app.media.open import open_media
from tbd_app.media.sample import sample
from tbd_app.media.sniff import HEAD_BYTES, sniff
from tbd_app.settings import Limits
from tests import hostile, media_factory

LIMITS = Limits(
    max_animation_mpx=50, max_image_mpx=4, max_frame_mpx=4, max_duration_s=60, max_unpacked_mb=50, max_decoded_mb=50,
    decode_timeout_s=20, decode_cpu_s=10, decode_memory_mb=2000,
)  # fmt: skip
JOBS = {"image": stills, "zip": archive}


def seeds(folder: Path, *, videos: bool = True) -> list[bytes]:
    """Small valid files of every kind, or pictures and zips alone."""
    picture, made = folder / "p", list[bytes]()
    if videos:
        made += [hostile.video(folder, name, n_frames=6) for name in ("v.mp4", "v.mkv", "v.ts", "v.flv")]
        made.append(hostile.video(folder, "v.avi", n_frames=6, codec="mpeg4", crf=None))
        made.append(hostile.video(folder, "v.webm", n_frames=6, codec="libvpx", crf=None))
    for suffix in (".jpg", ".png", ".webp", ".tif", ".bmp"):
        path = media_factory.portrait_image(picture.with_suffix(suffix), size=(64, 48))
        made.append(path.read_bytes())
        path.unlink()
    made += [hostile.animation((32, 32), 4, kind) for kind in ("GIF", "WEBP")]
    made.append(hostile.zipped(*((f"{i}.png", hostile.frame()) for i in range(3))))
    return made


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    """One to eight changes: bits, bytes, lengths, pieces that are cut, repeated or moved, and the end."""
    out = bytearray(content)
    for _ in range(random.integers(1, 9)):
        at, n = int(random.integers(len(out))), int(random.integers(1, 65))
        kind = random.integers(7)
        if kind == 0:
            out[at] ^= 1 << int(random.integers(8))
        elif kind == 1:
            out[at : at + n] = random.integers(0, 256, n, np.uint8).tobytes()
        elif kind == 2:
            width = int(random.choice([2, 4, 8]))
            out[at : at + width] = bytes([int(random.choice([0, 0x7F, 0x80, 0xFF]))]) * width
        elif kind == 3:
            del out[at : at + n]
        elif kind == 4:
            out[at:at] = out[at : at + n] * int(random.integers(1, 20))
        elif kind == 5:
            there = int(random.integers(len(out)))
            out[there : there + n] = out[at : at + n]
        elif len(out) > 100:
            del out[int(random.integers(len(out) // 2, len(out))) :]
        if not out:
            break
    return bytes(out)


def run(
    folder: Path,
    *,
    seed: int,
    cases: int,
    minutes: float = 1e9,
    videos: bool = True,
    in_process: bool = False,
) -> Counter[str]:
    """Read mutations until there were enough, or the time is over.

    Args:
        folder: for the files; one that gives a wrong answer stays there under its number.
        in_process: pictures and zips are read without a child, ten times as fast; for tests.

    Returns:
        How often each answer came: "ok", codes, and "uncoded" for an error that has none.
    """
    made, found, end = seeds(folder, videos=videos), Counter(), time.monotonic() + 60 * minutes
    for number in range(cases):
        if time.monotonic() > end:
            break
        random = np.random.default_rng([seed, number])
        path = folder / f"{seed}-{number}"
        path.write_bytes(mutated(made[number % len(made)], random))
        said = _in_process(path) if in_process else answer(path)
        found[said.code] += 1
        if said.code == "uncoded":
            print(f"seed {seed}, number {number}: {said.message}; the file is {path}")
        else:
            path.unlink()
    return found


class Answer(NamedTuple):
    """A code, "ok", or "uncoded" for an error that has none; and what is said to people."""

    code: str
    message: str = ""


def answer(path: Path, limits: Limits = LIMITS) -> Answer:
    """What comes of reading a file."""
    try:
        sample(open_media(path, limits), 8, limits)
    except InputError as error:
        return Answer(error.code, error.message)
    except Exception as error:  # which is what a fuzzer is after
        return Answer("uncoded", f"{type(error).__name__}: {error}")
    return Answer(hostile.OK)


def _in_process(path: Path) -> Answer:
    """The same for pictures and zips, without a child."""
    with path.open("rb") as file:
        content = sniff(file.read(HEAD_BYTES))
    if content.reader not in JOBS:
        return answer(path)
    job, place = JOBS[content.reader], {"limits": LIMITS, "path": str(path), "format_name": content.format}
    try:
        info, _ = job.probe(**place)
        job.decode(**place, n_frames=info["n_frames"], n=4, index="")
    except InputError as error:
        return Answer(error.code, error.message)
    except Exception as error:  # a child says it so, too
        return Answer("corrupt_media", type(error).__name__)
    return Answer(hostile.OK)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tbd-fuzz-"))
    found = run(folder, seed=args.seed, cases=args.cases, minutes=args.minutes)
    if not any(folder.iterdir()):
        folder.rmdir()
    print(f"seed {args.seed}: {sum(found.values())} files: {dict(found.most_common())}")
    raise SystemExit(1 if found["uncoded"] else 0)


if __name__ == "__main__":
    main()
