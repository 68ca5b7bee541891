"""How a director cuts: how long shots last, how often they begin on the beat, how near to it.

Shapes: V clips, N shots or cuts of all clips, Q quantiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from soundreel.cutting.counting import BeatCount, count_beats
from soundreel.evidence.cut_beats import TOLERANCE_SECONDS

#: So many quantiles of shot lengths and of lags, evenly from 0 to 1.
_LENGTHS, _LAGS = 41, 21
#: From cuts that are known no better than this one cannot tell which are on a beat.
COARSEST_SECONDS = 0.25
#: Fewer hits beyond chance than these, or than so many standard errors of chance, tell neither
#: lags nor bars.
_FEWEST_ON_BEAT, _ERRORS_ON_BEAT = 5.0, 3.0
#: Where nearly every moment is near a beat, cuts say nothing: so many must count in full.
_FEWEST_TELLING = 2.0

#: Times of events in seconds, one dimension.
_Times = Sequence[float] | np.ndarray


class CuttingHabits(BaseModel):
    """How a director cuts. Frozen; unknown keys are refused; saved in a model's config."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shots: int = Field(ge=0)
    """How many whole shots it was learnt from: from one cut to the next."""
    shot_seconds: tuple[float, ...] = ()
    """Quantiles of how long shots last, evenly from 0 to 1, in seconds: lengths drawn from them,
    linear in between, have the mean that was learnt. Empty: this director never cuts."""
    shot_beats: tuple[float, ...] | None = None
    """The same in beats; None where no clip has a steady beat."""
    on_beat_share: float | None = Field(default=None, ge=0, le=1)
    """The share of cuts that are put on a beat, those left out that lie on one by chance; None
    where that cannot be told (no beats, or times of cuts known worse than a quarter second)."""
    lag_seconds: tuple[float, ...] = ()
    """Quantiles of cut less beat of the cuts put on a beat: below 0 the cut comes first. Empty
    where too few are."""
    downbeat_share: float | None = Field(default=None, ge=0, le=1)
    """Of the cuts put on a beat, the share on one that begins a bar; None where it is unknown."""
    resolution_seconds: float = Field(default=0.0, ge=0)
    """The times of cuts are known to this."""

    @model_validator(mode="after")
    def _check(self) -> CuttingHabits:
        for name in ("shot_seconds", "shot_beats", "lag_seconds"):
            values = np.array(getattr(self, name) or (), np.float64)
            if not np.isfinite(values).all() or (np.diff(values) < 0).any():
                raise ValueError(f"{name} must be finite numbers that ascend")
            if name != "lag_seconds" and len(values) and not (values[0] >= 0 and values[-1] > 0):
                raise ValueError(f"{name} must be lengths of at least 0, not all of them 0")
        return self

    @property
    def mean_shot_seconds(self) -> float:
        """How long a shot lasts on average; infinite where none ends."""
        return mean_of_quantiles(self.shot_seconds) if self.shot_seconds else float("inf")

    @property
    def cuts_per_minute(self) -> float:
        """How often this director cuts, as often as shots of this mean length make it."""
        return 60 / self.mean_shot_seconds

    def summary(self) -> str:
        """One line for people."""
        if not self.shot_seconds:
            return "never cuts"
        length = f"{self.mean_shot_seconds:.1f} s"
        if self.shot_beats:
            length += f" or {mean_of_quantiles(self.shot_beats):.1f} beats"
        said = f"cuts {self.cuts_per_minute:.0f} times a minute (a shot lasts {length} on average)"
        if self.on_beat_share is None:
            return said
        said += f", puts {self.on_beat_share:.0%} of cuts on a beat"
        if self.downbeat_share is not None:
            said += f", {self.downbeat_share:.0%} of those on the first of a bar"
        return said


def mean_of_quantiles(values_Q: Sequence[float] | np.ndarray) -> float:
    """The mean of what is drawn from quantiles that are even from 0 to 1, linear in between."""
    values = np.asarray(values_Q, np.float64)
    return float((values[:-1] + values[1:]).mean() / 2) if len(values) > 1 else float(values[0])


@dataclass(frozen=True)
class _Cuts:
    """The cuts of one clip, ascending, and its length, in seconds; its beats and its bars."""

    cut_seconds: np.ndarray
    seconds: float
    beats: BeatCount | None
    bar_seconds: np.ndarray


