"""What a song, or a clip's own sound, is like at each moment: the curves that shots are chosen by.

Shapes: G moments of the grid, F slow curves, H curves of hits, T hops, B mel bands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from soundreel.media.sound import stream_sound
from soundreel.sound.bars import count_bars
from soundreel.sound.beats import beats_at_tempo
from soundreel.sound.pulse import steady_stretches
from soundreel.sound.rhythm import BandLevels, OnsetEnvelope
from soundreel.sound.sections import find_sections
from soundreel.sound.song_curves import SongCurves, song_curves
from soundreel.timeline import frame_count, sample_time

#: From one moment to the next. A hit and a flash more than about a tenth of a second apart no
#: longer seem to be one (ITU-R BT.1359: 45 ms early, 125 ms late), so the grid is finer than that.
MOMENT_SECONDS = Fraction(1, 20)
#: loudness, density of onsets, brightness, balance of low and high.
SLOW_CURVES = 4
LOUDNESS = 0
HIT_CURVES = 2

_RATE_HZ = 22_050
_BLOCK_SAMPLES = 10 * _RATE_HZ
#: Below this it is quiet, however much below.
_FLOOR_DB = -60.0
#: A hit is as wide as this (a triangle's half width): the grid then misses none.
_HIT_SECONDS = 0.06
_DENSITY_SECONDS = 1.0
_SLOW_SECONDS = 0.3
#: Sones grow with about this power of the amplitude (S. S. Stevens 1955: 0.6 per dB of power).
_LOUDNESS_POWER = 0.3
_LOW_HZ, _HIGH_HZ = 200.0, 2_000.0


@dataclass(frozen=True)
class Hearing:
    """A sound as curves, 20 moments a second, and what beats in it. Times count from its start.

    seconds: its length.
    slow_GF: float32; loudness (dB), density of onsets, brightness (mel band), low against high
      (dB), each averaged over 0.3 to 1 s.
    hit_GH: float32, at least 0; how suddenly the sound grows, all of it and below 200 Hz, as the
      square root of dB a hop.
    beat_seconds, bar_seconds: float64, ascending; empty where nothing beats steadily.
    section_seconds: where new parts begin; empty where nobody asked.
    """

    seconds: Fraction
    slow_GF: np.ndarray
    hit_GH: np.ndarray
    beat_seconds: np.ndarray
    bar_seconds: np.ndarray
    section_seconds: np.ndarray


def hear(
    path: Path, wants_sections: bool = False, on_seconds: Callable[[float], None] | None = None
) -> Hearing:
    """Listen to a file, in one pass; memory grows with its curves, not with its sound.

    on_seconds: told how far it has come.

    Raises: MediaError if it cannot be read or has no sound.
    """
    curves = song_curves(_blocks(path, on_seconds), _RATE_HZ)
    stretches = steady_stretches(curves.onset, curves.low_onset)
    tracked = [
        beats_at_tempo(curves.onset, one.tempo_bpm, one.start_hop, one.stop_hop)
        for one in stretches
    ]
    bars = count_bars(tracked, curves)
    sections = find_sections(curves, bars.bar_seconds) if wants_sections else ()
    moments = max(1, frame_count(curves.seconds, 1 / MOMENT_SECONDS))
    return Hearing(
        curves.seconds,
        _slow(curves, moments),
        _hits(curves, moments),
        bars.beat_seconds_B,
        bars.bar_seconds,
        np.array([float(one.start_seconds) for one in sections[1:]]),
    )


def _blocks(path: Path, on_seconds: Callable[[float], None] | None) -> Iterator[np.ndarray]:
    heard = 0
    for block_N in stream_sound(path, _RATE_HZ, "mono", block_samples=_BLOCK_SAMPLES):
        yield block_N
        heard += len(block_N)
        if on_seconds is not None:
            on_seconds(float(sample_time(heard, _RATE_HZ)))


def _hits(curves: SongCurves, moments: int) -> np.ndarray:
    """Hits, spread over some hops, at the moments of the grid."""
    columns = []
    for envelope in (curves.onset, curves.low_onset):
        reach = max(1, round(_HIT_SECONDS * envelope.hops_per_second))
        triangle = 1 - np.abs(np.arange(-reach, reach + 1)) / (reach + 1)
        spread_T = _smoothed(envelope.strength_T, triangle / triangle.sum())
        columns.append(np.sqrt(_on_grid(spread_T, _onset_seconds(envelope), moments).clip(0)))
    return np.stack(columns, axis=1).astype(np.float32)


def _slow(curves: SongCurves, moments: int) -> np.ndarray:
    """Loudness, density, brightness and balance at the moments of the grid."""
    onset = curves.onset
    wide = np.ones(max(1, round(_DENSITY_SECONDS * onset.hops_per_second)))
    density_T = np.sqrt(_smoothed(onset.strength_T, wide / wide.sum()).clip(0))
    density_G = _on_grid(density_T, _onset_seconds(onset), moments)
    step = float(curves.moment_seconds)
    # A band's level is that of windows that end in its moment, so it is half a window old.
    late = onset.window_samples / 2 / onset.sample_rate_hz
    level_seconds = (np.arange(len(curves.level_GB)) + 0.55) * step - late
    band_hz_B = BandLevels(onset.sample_rate_hz).band_hz_B
    felt_GB = 10 ** (_LOUDNESS_POWER * curves.level_GB.astype(np.float64) / 20) - 1
    felt_GB = felt_GB.clip(1e-9)
    brightness = felt_GB @ np.arange(len(band_hz_B)) / felt_GB.sum(1)
    level_GB = curves.level_GB.clip(80 + _FLOOR_DB)
    balance = level_GB[:, band_hz_B < _LOW_HZ].mean(1) - level_GB[:, band_hz_B > _HIGH_HZ].mean(1)
    loud_seconds = (np.arange(len(curves.loudness_db_G)) + 0.5) * step
    some = np.ones(max(1, round(_SLOW_SECONDS / step)))
    some /= some.sum()
    return np.stack(
        [
            _on_grid(_smoothed(curves.loudness_db_G.clip(_FLOOR_DB), some), loud_seconds, moments),
            density_G,
            _on_grid(_smoothed(brightness, some), level_seconds, moments),
            _on_grid(_smoothed(balance, some), level_seconds, moments),
        ],
        axis=1,
    ).astype(np.float32)


def _onset_seconds(envelope: OnsetEnvelope) -> np.ndarray:
    """When what each hop heard lies: an onset shows a quarter window after it (see `beats`)."""
    end_T = (np.arange(len(envelope.strength_T)) + 1) * envelope.hop_samples
    return (end_T - envelope.window_samples / 4) / envelope.sample_rate_hz


def _smoothed(curve_T: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The curve with its ends held, so that a beginning is not half as loud as what follows."""
    before, after = len(kernel) // 2, (len(kernel) - 1) // 2
    if len(curve_T) == 0:
        return np.asarray(curve_T, np.float64)
    return np.convolve(np.pad(curve_T, (before, after), mode="edge"), kernel, "valid")


def _on_grid(curve_T: np.ndarray, seconds_T: np.ndarray, moments: int) -> np.ndarray:
    if len(curve_T) == 0:
        return np.zeros(moments)
    return np.interp(np.arange(moments) * float(MOMENT_SECONDS), seconds_T, curve_T)
