"""Which part of the sound goes with which change of the picture, and which one makes it.

Two questions. `part_dependence`: over clips, which curve of which part goes with which
descriptor of the picture, beyond what swapped songs do? `muting_effects`: how far does what a
model makes change where it does not hear a part, and is that more than where it does not hear
as much of anything?

Arrays only. Shapes: V clips, T_v times of clip v, A curves of a part, R = parts x A curves, P
descriptors of the picture, K control mutings, B draws of a null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from soundreel.evidence.following import SLOW_TERMS, without_drift
from soundreel.evidence.nulls import holm, uniform_permutations
from soundreel.seeding import numpy_generator_for
from soundreel.sound.rhythm import loudness_envelope, onset_envelope

#: What `part_curves` gives of each part.
PART_FEATURES = ("loudness", "onset")
#: Quieter is not heard under the other parts, and would swamp the rest of the curve.
_QUIETEST_DB = -60.0

_FEWEST_CLIPS, _FEWEST_TIMES = 3, 8
#: The smallest p-value there can be is then .025 after Holm's correction.
_DRAWS_A_CELL = 40
_GATHERED_AT_ONCE = 2**24  # correlations, 128 MB

#: Student's t, .975, for 1 to 29 degrees of freedom; the normal distribution's beyond.
_T_975 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045),
)


@dataclass(frozen=True)
class PartDependence:
    """How far each curve of each part goes with each descriptor of the picture: a heat map.

    rows: (part, feature) for each of the R curves; picture_names: the P descriptors.
    correlation_RP: mean over clips of the correlation within a clip, from -1 to 1.
    chance_RP: its mean over all pairings of songs and clips, which need not be 0.
    low_RP, high_RP: between these lie 95% of the means over randomly swapped songs.
    p_RP: two-sided, of the distance from chance; holm_RP: the same, corrected for R x P cells.
    own_VRP: the correlations within each clip.
    draws: how many permutations of the songs the band and the p-values are from.
    """

    rows: tuple[tuple[str, str], ...]
    picture_names: tuple[str, ...]
    correlation_RP: np.ndarray
    chance_RP: np.ndarray
    low_RP: np.ndarray
    high_RP: np.ndarray
    p_RP: np.ndarray
    holm_RP: np.ndarray
    own_VRP: np.ndarray
    draws: int

    def found(self, alpha: float = 0.05) -> list[tuple[str, str, str]]:
        """(part, feature, descriptor) of the cells that hold after Holm, the surest first."""
        places = np.argwhere(self.holm_RP <= alpha)
        order = sorted(places.tolist(), key=lambda place: float(self.p_RP[tuple(place)]))
        return [(*self.rows[r], self.picture_names[p]) for r, p in order]


@dataclass(frozen=True)
class MutingEffects:
    """How far a model's pictures change without each part: D parts x P descriptors.

    effect_DP: root mean square change over time, in spreads (standard deviations over time) of
      the full sound's descriptor, the mean over clips; 0 is no change, 1 as much as it varies.
    shift_DP: the mean change in the same unit, signed: what the part adds to a descriptor is
      minus this.
    control_DKP: the effect of each control muting.
    low_DP, high_DP: in this band a new control would fall in 19 of 20 cases (Student's
      prediction interval, not below 0). It is for each cell: of 20 cells one lies outside by
      chance.
    outside_DP: -1 where the effect lies below the band, 1 above, 0 within.
    """

    parts: tuple[str, ...]
    picture_names: tuple[str, ...]
    effect_DP: np.ndarray
    shift_DP: np.ndarray
    control_DKP: np.ndarray
    low_DP: np.ndarray
    high_DP: np.ndarray
    outside_DP: np.ndarray


def part_curves(
    parts: Mapping[str, np.ndarray],
    sample_rate_hz: int,
    times_seconds: Sequence[Fraction | float] | np.ndarray,
    window_seconds: float = 0.15,
) -> dict[str, np.ndarray]:
    """Loudness (dB, at least -60) and onsets of each part in the last `window_seconds`, causal.

    parts: N each (see `sound.parts.sound_parts`). Returns T x 2 each, float64, the columns
    `PART_FEATURES`.
    """
    curves = {}
    for name, part_N in parts.items():
        level_T = loudness_envelope(part_N, sample_rate_hz, times_seconds, window_seconds)
        onset = onset_envelope(part_N, sample_rate_hz)
        onset_T = onset.heard_before(times_seconds, window_seconds)
        curves[name] = np.stack([level_T.clip(_QUIETEST_DB), onset_T], axis=1)
    return curves


def part_dependence(
    parts: Mapping[str, Sequence[np.ndarray]],
    pictures: Sequence[np.ndarray],
    picture_names: Sequence[str],
    feature_names: Sequence[str] = PART_FEATURES,
    draws: int = 999,
    seed: int = 0,
    slow_terms: int | Sequence[int] = SLOW_TERMS,
) -> PartDependence:
    """The correlation of every curve of every part with every descriptor, against swapped songs.

    parts: for each part its curves, T_v x A for each clip (one "part", the whole sound, will
      do). pictures: T_v x P for each clip, at the same times.
    draws: at least so many; 40 for each of the R x P cells where that is more, because fewer
      could not pass Holm's correction.
    slow_terms: as in `without_drift`, for all clips or for each.

    A correlation is within a clip and without drift, 0 where a curve does not vary, and signed:
    its mean over clips is about 0 by chance, whatever the curves' own smoothness. The null:
    songs are swapped between clips by uniform permutations, all parts of a song together, at the
    same relative time. Each curve is looked at for itself: parts that rise and fall together
    share what either of them does.

    Raises: ValueError if there are fewer than 3 clips, a clip has fewer than 8 times, or the
    arrays do not fit together.
    """
    rows = tuple((part, feature) for part in parts for feature in feature_names)
    sounds = _joined_parts(parts, pictures, picture_names, feature_names)
    slow_V = np.broadcast_to(np.asarray(slow_terms, np.int64), len(pictures))
    pair_VVC = _all_pairs(sounds, pictures, slow_V).reshape(len(pictures), len(pictures), -1)
    own_VC = pair_VVC[np.arange(len(pictures)), np.arange(len(pictures))]
    draws = max(draws, _DRAWS_A_CELL * own_VC.shape[1] - 1)
    null_BC = _swapped_means(pair_VVC, draws, seed)
    observed_C, chance_C = own_VC.mean(0), pair_VVC.mean((0, 1))
    # Chance is the same for every pairing, so the distance from it is as exchangeable.
    distance_C = np.abs(observed_C - chance_C)
    reached_C = (np.abs(null_BC - chance_C) >= distance_C - 1e-10).sum(0)
    p_C = (1 + reached_C) / (1 + draws)
    low_C, high_C = np.quantile(null_BC, [0.025, 0.975], axis=0)
    shape = (len(rows), len(picture_names))
    return PartDependence(
        rows=rows,
        picture_names=tuple(picture_names),
        correlation_RP=observed_C.reshape(shape),
        chance_RP=chance_C.reshape(shape),
        low_RP=low_C.reshape(shape),
        high_RP=high_C.reshape(shape),
        p_RP=p_C.reshape(shape),
        holm_RP=holm(p_C).reshape(shape),
        own_VRP=own_VC.reshape(-1, *shape),
        draws=draws,
    )


def muting_effects(
    full_by_clip: Sequence[np.ndarray],
    muted_by_part: Mapping[str, Sequence[np.ndarray]],
    controls_by_part: Mapping[str, Sequence[Sequence[np.ndarray]]],
    picture_names: Sequence[str],
    smallest_spread: float = 1e-3,
) -> MutingEffects:
    """How far each part's muting changes the pictures, beside the muting of as much of anything.

    full_by_clip: T_v x P for each clip, of what a model makes of the full sound.
    muted_by_part: the same without each of the D parts.
    controls_by_part: for each part K times the same, each without a random part of its energy.
    smallest_spread: a descriptor that varies less than this over a clip counts as varying so
      much (a quarter of an 8-bit step), so that no change of it looks endless.

    Raises: ValueError if there are no clips or parts, K is less than 3 or differs, or the arrays
    do not fit together.
    """
    if not muted_by_part or not full_by_clip or set(muted_by_part) != set(controls_by_part):
        raise ValueError(
            f"{len(full_by_clip)} clips, mutings of {sorted(muted_by_part)} and controls of "
            f"{sorted(controls_by_part)}: clips, and the same parts, are needed"
        )
    count = min(len(controls) for controls in controls_by_part.values())
    if count < 3 or any(len(controls) != count for controls in controls_by_part.values()):
        raise ValueError(f"{count} controls: at least 3, and as many for each part, are needed")
    change = _Change(full_by_clip, len(picture_names), smallest_spread)
    effects, shifts = zip(*(change.of(muted) for muted in muted_by_part.values()), strict=True)
    control_DKP = np.array(
        [[change.of(made)[0] for made in controls_by_part[part]] for part in muted_by_part]
    )
    effect_DP = np.array(effects)
    centre_DP, spread_DP = control_DKP.mean(1), control_DKP.std(1, ddof=1)
    quantile = _T_975[count - 2] if count - 2 < len(_T_975) else 1.96
    reach_DP = quantile * np.sqrt(1 + 1 / count) * spread_DP
    low_DP, high_DP = (centre_DP - reach_DP).clip(0), centre_DP + reach_DP
    slack = 1e-9
    return MutingEffects(
        parts=tuple(muted_by_part),
        picture_names=tuple(picture_names),
        effect_DP=effect_DP,
        shift_DP=np.array(shifts),
        control_DKP=control_DKP,
        low_DP=low_DP,
        high_DP=high_DP,
        outside_DP=(effect_DP > high_DP + slack).astype(int) - (effect_DP < low_DP - slack),
    )


class _Change:
    """Changes from the full sound's descriptors, in their spreads."""

    def __init__(self, full_by_clip: Sequence[np.ndarray], columns: int, smallest: float) -> None:
        self._full = [np.asarray(full_TP, np.float64) for full_TP in full_by_clip]
        for full_TP in self._full:
            if full_TP.ndim != 2 or full_TP.shape[1] != columns or len(full_TP) == 0:
                raise ValueError(f"descriptors are {full_TP.shape}: times x {columns} are needed")
        self._spreads = [np.maximum(full_TP.std(0), smallest) for full_TP in self._full]

    def of(self, changed_by_clip: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Root mean square and mean over time, the means over clips: P each."""
        sizes, shifts = [], []
        for full_TP, spread_P, changed_TP in zip(
            self._full, self._spreads, changed_by_clip, strict=True
        ):
            if np.shape(changed_TP) != full_TP.shape:
                raise ValueError(
                    f"descriptors are {np.shape(changed_TP)} without a part and {full_TP.shape} "
                    "with it: the same times are needed"
                )
            change_TP = (changed_TP - full_TP) / spread_P
            sizes.append(np.sqrt(np.square(change_TP).mean(0)))
            shifts.append(change_TP.mean(0))
        return np.mean(sizes, axis=0), np.mean(shifts, axis=0)


def _joined_parts(
    parts: Mapping[str, Sequence[np.ndarray]],
    pictures: Sequence[np.ndarray],
    picture_names: Sequence[str],
    feature_names: Sequence[str],
) -> list[np.ndarray]:
    """The curves of all parts side by side: T_v x R for each clip."""
    if len(pictures) < _FEWEST_CLIPS or not parts:
        raise ValueError(
            f"{len(pictures)} clips and {len(parts)} parts: at least {_FEWEST_CLIPS} clips "
            "and 1 part are needed"
        )
    sounds = []
    for v, (picture_TP, *curves) in enumerate(zip(pictures, *parts.values(), strict=True)):
        wanted = (len(picture_TP), len(feature_names))
        shapes = [np.shape(curve_TA) for curve_TA in curves]
        if np.shape(picture_TP) != (len(picture_TP), len(picture_names)) or len(picture_TP) < (
            _FEWEST_TIMES
        ):
            raise ValueError(
                f"clip {v}: a picture of {np.shape(picture_TP)}: at least {_FEWEST_TIMES} times "
                f"x {len(picture_names)} descriptors are needed"
            )
        if any(shape != wanted for shape in shapes):
            raise ValueError(f"clip {v}: parts of {shapes}: {wanted} are needed")
        sounds.append(np.concatenate(curves, axis=1).astype(np.float64))
    return sounds


def _all_pairs(
    sounds: Sequence[np.ndarray], pictures: Sequence[np.ndarray], slow_V: np.ndarray
) -> np.ndarray:
    """The correlation of every song with every clip, brought to its times: V x V x R x P.

    First axis: whose song; second: whose picture.
    """
    count = len(pictures)
    pair_VVRP = np.empty((count, count, sounds[0].shape[1], np.shape(pictures[0])[1]))
    kind_V2 = np.stack([[len(picture_TP) for picture_TP in pictures], slow_V], axis=1)
    for length, slow in np.unique(kind_V2, axis=0).tolist():
        those = np.flatnonzero((kind_V2 == (length, slow)).all(1))
        place_T = np.arange(length)
        pictures_TC = _unit(np.concatenate([pictures[v] for v in those.tolist()], axis=1), slow)
        for u, song_TR in enumerate(sounds):
            there_TR = song_TR[place_T * len(song_TR) // length]
            product_RC = _unit(there_TR, slow).T @ pictures_TC
            pair_VVRP[u, those] = product_RC.reshape(len(product_RC), len(those), -1).swapaxes(0, 1)
    return pair_VVRP


def _unit(x_TD: np.ndarray, slow_terms: int) -> np.ndarray:
    """Without drift, each curve of length 1, so that a product is a correlation; still ones 0."""
    quick_TD = without_drift(x_TD, slow_terms)
    length_D = np.linalg.norm(quick_TD, axis=0)
    # What is left of a constant is rounding, and no direction.
    still_D = length_D <= 1e-9 * np.sqrt(len(x_TD)) * (np.abs(x_TD).max(axis=0) + 1e-300)
    return np.where(still_D, 0, quick_TD / np.where(still_D, 1, length_D))


def _swapped_means(pair_VVC: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """The mean over clips for each permutation of the songs: B x C."""
    count, _, cells = pair_VVC.shape
    rng = numpy_generator_for(seed, "swapped songs of part dependence")
    song_BV = uniform_permutations(count, draws, rng)
    null_BC = np.empty((draws, cells))
    at_once = max(1, _GATHERED_AT_ONCE // (count * cells))
    for first in range(0, draws, at_once):
        song_bV = song_BV[first : first + at_once]
        null_BC[first : first + at_once] = pair_VVC[song_bV, np.arange(count)].mean(1)
    return null_BC
