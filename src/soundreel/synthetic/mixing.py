"""The mixing desk: room, filters that open and close, ducking, and the loudness of the record.

Buses are float32 [2, n] (left, right).
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from soundreel.timeline import nearest_sample

#: Largest magnitude of a finished record. Lossy codecs overshoot, so it stays well below 1.
CEILING = 0.89


def _fast_length(samples: int) -> int:
    """The least 2^a 3^b 5^c of at least `samples`: a length that transforms quickly."""
    best = 1 << (samples - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            rest = -(-samples // three)
            best = min(best, three << max(0, (rest - 1).bit_length()))
            three *= 3
        five *= 5
    return best


def room(bus: np.ndarray, seconds: float, rate: int, rng: np.random.Generator) -> np.ndarray:
    """What a room of this decay time (to -60 dB) returns of a bus: float32 [2, n], no dry sound."""
    tail = max(64, nearest_sample(Fraction(seconds), rate))
    time = np.arange(tail, dtype=np.float32) / rate
    impulse = rng.standard_normal((2, tail)).astype(np.float32)
    impulse *= np.exp(-6.9 * time / seconds) * np.minimum(1, time / 0.02)
    length = _fast_length(bus.shape[1] + tail)
    response = np.fft.rfft(impulse, length)
    # Air takes the treble, the desk takes the rumble.
    frequency = np.fft.rfftfreq(length, 1 / rate)
    response *= (
        (frequency / 180) ** 2 / (1 + (frequency / 180) ** 2) / (1 + (frequency / 5200) ** 2)
    )
    response /= np.sqrt(np.mean(np.abs(response) ** 2, axis=1, keepdims=True))
    return np.fft.irfft(np.fft.rfft(bus, length) * response, length)[:, : bus.shape[1]].astype(
        np.float32
    )


def opening_filter(
    bus: np.ndarray, openness: np.ndarray, cutoff_hz: float, rate: int
) -> np.ndarray:
    """A treble shelf above `cutoff_hz` that follows `openness` [n] in [0, 1]; 0 shuts it."""
    length = _fast_length(bus.shape[1])
    spectrum = np.fft.rfft(bus, length)
    ratio = np.fft.rfftfreq(length, 1 / rate) / cutoff_hz
    spectrum *= 1 / (1 + ratio**4)
    low = np.fft.irfft(spectrum, length)[:, : bus.shape[1]].astype(np.float32)
    return low + openness * (bus - low)


def echoes(bus: np.ndarray, delay_samples: int, feedback: float, repeats: int = 3) -> np.ndarray:
    """A bus with echoes that change sides: float32 [2, n]."""
    out = bus.copy()
    gain = feedback
    for repeat in range(1, repeats + 1):
        shift = repeat * delay_samples
        if shift >= bus.shape[1]:
            break
        out[:, shift:] += gain * (bus[::-1] if repeat % 2 else bus)[:, : bus.shape[1] - shift]
        gain *= feedback
    return out


def ducking(kicks: list[int], samples: int, depth: float, rate: int) -> np.ndarray:
    """A gain curve [samples] that dips by `depth` at every kick and recovers in some 0.2 s."""
    gain = np.ones(samples, np.float32)
    dip_samples = nearest_sample(Fraction(28, 100), rate)
    shape = np.linspace(0, 1, dip_samples, dtype=np.float32)
    dip = 1 - depth * (1 - shape) ** 2 * np.minimum(1, shape * 40)
    for start in (kick for kick in kicks if kick < samples):
        stop = min(samples, start + dip_samples)
        gain[start:stop] = np.minimum(gain[start:stop], dip[: stop - start])
    return gain


def _limiter(sound: np.ndarray, ceiling: float) -> np.ndarray:
    """Turn the gain down smoothly ahead of peaks, so that no sample exceeds `ceiling`."""
    block = 256
    samples = sound.shape[1]
    blocks = -(-samples // block)
    peaks = np.zeros(blocks * block, np.float32)
    peaks[:samples] = np.abs(sound).max(axis=0)
    wanted = np.minimum(1, ceiling / np.maximum(peaks.reshape(blocks, block).max(axis=1), 1e-9))
    reach = 6
    held = np.lib.stride_tricks.sliding_window_view(
        np.pad(wanted, reach, constant_values=1.0), 2 * reach + 1
    ).min(axis=1)
    # A mean of minima that all contain the block's own wish cannot exceed that wish.
    kernel = np.hanning(2 * reach + 1)[1:-1]
    smooth = np.convolve(np.pad(held, reach - 1, mode="edge"), kernel / kernel.sum(), "valid")
    centres = (np.arange(blocks) + 0.5) * block
    gain = np.interp(np.arange(samples), centres, smooth).astype(np.float32)
    return np.clip(sound * gain, -ceiling, ceiling)


def master(sound: np.ndarray, loudness_dbfs: float) -> np.ndarray:
    """The finished record: float32 [2, n] of this root mean square, no sample above `CEILING`."""
    target = 10 ** (loudness_dbfs / 20)
    level = float(np.sqrt(np.mean(sound**2)))
    gain = target / max(level, 1e-9)
    finished = sound
    for _ in range(4):
        # Gentle saturation rounds the tallest peaks before the limiter has to.
        finished = _limiter(np.tanh(0.8 * gain * sound) / 0.8, CEILING)
        reached = float(np.sqrt(np.mean(finished**2)))
        if abs(reached / target - 1) < 0.01:
            break
        gain *= (target / max(reached, 1e-9)) ** 1.2
    return finished.astype(np.float32)
