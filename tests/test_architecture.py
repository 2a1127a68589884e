"""The map of the house, kept true; who may import whom is in pyproject.toml, for import-linter."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MADE_HERE = {"__pycache__", "runs", "tmp", "build", "dist", "reports", "test-artifacts", "node_modules"}
TEXT = {".py", ".md", ".toml", ".txt", ".json", ".html", ".css", ".js", ".yml", ".yaml", ".sh", ""}
MAP = ROOT / "docs" / "architecture.md"
MAX_LINES = 300


def files(*suffixes: str) -> Iterator[Path]:
    """The project's own files, without what tools leave behind."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part not in (".ci", ".github") for part in parts[:-1])
        made = MADE_HERE.intersection(parts) or any(part.endswith(".egg-info") for part in parts)
        if path.is_file() and not hidden and not made and path.suffix in suffixes:
            yield path


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def fresh_python(code: str) -> str:
    """What a new interpreter prints, run in the project's folder."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("module", ["tbd_app", "tbd_app.cli", "tbd_app.web.page", "tbd_app.report.html"])
def test_views_start_without_torch(module) -> None:
    loaded = fresh_python(
        f"import sys, {module}; print(sorted({{'torch', 'timm', 'cv2'}} & set(sys.modules)))"
    )
    assert loaded == "[]"


def test_asking_about_models_loads_no_torch() -> None:
    code = "import sys; from tbd_app.catalogue import listing; listing(); print('torch' in sys.modules)"
    assert fresh_python(code) == "False"


def test_the_decoding_process_loads_no_torch() -> None:
    code = "import sys, tbd_app.media.sample, tbd_app.report.annotate; print('torch' in sys.modules)"
    assert fresh_python(code) == "False"


def test_who_explains_nothing_pays_for_no_library_of_maps() -> None:
    code = "import sys, tbd_app.pipeline.analyze; print('pytorch_grad_cam' in sys.modules)"
    assert fresh_python(code) == "False"


@pytest.mark.parametrize("path", list(files(".py")), ids=name)
def test_no_file_outgrows_its_room(path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def modules() -> set[str]:
    """The paths of all modules of the app and of training, without those that only make a folder a package."""
    made_of = ("tbd_app", "training")
    return {name(p) for p in files(".py") if name(p).split("/")[0] in made_of and not p.name.startswith("__")}


def rooms() -> dict[str, str]:
    """What the map says of each room, by its path; text that is set in belongs to the room above."""
    block = re.search(r"## 2\. Rooms\n+```\n(.*?)```", MAP.read_text(encoding="utf-8"), re.S)
    assert block, "the map has no rooms"
    texts: dict[str, str] = {}
    room = ""
    for line in block[1].splitlines():
        if not line.startswith(" "):
            path = line.split()[0]
            room = path if path.endswith("/") else f"{path.rpartition('/')[0]}/"
            line = line.removeprefix(path if path.endswith("/") else room)
        texts[room] = f"{texts.get(room, '')} {line}"
    return texts


def test_the_map_names_every_module_in_its_room_and_nothing_else() -> None:
    named = [f"{room}{file}" for room, text in rooms().items() for file in re.findall(r"[\w/]+\.py\b", text)]
    named = [path for path in named if path.startswith(("tbd_app/", "training/"))]
    assert sorted(named) == sorted(modules())


def test_no_room_of_training_outgrows_the_others() -> None:
    sizes: dict[str, int] = {}
    for path in files(".py"):
        parts = name(path).split("/")
        if parts[0] == "training":
            room = parts[1] if len(parts) > 2 else "commands"
            sizes[room] = sizes.get(room, 0) + len(path.read_text(encoding="utf-8").splitlines())
    whole = sum(sizes.values())
    large = {room: size for room, size in sizes.items() if room != "commands" and size > 0.15 * whole}
    assert large == {}  # about a seventh


def test_the_picture_of_imports_is_of_these_imports() -> None:
    shown = subprocess.run(
        [sys.executable, "script/imports.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert (ROOT / "docs" / "imports.md").read_text(encoding="utf-8") == shown


def test_every_file_that_the_map_mentions_exists() -> None:
    there = {name(p) for p in files(".py")}
    mentioned = set(re.findall(r"(?<![\w/*])[\w/]+\.py\b", MAP.read_text(encoding="utf-8")))
    assert [m for m in sorted(mentioned) if not any(f"/{path}".endswith(f"/{m}") for path in there)] == []


def test_nothing_is_unpickled_in_the_app() -> None:
    unsafe = re.compile(
        r"\bimport (pickle|joblib|dill|shelve)\b|\bfrom (pickle|joblib) |torch\.load\(|allow_pickle=True"
    )
    assert [
        name(p) for p in files(".py") if p.is_relative_to(ROOT / "tbd_app") and unsafe.search(p.read_text())
    ] == []


def test_no_asserts_guard_the_app() -> None:
    # `python -O` drops them.
    code = (p for p in files(".py") if p.is_relative_to(ROOT / "tbd_app"))
    assert [name(p) for p in code if re.search(r"^\s*assert\b", p.read_text(), re.M)] == []


def test_no_path_of_one_machine_is_written_down() -> None:
    # Taken apart, so that this file passes its own test.
    homes = re.compile(
        r"(?<![\w.~}*])/(?:" + "|".join(["work", "Users", "root", "home/[a-z]"]) + r")/|[A-Z]:\\\\Users"
    )
    found = []
    for path in files(*TEXT):
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if homes.search(line):
                found.append(f"{name(path)}:{number}: {line.strip()[:80]}")
    assert found == []
