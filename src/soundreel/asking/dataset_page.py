"""The report on a dataset: figures and tables of an answer, in reading order."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np

from soundreel.asking.calibrated import calibrated
from soundreel.asking.dataset_question import DatasetAnswer
from soundreel.asking.report.cell_figures import heat_map, song_video_matrix
from soundreel.asking.report.page import Captioned, Report, Section, Table
from soundreel.asking.report.row_figures import forest
from soundreel.asking.report.terms import GLOSSARY, LIMITS
from soundreel.asking.report.time_figures import cut_lags, lag_plot
from soundreel.asking.report.trust_figures import calibration, power_curve
from soundreel.asking.report.verdict_figures import null_histograms, verdict_strip
from soundreel.asking.report.words import HEADLINES, key_numbers, opening, what_it_means
from soundreel.asking.report.written import p_value, plain, signed
from soundreel.asking.secondary import Line, Secondary
from soundreel.evidence.dependence import Dependence
from soundreel.evidence.nulls import Z_90

#: A matrix or forest of one clip says nothing.
_LEAST_VIDEOS = 2


def dataset_report(answer: DatasetAnswer, title: str, written: str) -> Report:
    """The whole report on a dataset; `written`: when, in words."""
    headline, tone = HEADLINES[answer.verdict]
    names = [clip.id for clip in answer.clips]
    samples = int(np.median([len(clip.seen_TP) for clip in answer.clips]))
    test = answer.test
    if test is None:
        reason = (
            "Some clips share a song or pictures, so they are not separate witnesses: "
            + "; ".join(leak.line for leak in answer.leaks)
            + ". Leave one of each pair out (--without "
            + " --without ".join(dict.fromkeys(leak.second for leak in answer.leaks))
            + "), and say which clips are of one work where they share pictures only (--together)."
        )
        first = opening(
            "INVALID", 0, 0, 0, 1, 1, 0, answer.design.delta, len(names), samples, reason=reason
        )
        numbers: tuple[tuple[str, str, str], ...] = ()
        strip = None
        sections = [_material(answer, samples)]
    else:
        first = (
            *opening(
                answer.verdict,
                test.effect,
                test.low,
                test.high,
                test.p_swap,
                test.p_shift,
                test.mde80,
                answer.design.delta,
                len(names),
                samples,
                test.videos_needed,
                alpha=answer.design.alpha,
                reason="This version of the test has not passed its calibration: run "
                "`soundreel ask --calibrate 500` and keep the result.",
            ),
            what_it_means(answer.verdict),
        )
        numbers = key_numbers(
            test.effect,
            test.low,
            test.high,
            test.p_swap,
            test.p_shift,
            test.mde80,
            answer.design.delta,
            len(names),
            samples,
        )
        strip = Captioned(
            verdict_strip(
                test.effect, test.low, test.high, answer.design.delta, test.mde80, answer.verdict
            ),
            "The effect with its 95 % interval; shaded: effects too small to matter; the mark: "
            "what this test would find four times out of five.",
        )
        sections = [
            _confirmatory(answer, test, names),
            *([_secondary(answer.rest), *_exploratory(answer.rest)] if answer.rest else []),
            _trust(),
            _material(answer, samples),
        ]
    return Report(
        title=title,
        verdict=headline,
        tone=tone,
        opening=tuple(first),
        numbers=numbers,
        sections=tuple(sections),
        limits=LIMITS,
        manifest_sha256=answer.digest,
        manifest_json=json.dumps(answer.manifest, indent=2, ensure_ascii=False),
        written=written,
        strip=strip,
        glossary=GLOSSARY,
    )


def _confirmatory(answer: DatasetAnswer, test: Dependence, names: Sequence[str]) -> Section:
    pictures = [
        Captioned(
            null_histograms(
                test.score, test.deciding_swap_null, test.shift_null_B, test.p_swap, test.p_shift
            ),
            "Where the videos' own songs put the score, beside where chance puts it: songs swapped "
            "between videos, and songs shifted within their own.",
        ),
        Captioned(
            forest(names, test.score_V, test.low_V, test.high_V, test.effect, test.low, test.high),
            "Each video's score, and the range in which 95 % of swapped songs put it. Single "
            "videos say little; all of them together are the test.",
        ),
        Captioned(
            song_video_matrix(test.matrix_UV, names),
            "How well each song predicts each video, by rules learnt from other videos. If the "
            "music matters, the diagonal stands out.",
        ),
    ]
    if answer.planted:
        pictures.append(_power(answer, test))
    low_90, high_90 = test.effect - Z_90 * test.null_sd, test.effect + Z_90 * test.null_sd
    rows = [
        ("score", signed(test.score), "mean held-out correlation within a video, own song"),
        ("effect", signed(test.effect), "the score less its mean over swapped songs"),
        ("95 % interval", f"{signed(test.low)} to {signed(test.high)}", ""),
        (
            "90 % interval",
            f"{signed(low_90)} to {signed(high_90)}",
            f"inside ±{plain(answer.design.delta)}: shown to be too small to matter",
        ),
        (
            "p, swapped songs",
            p_value(test.p_swap),
            f"{answer.design.draws:,} refitted permutations",
        ),
        ("p, shifted songs", p_value(test.p_shift), f"{answer.design.draws:,} refitted shifts"),
        ("p", p_value(test.p_value), "the larger: both kinds of chance must be ruled out"),
        ("MDE80", signed(test.mde80), "an effect that would be found four times out of five"),
        ("videos needed", f"{test.videos_needed:,}", "like these, to find delta so"),
    ]
    return Section(
        "The test",
        (
            "What there is to hear (loudness, timbre, rhythm, pitch classes) predicts what there "
            "is to see (light, colour, contrast, edges, motion) by one linear rule, learnt on "
            "other videos only and tested on the one left out. All curves are taken without each "
            "video's own mean, scale and slow drift. Then the same is done again, rule and all, "
            "with songs swapped between the videos, and with songs shifted within them.",
        ),
        tuple(pictures),
        (Table(("what", "value", "meaning"), tuple(rows)),),
        "confirmatory",
    )


def _power(answer: DatasetAnswer, test: Dependence) -> Captioned:
    couplings, scores = np.array(answer.planted).T
    power = [
        1.0 if test.null_sd == 0 else _normal_share(score / test.null_sd - Z_90) for score in scores
    ]
    return Captioned(
        power_curve(couplings, power, power, power, scores, test.effect),
        "How often a test with this spread finds couplings of each strength: an estimate, from the "
        "mean score of planted corpora of this size and smoothness and a normal null.",
    )


def _normal_share(z: float) -> float:
    """The share of a normal distribution below z."""
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))


def _secondary(rest: Secondary) -> Section:
    pictures = []
    if rest.lags is not None:
        curve = rest.lags
        pictures.append(
            Captioned(
                lag_plot(
                    curve.lags_seconds_L,
                    curve.correlation_L,
                    -curve.band,
                    curve.band,
                    curve.low_L,
                    curve.high_L,
                ),
                "Motion of the picture against onsets in the sound: to the right the picture comes "
                "after the sound. Above the band is more than chance at any lag.",
            )
        )
    if rest.cuts is not None:
        cuts = rest.cuts
        pictures.append(
            Captioned(
                cut_lags(
                    cuts.lag_edges, cuts.lag_counts_L, cuts.lag_null_low_L, cuts.lag_null_high_L
                ),
                f"{cuts.cuts} cuts, each less the beat nearest to it: left of 0 the cut comes "
                "first, as editors often have it.",
            )
        )
    return Section(
        "More ways to look",
        (
            "These were planned beforehand too, and are corrected for being several (Holm). The "
            "verdict stays as it is whatever they say. Raw values of AV-Align and of beat "
            "alignment depend on the number of pictures a second and mean nothing without their "
            "chance value.",
        ),
        tuple(pictures),
        (_lines([line for line in rest.lines if line.label == "secondary"]),),
        "secondary",
    )


def _exploratory(rest: Secondary) -> list[Section]:
    pictures = []
    if rest.heat is not None:
        heat = rest.heat
        pictures.append(
            Captioned(
                heat_map(
                    [feature for _, feature in heat.rows],
                    heat.picture_names,
                    heat.correlation_RP,
                    heat.holm_RP <= 0.05,
                ),
                "Each quality of the sound against each of the picture: mean correlation within "
                "videos. Framed: more than chance after correction for the number of cells.",
            )
        )
    return [
        Section(
            "Looking around",
            (
                "Ideas for a next test, not evidence: these have known weaknesses. Distance "
                "correlation and HSIC see bent links, but among few videos there are none alike "
                "enough to swap; slow trends of any two things go together too easily.",
            ),
            tuple(pictures),
            (_lines([line for line in rest.lines if line.label == "exploratory"]),),
            "exploratory",
        )
    ]


def _trust() -> Section:
    """How the test does where the truth is known."""
    known = calibrated()
    wrong, films = known.films
    return Section(
        "Can the test be trusted?",
        (
            f"The same test was put to {known.corpora} made-up corpora of each of "
            f"{len(known.rejections)} kinds in which there is no link, and to {films} corpora of "
            f"real video files without one; of these it called {wrong} linked. What matters is the "
            "largest rate, not the mean: a test is as good as it is in its worst case.",
        ),
        (
            Captioned(
                calibration(known.p_values, known.rejections),
                "p-values of corpora without a link, beside the even spread that they should have "
                "or lie above; and how often each kind was called linked.",
            ),
        ),
    )


def _lines(lines: Sequence[Line]) -> Table:
    rows = []
    for line in lines:
        if line.p_value is None:
            rows.append((line.name, None, None, None, None, f"not run: {line.why}"))
            continue
        assert line.value is not None
        assert line.chance is not None
        rows.append(
            (
                line.name,
                signed(line.value),
                signed(line.chance),
                p_value(line.p_value),
                None if line.p_holm is None else p_value(line.p_holm),
                line.unit,
            )
        )
    return Table(("test", "value", "by chance", "p", "p corrected", "unit"), tuple(rows))


def _material(answer: DatasetAnswer, samples: int) -> Section:
    clips = answer.clips
    rows = tuple(
        (
            clip.id,
            f"{clip.seconds:.0f} s",
            f"{len(clip.seen_TP)}",
            f"{clip.tempo_bpm:.0f}" if clip.tempo_bpm else None,
            f"{len(clip.cut_seconds)}" if clip.is_dense else None,
        )
        for clip in clips
    )
    tables = [Table(("video", "length", "samples", "beats a minute", "cuts"), rows)]
    if answer.gathered.left_out:
        tables.append(
            Table(
                ("left out", "why"),
                tuple((left.id, left.why) for left in answer.gathered.left_out),
            )
        )
    return Section(
        "What was looked at",
        (
            f"{len(clips)} videos, about {samples} samples each, one every "
            f"{answer.gathered.every_seconds:g} s.",
        ),
        (),
        tuple(tables),
        details=True,
    )


def answer_json(answer: DatasetAnswer) -> dict[str, object]:
    """All numbers of an answer, as JSON has them."""
    test = answer.test
    told: dict[str, object] = {
        "format": "soundreel-evidence",
        "version": 1,
        "kind": "dataset",
        "verdict": answer.verdict,
        "manifest_sha256": answer.digest,
        "videos": [clip.id for clip in answer.clips],
        "left_out": [[left.id, left.why] for left in answer.gathered.left_out],
        "leaks": [leak.line for leak in answer.leaks],
        "delta": answer.design.delta,
        "alpha": answer.design.alpha,
    }
    if test is not None:
        told["test"] = {
            "score": test.score,
            "effect": test.effect,
            "ci_95": [test.low, test.high],
            "ci_90": [test.effect - Z_90 * test.null_sd, test.effect + Z_90 * test.null_sd],
            "p_swap": test.p_swap,
            "p_shift": test.p_shift,
            "p_value": test.p_value,
            "null_sd": test.null_sd,
            "mde80": test.mde80,
            "videos_needed": test.videos_needed,
            "score_by_video": test.score_V.tolist(),
            "matrix_song_by_video": np.round(test.matrix_UV, 4).tolist(),
            "swap_null": np.round(test.swap_null_B, 5).tolist(),
            "absolute_swap_null": None
            if test.absolute_null_B is None
            else np.round(test.absolute_null_B, 5).tolist(),
            "shift_null": np.round(test.shift_null_B, 5).tolist(),
        }
    if answer.rest is not None:
        told["secondary"] = [
            {
                "name": line.name,
                "label": line.label,
                "unit": line.unit,
                "value": line.value,
                "chance": line.chance,
                "p_value": line.p_value,
                "p_holm": line.p_holm,
                "not_run": line.why or None,
            }
            for line in answer.rest.lines
        ]
    return told
