"""Little films made here whose flashes, tones and clicks are where a test wants them."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np

from soundreel.media.sound import write_sound
from soundreel.media.writer import FilmWriter, Song

RATE_HZ = 22_050
WIDTH, HEIGHT = 64, 36


def click_times(seed: int, seconds: float) -> np.ndarray:
    """Seconds, 0.3 to 1.1 apart: no beat, so that no other time fits as well."""
    times = np.cumsum(np.random.default_rng(seed).uniform(0.3, 1.1, int(seconds / 0.3)))
    return times[times < seconds - 0.3]


def clicking(times: np.ndarray, seconds: float) -> np.ndarray:
    """Bursts of noise at the times, above a little hiss: float32 (n,)."""
    rng = np.random.default_rng(0)
    sound = 0.002 * rng.standard_normal(int(seconds * RATE_HZ))
    burst = np.exp(-np.arange(1_764) / 441)
    for time in times:
        heard = sound[int(time * RATE_HZ) :][: len(burst)]
        heard += 0.5 * (burst * rng.standard_normal(len(burst)))[: len(heard)]
    return sound.clip(-1, 1).astype(np.float32)


def film_of(
    path: Path,
    light: Callable[[float], float],
    sound: np.ndarray | None,
    seconds: float,
    fps: Fraction = Fraction(15),
    seed: int = 0,
) -> Path:
    """A film of one patterned picture, lit by `light` (added to 30..120 of 255) at each time."""
    rng = np.random.default_rng(seed)
    pattern = rng.integers(30, 120, (9, 16, 3)).repeat(4, 0).repeat(4, 1)
    song = None
    if sound is not None:
        write_sound(path.with_suffix(".wav"), sound, RATE_HZ)
        song = Song(path.with_suffix(".wav"))
    with FilmWriter(path, WIDTH, HEIGHT, fps, song) as film:
        for n in range(int(seconds * fps)):
            film.write((pattern + light(n / float(fps))).clip(0, 255).astype(np.uint8))
    if song is not None:
        song.path.unlink()
    return path


def flashes(times: np.ndarray) -> Callable[[float], float]:
    """Light that comes at the times and dies away in a tenth of a second."""

    def light(time: float) -> float:
        since = time - times[times <= time]
        return 110 * float(np.exp(-since.min() / 0.1)) if len(since) else 0.0

    return light


def flashing_film(
    path: Path, seen: int, heard: int, seconds: float = 12, fps: Fraction = Fraction(15)
) -> Path:
    """Flashes of one seed's times, clicks of another's (or the same): in step, or not."""
    sound = clicking(click_times(heard, seconds), seconds)
    return film_of(path, flashes(click_times(seen, seconds)), sound, seconds, fps, seen)
