from __future__ import annotations

import base64
import io
import zipfile
from dataclasses import replace

import numpy as np
from PIL import Image

from tbd_app.report import html, maps
from tbd_app.web import evidence
from tests.report_factory import make_report


def _picture(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1]))))


def test_a_map_is_clear_where_it_is_cold_and_yellow_where_it_is_hot():
    heat = np.zeros((8, 8), np.float32)
    heat[2, 3] = 1
    picture = _picture(evidence.heat_uri(heat))
    assert picture.shape == (8, 8, 4)
    assert picture[0, 0, 3] == 0
    red, green, blue, alpha = picture[2, 3].astype(int)
    assert min(red, green) > 2 * blue
    assert alpha > 128


def test_every_frame_has_its_boxes_maps_scores_and_place_of_focus():
    report = make_report(n_people=2)
    frames = evidence.frames(report)
    assert [f.position for f in frames] == list(range(report.frames.decoded))
    both = next(f for f in frames if len(f.boxes) == 2)
    assert len(both.maps) == 2
    assert {b.caption for b in both.boxes} == {"A", "B"}
    assert both.sentences[0].startswith("Person A: score 0.")
    assert all(b.left >= 0 and b.left + b.width <= 100.01 for f in frames for b in f.boxes)


def test_crops_are_grouped_by_person_and_model_and_say_where_the_model_looked():
    report = make_report(n_people=1)
    (gallery,) = evidence.galleries(report)
    assert (gallery.person, gallery.model) == ("Person A", report.explanations[0].model)
    assert len(gallery.highest) == len(gallery.lowest) == 1
    assert any(place in gallery.highest[0].caption for place in maps.PLACES.values())
    assert gallery.warning == ""


def test_a_model_that_looked_outside_the_face_is_warned_of():
    report = make_report(n_people=1)
    heat = np.zeros((160, 160), np.float32)
    heat[158, 2] = 1
    report = replace(report, explanations=tuple(replace(e, heat=heat) for e in report.explanations))
    (gallery,) = evidence.galleries(report)
    assert "In 2 of the 2 highest pictures" in maps.outside_warning([report.explanations[0]] * 2)
    assert maps.looked("outside", "grad_cam") in gallery.highest[0].caption
    assert "In the picture with the highest score the model looked outside" in gallery.warning
    assert f"Person A, {gallery.model}: {gallery.warning}" in html.render(report)
    assert "highest score the model looked" not in html.render(make_report(n_people=1))


def test_key_frames_are_a_zip_of_untouched_frames():
    report = make_report(n_people=1)
    archive = zipfile.ZipFile(io.BytesIO(evidence.key_frames(report)))
    assert len(archive.namelist()) == len({e.position for e in report.explanations})
    picture = np.asarray(Image.open(io.BytesIO(archive.read(archive.namelist()[0]))))
    assert np.abs(picture.astype(int) - report.snapshots[0].image).mean() < 4
    assert evidence.key_frames(make_report(explain=False)) == b""


def test_the_most_suspicious_frame_is_shown_first():
    report = make_report(n_people=1)
    best = max(report.explanations, key=lambda e: e.fake_prob)
    assert evidence.first_shown(report) == best.position
    assert evidence.first_shown(make_report(label="not_applicable")) == 0
