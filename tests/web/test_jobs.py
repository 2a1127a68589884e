from __future__ import annotations

import json
import sys
import threading
from collections import deque
from types import SimpleNamespace

import pytest

from tbd_app.errors import BadSetting, FileMissing, NotMedia
from tbd_app.models import registry
from tbd_app.report.to_json import dumps
from tbd_app.settings import AnalysisSettings
from tbd_app.types import ProgressEvent
from tbd_app.web import jobs, uploads
from tbd_app.web.line import Line
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
    report = make_report()
    stored = jobs.store_feedback(tmp_path / "feedback", report, "x" * 9999)
    document = json.loads(stored.read_text(encoding="utf-8"))
    assert document["report"] == json.loads(dumps(report))
    assert len(document["remark"]) == jobs.MAX_REMARK
    assert [p.suffix for p in stored.parent.iterdir()] == [".json"]


def _engine(path, chosen, *, name, pictures):
    if name == "bad.mp4":
        raise NotMedia("no media")
    if name == "worse.mp4":
        raise RuntimeError("/secret/path")
    yield ProgressEvent("faces", 8, 32, 0.4, "Looking for faces")
    yield make_report(name=name)


@pytest.fixture
def payload(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    folder = uploads.prepare_temp_dir()

    def put(*names: str) -> list[dict]:
        for name in names:
            (folder / name).write_bytes(name.encode())
        return [{"path": str(folder / name)} for name in names]

    return put


def test_a_file_that_is_refused_does_not_stop_the_rest(payload):
    files = payload("a.mp4", "bad.mp4", "worse.mp4", "b.mp4")
    events = list(jobs.events(files, AnalysisSettings(), jobs.Desk(_engine)))
    assert events[0] == jobs.Started(("a.mp4", "bad.mp4", "worse.mp4", "b.mp4"))
    assert [e.index for e in events if isinstance(e, jobs.Finished)] == [0, 3]
    bad, worse = [e for e in events if isinstance(e, jobs.Refused)]
    assert (bad.name, bad.error.code, worse.error.code) == ("bad.mp4", "not_media", "internal_error")
    assert "/secret" not in worse.error.message


def test_each_file_is_deleted_as_soon_as_it_was_analysed(payload):
    seen = []

    def engine(path, chosen, *, name, pictures):
        seen.append(path)
        assert [p.exists() for p in seen] == [False] * (len(seen) - 1) + [True]
        yield make_report(name=name)

    deque(jobs.events(payload("a.mp4", "b.mp4"), AnalysisSettings(), jobs.Desk(engine)), maxlen=0)
    assert [p.exists() for p in seen] == [False, False]


def test_the_models_are_loaded_first_and_a_failure_to_load_them_is_left_to_the_analysis(payload):
    loaded = threading.Event()
    desk = jobs.Desk(_engine, loaded.wait)
    events = jobs.events(payload("a.mp4"), AnalysisSettings(), desk)
    assert isinstance(next(events), jobs.Started)
    assert next(events) == jobs.Preparing()
    loaded.set()
    assert any(isinstance(e, jobs.Finished) for e in events)

    def fails():
        raise OSError("no disk")

    events = jobs.events(payload("a.mp4"), AnalysisSettings(), jobs.Desk(_engine, fails))
    assert any(isinstance(e, jobs.Finished) for e in events)


def test_who_waits_knows_how_many_are_before():
    line = Line()
    with line.joined() as first, line.joined() as second, line.joined() as third:
        assert list(first.before()) == []
        assert next(second.before()) == 1
        assert next(third.before()) == 2
    with line.joined() as later:
        assert list(later.before()) == []


def test_an_estimate_is_given_once_there_is_something_to_go_by():
    assert jobs._left(1.0, 0.5) is None
    assert jobs._left(10.0, 0.05) is None
    assert jobs._left(10.0, 0.25) == 30


def test_a_film_is_made_only_of_the_file_that_was_analysed(tmp_path):
    other = tmp_path / "other.mp4"
    other.write_bytes(b"another file")
    with pytest.raises(FileMissing):
        jobs.film(make_report(), other)


def test_where_gpus_are_lent_the_engine_is_marked(monkeypatch):
    marked = []

    def mark(duration):
        return lambda engine: marked.append(duration) or engine

    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=mark))
    assert jobs.lent_gpu(jobs.default_engine) is jobs.default_engine
    assert marked == [jobs.GPU_S]
    monkeypatch.setitem(sys.modules, "spaces", None)
    assert jobs.lent_gpu(jobs.default_engine) is jobs.default_engine
