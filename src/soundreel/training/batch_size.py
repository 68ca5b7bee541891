"""The batch that trains fastest on this machine, found by trying."""

from __future__ import annotations

import statistics
import time

import torch

from soundreel.errors import SettingsError
from soundreel.networks.model_folder import Direction
from soundreel.networks.precision import Precision
from soundreel.progress import Listener, Step, silent
from soundreel.training.batches import Batches
from soundreel.training.presets import Training
from soundreel.training.ranks import Ranks
from soundreel.training.source import Source
from soundreel.training.step import Networks

#: A larger batch must make this much more of the same time: it learns less from each pair.
_WORTH = 1.1
_LARGEST = 64
_STEPS = 5


def with_fastest_batch(
    source: Source,
    settings: Training,
    direction: Direction,
    precision: Precision,
    device: torch.device,
    ranks: Ranks,
    progress: Listener = silent,
) -> Training:
    """The settings with `batch` doubled as long as that gives 1.1 times the samples a second.

    Ends before a batch that does not fit the device's memory, or is larger than 64 or an epoch.

    Raises: SettingsError if several processes train: their batches would not agree.
    """
    if ranks.count > 1:
        raise SettingsError("automatic_batch is for one process: set batch, for all together")
    best, best_rate = settings, 0.0
    batch = settings.batch
    while batch <= min(_LARGEST, max(settings.batch, len(source))):
        tried = settings.model_copy(update={"batch": batch})
        progress(Step("try batches", batch, None, "pairs"))
        try:
            rate = _samples_per_second(source, tried, direction, precision, device)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            break
        if rate < _WORTH * best_rate:
            break
        best, best_rate = tried, rate
        batch *= 2
    return best


def _samples_per_second(
    source: Source,
    settings: Training,
    direction: Direction,
    precision: Precision,
    device: torch.device,
) -> float:
    networks = Networks(settings, direction, precision, device)
    batches = Batches(source, settings, direction, device=device)
    taken = []
    for step in range(1 + _STEPS):  # the first warms up
        began = time.perf_counter()
        losses = networks.step(step, 1 + _STEPS, batches.batch(step))
        losses.cpu()  # a GPU has finished when its numbers arrive
        taken.append(time.perf_counter() - began)
    return settings.batch / statistics.median(taken[1:])
