"""The models by name: what each needs besides its weights, and where it is built. No torch in here."""

from __future__ import annotations

from tbd_app.types import CropRecipe, ModelSpec

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
    (
        ModelSpec(
            name="effnet_b0_image",
            task="frame",
            architecture="EfficientNet-B0, one image",
            input_size=128,
            crop=CropRecipe(margin=1.8),
            n_params=4_010_110,
            paper="https://arxiv.org/abs/1905.11946",
        ),
        f"{_HERE}.effnet_b0_image:EffNetB0Image",
    ),
    (
        ModelSpec(
            name="effnet_b0_lstm",
            task="clip",
            architecture="EfficientNet-B0 + LSTM(256)",
            input_size=224,
            clip_len=30,
            n_params=5_583_486,
            paper="https://arxiv.org/abs/1905.11946",
        ),
        f"{_HERE}.cnn_lstm:EffNetB0Lstm",
    ),
    (
        ModelSpec(
            name="resnext50_lstm",
            task="clip",
            architecture="ResNeXt-50 32x4d + LSTM(256)",
            input_size=224,
            clip_len=30,
            n_params=25_342_274,
            paper="https://arxiv.org/abs/1611.05431",
        ),
        f"{_HERE}.cnn_lstm:ResNeXt50Lstm",
    ),
    (
        ModelSpec(
            name="swin_tiny_mean",
            task="clip",
            architecture="Swin-T, mean over time",
            input_size=224,
            clip_len=10,
            n_params=27_520_892,
            paper="https://arxiv.org/abs/2103.14030",
        ),
        f"{_HERE}.swin_tiny_mean:SwinTinyMean",
    ),
)

SPECS: dict[str, ModelSpec] = {spec.name: spec for spec, _ in _TABLE}
BUILDERS: dict[str, str] = {spec.name: builder for spec, builder in _TABLE}
