"""The columns of `generators.py`: one generator's films beside the real videos."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from generators_filmed import Scene
from soundreel.evidence.cuts import find_cuts
from soundreel.evidence.descriptor_margins import bootstrap_interval, descriptor_margins
from soundreel.evidence.look_realism import look_realism
from soundreel.evidence.memory import memorisation
from soundreel.evidence.quality import sharpness_ratio
from soundreel.evidence.realism import small_pictures
from soundreel.evidence.usefulness import usefulness
from soundreel.evidence.warping import flicker_and_motion

#: Pictures of a clip that stand for it, spread over it; neighbouring ones for flicker and motion.
_SPREAD, _RUN = 48, 96
#: Seconds between pictures whose nearest training frame is looked for.
_APART_SECONDS = 1.0
_DRAWS = 999


@dataclass(frozen=True)
class Measured:
    """One generator's numbers; where they cannot be told they are None.

    margin: mean of six descriptor correlations, own song less others' (`descriptor_margins`), with
    its 95% interval over clips; by_descriptor: of each.
    realism: sliced Wasserstein to real frames of the same look, with its interval; own: the same,
    and of the real videos with their own frames among the real ones.
    flicker, motion, sharpness: over the real video's. cuts_a_minute: cuts that can be seen.
    copies: share of copies of training frames; near: median distance to training frames, over
    that of held-out frames. useful: `usefulness` in pixels, with its interval and p.
    margin_of_clip, realism_of_clip: for intervals of differences.
    """

    margin: float
    margin_low: float
    margin_high: float
    by_descriptor: dict[str, float]
    realism: float
    realism_low: float
    realism_high: float
    own: float
    flicker: float | None
    motion: float | None
    sharpness: float
    copies: float | None
    near: float | None
    useful: float
    useful_low: float
    useful_high: float
    useful_p: float
    cuts_a_minute: float
    margin_of_clip: list[float]
    realism_of_clip: list[float]


def measured(
    scenes: Sequence[Scene],
    made: Sequence[np.ndarray],
    training_MHW3: np.ndarray,
    fps: Fraction,
    seed: int,
    is_real: bool = False,
) -> Measured:
    """Measure the films of the scenes: T x H x W x 3 uint8 each.

    is_real: these are the real videos themselves, so what counts as their realism is how far they
    are from other films of their look.
    """
    truth = [scene.truth_THW3 for scene in scenes]
    margins = descriptor_margins(made, truth, [scene.run_starts for scene in scenes], seed)
    margin_N = margins.margins.mean(1)
    some = [_spread(len(film), _SPREAD) for film in made]
    look = look_realism(
        [film[at] for film, at in zip(made, some, strict=True)],
        [film[at] for film, at in zip(truth, some, strict=True)],
        [scene.others_BHW3 for scene in scenes],
        seed,
    )
    realism_N = look.real_N if is_real else look.made_N
    realism_low, realism_high = bootstrap_interval(realism_N, seed)
    apart = max(1, round(_APART_SECONDS * fps))
    copied = memorisation(
        np.concatenate([film[::apart] for film in made]),
        training_MHW3,
        np.concatenate([film[::apart] for film in truth]),
        seed,
    )
    useful = usefulness(
        [_small(film) for film in made],
        [_small(film) for film in truth],
        times_by_clip=[scene.seconds for scene in scenes],
        draws=_DRAWS,
        seed=seed,
    )
    flicker, motion, cuts = _over_time(scenes, made, fps)
    return Measured(
        margin=margins.mean,
        margin_low=margins.low,
        margin_high=margins.high,
        by_descriptor=margins.by_name,
        realism=float(realism_N.mean()),
        realism_low=realism_low,
        realism_high=realism_high,
        own=look.made,
        flicker=flicker,
        motion=motion,
        sharpness=sharpness_ratio(
            torch.cat([_tensor(film[at]) for film, at in zip(made, some, strict=True)]),
            torch.cat([_tensor(film[at]) for film, at in zip(truth, some, strict=True)]),
        ),
        copies=_known(copied.copy_rate),
        near=_known(copied.median_ratio),
        useful=useful.effect,
        useful_low=useful.interval[0],
        useful_high=useful.interval[1],
        useful_p=useful.p,
        cuts_a_minute=cuts,
        margin_of_clip=margin_N.tolist(),
        realism_of_clip=realism_N.tolist(),
    )


def differences(rows: dict[str, Measured], seed: int) -> dict[str, dict[str, Any]]:
    """The first row's margin less each other's, and its realism over theirs, with 95% intervals."""
    first, *others = rows
    found = {}
    for other in others:
        margin_N = np.subtract(rows[first].margin_of_clip, rows[other].margin_of_clip)
        realism_N = np.divide(rows[first].realism_of_clip, rows[other].realism_of_clip)
        found[f"{first} beside {other}"] = {
            "margin_difference": float(margin_N.mean()),
            "margin_ci_95": bootstrap_interval(margin_N, seed),
            "realism_ratio": rows[first].realism / rows[other].realism,
            "mean_realism_ratio": float(realism_N.mean()),
            "mean_realism_ratio_ci_95": bootstrap_interval(realism_N, seed),
        }
    return found


def _over_time(
    scenes: Sequence[Scene], made: Sequence[np.ndarray], fps: Fraction
) -> tuple[float | None, float | None, float]:
    """Flicker, motion (None where frames are not dense), cuts a minute."""
    runs = [_longest_run(scene.run_starts, len(scene.truth_THW3)) for scene in scenes]
    runs_made = [film[run] for film, run in zip(made, runs, strict=True)]
    runs_true = [scene.truth_THW3[run] for scene, run in zip(scenes, runs, strict=True)]
    cuts = [[round(cut * fps) for cut in find_cuts(film, fps).tolist()] for film in runs_made]
    minutes = sum(len(film) for film in runs_made) / float(fps) / 60
    a_minute = sum(map(len, cuts)) / minutes
    if fps < Fraction(15, 2) or max(map(len, runs_made)) < 3:
        return None, None, a_minute
    # A cut is neither flicker nor motion, whoever made it. A generator that leaps all the time
    # has no cuts: those stand out from what is around them.
    flow = flicker_and_motion(runs_made, runs_true, fps, made_cuts_by_film=cuts)
    return flow.flicker, flow.motion_ratio, a_minute


def _longest_run(starts: np.ndarray, length: int) -> slice:
    edges = np.append(starts, length)
    longest = int(np.diff(edges).argmax())
    first, stop = int(edges[longest]), int(edges[longest + 1])
    return slice(first, min(stop, first + _RUN))


def _spread(length: int, most: int) -> np.ndarray:
    return np.linspace(0, length - 1, min(most, length)).round().astype(np.int64)


def _small(film_THW3: np.ndarray) -> np.ndarray:
    return small_pictures(film_THW3).astype(np.float32).reshape(len(film_THW3), -1) / 127.5 - 1


def _tensor(pictures_NHW3: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pictures_NHW3).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
