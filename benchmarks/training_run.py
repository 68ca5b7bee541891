"""How long the original's run takes: 280,000 samples, at batch 1 and batch 16, on this machine.

    python benchmarks/training_run.py [--seconds 120] [--device cuda] [--dataset DATASET]
    python benchmarks/training_run.py --seconds 5 --size 64 --width 8      # a trial, on a processor

Steps are timed over a stretch of `--seconds`, peer and ours in turns, and the time of 280,000
samples follows from it. With `--dataset` (a dataset folder), each batch size is then trained on it
for equally many samples (`--samples`), and its held-out quality stands beside. Bars are those of
an H200: they are checked on a CUDA device at full size only.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as `threads.let_threads_rest` does

import torch

from soundreel.dataset.loading import load_pairs
from soundreel.dataset.store import open_dataset
from soundreel.networks.precision import resolve_precision
from soundreel.training.batches import Batches
from soundreel.training.folder import rows_until
from soundreel.training.presets import Training, training_preset
from soundreel.training.run import train_on_pairs
from soundreel.training.source import InMemory
from soundreel.training.step import Networks
from training_step import noise_pairs, peer_step

#: The original's 200 epochs of 1,400 pairs.
RUN_SAMPLES = 280_000
#: Samples a second, by batch, on one H200 (PERFORMANCE.md); and against the peer at batch 1.
BARS = {1: 350.0, 16: 1_000.0}
PEER_BAR = 3.0
_STEPS_A_TURN = 20


def settings_for(batch: int, size: int, width: int, engine: str) -> Training:
    """The paper's networks and losses, at a batch, in the precision that pays here."""
    changes = {"innermost_norm": False, "norm": "frozen-batch"} if batch > 1 else {}
    return training_preset(
        "paper",
        size=size,
        width=width,
        discriminator_width=width,
        scale_to=size + size // 8,
        batch=batch,
        precision="auto",
        step_engine=engine,
        **changes,
    )


def our_turn(settings: Training, device: torch.device, pairs: int) -> Callable[[], int]:
    """Some steps of ours, batches made ahead as training does; returns samples learnt from."""
    source = InMemory(noise_pairs(pairs, settings.size), 0)
    networks = Networks(
        settings, "sound-to-picture", resolve_precision(settings.precision, device.type), device
    )
    batches = Batches(source, settings, "sound-to-picture", device=device)
    made = batches.ahead(0, 10**9, 3 if device.type == "cuda" else 0)
    done = 0

    def turn() -> int:
        nonlocal done
        losses = None
        for _ in range(_STEPS_A_TURN):
            losses = networks.step(done, 10**9, next(made))
            done += 1
        assert losses is not None
        losses.cpu()  # a GPU has finished when its numbers arrive
        return _STEPS_A_TURN * settings.batch

    return turn


def peer_turn(device: torch.device) -> Callable[[], int]:
    """Some steps of the peer, at batch 1 and full size."""
    step = peer_step(device)

    def turn() -> int:
        for number in range(_STEPS_A_TURN):
            step(number)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return _STEPS_A_TURN

    return turn


def rates(arms: dict[str, Callable[[], int]], seconds: float) -> dict[str, float]:
    """Median samples a second of each arm, in turns, until each has had `seconds`."""
    for turn in arms.values():
        turn()  # warms up, compiles, captures
    found: dict[str, list[float]] = {name: [] for name in arms}
    spent = dict.fromkeys(arms, 0.0)
    while min(spent.values()) < seconds:
        for name, turn in arms.items():
            if spent[name] >= seconds:
                continue
            began = time.perf_counter()
            samples = turn()
            took = time.perf_counter() - began
            found[name].append(samples / took)
            spent[name] += took
    return {name: statistics.median(values) for name, values in found.items()}


def held_out_quality(dataset: Path, settings: Training, samples: int, device: str) -> str:
    """What so many samples come to on held-out clips, as a line."""
    opened = open_dataset(dataset)
    training, held_out = load_pairs(opened, "train"), load_pairs(opened, "val")
    steps = max(1, samples // settings.batch)
    asked = settings.model_copy(
        update={"epochs": None, "steps": steps, "measure_every": steps, "sheet_every": steps}
        | {"checkpoint_every": steps, "keep_epochs": ()}
    )
    with tempfile.TemporaryDirectory() as folder:
        run = train_on_pairs(training, held_out, Path(folder) / "run", asked, device=device)
        row = rows_until(run.run / "metrics.jsonl", run.steps)[-1]
    return (
        f"batch {settings.batch:2}: {samples:,} samples in {run.seconds:.0f} s, "
        f"{row['measured_on']} L1 {row['l1']:.4f} (mean {row['mean_l1']:.4f}), "
        f"MS-SSIM {row['ms_ssim']:.3f}, sharpness {row['sharpness']:.2f}"
    )


def told(held: bool) -> str:
    """Whether a bar is held, in a word."""
    return "held" if held else "MISSED"


def main() -> int:
    """Print the tables; 1 if a bar is missed on the machine it is for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, help="120 on a GPU, 20 on a processor")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--engines", default="")
    parser.add_argument("--dataset", type=Path)
    parser.add_argument("--samples", type=int, default=20_000)
    chosen = parser.parse_args()
    device = torch.device(chosen.device)
    on_gpu, full = device.type == "cuda", (chosen.size, chosen.width) == (256, 64)
    seconds = chosen.seconds or (120.0 if on_gpu else 20.0)
    engines = chosen.engines or ("eager,compiled,graph" if on_gpu else "eager")
    arms: dict[str, Callable[[], int]] = {"peer, batch 1": peer_turn(device)} if full else {}
    batch_of: dict[str, int] = {}
    for engine in engines.split(","):
        for batch in (1, 16):
            name = f"paper, batch {batch}, {engine}"
            settings = settings_for(batch, chosen.size, chosen.width, engine)
            arms[name] = our_turn(settings, device, 256 if full else 32)
            batch_of[name] = batch
    where = torch.cuda.get_device_name(device) if on_gpu else f"{torch.get_num_threads()} threads"
    print(f"{where}, {chosen.size} x {chosen.size}, width {chosen.width}, {seconds:g} s each")
    found = rates(arms, seconds)
    for name, rate in found.items():
        against = f"  x {rate / found['peer, batch 1']:.2f}" if full else ""
        minutes = RUN_SAMPLES / rate / 60
        print(f"{name:28} {rate:8.1f} samples/s{against}  280,000 in {minutes:,.1f} min")
    missed = False
    if on_gpu and full:
        for batch, bar in BARS.items():
            best = max(rate for name, rate in found.items() if batch_of.get(name) == batch)
            missed |= best < bar
            print(
                f"batch {batch}: {best:.0f}, bar {bar:.0f}: {'held' if best >= bar else 'MISSED'}"
            )
        ratio = max(r for n, r in found.items() if batch_of.get(n) == 1) / found["peer, batch 1"]
        missed |= ratio < PEER_BAR
        print(
            f"x {ratio:.2f} the peer, bar {PEER_BAR}: {'held' if ratio >= PEER_BAR else 'MISSED'}"
        )
    if chosen.dataset is not None:
        for batch in (1, 16):
            settings = settings_for(batch, chosen.size, chosen.width, engines.split(",")[0])
            print(held_out_quality(chosen.dataset, settings, chosen.samples, chosen.device))
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
