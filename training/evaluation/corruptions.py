"""What happens to a clip on its way to a user, as whole files: codecs, sizes, noise, light, colour, and a social network.

Source: fact sheet H, section 5 (corruption suite); levels of contrast, saturation, grey blocks and coarse pixels are those of
Jiang et al., "DeeperForensics-1.0", CVPR 2020.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer

from tbd_app.media.ffmpeg import Upright
from tbd_app.media.open import open_media
from tbd_app.media.sample import sample
from tbd_app.settings import Limits

Corruption = Callable[[Path, Path], Path]
Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]
N_FRAMES = 32  # where a clip becomes pictures: as many as an analysis samples by default


def h264(crf: int, short_side: int | None = None) -> Corruption:
    """Encode the whole clip again with libx264 at a constant rate factor, upright, without sound.

    Args:
        crf: of the stream.
        short_side: px; larger pictures are made smaller first.
    """

    def recode(path: Path, folder: Path) -> Path:
        target = folder / f"crf{crf}-{path.stem}.mp4"
        with av.open(str(path)) as source, av.open(str(target), "w") as sink:
            stream = None
            for picture, rate in _upright(source):
                picture = _at_most(picture, short_side)
                height, width = (n // 2 * 2 for n in picture.shape[:2])
                if stream is None:
                    options = {"crf": str(crf), "preset": "veryfast"}
                    stream = sink.add_stream("libx264", rate=rate, options=options)
                    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                even = np.ascontiguousarray(picture[:height, :width])
                sink.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
            if stream is not None:
                sink.mux(stream.encode(None))
        return target

    return recode


def _upright(source: InputContainer) -> Iterator[tuple[np.ndarray, Fraction | int]]:
    video, upright = source.streams.video[0], Upright()
    video.thread_type = "AUTO"
    for frame in source.decode(video):
        yield upright(frame.to_ndarray(format="rgb24"), frame), video.average_rate or 25


def _at_most(picture: np.ndarray, short_side: int | None) -> np.ndarray:
    factor = (short_side or np.inf) / min(picture.shape[:2])
    return (
        picture
        if factor >= 1
        else cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    )


def social(short_side: int, crf: int) -> Corruption:
    """Sent through a social network: made smaller and encoded, then downloaded and sent once more."""

    def send_twice(path: Path, folder: Path) -> Path:
        return h264(crf)(h264(crf, short_side)(path, folder), folder)

    return send_twice


def changed(name: str, change: Change) -> Corruption:
    """The sampled frames, each changed, without further loss, in a zip; a frame is changed the same way each time."""

    def recode(path: Path, folder: Path) -> Path:
        count = iter(range(N_FRAMES))

        def encode(x: np.ndarray) -> np.ndarray:
            return cv2.imencode(".png", change(x, np.random.default_rng(next(count))))[1]

        return _zipped(path, folder / f"{name}.zip", encode, "png")

    return recode


def resized(factor: float) -> Change:
    """Made smaller by area and enlarged again."""

    def change(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        small = cv2.resize(x, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        return cv2.resize(small, x.shape[1::-1], interpolation=cv2.INTER_LINEAR)

    return change


def blurred(sigma: float) -> Change:
    """Gaussian blur, sigma in px."""
    return lambda x, rng: cv2.GaussianBlur(x, (0, 0), sigma)


def noisy(deviation: float) -> Change:
    """Gaussian noise of a standard deviation of so many of 255 levels."""
    return lambda x, rng: _levels(x + rng.normal(0, deviation, x.shape))


def contrast(factor: float) -> Change:
    """Every level multiplied, which darkens, too."""
    return lambda x, rng: _levels(x * factor)


def saturation(factor: float) -> Change:
    """Colour taken towards grey."""

    def change(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        grey = cv2.cvtColor(x, cv2.COLOR_BGR2GRAY)[..., None].astype(float)
        return _levels(grey + factor * (x - grey))

    return change


def grey_blocks(count: int) -> Change:
    """Blocks of 8 px turned grey, so many for 256 px of the shorter side."""

    def change(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        out, (height, width) = x.copy(), x.shape[:2]
        for _ in range(round(count * min(height, width) / 256)):
            top, left = rng.integers(0, max(height - 8, 1)), rng.integers(0, max(width - 8, 1))
            out[top : top + 8, left : left + 8] = 128
        return out

    return change


def coarse(factor: int) -> Change:
    """Pixels made so many times as large."""

    def change(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = x.shape[:2]
        small = cv2.resize(
            x, (max(width // factor, 1), max(height // factor, 1)), interpolation=cv2.INTER_AREA
        )
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)

    return change


def _levels(x: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(x), 0, 255).astype(np.uint8)


def jpeg(quality: int) -> Corruption:
    """The sampled frames as JPEG pictures of a quality, in a zip."""

    def recode(path: Path, folder: Path) -> Path:
        options = [cv2.IMWRITE_JPEG_QUALITY, quality]
        return _zipped(
            path, folder / f"jpeg{quality}.zip", lambda x: cv2.imencode(".jpg", x, options)[1], "jpg"
        )

    return recode


def scaled(factor: float) -> Corruption:
    """The sampled frames at another size, without further loss, in a zip."""

    def recode(path: Path, folder: Path) -> Path:
        def small(x: np.ndarray) -> np.ndarray:
            return cv2.imencode(
                ".png", cv2.resize(x, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            )[1]

        return _zipped(path, folder / f"scaled{factor:g}.zip", small, "png")

    return recode


def _zipped(path: Path, target: Path, encode: Callable[[np.ndarray], np.ndarray], suffix: str) -> Path:
    limits, buffer = Limits(), io.BytesIO()
    sampled = sample(open_media(path, limits), N_FRAMES, limits)
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, image in enumerate(sampled.images):
            archive.writestr(
                f"{number:04d}.{suffix}", encode(cv2.cvtColor(image, cv2.COLOR_RGB2BGR)).tobytes()
            )
    target.write_bytes(buffer.getvalue())
    return target


CORRUPTIONS: dict[str, Corruption] = {
    "h264_crf23": h264(23),
    "h264_crf32": h264(32),
    "h264_crf40": h264(40),
    "jpeg50": jpeg(50),
    "half_size": scaled(0.5),
}
# Of single pictures (H,W,3) uint8 BGR.
CHANGES: dict[str, Change] = {
    **{f"resized_{f:g}": resized(f) for f in (0.5, 0.25)},
    **{f"blur_{s}": blurred(s) for s in (1, 2, 3)},
    **{f"noise_{d}": noisy(d) for d in (5, 10, 20)},
    **{f"contrast_{f:g}": contrast(f) for f in (0.85, 0.6, 0.35)},
    **{f"saturation_{f:g}": saturation(f) for f in (0.4, 0.2, 0)},
    **{f"grey_blocks_{n}": grey_blocks(n) for n in (16, 48, 80)},
    **{f"coarse_{n}": coarse(n) for n in (2, 4, 6)},
}
# The whole suite; what `evaluate.py` measures unless others are named is above.
SUITE: dict[str, Corruption] = CORRUPTIONS | {
    "jpeg95": jpeg(95),
    "jpeg75": jpeg(75),
    "jpeg30": jpeg(30),
    **{name: changed(name, change) for name, change in CHANGES.items()},
    "social_720p": social(720, 28),
    "social_480p": social(480, 35),
}
