"""A stream of labelled frames: every face once a round, no face twice, and a resumed stream goes on where it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from training.datasets import streamed
from training.datasets.streamed import StreamedFrames, batches
from training.faces.stream import StreamedFace

SHARDS = [str(n) for n in range(6)]
EACH = 5  # faces of a shard


class Reader:
    """Gives the number that a face holds, and a draw."""

    def labelled(self, frames: Sequence[Any], label: int, _: str, rng: np.random.Generator) -> dict[str, Any]:
        ((_, box, _),) = frames
        return {"face": torch.tensor(int(box[0])), "y": torch.tensor(label), "drawn": float(rng.random())}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    def faces_in(shards: Sequence[str], split: str) -> Iterator[StreamedFace]:
        assert split == "train"
        for shard in shards:
            for k in range(EACH):
                number = np.full(4, EACH * int(shard) + k)
                yield StreamedFace(b"", number, np.zeros((5, 2)), k % 2)

    monkeypatch.setattr(StreamedFace, "image", lambda self: np.zeros((4, 4, 3), np.uint8))
    monkeypatch.setattr(streamed, "faces_in", faces_in)
    monkeypatch.setattr(streamed, "AT_ONCE", 3)
    monkeypatch.setattr(streamed, "BUFFER", 4)


def stream(start: int = 0, *, size: int = 2, workers: int = 0, seed: int = 1) -> StreamedFrames:
    return StreamedFrames(
        SHARDS,
        Reader(),
        augment="none",
        seed=seed,
        size=size,
        start=start,
        workers=workers,  # pyright: ignore[reportArgumentType]
    )


def taken(data: StreamedFrames, n: int) -> list[tuple[int, int, float]]:
    return [(int(e["face"]), int(e["y"]), float(e["drawn"])) for e in islice(data, n)]


def test_each_round_gives_every_face_once_in_a_new_order() -> None:
    whole = len(SHARDS) * EACH
    found = [face for face, *_ in taken(stream(), 3 * whole)]
    # A buffer holds a few faces back, so a round ends a little later.
    assert min(Counter(found).values()) >= 2
    assert max(Counter(found).values()) <= 4
    assert found[:whole] != found[whole : 2 * whole]
    assert len({face // EACH for face in found[:6]}) > 1  # of several shards
    assert all(label == face % EACH % 2 for face, label, _ in taken(stream(), whole))
    assert taken(stream(seed=2), whole) != taken(stream(), whole)


def test_a_resumed_stream_goes_on_where_it_was() -> None:
    def listed(start: int, stop: int) -> list[list[int]]:
        return [batch["face"].tolist() for batch in batches(stream(start), stop)]

    assert listed(3, 8) == listed(0, 8)[3:]
    assert len(listed(0, 8)) == 8
    assert taken(stream(3), 10) == taken(stream(), 16)[6:]
    assert listed(8, 8) == []


def of_worker(
    monkeypatch: pytest.MonkeyPatch, worker: int, start: int, n: int
) -> list[tuple[int, int, float]]:
    with monkeypatch.context() as patch:
        patch.setattr(streamed, "get_worker_info", lambda: SimpleNamespace(id=worker))
        return taken(stream(start, workers=2), n)


def test_loader_processes_read_shards_of_their_own_and_resume_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = (of_worker(monkeypatch, worker, 0, 20) for worker in (0, 1))
    begun = [{face // EACH for face, *_ in part[:8]} for part in (first, second)]
    assert not begun[0] & begun[1]
    # After three batches of two, the next is the second worker's second, and comes from the loader's first.
    assert of_worker(monkeypatch, 0, 3, 6) == second[2:8]
    assert of_worker(monkeypatch, 1, 3, 6) == first[4:10]


def test_training_processes_read_shards_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for index in range(2):
        world = SimpleNamespace(num_processes=2, process_index=index)
        monkeypatch.setattr(streamed, "PartialState", lambda world=world: world)
        found.append({face // EACH for face, *_ in taken(stream(), 11)})
    assert not found[0] & found[1]


def test_more_processes_than_shards_are_refused() -> None:
    with pytest.raises(SystemExit, match="6 shards are too few for 7 processes"):
        stream(workers=7)
