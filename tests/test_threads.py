"""Waiting threads of OpenMP sleep: set before torch is loaded, wherever the code is entered, unless the user chose."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tbd_app
from benchmarks import threads

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
SCRIPTS = [
    p
    for folder in ("training", "benchmarks")
    for p in sorted((ROOT / folder).glob("*.py"))
    if "__main__" in p.read_text(encoding="utf-8")
]


def fresh_python(code: str, **given: str) -> subprocess.CompletedProcess[str]:
    """A new interpreter in the project's folder, with none of the settings but those given."""
    env = {k: v for k, v in os.environ.items() if k not in NAMES} | given
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)


def asked(module: str, **given: str) -> list[str | None]:
    """The settings after an import."""
    code = f"import os, {module}; print([os.environ.get(n) for n in {NAMES}])"
    return ast.literal_eval(fresh_python(code, **given).stdout)


@pytest.mark.parametrize("module", ["app", "tbd_app", "tbd_app.cli", "tbd_app.media.confined"])
def test_every_way_in_asks_for_sleeping_threads(module: str) -> None:
    assert asked(module) == ["passive", str(tbd_app.SPINS)]


@pytest.mark.parametrize("given", [{"OMP_WAIT_POLICY": "active"}, {"GOMP_SPINCOUNT": "300000"}])
def test_what_the_user_set_stays(given: dict[str, str]) -> None:
    assert asked("tbd_app", **given) == [given.get(name) for name in NAMES]


def test_torch_hears_of_it() -> None:
    """The OpenMP that torch loads prints what it goes by."""
    shown = fresh_python("import tbd_app, torch", OMP_DISPLAY_ENV="true").stderr
    assert re.search(r"OMP_WAIT_POLICY\s*=\s*'PASSIVE'", shown)


@pytest.mark.parametrize("path", [*SCRIPTS, ROOT / "tests/conftest.py"], ids=lambda p: p.name)
def test_a_script_imports_tbd_app_before_any_library(path: Path) -> None:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    imports = sorted((n for n in nodes if isinstance(n, ast.Import | ast.ImportFrom)), key=lambda n: n.lineno)
    names = [n.module or "" if isinstance(n, ast.ImportFrom) else n.names[0].name for n in imports]
    others = [name for name in names if name.split(".")[0] not in sys.stdlib_module_names]
    assert others[:1] in ([], ["tbd_app"])


def test_the_benchmark_compares_within_rounds_and_holds_our_setting_against_both_bounds() -> None:
    rounds = [
        {"idle_ours": 2.0, "idle_usual": 2.0, "busy_ours": 4.0, "busy_usual": 12.0},
        {"idle_ours": 4.0, "idle_usual": 4.0, "busy_ours": 12.0, "busy_usual": 40.0},  # all slow at once
        {"idle_ours": 2.2, "idle_usual": 2.0, "busy_ours": 4.4, "busy_usual": 12.0},
    ]
    found = threads.summary(rounds)
    assert (
        found["settings"]["ours"] | {"idle_s": 2.2, "idle_over_usual_each": [1.0, 1.0, 1.1]}
        == found["settings"]["ours"]
    )
    assert (found["settings"]["ours"]["idle_over_usual"], found["settings"]["ours"]["busy_over_idle"]) == (
        1,
        2,
    )
    assert found["met"] is True
    slower = [r | {"idle_ours": r["idle_usual"] * 1.05} for r in rounds]
    assert threads.summary(slower)["met"] is False
    starved = [r | {"busy_ours": r["idle_ours"] * 3.5} for r in rounds]
    assert threads.summary(starved)["met"] is False
