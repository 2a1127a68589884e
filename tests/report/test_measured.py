"""What an answer means, by counts of the kind of media; nothing is said that was not measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tbd_app.report import texts
from tbd_app.report.to_json import to_dict
from tests.report_factory import MODELS, make_report, with_known_vote


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (
            "real",
            "found 9 of 27 fake clips and called 12 of 27 unmanipulated; on 6 others they gave no clear answer.",
        ),
        ("fake", "called 0 of 19 real clips fake, too."),
        ("uncertain", "found 9 of 27 fake clips and called 0 of 19 real clips fake, too."),
    ],
)
def test_each_answer_says_what_was_measured_of_it(label, said) -> None:
    report = with_known_vote(make_report(label=label))
    assert texts.meaning(report) == f"In our test the models that judged {said}"


def test_nothing_is_said_where_nobody_was_judged() -> None:
    report = with_known_vote(make_report(label="not_applicable"))
    assert texts.meaning(report) == texts.meaning_detail(report) == texts.how_reached(report) == ""


def test_pictures_are_called_pictures_and_a_zip_has_the_figures_of_clips() -> None:
    assert "fake pictures" in texts.meaning(with_known_vote(make_report(label="real", kind="image")))
    frames = with_known_vote(make_report(label="real", kind="frames"))
    assert "fake clips" in texts.meaning(frames)
    assert "Frames of a zip were not measured" in texts.meaning_detail(frames)
    assert "zip" not in texts.meaning_detail(with_known_vote(make_report(label="real")))


def test_intervals_are_in_the_second_line() -> None:
    report = with_known_vote(make_report(label="real"))
    assert texts.meaning_detail(report) == (
        "With 95 % intervals: fakes found 33% (19%–52%), fakes called unmanipulated 44% (28%–63%), "
        "real ones called fake 0% (0%–17%); made clips."
    )


def test_a_set_of_models_that_nobody_measured_together_says_so() -> None:
    report = make_report(label="real")
    assert (
        texts.meaning(report)
        == "How often the models that judged are together right on clips was not measured."
    )
    (person, *_) = report.people
    alone = replace(person, scores=person.scores[:1])
    by_one = replace(report, people=(alone,))
    assert texts.meaning(by_one) == "How often the model that judged is right on clips was not measured."
    suspicious = make_report(label="fake", n_people=1)
    one = replace(suspicious.people[0], scores=suspicious.people[0].scores[:1])
    said = texts.meaning(replace(suspicious, people=(one,)))
    assert said == "In our test the model that judged called 2 of 40 real clips fake, too."


def test_a_figure_that_lacks_is_not_made_up() -> None:
    lacking = with_known_vote(make_report(label="real"), called_real_fake=None)
    assert "was not measured" in texts.meaning(lacking)
    assert "0 of" not in texts.meaning(with_known_vote(make_report(label="fake"), flagged_real=None))


def test_counts_are_in_the_json() -> None:
    document = to_dict(with_known_vote(make_report()))
    assert document["known_performance"]["counts"] == {
        "flagged_real": [0, 19],
        "found_fake": [9, 27],
        "called_real_fake": [12, 27],
    }
    assert document["models"][0]["known_performance"]["counts"] == {"flagged_real": [2, 40]}
    assert document["models"][0]["name"] == MODELS[0]
