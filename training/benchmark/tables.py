"""A table of figures as CSV, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd


def write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows of one form beside each other, as `path` with the endings .csv, .md and .tex."""
    table = pd.DataFrame(rows)
    table.to_csv(path.with_suffix(".csv"), index=False)
    shown = table.map(_cell)
    path.with_suffix(".md").write_text(markdown(shown), encoding="utf-8")
    columns = [name.replace("_", " ") for name in shown.columns]
    text = shown.set_axis(columns, axis=1).style.hide(axis="index").to_latex(hrules=True)
    path.with_suffix(".tex").write_text(text.replace("_", r"\_").replace("&amp;", r"\&"), encoding="utf-8")


def markdown(table: pd.DataFrame) -> str:
    """The table in Markdown."""
    lines = [[name.replace("_", " ") for name in table.columns], ["---"] * len(table.columns)]
    lines += table.to_numpy().tolist()
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return "-"
    return (
        f"{value:.3f}"
        if isinstance(value, float) and not value.is_integer()
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )
