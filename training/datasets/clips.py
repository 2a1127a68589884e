"""Clips of one face for models that look at time: labelled media, or pairs of a real clip and its fake.

A clip is x (T,3,S,S) float32 normalised with mask (T,) bool, False where a frame only repeats the last one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from tbd_app.model_spec import FramesAt as ServedAt
from tbd_app.pipeline.crops import Preprocess
from training.datasets.augment import GENTLE, degrade, extreme
from training.datasets.crops import Frame, Jitter, reduced
from training.datasets.generated import GeneratedPairs
from training.datasets.published import TREATMENTS, Augment
from training.faces.open import Faces
from training.fakes.animate import animate, match_clip
from training.fakes.mouth import redraw_mouth_clip
from training.fakes.selfblend import self_blend_clip
from training.fakes.upscale import Upscaled

FramesAt = Literal["spread", "consecutive"]
# Source of a pair -> share of the batch; a source without media gives its share to the others.
# Real clips are few and soon learned by heart; a still that is shown again and again is a clip of one more person.
CLIP_SHARES = {"blend": 0.28, "still": 0.12, "mouth": 0.15, "animate": 0.20, "reenact": 0.15, "clip": 0.10}
# For decoders on a frozen tower, which have too few numbers to learn clips by heart.
GENERATOR_CLIP_SHARES = {"generated": 0.60, "blend": 0.18, "mouth": 0.16, "still": 0.06}
DRAWN = 0.5  # of the animated stills, where a network of super-resolution has drawn some
FPS = {"spread": 1.0, "consecutive": 10.0}  # about how fast a clip's frames follow each other
WORK_SIDE_PX = 300  # faces are blended at this size at most


def choose(n_frames: int, length: int, at: FramesAt, rng: np.random.Generator | None = None) -> np.ndarray:
    """Places of a clip's frames among the `n_frames` that were cut, in order.

    Args:
        n_frames: K.
        length: frames wanted; fewer come where K is smaller.
        at: "spread" evenly over the timeline, or "consecutive" as they were cut.
        rng: draws one frame in each stretch, or where the run begins; None takes what serving takes, or the middle.

    Returns:
        (min(K, length),) int64, increasing.
    """
    length = min(length, n_frames)
    if at == "consecutive":
        spare = n_frames - length
        return (spare // 2 if rng is None else int(rng.integers(spare + 1))) + np.arange(length)
    if rng is None:
        return np.rint(np.linspace(0, n_frames - 1, length)).astype(np.int64)
    edges = np.linspace(0, n_frames, length + 1).astype(np.int64)
    return rng.integers(edges[:-1], edges[1:])


def served_at(at: FramesAt, step_s: float, clips: int) -> ServedAt:
    """Where serving takes the frames of a model that was trained on frames `at`: as training did.

    Args:
        at: of the run.
        step_s: seconds between frames that were cut one after the other; 0 for the file's own neighbours.
        clips: of a track at most.
    """
    return ServedAt() if at == "spread" else ServedAt("consecutive", step_s, clips)


def clip_tensor(crops: Sequence[np.ndarray], length: int, preprocess: Preprocess) -> tuple[Tensor, Tensor]:
    """x (length,3,S,S) and mask (length,) of up to `length` crops (S,S,3) uint8 RGB; the last one is repeated."""
    frames = np.stack([*crops, *[crops[-1]] * (length - len(crops))])
    return preprocess.tensor(frames), torch.arange(length) < len(crops)


class ClipReader:
    """Cuts clips out of a split.

    Args:
        faces: of the split.
        preprocess: of the model; its margin is the middle of the drawn margins.
        length: frames of a clip.
        at: where its frames lie.
    """

    def __init__(self, faces: Faces, preprocess: Preprocess, length: int, at: FramesAt = "spread") -> None:
        self.faces, self.preprocess, self.length = faces, preprocess, length
        self.at: FramesAt = at

    def frames(self, number: int, rng: np.random.Generator | None) -> list[Frame]:
        """Frames of a medium, at a working size; None takes what serving takes."""
        bank, rows = self.faces.bank, self.faces.rows(number)
        rows = rows[choose(len(rows), self.length, self.at, rng)]
        return [working_size(bank.image(r), bank.boxes[r], bank.landmarks[r]) for r in rows]

    def crops(self, frames: Sequence[Frame], rng: np.random.Generator | None) -> list[np.ndarray]:
        """Crops (S,S,3) uint8 RGB, all jittered by one draw, because detectors jitter too."""
        return Jitter.draw(rng).cut(frames, self.preprocess)

    def tensor(self, crops: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
        """`clip_tensor` of crops."""
        return clip_tensor(crops, self.length, self.preprocess)

    def labelled(
        self, frames: Sequence[Frame], label: int, augment: Augment, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        """An example of `LabelledClips`: {"x": (T,3,S,S), "mask": (T,), "y": ()}."""
        own = augment == "project"
        treat = extreme if own else TREATMENTS[augment]
        x, mask = self.tensor(treat(self.crops(frames, rng if own else None), rng))
        return {"x": x, "mask": mask, "y": torch.tensor(label)}


class LabelledClips:
    """Media of a split with their labels: {"x": (T,3,S,S), "mask": (T,), "y": ()}; see `batches.Shuffled`.

    Args:
        reader: cuts the clips.
        augment: "project" (jittered, then `extreme`), a published one, or none, which leaves them as serving takes them.
        kinds: of media ("crop", "image", "video"), all without any; a still is a clip of one frame.
    """

    def __init__(
        self, reader: ClipReader, *, augment: Augment = "project", kinds: Sequence[str] = ()
    ) -> None:
        self.reader = reader
        self.augment: Augment = augment
        self.media = reader.faces.media(*kinds)
        self.labels = [reader.faces.items[n].label for n in self.media]

    def __len__(self) -> int:
        return len(self.media)

    def example(self, row: int, rng: np.random.Generator) -> dict[str, Tensor]:
        """The clip of a row."""
        frames = self.reader.frames(int(self.media[row]), None if self.augment == "none" else rng)
        return self.reader.labelled(frames, self.labels[row], self.augment, rng)


class ClipPairs(Dataset[dict[str, Tensor]]):
    """Item i is {"x": (2,T,3,S,S), "mask": (2,T), "y": (2,) 0, 1}: a real clip and a fake one that share their degradations.

    The fake is the clip self-blended ("blend"), so is a still that is shown as long ("still"); the clip with a redrawn mouth
    ("mouth"); a still that moves as the clip does ("animate"), drawn anew before or after; one frame of the clip that moves
    as the others do ("reenact"), so that nothing but the way it moves may tell; a fake of the split beside any real clip
    ("clip"), or its generator drawn first and beside a clip of its own scene where there is one ("generated").

    Args:
        reader: cuts the clips.
        seed: of every draw; the same seed and i give the same pair.
        shares: how often each source is drawn.
        upscaled: faces of the bank that were drawn anew beforehand.
    """

    def __init__(
        self,
        reader: ClipReader,
        *,
        seed: int,
        shares: Mapping[str, float] = CLIP_SHARES,
        upscaled: Upscaled | None = None,
    ) -> None:
        self.reader, self.seed, self.upscaled = reader, seed, upscaled
        faces = reader.faces
        self.real, self.fake = (
            [n for n in faces.media("video") if faces.items[n].label == y] for y in (0, 1)
        )
        self.stills = [n for n in faces.media("crop", "image") if not faces.items[n].label]
        if not self.real:
            raise SystemExit("The split holds no real clips to make pairs from.")
        needs: dict[str, object] = {"still": self.stills, "animate": self.stills, "clip": self.fake}
        if "generated" in shares:
            self.generated = GeneratedPairs(faces.bank, faces.items, "video")
            needs["generated"] = self.generated
        self.sources = [s for s in shares if needs.get(s, self.real)]
        if not self.sources:
            raise SystemExit(f"The split holds nothing for pairs of {', '.join(shares)}.")
        weights = np.array([shares[s] for s in self.sources])
        self.shares = weights / weights.sum()

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, number])
        clips = [self.reader.tensor(crops) for crops in self.pictures(rng)]
        x, mask = (torch.stack(part) for part in zip(*clips, strict=True))
        return {"x": x, "mask": mask, "y": torch.tensor([0, 1])}

    def pictures(self, rng: np.random.Generator) -> list[list[np.ndarray]]:
        """The real and the fake crops of a pair, (S,S,3) uint8 RGB each."""
        pair = self._pair(str(rng.choice(self.sources, p=self.shares)), rng)
        jitter, look = rng.integers(2**63, size=2)  # the same for both
        cut = [self.reader.crops(frames, np.random.default_rng(jitter)) for frames in pair]
        treat = partial(degrade, gentle=True) if rng.random() < GENTLE else extreme
        return [treat(crops, np.random.default_rng(look)) for crops in cut]

    def _pair(self, source: str, rng: np.random.Generator) -> tuple[list[Frame], list[Frame]]:
        """Frames of a real clip and of its fake."""
        if source == "generated":
            numbers, places = self.generated.media(rng), rng.integers(2**63)
            # The same places in both: of one scene they show the same moments.
            real, fake = (self.reader.frames(n, np.random.default_rng(places)) for n in numbers)
            return real, fake
        if source == "still":
            real = self.reader.frames(int(rng.choice(self.stills)), None) * self.reader.length
        else:
            real = self.reader.frames(int(rng.choice(self.real)), rng)
        if source == "clip":
            return real, self.reader.frames(int(rng.choice(self.fake)), rng)
        images, boxes, landmarks = zip(*real, strict=True)
        if source == "animate":
            return real, self._animated(images[0], np.stack(landmarks), rng)
        if source == "reenact":
            return real, self._reenacted(real, rng)
        make = redraw_mouth_clip if source == "mouth" else self_blend_clip
        made = make(images, np.stack(landmarks), rng)
        places = list(zip(boxes, landmarks, strict=True))
        reals = [(pair.real, *place) for pair, place in zip(made, places, strict=True)]
        return reals, [(pair.fake, *place) for pair, place in zip(made, places, strict=True)]

    def _animated(self, frame: np.ndarray, motion: np.ndarray, rng: np.random.Generator) -> list[Frame]:
        """A still of the split that moves as a clip does, one frame of which is given."""
        number = int(rng.choice(self.stills))
        still, box, points = self.reader.frames(number, None)[0]
        row, redraw = self.reader.faces.rows(number)[0], None
        if self.upscaled and row in self.upscaled and rng.random() < DRAWN:
            still, redraw = self.upscaled.image(row, still.shape[:2], mirror=False), list
        alike = match_clip(still, box, points, frame, motion[0])
        moved = animate(*alike, motion, rng, fps=FPS[self.reader.at], redraw=redraw)
        return list(zip(moved.images, moved.boxes, moved.landmarks, strict=True))

    def _reenacted(self, real: list[Frame], rng: np.random.Generator) -> list[Frame]:
        """One frame of a clip that moves as all of them do; as often as not it is drawn anew."""
        still = real[int(rng.integers(len(real)))]
        motion = np.stack([still[2], *(points for _, _, points in real)])
        redraw = list if rng.random() < 0.5 else None
        moved = animate(*still, motion, rng, fps=FPS[self.reader.at], redraw=redraw)
        return list(zip(moved.images, moved.boxes, moved.landmarks, strict=True))[1:]


def working_size(image: np.ndarray, box: np.ndarray, points: np.ndarray) -> Frame:
    """A face at `WORK_SIDE_PX` at most."""
    return reduced(image, box, points, WORK_SIDE_PX)
