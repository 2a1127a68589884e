"""Files that are made to do harm or to mislead, generated: a table of makers with the answers that are allowed.

Used by tests/media/test_hostile.py, by `benchmarks/hostile.py` (which writes the table of docs/security.md) and, as seeds, by
`script/fuzz`. The names of a zip's members and of the file itself are part of it.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tests import media_factory

OK = "ok"


@dataclass(frozen=True)
class Case:
    """A maker of bytes, and the codes that are right answers; "ok" where the file is used, or what can be read of it."""

    make: Callable[[Path], bytes]
    answers: frozenset[str]


def frame(size: tuple[int, int] = (64, 48)) -> bytes:
    """A small picture as PNG."""
    return media_factory.png_bytes(media_factory.faceless_frame(size=size))


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes], level: int = 6) -> bytes:
    """A zip of these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def nameless() -> bytes:
    """A zip whose first member has no name in the list at the end: its five bytes are called an extra field."""
    out = bytearray(zipped(("1.png", frame()), ("2.png", frame())))
    at = out.index(b"PK\x01\x02")
    out[at + 28 : at + 32] = struct.pack("<HH", 0, 5)
    out[at + 46 : at + 51] = struct.pack("<HHB", 0xFFFF, 1, 0)
    return bytes(out)


def link() -> bytes:
    """A zip whose member is a symbolic link out of it."""
    info = zipfile.ZipInfo("1.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return zipped((info, b"/etc/passwd"))


def encrypted() -> bytes:
    """A zip that says that it has a password."""
    content = bytearray(zipped(("1.png", frame())))
    content[6] |= 1
    central = content.index(b"PK\x01\x02")
    content[central + 8] |= 1
    return bytes(content)


def lying_zip() -> bytes:
    """A zip whose directory says that a picture of 1 MB has 10 bytes."""
    content = bytearray(zipped(("1.bmp", bitmap(640, 480)), ("2.png", frame())))
    central = content.index(b"PK\x01\x02")
    struct.pack_into("<I", content, central + 24, 10)
    return bytes(content)


def overlapping() -> bytes:
    """A zip with a thousand entries that all lead to the same packed bytes."""
    content = zipped(("0.bmp", bytes(2_000_000)), level=9)
    start = content.index(b"PK\x01\x02")
    end = content.index(b"PK\x05\x06")
    entries = content[start:end] * 1000
    return (
        content[:start]
        + entries
        + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1000, 1000, len(entries), start, 0)
    )


def bitmap(width: int, height: int) -> bytes:
    """A grey picture as BMP."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), "grey").save(out, "BMP")
    return out.getvalue()


def png(width: int, height: int, *extra: tuple[bytes, bytes], data: bytes = b"") -> bytes:
    """A PNG by its chunks: its header may claim any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def animation(size: tuple[int, int], n: int, kind: str) -> bytes:
    """A GIF or WebP of plain frames, which pack to next to nothing; from the third on they are the same bytes."""
    frames = [Image.new("P" if kind == "GIF" else "RGB", size, i) for i in (1, 3, 5)]
    out = io.BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:], duration=20, lossless=True)
    content = out.getvalue()
    last = content.rindex(b"!\xf9\x04" if kind == "GIF" else b"ANMF")
    if kind == "GIF":
        return content[:last] + content[last:-1] * (n - 2) + content[-1:]
    content = content[:last] + content[last:] * (n - 2)
    return content[:4] + struct.pack("<I", len(content) - 8) + content[8:]


def tiff_loop() -> bytes:
    """A TIFF whose only directory is followed by itself."""
    entries = [
        (256, 3, 1, 8),
        (257, 3, 1, 8),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 200),
    ]
    entries += [(277, 3, 1, 1), (278, 3, 1, 8), (279, 4, 1, 64)]
    body = (
        b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(struct.pack("<HHII", *e) for e in entries)
    )
    return (body + struct.pack("<I", 8)).ljust(200, b"\0") + bytes(64)


