"""Where a song's onsets are and how strong: the moments at which a film may jump."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from soundreel.sound.rhythm import OnsetEnvelope

#: What goes on all the time is no onset: a hop counts for what it has above twice the median
#: of the 3 s around it.
_MEDIAN_SECONDS, _STEP_SECONDS = 3.0, 0.5
_ABOVE_MEDIAN = 2.0
#: An onset's rise is spread over the hops that its window takes to come in.
_RISE_HOPS = 5
#: Of two onsets nearer than this (50 ms at 100 hops a second) the ear hears one.
_APART_HOPS = 5
_LEAST_RISE_DB = 1.5


@dataclass(frozen=True)
class Onsets:
    """The onsets of a song, ascending.

    seconds_E: when, from the song's start, float64.
    rise_db_E: by how much the sound grew, in dB, averaged over mel bands; at least 1.5. A kick
      drum in a dense mix has about 5 to 10, in the clear 20.
    """

    seconds_E: np.ndarray
    rise_db_E: np.ndarray

    def __len__(self) -> int:
        return len(self.seconds_E)


def onsets(envelope: OnsetEnvelope) -> Onsets:
    """The peaks of an onset envelope, each with the whole of its rise.

    An onset's place depends on the 3 s around it only, so a longer stretch of the same song
    has the same onsets.
    """
    strength_T = envelope.strength_T
    if len(strength_T) == 0:
        return Onsets(np.empty(0), np.empty(0))
    excess_T = (strength_T - _ABOVE_MEDIAN * _median_around(envelope)).clip(0)
    rise_T = np.convolve(excess_T, np.ones(_RISE_HOPS), "full")
    rise_T = rise_T[_RISE_HOPS // 2 :][: len(strength_T)]
    around_T = np.pad(rise_T, _APART_HOPS)
    highest_T = np.lib.stride_tricks.sliding_window_view(around_T, 2 * _APART_HOPS + 1).max(1)
    peaks = np.flatnonzero((rise_T == highest_T) & (rise_T >= _LEAST_RISE_DB))
    if len(peaks):  # of a flat top, its first hop
        peaks = peaks[np.concatenate([[True], np.diff(peaks) > _APART_HOPS])]
    # Where it grows most: the middle of the rise is a hop or two off for a sharp one.
    around = peaks[:, None] + np.arange(_RISE_HOPS) - _RISE_HOPS // 2
    inside = around.clip(0, len(strength_T) - 1)
    steepest = np.take_along_axis(inside, strength_T[inside].argmax(1)[:, None], 1)[:, 0]
    # An onset shows when it has come a quarter into the window (see `beats.beat_times`).
    samples = (steepest + 1) * envelope.hop_samples - envelope.window_samples / 4
    return Onsets(samples.clip(0) / envelope.sample_rate_hz, rise_T[peaks])


def _median_around(envelope: OnsetEnvelope) -> np.ndarray:
    """The strength's median over the 3 s around each hop, T: taken every half second."""
    strength_T = envelope.strength_T
    half = max(1, int(_MEDIAN_SECONDS / 2 * envelope.hops_per_second))
    step = max(1, int(_STEP_SECONDS * envelope.hops_per_second))
    centres = np.arange(0, len(strength_T) + step, step)
    medians = [
        np.median(strength_T[max(0, centre - half) : centre + half + 1])
        for centre in centres.clip(0, len(strength_T) - 1)
    ]
    return np.interp(np.arange(len(strength_T)), centres, medians)
