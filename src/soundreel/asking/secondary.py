"""The secondary family, on clips: motion and onsets, cuts and beats, rules of a clip's own.

Each test is a line of the family, or says why it was not run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from soundreel.asking.curves import HEARD_NAMES, ClipCurves
from soundreel.evidence.attribution import PartDependence, part_dependence
from soundreel.evidence.cut_beats import CutBeats, cuts_on_beats
from soundreel.evidence.dependence import Design, SlowBand, halves_predicted, slow_band
from soundreel.evidence.distance import stratified_dependence
from soundreel.evidence.following import slow_terms_for
from soundreel.evidence.lag_curve import LagCurve, lag_curve
from soundreel.evidence.nulls import holm
from soundreel.evidence.own_mapping import own_mapping
from soundreel.evidence.retrieval import Retrieval, retrieval
from soundreel.evidence.strata import smoothness, strata_of
from soundreel.evidence.streams import standardised
from soundreel.evidence.sync import Sync, peaks, sync
from soundreel.progress import Listener, Step

Label = Literal["secondary", "exploratory"]

#: Every test beside the confirmatory one, and how much weight it has.
FAMILY: dict[str, Label] = {
    "motion and onsets": "secondary",
    "cuts and beats": "secondary",
    "a rule of each video's own": "secondary",
    "AV-Align": "secondary",
    "beat alignment": "secondary",
    "distance correlation among alike songs": "exploratory",
    "HSIC among alike songs": "exploratory",
    "finding the moment": "exploratory",
    "slow trends": "exploratory",
}
#: Fewer clips than this have no strata.
_LEAST_FOR_STRATA = 6
_LEAST_CUTS = 10
#: What a peak has to stand out of: the mean of so much time to either side, by so many spreads.
_AROUND_SECONDS = Fraction(2, 5)
_LEAST_SPREADS = 0.5


@dataclass(frozen=True)
class Line:
    """One test of the family.

    value, chance: in the test's own unit, by itself and by chance; effect: the difference.
    p_value: None where it was not run, and then `why` says why. p_holm: corrected over the
    secondary tests that were run; None for exploratory ones.
    """

    name: str
    label: Label
    unit: str
    value: float | None = None
    chance: float | None = None
    p_value: float | None = None
    p_holm: float | None = None
    why: str = ""

    @property
    def effect(self) -> float | None:
        """How far it lies above chance."""
        if self.value is None or self.chance is None:
            return None
        return self.value - self.chance


@dataclass(frozen=True)
class Secondary:
    """All tests of the family, and what figures are drawn of. None: not run."""

    lines: tuple[Line, ...]
    lags: LagCurve | None
    cuts: CutBeats | None
    heat: PartDependence | None


def secondary(
    clips: Sequence[ClipCurves],
    groups: Sequence[int],
    design: Design,
    lags: Sequence[int],
    progress: Listener,
) -> Secondary:
    """Run the family."""
    lines: dict[str, Line] = {}
    found: dict[str, Any] = {}
    many: dict[str, Any] = {"draws": design.draws, "seed": design.seed}
    rate = Fraction(1) / Fraction(design.every_seconds).limit_denominator(10_000)
    dense = _dense(clips)
    heard = [_ready(clip.clip(tuple(lags)).own_sound, design) for clip in clips]
    seen = [clip.seen_TP for clip in clips]
    strata = _strata(clips, design)
    alike = _alike_in_smoothness(heard, seen, rate)
    runs: dict[str, Callable[[], tuple[Line, Any]]] = {
        "motion and onsets": lambda: _lags(dense, many),
        "cuts and beats": lambda: _cuts(dense, many),
        "a rule of each video's own": lambda: _own(heard, seen, rate, alike, many),
        "AV-Align": lambda: _sync("AV-Align", dense, many),
        "beat alignment": lambda: _sync("beat alignment", dense, many),
        "distance correlation among alike songs": lambda: _alike(
            "dcor", heard, seen, rate, strata, many
        ),
        "HSIC among alike songs": lambda: _alike("hsic", heard, seen, rate, strata, many),
        "finding the moment": lambda: _finding(
            clips, groups, seen, design, tuple(lags), rate, many
        ),
        "slow trends": lambda: _slow(clips, groups, design, lags),
    }
    for done, (name, run) in enumerate(runs.items()):
        progress(Step("secondary tests", done, len(runs) + 1, "tests", name))
        try:
            lines[name], found[name] = run()
        except _NotRunError as why:
            lines[name], found[name] = Line(name, FAMILY[name], "", why=str(why)), None
    heat = None
    if len(clips) >= 3:
        heat = part_dependence(
            {"whole": [clip.clip((0,)).own_sound for clip in clips]},
            seen,
            clips[0].seen_names,
            HEARD_NAMES,
            slow_terms=[
                slow_terms_for(len(s) * design.every_seconds, design.slowest_seconds) for s in seen
            ],
            **many,
        )
    progress(Step("secondary tests", len(runs) + 1, len(runs) + 1, "tests"))
    return Secondary(
        lines=_corrected(list(lines.values())),
        lags=found["motion and onsets"],
        cuts=found["cuts and beats"],
        heat=heat,
    )


class _NotRunError(Exception):
    """A test that the clips do not allow; says why."""


def _corrected(lines: list[Line]) -> tuple[Line, ...]:
    tested = [n for n, line in enumerate(lines) if line.p_value is not None]
    family = [n for n in tested if lines[n].label == "secondary"]
    raised = holm([lines[n].p_value or 0.0 for n in family])
    for n, p_holm in zip(family, raised, strict=True):
        line = lines[n]
        lines[n] = Line(
            line.name, line.label, line.unit, line.value, line.chance, line.p_value, float(p_holm)
        )
    return tuple(lines)


def _dense(clips: Sequence[ClipCurves]) -> list[ClipCurves]:
    """The clips whose motion was measured, at the rate that most of them have."""
    rates = Counter(clip.dense_fps for clip in clips if clip.is_dense)
    if not rates:
        return []
    usual = rates.most_common(1)[0][0]
    return [clip for clip in clips if clip.dense_fps == usual]


def _need_dense(dense: Sequence[ClipCurves], at_least: int = 2) -> Fraction:
    if len(dense) < at_least:
        raise _NotRunError(
            "needs 8 or more pictures a second, of two clips at least: ask the video files"
        )
    return Fraction(dense[0].dense_fps).limit_denominator(10_000)


def _lags(dense: Sequence[ClipCurves], many: dict[str, Any]) -> tuple[Line, LagCurve]:
    fps = _need_dense(dense)
    curve = lag_curve(
        [clip.motion_F for clip in dense], [clip.onset_F for clip in dense], fps, **many
    )
    name = "motion and onsets"
    chance = float(curve.swap_null_B.mean())
    line = Line(name, FAMILY[name], "largest correlation over lags", curve.peak, chance)
    return _with_p(line, curve.p_value), curve


def _cuts(dense: Sequence[ClipCurves], many: dict[str, Any]) -> tuple[Line, CutBeats]:
    _need_dense(dense, 1)
    cuts = [clip.cut_seconds for clip in dense]
    if sum(map(len, cuts)) < _LEAST_CUTS:
        raise _NotRunError(
            f"{sum(map(len, cuts))} cuts were found: at least {_LEAST_CUTS} are needed"
        )
    try:
        beats = [clip.beat_seconds + clip.late_seconds for clip in dense]
        found = cuts_on_beats(cuts, beats, **many)
    except ValueError as error:
        raise _NotRunError(str(error)) from error
    name = "cuts and beats"
    line = Line(name, FAMILY[name], "share of cuts on a beat", found.hit_rate, found.null_mean)
    return _with_p(line, found.p_value), found


def _own(
    heard: Sequence[np.ndarray],
    seen: Sequence[np.ndarray],
    rate: Fraction,
    strata: np.ndarray | None,
    many: dict[str, Any],
) -> tuple[Line, None]:
    try:
        found = own_mapping(heard, seen, rate, strata=strata, **many)
    except ValueError as error:
        raise _NotRunError(str(error)) from error
    name = "a rule of each video's own"
    chance = float(found.null_B.mean())
    return _with_p(
        Line(name, FAMILY[name], "correlation", found.score, chance), found.p_value
    ), None


def _sync(
    name: Literal["AV-Align", "beat alignment"], dense: Sequence[ClipCurves], many: dict[str, Any]
) -> tuple[Line, Sync]:
    fps = _need_dense(dense)
    found = sync_of(dense, fps, "av-align" if name == "AV-Align" else "beat-alignment", many)
    if found is None:
        raise _NotRunError("no clip has both onsets and visual peaks")
    unit = f"score at {float(fps):g} pictures a second"
    nulls = [
        float(null.mean()) for null in (found.swap_null_B, found.shift_null_B) if null is not None
    ]
    return _with_p(Line(name, FAMILY[name], unit, found.value, max(nulls)), found.p_value), found


def sync_of(
    dense: Sequence[ClipCurves],
    fps: Fraction,
    statistic: Literal["av-align", "beat-alignment"],
    many: dict[str, Any],
) -> Sync | None:
    """AV-Align or beat alignment of clips of one rate; None where nothing has peaks."""
    heard = [
        onset_peaks(clip)
        if statistic == "av-align"
        else _within(clip.beat_seconds + clip.late_seconds, clip.seconds)
        for clip in dense
    ]
    seen = [
        peaks(clip.motion_F, _around(fps), least_spreads=_LEAST_SPREADS) / float(fps)
        for clip in dense
    ]
    both = [n for n in range(len(dense)) if len(heard[n]) and len(seen[n])]
    if not both:
        return None
    return sync(
        [heard[n] for n in both],
        [seen[n] for n in both],
        [dense[n].seconds for n in both],
        fps,
        statistic,
        **many,
    )


def onset_peaks(clip: ClipCurves) -> np.ndarray:
    """When notes and beats begin in a clip, in seconds: the onset envelope's clear peaks."""
    places = peaks(
        clip.strength_T,
        _around(Fraction(clip.onset_rate_hz)),
        _around(Fraction(clip.onset_rate_hz)) // 4,
        _LEAST_SPREADS,
    )
    return _within((places + 1) / clip.onset_rate_hz + clip.late_seconds, clip.seconds)


