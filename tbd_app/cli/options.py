"""Options that `tbd analyze` and `tbd scan` share: what shapes an answer."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any

import typer

from tbd_app.settings import AnalysisSettings

DEFAULTS: dict[str, Any] = {f.name: f.default for f in fields(AnalysisSettings)}

NumberOfFrames = Annotated[int, typer.Option("--frames", help="Frames to look at, 8 to 64.")]
FaceConfidence = Annotated[float, typer.Option(help="Least confidence of the face detector, 0.5 to 1.")]
MinFacePx = Annotated[
    int,
    typer.Option(
        help="Smaller faces (median of the box's longer side, px; at least 20) are listed, not judged. All figures "
        f"were measured with {DEFAULTS['min_face_px']}."
    ),
]
MinTrackShare = Annotated[
    float,
    typer.Option(help="People seen in a smaller share of the frames, 0 to 1, are listed, not judged."),
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