def video(
    folder: Path, name: str = "v.mp4", n_frames: int = 12, size: tuple[int, int] = (64, 48), **encoding
) -> bytes:
    """A short valid video."""
    path = media_factory.faceless_clip(folder / name, n_frames=n_frames, size=size, **encoding)
    content = path.read_bytes()
    path.unlink()
    return content


def patched(content: bytes, after: bytes, offset: int, value: bytes) -> bytes:
    """Bytes with some of them replaced, at an offset from a mark."""
    at = content.index(after) + offset
    return content[:at] + value + content[at + len(value) :]


def changing(folder: Path) -> bytes:
    """A raw H.264 stream whose frames change their size half-way."""
    parts = [
        video(folder, f"{i}.h264", size=size, container="h264")
        for i, size in enumerate(((64, 48), (128, 96)))
    ]
    return b"".join(parts)


def y4m(frames: int) -> bytes:
    """Uncompressed video of 2x2 pixels: 12 bytes a frame."""
    return b"YUV4MPEG2 W2 H2 F250:1 C420jpeg\n" + b"FRAME\n\0\0\0\0\0\0" * frames


def noise(seed: int, n: int) -> bytes:
    return np.random.default_rng(seed).integers(0, 256, n, np.uint8).tobytes()


def _case(make: Callable[[Path], bytes], *answers: str) -> Case:
    return Case(make, frozenset(answers))


