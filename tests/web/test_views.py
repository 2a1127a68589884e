from __future__ import annotations

import base64
import html
import json
import re
from dataclasses import replace

import pytest

from tbd_app import catalogue
from tbd_app.cli import results
from tbd_app.errors import TooLarge
from tbd_app.report import html as html_report
from tbd_app.report import palette
from tbd_app.report import texts as words
from tbd_app.report.to_json import dumps
from tbd_app.settings import Limits
from tbd_app.types import ProgressEvent, Report
from tbd_app.web import jobs, parts, texts, views
from tests.report_factory import REAL_BELOW, THRESHOLD, make_report

HOSTILE = "<img src=x onerror=alert(1)>.mp4"


def _with_name(report: Report, name: str) -> Report:
    return replace(report, media=replace(report.media, name=name))


def _content(link: dict[str, str]) -> bytes:
    return base64.b64decode(link["href"].split("base64,")[1])


@pytest.mark.parametrize("label", ["fake", "real", "uncertain", "not_applicable"])
@pytest.mark.parametrize("kind", ["video", "image", "frames"])
def test_every_kind_of_report_can_be_shown(label, kind):
    report = make_report(label=label, kind=kind)
    result = views.result(report)
    for sentence in (*words.opening(report), words.next_step(report), words.KIND_LIMITS[kind]):
        assert sentence in html.unescape(result)
    assert words.answer_label(report) in result
    assert report.media.name in result.split("</summary>")[0], "the file's name stands first"
    assert report.media.sha256 in result


def test_the_answer_is_told_by_word_and_shape():
    icon, word = palette.ICONS["suspicious"], words.ANSWERS["suspicious"]
    assert re.search(rf">{icon}</span> {word}", views.result(make_report()))


def test_a_result_has_a_table_per_person_with_every_model_and_both_bounds():
    report = make_report(n_people=2)
    result = views.result(report)
    assert result.count("<table>") == 2
    for person in report.people:
        assert f"Person {words.person_name(person.track.track_id)}" in result
        for score in person.scores:
            assert score.model in result
    assert words.STATUSES["not_installed"] in result
    assert words.REASONS["weights_missing"].split("'")[0] in result
    assert f"real below {REAL_BELOW:.2f}, fake from {THRESHOLD:.2f}" in result
    assert f"--below:{100 * REAL_BELOW}%;--from:{100 * THRESHOLD}%" in result


def test_no_score_is_shown_as_a_percentage_or_made_up():
    (person, _) = make_report().people
    row = views.result(make_report()).split("swin_tiny_mean</bdi></small>")[1].split("</tr>")[0]
    assert not re.search(r"0\.\d", row)
    assert f"{person.scores[0].fake_prob:.2f}" in views.result(make_report())


def test_a_person_that_cannot_be_judged_says_why():
    report = make_report(label="real", n_people=2)
    first, second = report.people
    verdict = replace(second.verdict, label="not_applicable", fake_prob=None, reasons=("face_too_small",))
    report = replace(report, people=(first, replace(second, verdict=verdict, scores=())))
    assert words.REASONS["face_too_small"] in views.result(report)


def test_a_brief_find_is_one_line_and_no_person():
    report = make_report(label="real", n_people=2)
    first, second = report.people
    brief = replace(second, track=replace(second.track, exclusion="too_brief"), scores=())
    result = views.result(replace(report, people=(first, brief)))
    assert result.count('class="tbd-person"') == 1
    line = f"1 find that was too brief to judge ({words.span(second, 'video')}); it may be no face at all."
    assert line in result
    assert "<span>1 person</span>" in result
    maps = tuple(e for e in report.explanations if e.track_id == first.track.track_id)
    taken_along = html_report.render(replace(report, people=(first, brief), explanations=maps))
    assert line in taken_along
    assert "Person B" not in taken_along
    assert ">1 person<" in taken_along
    alone = views.result(replace(report, people=(brief,)))
    assert alone.count('class="tbd-person"') == 1, "where nobody else is, it is shown with its reason"


