"""Descriptors of pictures and sound: each moves with what it names and with nothing else."""

import colorsys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundreel.evidence.descriptors import (
    PICTURE_NAMES,
    SOUND_NAMES,
    picture_descriptors,
    sound_descriptors,
)


def flat(red: int, green: int, blue: int, frames: int = 1, size: int = 40) -> np.ndarray:
    picture = np.zeros((frames, size, size, 3), np.uint8)
    picture[:] = (red, green, blue)
    return picture


colour = st.tuples(*[st.integers(0, 255)] * 3)


@settings(max_examples=60, deadline=None)
@given(rgb=colour)
def test_a_flat_picture_has_its_colours_numbers(rgb):
    d = picture_descriptors(flat(*rgb))
    red, green, blue = (value / 255 for value in rgb)
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    chroma = value * saturation
    assert d["brightness"][0] == pytest.approx(
        0.2126 * red + 0.7152 * green + 0.0722 * blue, abs=1e-5
    )
    assert d["saturation"][0] == pytest.approx(saturation, abs=1e-5)
    assert np.hypot(d["hue_cos"][0], d["hue_sin"][0]) == pytest.approx(chroma, abs=1e-5)
    if chroma > 0.05:
        angle = np.arctan2(d["hue_sin"][0], d["hue_cos"][0]) / (2 * np.pi)
        # The hexagon's hue (HSV) and the circle's differ by at most 1.12 degrees.
        assert abs((angle - hue + 0.5) % 1 - 0.5) < 1.2 / 360
    for name in ("contrast", "edge_energy", "motion_energy"):
        assert d[name][0] == pytest.approx(0, abs=1e-5)


def test_hues_that_oppose_cancel():
    picture = np.concatenate([flat(255, 0, 0), flat(0, 255, 255)], axis=2)
    d = picture_descriptors(picture)
    assert np.hypot(d["hue_cos"][0], d["hue_sin"][0]) < 1e-6
    assert d["saturation"][0] == pytest.approx(1)


def test_contrast_of_black_and_white_halves_is_a_half():
    picture = np.concatenate([flat(0, 0, 0), flat(255, 255, 255)], axis=2)
    assert picture_descriptors(picture)["contrast"][0] == pytest.approx(0.5, abs=1e-5)


def test_more_edges_have_more_energy_and_size_does_not_matter():
    def stripes(width: int, size: int) -> np.ndarray:
        on = (np.arange(size) // width) % 2 == 0
        return (
            (255 * np.repeat(on[None, None, :, None], size, axis=1)).repeat(3, -1).astype(np.uint8)
        )

    few, many = (picture_descriptors(stripes(w, 144))["edge_energy"][0] for w in (36, 12))
    assert many == pytest.approx(few * 11 / 3, rel=1e-5)
    double = picture_descriptors(stripes(72, 288))["edge_energy"][0]
    assert double == pytest.approx(few, rel=0.03)


def test_motion_is_the_change_since_the_frame_before():
    frames = np.concatenate(
        [flat(10, 10, 10), flat(10, 10, 10), flat(61, 61, 61), flat(10, 10, 10)]
    )
    motion = picture_descriptors(frames)["motion_energy"]
    np.testing.assert_allclose(motion, [0, 0, 0.2, 0.2], atol=1e-5)


def test_motion_crosses_the_batches_in_which_frames_are_taken():
    levels = np.random.default_rng(0).integers(0, 256, 150).astype(np.uint8)
    frames = np.broadcast_to(levels[:, None, None, None], (150, 30, 30, 3))
    motion = picture_descriptors(frame for frame in frames)["motion_energy"]
    expected = np.abs(np.diff(levels.astype(float))) / 255
    np.testing.assert_allclose(motion[1:], expected, atol=1e-5)
    assert motion[0] == motion[1]


def test_tiny_odd_and_no_pictures():
    rng = np.random.default_rng(0)
    for shape in [(3, 1, 1, 3), (3, 6, 10, 3), (2, 251, 333, 3)]:
        d = picture_descriptors(rng.integers(0, 256, shape, dtype=np.uint8))
        assert d.values_TD.shape == (shape[0], len(PICTURE_NAMES))
        assert np.isfinite(d.values_TD).all()
    assert picture_descriptors([]).values_TD.shape == (0, len(PICTURE_NAMES))
    with pytest.raises(ValueError, match="height x width x 3 uint8"):
        picture_descriptors(np.zeros((2, 8, 8, 3), np.float32))


def test_sound_descriptors_hear_what_they_name():
    rate = 44_100
    t = np.arange(rate) / rate
    low, high = np.sin(2 * np.pi * 100 * t), np.sin(2 * np.pi * 8_000 * t)
    sound = np.concatenate([np.zeros(rate), 0.1 * low, 0.5 * low, 0.1 * high]).astype(np.float32)
    d = sound_descriptors(sound, rate, [0.9, 1.9, 2.9, 3.9])
    assert d.names == SOUND_NAMES
    assert d.values_TD.shape == (4, 5)
    assert d["loudness"][2] - d["loudness"][1] == pytest.approx(20 * np.log10(5), abs=0.1)
    assert d["low_band"][1] == pytest.approx(d["loudness"][1], abs=0.5)
    assert d["high_band"][3] == pytest.approx(d["loudness"][3], abs=0.1)
    assert d["high_band"][1] < -70
    assert d["centroid"][3] == pytest.approx(3, abs=0.05)
    onset = sound_descriptors(sound, rate, [1.5, 2.05, 2.5, 3.05])["onset"]
    assert min(onset[1], onset[3]) > 10 * max(onset[0], onset[2])
