"""Make the three example clips: `python examples/make_examples.py`.

All of it is drawn, without a photograph or anything downloaded; `drawn_face.py` draws the faces.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
from drawn_face import CENTRE, OTHER, PERSON, UNIT, U, V, inside, line, paint, portrait

HERE = Path(__file__).resolve().parent
SIZE = 480  # px
N_FRAMES, FPS = 75, 25
REPEATABLE = "threads=1:cpu-independent=1"  # x264 then writes the same bytes on every run
BLINKS, BLINK_S = (0.8, 2.2), 0.14


def main() -> None:
    """Write the clips beside this script."""
    write(HERE / "drawn_face.mp4", (moved(portrait(PERSON, lids(t)), t) for t in times()))
    write(HERE / "drawn_face_edited.mp4", (moved(edited(lids(t)), t) for t in times()))
    write(HERE / "no_face.mp4", (hills(t) for t in times()))


def times() -> np.ndarray:
    """Seconds of the frames."""
    return np.arange(N_FRAMES) / FPS


def lids(t: float) -> float:
    """How far the eyes are open at `t` seconds, 0 to 1, in few steps."""
    closed = max(line(t - blink, BLINK_S / 2) for blink in BLINKS)
    return round(4 * (1 - float(closed))) / 4


@cache
def edited(opening: float) -> tuple[np.ndarray, np.ndarray]:
    """The person with another one's inner face, recoloured, softened and blended in, as a clumsy face swap would."""
    picture, z = portrait(PERSON, opening)
    other = cv2.GaussianBlur(portrait(OTHER, opening)[0], (0, 0), 2.5) * np.float32([1.06, 1.04, 0.98]) + 6
    return paint(picture, inside(1 - np.hypot(U / 0.66, (V - 0.28) / 0.76), 0.05), other), z


def moved(drawing: tuple[np.ndarray, np.ndarray], t: float) -> np.ndarray:
    """A frame (SIZE,SIZE,3) uint8 RGB: the head sways, nods, turns a little and comes closer."""
    picture, z = drawing
    loose = inside(1.5 - V, 0.2) * line(np.clip(np.hypot(U, V) - 1.8, 0, None), 0.55)  # the shoulders stay
    roll, zoom = 0.035 * np.sin(1.7 * t), 1 + 0.03 * np.sin(1.1 * t)
    turn, nod = 0.10 * np.sin(2.1 * t), 0.05 * np.sin(1.4 * t + 1)
    sin, cos, up = np.sin(roll) / zoom, np.cos(roll) / zoom, V - 1.3  # the head pivots on the neck
    u = U + loose * (U * cos + up * sin - 0.12 * np.sin(1.3 * t) - turn * z - U)
    v = V + loose * (up * cos - U * sin - nod * z - up)
    x, y = ((UNIT * place + centre).astype(np.float32) for place, centre in zip((u, v), CENTRE, strict=True))
    frame = cv2.remap(picture, x, y, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    frame = cv2.resize(cv2.GaussianBlur(frame, (0, 0), 1.2), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    grain = np.random.default_rng(round(t * FPS)).normal(size=frame.shape)
    return np.clip(frame + grain, 0, 255).astype(np.uint8)


def hills(t: float) -> np.ndarray:
    """A frame (SIZE,SIZE,3) uint8 RGB of hills under a rising sun."""
    step = t * FPS / (N_FRAMES - 1)
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    sky = np.stack([120 + 60 * step + y / 8, 150 + y / 6, 210 - y / 10], axis=-1)
    frame = np.clip(sky, 0, 255).astype(np.uint8)
    cv2.circle(frame, (330, int(300 - 170 * step)), 44, (255, 214, 102), -1, cv2.LINE_AA)
    for depth, colour in enumerate(((122, 158, 126), (84, 124, 96), (48, 84, 66))):
        ridge = 290 + 55 * depth + 26 * np.sin(x[0] / (60 + 15 * depth) + 2 * depth + step)
        frame[y > ridge] = colour
    return frame


def write(path: Path, frames: Iterator[np.ndarray]) -> None:
    """Encode H.264 frames at `FPS`."""
    with av.open(path, "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", FPS, options={"crf": "20", "x264-params": REPEATABLE})
        stream.width = stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
