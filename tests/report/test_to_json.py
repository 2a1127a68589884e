"""Report JSON v1: what it holds, that it matches its schema, and that equal reports give equal bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from jsonschema import Draft202012Validator, ValidationError

from tbd_app.errors import EmptyFile, TooLarge
from tbd_app.known import MEASURED_AS, Combination, Family, KnownPerformance
from tbd_app.report.to_json import SCHEMA_PATH, dumps, error_to_dict, pretty, to_dict
from tbd_app.types import Reason
from tests.report_factory import KNOWN, make_report, with_combination

VALIDATOR = Draft202012Validator(json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(VALIDATOR.schema)


@pytest.mark.parametrize("label", ["fake", "real", "uncertain", "not_applicable"])
@pytest.mark.parametrize("kind", ["video", "image", "frames"])
def test_every_report_matches_the_schema(label, kind) -> None:
    VALIDATOR.validate(json.loads(dumps(make_report(label=label, kind=kind))))


def test_codes_are_those_of_the_types() -> None:
    definitions = VALIDATOR.schema["$defs"]
    assert definitions["reason"]["enum"] == list(get_args(Reason))
    assert definitions["family"]["enum"] == list(get_args(Family))


def test_a_report_written_before_these_keys_still_matches() -> None:
    document = to_dict(make_report())
    for key in ("models", "known_performance", "combination"):
        del document[key]
    for key in ("made_at", "answer"):
        del document[key]
    del document["settings"]["asked"], document["frames"]["turned"]
    for person in document["people"]:
        del person["answer"]
    for part in (document, *document["people"]):
        del part["verdict"]["voters"]
    for person in document["people"]:
        for score in person["scores"]:
            del score["real_below"]
    VALIDATOR.validate(document)


def test_known_figures_survive_and_are_of_the_kind_of_media() -> None:
    for kind in ("video", "frames", "image"):
        known = to_dict(make_report(kind=kind))["models"][0]["known_performance"]
        assert KnownPerformance.from_dict(known) == KNOWN[MEASURED_AS[kind]]
    assert to_dict(make_report())["models"][1]["known_performance"] is None


def test_the_combination_survives() -> None:
    report = with_combination(make_report(), 0.8)
    document = json.loads(dumps(report))
    VALIDATOR.validate(document)
    assert Combination(**document["combination"]) == report.combination
    assert "combined" in document["verdict"]["reasons"]
    assert to_dict(make_report())["combination"] is None


@pytest.mark.parametrize(
    "changes",
    [{"reals": {}}, {"reals": {"a": [1]}}, {"power": 0}, {"gain": -1}, {"threshold": 2}, {"colour": 1}],
)
def test_a_wrong_combination_does_not_match(changes) -> None:
    document = to_dict(with_combination(make_report(), 0.8))
    document["combination"] |= changes
    with pytest.raises(ValidationError):
        VALIDATOR.validate(document)


def test_error_documents_match_the_schema() -> None:
    plain = error_to_dict("a.mp4", EmptyFile("The file is empty."))
    bounded = error_to_dict("b.mp4", TooLarge("Too large.", limit=200, value=512.5))
    for document in (plain, bounded):
        VALIDATOR.validate(document)
    assert plain["error"] == {"code": "empty", "message": "The file is empty."}
    assert bounded["error"]["limit"] == 200
    assert bounded["error"]["value"] == 512.5


@pytest.mark.parametrize("where", ["", "media", "verdict", "frames"])
def test_the_schema_refuses_unknown_keys(where) -> None:
    document = to_dict(make_report())
    (document[where] if where else document)["surprise"] = 1
    with pytest.raises(ValidationError):
        VALIDATOR.validate(document)


def test_the_documented_keys_in_their_order() -> None:
    document = to_dict(make_report())
    person = document["people"][0]
    assert " ".join(document) == (
        "schema_version media made_at verdict answer people frames settings models known_performance combination stability "
        "provenance maps warnings versions timings_s"
    )
    assert " ".join(document["media"]) == "name kind sha256 width height fps duration_s n_frames codec"
    assert " ".join(document["verdict"]) == "label fake_prob votes reasons voters"
    assert " ".join(document["models"][0]) == "name architecture licence known_performance"
    assert " ".join(document["models"][0]["known_performance"]) == (
        "data n_real n_fake flagged_real found_fake called_real_fake auc sees blind_to counts"
    )
    assert " ".join(person) == (
        "track_id span_s n_frames median_face_px frame_positions times_s quality verdict answer scores"
    )
    assert " ".join(person["scores"][0]) == (
        "model status reason fake_prob vote threshold real_below frame_fake_prob"
    )


def test_values_survive() -> None:
    report = make_report(label="fake")
    document = json.loads(dumps(report))
    person, track = document["people"][0], report.people[0].track
    assert document["verdict"]["votes"] == {"fake": 2, "real": 0, "abstain": 1}
    assert person["n_frames"] == len(track) == len(person["frame_positions"]) == len(person["times_s"])
    assert person["median_face_px"] == track.quality.median_side_px
    assert person["scores"][0]["fake_prob"] == pytest.approx(report.people[0].scores[0].fake_prob)


def test_floats_have_six_decimals_and_numpy_becomes_plain() -> None:
    report = replace(make_report(), timings_s={"faces": np.float32(1) / 3, "score": 2 / 3})
    assert to_dict(report)["timings_s"] == {"faces": 0.333333, "score": 0.666667}
    assert all(type(p) is int for p in to_dict(report)["people"][0]["frame_positions"])


def test_a_file_for_people_is_indented_and_dated() -> None:
    text = pretty(make_report())
    assert text.startswith('{\n  "schema_version": 1,')
    assert text.endswith("}\n")
    assert json.loads(text) == json.loads(dumps(make_report()))
    assert json.loads(text)["made_at"] == "2026-11-30T01:22:03Z"


def test_equal_reports_give_equal_bytes() -> None:
    assert dumps(make_report()) == dumps(make_report())


def test_neither_path_nor_pictures_leak() -> None:
    text = dumps(make_report())
    assert "nowhere" not in text
    assert "thumbnail" not in text


@pytest.mark.parametrize("name", ["बाइट\u2028.mp4", "broken\udcff.mp4", 'a"b\n.mp4'])
def test_one_document_is_one_ascii_line_whatever_the_name(name) -> None:
    text = dumps(make_report(name=name))
    assert text.isascii()
    assert text.splitlines() == [text]
    assert json.loads(text)["media"]["name"] == name.replace("\udcff", "?")


def test_a_number_that_is_not_finite_is_an_error() -> None:
    with pytest.raises(ValueError, match="JSON"):
        dumps(replace(make_report(), timings_s={"faces": float("nan")}))
