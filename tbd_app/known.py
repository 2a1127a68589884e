"""What was measured on media whose truth is known: figures of a model or of the vote, and how scores are combined."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

# Families of fakes: what was done to a face. "blending" and "synthesis" are older words for swap and lip-sync, and for
# heads generated whole, in figures that were measured before the data named six families.
Family = Literal["swap", "lipsync", "reenact", "talking", "t2v", "edit", "still", "blending", "synthesis"]
MeasuredKind = Literal["video", "image"]
MEASURED_KINDS: tuple[MeasuredKind, ...] = ("video", "image")
# What a report's kind of media is measured as.
MEASURED_AS: dict[str, MeasuredKind] = {"video": "video", "frames": "video", "image": "image"}
DECIMALS = 6  # of every number in a report


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure in [0,1] with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Measured:
        """The figure that `to_dict` wrote."""
        return cls(raw["value"], *raw["ci"])

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON data."""
        return {"value": self.value, "ci": [self.low, self.high]}


@dataclass(frozen=True, slots=True)
class KnownPerformance:
    """What one model, or a vote, did on one kind of media.

    Attributes:
        data: the media in words, such as "val clips".
        n_real: how many of them are real.
        n_fake: how many of them are fake; 0 where only reals were measured.
        flagged_real: share of the reals that were called fake; None for "not measured", here and below.
        found_fake: share of the fakes that were called fake.
        called_real_fake: share of the fakes that were called real.
        auc: area under the ROC curve.
        sees: families of fakes that are told from reals better than the evaluation's bound.
        blind_to: families that are not; a family that was never measured is in neither.
    """

    data: str
    n_real: int
    n_fake: int = 0
    flagged_real: Measured | None = None
    found_fake: Measured | None = None
    called_real_fake: Measured | None = None
    auc: Measured | None = None
    sees: tuple[Family, ...] = ()
    blind_to: tuple[Family, ...] = ()

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> KnownPerformance:
        """The figures that `to_dict` wrote, as a manifest holds them."""
        figures = {k: Measured.from_dict(raw[k]) for k in FIGURES if raw.get(k) is not None}
        return cls(
            raw["data"],
            raw["n_real"],
            raw.get("n_fake", 0),
            **figures,
            sees=tuple(raw.get("sees", ())),
            blind_to=tuple(raw.get("blind_to", ())),
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON data, every key there."""
        figures = {k: m.to_dict() if (m := getattr(self, k)) else None for k in FIGURES}
        return {
            "data": self.data,
            "n_real": self.n_real,
            "n_fake": self.n_fake,
            **figures,
            "sees": list(self.sees),
            "blind_to": list(self.blind_to),
        }

    def counts(self) -> dict[str, tuple[int, int]]:
        """The shares that were measured as counts: how many, of how many; {"found_fake": (9, 27)}."""
        of = {"flagged_real": self.n_real, "found_fake": self.n_fake, "called_real_fake": self.n_fake}
        return {
            k: (round(m.value * n), n) for k, n in of.items() if n and (m := getattr(self, k)) is not None
        }

    def to_report(self) -> dict[str, Any]:
        """As plain JSON data with the counts, as reports hold it."""
        return self.to_dict() | {"counts": self.counts()}


FIGURES = ("flagged_real", "found_fake", "called_real_fake", "auc")


@dataclass(frozen=True, slots=True)
class Combination:
    """How the scores of the voters on one kind of media become one, by how rare each of them is among real media.

    `pipeline/verdict.py` has the formula. All numbers are rounded to `DECIMALS`, so that a verdict is worked out with what
    its report shows.

    Attributes:
        reals: by model, two logits of real media: their median, and what one in twenty exceeds.
        power: of the norm that joins the logarithms of their rarities: 1 adds them, a high one takes the rarest alone.
        gain: what that norm adds to the logit of the combined score.
        bias: that logit where all scores are as low as can be.
        threshold: fake at or above it.
        real_below: real below it, uncertain between; never above `threshold`.

    Raises:
        ValueError: there is no model, or a number is out of its range.
    """

    reals: dict[str, tuple[float, float]]
    power: float
    gain: float
    bias: float
    threshold: float
    real_below: float

    def __post_init__(self) -> None:
        rounded = {
            name: (round(float(median), DECIMALS), round(float(top), DECIMALS))
            for name, (median, top) in self.reals.items()
        }
        object.__setattr__(self, "reals", rounded)
        for name in ("power", "gain", "bias", "threshold", "real_below"):
            object.__setattr__(self, name, round(float(getattr(self, name)), DECIMALS))
        if not rounded or not all(-math.inf < median < top < math.inf for median, top in rounded.values()):
            raise ValueError(f"reals must be there, finite, the median below the other: {rounded}")
        if not 1 <= self.power < math.inf:
            raise ValueError(f"power must be at least 1 and finite: {self.power}")
        if not 0 <= self.gain < math.inf or not math.isfinite(self.bias):
            raise ValueError(f"gain and bias must be finite, gain not negative: {self.gain}, {self.bias}")
        if not 0 <= self.real_below <= self.threshold <= 1:
            raise ValueError(
                f"0 <= real_below <= threshold <= 1 must hold: real_below {self.real_below}, threshold {self.threshold}"
            )

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON data, as manifests and reports hold it."""
        return asdict(self) | {"reals": {name: list(points) for name, points in self.reals.items()}}


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a report says of a model that was asked, so that a view need not look it up.

    Attributes:
        known: measured on the kind of media that the report is about; None for "not measured".
    """

    name: str
    architecture: str
    licence: str
    known: KnownPerformance | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON data."""
        return {
            "name": self.name,
            "architecture": self.architecture,
            "licence": self.licence,
            "known_performance": self.known.to_report() if self.known else None,
        }
