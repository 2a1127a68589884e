"""What a file is, from its first bytes and never from its name."""

from __future__ import annotations

from tbd_app.types import Content, ReaderName

HEAD_BYTES = 1024  # enough for the sync bytes of a transport stream and the brands of an ISO file

# FFmpeg demuxer by the bytes at an offset. Only real containers: a playlist, a concat script or an SDP file
# can make FFmpeg open other files and addresses, so the demuxer is always forced to one of these.
_VIDEO_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (8, b"AVI ", "avi"),
    (8, b"AVIX", "avi"),
    (0, b"FLV\x01", "flv"),
    (0, b"OggS", "ogg"),
    (0, bytes.fromhex("3026b2758e66cf11"), "asf"),
    (0, b"\x00\x00\x01\xba", "mpeg"),
    (0, b"\x00\x00\x01\xb3", "mpegvideo"),
    (0, b"\x00\x00\x01\xb0", "m4v"),
    (0, b"DKIF", "ivf"),
    (0, b"YUV4MPEG2 ", "yuv4mpegpipe"),
    (0, bytes.fromhex("060e2b34020501010d0102"), "mxf"),
    (0, b"nut/multimedia container\x00", "nut"),
)
_ISO_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")

# Pillow format by the bytes at an offset.
_IMAGE_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (8, b"WEBP", "WEBP"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"II+\x00", "TIFF"),
    (0, b"MM\x00+", "TIFF"),
)
_ISO_IMAGE_BRANDS = {b"avif": "AVIF", b"avis": "AVIF"} | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIF"
)

RAW = "a raw picture of a camera; export it as JPEG"
OTHER_ARCHIVE = "an archive that is not a zip"
# What people try, named so that the message can say it.
_OTHER_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF", "a PDF document"),
    (0, b"#EXTM3U", "a playlist"),
    (0, b"ffconcat", "a list of other files"),
    (0, b"v=0", "a stream description"),
    (0, b"<", "a web page or SVG drawing"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (4, b"JXL \r\n\x87\n", "a JPEG XL picture"),
    (4, b"jP  \r\n\x87\n", "a JPEG 2000 picture"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (0, b"8BPS", "a Photoshop picture"),
    (0, b"gimp xcf", "a GIMP picture"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (0, b"#?RADIANCE", "a Radiance picture"),
    (0, b"SDPX", "a DPX picture"),
    (0, b"XPDS", "a DPX picture"),
    (0, b"qoif", "a QOI picture"),
    (0, b"DDS ", "a DDS picture"),
    (0, b"\x00\x00\x01\x00", "an icon"),
    (128, b"DICM", "a medical picture (DICOM)"),
    (0, b"FUJIFILMCCD-RAW", RAW),
    (0, b"IIU\x00", RAW),
    (0, b"IIRO", RAW),
    (0, b"IIRS", RAW),
    (0, b"%!PS", "a PostScript document"),
    (0, b"{\\rtf", "a text document"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document"),
    (0, b"MZ", "a program"),
    (0, b"\x7fELF", "a program"),
    (0, b"FWS", "a Flash animation"),
    (0, b"CWS", "a Flash animation"),
    (0, b"ZWS", "a Flash animation"),
    (0, b".RMF", "a RealMedia video"),
    (0, b"BIK", "a Bink video"),
    (0, b"\xb7\xd8\x00\x20", "a recording of Windows Media Center (WTV)"),
    (0, b"MThd", "a sound file"),
    (0, b"FORM", "a sound file (AIFF)"),
    (0, b"#!AMR", "a sound file"),
    (0, b"\xff\xf1", "a sound file"),
    (0, b"\xff\xf3", "a sound file"),
    (0, b"ID3", "a sound file"),
    (0, b"\xff\xfb", "a sound file"),
    (0, b"fLaC", "a sound file"),
    (8, b"WAVE", "a sound file"),
    (0, b"Rar!", OTHER_ARCHIVE),
    (0, b"7z\xbc\xaf\x27\x1c", OTHER_ARCHIVE),
    (0, b"\x1f\x8b", OTHER_ARCHIVE),
    (0, b"BZh", OTHER_ARCHIVE),
    (0, b"\xfd7zXZ\x00", OTHER_ARCHIVE),
    (0, b"(\xb5/\xfd", OTHER_ARCHIVE),
    (257, b"ustar", OTHER_ARCHIVE),
)


_TABLES: tuple[tuple[ReaderName, tuple[tuple[int, bytes, str], ...]], ...] = (
    ("image", _IMAGE_MAGIC),
    ("video", _VIDEO_MAGIC),
    ("other", _OTHER_MAGIC),
)


def sniff(head: bytes) -> Content:
    """Recognise a file by its first `HEAD_BYTES` bytes."""
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return Content("zip", "zip")
    if (head[8:10] == b"CR" and head.startswith((b"II*\x00", b"MM\x00*"))) or head[4:12] == b"ftypcrx ":
        return Content("other", RAW)
    if stream := _elementary_stream(head):
        return Content("video", stream)
    if head[4:8] == b"ftyp" and (image := _iso_image(head)):
        return Content("image", image)
    if head[4:8] in _ISO_BOXES:
        return Content("video", "mov")
    if _is_bitmap(head):
        return Content("image", "BMP")
    if _is_transport_stream(head):
        return Content("video", "mpegts")
    for reader, table in _TABLES:
        for offset, magic, name in table:
            if head.startswith(magic, offset) and (offset != 8 or head.startswith(b"RIFF")):
                return Content(reader, name)
    return Content("other", "")


def _elementary_stream(head: bytes) -> str | None:
    """FFmpeg's demuxer of raw H.264 or HEVC, by the first unit after its start code: parameters, SEI or delimiter.

    Source: ITU-T H.264, table 7-1; ITU-T H.265, table 7-1.
    """
    start = next((c for c in (b"\x00\x00\x00\x01", b"\x00\x00\x01") if head.startswith(c)), None)
    if start is None:
        return None
    unit = head[len(start) : len(start) + 2]
    if unit in (b"\x40\x01", b"\x46\x01", b"\x4e\x01"):
        return "hevc"
    return "h264" if unit[:1] in (b"\x67", b"\x47", b"\x27", b"\x09", b"\x06") else None


def _iso_image(head: bytes) -> str | None:
    """Pillow's format of an ISO file whose major brand is a picture's, None for a video."""
    major, compatible = head[8:12], head[16 : int.from_bytes(head[:4], "big")]
    if major in (b"mif1", b"msf1") and b"avi" in compatible:
        return "AVIF"
    return _ISO_IMAGE_BRANDS.get(major)


def _is_bitmap(head: bytes) -> bool:
    # "BM" alone could start a text; the sizes of the known headers follow at byte 14.
    sizes = (12, 40, 52, 56, 64, 108, 124)
    return head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in sizes


def _is_transport_stream(head: bytes) -> bool:
    # Packets of 188 bytes; Blu-ray and AVCHD put a 4-byte time before each.
    return any(
        len(head) > first + 3 * step and all(head[first + k * step] == 0x47 for k in range(4))
        for first, step in ((0, 188), (4, 192))
    )
