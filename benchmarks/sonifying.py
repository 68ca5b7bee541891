"""How long `sonify` takes apart from its generator: a film of 3 minutes, an untrained `score`.

    python benchmarks/sonifying.py [--seconds 180]

Frames, blending, Griffin-Lim, loudness and muxing beside the time in the generator, in one run.
The bar: 2 minutes for 3.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as `threads.let_threads_rest` does

import numpy as np
import torch

from soundreel.media.writer import FilmWriter
from soundreel.networks.bundle import Model, load_model, save_model
from soundreel.networks.score import Score
from soundreel.recipe import recipe_from
from soundreel.rendering.sonifying import sonify

_FPS, _WIDTH, _HEIGHT = 24, 640, 360


def main() -> None:
    """Make a film and a model, compose, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=180)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as place:
        model, video = _model(Path(place) / "model"), Path(place) / "film.mp4"
        _film(video, seconds)
        spent = {"generator": 0.0}
        plain = Model.sound_images

        def timed(self: Model, *given: Any) -> torch.Tensor:
            begun = time.perf_counter()
            made = plain(self, *given)
            spent["generator"] += time.perf_counter() - begun
            return made

        Model.sound_images = timed  # pyright: ignore[reportAttributeAccessIssue] - a stopwatch
        begun = time.perf_counter()
        made = sonify(model, video, Path(place) / "scored.mp4")
        whole = time.perf_counter() - begun
    rest = whole - spent["generator"]
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{seconds} s of film ({made.picture}, {made.sound}): {whole:.0f} s")
    print(f"in the generator {spent['generator']:.0f} s, all else {rest:.0f} s: ", end="")
    print(f"{rest / seconds:.2f} of the film's length (bar: 0.67); {memory_mb:.0f} MB at most")


def _model(folder: Path) -> Model:
    torch.manual_seed(0)
    arguments: dict[str, Any] = {
        **{"sound_size": 256, "frames": 23, "step": "1/15", "side": 64, "width": 16},
        **{"clips": 1, "harmonies": 60, "looks": 1},
    }
    score = Score(**arguments)
    score.harmony_QS.copy_(torch.randint(0, 256, score.harmony_QS.shape))
    recipe = recipe_from("mel", picture_aspect="16/9")
    save_model(folder, score, arguments, recipe, "picture-to-sound", {}, learnt={"looks": ["one"]})
    return load_model(folder)


def _film(path: Path, seconds: int) -> None:
    """A square that wanders, its light that beats twice a second."""
    with FilmWriter(path, _WIDTH, _HEIGHT, Fraction(_FPS)) as writer:
        for n in range(seconds * _FPS):
            picture = np.full((_HEIGHT, _WIDTH, 3), 40, np.uint8)
            left = n * 7 % (_WIDTH - 80)
            picture[120:200, left : left + 80] = 240 - 12 * (n % 12)
            writer.write(picture)


if __name__ == "__main__":
    main()
