"""Runs for `generators.py`: as many steps as fit a time, kept and found again."""

from __future__ import annotations

import json
import math
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from soundreel.atomic import write_json
from soundreel.progress import Step
from soundreel.training.run import train

#: What each generator is trained with, beside its size and steps, unless a person says otherwise.
PRESETS: dict[str, str] = {"reel": "reel", "pix2pix": "quick"}
#: A trial's first steps are slower (memory, kernels); the rest are timed.
_WARM_STEPS, _TIMED_STEPS = 5, 20
#: Loss checks, measurements and sheets come at multiples of this: a trial ends before any.
_NEVER = 10**9
_KEPT_PARTS = 4


@dataclass(frozen=True)
class Trained:
    """A run: where, how many steps, milliseconds of processor time (on a GPU: of time) a step."""

    run: Path
    steps: int
    milliseconds: float
    preset: str
    changes: dict[str, Any]


def trained(
    name: str,
    dataset: Path,
    out: Path,
    size: int,
    seconds: float,
    changes: dict[str, Any],
    timed_steps: int = _TIMED_STEPS,
) -> Trained:
    """Train a generator for so many seconds of processor time; a finished run is only told of.

    changes: of settings; "preset" among them is the preset to change. How long a step takes is
    found in a trial, and kept, so that the same call goes on with what it began. Measurements,
    sheets and checkpoints come on top of the budget.
    """
    plan = out / "runs" / f"{name}-{size}px-{seconds:g}s.json"
    preset = changes.get("preset", PRESETS.get(name, "reel"))
    settings = {k: v for k, v in changes.items() if k != "preset"} | {"size": size}
    known = json.loads(plan.read_text()) if plan.is_file() else None
    if known is None:
        milliseconds = _milliseconds(dataset, preset, settings, timed_steps)
        steps = max(1, math.floor(seconds * 1000 / milliseconds))
        known = {
            "preset": preset,
            "changes": settings,
            "ms_a_step": milliseconds,
            "steps": steps,
            "seconds": seconds,
        }
        write_json(plan, known)
    if (known["preset"], known["changes"]) != (preset, settings):
        raise SystemExit(f"{plan}: was planned with other settings: give another --out")
    run, steps = plan.with_suffix(""), int(known["steps"])
    print(f"{name}: {steps:,} steps of {known['ms_a_step']:.0f} ms", flush=True)
    every = max(1, -(-steps // _KEPT_PARTS))
    began = _now()
    result = train(
        dataset,
        run,
        preset,
        changes={
            **settings,
            "steps": steps,
            "measure_every": every,
            "checkpoint_every": every,
            "sheet_every": steps,
        },
        progress=_Told(name),
    )
    if not result.already_done:
        write_json(plan, {**known, "all_seconds": round(_now() - began, 1)})
        print(f"{name}: {_now() - began:.0f} s with loading and measuring; {result.summary}")
    return Trained(run, steps, float(known["ms_a_step"]), preset, settings)


def _milliseconds(dataset: Path, preset: str, settings: dict[str, Any], timed_steps: int) -> float:
    trial = _Trial(_WARM_STEPS, _WARM_STEPS + timed_steps)
    quiet = dict.fromkeys(("measure_every", "checkpoint_every", "sheet_every"), _NEVER)
    # Where in the schedule they are does not matter: one step takes as long as another.
    with tempfile.TemporaryDirectory() as folder, suppress(_EnoughTimedError):
        train(
            dataset,
            Path(folder) / "run",
            preset,
            changes={**settings, "steps": _NEVER, **quiet},
            progress=trial,
        )
    return 1000 * trial.seconds / timed_steps


def _now() -> float:
    """Seconds of the processor, of all threads; with a GPU, of the clock."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


class _EnoughTimedError(Exception):
    """Ends a trial at once: nothing of it is to be kept."""


class _Trial:
    """Listens to a training until enough of its steps are timed."""

    def __init__(self, first: int, last: int) -> None:
        self._first, self._last = first, last
        self._began = 0.0
        self.seconds = 0.0

    def __call__(self, step: Step) -> None:
        if step.task != "train":
            return
        if step.done == self._first:
            self._began = _now()
        if step.done == self._last:
            self.seconds = _now() - self._began
            raise _EnoughTimedError


class _Told:
    """Prints how far a training has come, every minute."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._said_at = time.monotonic()

    def __call__(self, step: Step) -> None:
        if step.task == "train" and time.monotonic() - self._said_at > 60:
            self._said_at = time.monotonic()
            print(
                f"{self._name}: step {step.done:,.0f} of {step.total:,.0f} {step.note}", flush=True
            )
