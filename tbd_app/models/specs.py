"""The models by name: what each needs besides its weights, and where it is built. No torch in here."""

from __future__ import annotations

from dataclasses import replace

from tbd_app.types import Backbone, CropRecipe, ModelSpec

_HERE = "tbd_app.models"

# OpenAI's towers, by the names of open_clip; the hub holds them as safetensors.
CLIP_B32 = Backbone("ViT-B-32-quickgelu", "openai", "quick_gelu", "timm/vit_base_patch32_clip_224.openai")
CLIP_B16 = Backbone("ViT-B-16-quickgelu", "openai", "quick_gelu", "timm/vit_base_patch16_clip_224.openai")
CLIP_L14 = Backbone("ViT-L-14-quickgelu", "openai", "quick_gelu", "timm/vit_large_patch14_clip_224.openai")

# What every detector on CLIP shares; frames and crops of one face are normalised as CLIP was trained.
_CLIP_FRAME = ModelSpec(
    name="",
    task="frame",
    architecture="",
    input_size=224,
    mean=(0.48145466, 0.4578275, 0.40821073),
    std=(0.26862954, 0.26130258, 0.27577711),
    paper="https://arxiv.org/abs/2508.06248",
)
_FCG = replace(
    _CLIP_FRAME,
    task="clip",
    clip_len=10,
    crop=CropRecipe("lrw", 1.0),
    paper="https://arxiv.org/abs/2404.05583",
)

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
    (
        replace(
            _CLIP_FRAME,
            name="clip_b16_ln1",
            architecture="CLIP ViT-B/16, tuned LayerNorms, one linear layer",
            n_params=85_800_962,
            n_trainable=41_474,
            backbone=CLIP_B16,
        ),
        f"{_HERE}.clip_ln:ClipB16Ln1",
    ),
    (
        replace(
            _CLIP_FRAME,
            name="clip_b16_ln2",
            architecture="CLIP ViT-B/16, tuned LayerNorms, two layers",
            n_params=86_194_178,
            n_trainable=434_690,
            backbone=CLIP_B16,
        ),
        f"{_HERE}.clip_ln:ClipB16Ln2",
    ),
    (
        replace(
            _CLIP_FRAME,
            name="clip_l14_ln1",
            architecture="CLIP ViT-L/14, tuned LayerNorms, one linear layer",
            n_params=303_181_826,
            n_trainable=104_450,
            backbone=CLIP_L14,
        ),
        f"{_HERE}.clip_ln:ClipL14Ln1",
    ),
    (
        replace(
            _CLIP_FRAME,
            name="clip_l14_ln2",
            architecture="CLIP ViT-L/14, tuned LayerNorms, two layers",
            n_params=303_705_602,
            n_trainable=628_226,
            backbone=CLIP_L14,
        ),
        f"{_HERE}.clip_ln:ClipL14Ln2",
    ),
    (
        replace(
            _CLIP_FRAME,
            name="clip_b16_stan",
            architecture="CLIP ViT-B/16 + STAN branch of four layers",
            n_params=126_020_354,
            n_trainable=11_922_434,
            backbone=CLIP_B16,
            task="clip",
            clip_len=8,
            crop=CropRecipe("arcface", 1.3),
            paper="https://arxiv.org/abs/2301.11116",
        ),
        f"{_HERE}.clip_stan:ClipStan",
    ),
    (
        replace(
            _FCG,
            name="dfd_fcg_b32",
            architecture="DFD-FCG on frozen CLIP ViT-B/32",
            n_params=87_566_316,
            n_trainable=110_316,
            backbone=CLIP_B32,
        ),
        f"{_HERE}.dfd_fcg:DfdFcgB32",
    ),
    (
        replace(
            _FCG,
            name="dfd_fcg_b16",
            architecture="DFD-FCG on frozen CLIP ViT-B/16",
            n_params=85_910_622,
            n_trainable=111_198,
            backbone=CLIP_B16,
        ),
        f"{_HERE}.dfd_fcg:DfdFcgB16",
    ),
    (
        replace(
            _FCG,
            name="dfd_fcg_l14",
            architecture="DFD-FCG on frozen CLIP ViT-L/14",
            n_params=303_430_054,
            n_trainable=250_278,
            backbone=CLIP_L14,
        ),
        f"{_HERE}.dfd_fcg:DfdFcgL14",
    ),
)

SPECS: dict[str, ModelSpec] = {spec.name: spec for spec, _ in _TABLE}
BUILDERS: dict[str, str] = {spec.name: builder for spec, builder in _TABLE}