def _around(rate_hz: Fraction) -> int:
    """Samples to either side over which a peak stands out."""
    return max(2, round(_AROUND_SECONDS * rate_hz))


def _within(times_seconds: np.ndarray, seconds: float) -> np.ndarray:
    return times_seconds[(times_seconds >= 0) & (times_seconds < seconds)]


def _alike(
    kind: Literal["dcor", "hsic"],
    heard: Sequence[np.ndarray],
    seen: Sequence[np.ndarray],
    rate: Fraction,
    strata: np.ndarray | None,
    many: dict[str, Any],
) -> tuple[Line, None]:
    if strata is None:
        raise _NotRunError(f"needs at least {_LEAST_FOR_STRATA} clips to find alike ones among")
    found = stratified_dependence(heard, seen, strata, rate, kind, **many)
    name = "distance correlation among alike songs" if kind == "dcor" else "HSIC among alike songs"
    unit = "squared distance correlation" if kind == "dcor" else "HSIC"
    chance = float(found.null_B.mean())
    return _with_p(Line(name, FAMILY[name], unit, found.score, chance), found.p_value), None


def _finding(
    clips: Sequence[ClipCurves],
    groups: Sequence[int],
    seen: Sequence[np.ndarray],
    design: Design,
    lags: tuple[int, ...],
    rate: Fraction,
    many: dict[str, Any],
) -> tuple[Line, Retrieval]:
    # One rule, learnt on one half of the works, for the videos of the other: rules that share
    # training videos, as in a cross-validation, make p-values that are too small.
    half_V, predicted = halves_predicted([clip.clip(lags) for clip in clips], groups, design)
    tested = np.flatnonzero(half_V == 0).tolist()
    try:
        found = retrieval([predicted[v] for v in tested], [seen[v] for v in tested], rate, **many)
    except ValueError as error:
        raise _NotRunError(str(error)) from error
    name = "finding the moment"
    unit = "share of moments found first"
    line = Line(name, FAMILY[name], unit, found.recall_at_1, found.chance_recall_at_1)
    return _with_p(line, found.p_value), found


