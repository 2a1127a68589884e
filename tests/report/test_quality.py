from __future__ import annotations

from dataclasses import replace

import numpy as np

from tbd_app.report.quality import remarks
from tests.report_factory import make_report


def test_a_good_face_gets_no_remark_and_a_poor_one_each_that_applies():
    report = make_report(n_people=1)
    (person,) = report.people
    media = replace(report.media, bytes=10_000_000)
    assert list(remarks(person, media)) == []
    quality = replace(person.track.quality, median_side_px=70.0, blur=12.0)
    dim = (person.thumbnail * 0.2).astype(np.uint8)
    poor = replace(person, track=replace(person.track, quality=quality), thumbnail=dim)
    found = dict(remarks(poor, replace(media, bytes=60_000)))
    assert set(found) == {"small", "blurred", "dark", "compressed"}
    assert found["small"] == 70
    assert "compressed" not in dict(remarks(poor, replace(media, kind="image")))
