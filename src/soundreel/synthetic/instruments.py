"""One note or one drum hit at a time: wavetables, plucked strings, FM bells and noise.

Every function returns float32 samples of about unit peak. `rate` is the sample rate in hertz.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np

from soundreel.timeline import nearest_sample

_TABLE_SAMPLES = 4096
#: Formants of an open "ah" (hertz, gain, bandwidth), after Peterson & Barney 1952.
_FORMANTS = (
    (730.0, 1.0, 110.0),
    (1090.0, 0.55, 120.0),
    (2440.0, 0.22, 180.0),
    (3400.0, 0.1, 250.0),
)


def hertz(midi: float) -> float:
    """Frequency of a MIDI note number (69 is A4, 440 Hz)."""
    return 440.0 * 2.0 ** ((midi - 69.0) / 12.0)


@lru_cache(maxsize=512)
def _table(shape: str, partials: int) -> np.ndarray:
    """One period of `shape` made of `partials` harmonics: float32 [4096], unit peak."""
    k = np.arange(1, partials + 1, dtype=np.float64)
    if shape == "saw":
        weights = 1 / k
    elif shape == "square":
        weights = np.where(k % 2 == 1, 1 / k, 0)
    elif shape == "soft":
        weights = 1 / k**2.2
    elif shape == "organ":
        weights = np.isin(k, (1, 2, 3, 4, 6, 8)) / np.sqrt(k)
    elif shape == "strings":
        weights = 1 / k**1.25
    else:
        raise AssertionError(shape)
    return _period(weights)


@lru_cache(maxsize=128)
def _vowel_table(fundamental_hz: float, partials: int) -> np.ndarray:
    frequency = fundamental_hz * np.arange(1, partials + 1)
    gain = np.full(partials, 0.01)
    for centre_hz, peak, width_hz in _FORMANTS:
        gain += peak / (1 + ((frequency - centre_hz) / width_hz) ** 2)
    return _period(gain / np.sqrt(np.arange(1, partials + 1)))


def _period(weights: np.ndarray) -> np.ndarray:
    spectrum = np.zeros(_TABLE_SAMPLES // 2 + 1, complex)
    # Fixed scattered phases keep the crest low, so several notes add up without a spike.
    phases = 2.399963 * np.arange(len(weights)) ** 2
    spectrum[1 : len(weights) + 1] = weights * np.exp(1j * phases)
    wave = np.fft.irfft(spectrum)
    return (wave / np.abs(wave).max()).astype(np.float32)


def note_samples(seconds: float, rate: int) -> int:
    """How many samples a note of this length takes, at least 64."""
    return max(64, nearest_sample(Fraction(seconds), rate))


def _partials(frequency_hz: float, rate: int, most: int) -> int:
    return int(max(1, min(most, 0.45 * rate / frequency_hz)))


def _phase(frequency_hz: float, samples: int, rate: int, start: float = 0.0) -> np.ndarray:
    return np.arange(samples) * (frequency_hz / rate) + start


def _read(table: np.ndarray, phase: np.ndarray) -> np.ndarray:
    return table[(phase * _TABLE_SAMPLES).astype(np.int64) & (_TABLE_SAMPLES - 1)]


def _seconds(samples: int, rate: int) -> np.ndarray:
    return np.arange(samples, dtype=np.float32) / np.float32(rate)


def envelope(samples: int, rate: int, attack: float, release: float) -> np.ndarray:
    """Rises over `attack` seconds, falls over the last `release` seconds; float32 in [0, 1]."""
    time = _seconds(samples, rate)
    left = time[::-1]
    return np.clip(np.minimum(time / attack, left / release), 0, 1)


def tone(
    timbre: str, midi: float, seconds: float, brightness: float, rate: int, rng: np.random.Generator
) -> np.ndarray:
    """One note, float32 [n]; `brightness` (0..1) opens its filter."""
    samples = note_samples(seconds, rate)
    frequency = hertz(midi)
    time = _seconds(samples, rate)
    start = float(rng.random())
    edges = envelope(samples, rate, 0.004, 0.03)
    if timbre == "sub":
        bent = frequency * (1 + 0.5 * np.exp(-time / 0.02))
        wave = np.sin(2 * np.pi * np.cumsum(bent) / rate, dtype=np.float64).astype(np.float32)
        return np.tanh(1.6 * wave) * edges * np.exp(-time / max(0.5, seconds))
    if timbre in ("saw", "square", "pluck", "organ", "round"):
        shape = {"pluck": "saw", "round": "soft"}.get(timbre, timbre)
        phase = _phase(frequency, samples, rate, start)
        if timbre == "square":
            phase = phase + 0.004 * np.sin(2 * np.pi * 5.2 * time) * np.clip(time * 2 - 0.3, 0, 1)
        open_table = _table(shape, _partials(frequency, rate, 10 + int(50 * brightness)))
        shut_table = _table("soft", _partials(frequency, rate, 6))
        decay = {"pluck": 0.07, "saw": 0.16, "round": 0.3}.get(timbre, 0.6)
        filtering = (0.25 + 0.75 * brightness) * np.exp(-time / decay) + 0.25 * brightness
        wave = _read(shut_table, phase)
        wave = wave + filtering * (_read(open_table, phase) - wave)
        body = np.exp(-time / (0.22 if timbre == "pluck" else 2.5))
        return wave * edges * body
    if timbre == "reese":
        table = _table("saw", _partials(frequency, rate, 8 + int(30 * brightness)))
        sum_of_three = sum(
            _read(table, _phase(frequency * ratio, samples, rate, start * k))
            for k, ratio in enumerate((0.992, 1.0, 1.0093))
        )
        return np.tanh(0.7 * np.asarray(sum_of_three, np.float32)) * edges
    if timbre == "rhodes":
        index = (0.5 + 1.8 * brightness) * np.exp(-time / 0.35)
        angle = 2 * np.pi * _phase(frequency, samples, rate)
        wave = np.sin(angle + index * np.sin(angle)) + 0.12 * np.exp(-time / 0.05) * np.sin(
            14 * angle
        )
        return (wave * edges * np.exp(-time / 1.6)).astype(np.float32)
    if timbre == "bell":
        index = (0.6 + 2.2 * brightness) * np.exp(-time / 0.5)
        angle = 2 * np.pi * _phase(frequency, samples, rate)
        wave = np.sin(angle + index * np.sin(3.5 * angle))
        return (wave * edges * np.exp(-time / 0.9)).astype(np.float32)
    if timbre == "voice":
        vibrato = 0.006 * np.sin(2 * np.pi * 5.5 * time) * np.clip(time * 3 - 0.5, 0, 1)
        phase = _phase(frequency, samples, rate, start) + vibrato * frequency / 40
        table = _vowel_table(round(frequency, 3), _partials(frequency, rate, 40))
        breath = 0.02 * rng.standard_normal(samples).astype(np.float32)
        return (_read(table, phase) + breath) * envelope(samples, rate, 0.06, 0.09)
    if timbre == "guitar":
        return plucked_string(frequency, samples, brightness, rate, rng) * edges
    raise AssertionError(timbre)


def plucked_string(
    frequency_hz: float, samples: int, brightness: float, rate: int, rng: np.random.Generator
) -> np.ndarray:
    """A plucked string (Karplus & Strong 1983), computed a period at a time: float32 [samples]."""
    period = max(2, round(rate / frequency_hz))
    burst = rng.standard_normal(period)
    # A duller pick: the burst smoothed around its circle.
    width = 1 + int((1 - brightness) * period / 12)
    kernel = np.zeros(period)
    kernel[:width] = 1 / np.sqrt(width)
    burst = np.fft.irfft(np.fft.rfft(burst) * np.fft.rfft(kernel), period)
    rows = np.empty((samples // period + 1, period), np.float32)
    row = burst - burst.mean()
    for k in range(len(rows)):
        rows[k] = row
        row = 0.498 * (row + np.roll(row, 1))
    wave = rows.reshape(-1)[:samples]
    return wave / max(1e-6, float(np.abs(wave).max()))


def pad_note(
    timbre: str, midi: float, seconds: float, brightness: float, rate: int, rng: np.random.Generator
) -> np.ndarray:
    """One sustained note of a chord in stereo, slightly out of tune with itself: float32 [2, n]."""
    samples = note_samples(seconds, rate)
    if timbre == "rhodes":
        wave = tone("rhodes", midi, seconds, brightness, rate, rng)
        sway = 0.25 * np.sin(2 * np.pi * 3.1 * _seconds(samples, rate))
        return np.stack((wave * (1 - sway), wave * (1 + sway)))
    frequency = hertz(midi)
    partials = _partials(frequency, rate, 5 + int(40 * brightness))
    table = _table("saw" if timbre == "saw" else "strings", partials)
    sides = []
    for cents in ((-7.0, 4.0), (-3.0, 8.0)):
        side = np.zeros(samples, np.float32)
        for cent in cents:
            shifted = frequency * 2 ** (cent / 1200)
            side += _read(table, _phase(shifted, samples, rate, float(rng.random())))
        sides.append(side)
    attack = 0.03 if timbre == "saw" else 0.35
    return np.stack(sides) * (0.5 * envelope(samples, rate, min(attack, seconds / 3), 0.12))


def highpass(wave: np.ndarray, cutoff_hz: float, rate: int) -> np.ndarray:
    """Remove what lies below a frequency, gently (first-order shape, zero phase)."""
    spectrum = np.fft.rfft(wave)
    ratio = np.fft.rfftfreq(len(wave), 1 / rate) / cutoff_hz
    return np.fft.irfft(spectrum * (ratio**2 / (1 + ratio**2)), len(wave)).astype(np.float32)


def drum(kind: str, depth: float, rate: int, rng: np.random.Generator) -> np.ndarray:
    """One hit: float32 [n]. `depth` (0..1) is how big and long the drum is."""
    length = {"kick": 0.5, "snare": 0.4, "clap": 0.4, "hat": 0.09, "open": 0.35, "crash": 2.4}[kind]
    samples = note_samples(length, rate)
    time = _seconds(samples, rate)
    noise = rng.standard_normal(samples).astype(np.float32)
    if kind == "kick":
        sweep = 46 + 8 * depth + 150 * np.exp(-time / 0.022) + 60 * np.exp(-time / 0.08)
        body = np.sin(2 * np.pi * np.cumsum(sweep, dtype=np.float64) / rate)
        click = 0.25 * noise * np.exp(-time / 0.002)
        hit = np.tanh(1.8 * body * np.exp(-time / (0.10 + 0.10 * depth))) + click
    elif kind == "snare":
        skin = np.sin(2 * np.pi * (185 + 20 * depth) * time) * np.exp(-time / 0.06)
        wires = highpass(noise, 1400, rate) * np.exp(-time / (0.06 + 0.08 * depth))
        hit = 0.7 * skin + 0.9 * wires
    elif kind == "clap":
        bursts = sum(
            np.where(time >= late, np.exp(-(time - late) / 0.012), 0) for late in (0, 0.011, 0.022)
        )
        hit = highpass(noise, 1000, rate) * (bursts + 0.6 * np.exp(-time / 0.09))
    else:
        fade = {"hat": 0.02 + 0.02 * depth, "open": 0.10, "crash": 0.7}[kind]
        hit = highpass(noise, 7000 if kind != "crash" else 4500, rate) * np.exp(-time / fade)
    hit = np.asarray(hit, np.float32)
    hit *= np.minimum(1, time[::-1] / 0.01)
    return hit / np.abs(hit).max()
