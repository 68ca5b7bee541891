"""Warping: known motion, and films that are still, unsteady, or the real one itself."""

from fractions import Fraction
from itertools import islice

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from soundreel.evidence.warping import flicker_and_motion, flow_magnitude
from soundreel.seeding import numpy_generator_for
from soundreel.synthetic.songs import drift
from soundreel.synthetic.visuals import Controls, film_frames, look_for

FPS = Fraction(24)
FRAMES = 20


def texture(seed: int = 0, size: int = 300) -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal((size, size, 3)), (2, 2, 0))
    return 128 + 60 * noise / noise.std()


def moving(pixels_a_frame: float, frames: int = 8, size: int = 96, seed: int = 0) -> np.ndarray:
    """A texture that runs to the left."""
    still_HW3 = texture(seed)
    y, x = np.indices((size, size)) + 60.0
    film = [
        [map_coordinates(still_HW3[..., c], [y, x + t * pixels_a_frame], order=1) for c in range(3)]
        for t in range(frames)
    ]
    return np.moveaxis(np.array(film), 1, -1).clip(0, 255).astype(np.uint8)


def synthetic(look: int, seed: int, cut_seconds: tuple[float, ...] = ()) -> np.ndarray:
    rng = numpy_generator_for(seed, "controls")
    controls = Controls(*(drift(FRAMES, 40, rng) for _ in range(3)))
    return np.stack(list(film_frames(look_for(look), controls, cut_seconds, FPS, 128, 96, seed)))


@pytest.fixture(scope="module")
def real() -> list[np.ndarray]:
    return [synthetic(look, look, (0.4,)) for look in (1, 4, 8)]


@pytest.mark.parametrize("pixels", [0.5, 1, 3, 6])
def test_speed_is_in_picture_heights_a_second(pixels):
    speed_T = flow_magnitude(moving(pixels), FPS)
    assert speed_T.dtype == np.float64
    assert speed_T == pytest.approx(np.full(8, pixels / 96 * 24), rel=0.1)


def test_speed_does_not_depend_on_the_size_and_doubles_with_the_rate():
    film = moving(2)
    large = np.stack([cv2.resize(frame, (384, 384)) for frame in film])
    speed_T = flow_magnitude(film, FPS)
    assert flow_magnitude(large, FPS) == pytest.approx(speed_T, rel=0.1)
    assert flow_magnitude(iter(film), 2 * FPS) == pytest.approx(2 * speed_T)


def test_a_still_film_does_not_move_and_short_ones_have_values():
    assert flow_magnitude(np.repeat(moving(1)[:1], 5, axis=0), FPS).tolist() == [0] * 5
    assert flow_magnitude(moving(1)[:1], FPS).tolist() == [0]
    assert len(flow_magnitude([], FPS)) == 0


def test_frames_are_taken_as_they_come_and_two_are_held():
    """The curve of a start is the start of the curve, and a frame's value is its own pair's."""
    film = np.concatenate([moving(1, 4), moving(4, 4)])
    whole_T = flow_magnitude(film, FPS)
    assert flow_magnitude(islice(iter(film), 3), FPS) == pytest.approx(whole_T[:3])
    assert flow_magnitude(film[4:], FPS)[1:] == pytest.approx(whole_T[5:])


def test_what_seems_to_move_across_a_cut_is_left_out():
    film = np.concatenate([moving(1, 4), moving(1, 4, seed=5), moving(2, 1, seed=6)])
    speed_T = flow_magnitude(film, FPS, cuts=[4, 8])
    assert speed_T == pytest.approx(np.full(9, 0.25), rel=0.1)
    assert flow_magnitude(film, FPS)[4] > 0.4
    in_a_row = flow_magnitude(film, FPS, cuts=[3, 4, 99])
    assert in_a_row[3] == in_a_row[4] == in_a_row[5]


def test_the_real_film_itself_is_one_and_one(real):
    found = flicker_and_motion(real, real, FPS)
    assert found.flicker == pytest.approx(1)
    assert found.motion_ratio == pytest.approx(1)
    assert (found.pairs, found.cuts) == (3 * (FRAMES - 2), 3)


def test_a_still_film_neither_flickers_nor_moves(real):
    still = [np.repeat(film[:1], FRAMES, axis=0) for film in real]
    found = flicker_and_motion(still, real, FPS)
    assert found.flicker < 1e-3
    assert found.motion_ratio < 1e-3


def test_noise_and_unsteady_light_flicker(real):
    rng = np.random.default_rng(0)
    white = [rng.integers(0, 256, film.shape, dtype=np.uint8) for film in real]
    assert flicker_and_motion(white, real, FPS).flicker > 20

    def graded(amount: float) -> float:
        light = 1 + amount * rng.standard_normal((FRAMES, 1, 1, 1))
        unsteady = [(film * light).clip(0, 255).astype(np.uint8) for film in real]
        return flicker_and_motion(unsteady, real, FPS).flicker

    by_light = [graded(amount) for amount in (0.02, 0.06, 0.2)]
    assert by_light == sorted(by_light)
    assert by_light[0] > 1.05
    assert by_light[1] > 1.5


