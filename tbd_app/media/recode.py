"""Real codecs: a picture or a clip goes through a file in memory and comes back as it was decoded."""

from __future__ import annotations

import io
from collections.abc import Sequence

import av
import cv2
import numpy as np


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Through a real JPEG file of the given quality, (H,W,3) uint8 RGB."""
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[..., ::-1])


def h264(image: np.ndarray, crf: int) -> np.ndarray:
    """Through a real libx264 key frame of the given CRF, (H,W,3) uint8 RGB."""
    return h264_clip([image], crf)[0]


def h264_after_motion(image: np.ndarray, crf: int, seed: int, n_before: int = 1) -> np.ndarray:
    """As a libx264 frame that is predicted from those before it, where the picture lay a few pixels off.

    Most frames of a video are such: blocks that could be predicted stay soft, others are sharp, which looks like a blend.

    Args:
        image: (H,W,3) uint8 RGB.
        crf: of the stream.
        seed: of the motion, which wanders from frame to frame and ends in place.
        n_before: frames before it.
    """
    rng = np.random.default_rng(seed)
    height, width = image.shape[:2]
    clip = [image]
    turn, zoom, shift = 0.0, 1.0, np.zeros(2)
    for _ in range(n_before):
        turn, zoom = turn + rng.normal(0, 1), zoom * (1 + rng.normal(0, 0.01))
        shift = shift + rng.normal(0, 0.01, 2) * (width, height)
        before = cv2.getRotationMatrix2D((width / 2, height / 2), turn, zoom)
        before[:, 2] += shift
        clip.append(cv2.warpAffine(image, before, (width, height), borderMode=cv2.BORDER_REFLECT_101))
    return h264_clip(clip[::-1], crf)[-1]


def h264_clip(images: Sequence[np.ndarray], crf: int, preset: str = "veryfast") -> list[np.ndarray]:
    """Through a real libx264 stream of the given CRF: T pictures of one size in, T out."""
    height, width = images[0].shape[:2]
    odd = height % 2, width % 2  # 4:2:0 needs even sides
    # Without this, x264's vector code makes another stream of the same clip each time, at 160 px in half of the tries.
    options = {"crf": str(crf), "preset": preset, "x264-params": "cpu-independent=1"}
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width + odd[1], height + odd[0], "yuv420p"
        stream.codec_context.thread_count = 1
        for image in images:
            even = (
                cv2.copyMakeBorder(image, 0, odd[0], 0, odd[1], cv2.BORDER_REPLICATE) if any(odd) else image
            )
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(even), "rgb24")))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, "r") as container:
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return [frame[:height, :width] for frame in decoded]
