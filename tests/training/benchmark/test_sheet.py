"""Sheets have a row for each face and a column for each map, on one scale."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tbd_app.errors import NotMedia
from tbd_app.models import registry
from tbd_app.pipeline import grad_cam
from tbd_app.settings import AnalysisSettings
from tests import media_factory
from tests.report_factory import make_report
from training import evaluate_attention
from training.benchmark import sheet


def row(n_maps: int, strongest: float = 4.0) -> sheet.Row:
    (one, *_) = make_report(n_people=1).explanations
    own = tuple(replace(one, kind="rollout", over_time=1.5) for _ in range(n_maps))
    return sheet.Row("clip.mp4", one, strongest, own)


def picture(of: np.ndarray, number: int, column: int) -> np.ndarray:
    top = sheet.CAPTION + number * (sheet.SIDE + sheet.CAPTION + sheet.GAP) + sheet.GAP
    left = sheet.GAP + column * (sheet.SIDE + sheet.GAP)
    return of[top : top + sheet.SIDE, left : left + sheet.SIDE]


def test_a_sheet_has_faces_in_rows_and_maps_in_columns() -> None:
    rows = [row(1), row(1, strongest=8.0)]
    (drawn,) = sheet.sheets("clip_b16_ln1", rows)
    of = np.asarray(drawn)
    for number, one in enumerate(rows):
        heat = one.evidence.heat * (one.strongest / 8)  # the strongest of all rows
        wanted = (one.evidence.crop, grad_cam.blend(one.evidence.crop, heat), one.attention[0].overlay)
        for column, crop in enumerate(wanted):
            np.testing.assert_array_equal(picture(of, number, column), sheet._square(crop))


def test_each_query_has_a_column_and_many_rows_several_sheets() -> None:
    (one,) = sheet.sheets("dfd_fcg_b16", [row(4), row(0)])
    assert one.width == 6 * (sheet.SIDE + sheet.GAP) + sheet.GAP
    heights = [s.height for s in sheet.sheets("clip_b16_ln1", [row(1)] * (sheet.ROWS + 1))]
    assert len(heights) == 2
    assert heights[0] > heights[1]


def test_rows_of_a_file_hold_both_maps_of_the_same_face(tmp_path: Path) -> None:
    name = "clip_b16_ln1"
    if not registry.is_installed(name):
        pytest.skip(f"{name} is not installed")
    path = media_factory.portrait_image(tmp_path / "face.png")
    settings = AnalysisSettings(n_frames=8, models=(name,), device="cpu")
    (one,) = sheet.rows_of(path, name, settings, faces=1)
    (own,) = one.attention
    assert (one.file, one.evidence.kind, own.kind) == ("face.png", "grad_cam", "rollout")
    np.testing.assert_array_equal(own.crop, one.evidence.crop)
    assert own.fake_prob == one.evidence.fake_prob
    assert own.heat.max() > 0


def test_the_command_goes_on_past_a_file_that_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def rows_of(path: Path, *_: object) -> list[sheet.Row]:
        if path.name == "bad.mp4":
            raise NotMedia("It is no media file.")
        return [row(1)]

    monkeypatch.setattr(sheet, "rows_of", rows_of)
    monkeypatch.setattr(registry, "is_installed", lambda _: True)
    files = tuple(tmp_path / name for name in ("bad.mp4", "good.mp4"))
    config = evaluate_attention.Config(files, models=("clip_b16_ln1",), out=tmp_path / "out")
    evaluate_attention.main(config)
    said = capsys.readouterr().out
    assert "bad.mp4: It is no media file." in said
    assert (tmp_path / "out" / "clip_b16_ln1-01.png").is_file()
    assert "clip_b16_ln1-01.png" in said
