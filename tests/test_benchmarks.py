"""Pages hold what was measured last, and what was measured holds what they promise."""

from __future__ import annotations

import json

from benchmarks import train_memory
from training.evaluation.marked import replaced


def test_the_page_holds_what_training_on_faceforensics_took_and_it_is_less_than_four_gib() -> None:
    result = json.loads(train_memory.RESULT.read_text(encoding="utf-8"))
    page = train_memory.PAGE.read_text(encoding="utf-8")
    assert page == replaced(page, train_memory.MARKS, train_memory.table(result))
    assert (result["videos"], result["faces"], result["workers"]) == (4320, 4320 * 32, 8)
    assert result["met"]
    assert all(peak["shared_once"] < 4 * 2**30 for peak in result["peaks"].values())
    assert all(peak["processes"] > 8 for peak in result["peaks"].values())  # with its loader processes
