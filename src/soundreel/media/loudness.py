"""How loud a sound is, and a sound made as loud as is wanted, without clipping.

Loudness is the integrated one of ITU-R BS.1770-4 and EBU R 128, in LUFS: weighted as the ear does,
silence and quiet passages left out by two gates. A 997 Hz sine at -20 dBFS in one channel is at
-23.0 LUFS. Peaks are true peaks (BS.1770-4, annex 2): those of the curve between the samples, as a
converter or a lossy codec will make it, in dBTP.

Shapes: N samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import av
import av.error
import numpy as np
from av.filter import Graph

from soundreel.media.resampling import in_blocks

#: What the filter says of silence: nothing passed its absolute gate.
SILENT_LUFS = -70.0
_OVERSAMPLED = 4
_HALF_TAPS = 16
#: The curve between samples is known to within this, for sound below 0.9 of half its rate.
_MARGIN_DB = 0.1
# A gain that moves faster than this is heard as a click or as distortion.
_LOOK_AHEAD_SECONDS = 0.02
_BLOCK_SAMPLES = 65_536
_LEAST_SECONDS = Fraction(1, 2)  # the first 400 ms window, whole


@dataclass(frozen=True)
class Loudness:
    """What was measured of a sound.

    integrated_lufs: -70 where it is silent, or nearly so. true_peak_dbtp: -inf of silence.
    """

    integrated_lufs: float
    true_peak_dbtp: float

    @property
    def is_silent(self) -> bool:
        """Whether no part of it is loud enough to be heard."""
        return self.integrated_lufs <= SILENT_LUFS


class LoudnessMeter:
    """Measures a sound of one channel as it goes by; memory is flat."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._graph = Graph()
        source = self._graph.add(
            "abuffer",
            sample_rate=str(sample_rate_hz),
            sample_fmt="fltp",
            channel_layout="mono",
            time_base=f"1/{sample_rate_hz}",
        )
        meter = self._graph.add("ebur128", "metadata=1")
        self._graph.link_nodes(source, meter, self._graph.add("abuffersink")).configure()
        self._at = 0
        self._lufs = SILENT_LUFS
        self._peak = 0.0
        self._before_N = np.zeros(2 * _HALF_TAPS, np.float32)

    def add(self, sound_N: np.ndarray) -> None:
        """Listen to the next samples: float, full scale 1."""
        if not len(sound_N):
            return
        self._push(np.asarray(sound_N, np.float32))
        joined_N = np.concatenate([self._before_N, sound_N])
        self._peak = max(self._peak, float(peaks_between(joined_N).max(initial=0)))
        self._before_N = joined_N[-2 * _HALF_TAPS :]

    def finish(self) -> Loudness:
        """What was measured; nothing may be added after it."""
        short = math.ceil(_LEAST_SECONDS * self._rate_hz) - self._at
        if short > 0 and self._at:
            self._push(np.zeros(short, np.float32))
        rest_N = np.concatenate([self._before_N, np.zeros(2 * _HALF_TAPS, np.float32)])
        peak = max(self._peak, float(peaks_between(rest_N).max(initial=0)))
        return Loudness(self._lufs, 20 * math.log10(peak) if peak > 0 else -math.inf)

    def _push(self, sound_N: np.ndarray) -> None:
        for at in range(0, len(sound_N), _BLOCK_SAMPLES):
            block_1N = np.ascontiguousarray(sound_N[None, at : at + _BLOCK_SAMPLES])
            frame = av.AudioFrame.from_ndarray(block_1N, format="fltp", layout="mono")
            frame.sample_rate, frame.time_base = self._rate_hz, Fraction(1, self._rate_hz)
            frame.pts = self._at
            self._at += block_1N.shape[1]
            self._graph.push(frame)
            with suppress(av.error.BlockingIOError):
                while True:
                    said = self._graph.pull().metadata.get("lavfi.r128.I")
                    self._lufs = self._lufs if said is None else _number(said)


def loudness_of(pieces: Iterable[np.ndarray], sample_rate_hz: int) -> Loudness:
    """Measure a sound of one channel that comes in pieces of floats, full scale 1."""
    meter = LoudnessMeter(sample_rate_hz)
    for sound_N in pieces:
        meter.add(sound_N)
    return meter.finish()


