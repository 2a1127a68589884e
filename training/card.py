"""Model cards and the README's table of figures, rendered from the manifest and never typed by hand."""

from __future__ import annotations

from typing import Any

from tbd_app.models import manifest, registry
from tbd_app.types import ModelSpec
from training import card_input
from training.export import WEIGHTS, write_metrics

ROOT = WEIGHTS.parent
BEGIN, END = "<!-- figures: begin, written by training/evaluate.py -->", "<!-- figures: end -->"
FAMILY_NAMES = {
    "swap": "swapped faces",
    "lipsync": "lip-sync",
    "reenact": "reenactment",
    "talking": "talking heads from a picture and a voice",
    "t2v": "video generated from words or a picture",
    "edit": "edited faces",
    "still": "generated portraits",
}
ROWS = {
    "val_clips": "val clips, all generators",
    **{f"val_{key}_clips": f"val clips, {name}" for key, name in FAMILY_NAMES.items()},
    "val_blending_clips": "val clips, blending family (part swap, UADFV, FakeApp, Wav2Lip)",
    "val_synthesis_clips": "val clips, synthesis family (LivePortrait, AniPortrait, DreamTalk)",
    "val_clips_h264_crf23": "val clips, all, after H.264 CRF 23",
    "val_clips_h264_crf32": "val clips, all, after H.264 CRF 32",
    "val_clips_h264_crf40": "val clips, all, after H.264 CRF 40",
    "val_clips_jpeg50": "val clips, all, frames as JPEG 50",
    "val_clips_half_size": "val clips, all, at half the size",
    "self_blends": "self-blends of val stills",
    "self_blends_whole_face": "those of the whole face, as the paper makes them",
    "self_blends_part": "those of a part: mouth, lower face, eyes or nose",
    "self_blends_h264_crf32": "self-blends of val stills, after H.264 CRF 32",
    "redrawn_stills": "val stills redrawn by a generator of an architecture held out",
    "stylegan2_pictures": "StyleGAN2 portraits (generator seen in training, people not)",
    "real_pictures": "real val pictures",
    "val_pictures": "val pictures, all generators",
    **{f"val_{key}_pictures": f"val pictures, {name}" for key, name in FAMILY_NAMES.items()},
}


def record(model: str, figures: dict[str, Any]) -> None:
    """Store measured figures of a model in the manifest and its card."""
    entry = write_metrics(model, figures)
    (WEIGHTS / f"{model}.md").write_text(card(entry), encoding="utf-8")


def record_readme() -> None:
    """Write the figures of every measured model into the README, between its markers; who votes comes first."""
    ensemble = manifest.ensemble()
    measured = [entry.raw for entry in manifest.entries().values() if entry.raw["metrics"]]
    tables = [table(entry) for entry in sorted(measured, key=lambda entry: not entry["default_voter"])]
    if ensemble and len(ensemble["voters"]) > 1:
        told = f"The vote of {', '.join(f'`{name}`' for name in ensemble['voters'])}:"
        tables.insert(0, "\n".join([told, "", *rows(ensemble["metrics"])]))
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise SystemExit(f"{readme.name} lacks the lines that enclose the figures: {BEGIN} and {END}.")
    head, rest = text.split(BEGIN, 1)
    text = "\n\n".join([*tables, "Intervals are 95 %; every figure comes from `training/evaluate.py`."])
    readme.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END, 1)[1]}", encoding="utf-8")


def table(entry: dict[str, Any]) -> str:
    """Markdown table of a model's figures."""
    told = f"`{entry['name']}`, calls a face {card_input.bounds(entry, 'in a single picture')}:"
    return "\n".join([told, "", *rows(entry["metrics"])])


def rows(metrics: dict[str, Any]) -> list[str]:
    """Lines of a Markdown table of figures, and how often an answer is given and wrong."""
    lines = [
        "| data (level) | real / fake | AUC | false alarms (FPR) | fakes found (TPR) |",
        "|---|---|---|---|---|",
    ]
    for key, name in ROWS.items():
        if (f := metrics.get(key)) is None:
            continue
        cells = [_value(f, "auc"), _value(f, "fpr", percent=True), _value(f, "tpr", percent=True)]
        lines.append(
            f"| {name} ({f['level']}) | {f['n_real']} / {f.get('n_fake', 0)} | {' | '.join(cells)} |"
        )
    clips = metrics["val_clips"]
    if "error_where_decided" in clips:
        wrong = _value(clips, "error_where_decided", percent=True)
        lines += [
            "",
            f"It gives an answer on {1 - clips['abstained']:.0%} of the val clips and is wrong on {wrong} of those; "
            f"calibration error (ECE) {clips['ece']:.2f}.",
        ]
    return lines


