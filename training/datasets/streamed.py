"""Labelled frames as a stream out of shards, mixed as well as a buffer and several open shards allow."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import Any

import numpy as np
import webdataset
from accelerate import PartialState
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from training.datasets.batches import loader
from training.datasets.clips import ClipReader, working_size
from training.datasets.published import Augment
from training.faces.stream import StreamedFace, faces_in

AT_ONCE = 8  # shards that a loader process reads in turns: neighbours in a shard are of one method
BUFFER = 2048  # faces that a loader process draws from; about 50 MB of JPEGs


class StreamedFrames(IterableDataset[dict[str, Tensor]]):
    """An endless stream of single frames {"x": (1,3,S,S), "mask": (1,), "y": ()}, as of `LabelledClips`.

    Each loader process of each training process reads shards of its own, in a new order each time around. What it gives
    depends on `seed`, on its number and on how many of them there are.

    Args:
        shards: paths or URLs.
        reader: cuts frames; its faces are not asked for.
        augment: as of `LabelledClips`.
        seed: of every draw.
        size: faces of a batch.
        start: batches of this training process that were used before; their faces are read and passed over.
        workers: loader processes; 0 reads in this one.

    Raises:
        SystemExit: there are fewer shards than processes that read.
    """

    def __init__(
        self,
        shards: Sequence[str],
        reader: ClipReader,
        *,
        augment: Augment,
        seed: int,
        size: int,
        start: int,
        workers: int,
    ) -> None:
        world = PartialState()
        self.workers, self.readers = workers, max(workers, 1)
        self.lanes, self.first_lane = world.num_processes * self.readers, world.process_index * self.readers
        if len(shards) < self.lanes:
            raise SystemExit(
                f"{len(shards)} shards are too few for {self.lanes} processes that read: lower --workers, or extract again "
                "with a lower --faces-per-shard."
            )
        self.shards, self.reader, self.augment = list(shards), reader, augment
        self.seed, self.size, self.start = seed, size, start

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        info = get_worker_info()
        # The loader takes batches in turns, the first of worker 0: that worker goes on where the unbroken run would be.
        turn = ((info.id if info else 0) + self.start) % self.readers
        used = len(range(turn, self.start, self.readers)) * self.size
        lane = self.first_lane + turn
        for number, face in enumerate(islice(self._faces(lane), used, None), used):
            rng = np.random.default_rng([self.seed, lane, number])
            frame = working_size(face.image(), face.box, face.landmarks)
            yield self.reader.labelled([frame], face.label, self.augment, rng)

    def _faces(self, lane: int) -> Iterator[StreamedFace]:
        mix = webdataset.shuffle(BUFFER, initial=BUFFER, rng=random.Random(f"{self.seed} {lane}"))  # noqa: S311
        return iter(mix(self._rounds(lane)))

    def _rounds(self, lane: int) -> Iterator[StreamedFace]:
        for epoch in count():
            order = np.random.default_rng([self.seed, epoch]).permutation(len(self.shards))
            mine = [faces_in([self.shards[n]], "train") for n in order[lane :: self.lanes]]
            yield from _in_turns(mine, AT_ONCE)


def _in_turns(streams: Sequence[Iterator[Any]], at_once: int) -> Iterator[Any]:
    """One of each of the first `at_once` streams in turns; one that ends makes room for the next."""
    waiting = iter(streams)
    open_ones = list(islice(waiting, at_once))
    while open_ones:
        still = []
        for stream in open_ones:
            for item in islice(stream, 1):
                yield item
                still.append(stream)
                break
            else:
                still += islice(waiting, 1)
        open_ones = still


def batches(data: StreamedFrames, stop: int) -> Iterator[dict[str, Tensor]]:
    """Batches from where the stream begins to `stop` (exclusive)."""
    loaded = loader(data, data.workers, batch_size=data.size)
    return islice(iter(loaded), max(stop - data.start, 0))
