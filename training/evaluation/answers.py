"""What the installed models and their vote say of clips, whole and after a corruption, as they are served."""

from __future__ import annotations

import csv
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit
from tqdm import tqdm

from tbd_app.known import MeasuredKind
from tbd_app.models import manifest, registry
from tbd_app.models.nets.base import Detector
from tbd_app.pipeline import score, verdict
from tbd_app.pipeline.crops import for_spec
from tbd_app.settings import AnalysisSettings
from tbd_app.types import FrameCounts, ModelScore, ModelSpec
from training.evaluation import corruptions
from training.evaluation.corruptions import SUITE
from training.evaluation.seen import CACHE, Changed, Seen, content_of, device_of, kept_logits, logits_of, look
from training.faces.bank import FaceBank
from training.faces.index import Item

ENSEMBLE = "ensemble"
NO_FRAMES = FrameCounts(
    0, 0, 0, 0, (), (0, 0)
)  # the label of a file that nobody judged does not depend on them


@dataclass
class Scores:
    """What one model, or the vote of all voters, said of N clips.

    Attributes:
        probs: fake_prob per file, the highest of its people, NaN where it could not judge.
        frames: per file the fake_prob of every frame of that person; empty for clip models.
        votes: per file what this model alone, or the vote, says.
    """

    probs: list[float]
    frames: list[tuple[float, ...]]
    votes: list[str]


def voters_among(names: Sequence[str], kind: MeasuredKind) -> list[str]:
    """The default voters on a kind of media among models."""
    return [name for name in registry.voters(["default"], kind) if name in names]


def score_clips(
    clips: Sequence[Item], names: Sequence[str], n_frames: int, corruption: str = "", cache: Path = CACHE
) -> dict[str, Scores]:
    """Every model on every clip, the faces found once per clip; what was found before is taken from the cache."""
    out: dict[str, Scores] = defaultdict(lambda: Scores([], [], []))
    voters = voters_among(names, "video")
    settings = AnalysisSettings(n_frames=n_frames)
    for clip in tqdm(clips, desc=f"clips, {corruption or 'original'}", unit="clip"):
        with tempfile.TemporaryDirectory() as folder:
            seen = look(clip.path, settings, cache, _changed(clip.path, corruption, Path(folder)))
            scores = {
                name: score.score_tracks(name, seen.frames, seen.tracks, logits_of=logits_of(seen, cache))
                for name in names
            }
        for name in names:
            _add(out[name], scores[name])
        if voters:
            _add_verdict(out[ENSEMBLE], [scores[name] for name in names], voters)
    return out


def _changed(path: Path, corruption: str, folder: Path) -> Changed | None:
    if not corruption:
        return None
    return Changed(f"{corruption} {content_of((corruptions,))}", lambda: SUITE[corruption](path, folder))


def _add(scores: Scores, found: Sequence[ModelScore]) -> None:
    judged = [s for s in found if s.fake_prob is not None]
    worst = max(judged, key=lambda s: s.fake_prob or 0.0, default=None)
    scores.probs.append(float("nan") if worst is None or worst.fake_prob is None else worst.fake_prob)
    scores.frames.append(() if worst is None else worst.frame_fake_prob or ())
    scores.votes.append("" if worst is None else worst.vote or "")


def _add_verdict(scores: Scores, found: Sequence[Sequence[ModelScore]], voters: Sequence[str]) -> None:
    """What the vote makes of a clip, whatever other models were asked with the voters, by the rule that serves."""
    combination = manifest.combination("video")
    people = [verdict.of_track(of_one, voters, combination) for of_one in zip(*found, strict=True)]
    answer = verdict.of_file(people, NO_FRAMES)
    scores.probs.append(float("nan") if answer.fake_prob is None else answer.fake_prob)
    scores.frames.append(())
    scores.votes.append("" if answer.label == "not_applicable" else answer.label)


def write_rows(path: Path, clips: Sequence[Item], scored: dict[str, Scores]) -> None:
    """One row a file and variant: what a model, or the vote, said of it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("file", "variant", "label", "generator", "group", "fake_prob", "vote"))
        for variant, scores in scored.items():
            for clip, prob, vote in zip(clips, scores.probs, scores.votes, strict=True):
                shown = "" if np.isnan(prob) else f"{prob:.6f}"
                rows.writerow((clip.path.name, variant, clip.label, clip.generator, clip.group, shown, vote))


def track_logits(spec: ModelSpec, model: Detector, seen: Seen, cache: Path = CACHE) -> dict[int, np.ndarray]:
    """Fake-minus-real logits of a medium's people by track_id, from the cache where they are there.

    They are computed where the model is. An aligned crop needs landmarks, which some data sets of face crops lack: nobody can
    be judged then.
    """
    usable = [t for t in seen.usable if spec.crop.kind == "square" or np.isfinite(t.landmarks).all()]
    return logits_of(seen, cache)(model, spec, seen.frames, usable, device_of(model)) if usable else {}


def logits_of_pictures(
    spec: ModelSpec, model: Detector, bank: FaceBank, rows: Sequence[int], cache: Path | None = None
) -> np.ndarray:
    """(N,) logits of rows of a bank, each scored as serving scores a picture; in `cache` they are kept."""

    def made() -> np.ndarray:
        return _scored(spec, model, bank, rows)

    return made() if cache is None else kept_logits(spec, model, bank, rows, cache, made)


def _scored(spec: ModelSpec, model: Detector, bank: FaceBank, rows: Sequence[int]) -> np.ndarray:
    preprocess, parts = for_spec(spec), []
    for r in tqdm(rows, desc="pictures", unit="picture"):
        crops = preprocess.crops([bank.image(r)], bank.boxes[[r]], bank.landmarks[[r]])
        x = preprocess.tensor(crops, device_of(model))
        one = x[None] if spec.task == "clip" else x  # a clip of one frame
        parts.append(score.of_pictures(model, spec, one))
    return np.concatenate(parts)


def picture_scores(
    items: Sequence[Item], bank: FaceBank, voters: Sequence[str], cache: Path = CACHE
) -> tuple[np.ndarray, list[Item]]:
    """What the voters say of val pictures: (N,V) fake_prob, and the N pictures."""
    rows = [r for r in range(len(bank)) if items[bank.item[r]].kind != "video"]
    columns = []
    for name in voters:
        spec = registry.spec(name)
        found = logits_of_pictures(spec, score.loaded(name, "cpu"), bank, rows, cache)
        columns.append(expit(found / spec.calibration.temperature))
    return np.stack(columns, axis=1), [items[bank.item[r]] for r in rows]
