"""A person has one colour, whichever view of the report shows them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import ImageColor

from tbd_app.media.open import open_media
from tbd_app.report import annotate, html, overlays, palette, texts
from tbd_app.settings import Limits
from tbd_app.types import Person, Report
from tbd_app.web import timeline
from tests import media_factory
from tests.report_factory import make_report


def without_a_curve(person: Person) -> Person:
    scores = tuple(replace(s, frame_fake_prob=None) for s in person.scores)
    return replace(person, scores=scores)


@pytest.fixture
def report() -> Report:
    """Three people; the first has no curve, so that places in a plot and people's numbers differ."""
    report = make_report(n_people=3)
    return replace(report, people=(without_a_curve(report.people[0]), *report.people[1:]))


def test_people_differ_and_a_stranger_is_grey() -> None:
    assert len(set(palette.PEOPLE)) == len(palette.PEOPLE)
    assert palette.person(len(palette.PEOPLE)) == palette.person(0)
    assert palette.person(-1) == palette.UNTRACKED not in palette.PEOPLE


def test_on_the_frames(report: Report) -> None:
    shot = next(s for s in report.snapshots if set(s.track_ids) == {0, 1, 2})
    drawn = overlays.draw_boxes(shot)
    for track_id, box in zip(shot.track_ids, shot.boxes.astype(int), strict=True):
        left_edge = drawn[box[1] + 30, box[0]]
        assert tuple(left_edge) == ImageColor.getrgb(palette.person(track_id))


def test_in_the_plot_of_the_page(report: Report) -> None:
    line = timeline.of_report(report)
    assert line is not None
    people = {f"Person {texts.person_name(i)}": palette.person(i) for i in (1, 2)}
    assert {c.name: c.colour for c in line.curves} == people


def test_in_the_html_report(report: Report) -> None:
    page = html.render(report)
    heads = re.findall(r'class="dot" style="background: (#\w+)"></span> Person (\w)', page)
    curves = re.findall(r'<g stroke="(#\w+)" fill="\1">\s*<title>Person (\w)', page)
    expected = [(palette.person(i), texts.person_name(i)) for i in range(3)]
    assert (heads, curves) == (expected, expected[1:])


@pytest.mark.parametrize("track_id", [0, 1])
def test_in_the_annotated_video(report: Report, track_id: int, tmp_path: Path) -> None:
    path = media_factory.portrait_clip(tmp_path / "clip.mp4", n_frames=6)
    person = report.people[track_id]
    boxes = np.tile(np.float32([80, 60, 160, 180]), (len(person.track), 1))
    times_s = tuple(np.linspace(0, 0.2, len(boxes)))
    alone = replace(person, track=replace(person.track, boxes=boxes), times_s=times_s)
    counts = replace(report.frames, size=(320, 240))
    about = replace(report, media=open_media(path, Limits()), people=(alone,), frames=counts)
    annotate.write(about, path, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    edge = frame[80:160, 80:82].reshape(-1, 3).mean(axis=0)
    distances = {c: np.abs(edge - ImageColor.getrgb(c)).mean() for c in palette.PEOPLE}
    assert min(distances, key=distances.__getitem__) == palette.person(track_id)
