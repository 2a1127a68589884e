"""Container by codec by property: files made for each, and whether their frames, times and size come out right.

`python -m tests.media.matrix` runs all and writes the table into docs/media.md.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from tbd_app.errors import TBDError
from tbd_app.media.packets import uniform_indices
from tbd_app.media.readers import READERS
from tbd_app.media.sniff import HEAD_BYTES, sniff
from tbd_app.settings import Limits
from tests.barcode import coded_frames, numbers, woven_frames
from tests.media_factory import VFR_TICKS, encode
from training.evaluation.marked import replaced

SIZE, N, FPS, ASKED = (160, 96), 36, 25, 12
PAGE = Path(__file__).parents[2] / "docs" / "media.md"
MARKS = ("<!-- matrix -->", "<!-- end of matrix -->")
QUIET = {"x265-params": "log-level=none"}
FAST = {"preset": "ultrafast", "bf": "2"}


@dataclass(frozen=True)
class Codec:
    """How a codec is written.

    Attributes:
        aspect: of its pixels, where the codec has one of its own.
        wide: the aspect of wide pixels; MPEG-2 knows only that of a 16:9 picture.
    """

    encoder: str
    pix_fmt: str = "yuv420p"
    crf: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    size: tuple[int, int] = SIZE
    aspect: Fraction | None = None
    wide: Fraction = Fraction(2)


CODECS = {
    "h264": Codec("libx264", crf=23, options=FAST),
    "hevc": Codec("libx265", crf=28, options=QUIET | {"preset": "ultrafast"}),
    "hevc 10 bit": Codec("libx265", "yuv420p10le", crf=28, options=QUIET | {"preset": "ultrafast"}),
    "vp8": Codec("libvpx", options={"b": "400k", "cpu-used": "8", "deadline": "realtime"}),
    "vp9": Codec("libvpx-vp9", crf=40, options={"cpu-used": "8", "deadline": "realtime"}),
    "av1": Codec("libsvtav1", crf=20, options={"preset": "12"}),
    "mpeg4": Codec("mpeg4", options={"bf": "2", "b": "600k"}),
    "mpeg2": Codec("mpeg2video", options={"bf": "2", "b": "900k"}, wide=Fraction(16, 15)),
    "mpeg1": Codec("mpeg1video", options={"b": "900k"}),
    "mjpeg": Codec("mjpeg", "yuvj420p", options={"b": "2M"}),
    "h263": Codec("h263", size=(176, 144), aspect=Fraction(1), options={"b": "600k"}),
    "flv1": Codec("flv", options={"b": "600k"}),
    "wmv2": Codec("wmv2", options={"b": "600k"}),
    "msmpeg4": Codec("msmpeg4", options={"b": "600k"}),
    "prores": Codec("prores_ks", "yuv422p10le"),
    "dnxhr": Codec("dnxhd", "yuv422p", options={"profile": "dnxhr_sq"}, size=(256, 256)),
    "dv": Codec("dvvideo", "yuv420p", size=(720, 576), aspect=Fraction(1)),
    "ffv1": Codec("ffv1", "yuv444p"),
    "png": Codec("png", "rgb24"),
    "raw": Codec("rawvideo", "yuv420p"),
    "wrapped": Codec("wrapped_avframe", "yuv420p"),
}
# suffix: muxer ("" by suffix), codecs, properties beside "plain"
TIMED = "variable rate, late start, "
CONTAINERS = {
    "mp4": ("h264, hevc, hevc 10 bit, vp9, av1, mpeg4, mpeg2, mjpeg", TIMED + "turned, wide pixels, sound"),
    "mov": ("h264, hevc, mpeg4, mjpeg, prores, dnxhr, png", TIMED + "turned, wide pixels, sound"),
    "mkv": (
        "h264, hevc, vp8, vp9, av1, mpeg4, mpeg2, mjpeg, prores, ffv1",
        TIMED + "wide pixels, cut, sound",
    ),
    "webm": ("vp8, vp9, av1", TIMED + "wide pixels, cut"),
    "avi": ("h264, mpeg4, mpeg2, mjpeg, msmpeg4, ffv1, png, raw", "cut"),
    "ts": ("h264, hevc, mpeg4, mpeg2", TIMED + "wide pixels, cut, joined, sound"),
    "m2ts": ("h264, mpeg2", TIMED + "wide pixels, cut, joined"),
    "mpg": ("mpeg2, mpeg1", "late start, wide pixels, cut, joined"),
    "flv": ("h264, flv1", TIMED + "cut, sound"),
    "wmv": ("wmv2, msmpeg4, mpeg4", "late start, cut, sound"),
    "3gp": ("h264, mpeg4, h263", TIMED + "sound"),
    "mxf": ("mpeg2, dnxhr", ""),
    "nut": ("h264, mpeg4, ffv1", TIMED + "wide pixels"),
    "ivf": ("vp8, vp9, av1", "variable rate, cut"),
    "y4m": ("wrapped", "wide pixels, cut"),
    "h264": ("h264", "wide pixels, cut"),
    "hevc": ("hevc", "wide pixels, cut"),
    "m4v": ("mpeg4", "cut"),
    "m2v": ("mpeg2", "wide pixels, cut"),
}
OWN_ASPECT = ("h264", "hevc", "mpeg4", "mpeg2")  # codecs that say it themselves; PyAV sets no container's
NEEDS_OWN_ASPECT = ("mkv", "webm", "nut", "ts", "m2ts", "mpg")
WOVEN = ("h264", "mpeg2", "mpeg4", "prores")  # codecs that mark fields
NOT_WOVEN = ("3gp", "ivf", "mxf")
PROPERTIES = (
    "plain",
    "variable rate",
    "late start",
    "turned",
    "wide pixels",
    "cut",
    "joined",
    "sound",
    "interlaced",
)
Cell = tuple[str, str, str]


def cells() -> Iterator[Cell]:
    """Every container, codec and property that go together."""
    for container, (codecs, properties) in CONTAINERS.items():
        for codec in codecs.split(", "):
            own = codec in OWN_ASPECT
            narrow = CODECS[codec].aspect is not None or (container in NEEDS_OWN_ASPECT and not own)
            woven = ["interlaced"] if codec in WOVEN and container not in NOT_WOVEN else []
            for name in ["plain", *filter(None, properties.split(", ")), *woven]:
                if not (narrow and name == "wide pixels"):
                    yield container, codec, name


MAKES: dict[str, dict[str, Any]] = {
    "variable rate": {"vfr": True},
    "late start": {"start": 50},
    "turned": {"rotation": 90},
    "sound": {"audio": True},
    "interlaced": {"interlaced": True},
}
MUXERS = {
    "m2ts": "mpegts",
    "mpg": "vob",
    "m4v": "m4v",
    "m2v": "mpeg2video",
    "y4m": "yuv4mpegpipe",
    "wmv": "asf",
}


def make(folder: Path, cell: Cell) -> Path:
    """The file of a cell."""
    container, name, kind = cell
    codec = CODECS[name]
    path = folder / f"a.{container}"
    frames = (woven_frames if kind == "interlaced" else coded_frames)(N, codec.size)
    aspect = codec.wide if kind == "wide pixels" else codec.aspect
    how: dict[str, Any] = {"aspect": aspect} if aspect else {}
    options = dict(codec.options)
    if kind == "interlaced" and codec.encoder == "libx264":
        options["x264-params"] = "tff=1"
    encode(
        path, frames, codec=codec.encoder, container=MUXERS.get(container), fps=FPS, crf=codec.crf, pix_fmt=codec.pix_fmt,
        options=options, **{**how, **MAKES.get(kind, {})},
    )  # fmt: skip
    content = path.read_bytes()
    if container == "y4m" and kind == "wide pixels":
        path.write_bytes(content.replace(b" A0:0", b" A2:1", 1))
    if kind == "cut":
        path.write_bytes(content[: len(content) * 3 // 4])
    if kind == "joined":
        path.write_bytes(content * 2)
    return path


def check(path: Path, cell: Cell) -> list[str]:
    """What comes out wrong: "frames", "times", "length", "size", or the code of an error; nothing when all is right."""
    _, name, kind = cell
    content = sniff(path.read_bytes()[:HEAD_BYTES])
    args = {"limits": Limits(), "path": str(path), "format_name": content.format}
    try:
        reader = READERS[content.reader]
        info, _ = reader.probe(**args)
        got, arrays = reader.decode(**args, n_frames=info["n_frames"], n=ASKED, index=info.get("index", ""))
    except (TBDError, KeyError) as error:
        return [getattr(error, "code", "not recognised")]
    whole = 2 * N if kind == "joined" else N
    n = got["indices"][-1] + 1
    counted = N // 3 <= info["n_frames"] < N if kind == "cut" else info["n_frames"] == n == whole
    shown = [i * 2 if kind == "interlaced" else i % N for i in got["indices"]]
    width, height = CODECS[name].size
    size = (round(width * CODECS[name].wide), height) if kind == "wide pixels" else (width, height)
    ticks = np.cumsum(
        [0, *(VFR_TICKS[i % len(VFR_TICKS)] if kind == "variable rate" else 1 for i in range(whole))]
    )
    # Of a cut file the last frame may be damaged, and those that were to be shown before it may be lost.
    known = len(arrays) - (kind == "cut")
    wrong = {
        "frames": not counted
        or got["indices"] != uniform_indices(n, ASKED)
        or numbers(arrays)[:known] != shown[:known],
        "times": not np.allclose(got["times_s"][:known], ticks[got["indices"]][:known] / FPS, atol=2e-3),
        "length": kind != "cut" and abs(info["duration_s"] - ticks[-1] / FPS) > 0.2,
        "size": (info["width"], info["height"]) != size or any(a.shape[1::-1] != size for a in arrays),
    }
    return [what for what, is_wrong in wrong.items() if is_wrong]


def run(report: Callable[[Cell, list[str]], None]) -> None:
    """Make and check every cell."""
    for cell in cells():
        with tempfile.TemporaryDirectory() as folder:
            report(cell, check(make(Path(folder), cell), cell))


def table(results: Mapping[Cell, list[str]]) -> str:
    """Rows of container and codec, columns of properties."""
    right = sum(not wrong for wrong in results.values())
    lines = [
        f"{len(results)} cells, {right} right in frames, times, length and size.",
        "",
        "| container | codec | " + " | ".join(PROPERTIES) + " |",
        "|---|---|" + "---|" * len(PROPERTIES),
    ]
    for container, codec in dict.fromkeys((c, k) for c, k, _ in results):
        row = [results.get((container, codec, name)) for name in PROPERTIES]
        words = ["" if wrong is None else ", ".join(wrong) or "right" for wrong in row]
        lines.append(f"| {container} | {codec} | " + " | ".join(words) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run all and write the table into docs/media.md."""
    results: dict[Cell, list[str]] = {}

    def note(cell: Cell, wrong: list[str]) -> None:
        results[cell] = wrong
        if wrong:
            print(*cell, wrong)

    run(note)
    page = replaced(PAGE.read_text(encoding="utf-8"), MARKS, f"\n{table(results)}\n")
    PAGE.write_text(page, encoding="utf-8")
    print(f"{len(results)} cells")


if __name__ == "__main__":
    main()
