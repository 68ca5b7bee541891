"""Parts of a sound: they add up, each holds what it should, and scipy and librosa agree."""

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import median_filter
from scipy.signal import butter, sosfiltfilt
from scipy.signal.windows import hann

from soundreel.sound import parts as sound_parts_module
from soundreel.sound.parts import (
    band_split,
    energy_share,
    harmonic_percussive,
    random_part,
    random_parts,
    running_median,
    sound_parts,
)
from soundreel.synthetic.songs import compose

RATE = 22_050


def chord(seconds: float) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    tones = [0.1 * np.sin(2 * np.pi * hz * t) for hz in (261.6, 329.6, 392.0, 1_046.5)]
    return np.sum(tones, axis=0).astype(np.float32)


def clicks(seconds: float) -> np.ndarray:
    sound = np.zeros(int(seconds * RATE), np.float32)
    rng = np.random.default_rng(0)
    for start in range(RATE // 4, len(sound) - 200, RATE // 2):
        sound[start : start + 60] = 0.8 * rng.standard_normal(60) * np.exp(-np.arange(60) / 15)
    return sound


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    samples = int(seconds * RATE)
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def energy(x: np.ndarray) -> float:
    return float(np.square(x, dtype=float).sum())


def overlap(part: np.ndarray, source: np.ndarray) -> float:
    """How much of a source is in a part: 1 is all of it."""
    return float(part.astype(float) @ source / energy(source))


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 70),
    columns=st.integers(1, 40),
    half=st.sampled_from([1, 2, 4, 8, 16]),
    seed=st.integers(0, 99),
)
def test_the_running_median_is_that_of_a_sort(rows, columns, half, seed):
    padded = np.random.default_rng(seed).integers(0, 30, (rows + 2 * half, columns))
    padded = padded.astype(np.float32)
    expected = median_filter(padded, (2 * half + 1, 1))[half:-half]
    np.testing.assert_array_equal(running_median(padded, half), expected)


def test_clicks_are_percussive_and_a_chord_is_harmonic():
    steady, struck = chord(6), clicks(6)
    found = harmonic_percussive(steady + struck, RATE)
    assert overlap(found["harmonic"], steady) > 0.95
    assert overlap(found["percussive"], struck) > 0.9
    assert energy(found["harmonic"] - steady) < 0.1 * energy(steady)
    assert energy(found["percussive"] - struck) < 0.1 * energy(struck)


def test_harmonic_and_percussive_as_librosa_has_them():
    song = compose(4, 5.0, "rock-ballad")
    sound = song.sound.mean(0)
    found = harmonic_percussive(sound, song.sample_rate_hz)
    window = np.sqrt(hann(4096, sym=False))
    spectra = librosa.decompose.hpss(librosa.stft(sound, n_fft=4096, window=window), kernel_size=33)
    inside = slice(30_000, -30_000)  # at its ends their medians mirror other frames
    for name, spectrum in zip(("harmonic", "percussive"), spectra, strict=True):
        theirs = librosa.istft(spectrum, window=window, length=len(sound))
        np.testing.assert_allclose(found[name][inside], theirs[inside], atol=1e-5)


@pytest.mark.parametrize("samples", [0, 1, 700, 5_000, 3 * RATE])
def test_parts_add_up(samples):
    sound = noise(3)[:samples]
    stems = {"voice": sound[: samples // 2], "drums": np.concatenate([sound, sound])}
    parts = sound_parts(sound, RATE, stems)
    assert list(parts) == ["harmonic", "percussive", "low", "mid", "high", "voice", "drums"]
    assert all(part.shape == sound.shape for part in parts.values())
    assert all(part.dtype == np.float32 for part in parts.values())
    for names in (("harmonic", "percussive"), ("low", "mid", "high")):
        np.testing.assert_allclose(sum(parts[name] for name in names), sound, atol=1e-6)
    np.testing.assert_array_equal(parts["drums"], sound)
    np.testing.assert_array_equal(parts["voice"][samples // 2 :], 0)


def test_where_blocks_are_cut_makes_no_difference(monkeypatch):
    sound = noise(4) + chord(4) + clicks(4)
    whole = sound_parts(sound, RATE)
    blots = random_part(sound, RATE, 0.3, 1)
    monkeypatch.setattr(sound_parts_module, "_TRANSFORMS_AT_A_TIME", 13)
    in_pieces = sound_parts(sound, RATE)
    for name, part in whole.items():
        np.testing.assert_allclose(in_pieces[name], part, atol=1e-6)
    np.testing.assert_allclose(random_part(sound, RATE, 0.3, 1), blots, atol=1e-4)


def test_bands_hold_the_energy_that_filters_let_through():
    sound = noise(8)
    found = band_split(sound, RATE, (300.0, 3_000.0))
    ranges = {"low": ("lowpass", 300), "mid": ("bandpass", (300, 3_000)), "high": ("highpass", 3e3)}
    for name, (kind, edges) in ranges.items():
        filtered = sosfiltfilt(butter(8, edges, kind, fs=RATE, output="sos"), sound)
        assert energy(found[name]) == pytest.approx(energy(filtered), rel=0.1)
        assert np.corrcoef(found[name], filtered)[0, 1] > 0.97


@settings(max_examples=20, deadline=None)
@given(hz=st.sampled_from([40, 80, 120, 320, 700, 1_200, 3_200, 8_000]))
def test_a_tone_is_in_its_own_band_alone(hz):
    tone = np.sin(2 * np.pi * hz * np.arange(2 * RATE) / RATE).astype(np.float32)
    found = band_split(tone, RATE)
    own = "low" if hz < 200 else "mid" if hz < 2_000 else "high"
    assert energy(found[own]) > 0.98 * energy(tone)


@pytest.mark.parametrize("edges", [(0.0, 100.0), (300.0, 200.0), (200.0, 20_000.0)])
def test_edges_that_are_none(edges):
    with pytest.raises(ValueError, match="must ascend within"):
        band_split(noise(1), RATE, edges)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.9])
def test_a_random_part_has_the_energy_that_was_asked_for(share):
    song = compose(2, 12.0, "drum-and-bass")
    sound = song.sound.mean(0)
    part = random_part(sound, song.sample_rate_hz, share, seed=5)
    assert energy_share(part, sound) == pytest.approx(share, rel=0.06)
    assert energy(sound - part) < energy(sound)


def test_random_parts_are_theirs_of_the_seed():
    sound = noise(4)
    one, same, other = (random_part(sound, RATE, 0.4, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert overlap(other, one) < 0.8
    np.testing.assert_array_equal(random_part(sound, RATE, 0, 1), 0)
    np.testing.assert_allclose(random_part(sound, RATE, 1, 1), sound, atol=1e-6)
    both = random_parts(sound, RATE, [0.1, 0.4], 1)
    np.testing.assert_array_equal(both[1], one)


def test_what_no_sound_can_be():
    with pytest.raises(ValueError, match="one channel"):
        sound_parts(np.zeros((2, 100)), RATE)
    with pytest.raises(ValueError, match="'low', as another part is"):
        sound_parts(noise(1), RATE, {"low": noise(1)})
    with pytest.raises(ValueError, match="from 0 to 1"):
        random_part(noise(1), RATE, 1.2, 0)
    assert energy_share(noise(1), np.zeros(RATE)) == 0
