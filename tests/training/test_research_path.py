"""The commands of examples/research.md, run as they stand there on miniatures of four data sets in their official layouts."""

from __future__ import annotations

import csv
import json
import re
import runpy
import shlex
import string
import sys
from pathlib import Path

import numpy as np
import pytest

from tbd_app.cli.main import main as tbd
from tests.media_factory import encode, portrait_frame

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "examples" / "research.md"
MODEL = "timm:test_efficientnet"
FEW = (
    "--size-px 64 --batch-pairs 2 --frames-per-clip 4 --workers 0 --no-pretrained --loop.unit step --loop.steps 2 "
    "--loop.validate-every 2"
)


def clip(path: Path, number: int, *, fake: bool = False) -> None:
    """A clip of the drawn portrait at a place in time of its own; in a fake the lower face has another colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = [portrait_frame(9 * number + k) for k in range(4)]
    if fake:
        tint = np.zeros_like(frames[0], np.int16)
        tint[120:] = (60, -20, -40)
        frames = [np.clip(f + tint, 0, 255).astype(np.uint8) for f in frames]
    encode(path, frames, crf=26 if fake else 22)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Names of the page's settings -> miniatures; one of DFDC's fakes shows no face."""
    root = tmp_path_factory.mktemp("sets")
    pairs = {"train": ["000", "001"], "val": ["002", "003"], "test": ["004", "005"]}
    for n, (split, (one, other)) in enumerate(pairs.items()):
        (root / "ffpp/splits").mkdir(parents=True, exist_ok=True)
        (root / f"ffpp/splits/{split}.json").write_text(json.dumps([[one, other]]))
        for k, name in enumerate((one, other)):
            clip(root / f"ffpp/original_sequences/youtube/c23/videos/{name}.mp4", 2 * n + k)
            pair = f"{name}_{other if name == one else one}"
            clip(root / f"ffpp/manipulated_sequences/Deepfakes/c23/videos/{pair}.mp4", 2 * n + k, fake=True)
    real, fake = "YouTube-real/00000.mp4", "Celeb-synthesis/id0_id1_0000.mp4"
    for n, name in enumerate((real, fake, "Celeb-real/id0_0000.mp4")):
        clip(root / "celebdf" / name, n, fake=name == fake)
    (root / "celebdf/List_of_testing_videos.txt").write_text(f"1 {real}\n0 {fake}\n")
    (root / "dfdc/test").mkdir(parents=True)
    for n in range(2):
        clip(root / f"dfdc/test/{n}.mp4", n, fake=bool(n))
    encode(root / "dfdc/test/2.mp4", [np.full((120, 160, 3), 90, np.uint8)] * 4)
    (root / "dfdc/test/labels.csv").write_text("filename,label\n0.mp4,0\n1.mp4,1\n2.mp4,1\n")
    for name in ("real/0000.mp4", "fake/0000_fake.mp4"):
        clip(root / "uadfv" / name, 3, fake="fake" in name)
    names = {"FFPP": "ffpp", "CELEBDF": "celebdf", "DFDC": "dfdc", "UADFV": "uadfv"}
    return {key: str(root / name) for key, name in names.items()}


def commands(settings: dict[str, str]) -> list[list[str]]:
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(string.Template(line).substitute(settings)) for line in lines]


def run(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One command in this process: to load torch anew for each would take most of the time."""
    while "=" in words[0]:
        monkeypatch.setenv(*words.pop(0).split("=", 1))
    if words[0] == "python":
        monkeypatch.setattr(sys, "argv", [str(ROOT / words[1]), *words[2:]])
        runpy.run_path(str(ROOT / words[1]), run_name="__main__")
        return
    assert words[0] == "tbd"
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        tbd()
    assert not ended.value.code


def test_the_page_leads_from_a_data_set_to_a_table_and_a_report(
    sets: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in (ROOT / "weights").glob("*.json")}
    for words in commands(sets | {"MODEL": MODEL, "WORKERS": "0", "FEW": FEW}):
        run(words, monkeypatch)
    assert before == {path: path.read_bytes() for path in (ROOT / "weights").glob("*.json")}
    assert {path.name for path in Path("my_weights").iterdir()} >= {
        "manifest.json", "timm-test_efficientnet.safetensors", "timm-test_efficientnet.recipe.json"
    }  # fmt: skip
    made = json.loads(Path("my_weights/timm-test_efficientnet.recipe.json").read_text())
    assert made["trained_on"] == "the train split of ffpp: 2 real clips, 2 fake clips (by Deepfakes)"
    assert made["recipe"]["preset"] == "paper+8gb"

    found = json.loads(Path("runs/table/figures.json").read_text())
    assert found.keys() == {"ffpp", "celebdf2", "dfdc", "uadfv"}
    (dfdc,) = found["dfdc"].values()
    assert (dfdc["n_real"], dfdc["n_fake"], dfdc["coverage"]) == (1, 2, 0.6667)
    (ffpp,) = found["ffpp"].values()
    assert 0 <= ffpp["frame_auc"] <= 1
    assert ffpp["methods"]["Deepfakes"]["n_fake"] == ffpp["at"]["0.5"]["fake"]["support"] == 2
    with Path("runs/table/summary.csv").open(newline="") as file:
        assert [row["set"] for row in csv.DictReader(file)] == ["ffpp", "celebdf2", "dfdc", "uadfv"]
    assert all(Path(f"runs/table/summary.{end}").is_file() for end in ("md", "tex"))
    assert Path("runs/table/ffpp.png").is_file()

    report = json.loads(Path("report.json").read_text())
    (person,) = report["people"]
    assert [score["model"] for score in person["scores"]] == [MODEL]
    assert person["scores"][0]["status"] == "ok"
