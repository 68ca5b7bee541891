"""How well what is heard and what is seen come together in time, minus what chance gives.

Two published measures. Their raw values depend on the frame rate and on how many events there
are, so `sync` subtracts two nulls of the clips' own: other songs, and the song a little earlier
or later.

Shapes: T frames, V clips, B draws, R pairs of (audio, visual) events, A and E events of a pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from soundreel.evidence.event_pairs import matched_pairs, nearest_distances, padded
from soundreel.evidence.nulls import permutation_p, uniform_permutations
from soundreel.evidence.peaks import peaks
from soundreel.seeding import numpy_generator_for

__all__ = ["Statistic", "Sync", "av_align", "beat_alignment", "peaks", "sync"]

Statistic = Literal["av-align", "beat-alignment"]

#: Li et al. 2021 have 3 frames at 60 a second.
SIGMA_SECONDS = 0.05
_VALUES_AT_A_TIME = 4_000_000


@dataclass(frozen=True)
class Sync:
    """How well events of sound and picture coincide, against two kinds of chance.

    statistic: what was measured. fps: frames a second, on which av-align's window depends
        (raw values of different frame rates do not compare).
    value: the statistic, mean over the clips, 0 to 1. clips: how many were used.
    swap_null_B: the same with the songs permuted between clips, at the same absolute time; None
        for a single clip. shift_null_B: with each song a little earlier or later.
    swap_p, shift_p: one-sided, more than chance; p_value: the larger of those there are.
    """

    statistic: Statistic
    fps: Fraction
    value: float
    clips: int
    swap_null_B: np.ndarray | None
    shift_null_B: np.ndarray
    swap_p: float | None
    shift_p: float
    p_value: float

    @property
    def swap_mean(self) -> float | None:
        """What other songs give."""
        return None if self.swap_null_B is None else float(self.swap_null_B.mean())

    @property
    def shift_mean(self) -> float:
        """What the song gives a little earlier or later."""
        return float(self.shift_null_B.mean())

    @property
    def swap_effect(self) -> float | None:
        """How much better the own song is than others."""
        return None if self.swap_mean is None else self.value - self.swap_mean

    @property
    def shift_effect(self) -> float:
        """How much better the song is at its own time than a little earlier or later."""
        return self.value - self.shift_mean


def av_align(
    audio_peak_seconds: Sequence[float] | np.ndarray,
    visual_peak_seconds: Sequence[float] | np.ndarray,
    fps: Fraction,
) -> float:
    """Peaks of sound and picture that come together, over all there are: 0 to 1.

    Intersection over union, M / (A + E - M): of A audio and E visual peaks, M is the largest
    number of pairs (each peak in one at most) that lie no more than a frame, 1 / fps, apart.
    Source: Yariv et al. 2023 (arXiv 2309.16429). Their program counts every audio peak that has
    a visual one near, so that one visual peak may serve many and the value exceed 1; pairs of
    their own make it an intersection. It depends on fps: read it beside its chance value.

    Raises: ValueError if there are no peaks at all, or fps is not positive.
    """
    audio, visual = _one_row(audio_peak_seconds), _one_row(visual_peak_seconds)
    if not audio.size + visual.size:
        raise ValueError("no peaks, neither heard nor seen: nothing can coincide")
    return float(_av_align_of_pairs(audio, visual, _window_seconds(fps))[0])


def beat_alignment(
    visual_beat_seconds: Sequence[float] | np.ndarray,
    music_beat_seconds: Sequence[float] | np.ndarray,
    sigma_seconds: float = SIGMA_SECONDS,
) -> float:
    """How near the visual beats are to beats of the music: 0 to 1.

    Mean over visual beats of exp(-d^2 / (2 sigma^2)), d from the nearest beat of the music.
    Source: Li et al. 2021, "AI Choreographer" (AIST++, arXiv 2101.08779), with its sigma of 3
    frames at 60 a second. Siyao et al. 2022 (Bailando) take the mean over the beats of the
    music instead: swap the arguments.

    Raises: ValueError if either has no beats, or sigma is not positive.
    """
    visual, music = _one_row(visual_beat_seconds), _one_row(music_beat_seconds)
    if not (visual.size and music.size):
        raise ValueError(f"{visual.size} visual and {music.size} musical beats: each needs one")
    if not 0 < sigma_seconds < np.inf:
        raise ValueError(f"a sigma of {sigma_seconds} s: must be more than 0")
    return float(_alignment_of_pairs(music, visual, sigma_seconds)[0])


def sync(
    audio_peaks_by_clip: Sequence[np.ndarray],
    visual_peaks_by_clip: Sequence[np.ndarray],
    seconds_by_clip: Sequence[float] | np.ndarray,
    fps: Fraction,
    statistic: Statistic = "av-align",
    draws: int = 999,
    seed: int = 0,
    sigma_seconds: float = SIGMA_SECONDS,
    shift_seconds: float = 2.0,
) -> Sync:
    """`av_align` or `beat_alignment` of clips, against other songs and against near times.

    Peaks (or beats) in seconds from the start of their clip, of `seconds_by_clip` each.

    - Swapped songs: uniform permutations of the songs between clips, at the same absolute time;
      of clips of different length the time that both have.
    - Shifted: each song moved by a time uniform within `shift_seconds` either way, 0 included (a
      quarter of the length, of shorter clips), another one for each clip and draw; scored where
      both song and picture are.

    Both are needed. Swaps alone are fooled where busy songs have busy pictures, shifts alone
    where songs and pictures of all clips have the same few moments in common.

    Why near shifts: music and pictures that both pulse at the song's tempo, at phases of their
    own, meet often in some clips and never in others. A song moved far loses the tempo, which
    wanders, and meets a little everywhere, so that null is too narrow: with shifts of 6 s to half
    the clip AV-Align was significant at .05 in 12% of corpora whose tempo wanders by 0.5%, and in
    29% at 2%; within 2 s in 4% and 6%. What really meets is apart after a tenth of a second, so
    no power is lost. But being busy at the same seconds does not count as meeting; and about a
    fiftieth of all shifts are next to none, so the p-value of a single clip is seldom below .01.

    A pair without peaks on one side counts as 0; clips without any peaks, heard or seen, are
    left out.

    Raises: ValueError if the clips' numbers differ, a peak lies outside its clip, the statistic
    is unknown, fps, sigma, draws or shifts are not positive, or no clip has both kinds of peaks.
    """
    if statistic not in ("av-align", "beat-alignment"):
        raise ValueError(f"{statistic!r} is no statistic: av-align or beat-alignment")
    if draws < 1 or not 0 < sigma_seconds < np.inf:
        raise ValueError(f"{draws} draws, a sigma of {sigma_seconds} s: more than 0 is needed")
    if not 0 < shift_seconds < np.inf:
        raise ValueError(f"shifts of up to {shift_seconds} s: must be more than 0")
    window = _window_seconds(fps)
    audio_V, visual_V, seconds_V = _usable(
        audio_peaks_by_clip, visual_peaks_by_clip, seconds_by_clip
    )

    def scores(audio_RA: np.ndarray, visual_RE: np.ndarray) -> np.ndarray:
        if statistic == "av-align":
            return _av_align_of_pairs(audio_RA, visual_RE, window)
        return _alignment_of_pairs(audio_RA, visual_RE, sigma_seconds)

    clips = len(audio_V)
    audio_VA, visual_VE = padded(audio_V), padded(visual_V)
    value = float(scores(audio_VA, visual_VE).mean())
    swap_null_B = swap_p = None
    if clips > 1:
        score_UV = np.stack(
            [
                scores(*_in_both(audio_VA[u], visual_VE, np.minimum(seconds_V, seconds_V[u])))
                for u in range(clips)
            ]
        )
        order_BV = uniform_permutations(clips, draws, numpy_generator_for(seed, "sync/swap"))
        swap_null_B = score_UV[order_BV, np.arange(clips)].mean(axis=1)
        swap_p = permutation_p(value, swap_null_B)
    # Through 0: only so is a song's own time one of many alike when nothing is coupled.
    most_V = np.minimum(shift_seconds, seconds_V / 4)
    shift_rng = numpy_generator_for(seed, "sync/shift")
    shift_BV = shift_rng.uniform(-most_V, most_V, (draws, clips))
    shift_null_B = np.zeros(draws)
    for v in range(clips):
        at_a_time = max(1, _VALUES_AT_A_TIME // (len(audio_V[v]) + len(visual_V[v])))
        for start in range(0, draws, at_a_time):
            part = slice(start, min(start + at_a_time, draws))
            moved = _moved(audio_V[v], visual_V[v], seconds_V[v], shift_BV[part, v])
            shift_null_B[part] += scores(*moved) / clips
    shift_p = permutation_p(value, shift_null_B)
    return Sync(
        statistic=statistic,
        fps=fps,
        value=value,
        clips=clips,
        swap_null_B=swap_null_B,
        shift_null_B=shift_null_B,
        swap_p=swap_p,
        shift_p=shift_p,
        p_value=shift_p if swap_p is None else max(swap_p, shift_p),
    )


def _av_align_of_pairs(audio_RA: np.ndarray, visual_RE: np.ndarray, window: float) -> np.ndarray:
    audio_RA, visual_RE = np.atleast_2d(audio_RA), np.atleast_2d(visual_RE)
    matched_R = matched_pairs(audio_RA, visual_RE, window)
    union_R = np.isfinite(audio_RA).sum(1) + np.isfinite(visual_RE).sum(1) - matched_R
    return matched_R / np.maximum(union_R, 1)


def _alignment_of_pairs(music_RA: np.ndarray, visual_RE: np.ndarray, sigma: float) -> np.ndarray:
    music_RA, visual_RE = np.atleast_2d(music_RA), np.atleast_2d(visual_RE)
    near_RE = np.exp(-0.5 * (nearest_distances(visual_RE, music_RA) / sigma) ** 2)
    return near_RE.sum(1) / np.maximum(np.isfinite(visual_RE).sum(1), 1)


def _in_both(
    audio_A: np.ndarray, visual_VE: np.ndarray, seconds_V: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One song beside every clip, both up to the time that both last: V x A and V x E."""
    audio_VA = np.broadcast_to(audio_A, (len(visual_VE), len(audio_A)))
    stop_V1 = seconds_V[:, None]
    return (
        np.where(audio_VA <= stop_V1, audio_VA, np.inf),
        np.where(visual_VE <= stop_V1, visual_VE, np.inf),
    )


