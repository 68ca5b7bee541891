"""Pitch classes: single notes, transposition, causality, and librosa as the oracle."""

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundreel.sound.chroma import PITCH_CLASSES, chroma
from soundreel.synthetic.songs import compose

RATE = 22_050


def notes(midi: list[int], seconds: float = 2, rate: int = RATE) -> np.ndarray:
    t = np.arange(int(seconds * rate)) / rate
    tones = [np.sin(2 * np.pi * 440 * 2 ** ((note - 69) / 12) * t) for note in midi]
    return (0.2 * np.sum(tones, axis=0)).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(note=st.integers(33, 107), rate=st.sampled_from([16_000, 22_050, 44_100, 48_000]))
def test_a_note_lights_its_class(note, rate):
    share_P = chroma(notes([note], rate=rate), rate, [1.9], 1.0)[0]
    assert share_P.argmax() == note % 12
    assert share_P.max() > 0.5
    assert share_P.sum() == pytest.approx(1)


def test_a_chord_lights_its_three():
    share_P = chroma(notes([60, 64, 67]), RATE, [2.0])[0]
    assert sorted(PITCH_CLASSES[p] for p in share_P.argsort()[-3:]) == ["C", "E", "G"]
    assert np.sort(share_P)[-3:].sum() > 0.85


def test_transposing_by_a_semitone_rolls_it():
    chord = [57, 60, 64, 71]
    at = [1.0, 1.9]
    before = chroma(notes(chord), RATE, at)
    after = chroma(notes([note + 1 for note in chord]), RATE, at)
    np.testing.assert_allclose(after, np.roll(before, 1, axis=1), atol=0.04)
    octave = chroma(notes([note + 12 for note in chord]), RATE, at)
    np.testing.assert_allclose(octave, before, atol=0.06)


def test_as_librosa_has_it():
    song = compose(1, 15.0, "house")
    sound, rate = song.sound.mean(0), song.sample_rate_hz
    at = np.arange(20, 150) / 10
    segment, hop = 16_384, 2_205
    theirs_PK = librosa.feature.chroma_stft(
        y=sound, sr=rate, n_fft=segment, hop_length=hop, center=False, norm=1, tuning=0
    )
    end_K = (np.arange(theirs_PK.shape[1]) * hop + segment) / rate
    start_K = end_K - segment / rate
    theirs_TP = np.stack(
        [theirs_PK[:, (end_K <= t) & (start_K >= t - 1)].mean(1) for t in at.tolist()]
    )
    ours_TP = chroma(sound, rate, at, 1.0)
    assert np.corrcoef(ours_TP.ravel(), theirs_TP.ravel())[0, 1] > 0.94
    assert (ours_TP.argmax(1) == theirs_TP.argmax(1)).mean() > 0.8


def test_silence_has_no_notes_and_the_future_is_not_heard():
    sound = np.concatenate([np.zeros(2 * RATE), notes([69], 2), np.zeros(2 * RATE)])
    shares = chroma(sound, RATE, [0, 1, 2.0, 2.6, 3.5, 4.5, 5.2, 9.0], 0.5)
    np.testing.assert_array_equal(shares[[0, 1, 2, 6, 7]], 0)
    assert (shares[[3, 4], 9] > 0.9).all()
    np.testing.assert_allclose(shares.sum(1)[[3, 4]], 1)
    cut = chroma(sound[: 3 * RATE], RATE, [2.6, 3.0], 0.5)
    np.testing.assert_allclose(cut, chroma(sound, RATE, [2.6, 3.0], 0.5))


def test_nothing_in_nothing_out():
    assert chroma(np.zeros(0, np.float32), RATE, []).shape == (0, 12)
    np.testing.assert_array_equal(chroma(np.zeros(0, np.float32), RATE, [1.0]), np.zeros((1, 12)))
    with pytest.raises(ValueError, match="window_seconds = 0"):
        chroma(notes([69]), RATE, [1.0], 0)
