"""Does the music make the video? The question asked of a dataset or of clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from soundreel.asking.calibrated import calibrated
from soundreel.asking.curves import ClipCurves
from soundreel.asking.gate import Leak, groups_from, leaks
from soundreel.asking.gather import Gathered, gather
from soundreel.asking.plans import digest_of, lags_for, manifest_of, planted_score, weights_for
from soundreel.asking.secondary import FAMILY, Secondary, secondary
from soundreel.asking.settings import Question
from soundreel.atomic import write_json
from soundreel.errors import DatasetError
from soundreel.evidence.dependence import Dependence, Design, dependence
from soundreel.evidence.verdicts import Verdict
from soundreel.progress import Listener, Step, silent

#: Places beside the report: `report.html` has `report.manifest.json` and `report.curves/`.
MANIFEST, CURVES = ".manifest.json", ".curves"
_LEAST_DELTA = 0.005
#: Couplings that the report's power curve goes through, and of how many planted corpora each.
_COUPLINGS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
_CORPORA = 12


@dataclass(frozen=True)
class DatasetAnswer:
    """What was found of a dataset.

    verdict: INVALID where clips leak, and then `test` and `rest` are None; or where the test as
    it is now has not passed its calibration.
    delta_score: the smallest effect of interest in score units.
    planted: (coupling, mean score of planted corpora like this one), for the power curve.
    manifest, digest: what was decided before the first test, and its SHA-256.
    """

    verdict: Verdict
    test: Dependence | None
    rest: Secondary | None
    leaks: tuple[Leak, ...]
    clips: tuple[ClipCurves, ...]
    gathered: Gathered
    design: Design
    question: Question
    manifest: dict[str, Any]
    digest: str
    planted: tuple[tuple[float, float], ...] = ()


def ask_clips(
    what: Sequence[str | Path],
    out: Path,
    question: Question,
    workers: int = 1,
    progress: Listener = silent,
    only_confirmatory: bool = False,
) -> DatasetAnswer:
    """Ask a dataset folder, or films: measure, look for leaks, freeze the manifest, test.

    out: the report's place; the manifest and the curves are kept beside it.
    only_confirmatory: leave the secondary tests out.

    Raises: DatasetError if no clip can be asked, or all are of one work.
    """
    gathered = gather(
        what, beside(out, CURVES), question.every_seconds, question.without, workers, progress
    )
    clips = gathered.clips
    groups = groups_from(clips, question.together or _together(gathered))
    if len(set(groups)) < 2:
        raise DatasetError(
            f"{', '.join(map(str, what))}: {len(clips)} clip(s) of one work can be asked: swapping "
            "songs needs at least two works"
        )
    design, lags = design_for(clips, gathered.every_seconds, question)
    found = leaks(clips, groups)
    manifest = manifest_of(
        clips,
        groups,
        design,
        lags,
        question.delta,
        {"the dataset test": "confirmatory", **FAMILY},
        [(left.id, left.why) for left in gathered.left_out],
        {"leaks": [leak.line for leak in found]},
    )
    write_json(beside(out, MANIFEST), manifest)
    answer: dict[str, Any] = {
        "leaks": tuple(found),
        "clips": clips,
        "gathered": gathered,
        "design": design,
        "question": question,
        "manifest": manifest,
        "digest": digest_of(manifest),
    }
    if found:
        return DatasetAnswer("INVALID", None, None, **answer)
    progress(Step("test", 0, 1, "dataset"))
    test = dependence([clip.clip(lags) for clip in clips], groups, design)
    progress(Step("test", 1, 1, "dataset"))
    rest = None
    if not only_confirmatory:
        rest = secondary(clips, groups, design, lags, progress)
        answer["planted"] = tuple(
            (coupling, planted_score(coupling, clips, design, _CORPORA)) for coupling in _COUPLINGS
        )
    verdict = test.verdict if calibrated().holds else "INVALID"
    return DatasetAnswer(verdict, test, rest, **answer)


def design_for(
    clips: Sequence[ClipCurves], every_seconds: float, question: Question
) -> tuple[Design, tuple[int, ...]]:
    """The test's numbers, and the lags in samples; delta translated into a score.

    The score of a planted coupling of `question.delta`, to three digits, at least .005.
    """
    lags = lags_for(every_seconds)
    plain = Design(
        every_seconds=every_seconds,
        delta=question.delta,
        folds=question.folds,
        draws=question.draws,
        alpha=question.alpha,
        seed=question.seed,
        sound_weights=weights_for(lags),
    )
    score = planted_score(question.delta, clips, plain)
    return replace(plain, delta=max(_LEAST_DELTA, round(score, 3))), lags


def beside(out: Path, ending: str) -> Path:
    """A place beside the report, of its name."""
    return out.with_name(out.stem + ending)


def _together(gathered: Gathered) -> tuple[str, ...]:
    return gathered.dataset.recipe.together if gathered.dataset else ()