CASES: dict[str, Case] = {
    "empty": _case(lambda f: b"", "empty"),
    "one byte": _case(lambda f: b"\0", "not_media"),
    "zeros": _case(lambda f: bytes(100_000), "not_media"),
    "noise": _case(lambda f: noise(1, 100_000), "not_media"),
    "program": _case(lambda f: b"\x7fELF" + noise(2, 5000), "not_media"),
    "playlist": _case(lambda f: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "not_media"),
    "list of files": _case(lambda f: b"ffconcat version 1.0\nfile /etc/passwd\n", "not_media"),
    "stream description": _case(lambda f: b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\n", "not_media"),
    "SVG with an outside entity": _case(
        lambda f: b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><svg>&e;</svg>', "not_media"
    ),
    "playlist behind a video's first bytes": _case(
        lambda f: b"\0\0\0\x18ftypmp42" + b"#EXTM3U\nfile:///etc/passwd\n" * 20, "corrupt_media", "not_media"
    ),
    "zip: path out of it": _case(lambda f: zipped(("../../1.png", frame())), "unsafe_zip_path"),
    "zip: absolute path": _case(lambda f: zipped(("/tmp/1.png", frame())), "unsafe_zip_path"),  # noqa: S108
    "zip: path of Windows": _case(lambda f: zipped(("C:\\1.png", frame())), "unsafe_zip_path"),
    "zip: link": _case(lambda f: link(), "unsafe_zip_path"),
    "zip: password": _case(lambda f: encrypted(), "encrypted_zip"),
    "zip: zip in it": _case(lambda f: zipped(("1.png", zipped(("2.png", frame())))), "nested_zip"),
    "zip: bomb": _case(lambda f: zipped(("1.bmp", bytes(30_000_000)), level=9), "unpack_ratio", "not_media"),
    "zip: entries that share their bytes": _case(
        lambda f: overlapping(), "unpack_ratio", "corrupt_media", "not_media"
    ),
    "zip: wrong sizes": _case(lambda f: lying_zip(), OK, "corrupt_media", "not_media"),
    "zip: 3,000 pictures": _case(
        lambda f: zipped(*((f"{i}.png", frame((2, 2))) for i in range(3000))), "too_many_frames"
    ),
    "zip: picture of 10 gigapixels": _case(
        lambda f: zipped(("1.png", png(100_000, 100_000))), "too_many_pixels"
    ),
    "zip: cut": _case(lambda f: zipped(("1.png", frame()))[:-30], "corrupt_media"),
    "zip: names that steer": _case(
        lambda f: zipped(("\x1b[2J\u202e.png", frame()), ("<img src=x onerror=alert(1)>.png", frame())), OK
    ),
    "zip: name that is no text": _case(
        lambda f: zipped(("ä1.png", frame()), ("2.png", frame())).replace("ä".encode(), b"\xff\xff", 1), OK
    ),
    "zip: list of names that are no text": _case(
        lambda f: zipped(("ä1.png", frame()), ("2.png", frame())).replace("ä".encode(), b"\xff\xff"),
        "corrupt_media",
    ),
    "zip: member without a name": _case(lambda f: nameless(), OK),
    "zip behind a picture": _case(lambda f: frame() + zipped(("../1.png", frame())), OK),
    "PNG of 10 gigapixels": _case(lambda f: png(100_000, 100_000), "too_many_pixels"),
    "PNG: text of 30 MB": _case(
        lambda f: png(8, 8, (b"zTXt", b"k\0\0" + zlib.compress(bytes(30_000_000), 9)), data=bytes(200)),
        OK,
        "corrupt_media",
    ),
    "PNG: data of 30 MB": _case(lambda f: png(8, 8, data=bytes(30_000_000)), OK, "corrupt_media"),
    "PNG: no pixels": _case(lambda f: png(0, 0), "corrupt_media"),
    "PNG: cut": _case(lambda f: frame((320, 240))[:2000], OK, "corrupt_media"),
    "APNG: 4 billion frames claimed": _case(
        lambda f: png(8, 8, (b"acTL", struct.pack(">II", 0x7FFFFFFF, 0)), data=bytes(200)),
        OK,
        "corrupt_media",
    ),
    "GIF: 1,500 large frames": _case(
        lambda f: animation((2000, 2000), 1500, "GIF"), "too_many_pixels", "decode_timeout"
    ),
    "WebP: 400 large frames": _case(
        lambda f: animation((4000, 4000), 400, "WEBP"), "too_many_pixels", "decode_timeout", OK
    ),
    "TIFF that follows itself": _case(lambda f: tiff_loop(), OK, "corrupt_media"),
    "JPEG: cut": _case(lambda f: b"\xff\xd8\xff\xe0" + noise(3, 300), "corrupt_media"),
    "GIF that is a page": _case(lambda f: b"GIF89a/*<script>alert(1)</script>*/=1;", "corrupt_media"),
    "MP4: cut": _case(
        lambda f: video(f, container_options={"movflags": "faststart"})[:2500], OK, "corrupt_media"
    ),
    "MP4: without its index": _case(lambda f: video(f)[:-900], "corrupt_media", "not_media"),
    "MP4: 136 years": _case(
        lambda f: patched(video(f), b"mvhd", 20, b"\xff\xff\xff\xff"), OK, "too_long", "corrupt_media"
    ),
    "MP4: box within itself": _case(
        lambda f: patched(video(f), b"moov", -4, b"\xff\xff\xff\xff"), OK, "corrupt_media", "not_media"
    ),
    "MP4: 4 billion frames claimed": _case(
        lambda f: patched(video(f), b"stsz", 12, b"\xff\xff\xff\xff"), OK, "corrupt_media"
    ),
    "MP4: 65535 x 65535": _case(
        lambda f: patched(video(f), b"avc1", 28, b"\xff\xff\xff\xff"), OK, "too_many_pixels", "corrupt_media"
    ),
    "Matroska: cut": _case(lambda f: video(f, "v.mkv")[:1500], OK, "corrupt_media"),
    "AVI: wrong sizes": _case(
        lambda f: patched(
            video(f, "v.avi", codec="mjpeg", crf=None, pix_fmt="yuvj420p"), b"strf", 12, b"\xff\xff\xff\x7f"
        ),
        OK,
        "corrupt_media",
        "too_many_pixels",
    ),
    "H.264: noise": _case(lambda f: b"\0\0\0\x01\x67" + noise(4, 50_000), "corrupt_media", "not_media"),
    "H.264: size changes": _case(changing, OK),
    "Y4M: 200,000 frames of 2 x 2": _case(lambda f: y4m(200_000), "too_many_frames"),
    "codec that is not on the list": _case(
        lambda f: video(f, "v.avi", codec="zmbv", crf=None, pix_fmt="bgr0"), "not_media"
    ),
}
