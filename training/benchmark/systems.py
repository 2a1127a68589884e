"""The table of systems in docs/systems.md, written from the registry, the recipes and the manifest.

    python training/benchmark/systems.py

What the references report is kept here, in their words and numbers; counts, commands and the state of weights are read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

from tbd_app.models.recipes import RECIPES
from tbd_app.models.specs import SPECS
from training.evaluation.marked import replaced

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "systems.md"
MARKS = ("<!-- systems: begin, written by training/benchmark/systems.py -->", "<!-- systems: end -->")


@dataclass(frozen=True, slots=True)
class Reference:
    """What the system's own report or paper says; nothing of it was measured here.

    Attributes:
        in_domain: on test media of the set that it was trained on.
        cross: on other sets.
        limits: of the system or of its figures.
        n_params: all parameters, where it gives them or its description fixes them.
        n_trained: the trained ones, likewise.
    """

    in_domain: str
    cross: str
    limits: str
    n_params: int | None = None
    n_trained: int | None = None


_NONE = "none given"
_ON_TEST = "Its epoch was chosen on DFDC's test media, so DFDC is optimistic."
_CLOSED = "At these figures it called every fake from the internet real."
_OURS_CHOSEN = "Which layers the report trained is not in it."

REFERENCES: dict[str, Reference] = {
    "effnetv2_b0_frame": Reference(
        "no reference: a model of this project",
        "no reference",
        "Trained on fakes made of reals, and in its last stage on clips of real generators; finds swaps and lip-sync "
        "better than generated heads. Its card has what was measured.",
    ),
    "effnet_b0_image": Reference(
        "140k faces: accuracy .99 (pictures)",
        _NONE,
        "Whole faces of one generator (StyleGAN); says nothing about swaps in video.",
        4_010_110,
    ),
    "effnet_b0_lstm": Reference(
        "FF++: accuracy .948 / .961 / .968 (10 / 20 / 30 frames)",
        "accuracy: UADFV .92 / .89 / .90; Celeb-DF v1 .62 / .76 / .69",
        "Random split, so people are on both sides; 76 % of the test are fakes; no AUC given.",
        5_583_486,
    ),
    "resnext50_lstm": Reference(
        "FF++: accuracy .952 / .955 / .966 (10 / 20 / 30 frames)",
        "accuracy: UADFV .88 / .83 / .95; Celeb-DF v1 .70 / .67 / .61",
        "As effnet_b0_lstm.",
        25_342_274,
    ),
    "swin_tiny_mean": Reference(
        "FF++: accuracy .939 (10 frames); .752 (20), no better than always fake",
        "accuracy: UADFV .92 / .91; Celeb-DF v1 .63 / .67",
        "As effnet_b0_lstm; looks at frames one by one.",
        27_520_892,
    ),
    "clip_b16_probe": Reference(
        "no reference: a model of this project",
        "no reference",
        "Nothing of the tower is trained; what stands on it is fitted in closed form. The baseline of those on CLIP.",
        None,
        2_883_718,
    ),
    "clip_b16_lower": Reference(
        "no reference: a model of this project",
        "no reference",
        "As clip_b16_probe, on crops of mouth, chin and cheeks.",
        None,
        2_883_718,
    ),
    "clip_b16_ln1": Reference(
        "FF++ .996",
        "CDFv2 .890, DFDC .837, DFDCP .866, DFD .962, FSh .744, UADFV .985",
        _ON_TEST,
        None,
        41_474,
    ),
    "clip_b16_ln2": Reference(
        "FF++ .974",
        "CDFv2 .817, DFDC .823, DFDCP .949, DFD .959, FSh .844, UADFV .995",
        _ON_TEST,
        None,
        434_690,
    ),
    "clip_l14_ln1": Reference(
        "FF++ .998",
        "CDFv2 .950, DFDC .886, DFDCP .892, DFD .982, FSh .857, UADFV .994",
        f"{_ON_TEST} The default recipe is GenD's, other than the report's.",
        None,
        104_450,
    ),
    "clip_l14_ln2": Reference(_NONE, _NONE, "A combination that nobody reports.", None, 628_226),
    "clip_b16_stan": Reference(
        "FF++ .968",
        "CDFv2 .841, DFDC .793, DFDCP .809, DFD .928, FSh .715, UADFV .981",
        "Its branch began from random frozen blocks and mixed up tokens; videos of fewer than 8 frames were left out. "
        f"{_ON_TEST}",
        126_020_354,
        11_922_434,
    ),
    "dfd_fcg_b32": Reference(
        _NONE,
        _NONE,
        "49 patches: parts of a face share them. The report counts about 283,000, which `--layout wide` rebuilds.",
        None,
        110_316,
    ),
    "dfd_fcg_b16": Reference(
        _NONE, _NONE, "Published prototypes are for L/14; ours are made of our own faces.", None, 111_198
    ),
    "dfd_fcg_l14": Reference(
        _NONE,
        "CDFv2 .950, WDF .872, DFDC .818",
        "No public checkpoint to compare with; aligned by five points unless face-alignment is installed.",
        None,
        250_278,
    ),
    "xception": Reference(
        _NONE,
        "CDFv2 .816, DFDC .732–.739, DFDCP .742–.760, DFD .896, FSh .600, UADFV .963",
        "A baseline under another recipe: its figures do not compare with ours.",
    ),
    "effnet_b4": Reference(_NONE, "CDFv2 .808, DFDC .724, DFDCP .680, DFD .862", "As xception.", 17_552_202),
    "m2tr_swin": Reference(
        "FF++ Deepfakes alone: .9915, accuracy .970 (faces)",
        "0 of the internet videos found",
        f"{_CLOSED} {_OURS_CHOSEN}",
        28_434_556,
    ),
    "m2tr_b4": Reference(
        "FF++ .9708, accuracy .935; with Celeb-DF v2 in training .9983 (faces)",
        "0 of the internet videos found",
        f"{_CLOSED} {_OURS_CHOSEN}",
        18_398_026,
    ),
    "m2tr_official": Reference(
        "FF++ accuracy .979 (c23), .929 (c40)",
        _NONE,
        "Users find .919 and .583 with the authors' weights. Bound to 320 px; the mask decoder is left out.",
        18_607_946,
    ),
    "effnet_b0_timesformer": Reference(
        _NONE,
        _NONE,
        "A full divided encoder of our own size in place of the report's; nobody reports it.",
        13_629_054,
    ),
    "effnet_b0_timesformer_legacy": Reference(
        "FF++ .982",
        "CDFv2 .787, DFDC .718, DFDCP .850, DFD .860, FSh .716, UADFV .784",
        f"Reads one token of one frame, without residuals or positions. {_ON_TEST}",
        17_130_110,
    ),
    "effnet_vit_base": Reference(
        "FF++ ~1, accuracy .999; JPEG 50 .922, H.264 .965",
        "CDFv2 .678; JPEG 50 .672, H.264 .693; PGD .460, U-Net .675",
        "The clean baseline of effnet_vit_robust. The reference gives no width; 256 is ours, and with it the count.",
    ),
    "effnet_vit_robust": Reference(
        "FF++ ~1, accuracy .998; JPEG 50 .916, H.264 .962",
        "CDFv2 .676; JPEG 50 .681, H.264 .703; PGD .483, U-Net .674",
        "At chance under PGD, so not robust to it; gains of +.004 to +.013, without intervals. Width as in the baseline.",
    ),
}


def write() -> None:
    """Put the tables into docs/systems.md, between the two marks."""
    PAGE.write_text(rendered(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def rendered(page: str) -> str:
    """The page with the tables as they should be now."""
    return replaced(page, MARKS, tables())


def tables() -> str:
    """Both tables in Markdown."""
    ours = "| model | parameters | expected | trained | expected | share | weights |\n|---|--:|--:|--:|--:|--:|---|"
    theirs = "| model | reference's figures, in-domain | its figures, cross-dataset | known limits |\n|---|---|---|---|"
    commands = "\n".join(RECIPES[name].command(name) for name in SPECS)
    return "\n".join(
        [
            "### Counts and weights", "", ours, *_counts(), "",
            "### What the references report", "", theirs, *_reported(), "",
            "### Commands", "", "```", commands, "```",
        ]
    )  # fmt: skip


def _counts() -> Iterator[str]:
    weights = _states()
    for name, spec in SPECS.items():
        sheet, trained = REFERENCES[name], spec.n_trainable or spec.n_params
        share = trained / spec.n_params
        cells = (
            f"`{name}`", f"{spec.n_params:,}", _number(sheet.n_params), f"{trained:,}", _number(sheet.n_trained),
            "all" if share == 1 else f"{share:.3%}", weights.get(name, "none published"),
        )  # fmt: skip
        yield f"| {' | '.join(cells)} |"


def _number(count: int | None) -> str:
    return "–" if count is None else f"{count:,}"


def _reported() -> Iterator[str]:
    for name in SPECS:
        sheet = REFERENCES[name]
        yield f"| `{name}` | {sheet.in_domain} | {sheet.cross} | {sheet.limits} |"


def _states() -> dict[str, str]:
    """What the project's manifest says of the weights, not what this machine happens to have."""
    manifest = json.loads((ROOT / "weights" / "manifest.json").read_text(encoding="utf-8"))
    return {entry["name"]: _state(entry) for entry in manifest["models"]}


def _state(entry: dict) -> str:
    where = f"`{entry['hub']['repo']}`" if "hub" in entry else "here"
    card = f"[card](../weights/{entry['name']}.md)"
    return f"{where}, {entry['bytes'] / 1e6:.1f} MB, {card}"


if __name__ == "__main__":
    write()
