"""The models by name: what each needs besides its weights, and where it is built. No torch in here."""

from __future__ import annotations

from tbd_app.types import ModelSpec

_HERE = "tbd_app.models"

# (spec, "module:class"); the class takes keyword arguments only, `pretrained` among them.
_TABLE: tuple[tuple[ModelSpec, str], ...] = (
    (
        ModelSpec(
            name="effnetv2_b0_frame",
            task="frame",
            architecture="EfficientNetV2-B0, mean over frames",
            input_size=224,
            n_params=5_861_266,
            paper="https://arxiv.org/abs/2104.00298",
        ),
        f"{_HERE}.effnetv2_b0_frame:EffNetV2B0Frame",
    ),
)

SPECS: dict[str, ModelSpec] = {spec.name: spec for spec, _ in _TABLE}
BUILDERS: dict[str, str] = {spec.name: builder for spec, builder in _TABLE}
