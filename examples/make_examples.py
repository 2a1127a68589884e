"""Make the three example clips, each with a slow camera move: python examples/make_examples.py

The only picture used is `skimage.data.astronaut()`: Eileen Collins, by NASA, in the public domain.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from skimage.data import astronaut

HERE = Path(__file__).resolve().parent
SIZE = 480  # px
N_FRAMES, FPS = 75, 25
CROP_SIDE = 380  # px of the picture that the camera sees
LEFT_TOP = ((40.0, 0.0), (75.0, 20.0))  # of the crop, in the first and in the last frame
FACE = (222, 130)  # centre of the face, px
MOUTH, EYES = (222, 160), (222, 112)


def main() -> None:
    """Write the clips beside this script."""
    portrait = astronaut()
    write(HERE / "real_portrait.mp4", camera(portrait))
    write(HERE / "manipulated_portrait.mp4", camera(manipulated(portrait)))
    write(HERE / "no_face.mp4", shapes())


def camera(picture: np.ndarray) -> Iterator[np.ndarray]:
    """Frames (SIZE,SIZE,3) uint8 RGB of a slow move over a picture."""
    scale = SIZE / CROP_SIDE
    for step in np.linspace(0, 1, N_FRAMES):
        x, y = (1 - step) * np.array(LEFT_TOP[0]) + step * np.array(LEFT_TOP[1])
        matrix = np.array([[scale, 0, -scale * x], [0, scale, -scale * y]])
        yield cv2.warpAffine(
            picture, matrix, (SIZE, SIZE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT
        )


def manipulated(picture: np.ndarray) -> np.ndarray:
    """The face warped, recoloured, softened and blended back over itself, as a clumsy face swap would."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    pulled_x, pulled_y = x.copy(), y.copy()
    for (cx, cy), strength in ((MOUTH, 0.16), (EYES, -0.14)):
        pull = strength * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 26**2))
        pulled_x += pull * (x - cx)
        pulled_y += pull * (y - cy)
    face = cv2.remap(picture, pulled_x, pulled_y, cv2.INTER_LINEAR).astype(np.float32)
    small = cv2.resize(face, None, fx=0.45, fy=0.45, interpolation=cv2.INTER_AREA)
    face = cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    face = face * [1.06, 0.98, 0.90] + [6, 2, -4]
    mask = np.zeros(picture.shape[:2], np.float32)
    cv2.ellipse(mask, FACE, (44, 60), 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 4)[..., None]
    return np.clip(picture * (1 - mask) + face * mask, 0, 255).astype(np.uint8)


def shapes() -> Iterator[np.ndarray]:
    """Frames (SIZE,SIZE,3) uint8 RGB of hills under a rising sun."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    for step in np.linspace(0, 1, N_FRAMES):
        sky = np.stack([120 + 60 * step + y / 8, 150 + y / 6, 210 - y / 10], axis=-1)
        frame = np.clip(sky, 0, 255).astype(np.uint8)
        cv2.circle(frame, (330, int(300 - 170 * step)), 44, (255, 214, 102), -1, cv2.LINE_AA)
        for depth, colour in enumerate(((122, 158, 126), (84, 124, 96), (48, 84, 66))):
            ridge = 290 + 55 * depth + 26 * np.sin(x[0] / (60 + 15 * depth) + 2 * depth + step)
            frame[y > ridge] = colour
        yield frame


def write(path: Path, frames: Iterator[np.ndarray]) -> None:
    """Encode H.264 frames at `FPS`."""
    with av.open(path, "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", FPS, options={"crf": "20", "preset": "slow"})
        stream.width = stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
