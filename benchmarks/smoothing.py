"""What smoothing takes from a model's films and what it leaves: flicker, beats, sharpness.

    python benchmarks/smoothing.py MODEL SONG... [--start 10] [--seconds 20] [--strips FOLDER]

flicker: per mille of the range from black to white that a frame lies from the mean of its
neighbours; between: the same without what lies across onsets. beat: how much more the picture
changes at the song's strong onsets than elsewhere (0 is chance). sharp, contrast: fine detail
(mean square Laplacian) and standard deviation of the luma, as shares of the unsmoothed film's.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as `threads.let_threads_rest` does

import numpy as np
import torch
from PIL import Image

from soundreel.evidence.flicker import REACTION_SECONDS, beat_response, flicker
from soundreel.evidence.quality import sharpness_ratio
from soundreel.media.sound import read_sound
from soundreel.networks.bundle import load_model
from soundreel.networks.model_folder import resolve_model_folder
from soundreel.rendering.generate import film_pictures
from soundreel.rendering.kernels import Kernel, smoothing_kernel
from soundreel.rendering.onsets import onsets
from soundreel.rendering.smooth import smoothed
from soundreel.sound.rhythm import OnsetEnvelope, onset_envelope
from soundreel.timeline import exact_seconds, frame_count

FPS = Fraction(30)
RATE_HZ = 44_100
STRONG_DB = 6.0
STRIP_FRAMES, STRIP_BEFORE = 12, 5


def arms(frames: int, envelope: OnsetEnvelope, start: Fraction) -> dict[str, Kernel]:
    """What is compared."""

    def kernel(kind, seconds) -> Kernel:
        return smoothing_kernel(kind, frames, FPS, envelope, seconds, start)

    beats = smoothing_kernel("beats", frames, FPS, envelope, start_seconds=start)
    return {
        "none": kernel("none", 0),
        "exponential 0.05 s": kernel("exponential", 0.05),
        "exponential 0.25 s": kernel("exponential", 0.25),
        "gaussian, no onsets": replace(beats, barrier_T=np.zeros(frames), keeps_contrast=False),
        "beats, contrast lost": replace(beats, keeps_contrast=False),
        "beats 0.07 s": kernel("beats", 0.07),
        "beats (default)": beats,
    }


def contrast(frames: np.ndarray) -> float:
    """Mean over the frames of the luma's standard deviation."""
    return float(np.mean([(frame @ np.array([0.2126, 0.7152, 0.0722])).std() for frame in frames]))


def signed(frames: np.ndarray) -> torch.Tensor:
    """As a network's pictures, of every second frame."""
    return torch.from_numpy(frames[::2].copy()).permute(0, 3, 1, 2).float() / 127.5 - 1


def main() -> None:
    """Print a table for each song."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("songs", type=Path, nargs="+")
    parser.add_argument("--start", default="10")
    parser.add_argument("--seconds", default="20")
    parser.add_argument("--strips", type=Path)
    chosen = parser.parse_args()
    model = load_model(resolve_model_folder(chosen.model))
    start, seconds = exact_seconds(chosen.start), exact_seconds(chosen.seconds)
    frames = frame_count(seconds, FPS)
    for song in chosen.songs:
        envelope = onset_envelope(read_sound(song, RATE_HZ, "mono"), RATE_HZ)
        raw = np.stack(list(film_pictures(model, song, start, frames, FPS, seed=0)))
        found = onsets(envelope)
        heard = (found.seconds_E >= start) & (found.seconds_E < start + seconds - 1)
        strong = found.seconds_E[heard & (found.rise_db_E >= STRONG_DB)]
        within = frame_count(REACTION_SECONDS, FPS)
        jumps = [
            frame_count(Fraction(float(at)) - start, FPS) + lag
            for at in found.seconds_E[heard]
            for lag in range(within)
        ]
        print(f"\n{song.stem}: {raw.shape[1]} pixels, {len(strong)} strong of {heard.sum()} onsets")
        print(
            f"{'':22}{'flicker':>9}{'between':>9}{'beat':>7}{'sharp':>7}{'contrast':>10}  ms/frame"
        )
        rows = []
        for name, kernel in arms(frames, envelope, start).items():
            began = time.process_time()
            made = np.stack(list(smoothed(raw, 0, frames, kernel)))
            spent = 1000 * (time.process_time() - began) / frames
            rows.append(made)
            print(
                f"{name:22}{1000 * flicker(made):9.2f}{1000 * flicker(made, jumps):9.2f}"
                f"{beat_response(made, FPS, strong, start) if len(strong) else np.nan:+7.2f}"
                f"{sharpness_ratio(signed(made), signed(raw)):7.2f}"
                f"{contrast(made) / contrast(raw):10.2f}{spent:10.2f}"
            )
        if chosen.strips and len(strong):
            chosen.strips.mkdir(parents=True, exist_ok=True)
            first = frame_count(Fraction(float(strong[len(strong) // 2])) - start, FPS)
            first = max(0, first - STRIP_BEFORE)
            strips = [np.concatenate(list(r[first : first + STRIP_FRAMES]), axis=1) for r in rows]
            sheet = Image.fromarray(np.concatenate(strips))
            sheet.save(chosen.strips / f"{song.stem}.png")


if __name__ == "__main__":
    main()
