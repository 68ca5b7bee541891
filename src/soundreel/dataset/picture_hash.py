"""A picture's perceptual hash, and frames of a clip that show what an earlier one showed.

The hash is that of Zauner, "Implementation and benchmarking of perceptual image hash functions",
2010, section 3.2.1 (pHash): of the 32 x 32 luma's discrete cosine transform, which of 64 low
frequencies lie above their median. It is computed in whole numbers, so that the same picture
gives the same bits on every machine, alone or among others.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image

#: Two frames this many of 64 bits apart, or fewer, show the same. Of real frames encoded anew,
#: scaled, squashed, darkened or brightened, 99% lay within it; frames of different films were 12
#: or more apart (benchmarks/detectors.py).
NEAR_BITS = 8

_SIDE = 32
_FREQUENCIES = 8
#: Least mean magnitude of the 64 coefficients, in luma steps: below it, they are an encoder's
#: noise, and their signs would be chance.
_LEAST_STRUCTURE = 4.0
_ONE = 1 << 12  # of the cosines in whole numbers


def picture_hash(picture_HW3: np.ndarray) -> int | None:
    """The 64-bit hash of a picture, H x W x 3 uint8 RGB of any size and shape.

    None where there is too little to tell it by (black, plain, a faint fade).
    """
    hashes_N, is_valid_N = picture_hashes(picture_HW3[None])
    return int(hashes_N[0]) if is_valid_N[0] else None


def picture_hashes(pictures_NHW3: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The hashes of many pictures, N x H x W x 3 uint8 RGB, the same as one by one.

    Returns N uint64 hashes and N bools: False where `picture_hash` is None (the hash is then 0).
    """
    count = len(pictures_NHW3)
    luma_NSS = np.empty((count, _SIDE, _SIDE), np.int64)
    for n, picture_HW3 in enumerate(pictures_NHW3):
        luma = Image.fromarray(picture_HW3).convert("L")
        luma_NSS[n] = np.asarray(luma.resize((_SIDE, _SIDE), Image.Resampling.BOX))
    cosines_FS = _cosines()
    low_NFF = cosines_FS @ luma_NSS @ cosines_FS.T
    low_NK = low_NFF.reshape(count, _FREQUENCIES**2)
    # The median of an even number is the mean of the middle two; doubled, it stays whole.
    middle_N2 = np.sort(low_NK, axis=1)[:, _FREQUENCIES**2 // 2 - 1 : _FREQUENCIES**2 // 2 + 1]
    is_above_NK = 2 * low_NK > middle_N2.sum(axis=1, keepdims=True)
    # With the orthonormal transform, a coefficient is 2 / side times this, in luma times pixels.
    unit = _ONE**2 * _SIDE // 2
    is_valid_N = np.abs(low_NK).sum(axis=1) >= _LEAST_STRUCTURE * unit * _FREQUENCIES**2
    bits_N8 = np.packbits(is_above_NK, axis=1)
    hashes_N = bits_N8.view(">u8").ravel().astype(np.uint64)
    return np.where(is_valid_N, hashes_N, np.uint64(0)), is_valid_N


@cache
def _cosines() -> np.ndarray:
    """8 x 32: rows 1 to 8 of the DCT-II; row 0, the mean, says only how bright a picture is."""
    frequency_F1 = np.arange(1, _FREQUENCIES + 1)[:, None]
    place_S = np.arange(_SIDE) + 0.5
    return np.rint(_ONE * np.cos(np.pi / _SIDE * frequency_F1 * place_S)).astype(np.int64)


def hamming(first: int, second: int) -> int:
    """In how many of their bits two hashes differ, 0 to 64; 32 is what chance gives."""
    return (first ^ second).bit_count()


class NearDuplicates:
    """Tells frames that show what a kept frame of the same clip showed; fed in order of time.

    max_distance: how many of the 64 bits may differ, 0 to 63.

    A frame that is told apart is kept: later ones are compared with it. One that is near an
    earlier one is not, so a slow change does not hide behind a chain of small steps.
    """

    def __init__(self, max_distance: int = NEAR_BITS) -> None:
        self._max_distance = max_distance
        self._kept = np.empty(64, np.uint64)
        self._count = 0

    def __call__(self, picture: int | None) -> bool:
        """Whether a kept frame is near; None (no hash) is near nothing and not remembered."""
        if picture is None:
            return False
        differing = self._kept[: self._count] ^ np.uint64(picture)
        if self._count and _bit_counts(differing).min() <= self._max_distance:
            return True
        if self._count == len(self._kept):
            self._kept = np.concatenate([self._kept, np.empty_like(self._kept)])
        self._kept[self._count] = picture
        self._count += 1
        return False


def _bit_counts(words_N: np.ndarray) -> np.ndarray:
    """How many bits of each uint64 are set (numpy has this from version 2 on; 1.26 will do)."""
    return np.unpackbits(words_N.view(np.uint8).reshape(-1, 8), axis=1).sum(axis=1)
