"""What happens to a clip on its way to a user, as whole files: codecs, pictures of frames, half the size.

Source: fact sheet H, section 4 (corruption suite).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from tbd_app.media.ffmpeg import upright
from tbd_app.media.open import open_media
from tbd_app.media.sample import sample
from tbd_app.settings import Limits

Corruption = Callable[[Path, Path], Path]
N_FRAMES = 32  # where a clip becomes pictures: as many as an analysis samples by default


def h264(crf: int) -> Corruption:
    """Encode the whole clip again with libx264 at a constant rate factor, upright, without sound."""

    def recode(path: Path, folder: Path) -> Path:
        target = folder / f"crf{crf}.mp4"
        with av.open(str(path)) as source, av.open(str(target), "w") as sink:
            stream = None
            for picture, rate in _upright(source):
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


def _upright(source: av.container.InputContainer) -> Iterator[tuple[np.ndarray, object]]:
    video = source.streams.video[0]
    video.thread_type = "AUTO"
    for frame in source.decode(video):
        yield upright(frame.to_ndarray(format="rgb24"), frame), video.average_rate or 25


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
