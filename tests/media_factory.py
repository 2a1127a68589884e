"""Media made for tests: a moving portrait (`skimage.data.astronaut`, public domain) in many forms.

Every function is pure but for the file it writes, and returns that file's path. Sizes are (width, height)
as displayed.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
from PIL import Image
from skimage import data

Size = tuple[int, int]
SOUND_RATE = 16_000  # samples a second
INTERLACED = 1 << 18 | 1 << 29  # AV_CODEC_FLAG_INTERLACED_DCT and _ME
VFR_TICKS = (1, 1, 3, 2, 1, 5)  # frame durations of a variable frame rate clip, in units of 1/fps


@cache
def _astronaut() -> Image.Image:
    return Image.fromarray(data.astronaut())


def portrait_frame(i: int = 0, size: Size = (320, 240)) -> np.ndarray:
    """Frame `i` of the moving portrait: (H,W,3) uint8 RGB; the face moves and the light changes.

    The face is about a third of the shorter side wide.
    """
    width, height = size
    side = 330 + 30 * np.sin(i / 7)  # window on the 512 px picture, around the face at (222, 132)
    cx, cy = 222 + 25 * np.sin(i / 5), 150 + 12 * np.cos(i / 3)
    half_w, half_h = side / 2 * np.array([width, height]) / max(size)
    box = (cx - half_w, cy - half_h, cx + half_w, cy + half_h)
    image = _astronaut().transform(
        size, Image.Transform.EXTENT, box, resample=Image.Resampling.BILINEAR, fillcolor=(90, 90, 90)
    )
    light = 1 + 0.12 * np.sin(i / 4)
    return np.clip(np.asarray(image) * light, 0, 255).astype(np.uint8)


def faceless_frame(i: int = 0, size: Size = (320, 240)) -> np.ndarray:
    """Frame `i` of drifting coloured waves: (H,W,3) uint8 RGB without any face."""
    y, x = np.mgrid[: size[1], : size[0]].astype(np.float32)
    waves = [np.sin((x * a + y * b + 5 * i) / 40) for a, b in ((1, 0.3), (0.2, 1), (0.7, -0.7))]
    return (127 + 120 * np.stack(waves, axis=-1)).astype(np.uint8)


def encode(
    path: Path,
    frames: Iterable[np.ndarray],
    *,
    codec: str = "libx264",
    container: str | None = None,
    fps: int = 25,
    rotation: int = 0,
    mirrored: bool = False,
    vfr: bool = False,
    crf: int | None = 23,
    gop: int = 12,
    pix_fmt: str = "yuv420p",
    options: Mapping[str, str] | None = None,
    container_options: Mapping[str, str] | None = None,
    audio: bool | float = False,
    audio_codec: str = "aac",
    aspect: Fraction | None = None,
    colours: tuple[int, int, int] | None = None,
    interlaced: bool = False,
    start: int = 0,
    tags: Mapping[str, str] | None = None,
) -> Path:
    """Write (H,W,3) uint8 RGB frames as a video.

    Args:
        container: FFmpeg muxer; by default the one of the path's suffix.
        rotation: clockwise turn that a player must apply (0, 90, 180, 270); the picture is stored turned the
            other way.
        mirrored: a player must mirror the picture; it is stored mirrored.
        vfr: frame durations follow `VFR_TICKS`.
        crf: constant rate factor, None for codecs without one.
        options: further codec options.
        container_options: muxer options, for example `{"movflags": "faststart"}`.
        audio: add a track of silence, or of silence with a beep at so many seconds after the first frame.
        aspect: width of a pixel over its height.
        colours: transfer, primaries and matrix by their numbers in H.273; the frames are already in these colours.
        interlaced: flag the frames as interlaced, top field first; they are woven already.
        start: time of the first frame, in units of 1/fps.
        tags: metadata of the container.
    """
    stored = (f[:, ::-1] if mirrored else f for f in frames)
    turned = (np.ascontiguousarray(np.rot90(f, rotation // 90)) for f in stored)
    first = next(turned)
    quality = {} if crf is None else {"crf": str(crf)}
    with av.open(str(path), "w", format=container, options=dict(container_options or {})) as out:
        out.metadata.update(tags or {})
        stream = out.add_stream(codec, rate=fps, options={**quality, **(options or {})})
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = pix_fmt
        stream.gop_size = gop
        stream.thread_count = 1
        stream.codec_context.time_base = Fraction(1, fps)
        if aspect is not None:
            stream.sample_aspect_ratio = aspect
        if colours is not None:
            context = stream.codec_context
            context.color_trc, context.color_primaries, context.colorspace = colours
        if interlaced:
            stream.codec_context.flags |= INTERLACED
        if rotation or mirrored:
            stream.set_display_rotation(-rotation, hflip=mirrored)
        sound = out.add_stream(audio_codec, rate=SOUND_RATE, layout="mono") if audio else None
        pts = start
        for i, array in enumerate((first, *turned)):
            form = "rgba" if array.shape[2] == 4 else "rgb48le" if array.dtype == np.uint16 else "rgb24"
            frame = av.VideoFrame.from_ndarray(array, format=form)
            if colours is not None:
                frame = frame.reformat(format=pix_fmt, dst_colorspace=colours[2])
            frame.pts, frame.time_base = pts, Fraction(1, fps)
            out.mux(stream.encode(frame))
            pts += VFR_TICKS[i % len(VFR_TICKS)] if vfr else 1
        out.mux(stream.encode())
        if sound is not None:
            beep_s = None if audio is True else audio
            _mux_sound(out, sound, (pts - start) / fps, start_s=start / fps, beep_s=beep_s)
    return path


def _mux_sound(
    out: av.container.OutputContainer,
    stream: av.AudioStream,
    seconds: float,
    *,
    start_s: float = 0.0,
    beep_s: float | None = None,
) -> None:
    n = (int(seconds * SOUND_RATE) // 1024 + 1) * 1024
    times_s, wave = np.arange(n) / SOUND_RATE, np.zeros((1, n), np.float32)
    if beep_s is not None:
        wave[0, (times_s >= beep_s) & (times_s < beep_s + 0.04)] = 0.8
        wave *= np.sin(2 * np.pi * 1000 * times_s, dtype=np.float32)
    whole = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
    whole.sample_rate, whole.time_base = SOUND_RATE, Fraction(1, SOUND_RATE)
    whole.pts = round(start_s * SOUND_RATE)
    form = stream.codec_context.format.name
    cut = av.AudioResampler(format=form, layout="mono", rate=SOUND_RATE, frame_size=1024)
    for frame in (*cut.resample(whole), *cut.resample(None)):
        out.mux(stream.encode(frame))
    out.mux(stream.encode())


def portrait_clip(path: Path, *, n_frames: int = 30, size: Size = (320, 240), **encoding) -> Path:
    """A clip of the moving portrait; `encoding` as for `encode`."""
    return encode(path, (portrait_frame(i, size) for i in range(n_frames)), **encoding)


def faceless_clip(path: Path, *, n_frames: int = 30, size: Size = (320, 240), **encoding) -> Path:
    """A clip without any face; `encoding` as for `encode`."""
    return encode(path, (faceless_frame(i, size) for i in range(n_frames)), **encoding)


def audio_only(path: Path, *, seconds: float = 1.0) -> Path:
    """A file with a track of silence and nothing to see."""
    with av.open(str(path), "w") as out:
        _mux_sound(out, out.add_stream("aac", rate=SOUND_RATE, layout="mono"), seconds)
    return path


def portrait_image(path: Path, *, size: Size = (320, 240), i: int = 0, mode: str = "RGB", **saving) -> Path:
    """One portrait as a picture; format by suffix, `saving` goes to Pillow's `save` (quality, exif, ...)."""
    Image.fromarray(portrait_frame(i, size)).convert(mode).save(path, **saving)
    return path


