"""Clips made here of shots with known cuts, whose pictures flash where their sound clicks."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from soundreel.media.sound import write_sound
from soundreel.media.writer import FilmWriter, Song

RATE_HZ = 22_050
WIDTH, HEIGHT = 96, 54
FPS = Fraction(20)
#: A flash adds this to every pixel of a pattern of 20 to 100, and halves in 35 ms.
FLASH = 130


@dataclass(frozen=True)
class Made:
    path: Path
    click_seconds: np.ndarray
    cut_seconds: np.ndarray


def clicks_at(seconds: float, bpm: float, first: float = 0.25) -> np.ndarray:
    return np.arange(first, seconds - 0.1, 60 / bpm)


def clicking(click_seconds: np.ndarray, seconds: float, hiss: float = 0.002) -> np.ndarray:
    """Bursts of noise above a little hiss: float32 (n,)."""
    rng = np.random.default_rng(0)
    sound = hiss * rng.standard_normal(int(seconds * RATE_HZ))
    burst = np.exp(-np.arange(1_764) / 441)
    for time in click_seconds:
        heard = sound[int(time * RATE_HZ) :][: len(burst)]
        heard += 0.5 * (burst * rng.standard_normal(len(burst)))[: len(heard)]
    return sound.clip(-1, 1).astype(np.float32)


def write_song(path: Path, sound: np.ndarray) -> Path:
    write_sound(path, sound, RATE_HZ)
    return path


def pattern_of(seed: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A picture of its own colours: 6 rows and 8 columns of patches, 20 to 100 of 255."""
    rng = np.random.default_rng(seed)
    colour = rng.uniform(0.4, 1, 3)
    patches = rng.integers(20, 100, (6, 8, 1)) * colour
    return patches.repeat(height // 6, 0).repeat(width // 8, 1)


def write_clip(
    path: Path,
    sound: np.ndarray | None,
    seconds: float,
    *,
    click_seconds: Sequence[float] | np.ndarray = (),
    cut_every: float | None = 2.0,
    seed: int = 0,
    fps: Fraction = FPS,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> Made:
    """A clip whose shots are patterns seed * 100, seed * 100 + 1, ..., lit at the clicks."""
    clicks = np.asarray(click_seconds, float)
    song = None if sound is None else Song(write_song(path.with_suffix(".wav"), sound))
    cuts = np.arange(cut_every, seconds - 0.5, cut_every) if cut_every else np.empty(0)
    with FilmWriter(path, width, height, fps, song, crf=14) as film:
        for n in range(round(seconds * float(fps))):
            # The middle of the time it is shown, so that no rounding decides.
            time = (n + 0.5) / float(fps)
            shot = int((cuts <= time).sum())
            since = time - clicks[clicks <= time]
            light = FLASH * 0.5 ** (since.min() / 0.035) if len(since) else 0.0
            picture = pattern_of(seed * 100 + shot, width, height) + light
            film.write(picture.clip(0, 255).astype(np.uint8))
    if song is not None:
        song.path.unlink()
    return Made(path, clicks, cuts)


def flashing_clip(path: Path, bpm: float, seconds: float = 12.0, seed: int = 0) -> Made:
    clicks = clicks_at(seconds, bpm)
    return write_clip(path, clicking(clicks, seconds), seconds, click_seconds=clicks, seed=seed)
