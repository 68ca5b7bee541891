"""What a training step costs when another program holds one of the cores.

    python benchmarks/lost_core.py [--rounds 8]

A step of the preset `quick`, in turns alone and beside a program that counts on one core for as
long; once with threads that sleep while they wait (`OMP_WAIT_POLICY=passive`, what the command
line sets) and once as torch has it by default. Fair would be 2 x on two cores. Bar: 2.2 x.
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


def measure(rounds: int) -> dict[str, float]:
    """Median seconds a step, alone and beside a busy program."""
    from soundreel.networks.precision import resolve_precision
    from soundreel.training.presets import training_preset
    from training_step import our_step

    step = our_step(training_preset("quick"), resolve_precision("auto", "cpu"))
    for number in range(3):
        step(number)
    taken: dict[str, list[float]] = {"alone": [], "beside": []}
    for number in range(rounds):
        for name in taken:
            busy = subprocess.Popen([sys.executable, "-c", _BUSY]) if name == "beside" else None
            time.sleep(0.3)
            for turn in range(3):
                began = time.perf_counter()
                step(3 + 3 * number + turn)
                taken[name].append(time.perf_counter() - began)
            if busy is not None:
                busy.kill()
                busy.wait()
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def main() -> int:
    """Print the table; 1 if the bar is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        print(json.dumps(measure(chosen.rounds)))
        return 0
    ratios = {}
    for policy in ("passive", ""):
        environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
        if policy:
            environment["OMP_WAIT_POLICY"] = policy
        printed = subprocess.run(
            [sys.executable, __file__, "--child", "--rounds", str(chosen.rounds)],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        found = json.loads(printed.splitlines()[-1])
        ratio = ratios[policy] = found["beside"] / found["alone"]
        told = f"bar {_BAR}: {'held' if ratio <= _BAR else 'MISSED'}" if policy else ""
        print(
            f"{policy or 'default':8} alone {1000 * found['alone']:6.0f} ms, beside a busy program "
            f"{1000 * found['beside']:6.0f} ms: x {ratio:.2f}  {told}"
        )
    return int(ratios["passive"] > _BAR)


if __name__ == "__main__":
    sys.exit(main())
