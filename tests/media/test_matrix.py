"""Some cells of the matrix are run; docs/media.md holds the results of all."""

from __future__ import annotations

from tests.media import matrix
from tests.media.matrix import CONTAINERS, PAGE, PROPERTIES, cells, check, make

EVERY = 11
PLAIN = {
    ("y4m", "wrapped"),
    ("m2v", "mpeg2"),
    ("webm", "vp9"),
    ("mxf", "mpeg2"),
    ("h264", "h264"),
    ("hevc", "hevc"),
    ("m4v", "mpeg4"),
    ("ivf", "vp8"),
}
SOME = [
    cell for i, cell in enumerate(cells()) if i % EVERY == 0 or (cell[2] == "plain" and cell[:2] in PLAIN)
]


def test_some_cells_come_out_right(tmp_path) -> None:
    wrong = {}
    for cell in SOME:
        if found := check(make(tmp_path, cell), cell):
            wrong[cell] = found
    assert wrong == {}
    assert {container for container, _, _ in SOME} == set(CONTAINERS)
    assert {name for _, _, name in SOME} == set(PROPERTIES)


def test_a_wrong_frame_time_length_or_size_is_seen(tmp_path) -> None:
    cell = ("mp4", "h264", "plain")
    assert check(make(tmp_path, ("mp4", "h264", "wide pixels")), cell) == ["size"]
    assert check(make(tmp_path, ("mp4", "h264", "variable rate")), cell) == ["times", "length"]
    assert "frames" in check(make(tmp_path, ("mp4", "h264", "interlaced")), cell)
    (tmp_path / "a.mp4").write_bytes(b"?")
    assert check(tmp_path / "a.mp4", cell) == ["not recognised"]


def test_the_page_holds_every_cell_and_each_is_right() -> None:
    text = PAGE.read_text(encoding="utf-8")
    body = text.split("<!-- matrix -->")[1].split("<!-- end of matrix -->")[0].strip()
    assert body == matrix.table({cell: [] for cell in cells()})
    assert len(list(cells())) >= 150