def limited(
    pieces: Iterable[np.ndarray], sample_rate_hz: int, gain_db: float, ceiling_dbtp: float
) -> Iterator[np.ndarray]:
    """A sound of one channel with a gain, its peaks turned down to a ceiling: float32 (n,).

    Before a peak the gain goes down in time and comes up after it, over 20 ms to either side
    along a curve without corners; where nothing is above the ceiling, the sound is as it was but
    for the gain. The same samples come out however they are handed over, in flat memory.
    """
    ceiling = 10 ** ((ceiling_dbtp - _MARGIN_DB) / 20)
    gain = np.float32(10 ** (gain_db / 20))
    reach = round(_LOOK_AHEAD_SECONDS / 2 * sample_rate_hz)
    margin = 2 * reach + 2 * _HALF_TAPS
    kept_N = np.zeros(margin, np.float32)
    for block_1N in in_blocks((piece_N[None] for piece_N in pieces), _BLOCK_SAMPLES):
        kept_N = np.concatenate([kept_N, block_1N[0].astype(np.float32) * gain])
        if len(kept_N) > 2 * margin:
            yield _turned_down(kept_N, ceiling, reach, margin)
            kept_N = kept_N[-2 * margin :]
    kept_N = np.concatenate([kept_N, np.zeros(margin, np.float32)])
    if len(kept_N) > 2 * margin:
        yield _turned_down(kept_N, ceiling, reach, margin)


def _turned_down(sound_N: np.ndarray, ceiling: float, reach: int, margin: int) -> np.ndarray:
    """A stretch without its margins, under the ceiling."""
    peak_N = np.maximum(np.abs(sound_N), _nearby_peaks(sound_N))
    middle_N = sound_N[margin:-margin]
    if peak_N.max() <= ceiling:
        return middle_N.copy()
    gain_N = ceiling / np.maximum(peak_N, ceiling)
    least_N = _least_nearby(gain_N.astype(np.float64), reach)
    # Two boxes make a triangle that reaches as far: the mean under it is of nothing but gains
    # that are low enough for its middle.
    smooth_N = _box(_box(least_N, reach + 1), reach + 1)
    first = margin - 2 * reach
    return (middle_N * smooth_N[first : first + len(middle_N)]).astype(np.float32)


def _nearby_peaks(sound_N: np.ndarray) -> np.ndarray:
    """The highest peak of the curve within a sample to either side of each sample."""
    between_N = np.zeros(len(sound_N) + 1, np.float32)
    inner_N = peaks_between(sound_N)
    between_N[_HALF_TAPS : _HALF_TAPS + len(inner_N)] = inner_N
    return np.maximum(between_N[:-1], between_N[1:])


def peaks_between(sound_N: np.ndarray) -> np.ndarray:
    """The highest magnitude of the curve through the samples, four values to each sample.

    Value k belongs to the time from sample k + 15 to sample k + 16: those nearer to an end of the
    stretch hang on samples that are not there. Shape: N -> N - 31.
    """
    if len(sound_N) < 2 * _HALF_TAPS:
        return np.zeros(0, np.float32)
    inner_N = np.abs(sound_N)[_HALF_TAPS - 1 : -_HALF_TAPS]
    peak_N = np.maximum(inner_N, np.abs(sound_N)[_HALF_TAPS : len(sound_N) - _HALF_TAPS + 1])
    for taps_L in _between_filters():
        np.maximum(peak_N, np.abs(np.convolve(sound_N, taps_L, "valid")), out=peak_N)
    return peak_N


@lru_cache(maxsize=1)
def _between_filters() -> list[np.ndarray]:
    """Taps that give the curve 1/4, 1/2 and 3/4 of the way to the next sample (windowed sinc)."""
    filters = []
    for phase in range(1, _OVERSAMPLED):
        distance_L = np.arange(-_HALF_TAPS + 1, _HALF_TAPS + 1) - phase / _OVERSAMPLED
        window_L = np.i0(6.0 * np.sqrt(1 - (distance_L / (_HALF_TAPS + 0.5)) ** 2)) / np.i0(6.0)
        taps_L = np.sinc(distance_L) * window_L
        filters.append((taps_L / taps_L.sum())[::-1].astype(np.float32))
    return filters


def _least_nearby(value_N: np.ndarray, reach: int) -> np.ndarray:
    """The least value within `reach` to either side: N -> N - 2 * reach (van Herk, 1992)."""
    width = 2 * reach + 1
    count = len(value_N) - width + 1
    padded_N = np.concatenate([value_N, np.ones(-len(value_N) % width)]).reshape(-1, width)
    onwards_N = np.minimum.accumulate(padded_N, 1).ravel()
    back_N = np.minimum.accumulate(padded_N[:, ::-1], 1)[:, ::-1].ravel()
    return np.minimum(back_N[:count], onwards_N[width - 1 : width - 1 + count])


def _box(value_N: np.ndarray, width: int) -> np.ndarray:
    """The mean of `width` neighbours: N -> N - width + 1."""
    sum_N = np.concatenate([[0.0], np.cumsum(value_N)])
    return (sum_N[width:] - sum_N[:-width]) / width


def _number(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else SILENT_LUFS
