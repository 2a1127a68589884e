"""Parts of a face by its five landmarks, also of a turned one."""

from __future__ import annotations

import numpy as np
import pytest

from tbd_app.report.anatomy import focus, part

UPRIGHT = np.array([[40, 40], [80, 40], [60, 62], [45, 80], [75, 80]], np.float32)
PLACES = {
    (40, 40): "left_eye",
    (80, 42): "right_eye",
    (60, 42): "nose_bridge",
    (60, 62): "nose",
    (60, 82): "mouth",
    (60, 97): "chin",
    (60, 15): "forehead",
    (60, -12): "hairline",
    (35, 65): "left_cheek",
    (85, 65): "right_cheek",
    (20, 40): "left_temple",
    (90, 92): "right_jaw",
    (60, 140): "outside",
    (130, 40): "outside",
}


@pytest.mark.parametrize(("point", "expected"), PLACES.items())
@pytest.mark.parametrize("degrees", [0, 25, -40])
def test_the_part_at_a_point(point, expected, degrees):
    turn = np.deg2rad(degrees)
    by = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    assert part(by @ np.array(point, float), UPRIGHT @ by.T) == expected


def test_focus_is_the_hottest_place_and_none_for_a_faint_map():
    heat = np.zeros((120, 120), np.float32)
    heat[81, 60] = 1
    assert focus(heat, UPRIGHT) == "mouth"
    assert focus(0.1 * heat, UPRIGHT) is None
