"""A scan gives each file one row: killed and taken up again, with workers that die, copies, links in a circle, odd files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tbd_app.errors import BadSetting
from tbd_app.scan.run import Summary, scan
from tbd_app.settings import AnalysisSettings

STUB = "tests.scan.stub"
SETTINGS = AnalysisSettings(device="cpu")
SCRIPT = f"""
import sys
from pathlib import Path
from tbd_app.scan.run import scan
from tbd_app.settings import AnalysisSettings
scan([sys.argv[1]], Path(sys.argv[2]), AnalysisSettings(device="cpu"), workers=2, analysis={STUB!r})
"""


def made(folder: Path, texts: dict[str, str]) -> Path:
    """A folder with a file for each name, whose first line says what the stub does with it."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n{name}\n")
    return folder


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STUB_FOLDER", str(tmp_path))
    return tmp_path


def scored(space: Path) -> Counter[str]:
    """How often each file was judged."""
    log = space / "scored"
    return Counter(log.read_text().split() if log.exists() else [])


def run(space: Path, *sources: Path | str, workers: int = 1) -> tuple[Summary, list[dict]]:
    out = space / "results.parquet"
    summary = scan(map(str, sources), out, SETTINGS, workers=workers, analysis=STUB)
    return summary, pq.read_table(out).to_pylist()


def test_a_scan_that_is_killed_goes_on_without_losing_or_repeating_a_row(space) -> None:
    clips = made(space / "clips", {f"{i}.mp4": f"score {i / 100}" for i in range(60)})
    out = space / "results.parquet"
    command = [sys.executable, "-c", SCRIPT, str(clips), str(out)]
    with subprocess.Popen(command, env=os.environ | {"STUB_SECONDS": "0.05"}) as process:
        deadline = time.monotonic() + 120
        while sum(scored(space).values()) < 20 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    before = scored(space)
    assert 20 <= before.total() < 60
    assert not out.exists()

    summary, rows = run(space, clips, workers=2)
    assert summary.files == 60
    assert Counter(Path(row["path"]).name for row in rows) == Counter(f"{i}.mp4" for i in range(60))
    assert {Path(r["path"]).name: r["fake_prob"] for r in rows} == {f"{i}.mp4": i / 100 for i in range(60)}
    after = scored(space)
    assert set(after) == {f"{i}.mp4" for i in range(60)}
    repeated = [name for name, times in after.items() if times > 1]
    assert len(repeated) <= 2  # what the two workers had said to nobody yet when they were killed


def test_errors_are_rows_with_their_code_and_a_worker_that_dies_loses_nothing(space) -> None:
    texts = {"a.mp4": "score 0.9", "b.mp4": "refuse", "c.mp4": "crash", "d.mp4": f"die {space / 'died'}"}
    clips = made(space / "clips", texts | {"e.mp4": "die always", "f.mp4": "score 0.1"})
    summary, rows = run(space, clips)
    assert [(Path(r["path"]).name, r["label"], r["error_code"]) for r in rows] == [
        ("a.mp4", "fake", None),
        ("b.mp4", None, "corrupt_media"),
        ("c.mp4", None, "internal_error"),
        ("d.mp4", "real", None),
        ("e.mp4", None, "worker_died"),
        ("f.mp4", "real", None),
    ]
    assert summary.errors == {"corrupt_media": 1, "internal_error": 1, "worker_died": 1}
    assert "nobody foresaw this" in rows[2]["error_message"]


def test_equal_bytes_are_scored_once_and_links_in_a_circle_end(space) -> None:
    clips = made(space / "clips", {"a.mp4": "score 0.7", "deep/er/b.mp4": "score 0.2", ".hidden/c.mp4": "x"})
    (clips / "deep" / "copy.mp4").write_bytes((clips / "a.mp4").read_bytes())
    (clips / "deep" / "circle").symlink_to(clips)
    (clips / "link.mp4").symlink_to(clips / "a.mp4")
    (clips / "self").symlink_to(clips / "self")
    (clips / "nowhere.mp4").symlink_to(clips / "missing.mp4")
    os.mkfifo(clips / "pipe.mp4")
    _, rows = run(space, clips, workers=2)
    assert [(str(Path(r["path"]).relative_to(clips)), r["fake_prob"], r["error_code"]) for r in rows] == [
        ("a.mp4", 0.7, None),
        ("deep/copy.mp4", 0.7, None),
        ("deep/er/b.mp4", 0.2, None),
        ("link.mp4", 0.7, None),
        ("nowhere.mp4", None, "file_missing"),
        ("pipe.mp4", None, "file_missing"),
        ("self", None, "file_missing"),
    ]
    first = str(clips / "a.mp4")
    assert [r["same_as"] for r in rows] == [None, first, None, first, None, None, None]
    assert '"name": "copy.mp4"' in rows[1]["report"]
    assert scored(space).total() == 2


def test_a_second_scan_adds_new_files_alone(space) -> None:
    clips = made(space / "clips", {"a.mp4": "score 0.7"})
    run(space, clips)
    made(clips, {"b.mp4": "score 0.3"})
    (clips / "c.mp4").write_bytes((clips / "a.mp4").read_bytes())
    _, rows = run(space, clips)
    assert [r["fake_prob"] for r in rows] == [0.7, 0.3, 0.7]
    assert scored(space) == {"a.mp4": 1, "b.mp4": 1}


def test_what_is_beside_the_results_is_not_scanned(space) -> None:
    made(space, {"a.mp4": "score 0.7"})
    for _ in range(2):
        _, rows = run(space, space / "*.*")
    assert [Path(r["path"]).name for r in rows] == ["a.mp4"]


def test_a_journal_of_other_settings_or_a_foreign_file_is_refused(space) -> None:
    clips = made(space / "clips", {"a.mp4": "score 0.7"})
    run(space, clips)
    out = space / "results.parquet"
    with pytest.raises(BadSetting, match="n_frames 32, and now it is 16"):
        scan([str(clips)], out, AnalysisSettings(n_frames=16, device="cpu"), analysis=STUB)
    foreign = space / "other.parquet"
    foreign.write_text("somebody's")
    with pytest.raises(BadSetting, match="choose another name"):
        scan([str(clips)], foreign, SETTINGS, analysis=STUB)
    (space / "empty").mkdir()
    with pytest.raises(BadSetting, match="no file to scan"):
        scan([str(space / "empty")], space / "third.parquet", SETTINGS, analysis=STUB)
    assert list(space.glob("third*")) == []
    assert foreign.read_text() == "somebody's"