def generators(entry: dict[str, Any]) -> str:
    """Markdown table of the generators of fakes, each against all real clips."""
    lines = ["| generator | clips | AUC | found |", "|---|---|---|---|"]
    for name, f in entry["metrics"]["generators"].items():
        lines.append(f"| {name} | {f['n_fake']} | {f['auc']:.2f} | {_value(f, 'tpr', percent=True)} |")
    return "\n".join(lines)


def _value(figures: dict[str, Any], key: str, *, percent: bool = False) -> str:
    if key not in figures:
        return "–"
    show = "{:.0%}" if percent else "{:.2f}"
    low, high = figures[f"{key}_ci"]
    return f"{show.format(figures[key])} ({show.format(low)}–{show.format(high)})"


# Where a network's first weights came from, beyond what its recipe names.
_ORIGIN = {
    "effnetv2_b0_frame": "at first the ImageNet-1k features of EfficientNetV2-B0 (Google, Apache-2.0, the numbers of "
    "`tf.keras.applications`), all weights fine-tuned",
}
_ONE_DRAW = "light, blur, resolution, noise, JPEG and H.264 are drawn once per pair and applied to both."
# What a batch is made of, by script.
_MATERIAL = {
    "training/train_frame.py": "Each pair is a real face and a fake made of it, or real and generated media of one kind; "
    + _ONE_DRAW,
    "training/train_video.py": f"Each pair is a real clip and a fake made of it, or a real and a generated clip; {_ONE_DRAW}",
    "training/train_image.py": "Each picture comes with its own label, the classes weighed; light, blur, resolution, noise, "
    "JPEG and H.264 are drawn for each.",
}
_LIMITS = {
    "training/train_image.py": "It learned whole faces of one generator (StyleGAN2). Swapped faces, redrawn mouths and "
    "moving heads leave other traces: see the rows of the clips before trusting its votes on video.",
}
_LEARNED_BLENDS = (
    "It learned blending borders and mismatched statistics. Heads that are generated whole leave other traces: see the row "
    'of the synthesis family before trusting "no signs found".'
)


def _steps(recipe: dict[str, Any], spec: ModelSpec) -> str:
    """How long, on how much at a time and at which sizes."""
    loop, pairs = recipe["loop"], recipe.get("batch_pairs")
    if pairs is None:
        kind = "pairs of clips" if recipe.get("pairs") else {"clip": "clips", "frame": "pictures"}[spec.task]
        batch, sizes = f"{recipe['batch']} {kind}", f"at {spec.input_size} px"
    else:
        phases = zip(recipe["size_px"], recipe["size_share"], strict=True)
        total = sum(recipe["size_share"])
        batch = f"{pairs} pairs"
        sizes = ", then ".join(f"{share / total:.0%} of the steps at {px} px" for px, share in phases)
    precision = {"bf16": "bfloat16", "fp16": "float16", "no": "float32"}[loop["precision"]]
    optimizer = {"adamw": "AdamW", "adam": "Adam", "sgd": "SGD"}[loop["optimizer"]]
    return (
        f"`{recipe['script']}`, {loop['steps']} steps of {batch}, {sizes}; {optimizer}, "
        f"peak learning rate {loop['lr']:g}, {loop['schedule']}; "
        f"averaged weights (decay {loop['ema_decay']}); {_seeds(recipe['seed'])}; {precision}.{_averaged(recipe)}"
    )


def _seeds(seed: int | list[int]) -> str:
    """The seed of a run, or of the runs whose weights were averaged."""
    if isinstance(seed, int):
        return f"seed {seed}"
    return f"the mean weights of {len(seed)} runs with seeds {', '.join(map(str, seed))}"


def _averaged(recipe: dict[str, Any]) -> str:
    """What else the weights are the mean of."""
    others = recipe.get("averaged_with")
    return f" The file holds the mean of these weights and those of {', '.join(others)}." if others else ""


