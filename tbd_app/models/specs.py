"""The models by name: what each needs besides its weights, and where it is built. No torch in here."""

from __future__ import annotations

from dataclasses import replace

from tbd_app.models.backbones import CLIP_B16_INT8, CLIP_B32, CLIP_L14
from tbd_app.types import CropRecipe, ModelSpec

_HERE = "tbd_app.models.nets"

_FRAME = ModelSpec(name="", task="frame", architecture="", input_size=224)
# What every detector on CLIP shares; frames and crops of one face are normalised as CLIP was trained.
_CLIP_FRAME = replace(
    _FRAME,
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
_B16 = replace(_CLIP_FRAME, backbone=CLIP_B16_INT8)
_L14 = replace(_CLIP_FRAME, backbone=CLIP_L14)
_PROBE = replace(
    _B16,
    task="clip",
    clip_len=5,
    n_params=88_683_142,
    n_trainable=2_883_718,
    paper="https://arxiv.org/abs/2103.00020",
)

_SEQUENCE = replace(_FRAME, task="clip", clip_len=30)
_M2TR = replace(_FRAME, paper="https://arxiv.org/abs/2104.09770")
_VIT = replace(_FRAME, n_params=7_541_246, paper="https://arxiv.org/abs/2107.02612")
_BASELINE = replace(_FRAME, input_size=256)
_TIMESFORMER = replace(
    _SEQUENCE,
    clip_len=8,
    mean=(0.45, 0.45, 0.45),
    std=(0.225, 0.225, 0.225),
    crop=CropRecipe("arcface", 1.3),
    paper="https://arxiv.org/abs/2102.05095",
)

# (spec, "module:class"); the class takes keyword arguments only, `pretrained` among them.
_TABLE: tuple[tuple[ModelSpec, str], ...] = (
    (
        replace(
            _FRAME,
            name="effnetv2_b0_frame",
            architecture="EfficientNetV2-B0, mean over frames",
            n_params=5_861_266,
            paper="https://arxiv.org/abs/2104.00298",
        ),
        f"{_HERE}.effnetv2_b0_frame:EffNetV2B0Frame",
    ),
    (
        replace(
            _FRAME,
            name="effnet_b0_image",
            architecture="EfficientNet-B0, one image",
            input_size=128,
            crop=CropRecipe(margin=1.8),
            n_params=4_010_110,
            paper="https://arxiv.org/abs/1905.11946",
        ),
        f"{_HERE}.effnet_b0_image:EffNetB0Image",
    ),
    (
        replace(
            _SEQUENCE,
            name="effnet_b0_lstm",
            architecture="EfficientNet-B0 + LSTM(256)",
            n_params=5_583_486,
            paper="https://arxiv.org/abs/1905.11946",
        ),
        f"{_HERE}.cnn_lstm:EffNetB0Lstm",
    ),
    (
        replace(
            _SEQUENCE,
            name="resnext50_lstm",
            architecture="ResNeXt-50 32x4d + LSTM(256)",
            n_params=25_342_274,
            paper="https://arxiv.org/abs/1611.05431",
        ),
        f"{_HERE}.cnn_lstm:ResNeXt50Lstm",
    ),
    (
        replace(
            _SEQUENCE,
            name="swin_tiny_mean",
            architecture="Swin-T, mean over time",
            clip_len=10,
            n_params=27_520_892,
            paper="https://arxiv.org/abs/2103.14030",
        ),
        f"{_HERE}.swin_mean:SwinTinyMean",
    ),
    (
        replace(
            _PROBE,
            name="clip_b16_probe",
            architecture="CLIP ViT-B/16, frozen, a kernel on its upper blocks over time",
        ),
        f"{_HERE}.probe:ClipProbe",
    ),
    (
        replace(
            _PROBE,
            name="clip_b16_lower",
            crop=CropRecipe("lower", 1.0),
            architecture="CLIP ViT-B/16, frozen, a kernel on the lower half of the face over time",
            paper="https://arxiv.org/abs/2504.01470",
        ),
        f"{_HERE}.probe:ClipProbe",
    ),
    (
        replace(
            _B16,
            name="clip_b16_ln1",
            architecture="CLIP ViT-B/16, tuned LayerNorms, one linear layer",
            n_params=85_800_962,
            n_trainable=41_474,
        ),
        f"{_HERE}.clip_ln:ClipB16Ln1",
    ),
    (
        replace(
            _B16,
            name="clip_b16_ln2",
            architecture="CLIP ViT-B/16, tuned LayerNorms, two layers",
            n_params=86_194_178,
            n_trainable=434_690,
        ),
        f"{_HERE}.clip_ln:ClipB16Ln2",
    ),
    (
        replace(
            _L14,
            name="clip_l14_ln1",
            architecture="CLIP ViT-L/14, tuned LayerNorms, one linear layer",
            n_params=303_181_826,
            n_trainable=104_450,
        ),
        f"{_HERE}.clip_ln:ClipL14Ln1",
    ),
    (
        replace(
            _L14,
            name="clip_l14_ln2",
            architecture="CLIP ViT-L/14, tuned LayerNorms, two layers",
            n_params=303_705_602,
            n_trainable=628_226,
        ),
        f"{_HERE}.clip_ln:ClipL14Ln2",
    ),
    (
        replace(
            _B16,
            name="clip_b16_stan",
            architecture="CLIP ViT-B/16 + STAN branch of four layers",
            n_params=126_020_354,
            n_trainable=11_922_434,
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
            backbone=CLIP_B16_INT8,
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
    (
        replace(
            _BASELINE,
            name="xception",
            architecture="Xception",
            n_params=20_811_050,
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
            paper="https://arxiv.org/abs/1610.02357",
        ),
        f"{_HERE}.frame_cnn:Xception",
    ),
    (
        replace(
            _BASELINE,
            name="effnet_b4",
            architecture="EfficientNet-B4",
            n_params=17_552_202,
            paper="https://arxiv.org/abs/1905.11946",
        ),
        f"{_HERE}.frame_cnn:EffNetB4",
    ),
    (
        replace(
            _M2TR,
            name="m2tr_swin",
            architecture="M2TR 1a: Swin-T and a CNN on the spectrum",
            n_params=28_434_556,
        ),
        f"{_HERE}.m2tr_swin:M2trSwin",
    ),
    (
        replace(
            _M2TR,
            name="m2tr_b4",
            architecture="M2TR 1b: EfficientNet-B4, spectral filter on the 28 x 28 map",
            n_params=18_398_026,
        ),
        f"{_HERE}.m2tr:M2trB4",
    ),
    (
        replace(
            _M2TR,
            name="m2tr_official",
            architecture="M2TR, the authors' layout",
            n_params=18_607_946,
            input_size=320,
        ),
        f"{_HERE}.m2tr:M2trOfficial",
    ),
    (
        replace(
            _TIMESFORMER,
            name="effnet_b0_timesformer",
            architecture="EfficientNet-B0 + divided space-time attention",
            n_params=13_629_054,
        ),
        f"{_HERE}.effnet_timesformer:EffNetB0TimeSformer",
    ),
    (
        replace(
            _TIMESFORMER,
            name="effnet_b0_timesformer_legacy",
            architecture="EfficientNet-B0 + space-time attention, the reference's layout",
            n_params=17_130_110,
        ),
        f"{_HERE}.effnet_timesformer:EffNetB0TimeSformerLegacy",
    ),
    (
        replace(
            _VIT,
            name="effnet_vit_base",
            architecture="EfficientNet-B0 + 4-layer transformer, trained on clean faces",
        ),
        f"{_HERE}.effnet_vit:EffNetVit",
    ),
    (
        replace(
            _VIT,
            name="effnet_vit_robust",
            architecture="EfficientNet-B0 + 4-layer transformer, trained on attacked faces, too",
        ),
        f"{_HERE}.effnet_vit:EffNetVit",
    ),
)

SPECS: dict[str, ModelSpec] = {spec.name: spec for spec, _ in _TABLE}
BUILDERS: dict[str, str] = {spec.name: builder for spec, builder in _TABLE}