def learn_habits(
    cut_seconds_by_clip: Sequence[_Times],
    clip_seconds: Sequence[float],
    beat_seconds_by_clip: Sequence[_Times],
    bar_seconds_by_clip: Sequence[_Times],
    resolution_seconds: float,
) -> CuttingHabits:
    """The habits behind the cuts of some clips.

    cut_seconds_by_clip: of each clip, from its start, in any order; clip_seconds: how long it was
    looked at (a piece of a clip is a clip); beat_seconds_by_clip, bar_seconds_by_clip: ascending,
    empty where it does not beat steadily; they may lie outside of it.
    resolution_seconds: cuts are known to this, without leaning to either side.

    Shot lengths: every cut begins a shot, which the next cut ends or, unfinished, the clip: then
    it lasted at least so long (E. Kaplan and P. Meier, "Nonparametric estimation from incomplete
    observations", 1958). A clip's first shot is left out: when it began is not known, and longer
    shots are likelier to be caught at any moment. What outlasts the longest whole shot has an
    exponential tail (as in B. Brown, M. Hollander and R. Korwar 1974), with which the mean length
    is all clips' time over all cuts (a tail of half to twice that).

    On the beat: within the tolerance t = 0.07 s and half of the resolution lie all cuts put on
    beats (share s) and of the others those that do by chance, 2 t / period: hits = s + (1 - s)
    chance, solved for s over all cuts. The lags are those of the hits, with what chance adds and
    what the resolution spreads taken off; so is chance from the share of downbeats.

    Raises: ValueError if the numbers of clips differ, or times are not finite, not within their
    clip or do not ascend.
    """
    counts = {
        len(cut_seconds_by_clip), len(clip_seconds), len(beat_seconds_by_clip),
        len(bar_seconds_by_clip),
    }  # fmt: skip
    if len(counts) > 1:
        raise ValueError("cuts, lengths, beats and bars must be of equally many clips")
    if not 0 <= resolution_seconds < np.inf:
        raise ValueError(f"a resolution of {resolution_seconds} s: it must be at least 0")
    clips = [
        _clip(clip, *given)
        for clip, given in enumerate(
            zip(
                cut_seconds_by_clip,
                clip_seconds,
                beat_seconds_by_clip,
                bar_seconds_by_clip,
                strict=True,
            )
        )
    ]
    shots = sum(max(0, len(clip.cut_seconds) - 1) for clip in clips)
    if not any(len(clip.cut_seconds) for clip in clips):
        return CuttingHabits(shots=0, resolution_seconds=resolution_seconds)
    shot_seconds = _length_quantiles(
        [clip.cut_seconds for clip in clips], [(0.0, clip.seconds) for clip in clips]
    )
    counted = [clip for clip in clips if clip.beats is not None]
    if resolution_seconds > COARSEST_SECONDS or not any(len(clip.cut_seconds) for clip in counted):
        return CuttingHabits(
            shots=shots, shot_seconds=shot_seconds, resolution_seconds=resolution_seconds
        )
    share, lags, downbeats = _on_beats(counted, resolution_seconds)
    return CuttingHabits(
        shots=shots,
        shot_seconds=shot_seconds,
        shot_beats=_length_quantiles(
            [_numbers(clip, clip.cut_seconds) for clip in counted],
            [tuple(_numbers(clip, np.array([0, clip.seconds]))) for clip in counted],
        ),
        on_beat_share=share,
        lag_seconds=lags,
        downbeat_share=downbeats,
        resolution_seconds=resolution_seconds,
    )


def _clip(clip: int, cuts: _Times, seconds: float, beats: _Times, bars: _Times) -> _Cuts:
    cuts = np.sort(np.asarray(cuts, np.float64).ravel())
    if not 0 <= seconds < np.inf:
        raise ValueError(f"clip {clip} is {seconds} s long: it must be at least 0")
    if not (np.isfinite(cuts).all() and ((cuts >= 0) & (cuts <= seconds)).all()):
        raise ValueError(f"clip {clip}: a cut lies outside its {seconds:g} s")
    bars = np.asarray(bars, np.float64).ravel()
    if not np.isfinite(bars).all() or (np.diff(bars) < 0).any():
        raise ValueError(f"clip {clip}: its bars must be finite times that ascend")
    try:
        counted = count_beats(beats)
    except ValueError as error:
        raise ValueError(f"clip {clip}: {error}") from error
    # Where a clip begins and where it ends nothing is cut.
    return _Cuts(np.unique(cuts[(cuts > 0) & (cuts < seconds)]), float(seconds), counted, bars)


def _numbers(clip: _Cuts, time_seconds: np.ndarray) -> np.ndarray:
    assert clip.beats is not None
    return clip.beats.number_at(time_seconds)


