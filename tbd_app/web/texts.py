"""The words of the page, in one table; sentences about a result live in `tbd_app.report.texts`."""

from __future__ import annotations

from tbd_app.report.anatomy import Place
from tbd_app.report.quality import Remark
from tbd_app.settings import Limits

TITLE = "Truth Behind Deepfakes"
TAGLINE = "Does the face in this video or picture show signs of manipulation?"
LOCAL = "Runs on this computer. Nothing leaves it."
REMOTE = "Your file goes to the computer that serves this page, is deleted after the analysis, and goes nowhere else."
DROP = "Drop videos, pictures or zips of frames here"
BROWSE = "Choose files"
WEBCAM = "Film a short clip"
WEBCAM_NOTE = (
    "Records {seconds} seconds without sound. The clip stays in this browser until you press Analyse."
)
WEBCAM_START = "Record"
WEBCAM_CLOSE = "Close the camera"
WEBCAM_NAME = "webcam"
PREVIEW = "Preview of {name}"
CHOSEN = "Chosen files"
REMOVE = "Remove {name}"
N_FRAMES = "Frames to look at"
N_FRAMES_INFO = "Spread evenly over the whole clip. More frames take longer."
MODELS = "Models"
MODELS_INFO = "Each one votes. The models that vote by default are ticked; `tbd models --all` lists the rest."
# What a model is for; one that is not here is listed by its architecture.
PURPOSES = {
    "effnetv2_b0_frame": "Swapped and blended faces, frame by frame",
    "clip_b16_probe": "All kinds of fakes, also generated and talking heads",
    "clip_b16_ln1": "Swapped faces, seen by another kind of network",
    "effnet_b0_image": "Generated portraits",
    "effnet_b0_lstm": "Changes over time in clips",
}
ADVANCED = "More settings"
CONFIDENCE = "Face confidence"
CONFIDENCE_INFO = "How sure the face detector must be. Lower finds more faces, and more that are none."
EXPLAIN = "Show where the models looked (Grad-CAM)"
ATTENTION = "Show it by the models' own attention, where they have any"
STABILITY = "Ask again about the same faces, slightly changed; an answer that turns is withdrawn"
ANALYZE = "Analyse"
STOP = "Stop"
CLEAR = "Clear"
EXAMPLES = "See a result at once"
EXAMPLES_NOTE = (
    "All three were drawn by the project. They show what a result looks like, not how good the detector is: the models were "
    "made for faces that a camera filmed."
)
EXAMPLE_FILES = {
    "drawn_face.mp4": "Drawn face",
    "drawn_face_edited.mp4": "Edited face",
    "no_face.mp4": "No face",
}
EXAMPLE_HINTS = {
    "drawn_face.mp4": "Untouched after it was drawn",
    "drawn_face_edited.mp4": "Eyes, nose and mouth of another one",
    "no_face.mp4": "Hills at sunset",
}
STORED = "This is a stored result. The same version with the same models made it beforehand."
DONE = "Done. The server deleted its copy; your file is still chosen here."
DONE_SEVERAL = "Done with {n} files. The server deleted its copies; your files are still chosen here."
DOWNLOADS = "Take it with you"
DOWNLOAD_HTML = "Report (HTML)"
DOWNLOAD_VIDEO = "Annotated video"
DOWNLOAD_JSON = "Data (JSON)"
DOWNLOAD_ZIP = "All reports (zip)"
DOWNLOAD_FRAMES = "Key frames (zip)"
FILMING = "Making the annotated video. Your file is sent again for it, and deleted at once."
FILMED = "The annotated video is ready and was deleted from the server."
OTHER_FILE = "This is another file than the one that was analysed. Choose it again and press Analyse."
FILE_GONE = "The file is no longer chosen in this browser. Choose it again and press Analyse."
QUOTE = "To quote"
COPY = "Copy"
COPIED = "Copied"
TIMELINE = "Score of single frames over time"
TIMELINE_NOTE = "Click a moment to see its frame."
NEXT_STEP = "Next step:"
TIME_AXIS = "seconds"
FRAME_AXIS = "frame"
ZONES = {"fake": "fake", "between": "between", "real": "real"}
FRAME_SLIDER = "Frame"
FRAME_OF = "Frame {k} of {n}"
SAVE_FRAME = "Save this frame"
OPEN_LARGE = "Open large"
CLOSE = "Close"
HEAT = "Show where the models looked"
HEAT_ONLY = "The map of a frame is that of {model}."
KEY_FRAMES = "The most and the least suspicious frames"
HIGHEST, LOWEST = "Highest scores", "Lowest scores"
DETAILS = "How this was done"
REPEAT = "Repeat it on your own computer"
SECTIONS = {"file": "Input", "settings": "Settings", "versions": "Versions", "seconds": "Seconds"}
CHOOSE_FILE = "Choose a video, a picture or a zip of frames first."
NOT_ARRIVED = "The file is no longer here; choose it again."
TOO_BIG = "{name} is larger than {mb} MB."
UPLOAD_FAILED = "The file could not be sent to the analysis. Is the server still running?"
STARTING = "Starting"
PREPARING = "Preparing: the models are being loaded"
STOPPED = "Stopped. The server deleted its copy; your file is still chosen here."
UNEXPECTED = "Something went wrong on the server, and its copy of your file was deleted. Please try again."
BAD_VALUES = "n_frames must be a whole number, face_confidence a number, and models a list of names."
NO_URLS = "Send the file itself, not its address."
QUEUE = "Files of this run"
ROW_WAITS, ROW_FAILED, ROW_OPEN = "waits", "not analysed", "Show"
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
    "Your file stays in this browser until you press Analyse. It is analysed on the machine that runs this page, and deleted "
    "there when the analysis ends, fails or is stopped. Nothing is kept, nothing is sent elsewhere, nobody is identified."
)
FOOTER = {"limits": "What a result means", "behind": "What stands behind it", "privacy": "Your file"}
PERSON = "Person {name}"
FACE_OF = "Face of person {name}"
COLUMNS = {
    "model": "Model", "status": "Status", "score": "Score", "vote": "Vote", "bounds": "Bounds", "known": "Known error",
}  # fmt: skip
STAGES = {
    "media": "Opening the file",
    "frames": "Reading frames",
    "faces": "Looking for faces",
    "score": "Asking the models",
    "stability": "Asking again about the same faces, slightly changed",
    "explain": "Drawing where the models looked",
}
KINDS = {"video": "Video", "image": "Picture", "frames": "Zip of frames"}
NO_FOCUS = "no strong focus"
PLACES: dict[Place, str] = {
    "left_eye": "the eye on the left",
    "right_eye": "the eye on the right",
    "nose_bridge": "the bridge of the nose",
    "nose": "the nose",
    "mouth": "the mouth",
    "chin": "the chin",
    "forehead": "the forehead",
    "hairline": "the hairline",
    "left_cheek": "the cheek on the left",
    "right_cheek": "the cheek on the right",
    "left_temple": "the temple on the left",
    "right_temple": "the temple on the right",
    "left_jaw": "the jaw on the left",
    "right_jaw": "the jaw on the right",
    "outside": "outside the face",
}
LOOKED_AT = "looked mostly at {place}"
OUTSIDE = "looked outside the face: give this score little weight"
ATTENDED_OUTSIDE = "looked mostly outside the face"
OUTSIDE_WARNING = (
    "In {n} of the {total} highest pictures the model looked outside the face: give its score little weight."
)
REMARKS: dict[Remark, str] = {
    "small": "The face is small ({value:.0f} px); detail is missing.",
    "blurred": "The face is blurred or soft.",
    "dark": "The face is dark.",
    "compressed": "The file is heavily compressed ({value:.2f} bits per pixel).",
}
BRIEF_FINDS = "{n} find that was too brief to judge ({when}); it may be no face at all."
BRIEF_FINDS_MANY = "{n} finds that were too brief to judge ({when}); they may be no faces at all."
PORT_TAKEN = (
    "Port {port} is in use, perhaps by this page already: http://127.0.0.1:{port}\n"
    "To start another one: GRADIO_SERVER_PORT={other} python app.py"
)
MCP_MISSING = "TBD_MCP=1 needs the package mcp: pip install 'gradio[mcp]'"


