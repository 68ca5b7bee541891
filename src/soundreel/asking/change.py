"""How much the picture changes from moment to moment, so that events stand out, not passages."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from soundreel.timeline import exact_seconds, frame_count, frame_shown_at

#: Passages are made equal over about so long on either side.
LEVEL_SECONDS = Fraction(2)
_REST = 0.03
#: A still picture changes by so much from rounding and from its encoder: the flow in heights a
#: second, the luma with white 1. And what a silent moment's onset strength may be.
STILL = {"flow": 1e-3, "motion_energy": 1 / 3 / 255}
STILL_ONSETS = 1e-3


def change_of(speed_F_by_name: dict[str, np.ndarray], fps: float) -> np.ndarray:
    """What moves and what lights up, in one curve: F.

    speed_F_by_name: "flow" and "motion_energy", or one of them. Optical flow alone does not see
    light: a flash moves nothing. Each is taken over its own mean of some seconds around, on a
    logarithmic scale, so that neither one flash nor one cut is all there is.
    """
    curves = [np.log1p(levelled(x_F, fps, STILL[name])) for name, x_F in speed_F_by_name.items()]
    return np.sum(curves, axis=0)


def levelled(x_T: np.ndarray, rate_hz: float, still: float) -> np.ndarray:
    """A curve of values from 0 up over its mean within `LEVEL_SECONDS` on either side.

    A film that fades in and out with its song, or rests where the song does, is so no more in
    step by shifts than another: it is events that must meet, not passages. `still`: what counts
    as nothing; a little of the whole curve's mean is added too, so that rest stays rest.
    """
    half = frame_count(LEVEL_SECONDS, Fraction(rate_hz))
    sums = np.concatenate([[0.0], np.cumsum(x_T)])
    place_T = np.arange(len(x_T))
    start_T, stop_T = (place_T - half).clip(0), (place_T + half + 1).clip(None, len(x_T))
    local_T = (sums[stop_T] - sums[start_T]) / (stop_T - start_T)
    return x_T / (local_T + _REST * x_T.mean() + still)


def onsets_at(
    strength_T: np.ndarray, rate_hz: float, times_seconds_F: np.ndarray, late_seconds: float = 0.0
) -> np.ndarray:
    """The onset envelope, levelled, at pictures' times: F; held back by `late_seconds`."""
    held_back = np.zeros(frame_shown_at(exact_seconds(late_seconds), Fraction(rate_hz)))
    even_T = levelled(
        np.concatenate([held_back, strength_T])[: len(strength_T)], rate_hz, STILL_ONSETS
    )
    return np.interp(times_seconds_F, (np.arange(len(even_T)) + 1) / rate_hz, even_T)
