"""Loudness by the standard's own numbers; a limiter that keeps what is between samples down."""

import numpy as np
import pytest
from scipy.signal import butter, resample_poly, sosfilt

from soundreel.media.loudness import limited, loudness_of

RATE = 44_100


def sine(hertz=997.0, level_db=-20.0, seconds=4.0, rate=RATE):
    time = np.arange(int(seconds * rate)) / rate
    return (10 ** (level_db / 20) * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def music_like(seconds=8.0, seed=0) -> np.ndarray:
    """Noise below 15 kHz with bursts: peaks far above its mean."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(int(seconds * RATE))
    noise = np.asarray(sosfilt(butter(6, 15_000, fs=RATE, output="sos"), noise))
    envelope = np.repeat(rng.random(int(seconds * 20)) ** 4, RATE // 20)
    return (0.3 * noise[: len(envelope)] * (0.1 + envelope)).astype(np.float32)


def all_of(pieces):
    return np.concatenate(list(pieces))


@pytest.mark.parametrize("rate", [44_100, 48_000, 22_050])
def test_a_tone_is_as_loud_as_the_standard_says(rate):
    # BS.1770-4: 997 Hz at 0 dBFS in one channel is at -3.01 LKFS.
    found = loudness_of([sine(rate=rate)], rate)
    assert found.integrated_lufs == pytest.approx(-23.01, abs=0.03)
    assert found.true_peak_dbtp == pytest.approx(-20, abs=0.05)


@pytest.mark.parametrize("gain_db", [-17.0, 6.0])
def test_a_gain_is_the_same_in_loudness(gain_db):
    before = loudness_of([music_like()], RATE)
    after = loudness_of([music_like() * np.float32(10 ** (gain_db / 20))], RATE)
    assert after.integrated_lufs - before.integrated_lufs == pytest.approx(gain_db, abs=0.05)
    assert after.true_peak_dbtp - before.true_peak_dbtp == pytest.approx(gain_db, abs=0.01)


def test_silence_between_does_not_count():
    tone = sine(seconds=6)
    with_silence = np.concatenate([tone, np.zeros(6 * RATE, np.float32)])
    both = [loudness_of([one], RATE).integrated_lufs for one in (tone, with_silence)]
    assert both[0] == pytest.approx(both[1], abs=0.3)


def test_pieces_are_one_sound():
    sound = music_like()
    whole = loudness_of([sound], RATE)
    assert loudness_of(np.array_split(sound, 97), RATE) == whole
    assert loudness_of([sound[:5], sound[5:6], sound[:0], sound[6:]], RATE) == whole


def test_silence_is_silent():
    for sound in (np.zeros(RATE, np.float32), np.zeros(0, np.float32), sine(level_db=-90)):
        assert loudness_of([sound], RATE).is_silent
    assert loudness_of([np.zeros(9, np.float32)], RATE).true_peak_dbtp == -np.inf


def test_a_sound_too_short_for_a_window_is_measured():
    assert -32 < loudness_of([sine(seconds=0.1)], RATE).integrated_lufs < -25


def test_a_true_peak_lies_between_samples():
    # A quarter of the rate, sampled beside its peaks: samples reach 0.707 of them.
    time = np.arange(RATE)
    sound = np.sin(np.pi / 2 * time + np.pi / 4).astype(np.float32)
    faded = sound * np.hanning(len(sound)).astype(np.float32)
    assert np.abs(faded).max() == pytest.approx(0.707, abs=0.001)
    assert loudness_of([faded], RATE).true_peak_dbtp == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("gain_db", [6.0, 20.0])
def test_no_peak_is_above_the_ceiling_also_not_between_samples(gain_db):
    sound = music_like()
    made = all_of(limited([sound], RATE, gain_db, -1.0))
    assert len(made) == len(sound)
    ceiling = 10 ** (-1 / 20)
    assert np.abs(sound).max() * 10 ** (gain_db / 20) > 1.2 * ceiling
    assert np.abs(resample_poly(made.astype(np.float64), 4, 1)).max() <= ceiling
    assert loudness_of([made], RATE).true_peak_dbtp <= -1


def test_what_is_below_the_ceiling_is_as_it_was():
    sound = music_like() * np.float32(0.1)
    np.testing.assert_array_equal(all_of(limited([sound], RATE, 0.0, -1.0)), sound)
    made = all_of(limited([sound], RATE, 6.0, -1.0))
    np.testing.assert_allclose(made, sound * 10 ** (6 / 20), rtol=1e-5, atol=1e-7)


def test_a_gain_has_no_steps():
    # A tone far above the ceiling in its middle: what the gain does is seen in its envelope.
    loud = np.ones(2 * RATE)
    loud[RATE // 2 : RATE] = 4
    tone = (0.5 * loud * np.sin(2 * np.pi * 5_000 * np.arange(2 * RATE) / RATE)).astype(np.float32)
    made = all_of(limited([tone], RATE, 0.0, -1.0))
    heard = np.abs(tone) > 0.3
    gain = (made[heard] / tone[heard]).astype(np.float64)
    assert gain.min() < 0.5
    assert gain.max() == pytest.approx(1, abs=1e-5)
    assert np.abs(np.diff(gain)).max() < 0.01


def test_the_limiter_does_not_see_how_samples_come():
    sound = music_like(seconds=5, seed=3)
    whole = all_of(limited([sound], RATE, 15.0, -1.0))
    np.testing.assert_array_equal(
        all_of(limited(np.array_split(sound, 41), RATE, 15.0, -1.0)), whole
    )
    assert list(limited([], RATE, 15.0, -1.0)) == []
    short = all_of(limited([sound[:100] * 30], RATE, 0.0, -1.0))
    assert len(short) == 100
    assert np.abs(short).max() <= 10 ** (-1 / 20)
