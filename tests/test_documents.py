"""What strangers read: it is short, its links and files exist, and its figures and limits are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tbd_app
from tbd_app.models import registry
from tbd_app.settings import Limits

ROOT = Path(__file__).resolve().parent.parent
LOGS = sorted((ROOT / "docs" / "log").glob("*.md"))
READ = "README.md CHANGELOG.md docs/experiments.md docs/architecture.md docs/points.md docs/scale.md training/README.md"
PAGES = [*(ROOT / name for name in READ.split()), *LOGS, *sorted((ROOT / "weights").glob("*.md"))]
# Words that had several meanings; docs/architecture.md, 5, has those that are used.
WORN = re.compile(r"\b(told|drawn|redrawn|one-off looks?)\b", re.IGNORECASE)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_the_limits_in_the_readme_are_those_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Limits.__dataclass_fields__:
        monkeypatch.delenv(f"TBD_{name.upper()}", raising=False)
    limits = Limits()
    said = (
        f"Inputs: {limits.max_file_mb:g} MB, {limits.max_duration_s / 60:g} minutes, "
        f"{limits.max_frame_mpx:g} megapixels a video frame, {limits.max_image_mpx:g} megapixels an image, "
        f"{limits.max_zip_frames:,} frames a zip."
    )
    words = " ".join(text_of(ROOT / "README.md").split())
    assert said in words
    assert "more than 1920 × 1080 px are judged at that size" in words
    assert limits.frame_mpx * 1e6 == 1920 * 1080


def test_the_readme_is_short_and_has_one_table_of_figures() -> None:
    text = text_of(ROOT / "README.md")
    assert len(text.splitlines()) <= 140
    block = text.split("figures: begin")[1].split("figures: end")[0]
    assert 1 <= sum(line.startswith("| ") for line in block.splitlines()) - 1 <= 6
    assert len(re.findall(r"\d\.\d\d \(\d\.\d\d–", text)) == len(re.findall(r"\d\.\d\d \(\d\.\d\d–", block))


def test_files_that_the_readme_runs_exist() -> None:
    code = "\n".join(re.findall(r"```\w*\n(.*?)```", text_of(ROOT / "README.md"), re.DOTALL))
    named = set(re.findall(r"\b(?:examples|script|training)(?:/[\w.]+)*", code))
    assert {"script/run", "examples/no_face.mp4", "training/evaluate.py"} <= named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_each_point_that_works_names_a_test_that_exists() -> None:
    rows = [
        line.split("|")[1:-1]
        for line in text_of(ROOT / "docs" / "points.md").splitlines()
        if re.match(r"\| \d", line)
    ]
    assert [int(row[0]) for row in rows] == list(range(1, 51))
    tests = "\n".join(text_of(path) for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"def (test_\w+)", tests))
    for number, point, state, shown in rows:
        assert state.strip().split()[0].strip(":,") in {"whole", "part", "no"}, number
        named = set(re.findall(r"`(test_\w+)`", shown))
        assert named <= there, (number, named - there)
        assert named or state.strip().startswith("no"), (number, point)


def test_experiments_fit_on_a_page_and_link_every_log() -> None:
    text = text_of(ROOT / "docs" / "experiments.md")
    assert len(text.splitlines()) <= 80
    assert set(re.findall(r"\(log/([^)]+)\)", text)) == {path.name for path in LOGS}


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_a_log_begins_with_verdict_date_commit_and_command(path: Path) -> None:
    title, empty, *rest = text_of(path).splitlines()
    assert re.match(r"# \S", title)
    assert empty == ""
    fields = dict(line.removeprefix("- ").split(": ", 1) for line in rest[:4])
    assert list(fields) == ["Verdict", "Date", "Commit", "Command"]
    assert all(fields.values())
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", fields["Date"])
    assert path.name.startswith(f"{fields['Date']}-")
    assert re.fullmatch(r"[0-9a-f]{7,40}", fields["Commit"])
    assert re.search(r"`python \S+.*`|no kept script", fields["Command"])


@pytest.mark.parametrize("path", [*PAGES, ROOT / "docs" / "systems.md"], ids=lambda p: p.name)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", text_of(path))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_words_with_several_meanings_are_not_used(path: Path) -> None:
    assert WORN.findall(text_of(path).replace("drawn_face", "")) == []


def test_the_code_that_adds_weights_gives_a_model_that_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = text_of(ROOT / "weights" / "README.md").split("```python\n")[1].split("```")[0]
    name = re.findall(r'name = Path\("my_weights"\), "(\w+)"', code)[0]
    (tmp_path / "my_weights").mkdir()
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "weights/README.md", "exec"), {"model": registry.create_model(name)})  # noqa: S102
    monkeypatch.setenv("TBD_WEIGHTS_DIR", str(tmp_path / "my_weights"))
    assert registry.load(name).training is False
    assert registry.spec(name).default_voter
    assert registry.spec(name).calibration.threshold == 0.62


def test_the_newest_section_of_the_changelog_is_this_version() -> None:
    sections = re.findall(r"^## (.+)$", text_of(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert next(name for name in sections if name != "Unreleased") == tbd_app.__version__
