"""How far made pictures are from real ones as two crowds of pictures, without trained weights.

Nothing here asks which made picture belongs to which real one (for that see `quality`), and each
number sees something else: the sliced Wasserstein distance what small patches look like at every
scale, the spectrum how much detail there is of every size (and the grids that upsampling leaves),
the Lab histograms the colours, the diversity ratio whether the pictures differ from one another.

Shapes: N made pictures, M real ones, H rows, W columns, D descriptors, K rings of a spectrum.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from soundreel.seeding import numpy_generator_for

#: Karras, Aila, Laine and Lehtinen 2018 (arXiv 1710.10196), section 5.
_PATCH = 7
_PATCHES_A_PICTURE = 128
_DIRECTIONS = 512
_COARSEST_SIDE = 16
#: There are 2 ** 21 in the paper; with these all sets and levels together take 200 MB.
_MOST_DESCRIPTORS = 2**14
#: Standard deviation of the rounding to 8 bits, of 255: a level that is flatter has nothing in it.
_ROUNDING = np.float32(np.sqrt(1 / 12))

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709
_AT_ONCE = 16
#: Pictures differ by what can be seen of them at this size.
SMALL_SIDE = 32

#: IEC 61966-2-1: linear light of the coded values, and linear sRGB -> XYZ over D65 white.
_LINEAR = np.array(
    [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in np.arange(256) / 255]
)
_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_XYZ_OVER_WHITE = (_XYZ / _XYZ.sum(axis=1, keepdims=True)).astype(np.float32)
#: L is in [0, 100], a and b of sRGB colours within +-110.
_LAB_LOW, _LAB_HIGH, _LAB_BINS_A_UNIT = -128, 128, 16


@dataclass(frozen=True)
class SlicedWasserstein:
    """Distances of patches, in thousandths of the real patches' standard deviation; 0 is equal.

    by_level: for each level of the pyramid, the finest first, keyed by its shorter side in pixels.
    value: their mean. floor_by_level, floor: the same between two halves of the real pictures:
    what is not above it is as good as real.
    """

    value: float
    by_level: dict[int, float]
    floor: float
    floor_by_level: dict[int, float]


@dataclass(frozen=True)
class RadialSpectrum:
    """power_db_K: the power of details that repeat `cycles_K` times over the shorter side."""

    cycles_K: np.ndarray
    power_db_K: np.ndarray


def sliced_wasserstein(
    made_NHW3: np.ndarray,
    real_MHW3: np.ndarray,
    seed: int,
    films_M: np.ndarray | None = None,
    directions: int = _DIRECTIONS,
) -> SlicedWasserstein:
    """Sliced Wasserstein distance of patches of 7 x 7 pixels, at each level of Laplacian pyramids.

    made_NHW3, real_MHW3: uint8 RGB of one size, the shorter side at least 16 pixels; at least one
      made and two real ones.
    films_M: to which film each real picture belongs. The halves for the floor then share no film
      (with two films or more): how far real films are from each other. Without, pictures are
      dealt out one by one, and as frames of one film are alike the floor is then a low one.

    A level is what a picture has and its half (5 x 5 binomial, every second pixel) has not; the
    coarsest, of 16 to 31 pixels, is the picture itself at that size. A descriptor is a patch at a
    random place, 147 numbers, its three channels less the mean and over the standard deviation
    that channel has in the real pictures' descriptors of that level (but at least over the
    rounding to 8 bits). Onto each of 512 directions, uniform on the sphere, both sets are
    projected and sorted; the mean over places in the order and over directions of their absolute
    differences, times 1000, is the distance: no root is taken. Both have the same number of
    descriptors, 128 for each picture of the smaller set, but at most 16,384, spread evenly over
    the set's pictures; the floor's halves have as many.

    Source: Karras et al. 2018, "Progressive growing of GANs". There each set is divided by its own
    mean and deviation, which sees neither a colour cast nor lost contrast; and there are 2 ** 21
    descriptors, so values do not compare with published ones.

    Raises: ValueError for other shapes or types.
    """
    _check(made_NHW3, real_MHW3, least_real=2)
    rows, columns = real_MHW3.shape[1:3]
    if min(rows, columns) < _COARSEST_SIDE:
        raise ValueError(f"pictures of {columns} x {rows}: at least {_COARSEST_SIDE} are needed")
    if films_M is not None and np.shape(films_M) != (len(real_MHW3),):
        raise ValueError(f"{np.shape(films_M)} films for {len(real_MHW3)} real pictures")
    count = min(
        _PATCHES_A_PICTURE * min(len(made_NHW3), len(real_MHW3)),
        _MOST_DESCRIPTORS,
    )
    one, other = _halves(len(real_MHW3), films_M, numpy_generator_for(seed, "halves"))
    sets = {
        "made": _descriptors(made_NHW3, np.arange(len(made_NHW3)), count, seed, "made"),
        "real": _descriptors(real_MHW3, np.arange(len(real_MHW3)), count, seed, "real"),
        "one": _descriptors(real_MHW3, one, count, seed, "one"),
        "other": _descriptors(real_MHW3, other, count, seed, "other"),
    }
    by_level: dict[int, float] = {}
    floor_by_level: dict[int, float] = {}
    for level, side in enumerate(sets["real"]):
        rng = numpy_generator_for(seed, "directions", level)
        direction_KP = rng.standard_normal((directions, _PATCH * _PATCH * 3)).astype(np.float32)
        direction_KP /= np.linalg.norm(direction_KP, axis=1, keepdims=True)
        real_DP3 = sets["real"][side]
        mean_3 = real_DP3.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
        deviation_3 = (real_DP3 - mean_3).std(axis=(0, 1)).clip(min=_ROUNDING)
        scaled = {
            name: ((levels[side] - mean_3) / deviation_3).reshape(count, -1)
            for name, levels in sets.items()
        }
        by_level[side] = 1000 * _apart(scaled["made"], scaled["real"], direction_KP)
        floor_by_level[side] = 1000 * _apart(scaled["one"], scaled["other"], direction_KP)
    return SlicedWasserstein(
        float(np.mean(list(by_level.values()))),
        by_level,
        float(np.mean(list(floor_by_level.values()))),
        floor_by_level,
    )


def radial_spectrum(pictures_NHW3: np.ndarray) -> RadialSpectrum:
    """How much detail of every size there is: the power spectrum of the luma around rings.

    The BT.709 luma (coded values, white 1) of each picture, less its mean, under a Hann window in
    both directions (pictures do not join at their edges); its power is averaged over the
    frequencies that round to k cycles over the shorter side, k = 1 to half of that side in
    pixels; in dB, then averaged over the pictures. White noise of standard deviation s has
    20 log10(s) at every k. No picture counts as cleaner than rounding to 8 bits leaves it.

    pictures_NHW3: uint8 RGB, at least one, of at least 4 x 4.

    Source: Durall, Keuper and Keuper 2020, "Watch your up-convolution" (arXiv 2003.01826).

    Raises: ValueError for other shapes or types.
    """
    _check(pictures_NHW3, pictures_NHW3)
    rows, columns = pictures_NHW3.shape[1:3]
    side = min(rows, columns)
    if side < 4:
        raise ValueError(f"pictures of {columns} x {rows}: at least 4 x 4 are needed")
    window_HW = np.hanning(rows + 2)[1:-1, None] * np.hanning(columns + 2)[None, 1:-1]
    window_HW = (window_HW / np.sqrt(np.square(window_HW).sum())).astype(np.float32)
    away_HF = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None])
    ring_HF = np.rint(away_HF * side).astype(np.int64)
    # Half of the plane is enough; what has no mirror image in the other half counts once.
    weight_F = np.full(columns // 2 + 1, 2.0)
    weight_F[0] = 1
    weight_F[columns // 2 :] = 1 if columns % 2 == 0 else 2
    weight_HF = np.broadcast_to(weight_F, ring_HF.shape)
    rings = side // 2 + 1
    per_ring_K = np.bincount(ring_HF.ravel(), weight_HF.ravel())[:rings]
    total_db_K = np.zeros(rings)
    for start in range(0, len(pictures_NHW3), _AT_ONCE):
        luma_BHW = pictures_NHW3[start : start + _AT_ONCE] @ (_LUMA / np.float32(255))
        luma_BHW -= luma_BHW.mean(axis=(1, 2), keepdims=True)
        power_BHF = np.square(np.abs(np.fft.rfft2(luma_BHW * window_HW)))
        for power_HF in power_BHF:
            sum_K = np.bincount(ring_HF.ravel(), (power_HF * weight_HF).ravel())[:rings]
            total_db_K += 10 * np.log10((sum_K / per_ring_K).clip(min=(_ROUNDING / 255) ** 2))
    return RadialSpectrum(np.arange(1, rings), total_db_K[1:] / len(pictures_NHW3))


def spectrum_distance(made_NHW3: np.ndarray, real_MHW3: np.ndarray) -> float:
    """Mean over the rings of the absolute difference of the two `radial_spectrum`s, in dB.

    Raises: ValueError unless both are uint8 RGB pictures of one size.
    """
    _check(made_NHW3, real_MHW3)
    difference_K = radial_spectrum(made_NHW3).power_db_K - radial_spectrum(real_MHW3).power_db_K
    return float(np.abs(difference_K).mean())


def lab_histogram_distance(made_NHW3: np.ndarray, real_MHW3: np.ndarray) -> float:
    """Earth mover's distance of the colours, the mean over CIE L, a and b, in Lab units.

    Of each channel the histogram over all pixels of all pictures, in bins of 1/16; in one
    dimension the distance is exactly the area between the cumulated histograms. By about 2 of
    such units two plain colours can just be told apart. Pictures may differ in size.

    Raises: ValueError for anything but uint8 RGB pictures.
    """
    _check(made_NHW3, real_MHW3, same_size=False)
    cumulated_made_3K = np.cumsum(_lab_shares(made_NHW3), axis=1)
    cumulated_real_3K = np.cumsum(_lab_shares(real_MHW3), axis=1)
    area_3 = np.abs(cumulated_made_3K - cumulated_real_3K).sum(axis=1) / _LAB_BINS_A_UNIT
    return float(area_3.mean())


def diversity_ratio(made_NHW3: np.ndarray, real_MHW3: np.ndarray) -> float:
    """How different the made pictures are from one another, over how different the real ones are.

    The mean over all pairs of pictures of the root mean square difference of their coded RGB,
    after averaging down to 32 x 32. 0: all are one picture; 1: as varied as the real ones. 1 also
    where the real pictures differ by less than rounding to 8 bits.

    Raises: ValueError for anything but uint8 RGB pictures, or fewer than two on a side.
    """
    _check(made_NHW3, real_MHW3, least_made=2, least_real=2, same_size=False)
    real = _mean_pair_distance(real_MHW3)
    return 1.0 if real <= _ROUNDING else _mean_pair_distance(made_NHW3) / real


def lab_of(picture_HW3: np.ndarray) -> np.ndarray:
    """CIE L*a*b* over D65 white of sRGB colours, uint8 [..., 3] -> float32 [..., 3].

    L is 0 to 100; a and b are within +-110. Source: CIE 15:2004 and IEC 61966-2-1.
    """
    linear = _LINEAR.astype(np.float32).take(picture_HW3)
    over_white = linear @ _XYZ_OVER_WHITE.T
    f = np.where(
        over_white > (6 / 29) ** 3,
        np.cbrt(over_white),
        over_white * np.float32((29 / 6) ** 2 / 3) + np.float32(4 / 29),
    )
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def small_pictures(pictures_NHW3: np.ndarray, side: int = SMALL_SIDE) -> np.ndarray:
    """Pictures averaged down to side x side, whatever their shape; uint8 -> uint8.

    Smaller ones are enlarged.
    """
    import cv2

    return np.stack(
        [
            cv2.resize(picture_HW3, (side, side), interpolation=cv2.INTER_AREA)
            for picture_HW3 in pictures_NHW3
        ]
    )


def _halves(
    count: int, films_M: np.ndarray | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    film_M = np.arange(count) if films_M is None else np.unique(films_M, return_inverse=True)[1]
    films = film_M.max() + 1
    if films == 1:
        film_M, films = np.arange(count), count
    in_one = np.isin(film_M, rng.permutation(films)[: films // 2])
    return np.flatnonzero(in_one), np.flatnonzero(~in_one)


def _descriptors(
    pictures_NHW3: np.ndarray, chosen: np.ndarray, count: int, seed: int, stream: str
) -> dict[int, np.ndarray]:
    """For each level, keyed by its shorter side, count x 49 x 3 values of 255."""
    rng = numpy_generator_for(seed, f"patches/{stream}")
    # Of every picture as many patches, give or take one.
    owner_D = np.sort(rng.permutation(chosen)[np.arange(count) % len(chosen)])
    found: dict[int, np.ndarray] = {}
    owners, starts = np.unique(owner_D, return_index=True)
    for owner, start, stop in zip(owners, starts, [*starts[1:], count], strict=True):
        for level_HW3 in _pyramid(pictures_NHW3[owner]):
            rows, columns = level_HW3.shape[:2]
            into_DP3 = found.setdefault(
                min(rows, columns), np.empty((count, _PATCH * _PATCH, 3), np.float32)
            )
            top_D = rng.integers(0, rows - _PATCH + 1, stop - start)
            left_D = rng.integers(0, columns - _PATCH + 1, stop - start)
            patches = np.lib.stride_tricks.sliding_window_view(level_HW3, (_PATCH, _PATCH), (0, 1))
            into_DP3[start:stop] = (
                patches[top_D, left_D].reshape(-1, 3, _PATCH * _PATCH).swapaxes(1, 2)
            )
    return found


def _pyramid(picture_HW3: np.ndarray) -> Iterator[np.ndarray]:
    import cv2

    at_HW3 = picture_HW3.astype(np.float32)
    while min(at_HW3.shape[:2]) >= 2 * _COARSEST_SIDE:
        half_HW3 = cv2.pyrDown(at_HW3)
        yield at_HW3 - cv2.pyrUp(half_HW3, dstsize=(at_HW3.shape[1], at_HW3.shape[0]))
        at_HW3 = half_HW3
    yield at_HW3


def _apart(one_DP: np.ndarray, other_DP: np.ndarray, direction_KP: np.ndarray) -> float:
    """Wasserstein-1 distance in one dimension, the mean over the directions."""
    total = 0.0
    for start in range(0, len(direction_KP), 64):
        some_KP = direction_KP[start : start + 64]
        # Directions come first, so that what is sorted lies side by side: several times as fast.
        one_KD, other_KD = some_KP @ one_DP.T, some_KP @ other_DP.T
        one_KD.sort(axis=1)
        other_KD.sort(axis=1)
        total += float(np.abs(one_KD - other_KD).mean(axis=1, dtype=np.float64).sum())
    return total / len(direction_KP)


def _lab_shares(pictures_NHW3: np.ndarray) -> np.ndarray:
    bins = (_LAB_HIGH - _LAB_LOW) * _LAB_BINS_A_UNIT
    count_3K = np.zeros((3, bins), np.int64)
    for picture_HW3 in pictures_NHW3:
        place_HW3 = ((lab_of(picture_HW3) - _LAB_LOW) * _LAB_BINS_A_UNIT).astype(np.int32)
        for channel, count_K in enumerate(count_3K):
            count_K += np.bincount(place_HW3[..., channel].ravel(), minlength=bins)
    return count_3K / count_3K[0].sum()


def _mean_pair_distance(pictures_NHW3: np.ndarray) -> float:
    """Root mean square difference of two small pictures, of 255, the mean over all pairs."""
    small_NP = small_pictures(pictures_NHW3).reshape(len(pictures_NHW3), -1).astype(np.float64)
    small_NP -= small_NP.mean(axis=0)
    square_N = np.square(small_NP).mean(axis=1)
    total = 0.0
    for start in range(0, len(small_NP), 1024):
        some_BP = small_NP[start : start + 1024]
        product_BN = some_BP @ small_NP.T / small_NP.shape[1]
        square_BN = square_N[start : start + 1024, None] + square_N - 2 * product_BN
        total += float(np.sqrt(square_BN.clip(min=0)).sum())
    return total / (len(small_NP) * (len(small_NP) - 1))


def _check(
    made_NHW3: np.ndarray,
    real_MHW3: np.ndarray,
    least_made: int = 1,
    least_real: int = 1,
    same_size: bool = True,
) -> None:
    for name, pictures, least in (
        ("made", made_NHW3, least_made),
        ("real", real_MHW3, least_real),
    ):
        if pictures.ndim != 4 or pictures.shape[-1] != 3 or pictures.dtype != np.uint8:
            raise ValueError(
                f"{name} pictures are {pictures.shape} {pictures.dtype}: "
                "N x height x width x 3 uint8 is needed"
            )
        if len(pictures) < least or 0 in pictures.shape:
            raise ValueError(f"{name} pictures are {pictures.shape}: at least {least} is needed")
    if same_size and made_NHW3.shape[1:] != real_MHW3.shape[1:]:
        raise ValueError(
            f"made pictures are {made_NHW3.shape[1:3]}, real ones {real_MHW3.shape[1:3]}: "
            "one size is needed"
        )
