"""A decoded frame as it is meant to be seen: upright RGB of 8 bits, in the colours and the shape that its maker meant."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorTrc, VideoReformatter

from tbd_app.media import bounds, ffmpeg
from tbd_app.settings import Limits

HDR = {int(ColorTrc.SMPTE2084): "PQ", int(ColorTrc.ARIB_STD_B67): "HLG"}
WIDE = int(ColorPrimaries.BT2020)


class Renderer:
    """Turns decoded frames into upright RGB arrays.

    Args:
        fit: from width and height of a frame as it is shown, px, before it is turned, to those that are wanted.
        aspect: width of a pixel over its height.
    """

    def __init__(
        self, limits: Limits, fit: Callable[[int, int], tuple[int, int]], aspect: float = 1.0
    ) -> None:
        self.limits, self.aspect, self.fit = limits, aspect, fit
        self._reduced, self._colours = False, ""
        self._upright = ffmpeg.Upright()
        self._mapper = VideoReformatter()  # one for all frames: it makes its table of colours once

    def __call__(self, frame: VideoFrame) -> np.ndarray:
        """(H,W,3) uint8 RGB; a view.

        Raises:
            TooManyPixels: the frame passes the limit.
        """
        bounds.check_frame(frame.width, frame.height, self.limits)
        shown = ffmpeg.shown_size(frame.width, frame.height, self.aspect)
        bounds.check_frame(*shown, self.limits)
        width, height = self.fit(*shown)
        smaller = width * height < shown[0] * shown[1]
        self._reduced = self._reduced or smaller
        kind = "AREA" if smaller else "BILINEAR" if width == frame.width else "BICUBIC"
        return self._upright(self._rgb(frame, width, height, kind), frame)

    def _rgb(self, frame: VideoFrame, width: int, height: int, kind: str) -> np.ndarray:
        if colours := HDR.get(frame.color_trc) or ("BT.2020" if frame.color_primaries == WIDE else ""):
            self._colours = colours
            # By way of 16 bits: straight to 8, libswscale adds a pattern of noise (dither) that a camera never wrote.
            mapped = self._mapper.reformat(
                frame, width, height, "rgb48le", interpolation=kind,
                dst_color_trc=ColorTrc.BT709, dst_color_primaries=ColorPrimaries.BT709,
            )  # fmt: skip
            return (mapped.to_ndarray() / np.float32(257) + np.float32(0.5)).astype(np.uint8)
        if any(component.is_alpha for component in frame.format.components):
            rgba = frame.reformat(width, height, "rgba", interpolation=kind).to_ndarray()
            if rgba[..., 3].min() < 255:
                return _over_ground(rgba)
        return frame.reformat(width, height, "rgb24", interpolation=kind).to_ndarray()

    def notes(self) -> list[str]:
        """Sentences on what was done to the frames."""
        colours = (
            f"The video has the colours of {self._colours}; they were brought to the usual ones (BT.709)."
        )
        small = bounds.reduced_warning(self.limits)
        return [text for text, done in ((colours, self._colours), (small, self._reduced)) if done]


def _over_ground(rgba: np.ndarray) -> np.ndarray:
    """Pixels (H,W,4) uint8 laid over the ground of transparent pictures, (H,W,3) uint8."""
    alpha = rgba[..., 3:].astype(np.uint32)
    return ((rgba[..., :3] * alpha + bounds.GROUND * (255 - alpha) + 127) // 255).astype(np.uint8)
