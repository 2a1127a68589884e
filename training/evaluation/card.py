"""Model cards, rendered from what `ledger.py` keeps and never typed by hand.

The text of a card is `card.md.j2`; what it says of one model, and how a figure is written, is here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tbd_app.models import registry
from tbd_app.pipeline.score import TOWER_FRAMES
from tbd_app.types import ModelSpec
from training.evaluation import card_input, ledger

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
    "redrawn_stills": "val stills made again by a generator of an architecture held out",
    "stylegan2_pictures": "StyleGAN2 portraits (generator seen in training, people not)",
    "real_pictures": "real val pictures",
    "val_pictures": "val pictures, all generators",
    **{f"val_{key}_pictures": f"val pictures, {name}" for key, name in FAMILY_NAMES.items()},
}


def record(model: str, figures: dict[str, Any]) -> None:
    """Store measured figures of a model in its file and its card."""
    write_card(ledger.write_metrics(model, figures))


def write_card(entry: dict[str, Any]) -> None:
    """Write a model's card from what is known of it."""
    (ledger.WEIGHTS / f"{entry['name']}.md").write_text(card(entry), encoding="utf-8")


def table(entry: dict[str, Any], spec: ModelSpec) -> str:
    """Markdown table of a model's figures."""
    head = f"`{entry['name']}`, calls a face {card_input.bounds(spec, 'in a single picture')}:"
    return "\n".join([head, "", *rows(entry["metrics"])])


def rows(metrics: dict[str, Any]) -> list[str]:
    """Lines of a Markdown table of figures, and how often an answer is given and wrong."""
    lines = [
        "| data (level) | real / fake | AUC | false alarms (FPR) | fakes found (TPR) |",
        "|---|---|---|---|---|",
    ]
    for key, name in ROWS.items():
        if (f := metrics.get(key)) is None:
            continue
        cells = [value(f, "auc"), value(f, "fpr", percent=True), value(f, "tpr", percent=True)]
        lines.append(
            f"| {name} ({f['level']}) | {f['n_real']} / {f.get('n_fake', 0)} | {' | '.join(cells)} |"
        )
    clips = metrics["val_clips"]
    if "error_where_decided" in clips:
        wrong = value(clips, "error_where_decided", percent=True)
        lines += [
            "",
            f"It gives an answer on {1 - clips['abstained']:.0%} of the val clips and is wrong on {wrong} of those; "
            f"calibration error (ECE) {clips['ece']:.2f}.",
        ]
    return lines


def value(figures: dict[str, Any], key: str, *, percent: bool = False) -> str:
    """A figure with its interval as it is printed; a dash where there is none."""
    if key not in figures:
        return "–"
    show = "{:.0%}" if percent else "{:.2f}"
    low, high = figures[f"{key}_ci"]
    return f"{show.format(figures[key])} ({show.format(low)}–{show.format(high)})"


# Where a network's first weights came from, beyond what its recipe names.
_ORIGIN = {
    "effnetv2_b0_frame": "at first the ImageNet-1k features of EfficientNetV2-B0 (Google, Apache-2.0, the numbers of "
    "`tf.keras.applications`), all weights fine-tuned",
    "clip_b16_probe": "OpenAI's CLIP ViT-B/16 (MIT), which stays as it is",
    "clip_b16_lower": "OpenAI's CLIP ViT-B/16 (MIT), which stays as it is",
    "clip_b16_ln1": "OpenAI's CLIP ViT-B/16 (MIT), of which the LayerNorms alone are trained",
}
_ORIGIN |= dict.fromkeys(
    ("effnet_vit_base", "effnet_vit_robust"),
    "the convolutions of the bundled picture model, which began with public features of EfficientNet-Lite0",
)
_ALIKE = "light, blur, resolution, noise, JPEG and H.264 are chosen once per pair and applied to both."
# What a batch is made of, by script.
_MATERIAL = {
    "training/train_frame.py": "Each pair is a real face and a fake made of it, or real and generated media of one kind; "
    + _ALIKE,
    "training/train_video.py": f"Each pair is a real clip and a fake made of it, or a real and a generated clip; {_ALIKE}",
    "training/train_image.py": "Each picture comes with its own label, the classes weighed; light, blur, resolution, noise, "
    "JPEG and H.264 are chosen for each.",
    "training/train_clip.py": "Over half of the pairs are a real generator's clip or picture beside a real one of its scene "
    f"or form, the others self-blends, replaced mouths and swaps beside the real face; {_ALIKE}",
    "training/train_robust.py": "Each face comes with its own label, half of a batch real; mirrored at random. Where "
    "attacks count, the same faces come again after PGD and after a U-Net that learns beside.",
    "training/train_probe.py": "Clips and pictures of real generators beside real ones; sources weigh as the root of their "
    "files, classes alike.",
}
_VARIANTS = {
    "clean": "as they are",
    "degraded": "degraded copies",
    "twin": "pseudo-fakes made of the real ones",
}
_LIMITS = {
    "training/train_clip.py": "It knows swapped faces, and hardly the rest: see the rows of the families. Of a clip it "
    f"scores {TOWER_FRAMES} frames at most.",
    "training/train_probe.py": "It goes by what faces look like in the middle of CLIP and by how little they change: fakes "
    "that move are found less (docs/log/2026-11-30-people-who-sit-still.md).",
    "training/train_robust.py": "It was trained on pictures, to compare two ways of training (docs/robustness.md): it says "
    "nothing of clips, and no model here withstands an attack that knows its weights.",
    "training/train_image.py": "It learned whole faces of one generator (StyleGAN2). Swapped faces, replaced mouths and "
    "moving heads leave other traces: see the rows of the clips before trusting its votes on video.",
}
_LEARNED_BLENDS = (
    "It learned blending borders and mismatched statistics. Heads that are generated whole leave other traces: see the row "
    'of the synthesis family before trusting "no signs found".'
)


