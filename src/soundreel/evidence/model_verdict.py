"""What may be said of a trained model: whether it uses the song that it hears (EVIDENCE E)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from soundreel.evidence.skill import Skill
from soundreel.evidence.song_sensitivity import Sensitivity
from soundreel.evidence.two_afc import TwoAfc
from soundreel.evidence.usefulness import Usefulness

ModelWord = Literal["ignores the song", "responds, but not usefully", "uses the music", "undecided"]

#: The smallest effect of interest, in score units: a difference of correlations, whose square is
#: the share of the frames' changes that it explains, here 1%. EVIDENCE B: 30 clips of 40 moments
#: can rule out .10, not .05.
DELTA = 0.1
#: A model whose outputs vary by less than 1% of the frames' variance, and are within 10% of their
#: spread of what it makes of the mean input, hardly varies.
SMALL_SHARE, SMALL_DISTANCE = 0.01, 0.1
#: The p-value of swaps cannot be below 1 / V!: with 4 songs .042, and each of 24 pairings decides.
FEWEST_CLIPS = 5
#: Fewer models that were trained on swapped songs say nothing of what training alone gives.
FEWEST_CONTROLS = 3


class ModelVerdict(NamedTuple):
    """A verdict, and the sentences that say why, the deciding ones first."""

    verdict: ModelWord
    reasons: list[str]


def model_verdict(
    sensitivity: Sensitivity,
    usefulness: Usefulness,
    controls: Sequence[float] = (),
    *,
    skill: Skill | None = None,
    two_afc: TwoAfc | None = None,
    delta: float = DELTA,
    alpha: float = 0.05,
) -> ModelVerdict:
    """Whether a model uses the music of songs that it never saw, and why that is said.

    controls: the effects, on the same clips, of models of the same architecture that were trained
      on swapped songs; at least 3 for a statement.
    skill, two_afc: said among the reasons; they decide nothing.
    delta: the smallest effect of interest, in score units.

    - "ignores the song": the outputs do not vary visibly; or they hardly vary (1% of the frames'
      variance, and 10% of their spread from G(mean input)) and nothing shows that what there is of
      it is useful.
    - "uses the music": p <= alpha with both nulls, the 95% interval above 0, at least 5 songs, and
      an effect above that of every control.
    - "responds, but not usefully": p > alpha, and the 90% interval lies within +-delta, at least 5
      songs.
    - "undecided": otherwise; the reasons say what effect would have been found, and how many songs
      would settle it.

    Raises: ValueError unless delta > 0 and 0 < alpha < 1, or if a control is no number.
    """
    if delta <= 0 or not 0 < alpha < 1 or not all(map(math.isfinite, controls)):
        raise ValueError(
            f"delta {delta}, alpha {alpha}, controls {list(controls)}: give delta above 0, alpha "
            "between 0 and 1, and numbers"
        )
    enough = usefulness.clips >= FEWEST_CLIPS
    found = usefulness.p <= alpha and usefulness.interval[0] > 0
    beaten = all(usefulness.effect > control for control in controls)
    low, high = usefulness.interval_90
    negligible = -delta < low and high < delta
    hardly = sensitivity.share < SMALL_SHARE and sensitivity.beside_mean < SMALL_DISTANCE
    useful = enough and found and beaten
    verdict: ModelWord
    if not sensitivity.visible or (hardly and not useful):
        verdict = "ignores the song"
    elif useful:
        verdict = "uses the music"
    elif enough and usefulness.p > alpha and negligible:
        verdict = "responds, but not usefully"
    else:
        verdict = "undecided"
    reasons = [_of_sensitivity(sensitivity, hardly), _of_usefulness(usefulness, alpha)]
    if verdict == "ignores the song":
        reasons.append(
            "The mean picture is the best answer to a squared error where the music says little of "
            "the picture: that is not by itself a failure of the training."
        )
    else:
        reasons.reverse()
        if negligible:
            reasons.append(
                f"The 90% interval {_span(low, high)} lies within +-{delta:g}: there is no effect "
                "of interest."
            )
        if found and hardly:
            reasons.append("The outputs hardly vary, but what they vary goes with the frames.")
    if not enough:
        count = usefulness.clips
        reasons.append(
            f"Songs of only {count} clips can be swapped: p cannot be below 1/{count}! = "
            f"{1 / math.factorial(count):.2g}; a statement needs at least {FEWEST_CLIPS}."
        )
    if usefulness.shifted_clips == 0:
        reasons.append("No clip is long enough to be shifted: the second null could not be had.")
    if verdict == "undecided":
        needed = max(usefulness.clips_needed(delta), FEWEST_CLIPS)
        reasons.append(
            f"An effect of {usefulness.mde80:.3f} would have been found four times out of five "
            f"(MDE80); about {needed} held-out songs like these would tell {delta:g} from none."
        )
    reasons.append(_of_controls(usefulness, controls))
    if skill is not None:
        reasons += _of_skill(skill)
    if two_afc is not None:
        reasons.append(
            f"Of two moments, the right one is nearer in {two_afc.rate:.1%} "
            f"({two_afc.low:.1%} to {two_afc.high:.1%}; chance 50%; p = {two_afc.p_swap:.2g} with "
            f"songs swapped and {two_afc.p_shift:.2g} shifted)."
        )
    return ModelVerdict(verdict, reasons)


def _of_sensitivity(sensitivity: Sensitivity, hardly: bool) -> str:
    how = (
        "do not vary visibly"
        if not sensitivity.visible
        else "hardly vary with the sound"
        if hardly
        else "vary with the sound"
    )
    return (
        f"The outputs {how}: {sensitivity.share:.2%} of the frames' variance, and "
        f"{sensitivity.beside_mean:.0%} of their spread away from what the mean input gives "
        f"({sensitivity.beside_silence:.0%} from silence)."
    )


def _of_usefulness(usefulness: Usefulness, alpha: float) -> str:
    word = "do" if usefulness.p <= alpha else "are not shown to"
    return (
        f"On clips that it never saw, the outputs {word} go with their own song's frames: effect "
        f"{usefulness.effect:.3f}, 95% interval {_span(*usefulness.interval)}, "
        f"p = {usefulness.p_swap:.2g} with songs swapped and {usefulness.p_shift:.2g} shifted, "
        f"{usefulness.clips} clips."
    )


def _of_controls(usefulness: Usefulness, controls: Sequence[float]) -> str:
    if not controls:
        return "Controls (models trained on swapped songs) were not run."
    top = max(controls)
    said = (
        f"exceeds all {len(controls)} controls'"
        if usefulness.effect > top
        else f"does not exceed all {len(controls)} controls'"
    )
    few = (
        f"; {FEWEST_CONTROLS} are needed for a statement" if len(controls) < FEWEST_CONTROLS else ""
    )
    return (
        f"The effect {usefulness.effect:.3f} {said}, trained on swapped songs (the largest: "
        f"{top:.3f}){few}."
    )


def _of_skill(skill: Skill) -> list[str]:
    worse = [name for name, beside in skill.beside.items() if beside.high <= 0]
    better = [name for name, beside in skill.beside.items() if beside.low > 0]
    said = [
        (better, "Its error is smaller than that of"),
        (worse, "Its error is larger than that of"),
    ]
    return [f"{how} {', '.join(names)}." for names, how in said if names]


def _span(low: float, high: float) -> str:
    return f"{low:.3f} to {high:.3f}"
