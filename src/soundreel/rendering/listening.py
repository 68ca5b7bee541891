"""Listening: what a film needs to know of its song before the first picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from soundreel.media.sound import stream_sound
from soundreel.progress import Listener, Step
from soundreel.rendering.film import Span
from soundreel.rendering.shot_list import ShotList
from soundreel.sound.rhythm import OnsetEnvelope, onset_envelope_of_blocks
from soundreel.sound.song_form import SongForm, song_form
from soundreel.timeline import sample_time

#: Below CD rate nothing that onsets, beats or sections need is lost, and it is half the work.
_RATE_HZ = 22_050
_BLOCK_SAMPLES = 10 * _RATE_HZ


@dataclass(frozen=True)
class Heard:
    """What was heard: only what the film needs, the rest is None or empty."""

    form: SongForm | None
    onset: OnsetEnvelope | None
    beat_seconds: Sequence[float]


def listen(span: Span, shots: ShotList, wants_form: bool, progress: Listener) -> Heard:
    """Listen to a song as far as a shot list and its look need it.

    wants_form: whether its sections are needed.

    Raises: MediaError if the song cannot be read.
    """
    accents = shots.film.accent != "none"
    lacks_bars = shots.counts_bars and not shots.song.bars
    if wants_form or lacks_bars or (accents and not shots.song.beats):
        form = hear_form(span.song, float(span.stop_seconds), progress)
        beats = shots.song.beats or tuple(form.beat_seconds_B.tolist())
        return Heard(form, form.onset, beats)
    onset = None
    if shots.film.smooth == "beats":
        # From the song's beginning, so that a span is smoothed as it is in the whole film.
        blocks = _blocks(span.song, progress, float(span.stop_seconds))
        onset = onset_envelope_of_blocks(blocks, _RATE_HZ)
    return Heard(None, onset, shots.song.beats)


def with_bars(shots: ShotList, form: SongForm | None) -> ShotList:
    """A shot list that knows the song's bars: its own, or those that were heard."""
    if form is None or shots.song.bars:
        return shots
    bars = tuple(float(one) for one in form.bar_seconds)
    return shots.model_copy(update={"song": shots.song.model_copy(update={"bars": bars})})


def hear_form(song: Path, seconds: float, progress: Listener) -> SongForm:
    """The form of a whole song that is about so long. Raises: MediaError."""
    return song_form(_blocks(song, progress, seconds), _RATE_HZ)


def _blocks(song: Path, progress: Listener, seconds: float) -> Iterator[np.ndarray]:
    heard = 0
    for block in stream_sound(song, _RATE_HZ, "mono", block_samples=_BLOCK_SAMPLES):
        yield block
        heard += len(block)
        now = float(sample_time(heard, _RATE_HZ))
        progress(Step("listen", min(round(now), round(seconds)), round(seconds), "seconds"))
