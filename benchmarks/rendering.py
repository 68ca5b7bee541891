"""Rendering whole: against the generator alone, at 256 and at 720p; a draft; and its memory.

    python benchmarks/rendering.py [--model RUN_OR_MODEL] [--rounds 3] [--seconds 20] [--whole SONG]

End to end is `soundreel render` itself, from the song's file to the film's, smoothed and with its
sound; the generator alone is its engine on windows that are there already. Both are of the same
song, engine and machine, in interleaved rounds. The fixed costs of a render (the trial of engines,
reading weights) are shown apart: they do not grow with the song.

Memory: peak of a process that renders a song of 3 minutes, and one of 60, with a small model.

--whole SONG renders that song whole, at 720p and 30 frames a second, and says how long it took.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `threads.let_threads_rest` does

import torch

from engines import trained_model
from soundreel.networks.bundle import describe_model
from soundreel.rendering.engines import EngineName, computed, open_engine
from soundreel.rendering.film import song_span
from soundreel.rendering.generate import song_windows
from soundreel.rendering.movie import render
from soundreel.synthetic.corpus import make_song

FPS = Fraction(30)

_MEMORY = """
import re, sys
from fractions import Fraction
from pathlib import Path
from soundreel.threads import let_threads_rest
let_threads_rest()
from soundreel.rendering.movie import render
model, song, out = map(Path, sys.argv[1:])
film = render(model, song, out, fps=Fraction(5), compute="torch-fp32")
# Not ru_maxrss: a process that was just started has its parent's.
status = Path("/proc/self/status").read_text()
print(film.frames, int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) / 1e6)
"""


def generator_alone(engine: EngineName, model: Path, song: Path, frames: int) -> float:
    """Seconds that an engine takes for the frames, windows and weights being there."""
    described = describe_model(model)
    opened = open_engine(engine, described.folder)
    windows = list(song_windows(described.recipe, song, Fraction(0), FPS, 0, frames, opened.batch))
    batches = [(x_B1SS, range(len(x_B1SS))) for x_B1SS in windows]
    for _ in computed(opened, batches[:4]):
        pass
    began = time.perf_counter()
    for _ in computed(opened, batches):
        pass
    return time.perf_counter() - began


def rendered(
    engine: EngineName,
    model: Path,
    song: Path,
    folder: Path,
    size: tuple[int, int],
    draft: bool = False,
) -> tuple[float, float]:
    """Seconds for a render: from its first picture on, and all of it."""
    first_picture: list[float] = []

    def listen(step: object) -> None:
        if getattr(step, "task", "") == "render" and not first_picture:
            first_picture.append(time.perf_counter())

    out = folder / "film.mp4"
    began = time.perf_counter()
    render(model, song, out, fps=FPS, size=size, compute=engine, progress=listen, draft=draft)
    ended = time.perf_counter()
    out.unlink()
    return ended - first_picture[0], ended - began


def memory(folder: Path) -> None:
    """Print the peak memory of a short and of a long song's render."""
    from soundreel.networks.bundle import save_model
    from soundreel.networks.unet import UNet
    from soundreel.recipe import recipe_from

    arguments = {"size": 64, "width": 4, "norm": "frozen-batch", "in_channels": 1}
    model = folder / "small"
    save_model(model, UNet(**arguments), arguments, recipe_from(), "sound-to-picture", {})
    minute = make_song(folder / "minute.flac", 5, 60.0, "house")
    print("\nmemory of a render (5 frames a second, smoothed)")
    peaks = []
    for minutes in (3, 60):
        song = repeated(minute, folder / f"{minutes}.flac", minutes)
        out = folder / f"{minutes}.mp4"
        command = [sys.executable, "-c", _MEMORY, str(model), str(song), str(out)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        frames, peak = done.stdout.split()
        peaks.append(float(peak))
        print(f"  {minutes:3} min  {frames:>6} frames  {float(peak):.2f} GB")
    print(f"  60 min against 3 min: x {peaks[1] / peaks[0]:.2f}")


def repeated(song: Path, place: Path, times: int) -> Path:
    """A song again and again in one file."""
    import numpy as np

    from soundreel.media.sound import read_sound, write_sound

    sound_N = read_sound(song, 44_100, "mono")
    write_sound(place, np.tile(sound_N, times), 44_100)
    return place


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--whole", type=Path)
    chosen = parser.parse_args()
    model = trained_model() if chosen.model is None else chosen.model
    engines: list[EngineName] = ["torch-bf16", "openvino-int8"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if chosen.whole is not None:
            seconds = float(song_span(chosen.whole, Fraction(0), None).seconds)
            from_first, whole = rendered("openvino-int8", model, chosen.whole, folder, (1280, 720))
            print(f"{chosen.whole.name}: {seconds:.0f} s of song, 720p, 30 frames a second")
            print(f"  {whole:.0f} s in all, {from_first:.0f} s of it from the first picture on")
            return
        song = make_song(folder / "song.flac", 3, chosen.seconds, "house")
        frames = song_span(song, Fraction(0), None).frames(FPS)
        taken: dict[str, list[float]] = {}
        fixed: dict[str, list[float]] = {}
        for number in range(chosen.rounds + 1):  # the first round warms up
            for engine in engines:
                alone = generator_alone(engine, model, song, frames)
                arms = {f"{engine}, alone": (alone, 0.0)}
                for label, size in (("256", (256, 256)), ("720p", (1280, 720))):
                    arms[f"{engine}, {label}"] = rendered(engine, model, song, folder, size)
                arms[f"{engine}, 720p draft"] = rendered(
                    engine, model, song, folder, (1280, 720), draft=True
                )
                for arm, (seconds, whole) in arms.items():
                    if number:
                        taken.setdefault(arm, []).append(seconds)
                        fixed.setdefault(arm, []).append(whole - seconds)
        threads = torch.get_num_threads()
        print(f"{threads} threads, {chosen.rounds} rounds of {frames} frames; medians")
        for arm, samples in taken.items():
            reference = taken[f"{arm.partition(',')[0]}, alone"]
            ratio = statistics.median(a / s for a, s in zip(reference, samples, strict=True))
            milliseconds = 1000 * statistics.median(samples) / frames
            before = statistics.median(fixed[arm])
            extra = (
                "" if arm.endswith("alone") else f"  and {before:.1f} s before the first picture"
            )
            print(f"  {arm:28} {milliseconds:6.1f} ms a frame  {ratio:.2f} of alone{extra}")
        memory(folder)


if __name__ == "__main__":
    main()
