"""Runs of neighbouring frames: where they lie, and that each is decoded once."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tbd_app.errors import CorruptMedia
from tbd_app.media import answers, video
from tbd_app.media.open import open_media
from tbd_app.media.packets import planned
from tbd_app.media.runs import sample_runs
from tbd_app.medium import Runs
from tbd_app.settings import Limits
from tests.barcode import coded_frames, numbers
from tests.media_factory import encode, portrait_clip, portrait_image

LIMITS = Limits()
TIMES = np.arange(300) / 25  # 12 s


def test_neighbours_are_frames_one_after_the_other_in_the_middle() -> None:
    (run,) = planned(TIMES, Runs(8))
    assert run.tolist() == list(range(146, 154))


def test_runs_share_the_timeline_and_never_overlap() -> None:
    found = planned(TIMES, Runs(10, 0.3, 5))
    assert len(found) == 4  # of 3 s, and no fifth fits
    for run in found:
        assert TIMES[run] - TIMES[run[0]] == pytest.approx(0.3 * np.arange(10), abs=0.021)
    assert all(a[-1] < b[0] for a, b in pairwise(found))
    middles = [TIMES[run].mean() for run in found]
    assert np.diff(middles) == pytest.approx(TIMES[-1] / 4, abs=0.1)


@pytest.mark.parametrize("runs", [Runs(8), Runs(8, 0.5, 3), Runs(1, 0.3), Runs(1)])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_short_film_is_seen_whole(n: int, runs: Runs) -> None:
    found = planned(np.arange(n) / 25, runs)
    assert len(found) >= 1
    assert all(run[0] >= 0 and run[-1] < n and (np.diff(run) > 0).all() for run in found)
    if runs.length == 8:
        assert found[0].tolist() == list(range(n))


def test_times_decide_where_frames_last_differently() -> None:
    times = np.concatenate([np.arange(100) / 50, 2 + np.arange(20) / 2])  # quick at first, then slow
    for run in planned(times, Runs(4, 0.5, 2)):
        assert np.diff(times[run]) == pytest.approx(0.5, abs=0.26)


def test_a_run_holds_the_frames_that_it_says(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", coded_frames(100, (192, 96)), gop=12, options={"bf": "2"})
    found = sample_runs(open_media(path, LIMITS), Runs(4, 0.08, 3), LIMITS)
    assert len(found) == 3
    for run in found:
        assert (np.diff(run.indices) == 2).all()
        assert run.times_s == pytest.approx(run.indices / 25)
        assert numbers(run.images) == run.indices.tolist()


def test_runs_take_no_more_decoding_than_spread_frames(tmp_path: Path) -> None:
    """Packets given to the decoder, of as many frames; a run is decoded once behind its seek."""
    path = portrait_clip(
        tmp_path / "long.mp4", n_frames=1500, size=(64, 48), gop=30, options={"preset": "ultrafast"}
    )
    args = {"limits": LIMITS, "path": str(path), "format_name": "mov"}
    known = video.probe(**args)[0]
    spread, _ = video.decode(**args, n_frames=known["n_frames"], n=32, index=known["index"])
    runs, arrays = video.decode_runs(**args, index=known["index"], length=8, step_s=0.0, count=4)
    assert len(arrays) == 32
    assert runs["run"] == sorted(list(range(4)) * 8)
    assert runs["sent"] <= 1.3 * spread["sent"]


def test_a_file_whose_times_mislead_is_read_from_the_start(tmp_path: Path) -> None:
    path = portrait_clip(tmp_path / "a.avi", n_frames=40, size=(96, 64), options={"bf": "3"})
    (run,) = sample_runs(open_media(path, LIMITS), Runs(5), LIMITS)
    assert run.indices.tolist() == [18, 19, 20, 21, 22]


def test_a_picture_has_no_runs(tmp_path: Path) -> None:
    assert sample_runs(open_media(portrait_image(tmp_path / "a.png"), LIMITS), Runs(5), LIMITS) == ()


@pytest.mark.parametrize("run", [None, [0], [0, 2], [1, 0], ["0", 1], [-1, 0], [True, 1]])
def test_a_child_that_says_nonsense_of_runs_is_not_believed(run: object) -> None:
    with pytest.raises(CorruptMedia):
        answers.run_numbers({"run": run}, 2, 2)
    assert answers.run_numbers({"run": [0, 1]}, 2, 2) == [0, 1]
