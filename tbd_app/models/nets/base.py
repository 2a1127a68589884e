"""What every detector is: logits in the order real, fake, a layer for Grad-CAM, a backbone from timm."""

from __future__ import annotations

from typing import Any

import timm
import torch
from torch import Tensor, nn

from tbd_app.errors import WeightsMissing
from tbd_app.models import tensors
from tbd_app.models.tensors import FileState
from tbd_app.types import Backbone


class Detector(nn.Module):
    """Base of every architecture.

    Frame models take x (B,3,S,S); clip models take x (B,T,3,S,S) and mask (B,T) bool, False where the face is
    missing. Both give logits (B,2), class order real = 0, fake = 1.

    Args:
        freeze_bn: keep BatchNorm on its running statistics while training; the frames of a small batch of
            clips are too much alike to estimate them.

    Attributes:
        input_size: px of the pictures that the weights are bound to; None where any size will do.
        read_from: the file that its public weights were read from, as it was then.
    """

    backbone: nn.Module
    input_size: int | None = None
    read_from: FileState | None = None
    frame_by_frame = False  # a clip model that is `from_features` of `frame_features` of each frame
    backbone_prefix = ""  # of its keys in the files of its public weights

    def __init__(self, *, freeze_bn: bool = False) -> None:
        super().__init__()
        self.freeze_bn = freeze_bn

    def train(self, mode: bool = True) -> Detector:
        """Training mode, save for BatchNorm layers that are frozen, all of them or by `requires_grad`."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and (
                self.freeze_bn or not module.weight.requires_grad
            ):
                module.eval()
        return self

    def must_fit(self, x: Tensor) -> None:
        """Compares the last two dimensions of an input with `input_size`.

        Raises:
            ValueError: they differ.
        """
        if tuple(x.shape[-2:]) != (self.input_size, self.input_size):
            found = " x ".join(map(str, x.shape[-2:]))
            raise ValueError(
                f"this {type(self).__name__} is made for pictures of {self.input_size} px, not {found}"
            )

    def frame_features(self, x: Tensor) -> Tensor:
        """What a clip model reads of single frames: (N,3,S,S) -> (N,C)."""
        raise NotImplementedError(f"{type(self).__name__} does not read frames one by one")

    def from_features(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits (B,2) of clips whose frames were read before: (B,T,C)."""
        raise NotImplementedError(f"{type(self).__name__} does not read frames one by one")

    def cam_layer(self) -> nn.Module:
        """The layer whose activation is the last one with a spatial layout."""
        raise NotImplementedError(f"{type(self).__name__} names no layer for Grad-CAM")

    def cam_tokens(self, activation: Tensor) -> Tensor:
        """The activation of `cam_layer` as (N,C,h,w), N counting frames."""
        return activation

    def stored_state(self) -> dict[str, Tensor]:
        """What a checkpoint holds: everything, or what was trained where the rest is public."""
        return self.state_dict()

    def standing_on(self) -> Backbone | None:
        """The public network that a checkpoint of this model leaves out, if it does."""
        return None

    def load_backbone(self, state: tensors.Stored, file: str, tag: str | None = None) -> None:
        """Takes public weights into `backbone`, strictly.

        Args:
            state: tensors by the backbone's own keys.
            file: where they come from, for messages.
            tag: the public name of the weights where it is not the usual one.

        Raises:
            WeightsCorrupt: a key is missing, unexpected or of another shape.
        """
        tensors.copy_into(self.backbone.state_dict(), state, file)


def timm_backbone(name: str, *, pretrained: bool, **options: Any) -> nn.Module:
    """A timm network without its classifier: (N,3,S,S) -> pooled features (N,C).

    Args:
        name: timm's model name.
        pretrained: fetch the public ImageNet weights from the hub.
        options: of its architecture.

    Raises:
        WeightsMissing: the public weights cannot be fetched.
    """
    if not pretrained:
        return timm.create_model(name, num_classes=0, **options)
    public = timm.get_pretrained_cfg(name)
    if (
        public is None or not public.hf_hub_id
    ):  # elsewhere timm has them as a pickle, and asks whatever it is told
        raise WeightsMissing(
            f"The public ImageNet weights of {name} are not on the model hub; start from a local file "
            "(load_backbone_file), or build with pretrained=False."
        )
    try:
        return timm.create_model(name, pretrained=True, num_classes=0, **options)
    except OSError as error:
        raise WeightsMissing(
            f"The public ImageNet weights of {name} cannot be fetched without a connection to the model hub; "
            "connect, or start from a local file (load_backbone_file), or build with pretrained=False."
        ) from error


def clip_features(backbone: nn.Module, x: Tensor) -> Tensor:
    """Frame features of a clip: x (B,T,3,S,S) -> (B,T,C)."""
    return backbone(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def reduced(x: Tensor) -> Tensor:
    """A batch (N,3,S,S) at half its size, enlarged again: what is left when the finest detail is gone.

    Pictures that are soft anyway make a frame model say the same of both, so a share of the second
    (`Calibration.softened_share`) is taken off the first.
    """
    half = nn.functional.interpolate(x, scale_factor=0.5, mode="area")
    return nn.functional.interpolate(half, x.shape[-2:], mode="bilinear", align_corners=False)


def masked_mean(x: Tensor, mask: Tensor | None) -> Tensor:
    """Mean over time: x (B,T,C), mask (B,T) bool or None -> (B,C); zeros where a row has no frame at all."""
    if mask is None:
        return x.mean(dim=1)
    weight = mask.unsqueeze(-1).to(x.dtype)
    # where, not a product: a masked frame must not leak a NaN into the sum.
    kept = torch.where(mask.unsqueeze(-1), x, torch.zeros_like(x))
    return kept.sum(dim=1) / weight.sum(dim=1).clamp(min=1)
