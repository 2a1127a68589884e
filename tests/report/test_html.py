"""The HTML report: says what the report says, escapes what users wrote, and loads nothing from anywhere."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import ImageColor

from tbd_app.report import html, maps, palette, texts
from tbd_app.report.curves import Zones, frame_probs, lines, zones
from tests.report_factory import MODELS, REAL_BELOW, THRESHOLD, make_report, with_combination, with_known_vote

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
    for said in (*texts.opening(report), texts.next_step(report), texts.limits(kind), texts.quote(report)):
        assert said in page.text
    assert texts.answer_label(report) in page.text
    assert f"{texts.PRODUCT} {report.versions['tbd']}" in page.text
    assert "2026-11-30 01:22 UTC" in page.text
    assert report.media.sha256 in page.text
    assert texts.repeat_command(report) in page.text


def test_no_signs_is_grey_and_has_no_tick() -> None:
    source = html.render(make_report(label="real"))
    assert f'class="verdict" style="border-inline-start-color: {palette.ANSWERS["no_signs"]}"' in source
    red, green, blue = ImageColor.getrgb(palette.ANSWERS["no_signs"])
    assert max(red, green, blue) - min(red, green, blue) < 40
    assert not set("✓✔☑✅") & set(source)
    assert not set("✓✔☑✅") & set("".join(palette.ICONS.values()))


def test_what_no_signs_means_comes_before_what_was_found() -> None:
    report = with_known_vote(make_report(label="real"))
    text = Page(html.render(report)).text
    meaning = "In our test the models that judged found 9 of 27 fake clips and called 12 of 27 unmanipulated"
    assert -1 < text.find(meaning) < text.find("No signs of manipulation were found")
    assert "fakes called unmanipulated 44% (28%–63%)" in text


def test_a_phone_and_paper_are_thought_of() -> None:
    source = html.render(make_report())
    assert 'content="width=device-width, initial-scale=1"' in source
    assert "@media print" in source
    cells = re.findall(
        r"<td( data-label=[^>]*)?>",
        source[source.index('class="scores"') : source.index("</table>", source.index('class="scores"'))],
    )
    assert cells
    assert all(cells)  # each cell names its column where the table becomes a list


def test_the_three_zones_lie_behind_bars_and_curves_with_both_bounds() -> None:
    report = make_report(n_people=1)
    bounds = Zones(REAL_BELOW, THRESHOLD)
    assert zones(report) == bounds
    assert bounds.parts() == [
        ("real", 0.0, REAL_BELOW),
        ("between", REAL_BELOW, THRESHOLD),
        ("fake", THRESHOLD, 1.0),
    ]
    source = html.render(report)
    svg = ElementTree.fromstring(re.search(r"<svg.*?</svg>", source, re.S).group())  # noqa: S314 - our own text
    rects, names = svg.findall("rect"), [t.text for t in svg.findall("text")]
    assert [r.get("fill") for r in rects] == list(palette.ZONES.values())
    edges = [(float(r.get("y")), float(r.get("height"))) for r in rects]
    assert edges[1][0] + edges[1][1] == pytest.approx(edges[0][0], abs=0.2)
    assert {"real", "between", "fake", "0.50", "0.62"} <= set(names)
    assert source.count("linear-gradient(90deg, #98A2B366 0.0% 50.0%, #F5C45166 50.0% 62.0%, ") == len(MODELS)
    assert source.count(f"real below {REAL_BELOW:.2f}, fake from {THRESHOLD:.2f}") == len(MODELS)


def test_zones_of_models_with_other_bounds_are_as_wide_as_all_of_theirs() -> None:
    report = make_report(n_people=1)
    first, second, *rest = report.people[0].scores
    scores = (replace(first, threshold=0.8), replace(second, real_below=0.3), *rest)
    assert zones(replace(report, people=(replace(report.people[0], scores=scores),))) == Zones(0.3, 0.8)


@pytest.mark.parametrize("real_below", [0.5, 0.6, 0.61, 0.62])
def test_labels_of_near_bounds_do_not_collide(real_below) -> None:
    labels = html._bound_labels(Zones(real_below, 0.62), lambda prob: 172 * (1 - prob))
    heights = [label for _, label, _ in labels]
    assert len(labels) == (1 if real_below == 0.62 else 2)
    assert len(labels) == 1 or heights[0] - heights[1] >= html.LABEL_HEIGHT - 1e-6


def test_a_frame_score_is_called_so_and_the_curve_is_no_verdict() -> None:
    text = Page(html.render(make_report(n_people=1))).text
    assert re.search(r"most suspicious frame, frame score \d\.\d\d of effnetv2_b0_frame", text)
    assert "single peaks are common in real video" in text
    assert "by the mean over the frames that show them, not by one frame" in text


def test_one_frame_is_not_called_frames() -> None:
    text = Page(html.render(make_report(kind="frames", n_frames=1, n_people=1))).text
    assert "seen in 1 frame of the 1" in text
    assert "1 frames" not in text
    assert "1 person" in text
    assert "Person A: the frame score is" in text


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
    assert any(f"looked mostly at {place}" in page.text for place in maps.PLACES.values())
    assert maps.EVIDENCE_NOTE in page.text
    assert maps.EVIDENCE_NOTE not in Page(html.render(make_report(explain=False))).text


def test_the_plot_is_valid_svg_with_a_text_alternative() -> None:
    source = html.render(make_report(n_people=2))
    svg = ElementTree.fromstring(re.search(r"<svg.*?</svg>", source, re.S).group())  # noqa: S314 - our own text
    assert "Person A: the frame scores lie between" in svg.get("aria-label")
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
    assert "combined by how rare each is among real media" in text
    assert texts.REASONS["majority_differs"] in text
    assert "Together they score 0.80 (real below 0.40, fake from 0.55)." in text
    assert "Together" not in Page(html.render(make_report())).text
