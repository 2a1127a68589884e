"""What is imported is declared, the requirements files name the extras, and the installed packages are this folder's."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
OURS = {
    "tbd_app",
    "training",
    "tests",
    "benchmarks",
    "drawn_face",
}  # the last lies beside the script that uses it
# The one user of each asks for it by name where it is missing.
OPTIONAL = {"atheris", "c2pa", "face_alignment", "onnx", "ray"}


def plain(name: str) -> str:
    """A distribution's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(lines: list[str]) -> set[str]:
    """Names of distributions in requirements, with those of the extras of this project that they name."""
    names: set[str] = set()
    for line in lines:
        name, extra = re.match(r"([\w.-]+)(?:\[(\w+)])?", line).groups()
        names |= declared(EXTRAS[extra]) if name == PROJECT["name"] else {plain(name)}
    return names


BASE = declared((ROOT / "requirements.txt").read_text(encoding="utf-8").split())


def imported(folder: Path) -> dict[str, str]:
    """Other people's packages that the files of a folder import, anywhere in them, each with one of these files."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            found |= {name.split(".")[0]: path.name for name in names}
    return {k: v for k, v in found.items() if k not in OURS | OPTIONAL and k not in sys.stdlib_module_names}


@pytest.mark.parametrize(
    ("folder", "extra"),
    [("tbd_app", None), ("training", "train"), ("benchmarks", "dev"), ("examples", "dev"), ("tests", "dev")],
)
def test_every_import_is_declared(folder: str, extra: str | None) -> None:
    allowed = BASE | (declared(EXTRAS[extra]) if extra else set())
    owners = packages_distributions()
    missing = {
        module: where
        for module, where in imported(ROOT / folder).items()
        if not allowed & {plain(d) for d in owners.get(module, [module])}
    }
    assert missing == {}


def test_the_requirements_of_the_app_are_a_plain_list() -> None:
    """Hugging Face Spaces installs them before the project's files are there."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").split()
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+[=<>!~][^\s;]+", line)] == []
    assert PROJECT["dynamic"] == ["version", "dependencies"]


def test_the_lock_has_every_package_of_the_app_within_its_bounds() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = {plain(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)}
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        wanted = Requirement(line)
        assert plain(wanted.name) in locked, f"{wanted.name}: run script/lock"
        assert wanted.specifier.contains(locked[plain(wanted.name)]), f"{wanted}: run script/lock"


@pytest.mark.parametrize("path", sorted(ROOT.glob("requirements-*.txt")), ids=lambda p: p.stem)
def test_a_requirements_file_names_its_extra(path: Path) -> None:
    extra = path.stem.removeprefix("requirements-")
    assert extra in EXTRAS
    assert path.read_text(encoding="utf-8") == f"-e .[{extra}]\n"


def test_the_installed_packages_are_those_of_this_folder(tmp_path: Path) -> None:
    code = "import tbd_app, training; print(tbd_app.__file__, training.__file__, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert [Path(line).parent.parent for line in done.stdout.split()] == [ROOT, ROOT]
