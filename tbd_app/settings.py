"""Every number a user or an operator may change, with its unit, default and range; environment overrides live here only."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from tbd_app import trust
from tbd_app.errors import BadSetting
from tbd_app.trust import TrustList

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on hostile or clumsy uploads. Each may be set by `TBD_<NAME>`, for example `TBD_MAX_FILE_MB=500`."""

    max_file_mb: float = 200.0
    max_duration_s: float = 600.0
    max_image_mpx: float = 64.0
    max_frame_mpx: float = 36.0  # 8K is 33
    frame_mpx: float = (
        2.0736  # 1920 x 1080; larger frames are read at this size: no clip that was measured had any
    )
    max_zip_frames: int = 2000
    max_unpacked_mb: float = 2000.0
    max_unpack_ratio: float = 100.0
    max_decoded_mb: float = 1024.0  # above it frames are kept smaller, with a warning
    max_animation_mpx: float = 1000.0  # all frames of a GIF, WebP, PNG or AVIF together
    decode_timeout_s: float = 120.0
    decode_cpu_s: float = 60.0  # of all threads of a decoding process, and 1 s more for each MB of the file
    decode_memory_mb: float = 4096.0  # address space of the decoding process
    decode_threads: int = 4  # at most, and no more than the machine has cores; each holds whole frames

    @classmethod
    def from_env(cls) -> Limits:
        """Limits with `TBD_*` overrides.

        Raises:
            BadSetting: a variable is not a positive number.
        """
        return cls(**_numbers(cls))


@dataclass(frozen=True, slots=True)
class Edge:
    """What the page lets strangers do. Each may be set by `TBD_<NAME>`, for example `TBD_PASSWORD=...`.

    Attributes:
        requests_per_minute: uploads and analyses of one client, by its address.
        stored_uploads_mb: all uploads that wait or are analysed.
        spare_disk_mb: kept free.
        password: asked for before anything is shown, with any user name; "" for none.
        frame_ancestors: sites that may show the page in a frame, as in a content security policy.
        metrics: counters are served at /metrics.
    """

    requests_per_minute: int = 120
    stored_uploads_mb: float = 4000.0
    spare_disk_mb: float = 100.0
    password: str = ""
    frame_ancestors: str = "'self'"
    metrics: bool = False

    @classmethod
    def from_env(cls) -> Edge:
        """Settings with `TBD_*` overrides; in a Space, the hub's pages may show the page in a frame.

        Raises:
            BadSetting: a variable is not what it must be.
        """
        usual = "'self' https://huggingface.co https://*.hf.space" if os.environ.get("SPACE_ID") else "'self'"
        ancestors = os.environ.get("TBD_FRAME_ANCESTORS") or usual
        if not ancestors.isprintable() or not ancestors.isascii() or set(";,") & set(ancestors):
            raise BadSetting(
                "TBD_FRAME_ANCESTORS must be sources of a content security policy, parted by spaces."
            )
        return cls(
            **_numbers(cls),
            password=os.environ.get("TBD_PASSWORD", ""),
            frame_ancestors=ancestors,
            metrics=os.environ.get("TBD_METRICS", "0") == "1",
        )


def _numbers(kind: type[Any]) -> dict[str, Any]:
    """The numbers of a dataclass that are set by `TBD_*`.

    Raises:
        BadSetting: a variable is not a positive number.
    """
    given: dict[str, Any] = {}
    for f in fields(kind):
        name = f"TBD_{f.name.upper()}"
        text = os.environ.get(name)
        if text is None or f.type not in ("int", "float"):
            continue
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 < value < float("inf"):
            raise BadSetting(f"{name} must be a positive number, not {text!r}.")
        given[f.name] = int(value) if f.type == "int" else value
    return given


def trust_list() -> TrustList | None:
    """The C2PA signers whom the operator trusts (`TBD_C2PA_TRUST`, a file), or None: who signed is then not checked.

    Raises:
        BadSetting: the file is not what it must be.
    """
    name = os.environ.get("TBD_C2PA_TRUST")
    return trust.read(Path(name)) if name else None


@dataclass(frozen=True, slots=True)
class AnalysisSettings:
    """What one analysis does. The same object serves web, command line, Python and HTTP.

    Attributes:
        n_frames: frames sampled over the whole timeline, 8 to 64.
        face_confidence: least detector probability of a face, 0.5 to 1.
        models: model names, or ("default",) for the default voters, or ("all",) for every registered model.
        explain: make maps of where the models looked.
        attention: make them of a model's own attention where it has any to show, else by Grad-CAM.
        stability: score the same faces again in changed views, and give no answer where one of them turns it.
        device: "auto" takes CUDA when present.
        min_face_px: faces with a smaller median side (longer side of the box, px) are reported, not scored; at least 20,
            the smallest that the detector finds.
        min_track_share: tracks seen in a smaller share of the sampled frames are reported, not scored, 0 to 1.
        trust: who may have signed a file's statement of its origin; it changes nothing but what is said of that.
    """

    n_frames: int = 32
    face_confidence: float = 0.9
    models: tuple[str, ...] = ("default",)
    explain: bool = True
    attention: bool = False
    stability: bool = False
    device: Device = "auto"
    min_face_px: int = 64
    min_track_share: float = 0.25
    limits: Limits = field(default_factory=Limits.from_env)
    trust: TrustList | None = field(default_factory=trust_list)

    def __post_init__(self) -> None:
        if not 8 <= self.n_frames <= 64:
            raise BadSetting(f"The number of frames must be 8 to 64, not {self.n_frames}.")
        if not 0.5 <= self.face_confidence <= 1.0:
            raise BadSetting(f"Face confidence must be 0.5 to 1, not {self.face_confidence}.")
        if self.min_face_px < 20:
            raise BadSetting(
                f"The smallest face to judge must be at least 20 pixels, not {self.min_face_px}."
            )
        if not 0 <= self.min_track_share <= 1:
            raise BadSetting(
                f"The share of frames that show a person must be 0 to 1, not {self.min_track_share}."
            )
        if self.device not in ("auto", "cpu", "cuda"):
            raise BadSetting(f"Device must be auto, cpu or cuda, not {self.device!r}.")
        if not self.models:
            raise BadSetting("Name at least one model, or 'default', or 'all'.")


def weights_dirs() -> list[Path]:
    """Folders searched for weights, in order: `TBD_WEIGHTS_DIR` when set, then `weights/` of the project."""
    out = [Path(os.environ["TBD_WEIGHTS_DIR"])] if os.environ.get("TBD_WEIGHTS_DIR") else []
    return [*out, Path(__file__).resolve().parent.parent / "weights"]


def feedback_dir() -> Path | None:
    """Where "this looks wrong" reports go (`TBD_FEEDBACK_DIR`), or None: the button is then not shown."""
    text = os.environ.get("TBD_FEEDBACK_DIR")
    return Path(text) if text else None


def downloads_allowed() -> bool:
    """Whether missing weights may be fetched from the hub: `TBD_ALLOW_DOWNLOAD=1`; never unasked."""
    return os.environ.get("TBD_ALLOW_DOWNLOAD", "0") == "1"
