import stat
import zipfile

import numpy as np
import pytest

from tbd_app.errors import (
    CorruptMedia,
    EncryptedZip,
    NestedZip,
    NotMedia,
    TooLarge,
    TooManyFrames,
    TooManyPixels,
    UnpackRatio,
    UnsafeZipPath,
)
from tbd_app.media import archive
from tbd_app.settings import Limits
from tests.media_factory import frames_zip, png_bytes, portrait_frame, zip_of

LIMITS = Limits()
SMALL = (32, 24)
FRAME = png_bytes(portrait_frame(0, SMALL))


def probe(path, limits=LIMITS):
    return archive.probe(limits=limits, path=str(path), format_name="zip")[0]


def decode(path, n_frames, n, limits=LIMITS):
    return archive.decode(limits=limits, path=str(path), format_name="zip", n_frames=n_frames, n=n, index="")


def test_natural_order():
    names = [f"shot{s}/frame{i}.png" for s in (1, 2, 10) for i in (1, 2, 9, 10, 11, 100)]
    shuffled = [str(n) for n in np.random.default_rng(0).permutation(names)]
    assert sorted(shuffled, key=archive.natural_key) == names
    assert sorted(["b2", "A10", "a1"], key=archive.natural_key) == ["a1", "A10", "b2"]
    assert archive.natural_key("9" * 10_000) > archive.natural_key("9" * 9_999)


def test_frames_come_in_natural_order_whatever_the_order_in_the_zip(tmp_path):
    members = {f"deep/down/f{i}.png": png_bytes(portrait_frame(i, SMALL)) for i in (10, 2, 11, 1, 0, 9)}
    path = zip_of(tmp_path / "a.zip", members)
    info, arrays = decode(path, 6, 6)
    for number, array in zip((0, 1, 2, 9, 10, 11), arrays, strict=True):
        np.testing.assert_array_equal(array, portrait_frame(number, SMALL))
    assert info["times_s"] == [0, 1, 2, 3, 4, 5]


def test_only_the_asked_members_and_mixed_sizes(tmp_path):
    path = frames_zip(tmp_path / "a.zip", n_frames=20, size=lambda i: (32 + i, 24))
    assert probe(path) == {
        "kind": "frames",
        "width": 32,
        "height": 24,
        "fps": None,
        "duration_s": None,
        "n_frames": 20,
        "codec": "png",
        "rotation_deg": 0,
        "warnings": [],
    }
    info, arrays = decode(path, 20, 3)
    assert info["indices"] == [0, 10, 19]
    assert [a.shape for a in arrays] == [(24, 32, 3), (24, 42, 3), (24, 51, 3)]


def test_clutter_is_ignored_and_notes_are_mentioned(tmp_path):
    clutter = dict.fromkeys(["__MACOSX/clip/._frame0.png", "clip/.DS_Store", "clip/Thumbs.db"], b"junk")
    notes = {"clip/meta.json": b"{}", "readme.txt": b"hello"}
    path = frames_zip(tmp_path / "a.zip", n_frames=3, size=SMALL, extra={"clip/": b"", **clutter, **notes})
    info = probe(path)
    assert info["n_frames"] == 3
    assert info["warnings"] == [
        "Left out of the zip, because they are no pictures: 'clip/meta.json', 'readme.txt'."
    ]


def test_other_files_are_passed_over_and_named(tmp_path):
    others = {
        "run.exe": b"MZ\x90",
        "clip.mp4": b"\0\0\0\x18ftypisom\0\0\0\0isom",
        "\x1b[2J.pdf": b"%PDF",
        "z.bin": b"?",
    }
    path = frames_zip(tmp_path / "a.zip", n_frames=3, size=SMALL, extra=others)
    info = probe(path)
    assert info["n_frames"] == 3
    assert info["warnings"] == [
        "Left out of the zip, because they are no pictures: 'run.exe', 'clip.mp4', '\\x1b[2J.pdf' and 1 more."
    ]
    assert decode(path, 3, 3)[0]["indices"] == [0, 1, 2]


def test_a_document_is_named(tmp_path):
    with pytest.raises(NotMedia, match="an office document"):
        probe(zip_of(tmp_path / "a.zip", {"[Content_Types].xml": b"<xml/>", "word/media/image1.png": FRAME}))


def test_a_frame_without_its_end_is_used_with_a_warning(tmp_path):
    whole = png_bytes(portrait_frame(0, (320, 240)))
    path = zip_of(tmp_path / "a.zip", {"0.png": whole, "1.png": whole[: len(whole) * 2 // 3]})
    info, arrays = decode(path, 2, 2)
    assert info["indices"] == [0, 1]
    assert info["warnings"] == [
        "Frame '1.png': The end of the picture is missing or damaged; what can be read of it is used."
    ]
    np.testing.assert_array_equal(arrays[1][:140], arrays[0][:140])


def test_names_do_not_matter_to_pictures(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"1.bin": FRAME, "2": FRAME, "3.jpg": FRAME})
    assert probe(path)["n_frames"] == 3


def test_unreadable_frames_are_skipped_with_a_warning(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"0.png": b"no picture", "1.png": FRAME, "2.png": FRAME[:60]})
    assert (probe(path)["n_frames"], probe(path)["width"]) == (3, 32)
    info, arrays = decode(path, 3, 3)
    assert info["indices"] == [1]
    assert len(arrays) == 1
    assert [w.split(" was")[0] for w in info["warnings"]] == ["Frame '0.png'", "Frame '2.png'"]


def test_no_readable_frame(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"0.png": b"no picture", "1.jpg": b""})
    for call in (lambda: probe(path), lambda: decode(path, 2, 2)):
        with pytest.raises(CorruptMedia):
            call()


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"notes.txt": b"hello"},
        {"[Content_Types].xml": b"<xml/>", "word/document.xml": b"<xml/>", "word/media/image1.png": FRAME},
        {"mimetype": b"application/epub+zip", "cover.png": FRAME},
        {"run.exe": b"MZ\x90"},
        {"clip.mp4": b"\0\0\0\x18ftypisom\0\0\0\0isom"},
    ],
    ids=["empty", "notes", "docx", "epub", "program", "video"],
)
def test_zips_that_are_no_frames(tmp_path, members):
    with pytest.raises(NotMedia):
        probe(zip_of(tmp_path / "a.zip", members))


