"""Music videos drawn by arithmetic: a look, three controls, and frames.

The three controls are what a corpus plants (z-units: about 0 on average, about 1 of spread):

- brightness drives the mean brightness of the picture: an exposure meter holds the picture at
  `key * 2 ** (0.5 * z)`, and lamps, suns and windows grow with it;
- hue turns the whole palette by 24 degrees a unit, at most 60 either way, lightness kept;
- motion drives the speed of everything (a factor of 2.3 a unit), and above 0.8 the camera leaps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np

from soundreel.errors import SettingsError
from soundreel.seeding import numpy_generator_for
from soundreel.synthetic.canvas import Grid, Moment, grid_for
from soundreel.synthetic.colour import palette, turned
from soundreel.synthetic.finish import Finish
from soundreel.synthetic.scenes_land import Aurora, Dunes, NeonSun
from soundreel.synthetic.scenes_light import (
    Facets,
    Ink,
    Kaleidoscope,
    Orbs,
    Petals,
    Rings,
    Silk,
)
from soundreel.synthetic.scenes_night import City, Dancer
from soundreel.timeline import frame_count

HUE_DEGREES_PER_UNIT = 24.0
MOST_HUE_DEGREES = 60
MOST_UNITS = 2.5
_SPEED_PER_UNIT = 0.85


class Scene(Protocol):
    """One shot's world: made for a picture's grid, its layout drawn from a generator."""

    def __init__(self, grid: Grid, rng: np.random.Generator) -> None: ...

    def draw(self, moment: Moment) -> np.ndarray:
        """A canvas, float32 [3, H, W], of this moment."""
        ...


#: Every kind of scene with the palettes that suit it and its key (mean brightness at rest).
_KINDS: dict[str, tuple[type[Scene], tuple[str, ...], float]] = {
    "neon-sun": (NeonSun, ("neon", "sunset", "orchid", "citrus"), 0.27),
    "ink": (Ink, ("teal-orange", "rose-gold", "citrus", "ice", "orchid"), 0.34),
    "dancer": (Dancer, ("ember", "teal-orange", "neon", "sunset"), 0.28),
    "silk": (Silk, ("orchid", "aurora", "sunset", "cobalt-lemon"), 0.28),
    "city": (City, ("cobalt-lemon", "neon", "sunset", "teal-orange"), 0.25),
    "kaleidoscope": (Kaleidoscope, ("citrus", "mint", "orchid", "teal-orange", "ember"), 0.34),
    "dunes": (Dunes, ("desert", "sunset", "rose-gold", "teal-orange"), 0.38),
    "orbs": (Orbs, ("ember", "neon", "mint", "rose-gold"), 0.28),
    "aurora": (Aurora, ("aurora", "orchid", "mint"), 0.24),
    "rings": (Rings, ("neon", "cobalt-lemon", "ember", "orchid"), 0.26),
    "facets": (Facets, ("ice", "teal-orange", "rose-gold", "orchid"), 0.34),
    "petals": (Petals, ("rose-gold", "mint", "citrus", "desert"), 0.36),
}
KINDS = tuple(_KINDS)


@dataclass(frozen=True)
class Look:
    """How one video looks, from its first frame to its last.

    kind: one of `KINDS`. palette: one of `colour.PALETTES`.
    hue_degrees: the palette's own turn, before the hue control's.
    speed: of everything, at a motion control of 0 (1 is normal).
    key: mean brightness of a picture at a brightness control of 0, of [0, 1].
    grain, bloom, vignette: strength of the film stock and the lens, 0 none.
    """

    kind: str
    palette: str
    hue_degrees: float
    speed: float
    key: float
    grain: float
    bloom: float
    vignette: float

    @property
    def name(self) -> str:
        """For people: `neon-sun in sunset`."""
        return f"{self.kind} in {self.palette}"


def look_for(seed: int, kind: str | None = None) -> Look:
    """A look. Consecutive seeds go through all kinds in turn; `kind` fixes it.

    Raises: SettingsError for an unknown kind.
    """
    if kind is not None and kind not in _KINDS:
        raise SettingsError(f"look {kind!r} is unknown: choose one of {', '.join(KINDS)}")
    rng = numpy_generator_for(seed, "look")
    chosen = kind or KINDS[seed % len(KINDS)]
    _, palettes, key = _KINDS[chosen]
    return Look(
        kind=chosen,
        palette=str(rng.choice(palettes)),
        hue_degrees=float(rng.uniform(-12, 12)),
        speed=float(rng.uniform(0.8, 1.2)),
        key=float(key * rng.uniform(0.9, 1.1)),
        grain=float(rng.choice((0.006, 0.012, 0.018))),
        bloom=float(rng.uniform(0.35, 0.65)),
        vignette=float(rng.uniform(0.15, 0.35)),
    )


@dataclass(frozen=True)
class Controls:
    """The three latent curves of a video, one value a frame, in z-units: float [T] each."""

    brightness: np.ndarray
    hue: np.ndarray
    motion: np.ndarray

    def __len__(self) -> int:
        return len(self.brightness)


def phase_of(motion: np.ndarray, speed: float, fps: Fraction) -> np.ndarray:
    """Integrated motion [T]: how far everything has moved by each frame."""
    pace = speed * np.exp(_SPEED_PER_UNIT * np.clip(motion, -MOST_UNITS, MOST_UNITS))
    return np.cumsum(pace) / float(fps)


def cut_frames(cut_times_seconds: Sequence[float], fps: Fraction, frames: int) -> np.ndarray:
    """The first frame that is not before each cut, without doubles or any outside (0, frames)."""
    found = {frame_count(Fraction(float(time)), fps) for time in cut_times_seconds}
    return np.array(sorted(frame for frame in found if 0 < frame < frames), np.int64)


def film_frames(
    look: Look,
    controls: Controls,
    cut_times_seconds: Sequence[float],
    fps: Fraction,
    width: int,
    height: int,
    seed: int,
    first_frame: int = 0,
) -> Iterator[np.ndarray]:
    """The frames of a film, H x W x 3 uint8, as many as the controls have values.

    Every frame is a function of the arguments and its index alone: `first_frame` begins in the
    middle with the very frames that a film from the start has there.

    Raises: SettingsError if the size is too small to draw on.
    """
    if width < 32 or height < 32:
        raise SettingsError(f"{width} x {height}: a picture made here is at least 32 x 32")
    make_scene, _, _ = _KINDS[look.kind]
    grid = grid_for(width, height)
    degrees = np.arange(-MOST_HUE_DEGREES, MOST_HUE_DEGREES + 1)
    colours = turned(palette(look.palette), degrees + look.hue_degrees)
    phases = phase_of(controls.motion, look.speed, fps)
    cuts = cut_frames(cut_times_seconds, fps, len(controls))
    finish = Finish(grid, look.grain, look.bloom, look.vignette, seed)
    shown_shot, scene = -1, None
    for index in range(first_frame, len(controls)):
        shot = int(np.searchsorted(cuts, index, side="right"))
        began = int(cuts[shot - 1]) if shot else 0
        if scene is None or shot != shown_shot:
            scene = make_scene(grid, numpy_generator_for(seed, "shot", shot))
            shown_shot = shot
        brightness, hue, motion = (
            float(np.clip(curve[index], -MOST_UNITS, MOST_UNITS))
            for curve in (controls.brightness, controls.hue, controls.motion)
        )
        turn = np.clip(HUE_DEGREES_PER_UNIT * hue, -MOST_HUE_DEGREES, MOST_HUE_DEGREES)
        moment = Moment(
            phase=float(phases[index]) + 40.0 * shot,
            shot_seconds=(index - began) / float(fps),
            light=1 / (1 + float(np.exp(-1.4 * brightness))),
            pulse=float(np.clip((motion - 0.8) / 1.7, 0, 1)),
            palette_63=_between(colours, float(turn) + MOST_HUE_DEGREES),
        )
        yield finish(scene.draw(moment), look.key * 2.0 ** (0.5 * brightness), index)


def _between(colours_NK3: np.ndarray, place: float) -> np.ndarray:
    """The palette at a fractional place of a table of palettes."""
    low = min(int(place), len(colours_NK3) - 2)
    share = np.float32(place - low)
    return (1 - share) * colours_NK3[low] + share * colours_NK3[low + 1]
