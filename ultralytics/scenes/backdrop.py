"""What closes a street off: buildings, walls, fences and hedges along it, hills or a skyline at its end."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ultralytics.scenes.classes import StreetClass
from ultralytics.scenes.figure import Figure, Panel
from ultralytics.scenes.light import Colour, pick, toned
from ultralytics.scenes.painter import Painter
from ultralytics.scenes.roadside import LEAVES, foliage
from ultralytics.scenes.world import Span, rectangles, spaced

FACADES: tuple[Colour, ...] = (
    (186, 158, 128), (164, 104, 82), (206, 190, 160), (150, 142, 136), (190, 176, 168), (136, 96, 80), (200, 170, 120),
    (168, 150, 140),
)  # fmt: skip
ROOFS: tuple[Colour, ...] = ((134, 70, 54), (84, 78, 80), (110, 82, 66))
PANE: Colour = (66, 78, 96)
LIT_PANE: Colour = (250, 214, 130)
DOOR: Colour = (84, 58, 44)
AWNINGS: tuple[Colour, ...] = ((160, 40, 40), (40, 90, 70), (50, 70, 120), (190, 150, 60))
CONCRETE: tuple[Colour, ...] = ((168, 166, 172), (150, 148, 156), (182, 178, 176))
BRICK: Colour = (156, 92, 84)
BOARDS: tuple[Colour, ...] = ((140, 100, 62), (120, 112, 96), (108, 76, 50))


def building(painter: Painter, rng: np.random.Generator, side: int, edge: float, span: Span) -> None:
    """Paint a house whose front looks at the street.

    Args:
        painter: where to paint.
        rng: what its looks are drawn from.
        side: -1 left of the street, 1 right of it.
        edge: distance of the front from the camera's axis, metres.
        span: where it starts and stops along the street.
    """
    kind, colour, x, (z0, z1) = StreetClass.BUILDING, pick(rng, FACADES), side * edge, span
    floors, storey = int(rng.integers(2, 7)), rng.uniform(2.9, 3.4)
    height, depth = floors * storey + 0.8, side * 8.0
    painter.cast_shadow(_footprint(x, depth, span), height)
    pitched = floors <= 4 and rng.random() < 0.5
    if pitched:
        ridge = (x + depth / 2, height + 3.0)
        roof = np.array([(x, height, z0), (x, height, z1), (*ridge, z1), (*ridge, z0)])
        painter.face(kind, pick(rng, ROOFS), roof)
        painter.face(kind, colour, np.array([(x, height, z0), (x + depth, height, z0), (*ridge, z0)]))
    gable = Panel(painter, kind, (x, 0.0, z0), (float(side), 0.0, 0.0))
    front = Panel(painter, kind, (x, 0.0, z0), (0.0, 0.0, 1.0))
    for panel, width in ((gable, abs(depth)), (front, z1 - z0)):
        panel.paint(colour, [(0.0, width)], [(0.0, height)])
        panel.paint(toned(colour, 0.78), [(0.0, width)], [(0.0, 0.5)])
        if not pitched:
            panel.paint(toned(colour, 1.12), [(0.0, width)], [(height - 0.4, height)])
        rows = [(storey * floor + 1.0, storey * floor + 2.45) for floor in range(1, floors)]
        _windows(panel, rng, toned(colour, 1.2), spaced(width, 2.6, 1.25, 0.4), rows)
    _ground_floor(front, rng, z1 - z0)


def _windows(panel: Panel, rng: np.random.Generator, frame: Colour, columns: list[Span], rows: list[Span]) -> None:
    """Paint windows, some of them lit in the dusk, with frames where one is near enough to see them."""
    if panel.origin[2] < 50.0:
        panel.paint(frame, *([(start - 0.12, stop + 0.12) for start, stop in spans] for spans in (columns, rows)))
    panes = panel.grid(columns, rows)
    lit = rng.random(len(panes)) < (0.4 if panel.painter.light.lamps else 0.0)
    panel.painter.face(panel.kind, PANE, panes[~lit])
    panel.painter.face(panel.kind, LIT_PANE, panes[lit], glow=True)


def _ground_floor(front: Panel, rng: np.random.Generator, width: float) -> None:
    """Paint shop windows under an awning, or a door and small windows."""
    if rng.random() < 0.5:
        lit = front.painter.light.lamps
        shop = front.grid(spaced(width, 3.4, 2.7, 0.4), [(0.6, 2.3)])
        front.painter.face(front.kind, LIT_PANE if lit else (80, 96, 108), shop, glow=lit)
        front.paint(pick(rng, AWNINGS), [(0.4, width - 0.4)], [(2.35, 2.9)])
        return
    door = rng.uniform(1.0, max(width - 2.0, 1.1))
    front.paint(PANE, spaced(width, 3.0, 1.2, 0.8), [(1.0, 2.3)])
    front.paint(DOOR, [(door, door + 1.1)], [(0.0, 2.3)])


def wall(painter: Painter, rng: np.random.Generator, side: int, edge: float, span: Span) -> None:
    """Paint a free-standing wall of concrete slabs or brick courses with a coping; see `building`."""
    height, x, length = rng.uniform(2.3, 3.5), side * edge, span[1] - span[0]
    brick = rng.random() < 0.4
    colour = BRICK if brick else pick(rng, CONCRETE)
    painter.cast_shadow(_footprint(x, side * 0.5, span), height)
    end = Panel(painter, StreetClass.WALL, (x, 0.0, span[0]), (float(side), 0.0, 0.0))
    end.paint(colour, [(0.0, 0.5)], [(0.0, height)])
    front = Panel(painter, StreetClass.WALL, (x, 0.0, span[0]), (0.0, 0.0, 1.0))
    front.paint(colour, [(0.0, length)], [(0.0, height)])
    courses = [(v, v + 0.06) for v in np.arange(0.35, height - 0.3, 0.35 if brick else 1.0)]
    front.paint(toned(colour, 0.82), [(0.0, length)], courses)
    joints = [(u, u + 0.08) for u in np.arange(1.5, length - 0.3, 1.0 if brick else 2.5)]
    front.paint(toned(colour, 0.8), joints, [(0.0, height)])
    front.paint(toned(colour, 1.18), [(0.0, length)], [(height - 0.22, height)])


def fence(painter: Painter, rng: np.random.Generator, side: int, edge: float, span: Span) -> None:
    """Paint a fence of wooden boards, or of white bars before a dark screen; see `building`."""
    height, x, length = rng.uniform(1.7, 2.5), side * edge, span[1] - span[0]
    wooden = rng.random() < 0.6
    back, front = ((60, 44, 32), pick(rng, BOARDS)) if wooden else ((48, 58, 56), (206, 210, 206))
    pitch, board = (0.32, 0.22) if wooden else (0.5, 0.16)
    painter.cast_shadow(_footprint(x, side * 0.2, span), height)
    panel = Panel(painter, StreetClass.FENCE, (x, 0.0, span[0]), (0.0, 0.0, 1.0))
    panel.paint(back, [(0.0, length)], [(0.05, height - 0.1)])
    panel.paint(front, [(u, u + board) for u in np.arange(0.0, length - board, pitch)], [(0.0, height)])
    panel.paint(toned(front, 0.85), [(0.0, length)], [(0.3, 0.42), (height - 0.35, height - 0.2)])


def _footprint(x: float, depth: float, span: Span) -> np.ndarray:
    """Ground corners (4, 2) of something along the street."""
    return np.array([(x, span[0]), (x, span[1]), (x + depth, span[1]), (x + depth, span[0])])


def hedge(painter: Painter, rng: np.random.Generator, side: int, edge: float, span: Span) -> None:
    """Paint a row of dense bushes; see `building`."""
    colour = pick(rng, LEAVES)
    size = rng.uniform(1.2, 2.4)
    for z in np.arange(span[1] - 0.5, span[0], -size * 0.8):
        figure = Figure(painter, side * (edge + size * 0.5), float(z))
        figure.shadow(size * 0.5, size)
        foliage(figure, rng, (0.0, size * 0.5), (size * 0.7, size * 0.52), colour, 9 if z < 25 else 4)


def horizon(painter: Painter, rng: np.random.Generator, distance: float) -> None:
    """Paint what is seen at the end of the street: hills, a wood or the blocks of a town."""
    choice = rng.random()
    columns = np.linspace(-1.2 * distance, 1.2 * distance, 41)
    if choice < 0.55:
        kind = StreetClass.VEGETATION if choice < 0.4 else StreetClass.TERRAIN
        colour: Colour = pick(rng, LEAVES) if choice < 0.4 else (138, 146, 90)
        swell = rng.random(6)
        tops = 8 + 20 * np.interp(np.linspace(0, 5, 41), np.arange(6), swell) + 2.5 * rng.random(41)
        ridge = np.column_stack((columns, tops, np.full(41, distance)))
        feet = ridge[::-1] * (1.0, 0.0, 1.0)
        painter.sheet(kind, colour, np.concatenate((ridge, feet))[None], (0.85,))
        return
    colour = pick(rng, FACADES)
    for left, right in pairwise(columns):
        top = rng.uniform(10, 40)
        block = rectangles((0.0, 0.0, distance), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), ((left, right),), ((0.0, top),))
        painter.sheet(StreetClass.BUILDING, colour, block, (rng.uniform(0.75, 1.0),))
