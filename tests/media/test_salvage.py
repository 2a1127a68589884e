import numpy as np
import pytest

from tbd_app.media import stills
from tests.media.test_stills import LIMITS, PLUGINS, decode, read
from tests.media_factory import portrait_animation, portrait_frame, portrait_image


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif"])
def test_a_picture_without_its_end_is_used_with_a_warning(tmp_path, suffix, progressive):
    path = portrait_image(
        tmp_path / f"a{suffix}", **({"progressive": progressive} if suffix == ".jpg" else {})
    )
    whole = read(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for _ in range(2):  # what is lenient once stays strict the next time
        info, _ = stills.probe(limits=LIMITS, path=str(path), format_name=PLUGINS[suffix])
        assert (info["kind"], info["width"], info["height"]) == ("image", 320, 240)
        assert info["warnings"] == [
            "The end of the picture is missing or damaged; what can be read of it is used."
        ]
    _, (array,) = decode(path, PLUGINS[suffix], 1, 8)
    upper = (
        slice(20, 80)
        if suffix not in (".bmp", ".tif")
        else slice(150, 220)
        if suffix == ".bmp"
        else slice(20, 80)
    )
    assert np.abs(array[upper].astype(int) - whole[upper]).mean() < 12


def test_a_cut_animated_webp_uses_its_whole_frames(tmp_path):
    path = portrait_animation(tmp_path / "a.webp", n_frames=10, durations_ms=80, lossless=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 55 // 100])
    info, _ = stills.probe(limits=LIMITS, path=str(path), format_name="WEBP")
    assert info["kind"] == "video"
    assert 3 <= info["n_frames"] < 8
    assert info["duration_s"] == pytest.approx(0.08 * info["n_frames"])
    assert info["warnings"] == ["The end of the animation is missing or damaged; the rest is used."]
    _, arrays = decode(path, "WEBP", info["n_frames"], 8)
    for i, array in enumerate(arrays):
        np.testing.assert_array_equal(array, portrait_frame(i, (160, 120)))
