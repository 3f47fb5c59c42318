"""People on foot, on bicycles and on motorcycles: flat figures that face the camera."""

from __future__ import annotations

import numpy as np

from ultralytics.scenes.classes import StreetClass
from ultralytics.scenes.figure import Figure
from ultralytics.scenes.light import Colour, pick
from ultralytics.scenes.painter import Painter
from ultralytics.scenes.world import CIRCLE

SKIN: tuple[Colour, ...] = ((232, 190, 160), (206, 154, 118), (150, 100, 70), (98, 64, 46))
HAIR: tuple[Colour, ...] = ((40, 30, 26), (90, 60, 36), (170, 130, 80), (120, 118, 116))
CLOTHES: tuple[Colour, ...] = (
    (170, 40, 46), (36, 60, 120), (214, 208, 198), (52, 54, 60), (66, 110, 76), (196, 140, 60), (118, 70, 128),
    (90, 140, 170),
)  # fmt: skip
TROUSERS: tuple[Colour, ...] = ((40, 46, 66), (34, 34, 38), (98, 84, 66), (72, 84, 108))
VESTS: tuple[Colour, ...] = ((206, 232, 40), (255, 130, 20))
HELMETS: tuple[Colour, ...] = ((238, 238, 238), (200, 30, 36), (30, 30, 34), (30, 90, 190))
TYRE: Colour = (28, 28, 30)
FRAMES: tuple[Colour, ...] = ((190, 40, 120), (40, 160, 170), (150, 60, 190), (230, 230, 230))
BIKES: tuple[Colour, ...] = ((190, 24, 28), (26, 28, 34), (24, 80, 180), (236, 120, 20))


def pedestrian(painter: Painter, rng: np.random.Generator, x: float, z: float) -> None:
    """Paint someone on foot."""
    kind = StreetClass.PERSON
    figure = Figure(painter, x, z, scale=rng.uniform(0.9, 1.12), mirrored=bool(rng.integers(2)))
    figure.shadow(0.22, 1.7)
    trousers, top = pick(rng, TROUSERS), pick(rng, CLOTHES)
    stride, hem = rng.uniform(0.03, 0.26), rng.choice((0.86, 0.62))
    figure.limb(kind, trousers, (0.08, 0.9), (0.08 + stride, 0.03), 0.16, 0.85)
    figure.limb(kind, trousers, (-0.08, 0.9), (-0.08 - stride, 0.03), 0.17)
    figure.limb(kind, (36, 32, 30), (-0.1 - stride, 0.03), (0.02 - stride, 0.03), 0.08)
    figure.limb(kind, top, (0.2, 1.38), (0.28 + stride * 0.5, 0.86), 0.11, 0.8)
    figure.shape(kind, top, [(-0.24, 1.38), (-0.16, 1.47), (0.16, 1.47), (0.24, 1.38), (0.2, hem), (-0.2, hem)])
    figure.shape(kind, top, [(0.06, 1.46), (0.16, 1.47), (0.24, 1.38), (0.2, hem), (0.08, hem)], 0.85)
    figure.limb(kind, top, (-0.21, 1.38), (-0.29 + stride * 0.5, 0.88), 0.11, 0.92)
    if rng.random() < 0.35:
        figure.box(kind, pick(rng, CLOTHES), (-0.42, 0.58), (-0.2, 0.86))
    _head(figure, kind, rng, (0.0, 1.6), pick(rng, HAIR))


def _head(figure: Figure, kind: StreetClass, rng: np.random.Generator, at: tuple[float, float], hair: Colour) -> None:
    figure.disc(kind, hair, (at[0], at[1] + 0.03), 0.135)
    figure.disc(kind, pick(rng, SKIN), (at[0] + 0.02, at[1] - 0.02), 0.11)


