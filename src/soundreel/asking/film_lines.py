"""The tests of `ask --film`: whether what is seen of films changes when something is heard.

Every value is taken less what chance gives to the same films: songs shifted within each of them
and, where there are several, swapped between them.

Shapes: V films, F pictures of a film, L lags, B draws, P curves of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from soundreel.asking.change import STILL, STILL_ONSETS, change_of, levelled
from soundreel.asking.curves import ClipCurves
from soundreel.asking.secondary import sync_of
from soundreel.evidence.cut_beats import CutBeats, cuts_on_beats
from soundreel.evidence.lag_curve import lag_curve
from soundreel.evidence.nulls import Z_95, holm
from soundreel.evidence.streams import standardised
from soundreel.timeline import exact_seconds, frame_shown_at, frame_time

#: What is tested, and the unit that its value is in.
LINES = {
    "AV-Align": "peaks of sound and picture that meet, over all",
    "beat alignment": "nearness of visual peaks to beats",
    "cuts and beats": "share of cuts on a beat",
    "motion and onsets": "largest correlation over lags",
}
MOST_LAG_SECONDS = Fraction(1, 2)
#: How far songs are moved to see whether films' lags agree (see `lag_curve`).
NEAR_SECONDS = Fraction(2)
#: How far the song of a single film is moved for peaks. In 2 s one place in thirty is as good as
#: its own, too many for two tests; in 6 s a tempo that wanders is lost (.09 significant, not .06).
SINGLE_SECONDS = 4.0
_LEAST_CUTS = 10
#: What changes more slowly is no event.
_SLOWEST_SECONDS = 4.0


@dataclass(frozen=True)
class FilmLine:
    """One test: a value, what chance gives, and how rarely chance gives as much.

    swap_mean, shift_mean: the mean with other films' songs (None for a single film, and for cuts)
    and with the song at other times; chance: the larger of those that decide. low, high: 95%
    interval of the effect, the value less chance.
    p_value: the larger of those that decide; p_holm: corrected over the tests that were run.
    why: why it was not run; all numbers are None then.
    """

    name: str
    unit: str
    value: float | None = None
    swap_mean: float | None = None
    shift_mean: float | None = None
    chance: float | None = None
    low: float | None = None
    high: float | None = None
    p_swap: float | None = None
    p_shift: float | None = None
    p_value: float | None = None
    p_holm: float | None = None
    why: str = ""

    @property
    def effect(self) -> float | None:
        """How far the value lies above chance."""
        return None if self.value is None or self.chance is None else self.value - self.chance


@dataclass(frozen=True)
class Lags:
    """How changes of the picture go with onsets at every lag (positive: the picture is later).

    band: the whole curve stays below it in 95% of draws, with songs swapped or, where there are
    few films, moved. low_L, high_L: 95% at one lag, None where too few films make it.
    """

    seconds_L: np.ndarray
    correlation_L: np.ndarray
    band: float
    low_L: np.ndarray | None = None
    high_L: np.ndarray | None = None


@dataclass(frozen=True)
class FilmTests:
    """All lines, and what figures are drawn of. None: not run."""

    lines: tuple[FilmLine, ...]
    lags: Lags | None
    cuts: CutBeats | None


def swaps_decide(films: int, alpha: float) -> bool:
    """Whether there are enough films for a rare swap: V! orders, corrected for all the lines."""
    return math.factorial(min(films, 20)) * alpha >= len(LINES)


def at_rate(clip: ClipCurves, fps: Fraction, late_seconds: float = 0.0) -> ClipCurves:
    """A film that was measured at every picture, as its tests take it, at `fps` or its own rate.

    late_seconds: how long after a picture of the film the next one is that was taken, on average;
      the sound is held back by as much.

    motion_F becomes the change of the picture (`change_of`). Only the time that has both picture
    and sound is kept.
    """
    own = 1 / Fraction(clip.every_seconds).limit_denominator(100_000)
    seconds = min(len(clip.seen_TP) / own, Fraction(clip.seconds).limit_denominator(100_000))
    count = frame_shown_at(seconds, fps)
    speeds = {}
    for name in STILL:
        speed_T = clip.seen_TP[:, clip.seen_names.index(name)]
        speeds[name] = speed_T[:count] if own == fps else _mean_speeds(speed_T, own, fps, count)
    held_back = np.zeros(frame_shown_at(exact_seconds(late_seconds), Fraction(clip.onset_rate_hz)))
    strength_T = np.concatenate([held_back, clip.strength_T])[: len(clip.strength_T)]
    strength_T = levelled(strength_T, clip.onset_rate_hz, STILL_ONSETS)
    heard_at = (np.arange(len(clip.strength_T)) + 1) / clip.onset_rate_hz
    return replace(
        clip,
        seconds=float(seconds),
        dense_fps=float(fps),
        motion_F=change_of(speeds, float(fps)),
        onset_F=np.interp(_times(count, fps), heard_at, strength_T),
        strength_T=strength_T,
        beat_seconds=clip.beat_seconds + late_seconds,
        late_seconds=0.0,
    )


def film_tests(
    films: Sequence[ClipCurves], fps: Fraction, alpha: float, draws: int, seed: int
) -> FilmTests:
    """Run all lines on films as `at_rate` gives them."""
    many: dict[str, Any] = {"draws": draws, "seed": seed}
    both = swaps_decide(len(films), alpha)
    runs: dict[str, Callable[[], tuple[FilmLine, Any]]] = {
        "AV-Align": lambda: _sync("AV-Align", films, fps, both, many),
        "beat alignment": lambda: _sync("beat alignment", films, fps, both, many),
        "cuts and beats": lambda: _cuts(films, many),
        "motion and onsets": lambda: _lags(films, fps, both, many),
    }
    lines, found = [], {}
    for name, run in runs.items():
        try:
            line, found[name] = run()
        except _NotRunError as why:
            line, found[name] = FilmLine(name, LINES[name], why=str(why)), None
        lines.append(line)
    tested = [line for line in lines if line.p_value is not None]
    raised = dict(
        zip(
            [line.name for line in tested],
            holm([line.p_value or 0.0 for line in tested]).tolist(),
            strict=True,
        )
    )
    return FilmTests(
        tuple(replace(line, p_holm=raised.get(line.name)) for line in lines),
        found["motion and onsets"],
        found["cuts and beats"],
    )


class _NotRunError(Exception):
    """A test that the films do not allow; says why."""


def _mean_speeds(speed_T: np.ndarray, own: Fraction, fps: Fraction, count: int) -> np.ndarray:
    """Mean speed around each picture at `fps`: what moves is not lost, nor doubled, nor delayed.

    The change that a picture shows is spread over half the time to its neighbours, on both sides.
    """
    way_T = np.concatenate([[0.0], np.cumsum(speed_T)])
    edge_T = (np.arange(len(way_T)) - 0.5) / float(own)
    way_F = np.interp((np.arange(count + 1) - 0.5) / float(fps), edge_T, way_T)
    return np.diff(way_F) * float(fps / own)


def _times(count: int, fps: Fraction) -> np.ndarray:
    return np.array([float(frame_time(n, fps)) for n in range(count)])


def _sync(
    name: Literal["AV-Align", "beat alignment"],
    films: Sequence[ClipCurves],
    fps: Fraction,
    both: bool,
    many: dict[str, Any],
) -> tuple[FilmLine, None]:
    if len(films) == 1:
        many = {**many, "shift_seconds": SINGLE_SECONDS}
    found = sync_of(films, fps, "av-align" if name == "AV-Align" else "beat-alignment", many)
    if found is None:
        heard = "onsets" if name == "AV-Align" else "beats"
        raise _NotRunError(f"no film has both {heard} and changes of the picture that stand out")
    line = FilmLine(name, LINES[name], found.value, found.swap_mean, found.shift_mean)
    return _told(
        line, found.swap_null_B, found.shift_null_B, found.swap_p, found.shift_p, both
    ), None


def _cuts(films: Sequence[ClipCurves], many: dict[str, Any]) -> tuple[FilmLine, CutBeats]:
    cuts = [film.cut_seconds for film in films]
    count = sum(map(len, cuts))
    if count < _LEAST_CUTS:
        raise _NotRunError(f"{count} cuts were found: at least {_LEAST_CUTS} are needed")
    try:
        found = cuts_on_beats(cuts, [film.beat_seconds for film in films], **many)
    except ValueError as error:
        raise _NotRunError(str(error)) from error
    name = "cuts and beats"
    line = FilmLine(name, LINES[name], found.hit_rate, None, found.null_mean)
    return _told(line, None, found.null_B, None, found.p_value, False), found


def _lags(
    films: Sequence[ClipCurves], fps: Fraction, both: bool, many: dict[str, Any]
) -> tuple[FilmLine, Lags]:
    name = "motion and onsets"
    shortest = min(film.seconds for film in films)
    slowest = min(_SLOWEST_SECONDS, shortest / 2)
    if len(films) == 1:
        why = "two films are needed, whose lags can agree: a single one's may be any"
        return FilmLine(name, LINES[name], why=why), _lags_of_one(films[0], fps, slowest)
    curve = lag_curve(
        [film.motion_F for film in films],
        [film.onset_F for film in films],
        fps,
        MOST_LAG_SECONDS,
        slowest,
        NEAR_SECONDS,
        **many,
    )
    line = FilmLine(
        name,
        LINES[name],
        curve.peak,
        float(curve.swap_null_B.mean()),
        float(curve.shift_null_B.mean()),
    )
    line = _told(line, curve.swap_null_B, curve.shift_null_B, curve.p_swap, curve.p_shift, both)
    if both:
        lags = Lags(
            curve.lags_seconds_L, curve.correlation_L, curve.band, curve.low_L, curve.high_L
        )
    else:
        band = float(np.quantile(curve.shift_null_B, 0.95))
        lags = Lags(curve.lags_seconds_L, curve.correlation_L, band)
    return line, lags


def _lags_of_one(film: ClipCurves, fps: Fraction, slowest: float) -> Lags:
    """The lag curve of a single film; the band is of its song moved by up to `NEAR_SECONDS`.

    For the eye: no p-value comes of it. Where the song moves by no more than the lags that are
    searched, the curve has the same peak elsewhere: a quarter of all draws are as high. And
    farther away pictures that pulse at their song's tempo, at a phase of their own, lose it.
    """
    ready_2T1 = np.stack([film.motion_F, film.onset_F])[:, :, None]
    seen_F, heard_F = standardised(ready_2T1, float(1 / fps), slowest)[:, :, 0]
    count, most = len(seen_F), frame_shown_at(MOST_LAG_SECONDS, fps)
    near = min(frame_shown_at(NEAR_SECONDS, fps), count // 4)
    around_K = np.array(
        [_overlapping(seen_F, heard_F, k) for k in range(-most - near, most + near + 1)]
    )
    curve_SL = np.lib.stride_tricks.sliding_window_view(around_K, 2 * most + 1)
    lag_L = np.arange(-most, most + 1)
    band = float(np.quantile(curve_SL.max(axis=1), 0.95))
    return Lags(lag_L / float(fps), curve_SL[near], band)


def _overlapping(seen_F: np.ndarray, heard_F: np.ndarray, by: int) -> float:
    """The correlation of what is seen `by` samples after it is heard, over the times with both."""
    seen, heard = (x[max(0, k) : len(x) + min(0, k)] for x, k in ((seen_F, by), (heard_F, -by)))
    seen, heard = seen - seen.mean(), heard - heard.mean()
    norm = math.sqrt(float(seen @ seen) * float(heard @ heard))
    # Curves have unit variance: less than a billionth of it is rounding.
    return float(seen @ heard) / norm if norm > 1e-9 * len(seen) else 0.0


def _told(
    line: FilmLine,
    swap_null_B: np.ndarray | None,
    shift_null_B: np.ndarray,
    p_swap: float | None,
    p_shift: float,
    both: bool,
) -> FilmLine:
    """With p-values, chance and interval; of the null that gives more, if both decide."""
    assert line.value is not None
    null_B, p_value = shift_null_B, p_shift
    if both and swap_null_B is not None and p_swap is not None:
        p_value = max(p_shift, p_swap)
        if swap_null_B.mean() > shift_null_B.mean():
            null_B = swap_null_B
    effect, reach = line.value - float(null_B.mean()), Z_95 * float(null_B.std())
    return replace(
        line,
        chance=float(null_B.mean()),
        low=effect - reach,
        high=effect + reach,
        p_swap=p_swap,
        p_shift=p_shift,
        p_value=p_value,
    )
