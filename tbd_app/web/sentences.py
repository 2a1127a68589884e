"""Sentences of the page with values in them, in the language of whoever reads; `texts` has the words."""

from __future__ import annotations

from tbd_app.languages import say, say_n
from tbd_app.report.maps import map_named
from tbd_app.report.names import counted
from tbd_app.report.reasons import listed
from tbd_app.settings import Limits
from tbd_app.types import MapKind
from tbd_app.web.texts import STAGES


def limits(bounds: Limits) -> str:
    """What may be uploaded, said before the upload."""
    return say(
        "Up to {mb} MB. Video: mp4, mov, mkv, webm, avi, gif and more, up to {duration}. Picture: jpeg, png, webp and more, "
        "up to {mpx} megapixels. Zip: up to {frames}.",
        mb=f"{bounds.max_file_mb:g}",
        duration=_duration(bounds.max_duration_s),
        mpx=f"{bounds.max_image_mpx:g}",
        frames=counted(bounds.max_zip_frames, "frame"),
    )


def too_many(at_most: int) -> str:
    """More files than one run takes."""
    return say_n("Send one file at a time.", "At most {n} files can be analysed in one run.", at_most)


def waiting(before: int) -> str:
    """A place in the line."""
    return say_n("One analysis is before yours.", "{n} analyses are before yours.", before)


def stage(name: str, done: int, total: int) -> str:
    """What is being done: "Looking for faces (frame 16 of 32)"."""
    what = STAGES[name]
    if name == "faces" and total > 1:
        return say("{what} (frame {k} of {n})", what=what, k=done, n=total)
    return (
        say("{what} ({k} of {n})", what=what, k=done + 1, n=total) if name == "score" and total > 1 else what
    )


def left(seconds: float) -> str:
    """About how long something still takes."""
    if seconds < 90:
        return say_n("about {n} second left", "about {n} seconds left", max(5 * round(seconds / 5), 5))
    return say_n("about {n} minute left", "about {n} minutes left", round(seconds / 60))


def of_files(index: int, total: int, name: str) -> str:
    """Which of several files is being analysed."""
    return say("File {k} of {n}, {name}", k=index + 1, n=total, name=name)


def done_with(n: int) -> str:
    """The end of a run of several files."""
    return say_n(
        "Done with {n} file. The server deleted its copy; your file is still chosen here.",
        "Done with {n} files. The server deleted its copies; your files are still chosen here.",
        n,
    )


def frame_of(k: int, n: int) -> str:
    """Which of the sampled frames one is."""
    return say("Frame {k} of {n}", k=k, n=n)


def person(name: str) -> str:
    """A person by the name that the report gives them."""
    return say("Person {name}", name=name)


def face_of(name: str, when: str = "") -> str:
    """What the picture of a face shows."""
    if when:
        return say("Face of person {name} at {when}", name=name, when=when)
    return say("Face of person {name}", name=name)


def in_frame(who: str, score: str, model: str, looked: str) -> str:
    """A person's score in one frame and where a model looked; either may be ""."""
    values = {"person": who, "score": score, "model": model, "looked": looked}
    if not model:
        return say("{person}: score {score}.", **values)
    if not score:
        return say("{person}: {model} {looked}.", **values)
    return say("{person}: score {score}; {model} {looked}.", **values)


def heat_only(model: str, kind: MapKind) -> str:
    """Whose map lies over the frames, and what it shows."""
    return say("The map of a frame is that of {model}: {kind}.", model=model, kind=map_named(kind))


def ensemble(voters: list[str], installed: int) -> str:
    """What stands behind a result on this machine."""
    here = say_n("{n} model installed here", "{n} models installed here", installed)
    if not voters:
        return say("{here}; none votes by default.", here=here)
    return say_n(
        "{here}; by default {voters} votes.",
        "{here}; by default {voters} vote.",
        len(voters),
        here=here,
        voters=listed(voters),
    )


def _duration(seconds: float) -> str:
    whole = round(seconds)
    return counted(whole // 60, "minute") if whole >= 120 and not whole % 60 else counted(whole, "second")
