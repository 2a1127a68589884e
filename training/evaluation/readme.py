"""What the README says was measured: one sentence and one table about what votes by default, never typed by hand."""

from __future__ import annotations

from typing import Any

from training.evaluation import ledger
from training.evaluation.card import value
from training.evaluation.marked import replaced

ROOT = ledger.WEIGHTS.parent
# The parts of the README that are written here, each between two lines.
BLOCKS = {
    part: (f"<!-- {part}: begin, written by training/evaluate.py -->", f"<!-- {part}: end -->")
    for part in ("trust", "figures")
}
# The rows of the table, at most six, and what each is about.
ROWS = {
    "val_unseen_clips": "clips of generators that no training saw",
    "val_swap_clips": "clips with swapped faces, generators seen and unseen",
    "val_lipsync_clips": "clips with replaced mouths",
    "val_talking_clips": "talking heads made from a picture",
    "val_reenact_clips": "reenacted faces",
    "val_pictures": "pictures, generated and swapped",
}


def write() -> None:
    """Write what votes by default was measured to do into the README, between its markers."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    for part, content in parts().items():
        text = replaced(text, BLOCKS[part], content)
    readme.write_text(text, encoding="utf-8")


def parts() -> dict[str, str]:
    """The README's sentence and its table about the default voters: of their vote, else the first that has a figure."""
    entries, vote = ledger.entries(), ledger.ensemble()
    voters = [name for name, entry in entries.items() if entry["default_voter"] and entry["metrics"]]
    sources = {f"`{name}`": entries[name]["metrics"] for name in voters}
    if vote and len(vote["voters"]) > 1:
        sources = {"the vote": vote["metrics"]} | sources
    found = {
        key: next((who, metrics[key]) for who, metrics in sources.items() if key in metrics)
        for key in ROWS
        if any(key in metrics for metrics in sources.values())
    }
    whole = next((metrics["val_clips"] for metrics in sources.values() if "val_clips" in metrics), None)
    by_key = {key: figures for key, (_, figures) in found.items()} | ({"val_clips": whole} if whole else {})
    return {
        "trust": _trust(by_key),
        "figures": _summary(found),
    }


def _trust(figures: dict[str, dict[str, Any]]) -> str:
    """The measured part of how far to trust it, in one sentence."""
    pieces = {
        "val_unseen_clips": ("tpr", "n_fake", "it called {share} of {n} clips of unseen generators fake"),
        "val_swap_clips": ("tpr", "n_fake", "{share} of {n} clips with swapped faces"),
        "val_clips": ("fpr", "n_real", "{share} of {n} real clips"),
        "val_pictures": ("fpr", "n_real", "{share} of {n} real pictures"),
    }
    said = [
        text.format(share=f"{figures[key][rate]:.0%}", n=figures[key][count])
        for key, (rate, count, text) in pieces.items()
        if key in figures
    ]
    return f"When measured, {', '.join(said[:-1])} and {said[-1]}." if said[1:] else ""


def _summary(found: dict[str, tuple[str, dict[str, Any]]]) -> str:
    """One Markdown table, a row for each kind of material with who answered."""
    lines = [
        "| measured on | answered by | real / fake | AUC | reals called fake | fakes called fake |",
        "|---|---|---|---|---|---|",
    ]
    for key, (who, f) in found.items():
        cells = [value(f, "auc"), value(f, "fpr", percent=True), value(f, "tpr", percent=True)]
        lines.append(f"| {ROWS[key]} | {who} | {f['n_real']} / {f.get('n_fake', 0)} | {' | '.join(cells)} |")
    return "\n".join(lines)
