"""One of the processes of test_several_processes: `python process_of_several.py WHAT OUT`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from soundreel.progress import Step
from soundreel.training.batches import Batch, Batches
from soundreel.training.ranks import Ranks, join_ranks, leave_ranks
from soundreel.training.run import train_on_source
from soundreel.training.source import InMemory
from soundreel.training.step import Networks
from toy_pairs import toy_pairs, toy_settings

TRAINING, HELD_OUT = toy_pairs(range(3)), toy_pairs(range(50, 52))


def settings_of(**changes: Any):
    return toy_settings(**{"batch": 4, "dropout": 0.5, **changes})


def steps_in_float64(ranks: Ranks, out: Path, steps: int = 6) -> None:
    """The weights and losses of a few steps, without the rounding that a GAN would amplify."""
    settings = settings_of(ema_decay=0)
    networks = Networks(settings, "sound-to-picture", "fp32", torch.device("cpu"), ranks)
    networks.generator.double()
    networks.discriminator.double()
    batches = Batches(InMemory(TRAINING, 0), settings, "sound-to-picture", ranks)
    losses = []
    for step in range(steps):
        part = batches.batch(step)
        given = Batch(part.x_BCHW.double(), part.truth_BCHW.double(), part.seeds)
        losses.append(networks.step(step, steps, given))
    mean_losses = torch.stack(losses)
    ranks.average([mean_losses])
    if ranks.rank == 0:
        state = {f"g.{k}": v for k, v in networks.generator.state_dict().items()}
        state |= {f"d.{k}": v for k, v in networks.discriminator.state_dict().items()}
        save_file({k: v.contiguous() for k, v in state.items()} | {"losses": mean_losses}, out)


def whole_run(ranks: Ranks, out: Path, **changes: Any) -> None:
    def stop_in_one_process(step: Step) -> None:
        if os.environ.get("STOP_AT") == str(int(step.done)):
            os.kill(os.getpid(), signal.SIGTERM)

    train_on_source(
        InMemory(TRAINING, 0),
        HELD_OUT,
        out,
        settings_of(**changes),
        "toy",
        ranks=ranks,
        progress=stop_in_one_process,
    )


if __name__ == "__main__":
    what, place = sys.argv[1], Path(sys.argv[2])
    devices = int(sys.argv[3]) if len(sys.argv) > 3 else None
    joined = join_ranks(devices, "cpu")
    try:
        if what == "steps":
            steps_in_float64(joined, place)
        else:
            whole_run(joined, place, steps=60)
    finally:
        leave_ranks(joined)  # as `train` does: gloo's threads must not outlive what they talk to
