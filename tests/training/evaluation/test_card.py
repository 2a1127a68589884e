"""A model card describes the crop that the model is served."""

from __future__ import annotations

import numpy as np
import pytest

from tbd_app.models import registry
from tbd_app.pipeline.crops import for_spec
from tbd_app.types import ModelSpec
from training.evaluation import card_input

ENTRY = {"bytes": 3_000_000}
SQUARE = "1.3 times the longer side of the MTCNN box"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("effnetv2_b0_frame", f"a square of {SQUARE}, 224 px, RGB, ImageNet mean"),
        ("effnet_b0_image", "a square of 1.8 times the longer side of the MTCNN box, 128 px"),
        ("effnet_b0_lstm", f" face crops, spread over the frames in which a person was seen: squares of {SQUARE}"),
        ("clip_b16_ln1", f"a square of {SQUARE}, 224 px, RGB, CLIP's mean"),
        ("dfd_fcg_b16", "meet those of the mean face of Lip Reading in the Wild (margin 1, black outside the picture), 224"),
        ("effnet_b0_timesformer", "meet those of the ArcFace template (margin 1.3"),
        ("effnet_b0_timesformer", "RGB, mean (0.45, 0.45, 0.45) and standard deviation (0.225, 0.225, 0.225)"),
    ],
)  # fmt: skip
def test_what_a_model_sees(name: str, words: str) -> None:
    assert words in card_input.sees(registry.spec(name))


@pytest.mark.parametrize("name", registry.list_models())
def test_the_words_are_those_of_the_crop_that_is_cut(name: str) -> None:
    """A crop reads the box or the landmarks, whichever the card names, and is normalised by the numbers it names."""
    spec = registry.spec(name)
    seen = card_input.sees(spec)
    moved_box, moved_points = (changed(spec, what) for what in ("box", "landmarks"))
    assert (moved_box, moved_points) == ("MTCNN box" in seen, "landmarks of MTCNN" in seen)
    assert ("ImageNet mean" in seen) == np.allclose(spec.mean, (0.485, 0.456, 0.406))
    assert ("CLIP's mean" in seen) == (spec.backbone is not None)


def changed(spec: ModelSpec, what: str) -> bool:
    """Whether the crop changes when the box, or the landmarks, move."""
    image = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    box, points = (
        np.float32([[60, 60, 120, 120]]),
        np.float32([[[75, 80], [105, 80], [90, 95], [80, 108], [100, 108]]]),
    )
    here = for_spec(spec).crops([image], box, points)
    there = for_spec(spec).crops([image], box + 9 * (what == "box"), points + 9 * (what == "landmarks"))
    return bool((here != there).any())


def test_a_file_without_its_tower_says_so() -> None:
    assert card_input.size(ENTRY, registry.spec("effnet_b4")) == "3.0 MB in fp16"
    said = card_input.size(ENTRY, registry.spec("clip_b16_ln1"))
    assert said == "3.0 MB in fp16 besides the public weights ViT-B-16-quickgelu.openai-int8.safetensors"
