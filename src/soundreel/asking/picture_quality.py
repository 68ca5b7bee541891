"""How good a model's pictures are beside the real ones: numbers that describe and never decide.

Shapes: V clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch

from soundreel.asking.filming import FilmedClip
from soundreel.evidence.look_realism import LookRealism, look_realism
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


@dataclass(frozen=True)
class LookQuality:
    """What came of the songs that a `reel` filmed in one look.

    look: the training clip that it is of, or what its look is told to be called. songs: how many
    were filmed so.
    realism, real: mean sliced Wasserstein of the made pictures, and of the real films, to frames
    of the same look (`look_realism`).
    usefulness: mean over these songs of each one's share of the whole effect: its score with its
    own frames, less that of all other songs' films; lowest, highest: of these. Few songs have no
    interval worth giving.
    right: how many of the real videos are told to have that look; None where nothing is told.
    """

    look: str
    songs: int
    realism: float
    real: float
    usefulness: float
    lowest: float
    highest: float
    right: int | None


def realism_in_look(
    clips: Sequence[FilmedClip], others: Sequence[np.ndarray], seed: int
) -> LookRealism:
    """How far each clip's pictures are from real frames of its look.

    others: for each clip, frames of training clips that share its look (0 where none are known).
    """
    return look_realism(
        [clip.made_KHW3 for clip in clips], [clip.truth_KHW3 for clip in clips], others, seed
    )


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
        made_cuts_by_film=[clip.run_cuts for clip in dense],
    )


def look_qualities(
    clips: Sequence[FilmedClip],
    realism: LookRealism,
    score_VV: np.ndarray,
    told: Mapping[str, str],
) -> list[LookQuality]:
    """What came of each look that a `reel` chose, in the order of their names; none for a U-Net.

    realism: of the V clips. score_VV: of `usefulness`. told: looks of clips, by id, where known.
    """
    count = len(clips)
    own_V = np.diagonal(score_VV)
    margin_V = own_V - (score_VV.sum(axis=0) - own_V) / (count - 1)
    looks = []
    called = [None if clip.look is None else told.get(clip.look, clip.look) for clip in clips]
    for look in sorted({name for name in called if name is not None}):
        those = [place for place, name in enumerate(called) if name == look]
        known = [place for place in those if clips[place].id in told]
        looks.append(
            LookQuality(
                look,
                len(those),
                float(realism.made_N[those].mean()),
                float(realism.real_N[those].mean()),
                float(margin_V[those].mean()),
                float(margin_V[those].min()),
                float(margin_V[those].max()),
                sum(told[clips[place].id] == look for place in known) if known else None,
            )
        )
    return looks


def _tensor(pictures_NHW3: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pictures_NHW3).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