def _steps(recipe: dict[str, Any], spec: ModelSpec) -> str:
    """How long, on how much at a time and at which sizes."""
    if "supports" in recipe:
        return (
            f"`{recipe['script']}`, in closed form: {recipe['components']} components of each statistic, {recipe['reduced']} "
            f"numbers compared with {recipe['supports']} supports, gamma {recipe['gamma']:g}, ridge {recipe['ridge']:g}; "
            f"{recipe['clip_len']} spread frames of each clip; {_seeds(recipe['seed'])}."
        )
    loop, pairs = recipe["loop"], recipe.get("batch_pairs")
    if pairs is None:
        paired = "pairs of clips" if spec.task == "clip" else "faces, half of them the others' counterparts"
        kind = paired if recipe.get("pairs") else {"clip": "clips", "frame": "pictures"}[spec.task]
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


def _more(recipe: dict[str, Any]) -> list[str]:
    """Lines about what else was done; none for recipes that say nothing of it."""
    lines = []
    if recipe.get("where"):
        lines.append("A second task, left out of the file: which cells of the last map were changed.")
    if recipe.get("freeze_bn"):
        lines.append("BatchNorm stayed on its running statistics.")
    if recipe.get("train_backbone") is False:
        lines.append("The CNN stayed as it was.")
    return lines


def _material(recipe: dict[str, Any]) -> str:
    """What a batch is made of, and in which shares."""
    text = _MATERIAL.get(recipe["script"], "Media and degradations are those of the script.")
    if shares := recipe.get("pair_shares"):
        parts = ", ".join(f"{share:.0%} {source.replace('_', ' ')}" for source, share in shares.items())
        text += f" Shares: {parts}."
    if kinds := recipe.get("kinds"):
        text += f" Of the data only those of kind {' and '.join(kinds)}."
    for kind in ("clip", "picture"):
        if shares := recipe.get(f"{kind}_shares"):
            parts = ", ".join(f"{share:.0%} {_VARIANTS[name]}" for name, share in shares.items() if share)
            text += f" Weight of the {kind}s: {parts}."
    return text


def _chosen_share(spec: ModelSpec, recipe: dict[str, Any]) -> float:
    """The softened share, if it came after training, else 0."""
    share = spec.calibration.softened_share
    return 0.0 if share == recipe.get("softened_share", recipe.get("reference")) else share


def card(entry: dict[str, Any]) -> str:
    """The model card in Markdown.

    Args:
        entry: all that is known of a measured model, as `ledger.entry_of` gives it.
    """
    spec, recipe = registry.spec(entry["name"]), entry["recipe"]
    start = recipe.get("backbone") or recipe.get("tower", {}).get("file")
    if recipe.get("init"):
        start = f"{recipe['init']}, an earlier checkpoint"
    scope = {
        "clips": "real clips and clips of the blending family",
        "all_clips": "all val clips",
        "pictures": "real and generated pictures",
    }[recipe.get("made_for", "clips")]
    return _TEMPLATES.get_template("card.md.j2").render(
        entry=entry,
        spec=spec,
        recipe=recipe,
        clips=entry["metrics"]["val_clips"],
        cost=entry["metrics"]["cost"],
        size=card_input.size(entry, spec),
        sees=card_input.sees(spec),
        start=start or "random weights",
        origin=_ORIGIN.get(entry["name"], "no public features were at hand"),
        steps=_steps(recipe, spec),
        material=_material(recipe),
        more=_more(recipe),
        scope=scope,
        chosen_share=_chosen_share(spec, recipe),
        table=table(entry, spec),
        limits=_LIMITS.get(recipe["script"], _LEARNED_BLENDS),
    )


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).resolve().parent),
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701 - Markdown from the project's own figures
    keep_trailing_newline=True,
)
_TEMPLATES.filters |= {
    "percent": "{:.0%}".format,
    "score": "{:.2f}".format,
    "interval": lambda figures, key: value(figures, key, percent=True),
}
