"""What the ear follows: loudness, brightness and onsets of a sound, as curves over time.

Causal curves: the value at t is made of the sound before t, so a picture at t can follow it.
Shapes: N samples, T times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from soundreel.sound.sliding import SlidingWindows, windows_at_a_time
from soundreel.timeline import exact_seconds, nearest_sample, samples_before

#: What silence is given as: below the noise of 16-bit sound (-98 dB).
SILENCE_DB = -100.0

#: Onsets are looked for at this rate, in windows this long: 46 ms tells drums and notes apart.
_ONSET_RATE_HZ = 100
_ONSET_WINDOW_SECONDS = Fraction(2_048, 44_100)
ONSET_BANDS = 40
_ONSET_LOW_HZ, _ONSET_HIGH_HZ = 30.0, 11_000.0
_LOG_LOW_HZ, _LOG_HIGH_HZ = 60.0, 14_000.0


@dataclass(frozen=True)
class OnsetEnvelope:
    """How suddenly the sound grew, at each hop: in dB a hop, averaged over bands.

    strength_T: float64, at least 0; T = hops in the sound.
    sample_rate_hz, hop_samples: hop k's window ends at sample (k + 1) * hop_samples.
    window_samples: its length; an onset shows when it lies about a quarter window before the end.
    """

    strength_T: np.ndarray
    sample_rate_hz: int
    hop_samples: int
    window_samples: int

    @property
    def hops_per_second(self) -> float:
        """The rate of `strength_T` in Hz."""
        return self.sample_rate_hz / self.hop_samples

    def heard_before(
        self, times_seconds: Iterable[Fraction | float], within_seconds: float
    ) -> np.ndarray:
        """Mean strength over the last `within_seconds` before each time: T, float64. Causal."""
        hops = max(
            1, nearest_sample(Fraction(within_seconds), self.sample_rate_hz) // self.hop_samples
        )
        last_T = sample_ends(times_seconds, self.sample_rate_hz) // self.hop_samples
        sums = np.concatenate([[0.0], np.cumsum(self.strength_T)])
        stop_T = last_T.clip(0, len(self.strength_T))
        start_T = (last_T - hops).clip(0, len(self.strength_T))
        return (sums[stop_T] - sums[start_T]) / hops


def sample_ends(times_seconds: Iterable[Fraction | float], sample_rate_hz: int) -> np.ndarray:
    """How many samples lie before each time: T, int64 (see `timeline.samples_before`)."""
    ends = [samples_before(exact_seconds(_plain(t)), sample_rate_hz) for t in times_seconds]
    return np.array(ends, dtype=np.int64)


def loudness_envelope(
    sound_N: np.ndarray,
    sample_rate_hz: int,
    times_seconds: Sequence[Fraction | float] | np.ndarray,
    window_seconds: float = 0.1,
) -> np.ndarray:
    """Root mean square of the last `window_seconds` before each time, in dB re full scale.

    Shape: N, float in [-1, 1] -> T, float64, at least `SILENCE_DB`; before the sound's start
    and after its end there is silence.
    """
    window = _window_samples(window_seconds, sample_rate_hz)
    sums = np.concatenate([[0.0], np.cumsum(np.square(sound_N, dtype=np.float64))])
    end_T = sample_ends(times_seconds, sample_rate_hz)
    energy_T = sums[end_T.clip(0, len(sound_N))] - sums[(end_T - window).clip(0, len(sound_N))]
    return _decibels(energy_T.clip(0) / window)


def band_loudness(
    sound_N: np.ndarray,
    sample_rate_hz: int,
    times_seconds: Sequence[Fraction | float] | np.ndarray,
    low_hz: float,
    high_hz: float,
    window_seconds: float = 0.1,
) -> np.ndarray:
    """As `loudness_envelope`, of the frequencies from `low_hz` up to (not with) `high_hz`."""
    window = _window_samples(window_seconds, sample_rate_hz)
    shares = []
    for power_TF, frequency_hz_F in _powers(sound_N, sample_rate_hz, times_seconds, window):
        inside_F = (frequency_hz_F >= low_hz) & (frequency_hz_F < high_hz)
        shares.append(power_TF[:, inside_F].sum(1))
    return _decibels(np.concatenate(shares) if shares else np.empty(0))


def spectral_centroid(
    sound_N: np.ndarray,
    sample_rate_hz: int,
    times_seconds: Sequence[Fraction | float] | np.ndarray,
    window_seconds: float = 0.1,
) -> np.ndarray:
    """The mean frequency, weighted by amplitude, of the last `window_seconds` before each time.

    Shape: N, float in [-1, 1] -> T, float64, in Hz; 0 for silence.
    """
    window = _window_samples(window_seconds, sample_rate_hz)
    centroids = []
    for power_TF, frequency_hz_F in _powers(sound_N, sample_rate_hz, times_seconds, window):
        amplitude_TF = np.sqrt(power_TF)
        total_T = amplitude_TF.sum(1)
        silent_T = power_TF.sum(1) < 10 ** (SILENCE_DB / 10)
        centroids.append(
            np.where(silent_T, 0, amplitude_TF @ frequency_hz_F / np.where(silent_T, 1, total_T))
        )
    return np.concatenate(centroids) if centroids else np.empty(0)


def log_centroid(
    sound_N: np.ndarray,
    sample_rate_hz: int,
    times_seconds: Sequence[Fraction | float] | np.ndarray,
    window_seconds: float = 0.1,
) -> np.ndarray:
    """The middle of the spectrum as the ear lays it out: the mean of log2(frequency / 1 kHz).

    Weighted by the amplitude that each octave holds, from 60 Hz to 14 kHz, in the last
    `window_seconds` before each time. Beside `spectral_centroid`, in which the top octave counts
    as much as all others together, it follows bass and voice too.

    Shape: N, float in [-1, 1] -> T, float64, in octaves; 0 (1 kHz) for silence.
    """
    window = _window_samples(window_seconds, sample_rate_hz)
    centroids = []
    for power_TF, frequency_hz_F in _powers(sound_N, sample_rate_hz, times_seconds, window):
        heard_F = (frequency_hz_F >= _LOG_LOW_HZ) & (frequency_hz_F <= _LOG_HIGH_HZ)
        octave_F = np.log2(frequency_hz_F[heard_F] / 1000)
        # On a logarithmic axis a bin is as wide as its share of its own frequency.
        amplitude_TF = np.sqrt(power_TF[:, heard_F]) / frequency_hz_F[heard_F]
        silent_T = power_TF.sum(1) < 10 ** (SILENCE_DB / 10)
        total_T = np.where(silent_T, 1, amplitude_TF.sum(1).clip(1e-300))
        centroids.append(np.where(silent_T, 0, amplitude_TF @ octave_F / total_T))
    return np.concatenate(centroids) if centroids else np.empty(0)


def onset_envelope(sound_N: np.ndarray, sample_rate_hz: int) -> OnsetEnvelope:
    """How suddenly the sound grows: the rise in dB from hop to hop, averaged over mel bands.

    Spectral flux on a logarithmic scale (S. Dixon, "Onset detection revisited", DAFx 2006),
    100 times a second. Levels more than 80 dB below full scale count as silence, so that noise
    one cannot hear makes no onsets.
    """
    return onset_envelope_of_blocks([sound_N], sample_rate_hz)


def onset_envelope_of_blocks(blocks: Iterable[np.ndarray], sample_rate_hz: int) -> OnsetEnvelope:
    """As `onset_envelope`, of a sound that comes in blocks; the same to the bit, however cut.

    Memory grows with the envelope, not with the sound.
    """
    levels = BandLevels(sample_rate_hz)
    rises, previous_1B = [], np.zeros((1, ONSET_BANDS))
    for level_TB in levels.of_blocks(blocks):
        both = np.concatenate([previous_1B, level_TB])
        rises.append(np.diff(both, axis=0).clip(0).mean(1))
        previous_1B = level_TB[-1:]
    strength_T = np.concatenate(rises) if rises else np.empty(0)
    return levels.envelope(strength_T)


class BandLevels:
    """The level of each of the 40 mel bands in which onsets are looked for, 100 times a second.

    Sound is fed in blocks; what comes out is the same to the bit, however it is cut.
    hop_samples: from one time to the next; band_hz_B: the bands' centres.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate = sample_rate_hz
        self.hop_samples = nearest_sample(Fraction(1, _ONSET_RATE_HZ), sample_rate_hz)
        self._window = nearest_sample(_ONSET_WINDOW_SECONDS, sample_rate_hz)
        self._windows = SlidingWindows(self.hop_samples, self._window)
        self._taper_L, self._weight_F, frequency_hz_F = spectral_tables(
            self._window, sample_rate_hz
        )
        self._bands_BF = _band_filters(frequency_hz_F, sample_rate_hz)
        self.band_hz_B = _band_edges_hz(sample_rate_hz)[1:-1]

    def feed(self, block_N: np.ndarray) -> Iterator[np.ndarray]:
        """Levels that a block completes: T x B, float64, in dB above 80 dB below full scale."""
        return map(self._levels, self._windows.feed(block_N))

    def finish(self) -> Iterator[np.ndarray]:
        """Levels of the hops that are left when the sound ends."""
        return map(self._levels, self._windows.finish())

    def of_blocks(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Levels of a whole sound: T x B, some hundred hops at a time."""
        for block_N in blocks:
            yield from self.feed(block_N)
        yield from self.finish()

    def envelope(self, strength_T: np.ndarray) -> OnsetEnvelope:
        """A curve over the hops of these levels as an envelope."""
        return OnsetEnvelope(strength_T, self._rate, self.hop_samples, self._window)

    def _levels(self, window_TL: np.ndarray) -> np.ndarray:
        power_TF = spectral_power(window_TL, self._taper_L, self._weight_F)
        return 10 * np.log10(power_TF @ self._bands_BF.T + 1e-8) + 80


def _powers(
    sound_N: np.ndarray,
    sample_rate_hz: int,
    times_seconds: Iterable[Fraction | float],
    window_samples: int,
) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    end_T = sample_ends(times_seconds, sample_rate_hz)
    return _powers_at(sound_N, sample_rate_hz, end_T, window_samples)


def _powers_at(
    sound_N: np.ndarray, sample_rate_hz: int, end_T: np.ndarray, window_samples: int
) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """Power at each frequency of the windows before the ends, some hundred windows at a time.

    Yields (t x F, F in Hz); a row sums to the window's mean square (Parseval, Hann window).
    """
    sound_N = np.asarray(sound_N, dtype=np.float32)
    if len(sound_N) == 0:
        sound_N = np.zeros(1, np.float32)
    taper_L, weight_F, frequency_hz_F = spectral_tables(window_samples, sample_rate_hz)
    at_a_time = windows_at_a_time(window_samples)
    offset_L = np.arange(-window_samples, 0)
    for first in range(0, len(end_T), at_a_time):
        index_TL = end_T[first : first + at_a_time, None] + offset_L
        inside_TL = (index_TL >= 0) & (index_TL < len(sound_N))
        window_TL = np.where(inside_TL, sound_N[index_TL.clip(0, len(sound_N) - 1)], 0)
        yield spectral_power(window_TL, taper_L, weight_F), frequency_hz_F


def spectral_tables(
    window_samples: int, sample_rate_hz: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hann window (L), what makes its powers sum to the mean square (F), frequencies in Hz (F)."""
    taper_L = np.hanning(window_samples + 1)[:-1].astype(np.float32)
    frequency_hz_F = np.fft.rfftfreq(window_samples, 1 / sample_rate_hz)
    weight_F = np.full(len(frequency_hz_F), 2.0 / (window_samples * float(taper_L @ taper_L)))
    weight_F[0] /= 2
    if window_samples % 2 == 0:
        weight_F[-1] /= 2
    return taper_L, weight_F, frequency_hz_F


def spectral_power(window_TL: np.ndarray, taper_L: np.ndarray, weight_F: np.ndarray) -> np.ndarray:
    """The power at each frequency of windows, with the tables of `spectral_tables`: T x F."""
    spectrum_TF = np.fft.rfft(window_TL * taper_L)
    return (spectrum_TF.real**2 + spectrum_TF.imag**2) * weight_F


def _band_filters(frequency_hz_F: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Triangles evenly spaced in mel (O'Shaughnessy: 2595 log10(1 + f / 700)), B x F."""
    edge_hz = _band_edges_hz(sample_rate_hz)
    left, centre, right = edge_hz[:-2, None], edge_hz[1:-1, None], edge_hz[2:, None]
    rising = (frequency_hz_F - left) / (centre - left)
    falling = (right - frequency_hz_F) / (right - centre)
    return np.maximum(0, np.minimum(rising, falling))


def _band_edges_hz(sample_rate_hz: int) -> np.ndarray:
    high_hz = min(_ONSET_HIGH_HZ, sample_rate_hz / 2)
    low_mel, high_mel = 2595 * np.log10(1 + np.array([_ONSET_LOW_HZ, high_hz]) / 700)
    return 700 * (10 ** (np.linspace(low_mel, high_mel, ONSET_BANDS + 2) / 2595) - 1)


def _decibels(mean_square_T: np.ndarray) -> np.ndarray:
    return 10 * np.log10(np.maximum(mean_square_T, 10 ** (SILENCE_DB / 10)))


def _window_samples(window_seconds: float, sample_rate_hz: int) -> int:
    return max(2, nearest_sample(Fraction(window_seconds), sample_rate_hz))


def _plain(time_seconds: Fraction | float) -> Fraction | float:
    # numpy's own float writes itself as "np.float64(0.1)", which is no decimal.
    return time_seconds if isinstance(time_seconds, Fraction) else float(time_seconds)