def limits(bounds: Limits) -> str:
    """What may be uploaded, said before the upload."""
    return (
        f"Up to {bounds.max_file_mb:g} MB. Video: mp4, mov, mkv, webm, avi, gif and more, up to "
        f"{_duration(bounds.max_duration_s)}. Picture: jpeg, png, webp and more, up to "
        f"{bounds.max_image_mpx:g} megapixels. Zip: up to {bounds.max_zip_frames:,} frames."
    )


def too_many(at_most: int) -> str:
    """More files than one run takes."""
    return (
        "Send one file at a time." if at_most == 1 else f"At most {at_most} files can be analysed in one run."
    )


def waiting(before: int) -> str:
    """A place in the line."""
    return "One analysis is before yours." if before == 1 else f"{before} analyses are before yours."


def stage(name: str, done: int, total: int) -> str:
    """What is being done: "Looking for faces (frame 16 of 32)"."""
    what = STAGES[name]
    if name == "faces" and total > 1:
        return f"{what} ({FRAME_OF.format(k=done, n=total).lower()})"
    return f"{what} ({done + 1} of {total})" if name == "score" and total > 1 else what


def left(seconds: float) -> str:
    """About how long something still takes."""
    if seconds < 90:
        n = max(5 * round(seconds / 5), 5)
        return f"about {n} seconds left"
    return f"about {round(seconds / 60)} minutes left"


def of_files(index: int, total: int, name: str) -> str:
    """Which of several files is being analysed."""
    return f"File {index + 1} of {total}, {name}"


def ensemble(voters: list[str], installed: int) -> str:
    """What stands behind a result on this machine."""
    by = (
        f"by default {' and '.join(voters)} vote{'s' if len(voters) == 1 else ''}"
        if voters
        else "none votes by default"
    )
    return f"{installed} model{'s' if installed != 1 else ''} installed here; {by}."


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 120 else f"{seconds:g} seconds"
