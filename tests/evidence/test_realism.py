"""Realism: each number against another way to it, and the order in which cases must come."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import correlate1d, gaussian_filter
from scipy.spatial.distance import pdist
from scipy.stats import wasserstein_distance

from soundreel.evidence import realism
from soundreel.evidence.realism import (
    diversity_ratio,
    lab_histogram_distance,
    lab_of,
    radial_spectrum,
    sliced_wasserstein,
    spectrum_distance,
)


def pictures(count: int, size: int = 64, seed: int = 0, grain: float = 3) -> np.ndarray:
    """Cloudy colours with grain, each picture in a tone of its own."""
    rng = np.random.default_rng(seed)
    clouds = gaussian_filter(rng.standard_normal((count, size, size, 3)), (0, 5, 5, 0)) * 500
    clouds += gaussian_filter(rng.standard_normal((count, size, size, 1)), (0, 1, 1, 0)) * 30
    clouds += rng.normal((130, 110, 90), 20, (count, 1, 1, 3))
    return as_pictures(clouds + grain * rng.standard_normal(clouds.shape))


def as_pictures(x: np.ndarray) -> np.ndarray:
    return x.clip(0, 255).round().astype(np.uint8)


def blurred(x_NHW3: np.ndarray, sigma: float) -> np.ndarray:
    return as_pictures(gaussian_filter(x_NHW3.astype(np.float64), (0, sigma, sigma, 0)))


def noisy(x_NHW3: np.ndarray, amount: float) -> np.ndarray:
    return as_pictures(x_NHW3 + amount * np.random.default_rng(9).standard_normal(x_NHW3.shape))


def patches_apart(made: np.ndarray, real: np.ndarray, seed: int = 0, films=None):
    """With fewer directions than a report takes."""
    return sliced_wasserstein(made, real, seed, films, directions=64)


def test_same_patches_are_nothing_apart_but_for_where_they_were_taken():
    real = pictures(40)
    found = patches_apart(pictures(40, seed=1), real, 0)
    assert list(found.by_level) == list(found.floor_by_level) == [64, 32, 16]
    assert found.value == pytest.approx(np.mean(list(found.by_level.values())))
    assert found.floor == pytest.approx(np.mean(list(found.floor_by_level.values())))
    assert patches_apart(real, real, 0).value < found.value < 1.5 * found.floor


def test_blur_noise_and_a_cast_are_seen_where_they_are():
    real, made = pictures(40), pictures(40, seed=1)
    plain = patches_apart(made, real, 0).by_level

    def rises(x: np.ndarray) -> dict[int, float]:
        found = patches_apart(x, real, 0).by_level
        return {side: found[side] - plain[side] for side in plain}

    for x in (blurred(made, 1), noisy(made, 15)):
        found = rises(x)
        assert found[64] > 100
        assert found[64] > 3 * abs(found[16])
    cast = rises(as_pictures(made + np.array([40.0, 0, -40])))
    assert cast[16] > 300
    assert abs(cast[64]) < 30
    # The same colours with half of their contrast: nothing, were each set divided by its own.
    flat = rises(as_pictures(made * 0.5 + 60))
    assert min(flat.values()) > 100
    grades = [patches_apart(blurred(made, sigma), real, 0).value for sigma in (0, 1, 2, 4)]
    assert grades == sorted(grades)


def test_a_distance_is_the_mean_over_directions_of_one_dimensional_ones():
    rng = np.random.default_rng(0)
    one, other = (rng.standard_normal((200, 6)).astype(np.float32) * s + s for s in (1, 2))
    directions_KP = rng.standard_normal((130, 6)).astype(np.float32)
    each = [wasserstein_distance(one @ along, other @ along) for along in directions_KP]
    assert realism._apart(one, other, directions_KP) == pytest.approx(np.mean(each), rel=1e-5)


@pytest.mark.parametrize(("rows", "columns"), [(64, 64), (70, 45), (33, 96)])
def test_pyramids_add_up_again_and_their_half_is_binomial(rows, columns):
    picture = pictures(1, 96)[0, :rows, :columns]
    levels = list(realism._pyramid(picture))
    again = levels[-1]
    for level in levels[-2::-1]:
        again = level + cv2.pyrUp(again, dstsize=(level.shape[1], level.shape[0]))
    assert again == pytest.approx(picture.astype(np.float32), abs=1e-2)
    assert 16 <= min(levels[-1].shape[:2]) < 32
    binomial = np.array([1, 4, 6, 4, 1]) / 16
    half = picture.astype(np.float64)
    for _ in levels[1:]:
        for axis in (0, 1):
            half = correlate1d(half, binomial, axis, mode="mirror")
        half = half[::2, ::2]
    assert levels[-1] == pytest.approx(half, abs=1e-2)


def test_the_floor_between_films_is_higher_than_between_their_frames():
    films = np.repeat(np.arange(4), 8)
    tones = np.random.default_rng(0).normal(0, 30, (4, 1, 1, 3))[films]
    real = as_pictures(pictures(32) + tones)
    mixed = patches_apart(real, real, 0)
    apart = patches_apart(real, real, 0, films)
    assert apart.floor > 1.5 * mixed.floor
    assert apart.value == mixed.value
    alone = patches_apart(real, real, 0, np.zeros(32))
    assert alone.floor == mixed.floor


def test_numbers_of_pictures_may_differ_and_a_seed_gives_the_same_answer():
    real, made = pictures(40), pictures(7, seed=1)
    found = patches_apart(made, real, 3)
    assert patches_apart(made, real, 3) == found
    assert patches_apart(made, real, 4).value != found.value
    assert patches_apart(made, real, 4).value == pytest.approx(found.value, rel=0.3)


def test_a_picture_without_detail_is_no_division_by_nothing():
    grey = np.full((3, 32, 32, 3), 128, np.uint8)
    found = patches_apart(grey, grey, 0)
    assert (found.value, found.floor) == (0, 0)
    assert spectrum_distance(grey, grey) == 0
    assert lab_histogram_distance(grey, grey) == 0
    assert diversity_ratio(grey, grey) == 1


@pytest.mark.parametrize(("rows", "columns"), [(64, 64), (63, 65), (48, 96)])
def test_white_noise_has_the_power_of_its_deviation_at_every_frequency(rows, columns):
    grey = np.random.default_rng(0).normal(128, 20, (60, rows, columns, 1))
    found = radial_spectrum(np.repeat(as_pictures(grey), 3, axis=3))
    assert found.cycles_K.tolist() == list(range(1, min(rows, columns) // 2 + 1))
    # A mean of decibels is lower than that of the power; near k = 1 few frequencies are averaged,
    # and what the mean and the window took are low ones.
    assert found.power_db_K[4:] == pytest.approx(20 * np.log10(20 / 255), abs=0.5)


def test_a_wave_stands_at_its_own_frequency_whatever_its_direction():
    y, x = np.indices((64, 64)) / 64
    for across, down in ((12, 0), (0, 12), (7.2, 9.6)):
        wave = 128 + 60 * np.cos(2 * np.pi * (across * x + down * y))
        found = radial_spectrum(as_pictures(np.repeat(wave[None, :, :, None], 3, axis=3)))
        assert found.cycles_K[found.power_db_K.argmax()] == 12


def test_spectrum_of_a_plain_restatement():
    """The whole plane, ring by ring."""
    x = pictures(3, 40)[:, :, :31]
    luma = x / 255 @ np.array([0.2126, 0.7152, 0.0722])
    window = np.outer(np.hanning(42)[1:-1], np.hanning(33)[1:-1])
    luma = (luma - luma.mean((1, 2), keepdims=True)) * window / np.sqrt((window**2).sum())
    power = np.abs(np.fft.fft2(luma)) ** 2
    ring = np.rint(
        np.hypot(*np.meshgrid(np.fft.fftfreq(40), np.fft.fftfreq(31), indexing="ij")) * 31
    )
    curve = [10 * np.log10(power[:, ring == k].mean(axis=1)).mean() for k in range(1, 16)]
    assert radial_spectrum(x).power_db_K == pytest.approx(curve, abs=1e-3)


def test_spectra_differ_by_decibels():
    real = pictures(20)
    assert spectrum_distance(real, real) == 0
    assert spectrum_distance(pictures(20, seed=1), real) < 0.5
    # Half of the contrast is 6.02 dB at every frequency that stands above the rounding.
    assert spectrum_distance(as_pictures(real * 0.5 + 60), real) == pytest.approx(6.02, abs=0.3)
    by_blur = [spectrum_distance(blurred(real, sigma), real) for sigma in (0.5, 1, 2)]
    assert by_blur == sorted(by_blur)
    assert by_blur[0] > 2


def test_lab_is_that_of_another_library():
    colours = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    colours[0, :8] = np.array(np.meshgrid([0, 255], [0, 255], [0, 255])).reshape(3, 8).T
    colours[1] = np.arange(200)[:, None]
    theirs = cv2.cvtColor(colours.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    # They interpolate in a table.
    away = np.abs(lab_of(colours) - theirs)
    assert away.max() < 0.6
    assert away.mean() < 0.1
    # Red, green and blue as B. Lindbloom's calculator has them.
    primaries = np.array([[53.2408, 80.0925, 67.2032], [87.7347, -86.1827, 83.1793],
                          [32.2970, 79.1875, -107.8602]])  # fmt: skip
    assert lab_of(255 * np.eye(3, dtype=np.uint8)) == pytest.approx(primaries, abs=0.02)
    grey = lab_of(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8))
    assert grey == pytest.approx(np.array([[[0, 0, 0], [100, 0, 0]]]), abs=1e-3)


def test_colour_distance_is_the_earth_movers_of_each_channel():
    made, real = pictures(5, 32, seed=1), as_pictures(pictures(7, 24) * np.array([1.1, 0.9, 0.6]))
    exact = [
        wasserstein_distance(
            *(
                cv2.cvtColor(x.reshape(1, -1, 3).astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[
                    0, :, channel
                ]
                for x in (made, real)
            )
        )
        for channel in range(3)
    ]
    assert lab_histogram_distance(made, real) == pytest.approx(np.mean(exact), abs=0.05)
    assert np.mean(exact) > 3


def test_colour_distance_sees_colours_and_not_places():
    real = pictures(10)
    assert lab_histogram_distance(real[:, ::-1], real) == 0
    shifts = [lab_histogram_distance(as_pictures(real + np.array([d, 0, -d])), real)
              for d in (0, 10, 20, 40)]  # fmt: skip
    assert shifts == sorted(shifts)
    assert lab_histogram_distance(real[..., ::-1], real) > 5


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 7), st.integers(2, 7), st.integers(0, 1000))
def test_diversity_is_the_ratio_of_mean_distances_of_pairs(made_count, real_count, seed):
    made = pictures(made_count, 32, seed)
    real = pictures(real_count, 32, seed + 1)
    ratio = pdist(made.reshape(made_count, -1)).mean() / pdist(real.reshape(real_count, -1)).mean()
    assert diversity_ratio(made, real) == pytest.approx(ratio, rel=1e-6)


def test_diversity_of_one_picture_is_none_and_of_mixed_ones_less():
    real = pictures(20, 96)
    one = np.repeat(real[:1], 20, axis=0)
    mixed = as_pictures((real + real.mean(axis=0)) / 2)
    assert diversity_ratio(one, real) == pytest.approx(0, abs=1e-6)
    assert diversity_ratio(mixed, real) == pytest.approx(0.5, abs=0.02)
    assert diversity_ratio(pictures(20, 96, seed=1), real) == pytest.approx(1, abs=0.15)


def test_what_is_no_picture_is_refused():
    good = pictures(2, 32)
    for call in (spectrum_distance, lab_histogram_distance, diversity_ratio):
        with pytest.raises(ValueError, match="uint8 is needed"):
            call(good.astype(np.float32), good)
        with pytest.raises(ValueError, match="at least"):
            call(good[:0], good)
    with pytest.raises(ValueError, match="one size"):
        spectrum_distance(good, pictures(2, 40))
    with pytest.raises(ValueError, match="at least 2"):
        sliced_wasserstein(good, good[:1], 0)
    with pytest.raises(ValueError, match="at least 16"):
        sliced_wasserstein(good[:, :15], good[:, :15], 0)
    with pytest.raises(ValueError, match="films"):
        sliced_wasserstein(good, good, 0, np.zeros(3))
