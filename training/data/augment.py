"""Degradations of the real world, drawn once and applied alike to every picture of a group (a real and its fake, or a clip).

Real and fake must share resolution history, codec and light, or a detector learns these instead of the manipulation.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import av
import cv2
import numpy as np

from training.fakes.selfblend import resample

Operation = Callable[[np.ndarray], np.ndarray]


def degrade(images: Sequence[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """The same random chain of light, colour, blur, resolution, noise and codec for all pictures of a group.

    Args:
        images: (S,S,3) uint8 RGB each, of one size.
        rng: source of every draw.
    """
    chain = draw_chain(rng)
    out = []
    for image in images:
        for operation in chain:
            image = operation(image)
        out.append(image)
    return out


def draw_chain(rng: np.random.Generator) -> list[Operation]:
    """Draw the operations and their parameters, in the order of a picture's life: scene, lens, resize, sensor, codec."""
    chain: list[Operation] = []
    if rng.random() < 0.5:
        chain.append(_light(rng))
    if rng.random() < 0.06:
        chain.append(lambda x: cv2.cvtColor(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))
    if rng.random() < 0.25:
        sigma = float(rng.uniform(0.3, 1.8))
        chain.append(lambda x: cv2.GaussianBlur(x, (0, 0), sigma))
    if rng.random() < 0.35:
        factor, seed = float(rng.uniform(0.35, 0.9)), int(rng.integers(2**32))
        chain.append(lambda x: resample(x, factor, np.random.default_rng(seed)))
    if rng.random() < 0.15:
        std, seed_n = float(rng.uniform(1, 7)), int(rng.integers(2**32))
        chain.append(lambda x: add_noise(x, std, seed_n))
    codec = rng.random()
    if codec < 0.35:
        quality = int(rng.integers(35, 96))
        chain.append(lambda x: jpeg(x, quality))
    elif codec < 0.60:
        crf = int(rng.integers(18, 37))
        chain.append(lambda x: h264(x, crf))
    return chain


def _light(rng: np.random.Generator) -> Operation:
    """Brightness, contrast, saturation, hue and gamma as one table per channel plus one saturation step."""
    contrast, shift = rng.uniform(0.75, 1.25), rng.uniform(-25, 25)
    gamma, tint = rng.uniform(0.8, 1.25), rng.uniform(-8, 8, 3)
    ramp = np.arange(256, dtype=np.float64)[:, None]
    table = ((ramp - 128) * contrast + 128 + shift + tint).clip(0, 255) / 255
    table = np.rint(table**gamma * 255).astype(np.uint8).reshape(1, 256, 3)
    saturation = float(rng.uniform(0.6, 1.4))

    def apply(x: np.ndarray) -> np.ndarray:
        x = cv2.LUT(x, table)
        grey = cv2.cvtColor(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        return cv2.addWeighted(x, saturation, grey, 1 - saturation, 0)

    return apply


def add_noise(image: np.ndarray, std: float, seed: int) -> np.ndarray:
    """Gaussian noise of `std` (of 255); the seed fixes the pattern, so a pair gets the same."""
    noise = np.random.default_rng(seed).standard_normal(image.shape, np.float32) * std
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Through a real JPEG file of the given quality, (H,W,3) uint8 RGB."""
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def h264(image: np.ndarray, crf: int) -> np.ndarray:
    """Through a real libx264 key frame of the given CRF, (H,W,3) uint8 RGB of even size."""
    return h264_clip([image], crf)[0]


def h264_clip(images: Sequence[np.ndarray], crf: int, preset: str = "veryfast") -> list[np.ndarray]:
    """Through a real libx264 stream of the given CRF: T pictures of one even size in, T out."""
    height, width = images[0].shape[:2]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": str(crf), "preset": preset})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