def test_a_poor_picture_is_remarked():
    report = make_report(n_people=1)
    (person,) = report.people
    quality = replace(person.track.quality, median_side_px=70.0)
    small = replace(person, track=replace(person.track, quality=quality))
    for view in (views.result, html_report.render):
        assert "The face is small (70 px)" in view(replace(report, people=(small,)))
        assert "The face is small" not in view(report)
    lines = map(str, results.full(replace(report, people=(small,))))
    assert any("Person A: The face is small (70 px)" in line for line in lines)


def test_names_and_warnings_of_the_user_are_escaped():
    report = _with_name(make_report(warnings=(HOSTILE,)), HOSTILE)
    for shown in (views.result(report), parts.queue([(HOSTILE, "waits", HOSTILE)] * 2)):
        assert "<img src=x" not in shown
        assert "&lt;img" in shown


def test_every_picture_has_a_text_alternative():
    result = views.result(make_report())
    pictures = re.findall("<img[^>]*>", result)
    assert pictures
    silent = [p for p in pictures if 'alt=""' in p]
    assert all("tbd-heat" in p for p in silent), "only maps, whose words are in the caption, are silent"
    assert all("alt=" in p for p in pictures)


def test_report_data_and_key_frames_are_links_with_safe_names():
    report = make_report(name="../día/clip 1.mp4")
    page, data, frames = views.downloads(report)
    assert [link["name"] for link in (page, data, frames)] == [
        "clip_1.tbd.html",
        "clip_1.tbd.json",
        "clip_1.frames.zip",
    ]
    assert json.loads(_content(data)) == json.loads(dumps(report))
    assert _content(data).count(b"\n") > 20, "people read it, too"
    assert report.media.sha256.encode() in _content(page)


def test_only_a_video_offers_an_annotated_video():
    assert "data-film" in views.result(make_report())
    assert "data-film" not in views.result(make_report(kind="image"))


def test_there_is_a_sentence_to_quote():
    report = make_report()
    assert words.quote(report) in html.unescape(views.result(report))


def test_progress_says_which_frame_of_which_file_and_how_long():
    step = jobs.Step(1, ProgressEvent("faces", 16, 32, 0.5, ""), 23.0)
    bar = parts.status(step, ["a.mp4", "b.mp4"])
    assert "File 2 of 2, b.mp4: Looking for faces (frame 16 of 32), about 25 seconds left" in bar
    assert 'value="75"' in bar
    assert 'role="status"' in bar
    assert texts.PREPARING in parts.status(jobs.Preparing())
    assert "2 analyses are before yours." in parts.status(jobs.Waiting(2))


def test_a_failure_is_an_alert_with_its_code():
    error = parts.failure(TooLarge("The file has 300 MB; the limit is 200 MB.", limit=200, value=300))
    assert 'role="alert"' in error
    assert "300 MB" in error
    assert "too_large" in error


def test_a_single_file_has_no_rows():
    assert parts.queue([("a.mp4", "waits", texts.ROW_WAITS)]) == ""


def test_only_installed_models_are_listed_by_what_they_are_for():
    rows = [replace(m, installed=m.name in ("swin_tiny_mean", "effnet_b0_lstm")) for m in catalogue.listing()]
    labels = {name: label for label, name in parts.model_choices(rows)}
    assert set(labels) == {"swin_tiny_mean", "effnet_b0_lstm"}
    assert labels["effnet_b0_lstm"].startswith(texts.PURPOSES["effnet_b0_lstm"])


def test_the_page_says_what_a_result_is_not_where_it_runs_and_what_may_be_sent():
    footer = parts.footer(catalogue.listing())
    assert "not proof" in footer
    assert "A face that is drawn, masked or covered is not recognised as such" in footer
    assert "Nothing is kept" in footer
    assert texts.LOCAL in parts.header()
    assert "Up to 200 MB" in parts.drop_zone(Limits(max_file_mb=200))
