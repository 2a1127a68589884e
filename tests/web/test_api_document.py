"""Each snippet of docs/api.md does what it says, against a running page."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.web.conftest import Server

REPOSITORY = Path(__file__).resolve().parents[2]
COMMANDS = {
    "python": [sys.executable, "-"],
    "bash": ["bash", "-s"],
    "js": ["node", "--input-type=module", "-"],
}
TOOLS = {"bash": "curl", "js": "node"}


@pytest.mark.parametrize("language", COMMANDS)
def test_a_snippet_gets_the_verdict(server: Server, language):
    tool = TOOLS.get(language)
    if tool and shutil.which(tool) is None:
        pytest.skip(f"{tool} is not here")
    text = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert "http://127.0.0.1:7860" in snippet
    snippet = snippet.replace("http://127.0.0.1:7860", server.url.rstrip("/"))
    done = subprocess.run(
        COMMANDS[language], input=snippet, cwd=REPOSITORY, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "fake" in done.stdout
    assert server.engine.seen[0][1] == "no_face.mp4"
    assert server.leftovers() == []