def _moved(
    audio_A: np.ndarray, visual_E: np.ndarray, seconds: float, shift_B: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A clip's song moved, and its picture, where both are: B x A and B x E."""
    start_B1 = shift_B.clip(0)[:, None]
    stop_B1 = seconds + shift_B.clip(None, 0)[:, None]
    both = []
    for times in (audio_A + shift_B[:, None], np.tile(visual_E, (len(shift_B), 1))):
        inside = (times >= start_B1) & (times <= stop_B1)
        both.append(np.sort(np.where(inside, times, np.inf), axis=1))
    return both[0], both[1]


def _usable(
    audio_V: Sequence[np.ndarray],
    visual_V: Sequence[np.ndarray],
    seconds_V: Sequence[float] | np.ndarray,
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    if not len(audio_V) == len(visual_V) == len(seconds_V):
        raise ValueError(
            f"peaks heard of {len(audio_V)} clips, seen of {len(visual_V)}, and "
            f"{len(seconds_V)} lengths: equally many are needed"
        )
    kept = []
    for clip, (heard, seen, length) in enumerate(zip(audio_V, visual_V, seconds_V, strict=True)):
        audio, visual, seconds = _one_row(heard), _one_row(seen), float(length)
        for times in (audio, visual):
            if times.size and not (times[0] >= 0 and times[-1] <= seconds < np.inf):
                raise ValueError(
                    f"clip {clip}: peaks from {times[0]} to {times[-1]} s in {seconds} s of film"
                )
        if audio.size and visual.size:
            kept.append((audio, visual, seconds))
    if not kept:
        raise ValueError(f"none of {len(audio_V)} clips has peaks both heard and seen")
    return [row[0] for row in kept], [row[1] for row in kept], np.array([row[2] for row in kept])


def _one_row(times_seconds: Sequence[float] | np.ndarray) -> np.ndarray:
    times = np.sort(np.asarray(times_seconds, dtype=np.float64).ravel())
    if not np.isfinite(times).all():
        raise ValueError("a peak is not at a finite time")
    return times


def _window_seconds(fps: Fraction) -> float:
    if fps <= 0:
        raise ValueError(f"{fps} frames a second: must be more than 0")
    return float(1 / Fraction(fps))
