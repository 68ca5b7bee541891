"""Landmarks: what must keep them, what must have none; truth is planted, encoders are real."""

from functools import cache

import av
import numpy as np
import pytest
import scipy.signal
from av.audio.stream import AudioStream

from soundreel.media.sound import read_sound
from soundreel.sound import fingerprint as module
from soundreel.sound.fingerprint import HOP_SECONDS, Fingerprint, fingerprint, resampled
from soundreel.synthetic.songs import compose

RATE = 22_050


@cache
def song(seed: int, genre: str = "synthwave") -> np.ndarray:
    return compose(seed, 16, genre, RATE).sound.mean(0)


def agreeing(first: Fingerprint, second: Fingerprint, offset_seconds: float = 0.0) -> float:
    """Share of the second's hashes that are in the first, `offset_seconds` before, to 2 hops."""
    places: dict[int, list[int]] = {}
    for code, hop in zip(first.hash_H.tolist(), first.time_H.tolist(), strict=True):
        places.setdefault(code, []).append(hop)
    shift = offset_seconds / HOP_SECONDS
    hits = [
        any(abs(before - hop - shift) <= 2.5 for before in places.get(code, []))
        for code, hop in zip(second.hash_H.tolist(), second.time_H.tolist(), strict=True)
    ]
    return float(np.mean(hits)) if hits else 0.0


def coded(tmp_path, sound, codec: str, suffix: str, bit_rate: int) -> np.ndarray:
    path = tmp_path / f"sound{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48_000, layout="mono")
        assert isinstance(stream, AudioStream)
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(sound[None].astype(np.float32), "fltp", "mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return read_sound(path, RATE, "mono")


@pytest.mark.parametrize(
    ("codec", "suffix", "bit_rate", "least"),
    [
        ("libmp3lame", ".mp3", 64_000, 0.3),
        ("aac", ".m4a", 48_000, 0.15),
        ("libopus", ".ogg", 24_000, 0.15),
    ],
)
def test_lossy_encoders_leave_enough(tmp_path, codec, suffix, bit_rate, least):
    made = fingerprint(coded(tmp_path, song(1), codec, suffix, bit_rate), RATE)
    assert agreeing(fingerprint(song(1), RATE), made) > least
    assert agreeing(fingerprint(song(2), RATE), made) < 0.01


@pytest.mark.parametrize("cut_seconds", [4.0, 4.004, 4.008, 4.012])  # a hop has 16 ms
def test_a_cut_anywhere_moves_the_landmarks_in_time_only(cut_seconds):
    first = fingerprint(song(1), RATE)
    cut = fingerprint(song(1)[round(cut_seconds * RATE) :], RATE)
    assert agreeing(first, cut, cut_seconds) > 0.5
    assert agreeing(first, cut, cut_seconds + 0.5) < 0.05


def test_noise_level_and_tone_controls_leave_enough():
    first = fingerprint(song(1), RATE)
    noise = np.random.default_rng(1).normal(size=len(song(1))).astype(np.float32)
    noisy = song(1) + noise * np.sqrt(np.mean(song(1) ** 2)) * 10 ** (-12 / 20)
    assert agreeing(first, fingerprint(noisy, RATE)) > 0.15
    assert agreeing(first, fingerprint(0.05 * song(1), RATE)) > 0.6
    treble = np.diff(song(1), prepend=0.0)  # 6 dB an octave
    assert agreeing(first, fingerprint(treble, RATE)) > 0.6


def test_another_sample_rate_gives_the_same_landmarks():
    at_48k = scipy.signal.resample_poly(song(1), 320, 147).astype(np.float32)
    assert agreeing(fingerprint(song(1), RATE), fingerprint(at_48k, 48_000)) > 0.9


def test_other_songs_of_the_genre_do_not_agree():
    prints = [fingerprint(song(seed), RATE) for seed in (1, 2, 3)]
    offsets = np.arange(-10, 10, 4 * HOP_SECONDS)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        best = max(agreeing(prints[first], prints[second], float(o)) for o in offsets)
        assert best < 0.05


def test_silence_steady_tones_and_noise_have_none():
    t = np.arange(20 * RATE) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 440 * t) + 0.2 * np.sin(2 * np.pi * 1_234.5 * t)
    noise = np.random.default_rng(0).normal(0, 0.1, len(t))
    assert len(fingerprint(np.zeros(len(t), np.float32), RATE).hash_H) == 0
    assert len(fingerprint(noise, RATE).hash_H) < 5
    # A tone that is on from the beginning: its onset, and none after it.
    assert (fingerprint(tone, RATE).time_H * HOP_SECONDS < 5).all()
    for samples in (0, 1, 100, 3_000):
        assert len(fingerprint(np.ones(samples, np.float32), RATE).hash_H) == 0


def test_a_hash_says_which_tones_begin_and_how_far_apart():
    t = np.arange(12 * RATE) / RATE
    low = np.where((t > 5) & (t < 5.3), 0.3 * np.sin(2 * np.pi * 1_000 * t), 0)
    high = np.where((t > 6) & (t < 6.3), 0.3 * np.sin(2 * np.pi * 1_500 * t), 0)
    found = fingerprint(low + high, RATE)
    bin_hz = 8_000 / 1_024
    meaning = {
        (
            (int(code >> 14) + 10) * bin_hz,
            (int(code >> 6 & 255) - 128) * bin_hz,
            int(code & 63) * 3 * HOP_SECONDS,
            hop * HOP_SECONDS,
        )
        for code, hop in zip(found.hash_H.tolist(), found.time_H.tolist(), strict=True)
    }
    assert any(
        abs(hz - 1_000) < bin_hz
        and abs(higher_hz - 500) < 2 * bin_hz
        and abs(apart - 1) < 0.2
        and abs(at - 5.1) < 0.2
        for hz, higher_hz, apart, at in meaning
    )


def test_the_same_to_the_bit_and_in_tiles_of_any_size(monkeypatch):
    whole = fingerprint(song(1), RATE)
    again = fingerprint(song(1).copy(), RATE)
    assert np.array_equal(whole.hash_H, again.hash_H)
    monkeypatch.setattr(module, "_TILE_HOPS", 137)
    tiled = fingerprint(song(1), RATE)
    assert np.array_equal(whole.hash_H, tiled.hash_H)
    assert np.array_equal(whole.time_H, tiled.time_H)
    assert whole.hash_H.dtype == np.uint32
    assert whole.time_H.dtype == np.int32
    assert 200 < len(whole.hash_H) < 800
    assert (np.diff(whole.time_H) >= 0).all()


@pytest.mark.parametrize("rate_hz", [4_000, 8_000, 11_025, 44_100, 48_000, 96_000])
def test_resampling_keeps_tones_in_place_and_lets_none_fold_back(rate_hz):
    t = np.arange(2 * rate_hz) / rate_hz
    made = resampled(np.sin(2 * np.pi * 700 * t).astype(np.float32), rate_hz)
    assert len(made) == 16_000
    inside = slice(400, 15_600)
    expected = np.sin(2 * np.pi * 700 * np.arange(len(made)) / 8_000)
    assert np.abs(made - expected)[inside].max() < 0.002
    if rate_hz > 12_000:
        folded = resampled(np.sin(2 * np.pi * 5_300 * t).astype(np.float32), rate_hz)
        assert np.abs(folded[inside]).max() < 0.003


def test_a_rate_that_no_small_ratio_has_is_taken_as_its_neighbour():
    at_47999 = song(1)[: 8 * RATE]
    assert agreeing(fingerprint(at_47999, 47_999), fingerprint(at_47999, 48_000)) > 0.9