def bicycle(painter: Painter, rng: np.random.Generator, x: float, z: float, *, side_on: bool, ridden: bool) -> None:
    """Paint a bicycle seen from its side or from behind, with its rider or parked."""
    figure = Figure(painter, x, z, scale=rng.uniform(0.97, 1.08), mirrored=bool(rng.integers(2)))
    figure.shadow(0.9 if side_on else 0.25, 1.5 if ridden else 0.6)
    (_bicycle_side if side_on else _bicycle_behind)(figure, pick(rng, FRAMES))
    if ridden:
        (_rider_side if side_on else _rider_behind)(figure, rng, 0.95, rng.uniform(0.0, 0.2))


def motorcycle(painter: Painter, rng: np.random.Generator, x: float, z: float, *, side_on: bool, ridden: bool) -> None:
    """Paint a motorcycle seen from its side or from behind, with its rider or parked."""
    figure = Figure(painter, x, z, scale=rng.uniform(1.02, 1.15), mirrored=bool(rng.integers(2)))
    figure.shadow(1.0 if side_on else 0.35, 1.5 if ridden else 0.9)
    (_motorcycle_side if side_on else _motorcycle_behind)(figure, pick(rng, BIKES), painter.light.lamps)
    if ridden:
        (_rider_side if side_on else _rider_behind)(figure, rng, 0.82, 0.1)


def _bicycle_side(figure: Figure, colour: Colour) -> None:
    kind = StreetClass.BICYCLE
    for u in (-0.54, 0.54):
        figure.disc(kind, TYRE, (u, 0.36), 0.37)
        figure.disc(kind, (150, 152, 150), (u, 0.36), 0.3)
        figure.disc(kind, TYRE, (u, 0.36), 0.06)
    for start, stop in (
        ((-0.54, 0.36), (-0.1, 0.34)), ((-0.1, 0.34), (-0.22, 0.92)), ((-0.1, 0.34), (0.38, 0.86)),
        ((-0.2, 0.8), (0.38, 0.86)), ((0.54, 0.36), (0.36, 0.98)), ((-0.54, 0.36), (-0.2, 0.8)),
    ):  # fmt: skip
        figure.limb(kind, colour, start, stop, 0.065)
    figure.limb(kind, TYRE, (-0.36, 0.96), (-0.08, 0.96), 0.09)
    figure.limb(kind, TYRE, (0.3, 1.02), (0.48, 1.04), 0.07)


def _bicycle_behind(figure: Figure, colour: Colour) -> None:
    kind = StreetClass.BICYCLE
    figure.limb(kind, TYRE, (0.0, 0.0), (0.0, 0.72), 0.1)
    figure.limb(kind, colour, (-0.07, 0.3), (0.0, 0.95), 0.06)
    figure.limb(kind, colour, (0.07, 0.3), (0.0, 0.95), 0.06)
    figure.limb(kind, TYRE, (-0.3, 1.02), (0.3, 1.02), 0.07)
    figure.box(kind, (190, 30, 30), (-0.06, 0.62), (0.06, 0.74))
    figure.limb(kind, TYRE, (-0.13, 0.94), (0.13, 0.94), 0.1)


def _motorcycle_side(figure: Figure, colour: Colour, lit: bool) -> None:
    kind = StreetClass.MOTORCYCLE
    for u in (-0.68, 0.7):
        figure.disc(kind, TYRE, (u, 0.33), 0.34)
        figure.disc(kind, (120, 122, 126), (u, 0.33), 0.16)
    figure.shape(kind, (70, 72, 78), [(-0.4, 0.25), (0.35, 0.25), (0.42, 0.62), (-0.5, 0.62)])
    fairing = [(-0.95, 0.86), (-0.8, 0.62), (0.3, 0.55), (0.62, 0.78), (0.55, 1.06), (0.1, 1.0), (-0.2, 0.8)]
    figure.shape(kind, colour, fairing)
    figure.shape(kind, (30, 30, 34), [(-0.9, 0.9), (-0.2, 0.8), (0.02, 0.86), (-0.2, 0.92), (-0.86, 0.97)])
    figure.limb(kind, (150, 152, 158), (0.7, 0.33), (0.48, 1.05), 0.09)
    figure.limb(kind, (30, 30, 34), (0.36, 1.16), (0.5, 1.08), 0.08)
    figure.limb(kind, (170, 172, 176), (-0.85, 0.36), (-0.15, 0.32), 0.1)
    figure.disc(kind, (250, 244, 214) if lit else (206, 206, 200), (0.64, 0.94), 0.09)


