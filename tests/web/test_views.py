from __future__ import annotations

import base64
import re
from dataclasses import replace

import numpy as np
import pytest

from tbd_app import catalogue
from tbd_app.errors import TooLarge
from tbd_app.report import texts as words
from tbd_app.report.to_json import dumps
from tbd_app.types import ProgressEvent, Report
from tbd_app.web import texts, views
from tests.report_factory import THRESHOLD, make_report, with_combination

HOSTILE = "<img src=x onerror=alert(1)>.mp4"


def _with_name(report: Report, name: str) -> Report:
    return replace(report, media=replace(report.media, name=name))


@pytest.mark.parametrize("label", ["fake", "real", "uncertain", "not_applicable"])
@pytest.mark.parametrize("kind", ["video", "image", "frames"])
def test_every_kind_of_report_can_be_shown(label, kind):
    report = make_report(label=label, kind=kind)
    summary = views.summary(report)
    assert words.headline(report) in summary.replace("&#39;", "'")
    assert words.LABELS[label] in summary
    assert views.evidence(report)
    assert report.media.sha256 in views.details(report)


def test_the_verdict_is_told_by_word_and_shape_and_not_by_colour_alone():
    shapes = {views.ICONS[label] for label in ("fake", "real", "uncertain", "not_applicable")}
    assert len(shapes) == 4


def test_summary_has_a_table_per_person_with_every_model():
    report = make_report(n_people=2)
    summary = views.summary(report)
    assert summary.count("<table>") == 2
    for person in report.people:
        assert f"Person {words.person_name(person.track.track_id)}" in summary
        for score in person.scores:
            assert score.model in summary
    assert words.STATUSES["not_installed"] in summary
    assert words.REASONS["weights_missing"].split("'")[0] in summary
    assert f"{THRESHOLD:.2f}" in summary


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("video", "5% (1%–12%) of 40 real items (made clips)"),
        ("frames", "5% (1%–12%) of 40 real items (made clips)"),
        ("image", "5% (3%–7%) of 534 real items (made pictures)"),
    ],
)
def test_what_is_known_of_a_model_comes_from_the_report_and_fits_the_media(kind, known):
    summary = views.summary(make_report(kind=kind))
    assert f"wrongly flags {known}" in summary
    assert "Architecture of effnetv2_b0_frame" in summary


def test_no_score_is_shown_as_a_percentage_or_made_up():
    summary = views.summary(make_report())
    measured = re.compile("wrongly flags [^<]*")  # error rates are percentages, scores are not
    assert "%" not in re.sub("<[^>]*>", "", measured.sub("", summary))
    absent = summary.split("swin_tiny_mean")[1].split("</tr>")[0]
    assert "0.5" not in absent


def test_a_person_that_cannot_be_judged_says_why():
    report = make_report(label="real", n_people=2)
    first, second = report.people
    verdict = replace(second.verdict, label="not_applicable", fake_prob=None, reasons=("face_too_small",))
    report = replace(report, people=(first, replace(second, verdict=verdict, scores=())))
    assert words.REASONS["face_too_small"] in views.summary(report)


def test_names_and_warnings_of_the_user_are_escaped():
    report = _with_name(make_report(warnings=(HOSTILE,)), HOSTILE)
    for html in (views.summary(report, texts.used(HOSTILE, "video")), views.details(report)):
        assert "<img src=x" not in html
        assert "&lt;img" in html


def test_every_picture_has_a_text_alternative():
    evidence = views.evidence(make_report())
    assert evidence.count("<img") == evidence.count('alt="') > 0
    assert 'alt=""' not in evidence


def test_grad_cam_pairs_have_captions_in_words():
    report = make_report(n_people=1)
    captions = [views.pair_caption(e, "video") for e in report.explanations]
    assert captions[0].startswith("Most suspicious frame")
    assert captions[1].startswith("Least suspicious frame")


@pytest.mark.parametrize(
    ("y", "x", "expected"),
    [(5, 5, "upper left"), (50, 50, "at the centre"), (95, 50, "lower centre"), (50, 95, "middle right")],
)
def test_focus_names_the_brightest_part(y, x, expected):
    heat = np.zeros((100, 100), np.float32)
    heat[y, x] = 1
    assert expected in views.focus(heat)


def test_a_faint_map_has_no_focus():
    assert views.focus(np.full((8, 8), 0.1, np.float32)) == texts.NO_FOCUS


def test_progress_and_failure():
    bar = views.progress(ProgressEvent("faces", 8, 32, 0.4, "Finding faces"))
    assert 'value="40"' in bar
    assert 'role="status"' in bar
    error = views.failure(TooLarge("The file has 300 MB; the limit is 200 MB.", limit=200, value=300))
    assert 'role="alert"' in error
    assert "300 MB" in error
    assert "too_large" in error


@pytest.mark.parametrize(
    ("name", "expected"),
    [("clip.mp4", "clip.tbd.json"), ("../ä b?.mp4", "ä_b.tbd.json"), ("???.mp4", "report.tbd.json")],
)
def test_the_link_holds_the_report_under_a_safe_name(name, expected):
    report = make_report(name=name)
    link = views.download(report)
    assert f'download="{expected}"' in link
    data = link.split("base64,")[1].split('"')[0]
    assert base64.b64decode(data).decode() == dumps(report) + "\n"


def test_models_without_weights_are_marked():
    rows = [replace(m, installed=m.name == "swin_tiny_mean") for m in catalogue.listing()]
    labels = {name: label for label, name in views.model_choices(rows)}
    assert texts.NOT_INSTALLED not in labels["swin_tiny_mean"]
    assert texts.NOT_INSTALLED in labels["effnet_b0_lstm"]


def test_footer_says_what_a_result_is_not():
    footer = views.footer(catalogue.listing())
    assert "not proof" in footer
    assert "Nothing is kept" in footer


def test_a_combined_score_is_shown_with_its_two_bounds():
    summary = views.summary(with_combination(make_report(n_people=1), 0.8))
    assert "Together they score 0.80 (real below 0.40, fake from 0.55)." in summary
    assert "Together" not in views.summary(make_report())
