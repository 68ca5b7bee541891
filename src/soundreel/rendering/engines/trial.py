"""The trial: which engine is to compute a model, by what comes out and how long it takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from soundreel.progress import Listener, Step, silent
from soundreel.rendering.engines.engine import (
    Engine,
    EngineName,
    EngineUnavailable,
    computed,
    in_batches,
)
from soundreel.rendering.engines.gate import GATE_PSNR_DB, Fidelity, all_frames, fidelity
from soundreel.rendering.engines.opening import open_engine
from soundreel.rendering.engines.torch_engines import gains_by_bf16, multiplies_bf16_in_tiles

_REFERENCE: EngineName = "torch-fp32"
#: In the order in which they are tried and listed; of equally fast ones the first is taken.
_ON_THE_CPU: tuple[EngineName, ...] = ("openvino-int8", "openvino-bf16", "torch-bf16")
#: Of a reel, 8-bit integers are worth their error only where they are far faster.
_OF_A_REEL: tuple[EngineName, ...] = ("openvino-bf16", "openvino-int8", "torch-bf16")
_ON_A_GPU: tuple[EngineName, ...] = ("cuda",)
#: An engine that is so little slower than the fastest counts as equally fast: a busy moment must
#: not decide which one makes a film, since films of two engines differ in their last bits.
_AS_FAST = 1.3
_ROUNDS = 3
_ENOUGH_SECONDS = 3.0  # no further round after so long


@dataclass(frozen=True)
class Trial:
    """What came of an engine.

    psnr_db: over all pictures of the trial, against float32; worst_db: of the worst of them.
    ms_per_frame: median over some batches; None where it was not timed.
    reason: one line that says all of it, for a person.
    """

    name: EngineName
    psnr_db: float | None
    ms_per_frame: float | None
    used: bool
    reason: str
    worst_db: float | None = None


@dataclass(frozen=True)
class Choice:
    """The engine that is used, and how it came to that."""

    engine: Engine
    trials: tuple[Trial, ...]

    def table(self) -> str:
        """A line for each engine."""
        width = max(len(trial.name) for trial in self.trials)
        return "\n".join(f"{trial.name:{width}}  {trial.reason}" for trial in self.trials)


def choose_engine(
    model_folder: Path,
    windows_B1SS: Tensor,
    seeds: Sequence[int],
    wanted: EngineName | Literal["auto"] = "auto",
    progress: Listener = silent,
    cue_BK: Tensor | None = None,
) -> Choice:
    """The engine to compute a model with: the fastest whose pictures are as good as float32's.

    windows_B1SS: sound images to try them on, with a seed for each; some from all over the song.
    wanted: "auto", or an engine: that one is taken without being timed, if its pictures pass;
      if not, the reason is among the trials and the choice is as with "auto".
    cue_BK: for a reel, a cue for each window; without, the nearest remembered sound's.

    Raises: EngineUnavailable if the wanted engine cannot be had here or for this model;
    ModelError if the model cannot be read or goes from picture to sound.
    """
    progress(Step("choose an engine", 0, None, "engines", _REFERENCE))
    # Float32 on the CPU is the truth: a GPU's own float32 may round to fewer bits.
    reference = open_engine(_REFERENCE, model_folder, "cpu")
    if wanted == _REFERENCE:
        on_device = open_engine(_REFERENCE, model_folder)
        trial = Trial(_REFERENCE, None, None, True, "asked for: what others are compared with")
        return Choice(on_device, (trial,))
    truth_BHW3 = all_frames(reference, windows_B1SS, seeds, cue_BK)
    refused: list[Trial] = []
    if wanted != "auto":
        engine = open_engine(wanted, model_folder, progress=progress)
        found = fidelity(engine, windows_B1SS, seeds, truth_BHW3, cue_BK)
        if found.passes:
            return Choice(engine, (_trial(wanted, found, None, "asked for", used=True),))
        refused.append(_trial(wanted, found, None, _too_unlike(found)))
        del engine
    return _fastest(
        model_folder, windows_B1SS, seeds, cue_BK, truth_BHW3, reference, refused, wanted, progress
    )


def _fastest(
    folder: Path,
    x_B1SS: Tensor,
    seeds: Sequence[int],
    cue_BK: Tensor | None,
    truth_BHW3: np.ndarray,
    reference: Engine,
    refused: list[Trial],
    wanted: EngineName | Literal["auto"],
    progress: Listener,
) -> Choice:
    on_gpu = torch.cuda.is_available()
    is_reel = reference.cue_numbers > 0
    candidates = _ON_A_GPU if on_gpu else _OF_A_REEL if is_reel else _ON_THE_CPU
    passed: dict[EngineName, tuple[Engine, Fidelity]] = {}
    for name in candidates:
        if name == wanted:  # refused already
            continue
        progress(Step("choose an engine", len(passed), None, "engines", name))
        if name == "torch-bf16" and not gains_by_bf16():
            reason = "left out: no faster than float32 on this processor"
            refused.append(Trial(name, None, None, False, reason))
            continue
        if name == "openvino-int8" and is_reel and multiplies_bf16_in_tiles():
            reason = "left out: hardly faster than bfloat16 for a reel on this processor"
            refused.append(Trial(name, None, None, False, reason))
            continue
        try:
            engine = open_engine(name, folder, progress=progress)
        except EngineUnavailable as error:
            refused.append(Trial(name, None, None, False, f"left out: {error}"))
            continue
        found = fidelity(engine, x_B1SS, seeds, truth_BHW3, cue_BK)
        if found.passes:
            passed[name] = engine, found
        else:
            refused.append(_trial(name, found, None, _too_unlike(found)))
    if wanted != "compiled" and not on_gpu:
        reason = "left out: compiling takes about a minute, so it is only used when asked for"
        refused.append(Trial("compiled", None, None, False, reason))
    slowest = open_engine(_REFERENCE, folder) if on_gpu else reference
    engines = [*(engine for engine, _ in passed.values()), slowest]
    times = milliseconds(engines, x_B1SS, seeds, cue_BK)
    best = next(place for place, ms in enumerate(times) if ms <= _AS_FAST * min(times))
    trials = [
        _trial(name, found, ms, "used" if place == best else "not faster", used=place == best)
        for place, ((name, (_, found)), ms) in enumerate(zip(passed.items(), times, strict=False))
    ]
    used = best == len(engines) - 1
    reason = f"{times[-1]:.1f} ms a frame: {'used' if used else 'what others are compared with'}"
    trials.append(Trial(_REFERENCE, None, times[-1], used, reason))
    return Choice(engines[best], tuple(trials + refused))


def milliseconds(
    engines: Sequence[Engine], x_B1SS: Tensor, seeds: Sequence[int], cue_BK: Tensor | None = None
) -> list[float]:
    """What a frame takes with each engine: medians of rounds in which they take turns.

    The slow one that others are compared with takes its turn only once.
    """
    taken: list[list[float]] = [[] for _ in engines]
    began = time.perf_counter()
    for number in range(_ROUNDS):
        for engine, samples in zip(engines, taken, strict=True):
            if number and engine.name == _REFERENCE:
                continue
            first = next(in_batches(engine.batch, x_B1SS, seeds, cue_BK))
            batches = [first] * engine.lanes
            start = time.perf_counter()
            for _ in computed(engine, batches):
                pass
            # A batch that is not full takes as long as a full one.
            taken_ms = 1000 * (time.perf_counter() - start)
            samples.append(taken_ms / (engine.batch * engine.lanes))
        if time.perf_counter() - began > _ENOUGH_SECONDS:
            break
    return [statistics.median(samples) for samples in taken]


def _trial(
    name: EngineName, found: Fidelity, ms: float | None, verdict: str, used: bool = False
) -> Trial:
    speed = "" if ms is None else f", {ms:.1f} ms a frame"
    reason = f"{found.psnr_db:.1f} dB (worst picture {found.worst_db:.1f}){speed}: {verdict}"
    return Trial(name, found.psnr_db, ms, used, reason, found.worst_db)


def _too_unlike(found: Fidelity) -> str:
    if found.psnr_db != found.psnr_db:
        return "not used, it makes values that are no numbers"
    return f"not used, less like float32 than {GATE_PSNR_DB:g} dB"
