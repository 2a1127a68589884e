from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest

from tbd_app.errors import BadSetting
from tbd_app.models import registry
from tbd_app.report.to_json import dumps
from tbd_app.web import jobs
from tests.report_factory import make_report


def test_settings_take_what_json_can_carry():
    settings = jobs.settings(16.0, 1, "all", 0)
    assert (settings.n_frames, settings.face_confidence) == (16, 1.0)
    assert (settings.models, settings.explain) == (("all",), False)


def test_ticks_of_the_default_voters_are_default_and_others_are_names():
    default = registry.resolve(["default"])
    assert jobs.settings(32, 0.9, default, True, ticked=True).models == ("default",)
    assert jobs.settings(32, 0.9, default, True).models == tuple(default)
    every = registry.list_models()
    assert jobs.settings(32, 0.9, every, True, ticked=True).models == tuple(every)
    with pytest.raises(BadSetting):
        jobs.settings(32, 0.9, [], True, ticked=True)


@pytest.mark.parametrize(
    "values",
    [
        ("x", 0.9, ["default"], True),
        (32, {}, ["default"], True),
        (32, 0.9, None, True),
        (32, 0.9, [], True),
        (32, float("nan"), ["default"], True),
    ],
)
def test_other_settings_are_refused(values):
    with pytest.raises(BadSetting):
        jobs.settings(*values)


def test_feedback_is_the_report_and_a_bounded_remark(tmp_path):
    report_json = dumps(make_report())
    stored = jobs.store_feedback(tmp_path / "feedback", report_json, "x" * 9999)
    document = json.loads(stored.read_text(encoding="utf-8"))
    assert document["report"] == json.loads(report_json)
    assert len(document["remark"]) == jobs.MAX_REMARK
    assert [p.suffix for p in stored.parent.iterdir()] == [".json"]


def test_where_gpus_are_lent_the_engine_is_marked(monkeypatch):
    marked = []

    def mark(duration):
        return lambda engine: marked.append(duration) or engine

    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=mark))
    assert jobs.lent_gpu(jobs.default_engine) is jobs.default_engine
    assert marked == [jobs.GPU_S]
    monkeypatch.setitem(sys.modules, "spaces", None)
    assert jobs.lent_gpu(jobs.default_engine) is jobs.default_engine