def portrait_animation(
    path: Path, *, n_frames: int = 12, size: Size = (160, 120), durations_ms: list[int] | int = 80, **saving
) -> Path:
    """An animated GIF, WebP, PNG or AVIF of the moving portrait; format by suffix."""
    first, *rest = (Image.fromarray(portrait_frame(i, size)) for i in range(n_frames))
    first.save(path, save_all=True, append_images=rest, duration=durations_ms, loop=0, **saving)
    return path


def png_bytes(array: np.ndarray) -> bytes:
    """A (H,W,3) uint8 RGB picture as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def zip_of(path: Path, members: Mapping[str, bytes] | Iterator[tuple[str, bytes]]) -> Path:
    """A zip of the given names and contents, in the given order."""
    items = members.items() if isinstance(members, Mapping) else members
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in items:
            out.writestr(name, content)
    return path


def frames_zip(
    path: Path,
    *,
    n_frames: int = 12,
    size: Size | Callable[[int], Size] = (320, 240),
    name: str = "clip/frame{i}.png",
    extra: Mapping[str, bytes] | None = None,
) -> Path:
    """A zip of portrait frames as PNG.

    Args:
        size: one size, or a function of the frame number for mixed sizes.
        name: member name, formatted with the frame number `i`.
        extra: further members, written first.
    """
    sizes = [size(i) if callable(size) else size for i in range(n_frames)]
    frames = {name.format(i=i): png_bytes(portrait_frame(i, sizes[i])) for i in range(n_frames)}
    return zip_of(path, {**(extra or {}), **frames})
