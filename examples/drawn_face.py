"""Draw a face: a relief of smooth bumps, painted and lit. Nobody posed for it.

Places on a face are (u, v), right and down from between the eyes, in half widths of the face.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

CANVAS = 960  # px, side of the drawing
UNIT, CENTRE = 190, (480, 430)  # px: one half width of the face, and where its (0, 0) is
U, V = np.meshgrid(*((np.arange(CANVAS, dtype=np.float32) - centre) / UNIT for centre in CENTRE))
A = np.abs(U)  # a face is symmetric, its light is not
KEY, FILL = (-0.50, -0.55, 0.67), (0.75, 0.05, 0.66)  # directions of the lights
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Person:
    """What differs between drawn people: colours (RGB) and measures (half widths of the face)."""

    skin: Colour
    lips: Colour
    iris: Colour
    hair: Colour
    eye_distance: float
    eye_width: float
    nose_width: float
    mouth_width: float
    jaw: float


PERSON = Person((222, 176, 150), (186, 108, 102), (92, 116, 110), (74, 50, 36), 0.42, 0.225, 0.17, 0.36, 0.30)
OTHER = Person((206, 152, 122), (160, 84, 84), (84, 58, 38), (40, 30, 26), 0.40, 0.20, 0.21, 0.38, 0.24)


def line(distance: np.ndarray, width: float | np.ndarray) -> np.ndarray:
    """1 where `distance` is 0, fading over `width`."""
    return np.exp(-((distance / width) ** 2))


def blob(u: float, v: float, width: float, height: float) -> np.ndarray:
    """A soft bump of height 1, on both sides of the face."""
    return line(A - u, width) * line(V - v, height)


def fade(depth: np.ndarray, over: float) -> np.ndarray:
    """1 down to `depth` 0, then fading."""
    return np.exp(-np.clip(depth, 0, None) / over)


def inside(depth: np.ndarray, softness: float = 0.012) -> np.ndarray:
    """A mask 0 to 1 of where `depth` is positive, with a soft edge."""
    return 1 / (1 + np.exp(-np.clip(depth / softness, -30, 30)))


def paint(picture: np.ndarray, mask: np.ndarray, colour: np.ndarray | Colour) -> np.ndarray:
    """The picture with a colour, or another picture, laid over it."""
    return picture + mask[..., None] * (np.asarray(colour, np.float32) - picture)


def toned(colour: Colour, brightness: np.ndarray) -> np.ndarray:
    """A picture of one colour and varying brightness."""
    return np.float32(colour) * brightness[..., None]


@cache
def noise(grain_px: float, seed: int) -> np.ndarray:
    """Random texture of mean 0 and deviation 1."""
    grains = np.random.default_rng(seed).normal(size=(CANVAS, CANVAS)).astype(np.float32)
    grains = cv2.GaussianBlur(grains, (0, 0), grain_px)
    return grains / grains.std()


def relief(person: Person) -> np.ndarray:
    """Height of the face over the picture, in half widths."""
    down = np.clip((V - 0.1) / 1.2, 0, 1)
    width = 0.97 - person.jaw * down**2 * (3 - 2 * down)
    height = np.where(V > 0, 1.33, 1.5)
    z = 0.95 * np.sqrt(np.clip(1 - np.abs(U / width) ** 2.3 - np.abs(V / height) ** 2.6, 0.002, 1))
    bridge = np.clip((V + 0.25) / 0.65, 0, 1)
    z += 0.20 * bridge**1.3 * line(U, 0.09 + 0.05 * bridge) * inside(0.38 - V, 0.035)
    z += 0.10 * blob(0, 0.31, 0.14, 0.13) + 0.07 * blob(person.nose_width, 0.37, 0.07, 0.08)
    z += 0.05 * blob(0.36, -0.36, 0.30, 0.10) + 0.06 * blob(0.55, 0.22, 0.26, 0.20)  # brows, cheeks
    z -= 0.11 * blob(person.eye_distance - 0.06, -0.12, 0.26, 0.15)
    z += 0.06 * blob(person.eye_distance, -0.05, 0.19, 0.12)
    z += 0.05 * blob(0, 0.66, 0.26, 0.06) + 0.06 * blob(0, 0.79, 0.20, 0.06)  # lips
    z -= (
        0.05 * blob(0, 0.72, 0.30, 0.02) + 0.05 * blob(0, 0.91, 0.20, 0.05) + 0.02 * blob(0, 0.53, 0.03, 0.07)
    )
    z += 0.07 * blob(0, 1.08, 0.20, 0.12)  # chin
    return cv2.GaussianBlur(z.astype(np.float32), (0, 0), 3)


def lit(picture: np.ndarray, z: np.ndarray) -> np.ndarray:
    """A painted relief under a soft key light from the upper left and a weak fill light."""
    slope_v, slope_u = np.gradient(z * UNIT)
    normal = np.stack([-slope_u, -slope_v, np.ones_like(z)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    key, fill = (np.clip(normal @ np.float32(light) * 0.75 + 0.25, 0, 1) for light in (KEY, FILL))
    hollow = np.clip(1 + 1.4 * (z - cv2.GaussianBlur(z, (0, 0), 24)), 0.6, 1.1)
    shade = (0.33 + 0.70 * key + 0.22 * fill) * hollow
    half = np.float32(KEY) + np.float32([0, 0, 1])
    gloss = np.clip(normal @ (half / np.linalg.norm(half)), 0, 1) ** 24
    return picture * shade[..., None] ** np.float32([0.85, 1.0, 1.1]) + 16 * gloss[..., None]


def skin(person: Person) -> np.ndarray:
    """Skin with its redder and darker places and pores, and lips."""
    picture = np.full((CANVAS, CANVAS, 3), person.skin, np.float32)
    red = (
        0.25 * blob(0.55, 0.30, 0.25, 0.22)
        + 0.18 * blob(0, 0.36, 0.16, 0.14)
        + 0.15 * blob(0, 1.05, 0.3, 0.2)
    )
    picture = paint(picture, red, picture * np.float32([1.0, 0.80, 0.76]))
    picture = paint(picture, 0.25 * blob(person.eye_distance, -0.06, 0.27, 0.17), (150, 100, 92))
    picture += (2.2 * noise(1.5, 1) + 2.0 * noise(9, 2) + 2.5 * noise(40, 3))[..., None]
    x = U / person.mouth_width
    across = np.clip(1 - x**2, 0, 1)
    below = V - 0.735 + 0.065 * np.minimum(x**2, 1.5) + 0.008 * np.cos(9 * x)  # the line between the lips
    upper = inside(np.minimum(below + 0.105 * across - 0.024 * line(x, 0.2), -below), 0.010)
    lower = inside(np.minimum(below, 0.140 * across**0.8 - below), 0.012)
    for lip, strength, brightness in ((upper, 0.85, 0.88), (lower, 0.75, 1.04)):
        colour = toned(person.lips, brightness + 0.04 * noise(3, 4))
        picture = paint(picture, strength * lip * (across > 0), colour)
    return paint(picture, 0.75 * line(below, 0.011) * inside(1.03 - np.abs(x), 0.04), (84, 40, 40))


def eyes(picture: np.ndarray, person: Person, opening: float) -> np.ndarray:
    """The lit skin with eyes, lids and lashes."""
    x = (A - person.eye_distance) / person.eye_width
    arch, ends = np.clip(1 - x**2, 0, 1), 1 - np.abs(x)
    low = -0.02 + 0.055 * arch**0.8 - 0.02 * x
    top = low - 0.02 - opening * 0.150 * arch**0.75 + 0.015 * (1 - opening)
    eye = toned((226, 218, 212), 1 - 0.25 * x**2 - 0.25 * fade(V - top, 0.04))
    du, dv = A - person.eye_distance, V + 0.045
    r, angle = np.hypot(du, dv) / 0.095, np.arctan2(dv, du)
    fibres = 1 + 0.12 * np.sin(19 * angle) * np.sin(7 * angle + 1) + 2.5 * np.clip(dv, -0.1, 0.1)
    eye = paint(eye, inside(1 - r, 0.06), toned(person.iris, fibres))
    eye = paint(eye, 0.7 * line(r - 0.98, 0.14), (36, 34, 34))
    eye = paint(eye, inside(0.42 - r, 0.05), (14, 12, 12))
    for centre in (-person.eye_distance, person.eye_distance):
        glint = np.hypot(U - centre + 0.035, V + 0.08)
        eye = paint(eye, 0.9 * inside(0.017 - glint, 0.005), (250, 250, 250))
    shown = inside(np.minimum(V - top, low - V), 0.008) * inside(ends, 0.03) * min(1.0, 2 * opening)
    picture = paint(picture, shown, eye)
    picture = paint(picture, 0.85 * line(V - top + 0.006, 0.016) * inside(ends + 0.06, 0.04), (44, 30, 26))
    picture = paint(picture, 0.30 * line(V - low - 0.006, 0.012) * inside(ends, 0.05), (96, 56, 50))
    crease = line(V - low + 0.115 + 0.105 * arch**0.75, 0.014)
    return paint(picture, 0.30 * crease * inside(ends - 0.05, 0.1), (110, 66, 56))


def brows_and_nostrils(picture: np.ndarray, person: Person) -> np.ndarray:
    """The lit skin with brows and nostrils."""
    x = (A - person.eye_distance - 0.01) / 0.29
    middle = -0.355 - 0.035 * (1 - (x - 0.1) ** 2) + 0.03 * np.clip(x, 0, 1)
    thick = 0.004 + 0.046 * (1 - 0.45 * np.clip(x, -0.3, 1)) * np.clip(1 - x**2, 0, 1) ** 0.35
    brow = line(V - middle, thick) * inside(1 - np.abs(x), 0.06) * np.clip(0.85 + 0.13 * noise(2.2, 5), 0, 1)
    picture = paint(picture, 0.78 * brow, np.float32(person.hair) * 0.85)
    return paint(picture, 0.75 * blob(0.55 * person.nose_width, 0.425, 0.055, 0.022), (70, 36, 32))


def hair(person: Person) -> tuple[np.ndarray, np.ndarray]:
    """A picture of strands that fall from a parting, and the depth inside the outline of the hair."""
    x = ((U - 0.12) / np.sqrt(np.clip(V + 1.75, 0.02, None)) * 420 + 480).astype(np.float32)
    strands = cv2.remap(noise(2, 6), x, V * 14 + 480, cv2.INTER_LINEAR)
    locks = cv2.remap(noise(9, 7), x, V * 30 + 480, cv2.INTER_LINEAR)
    shine = 0.55 * line(V + 1.12 - 0.25 * A**2, 0.20) * line(U + 0.35, 0.6)
    dark = np.clip(1.05 - 0.35 * np.clip(V, 0, 1.5) - 0.25 * np.clip(U, 0, 1), 0.4, 1.2)
    crown = 1 - np.hypot(U / 1.17, (V + 0.28) / 1.36)
    sides = 1.165 - 0.06 * np.clip(V - 0.1, 0, 2) ** 2 - A
    tips = 1.42 - 0.2 * A - V + 0.02 * locks
    outline = np.maximum(crown, np.minimum(sides, np.minimum(V + 0.1, tips)))
    return toned(person.hair, (0.75 + shine + 0.10 * strands + 0.13 * locks) * dark), outline


@cache
def portrait(person: Person, opening: float) -> tuple[np.ndarray, np.ndarray]:
    """A person against a wall.

    Args:
        person: who.
        opening: of the eyes, 0 (shut) to 1.

    Returns:
        Picture (CANVAS,CANVAS,3) float32 RGB, 0 to 255, and relief of the face (CANVAS,CANVAS), in half widths.
    """
    picture = toned((150, 162, 170), 1.06 - 0.10 * np.hypot(U + 0.8, V + 0.8))
    strands, outline = hair(person)
    picture = paint(picture, inside(outline, 0.02), strands * 0.62)
    neck = inside(0.52 + 0.9 * np.clip(V - 1.55, 0, 1) ** 2 - A) * inside(V - 0.8)
    neck_light = 0.92 - 0.50 * fade(V - 1.15, 0.35) - 0.14 * U - 0.5 * A**2 + 0.01 * noise(2, 8)
    picture = paint(picture, neck, toned(person.skin, neck_light))
    shirt = V - 1.62 - 0.30 * A**2 - 0.25 * np.exp(-((A / 0.42) ** 4))
    cloth = 1 - 0.16 * U + 0.03 * noise(30, 9) + 0.02 * noise(1.2, 10)
    picture = paint(picture, inside(shirt), toned((62, 96, 108), cloth * (1 - 0.35 * fade(shirt, 0.05))))
    z = relief(person)
    face = brows_and_nostrils(eyes(lit(skin(person), z), person, opening), person)
    hairline = 1 - np.hypot(U / 0.93, np.where(V < 0, (V - 0.05) / 1.02, 0.35 * V))
    picture = paint(picture, inside(z - 0.13, 0.02), face * (1 - 0.45 * fade(hairline, 0.10)[..., None]))
    fringe = np.minimum(outline, 0.012 * noise(6, 11) - hairline)
    return np.clip(paint(picture, inside(fringe, 0.018), strands), 0, 255).astype(np.float32), z
