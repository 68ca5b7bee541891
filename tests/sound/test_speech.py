"""Speech told from music: a voice made here (pulses through formants), songs made here and real."""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import scipy.signal

from soundreel.media.sound import read_sound
from soundreel.sound import speech
from soundreel.sound.speech import speech_only
from soundreel.synthetic.genres import GENRES
from soundreel.synthetic.songs import compose

RATE = 16_000
WINDOW = round(1.42 * RATE)
MEDIA = Path(os.environ.get("SOUNDREEL_MEDIA", Path(__file__).parents[3] / "shared" / "media"))
VOWELS = (
    (730, 1090, 2440),
    (270, 2290, 3010),
    (300, 870, 2240),
    (530, 1840, 2480),
    (570, 840, 2410),
)


def found(sound: np.ndarray, rate: int = RATE) -> np.ndarray:
    return speech_only(sound, rate, np.arange(0, len(sound), rate // 5), round(1.42 * rate))


def voiced(pitch_hz: np.ndarray, vowel: tuple[int, ...]) -> np.ndarray:
    """Pulses at a pitch that may move, through the three resonances of a vowel."""
    phase = np.cumsum(pitch_hz) / RATE
    pulses = np.diff(np.floor(phase), prepend=0.0)
    sound = scipy.signal.lfilter([1], [1, -0.95], pulses)
    for hz, width_hz in zip(vowel, (60, 90, 150), strict=True):
        radius = np.exp(-np.pi * width_hz / RATE)
        poles = [1, -2 * radius * np.cos(2 * np.pi * hz / RATE), radius**2]
        sound = scipy.signal.lfilter([sum(poles)], poles, sound)
    return np.diff(sound, prepend=0.0) * np.hanning(len(sound)) ** 0.5


def hiss(rng: np.random.Generator, samples: int) -> np.ndarray:
    noise = np.diff(rng.normal(size=samples), n=2, prepend=[0.0, 0.0])
    return noise * np.hanning(samples)


@cache
def talk(seconds: float, seed: int = 0, glides: bool = True) -> np.ndarray:
    """Some 4 syllables a second, words with pauses between; or the same sung on held notes."""
    rng = np.random.default_rng(seed)
    parts: list[np.ndarray] = []
    while sum(map(len, parts)) < seconds * RATE:
        for _ in range(int(rng.integers(2, 5))):
            if rng.random() < 0.6:
                parts.append(0.02 * hiss(rng, int(rng.uniform(0.05, 0.1) * RATE)))
            samples = int(rng.uniform(0.13, 0.24) * RATE)
            if glides:
                pitch_hz = rng.uniform(100, 170) * np.linspace(
                    1, rng.choice([0.72, 0.8, 1.3]), samples
                )
            else:
                pitch_hz = np.full(samples, 110.0 * 2 ** (rng.choice([0, 2, 4, 7]) / 12))
            vowel = voiced(pitch_hz, VOWELS[int(rng.integers(len(VOWELS)))])
            parts.append(0.3 * vowel / np.abs(vowel).max())
        parts.append(np.zeros(int(rng.uniform(0.1, 0.35) * RATE)))
    sound = np.concatenate(parts)[: round(seconds * RATE)]
    return (sound + rng.normal(0, 1e-4, len(sound))).astype(np.float32)


def pad_chord(seconds: float) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    tones = [np.sin(2 * np.pi * hz * t + k) for k, hz in enumerate((220, 277.2, 329.6, 659.3))]
    return np.sum(tones, 0).astype(np.float32)


def below(sound: np.ndarray, other: np.ndarray, decibels: float) -> np.ndarray:
    ratio = np.sqrt(np.mean(sound**2) / np.mean(other**2))
    return sound + other * np.float32(ratio * 10 ** (-decibels / 20))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_talk_is_speech(seed):
    assert found(talk(12, seed)).mean() > 0.7
    assert found(0.05 * talk(12, seed)).mean() > 0.7


def test_the_same_syllables_sung_on_held_notes_are_not():
    assert not found(talk(12, 0, glides=False)).any()


@pytest.mark.parametrize("genre", sorted(GENRES))
def test_songs_made_here_are_not(genre):
    song = compose(3, 20, genre, RATE).sound.mean(0)
    assert not found(song).any()


def test_silence_noise_tones_and_drums_are_not():
    t = np.arange(10 * RATE) / RATE
    rng = np.random.default_rng(0)
    beats = np.exp(-((t % 0.25) / 0.03)) * rng.normal(size=len(t))
    siren = np.sin(2 * np.pi * np.cumsum(300 + 80 * np.sin(2 * np.pi * t)) / RATE)
    for sound in (0 * t, rng.normal(0, 0.1, len(t)), np.sin(3_000 * t), 0.2 * beats, 0.2 * siren):
        assert not found(sound.astype(np.float32)).any()


def test_talk_over_music_is_not_speech_only():
    music = pad_chord(12)
    assert not found(below(talk(12), music, 8)).any()
    assert found(below(talk(12), music, 40)).mean() > 0.7


def test_only_the_windows_where_someone_talks():
    song = 0.3 * compose(5, 12, "house", RATE).sound.mean(0)
    sound = np.concatenate([song, talk(12), song])
    is_speech = found(sound)
    middle_seconds = np.arange(len(is_speech)) * 0.2 - 0.71
    assert not is_speech[(middle_seconds < 11.5) | (middle_seconds > 24.5)].any()
    assert is_speech[(middle_seconds > 14) & (middle_seconds < 22)].mean() > 0.8


def test_windows_come_in_any_order_and_tiles_change_nothing(monkeypatch):
    sound = np.concatenate([talk(9), pad_chord(9)])
    ends = np.random.default_rng(0).permutation(np.arange(0, 20 * RATE, 3_001))
    whole = speech_only(sound, RATE, ends, WINDOW)
    assert (speech_only(sound, RATE, ends[::-1], WINDOW) == whole[::-1]).all()
    monkeypatch.setattr(speech, "_TILE", 3)
    assert (speech_only(sound, RATE, ends, WINDOW) == whole).all()
    assert whole.any()


def test_too_short_to_say_is_no_speech():
    assert not found(talk(12)[: round(3.9 * RATE)]).any()
    assert not found(np.zeros(0, np.float32)).any()
    assert speech_only(talk(12), RATE, np.zeros(0, np.int64), WINDOW).shape == (0,)


@pytest.mark.parametrize(
    ("name", "at_most", "at_least"),
    [
        ("songs/viper_metal.mp3", 0.0, 0.0),
        pytest.param("songs/vibe_ace_jazz.ogg", 0.0, 0.0, marks=pytest.mark.slow),
        pytest.param("videos/bbb_flight_360p.mp4", 0.0, 0.0, marks=pytest.mark.slow),
        ("videos/case_many_streams_nasa.mp4", 1.0, 0.3),  # a narrator, something humming behind
    ],
)
def test_real_music_and_a_real_narrator(name, at_most, at_least):
    path = MEDIA / name
    if not path.is_file():
        pytest.skip(f"{name} is not there (SOUNDREEL_MEDIA may say where)")
    assert at_least <= found(read_sound(path, RATE, "mono")).mean() <= at_most
