"""Accents: full on the beat, nothing before it, and never a flash that is not safe."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundreel.errors import SettingsError
from soundreel.rendering.accents import accent, accent_envelope

FPS = Fraction(30)


def relative_luminance(colours_N3: np.ndarray) -> np.ndarray:
    """As WCAG 2.2 defines it."""
    share = colours_N3 / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def test_an_accent_is_full_on_the_beat_and_falls_to_nothing():
    envelope = accent_envelope(90, FPS, [1.0, 2.01])
    assert envelope.dtype == np.float32
    assert envelope[30] == 1
    assert envelope[60] == 0  # the beat comes just after it
    assert envelope[61] == 1
    assert (envelope[:30] == 0).all()
    assert (np.diff(envelope[30:38]) < 0).all()
    assert (envelope[38:61] == 0).all()
    assert (accent_envelope(10, FPS, []) == 0).all()


def test_other_beats_than_the_bars_first_are_weaker():
    envelope = accent_envelope(90, FPS, [0.5, 1.0, 1.5, 2.0], downbeat_seconds=[0.5, 2.0])
    np.testing.assert_allclose(envelope[[15, 30, 45, 60]], [1, 0.6, 0.6, 1], rtol=1e-6)


def test_a_part_has_what_the_whole_has_there():
    beats = np.arange(0.1, 6, 0.29)
    song = accent_envelope(180, FPS, beats)
    part = accent_envelope(100, FPS, beats, Fraction(2))
    np.testing.assert_array_equal(part, song[60:160])


@settings(max_examples=60, deadline=None)
@given(
    bpm=st.floats(40, 400),
    phase=st.floats(0, 1),
    fps=st.sampled_from([Fraction(15), Fraction(24_000, 1001), FPS, Fraction(60)]),
)
def test_at_most_three_begin_in_any_second(bpm, phase, fps):
    beats = phase + np.arange(40) * 60 / bpm
    envelope = accent_envelope(int(6 * fps), fps, beats)
    begun = np.flatnonzero(np.diff(envelope, prepend=np.float32(0)) > 0)
    for first in begun:
        assert ((begun >= first) & (begun < first + fps)).sum() <= 3
    assert len(begun) >= 3


def test_a_flash_is_none_by_the_rule_for_any_colour():
    colours = np.random.default_rng(0).integers(0, 256, (1, 60_000, 3), np.uint8)
    greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    for frame in (colours, greys):
        flashed = accent(frame, 1.0, "flash")
        rise = relative_luminance(flashed) - relative_luminance(frame)
        assert rise.min() >= 0
        assert rise.max() < 0.1
    grey_levels = accent(greys, 1.0, "flash")[0, :, 0].astype(int)
    assert grey_levels[0] == 0
    assert grey_levels[255] == 255
    assert (np.diff(grey_levels) >= 0).all()
    assert (grey_levels - np.arange(256)).max() >= 20, "it is seen"
    assert (accent(greys, 0.5, "flash") <= accent(greys, 1.0, "flash")).all()
    assert (np.flatnonzero(grey_levels == 255) == 255).all(), "nothing clips"


def test_a_zoom_magnifies_about_the_middle():
    columns = np.arange(201)
    ramp = np.repeat(np.repeat(columns[None, :, None], 101, 0), 3, 2).astype(np.uint8)
    zoomed = accent(ramp, 1.0, "zoom")
    assert zoomed.shape == ramp.shape
    expected = 100 + (columns - 100) * 0.96
    np.testing.assert_allclose(zoomed[50, 3:-3, 0], expected[3:-3], atol=0.6)
    assert np.abs(accent(ramp, 0.25, "zoom").astype(int) - ramp).max() <= 2


def test_without_an_accent_the_frame_is_the_same():
    frame = np.random.default_rng(1).integers(0, 256, (9, 9, 3), np.uint8)
    assert accent(frame, 0.0, "flash") is frame
    assert accent(frame, 1.0, "none") is frame
    assert accent(frame, 1.0, "zoom", strength=0) is frame
    with pytest.raises(SettingsError, match="choose one of none, flash, zoom"):
        accent(frame, 1.0, "strobe")  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingsError, match="from 0 to 1"):
        accent(frame, 1.0, "flash", strength=2)
