"""The clip that benchmarks measure with: a real one where the test media are, else made here."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np

#: Where the test media are, if they are.
MEDIA = Path(os.environ.get("SOUNDREEL_MEDIA", Path(__file__).parents[2] / "shared" / "media"))


@contextmanager
def clip_720p() -> Iterator[Path]:
    """An H.264 clip of 1280 x 720, longer than 90 s (the one made here has B-frames)."""
    real = MEDIA / "videos" / "bbb_opening_720p.mp4"
    if real.is_file():
        print(f"clip: {real.name}")
        yield real
        return
    print("clip: made here (the real one is not there)")
    with tempfile.TemporaryDirectory() as folder:
        yield _made(Path(folder))


def _made(folder: Path) -> Path:
    from soundreel.media.sound import write_sound
    from soundreel.media.writer import FilmWriter, Song

    rng = np.random.default_rng(0)
    write_sound(
        folder / "noise.flac", rng.uniform(-0.3, 0.3, 92 * 44_100).astype(np.float32), 44_100
    )
    texture = np.kron(rng.integers(0, 256, (104, 184, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    song = Song(folder / "noise.flac", Fraction(0), None)
    with FilmWriter(folder / "clip.mp4", 1280, 720, Fraction(24), song) as film:
        for n in range(92 * 24):
            top, left = int(50 + 50 * np.sin(n / 40)), int(90 + 90 * np.cos(n / 55))
            film.write(np.ascontiguousarray(texture[top : top + 720, left : left + 1280]))
    return folder / "clip.mp4"
