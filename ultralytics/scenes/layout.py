"""The plan of a street: its cross-section on either side of the camera, and where another street crosses it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LANE = 3.3
TRACK = 4.2
CROSS_STREET = 8.0
CROSSWALK = 3.5
"""Widths in metres: a lane, the bed of a tram track, a crossing street and the crosswalk in front of it."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a street, from the middle of the camera's lane outwards. Metres.

    Attributes:
        sign: -1 for the left side, 1 for the right one.
        lanes: number of lanes beside the camera's own; those on the left are oncoming.
        parking: width of the parking strip, 0 for none.
        sidewalk: width of the sidewalk.
        verge: width of the strip of grass behind it, 0 for none.
        track: width of the bed of a tram track behind that, 0 for none.
    """

    sign: int
    lanes: int
    parking: float
    sidewalk: float
    verge: float
    track: float

    @property
    def kerb(self) -> float:
        """Distance of the kerb from the camera's axis."""
        return LANE * (0.5 + self.lanes) + self.parking + 0.2

    @property
    def green(self) -> float:
        """Distance of the sidewalk's far edge, where grass may begin."""
        return self.kerb + self.sidewalk

    @property
    def edge(self) -> float:
        """Distance of what closes the street off."""
        return self.green + self.verge + self.track


@dataclass(frozen=True, slots=True)
class Layout:
    """The plan of a street.

    Attributes:
        left: the oncoming side.
        right: the side the camera drives on.
        crossing: how far ahead a cross street starts, metres; infinite without one.
    """

    left: Side
    right: Side
    crossing: float

    @property
    def sides(self) -> tuple[Side, Side]:
        """Both sides."""
        return self.left, self.right

    @property
    def has_crossing(self) -> bool:
        """Whether another street crosses this one."""
        return bool(np.isfinite(self.crossing))

    def block(self, z: float) -> int:
        """0 before the cross street and its crosswalk, 1 in it, 2 behind it."""
        return int(z >= self.crossing - CROSSWALK) + int(z >= self.crossing + CROSS_STREET)


def draw_layout(rng: np.random.Generator) -> Layout:
    """Draw a plan at random."""
    track = int(rng.choice((-1, 1))) if rng.random() < 0.4 else 0
    return Layout(
        left=_draw_side(rng, -1, 1 + int(rng.random() < 0.25), track),
        right=_draw_side(rng, 1, int(rng.random() < 0.2), track),
        crossing=rng.uniform(14.0, 40.0) if rng.random() < 0.45 else np.inf,
    )


def _draw_side(rng: np.random.Generator, sign: int, lanes: int, track: int) -> Side:
    return Side(
        sign=sign,
        lanes=lanes,
        parking=2.3 if rng.random() < 0.38 else 0.0,
        sidewalk=rng.uniform(2.4, 4.4),
        verge=rng.uniform(1.8, 4.0) if rng.random() < 0.5 else 0.0,
        track=TRACK if track == sign else 0.0,
    )
