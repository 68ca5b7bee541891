"""Which notes there are, whatever their octave: the strength of the twelve pitch classes.

Causal curves, as those of `rhythm`: the value at t is made of the sound before t.
Shapes: N samples, T times, K transforms, F frequencies, P = 12 pitch classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import chain

import numpy as np

from soundreel.sound.rhythm import SILENCE_DB, sample_ends, spectral_power, spectral_tables
from soundreel.sound.sliding import SlidingWindows
from soundreel.timeline import nearest_sample

PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")

#: Long enough to tell the semitones of the lowest octave apart.
_SEGMENT_SECONDS = Fraction(16_384, 44_100)
_SEGMENTS_A_LENGTH = 4
#: From A1 (55 Hz) to B7 (3,951 Hz), as MIDI numbers.
_LOWEST_NOTE, _HIGHEST_NOTE = 33, 107
_NOTE_WIDTH_SEMITONES = 0.4
#: The middle octaves count most, else a bass drum decides (D. Ellis, "Chroma feature analysis
#: and synthesis", 2007): a Gaussian about A5 = 880 Hz.
_MIDDLE_NOTE, _MIDDLE_WIDTH_SEMITONES = 81, 24


def chroma(
    sound_N: np.ndarray,
    sample_rate_hz: int,
    times_seconds: Sequence[Fraction | float] | np.ndarray,
    window_seconds: float = 1.0,
) -> np.ndarray:
    """The share of each pitch class in the last `window_seconds` before each time.

    Power spectra of 372 ms (less where the window is shorter, and then bass notes blur), four a
    length, are averaged over the window; each frequency from 55 Hz to 4 kHz counts for the
    notes next to it (equal temperament, A4 = 440 Hz), most near 880 Hz and a seventh of that
    four octaves below. Causal: nothing after a time is heard at it.

    Shape: N, float in [-1, 1] -> T x 12, float64, C first; rows sum to 1, or are 0 in silence.

    Raises: ValueError if the window is not longer than 0.
    """
    if window_seconds <= 0:
        raise ValueError(f"window_seconds = {window_seconds}: must be more than 0")
    window = nearest_sample(Fraction(window_seconds), sample_rate_hz)
    segment = max(2, min(window, nearest_sample(_SEGMENT_SECONDS, sample_rate_hz)))
    hop = max(1, segment // _SEGMENTS_A_LENGTH)
    sums_KP = _running_sums(sound_N, sample_rate_hz, segment, hop)
    # Transform k ends at sample (k + 1) hop; those that lie wholly in the window are averaged.
    # After the sound's end, those that are still in it share the window with silence.
    last_T = sample_ends(times_seconds, sample_rate_hz) // hop
    count = 1 + max(0, window - segment) // hop
    stop_T = last_T.clip(0, len(sums_KP) - 1)
    start_T = (last_T - count).clip(0, len(sums_KP) - 1)
    power_TP = (sums_KP[stop_T] - sums_KP[start_T]).clip(0) / count
    total_T1 = power_TP.sum(1, keepdims=True)
    heard_T1 = total_T1 > 10 ** (SILENCE_DB / 10)
    return np.where(heard_T1, power_TP / np.where(heard_T1, total_T1, 1), 0)


def _running_sums(sound_N: np.ndarray, sample_rate_hz: int, segment: int, hop: int) -> np.ndarray:
    """The power of each pitch class summed over all transforms before the k-th: (K + 1) x 12."""
    windows = SlidingWindows(hop, segment)
    taper_L, weight_F, frequency_hz_F = spectral_tables(segment, sample_rate_hz)
    pitch_FP = _pitch_filters(frequency_hz_F)
    batches = chain(windows.feed(np.asarray(sound_N, np.float32)), windows.finish())
    rows = [spectral_power(window_KL, taper_L, weight_F) @ pitch_FP for window_KL in batches]
    return np.cumsum(np.concatenate([np.zeros((1, len(PITCH_CLASSES))), *rows]), axis=0)


def _pitch_filters(frequency_hz_F: np.ndarray) -> np.ndarray:
    """How much each frequency counts for each pitch class: F x 12, rows sum to at most 1."""
    with np.errstate(divide="ignore"):
        note_F = 69 + 12 * np.log2(frequency_hz_F / 440)
    inside_F = (note_F > _LOWEST_NOTE - 0.5) & (note_F < _HIGHEST_NOTE + 0.5)
    classes_P = np.arange(len(PITCH_CLASSES))
    # From -6 to 6 semitones off the class, whatever the octave.
    off_FP = (np.where(inside_F, note_F, 0)[:, None] - classes_P + 6) % 12 - 6
    bump_FP = np.exp(-0.5 * (off_FP / _NOTE_WIDTH_SEMITONES) ** 2)
    weight_F = inside_F * np.exp(
        -0.5 * ((np.where(inside_F, note_F, 0) - _MIDDLE_NOTE) / _MIDDLE_WIDTH_SEMITONES) ** 2
    )
    return bump_FP / bump_FP.sum(1, keepdims=True) * weight_F[:, None]
