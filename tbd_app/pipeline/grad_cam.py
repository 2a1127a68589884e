"""Where a model looked: Grad-CAM towards the fake logit, drawn on one colour scale for all faces of a report.

Source: Selvaraju et al., "Grad-CAM", ICCV 2017 (arXiv 1610.02391).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from tbd_app.models.nets.base import Detector
from tbd_app.models.weights import CLASS_NAMES
from tbd_app.types import ModelSpec

# The hottest colour never stands for less than this: if every part of the face spoke as loudly as its loudest
# one, the fake logit would rise by 2. A model with less evidence gets a faint map, or the plain face.
FLOOR_LOGITS = 2.0
_MAX_ALPHA = 0.65


def grad_cam(model: Detector, spec: ModelSpec, batch: Tensor) -> np.ndarray:
    """Evidence for "fake" at each place of each frame.

    The unit is the logit, whatever the grid of the layer and the length of the clip: where a linear head
    follows average pooling, the mean of a map before its negative part is cut is what the frame adds to the
    fake logit (times T in a clip, whose frames share the logit).

    Args:
        model: its mode, gradients and `requires_grad` are left as they were. Hooks hang on it meanwhile: no
            other thread may run it.
        batch: normalised, (N,3,S,S) for a frame model; (1,T,3,S,S), all frames of one clip, for a clip model.

    Returns:
        (N,S,S), or (T,S,S) for a clip, float32, not negative, not scaled per image.

    Raises:
        ValueError: the batch has another shape.
    """
    from tbd_app.pipeline.raw_cam import ClassifierOutputTarget, RawGradCAM  # only who explains pays for it

    n_dims = 5 if spec.task == "clip" else 4
    if batch.ndim != n_dims or (n_dims == 5 and len(batch) != 1):
        wanted = "(1,T,3,S,S)" if n_dims == 5 else "(N,3,S,S)"
        raise ValueError(f"{spec.name} needs a batch {wanted}, not {tuple(batch.shape)}")
    # Grad-CAM reads five dimensions as volumes, so a clip goes in as its frames.
    net, images = (_OneClip(model), batch[0]) if n_dims == 5 else (model, batch)
    n_targets = 1 if n_dims == 5 else len(images)
    targets = [ClassifierOutputTarget(CLASS_NAMES.index("fake"))] * n_targets
    # The network may be frozen: the gradient still has to pass through it, so it starts at the input.
    maps = None  # leaving the library's context on an IndexError is silent
    with torch.inference_mode(False), torch.enable_grad(), _left_as_found(model):
        images = images.detach().clone().requires_grad_(True)
        with RawGradCAM(net, [model.cam_layer()], reshape_transform=model.cam_tokens) as cam:
            maps = cam(images, targets)  # pyright: ignore[reportArgumentType]  # typed as modules, not callables
    if maps is None:
        raise RuntimeError(f"Grad-CAM of {spec.name} gave no map")
    if n_dims == 5:
        maps = maps * len(images)
    side = images.shape[-1]
    return np.stack([cv2.resize(m, (side, side), interpolation=cv2.INTER_LINEAR) for m in maps])


def scale_of(raw: np.ndarray) -> float:
    """What the hottest colour stands for: the strongest place of all maps (n,S,S) of a report, or `FLOOR_LOGITS`."""
    return max(float(raw.max(initial=0.0)), FLOOR_LOGITS)


def blend(crop: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A crop (h,w,3) uint8 RGB with its map (h,w) in [0,1] over it; without heat the crop shows."""
    bgr = cv2.applyColorMap(np.rint(heat * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS)
    alpha = _MAX_ALPHA * heat[..., None]
    return np.rint(crop * (1 - alpha) + bgr[..., ::-1] * alpha).astype(np.uint8)


class _OneClip(nn.Module):
    """A clip model seen as a function of its frames (T,3,S,S)."""

    def __init__(self, model: Detector) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: Tensor) -> Tensor:
        return self.model(frames.unsqueeze(0))


@contextmanager
def _left_as_found(model: nn.Module) -> Iterator[None]:
    """Restores mode, `requires_grad` and gradients after a pass in which no parameter gets a gradient."""
    training = model.training
    trainable = [p for p in model.parameters() if p.requires_grad]
    gradients = [p.grad for p in trainable]
    has_rnn = any(isinstance(module, nn.RNNBase) for module in model.modules())
    for parameter in trainable:
        parameter.requires_grad_(False)
    try:
        # cuDNN has no backward for recurrent layers in eval mode (pytorch#15788).
        with torch.backends.cudnn.flags(enabled=not has_rnn):
            yield
    finally:
        for parameter, gradient in zip(trainable, gradients, strict=True):
            parameter.requires_grad_(True).grad = gradient
        model.train(training)
