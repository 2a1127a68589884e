"""Folders, lists, patterns and addresses name their files, each once."""

from __future__ import annotations

import io
from pathlib import Path

import fsspec
import pytest

from tbd_app.errors import BadSetting, FileMissing, TooLarge
from tbd_app.scan.sources import at_hand, listed, name_of
from tbd_app.settings import Limits


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.mp4", "a.mp4", ".hidden.mp4", "deep/c.mp4", ".git/d.mp4"):
        path = tmp_path / "clips" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "clips" / "deep" / "up").symlink_to(tmp_path / "clips")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "clips"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("clips", ["a.mp4", "b.mp4", "deep/c.mp4"]),
        ("clips/*.mp4", ["a.mp4", "b.mp4"]),
        ("clips/**/*.mp4", ["a.mp4", "b.mp4", "deep/c.mp4"]),
        ("clips/*", ["a.mp4", "b.mp4", "deep/c.mp4", "deep/up/a.mp4", "deep/up/b.mp4"]),
        ("clips/a.mp4", ["a.mp4"]),
        ("clips/missing.mp4", ["missing.mp4"]),
        ("file://{}", ["a.mp4", "b.mp4", "deep/c.mp4"]),
        ("file://{}/*.mp4", ["a.mp4", "b.mp4"]),
    ],
)
def test_a_source_names_its_files(source: str, names: list[str], clips: Path) -> None:
    found = [path.removeprefix("file://") for path in listed([source.format(clips)])]
    assert sorted(str(Path(path).relative_to(clips)) for path in found) == names


def test_a_store_is_walked_without_what_is_hidden() -> None:
    store = fsspec.filesystem("memory")
    for name in ("b.mp4", "deep/a.mp4", ".git/c.mp4", ".d.mp4"):
        store.pipe(f"/bucket/{name}", b"x")
    names = ["memory:///bucket/b.mp4", "memory:///bucket/deep/a.mp4"]
    assert (
        sorted(
            address.replace("memory://bucket", "memory:///bucket") for address in listed(["memory://bucket"])
        )
        == names
    )
    assert [name_of(address) for address in listed(["memory://bucket/*.mp4"])] == ["b.mp4"]


def test_a_list_holds_a_path_or_an_address_a_line(clips, monkeypatch) -> None:
    lines = "clips/a.mp4\r\n\n \ns3://bucket/x.mp4\nclips/with # and space.mp4\n"
    expected = [str(clips / "a.mp4"), "s3://bucket/x.mp4", str(clips / "with # and space.mp4")]
    Path("clips.txt").write_text(lines)
    assert list(listed(["clips.txt"])) == expected
    assert list(listed([f"file://{clips.parent}/clips.txt"])) == expected
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    assert list(listed(["-"])) == expected


@pytest.mark.parametrize("source", ["clips/*.avi", "file://{}/*.avi", "nosuch://bucket/clips"])
def test_a_source_that_names_nothing_says_so(source: str, clips: Path) -> None:
    with pytest.raises(BadSetting, match=r"Nothing matches|cannot be read"):
        list(listed([source.format(clips)]))


def test_what_was_fetched_is_deleted_and_limits_hold(clips, tmp_path) -> None:
    address = f"file://{clips}/a.mp4"
    with at_hand(address, tmp_path, Limits()) as copy:
        assert copy.read_text() == "a.mp4"
        assert copy.name == name_of(address) == "a.mp4"
        assert copy != clips / "a.mp4"
    assert not copy.parent.exists()
    with at_hand(str(clips / "a.mp4"), tmp_path, Limits()) as same:
        assert same == clips / "a.mp4"
    with pytest.raises(TooLarge), at_hand(address, tmp_path, Limits(max_file_mb=1e-6)):
        pass
    with pytest.raises(FileMissing), at_hand(f"file://{clips}/missing.mp4", tmp_path, Limits()):
        pass
