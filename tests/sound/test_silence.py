"""Silent windows, against the definition written out one window at a time."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundreel.sound import silence
from soundreel.sound.silence import silent_windows


def restated(sound, ends, window, threshold_db):
    """Each window cut out with silence around it, its blocks one after the other."""
    around = max(window, len(sound), *(abs(int(end)) for end in ends)) + window
    padded = np.concatenate([np.zeros(around), sound, np.zeros(2 * around)])
    found = []
    for end in ends:
        edges = np.arange(33) * window // 32 + around + int(end) - window
        blocks = [padded[a:b] for a, b in itertools.pairwise(edges)]
        loudest = max(np.sqrt(np.mean(block**2)) for block in blocks)
        found.append(loudest < 10 ** (threshold_db / 20))
    return found


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_as_the_definition_says(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    window = data.draw(st.integers(32, 700))
    pieces = data.draw(
        st.lists(st.tuples(st.integers(0, 900), st.sampled_from([0, 1e-4, 2e-3, 0.3])))
    )
    sound = np.concatenate([np.zeros(0), *(rng.normal(0, a, n) for n, a in pieces)])
    ends = np.array(data.draw(st.lists(st.integers(-800, 4000), max_size=30)), np.int64)
    if len(ends):
        assert silent_windows(sound, ends, window).tolist() == restated(sound, ends, window, -60)


def test_long_sounds_are_looked_at_piece_by_piece(monkeypatch):
    rng = np.random.default_rng(3)
    sound = rng.normal(0, 0.1, 20_000) * (np.arange(20_000) // 2_500 % 2)
    ends = rng.permutation(np.arange(-500, 22_000, 97))
    whole = silent_windows(sound, ends, 640)
    monkeypatch.setattr(silence, "_TILE_SAMPLES", 1_500)
    assert (silent_windows(sound, ends, 640) == whole).all()
    assert whole.any()
    assert not whole.all()


def test_the_first_windows_hold_nothing_and_are_silent():
    loud = np.full(10_000, 0.5, np.float32)
    assert silent_windows(loud, np.array([-5, 0, 1, 640, 10_640]), 640).tolist() == [
        True,
        True,
        False,
        False,
        True,
    ]


def test_a_click_at_the_edge_of_silence_is_heard():
    sound = np.zeros(20_000, np.float32)
    sound[9_999] = 0.5
    ends, silent = [9_999, 10_000, 16_399, 16_400], [True, False, False, True]
    assert silent_windows(sound, np.array(ends), 6_400).tolist() == silent
    assert [bool(silent_windows(sound, np.array([end]), 6_400)[0]) for end in ends] == silent


def test_the_threshold_is_in_decibels_re_full_scale():
    tone = 10 ** (-57 / 20) * np.sin(np.arange(44_100) / 5)  # root mean square: -60.01 dB
    ends = np.array([30_000])
    assert silent_windows(tone, ends, 22_050, -59.8).all()
    assert not silent_windows(tone, ends, 22_050, -60.2).any()


def test_no_sound_and_no_windows():
    assert silent_windows(np.zeros(0, np.float32), np.array([0, 5_000]), 4_000).all()
    assert silent_windows(np.ones(9, np.float32), np.zeros(0, np.int64), 4_000).shape == (0,)
    with pytest.raises(ValueError, match="window_samples = 31"):
        silent_windows(np.ones(9, np.float32), np.array([5]), 31)
