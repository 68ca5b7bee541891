"""Flicker and beat response on films whose answer is known."""

from fractions import Fraction

import numpy as np
import pytest

from soundreel.evidence.flicker import beat_response, flicker

FPS = Fraction(30)


def levels(level_T: np.ndarray, side: int = 16) -> np.ndarray:
    """Grey films: T x side x side x 3."""
    film = np.broadcast_to(level_T[:, None, None, None], (len(level_T), side, side, 3))
    return film.astype(np.uint8)


def test_steady_pictures_and_steady_changes_do_not_flicker():
    still = np.repeat(np.random.default_rng(0).integers(0, 256, (1, 9, 9, 3), np.uint8), 20, 0)
    assert flicker(still) == 0
    assert flicker(levels(np.arange(0, 200, 10))) == pytest.approx(0, abs=1e-6)


def test_black_and_white_in_turn_is_one():
    assert flicker(levels(np.arange(20) % 2 * 255)) == pytest.approx(1)
    assert flicker(iter(levels(np.arange(20) % 2 * 255))) == pytest.approx(1)


def test_white_noise_flickers_by_its_deviation():
    rng = np.random.default_rng(1)
    deviation = 20
    noise = np.rint(rng.normal(128, deviation, (60, 32, 32, 1))).clip(0, 255)
    film = np.repeat(noise, 3, axis=3).astype(np.uint8)
    # A frame less its neighbours' mean: variance 3/2; mean magnitude sqrt(2 / pi) of its root.
    expected = deviation / 255 * np.sqrt(3 / np.pi)
    assert flicker(film) == pytest.approx(expected, rel=0.02)


def test_what_lies_across_a_jump_can_be_left_out():
    level_T = np.where(np.arange(30) < 12, 40, 200)
    assert flicker(levels(level_T)) == pytest.approx(160 / 255 / 28)
    assert flicker(levels(level_T), [12]) == 0


def test_planted_flashes_are_found_and_flashes_elsewhere_are_not():
    rng = np.random.default_rng(2)
    beat_seconds = np.arange(1, 19) * 0.5
    level_T = 100 + rng.integers(-3, 4, 300)
    on = np.ceil(beat_seconds * 30).astype(int)
    flashing = level_T.copy()
    flashing[on] += 90
    flashing[on + 1] += 45
    assert beat_response(levels(flashing), FPS, beat_seconds) > 2
    assert beat_response(levels(flashing), FPS, beat_seconds + 0.25) < -0.5
    # The same film from 1.7 s on: its beats are where the song has them.
    later = beat_response(levels(flashing[51:]), FPS, beat_seconds, Fraction(17, 10))
    assert later > 2


def test_all_change_on_the_beat_is_the_most_there_is():
    level_T = np.repeat([20, 220, 20, 220, 20, 220], 30)
    found = beat_response(levels(level_T), FPS, [1, 2, 3, 4, 5], reaction_seconds=Fraction(1, 30))
    assert found == pytest.approx(179 / 5 - 1)


def test_noise_follows_no_beat():
    rng = np.random.default_rng(3)
    beat_seconds = np.arange(1, 40) * 0.5
    found = [
        beat_response(levels(rng.integers(0, 256, 600), 2), FPS, beat_seconds) for _ in range(40)
    ]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(40) + 0.005
    assert np.std(found) < 0.1


def test_a_still_film_and_too_little():
    assert beat_response(levels(np.full(40, 7)), FPS, [0.5]) == 0
    with pytest.raises(ValueError, match="three frames"):
        flicker(levels(np.arange(2)))
    with pytest.raises(ValueError, match="beats lies"):
        beat_response(levels(np.arange(40)), FPS, [7.0])
    with pytest.raises(ValueError, match="too few"):
        beat_response(levels(np.arange(2)), FPS, [0.0])
    with pytest.raises(ValueError, match="uint8"):
        flicker(np.zeros((5, 4, 4, 3)))
