"""The HTML report: says what the report says, escapes what users wrote, and loads nothing from anywhere."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from tbd_app.report import html, texts
from tbd_app.report.curves import frame_probs, lines
from tests.report_factory import make_report, with_combination

VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """Collects tags, attributes and text; `open` is empty at the end of a well-formed page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.text += data


@pytest.mark.parametrize("label", ["fake", "real", "uncertain", "not_applicable"])
@pytest.mark.parametrize("kind", ["video", "image", "frames"])
def test_every_report_renders(label, kind) -> None:
    report = make_report(label=label, kind=kind)
    page = Page(html.render(report))
    assert page.open == []
    assert texts.headline(report) in page.text
    assert texts.LIMITS in page.text
    assert report.media.sha256 in page.text
    assert texts.repeat_command(report) in page.text


def test_nothing_is_loaded_from_elsewhere() -> None:
    page = Page(html.render(make_report()))
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "iframe", "object", "form", "base"}
    sources = [a["src"] for tag, a in page.tags if tag == "img"]
    assert sources
    assert all(s and s.startswith("data:image/jpeg;base64,") for s in sources)
    policy = next(a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_names_and_warnings_are_escaped() -> None:
    evil = "<script>alert('x')</script>\"><img src=x onerror=y>.mp4"
    source = html.render(make_report(name=evil, warnings=(evil,)))
    page = Page(source)
    assert not any(tag == "script" for tag, _ in page.tags)
    assert not any("onerror" in attributes for _, attributes in page.tags)
    assert evil in page.text


def test_each_model_has_a_row_with_its_known_error() -> None:
    report = make_report(label="fake", n_people=1)
    page = Page(html.render(report))
    for score in report.people[0].scores:
        assert score.model in page.text
    assert "not installed: The model's weights are not installed." in page.text
    assert texts.NOT_MEASURED in page.text


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("video", "5% (1%–12%) of 40 real items (made clips)"),
        ("frames", "5% (1%–12%) of 40 real items (made clips)"),
        ("image", "5% (3%–7%) of 534 real items (made pictures)"),
    ],
)
def test_what_is_known_of_a_model_comes_from_the_report_and_fits_the_media(kind, known) -> None:
    assert f"wrongly flags {known}" in Page(html.render(make_report(kind=kind))).text


def test_evidence_pairs_come_with_words() -> None:
    report = make_report(n_people=1)
    page = Page(html.render(report))
    assert page.text.count("most suspicious frame") == 1
    assert texts.HEAT_NOTE in page.text
    assert texts.HEAT_NOTE not in Page(html.render(make_report(explain=False))).text


def test_the_plot_is_valid_svg_with_a_text_alternative() -> None:
    source = html.render(make_report(n_people=2))
    svg = ElementTree.fromstring(re.search(r"<svg.*?</svg>", source, re.S).group())  # noqa: S314 - our own text
    assert "person A between" in svg.get("aria-label")
    assert len(svg.findall("g")) == 2
    xs, ys = zip(*((float(c.get("cx")), float(c.get("cy"))) for c in svg.iter("circle")), strict=True)
    assert 0 <= min(xs) <= max(xs) <= html.PLOT[0]
    assert 0 <= min(ys) <= max(ys) <= html.PLOT[1]
    assert "<svg" not in html.render(make_report(kind="image"))


def test_a_gap_in_a_track_breaks_its_line() -> None:
    report = make_report(n_people=1)
    person = report.people[0]
    positions = person.track.positions.copy()
    positions[3:] += 2
    gapped = replace(person, track=replace(person.track, positions=positions))
    (line,) = lines(replace(report, people=(gapped,)))
    assert [len(run) for run in line.runs] == [3, len(positions) - 3]


def test_the_curve_is_the_mean_of_the_models_that_score_frames() -> None:
    person = make_report(n_people=1).people[0]
    curves = [s.frame_fake_prob for s in person.scores if s.frame_fake_prob]
    assert len(curves) == 2
    np.testing.assert_allclose(frame_probs(person), np.mean(curves, axis=0))


def test_a_combined_score_is_shown_with_its_two_bounds() -> None:
    text = Page(html.render(with_combination(make_report(n_people=1), 0.8, differs=True))).text
    assert texts.REASONS["combined"] in text
    assert texts.REASONS["majority_differs"] in text
    assert "Together they score 0.80 (real below 0.40, fake from 0.55)." in text
    assert "Together" not in Page(html.render(make_report())).text
