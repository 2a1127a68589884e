"""What is said of maps: their kind in words, that attention gives no reasons, and who has none."""

from __future__ import annotations

import re
from dataclasses import replace

from tbd_app.report import html, maps, texts
from tbd_app.report.to_json import to_dict
from tbd_app.types import Report
from tbd_app.web import evidence
from tests.report_factory import MODELS, make_report


def attentive(**changes: object) -> Report:
    """A report whose shown maps are of attention, with a second model that has none."""
    report = make_report(n_people=1)
    shown = tuple(replace(e, kind="rollout", **changes) for e in report.explanations)
    return replace(
        report,
        explanations=shown,
        maps={MODELS[0]: "rollout", MODELS[1]: "grad_cam"},
        settings=report.settings | {"attention": True},
    )


def test_attention_is_named_and_said_to_give_no_reason() -> None:
    report = attentive(over_time=1.26)
    page = html.render(report)
    for said in (maps.ATTENTION_NOTE, maps.EVIDENCE_NOTE, f"so Grad-CAM: {MODELS[1]}."):
        assert said in page
    assert re.search(
        r"attention through all layers, looked [a-z ]+, this frame has 1\.3 times an even share of it", page
    )
    assert to_dict(report)["maps"] == {MODELS[0]: "rollout", MODELS[1]: "grad_cam"}
    assert "--attention --explain" in texts.repeat_command(report)


def test_without_attention_nothing_is_said_of_it() -> None:
    report = make_report(n_people=1)
    assert texts.map_notes(report) == [maps.EVIDENCE_NOTE]
    assert "attention through" not in html.render(report)
    assert len(texts.map_scales(report.maps.values())) == 1


def test_a_query_is_named_by_its_part_of_the_face() -> None:
    report = attentive(part="lips")
    assert "attention of the query for the lips" in html.render(report)
    (gallery,) = evidence.galleries(report)
    assert "attention of the query for the lips, looked" in gallery.highest[0].caption


def test_attention_outside_the_face_is_no_reason_to_doubt_a_score() -> None:
    report = attentive()
    heat = report.explanations[0].heat * 0
    heat[158, 2] = 1
    report = replace(report, explanations=tuple(replace(e, heat=heat) for e in report.explanations))
    (gallery,) = evidence.galleries(report)
    assert gallery.warning == ""
    assert "looked mostly outside the face" in gallery.highest[0].caption
