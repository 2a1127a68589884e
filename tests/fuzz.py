"""Mutates valid files and reads what comes of it: `script/fuzz --minutes 10`, with a seed that repeats a run.

A mutation is (seed, number): the same pair gives the same bytes. What must never come is an error without a code or a dead
parent; a crash of the confined child is the code `corrupt_media`. To be quick, most files are read by a fork of this
program, which calls the child's jobs itself; each 20th goes the whole way. Afterwards atheris looks for inputs that reach new
lines of the recognition and of the reader of zips (tests/guided.py).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np

from tbd_app.errors import CorruptMedia, InputError
from tbd_app.media import sandbox
from tbd_app.media.open import open_media
from tbd_app.media.sample import sample
from tbd_app.settings import Limits
from tests import hostile, media_factory
from training.evaluation.marked import replaced

LIMITS = Limits(
    max_animation_mpx=50, max_image_mpx=4, max_frame_mpx=4, max_duration_s=60, max_unpacked_mb=50, max_decoded_mb=50,
    decode_timeout_s=20, decode_cpu_s=10, decode_memory_mb=2000,
)  # fmt: skip
WHOLE_WAY = 20  # each so-manieth file
PAGE = Path(__file__).resolve().parent.parent / "docs" / "security.md"
MARKS = ("<!-- fuzz: begin, written by script/fuzz --write -->", "<!-- fuzz: end -->")


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
    how: Callable[[Path], Answer],
    *,
    seed: int,
    cases: int,
    minutes: float = 1e9,
    videos: bool = True,
) -> Counter[str]:
    """Read mutations until there were enough, or the time is over.

    Args:
        folder: for the files; one that gives a wrong answer stays there under its number.
        how: reads most of them; each `WHOLE_WAY`th goes the whole way.

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
        said = how(path) if (number + 1) % WHOLE_WAY else answer(path)
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


def in_process(path: Path) -> Answer:
    """The same without a child, ten times as fast."""
    with patch.object(sandbox, "run", _direct):
        return answer(path)


def _direct(job: Callable[..., sandbox.Answer], limits: Limits, *, path: str, **args: Any) -> sandbox.Answer:
    """What `sandbox.run` does, here."""
    try:
        info, arrays = job(limits=limits, path=path, **args)
    except InputError:
        raise
    except Exception as error:  # a child says it so, too
        raise CorruptMedia(type(error).__name__) from error
    return json.loads(json.dumps(info)), list(arrays)


def forked(path: Path) -> Answer:
    """The same in a fork, which a decoder may crash."""
    reads, writes = os.pipe()
    if not (child := os.fork()):
        resource.setrlimit(resource.RLIMIT_AS, (int(LIMITS.decode_memory_mb * 1e6),) * 2)
        signal.alarm(int(LIMITS.decode_timeout_s))
        os.write(writes, json.dumps(in_process(path)).encode()[:4096])
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if said:
        return Answer(*json.loads(said))
    late = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM
    return Answer("decode_timeout" if late else "corrupt_media")


def guided(target: str, seconds: int, seed: int) -> tuple[str, bool]:
    """What atheris found, in a sentence, and whether that is nothing."""
    if importlib.util.find_spec("atheris") is None:
        return "not run, because atheris is not installed", True
    command = [sys.executable, "-m", "tests.guided", target, "--seconds", str(seconds), "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True)
    runs = re.search(r"Done (\d+) runs", done.stderr)
    if done.returncode or runs is None:
        print(done.stdout[-3000:], done.stderr[-1000:])
        return f"failed, exit code {done.returncode}", False
    return f"{int(runs[1]):,} inputs, no error without a code", True


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--guided-seconds", type=int, default=60, help="for each of atheris's two targets")
    parser.add_argument("--write", action="store_true", help="write the table of docs/security.md")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tbd-fuzz-"))
    found = run(folder, forked, seed=args.seed, cases=args.cases, minutes=args.minutes)
    if not any(folder.iterdir()):
        folder.rmdir()
    answers = ", ".join(f"{code} {n:,}" for code, n in found.most_common())
    rows = {f"{sum(found.values()):,} mutated files, seed {args.seed}": answers}
    good = not found["uncoded"]
    for target in ("sniff", "zip") if args.guided_seconds else ():
        rows[f"atheris on `{target}`, {args.guided_seconds} s, seed {args.seed}"], fine = guided(
            target, args.guided_seconds, args.seed
        )
        good &= fine
    table = "\n".join(["| files | answers |", "|---|---|", *(f"| {k} | {v} |" for k, v in rows.items())])
    table += f"\n\nRun {time.strftime('%Y-%m-%d')}."
    print(table)
    if args.write:
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), MARKS, table), encoding="utf-8")
    raise SystemExit(not good)


if __name__ == "__main__":
    main()
