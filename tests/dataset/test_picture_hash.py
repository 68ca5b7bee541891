"""Hashes stay through re-encoding, scaling, squashing and light; other scenes lie far away."""

import itertools
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from soundreel.dataset.picture_hash import (
    NEAR_BITS,
    NearDuplicates,
    hamming,
    picture_hash,
    picture_hashes,
)
from soundreel.media.video import Fit, frames_at
from soundreel.media.writer import FilmWriter

ROOT = Path(__file__).parents[2]
MEDIA = Path(os.environ.get("SOUNDREEL_MEDIA", ROOT.parent / "shared" / "media"))


def scene(seed: int, height: int = 180, width: int = 320) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (9, 16, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def scaled(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def known(picture: np.ndarray) -> int:
    found = picture_hash(picture)
    assert found is not None
    return found


def test_the_hash_is_the_transform_of_the_paper():
    """Zauner 2010, 3.2.1, restated with scipy's cosine transform in floating point."""
    dctn = pytest.importorskip("scipy.fft").dctn
    for seed in range(30):
        picture = scene(seed)
        luma = Image.fromarray(picture).convert("L").resize((32, 32), Image.Resampling.BOX)
        low = dctn(np.asarray(luma, float), norm="ortho")[1:9, 1:9].ravel()
        bits = "".join("01"[int(value > np.median(low))] for value in low)
        assert hamming(known(picture), int(bits, 2)) <= 2  # rounding, next to the median


def test_the_same_alone_and_among_others():
    pictures = np.stack([scene(seed) for seed in range(9)] + [np.zeros((180, 320, 3), np.uint8)])
    hashes, valid = picture_hashes(pictures)
    assert hashes.dtype == np.uint64
    assert valid.tolist() == [True] * 9 + [False]
    assert [int(value) for value in hashes[:9]] == [known(picture) for picture in pictures[:9]]


@pytest.mark.parametrize("brightness", [0, 90, 255])
def test_what_shows_nothing_has_no_hash(brightness):
    flat = np.full((180, 320, 3), brightness, np.uint8)
    noise = np.random.default_rng(0).integers(-6, 7, flat.shape)
    assert picture_hash(flat) is None
    assert picture_hash(np.clip(flat + noise, 0, 255).astype(np.uint8)) is None
    assert picture_hash((scene(1) * 0.02).astype(np.uint8)) is None


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(96, 400), st.integers(96, 400),
       st.floats(0.5, 1.0), st.integers(0, 60))  # fmt: skip
def test_size_shape_and_light_hardly_change_it(seed, width, height, contrast, brightness):
    picture = scene(seed)
    changed = scaled(picture, width, height) * contrast * (1 - brightness / 255) + brightness
    assert hamming(known(picture), known(changed.astype(np.uint8))) <= NEAR_BITS


def test_a_bit_count_is_a_bit_count():
    assert hamming(0, (1 << 64) - 1) == 64
    assert hamming(0b1011, 0b0010) == 2


def test_other_scenes_are_far():
    hashes = [known(scene(seed)) for seed in range(60)]
    far = [hamming(a, b) for a, b in itertools.combinations(hashes, 2)]
    assert min(far) > NEAR_BITS
    assert 30 < np.mean(far) < 34


def test_real_films_through_x264_at_another_size_and_shape(tmp_path):
    stills = []
    for name in ("sintel_bridge_480p.mp4", "ed_opening_two_audio.mp4", "bbb_flight_360p.mp4"):
        path = MEDIA / "videos" / name
        if not path.exists():
            pytest.skip(f"{name} is not there (SOUNDREEL_MEDIA may say where)")
        times = [Fraction(5, 2) * k + 1 for k in range(8)]
        stills.append([picture for _, picture in frames_at(path, times, Fit(360, 640))])
    flat = [picture for film in stills for picture in film]
    with FilmWriter(tmp_path / "again.mp4", 640, 360, Fraction(25), crf=33) as writer:
        for picture in flat:
            writer.write(picture)
    times = [Fraction(k, 25) for k in range(len(flat))]
    again = [picture for _, picture in frames_at(tmp_path / "again.mp4", times, Fit(256, 256))]
    moved = [hamming(known(a), known(b)) for a, b in zip(flat, again, strict=True)]
    assert max(moved) <= NEAR_BITS
    hashes = [[known(picture) for picture in film] for film in stills]
    apart = [
        hamming(a, b) for one, other in itertools.combinations(hashes, 2)
        for a in one for b in other
    ]  # fmt: skip
    assert min(apart) > NEAR_BITS


def test_a_near_duplicate_is_told_and_forgotten_and_a_slow_change_is_not_lost():
    near = NearDuplicates(max_distance=4)
    steps = [(1 << n) - 1 for n in range(17)]  # one bit more each time
    assert [near(step) for step in steps] == [n % 5 != 0 for n in range(17)]
    near = NearDuplicates(max_distance=0)
    assert [near(value) for value in (7, None, None, 7, 8, 7)] == [0, 0, 0, 1, 0, 1]


def test_many_kept_hashes_are_all_remembered():
    values = np.random.default_rng(5).integers(0, 1 << 63, 300, dtype=np.uint64)
    near = NearDuplicates(max_distance=6)
    assert not any(near(int(value)) for value in values)
    assert all(near(int(value) ^ 0b111) for value in values)
    nearest = [min(hamming(int(a) ^ 1 << 63, int(b)) for b in values) for a in values[:5]]
    assert nearest == [1] * 5
