"""What views do to answers is counted apart for right and wrong ones, by the rules that serve."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tbd_app.models import manifest, registry
from tbd_app.pipeline import score
from tbd_app.pipeline.views import VIEWS
from tbd_app.steady import Steadiness, ViewAnswer
from tbd_app.types import FaceTrack, Label, ModelScore, TrackQuality
from training import evaluate_stability
from training.evaluation import steadiness
from training.evaluation.answers import ENSEMBLE
from training.evaluation.steadiness import Answers
from training.faces.index import Item

MODELS = ("effnetv2_b0_frame", "effnet_b0_image")
TRACK = FaceTrack(
    0, np.arange(9), np.zeros((9, 4)), np.zeros((9, 5, 2)), TrackQuality(200.0, 50.0, 1.0), None
)


def media(*labels: int) -> list[Item]:
    return [
        Item(Path(f"{n}.mp4"), "video", label, "val", str(n), "x" * label) for n, label in enumerate(labels)
    ]


def found(answer: Label, *labels: Label) -> Steadiness:
    views = zip(VIEWS, labels, strict=False)
    return Steadiness(0, answer, tuple(ViewAnswer(view, label, 0.5, {}) for view, label in views))


def test_right_and_wrong_answers_are_counted_apart() -> None:
    answers = Answers(
        before=["fake", "fake", "real", "real", "uncertain", "not_applicable"],
        after=["fake", "uncertain", "real", "uncertain", "uncertain", "not_applicable"],
        probs=[0.9, 0.9, 0.1, 0.1, 0.5, float("nan")],
        decisive=[
            found("fake", "fake", "fake"),
            found("fake", "fake", "real"),
            found("real", "real", "uncertain"),
            found("real", "fake", "fake"),
            None,
            None,
        ],
    )
    figures = steadiness.figures(media(1, 0, 0, 1, 1, 0), answers)
    assert (figures["n_right"], figures["n_turned_right"], figures["turned_right"]) == (2, 0, 0)
    assert (figures["n_wrong"], figures["n_turned_wrong"], figures["turned_wrong"]) == (2, 2, 1)
    assert figures["same_of_right"] == [0, 1, 1, 0, 0, 0]
    assert figures["same_of_wrong"] == [1, 1, 0, 0, 0, 0]
    first, second, *others = figures["views"].values()
    assert first == {"asked": 4, "opposite": 1, "neither": 0}
    assert second == {"asked": 4, "opposite": 2, "neither": 1}
    assert all(view == {"asked": 0, "opposite": 0, "neither": 0} for view in others)
    with_views = steadiness.with_views(media(1, 0, 0, 1, 1, 0), answers, "video")
    assert (with_views["fpr"], with_views["missed_as_real"], with_views["level"]) == (0, 0, "video")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files whose first digit says what the models make of them; the mirrored view of "turns" is the opposite."""

    def look(path, settings, cache):
        return SimpleNamespace(frames=None, tracks=(TRACK,), usable=[TRACK], name=path.stem)

    def scores(name, frames, tracks, *, logits_of):
        prob = 0.9 if logits_of.startswith("fake") else 0.1
        return [ModelScore(name, 0, "ok", None, prob, "fake" if prob > 0.5 else "real", 0.8, 0.2)]

    def views(name, seen, settings, cache):
        side = 1 if seen.name.startswith("fake") else -1
        logits = {(0, view): np.full(9, 40.0 * side) for view in VIEWS}
        if "turns" in seen.name:
            logits[0, "mirrored"] = np.full(9, -40.0 * side)
        return logits

    monkeypatch.setattr(steadiness, "look", look)
    monkeypatch.setattr(steadiness, "logits_of", lambda seen, cache: seen.name)
    monkeypatch.setattr(score, "score_tracks", scores)
    monkeypatch.setattr(steadiness, "view_logits", views)
    monkeypatch.setattr(manifest, "combination", lambda kind: None)
    monkeypatch.setattr(registry, "voters", lambda asked, kind: list(MODELS))


def test_each_voter_alone_and_the_vote_are_asked(served) -> None:
    items = [
        Item(Path(f"{name}.mp4"), "video", 1, "val", name, "x")
        for name in ("fake_holds", "fake_turns", "real_turns")
    ]
    asked = steadiness.ask(items, MODELS, "video")
    assert list(asked) == [*MODELS, ENSEMBLE]
    for answers in asked.values():
        assert answers.before == ["fake", "fake", "real"]
        assert answers.after == ["fake", "uncertain", "uncertain"]
        assert [p.same for p in answers.decisive if p is not None] == [5, 4, 4]
    measured = evaluate_stability.measure(items, evaluate_stability.Config())
    assert set(measured) == {*MODELS, ENSEMBLE}
    assert measured[ENSEMBLE]["stability"]["val_clips"]["n_turned_right"] == 1
    assert measured[ENSEMBLE]["val_clips_steady"]["tpr"] == pytest.approx(1 / 3, abs=1e-3)
    assert set(measured[MODELS[0]]) == {"stability"}


def test_a_part_is_chosen_by_lot_and_the_same_each_time() -> None:
    items = media(*[0] * 20)
    config = evaluate_stability.Config(limit=5)
    some = evaluate_stability.chosen(items, config)
    assert len(some) == 5
    assert some == evaluate_stability.chosen(items, config)
    assert evaluate_stability.chosen(items, evaluate_stability.Config()) == items
