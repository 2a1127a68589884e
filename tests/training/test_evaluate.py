"""From media files to the card, on clips made here."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tbd_app import analyze
from tbd_app.errors import DeviceMissing
from tbd_app.known import Combination
from tbd_app.models import manifest, registry
from tbd_app.pipeline import score, verdict
from tbd_app.settings import weights_dirs
from tests import media_factory
from tests.report_factory import MODELS, make_report
from training import evaluate
from training.evaluation import answers as answers_room
from training.evaluation import card, cost, ledger, readme, record
from training.evaluation.figures import known
from training.faces.index import Item

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
def answers(clips, tmp_path_factory) -> dict[str, dict[str, answers_room.Scores]]:
    if not registry.is_installed(NAME):
        pytest.skip(f"{NAME} is not installed")
    cache = tmp_path_factory.mktemp("seen")
    return {
        variant: answers_room.score_clips(clips, [NAME], 8, corruption, cache)
        for variant, corruption in (("original", ""), ("half_size", "half_size"))
    }


@pytest.fixture(scope="module")
def scored(answers) -> dict[str, answers_room.Scores]:
    return {variant: part[NAME] for variant, part in answers.items()}


def test_the_vote_of_one_voter_is_what_it_says_itself(answers, scored) -> None:
    vote = answers["original"][answers_room.ENSEMBLE]
    np.testing.assert_equal(vote.probs, scored["original"].probs)
    labels = {"abstain": "uncertain", "": ""}
    assert vote.votes == [labels.get(v, v) for v in scored["original"].votes]


def test_the_vote_is_measured_as_it_is_served(monkeypatch) -> None:
    (person,) = make_report(n_people=1).people
    found = [[s for s in person.scores if s.model == name] for name in MODELS[:2]]
    by = Combination(dict.fromkeys(MODELS[:2], (0.0, 3.0)), 4.0, 0.5, -9.0, 0.6, 0.4)
    for combination in (by, None):
        monkeypatch.setattr(manifest, "combination", {"video": combination}.get)
        scores, served = (
            answers_room.Scores([], [], []),
            verdict.of_track(person.scores, MODELS[:2], combination),
        )
        answers_room._add_verdict(scores, found, MODELS[:2])
        assert (scores.probs, scores.votes) == ([served.fake_prob], [served.label])
        assert (scores.probs[0] < 0.001) == (combination is by)


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
    page = root / "README.md"
    blocks = "\n".join(f"{begin}\nold\n{end}" for begin, end in readme.BLOCKS.values())
    page.write_text(f"before\n{blocks}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(ledger, "WEIGHTS", root / "weights")
    monkeypatch.setattr(readme, "ROOT", root)
    monkeypatch.setenv("TBD_WEIGHTS_DIR", str(root / "weights"))
    figures = record.clip_figures(clips, scored) | {"cost": cost.of(NAME)}
    assert figures["cost"]["n_params"] == registry.spec(NAME).n_params
    card.record(NAME, figures)
    ledger.write_ensemble(["a", "b"], {k: v for k, v in figures.items() if k != "cost"})
    readme.write()
    written = json.loads((root / "weights" / f"{NAME}.metrics.json").read_text(encoding="utf-8"))["metrics"]
    assert written["val_clips"]["n_real"] == 2
    assert written["generators"]["wav2lip"]["n_fake"] == 1
    written_card = (root / "weights" / f"{NAME}.md").read_text(encoding="utf-8")
    assert "| wav2lip | 1 |" in written_card
    assert "val clips, all, at half the size (video) | 2 / 1 |" in written_card
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")][2:]
    assert 1 <= len(rows) <= 6
    assert "| the vote | 2 / 1 |" in rows[0]
    assert manifest.ensemble()["metrics"]["val_clips"]["n_real"] == 2
    assert manifest.entries()[NAME].raw["metrics"] == written
    assert manifest.entries()[NAME].raw["known_performance"] == known(written)
    assert registry.spec(NAME).known["video"].n_real == 2
    assert manifest.ensemble()["known_performance"] == known(manifest.ensemble()["metrics"])


def test_pictures_of_a_generator_meet_real_ones_of_the_same_folder() -> None:
    def item(path: str, label: int, generator: str = "", kind: str = "image") -> Item:
        return Item(Path(path), kind, label, "val", path, generator)

    pictures = [
        item("a/1.jpg", 1, "StyleGAN2"), item("a/2.jpg", 0), item("b/3.jpg", 0), item("a/4.jpg", 1, "FLUX.1"),
        item("a/5.jpg", 0, kind="crop"),
    ]  # fmt: skip
    assert record._same_source(pictures, "StyleGAN2").tolist() == [True, True, False, False, False]


def test_blends_of_the_whole_face_and_of_parts_are_told_apart() -> None:
    regions = ["face", "mouth", "face", "nose"]
    probs = np.array([[0.1, 0.9], [0.2, 0.1], [0.3, 0.8], [0.4, 0.35]])
    figures = record.by_region(regions, probs, threshold=0.5)
    whole, part = figures["self_blends_whole_face"], figures["self_blends_part"]
    assert (whole["n_real"], whole["n_fake"], whole["auc"], whole["tpr"]) == (4, 2, 1.0, 1.0)
    assert (part["n_real"], part["n_fake"], part["tpr"]) == (4, 2, 0.0)
    assert part["auc"] == pytest.approx((0.5 + 3) / 8)
    assert set(record.by_region(["face"] * 4, probs, 0.5)) == {"self_blends_whole_face"}


def test_a_card_says_what_was_chosen_after_training(monkeypatch) -> None:
    spec = registry.spec(NAME)
    entry = ledger.entry_of(NAME)

    def page(share: float, trained_with: float) -> str:
        served = replace(spec, calibration=replace(spec.calibration, softened_share=share))
        monkeypatch.setattr(card.registry, "spec", lambda _: served)
        return card.card(entry | {"recipe": entry["recipe"] | {"softened_share": trained_with}})

    assert "The share of 0.35 was chosen on val" in page(0.35, 0.0)
    assert "was chosen on val, too" not in page(0.35, 0.35)
    assert "was chosen on val, too" not in page(0.0, 0.0)


def test_the_cards_and_the_readme_are_what_the_figures_say() -> None:
    for name, entry in ledger.entries().items():
        assert (ledger.WEIGHTS / f"{name}.md").read_text(encoding="utf-8") == card.card(entry)
    text = (readme.ROOT / "README.md").read_text(encoding="utf-8")
    for part, content in readme.parts().items():
        begin, end = readme.BLOCKS[part]
        assert text.split(begin)[1].split(end)[0].strip() == content


def test_cards_and_readme_are_written_again_without_measuring(tmp_path, monkeypatch) -> None:
    shutil.copytree(weights_dirs()[-1], tmp_path / "weights", ignore=shutil.ignore_patterns("*.safetensors"))
    shutil.copy(readme.ROOT / "README.md", tmp_path)
    expected = {path: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.[jm]*")}
    for path in expected:
        if (
            path.stem in ledger.entries() and path.suffix == ".md"
        ):  # the other pages there are written by hand
            path.unlink()
    path = tmp_path / "weights" / manifest.MANIFEST
    listed = json.loads(expected[path])
    for part in (*listed["models"], listed["ensemble"]):
        part["known_performance"] = {}
    path.write_text(json.dumps(listed), encoding="utf-8")
    page = tmp_path / "README.md"
    page.write_text(expected[page].replace(readme.parts()["figures"], "stale"), encoding="utf-8")
    assert "stale" in page.read_text(encoding="utf-8")
    monkeypatch.setattr(ledger, "WEIGHTS", tmp_path / "weights")
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    evaluate.main(evaluate.Config(measure=False))
    assert {path: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.[jm]*")} == expected


def test_the_readme_says_in_one_sentence_what_was_measured() -> None:
    sentence = readme.parts()["trust"]
    metrics = ledger.ensemble()["metrics"]
    assert len(ledger.ensemble()["voters"]) > 1
    unseen, clips, pictures = (metrics[key] for key in ("val_unseen_clips", "val_clips", "val_pictures"))
    assert f"{unseen['tpr']:.0%} of {unseen['n_fake']} clips of unseen generators" in sentence
    assert f"{clips['fpr']:.0%} of {clips['n_real']} real clips" in sentence
    assert sentence.endswith(f"{pictures['fpr']:.0%} of {pictures['n_real']} real pictures.")


def test_only_record_may_touch_what_the_project_says(tmp_path, monkeypatch) -> None:
    """Without it a benchmark is written, with the models that are named by commas or one after another."""
    asked: dict[str, object] = {}
    monkeypatch.setattr(evaluate.measure, "installed", lambda name, device: name)
    monkeypatch.setattr(
        evaluate.measure,
        "write",
        lambda data, split, models, out, **_: asked.update(data=data, models=models, split=split),
    )
    monkeypatch.setattr(evaluate.record, "measure", lambda *_, **__: pytest.fail("recorded"))
    names = ("effnetv2_b0_frame,effnet_b0_image", "xception")
    evaluate.main(evaluate.Config(data=(tmp_path,), models=names, split="test", out=tmp_path))
    assert asked["models"] == ["effnetv2_b0_frame", "effnet_b0_image", "xception"]
    assert asked["split"] == "test"
    monkeypatch.setattr(score.torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceMissing):
        evaluate.main(evaluate.Config(data=(tmp_path,), models=names, device="cuda"))
    with pytest.raises(SystemExit, match="leave out --run and --split"):
        evaluate.main(evaluate.Config(data=(tmp_path,), record=True, split="test"))
