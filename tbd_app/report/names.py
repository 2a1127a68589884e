"""Names of people, moments and numbers of things, as every view writes them."""

from __future__ import annotations

from typing import Literal

from tbd_app.languages import Table, isolated, say, say_n
from tbd_app.types import Media, Person, Verdict

Band = Literal["none", "weak", "clear", "strong"]
BANDS: Table[Band] = Table(
    {
        "none": "no signs",
        "weak": "weak signs",
        "clear": "clear signs",
        "strong": "strong signs",
    }
)


def counted(n: int, noun: str, plural: str = "") -> str:
    """A number of things: "1 frame", "2 frames"; with the `plural` "people" "1 person", "2 people"."""
    return say_n(f"{{n}} {noun}", f"{{n}} {plural or f'{noun}s'}", n)


def person_name(track_id: int) -> str:
    """A to Z, then 27, 28 ..."""
    return chr(ord("A") + track_id) if 0 <= track_id < 26 else str(track_id + 1)


def clock(seconds: float) -> str:
    """0:03, 12:40, 1:02:03; whole seconds, rounded down."""
    minutes, s = divmod(int(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02}:{s:02}" if hours else f"{m}:{s:02}"


def moment(time_s: float, kind: str) -> str:
    """Where a frame lies: "0:03" in a video, "frame 7" in a zip (counted from 1), "" in an image."""
    if kind == "video":
        return clock(time_s)
    return say("frame {number}", number=int(time_s) + 1) if kind == "frames" else ""


def span(person: Person, kind: str) -> str:
    """When a person is seen: "0:03–0:11", "frames 1–12", or "" in an image."""
    start, end = person.span_s
    if kind == "video":
        return clock(start) if clock(start) == clock(end) else isolated(f"{clock(start)}–{clock(end)}")
    if kind == "frames":
        first, last = int(start) + 1, int(end) + 1
        one = say("frame {number}", number=first)
        return one if first == last else say("frames {first}–{last}", first=first, last=last)
    return ""


def length(media: Media) -> str:
    """How long a file is: "6.0 s, 144 frames"; without seconds where it has none."""
    frames = counted(media.n_frames, "frame")
    if not media.duration_s:
        return frames
    return say("{seconds} s, {frames}", seconds=f"{media.duration_s:.1f}", frames=frames)


def band(verdict: Verdict) -> Band:
    """How strong the signs are, in words; "none" unless the verdict is fake."""
    if verdict.label != "fake" or verdict.fake_prob is None:
        return "none"
    return "weak" if verdict.fake_prob < 0.7 else "clear" if verdict.fake_prob < 0.9 else "strong"
