"""Cut the faces out of data sets, once, with the code that serves.

    python training/extract_faces.py --data ffpp=/data/FaceForensics++ --list       # what is there, nothing is written
    python training/extract_faces.py --data ffpp=/data/FaceForensics++ --compression c23 --out faces/ffpp --workers 8
    python training/extract_faces.py --data folder=my_clips --random-split 70/15/15 --out faces/mine
    python training/extract_faces.py --layout celebdf2                              # which files a data set must have

Each --data is BUILDER=FOLDER; builders are ffpp, dfd, celebdf1, celebdf2, dfdc, dfdcp, uadfv, wilddeepfake, df40, ffiw,
faces140k, folder (your own real/ and fake/) and shared (an index.csv). Official splits are used where they exist, and a
split is never invented without being asked for. A run that was stopped or killed goes on when the same command is given
again. The result is one index.parquet with a row per face, JPEGs in tar shards or folders, and failures.csv with the media
that gave no face, and why.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import multiprocessing
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import tyro
from tqdm import tqdm

from training.collect import splits
from training.collect.builders import build, layout
from training.collect.cut import CutMedium, CutSettings, cut, start_worker
from training.collect.medium import Medium
from training.collect.store import FaceWriter, Kind

AHEAD = 4  # media a worker may be ahead of the writer, which keeps their order
SHOWN_FAILURES = 10


@dataclass(frozen=True)
class Config:
    """What to cut, and where to.

    Attributes:
        data: BUILDER=FOLDER, one or more.
        out: folder for the result; one that an earlier run left is gone on with.
        store: tar shards (few large files, readable by webdataset) or a folder of JPEGs per medium.
        compression: only these, such as c23; empty for all.
        methods: only fakes of these methods, such as Deepfakes; real media are always kept; empty for all.
        splits: only train, val or test; empty for all.
        random_split: shares of train, val and test, such as 70/15/15, for media without a split of their own; no person
            is in two of them.
        resplit: data sets, such as dfd, whose official split is given up for --random-split.
        val_percent: take so much of train for val, for sets without a val of their own; no person is in both.
        drop_mixed: divide the people instead of groups of media that hang together, and leave out media that mix them.
        seed: of the splits.
        limit: only so many real and so many fake media of each data set, spread over its list; 0 for all.
        workers: processes; 0 works in this one.
        faces_per_shard: a shard is closed when it has so many; so much work a kill can cost.
        list: say what is there and stop.
        layout: say which files this builder expects and stop.
        cut: how faces are found and stored.
    """

    data: tuple[str, ...] = ()
    out: Path = Path("faces")
    store: Kind = "shards"
    compression: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    random_split: str = ""
    resplit: tuple[str, ...] = ()
    val_percent: float = 0.0
    drop_mixed: bool = False
    seed: int = 1
    limit: int = 0
    workers: int = 2
    faces_per_shard: int = 1024
    list: bool = False
    layout: str = ""
    cut: CutSettings = field(default_factory=CutSettings)


def main(config: Config) -> None:
    """List the media, then cut what an earlier run has not."""
    if config.layout:
        print(layout(config.layout))
        return
    media = chosen(config)
    print(overview(media))
    if config.list:
        return
    config.out.mkdir(parents=True, exist_ok=True)
    _keep_settings(config)
    _write_split(media, config.out / "split.csv")
    try:
        with FaceWriter(config.out, config.store, config.faces_per_shard) as writer:
            _cut_missing(media, writer, config)
    except KeyboardInterrupt:
        raise SystemExit("Stopped; the same command goes on from the last finished shard.") from None
    except BrokenProcessPool:
        raise SystemExit(
            "A worker process died, perhaps for lack of memory. The same command goes on; try fewer --workers."
        ) from None
    print(_summary(config.out, writer))


def _cut_missing(media: Sequence[Medium], writer: FaceWriter, config: Config) -> None:
    todo = [m for m in media if (m.dataset, m.file) not in writer.done]
    with tqdm(total=len(media), initial=len(media) - len(todo), desc="faces", unit="file") as bar:
        for medium, result in zip(todo, cut_all(todo, config.cut, config.workers), strict=True):
            writer.add(medium, result)
            bar.set_postfix(without=len(writer.failures), refresh=False)
            bar.update()


def chosen(config: Config) -> list[Medium]:
    """Media of all data sets with their splits, as the options ask.

    Raises:
        SystemExit: an option or a data set is not what it should be.
    """
    if not config.data:
        raise SystemExit("Name at least one data set: --data BUILDER=FOLDER (see --help).")
    media: list[Medium] = []
    for given in config.data:
        name, equals, folder = given.partition("=")
        if not equals:
            raise SystemExit(f"--data {given!r} must be BUILDER=FOLDER, such as ffpp=/data/FaceForensics++.")
        media += build(name, Path(folder))
    _refuse_doubles(media)
    media = _split(media, config)
    asked = {"compression": config.compression, "method": config.methods, "split": config.splits}
    for what, names in asked.items():
        unknown = set(names) - {getattr(m, what) for m in media}
        if unknown:
            known = sorted({getattr(m, what) for m in media} - {""})
            raise SystemExit(f"There is no {what} {min(unknown)!r} in the data; there are {known}.")
    media = [
        m
        for m in media
        if (not config.compression or m.compression in config.compression)
        and (not config.methods or not m.label or m.method in config.methods)
        and (not config.splits or m.split in config.splits)
    ]
    return _limited(media, config.limit) if config.limit else media


def _refuse_doubles(media: Sequence[Medium]) -> None:
    counts = Counter((m.dataset, m.file) for m in media)
    (dataset, file), count = counts.most_common(1)[0] if counts else (("", ""), 0)
    if count > 1:
        raise SystemExit(
            f"{dataset} has {file} twice: give two folders of one builder an --out of their own."
        )


def _split(media: Sequence[Medium], config: Config) -> list[Medium]:
    """Media with the splits that the options ask for."""
    if unknown := set(config.resplit) - {m.dataset for m in media}:
        raise SystemExit(f"--resplit {min(unknown)} is none of the data sets that --data names.")
    given = [m for m in media if m.split and m.dataset not in config.resplit]
    undecided = [m for m in media if not m.split or m.dataset in config.resplit]
    if undecided and not config.random_split:
        names = ", ".join(sorted({m.dataset for m in undecided}))
        raise SystemExit(f"{names} has no split of its own: give --random-split 70/15/15.")
    if undecided:
        shares = splits.parse_shares(config.random_split)
        given += splits.divide(undecided, shares, config.seed, drop_mixed=config.drop_mixed)
    return _with_val(given, config) if config.val_percent else given


def _with_val(media: Sequence[Medium], config: Config) -> list[Medium]:
    """A val made from train, for every data set that has none."""
    if not 0 < config.val_percent < 100:
        raise SystemExit(f"--val-percent must be between 0 and 100, not {config.val_percent:g}.")
    share = config.val_percent / 100
    have = {m.dataset for m in media if m.split == "val"}
    out = [m for m in media if m.split != "train" or m.dataset in have]
    train = [m for m in media if m.split == "train" and m.dataset not in have]
    if not train:
        raise SystemExit("--val-percent finds no data set with train and without val.")
    shares = {"train": 1 - share, "val": share}
    return out + splits.divide(train, shares, config.seed, drop_mixed=config.drop_mixed)


def _limited(media: Sequence[Medium], limit: int) -> list[Medium]:
    """`limit` media of each data set and label, evenly over the list."""
    groups: dict[tuple[str, int], list[int]] = {}
    for row, medium in enumerate(media):
        groups.setdefault((medium.dataset, medium.label), []).append(row)
    rows = [g[i * len(g) // min(limit, len(g))] for g in groups.values() for i in range(min(limit, len(g)))]
    return [media[row] for row in sorted(rows)]


def cut_all(media: Sequence[Medium], settings: CutSettings, workers: int) -> Iterator[CutMedium]:
    """Results in the order of the media, made by so many processes."""
    if not workers:
        yield from (cut(medium, settings) for medium in media)
        return
    spawn = multiprocessing.get_context("spawn")  # a fork inherits the locks of other libraries' threads
    with ProcessPoolExecutor(workers, spawn, initializer=start_worker) as pool:
        waiting: deque[Future[CutMedium]] = deque()
        try:
            for medium in media:
                waiting.append(pool.submit(cut, medium, settings))
                if len(waiting) >= AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def overview(media: Sequence[Medium]) -> str:
    """A table of media by data set, split and method, and the people that splits share."""
    counts = Counter((m.dataset, m.split, m.method or "real", m.compression) for m in media)
    lines = [f"{len(media)} media"]
    for (dataset, split, method, compression), count in sorted(counts.items()):
        lines.append(f"  {dataset:<13} {split:<6} {' '.join([method, compression]):<26} {count:>7}")
    shared = splits.shared_people(media)
    if shared:
        where = Counter(" and ".join(sorted(s)) for s in shared.values())
        counted = ", ".join(f"{count} in {names}" for names, count in where.most_common())
        lines.append(f"People in more than one split, as the data sets come: {counted}.")
    return "\n".join(lines)


def _keep_settings(config: Config) -> None:
    """The settings of a result hold for all of it.

    Raises:
        SystemExit: the folder was made with others.
    """
    path = config.out / "settings.json"
    ours = {"store": config.store, "cut": dataclasses.asdict(config.cut)}
    if path.is_file():
        theirs = json.loads(path.read_text(encoding="utf-8"))
        if theirs != ours:
            raise SystemExit(
                f"{config.out} was made with other settings ({path.name}): choose another --out."
            )
    path.write_text(json.dumps(ours, indent=1) + "\n", encoding="utf-8")


def _write_split(media: Sequence[Medium], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("dataset", "media", "split"))
        writer.writerows((m.dataset, m.file, m.split) for m in media)


def _summary(out: Path, writer: FaceWriter) -> str:
    lines = [f"{out / 'index.parquet'}: {len(writer.done) - len(writer.failures)} media with faces."]
    if writer.failures:
        lines.append(f"{len(writer.failures)} without, listed in {out / 'failures.csv'}:")
        lines += [f"  {row['media']}: {row['reason']}" for row in writer.failures[:SHOWN_FAILURES]]
        more = len(writer.failures) - SHOWN_FAILURES
        lines += [f"  and {more} more"] if more > 0 else []
    return "\n".join(lines)


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
