"""What two songs are compared in: loudness, onsets and the balance of low and high, as curves.

Arrays only. Shapes: N samples, T moments (10 a second), K bands, D curves, V songs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from soundreel.sound.rhythm import ONSET_BANDS
from soundreel.sound.song_curves import song_curves

#: Coarse bands of equal width on the mel scale, 30 Hz to 11 kHz.
BANDS = 8
#: Quieter than this is as good as silence: how deep it is must not outweigh the music.
_FLOOR_DB = -60.0
_HOPS_A_MOMENT = 10
#: A curve that moves by less than this share of its largest value stands still: it is rounding.
_STILL = 1e-9
#: The same of what a curve of length 1 has to itself.
_SHARED = 1e-9


@dataclass(frozen=True, eq=False)
class HeardCurves:
    """A sound as the curves that two of them are compared in.

    loudness_db_T: root mean square of each moment in dB re full scale, at least -60.
    onset_T: how suddenly it grows, dB a hop (see `rhythm.onset_envelope`).
    level_TK: of each band, dB above 80 dB below full scale.
    rate_hz: moments a second, exactly.
    """

    loudness_db_T: np.ndarray
    onset_T: np.ndarray
    level_TK: np.ndarray
    rate_hz: Fraction

    def __len__(self) -> int:
        return len(self.loudness_db_T)

    def table(self) -> np.ndarray:
        """Loudness, onsets, and each band's level less the mean of all bands: T x (2 + K).

        Of the last the sound's loudness is out, so that it says what the first does not.
        """
        balance_TK = self.level_TK - self.level_TK.mean(axis=1, keepdims=True)
        return np.column_stack([self.loudness_db_T, self.onset_T, balance_TK])


#: Which quality each curve of `HeardCurves.table` belongs to.
QUALITIES = ("loudness", "onsets", *["balance"] * BANDS)


def heard_curves(blocks: Iterable[np.ndarray], sample_rate_hz: int) -> HeardCurves:
    """The curves of a sound that comes in blocks of N samples, float, full scale 1.

    Memory grows with the curves, not with the sound.
    """
    curves = song_curves(blocks, sample_rate_hz)
    strength_H = curves.onset.strength_T
    count = min(len(curves.loudness_db_G), len(curves.level_GB), len(strength_H) // _HOPS_A_MOMENT)
    level_TKB = curves.level_GB[:count].reshape(count, BANDS, ONSET_BANDS // BANDS)
    hops = strength_H[: count * _HOPS_A_MOMENT].reshape(count, _HOPS_A_MOMENT)
    return HeardCurves(
        loudness_db_T=curves.loudness_db_G[:count].clip(_FLOOR_DB),
        onset_T=hops.mean(axis=1),
        level_TK=level_TKB.mean(axis=2, dtype=np.float64),
        rate_hz=1 / curves.moment_seconds,
    )


def weights_of(qualities: Sequence[str]) -> np.ndarray:
    """What each curve weighs: every quality as much, its curves alike. Sums to 1; D.

    Eight bands would else outvote loudness and rhythm.

    Raises: ValueError if there is no curve.
    """
    if not qualities:
        raise ValueError("no curves: at least one is needed")
    kinds = set(qualities)
    return np.array([1 / (len(kinds) * list(qualities).count(one)) for one in qualities])


def own_curves(x_VTD: np.ndarray, weight_D: np.ndarray) -> np.ndarray:
    """What each of some songs has to itself, so that inner products are likenesses: V x (T D).

    Each curve loses its mean and its scale within the song, so that neither a level nor a timbre
    that stays can win or lose. Then it loses the mean of all the songs at each moment: what they
    share (a quiet beginning, a fade) says nothing of which one it is, and as the largest thing in
    their curves it would drown what does. The inner product of two songs is the mean, by weight,
    of the correlations of what is left, from -1 to 1; of songs that have nothing in common it is
    near 0, or a little below, as they share a mean. A curve of which nothing is left counts as 0.

    Shape: ... x V x T x D -> ... x V x (T D), float64; each of what comes first by itself.
    """
    x_VTD = np.asarray(x_VTD, np.float64)
    largest_V1D = np.abs(x_VTD).max(axis=-2, keepdims=True, initial=0)
    unit_VTD = _at_unit_length(x_VTD - x_VTD.mean(axis=-2, keepdims=True), _STILL * largest_V1D)
    shared_1TD = unit_VTD.mean(axis=-3, keepdims=True)
    own_VTD = _at_unit_length(unit_VTD - shared_1TD, np.array(_SHARED)) * np.sqrt(weight_D)
    return own_VTD.reshape(*x_VTD.shape[:-2], -1)


def _at_unit_length(x_VTD: np.ndarray, least_V1D: np.ndarray) -> np.ndarray:
    length_V1D = np.sqrt(np.einsum("...td,...td->...d", x_VTD, x_VTD))[..., None, :]
    still_V1D = length_V1D <= least_V1D * np.sqrt(x_VTD.shape[-2])
    return x_VTD * np.where(still_V1D, 0, 1 / np.where(still_V1D, 1, length_V1D))
