"""From media files to the card, on clips made here."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tbd_app import analyze
from tbd_app.models import manifest, registry
from tbd_app.settings import weights_dirs
from tests import media_factory
from training import card, cost, evaluate, export
from training.data.index import Item
from training.figures import known

NAME = "effnetv2_b0_frame"


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> list[Item]:
    folder = tmp_path_factory.mktemp("clips")
    made = [
        media_factory.portrait_clip(folder / "real.mp4", n_frames=8, size=(640, 480)),
        media_factory.portrait_clip(folder / "fake.mp4", n_frames=8, size=(640, 480), crf=40),
        media_factory.faceless_clip(folder / "waves.mp4", n_frames=8),
    ]
    return [Item(p, "video", k % 2, "val", p.stem, "wav2lip" if k % 2 else "") for k, p in enumerate(made)]


@pytest.fixture(scope="module")
def answers(clips) -> dict[str, dict[str, evaluate.Scores]]:
    if not registry.is_installed(NAME):
        pytest.skip(f"{NAME} is not installed")
    return {
        variant: evaluate.score_clips(clips, [NAME], 8, corruption)
        for variant, corruption in (("original", ""), ("half_size", "half_size"))
    }


@pytest.fixture(scope="module")
def scored(answers) -> dict[str, evaluate.Scores]:
    return {variant: part[NAME] for variant, part in answers.items()}


def test_the_vote_of_one_voter_is_what_it_says_itself(answers, scored) -> None:
    vote = answers["original"][evaluate.ENSEMBLE]
    np.testing.assert_equal(vote.probs, scored["original"].probs)
    told = {"abstain": "uncertain", "": ""}
    assert vote.votes == [told.get(v, v) for v in scored["original"].votes]


def test_clips_are_scored_as_tbd_analyze_scores_them(clips, scored) -> None:
    report = analyze(clips[0].path, models=(NAME,), n_frames=8, explain=False)
    assert scored["original"].probs[0] == report.verdict.fake_prob
    assert np.isnan(scored["original"].probs[2])
    assert [len(f) for f in scored["original"].frames] == [8, 8, 0]
    assert scored["original"].votes[2] == ""
    assert scored["half_size"].probs[0] != scored["original"].probs[0]


def test_figures_become_manifest_card_and_readme(clips, scored, tmp_path, monkeypatch) -> None:
    root = tmp_path / "project"
    shutil.copytree(weights_dirs()[-1], root / "weights")
    readme = root / "README.md"
    readme.write_text(f"before\n{card.BEGIN}\nold\n{card.END}\nafter\n", encoding="utf-8")
    for module in (card, export):
        monkeypatch.setattr(module, "WEIGHTS", root / "weights")
    monkeypatch.setattr(card, "ROOT", root)
    monkeypatch.setenv("TBD_WEIGHTS_DIR", str(root / "weights"))
    figures = evaluate.clip_figures(clips, scored) | {"cost": cost.of(NAME)}
    assert figures["cost"]["n_params"] == registry.spec(NAME).n_params
    card.record(NAME, figures)
    export.write_ensemble(["a", "b"], {k: v for k, v in figures.items() if k != "cost"})
    card.record_readme()
    written = json.loads((root / "weights" / "manifest.json").read_text(encoding="utf-8"))
    (entry,) = (m for m in written["models"] if m["name"] == NAME)
    assert entry["metrics"]["val_clips"]["n_real"] == 2
    assert entry["metrics"]["generators"]["wav2lip"]["n_fake"] == 1
    assert "| wav2lip | 1 |" in (root / "weights" / f"{NAME}.md").read_text(encoding="utf-8")
    told = readme.read_text(encoding="utf-8")
    assert told.startswith("before\n")
    assert told.endswith("after\n")
    assert "val clips, all, at half the size (video) | 2 / 1 |" in told
    assert "old" not in told
    assert told.index("The vote of `a`, `b`:") < told.index(f"`{NAME}`, calls a face fake")
    assert manifest.ensemble()["metrics"]["val_clips"]["n_real"] == 2
    assert manifest.entries()[NAME].raw["metrics"] == entry["metrics"]
    assert entry["known_performance"] == known(entry["metrics"])
    assert registry.spec(NAME).known["video"].n_real == 2
    assert written["ensemble"]["known_performance"] == known(written["ensemble"]["metrics"])


def test_what_the_project_says_that_reports_show_is_what_its_figures_give(tmp_path, monkeypatch) -> None:
    """`--known-only` changes nothing in the manifest as it is committed, and puts right one that was edited."""
    path = Path(shutil.copy(weights_dirs()[-1] / manifest.MANIFEST, tmp_path))
    committed = json.loads(path.read_text(encoding="utf-8"))
    monkeypatch.setattr(export, "WEIGHTS", tmp_path)
    evaluate.main(evaluate.Config(known_only=True))
    assert json.loads(path.read_text(encoding="utf-8")) == committed
    edited = json.loads(json.dumps(committed))
    for part in (*edited["models"], edited["ensemble"]):
        part["known_performance"] = {}
    path.write_text(json.dumps(edited), encoding="utf-8")
    evaluate.main(evaluate.Config(known_only=True))
    assert json.loads(path.read_text(encoding="utf-8")) == committed


def test_pictures_of_a_generator_meet_real_ones_of_the_same_folder() -> None:
    def item(path: str, label: int, generator: str = "", kind: str = "image") -> Item:
        return Item(Path(path), kind, label, "val", path, generator)

    pictures = [
        item("a/1.jpg", 1, "StyleGAN2"), item("a/2.jpg", 0), item("b/3.jpg", 0), item("a/4.jpg", 1, "FLUX.1"),
        item("a/5.jpg", 0, kind="crop"),
    ]  # fmt: skip
    assert evaluate._same_source(pictures, "StyleGAN2").tolist() == [True, True, False, False, False]


def test_blends_of_the_whole_face_and_of_parts_are_told_apart() -> None:
    regions = ["face", "mouth", "face", "nose"]
    probs = np.array([[0.1, 0.9], [0.2, 0.1], [0.3, 0.8], [0.4, 0.35]])
    told = evaluate.by_region(regions, probs, threshold=0.5)
    whole, part = told["self_blends_whole_face"], told["self_blends_part"]
    assert (whole["n_real"], whole["n_fake"], whole["auc"], whole["tpr"]) == (4, 2, 1.0, 1.0)
    assert (part["n_real"], part["n_fake"], part["tpr"]) == (4, 2, 0.0)
    assert part["auc"] == pytest.approx((0.5 + 3) / 8)
    assert set(evaluate.by_region(["face"] * 4, probs, 0.5)) == {"self_blends_whole_face"}


def test_a_card_says_what_was_chosen_after_training() -> None:
    spec = registry.spec(NAME)
    assert card._chosen(replace(spec, reference=0.0), {}) == ""
    assert "0.35 was chosen on val" in card._chosen(replace(spec, reference=0.35), {"reference": 0.0})
    assert card._chosen(replace(spec, reference=0.35), {"reference": 0.35}) == ""
