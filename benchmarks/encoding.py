"""Frames a second of `FilmWriter` (H.264) by size, and x264's presets beside its own.

The pictures are a drifting texture with noise: harder than most films. Rounds are interleaved;
medians. `preset` rows encode the same pictures with PyAV alone, colours converted by it.

    python benchmarks/encoding.py [ROUNDS]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

from soundreel.media.writer import FilmWriter

SIZES = {(256, 256): 300, (512, 512): 150, (1280, 720): 60}
FPS = Fraction(30)
PRESETS = ("veryfast", "faster", "medium")
THREADS = (2, 4, 8)


def pictures(width: int, height: int, count: int) -> list[np.ndarray]:
    """A coarse texture drifting by, with a little noise."""
    rng = np.random.default_rng(0)
    shape = (height // 8 + 16, width // 8 + 64, 3)
    texture = np.kron(rng.integers(16, 240, shape, np.uint8), np.ones((8, 8, 1), np.uint8))
    noise = rng.integers(0, 12, (height, width, 3), np.uint8)
    made = []
    for n in range(count):
        left, top = (n * 3) % 480, int(50 + 50 * np.sin(n / 9))
        made.append(texture[top : top + height, left : left + width] + np.roll(noise, n * 7, 1))
    return made


def ours(path: Path, frames: list[np.ndarray]) -> None:
    """As films are written."""
    height, width = frames[0].shape[:2]
    with FilmWriter(path, width, height, FPS) as film:
        for frame in frames:
            film.write(frame)


def with_preset(preset: str, threads: int) -> Callable[[Path, list[np.ndarray]], None]:
    """PyAV alone, with a preset and a number of threads."""

    def encode(path: Path, frames: list[np.ndarray]) -> None:
        with av.open(str(path), "w") as container:
            options = {"preset": preset, "crf": "18"}
            stream = container.add_stream("libx264", rate=FPS, options=options)
            assert isinstance(stream, VideoStream)
            stream.height, stream.width = frames[0].shape[:2]
            stream.pix_fmt, stream.codec_context.thread_count = "yuv420p", threads
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode(None))

    return encode


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    ways = {"FilmWriter": ours}
    ways |= {
        f"{preset}, {n} threads": with_preset(preset, n) for preset in PRESETS for n in THREADS
    }
    print(f"{'':22} {'size':>10} {'frames/s':>9} {'x FilmWriter':>13} {'KB/frame':>9}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        for (width, height), count in SIZES.items():
            frames = pictures(width, height, count)
            rates: dict[str, list[float]] = {name: [] for name in ways}
            size: dict[str, float] = {}
            for _ in range(rounds):
                for name, way in ways.items():
                    began = time.perf_counter()
                    way(path, frames)
                    rates[name].append(count / (time.perf_counter() - began))
                    size[name] = path.stat().st_size / count / 1000
            medians = {name: statistics.median(found) for name, found in rates.items()}
            for name, rate in medians.items():
                ratio = rate / medians["FilmWriter"]
                print(
                    f"{name:22} {f'{width}x{height}':>10} {rate:9.0f} {ratio:13.2f}"
                    f" {size[name]:9.1f}"
                )


if __name__ == "__main__":
    main()