def _motorcycle_behind(figure: Figure, colour: Colour, lit: bool) -> None:
    kind = StreetClass.MOTORCYCLE
    figure.limb(kind, TYRE, (0.0, 0.0), (0.0, 0.66), 0.2)
    figure.shape(kind, (70, 72, 78), [(-0.26, 0.3), (0.26, 0.3), (0.22, 0.62), (-0.22, 0.62)])
    figure.limb(kind, TYRE, (0.0, 0.0), (0.0, 0.5), 0.18)
    figure.shape(kind, colour, [(-0.24, 0.55), (0.24, 0.55), (0.2, 0.9), (-0.2, 0.9)])
    figure.box(kind, (230, 40, 36) if lit else (190, 30, 32), (-0.14, 0.68), (0.14, 0.8))
    figure.limb(kind, (40, 40, 44), (-0.4, 1.02), (0.4, 1.02), 0.08)
    for u in (-0.42, 0.42):
        figure.disc(kind, (40, 40, 44), (u, 1.12), 0.09)


def _rider_side(figure: Figure, rng: np.random.Generator, seat: float, lean: float) -> None:
    kind = StreetClass.RIDER
    trousers, top = pick(rng, TROUSERS), pick(rng, VESTS)
    knee, foot = (0.2, seat - 0.12), (0.06, 0.26)
    figure.limb(kind, trousers, (-0.2, seat + 0.05), knee, 0.19)
    figure.limb(kind, trousers, knee, foot, 0.15, 0.9)
    figure.limb(kind, (34, 30, 30), foot, (0.2, 0.24), 0.1)
    shoulder = (0.04 + lean, seat + 0.55)
    figure.limb(kind, top, (-0.2, seat), shoulder, 0.32)
    figure.limb(kind, top, shoulder, (0.4, seat + 0.14), 0.12, 0.82)
    _helmet(figure, rng, (shoulder[0] + 0.07, shoulder[1] + 0.22))


def _rider_behind(figure: Figure, rng: np.random.Generator, seat: float, lean: float) -> None:
    kind = StreetClass.RIDER
    trousers, top = pick(rng, TROUSERS), pick(rng, VESTS)
    for sign in (-1, 1):
        figure.limb(kind, trousers, (sign * 0.11, seat), (sign * 0.22, 0.28 + 0.12 * sign), 0.17, 1.0 - 0.08 * sign)
        figure.limb(kind, top, (sign * 0.22, seat + 0.52), (sign * 0.36, seat + 0.1), 0.12, 0.88)
    back = [(-0.19, seat - 0.04), (0.19, seat - 0.04), (0.26, seat + 0.5), (0.14, seat + 0.6)]
    figure.shape(kind, top, [*back, (-0.14, seat + 0.6), (-0.26, seat + 0.5)])
    figure.limb(kind, (210, 212, 214), (-0.22, seat + 0.28), (0.22, seat + 0.28), 0.06)
    _helmet(figure, rng, (lean * 0.2, seat + 0.74))


def _helmet(figure: Figure, rng: np.random.Generator, at: tuple[float, float]) -> None:
    figure.disc(StreetClass.RIDER, pick(rng, SKIN), (at[0] + 0.02, at[1] - 0.04), 0.12)
    cap = [(u, v) for u, v in CIRCLE * 0.16 if v >= -0.02]
    figure.shape(StreetClass.RIDER, pick(rng, HELMETS), np.array(cap) + at)
