"""Engines: speed against the widely used PyTorch pix2pix's test, and likeness to float32, at once.

    python benchmarks/engines.py [--model RUN_OR_MODEL] [--song SONG ...] [--rounds 5]
    python benchmarks/engines.py --reel 144x256x24 ... [--rounds 5]

Without --model, one is trained first: preset default for 200 steps on music videos made here
(some ten minutes on two cores; kept in the system's folder for temporary files, so the second
time it is there). Likeness is measured on songs that the model never heard.

The peer generates frame by frame in training mode (batch statistics, dropout), as its test does,
at its own size, 256, whatever the model's.

With --reel, reels of rows x columns x width with random weights are computed instead, and what
they are compared with is their own float32 in torch. A trained one is given with --model.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as `threads.let_threads_rest` does

import numpy as np
import torch
from torch import Tensor

from peer import PeerGenerator
from soundreel.dataset.build import prepare
from soundreel.media.sound import read_sound
from soundreel.networks.bundle import load_model, save_model
from soundreel.networks.model_folder import resolve_model_folder
from soundreel.networks.reel import Reel
from soundreel.recipe import Recipe, recipe_from
from soundreel.rendering.engines import Engine, EngineUnavailable
from soundreel.rendering.engines.calibration import calibration_cues
from soundreel.rendering.engines.gate import all_frames, fidelity
from soundreel.rendering.engines.openvino_engine import open_openvino
from soundreel.rendering.engines.torch_engines import open_torch
from soundreel.sound.representation import sound_images
from soundreel.synthetic.corpus import GENRES_BY_TURN, make_corpus
from soundreel.synthetic.songs import compose
from soundreel.training.run import train

_STEPS = 200
_BARS = {"torch-bf16": 4.5, "openvino-int8": 6.0}


def trained_model() -> Path:
    """Preset default, trained a little on a small corpus; kept for the next time."""
    place = Path(tempfile.gettempdir()) / f"soundreel-bench-engines-{_STEPS}"
    if not (place / "finished").exists():
        print(f"training a model for {_STEPS} steps in {place}", flush=True)
        videos = make_corpus(place / "clips", 6, 20.0, seed=0)
        recipe = recipe_from("default", every_seconds=Fraction(1, 4))
        dataset = prepare(videos, place / "dataset", recipe)
        changes = {
            "steps": _STEPS,
            "ema_decay": 0.98,
            "measure_every": _STEPS,
            "checkpoint_every": _STEPS,
            "sheet_every": _STEPS,
        }
        train(dataset.folder, place / "run", "default", changes=changes)
        (place / "finished").touch()
    return resolve_model_folder(place / "run")


def unheard_windows(recipe: Recipe, songs: Sequence[Path], each: int = 4) -> Tensor:
    """Sound images from all over songs: files, or of every genre made here."""
    sounds = [read_sound(song, recipe.sample_rate_hz, recipe.channel) for song in songs] or [
        compose(5_000 + place, 20.0, genre, recipe.sample_rate_hz).sound.mean(0)
        for place, genre in enumerate(GENRES_BY_TURN)
    ]
    images = []
    for sound in sounds:
        ends = torch.arange(1, 2 * each, 2) * len(sound) // (2 * each)
        sound_N = torch.from_numpy(np.ascontiguousarray(sound, np.float32))
        images.append(sound_images(sound_N, ends, recipe))
    return torch.cat(images)


def peer(frames: int) -> Callable[[], None]:
    """The peer's forward, frame by frame."""
    generator = PeerGenerator()
    x_BCHW = torch.randn(frames, 3, 256, 256)

    def generate() -> None:
        with torch.no_grad():
            for frame in range(frames):
                generator(x_BCHW[frame : frame + 1])

    return generate


def engines_of(folder: Path) -> dict[str, Engine]:
    """Every engine on the CPU that can be had without minutes of compiling, by what it is."""
    makers: list[Callable[[int], Engine]] = [
        lambda batch: open_torch("torch-fp32", folder, "fp32", "cpu", batch),
        lambda batch: open_torch("torch-bf16", folder, "bf16", "cpu", batch),
        lambda batch: open_openvino("openvino-bf16", folder, batch),
        lambda batch: open_openvino("openvino-int8", folder, batch),
    ]
    found = {}
    for make in makers:
        for batch in (1, 8):
            try:
                engine = make(batch)
            except EngineUnavailable as error:
                print(error)
                break
            found[f"{engine.name}, batch {batch}"] = engine
    return found


