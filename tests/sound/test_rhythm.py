"""Loudness, centroid, onsets and beats: physics, causality and librosa as the oracle."""

import math
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundreel.sound.beats import beat_times, tempo_bpm
from soundreel.sound.rhythm import (
    SILENCE_DB,
    band_loudness,
    log_centroid,
    loudness_envelope,
    onset_envelope,
    spectral_centroid,
)

RATE = 22_050
SONGS = Path(os.environ.get("SOUNDREEL_MEDIA", "../shared/media")) / "songs"


def tone(hz: float, seconds: float, amplitude: float = 0.5) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    return (amplitude * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def clicks(times: np.ndarray, seconds: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    sound = np.zeros(int(seconds * RATE), np.float32)
    length = RATE // 20
    burst = 0.5 * np.exp(-np.arange(length) / RATE / 0.01) * rng.standard_normal(length)
    for time in times:
        start = round(time * RATE)
        sound[start : start + length] += burst[: len(sound) - start]
    return sound


@settings(max_examples=30, deadline=None)
@given(amplitude=st.floats(0.001, 1), hz=st.floats(100, 9_000))
def test_loudness_of_a_tone_is_its_root_mean_square(amplitude, hz):
    level = loudness_envelope(tone(hz, 1, amplitude), RATE, [0.5, Fraction(4, 5)])
    np.testing.assert_allclose(level, 20 * np.log10(amplitude / np.sqrt(2)), atol=0.3)


def test_loudness_is_that_of_the_last_stretch_before():
    sound = np.concatenate([np.zeros(RATE), tone(441, 1), np.zeros(RATE)])
    at = [0, 0.99, 1.0, 1.05, 1.1, 2.0, 2.05, 2.11, 3.0, 9.0]
    level = loudness_envelope(sound, RATE, at, window_seconds=0.1)
    loud = 20 * np.log10(0.5 / np.sqrt(2))
    half = loud - 10 * np.log10(2)
    quiet = SILENCE_DB
    expected = [quiet, quiet, quiet, half, loud, loud, half, quiet, quiet, quiet]
    np.testing.assert_allclose(level, expected, atol=0.05)


@settings(max_examples=20, deadline=None)
@given(at=st.floats(0.2, 2.8), seed=st.integers(0, 99))
def test_nothing_is_heard_before_it_sounds(at, seed):
    rng = np.random.default_rng(seed)
    sound = rng.standard_normal(3 * RATE).astype(np.float32) * 0.1
    changed = sound.copy()
    end = math.ceil(Fraction(repr(at)) * RATE)
    changed[end:] = rng.standard_normal(len(changed) - end)
    times = [at / 2, at]
    for measure in (
        lambda x: loudness_envelope(x, RATE, times),
        lambda x: band_loudness(x, RATE, times, 100, 500),
        lambda x: spectral_centroid(x, RATE, times),
        lambda x: onset_envelope(x, RATE).heard_before(times, 0.1),
    ):
        np.testing.assert_allclose(measure(sound), measure(changed), rtol=1e-6)


@settings(max_examples=20, deadline=None)
@given(hz=st.floats(300, 8_000))
def test_the_centroid_of_a_tone_is_its_frequency(hz):
    assert spectral_centroid(tone(hz, 1), RATE, [0.7])[0] == pytest.approx(hz, rel=0.03)


def test_the_centroid_of_white_noise_is_the_middle_and_of_silence_zero():
    noise = np.random.default_rng(1).standard_normal(RATE).astype(np.float32) * 0.1
    assert spectral_centroid(noise, RATE, [1.0], 0.9)[0] == pytest.approx(RATE / 4, rel=0.03)
    np.testing.assert_array_equal(spectral_centroid(np.zeros(RATE), RATE, [0.0, 0.5]), [0, 0])
    np.testing.assert_array_equal(spectral_centroid(np.zeros(0), RATE, [0.5]), [0])


@pytest.mark.parametrize("hz", [110.0, 440.0, 2_000.0])
def test_the_centroid_in_octaves_of_a_tone_is_its_own(hz):
    found = log_centroid(tone(hz, 2), RATE, [1.0, 2.0], 0.5)
    np.testing.assert_allclose(found, math.log2(hz / 1000), atol=0.03)


def test_the_centroid_in_octaves_weighs_octaves_alike_and_is_transposed_with_the_sound():
    """Noise of equal amplitude in every octave (1 / f) has its middle in the middle of them."""
    rng = np.random.default_rng(0)
    frequency = np.fft.rfftfreq(4 * RATE, 1 / RATE)
    shape = np.where((frequency >= 62.5) & (frequency <= 8_000), 1 / frequency.clip(1), 0)
    # Amplitude a bin as 1 / f times f: flat a bin is flat an octave once divided by f.
    spectrum = (shape * frequency) * np.exp(2j * np.pi * rng.random(len(frequency)))
    sound = np.fft.irfft(spectrum).astype(np.float32)
    found = log_centroid(0.3 * sound / np.abs(sound).max(), RATE, [2.0, 3.0], 1.0)
    np.testing.assert_allclose(found, np.mean(np.log2([62.5, 8_000]) - np.log2(1000)), atol=0.1)
    assert log_centroid(np.zeros(RATE, np.float32), RATE, [0.5], 0.2) == 0


def test_bands_share_out_the_loudness():
    sound = tone(200, 1, 0.5) + tone(3_000, 1, 0.05)
    levels = [
        band_loudness(sound, RATE, [0.8], low, high)[0]
        for low, high in [(0, 1_000), (1_000, 5_000), (5_000, np.inf)]
    ]
    assert levels[0] == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.1)
    assert levels[1] == pytest.approx(20 * np.log10(0.05 / np.sqrt(2)), abs=0.1)
    assert levels[2] < -80
    whole = band_loudness(sound, RATE, [0.8], 0, np.inf)[0]
    assert whole == pytest.approx(loudness_envelope(sound, RATE, [0.8])[0], abs=0.1)


def test_onsets_are_where_sounds_begin():
    times = np.array([0.5, 0.9, 1.7, 2.3])
    envelope = onset_envelope(clicks(times, 3), RATE)
    strongest = np.sort(np.argsort(envelope.strength_T)[-4:])
    ends = (strongest + 1) / envelope.hops_per_second
    assert ((ends - times >= 0) & (ends - times < 0.03)).all()
    assert onset_envelope(np.zeros(RATE, np.float32), RATE).strength_T.max() == 0
    steady = onset_envelope(tone(440, 3), RATE).strength_T
    assert steady[20:-20].max() < 0.02 * envelope.strength_T.max()


@pytest.mark.parametrize("bpm", [72, 90, 100, 120, 128, 140])
def test_beats_of_clicks_are_the_clicks(bpm):
    times = np.arange(0.3, 19.8, 60 / bpm)
    sound = clicks(times, 20)
    assert tempo_bpm(onset_envelope(sound, RATE)) == pytest.approx(bpm, rel=0.005)
    beats = beat_times(sound, RATE)
    assert len(beats) == len(times)
    assert np.abs(beats - times).max() < 0.010
    assert abs(np.median(beats - times)) < 0.004


def test_beats_follow_a_tempo_that_drifts():
    gaps = 60 / np.linspace(100, 116, 60)
    times = 0.4 + np.cumsum(gaps)
    beats = beat_times(clicks(times, times[-1] + 1), RATE)
    missed = np.abs(beats[:, None] - times).min(axis=0) > 0.03
    assert missed.sum() <= 2
    assert len(beats) <= len(times) + 1


@pytest.mark.parametrize(
    "sound", [np.zeros(0), np.zeros(5 * RATE), tone(440, 0.05), tone(440, 0.4)]
)
def test_where_nothing_beats_there_are_no_beats(sound):
    assert len(beat_times(np.asarray(sound, np.float32), RATE)) == 0


def real_song(name: str) -> np.ndarray:
    path = SONGS / name
    if not path.exists():
        pytest.skip(f"{path} is not here (set SOUNDREEL_MEDIA)")
    from soundreel.media.sound import read_sound

    return read_sound(path, RATE, "mono", Fraction(0), Fraction(30))


@pytest.mark.parametrize(
    "name",
    [
        "on_the_run_rock.ogg",
        "school_of_quirks.ogg",
        "macleod_30s_cover_art.mp3",
        "sugar_plum_classical.ogg",
    ],
)
def test_real_songs_have_the_tempo_and_beats_librosa_finds(name):
    import librosa

    sound = real_song(name)
    tempo, expected = librosa.beat.beat_track(y=sound, sr=RATE, units="time")
    estimate = tempo_bpm(onset_envelope(sound, RATE))
    assert estimate is not None
    octaves = np.log2(estimate / float(np.squeeze(tempo)))
    assert abs(octaves - round(octaves)) < np.log2(1.04)
    beats = beat_times(sound, RATE)
    hits = np.abs(beats[:, None] - expected).min(axis=0) < 0.07
    assert hits.mean() > 0.75


def test_onsets_of_a_real_song_agree_with_librosas():
    import librosa

    sound = real_song("on_the_run_rock.ogg")
    envelope = onset_envelope(sound, RATE)
    theirs = librosa.onset.onset_strength(
        y=sound, sr=RATE, n_fft=1024, hop_length=envelope.hop_samples
    )
    count = min(len(theirs), len(envelope.strength_T)) - 8
    best = max(
        np.corrcoef(envelope.strength_T[lag : lag + count], theirs[:count])[0, 1]
        for lag in range(8)
    )
    assert best > 0.7
