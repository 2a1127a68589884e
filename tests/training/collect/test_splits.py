"""Splits by connected components of people."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.collect.medium import Medium
from training.collect.splits import components, divide, parse_shares, shared_people

SHARES = {"train": 0.7, "val": 0.15, "test": 0.15}


def medium(file: str, target: str = "", source: str = "", split: str = "") -> Medium:
    return Medium(Path(), file, "toy", file, int(bool(source)), split, target_id=target, source_id=source)


def pairs(n: int) -> list[Medium]:
    """n pairs of people, each with two reals and two swaps, as in FaceForensics++."""
    out = []
    for i in range(n):
        a, b = f"a{i}", f"b{i}"
        out += [medium(a, a), medium(b, b), medium(f"{a}_{b}", a, b), medium(f"{b}_{a}", b, a)]
    return out


def test_components_follow_people_through_others() -> None:
    media = [
        medium("1", "a"),
        medium("2", "b"),
        medium("3", "c"),
        medium("4", "a", "b"),
        medium("5", "c", "d"),
    ]
    group = components(media).tolist()
    assert group[0] == group[1] == group[3] != group[2]
    assert group[2] == group[4]


def test_media_of_nobody_stand_alone() -> None:
    assert len(set(components([medium(str(n)) for n in range(5)]).tolist())) == 5


def test_no_person_is_in_two_splits_and_shares_are_kept() -> None:
    media = divide(pairs(40), SHARES, seed=3)
    assert [m.file for m in media] == [m.file for m in pairs(40)]
    assert shared_people(media) == {}
    counts = [sum(m.split == name for m in media) for name in SHARES]
    assert counts == [112, 24, 24]


def test_the_seed_decides() -> None:
    first, again, other = (divide(pairs(20), SHARES, seed=s) for s in (1, 1, 2))
    assert first == again
    assert first != other


def clique(n: int) -> list[Medium]:
    """Everybody swapped with everybody, as the actors of DeepFakeDetection."""
    people = [f"p{i}" for i in range(n)]
    return [medium(f"{a}_{b}", a, b if a != b else "") for a in people for b in people]


def test_people_that_all_hang_together_are_refused() -> None:
    with pytest.raises(SystemExit, match=r"400 of 400 hang together.*--drop-mixed"):
        divide(clique(20), SHARES, seed=1)


def test_drop_mixed_divides_people_and_drops_what_mixes_them() -> None:
    shares = {"train": 0.6, "val": 0.4}
    media = divide(clique(20), shares, seed=1, drop_mixed=True)
    assert shared_people(media) == {}
    assert [sum(m.split == name for m in media) for name in shares] == [12 * 12, 8 * 8]
    assert len({m.target_id for m in media}) == 20


def test_shared_people_are_named() -> None:
    media = [
        medium("1", "a", split="train"),
        medium("2", "b", "a", split="test"),
        medium("3", "b", split="test"),
    ]
    assert shared_people(media) == {"a": {"train", "test"}}


def test_shares_are_read() -> None:
    assert parse_shares("70/15/15") == pytest.approx(SHARES)
    assert parse_shares("9/1") == pytest.approx({"train": 0.9, "val": 0.1})


@pytest.mark.parametrize("text", ["", "70", "70/0/30", "a/b", "1/2/3/4", "70,30"])
def test_other_shares_are_refused(text) -> None:
    with pytest.raises(SystemExit, match="is no split: give two or three numbers"):
        parse_shares(text)
