"""Everything that stands or moves on a street, collected first and painted from the back to the front.

Where two things stand side by side, the one farther from the camera's axis is painted first: a line of sight only ever
moves outwards, so the inner thing hides the outer one. In a cross street, whose traffic fills the whole width, only the
distance counts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ultralytics.scenes import people, roadside, vehicles
from ultralytics.scenes.layout import CROSSWALK, LANE, Layout, Side
from ultralytics.scenes.painter import Painter
from ultralytics.scenes.world import Placement

_VEHICLES = ((vehicles.car, 4.7), (vehicles.truck, 8.4), (vehicles.bus, 12.0), (vehicles.tram, 30.0))
"""What may stand in a lane, with its length in metres; after the last comes someone on two wheels."""

_RIDER_LENGTH = 2.0
_PARKED = (0.84, 0.92, 0.95, 0.95)
_DRIVING = (0.4, 0.57, 0.74, 0.78)
_CROSSING = (0.45, 0.65, 0.85)
"""Cumulative odds of each of them."""


class Traffic:
    """The things on a street."""

    def __init__(self, painter: Painter, rng: np.random.Generator, layout: Layout) -> None:
        self._painter, self._rng, self._layout = painter, rng, layout
        self._things: list[tuple[tuple[float, float, float], Callable[[], object]]] = []

    def paint(self) -> None:
        """Paint all things that were collected."""
        for _, paint in sorted(self._things, key=lambda thing: thing[0]):
            paint()

    def furnish(self) -> None:
        """Put up posts, signs, lights and trees."""
        rng, layout = self._rng, self._layout
        for side in layout.sides:
            kerb = side.sign * (side.kerb + 0.5)
            for z in np.arange(rng.uniform(5, 20), 110, rng.uniform(16, 28)):
                self._post(roadside.lamp_post, kerb, float(z), -side.sign * 1.6)
            for z in rng.uniform(5.0, 40.0, int(rng.integers(1, 4))):
                self._post(roadside.traffic_sign, kerb, float(z))
            if rng.random() < 0.3:
                self._post(roadside.bollards, kerb, rng.uniform(6.0, 20.0))
            if rng.random() < 0.18:
                self._post(roadside.direction_board, side.sign * (side.green - 0.3), rng.uniform(9.0, 28.0))
            if layout.has_crossing or rng.random() < 0.25:
                z = layout.crossing - CROSSWALK - 0.1 if layout.has_crossing else rng.uniform(9.0, 24.0)
                self._post(roadside.traffic_light, kerb, z, -side.sign * 2.6 if rng.random() < 0.5 else 0.0)
            if side.verge:
                self._plant(side)

    def _plant(self, side: Side) -> None:
        rng, x = self._rng, side.sign * (side.green + side.verge / 2)
        for z in np.arange(rng.uniform(6, 14), 90, rng.uniform(8, 20)):
            self._post(roadside.tree, x, float(z), rng.uniform(4.5, 8.0))
            self._post(roadside.bush, x, float(z) + 3.0, rng.uniform(0.7, 1.3))

    def park(self) -> None:
        """Park vehicles in the strips for them, bicycles and motorcycles on the sidewalks."""
        rng = self._rng
        for side in self._layout.sides:
            if side.parking:
                x, z = side.sign * (side.kerb - side.parking / 2), rng.uniform(2.0, 9.0)
                while z < 60.0:
                    z = self._occupy(x, z, _PARKED, away=side.sign > 0) + rng.uniform(0.8, 6.0)
            for paint in (people.bicycle, people.motorcycle):
                if rng.random() < 0.3:
                    x, z = side.sign * (side.kerb + 1.1), rng.uniform(4.5, 14.0)
                    for i in range(int(rng.integers(1, 4))):
                        self._post(paint, x, z + i * 1.1, side_on=True, ridden=False)

    def drive(self) -> None:
        """Fill the lanes, and the cross street, with traffic."""
        rng, layout = self._rng, self._layout
        for lane in range(-layout.left.lanes, layout.right.lanes + 1):
            z = rng.uniform(7.0, 20.0) if lane == 0 else rng.uniform(5.0, 24.0)
            while z < 95.0:
                z = self._occupy(lane * LANE, z, _DRIVING, away=lane >= 0) + rng.uniform(4.0, 26.0)
        if layout.has_crossing:
            for offset, forward in ((2.2, 1.0), (5.6, -1.0)):
                choice = int(np.searchsorted(_CROSSING, rng.random()))
                if choice < len(_CROSSING):
                    at = Placement(rng.uniform(-12.0, 6.0) * forward, layout.crossing + offset, (forward, 0.0))
                    self._add(0.0, at.z, _VEHICLES[choice][0], at)
            self._ride(0.0, rng.uniform(-4.0, 4.0), layout.crossing + 0.6, side_on=True)

    def walk(self) -> None:
        """Let people walk on the sidewalks and over the crosswalk, and one ride across."""
        rng, layout = self._rng, self._layout
        for side in layout.sides:
            for z in 3.5 + 28.0 * np.square(rng.random(int(rng.integers(2, 8)))):
                x = side.sign * rng.uniform(side.kerb + 1.0, side.green - 0.3)
                self._post(people.pedestrian, x, float(z))
        if layout.has_crossing:
            for _ in range(int(rng.integers(0, 4))):
                x = rng.uniform(-layout.left.kerb, layout.right.kerb)
                self._post(people.pedestrian, x, layout.crossing - rng.uniform(1.6, 3.2))
        if rng.random() < 0.3:
            self._ride(0.0, rng.uniform(-1.2, 1.2), rng.uniform(5.0, 6.5), side_on=True)

    def _occupy(self, x: float, z: float, odds: tuple[float, ...], *, away: bool) -> float:
        """Put something into a lane with its near end at z, clear of the cross street, and return where it ends."""
        rng, choice = self._rng, int(np.searchsorted(odds, self._rng.random()))
        if choice == len(_VEHICLES):
            self._ride(x, x + rng.uniform(-1.0, 1.0), z, side_on=False)
            return z + _RIDER_LENGTH
        paint, length = _VEHICLES[choice]
        if self._layout.block(z) == self._layout.block(z + length) != 1:
            self._add(x, z, paint, Placement(x, z) if away else Placement(x, z + length, (0.0, -1.0)))
            return z + length
        return z

    def _ride(self, lane: float, x: float, z: float, *, side_on: bool) -> None:
        """Put someone on a bicycle or a motorcycle into a lane."""
        paint = people.bicycle if self._rng.random() < 0.5 else people.motorcycle
        self._add(lane, z, paint, x, z, side_on=side_on, ridden=True)

    def _post(self, paint: Callable[..., object], x: float, z: float, *arguments: float, **options: bool) -> None:
        """Collect a thing that takes no lane but its own place."""
        self._add(x, z, paint, x, z, *arguments, **options)

    def _add(
        self, lane: float, z: float, paint: Callable[..., object], *arguments: float | Placement, **options: bool
    ) -> None:
        """Collect a thing that stands in the lane whose middle is at x = `lane`."""
        block = self._layout.block(z)
        order = (-block, 0.0 if block == 1 else -abs(lane), -z)
        self._things.append((order, lambda: paint(self._painter, self._rng, *arguments, **options)))
