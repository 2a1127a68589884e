"""The words of the page; sentences about a result live in `tbd_app.report.texts`."""

from __future__ import annotations

from tbd_app.settings import Limits

TITLE = "Truth Behind Deepfakes"
TAGLINE = "Does the face in this video or picture show signs of manipulation?"
UPLOAD = "Video, picture, or zip of frames"
SEVERAL = "One file is analysed at a time. Of several, a zip is taken first, then a picture, then a video."
N_FRAMES = "Frames to look at"
N_FRAMES_INFO = "Spread evenly over the whole clip. More frames take longer."
MODELS = "Models"
MODELS_INFO = "Each one votes. The models that vote by default are ticked."
NOT_INSTALLED = "not installed"
ADVANCED = "More settings"
CONFIDENCE = "Face confidence"
CONFIDENCE_INFO = "How sure the face detector must be. Lower finds more faces, and more that are none."
EXPLAIN = "Show where the models looked (Grad-CAM)"
STABILITY = "Ask again about the same faces, slightly changed; an answer that turns is withdrawn"
ANALYZE = "Analyse"
STOP = "Stop"
CLEAR = "Clear"
DOWNLOAD = "Download the report (JSON)"
EXAMPLES = (
    "No file at hand? Take one that the project drew. A drawn face shows what a result looks like, not how "
    "good the detector is: the models were made for faces that a camera filmed."
)
EXAMPLE_FILES = {
    "drawn_face.mp4": "Drawn face",
    "drawn_face_edited.mp4": "Edited face",
    "no_face.mp4": "No face",
}
INTRO = """
### How it works
1. Choose a file, or one of the examples.
2. Press **Analyse**. Faces are found, followed and confirmed; each model then judges each person.
3. Read the result: one sentence first, then every person, every vote, and where the models looked.
"""
DONE = "Done. Your file was deleted from the server."
TIMELINE = "Score over time"
TIME_AXIS = "seconds"
FRAME_AXIS = "frame"
SCORE_AXIS = "score"
THRESHOLD = "vote threshold"
DETAILS = "How this was done"
CHOOSE_FILE = "Choose a video, a picture or a zip of frames first."
NOT_ARRIVED = "The file is no longer here; choose it again."
WAITING = "Waiting for a free place"
STOPPED = "Stopped. Your file was deleted from the server."
UNEXPECTED = "Something went wrong on the server, and your file was deleted. Please try again."
BAD_VALUES = "n_frames must be a whole number, face_confidence a number, and models a list of names."
NO_URLS = "Send the file itself, not its address."
LOCKED = "This page asks for a password."
TOO_MANY = "Too many requests from your address; wait a minute."
BODY_TOO_LARGE = "A request that is no upload may have 1 MB at most."
BAD_UPLOAD = "An upload is a form with one file or more, each with a name."
UPLOAD_TOO_LARGE = "The upload is larger than the limit."
NO_ROOM = "The server has no room for another file now; try again later."
ABANDONED = "Nobody waited for the answer."
BAD_MODELS = "models is a list of names of models, each once."
FEEDBACK = "This looks wrong"
FEEDBACK_INFO = "Gives the JSON report and your remark to whoever runs this page; never the file or a face."
FEEDBACK_REMARK = "What do you know about this file?"
FEEDBACK_SEND = "Send the report"
FEEDBACK_THANKS = "Thank you. The report and your remark were stored."
FEEDBACK_EMPTY = "There is no report to send yet. Analyse a file first."
PRIVACY = (
    "Your file is analysed on the machine that runs this page, and deleted when the analysis ends, fails or "
    "is stopped. Nothing is kept, nothing is sent elsewhere, nobody is identified. Run this page on your own "
    "computer and nothing leaves it."
)
NO_FOCUS = "had no strong focus"


def limits(bounds: Limits) -> str:
    """What may be uploaded, said before the upload."""
    return (
        f"Up to {bounds.max_file_mb:g} MB. Video: mp4, mov, mkv, webm, avi, gif and more, up to "
        f"{_duration(bounds.max_duration_s)}. Picture: jpeg, png, webp and more, up to "
        f"{bounds.max_image_mpx:g} megapixels. Zip: up to {bounds.max_zip_frames:,} frames."
    )


def used(name: str, kind: str) -> str:
    """Which of several files was analysed."""
    return f"Several files were given: the {kind} “{name}” was analysed, the others were deleted unread."


def model_choice(architecture: str, installed: bool) -> str:
    """The label of a model in the list."""
    return architecture if installed else f"{architecture} · {NOT_INSTALLED}"


def ensemble(voters: list[str], installed: int, registered: int) -> str:
    """What stands behind a result on this machine."""
    by = (
        f"by default {', '.join(voters)} vote{'s' if len(voters) == 1 else ''}"
        if voters
        else "none votes by default"
    )
    return f"{installed} of {registered} models are installed here; {by}."


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 120 else f"{seconds:g} seconds"
