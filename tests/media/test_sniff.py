import numpy as np
import pytest

from tbd_app.media.sniff import HEAD_BYTES, sniff


@pytest.mark.parametrize(
    ("head", "reader", "format"),
    [
        (b"\0\0\0\x18ftypisom\0\0\0\0", "video", "mov"),
        (b"\0\0\0\x18ftypqt  \0\0\0\0", "video", "mov"),
        (b"\0\0\0\x18ftyp3gp4\0\0\0\0", "video", "mov"),
        (b"\0\0\0\x08wide\0\0\0\x08mdat", "video", "mov"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "image", "HEIF"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "image", "AVIF"),
        (b"\0\0\0\x1cftypavis\0\0\0\0", "image", "AVIF"),
        (b"\x1a\x45\xdf\xa3", "video", "matroska"),
        (b"RIFF\0\0\0\0AVI LIST", "video", "avi"),
        (b"RIFF\0\0\0\0WEBPVP8X", "image", "WEBP"),
        (b"RIFF\0\0\0\0WAVEfmt ", "other", "a sound file"),
        (b"\0\0\x01\xba\x44", "video", "mpeg"),
        ((b"\x47" + bytes(187)) * 5, "video", "mpegts"),
        ((bytes(4) + b"\x47" + bytes(187)) * 5, "video", "mpegts"),
        (b"GIF89a", "image", "GIF"),
        (b"BM" + bytes(12) + b"\x28\0\0\0", "image", "BMP"),
        (b"PK\x03\x04", "zip", "zip"),
        (b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd", "other", "a playlist"),
        (b"ffconcat version 1.0\nfile /etc/passwd", "other", "a list of other files"),
        (b"v=0\no=- 0 0 IN IP4 127.0.0.1", "other", "a stream description"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", "other", "a web page or SVG drawing"),
        (b"%PDF-1.7", "other", "a PDF document"),
        (b"BM is how this text starts, and no bitmap", "other", ""),
        (b"Gone with the wind" * 60, "other", ""),
        (b"", "other", ""),
        (b"\0", "other", ""),
    ],
)
def test_content_decides(head, reader, format):  # noqa: A002 - the attribute's name
    content = sniff(head)
    assert (content.reader, content.format) == (reader, format)


def test_noise_is_nothing():
    rng = np.random.default_rng(0)
    assert {sniff(rng.bytes(HEAD_BYTES)).reader for _ in range(200)} == {"other"}