def test_what_moves_as_the_real_film_does_is_as_steady_though_it_looks_otherwise():
    """Other colours, the same motion: without the flow this would be all change."""
    real, made = moving(3), moving(3, seed=4)
    found = flicker_and_motion([made], [real], FPS)
    assert found.flicker == pytest.approx(1, abs=0.3)
    assert found.motion_ratio == pytest.approx(1, abs=0.1)
    changes = np.abs(np.diff(made.astype(float), axis=0)).mean() / 255
    assert found.made_error < 0.15 * changes
    # The same picture against the motion is taken for what it is: it changes otherwise.
    assert flicker_and_motion([made[:, :, ::-1]], [real], FPS).flicker > 5


def test_motion_ratio_is_that_of_the_speeds():
    found = flicker_and_motion([moving(1)], [moving(4)], FPS)
    assert found.motion_ratio == pytest.approx(0.25, rel=0.1)
    assert found.real_motion == pytest.approx(1, rel=0.1)


def test_cuts_of_the_real_film_are_left_out_found_or_given(real):
    """What a made film does where the real one cuts is not held against it; elsewhere it is."""
    cut = 10  # 0.4 s at 24 fps is within frame 9; the first frame not before it is 10
    made = [film.copy() for film in real]
    for film in made:
        film[cut:] = 255 - film[cut:]
    found = flicker_and_motion(made, real, FPS)
    given = flicker_and_motion(made, real, FPS, [[cut]] * 3)
    assert found == given
    assert found.flicker == pytest.approx(1, abs=0.05)
    assert flicker_and_motion(made, real, FPS, [[]] * 3).flicker > 1.1
    late = [255 - film if n == 0 else film for n, film in enumerate(real)]
    late[1] = np.concatenate([real[1][:5], 255 - real[1][5:]])
    assert flicker_and_motion(late, real, FPS).flicker > 1.5


def test_a_fade_is_no_cut():
    light = np.r_[np.ones(12) * 0.05, np.linspace(0.05, 1, 5), np.ones(12)]
    film = (moving(1, len(light)) * light[:, None, None, None]).astype(np.uint8)
    found = flicker_and_motion([film], [film], FPS)
    assert found.cuts == 0
    assert found.flicker == pytest.approx(1)


def test_a_real_film_that_stands_still_counts_as_its_rounding():
    still = np.repeat(moving(1)[:1], 8, axis=0)
    found = flicker_and_motion([still], [still], FPS)
    assert (found.flicker, found.motion_ratio) == (0, 0)
    one_more = still.clip(0, 254)
    one_more[::2] += 1
    assert flicker_and_motion([one_more], [still], FPS).flicker == pytest.approx(3, rel=0.1)


def test_what_does_not_match_is_refused():
    film = moving(1, 3)
    with pytest.raises(ValueError, match="2 made films and 1 real"):
        flicker_and_motion([film, film], [film], FPS)
    with pytest.raises(ValueError, match="0 made films"):
        flicker_and_motion([], [], FPS)
    with pytest.raises(ValueError, match="one size"):
        flicker_and_motion([film[:, :90]], [film], FPS)
    with pytest.raises(ValueError, match="longer"):
        flicker_and_motion([film[:2]], [film], FPS)
    with pytest.raises(ValueError, match="two frames in a row"):
        flicker_and_motion([film[:1]], [film[:1]], FPS)
    with pytest.raises(ValueError, match="two frames in a row"):
        flicker_and_motion([film], [film], FPS, [[1, 2]])
    with pytest.raises(ValueError, match="cuts of 0 films"):
        flicker_and_motion([film], [film], FPS, [])
    with pytest.raises(ValueError, match="uint8 is needed"):
        flow_magnitude(film.astype(np.float32), FPS)


def test_cuts_of_the_made_film_are_no_flicker_where_they_are_told():
    real = [synthetic(1, 1)] * 2
    cut = [np.concatenate([synthetic(1, 1)[:9], synthetic(4, 4)[9:]])] * 2
    told = flicker_and_motion(cut, real, FPS, made_cuts_by_film=[[9], [9]])
    untold = flicker_and_motion(cut, real, FPS)
    assert untold.flicker > 1.5 * told.flicker
    assert (told.cuts, untold.cuts) == (2, 0)
    with pytest.raises(ValueError, match="cuts of 1 films for 2"):
        flicker_and_motion(cut, real, FPS, made_cuts_by_film=[[9]])
