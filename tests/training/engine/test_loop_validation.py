"""What goes wrong while a run is validated costs no training."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from tests.training.engine.test_loop import CONFIG, assert_same, logged, run, state_of


def test_a_validation_that_fails_costs_no_training(tmp_path: Path) -> None:
    """Its state lies on disk before, and the run that goes on takes the missing figures first."""
    run(tmp_path / "whole")

    def broken(_: nn.Module) -> dict[str, float]:
        raise SystemExit("no such media")

    with pytest.raises(SystemExit, match="no such media"):
        run(tmp_path / "killed", figures=broken)
    assert state_of(tmp_path / "killed")["progress"]["step"] == CONFIG.validate_every
    run(tmp_path / "killed", resume=True)
    assert logged(tmp_path / "killed") == logged(tmp_path / "whole")
    assert_same(state_of(tmp_path / "killed"), state_of(tmp_path / "whole"))
