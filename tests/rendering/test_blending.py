"""Blends: exact, without a step at either end."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundreel.rendering.blending import crossfade_share, fade_gain, faded, mix, smoothstep

FPS = Fraction(30)


def pictures() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (2, 16, 16, 3), np.uint8)
    a[0, 0], b[0, 0] = 255, 0
    a[0, 1], b[0, 1] = 255, 255
    return a, b


@given(share=st.floats(0, 1))
def test_a_mix_is_the_weighted_mean(share):
    a, b = pictures()
    of_b = np.floor(share * 256 + 0.5) / 256
    np.testing.assert_array_equal(mix(a, b, share), np.floor((1 - of_b) * a + of_b * b + 0.5))
    np.testing.assert_array_equal(faded(a, share), np.floor(of_b * a + 0.5))


def test_the_ends_are_the_pictures_themselves():
    a, b = pictures()
    assert mix(a, b, 0) is a
    assert mix(a, b, 1) is b
    assert faded(a, 1) is a
    assert not faded(a, 0).any()
    with pytest.raises(ValueError, match="cannot be mixed"):
        mix(a, b[:3], 0.5)


def test_a_smoothstep_starts_and_ends_level():
    assert [smoothstep(u) for u in (-1, 0, 0.5, 1, 7)] == [0, 0, 0.5, 1, 1]
    assert smoothstep(0.25) + smoothstep(0.75) == 1
    assert smoothstep(1e-4) < 1e-6


def test_a_film_fades_in_and_out():
    gains = [fade_gain(n, 300, FPS, Fraction(1), Fraction(2)) for n in range(300)]
    assert gains[0] == gains[-1] == 0
    assert gains[15] == 0.5
    assert gains[30] == gains[239] == 1
    assert min(gains[30:240]) == 1
    assert gains[269] == 0.5
    assert np.all(np.diff(gains[:31]) > 0)
    assert np.all(np.diff(gains[239:]) < 0)
    assert {fade_gain(n, 10, FPS) for n in range(10)} == {1.0}
    short = [fade_gain(n, 20, FPS, Fraction(1), Fraction(1)) for n in range(20)]
    assert short == short[::-1] or max(short) < 1


def test_a_crossfade_lies_between_its_frames():
    shares = [crossfade_share(n, 10, 19) for n in range(30)]
    assert shares[:10] == [0] * 10
    assert shares[19:] == [1] * 11
    assert shares[14] == 0.5
    assert np.all(np.diff(shares[9:20]) > 0)
    assert [crossfade_share(n, 5, 5) for n in (4, 5)] == [0, 1]
