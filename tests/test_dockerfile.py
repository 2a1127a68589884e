"""The steps of the Dockerfile, run by a plain shell in folders that stand for the images, because engines are rare.

Its paths lead into these folders; `pip` and `useradd` only write down what they are asked for.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tbd_app.web import edge
from tests.test_packaging import plain

ROOT = Path(__file__).resolve().parent.parent
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
SHIMS = {
    "python": '"{python}" "$@" --without-pip && cp "{shims}/pip" "$3/bin/pip"',
    "pip": 'echo "pip $*" >>"{log}"\nwhile [ $# -gt 0 ]; do [ "$1" != -r ] || cp "$2" "{shims}/seen-$2"; shift; done',
    "useradd": 'echo "useradd $*" >>"{log}"',
}
CUDA = re.compile(r"torch|torchvision|triton|(nvidia|cuda)-.*")


@dataclass
class Image:
    """A stage: its folder, and what its instructions set."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "root"
    words: dict[str, str] = field(default_factory=dict)  # of HEALTHCHECK, CMD, EXPOSE


def instructions() -> list[tuple[str, str]]:
    """Names and arguments, with continued lines joined."""
    lines = [line for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines() if line]
    text = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in text.splitlines())]


def entries(lock: str) -> dict[str, str]:
    """What a lock says of each package."""
    found = re.findall(r"^([\w.-]+)==(.*(?:\n .*)*)", lock, re.MULTILINE)
    return {plain(name): rest for name, rest in found}


def copied(source: Path, target: Path) -> None:
    """What .dockerignore lets through of the project, as links."""
    let = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name in let:
        if (source / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source / name, target / name, copy_function=os.symlink, ignore=ignore)
        elif not (target / name).exists():
            os.symlink(source / name, target / name)


def built(folder: Path, arguments: dict[str, str]) -> tuple[Image, list[str]]:
    """The last stage, and what `pip` and `useradd` were asked for."""
    log, shims = folder / "log", folder / "shims"
    shims.mkdir()
    for name, body in SHIMS.items():
        script = f"#!/bin/sh\nset -e\n{body.format(log=log, shims=shims, python=sys.executable)}\n"
        (shims / name).write_text(script)
        (shims / name).chmod(0o755)
    stages: dict[str, Image] = {}
    for name, rest in instructions():
        if name == "FROM":
            image = Image(folder / str(len(stages)))
            stages[rest.partition(" AS ")[2]] = image
            image.root.mkdir()
            image.env["PATH"] = f"{shims}:{os.environ['PATH']}"
        elif name == "ARG":
            key, _, default = rest.partition("=")
            image.env[key] = arguments.get(key, default)
        elif name == "ENV":
            for pair in shlex.split(rest):
                key, _, value = pair.partition("=")
                image.env[key] = _placed(value, image).replace("$PATH", image.env["PATH"])
        elif name == "WORKDIR":
            image.folder = rest
            Path(_placed(rest, image)).mkdir(parents=True, exist_ok=True)
        elif name == "RUN":
            where = _placed(image.folder, image)
            subprocess.run(["sh", "-euc", _placed(rest, image)], cwd=where, env=image.env, check=True)
        elif name == "COPY" and rest.startswith("--from="):
            stage, source, target = rest.removeprefix("--from=").split()
            shutil.copytree(stages[stage].root / source[1:], image.root / target[1:], symlinks=True)
        elif name == "COPY" and rest == ". .":
            copied(ROOT, Path(_placed(image.folder, image)))
        elif name == "COPY":
            shutil.copy(ROOT / rest.split()[0], _placed(image.folder, image))
        elif name == "USER":
            image.user = rest
        else:
            image.words[name] = rest
    return image, log.read_text().splitlines()


def _placed(text: str, image: Image) -> str:
    return re.sub(r"(?<![\w/.])/(opt/venv|app)\b", rf"{image.root}/\1", text)


@pytest.fixture(scope="module")
def default(tmp_path_factory) -> tuple[Image, list[str]]:
    return built(tmp_path_factory.mktemp("images"), {})


def test_the_wheels_of_the_lock_are_installed_with_their_hashes(default):
    image, asked = default
    assert asked == [
        "pip install --no-deps --require-hashes -r requirements.lock",
        "pip install --no-deps --no-build-isolation --editable .",
        "useradd --uid 1000 --create-home tbd",
    ]
    assert all("--hash=sha256:" in rest for rest in entries(LOCK).values())
    assert "setuptools" in entries(LOCK)  # which builds the project without isolation
    assert (image.root / "opt/venv/bin/python").exists()


def test_another_index_gives_torch_alone_and_nothing_of_cuda_is_installed(tmp_path):
    _, asked = built(tmp_path, {"TORCH_INDEX": "https://example.invalid/cpu"})
    versions = {n: rest.split()[0] for n, rest in entries(LOCK).items() if n in ("torch", "torchvision")}
    wanted = " ".join(f"{name}=={version}" for name, version in versions.items())
    assert asked[:2] == [
        f"pip install --index-url https://example.invalid/cpu {wanted}",
        "pip install --no-deps --require-hashes -r rest.lock",
    ]
    rest = entries((tmp_path / "shims/seen-rest.lock").read_text())
    assert rest == {n: said for n, said in entries(LOCK).items() if not CUDA.fullmatch(n)}
    assert len(entries(LOCK)) - len(rest) > 10


def test_the_image_holds_what_is_served_and_serves_it_without_rights(default):
    image, _ = default
    app = image.root / "app"
    manifest = json.loads((app / "weights/manifest.json").read_text())
    assert [m["file"] for m in manifest["models"] if not (app / "weights" / m["file"]).exists()] == []
    assert not {"tests", "training", "benchmarks", ".git", ".venv"} & {path.name for path in app.iterdir()}
    assert image.user == "tbd"
    assert (image.folder, json.loads(image.words["CMD"])) == ("/app", ["python", "app.py"])
    assert (app / "app.py").exists()
    written = [image.env[name] for name in ("GRADIO_TEMP_DIR", "HF_HOME", "MPLCONFIGDIR")]
    assert all(path.startswith("/tmp/") for path in written)  # noqa: S108 - the rest may be read-only


@pytest.mark.parametrize("answers", [True, False])
def test_the_health_check_asks_the_page(default, answers):
    image, _ = default
    command = json.loads(image.words["HEALTHCHECK"].partition("CMD")[2])
    port = image.env["GRADIO_SERVER_PORT"]
    assert f"http://127.0.0.1:{port}{edge.HEALTH}" in command[2]
    assert image.words["EXPOSE"] == port
    stand_in = (
        f"import urllib.request as r\ndef f(url, timeout):\n if not {answers}: raise OSError\nr.urlopen = f\n"
    )
    done = subprocess.run([sys.executable, "-c", stand_in + command[2]], capture_output=True)
    assert (done.returncode == 0) == answers