def _slow(
    clips: Sequence[ClipCurves], groups: Sequence[int], design: Design, lags: Sequence[int]
) -> tuple[Line, SlowBand]:
    found = slow_band([clip.clip(tuple(lags)) for clip in clips], groups, design)
    if found is None:
        raise _NotRunError(f"needs clips of {design.slowest_seconds:.0f} s or more")
    name = "slow trends"
    line = Line(name, FAMILY[name], "correlation", found.score, found.score - found.effect)
    return _with_p(line, found.p_swap), found


def _with_p(line: Line, p_value: float) -> Line:
    return Line(line.name, line.label, line.unit, line.value, line.chance, p_value)


def _ready(sound_TA: np.ndarray, design: Design) -> np.ndarray:
    """Curves heard at the weights that the confirmatory test gives them."""
    ready_TA = standardised(sound_TA[None], design.every_seconds, design.slowest_seconds)[0]
    return ready_TA * np.array(design.sound_weights) if design.sound_weights else ready_TA


def _alike_in_smoothness(
    heard: Sequence[np.ndarray], seen: Sequence[np.ndarray], rate: Fraction
) -> np.ndarray | None:
    """Strata for rules of a clip's own: with plain swaps, calm songs with calm videos pass."""
    if len(heard) < _LEAST_FOR_STRATA:
        return None
    each_VK = np.stack([smoothness(heard, rate), smoothness(seen, rate)], axis=1)
    return strata_of(np.zeros(len(heard)), np.zeros(len(heard)), each_VK)


def _strata(clips: Sequence[ClipCurves], design: Design) -> np.ndarray | None:
    if len(clips) < _LEAST_FOR_STRATA:
        return None
    rate = 1 / design.every_seconds
    heard_V = smoothness([clip.clip((0,)).own_sound for clip in clips], rate)
    seen_V = smoothness([clip.seen_TP for clip in clips], rate)
    return strata_of(
        np.array([clip.tempo_bpm for clip in clips]),
        np.array([clip.loudness_db for clip in clips]),
        np.stack([heard_V, seen_V], axis=1),
    )
