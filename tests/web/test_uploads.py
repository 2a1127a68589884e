from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tbd_app.errors import FileMissing
from tbd_app.web import uploads


@pytest.fixture
def temp_dir(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return uploads.prepare_temp_dir()


def _put(temp_dir: Path, name: str, content: bytes, orig_name: str | None = None) -> dict:
    """What gradio hands over for a file that arrived."""
    folder = temp_dir / f"hash-of-{name}"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return {"path": str(folder / name), "orig_name": orig_name or name, "meta": {"_type": "gradio.FileData"}}


def _files(temp_dir: Path) -> list[str]:
    return [p.name for p in temp_dir.rglob("*") if p.name != ".lock"]


def test_a_claimed_file_keeps_its_own_name_and_is_deleted(temp_dir):
    entry = _put(temp_dir, "da del nio.mp4", b"clip", orig_name="día del niño?.mp4")
    with uploads.claimed(entry) as (upload,):
        assert upload.path.read_bytes() == b"clip"
        assert upload.name == "día del niño?.mp4"
        assert not Path(entry["path"]).exists()
    assert _files(temp_dir) == []


def test_a_claimed_file_is_deleted_when_the_analysis_fails(temp_dir):
    with pytest.raises(RuntimeError), uploads.claimed(_put(temp_dir, "a.mp4", b"clip")):
        raise RuntimeError
    assert _files(temp_dir) == []


def test_the_same_file_from_somebody_else_survives(temp_dir):
    with uploads.claimed(_put(temp_dir, "a.mp4", b"clip")):
        other = _put(temp_dir, "a.mp4", b"clip")
    assert Path(other["path"]).exists()


def test_several_files_come_in_their_order_and_too_many_are_refused_and_deleted(temp_dir):
    def entries() -> list[dict]:
        return [_put(temp_dir, name, name.encode()) for name in ("a.mp4", "b.zip", "c.png")]

    with uploads.claimed(entries(), 3) as claimed:
        assert [u.name for u in claimed] == ["a.mp4", "b.zip", "c.png"]
        assert [u.path.read_bytes() for u in claimed] == [b"a.mp4", b"b.zip", b"c.png"]
    assert _files(temp_dir) == []
    with pytest.raises(FileMissing, match="At most 2 files"), uploads.claimed(entries(), 2):
        pass
    assert _files(temp_dir) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [("clip.mp4", "clip"), ("../ä b?.mp4", "ä_b"), ("???.mp4", "report"), ("x" * 99, "x" * 60)],
)
def test_names_of_downloads_are_safe(name, expected):
    assert uploads.stem(name) == expected


@pytest.mark.parametrize("payload", [None, [], "/etc/passwd", {"url": "x"}, [{"path": 3}]])
def test_nothing_sent(temp_dir, payload):
    with pytest.raises(FileMissing), uploads.claimed(payload):
        pass


def test_files_outside_the_folder_are_neither_read_nor_deleted(temp_dir, tmp_path):
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(b"secret")
    link = temp_dir / "link.mp4"
    link.symlink_to(secret)
    for path in (secret, link, temp_dir / ".." / ".." / "secret.mp4", temp_dir):
        with pytest.raises(FileMissing), uploads.claimed({"path": str(path)}):
            pass
        uploads.discard({"path": str(path)})
    assert secret.read_bytes() == b"secret"


def test_discard_deletes_what_was_never_analysed(temp_dir):
    uploads.discard([_put(temp_dir, "a.mp4", b"a"), _put(temp_dir, "b.mp4", b"b")])
    uploads.discard(None)
    assert _files(temp_dir) == []


def test_a_staged_example_is_a_copy(temp_dir, tmp_path):
    example = tmp_path / "example.mp4"
    example.write_bytes(b"example")
    first, second = uploads.stage(example), uploads.stage(example)
    assert first != second
    with uploads.claimed({"path": str(first)}) as (upload,):
        assert upload.name == "example.mp4"
    assert example.exists()
    assert second.exists()


def test_start_up_sweeps_the_folders_of_ended_processes_only(temp_dir, tmp_path, monkeypatch):
    (temp_dir / "mine.mp4").write_bytes(b"still served")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    code = (
        "from tbd_app.web import uploads; folder = uploads.prepare_temp_dir();"
        "(folder / 'left.mp4').write_bytes(b'x'); print(folder)"
    )
    crashed = Path(subprocess.check_output([sys.executable, "-c", code], text=True).strip())
    assert (crashed / "left.mp4").exists()
    uploads.prepare_temp_dir()
    assert not crashed.exists()
    assert (temp_dir / "mine.mp4").exists()
