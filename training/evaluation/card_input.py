"""What goes into a model and how its answer comes about, as sentences of a model card."""

from __future__ import annotations

from typing import Any

from tbd_app.types import ModelSpec

_MEAN_FACES = {
    "arcface": "the ArcFace template",
    "lrw": "the mean face of Lip Reading in the Wild",
    "lower": "the lower half of the ArcFace template",
}
_NORMALISATIONS = {
    ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)): "ImageNet mean and standard deviation",
    (
        (0.48145466, 0.4578275, 0.40821073),
        (0.26862954, 0.26130258, 0.27577711),
    ): "CLIP's mean and standard deviation",
}


def _cut(spec: ModelSpec) -> str:
    """How each crop is cut and normalised."""
    if spec.crop.kind == "square":
        cut = f"of {spec.crop.margin:g} times the longer side of the MTCNN box"
    else:
        cut = (
            "turned, scaled and shifted until the five landmarks of MTCNN meet those of "
            f"{_MEAN_FACES[spec.crop.kind]} (margin {spec.crop.margin:g}, black outside the picture)"
        )
    numbers = f"mean {spec.mean} and standard deviation {spec.std}"
    return f"{cut}, {spec.input_size} px, RGB, {_NORMALISATIONS.get((spec.mean, spec.std), numbers)}"


def sees(spec: ModelSpec) -> str:
    """What goes in, and how the answer for a person comes about."""
    if spec.task == "frame":
        seen, answer = f"one face crop: a square {_cut(spec)}", "the mean over the sampled frames"
        if share := spec.calibration.softened_share:
            answer += f" (of each logit less {share:g} times that of the same face at half its size)"
    else:
        at = spec.frames_at
        where = "spread over the frames in which a person was seen"
        answer = "that of the clip"
        if at.kind == "consecutive":
            where = f"{at.step_s:g} s from one to the next" if at.step_s else "of frames one after the other"
            answer = f"the mean over {at.clips} clips at most" if at.clips > 1 else answer
        seen = f"a clip of {spec.clip_len} face crops, {where}: squares {_cut(spec)}"
    return (
        f"Scores {seen}. `fake_prob` of a person is {answer} after dividing the logit by the temperature "
        f"{spec.calibration.temperature:g}. "
        f"It votes {bounds(spec, 'where fewer than 8 frames were seen')}, and abstains between."
    )


def size(entry: dict[str, Any], spec: ModelSpec) -> str:
    """Bytes of the file, and what it leaves out."""
    size = f"{entry['bytes'] / 1e6:.1f} MB in fp16"
    return f"{size} besides the public weights {spec.backbone.file}" if spec.backbone else size


def bounds(spec: ModelSpec, of_few: str) -> str:
    """From where a model votes fake and below what real, and what holds for few frames instead."""
    numbers = spec.calibration
    fake, real = f"fake from {numbers.threshold:g}", f"real below {numbers.real_below:g}"
    if numbers.few_frames_threshold is not None:
        fake += f" ({numbers.few_frames_threshold:g} {of_few})"
    if numbers.few_frames_real_below is not None:
        real += f" ({numbers.few_frames_real_below:g})"
    return f"{fake}, {real}"
