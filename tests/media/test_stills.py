import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from tbd_app.errors import CorruptMedia, NotMedia, TooLong, TooManyPixels
from tbd_app.media import stills
from tbd_app.settings import Limits
from tests.media_factory import portrait_animation, portrait_frame, portrait_image

LIMITS = Limits()
PLUGINS = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".bmp": "BMP", ".tif": "TIFF", ".gif": "GIF"}
PLUGINS |= {".avif": "AVIF"}


def read(path):
    array, reduced = stills.read(path.read_bytes(), PLUGINS[path.suffix], LIMITS, np.inf)
    assert array.dtype == np.uint8
    assert not reduced
    return array


def decode(path, plugin, n_frames, n):
    return stills.decode(limits=LIMITS, path=str(path), format_name=plugin, n_frames=n_frames, n=n, index="")


def png(depth, colour_type, width, rows, height=None):
    """A PNG written by hand, for the depths that Pillow cannot write."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height or len(rows), depth, colour_type, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tif", ".avif"])
def test_every_format_shows_the_same_picture(tmp_path, suffix):
    path = portrait_image(tmp_path / f"a{suffix}")
    assert np.abs(read(path).astype(int) - portrait_frame()).mean() < 4


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "LA", "RGBA"])
def test_colour_modes(tmp_path, mode):
    path = portrait_image(tmp_path / ("a.tif" if mode == "CMYK" else "a.png"), mode=mode)
    expected = np.asarray(Image.fromarray(portrait_frame()).convert(mode).convert("RGB"))
    assert np.abs(read(path).astype(int) - expected).mean() < 1


def test_cmyk_jpeg(tmp_path):
    path = portrait_image(tmp_path / "a.jpg", mode="CMYK", quality=95)
    assert np.abs(read(path).astype(int) - portrait_frame()).mean() < 4


def test_transparency_lies_over_white(tmp_path):
    rgba = np.dstack([portrait_frame(), np.full((240, 320), 255, np.uint8)])
    rgba[:100, :, 3] = 0
    rgba[100:120, :, 3] = 128
    Image.fromarray(rgba).save(tmp_path / "a.png")
    got = read(tmp_path / "a.png")
    assert (got[:100] == 255).all()
    assert np.abs(got[100:120] - (portrait_frame()[100:120] / 2 + 127.5)).max() < 2
    np.testing.assert_array_equal(got[120:], portrait_frame()[120:])


def test_transparent_palette(tmp_path):
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.save(tmp_path / "a.gif", transparency=0)
    assert read(tmp_path / "a.gif").tolist() == [[[255, 255, 255], [0, 255, 0]]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation):
    upright = Image.fromarray(portrait_frame())
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose that stores it the way the tag tells
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read(tmp_path / "a.png"), portrait_frame())
    info, _ = stills.probe(limits=LIMITS, path=str(tmp_path / "a.png"), format_name="PNG")
    assert (info["width"], info["height"]) == (320, 240)
    assert info["rotation_deg"] == {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}.get(orientation, 0)


def test_broken_exif_does_not_matter(tmp_path):
    path = portrait_image(tmp_path / "a.jpg", exif=b"Exif\x00\x00II*\x00" + b"\xff" * 40)
    assert read(path).shape == (240, 320, 3)


def test_16_bit_grey_keeps_its_range(tmp_path):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None]
    for suffix in (".png", ".tif"):
        Image.fromarray(ramp).save(tmp_path / f"a{suffix}")
        np.testing.assert_array_equal(read(tmp_path / f"a{suffix}")[0, :, 0], np.arange(256))


def test_16_bit_colour_keeps_its_range():
    row = struct.pack(">9H", 0, 0, 0, 32768, 32768, 32768, 65535, 0, 65535)
    got, _ = stills.read(png(16, 2, 3, [row]), "PNG", LIMITS, np.inf)
    assert np.abs(got.astype(int) - [[[0, 0, 0], [128, 128, 128], [255, 0, 255]]]).max() <= 1


@pytest.mark.parametrize(("dtype", "top"), [(np.float32, 1.0), (np.float32, 255.0), (np.int32, 65535)])
def test_deep_tiff_keeps_its_range(tmp_path, dtype, top):
    Image.fromarray((np.linspace(0, 1, 256) * top)[None].astype(dtype)).save(tmp_path / "a.tif")
    assert np.abs(read(tmp_path / "a.tif")[0, :, 0].astype(int) - np.arange(256)).max() <= 1


def test_large_picture_is_reduced_on_demand(tmp_path):
    path = portrait_image(tmp_path / "a.png", size=(400, 200))
    array, reduced = stills.read(path.read_bytes(), "PNG", LIMITS, 30000)
    assert reduced
    assert array.shape == (70, 141, 3)


@pytest.mark.parametrize("side", [11, 100, 30000])
def test_too_many_pixels_by_the_header_alone(side):
    content = png(8, 2, side, [b""], height=side)
    with pytest.raises(TooManyPixels) as caught:
        stills.read(content, "PNG", Limits(max_image_mpx=0.0001), np.inf)
    assert (caught.value.limit, caught.value.value) == (0.0001, round(side**2 / 1e6, 3))


@pytest.mark.parametrize("suffix", PLUGINS)
@pytest.mark.parametrize("keep", [12, 60, 0.05])
def test_damaged_pictures_say_so(tmp_path, suffix, keep):
    content = portrait_image(tmp_path / f"a{suffix}", size=(64, 48)).read_bytes()
    kept = content[: keep if keep > 1 else int(keep * len(content))]
    noise = np.random.default_rng(0).bytes(len(content) - len(kept))
    with pytest.raises((CorruptMedia, TooManyPixels), match=r"\.$"):
        stills.read(kept, PLUGINS[suffix], LIMITS, np.inf)
    with suppress(CorruptMedia, TooManyPixels):  # a lossy decoder may make a picture of noise
        stills.read(kept + noise, PLUGINS[suffix], LIMITS, np.inf)


def test_the_default_image_of_an_animated_png_is_no_frame_of_it(tmp_path):
    black, *rest = [
        Image.new("RGB", (160, 120)),
        *(Image.fromarray(portrait_frame(i, (160, 120))) for i in range(3)),
    ]
    black.save(tmp_path / "a.png", save_all=True, append_images=rest, default_image=True, duration=80)
    info, _ = stills.probe(limits=LIMITS, path=str(tmp_path / "a.png"), format_name="PNG")
    assert (info["n_frames"], info["duration_s"]) == (3, pytest.approx(0.24))
    got, arrays = decode(tmp_path / "a.png", "PNG", 3, 8)
    assert (got["indices"], got["times_s"]) == ([0, 1, 2], pytest.approx([0, 0.08, 0.16]))
    for i, array in enumerate(arrays):
        np.testing.assert_array_equal(array, portrait_frame(i, (160, 120)))
    black.save(tmp_path / "b.png", save_all=True, append_images=rest[:1], default_image=True, duration=80)
    np.testing.assert_array_equal(read(tmp_path / "b.png"), portrait_frame(0, (160, 120)))


def test_heic_without_its_plugin_says_what_to_do():
    with pytest.raises(NotMedia, match="pillow-heif"):
        stills.read(b"\0\0\0\x18ftypheic", "HEIF", LIMITS, np.inf)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".avif"])
def test_animation_is_a_video_with_its_own_durations(tmp_path, suffix):
    durations = [40, 80, 120, 40, 200, 60]
    saving = {"lossless": True} if suffix == ".webp" else {}
    path = portrait_animation(tmp_path / f"a{suffix}", n_frames=6, durations_ms=durations, **saving)
    info, arrays = stills.probe(limits=LIMITS, path=str(path), format_name=PLUGINS[suffix])
    assert arrays == ()
    assert (info["kind"], info["n_frames"], info["width"], info["height"]) == ("video", 6, 160, 120)
    assert info["duration_s"] == pytest.approx(0.54)
    assert info["fps"] == pytest.approx(6 / 0.54)
    got, arrays = decode(path, PLUGINS[suffix], 6, 3)
    assert got["times_s"] == pytest.approx([0, 0.12, 0.48])
    for i, array in zip((0, 2, 5), arrays, strict=True):
        assert np.abs(array.astype(int) - portrait_frame(i, (160, 120))).mean() < 12


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_single_frame_is_an_image(tmp_path, suffix):
    path = portrait_image(tmp_path / f"a{suffix}")
    info, _ = stills.probe(limits=LIMITS, path=str(path), format_name=PLUGINS[suffix])
    assert (info["kind"], info["fps"], info["duration_s"], info["n_frames"]) == ("image", None, None, 1)


def test_animation_cut_short_uses_the_rest(tmp_path):
    path = portrait_animation(tmp_path / "a.gif", n_frames=10)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    info, _ = stills.probe(limits=LIMITS, path=str(path), format_name="GIF")
    assert 2 <= info["n_frames"] < 10
    assert "damaged" in info["warnings"][0]
    _, arrays = decode(path, "GIF", info["n_frames"], info["n_frames"])
    assert len(arrays) == info["n_frames"]


def test_animation_limits(tmp_path):
    path = str(portrait_animation(tmp_path / "a.gif", n_frames=5, durations_ms=1000))
    with pytest.raises(TooLong) as caught:
        stills.probe(limits=Limits(max_duration_s=2.5), path=path, format_name="GIF")
    assert (caught.value.limit, caught.value.value) == (2.5, 3.0)
    with pytest.raises(TooManyPixels):
        stills.probe(limits=Limits(max_frame_mpx=0.01), path=path, format_name="GIF")


def test_only_the_first_page_of_a_tiff(tmp_path):
    pages = [Image.fromarray(portrait_frame(i)) for i in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    info, _ = stills.probe(limits=LIMITS, path=str(tmp_path / "a.tif"), format_name="TIFF")
    assert info["kind"] == "image"
    assert info["warnings"] == ["Only the first of 3 pages is used."]


def test_a_picture_is_decoded_once_and_again_when_it_changed(tmp_path, monkeypatch):
    path = portrait_image(tmp_path / "a.png")
    made, whole = [], stills._whole_picture
    monkeypatch.setattr(stills, "_whole_picture", lambda *args: made.append(args) or whole(*args))
    stills.probe(limits=LIMITS, path=str(path), format_name="PNG")
    _, first = decode(path, "PNG", 1, 1)
    assert len(made) == 1
    np.testing.assert_array_equal(first[0], np.asarray(Image.open(path)))
    stills.probe(limits=LIMITS, path=str(path), format_name="PNG")
    portrait_image(path, size=(96, 64))
    _, again = decode(path, "PNG", 1, 1)
    assert len(made) == 3
    assert again[0].shape == (64, 96, 3)


def test_content_of_another_format_than_claimed():
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "PNG")
    with pytest.raises(CorruptMedia):
        stills.read(buffer.getvalue(), "JPEG", LIMITS, np.inf)
