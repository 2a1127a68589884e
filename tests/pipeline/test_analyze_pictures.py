"""Pictures are for views alone: an analysis without them gives the same data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tbd_app.pipeline import explain
from tbd_app.pipeline.analyze import analyze, analyze_events
from tbd_app.report.to_json import dumps
from tbd_app.settings import AnalysisSettings, Limits
from tbd_app.types import ProgressEvent, Report
from tests import media_factory


def test_without_pictures_no_map_is_made_and_the_json_is_the_same(
    tmp_path: Path, random_weights: Path, weights_dir: Callable[[Path], Path], monkeypatch
) -> None:
    weights_dir(random_weights)
    settings = AnalysisSettings(n_frames=8, device="cpu", limits=Limits())
    clip = media_factory.portrait_clip(tmp_path / "clip.mp4", n_frames=8)
    whole = analyze(clip, settings)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("a map was made")

    monkeypatch.setattr(explain, "explain", never)
    *events, bare = analyze_events(clip, settings, pictures=False)
    assert isinstance(bare, Report)
    assert "explain" not in {e.stage for e in events if isinstance(e, ProgressEvent)}
    assert (bare.explanations, bare.snapshots) == ((), ())
    assert whole.maps
    assert whole.snapshots
    assert list(bare.timings_s) == list(whole.timings_s)
    seconds = whole.timings_s
    assert dumps(replace(bare, made_at="", timings_s=seconds)) == dumps(replace(whole, made_at=""))
