import numpy as np
import pytest
from PIL import Image

from tbd_app.media import stills
from tests.media.test_stills import LIMITS, PLUGINS, png
from tests.media_factory import portrait_frame


@pytest.mark.parametrize(("bits", "suffix"), [(12, ".png"), (12, ".tif"), (10, ".png")])
def test_grey_that_fills_the_lower_bits_is_made_as_bright_as_it_is(tmp_path, bits, suffix):
    ramp = np.linspace(0, 2**bits - 1, 256).astype(np.uint16)[None].repeat(8, 0)
    Image.fromarray(ramp).save(tmp_path / f"a{suffix}")
    assert (
        np.abs(
            read_noted(tmp_path / f"a{suffix}", f"{bits} bits")[0, :, 0].astype(int) - np.arange(256)
        ).max()
        <= 1
    )


@pytest.mark.parametrize("bits", [10, 12])
def test_colours_that_fill_the_lower_bits_are_made_as_bright_as_they_are(tmp_path, bits):
    picture = portrait_frame(0, (64, 48)).astype(np.uint32) * (2**bits - 1) // 255
    (tmp_path / "a.png").write_bytes(png(16, 2, 64, [row.astype(">u2").tobytes() for row in picture]))
    assert (
        np.abs(read_noted(tmp_path / "a.png", f"{bits} bits").astype(int) - portrait_frame(0, (64, 48))).max()
        <= 1
    )


def read_noted(path, words):
    array, notes = stills.read(path.read_bytes(), PLUGINS[path.suffix], LIMITS, np.inf)
    assert [words in note for note in notes] == [True]
    return array
