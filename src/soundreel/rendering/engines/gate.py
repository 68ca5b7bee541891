"""The gate: whether an engine's pictures look like those of float32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log10, nan

import numpy as np
import torch
from torch import Tensor

from soundreel.rendering.engines.engine import Engine, computed, in_batches

#: Peak signal-to-noise ratio of an engine's bytes against those of float32, over all pictures.
GATE_PSNR_DB = 35.0


@dataclass(frozen=True)
class Fidelity:
    """How like pictures are to the true ones: peak signal-to-noise ratios, peak 255.

    psnr_db: over all pictures together; infinite if they are equal, nan if an engine made values
      that are no numbers.
    worst_db: of the picture that is least like its own.
    """

    psnr_db: float
    worst_db: float

    @property
    def passes(self) -> bool:
        """Whether they may be shown for the true ones."""
        return self.psnr_db >= GATE_PSNR_DB  # false for nan, too


def fidelity(
    engine: Engine,
    x_B1SS: Tensor,
    seeds: Sequence[int],
    truth_BHW3: np.ndarray,
    cue_BK: Tensor | None = None,
) -> Fidelity:
    """How like an engine's pictures of these windows (and cues) are to the true ones (uint8)."""
    errors_B = []
    for number, batch in enumerate(in_batches(engine.batch, x_B1SS, seeds, cue_BK)):
        # As bytes, values that are no numbers may look like any picture.
        if not bool(torch.isfinite(engine.run(*batch)).all()):
            return Fidelity(nan, nan)
        first = number * engine.batch
        truth = truth_BHW3[first : first + engine.batch]
        errors_B.append(squared_errors(engine.frames(*batch), truth))
    all_B = np.concatenate(errors_B)
    return Fidelity(psnr(float(all_B.mean())), psnr(float(all_B.max())))


def all_frames(
    engine: Engine, x_B1SS: Tensor, seeds: Sequence[int], cue_BK: Tensor | None = None
) -> np.ndarray:
    """An engine's frames of any number of windows (and cues): N x H x W x 3 uint8."""
    batches = in_batches(engine.batch, x_B1SS, seeds, cue_BK)
    return np.concatenate(list(computed(engine, batches)))


def squared_errors(frames_BHW3: np.ndarray, truth_BHW3: np.ndarray) -> np.ndarray:
    """The mean squared error of each picture, in squared steps of 8-bit values."""
    apart = frames_BHW3.astype(np.float64) - truth_BHW3
    return np.square(apart).mean((1, 2, 3))


def psnr(squared_error: float) -> float:
    """Decibels for a mean squared error of 8-bit pictures."""
    return inf if squared_error == 0 else 10 * log10(255**2 / squared_error)
