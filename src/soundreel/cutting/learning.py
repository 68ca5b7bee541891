"""The cutting habits behind a dataset's clips, and which shot each of its pairs belongs to.

Shapes: N pairs, P pieces of clips without a gap, C clips.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from soundreel.cutting.habits import COARSEST_SECONDS, CuttingHabits, learn_habits
from soundreel.dataset.loading import Pairs
from soundreel.evidence.cuts import find_cuts
from soundreel.progress import Listener, Step, silent
from soundreel.sound.song_form import song_form

#: A step so much longer than the grid's is a gap: something was left out.
_GAP_STEPS = 1.5
#: What times in seconds are told apart by, in steps of the grid.
_SAME_STEPS = 1e-3


@dataclass(frozen=True)
class _Piece:
    """Pairs [first, stop) of one clip, a step apart; which of them begin a shot within it."""

    clip: int
    first: int
    stop: int
    step_seconds: Fraction
    begins: np.ndarray


def habits_of_pairs(pairs: Pairs, progress: Listener = silent) -> CuttingHabits:
    """How the director of these clips cuts, relative to the beats of their sound.

    A cut is seen in the first frame after it, on average half a step of the grid late, and is
    put half a step before that frame; it is known to one step. Where moments were left out, a
    clip falls into pieces: a gap is no cut. Clips whose sound is not there (stored sound images)
    have no beat.

    From grids coarser than a quarter second one cannot tell beats, so `on_beat_share` and
    `shot_beats` are None; nor shots of a few steps, so lengths are then rather too long.
    """
    cuts, lengths, beats, bars = [], [], [], []
    steps = [Fraction(0)]
    clip, form_beats, form_bars = -1, np.empty(0), np.empty(0)
    for piece in _pieces(pairs, progress):
        steps.append(piece.step_seconds)
        if piece.clip != clip:
            clip = piece.clip
            heard = piece.step_seconds <= COARSEST_SECONDS
            form_beats, form_bars = _beats(pairs, clip) if heard else (np.empty(0), np.empty(0))
        start = float(pairs.time_seconds_N[piece.first])
        step = float(piece.step_seconds)
        cuts.append((piece.begins - piece.first - 0.5) * step)
        lengths.append((piece.stop - piece.first - 1) * step)
        beats.append(form_beats - start)
        bars.append(form_bars - start)
    return learn_habits(cuts, lengths, beats, bars, float(max(steps)))


def shots_of_pairs(pairs: Pairs, progress: Listener = silent) -> np.ndarray:
    """The shot each pair belongs to, counted from 0 through all clips: N, int64.

    A new clip and a gap in time begin a new shot too.
    """
    begins_N = np.zeros(len(pairs), np.int64)
    for piece in _pieces(pairs, progress):
        begins_N[piece.first] = 1
        begins_N[piece.begins] = 1
    return np.cumsum(begins_N) - 1


def _beats(pairs: Pairs, clip: int) -> tuple[np.ndarray, np.ndarray]:
    """The beats and the beginnings of bars of a clip's sound, in seconds."""
    sound_N = np.asarray(pairs.sounds[clip], np.float32)
    if not len(sound_N):
        return np.empty(0), np.empty(0)
    form = song_form([sound_N], pairs.recipe.sample_rate_hz)
    return form.beat_seconds_B, form.bar_seconds


def _pieces(pairs: Pairs, progress: Listener) -> Iterator[_Piece]:
    """The pieces of all clips in order, and the cuts in each."""
    clips = len(pairs.clip_ids)
    for clip in range(clips):
        first, stop = np.searchsorted(pairs.clip_N, (clip, clip + 1))
        time_N = pairs.time_seconds_N[first:stop]
        step = _step(pairs, time_N)
        gaps = np.flatnonzero(np.diff(time_N) > _GAP_STEPS * float(step)) + 1
        for begin, end in zip([0, *gaps], [*gaps, len(time_N)], strict=True):
            if end == begin:
                continue  # a clip without a pair
            frames = pairs.frames_N3HW[first + begin : first + end]
            cuts = find_cuts((frame.transpose(1, 2, 0) for frame in frames), 1 / step)
            # Found times are those of frames, but for rounding.
            seconds = np.arange(end - begin) * float(step)
            begins = np.searchsorted(seconds, cuts - _SAME_STEPS * float(step))
            start = int(first + begin)
            yield _Piece(clip, start, int(first + end), step, start + begins)
        progress(Step("find cuts", clip + 1, clips, "clips", pairs.clip_ids[clip]))


def _step(pairs: Pairs, time_N: np.ndarray) -> Fraction:
    """From one place of the grid to the next, in seconds; of a clip's own rate if it is that."""
    every = pairs.recipe.every_seconds
    if every == "frame":
        if len(time_N) < 2:
            return pairs.recipe.step_seconds(None)
        return Fraction(float(np.median(np.diff(time_N)))).limit_denominator(1_000_000)
    return every
