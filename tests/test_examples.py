"""The example clips show what they say."""

from __future__ import annotations

import pytest

from tbd_app.media.open import open_media
from tbd_app.media.sample import sample
from tbd_app.pipeline.faces import FaceDetector
from tbd_app.settings import Limits
from tbd_app.web.page import EXAMPLES
from tbd_app.web.texts import EXAMPLE_FILES


@pytest.mark.parametrize("name", list(EXAMPLE_FILES))
def test_a_drawn_face_is_found_in_nearly_every_frame_and_no_other(name):
    limits = Limits()
    frames = sample(open_media(EXAMPLES / name, limits), 32, limits)
    verified = [int(faces.verified.sum()) for faces in FaceDetector().detect(frames.images)]
    if name == "no_face.mp4":
        assert verified == [0] * 32
    else:
        assert max(verified) == 1
        assert sum(verified) >= 30
