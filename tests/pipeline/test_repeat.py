"""A verdict can be had again: by the command that a report prints, and from its JSON alone."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from tbd_app.cli.batch import Batch
from tbd_app.cli.main import app
from tbd_app.models import registry
from tbd_app.pipeline.analyze import analyze
from tbd_app.report import html, texts
from tbd_app.report.reasons import FAMILIES
from tbd_app.report.to_json import SCHEMA_PATH, dumps
from tbd_app.settings import AnalysisSettings
from tbd_app.types import Report
from tbd_app.web import jobs, views
from tests import media_factory, recount
from tests.pipeline.conftest import ABSENT_MODEL, CLIP_MODEL, FRAME_MODEL

VALIDATOR = Draft202012Validator(json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))
DEFAULT, OTHER = FRAME_MODEL, CLIP_MODEL
EVERY = ",".join(registry.list_models())
MEASURED = {"data": "made media", "n_real": 9, "n_fake": 9}
Listed = Callable[..., Path]


@pytest.fixture
def listed(random_weights: Path, weights_dir: Callable[[Path], Path], tmp_path: Path) -> Listed:
    """Lists the models with random weights, the first a default voter and the second not, with these changes by name."""

    def write(
        vote: dict[str, Any] | None = None,
        combination: dict[str, Any] | None = None,
        **changes: dict[str, Any],
    ) -> Path:
        folder = tmp_path / "weights"
        if not folder.exists():
            weights_dir(Path(shutil.copytree(random_weights, folder)))
        path = folder / "manifest.json"
        document = json.loads(path.read_text(encoding="utf-8"))
        for entry in document["models"]:
            entry["default_voter"] = entry["name"] == DEFAULT
            entry.update(changes.get(entry["name"], {}))
        if vote is not None:
            document["ensemble"] = {"voters": [DEFAULT], "metrics": {}, "known_performance": vote}
        if combination is not None:
            document["ensemble"] = {"voters": [DEFAULT], "metrics": {}, "combination": combination}
        path.write_text(json.dumps(document), encoding="utf-8")
        return folder

    return write


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return media_factory.portrait_image(tmp_path_factory.mktemp("media") / "a face.png", size=(480, 480))


def asked(models: tuple[str, ...]) -> AnalysisSettings:
    return AnalysisSettings(n_frames=8, models=models, explain=False, device="cpu")


def parsed(command: str, monkeypatch: pytest.MonkeyPatch) -> AnalysisSettings:
    """The settings that `tbd analyze` makes of a command line, without analysing anything."""
    made: list[AnalysisSettings] = []
    monkeypatch.setattr(Batch, "run", lambda self: made.append(self.settings))
    program, *words = shlex.split(command)
    assert program == "tbd"
    CliRunner().invoke(app, words, catch_exceptions=False)
    (settings,) = made
    return settings


def bounds(*, fake: bool) -> dict[str, Any]:
    """Changes of an entry with which a model says the same of any face."""
    numbers = {"threshold": 1e-6, "real_below": 0.0} if fake else {"threshold": 1.0, "real_below": 1.0}
    return {"calibration": numbers | {"temperature": 1.0}}


def agree(folder: Path) -> None:
    """Write the manifest's bounds into the headers of the weights, which must say the same."""
    from safetensors.torch import load_file, save_file

    from tbd_app.models import weights

    path = folder / "manifest.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    for entry in document["models"]:
        file = folder / entry["file"]
        if file.is_file():
            header = weights.header_of(registry.spec(entry["name"]))
            save_file(load_file(file), file, metadata={"tbd": json.dumps(header)})
            entry.update(sha256=weights.sha256_of(file), bytes=file.stat().st_size)
    path.write_text(json.dumps(document), encoding="utf-8")


@pytest.mark.parametrize(
    ("models", "voters", "label"),
    [
        (("default",), [DEFAULT], "fake"),
        (("all",), [DEFAULT], "fake"),
        ((DEFAULT, OTHER), [DEFAULT, OTHER], "uncertain"),
        (tuple(EVERY.split(",")), EVERY.split(","), "uncertain"),
        (("default", OTHER), [DEFAULT, OTHER], "uncertain"),
        ((OTHER,), [OTHER], "real"),
    ],
    ids=["default", "all", "both named", "all named", "default and a name", "another named"],
)
def test_the_printed_command_gives_the_same_verdict(
    listed, picture, models, voters, label, monkeypatch
) -> None:
    agree(listed(**{DEFAULT: bounds(fake=True), OTHER: bounds(fake=False)}))
    report = analyze(picture, asked(models))
    assert (list(report.verdict.voters), report.verdict.label) == (voters, label)
    assert report.settings["asked"] == list(models)
    again = parsed(texts.repeat_command(report), monkeypatch)
    assert again.models == models
    repeated = analyze(picture, replace(again, device="cpu"))
    assert dumps(replace(repeated, timings_s={}, made_at="")) == dumps(
        replace(report, timings_s={}, made_at="")
    )


