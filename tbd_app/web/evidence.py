"""What a result shows as pictures: each frame with its faces and map, and the most and least suspicious crops."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tbd_app.languages import say, spoken
from tbd_app.report import maps, palette
from tbd_app.report import texts as words
from tbd_app.report.anatomy import Place, focus
from tbd_app.report.inline import data_uri, inside, jpeg
from tbd_app.types import Explanation, FaceMap, Report, Snapshot
from tbd_app.web import sentences, uploads

_MAX_ALPHA = 0.65  # as in the pictures of the HTML report, and so are the colours
_VIRIDIS = (
    (68, 1, 84), (71, 44, 122), (59, 81, 139), (44, 113, 142), (33, 144, 141), (39, 173, 129), (92, 200, 99), (170, 220, 50),
    (253, 231, 37),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a picture, in per cent, with a colour and a caption."""

    left: float
    top: float
    width: float
    height: float
    colour: str
    caption: str


@dataclass(frozen=True, slots=True)
class Layer:
    """A map that lies over a picture."""

    image: str
    place: Box


@dataclass(frozen=True, slots=True)
class Frame:
    """A sampled frame: its picture, boxes and maps, when it is, and what is seen in it."""

    position: int
    image: str
    boxes: tuple[Box, ...]
    maps: tuple[Layer, ...]
    title: str
    sentences: tuple[str, ...]
    file: str


@dataclass(frozen=True, slots=True)
class Crop:
    """A face as a model saw it, its map, the frame it is from, and both in words."""

    position: int
    image: str
    heat: str
    when: str
    caption: str
    alt: str


@dataclass(frozen=True, slots=True)
class Gallery:
    """The crops of one person and model."""

    person: str
    model: str
    highest: tuple[Crop, ...]
    lowest: tuple[Crop, ...]
    warning: str


def frames(report: Report) -> list[Frame]:
    """Every sampled frame, in order."""
    return [_frame(s, k, report) for k, s in enumerate(report.snapshots)]


def galleries(report: Report) -> list[Gallery]:
    """The explained crops, by person and model."""
    return [
        _gallery(track_id, model, group, report) for (track_id, model), group in maps.by_model(report).items()
    ]


def first_shown(report: Report) -> int:
    """The position of the frame to show at first: the most suspicious one that is explained, or the first with a face."""
    best = max(
        (e for e in report.explanations if e.role == "highest"), key=lambda e: e.fake_prob, default=None
    )
    if best is not None:
        return best.position
    return next((s.position for s in report.snapshots if len(s.boxes)), 0)


def key_frames(report: Report) -> bytes:
    """A zip with the frames of all explained crops, without anything drawn on them; empty where there are none."""
    wanted = {e.position for e in report.explanations}
    chosen = [s for s in report.snapshots if s.position in wanted]
    if not chosen:
        return b""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for s in chosen:
            archive.writestr(_file_name(s, report), jpeg(s.image))
    return buffer.getvalue()


def heat_uri(heat: np.ndarray) -> str:
    """A map (h,w) in [0,1] as a picture that is clear where it is cold."""
    levels = np.linspace(0, 1, len(_VIRIDIS))
    colours = [np.interp(heat, levels, [stop[k] for stop in _VIRIDIS]) for k in range(3)]
    pixels = np.rint(np.stack([*colours, 255 * _MAX_ALPHA * heat], axis=-1)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(buffer, "PNG")
    return inside(buffer.getvalue(), "image/png")


def _frame(snapshot: Snapshot, k: int, report: Report) -> Frame:
    when = words.moment(snapshot.time_s, report.media.kind)
    title = sentences.frame_of(k + 1, len(report.snapshots)) if len(report.snapshots) > 1 else ""
    if when and report.media.kind == "video":
        title = f"{when} · {title}"
    return Frame(
        position=snapshot.position,
        image=data_uri(snapshot.image),
        boxes=tuple(
            _place(
                box,
                snapshot.image,
                palette.person(track),
                words.person_name(track) if track >= 0 else "",
            )
            for box, track in zip(snapshot.boxes, snapshot.track_ids, strict=True)
        ),
        maps=tuple(Layer(heat_uri(m.heat), _place(m.xyxy, snapshot.image, "", "")) for m in snapshot.maps),
        title=title,
        sentences=tuple(_in_frame(snapshot, report)),
        file=_file_name(snapshot, report),
    )


def _in_frame(snapshot: Snapshot, report: Report) -> Iterator[str]:
    """Each person's score in a frame, and where a model looked."""
    mapped = {m.track_id: m for m in snapshot.maps}
    for person in report.people:
        rows = np.flatnonzero(person.track.positions == snapshot.position)
        if not len(rows):
            continue
        who = sentences.person(words.person_name(person.track.track_id))
        scores = [s.frame_fake_prob[rows[0]] for s in person.scores if s.frame_fake_prob]
        score = f"{np.mean(scores):.2f}" if scores else ""
        found = mapped.get(person.track.track_id)
        model, looked = (found.model, maps.looked(_focus_of(found), found.kind)) if found else ("", "")
        if score or model:
            yield sentences.in_frame(who, score, model, looked)


def _focus_of(found: FaceMap) -> Place | None:
    x0, y0, x1, y1 = found.xyxy
    size = np.array(found.heat.shape[::-1]) / (max(x1 - x0, 1), max(y1 - y0, 1))
    return focus(found.heat, (found.landmarks - (x0, y0)) * size)


def _gallery(track_id: int, model: str, group: list[Explanation], report: Report) -> Gallery:
    return Gallery(
        person=sentences.person(words.person_name(track_id)),
        model=model,
        highest=tuple(_crop(e, report) for e in group if e.role == "highest"),
        lowest=tuple(_crop(e, report) for e in group if e.role == "lowest"),
        warning=maps.outside_warning(group),
    )


def _crop(e: Explanation, report: Report) -> Crop:
    when = words.moment(e.time_s, report.media.kind)
    shown = [maps.looked(maps.place_of(e), e.kind), words.map_in_time(e)]
    if e.kind != "grad_cam":
        shown.insert(0, words.map_named(e.kind, e.part))
    return Crop(
        position=e.position,
        image=data_uri(e.crop),
        heat=heat_uri(e.heat),
        when=when,
        caption=say(", ").join([f"{e.fake_prob:.2f}", *filter(None, shown)]),
        alt=sentences.face_of(words.person_name(e.track_id), when),
    )


def _place(xyxy: np.ndarray, image: np.ndarray, colour: str, caption: str) -> Box:
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (float(v) for v in xyxy)
    x0, y0, x1, y1 = max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))
    return Box(
        round(100 * x0 / width, 2),
        round(100 * y0 / height, 2),
        round(100 * (x1 - x0) / width, 2),
        round(100 * (y1 - y0) / height, 2),
        colour,
        caption,
    )


def _file_name(snapshot: Snapshot, report: Report) -> str:
    with spoken("en"):  # a file has the same name for everybody
        when = words.moment(snapshot.time_s, report.media.kind).replace(":", "-").replace(" ", "-")
    return (
        "-".join(filter(None, (uploads.stem(report.media.name), f"{snapshot.position + 1:02}", when)))
        + ".jpg"
    )
