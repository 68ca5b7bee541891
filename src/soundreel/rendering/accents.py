"""Accents on the beat: a flash or a push of the lens that falls back at once.

Flashing light can cause seizures. WCAG 2.3.1 (general flash threshold) counts a flash where the
relative luminance of a picture goes up and down by 10 % of full white or more, and allows three
in a second; for saturated red the limits are narrower. A flash here raises no colour of no pixel
by more than 9.5 % in linear light, so by that rule it is none; and there are at most three in
any second, so the rule holds even where pixels are red. That speaks of the accent: what a
model's own pictures do from frame to frame is another matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, get_args

import numpy as np
from PIL import Image

from soundreel.errors import SettingsError
from soundreel.timeline import frame_count

Accent = Literal["none", "flash", "zoom"]

#: How long an accent lasts.
DECAY_SECONDS = Fraction(1, 4)
#: No accent begins sooner after another: three in any second, frames counted whole. Beats are
#: so far apart up to 166 a minute; of faster ones every second is taken.
LEAST_APART_SECONDS = Fraction(36, 100)
#: A bar's other beats, where its first ones are known.
_OFFBEAT = 0.6

_MOST_RISE = 0.095
_MOST_ZOOM = 0.04
#: x (1 - x)^3 has its highest point at 1/4.
_CURVE_TOP = 0.25 * 0.75**3


def accent_envelope(
    frames: int,
    fps: Fraction,
    beat_seconds: Sequence[float] | np.ndarray,
    start_seconds: Fraction = Fraction(0),
    decay_seconds: Fraction = DECAY_SECONDS,
    downbeat_seconds: Sequence[float] | np.ndarray | None = None,
) -> np.ndarray:
    """How strong the accent is in each frame of a film: float32, 0 to 1.

    beat_seconds: of the whole song, from its start, ascending; beats before the film's start
      count too, so that a part of a film has what the whole has there.
    start_seconds: where in the song the film starts. decay_seconds: when an accent has gone.
    downbeat_seconds: which of them begin a bar: these get 1, the others 0.6. None: all get 1.

    Full in the first frame that is not before the beat, nothing before it, then (1 - u)^2 of the
    decay. A beat within 0.36 s of the one before that was taken is passed over.
    """
    envelope_T = np.zeros(frames, np.float32)
    decay = max(1, frame_count(decay_seconds, fps))
    shape = np.square(1 - np.arange(decay) / decay)
    last_taken = None
    for seconds in beat_seconds:
        at = Fraction(float(seconds))
        if last_taken is not None and at - last_taken < LEAST_APART_SECONDS:
            continue
        last_taken = at
        full = downbeat_seconds is None or _is_one_of(seconds, downbeat_seconds)
        weight = 1.0 if full else _OFFBEAT
        first = frame_count(at - start_seconds, fps)
        start, stop = max(0, first), min(frames, first + decay)
        if start < stop:
            now = weight * shape[start - first : stop - first]
            envelope_T[start:stop] = np.maximum(envelope_T[start:stop], now)
    return envelope_T


def accent(
    frame_HW3: np.ndarray, envelope: float, kind: Accent, strength: float = 1.0
) -> np.ndarray:
    """A frame with its accent: H x W x 3, uint8.

    envelope: from `accent_envelope`, 0 to 1: at 0 the frame is returned as it is.
    kind: flash lightens the dark and the middle tones, black and white stay what they are;
      zoom pushes the lens in by up to 4 %.
    strength: 0 to 1, the most that is safe.

    Raises: SettingsError for an unknown kind or a strength outside 0 to 1.
    """
    if kind not in get_args(Accent):
        raise SettingsError(
            f"accent {kind!r} is unknown: choose one of {', '.join(get_args(Accent))}"
        )
    if not 0 <= strength <= 1:
        raise SettingsError(f"an accent's strength of {strength:g} is not from 0 to 1")
    amount = float(np.clip(envelope, 0, 1)) * strength
    if kind == "none" or amount == 0:
        return frame_HW3
    return _flash(frame_HW3, amount) if kind == "flash" else _zoom(frame_HW3, amount)


def _flash(frame_HW3: np.ndarray, amount: float) -> np.ndarray:
    """In linear light x + a x (1 - x)^3: a gain of up to 1.9 in the shadows that never clips."""
    coded = np.arange(256) / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    risen = linear + amount * _MOST_RISE * linear * (1 - linear) ** 3 / _CURVE_TOP
    encoded = np.where(risen <= 0.0031308, 12.92 * risen, 1.055 * risen ** (1 / 2.4) - 0.055)
    # Rounded down, so that rounding never lifts a level past the limit.
    levels = np.maximum(np.floor(encoded * 255 + 1e-6), np.arange(256)).astype(np.uint8)
    return np.take(levels, frame_HW3)


def _zoom(frame_HW3: np.ndarray, amount: float) -> np.ndarray:
    height, width, _ = frame_HW3.shape
    cut = _MOST_ZOOM * amount / 2
    box = (width * cut, height * cut, width * (1 - cut), height * (1 - cut))
    picture = Image.fromarray(frame_HW3).resize((width, height), Image.Resampling.BICUBIC, box)
    return np.asarray(picture)


def _is_one_of(seconds: float, others_seconds: Sequence[float] | np.ndarray) -> bool:
    others = np.asarray(others_seconds, np.float64)
    return bool(len(others)) and float(np.abs(others - seconds).min()) < 0.01
