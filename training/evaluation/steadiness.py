"""What the views of `pipeline/stability.py` do to answers about media whose truth is known: how many of them they turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from tbd_app.known import MeasuredKind
from tbd_app.models import manifest
from tbd_app.pipeline import score, stability, verdict
from tbd_app.pipeline.views import VIEWS
from tbd_app.settings import AnalysisSettings
from tbd_app.steady import Steadiness
from tbd_app.types import Label, Verdict
from training.evaluation.answers import ENSEMBLE, NO_FRAMES
from training.evaluation.figures import rate, video_figures
from training.evaluation.seen import CACHE, logits_of, look, view_logits
from training.faces.index import Item

STEADY = "_steady"  # ends the name of figures that were measured with the views


@dataclass
class Answers:
    """What one model alone, or the vote, says of N media, before and after the views were asked.

    Attributes:
        before: label of the file.
        after: the same with the views.
        probs: fake_prob of the file, NaN where it was not judged.
        decisive: of the person that decided, where that was an answer.
    """

    before: list[Label] = field(default_factory=list)
    after: list[Label] = field(default_factory=list)
    probs: list[float] = field(default_factory=list)
    decisive: list[Steadiness | None] = field(default_factory=list)


def ask(
    media: Sequence[Item], voters: Sequence[str], kind: MeasuredKind, cache: Path = CACHE
) -> dict[str, Answers]:
    """Each voter alone, and all of them together, on media of one kind, as they are served."""
    who = {name: [name] for name in voters} | ({ENSEMBLE: list(voters)} if len(voters) > 1 else {})
    out = {name: Answers() for name in who}
    settings, combination = AnalysisSettings(), manifest.combination(kind)
    for item in tqdm(media, desc=f"views, {kind}", unit="file"):
        seen = look(item.path, settings, cache)
        scores, logits = [], {}
        for name in voters:
            scores += score.score_tracks(name, seen.frames, seen.tracks, logits_of=logits_of(seen, cache))
            logits[name] = view_logits(name, seen, settings, cache) if seen.usable else {}
        for name, asked in who.items():
            mine = [s for s in scores if s.model in asked]
            before = {
                t.track_id: verdict.of_track(
                    [s for s in mine if s.track_id == t.track_id], asked, combination
                )
                for t in seen.tracks
            }
            found = stability.of_logits(seen.usable, before, mine, combination, logits)
            after = {k: verdict.steadied(v, found.of(k)) for k, v in before.items()}
            _add(out[name], before, after, found)
    return out


def _add(
    answers: Answers, before: dict[int, Verdict], after: dict[int, Verdict], found: stability.Stability
) -> None:
    first, last = (verdict.of_file(list(people.values()), NO_FRAMES) for people in (before, after))
    answers.before.append(first.label)
    answers.after.append(last.label)
    answers.probs.append(float("nan") if first.fake_prob is None else first.fake_prob)
    same = [k for k, v in before.items() if v.label == first.label and v.label in ("fake", "real")]
    decisive = max(same, key=lambda k: before[k].fake_prob or 0.0, default=None)
    answers.decisive.append(None if decisive is None else found.of(decisive))


def figures(media: Sequence[Item], answers: Answers) -> dict[str, Any]:
    """How many right and wrong answers the views turned, and how many agreed.

    Returns:
        Counts of answers before (`n_right`, `n_wrong`), the share of each that was turned and so withdrawn, with its
        interval, how many answers were the same in 0, 1, ... of the views asked, and what each view came to.
    """
    labels, sources = (np.array([getattr(i, key) for i in media]) for key in ("label", "source"))
    before, after = np.array(answers.before), np.array(answers.after)
    decided = (before == "fake") | (before == "real")
    right = decided & ((before == "fake") == (labels == 1))
    turned = decided & (after != before)
    out: dict[str, Any] = {"n_files": len(media)}
    for name, part in (("right", right), ("wrong", decided & ~right)):
        n, k = int(part.sum()), int((turned & part).sum())
        counts = np.zeros(len(VIEWS) + 1, int)
        for found, mine in zip(answers.decisive, part, strict=True):
            if found is not None and mine:
                counts[found.same] += 1
        out |= {f"n_{name}": n, f"n_turned_{name}": k, **rate(f"turned_{name}", turned[part], sources[part])}
        out[f"same_of_{name}"] = counts.tolist()
    out["views"] = {view: _of_view(view, answers.decisive) for view in VIEWS}
    return out


def _of_view(view: str, decisive: Sequence[Steadiness | None]) -> dict[str, int]:
    """How often a view was asked, came to the opposite, and came to no answer."""
    found = [(p, v) for p in decisive if p is not None for v in p.views if v.view == view]
    opposite = sum(v.view in p.turned for p, v in found)
    same = sum(v.label == p.answer for p, v in found)
    return {"asked": len(found), "opposite": opposite, "neither": len(found) - opposite - same}


def with_views(media: Sequence[Item], answers: Answers, level: str) -> dict[str, Any]:
    """Figures of the answers that are given once the views were asked, as `figures.py` makes them."""
    return video_figures(media, np.array(answers.probs), answers.after) | {"level": level}
