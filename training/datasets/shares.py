"""How often each way to make a pair is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from training.fakes.generators import Generator
from training.fakes.makers import MAKERS
from training.fakes.upscale import Upscaled

# Source of a pair -> share of the batch; a source without media, or without who draws for it, gives its share to the others.
# Pseudo-fakes are made of real faces, which stand beside them; "generated" are pairs of `GeneratedPairs`.
PAIR_SHARES = {
    "blend_still": 0.26,
    "blend_clip": 0.15,
    "mouth_still": 0.10,
    "mouth_clip": 0.07,
    "swap_still": 0.06,
    "swap_clip": 0.04,
    "resynth_still": 0.04,
    "resynth_clip": 0.03,
    "redraw_still": 0.07,
    "redraw_clip": 0.04,
    "upscale_still": 0.05,
    "upscale_clip": 0.03,
    "generated_still": 0.06,
}
# Half and more of the pairs are real generators': for networks with few free parameters, which cannot learn them by heart.
GENERATOR_SHARES = {
    "generated_clip": 0.50,
    "generated_still": 0.10,
    "blend_still": 0.12,
    "blend_clip": 0.09,
    "mouth_still": 0.05,
    "mouth_clip": 0.06,
    "swap_still": 0.04,
    "swap_clip": 0.04,
}
SHARES: dict[str, Mapping[str, float]] = {"blend": PAIR_SHARES, "mixed": GENERATOR_SHARES}
# Share of the strongly degraded pairs in which a second real stands for the fake. Where a trace may be gone, real and fake
# look alike, and a network says so by a score between; a video that is merely poor should score as a real one instead.
HIDDEN = 0.5


def shares_of(
    generators: Sequence[Generator] = (),
    upscaled: Upscaled | None = None,
    shares: Mapping[str, float] = PAIR_SHARES,
) -> dict[str, float]:
    """Shares without what autoencoders or networks of super-resolution make where there are none."""
    absent = {need for need, there in (("generators", generators), ("upscaled", upscaled)) if not there}
    missing = {name for name, maker in MAKERS.items() if maker.needs in absent}
    return {s: share for s, share in shares.items() if s.partition("_")[0] not in missing}
