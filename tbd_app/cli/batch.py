"""Many inputs, one after the other: each becomes a report or an error, and its files; none stops the rest."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import tbd_app
from tbd_app.cli.screen import Screen
from tbd_app.errors import BadSetting, EmptyFile, TBDError, Unexpected
from tbd_app.media import regular
from tbd_app.media.archive import natural_key
from tbd_app.media.sniff import HEAD_BYTES, sniff
from tbd_app.names import shown
from tbd_app.pipeline.verdict import was_answered
from tbd_app.report import to_json
from tbd_app.settings import AnalysisSettings
from tbd_app.types import ProgressEvent, Report

MAX_STEM = 80  # characters of the input's name in the name of an output


def expand(paths: Iterable[Path]) -> tuple[list[Path], int]:
    """The files themselves and, for a folder, its media in natural order, without hidden files.

    Returns:
        The files, and how many others lie in the folders: what is neither video, picture nor zip is not asked about there.
    """
    out: list[Path] = []
    others = 0
    for path in paths:
        found = _files(path)
        media = [p for p in found if _may_be_media(p)]
        others += len(found) - len(media)
        out += sorted(media, key=lambda p: natural_key(p.name)) or [path]
    return out, others


def _may_be_media(path: Path) -> bool:
    """By its first bytes; what cannot be read is for the analysis to refuse, and an empty file may have been meant."""
    try:
        with os.fdopen(regular.opened(path), "rb") as file:
            head = file.read(HEAD_BYTES)
    except (TBDError, OSError):
        return True
    return not head or sniff(head).reader != "other"


def _files(folder: Path) -> list[Path]:
    """The files of a folder; none of what is no folder or may not be read, which is then refused under its own name."""
    try:
        entries = list(folder.iterdir()) if folder.is_dir() else []
    except (OSError, ValueError):
        return []
    return [p for p in entries if p.is_file() and p.name[0] != "."]


@dataclass(slots=True)
class Outputs:
    """Where results go besides the screen; a context manager that closes the JSON file."""

    json: IO[str] | None = None
    json_dir: Path | None = None
    html: Path | None = None
    video: Path | None = None
    _open: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def prepare(cls, json: str | None, html: Path | None, video: Path | None) -> Outputs:
        """Open the file and make the folders before any work is done.

        Args:
            json: "-" for standard output, a file's name with a suffix for one document a line, else a folder.
            html: a folder.
            video: a folder.

        Raises:
            BadSetting: one of them cannot be written, or the JSON file exists and is something else.
        """
        outputs = cls(html=html, video=video)
        if json is not None and json != "-" and (Path(json).is_dir() or not Path(json).suffix):
            outputs.json_dir = Path(json)
        try:
            for folder in filter(None, (html, video, outputs.json_dir)):
                folder.mkdir(parents=True, exist_ok=True)
            if json is not None and outputs.json_dir is None:
                stream = _claim_stdout() if json == "-" else _create(Path(json))
                outputs.json = outputs._open.enter_context(stream)
        except OSError as error:
            raise BadSetting(f"{error.filename} cannot be written: {error.strerror}.") from error
        return outputs

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def write(self, report: Report, path: Path) -> list[str]:
        """Everything asked for about one report; returns sentences about files that were made or could not be."""
        self.write_line(to_json.to_dict(report))
        stem = f"{_safe_stem(report.media.name)}-{report.media.sha256[:8]}"
        notes: list[str] = []
        try:
            if self.json_dir is not None:
                out = self.json_dir / f"{stem}.json"
                out.write_text(to_json.pretty(report), encoding="utf-8")
                notes.append(f"wrote {out}")
            if self.html is not None:
                from tbd_app.report import html

                out = self.html / f"{stem}.html"
                out.write_text(html.render(report), encoding="utf-8")
                notes.append(f"wrote {out}")
            if self.video is not None:
                from tbd_app.report import annotate

                out = self.video / f"{stem}.mp4"
                mute = annotate.write(report, path, out)
                notes.append(f"wrote {out}" + (", whose sound could not be kept" if mute else ""))
        except TBDError as error:
            notes.append(error.message)
        except OSError as error:
            notes.append(f"{error.filename} cannot be written: {error.strerror}.")
        except Exception as error:  # the input has its document; a second one would be another answer
            logging.getLogger(__name__).exception("Unexpected failure")
            notes.append(f"An output could not be made: {type(error).__name__}.")
        return notes

    def write_line(self, document: dict[str, object]) -> None:
        """One JSON document, at once: a reader of the pipe need not wait for the batch."""
        if self.json is not None:
            self.json.write(to_json.dumps(document) + "\n")
            self.json.flush()


@dataclass(slots=True)
class Batch:
    """Analyses inputs in order.

    Attributes:
        done: every input so far with its report or its error.
    """

    paths: list[Path]
    settings: AnalysisSettings
    outputs: Outputs
    screen: Screen
    done: list[tuple[Path, Report | TBDError]] = field(default_factory=list)

    def run(self) -> None:
        """Work through all inputs; only an interrupt and a closed pipe end it early."""
        with self.screen.progress(len(self.paths)) as show:
            for path in self.paths:
                show(shown(path.name), None)
                try:
                    report = self._analyse(path, show)
                except TBDError as error:
                    self._refuse(path, error)
                except BrokenPipeError:
                    raise
                except Exception as error:
                    logging.getLogger(__name__).exception("Unexpected failure with %s", shown(path.name))
                    self._refuse(path, Unexpected.of(error))
                else:
                    # Without its pictures: a long batch would hold gigabytes of them.
                    self.done.append((path, replace(report, explanations=(), snapshots=())))

    def n_answered(self) -> int:
        """How many inputs were judged: not refused, and not left without any model that could run."""
        reports = [result for _, result in self.done if isinstance(result, Report)]
        return sum(was_answered([p.verdict for p in report.people]) for report in reports)

    def _analyse(self, path: Path, show: Screen.Show) -> Report:
        if os.path.isdir(path):
            raise EmptyFile("The folder holds no file.")
        for item in tbd_app.analyze_events(path, self.settings, pictures=self.outputs.html is not None):
            if isinstance(item, ProgressEvent):
                show(shown(path.name), item)
                continue
            for note in self.outputs.write(item, path):
                self.screen.note(f"{shown(path.name)}: {note}")
            return item
        raise Unexpected("The analysis ended without a report.")

    def _refuse(self, path: Path, error: TBDError) -> None:
        self.done.append((path, error))
        self.screen.refused(shown(path.name), error)
        self.outputs.write_line(to_json.error_to_dict(shown(path.name or str(path)), error))


def _safe_stem(name: str) -> str:
    """The name without its suffix and without characters that file systems or shells dislike."""
    return re.sub(r"[^\w.()+ -]", "_", Path(name).stem)[:MAX_STEM].lstrip("-. ") or "input"


def _create(path: Path) -> IO[str]:
    # `tbd analyze --json a.mp4 b.mp4` must not replace somebody's video.
    if path.is_file() and _first_byte(path) not in (b"", b"{"):
        raise BadSetting(f"{path} exists and holds no report; choose another name for the JSON file.")
    return path.open("w", encoding="utf-8")


def _claim_stdout() -> IO[str]:
    """Standard output for data alone: whatever any library prints from now on goes to standard error."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return stream


def _first_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1)
