import numpy as np
import pytest
from PIL import Image

from tbd_app.errors import NotMedia
from tbd_app.media import stills
from tests.media.test_stills import LIMITS, decode
from tests.media_factory import portrait_frame


def tiff(path, *pages, **first_tags):
    first, *rest = (Image.fromarray(portrait_frame(0, size)) for size in pages)
    for page in rest:
        page.encoderinfo = {"tiffinfo": {}}  # else they have the first one's tags
    first.save(path, save_all=True, append_images=rest, tiffinfo=first_tags.get("tags"))
    return path


@pytest.mark.parametrize("flagged", [True, False])
def test_the_thumbnail_of_a_tiff_is_not_the_picture(tmp_path, flagged):
    # Written as two pages of which the first says that it is a reduced one, or says nothing and is smaller.
    path = tiff(tmp_path / "a.tif", (80, 60), (320, 240), tags={254: 1} if flagged else {})
    info, _ = stills.probe(limits=LIMITS, path=str(path), format_name="TIFF")
    assert (info["width"], info["height"]) == (320, 240)
    assert info["warnings"] == ([] if flagged else ["Only the largest of 2 pages is used."])
    np.testing.assert_array_equal(decode(path, "TIFF", 1, 1)[1][0], portrait_frame(0, (320, 240)))


def test_a_raw_picture_of_a_camera_is_named(tmp_path):
    path = tiff(tmp_path / "a.tif", (80, 60), tags={50706: b"\x01\x04\x00\x00"})
    with pytest.raises(NotMedia, match="raw picture of a camera"):
        stills.probe(limits=LIMITS, path=str(path), format_name="TIFF")
