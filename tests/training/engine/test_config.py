"""Configs: presets over defaults, flags over presets, and errors that name what was meant."""

from __future__ import annotations

import importlib
import runpy
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from training import train_image, train_video
from training.engine import config as config_room
from training.engine.config import PRESETS, LoopConfig, RunConfig, command, load_preset, parse

SCRIPTS = sorted(path.stem for path in PRESETS.parent.glob("train_*.py"))


@dataclass(frozen=True)
class Config(RunConfig):
    """Attributes:
    sizes: some sizes.
    start: a file.
    fancy: on or off.
    loop: numbers.
    """

    sizes: tuple[int, ...] = (1, 2)
    start: Path | None = None
    fancy: bool = True
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(lr=1.0))


@dataclass(frozen=True)
class Batched(Config):
    """Attributes:
    batch: so many.
    """

    batch: int = 2


@pytest.fixture
def presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the presets of the script "try"."""
    monkeypatch.setattr(config_room, "PRESETS", tmp_path)
    (tmp_path / "try").mkdir()
    return tmp_path / "try"


def test_flags_override_the_preset_which_overrides_the_defaults(presets) -> None:
    (presets / "big.toml").write_text(
        'sizes = [3, 4, 5]\nstart = "a.safetensors"\nfancy = false\nseed = 7\n[loop]\nsteps = 9\nunit = "epoch"\n'
    )
    plain = parse(Config, "try", None, [])
    assert plain == Config()
    big = parse(Config, "try", None, ["--preset", "big", "--loop.steps", "11", "--sizes", "8"])
    assert (big.sizes, big.start, big.fancy, big.seed) == ((8,), Path("a.safetensors"), False, 7)
    assert (big.loop.steps, big.loop.unit, big.loop.lr) == (11, "epoch", 1.0)
    assert big.preset == "big"
    assert load_preset(Config, "try", "big").sizes == (3, 4, 5)


def test_presets_compose_and_a_batch_may_come_in_pieces(presets) -> None:
    (presets / "big.toml").write_text("sizes = [3]\nbatch = 12\n[loop]\nlr = 2.0\n")
    (presets / "small.toml").write_text("at_once = 5\n")
    both = parse(Batched, "try", None, ["--preset", "big", "--preset", "small", "--seed", "3"])
    assert (both.sizes, both.batch, both.loop.accumulate, both.loop.lr) == ((3,), 4, 3, 2.0)
    assert (both.preset, both.seed) == ("big+small", 3)


def test_toy_is_a_preset(presets) -> None:
    (presets / "toy.toml").write_text('data = "toy"\n')
    assert parse(Config, "try", None, ["--toy"]) == parse(Config, "try", None, ["--preset", "toy"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sise = [1]", r"bad.toml has an unknown key sise; did you mean sizes"),
        ("[loop]\nstepz = 3", r"unknown key loop.stepz; did you mean .*steps"),
        ("[loop]\nxyzzy = 3", r"unknown key loop.xyzzy; there are accumulate, .*weight_decay\."),
    ],
)
def test_an_unknown_key_is_an_error_with_near_matches(presets, text, said) -> None:
    (presets / "bad.toml").write_text(text)
    with pytest.raises(SystemExit, match=said):
        load_preset(Config, "try", "bad")


def test_a_value_of_the_wrong_kind_is_an_error(presets, capsys) -> None:
    (presets / "bad.toml").write_text('seed = "many"')
    with pytest.raises(SystemExit):
        load_preset(Config, "try", "bad")
    assert "many" in capsys.readouterr().err


def test_an_unknown_preset_names_those_there_are() -> None:
    with pytest.raises(SystemExit, match=r"no preset 'papr'; did you mean paper\?"):
        parse(train_video.Config, train_video.SCRIPT, None, ["--preset", "papr"])


def test_what_a_user_can_cause_ends_in_one_sentence(monkeypatch, tmp_path) -> None:
    init = tmp_path / "nowhere.safetensors"
    monkeypatch.setattr("sys.argv", ["x", "--toy", "--init", str(init), "--out", str(tmp_path / "run")])
    with pytest.raises(SystemExit, match=r"There are no weights at .*nowhere\.safetensors\."):
        command(train_video.main, train_video.Config, train_video.SCRIPT, None)


@pytest.mark.parametrize("script", ["evaluate", "evaluate_robustness"])
def test_a_model_that_there_is_not_is_named_without_a_trace(script, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("sys.argv", [script, "--data", str(tmp_path), "--models", "xcepton"])
    with pytest.raises(SystemExit, match=r"xcepton.*xception"):
        runpy.run_path(str(PRESETS.parent / f"{script}.py"), run_name="__main__")


def test_an_unknown_flag_is_an_error(capsys) -> None:
    with pytest.raises(SystemExit):
        parse(train_video.Config, train_video.SCRIPT, None, ["--clip-length", "3"])
    assert "--clip-len" in capsys.readouterr().err


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_preset_of_a_script_loads_and_toy_is_one_of_them(script) -> None:
    made = importlib.import_module(f"training.{script}").Config
    names = {path.stem for path in (PRESETS / script).glob("*.toml")}
    assert "toy" in names
    for name in names:
        assert load_preset(made, script, name).preset == name


def test_the_paper_presets_are_the_report() -> None:
    image = load_preset(train_image.Config, "train_image", "paper")
    assert (image.model, image.batch, image.n_train, image.n_val, image.robust) == (
        "effnet_b0_image", 64, 30000, 5000, False
    )  # fmt: skip
    loop = image.loop.in_steps(937)
    assert (loop.steps, loop.optimizer, loop.lr, loop.schedule, loop.weight_decay) == (
        9370, "adam", 1e-3, "constant", 0.0
    )  # fmt: skip
    video = load_preset(train_video.Config, "train_video", "paper")
    assert (video.batch, video.clip_len, video.frames_at, video.pairs) == (8, 10, "spread", False)
    loop = video.loop
    assert (loop.unit, loop.steps, loop.patience, loop.optimizer, loop.lr) == ("epoch", 20, 5, "adamw", 1e-4)
    assert (loop.schedule, loop.decay_every, loop.decay_factor) == ("step", 5, 0.5)
