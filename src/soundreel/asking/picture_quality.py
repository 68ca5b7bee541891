"""How good a model's pictures are beside the real ones: numbers that describe and never decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch

from soundreel.asking.filming import FilmedClip
from soundreel.evidence.quality import ms_ssim
from soundreel.evidence.realism import (
    SlicedWasserstein,
    diversity_ratio,
    lab_histogram_distance,
    sliced_wasserstein,
    spectrum_distance,
)
from soundreel.evidence.warping import FlickerMotion, flicker_and_motion


@dataclass(frozen=True)
class Quality:
    """How good the pictures are, without any pretrained weights. They decide nothing.

    psnr_db, ms_ssim: likeness to the true frames; sliced_wasserstein and what follows: of the
    pictures as a set beside the real ones. flicker_motion: None where frames are not dense.
    """

    psnr_db: float
    ms_ssim: float | None
    sliced_wasserstein: SlicedWasserstein
    spectrum_db: float
    lab_distance: float
    diversity: float
    flicker_motion: FlickerMotion | None


def quality_of(clips: Sequence[FilmedClip], step_seconds: float, seed: int) -> Quality:
    """Compare the pictures that were kept whole, and the runs of neighbouring ones."""
    made = np.concatenate([clip.made_KHW3 for clip in clips])
    truth = np.concatenate([clip.truth_KHW3 for clip in clips])
    films = np.repeat(np.arange(len(clips)), [len(clip.truth_KHW3) for clip in clips])
    error = float(np.square((made.astype(np.float32) - truth) / 255).mean(dtype=np.float64))
    dense = [clip for clip in clips if len(clip.truth_run_RHW3) > 2]
    return Quality(
        psnr_db=-10 * float(np.log10(max(error, 1e-10))),
        ms_ssim=ms_ssim(_tensor(made), _tensor(truth)) if made.shape[1] >= 11 else None,
        sliced_wasserstein=sliced_wasserstein(made, truth, seed, films),
        spectrum_db=spectrum_distance(made, truth),
        lab_distance=lab_histogram_distance(made, truth),
        diversity=diversity_ratio(made, truth),
        flicker_motion=_flicker(dense, step_seconds),
    )


def _flicker(dense: Sequence[FilmedClip], step: float) -> FlickerMotion | None:
    if not dense:
        return None
    return flicker_and_motion(
        [clip.made_run_RHW3 for clip in dense],
        [clip.truth_run_RHW3 for clip in dense],
        Fraction(1 / step).limit_denominator(1_000),
    )


def _tensor(pictures_NHW3: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pictures_NHW3).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
