"""Times of day: sun, sky, haze and what the camera makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

Colour = tuple[float, float, float]
"""Red, green, blue, 0 to 255."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Light:
    """The light of one scene.

    Attributes:
        sun: unit vector (x, y, z) towards the sun.
        ambient: brightness of a face in the shade.
        direct: brightness added to a face that looks into the sun.
        shadow: share of the ground's light that a shadow takes away; 0: no sun.
        zenith: colour of the sky overhead.
        skyline: colour of the sky at the horizon.
        cloud: colour of the clouds.
        cover: share of the sky that is clouded.
        haze: distance at which half of an object's own colour is lost, metres.
        gain: what the camera multiplies red, green and blue with.
        lamps: windows and vehicle lights are lit.
    """

    sun: tuple[float, float, float]
    ambient: float
    direct: float
    shadow: float
    zenith: Colour
    skyline: Colour
    cloud: Colour
    cover: float
    haze: float
    gain: tuple[float, float, float]
    lamps: bool = False

    def on(self, normal: tuple[float, float, float]) -> float:
        """Brightness of a face with this unit normal."""
        facing = normal[0] * self.sun[0] + normal[1] * self.sun[1] + normal[2] * self.sun[2]
        # Open sky lights what looks up more than what looks down.
        return self.ambient * (0.92 + 0.08 * normal[1]) + self.direct * max(facing, 0.0)


def draw_light(rng: np.random.Generator) -> Light:
    """Draw a time of day and weather: half are sunny, the rest overcast or dusk."""
    mood = rng.random()
    side = rng.choice((-1.0, 1.0))
    if mood < 0.5:
        return _day(rng, side)
    return _overcast(rng, side) if mood < 0.78 else _dusk(rng, side)


def _day(rng: np.random.Generator, side: float) -> Light:
    return Light(
        sun=_unit(side * rng.uniform(0.35, 0.9), rng.uniform(0.7, 1.1), rng.uniform(-0.6, 0.3)),
        ambient=rng.uniform(0.6, 0.72),
        direct=rng.uniform(0.4, 0.5),
        shadow=rng.uniform(0.35, 0.5),
        zenith=(rng.uniform(70, 110), rng.uniform(130, 165), rng.uniform(205, 235)),
        skyline=(rng.uniform(180, 210), rng.uniform(210, 228), rng.uniform(232, 246)),
        cloud=(250, 250, 252),
        cover=rng.uniform(0.05, 0.5),
        haze=rng.uniform(350, 700),
        gain=(1.02, 1.0, 0.97),
    )


def _overcast(rng: np.random.Generator, side: float) -> Light:
    grey = rng.uniform(175, 215)
    return Light(
        sun=_unit(side * 0.3, 1.0, 0.0),
        ambient=rng.uniform(0.72, 0.82),
        direct=rng.uniform(0.08, 0.15),
        shadow=0.0,
        zenith=(grey - 18, grey - 12, grey - 4),
        skyline=(grey + 12, grey + 15, grey + 18),
        cloud=(grey - 30, grey - 26, grey - 20),
        cover=rng.uniform(0.3, 0.8),
        haze=rng.uniform(140, 320),
        gain=(0.96, 0.98, 1.02),
    )


def _dusk(rng: np.random.Generator, side: float) -> Light:
    return Light(
        sun=_unit(side * rng.uniform(0.6, 1.0), rng.uniform(0.3, 0.5), rng.uniform(-0.2, 0.9)),
        ambient=rng.uniform(0.46, 0.56),
        direct=rng.uniform(0.2, 0.3),
        shadow=rng.uniform(0.1, 0.25),
        zenith=(rng.uniform(70, 95), rng.uniform(80, 105), rng.uniform(130, 160)),
        skyline=(rng.uniform(220, 245), rng.uniform(165, 190), rng.uniform(130, 155)),
        cloud=(rng.uniform(190, 220), 140, 140),
        cover=rng.uniform(0.1, 0.5),
        haze=rng.uniform(250, 450),
        gain=(1.04, 0.96, 0.95),
        lamps=True,
    )


def _unit(x: float, y: float, z: float) -> tuple[float, float, float]:
    length = (x * x + y * y + z * z) ** 0.5
    return x / length, y / length, z / length


def pick(rng: np.random.Generator, choices: Sequence[T]) -> T:
    """Draw one of several colours, or of other things."""
    return choices[int(rng.integers(len(choices)))]


def toned(colour: Colour, factor: float) -> Colour:
    """Make a colour darker or brighter."""
    red, green, blue = colour
    return red * factor, green * factor, blue * factor
