"""Several processes that train one model, against one process of the same kind.

    python benchmarks/scaling.py [--steps 40] [--size 128 --width 32 --batch 8] [--device cpu]

Every process has one thread (on a GPU: a GPU), so that two processes have twice what one has; on a
processor, one process with two threads stands beside. The batch is the same for all together.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import torch

from soundreel.networks.precision import resolve_precision
from soundreel.training.batches import Batches
from soundreel.training.presets import training_preset
from soundreel.training.ranks import join_ranks
from soundreel.training.source import InMemory
from soundreel.training.step import Networks
from training_step import noise_pairs

#: As `threads.let_threads_rest` has it.
RESTING = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "10000"}


def child(steps: int, size: int, width: int, batch: int, device: str) -> None:
    """One of the processes; the first prints the median seconds a step."""
    ranks = join_ranks(None, device)
    where = ranks.device or torch.device(device)
    settings = training_preset(
        "quick", size=size, width=width, discriminator_width=width, batch=batch
    )
    precision = resolve_precision("auto", where.type)
    networks = Networks(settings, "sound-to-picture", precision, where, ranks)
    source = InMemory(noise_pairs(64, size), 0)
    batches = Batches(source, settings, "sound-to-picture", ranks, where)
    taken = []
    for step in range(steps + 3):
        began = time.perf_counter()
        networks.step(step, 10_000, batches.batch(step)).cpu()
        taken.append(time.perf_counter() - began)
    if ranks.rank == 0:
        print(json.dumps(statistics.median(taken[3:])))


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--processes", default="1,2")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        child(chosen.steps, chosen.size, chosen.width, chosen.batch, chosen.device)
        return 0
    counts = [(int(count), 1) for count in chosen.processes.split(",")]
    if chosen.device == "cpu":
        counts.append((1, 2))
    taken: dict[tuple[int, int], list[float]] = {count: [] for count in counts}
    for _ in range(chosen.rounds):
        for count, threads in counts:
            command = [
                *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
                *(f"--nproc-per-node={count}", __file__, "--child"),
                *(f"--{name}={getattr(chosen, name)}" for name in ("steps", "size", "width")),
                *(f"--{name}={getattr(chosen, name)}" for name in ("batch", "device")),
            ]
            environment = {**os.environ, "OMP_NUM_THREADS": str(threads)} | RESTING
            done = subprocess.run(
                command, env=environment, check=True, capture_output=True, text=True
            )
            taken[count, threads].append(json.loads(done.stdout.splitlines()[-1]))
    print(f"batch {chosen.batch} over all, {chosen.size} x {chosen.size}, width {chosen.width}")
    alone = taken[counts[0]]
    for (count, threads), seconds in taken.items():
        ratio = statistics.median(a / s for a, s in zip(alone, seconds, strict=True))
        samples = chosen.batch / statistics.median(seconds)
        print(f"{count} processes of {threads} threads: {samples:6.1f} samples/s  x {ratio:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