def random_reel(place: Path, rows: int, columns: int, width: int) -> Path:
    """A model folder: a reel that was not trained, with something remembered."""
    arguments: dict[str, Any] = {"rows": rows, "columns": columns, "width": width}
    arguments |= {"clips": 6, "references": 500}
    torch.manual_seed(0)
    reel = Reel(**arguments)
    reel.reference_sound_RA.normal_()
    reel.reference_code_RZ.normal_()
    reel.reference_clip_R.random_(0, 6)
    looks = {"looks": [str(clip) for clip in range(6)]}
    recipe = recipe_from()
    save_model(place, reel, arguments, recipe, "sound-to-picture", {}, learnt=looks)
    return place


def in_turns(arms: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of every arm in rounds in which they take turns; the first one warms up."""
    taken: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(rounds + 1):
        for name, generate in arms.items():
            began = time.perf_counter()
            generate()
            if number:
                taken[name].append(1000 * (time.perf_counter() - began))
    return taken


def ratio_of(base: Sequence[float], samples: Sequence[float]) -> float:
    """How many times as fast, round by round."""
    return statistics.median(b / s for b, s in zip(base, samples, strict=True))


def reel_table(name: str, folder: Path, x_B1SS: Tensor, rounds: int) -> None:
    """Print what each engine makes of a reel, beside its own float32 in torch."""
    seeds = range(len(x_B1SS))
    reel = load_model(folder, "fp32", "cpu").generator
    assert isinstance(reel, Reel)
    cue_BK = calibration_cues(reel, len(x_B1SS))
    engines = engines_of(folder)
    base = "torch-fp32, batch 8"
    truth_BHW3 = all_frames(engines[base], x_B1SS, seeds, cue_BK)
    arms: dict[str, Callable[[], object]] = {
        name: lambda engine=engine: all_frames(engine, x_B1SS[:16], seeds[:16], cue_BK[:16])
        for name, engine in engines.items()
    }
    taken = in_turns(arms, rounds)
    print(f"reel {name}, {torch.get_num_threads()} threads, {rounds} rounds, medians")
    for arm, samples in taken.items():
        found = fidelity(engines[arm], x_B1SS, seeds, truth_BHW3, cue_BK)
        print(
            f"{arm:24} {statistics.median(samples) / 16:7.2f} ms a frame  "
            f"x {ratio_of(taken[base], samples):6.2f}  "
            f"{found.psnr_db:5.1f} dB, worst picture {found.worst_db:5.1f}",
            flush=True,
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path)
    parser.add_argument("--song", type=Path, nargs="*", default=[])
    parser.add_argument("--reel", nargs="*", default=[], help="rows x columns x width")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    for size in chosen.reel:
        rows, columns, width = map(int, size.split("x"))
        with tempfile.TemporaryDirectory() as place:
            folder = random_reel(Path(place) / "model", rows, columns, width)
            x_B1SS = unheard_windows(recipe_from(), chosen.song, each=2)
            reel_table(size, folder, x_B1SS, chosen.rounds)
    if chosen.reel:
        return
    folder = trained_model() if chosen.model is None else resolve_model_folder(chosen.model)
    model = load_model(folder, "fp32", "cpu")
    x_B1SS = unheard_windows(model.recipe, chosen.song)
    if isinstance(model.generator, Reel):
        reel_table(str(folder), folder, x_B1SS, chosen.rounds)
    else:
        unet_table(folder, x_B1SS, chosen.rounds)


def unet_table(folder: Path, x_B1SS: Tensor, rounds: int) -> None:
    """Print what each engine makes of a U-Net, beside the peer."""
    seeds = range(len(x_B1SS))
    engines = engines_of(folder)
    truth_BHW3 = all_frames(engines["torch-fp32, batch 8"], x_B1SS, seeds)
    arms: dict[str, Callable[[], object]] = {"peer, batch 1": peer(4)}
    frames_of = {"peer, batch 1": 4}
    for name, engine in engines.items():
        frames_of[name] = 16
        arms[name] = lambda engine=engine: all_frames(engine, x_B1SS[:16], seeds[:16])
    taken = {
        name: [each / frames_of[name] for each in samples]
        for name, samples in in_turns(arms, rounds).items()
    }
    threads = torch.get_num_threads()
    print(f"{threads} threads, {rounds} rounds, medians; {len(x_B1SS)} windows for the dB")
    for name, samples in taken.items():
        ratio = ratio_of(taken["peer, batch 1"], samples)
        line = f"{name:24} {statistics.median(samples):7.1f} ms a frame  x {ratio:6.2f}"
        if name in engines:
            found = fidelity(engines[name], x_B1SS, seeds, truth_BHW3)
            line += f"  {found.psnr_db:5.1f} dB, worst picture {found.worst_db:5.1f}"
            bar = _BARS.get(engines[name].name) if name.endswith("8") else None
            if bar is not None:
                reached = ratio >= bar and found.passes
                line += f"  (bar x {bar:g}: {'reached' if reached else 'missed'})"
        print(line, flush=True)


if __name__ == "__main__":
    main()