def test_a_small_face_is_judged_where_that_is_asked_for_and_the_command_says_so(
    listed, tmp_path, monkeypatch
) -> None:
    agree(listed(**{DEFAULT: bounds(fake=True)}))
    small = media_factory.portrait_image(tmp_path / "small.png", size=(160, 120))
    assert analyze(small, asked(("default",))).verdict.reasons == ("face_too_small",)
    report = analyze(small, replace(asked(("default",)), min_face_px=32, min_track_share=0.1))
    assert report.verdict.label == "fake"
    again = parsed(texts.repeat_command(report), monkeypatch)
    assert (again.min_face_px, again.min_track_share) == (32, 0.1)
    assert analyze(small, again).verdict == report.verdict


@pytest.mark.parametrize("ticked", [[DEFAULT], [OTHER, DEFAULT], EVERY.split(",")])
def test_the_command_on_the_page_gives_what_the_ticks_gave(listed, picture, ticked, monkeypatch) -> None:
    listed()
    report = analyze(picture, jobs.settings(8, 0.9, ticked, False, ticked=True))
    again = parsed(texts.repeat_command(report), monkeypatch)
    assert set(report.verdict.voters) == set(ticked)
    assert analyze(picture, again).verdict == report.verdict
    command = texts.repeat_command(report)
    for page in (views.result(report), html.render(report)):
        assert command in page.replace("&#39;", "'")


def test_ticking_what_is_ticked_at_first_is_the_default(listed, picture) -> None:
    listed()
    ticked = analyze(picture, jobs.settings(8, 0.9, [DEFAULT], False, ticked=True))
    default = analyze(picture, asked(("default",)))
    assert dumps(replace(ticked, timings_s={}, made_at="")) == dumps(
        replace(default, timings_s={}, made_at="")
    )


def recounts(report: Report) -> dict[str, Any]:
    """Holds every verdict of a report against one that is worked out from its JSON alone; the JSON."""
    document = json.loads(dumps(report))
    VALIDATOR.validate(document)
    for verdict, again in [
        (document["verdict"], recount.of_file(document)),
        *((p["verdict"], recount.of_person(p, document)) for p in document["people"]),
    ]:
        assert verdict.pop("fake_prob") == pytest.approx(again.pop("fake_prob"), abs=2e-6)
        assert verdict == again
    assert document["answer"] == recount.answer_about_file(document)
    for person in document["people"]:
        assert person["answer"] == recount.answer_about_person(person, document)
    for score in (s for p in document["people"] for s in p["scores"]):
        bounded = score["status"] == "ok"
        assert bounded == (score["threshold"] is not None) == (score["real_below"] is not None)
    return document


@pytest.mark.parametrize("fake", [True, False])
@pytest.mark.parametrize(
    "models", [("default",), ("all",), (DEFAULT, OTHER), (OTHER, ABSENT_MODEL), (ABSENT_MODEL,)]
)
def test_every_verdict_can_be_worked_out_from_the_json_alone(listed, picture, models, fake) -> None:
    agree(listed(**{DEFAULT: bounds(fake=fake), OTHER: bounds(fake=False)}))
    recounts(analyze(picture, asked(models)))


def combining(bias: float, *models: str) -> dict[str, Any]:
    """A combination that leaves the scores of random weights, near a half, a score near that of its bias."""
    reals = {name: (-0.123456789 * (k + 1), 2.0) for k, name in enumerate(models)}
    return {
        "reals": reals,
        "power": 4.0,
        "gain": 0.2,
        "bias": bias - 0.15,
        "threshold": 0.6,
        "real_below": 0.4,
    }