def _more(recipe: dict[str, Any]) -> str:
    """What else was done; nothing for recipes that do not tell."""
    told = ""
    if shares := recipe.get("pair_shares"):
        parts = ", ".join(f"{share:.0%} {source.replace('_', ' ')}" for source, share in shares.items())
        told += f" Shares: {parts}."
    if recipe.get("where"):
        told += "\n- A second task, left out of the file: which cells of the last map were changed."
    if recipe.get("freeze_bn"):
        told += "\n- BatchNorm stayed on its running statistics."
    if recipe.get("train_backbone") is False:
        told += "\n- The CNN stayed as it was."
    return told


def _chosen(spec: ModelSpec, recipe: dict[str, Any]) -> str:
    """A line about a reference that came after training."""
    if not spec.reference or spec.reference == recipe.get("reference"):
        return ""
    told = f"The share of {spec.reference:g} was chosen on val, too, after training; the figures on val clips are"
    return f"\n- {told} optimistic."


def card(entry: dict[str, Any]) -> str:
    """The model card in Markdown."""
    spec = registry.spec(entry["name"])
    clips, cost = entry["metrics"]["val_clips"], entry["metrics"]["cost"]
    recipe = entry["recipe"]
    start = (
        f"{recipe['init']}, an earlier checkpoint"
        if recipe.get("init")
        else recipe["backbone"] or "random weights"
    )
    origin = _ORIGIN.get(entry["name"], "no public features were at hand")
    chosen = _chosen(spec, recipe)
    frame_auc = f"frame-level AUC {clips['frame_auc']:.2f}, " if "frame_auc" in clips else ""
    scope = {
        "clips": "real clips and clips of the blending family",
        "pictures": "real and generated pictures",
    }[recipe.get("made_for", "clips")]
    return f"""---
license: other
license_name: research-use
library_name: pytorch
pipeline_tag: image-classification
tags: [deepfake-detection]
---

# {entry["name"]}

{spec.architecture}; {spec.n_params:,} parameters; {card_input.size(entry, spec)}.
Paper of the architecture: {spec.paper}

**Licence of the weights: {entry["licence"]}.** The training media have mixed and partly unstated licences.

## What it does

{card_input.sees(entry, spec)}

## How it was trained

- Data: {entry["trained_on"]}.
- Start: {start}; {origin}.
- Recipe: {_steps(recipe, spec)}
  {recipe.get("note", "")}
- {_MATERIAL.get(recipe["script"], "Media and degradations are those of the script.")}{_more(recipe)}
- Temperature and bounds were chosen on val: the temperature on {scope}, the thresholds so that at most 5 % of the real val
  clips, and of the real val pictures, reach theirs. The figures on real val media are therefore optimistic.{chosen}

## Measured

{table(entry)}

Clips are judged whole by `tbd_app.analyze`, as `tbd analyze` does; {clips["coverage"]:.0%} of the val clips, from
{clips["n_sources"]} sources, could be judged; the rest counts as 0.5. The model abstains on
{clips["abstained"]:.0%} of them and calls {clips["missed_as_real"]:.0%} of the fakes real.
Several fakes share a source, so the intervals are narrower than the truth.
Further: {frame_auc}EER {clips["eer"]:.2f},
average precision {clips["ap"]:.2f}, balanced accuracy {clips["balanced_accuracy"]:.2f},
F1 of fakes {clips["f1_fake"]:.2f} and of reals {clips["f1_real"]:.2f}, calibration error (ECE) {clips["ece"]:.2f}.
All figures, corruption by corruption, are in
`weights/manifest.json`.

{generators(entry)}

![ROC curves and confusion on val clips](../docs/figures/{entry["name"]}.png)

## Cost

{cost["n_params"]:,} parameters, {cost["file_mb"]:g} MB, {cost["gflops"]:g} GFLOP and {cost["clip_s"]:g} s for a clip of
{cost["frames"]} frames on {cost["threads"]} CPU threads, face detection not counted.

## What it cannot do

{_LIMITS.get(recipe["script"], _LEARNED_BLENDS)} It has not been measured by skin tone, age or sex. It does not hear
audio, sees nothing outside a face, and is not proof of anything.
"""
