import numpy as np
import pytest

from tbd_app.media.packets import PacketTimes, Timeline, uniform_indices


@pytest.mark.parametrize(
    ("n_frames", "n"), [(1, 8), (7, 8), (8, 8), (9, 8), (100, 32), (301, 64), (18000, 32)]
)
def test_indices_span_the_timeline_evenly(n_frames, n):
    indices = uniform_indices(n_frames, n)
    assert len(indices) == min(n, n_frames)
    assert (indices[0], indices[-1]) == (0, n_frames - 1)
    expected = np.linspace(0, n_frames - 1, len(indices))
    assert np.abs(np.array(indices) - expected).max() <= 0.5


def line(pts, *, keys=(0,), dts=None, guessed=False):
    dts = range(len(pts)) if dts is None else dts
    packets = [PacketTimes(p, d, i in keys, 1) for i, (p, d) in enumerate(zip(pts, dts, strict=True))]
    return Timeline.of(packets, 0.04, 25, guessed=guessed)


def test_times_start_at_zero_in_order_of_presentation():
    timeline = line([10, 14, 12, 11])
    assert timeline.order.tolist() == [0, 3, 2, 1]
    assert timeline.times_s == pytest.approx([0, 0.04, 0.08, 0.16])
    assert timeline.duration_s == pytest.approx(0.2)
    assert timeline.trusted


def test_frame_shown_before_the_keyframe_it_follows_needs_the_earlier_one():
    timeline = line([0, 1, 5, 3, 4, 6], keys=(0, 2))
    assert [timeline.key_before(p) for p in range(6)] == [0, 0, 2, 0, 0, 2]


@pytest.mark.parametrize("pts", [[0, None, 2], [0, 1, 1]])
def test_missing_or_repeated_times_are_not_trusted(pts):
    assert not line(pts).trusted


def test_without_any_times_the_header_rate_counts():
    timeline = line([None] * 4, dts=[None] * 4)
    assert timeline.times_s == pytest.approx([0, 0.04, 0.08, 0.12])
    assert not timeline.trusted


def test_the_last_frame_lasts_as_long_as_its_packet_says_whatever_the_rate():
    packets = [PacketTimes(None, None, True, 48_000)] * 4
    assert Timeline.of(packets, 1 / 1_200_000, 25, guessed=False).duration_s == pytest.approx(0.16)


@pytest.mark.parametrize(
    "timeline",
    [line([10, 14, 12, 11], keys=(0, 2)), line([0, None, 2]), line([], dts=[]), line(range(100_000))],
)
def test_a_packed_timeline_comes_back_whole(timeline):
    back = Timeline.unpacked(timeline.packed())
    for name in Timeline.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(back, name), getattr(timeline, name))


def test_an_even_timeline_packs_into_little():
    assert len(line(range(0, 51_200_000, 512), keys=range(0, 100_000, 12)).packed()) < 10_000
