"""Models to train: registered ones and any timm network on single crops, from random, public or own weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tbd_app.errors import WeightsMissing
from tbd_app.models import registry, tensors
from tbd_app.models.nets.base import Detector
from tbd_app.models.registry import TIMM
from tbd_app.types import ModelSpec
from training.engine.config import ModelConfig


def spec_of(name: str) -> ModelSpec:
    """Spec of a registered model, or of `timm:NAME` at the network's own input size and normalisation.

    Raises:
        UnknownModel: no such registered model.
        SystemExit: no such timm network.
    """
    if not name.startswith(TIMM):
        return registry.spec(name)
    network = name.removeprefix(TIMM)
    if not timm.is_model(network):
        raise SystemExit(f"timm has no network {network!r}; timm.list_models() names them.")
    public = timm.get_pretrained_cfg(network) or timm.models.PretrainedCfg()
    return replace(
        registry.registered(name), input_size=public.input_size[-1], mean=public.mean, std=public.std
    )


def begin(config: ModelConfig, **options: Any) -> Detector:
    """`build` of the model and the weights that a script's config names."""
    return build(
        config.model,
        pretrained=config.pretrained,
        backbone=config.backbone,
        init=config.init,
        freeze_bn=config.freeze_bn,
        **options,
    )


def build(
    name: str,
    *,
    pretrained: bool = True,
    backbone: Path | None = None,
    init: Path | None = None,
    **options: Any,
) -> Detector:
    """A model in training mode.

    Args:
        name: a registered model or `timm:NAME`.
        pretrained: fetch public weights where neither `backbone` nor `init` is given.
        backbone: safetensors of the backbone: public features, or a checkpoint of any model on the same backbone.
        init: safetensors of the whole model, to start warm.
        options: keyword arguments of the architecture, such as `freeze_bn`.

    Raises:
        UnknownModel: no such registered model.
        WeightsMissing, WeightsCorrupt: weights are not there or belong to another model.
    """
    fetch = pretrained and backbone is None and init is None
    spec_of(name)
    model = registry.create_model(name, pretrained=fetch, **options)
    if backbone:
        features = tensors.read_tensors(_existing(backbone), model.backbone_prefix or "backbone.")
        model.load_backbone(features, backbone.name)
    if init:
        state = tensors.read_tensors(_existing(init))
        tensors.must_match(model.stored_state(), state, init.name)
        model.load_state_dict(tensors.as_float32(state), strict=False)  # the rest is a public backbone's
    return model


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise WeightsMissing(f"There are no weights at {path}.")
    return path


def save_memory(model: Detector, *, frame_chunk: int = 0, checkpointing: bool = False) -> None:
    """Trade time for memory: activations are computed again in the backward pass instead of kept.

    Args:
        model: its `backbone` takes (N,3,S,S).
        frame_chunk: run the backbone over so many frames at a time; 0 runs all at once.
        checkpointing: inside the backbone, by timm.

    Raises:
        SystemExit: BatchNorm is not frozen: its statistics would be taken per chunk, and twice.
    """
    if not frame_chunk and not checkpointing:
        return
    estimates = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in model.backbone.modules())
    if estimates and not model.freeze_bn:
        raise SystemExit(
            "--frame-chunk and --checkpointing need frozen BatchNorm statistics: add --freeze-bn."
        )
    if checkpointing:
        model.backbone.set_grad_checkpointing(True)  # type: ignore[operator]
    if frame_chunk:
        model.backbone.forward = partial(_in_chunks, model.backbone.forward, frame_chunk)


def _in_chunks(forward: Callable[[Tensor], Tensor], chunk: int, x: Tensor) -> Tensor:
    """`forward` of (N,3,S,S), `chunk` rows at a time."""
    run = partial(checkpoint, forward, use_reentrant=False) if torch.is_grad_enabled() else forward
    return torch.cat([run(part) for part in x.split(chunk)])


def trained_share(model: nn.Module) -> str:
    """How much learns, in words: "41,474 of 85,800,962 parameters train"."""
    trained, every = (
        sum(p.numel() for p in model.parameters() if p.requires_grad or all_of) for all_of in (False, True)
    )
    return f"{trained:,} of {every:,} parameters train"
