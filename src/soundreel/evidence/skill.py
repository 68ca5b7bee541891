"""How much less a model errs than the simplest answers, and than itself with another sound.

Shapes: V clips, T moments, D numbers a moment (see `clip_moments`), N training frames, B draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soundreel.evidence.clip_moments import (
    AWAY_SECONDS,
    ClipMoments,
    clip_moments,
    far_shifts,
    flat,
)
from soundreel.seeding import numpy_generator_for

#: What a model is held against, by name.
BASELINES = (
    "training mean frame",
    "random training frame",
    "G(mean input)",
    "G(swapped song)",
    "G(shifted)",
)
#: So many other songs, and so many shifts, of each clip give a mean that hardly changes with more.
_OTHERS = 8


@dataclass(frozen=True)
class SkillBeside:
    """1 - loss / loss of a baseline: 1 is perfect, 0 no better; with its 95% interval."""

    skill: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Skill:
    """A model's mean loss over clips, and its skill beside each baseline, by name.

    beside: without the baselines that fewer than two clips have.
    """

    loss: float
    beside: dict[str, SkillBeside]


@dataclass(frozen=True, eq=False)
class Losses:
    """Mean absolute errors for each of V clips: the model's, and each baseline's by name.

    NaN where a clip has no such baseline: G(shifted), if it is too short to be shifted.
    """

    model_V: np.ndarray
    baseline_V: dict[str, np.ndarray]


def losses_by_clip(
    made_by_clip: Sequence[np.ndarray],
    truth_by_clip: Sequence[np.ndarray],
    rate_hz: float | None = None,
    *,
    times_by_clip: Sequence[np.ndarray] | None = None,
    made_of_mean_D: np.ndarray,
    training_frames_ND: np.ndarray,
    mean_frame_D: np.ndarray | None = None,
    away_seconds: float = AWAY_SECONDS,
    seed: int = 0,
) -> Losses:
    """The mean absolute error of what a model made, and of what it is held against.

    made_by_clip, truth_by_clip, rate_hz, times_by_clip: as in `clip_moments`.
    made_of_mean_D: what the model makes of the mean input.
    training_frames_ND: some training frames, spread over all of them; one is drawn for each moment.
    mean_frame_D: the mean training frame; None: that of training_frames_ND.

    G(swapped song) is what was made from up to 8 others' songs at the same relative time,
    G(shifted) what was made from the own song at least `away_seconds` away, for up to 8 shifts.

    Raises: ValueError as `clip_moments`; if a frame has another number of columns, or there is no
    training frame.
    """
    clips = clip_moments(made_by_clip, truth_by_clip, rate_hz, times_by_clip)
    columns = clips.truth[0].shape[1]
    training_ND = flat(training_frames_ND)
    if len(training_ND) == 0:
        raise ValueError("no training frame: at least one is needed")
    mean_D = training_ND.mean(axis=0) if mean_frame_D is None else np.ravel(mean_frame_D)
    of_mean_D = np.ravel(made_of_mean_D)
    found = (training_ND.shape[1], len(mean_D), len(of_mean_D))
    if found != (columns,) * 3:
        raise ValueError(
            f"training frames, mean frame and G(mean input) have {found} columns: {columns} are "
            "needed"
        )
    rng = numpy_generator_for(seed, "skill training frames")
    losses: dict[str, list[float]] = {name: [] for name in BASELINES}
    for v, truth_TD in enumerate(clips.truth):
        drawn_T = rng.integers(len(training_ND), size=len(truth_TD))
        losses["training mean frame"].append(_l1(mean_D, truth_TD))
        losses["random training frame"].append(_l1(training_ND[drawn_T], truth_TD))
        losses["G(mean input)"].append(_l1(of_mean_D, truth_TD))
        losses["G(swapped song)"].append(_swapped_loss(clips, v))
        losses["G(shifted)"].append(_shifted_loss(clips, v, away_seconds))
    return Losses(
        np.array([_l1(*both) for both in zip(clips.made, clips.truth, strict=True)]),
        {name: np.array(loss_V) for name, loss_V in losses.items()},
    )


def skill(losses: Losses, draws: int = 1_999, seed: int = 0) -> Skill:
    """1 - L(G) / L(B) for each baseline B, of losses averaged over clips.

    The interval: percentiles over `draws` samples of the clips, with replacement, the same samples
    for every baseline. A clip that lacks a baseline is left out beside that one. Where a baseline
    makes no error, skill is 0 for a model that makes none either, else -infinity.

    Raises: ValueError if there are fewer than two clips or no draws, the numbers of clips differ,
    or the model's loss of a clip is no number.
    """
    model_V = np.asarray(losses.model_V, np.float64)
    count = len(model_V)
    if count < 2 or draws < 1:
        raise ValueError(f"{count} clips and {draws} draws: at least 2 clips and 1 draw are needed")
    if not np.isfinite(model_V).all():
        raise ValueError("the model's loss of a clip is no number")
    rng = numpy_generator_for(seed, "skill bootstrap")
    clip_BV = rng.integers(count, size=(draws, count))
    beside = {}
    for name, loss_V in losses.baseline_V.items():
        loss_V = np.asarray(loss_V, np.float64)
        if len(loss_V) != count:
            raise ValueError(f"{name}: losses of {len(loss_V)} clips, the model's of {count}")
        there_V = np.isfinite(loss_V)
        if there_V.sum() < 2:
            continue
        if not there_V.all():
            kept = np.flatnonzero(there_V)
            sample_BV = kept[rng.integers(len(kept), size=(draws, len(kept)))]
        else:
            kept, sample_BV = np.arange(count), clip_BV
        low, high = np.quantile(
            _skills(model_V[sample_BV].mean(axis=1), loss_V[sample_BV].mean(axis=1)),
            (0.025, 0.975),
            method="nearest",  # -infinity cannot be interpolated
        )
        observed = _skills(model_V[kept].mean(keepdims=True), loss_V[kept].mean(keepdims=True))
        beside[name] = SkillBeside(float(observed[0]), float(low), float(high))
    return Skill(float(model_V.mean()), beside)


def _skills(model_B: np.ndarray, baseline_B: np.ndarray) -> np.ndarray:
    perfect_B = np.where(model_B > 0, -np.inf, 0.0)
    ratio_B = np.divide(model_B, baseline_B, out=np.ones_like(model_B), where=baseline_B > 0)
    return np.where(baseline_B > 0, 1 - ratio_B, perfect_B)


def _swapped_loss(clips: ClipMoments, v: int) -> float:
    others = [(v + step) % len(clips) for step in range(1, min(len(clips), _OTHERS + 1))]
    if not others:
        return float("nan")
    return float(np.mean([_l1(clips.made_for(u, v), clips.truth[v]) for u in others]))


def _shifted_loss(clips: ClipMoments, v: int, away_seconds: float) -> float:
    shift_S = far_shifts(clips.times[v], away_seconds)
    if len(shift_S) == 0:
        return float("nan")
    chosen = shift_S[np.unique(np.linspace(0, len(shift_S) - 1, _OTHERS).round().astype(int))]
    made_TD, truth_TD = clips.made[v], clips.truth[v]
    return float(np.mean([_l1(np.roll(made_TD, -shift, axis=0), truth_TD) for shift in chosen]))


def _l1(made_TD: np.ndarray, truth_TD: np.ndarray) -> float:
    return float(np.abs(made_TD - truth_TD).mean(dtype=np.float64))