@pytest.mark.parametrize(
    ("models", "combination", "label"),
    [
        ((DEFAULT, OTHER), {"image": combining(1.5, DEFAULT, OTHER)}, "fake"),
        ((DEFAULT, OTHER), {"image": combining(0.0, DEFAULT, OTHER)}, "uncertain"),
        ((DEFAULT, OTHER), {"image": combining(-1.5, OTHER, DEFAULT)}, "real"),
        (("default",), {"image": combining(1.5, DEFAULT)}, "fake"),
        (("all",), {"image": combining(1.5, DEFAULT)}, "fake"),  # all are shown, the default voter votes
        ((DEFAULT, OTHER), {"image": combining(1.5, DEFAULT)}, None),  # fitted for other voters
        ((DEFAULT, OTHER), {"video": combining(1.5, DEFAULT, OTHER)}, None),  # for clips; this is a picture
        (
            (DEFAULT, ABSENT_MODEL),
            {"image": combining(1.5, DEFAULT, ABSENT_MODEL)},
            None,
        ),  # not on this machine
    ],
)
def test_a_combination_decides_and_can_be_worked_out_from_the_json_too(
    listed, picture, models, combination, label, monkeypatch
) -> None:
    listed(combination=combination)
    report = analyze(picture, asked(models))
    document = recounts(report)
    if label is None:
        assert report.combination is document["combination"] is None
        assert "combined" not in report.verdict.reasons
        return
    assert report.verdict.label == label
    assert "combined" in report.verdict.reasons
    assert document["combination"]["reals"][DEFAULT] in ([-0.123457, 2.0], [-0.246914, 2.0])
    again = analyze(picture, replace(parsed(texts.repeat_command(report), monkeypatch), device="cpu"))
    assert dumps(replace(again, timings_s={}, made_at="")) == dumps(replace(report, timings_s={}, made_at=""))


def test_a_combination_of_clips_is_for_clips(listed, tmp_path) -> None:
    listed(combination={"video": combining(1.5, DEFAULT), "image": combining(-1.5, DEFAULT)})
    clip = media_factory.portrait_clip(tmp_path / "clip.mp4", n_frames=8)
    report = analyze(clip, asked(("default",)))
    assert recounts(report)["combination"]["bias"] == 1.35
    assert report.verdict.label == "fake"


def test_verdicts_about_people_that_cannot_be_judged_too(listed, tmp_path) -> None:
    folder = listed()
    small = media_factory.portrait_image(tmp_path / "small.png", size=(160, 120))
    waves = media_factory.faceless_clip(tmp_path / "waves.mp4", n_frames=10)
    (folder / f"{OTHER}.safetensors").write_bytes(b"damaged")
    for path in (small, waves):
        recounts(analyze(path, asked(("all",))))
    clip = media_factory.portrait_clip(tmp_path / "clip.mp4", n_frames=8)
    for models, reason in (((OTHER,), "model_failed"), ((OTHER, DEFAULT), "too_few_voters")):
        assert recounts(analyze(clip, asked(models)))["verdict"]["reasons"] == [reason]


# --- what the manifest says that a voter is blind to, up to the sentence that a user reads ---


def blind(*families: str, sees: tuple[str, ...] = ()) -> dict[str, Any]:
    return MEASURED | {"blind_to": list(families), "sees": list(sees)}


@pytest.mark.parametrize(
    ("models", "known", "vote", "codes"),
    [
        (("default",), {DEFAULT: {"image": blind("talking", "t2v")}}, None, ["talking", "t2v"]),
        (("all",), {DEFAULT: {"image": blind("talking")}, OTHER: {"image": blind("swap")}}, None, ["talking"]),
        (("default",), {DEFAULT: {"video": blind("talking")}}, None, []),  # measured on clips; this is a picture
        ((DEFAULT, OTHER), {DEFAULT: {"image": blind("talking", "t2v")},
                            OTHER: {"image": blind("swap", sees=("talking",))}}, None, ["t2v", "swap"]),
        (("default",), {DEFAULT: {"image": blind("talking")}}, {"image": blind("edit")}, ["edit"]),
        ((DEFAULT, OTHER), {DEFAULT: {"image": blind("talking")}}, {"image": blind("edit")}, ["talking"]),
        ((DEFAULT, ABSENT_MODEL), {}, {"image": blind("edit")}, None),
    ],
)  # fmt: skip
def test_blind_spots_of_the_manifest_become_sentences(listed, picture, models, known, vote, codes) -> None:
    changes = {name: bounds(fake=False) for name in (DEFAULT, OTHER)}
    for name, figures in known.items():
        changes[name] |= {"known_performance": figures}
    agree(listed(vote, **changes))
    report = analyze(picture, asked(models))
    document = recounts(report)
    found = [code for code in report.verdict.reasons if code.startswith("blind_to_")]
    assert found == [f"blind_to_{family}" for family in codes or []]
    assert report.verdict.label == ("uncertain" if codes is None else "real")
    for code in found:
        assert FAMILIES[code.removeprefix("blind_to_")] in texts.headline(report).lower()
        assert texts.reason(code, "image") in texts.limits("image", report)
        assert texts.reason(code, "image") in html.render(report)
    for model in document["models"]:
        figures = known.get(model["name"], {}).get("image")
        shown = model["known_performance"]
        assert (shown and shown["blind_to"]) == (figures and figures["blind_to"])
