"""Sound images of a three-minute song at 30 a second: ours, scipy a window, the notebook's loop.

A real song of the test media is joined with itself to 180 s and written to a FLAC file, or
noise where the media are not there. Rounds are interleaved; medians. "The notebook" is the
original project's way: a Python loop that copies a window's samples one by one, then scipy on
them; it and scipy are measured on a stretch and scaled to the whole (their work is per window).
Compared is the paper's `psd` of the default's windows (hop 245: at 30 frames a second windows
share their columns; with the paper's own hop of 255 only every seventeenth window does).

    python benchmarks/sound_images.py [ROUNDS]
"""

from __future__ import annotations

import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

# As the command line does, before torch is there: threads that wait do not spin.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as `threads.let_threads_rest` does

import numpy as np
import torch
from scipy.signal import spectrogram

from soundreel.media.sound import read_sound, stream_sound, write_sound
from soundreel.recipe import Recipe, recipe_from
from soundreel.sound.representation import per_window_images, sound_images
from soundreel.sound.streaming import stream_images
from soundreel.timeline import frame_time, samples_before

RATE = 44_100
SECONDS = 180
FPS = Fraction(30)
BATCH = 64
PSD = recipe_from("paper", hop_samples=245, window_samples=62_763)
SCIPY_WINDOWS, NOTEBOOK_WINDOWS = 540, 27
_MEDIA = Path(os.environ.get("SOUNDREEL_MEDIA", Path(__file__).parents[2] / "shared" / "media"))


def song_of_three_minutes(folder: Path) -> Path:
    """A FLAC of 180 s of music."""
    real = _MEDIA / "songs" / "waterworks_electronic.ogg"
    if real.is_file():
        sound = read_sound(real, RATE, "mono")
    else:
        sound = np.random.default_rng(0).uniform(-0.3, 0.3, SECONDS * RATE).astype(np.float32)
    print(f"song: {real.name if real.is_file() else 'noise made here'}, {SECONDS} s of FLAC")
    path = folder / "song.flac"
    write_sound(path, np.resize(sound, SECONDS * RATE).clip(-1, 1), RATE)
    return path


def window_ends() -> list[int]:
    """The ends of the windows of a film at 30 frames a second that are full from the start."""
    ends = [samples_before(frame_time(n, FPS), RATE) for n in range(SECONDS * 30)]
    return [end for end in ends if end >= PSD.window_samples]


def made(sound: np.ndarray, ends: list[int], recipe: Recipe) -> None:
    """Every picture of a sound that is in memory, as views that a renderer reads from."""
    for _ in stream_images([sound], ends, recipe, BATCH):
        pass


def sliced(song: Path, ends: list[int], recipe: Recipe) -> None:
    """Decode the song and make every picture, as slices of what was transformed once."""
    blocks = stream_sound(song, RATE, "mono", Fraction(0), None, 10 * RATE)
    for _ in stream_images(blocks, ends, recipe, BATCH):
        pass


def streamed(song: Path, ends: list[int], recipe: Recipe) -> None:
    """Decode the song and make every picture, each copied once, as a renderer would use it."""
    size = recipe.sound_image_size
    used = torch.empty(BATCH, 1, size, size)
    blocks = stream_sound(song, RATE, "mono", Fraction(0), None, 10 * RATE)
    for images in stream_images(blocks, ends, recipe, BATCH):
        used[: len(images)].copy_(images)


def scipy_windows(steps: np.ndarray, ends: list[int]) -> list[np.ndarray]:
    """The paper's pictures by scipy, one window at a time."""
    return [_scipy_image(steps[end - PSD.window_samples : end]) for end in ends]


def notebook_windows(steps: np.ndarray, ends: list[int]) -> list[np.ndarray]:
    """The same with each window's samples copied one by one, as the notebook did."""
    images = []
    for end in ends:
        window = np.zeros(PSD.window_samples, np.int16)
        for place in range(PSD.window_samples):
            window[place] = steps[end - PSD.window_samples + place]
        images.append(_scipy_image(window))
    return images


def _scipy_image(window: np.ndarray) -> np.ndarray:
    density = spectrogram(window, RATE, nperseg=288, noverlap=43, nfft=510)[2]
    return np.clip(density, 0, 255).astype(np.uint8)


def seconds_of(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main(rounds: int) -> None:
    """Measure in interleaved rounds and print the table."""
    log, mel, paper = recipe_from("default"), recipe_from("mel"), recipe_from("paper")
    ends = window_ends()
    full_ends = [end for end in ends if end >= paper.window_samples]
    print(f"{len(ends)} windows, {torch.get_num_threads()} threads, {rounds} rounds")
    with tempfile.TemporaryDirectory() as folder:
        song = song_of_three_minutes(Path(folder))
        sound = read_sound(song, RATE, "mono")
        steps = (sound * 32_768).astype(np.int16)
        some, few = ends[:: len(ends) // SCIPY_WINDOWS], ends[:: len(ends) // NOTEBOOK_WINDOWS]
        images = per_window_images(torch.from_numpy(sound), torch.tensor(some), PSD)
        bytes_ours = ((images[:, 0] + 1) * 127.5).round().byte().numpy()
        equal = np.array_equal(bytes_ours, np.stack(scipy_windows(steps, some)))
        tensor = torch.from_numpy(sound)
        whole = sound_images(tensor, torch.tensor(ends[:512]), log)
        sliced_equal = torch.equal(whole, per_window_images(tensor, torch.tensor(ends[:512]), log))
        rows: dict[str, tuple[Callable[[], object], float]] = {
            "ours, `log`, decoding, slices": (lambda: sliced(song, ends, log), 1),
            "ours, `log`, each picture copied": (lambda: streamed(song, ends, log), 1),
            "  of these: decoding alone": (lambda: read_sound(song, RATE, "mono"), 1),
            "  of these: making alone, uncopied": (lambda: made(sound, ends, log), 1),
            "ours, `psd`, each picture copied": (lambda: streamed(song, ends, PSD), 1),
            "ours, `psd`, hop 255 (paper)": (lambda: streamed(song, full_ends, paper), 1),
            "ours, `mel`, each picture copied": (lambda: streamed(song, ends, mel), 1),
            "scipy a window": (lambda: scipy_windows(steps, some), len(ends) / len(some)),
            "the notebook's loop": (lambda: notebook_windows(steps, few), len(ends) / len(few)),
        }
        streamed(song, ends[:100], log)
        taken: dict[str, list[float]] = {name: [] for name in rows}
        for _ in range(rounds):
            for name, (work, scale) in rows.items():
                taken[name].append(seconds_of(work) * scale)
    median = {name: statistics.median(times) for name, times in taken.items()}
    ours = median["ours, `log`, decoding, slices"]
    print(f"\n{'':36}{'seconds':>9}{'x ours':>9}")
    for name, seconds in median.items():
        print(f"{name:36}{seconds:9.2f}{seconds / ours:9.1f}")
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak memory of all of this {peak_mib:.0f} MiB")
    print(
        f"psd equal to scipy's bytes: {equal}; slices equal to windows to the bit: {sliced_equal}"
    )
    ratio = median["scipy a window"] / ours
    print(f"bar: at most 0.5 s: {ours:.2f} s {'reached' if ours <= 0.5 else 'MISSED'}")
    # The bar's own measurement took the windows as slices; copying 1.4 GB is memory's own time.
    print(f"bar: at least 10 x scipy: {ratio:.1f} x {'reached' if ratio >= 10 else 'MISSED'}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
