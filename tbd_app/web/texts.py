"""The words of the page, in one table, each said in the language of whoever reads.

`texts.ANALYZE` is a word of the table `_WORDS` in that language. Sentences with values in them are functions of `sentences`;
sentences about a result live in `tbd_app.report.texts`.
"""

from __future__ import annotations

from tbd_app.languages import Table

TITLE = "Truth Behind Deepfakes"
_WORDS: Table[str] = Table(
    {
        "LANGUAGE": "Language",
        "TAGLINE": "Does the face in this video or picture show signs of manipulation?",
        "LOCAL": "Runs on this computer. Nothing leaves it.",
        "REMOTE": (
            "Your file goes to the computer that serves this page, is deleted after the analysis, and goes "
            "nowhere else."
        ),
        "DROP": "Drop videos, pictures or zips of frames here",
        "BROWSE": "Choose files",
        "WEBCAM": "Film a short clip",
        "WEBCAM_NOTE": (
            "Records {seconds} seconds without sound. The clip stays in this browser until you press Analyse."
        ),
        "WEBCAM_START": "Record",
        "WEBCAM_CLOSE": "Close the camera",
        "WEBCAM_NAME": "webcam",
        "PREVIEW": "Preview of {name}",
        "CHOSEN": "Chosen files",
        "REMOVE": "Remove {name}",
        "N_FRAMES": "Frames to look at",
        "N_FRAMES_INFO": "Spread evenly over the whole clip. More frames take longer.",
        "MODELS": "Models",
        "MODELS_INFO": (
            "Each one votes. The models that vote by default are ticked; `tbd models --all` lists the rest."
        ),
        "ADVANCED": "More settings",
        "CONFIDENCE": "Face confidence",
        "CONFIDENCE_INFO": (
            "How sure the face detector must be. Lower finds more faces, and more that are none."
        ),
        "EXPLAIN": "Show where the models looked (Grad-CAM)",
        "ATTENTION": "Show it by the models' own attention, where they have any",
        "STABILITY": "Ask again about the same faces, slightly changed; an answer that turns is withdrawn",
        "ANALYZE": "Analyse",
        "STOP": "Stop",
        "CLEAR": "Clear",
        "EXAMPLES": "See a result at once",
        "EXAMPLES_NOTE": (
            "All three were drawn by the project. They show what a result looks like, not how good the detector "
            "is: the models were made for faces that a camera filmed, and may disagree about a drawn one."
        ),
        "STORED": "This is a stored result. The same version with the same models made it beforehand.",
        "DONE": "Done. The server deleted its copy; your file is still chosen here.",
        "DOWNLOADS": "Take it with you",
        "DOWNLOAD_HTML": "Report (HTML)",
        "DOWNLOAD_VIDEO": "Annotated video",
        "DOWNLOAD_JSON": "Data (JSON)",
        "DOWNLOAD_ZIP": "All reports (zip)",
        "DOWNLOAD_FRAMES": "Key frames (zip)",
        "FILMING": "Making the annotated video. Your file is sent again for it, and deleted at once.",
        "FILMED": "The annotated video is ready and was deleted from the server.",
        "FILMED_SILENT": "The annotated video is ready and was deleted from the server. Its sound could not be kept.",
        "OTHER_FILE": (
            "This is another file than the one that was analysed. Choose it again and press Analyse."
        ),
        "FILE_GONE": "The file is no longer chosen in this browser. Choose it again and press Analyse.",
        "QUOTE": "To quote",
        "COPY": "Copy",
        "COPIED": "Copied",
        "TIMELINE": "Score of single frames over time",
        "TIMELINE_NOTE": "Click a moment to see its frame.",
        "NEXT_STEP": "Next step:",
        "TIME_AXIS": "seconds",
        "FRAME_AXIS": "frame",
        "FRAME_SLIDER": "Frame",
        "SAVE_FRAME": "Save this frame",
        "OPEN_LARGE": "Open large",
        "CLOSE": "Close",
        "HEAT": "Show where the models looked",
        "KEY_FRAMES": "The most and the least suspicious frames",
        "HIGHEST": "Highest scores",
        "LOWEST": "Lowest scores",
        "DETAILS": "How this was done",
        "REPEAT": "Repeat it on your own computer",
        "CHOOSE_FILE": "Choose a video, a picture or a zip of frames first.",
        "NOT_ARRIVED": "The file is no longer here; choose it again.",
        "TOO_BIG": "{name} is larger than {mb} MB.",
        "UPLOAD_FAILED": "The file could not be sent to the analysis. Is the server still running?",
        "STARTING": "Starting",
        "PREPARING": "Preparing: the models are being loaded",
        "STOPPED": (
            "Stopped. The server deleted its copy; your file is still chosen here. What was not analysed to its end has no "
            "answer: one on its first frames alone could mislead."
        ),
        "UNEXPECTED": (
            "Something went wrong on the server, and its copy of your file was deleted. Please try again."
        ),
        "QUEUE": "Files of this run",
        "ROW_WAITS": "waits",
        "ROW_FAILED": "not analysed",
        "ROW_STOPPED": "stopped, no answer",
        "ROW_OPEN": "Show",
        "LOCKED": "This page asks for a password.",
        "TOO_MANY": "Too many requests from your address; wait a minute.",
        "FEEDBACK": "This looks wrong",
        "FEEDBACK_INFO": (
            "Gives the JSON report and your remark to whoever runs this page; never the file or a face."
        ),
        "FEEDBACK_REMARK": "What do you know about this file?",
        "FEEDBACK_SEND": "Send the report",
        "FEEDBACK_THANKS": "Thank you. The report and your remark were stored.",
        "FEEDBACK_EMPTY": "There is no report to send yet. Analyse a file first.",
        "PRIVACY": (
            "Your file stays in this browser until you press Analyse. It is analysed on the machine that runs "
            "this page, and deleted there when the analysis ends, fails or is stopped. Nothing is kept, nothing "
            "is sent elsewhere, nobody is identified."
        ),
    }
)
PURPOSES = Table(
    {
        "effnetv2_b0_frame": "Swapped and blended faces, frame by frame",
        "clip_b16_probe": "All kinds of fakes, also generated and talking heads",
        "clip_b16_lower": "Mouth and chin, where lip-sync leaves its traces",
        "clip_b16_ln1": "Swapped faces, seen by another kind of network",
        "effnet_b0_image": "Generated portraits",
        "effnet_b0_lstm": "Changes over time in clips",
        "effnet_vit_base": "Generated portraits, for comparison: trained on clean faces",
        "effnet_vit_robust": "Generated portraits, for comparison: trained on attacked faces",
    }
)
EXAMPLE_FILES = Table(
    {
        "drawn_face_edited.mp4": "Edited face",
        "no_face.mp4": "No face",
        "drawn_face.mp4": "Drawn face",
    }
)
EXAMPLE_HINTS = Table(
    {
        "drawn_face.mp4": "Untouched after it was drawn",
        "drawn_face_edited.mp4": "Eyes, nose and mouth of another one",
        "no_face.mp4": "Hills at sunset",
    }
)
SECTIONS = Table({"file": "Input", "settings": "Settings", "versions": "Versions", "seconds": "Seconds"})
FOOTER = Table({"limits": "What a result means", "behind": "What stands behind it", "privacy": "Your file"})
COLUMNS = Table(
    {
        "model": "Model",
        "status": "Status",
        "score": "Score",
        "vote": "Vote",
        "bounds": "Bounds",
        "known": "Known error",
    }
)
STAGES = Table(
    {
        "media": "Opening the file",
        "frames": "Reading frames",
        "faces": "Looking for faces",
        "score": "Asking the models",
        "stability": "Asking again about the same faces, slightly changed",
        "explain": "Drawing where the models looked",
    }
)
KINDS = Table({"video": "Video", "image": "Picture", "frames": "Zip of frames"})
# Said to programs and in a terminal, where everything is English.
BAD_VALUES = "n_frames must be a whole number, face_confidence a number, and models a list of names."
BAD_MODELS = "models is a list of names of models, each once."
NO_URLS = "Send the file itself, not its address."
BODY_TOO_LARGE = "A request that is no upload may have 1 MB at most."
BAD_UPLOAD = "An upload is a form with one file or more, each with a name."
UPLOAD_TOO_LARGE = "The upload is larger than the limit."
NO_ROOM = "The server has no room for another file now; try again later."
ABANDONED = "Nobody waited for the answer."
PORT_TAKEN = (
    "Port {port} is in use, perhaps by this page already: http://127.0.0.1:{port}\n"
    "To start another one: GRADIO_SERVER_PORT={other} python app.py"
)
MCP_MISSING = "TBD_MCP=1 needs the package mcp: pip install 'gradio[mcp]'"
BAD_LANGUAGE = "language must be en, hi or ar."


def __getattr__(name: str) -> str:
    """A word of the page by its name."""
    try:
        return _WORDS[name]
    except KeyError:
        raise AttributeError(f"the page has no word {name}") from None
