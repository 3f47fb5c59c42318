"""Composing a street: the ground, what lines it, and everything that stands or moves on it."""

from __future__ import annotations

import numpy as np

from ultralytics.scenes import backdrop, roadside, vehicles
from ultralytics.scenes.ground import paint_ground
from ultralytics.scenes.layout import CROSS_STREET, Layout, Side, draw_layout
from ultralytics.scenes.painter import Painter
from ultralytics.scenes.traffic import Traffic
from ultralytics.scenes.world import Placement, Span

END = 150.0
"""Where the rows of buildings stop, metres."""


def paint_street(painter: Painter, rng: np.random.Generator) -> None:
    """Draw a street at random and paint it, far things before near ones."""
    layout = draw_layout(rng)
    backdrop.horizon(painter, rng, rng.uniform(160.0, 260.0))
    paint_ground(painter, rng, layout)
    for side in layout.sides:
        _line(painter, rng, layout, side)
        if side.track and rng.random() < 0.95:
            _run_tram(painter, rng, side)
    traffic = Traffic(painter, rng, layout)
    traffic.furnish()
    traffic.park()
    traffic.drive()
    traffic.walk()
    traffic.paint()


def _line(painter: Painter, rng: np.random.Generator, layout: Layout, side: Side) -> None:
    """Close one side of the street off with buildings, walls, fences, hedges, or trees alone."""
    for span in reversed(_plots(rng, layout)):
        choice = rng.random()
        if choice < 0.28:
            backdrop.building(painter, rng, side.sign, side.edge, span)
            continue
        for _ in range(int(rng.integers(1, 4))):
            x = side.sign * (side.edge + rng.uniform(2.5, 9.0))
            roadside.tree(painter, rng, x, rng.uniform(*span), rng.uniform(4.0, 9.0))
        if choice < 0.52:
            backdrop.wall(painter, rng, side.sign, side.edge, span)
        elif choice < 0.82:
            backdrop.fence(painter, rng, side.sign, side.edge, span)
        elif choice < 0.88:
            backdrop.hedge(painter, rng, side.sign, side.edge, span)


def _plots(rng: np.random.Generator, layout: Layout) -> list[Span]:
    """Cut the length of the street into plots, leaving the cross street open."""
    gap_start, gap_stop = layout.crossing - 1.5, layout.crossing + CROSS_STREET + 1.5
    plots, z = [], 1.5
    while z < END:
        stop = z + rng.uniform(8.0, 18.0)
        if z < gap_start <= stop:
            plots.append((z, gap_start))
            z = gap_stop
        else:
            plots.append((z, stop))
            z = stop
    return plots


def _run_tram(painter: Painter, rng: np.random.Generator, side: Side) -> None:
    x, z = side.sign * (side.edge - side.track / 2), rng.uniform(4.0, 18.0)
    at = Placement(x, z) if rng.random() < 0.5 else Placement(x, z + 24.0, (0.0, -1.0))
    vehicles.tram(painter, rng, at)
