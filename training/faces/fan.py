"""Landmarks of 2D-FAN for "lrw" crops, where the package face-alignment is installed, as the published DFD-FCG has them.

Serving aligns by MTCNN's five points, which every machine has; crops of the two differ by a few pixels at most.

Source: Bulat and Tzimiropoulos, "How Far Are We from Solving the 2D & 3D Face Alignment Problem?", ICCV 2017.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from accelerate import PartialState
from tqdm import tqdm

from tbd_app.pipeline.crops import MEAN_FACES, similarity
from tbd_app.types import CropRecipe
from training.faces.open import Faces


def with_fan(faces: Faces, recipe: CropRecipe) -> Faces:
    """The same faces, with the five points by which the recipe cuts them as 2D-FAN would have them cut.

    Raises:
        SystemExit: face-alignment is not installed.
    """
    try:
        from face_alignment import FaceAlignment, LandmarksType  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise SystemExit(
            "--landmarks fan needs 2D-FAN: pip install 'face-alignment>=1.5' (it fetches its weights at the first use)."
        ) from error
    # The faces are known, so the package's own detector is not asked for ("folder" has no weights to fetch).
    device = str(PartialState().device)
    fan = FaceAlignment(LandmarksType.TWO_D, device=device, face_detector="folder", compile=False)
    bank = faces.bank
    points = bank.landmarks.copy()
    for row in tqdm(range(len(bank)), desc="landmarks", unit="face"):
        found = fan.get_landmarks_from_image(bank.image(row), detected_faces=[bank.boxes[row].tolist()])
        points[row] = five_of(found[0], recipe)
    return replace(faces, bank=replace(bank, landmarks=points))


def five_of(landmarks: np.ndarray, recipe: CropRecipe) -> np.ndarray:
    """Where the mean face's five points lie in a picture with these 68 landmarks.

    Cutting by the five is then cutting by the eight stable ones of the 68.

    Args:
        landmarks: (68,2) px.
        recipe: an aligned one that knows them.

    Returns:
        (5,2) float32 px.
    """
    to_crop = similarity(landmarks, recipe, 1)
    mean_face = MEAN_FACES[recipe.kind]
    places = 0.5 + (mean_face.five - 0.5) * mean_face.margin / recipe.margin
    return np.linalg.solve(to_crop[:, :2], (places - to_crop[:, 2]).T).T.astype(np.float32)
