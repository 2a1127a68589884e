"""What speed.py measures and against what: generated media, the naive analysis, and the least that one could take."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import av
import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN
from PIL import Image, ImageSequence

from tbd_app.models import registry
from tbd_app.pipeline import people, score
from tbd_app.pipeline.crops import for_spec
from tbd_app.settings import AnalysisSettings
from tests import media_factory

N_FRAMES = AnalysisSettings().n_frames


@dataclass(frozen=True, slots=True)
class Medium:
    """A generated file.

    Attributes:
        make: writes it into a folder.
        what: in words.
        repeats: turns at most, of a long one.
    """

    make: Callable[[Path], Path]
    what: str
    repeats: int = 9


def _clip(name: str, size: tuple[int, int], n_frames: int) -> Callable[[Path], Path]:
    return lambda folder: media_factory.portrait_clip(folder / name, n_frames=n_frames, size=size, fps=25)


MEDIA = {
    "clip_1080p": Medium(_clip("a.mp4", (1920, 1080), 250), "10 s, 1920x1080, H.264"),
    "clip_720p": Medium(_clip("b.mp4", (1280, 720), 750), "30 s, 1280x720, H.264"),
    "long_1080p": Medium(lambda folder: repeated(folder, 60), "10 min, 1920x1080, H.264", 1),
    "clip_4k": Medium(_clip("c.mp4", (3840, 2160), 100), "4 s, 3840x2160, H.264", 1),
    "gif": Medium(
        lambda folder: media_factory.portrait_animation(folder / "d.gif", size=(480, 360)), "12 frames, GIF"
    ),
    "zip": Medium(
        lambda folder: media_factory.frames_zip(folder / "e.zip", n_frames=300, size=(640, 480)),
        "300 frames, 640x480, zip of PNG",
    ),
    "photo": Medium(
        lambda folder: media_factory.portrait_image(folder / "f.jpg", size=(4000, 3000)), "one photo, 12 MP"
    ),
}


def repeated(folder: Path, times: int) -> Path:
    """Ten seconds many times in a row, copied packet by packet; compressed more, for a file may have 200 MB."""
    path, size = folder / "long.mp4", (1920, 1080)
    once = media_factory.portrait_clip(folder / "once.mp4", n_frames=250, size=size, fps=25, crf=32, gop=50)
    with av.open(str(path), "w") as out:
        stream, shift = None, 0
        for _ in range(times):
            with av.open(str(once)) as source:
                video = source.streams.video[0]
                stream = stream or out.add_stream_from_template(video)
                for packet in source.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                    out.mux(packet)
                shift += video.duration or 0
    return path


def naive(path: Path, settings: AnalysisSettings, voters: Sequence[str]) -> dict[str, float]:
    """All frames decoded, two searches at full size, the voters in float32: mean logit of each."""
    frames = every_frame(path)
    picked = [
        frames[i] for i in np.unique(np.linspace(0, len(frames) - 1, settings.n_frames).round().astype(int))
    ]
    detector = _mtcnn()
    cut: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for frame in picked:
        boxes, *_ = detector.detect(frame)
        if boxes is None:
            continue
        boxes, _, points = detector.detect(frame, landmarks=True)  # pyright: ignore[reportAssignmentType]
        largest = int(np.argmax(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)))
        cut.append((frame, boxes[largest], points[largest]))
    out: dict[str, float] = {}
    for name in voters if cut else ():
        spec, model = registry.spec(name), _float32(name)
        images, boxes, points = zip(*cut, strict=True)
        if spec.task == "clip":
            rows = np.unique(np.linspace(0, len(cut) - 1, spec.clip_len).round().astype(int))
            images, boxes, points = ([values[i] for i in rows] for values in (images, boxes, points))
        preprocess = for_spec(spec)
        x = preprocess.tensor(preprocess.crops(images, np.stack(boxes), np.stack(points)))
        with torch.inference_mode():
            logits = model(x[None]) if spec.task == "clip" else torch.cat([model(one[None]) for one in x])
        out[name] = float((logits[:, 1] - logits[:, 0]).mean())
    return out


def every_frame(path: Path) -> list[np.ndarray]:
    """All frames of a file, RGB, as OpenCV or Pillow gives them; of a long clip only what is sampled is kept."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = sorted(archive.namelist())
            coded = [np.frombuffer(archive.read(name), np.uint8) for name in names]
        return [cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].copy() for data in coded]
    if path.suffix in (".gif", ".jpg", ".jpeg", ".png", ".webp"):
        with Image.open(path) as image:
            return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)]
    video = cv2.VideoCapture(str(path))
    count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    wanted = set(np.linspace(0, max(count - 1, 0), N_FRAMES).round().astype(int).tolist())
    frames = []
    number = 0
    while (read := video.read())[0]:
        if number in wanted:
            frames.append(np.ascontiguousarray(read[1][..., ::-1]))
        number += 1
    video.release()
    return frames


def floor(path: Path, found: people.People, voters: Sequence[str]) -> None:
    """The file decoded once, and the voters on the faces that are known already."""
    if found.media.kind == "video":
        last = max(found.frames.indices.tolist())
        with av.open(str(path)) as container:
            container.streams.video[0].thread_type = "AUTO"
            for number, _ in enumerate(container.decode(video=0)):
                if number >= last:
                    break
    else:
        every_frame(path)
    for name in voters:
        score.score_tracks(name, found.frames, found.tracks)


@cache
def _mtcnn() -> MTCNN:
    return MTCNN(keep_all=True)


@cache
def _float32(name: str) -> torch.nn.Module:
    return registry.load(name, "cpu").eval()
