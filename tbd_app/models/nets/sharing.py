"""A tower once in memory for all models of this process that stand on it."""

from __future__ import annotations

from weakref import WeakValueDictionary

import torch
from torch import Tensor

from tbd_app.models.nets.base import Detector
from tbd_app.models.nets.tower import ClipDetector
from tbd_app.models.tensors import FileState

_FROZEN: dict[tuple[str, torch.dtype, torch.device], Tensor] = {}  # of the tower that was shared last
# Who shares, by the file that the numbers were read from, by their names and by their device.
_SHARING: WeakValueDictionary[tuple[FileState, tuple[str, ...], str], ClipDetector] = WeakValueDictionary()


def share(model: ClipDetector) -> ClipDetector:
    """Keep what stays frozen once for all models whose numbers are the same; nothing may change them."""
    frozen = model.frozen()
    for key, parameter in frozen.items():
        place = (key, parameter.dtype, parameter.device)
        known = _FROZEN.setdefault(place, parameter.data)
        if known.data_ptr() == parameter.data_ptr():
            continue
        if known.shape == parameter.shape and torch.equal(known, parameter.data):
            parameter.data = known
        else:
            _FROZEN[place] = parameter.data
    if model.read_from is not None:
        device = str(model.backbone.conv1.weight.device)
        _SHARING[model.read_from, tuple(frozen), device] = model
    return model


def take(model: Detector, file: FileState, device: str) -> bool:
    """Public weights from a model that shares those of the same file, in place of reading them again.

    Args:
        model: a new one, on the CPU.
        file: with the weights.
        device: where they must be.

    Returns:
        False where there is no such model; nothing is changed then.
    """
    if not isinstance(model, ClipDetector):
        return False
    other = _SHARING.get((file, tuple(model.frozen()), str(torch.device(device))))
    if other is not None:
        model.stand_beside(other)
    return other is not None
