"""What stands along a street: lamp posts, traffic lights, signs, bollards and trees."""

from __future__ import annotations

import numpy as np

from ultralytics.scenes.classes import StreetClass
from ultralytics.scenes.figure import Figure
from ultralytics.scenes.light import Colour, pick
from ultralytics.scenes.painter import Painter
from ultralytics.scenes.world import CIRCLE, Span, unit_circle

POLE_PAINT: tuple[Colour, ...] = ((122, 126, 128), (92, 98, 98), (150, 152, 150))
LEAVES: tuple[Colour, ...] = ((66, 104, 40), (82, 116, 44), (54, 90, 48), (104, 120, 44))
BARK: Colour = (92, 74, 56)
RED, AMBER, GREEN = (255, 48, 36), (255, 186, 40), (60, 240, 120)

_TRIANGLE = unit_circle(12)[[3, 7, 11]]
_OCTAGON = unit_circle(16)[1::2]


def lamp_post(painter: Painter, rng: np.random.Generator, x: float, z: float, arm: float) -> None:
    """Paint a street lamp whose arm reaches `arm` metres to the right (negative: to the left)."""
    colour, height = pick(rng, POLE_PAINT), rng.uniform(6.0, 8.0)
    figure = Figure(painter, x, z)
    figure.shadow(0.1, height)
    figure.limb(StreetClass.POLE, colour, (0.0, 0.0), (0.0, height), 0.24)
    figure.limb(StreetClass.POLE, colour, (0.0, 0.0), (0.0, 1.0), 0.34, 0.9)
    figure.limb(StreetClass.POLE, colour, (0.0, height), (arm, height + 0.3), 0.15)
    lamp: Colour = (255, 236, 180) if painter.light.lamps else (170, 172, 172)
    figure.limb(StreetClass.POLE, lamp, (arm * 0.75, height + 0.2), (arm * 1.15, height + 0.32), 0.2, 1.2)


def bollards(painter: Painter, rng: np.random.Generator, x: float, z: float) -> None:
    """Paint a row of short posts along the kerb."""
    for i in reversed(range(int(rng.integers(3, 7)))):
        figure = Figure(painter, x, z + i * 1.8)
        figure.shadow(0.08, 1.0)
        figure.limb(StreetClass.POLE, (104, 106, 108), (0.0, 0.0), (0.0, 1.0), 0.18)
        figure.limb(StreetClass.POLE, (226, 226, 220), (0.0, 0.72), (0.0, 0.86), 0.18)


def traffic_light(painter: Painter, rng: np.random.Generator, x: float, z: float, arm: float) -> None:
    """Paint a traffic light, with a second head over the road where `arm` is not 0."""
    figure = Figure(painter, x, z)
    figure.shadow(0.2, 3.6)
    height = 5.6 if arm else 3.4
    figure.limb(StreetClass.POLE, (104, 108, 110), (0.0, 0.0), (0.0, height), 0.18)
    state = int(rng.integers(3))
    if arm:
        figure.limb(StreetClass.POLE, (104, 108, 110), (0.0, 5.5), (arm, 5.6), 0.14)
        _signal(figure, (arm, 5.3), state)
    _signal(figure, (0.0, 3.0), state)


def _signal(figure: Figure, at: Span, state: int) -> None:
    kind, (u, v) = StreetClass.TRAFFIC_LIGHT, at
    figure.box(kind, (250, 206, 40), (u - 0.34, v - 0.68), (u + 0.34, v + 0.68))
    figure.box(kind, (26, 28, 28), (u - 0.27, v - 0.61), (u + 0.27, v + 0.61))
    for i, colour in enumerate((RED, AMBER, GREEN)):
        shown: Colour = colour if i == state else (62, 60, 56)
        figure.disc(kind, shown, (u, v + 0.4 - 0.4 * i), 0.18)


def traffic_sign(painter: Painter, rng: np.random.Generator, x: float, z: float) -> None:
    """Paint a sign on its post, sometimes two above each other."""
    figure = Figure(painter, x, z, scale=rng.uniform(1.0, 1.2))
    figure.shadow(0.3, 2.6)
    heights = (2.4, 3.3) if rng.random() < 0.3 else (2.5,)
    figure.limb(StreetClass.POLE, (140, 144, 146), (0.0, 0.0), (0.0, heights[-1]), 0.16)
    for height in heights:
        pick(rng, _SIGNS)(figure, (0.0, height))


def _prohibition(figure: Figure, at: Span) -> None:
    kind = StreetClass.TRAFFIC_SIGN
    figure.disc(kind, (206, 24, 30), at, 0.46)
    figure.disc(kind, (246, 246, 244), at, 0.34)
    figure.limb(kind, (40, 40, 44), (at[0] - 0.16, at[1]), (at[0] + 0.16, at[1]), 0.16)


