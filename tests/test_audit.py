"""What `script/audit` makes of pip-audit's answers: no connection never looks like no hole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "script" / "audit_answers.py"
PILLOW, TORCH = (
    {"name": "pillow", "version": "1.0", "vulns": []},
    {"name": "Torch", "version": "2.0", "vulns": []},
)
HOLE = PILLOW | {"vulns": [{"id": "PYSEC-1", "fix_versions": ["2.0"]}]}
SKIPPED = {"name": "pillow", "skip_reason": "Dependency not found on PyPI and could not be audited"}


@pytest.mark.parametrize(
    ("answers", "code", "words"),
    [
        ([[PILLOW, TORCH]], 0, "None of 2 packages has a known hole."),
        ([[SKIPPED, TORCH], [PILLOW]], 0, "None of 2 packages has a known hole."),
        ([[PILLOW, TORCH], [HOLE]], 1, "pillow 1.0: PYSEC-1"),
        ([[SKIPPED, TORCH]], 2, "Nothing is known of 1 of 2 packages: pillow."),
        ([[SKIPPED]], 2, "could be reached"),
        ([None, None], 2, "could be reached"),
    ],
)
def test_an_answer_is_a_sentence_and_an_exit_code(tmp_path, answers, code, words):
    lock = tmp_path / "lock"
    lock.write_text("pillow==1.0 \\\n    --hash=sha256:00\ntorch==2.0 \\\n    --hash=sha256:11\n")
    paths = [tmp_path / f"{i}.json" for i in range(len(answers))]
    for path, found in zip(paths, answers, strict=True):
        if found is not None:
            path.write_text(json.dumps({"dependencies": found, "fixes": []}))
    done = subprocess.run([sys.executable, SCRIPT, lock, *paths], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (code, "")
    assert words in done.stdout
