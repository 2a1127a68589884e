"""Pictures of more than 8 bits a colour, brought to 8: the whole range that the camera wrote becomes 0 to 255."""

from __future__ import annotations

import numpy as np
from PIL import Image

USUAL_TOPS = {
    10: 1023.0,
    12: 4095.0,
    16: 65535.0,
}  # largest value by bits: sensors often fill the lower bits of 16


def note(bits: int) -> str:
    """The sentence for a picture that uses the lower bits only; "" where it uses all."""
    return f"The picture holds {bits} bits in 16, and was made as bright as it is meant." if bits < 16 else ""


def grey(image: Image.Image) -> tuple[np.ndarray, int]:
    """A grey picture of more than 8 bits as (H,W) uint8, and the bits that it uses."""
    values, bits = np.nan_to_num(np.asarray(image, dtype=np.float64)), 16
    if image.mode.startswith("I;16"):
        bits, top = _range(values)
    else:  # 32-bit integers and floats come with any range: take the smallest usual one that holds them
        ranges = (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,)
        top = next((r for r in ranges if values.max() <= r), values.max())
    return _scaled(values, top), bits


def is_dark_16_bit_colour(image: Image.Image) -> bool:
    """Whether Pillow, which keeps the upper 8 of 16 bits, can have kept next to nothing; asked of a loaded picture.

    Args:
        image: with `info["deep"]` where it was stored with 16 bits a colour.
    """
    if not image.info.get("deep") or image.mode not in ("RGB", "RGBA"):
        return False
    return max(top for _, top in image.getextrema()[:3]) <= int(USUAL_TOPS[12]) >> 8  # type: ignore[index,misc]


def colour(content: bytes) -> tuple[Image.Image, int] | None:
    """A PNG or TIFF of 16 bits a colour as RGB, and the bits that it uses; None where OpenCV cannot read it."""
    import cv2  # late: views stand on this room without it

    values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        return None
    rgb = values[..., 2::-1].astype(np.float64)  # OpenCV's order is BGR(A)
    bits, top = _range(rgb)
    return Image.fromarray(_scaled(rgb, top)), bits


def _range(values: np.ndarray) -> tuple[int, float]:
    """The smallest usual number of bits that holds the values, and its largest value."""
    most = values.max()
    return next(((bits, top) for bits, top in USUAL_TOPS.items() if 0 < most <= top), (16, USUAL_TOPS[16]))


def _scaled(values: np.ndarray, top: float) -> np.ndarray:
    return np.rint(np.clip(values / (top or 1.0), 0, 1) * 255).astype(np.uint8)
