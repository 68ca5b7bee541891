"""What a song sounds like at each frame: loudness, brightness of timbre, onsets; looking back only.

Each value at time t is computed from the samples before t, through a smooth window whose weight
lies some 0.1 to 0.25 s back, so that an eye can follow what a picture does with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from soundreel.timeline import frame_time, samples_before

_HOP_SAMPLES = 512
_SEGMENT_SAMPLES = 1024
_BANDS = 48
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 14_000.0
_FLOOR_POWER = 1e-4
#: Time constants of the windows t * exp(-t / constant), in seconds.
_LOUDNESS_SECONDS, _CENTROID_SECONDS, _FLUX_SECONDS = 0.10, 0.12, 0.08


@dataclass(frozen=True)
class Heard:
    """Three curves, one value a frame, float64 [T].

    loudness_db: root mean square, dB re full scale, not below -40.
    centroid_octaves: spectral centroid, octaves above 1 kHz.
    flux: rise of the band levels, in dB a hop, averaged over the bands.
    """

    loudness_db: np.ndarray
    centroid_octaves: np.ndarray
    flux: np.ndarray

    def standardised(self) -> np.ndarray:
        """The three curves with mean 0 and standard deviation 1: float64 [3, T]."""
        return standardised(np.stack((self.loudness_db, self.centroid_octaves, self.flux)))


def standardised(curves: np.ndarray) -> np.ndarray:
    """Curves [..., T] with mean 0 and standard deviation 1 along T; a constant becomes 0."""
    centred = curves - curves.mean(axis=-1, keepdims=True)
    spread = centred.std(axis=-1, keepdims=True)
    return np.where(spread > 1e-9, centred / np.maximum(spread, 1e-9), 0.0)


def listen(sound: np.ndarray, sample_rate_hz: int, fps: Fraction, frames: int) -> Heard:
    """Hear a sound (float [channels, n]) as frames 0..frames-1 of a film would."""
    mono = sound.mean(axis=0, dtype=np.float32)
    power, levels_db, magnitude = _analyse(mono, sample_rate_hz)
    hop_seconds = _HOP_SAMPLES / sample_rate_hz
    octaves = np.log2(_band_centres_hz() / 1000)
    rise = np.maximum(0, np.diff(levels_db, axis=0, prepend=levels_db[:1])).mean(axis=1)
    smooth_power = _look_back(power, _LOUDNESS_SECONDS / hop_seconds)
    weight = _look_back(magnitude.sum(axis=1), _CENTROID_SECONDS / hop_seconds)
    moment = _look_back(magnitude @ octaves, _CENTROID_SECONDS / hop_seconds)
    flux = _look_back(rise, _FLUX_SECONDS / hop_seconds)
    centroid = moment / np.maximum(weight, 1e-9)
    # Row k is what was heard when k hops had gone by; row 0 is before the first.
    at = np.array(
        [samples_before(frame_time(n, fps), sample_rate_hz) // _HOP_SAMPLES for n in range(frames)]
    )
    at = np.minimum(at, len(power) - 1)
    return Heard(
        loudness_db=10 * np.log10(np.maximum(smooth_power, _FLOOR_POWER))[at],
        centroid_octaves=centroid[at],
        flux=flux[at],
    )


def _band_centres_hz() -> np.ndarray:
    return np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, _BANDS)


def _analyse(mono: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Power [K], band levels in dB [K, bands], band magnitudes [K, bands] after k = 0.. hops."""
    hops = len(mono) // _HOP_SAMPLES
    padded = np.concatenate((np.zeros(_SEGMENT_SAMPLES, np.float32), mono))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _SEGMENT_SAMPLES)
    frames = frames[::_HOP_SAMPLES][: hops + 1]
    newest = frames[:, -_HOP_SAMPLES:]
    power = np.einsum("kn,kn->k", newest, newest).astype(np.float64) / _HOP_SAMPLES
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(_SEGMENT_SAMPLES).astype(np.float32)))
    spectrum = (spectrum / _SEGMENT_SAMPLES).astype(np.float32)
    hertz = np.fft.rfftfreq(_SEGMENT_SAMPLES, 1 / rate)
    # Triangles on a logarithmic axis; the lowest are narrower than a bin and take what is nearest.
    place = np.log(np.maximum(hertz, 1) / _LOWEST_HZ) / np.log(_HIGHEST_HZ / _LOWEST_HZ)
    away = np.abs(place[:, None] * (_BANDS - 1) - np.arange(_BANDS)[None])
    weights = np.maximum(0, 1 - away)
    for band in np.flatnonzero(weights.sum(axis=0) < 1e-6):
        weights[np.argmin(np.abs(hertz - _band_centres_hz()[band])), band] = 1
    weights = (weights / weights.sum(axis=0)).astype(np.float32)
    magnitude = spectrum @ weights
    levels_db = 20 * np.log10(np.maximum(magnitude, 1e-4))
    return power, levels_db, magnitude


def _look_back(values: np.ndarray, constant_hops: float) -> np.ndarray:
    """Average of the past through t * exp(-t / constant), normalised; [K] to [K]."""
    reach = np.arange(1, max(3, int(7 * constant_hops)))
    kernel = reach * np.exp(-reach / constant_hops)
    return np.convolve(values, kernel / kernel.sum())[: len(values)]
