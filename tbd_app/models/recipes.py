"""How each model is trained, as far as memory goes: script, batch, optimiser. No torch in here.

The numbers are those of the presets in training/configs; a test holds them to each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Load:
    """What passes the network at once.

    Attributes:
        preset: of the script, or several joined by "+"; empty for its defaults.
        batch: pictures, or clips, a step and device.
        checkpointing: activations are computed again in the backward pass.
    """

    preset: str
    batch: int
    checkpointing: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to train a model.

    Attributes:
        script: below training/.
        reference: batch of the system that the model stands for.
        small: the same with `--preset 8gb`, for a card of 8 GB.
        clip_len: frames of a clip; 1 for pictures.
        moments: values that the optimiser keeps for each trained parameter: 2 of Adam and AdamW.
        averaged: a second copy of all weights is kept, their running average.
        options: of the architecture, where the reference trains a part.
    """

    script: str
    reference: Load
    small: Load | None = None
    clip_len: int = 1
    moments: int = 2
    averaged: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def command(self, model: str) -> str:
        """What trains a model at the reference's batch."""
        preset = "".join(f" --preset {name}" for name in filter(None, self.reference.preset.split("+")))
        return f"python training/{self.script} --model {model}{preset} --data DATA"


_BASELINE = Recipe("train_frame.py", Load("paper", 32), Load("paper+8gb", 16))
_VIDEO = Recipe("train_video.py", Load("paper", 8), Load("paper+8gb", 2), clip_len=10)
_CLIP = Recipe("train_clip.py", Load("reference", 32), Load("reference+8gb", 32, checkpointing=True))
_GEND = replace(_CLIP, reference=Load("paper", 128), small=Load("paper+8gb", 32, checkpointing=True))
_STAN = Recipe(
    "train_stan.py",
    Load("paper", 32, checkpointing=True),
    Load("paper+8gb", 4, checkpointing=True),
    clip_len=8,
)
_FCG = Recipe("train_dfd_fcg.py", Load("paper", 60), Load("paper+8gb", 4), clip_len=10)
_TIMESFORMER = Recipe("train_timesformer.py", Load("paper", 8), Load("paper+8gb", 4), clip_len=8)
# The clean, the PGD and the U-Net's batch are alive at once; what the U-Net itself takes for a moment is not counted.
_VIT = Recipe("train_robust.py", Load("paper", 3 * 32), Load("paper+8gb", 3 * 8))

RECIPES: dict[str, Recipe] = {
    "effnetv2_b0_frame": Recipe(
        "train_frame.py", Load("bundled", 32), Load("bundled+8gb", 16), averaged=True
    ),
    "effnet_b0_image": Recipe("train_image.py", Load("paper", 64), Load("paper+8gb", 32)),
    "effnet_b0_lstm": _VIDEO,
    "resnext50_lstm": _VIDEO,
    "swin_tiny_mean": _VIDEO,
    "clip_b16_probe": Recipe("train_probe.py", Load("bundled", 16), Load("bundled+8gb", 8), clip_len=5),
    "clip_b16_lower": Recipe(
        "train_probe.py", Load("bundled-lower", 16), Load("bundled-lower+8gb", 8), clip_len=5
    ),
    "clip_b16_ln1": _CLIP,
    "clip_b16_ln2": _CLIP,
    "clip_l14_ln1": _GEND,
    "clip_l14_ln2": _GEND,
    "clip_b16_stan": _STAN,
    "dfd_fcg_b32": _FCG,
    "dfd_fcg_b16": _FCG,
    "dfd_fcg_l14": _FCG,
    "xception": _BASELINE,
    "effnet_b4": _BASELINE,
    "m2tr_swin": Recipe(
        "train_m2tr.py", Load("swin", 32), Load("swin+8gb", 4), options={"freeze": "paper10m"}
    ),
    "m2tr_b4": Recipe("train_m2tr.py", Load("paper", 24), Load("paper+8gb", 4)),
    "m2tr_official": Recipe("train_m2tr.py", Load("official", 8), Load("official+8gb", 4), moments=1),
    "effnet_b0_timesformer": _TIMESFORMER,
    "effnet_b0_timesformer_legacy": _TIMESFORMER,
    "effnet_vit_base": replace(_VIT, reference=Load("paper-base", 32), small=Load("paper-base+8gb", 8)),
    "effnet_vit_robust": _VIT,
}