def _length_quantiles(
    cuts_V: Sequence[np.ndarray], span_V: Sequence[tuple[float, ...]]
) -> tuple[float, ...]:
    """Quantiles of the lengths of shots, from the cuts and the span of each clip, in any unit."""
    whole_N = np.concatenate([np.diff(cuts) for cuts in cuts_V])
    unfinished = [
        span[1] - cuts[-1] for cuts, span in zip(cuts_V, span_V, strict=True) if len(cuts)
    ]
    overall = sum(span[1] - span[0] for span in span_V) / sum(len(cuts) for cuts in cuts_V)
    # Where a length ends how many do, and how many last at least so long.
    length_L, ends_L = np.unique(whole_N, return_counts=True)
    last_L = sum(
        len(lengths) - np.searchsorted(np.sort(lengths), length_L)
        for lengths in (whole_N, np.array(unfinished))
    )
    beyond_L = np.cumprod(1 - ends_L / last_L)  # the share that outlasts each length
    length_L, beyond_L = np.append(0.0, length_L), np.append(1.0, beyond_L)
    mean = float(np.diff(length_L) @ beyond_L[:-1])
    excess = np.clip((overall - mean) / max(beyond_L[-1], 1e-9), overall / 2, overall * 2)
    mean += beyond_L[-1] * excess
    share_Q = np.linspace(0, 1, _LENGTHS)
    place_Q = np.searchsorted(1 - beyond_L, share_Q - 1e-12).clip(0, len(length_L) - 1)
    value_Q = length_L[place_Q]
    value_Q[0] = length_L[min(1, len(length_L) - 1)]
    tail_Q = share_Q > 1 - beyond_L[-1] + 1e-12
    with np.errstate(divide="ignore"):
        value_Q[tail_Q] = length_L[-1] + excess * np.log(beyond_L[-1] / (1 - share_Q[tail_Q]))
    # The last piece of a straight-line table ends where it has the mean that was learnt.
    value_Q[-1] = 2 * ((_LENGTHS - 1) * mean - value_Q[:-1].sum() + value_Q[0] / 2)
    longest = np.inf if tail_Q.any() else length_L[-1]
    value_Q[-1] = min(max(value_Q[-1], value_Q[-2]), longest)
    return tuple(np.round(value_Q, 4).tolist())


def _on_beats(
    clips: Sequence[_Cuts], resolution_seconds: float
) -> tuple[float | None, tuple[float, ...], float | None]:
    """The share put on beats, the quantiles of their lags, the share of downbeats among them."""
    tolerance = TOLERANCE_SECONDS + resolution_seconds / 2
    lags, periods, barred, begins, bases = [], [], [], [], []
    for clip in clips:
        assert clip.beats is not None
        cuts = clip.cut_seconds[clip.beats.is_heard(clip.cut_seconds)]
        nearest_N = np.rint(clip.beats.number_at(cuts))
        lags.append(cuts - clip.beats.seconds_at(nearest_N))
        periods.append(clip.beats.period_at(cuts))
        bar_beats = clip.beats.beats_of(clip.bar_seconds)
        beats_a_bar = float(np.median(np.diff(bar_beats))) if len(bar_beats) > 1 else np.inf
        barred.append(np.full(len(cuts), len(bar_beats) > 1))
        begins.append(np.isin(nearest_N, bar_beats))
        bases.append(np.full(len(cuts), 1 / beats_a_bar))
    lag_N, chance_N = np.concatenate(lags), np.minimum(1, 2 * tolerance / np.concatenate(periods))
    hit_N = np.abs(lag_N) <= tolerance * (1 + 1e-9)
    if (1 - chance_N).sum() < _FEWEST_TELLING:
        return None, (), None
    share = float(np.clip((hit_N - chance_N).sum() / (1 - chance_N).sum(), 0, 1))
    # Of lags from where all of the tolerance lies within the beat.
    hit_N &= chance_N < 1
    telling_N = chance_N[chance_N < 1]
    hits = int(hit_N.sum())
    put = hits - (1 - share) * float(telling_N.sum())
    by_chance = (1 - share) * float((telling_N * (1 - telling_N)).sum())
    if put < max(_FEWEST_ON_BEAT, _ERRORS_ON_BEAT * np.sqrt(by_chance)):
        return share, (), None
    quantiles = _lag_quantiles(lag_N[hit_N], put / hits, tolerance, resolution_seconds)
    barred_N = np.concatenate(barred) & hit_N
    downbeats = None
    if barred_N.any():
        base = float(np.concatenate(bases)[barred_N].mean())
        seen = float(np.concatenate(begins)[barred_N].mean())
        downbeats = float(np.clip((seen - (1 - put / hits) * base) / (put / hits), 0, 1))
    return share, quantiles, downbeats


def _lag_quantiles(
    lag_N: np.ndarray, put: float, tolerance: float, resolution_seconds: float
) -> tuple[float, ...]:
    """Quantiles of the lags of cuts put on beats, a share `put` of hits; others are uniform.

    The shape is that of the hits' distribution less the uniform part; then it gets the mean and
    the variance that are left without that part and without what the resolution spreads.
    """
    put = min(put, 1.0)
    lag_N = np.sort(lag_N)
    below_N = (np.arange(len(lag_N)) + 0.5) / len(lag_N)
    below_N = (below_N - (1 - put) * (lag_N + tolerance) / (2 * tolerance)) / put
    below_N = np.maximum.accumulate(below_N.clip(0, 1))
    value_Q = lag_N[np.searchsorted(below_N, np.linspace(0, 1, _LAGS)).clip(0, len(lag_N) - 1)]
    mean = float(lag_N.mean() / put)
    square = float((np.square(lag_N).mean() - (1 - put) * tolerance**2 / 3) / put)
    spread = np.sqrt(max(0.0, square - mean**2 - resolution_seconds**2 / 12))
    middle = mean_of_quantiles(value_Q)
    drawn = np.sqrt(max(0.0, mean_of_quantiles(np.square(value_Q)) - middle**2))
    value_Q = mean + (value_Q - middle) * (spread / drawn if drawn > 1e-9 else 0.0)
    return tuple(np.round(value_Q.clip(-tolerance, tolerance), 4).tolist())