@pytest.mark.parametrize(
    "name", ["../a.png", "a/../../b.png", "/etc/a.png", "C:\\a.png", "c:a.png", "..\\a.png"]
)
def test_paths_that_leave(tmp_path, name):
    with pytest.raises(UnsafeZipPath):
        probe(zip_of(tmp_path / "a.zip", {"ok.png": FRAME, name: FRAME}))
    assert [p.name for p in tmp_path.rglob("*")] == ["a.zip"]


def test_links(tmp_path):
    link = zipfile.ZipInfo("a.png")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr(link, "/etc/passwd")
    with pytest.raises(UnsafeZipPath, match="link"):
        probe(tmp_path / "a.zip")


def test_encrypted(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"a.png": FRAME})
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    path.write_bytes(content)
    with pytest.raises(EncryptedZip):
        probe(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("b.zip", b"PK\x05\x06" + bytes(18)),
        ("b.png", b"PK\x03\x04" + bytes(40)),
        ("b.tar.gz", b"\x1f\x8b\x08"),
        ("b", b"Rar!\x1a\x07"),
    ],
)
def test_archives_inside(tmp_path, name, content):
    with pytest.raises(NestedZip):
        probe(zip_of(tmp_path / "a.zip", {"a.png": FRAME, name: content}))


def test_too_many_frames(tmp_path):
    path = frames_zip(tmp_path / "a.zip", n_frames=6, size=SMALL)
    assert probe(path, Limits(max_zip_frames=6))["n_frames"] == 6
    with pytest.raises(TooManyFrames) as caught:
        probe(path, Limits(max_zip_frames=5))
    assert (caught.value.limit, caught.value.value) == (5, 6)


def test_bomb(tmp_path):
    with pytest.raises(UnpackRatio) as caught:
        probe(zip_of(tmp_path / "a.zip", {"a.png": FRAME, "b.png": bytes(30_000_000)}))
    assert caught.value.limit == 100
    assert caught.value.value > 900


def test_plain_bitmaps_are_no_bomb(tmp_path):
    black = b"BM" + (54 + 192 * 144 * 3).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    black += (40).to_bytes(4, "little") + (192).to_bytes(4, "little") + (144).to_bytes(4, "little")
    black += (1).to_bytes(2, "little") + (24).to_bytes(2, "little") + bytes(24) + bytes(192 * 144 * 3)
    info, arrays = decode(zip_of(tmp_path / "a.zip", {"a.bmp": black}), 1, 1)
    assert info["warnings"] == []
    assert (arrays[0] == 0).all()


def test_members_that_share_their_bytes_are_counted_each(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"a.png": bytes(900_000)})
    with zipfile.ZipFile(path, "a") as out:
        for i in range(60):
            twin = zipfile.ZipInfo(f"{i}.png")
            first = out.infolist()[0]
            for field in ("header_offset", "file_size", "compress_size", "CRC", "compress_type"):
                setattr(twin, field, getattr(first, field))
            out.filelist.append(twin)
        out._didModify = True
    with pytest.raises(UnpackRatio):
        probe(path)


def test_unpacked_bytes(tmp_path):
    noise = {f"{i}.png": np.random.default_rng(i).bytes(600_000) for i in range(2)}
    with pytest.raises(TooLarge) as caught:
        probe(zip_of(tmp_path / "a.zip", noise), Limits(max_unpacked_mb=1))
    assert (caught.value.limit, caught.value.value) == (1, 1.2)
    with pytest.raises(TooLarge) as caught:
        probe(zip_of(tmp_path / "a.zip", noise), Limits(max_image_mpx=0.05))
    assert (caught.value.limit, caught.value.value) == (0.4, 0.6)


def test_header_that_lies_about_the_size(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"a.png": bytes(5_000_000)})
    content = path.read_bytes()
    path.write_bytes(content.replace((5_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    with pytest.raises(CorruptMedia):
        probe(path)


def test_frame_with_too_many_pixels(tmp_path):
    with pytest.raises(TooManyPixels):
        probe(zip_of(tmp_path / "a.zip", {"a.png": FRAME}), Limits(max_image_mpx=0.0005))


def test_frames_that_do_not_fit_are_reduced(tmp_path):
    path = frames_zip(tmp_path / "a.zip", n_frames=4, size=(320, 240))
    assert probe(path, Limits(max_decoded_mb=0.2))["width"] == 320
    info, arrays = decode(path, 4, 4, Limits(max_decoded_mb=0.2))
    assert sum(a.nbytes for a in arrays) <= 200_000
    assert "reduced" in info["warnings"][0]


@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
def test_cut_short(tmp_path, share):
    path = frames_zip(tmp_path / "a.zip", size=SMALL)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CorruptMedia, match="damaged or cut short"):
        probe(path)
