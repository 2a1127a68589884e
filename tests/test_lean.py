"""A start without torch's compiler, which is there for whoever asks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = "from tbd_app.pipeline import analyze; import tbd_app.models.nets.tower\n"


def said(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_engine_is_imported_without_the_compiler() -> None:
    assert said(f"{MODULES}import sys; print({{'torch._dynamo', 'sympy'}} & sys.modules.keys())") == "set()"


def test_the_compiler_is_there_for_whoever_asks() -> None:
    code = (
        f"{MODULES}import torch; print(torch.compile(lambda x: x + 1, backend='eager')(torch.ones(1)).item())"
    )
    assert said(code) == "2.0"


def test_versions_that_ask_the_compiler_for_more_are_imported_with_it(tmp_path) -> None:
    (tmp_path / "timm.py").write_text("import torch._dynamo\nasked = torch._dynamo.config.__name__")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import tbd_app.lean, timm; print(timm.asked)"
    assert said(code) == "torch._dynamo.config"


@pytest.mark.weights
def test_nor_does_an_analysis_load_it() -> None:
    code = "from tbd_app import analyze; analyze('examples/drawn_face.mp4', explain=False); import sys"
    assert said(f"{code}; print({{'torch._dynamo', 'sympy'}} & sys.modules.keys())") == "set()"
