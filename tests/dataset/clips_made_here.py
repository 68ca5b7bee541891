"""Small real video files whose every frame says its number, for tests of datasets and films."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from soundreel.media.sound import write_sound
from soundreel.media.writer import FilmWriter, Song


def counting_clip(
    path: Path,
    seconds: float = 4,
    fps: Fraction = Fraction(25),
    size: tuple[int, int] = (96, 54),
    tone_hz: float = 440,
) -> Path:
    """A clip whose frame n is grey with brightness 40 + (7 n mod 180), with a tone as its sound."""
    rate = 44_100
    t = np.arange(int(seconds * rate)) / rate
    sound_path = path.with_suffix(".flac")
    write_sound(sound_path, (0.4 * np.sin(2 * np.pi * tone_hz * t)).astype(np.float32)[None], rate)
    width, height = size
    with FilmWriter(path, width, height, fps, Song(sound_path, Fraction(0), None)) as film:
        for n in range(int(seconds * fps)):
            film.write(np.full((height, width, 3), brightness_of(n), np.uint8))
    sound_path.unlink()
    return path


def brightness_of(n: int) -> int:
    """The grey that frame n of a counting clip has."""
    return 40 + (7 * n) % 180