def _mandatory(figure: Figure, at: Span) -> None:
    kind = StreetClass.TRAFFIC_SIGN
    figure.disc(kind, (24, 84, 184), at, 0.46)
    figure.limb(kind, (244, 244, 244), (at[0], at[1] - 0.24), (at[0], at[1] + 0.1), 0.12)
    figure.shape(kind, (244, 244, 244), _TRIANGLE * 0.2 + (at[0], at[1] + 0.1))


def _warning(figure: Figure, at: Span) -> None:
    kind = StreetClass.TRAFFIC_SIGN
    figure.shape(kind, (206, 24, 30), _TRIANGLE * 0.58 + at)
    figure.shape(kind, (248, 246, 240), _TRIANGLE * 0.36 + at)
    figure.limb(kind, (40, 40, 44), (at[0], at[1] - 0.1), (at[0], at[1] + 0.14), 0.08)


def _stop(figure: Figure, at: Span) -> None:
    kind = StreetClass.TRAFFIC_SIGN
    figure.shape(kind, (244, 244, 244), _OCTAGON * 0.5 + at)
    figure.shape(kind, (196, 20, 28), _OCTAGON * 0.45 + at)
    figure.limb(kind, (244, 244, 244), (at[0] - 0.28, at[1]), (at[0] + 0.28, at[1]), 0.18)


def _parking(figure: Figure, at: Span) -> None:
    kind, (u, v) = StreetClass.TRAFFIC_SIGN, at
    figure.box(kind, (24, 84, 184), (u - 0.4, v - 0.4), (u + 0.4, v + 0.4))
    figure.limb(kind, (246, 246, 246), (u - 0.1, v - 0.26), (u - 0.1, v + 0.26), 0.11)
    figure.disc(kind, (246, 246, 246), (u + 0.04, v + 0.1), 0.17)


_SIGNS = (_prohibition, _mandatory, _warning, _stop, _parking)


def direction_board(painter: Painter, rng: np.random.Generator, x: float, z: float) -> None:
    """Paint a large direction board on two posts."""
    kind = StreetClass.TRAFFIC_SIGN
    figure = Figure(painter, x, z)
    figure.shadow(1.4, 4.6)
    for u in (-1.0, 1.0):
        figure.limb(StreetClass.POLE, (140, 144, 146), (u, 0.0), (u, 3.0), 0.2)
    board: Colour = (20, 96, 66) if rng.random() < 0.5 else (24, 76, 170)
    figure.box(kind, (240, 240, 240), (-1.5, 2.7), (1.5, 4.6))
    figure.box(kind, board, (-1.44, 2.76), (1.44, 4.54))
    for v in (3.1, 3.65, 4.2):
        figure.box(kind, (240, 240, 240), (-1.1, v - 0.1), (rng.uniform(-0.1, 0.8), v + 0.1))


def tree(painter: Painter, rng: np.random.Generator, x: float, z: float, height: float) -> None:
    """Paint a tree: trunk and a crown of many leaf clusters, dark below and bright towards the sky."""
    kind, crown = StreetClass.VEGETATION, height * rng.uniform(0.26, 0.34)
    figure = Figure(painter, x, z)
    figure.shadow(crown * 0.7, height)
    figure.limb(kind, BARK, (0.0, 0.0), (rng.uniform(-0.2, 0.2), height * 0.6), height * 0.05)
    middle = (0.0, height - crown * 1.15)
    foliage(figure, rng, middle, (crown, crown * 1.15), pick(rng, LEAVES), 26 if z < 25 else 10)


def bush(painter: Painter, rng: np.random.Generator, x: float, z: float, size: float) -> None:
    """Paint a bush that stands on the ground."""
    figure = Figure(painter, x, z)
    figure.shadow(size * 0.5, size)
    foliage(figure, rng, (0.0, size * 0.4), (size * 0.6, size * 0.42), pick(rng, LEAVES), 12)


def foliage(figure: Figure, rng: np.random.Generator, middle: Span, radii: Span, colour: Colour, clusters: int) -> None:
    """Paint leaf clusters inside an ellipse."""
    kind = StreetClass.VEGETATION
    spots = CIRCLE[rng.integers(len(CIRCLE), size=clusters)] * np.sqrt(rng.random((clusters, 1))) * 0.8
    spots = spots[np.argsort(spots[:, 1], kind="stable")]
    wobble = rng.random(clusters)
    sizes = min(radii) * (0.24 + 0.2 * wobble)
    figure.shape(kind, colour, CIRCLE * (radii[0] * 0.82, radii[1] * 0.82) + middle, 0.62)
    leaves = CIRCLE * sizes[:, None, None] + (spots * radii + middle)[:, None, :]
    figure.shapes(kind, colour, leaves, (0.78 + 0.3 * spots[:, 1] + 0.24 * wobble).tolist())
