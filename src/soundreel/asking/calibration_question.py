"""`ask --calibrate`: does the test itself tell the truth, where the truth is planted?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from soundreel.asking.calibration import FeatureCalibration, calibrate_features
from soundreel.asking.calibration_power import Power, power
from soundreel.asking.calibration_rendered import RenderedCalibration, calibrate_rendered
from soundreel.asking.dataset_question import ask_clips, beside
from soundreel.asking.plans import digest_of
from soundreel.asking.report.page import Captioned, Report, Section, Table
from soundreel.asking.report.trust_figures import calibration as calibration_figure
from soundreel.asking.report.trust_figures import power_curve
from soundreel.asking.report.written import plain, share
from soundreel.asking.settings import Question
from soundreel.atomic import write_json
from soundreel.errors import SettingsError
from soundreel.progress import Listener

#: Beside the report: what is finished, so that the same command goes on.
PIECES, MANIFEST = ".pieces", ".manifest.json"
#: Of the null corpora of each switch: one in so many is tried the wrong ways, looked for power
#: with, and rendered to films.
_WRONG, _POWER, _RENDERED = 5, 5, 25
_LEAST_POWER = 20
_DRAWS = 199


@dataclass(frozen=True)
class CalibrationAnswer:
    """Whether the test is right as often as it says: on curves, and on films."""

    features: FeatureCalibration
    power: Power
    films: RenderedCalibration
    manifest: dict[str, Any]
    digest: str

    @property
    def passes(self) -> bool:
        """Whether false positives stay within the bar and planted duplicates are found."""
        return self.features.passes and self.films.passes


def ask_calibration(
    corpora: int, out: Path, seed: int, workers: int, progress: Listener
) -> CalibrationAnswer:
    """Put the dataset test to corpora of curves, and of real video files, whose truth is known.

    corpora: null corpora of curves for each switch; the protocol asks for 500, and every 25th
    makes one more null corpus of films.

    Raises: SettingsError for fewer than 2 corpora; StorageError.
    """
    if corpora < 2:
        raise SettingsError(f"--calibrate {corpora}: give 2 corpora or more (500 for a full check)")
    films = max(1, corpora // _RENDERED)
    numbers = {
        "null_corpora_of_each_switch": corpora,
        "tried_the_wrong_ways": max(1, corpora // _WRONG),
        "corpora_of_each_coupling": max(_LEAST_POWER, corpora // _POWER),
        "null_corpora_of_films": films,
        "draws": _DRAWS,
        "seed": seed,
    }
    manifest = {"protocol": 1, "calibration": numbers}
    write_json(beside(out, MANIFEST), manifest)
    pieces = beside(out, PIECES)
    features = calibrate_features(
        corpora,
        seed,
        workers,
        progress,
        draws=_DRAWS,
        kept=pieces / "curves",
        wrong_corpora=numbers["tried_the_wrong_ways"],
    )
    found = power(
        numbers["corpora_of_each_coupling"],
        seed,
        workers,
        progress,
        draws=_DRAWS,
        kept=pieces / "curves",
    )

    def ask(what: Sequence[Path], report: Path) -> tuple[str, float | None]:
        question = Question(seed=seed)
        answer = ask_clips(what, report, question, workers, only_confirmatory=True)
        if answer.test is None:
            return answer.verdict, None
        # The test's own word: the answer's is INVALID as long as no calibration has been passed.
        return answer.test.verdict, answer.test.p_value

    rendered = calibrate_rendered(
        pieces / "films",
        films,
        ask,
        seed=seed,
        coupled_corpora=max(1, films // 10),
        duplicate_corpora=max(1, films // 10),
        workers=workers,
        progress=progress,
    )
    return CalibrationAnswer(features, found, rendered, manifest, digest_of(manifest))


def calibration_report(answer: CalibrationAnswer, written: str) -> Report:
    """The whole report on a calibration."""
    features, films = answer.features, answer.films
    worst = max(features.switches, key=lambda switch: switch.whole.share)
    verdict = "It holds" if answer.passes else "It does not hold"
    opening = (
        f"In {features.corpora} made-up corpora of each of {len(features.switches)} kinds there is "
        "no link between music and picture, and the test says yes in at most "
        f"{share(worst.whole.share, 1)} of them ({worst.name}); it may in {share(0.05)}.",
        f"In {films.false_positives.trials} corpora of real video files without a link it says yes "
        f"in {films.false_positives.hits}; corpora with a song used twice are refused in "
        f"{films.duplicates.hits} of {films.duplicates.trials} cases.",
    )
    rows = []
    for switch in features.switches:
        low, high = switch.whole.interval
        rows.append(
            (
                switch.name,
                f"{plain(switch.whole.share)} ({plain(low)} to {plain(high)})",
                plain(switch.both.share),
                plain(switch.swap.share),
                plain(switch.shift.share),
                *(plain(rate.share) for rate in switch.wrong.values()),
            )
        )
    wrong = tuple(name.replace("_", " ") for name in features.switches[0].wrong)
    header = ("without a link", "verdict", "p of both", "p swapped", "p shifted", *wrong)
    p_values = np.concatenate([np.array(switch.p_value) for switch in features.switches])
    rejections = {s.name: (s.whole.hits, s.whole.trials) for s in features.switches}
    return Report(
        title="Does the test tell the truth?",
        verdict=verdict,
        tone="yes" if answer.passes else "invalid",
        opening=opening,
        numbers=(),
        sections=(
            Section(
                "Where there is no link",
                (
                    "A right test says yes in one of twenty, or less. The last columns are tests "
                    "that look right and are not: samples shuffled as if they were independent, "
                    "songs swapped without learning the rule anew, a t-test over the parts of a "
                    "cross-validation, swaps that never leave a song in its place, and shifts "
                    "alone.",
                ),
                (
                    Captioned(
                        calibration_figure(p_values, rejections),
                        "p-values beside the even spread that they should have, or lie above; and "
                        "how often each kind of corpus is called linked.",
                    ),
                ),
                (Table(header, tuple(rows)),),
            ),
            _power_section(answer.power),
            _films_section(films),
        ),
        limits=(
            "Planted corpora have the weaknesses that were thought of. Others may have others.",
        ),
        manifest_sha256=answer.digest,
        manifest_json=json.dumps(answer.manifest, indent=2),
        written=written,
    )


def _power_section(found: Power) -> Section:
    direct = [row for row in found.rows if row.drawing == "direct" and row.size == "30 x 40, .8"]
    intervals = [row.power.interval for row in direct]
    rows = tuple(
        (
            row.size,
            row.drawing,
            plain(row.coupling, 2),
            f"{plain(row.power.share, 2)} "
            f"({plain(row.power.interval[0], 2)} to {plain(row.power.interval[1], 2)})",
            plain(row.found.share, 2),
            plain(row.score),
            plain(row.mde80),
            None if row.told_power is None else plain(row.told_power, 2),
        )
        for row in found.rows
    )
    header = (
        "videos x samples, persistence",
        "drawn",
        "coupling",
        "p of both at most .05",
        "verdict",
        "score",
        "MDE80",
        "protocol",
    )
    return Section(
        "Where there is one",
        (
            "How often a planted link is found. Direct: every picture curve follows a sound curve, "
            "as the protocol was simulated; planted: three of five do.",
        ),
        (
            Captioned(
                power_curve(
                    [row.coupling for row in direct],
                    [row.power.share for row in direct],
                    [low for low, _ in intervals],
                    [high for _, high in intervals],
                    [row.score for row in direct],
                    None,
                ),
                "30 videos of 40 samples, persistence .8.",
            ),
        ),
        (Table(header, rows),),
    )


def _films_section(films: RenderedCalibration) -> Section:
    rows = tuple(
        (
            one.kind,
            one.switch,
            plain(one.coupling, 2),
            one.verdict,
            None if one.p_value is None else plain(one.p_value),
        )
        for one in films.corpora
    )
    return Section(
        "On films",
        (
            f"Corpora of {films.clips} video files of {films.clip_seconds:g} s, made and measured "
            "like anybody's.",
        ),
        (),
        (Table(("corpus", "switch", "coupling", "verdict", "p"), rows),),
    )


def calibration_json(answer: CalibrationAnswer) -> dict[str, Any]:
    """All numbers of an answer, as JSON has them."""
    return {
        "format": "soundreel-evidence",
        "version": 1,
        "kind": "calibration",
        "verdict": "passes" if answer.passes else "fails",
        "manifest_sha256": answer.digest,
        "features": answer.features.as_json(),
        "power": answer.power.as_json(),
        "films": answer.films.as_json(),
    }
