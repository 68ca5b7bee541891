"""For a stretch of the song, the pieces of shots whose own sound runs most like it.

Shapes: J in-points (the moments of all shots, one shot after the other), L moments of a stretch,
F slow curves, H curves of hits, K candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from soundreel.editing.footage import Clip
from soundreel.editing.hearing import LOUDNESS, MOMENT_SECONDS, Hearing
from soundreel.editing.stretches import Stretch
from soundreel.seeding import numpy_generator_for
from soundreel.timeline import frame_count, frame_shown_at

#: What each curve counts. Loudness and density say how much is going on; brightness and balance
#: also say how a recording was made, which means little for its pictures.
_SLOW_WEIGHT_F = np.array([1.0, 1.0, 0.5, 0.5])
#: The slow curves alone (root mean square difference in standard deviations, about 1.4 by chance).
SLOW_WEIGHT = 2.0
#: Hits that meet hits (1 - correlation, about 1 by chance): an eye sees at once whether they do,
#: and whether a calm shot is half a deviation too calm it does not.
HIT_WEIGHT = 1.5
#: Hits weaker than this, in deviations over all footage, are noise: they need not be met.
_WEAK_HITS = 0.35
#: A piece in which nothing can be seen (black, a plain card): more than one that does not fit.
_BLANK_WEIGHT = 4.0
_BLANK, _CLEAR = 0.03, 0.12  # of `Seen.clarity_T`
#: A picture that loses all but nothing to the film's shape; one enlarged to twice its size costs
#: a third of that.
_FIT_WEIGHT = 1.5
_ENLARGED_WEIGHT = 0.5
#: Another seed, another film: half of what the best and the second best differ by (.1; the best
#: and the 48th, 1).
_CHANCE = 0.05

#: In-points nearer together than this are one choice; the best of them stands for all.
CELL_MOMENTS = frame_count(Fraction(1), 1 / MOMENT_SECONDS)
_MOST_CANDIDATES = 48
#: Longer stretches are compared by as much of their beginning (51 s).
_MOST_MOMENTS = 1024
_BLOCK = 2 * _MOST_MOMENTS
#: A shot that is too short is played to and fro over this share of the longest, so that there is
#: something to choose.
_TURNED_SHARE = 0.75


@dataclass(frozen=True)
class Shots:
    """All shots as one long row of in-points, one a moment.

    shot_J, clip_J, cell_J: which shot, clip and second of a shot each lies in; moment_J: of its
    clip; end_J: the place in the row where its shot ends. penalty_S: what a shot costs, wherever
    it is cut from. blank_J: 0 to 1, how little there is to see.
    slow_JF, hit_JH: its sound, standardised; spectrum_*: transforms of overlapping blocks of them.
    mean_F, deviation_F, deviation_H: by which they were standardised.
    """

    clips: tuple[Clip, ...]
    shot_J: np.ndarray
    clip_J: np.ndarray
    cell_J: np.ndarray
    moment_J: np.ndarray
    end_J: np.ndarray
    penalty_S: np.ndarray
    blank_J: np.ndarray
    slow_JF: np.ndarray
    hit_JH: np.ndarray
    spectrum_slow: np.ndarray
    spectrum_hit: np.ndarray
    mean_F: np.ndarray
    deviation_F: np.ndarray
    deviation_H: np.ndarray

    @property
    def moments_of_shots(self) -> np.ndarray:
        """How many moments each shot has."""
        return np.bincount(self.shot_J)

    @property
    def shot_seconds(self) -> list[Fraction]:
        """How long a stretch each shot can fill, wherever on the grid that begins."""
        return [(int(count) - 1) * MOMENT_SECONDS for count in self.moments_of_shots]


@dataclass(frozen=True)
class Candidates:
    """Pieces for one stretch: place_K in the row of in-points, and what each costs by itself.

    moments: how long they are; turned: whether they are shorter than the stretch, and played to
    and fro.
    """

    stretch: Stretch
    moments: int
    turned: bool
    place_K: np.ndarray
    cost_K: np.ndarray


def shots_of(clips: Sequence[Clip], size: tuple[int, int]) -> Shots | None:
    """The shots of some clips for a film of this width and height; None if there are none."""
    columns: list[tuple[np.ndarray, ...]] = []
    penalty_S: list[float] = []
    place = cells = 0
    for number, clip in enumerate(clips):
        for start, stop in clip.shots():
            # What is cut from here begins up to a moment before (see `in_seconds`).
            first = frame_count(start, 1 / MOMENT_SECONDS) + 1
            end = frame_shown_at(stop, 1 / MOMENT_SECONDS)
            count = end - first
            if count < 1:
                continue
            moment_M = np.arange(first, end)
            sound_M = moment_M.clip(0, len(clip.heard.slow_GF) - 1)
            look_M = (moment_M * float(MOMENT_SECONDS * clip.seen.fps)).astype(np.int64)
            clear_M = clip.seen.clarity_T[look_M.clip(0, len(clip.seen.clarity_T) - 1)]
            columns.append(
                (
                    np.full(count, len(penalty_S)),
                    np.full(count, number),
                    cells + np.arange(count) // CELL_MOMENTS,
                    moment_M,
                    np.full(count, place + count),
                    ((_CLEAR - clear_M) / (_CLEAR - _BLANK)).clip(0, 1),
                    clip.heard.slow_GF[sound_M],
                    clip.heard.hit_GH[sound_M],
                )
            )
            penalty_S.append(_misfit(clip, size))
            place += count
            cells += -(-count // CELL_MOMENTS)
    if not columns:
        return None
    shot_J, clip_J, cell_J, moment_J, end_J, blank_J, slow_JF, hit_JH = (
        np.concatenate(column) for column in zip(*columns, strict=True)
    )
    mean_F, deviation_F = slow_JF.mean(0, dtype=np.float64), slow_JF.std(0, dtype=np.float64)
    deviation_F = np.maximum(deviation_F, [1.0, 0.02, 0.5, 1.0])
    deviation_H = np.maximum(hit_JH.std(0, dtype=np.float64), 0.02)
    slow_JF = ((slow_JF - mean_F) / deviation_F * np.sqrt(_SLOW_WEIGHT_F)).astype(np.float32)
    hit_JH = (hit_JH / deviation_H).astype(np.float32)
    return Shots(
        tuple(clips),
        shot_J,
        clip_J,
        cell_J,
        moment_J,
        end_J,
        np.array(penalty_S),
        blank_J,
        slow_JF,
        hit_JH,
        _spectra(slow_JF),
        _spectra(hit_JH),
        mean_F,
        deviation_F,
        deviation_H,
    )


def candidates_for(
    shots: Shots, song: Hearing, stretch: Stretch, number: int, seed: int
) -> Candidates:
    """The best pieces for a stretch, at most one from each second of footage.

    number: which stretch of the film it is, for the chance that `seed` decides.
    """
    first = frame_count(stretch.from_seconds, 1 / MOMENT_SECONDS)
    moments = max(1, frame_count(stretch.to_seconds, 1 / MOMENT_SECONDS) - first)
    longest = int(shots.moments_of_shots.max())
    turned = moments > longest
    if turned:
        moments = max(1, int(_TURNED_SHARE * longest))
    compared = min(moments, _MOST_MOMENTS)
    heard_L = (first + np.arange(compared)).clip(0, len(song.slow_GF) - 1)
    # A song is mastered louder or softer than the clips were, so its loudness is told from its
    # own; the other curves do not depend on the gain.
    mean_F, deviation_F = shots.mean_F.copy(), shots.deviation_F.copy()
    mean_F[LOUDNESS] = song.slow_GF[:, LOUDNESS].mean(dtype=np.float64)
    deviation_F[LOUDNESS] = max(1.0, song.slow_GF[:, LOUDNESS].std(dtype=np.float64))
    slow_LF = (song.slow_GF[heard_L] - mean_F) / deviation_F * np.sqrt(_SLOW_WEIGHT_F)
    hit_LH = song.hit_GH[heard_L] / shots.deviation_H
    cost_J = SLOW_WEIGHT * _difference(shots, slow_LF)
    cost_J += HIT_WEIGHT * (1 - _correlation(shots, hit_LH))
    cost_J += _BLANK_WEIGHT * _window_means(shots.blank_J, compared)
    cost_J += shots.penalty_S[shots.shot_J]
    cost_J[np.arange(len(cost_J)) + moments > shots.end_J] = np.inf
    place_K = _best_of_cells(cost_J, shots.cell_J)
    chance_K = numpy_generator_for(seed, "remix-shots", number).normal(0, _CHANCE, len(place_K))
    return Candidates(stretch, moments, turned, place_K, cost_J[place_K] + chance_K)


def in_seconds(shots: Shots, stretch: Stretch, place: int) -> Fraction:
    """The time of the clip that a stretch begins with, if the grids of the two are to lie alike."""
    first = frame_count(stretch.from_seconds, 1 / MOMENT_SECONDS)
    before_grid = first * MOMENT_SECONDS - stretch.from_seconds
    return int(shots.moment_J[place]) * MOMENT_SECONDS - before_grid


def _misfit(clip: Clip, size: tuple[int, int]) -> float:
    """What it costs that a clip's picture is cropped and enlarged to the film's."""
    width, height = size
    across, down = Fraction(width, clip.width), Fraction(height, clip.height)
    lost = 1 - float(min(across, down) / max(across, down))
    enlarged = max(0.0, float(np.log2(float(max(across, down)))))
    return _FIT_WEIGHT * lost + _ENLARGED_WEIGHT * enlarged


def _best_of_cells(cost_J: np.ndarray, cell_J: np.ndarray) -> np.ndarray:
    """The cheapest in-point of each of the cheapest cells, by place."""
    starts = np.flatnonzero(np.diff(cell_J, prepend=-1))
    least_C = np.minimum.reduceat(cost_J, starts)
    stops = np.append(starts[1:], len(cost_J))
    best = np.argsort(least_C, kind="stable")[:_MOST_CANDIDATES]
    best = best[np.isfinite(least_C[best])]
    return np.sort([starts[c] + int(cost_J[starts[c] : stops[c]].argmin()) for c in best])


def _difference(shots: Shots, slow_LF: np.ndarray) -> np.ndarray:
    """Root mean square difference of the slow curves from each in-point on: J."""
    length = len(slow_LF)
    square_J = np.square(shots.slow_JF, dtype=np.float64).sum(1)
    total_J = _window_means(square_J, length) * length + np.square(slow_LF).sum()
    total_J -= 2 * _slid(shots.spectrum_slow, slow_LF, len(square_J))
    return np.sqrt(total_J.clip(0) / (length * _SLOW_WEIGHT_F.sum()))


def _correlation(shots: Shots, hit_LH: np.ndarray) -> np.ndarray:
    """Correlation over time of both curves of hits from each in-point on, weak hits as none: J."""
    length = len(hit_LH)
    centred_LH = hit_LH - hit_LH.mean(0)
    weak = _WEAK_HITS * np.sqrt(hit_LH.size)
    spread_J = np.zeros(len(shots.hit_JH))
    for column_J in shots.hit_JH.T.astype(np.float64):
        mean_J = _window_means(column_J, length)
        spread_J += (_window_means(column_J**2, length) - mean_J**2).clip(0) * length
    norm = max(weak, float(np.sqrt(np.square(centred_LH).sum())))
    product_J = _slid(shots.spectrum_hit, centred_LH, len(spread_J))
    return product_J / (norm * np.maximum(weak, np.sqrt(spread_J)))


def _window_means(curve_J: np.ndarray, length: int) -> np.ndarray:
    """The mean of each value and the `length` - 1 after it (fewer at the end): J."""
    sums = np.concatenate([[0.0], np.cumsum(curve_J, dtype=np.float64)])
    stop_J = np.minimum(np.arange(len(curve_J)) + length, len(curve_J))
    return (sums[stop_J] - sums[:-1]) / length


def _spectra(x_JD: np.ndarray) -> np.ndarray:
    """Transforms of blocks that overlap by half, blocks x frequencies x D, complex64."""
    count = max(1, -(-len(x_JD) // _MOST_MOMENTS))
    padded = np.zeros((_MOST_MOMENTS * (count + 1), x_JD.shape[1]), np.float32)
    padded[: len(x_JD)] = x_JD
    blocks = np.stack([padded[k * _MOST_MOMENTS :][:_BLOCK] for k in range(count)])
    return np.fft.rfft(blocks, axis=1).astype(np.complex64)


def _slid(spectra: np.ndarray, pattern_LD: np.ndarray, count: int) -> np.ndarray:
    """The scalar product of a pattern with what begins at each place: J (overlap-save)."""
    turned = np.fft.rfft(pattern_LD, _BLOCK, axis=0).conj()
    product = np.einsum("bfd,fd->bf", spectra, turned)
    return np.fft.irfft(product, _BLOCK, axis=1)[:, :_MOST_MOMENTS].reshape(-1)[:count]
