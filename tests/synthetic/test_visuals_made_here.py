from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundreel.errors import SettingsError
from soundreel.synthetic.colour import PALETTES, oklab, palette, srgb_of, turned
from soundreel.synthetic.songs import drift
from soundreel.synthetic.visuals import (
    KINDS,
    Controls,
    cut_frames,
    film_frames,
    look_for,
    phase_of,
)

FPS = Fraction(12)
WIDTH, HEIGHT = 128, 72


def curves(seed, frames):
    return [drift(frames, 12, np.random.default_rng(seed + k)) for k in range(3)]


def film(kind, controls, seed=0, cuts=(), **more):
    return film_frames(look_for(seed, kind), controls, cuts, FPS, WIDTH, HEIGHT, seed, **more)


def brightness(frame_HW3):
    return frame_HW3.mean() / 255


def luma(frame_HW3):
    return (frame_HW3 @ [0.299, 0.587, 0.114]).mean() / 255


def hue_radians(frame_HW3):
    """Direction of the mean colour in OKLab."""
    lab = oklab(frame_HW3[::2, ::2] / 255)
    return np.arctan2(lab[..., 2].sum(), lab[..., 1].sum())


def movement(frames):
    scaled = [frame / max(1.0, frame.mean()) for frame in frames]
    return np.array([np.abs(b - a).mean() for a, b in pairwise(scaled)])


def correlation(a, b):
    return np.corrcoef(a, b)[0, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_the_controls_drive_what_they_say(kind):
    """All three at once, independent of each other, across two cuts."""
    frames_wanted, seed = 160, KINDS.index(kind)
    bright, hue, motion = curves(10 * seed, frames_wanted)
    frames = list(film(kind, Controls(bright, hue, motion), seed, cuts=(4.5, 9.0)))
    assert len(frames) == frames_wanted
    clipped = [np.clip(curve, -2.5, 2.5) for curve in (bright, hue, motion)]
    assert correlation([brightness(frame) for frame in frames], clipped[0]) > 0.85
    # What a shot shows has colours of its own: the control turns them within the shot.
    seen_hue = np.unwrap([hue_radians(frame) for frame in frames])
    turns = [part - part.mean() for part in np.split(seen_hue, (54, 108))]
    wanted = [part - part.mean() for part in np.split(clipped[1], (54, 108))]
    assert correlation(np.concatenate(turns), np.concatenate(wanted)) > 0.75


@pytest.mark.parametrize("kind", KINDS)
def test_motion_drives_the_speed(kind):
    """At rest in light and colour, so that movement is all that changes a picture."""
    rest = np.zeros(160)
    motion = curves(500, 160)[0]
    moved = movement(list(film(kind, Controls(rest, rest, motion), 2)))
    assert correlation(np.log(moved), motion[1:]) > 0.6


def test_brightness_is_held_at_the_key_and_never_burns_out():
    look = look_for(4)
    for level, factor in ((-2, 0.5), (0, 1), (2, 2)):
        constant = np.full(6, float(level))
        rest = np.zeros(6)
        found = np.mean([luma(frame) for frame in film(None, Controls(constant, rest, rest), 4)])
        assert abs(found / (look.key * factor) - 1) < 0.25


def test_the_hue_control_turns_the_palette_by_24_degrees_a_unit():
    colours = palette("sunset")
    turned_by = turned(colours, np.array([0.0, 24.0]))
    before, after = oklab(turned_by[0]), oklab(turned_by[1])
    np.testing.assert_allclose(before[:, 0], after[:, 0], atol=0.01)
    angle = np.degrees(
        np.arctan2(after[:, 2], after[:, 1]) - np.arctan2(before[:, 2], before[:, 1])
    )
    np.testing.assert_allclose((angle + 180) % 360 - 180, 24, atol=2)


@given(st.sampled_from(sorted(PALETTES)), st.floats(-72, 72))
@settings(max_examples=40, deadline=None)
def test_a_turned_palette_stays_on_the_screen_and_in_order(name, degrees):
    colours = turned(palette(name), np.array([degrees]))[0]
    assert colours.min() >= 0
    assert colours.max() <= 1
    np.testing.assert_allclose(oklab(colours)[:, 0], oklab(palette(name))[:, 0], atol=0.02)


def test_oklab_there_and_back():
    colours = np.random.default_rng(0).random((50, 3))
    np.testing.assert_allclose(srgb_of(oklab(colours)), colours, atol=1e-5)
    np.testing.assert_allclose(oklab(np.ones(3)), [1, 0, 0], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_depends_on_its_index_alone(kind):
    controls = Controls(*curves(7, 40))
    whole = list(film(kind, controls, 5, cuts=(1.1, 2.4)))
    again = list(film(kind, controls, 5, cuts=(1.1, 2.4)))
    late = list(film(kind, controls, 5, cuts=(1.1, 2.4), first_frame=31))
    np.testing.assert_array_equal(whole, again)
    np.testing.assert_array_equal(whole[31:], late)
    other = next(film(kind, controls, 6))
    assert np.abs(whole[0].astype(int) - other).mean() > 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_is_a_leap(kind):
    """The largest change of the film's pictures is at its cut."""
    rest = np.zeros(24)
    frames = list(film(kind, Controls(rest, rest, rest), 3, cuts=(1.0,)))
    change = movement(frames)
    assert np.argmax(change) == 11
    assert change[11] > 2.5 * np.median(change)


def test_cuts_fall_on_the_first_frame_that_is_not_before_them():
    fps = Fraction(24)
    assert cut_frames([0.0, 1.0, 1.001, 1.04, 1.02, 99.0], fps, 100).tolist() == [24, 25]


def test_phase_only_grows_and_faster_with_motion():
    phase = phase_of(np.linspace(-9, 9, 100), 1.0, FPS)
    steps = np.diff(phase)
    assert (steps > 0).all()
    assert (np.diff(steps) > -1e-9).all()
    assert steps[-1] / steps[0] > 10


def test_looks_go_through_all_kinds_and_are_apart():
    looks = [look_for(seed) for seed in range(len(KINDS))]
    assert {look.kind for look in looks} == set(KINDS)
    assert look_for(3) == look_for(3)
    assert len({look_for(seed, "silk") for seed in range(10)}) == 10
    with pytest.raises(SettingsError, match="silk"):
        look_for(0, "silc")


@pytest.mark.parametrize(("width", "height"), [(64, 64), (90, 160), (127, 71), (640, 360)])
def test_any_size_is_drawn(width, height):
    rest = np.zeros(1)
    for kind in KINDS:
        frame = next(
            film_frames(look_for(1, kind), Controls(rest, rest, rest), [], FPS, width, height, 1)
        )
        assert frame.shape == (height, width, 3)
        assert frame.dtype == np.uint8
        assert frame.std() > 8, "a picture is not a plain area"


def test_a_tiny_picture_is_refused():
    rest = np.zeros(1)
    frames = film_frames(look_for(0), Controls(rest, rest, rest), [], FPS, 16, 16, 0)
    with pytest.raises(SettingsError, match="16 x 16"):
        next(frames)
