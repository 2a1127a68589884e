"""An analysis for tests of what surrounds it: a file says in its own text what becomes of it.

`score 0.7` is judged so, `refuse` is refused, `crash` raises what nobody foresaw, `die FILE` ends the process the first time
(FILE then exists) and `die always` each time. Every judgement leaves a line in the file `scored` of the folder that the
environment variable STUB_FOLDER names.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from tbd_app.errors import CorruptMedia
from tbd_app.settings import AnalysisSettings


def read(path: Path, settings: AnalysisSettings) -> dict[str, str]:
    text = path.read_text(encoding="utf-8").splitlines()[0]
    if text == "refuse":
        raise CorruptMedia("The file is damaged.")
    return {"text": text}


def judge(read: dict[str, str], settings: AnalysisSettings, name: str) -> dict[str, Any]:
    word, _, rest = read["text"].partition(" ")
    if word == "crash":
        raise ZeroDivisionError("nobody foresaw this")
    if word == "die" and (rest == "always" or not Path(rest).exists()):
        if rest != "always":
            Path(rest).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(float(os.environ.get("STUB_SECONDS", "0")))
    folder = Path(os.environ["STUB_FOLDER"])
    with (folder / "scored").open("a", encoding="utf-8") as log:
        log.write(f"{name}\n")
    prob = float(rest) if word == "score" else 0.5
    return {
        "media": {"name": name, "kind": "video", "width": 8, "height": 8, "duration_s": 1.0, "codec": "stub"},
        "verdict": {
            "label": "fake" if prob > 0.5 else "real",
            "fake_prob": prob,
            "votes": {"fake": int(prob > 0.5), "real": int(prob <= 0.5), "abstain": 0},
            "reasons": [],
        },
        "people": [{}],
    }
