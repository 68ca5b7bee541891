"""What a training step costs when another program holds one of the cores.

    python benchmarks/lost_core.py [--rounds 3]

A step of the preset `quick`, in turns of some seconds alone and beside a program that counts on
one core: with torch's own default (threads that wait look for work for long), with threads that
soon sleep (what the command line sets), and with `threads = "free"`, which leaves the core to the
other program. Fair would be 2 x on two cores. Bar, for the last: 2.2 x.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

_BAR = 2.2
_BUSY = "while True: pass"
_TURN_SECONDS = 5.0
_RESTING = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "10000"}


def measure(rounds: int, free: bool) -> dict[str, float]:
    """Median seconds a step, alone and beside a busy program."""
    import torch

    from soundreel.networks.precision import resolve_precision
    from soundreel.threads import FreeCores
    from soundreel.training.presets import training_preset
    from training_step import our_step

    step = our_step(training_preset("quick"), resolve_precision("auto", "cpu"))
    for number in range(3):
        step(number)
    cores = FreeCores() if free else None
    taken: dict[str, list[float]] = {"alone": [], "beside": []}
    done = 3
    for _ in range(rounds):
        for name in taken:
            busy = subprocess.Popen([sys.executable, "-c", _BUSY]) if name == "beside" else None
            until = time.perf_counter() + _TURN_SECONDS
            while time.perf_counter() < until:
                began = time.perf_counter()
                step(done)
                taken[name].append(time.perf_counter() - began)
                done += 1
                if cores is not None and (threads := cores.threads()) is not None:
                    torch.set_num_threads(threads)
            if busy is not None:
                busy.kill()
                busy.wait()
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def main() -> int:
    """Print the table; 1 if the bar is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", choices=("all", "free"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        print(json.dumps(measure(chosen.rounds, chosen.child == "free")))
        return 0
    plain = {k: v for k, v in os.environ.items() if k not in _RESTING}
    # training_step sets what is not set: "active" is what the GNU library does by default.
    arms = {
        "torch's default": ({"OMP_WAIT_POLICY": "active", "GOMP_SPINCOUNT": "300000"}, "all"),
        "resting": (_RESTING, "all"),
        "resting, free": (_RESTING, "free"),
    }
    ratio = 0.0
    for name, (environment, threads) in arms.items():
        printed = subprocess.run(
            [sys.executable, __file__, "--child", threads, "--rounds", str(chosen.rounds)],
            env=plain | environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        found = json.loads(printed.splitlines()[-1])
        ratio = found["beside"] / found["alone"]
        told = f"bar {_BAR}: {'held' if ratio <= _BAR else 'MISSED'}" if threads == "free" else ""
        print(
            f"{name:16} alone {1000 * found['alone']:4.0f} ms, beside a busy program "
            f"{1000 * found['beside']:4.0f} ms: x {ratio:.2f}  {told}"
        )
    return int(ratio > _BAR)


if __name__ == "__main__":
    sys.exit(main())
