"""Is this installation sound? Each check does the real thing once, offline."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from PIL import Image

import tbd_app
from tbd_app.errors import TBDError
from tbd_app.media import confined, sandbox
from tbd_app.media.open import open_media
from tbd_app.media.sample import sample
from tbd_app.models import manifest, registry
from tbd_app.settings import Limits
from tbd_app.types import Report

PACKAGES = (
    "torch torchvision timm facenet-pytorch grad-cam opencv-python-headless av numpy pillow safetensors "
    "gradio"
).split()


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, whether it is well, and a phrase with what was found."""

    name: str
    ok: bool
    detail: str


def checks() -> Iterator[Check]:
    """All checks, one after the other; a failed one does not stop the rest."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    yield _attempt("Python", _python)
    yield _attempt("packages", _packages)
    yield _attempt("FFmpeg", _ffmpeg)
    yield _attempt("temporary folder", _temp_folder)
    yield from _weights()
    with tempfile.TemporaryDirectory(prefix="tbd-doctor-") as folder:
        picture = _picture(Path(folder))
        yield _attempt("decoding in the sandbox", lambda: _decode(picture))
        yield _attempt("layers of the sandbox", _layers)
        yield _attempt("a picture through the engine", lambda: _engine(picture))


def _attempt(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except TBDError as error:
        return Check(name, False, error.message)
    except Exception as error:  # the whole point is to meet what nobody foresaw
        return Check(name, False, f"{type(error).__name__}: {error}")


def _python() -> str:
    return f"{platform.python_version()} on {platform.platform()}"


def _packages() -> str:
    return ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)


def _ffmpeg() -> str:
    from tbd_app.report.annotate import ffmpeg_version

    return ffmpeg_version()


def _temp_folder() -> str:
    with tempfile.TemporaryFile() as file:
        file.write(b"tbd")
    return f"{tempfile.gettempdir()} can be written"


def _weights() -> Iterator[Check]:
    entries = manifest.entries()
    installed = [name for name in entries if registry.is_installed(name)]
    for name in installed:
        yield _attempt(f"weights of {name}", lambda name=name: _load(name))
    if not installed:
        yield Check("weights", False, "no model is installed; `tbd models` says how to get one")


def _load(name: str) -> str:
    registry.load(name)
    return "hash matches the manifest, all keys fit"


def _picture(folder: Path) -> Path:
    y, x = np.mgrid[:240, :320]
    path = folder / "picture.png"
    Image.fromarray(np.stack([x % 256, y, (x + y) % 256], axis=-1).astype(np.uint8)).save(path)
    return path


def _decode(picture: Path) -> str:
    limits = Limits.from_env()
    frames = sample(open_media(picture, limits), 8, limits)
    height, width = frames.images[0].shape[:2]
    if (width, height) != (320, 240):
        raise RuntimeError(f"a 320x240 picture came back as {width}x{height}")
    return "a picture came back whole"


def _layers() -> str:
    """What holds the decoding process; an absent layer is named and is no fault of the installation."""
    layers, _ = sandbox.run(confined.layers, Limits.from_env())
    here = ", ".join(name for name, absence in layers.items() if not absence)
    absent = "; ".join(f"{name} ({absence})" for name, absence in layers.items() if absence)
    return f"{here or 'none'}; absent: {absent or 'none'}"


def _engine(picture: Path) -> str:
    report = tbd_app.analyze(picture)
    if not isinstance(report, Report) or report.verdict.label != "not_applicable":
        raise RuntimeError(f"a picture without a face was called {report.verdict.label}")
    device = report.versions["device"]
    return f"finds no face where there is none, on {device}, in {sum(report.timings_s.values()):.1f} s"
