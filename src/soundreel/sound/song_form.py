"""The form of a song: tempo, beats, bars, sections and loudness, from one pass over its sound."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from soundreel.sound.bars import bar_at, count_bars, seconds_of_bar
from soundreel.sound.beats import beats_at_tempo
from soundreel.sound.pulse import steady_stretches
from soundreel.sound.rhythm import OnsetEnvelope
from soundreel.sound.sections import Section, find_sections
from soundreel.sound.song_curves import song_curves

__all__ = ["Section", "SongForm", "bar_at", "seconds_of_bar", "song_form"]


@dataclass(frozen=True)
class SongForm:
    """What a song is made of. Times are seconds from its start.

    seconds: its length.
    tempo_bpm: beats a minute, of the longest stretch that has one tempo; None where nothing beats
        steadily, and then there are no beats and no bars.
    beat_seconds_B: float64, ascending; none where a medley's part does not beat steadily.
    bar_seconds: when bars begin, float64, ascending; bar 1 begins at the first downbeat that is
        heard. The last value is where the last bar ends, at or after the song's end. `bar_at`
        and `seconds_of_bar` count on before and after.
    beats_per_bar: 4, or 3 where that explains the song clearly better.
    sections: they cover the song without gaps; where there are bars each but the first begins
        with one.
    onset: how suddenly the sound grows, about 100 times a second.
    loudness_db_T: root mean square of each tenth of a second, dB re full scale, float64;
        loudness_rate_hz: how many a second (10, as exactly as whole samples allow).
    """

    seconds: Fraction
    tempo_bpm: float | None
    beat_seconds_B: np.ndarray
    bar_seconds: np.ndarray
    beats_per_bar: int
    sections: tuple[Section, ...]
    onset: OnsetEnvelope
    loudness_db_T: np.ndarray
    loudness_rate_hz: float


def song_form(blocks: Iterable[np.ndarray], sample_rate_hz: int) -> SongForm:
    """The form of a sound that comes in blocks; the same to the bit, however it is cut.

    Shape: blocks of N, float, full scale 1 (`media.sound.stream_sound`). Time is linear in the
    song's length; memory grows by its curves (about 3 MB an hour), not by its sound.
    Beats follow the tempo's drift, and new tempos that last for about a minute or more.
    """
    curves = song_curves(blocks, sample_rate_hz)
    stretches = steady_stretches(curves.onset, curves.low_onset)
    tracked = [
        beats_at_tempo(curves.onset, part.tempo_bpm, part.start_hop, part.stop_hop)
        for part in stretches
    ]
    bars = count_bars(tracked, curves)
    longest = max(stretches, key=lambda part: part.stop_hop - part.start_hop, default=None)
    return SongForm(
        seconds=curves.seconds,
        tempo_bpm=longest.tempo_bpm if longest and len(bars.bar_seconds) else None,
        beat_seconds_B=bars.beat_seconds_B,
        bar_seconds=bars.bar_seconds,
        beats_per_bar=bars.beats_per_bar,
        sections=find_sections(curves, bars.bar_seconds),
        onset=curves.onset,
        loudness_db_T=curves.loudness_db_G,
        loudness_rate_hz=float(1 / curves.moment_seconds),
    )
