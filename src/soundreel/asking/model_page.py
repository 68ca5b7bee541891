"""The report on a model: figures and tables of an answer, in reading order."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import numpy as np

from soundreel.asking.attribution_page import muting_section
from soundreel.asking.model_question import ModelAnswer
from soundreel.asking.picture_page import copies_section, looks_section, quality_section
from soundreel.asking.report.cell_figures import song_video_matrix
from soundreel.asking.report.page import Captioned, Report, Section, Table
from soundreel.asking.report.picture_figures import frame_strip
from soundreel.asking.report.row_figures import forest, skill_plot
from soundreel.asking.report.terms import GLOSSARY, MODEL_LIMITS
from soundreel.asking.report.verdict_figures import null_histograms, verdict_strip
from soundreel.asking.report.words import HEADLINES, model_opening, what_it_means
from soundreel.asking.report.written import interval, p_value, share, signed
from soundreel.evidence.two_afc import TwoAfc
from soundreel.evidence.usefulness import Usefulness
from soundreel.timeline import clock

_MEAN_FRAME = "training mean frame"
_SHEET_COLUMNS = 10


def model_report(answer: ModelAnswer, title: str, written: str) -> Report:
    """The whole report on a model; `written`: when, in words."""
    headline, tone = HEADLINES[answer.verdict]
    pixels, sensitivity, choice = answer.pixels, answer.sensitivity, answer.choice
    numbers: tuple[tuple[str, str, str], ...] = ()
    strip = None
    sections: list[Section] = []
    if pixels is None or sensitivity is None or answer.skill is None:
        reason = (
            "Clips that the model learnt from share a song or pictures with clips that it should "
            "never have met: " + "; ".join(answer.reasons) + "."
        )
        first = model_opening("INVALID", 0, 0, 0, 0, 1, 1, len(answer.clips), reason=reason)
    else:
        low, high = pixels.interval
        delta = float(answer.manifest["question"]["delta_model"])
        beside_mean = answer.skill.beside.get(_MEAN_FRAME)
        first = (
            *model_opening(
                answer.verdict,
                sensitivity.share,
                pixels.effect,
                low,
                high,
                pixels.p_swap,
                pixels.p_shift,
                len(answer.clips),
                None if beside_mean is None else beside_mean.skill,
                None if choice is None else choice.rate,
                alpha=float(answer.manifest["question"]["alpha"]),
            ),
            what_it_means(answer.verdict),
        )
        numbers = _numbers(answer, pixels, choice)
        strip = Captioned(
            verdict_strip(
                pixels.effect,
                low,
                high,
                delta,
                pixels.mde80,
                answer.verdict,
                "made of its own song, less of another's (correlation with the real frames)",
            ),
            "The effect with its 95 % interval; shaded: effects too small to matter; the mark: "
            "what this test would find four times out of five.",
        )
        sections = [
            _looking(answer),
            _useful(answer, pixels),
            _beside(answer, choice),
            *([copies_section(answer.memory, answer)] if answer.memory else []),
            *([quality_section(answer.quality, answer.clips)] if answer.quality else []),
            *([looks_section(answer.in_look, answer.looks)] if answer.in_look else []),
            *([muting_section(answer.muted.effects, answer.muted.shares)] if answer.muted else []),
        ]
    return Report(
        title=title,
        verdict=headline,
        tone=tone,
        opening=tuple(first),
        numbers=numbers,
        sections=(*sections, _material(answer)),
        limits=MODEL_LIMITS,
        manifest_sha256=answer.digest,
        manifest_json=json.dumps(answer.manifest, indent=2, ensure_ascii=False),
        written=written,
        strip=strip,
        glossary=GLOSSARY,
    )


def _numbers(
    answer: ModelAnswer, pixels: Usefulness, choice: TwoAfc | None
) -> tuple[tuple[str, str, str], ...]:
    assert answer.sensitivity is not None
    memory = answer.memory
    return (
        ("Usefulness", signed(pixels.effect), "its own song, less another's; 0: any song would do"),
        ("95 % interval", interval(*pixels.interval), "effects that go well with these songs"),
        ("p-value", p_value(pixels.p), "how often luck alone does as well: the larger of two"),
        ("Variety", share(answer.sensitivity.share), "of its pictures, beside that of real frames"),
        (
            "Right moment",
            "unknown" if choice is None else share(choice.rate),
            "of two, its picture's own; guessing gives 50 %",
        ),
        (
            "Copied",
            "unknown" if memory is None else share(memory.copy_rate, 1),
            "of its pictures are training frames, or as near as",
        ),
    )


def _looking(answer: ModelAnswer) -> Section:
    """Frames of one unseen song: real, made of it, of another, of another moment, of nothing."""
    pictures = []
    for place in dict.fromkeys((0, len(answer.clips) // 2)):
        clip = answer.clips[place]
        other = answer.clips[(place + 1) % len(answer.clips)]
        count = min(_SHEET_COLUMNS, len(clip.whole_K), len(other.whole_K))
        at = np.linspace(0, len(clip.whole_K) - 1, count).round().astype(int)
        theirs = np.linspace(0, len(other.whole_K) - 1, count).round().astype(int)
        half = np.roll(at, count // 2)
        shape = clip.truth_KHW3.shape[1:3]
        rows = [
            ("real", clip.truth_KHW3[at]),
            ("made of its song", clip.made_KHW3[at]),
            ("of another song", other.made_KHW3[theirs]),
            ("of another moment", clip.made_KHW3[half]),
            ("of the mean sound", [_enlarged(answer.made_of_mean_D, *shape)] * count),
            ("mean picture", [_enlarged(answer.mean_frame_D, *shape)] * count),
        ]
        moments = [clock(float(clip.times_seconds_T[clip.whole_K[k]])) for k in at]
        pictures.append(
            Captioned(
                frame_strip([(label, list(row)) for label, row in rows], moments),
                f"{clip.id}, a song that the model never heard. If it uses the music, the second "
                "row goes with the first more than the third and fourth do.",
            )
        )
    return Section("Frames", ("The mean rows are small pictures, enlarged.",), tuple(pictures))


def _useful(answer: ModelAnswer, pixels: Usefulness) -> Section:
    names = [clip.id for clip in answer.clips]
    own_V = np.diagonal(pixels.score_VV)
    off = ~np.eye(len(names), dtype=bool)
    others_V = [pixels.score_VV[off[:, v], v] for v in range(len(names))]
    rows = [
        _row("pictures", pixels),
        *([] if answer.curves is None else [_row("light, colour, contrast, edges", answer.curves)]),
    ]
    if answer.controls:
        rows.append(
            (
                f"{len(answer.controls)} controls trained on swapped songs",
                ", ".join(signed(score) for score in answer.controls),
                None,
                None,
                None,
            )
        )
    return Section(
        "Does it use the song?",
        (
            "What was made of each unseen song is compared with the real frames of each video at "
            "the same place, both without their mean picture and their slow drift.",
            *answer.reasons,
        ),
        (
            Captioned(
                null_histograms(
                    pixels.effect,
                    pixels.swap_null_B,
                    pixels.shift_null_B,
                    pixels.p_swap,
                    pixels.p_shift,
                ),
                "The effect beside chance: outputs exchanged between songs, and moved in time.",
            ),
            Captioned(
                song_video_matrix(pixels.score_VV, names),
                "Song by video: if the song matters, the diagonal stands out.",
            ),
            Captioned(
                forest(
                    names,
                    own_V,
                    [float(np.min(other)) for other in others_V],
                    [float(np.max(other)) for other in others_V],
                    pixels.effect,
                    *pixels.interval,
                ),
                "Each video with its own song, and the range over all others' songs.",
            ),
        ),
        (Table(("in", "effect", "95 % interval", "p swapped", "p shifted"), tuple(rows)),),
        "confirmatory",
    )


def _row(name: str, found: Usefulness) -> tuple[str | None, ...]:
    return (
        name,
        signed(found.effect),
        interval(*found.interval),
        p_value(found.p_swap),
        p_value(found.p_shift),
    )


def _beside(answer: ModelAnswer, choice: TwoAfc | None) -> Section:
    assert answer.skill is not None
    beside = {
        name: found for name, found in answer.skill.beside.items() if math.isfinite(found.skill)
    }
    pictures = ()
    if beside:
        pictures = (
            Captioned(
                skill_plot(
                    list(beside),
                    [found.skill for found in beside.values()],
                    [found.low for found in beside.values()],
                    [found.high for found in beside.values()],
                ),
                "How much smaller its error is than that of each simple answer: 1 is perfect, 0 no "
                "better; 95 % intervals over songs.",
            ),
        )
    said = (
        "The clips are too short to choose between two moments six seconds apart."
        if choice is None
        else f"Of two moments of a video its picture is nearer to the right one in "
        f"{share(choice.rate, 1)} of cases ({share(choice.low, 1)} to {share(choice.high, 1)}; "
        f"guessing 50 %; p = {p_value(choice.p_swap)} swapped, {p_value(choice.p_shift)} shifted)."
    )
    return Section("Beside simpler answers", (said,), pictures, (), "secondary")


def _material(answer: ModelAnswer) -> Section:
    here = {
        True: "The run says that it learnt from this very training split.",
        False: "The run says that it learnt from other pairs than this dataset's training split: "
        "that it never met these songs is for you to know.",
        None: "The model lies in no run folder, so what it learnt from cannot be checked.",
    }[answer.manifest["trained_on_this_split"]]
    rows = tuple(
        (clip.id, f"{len(clip.times_seconds_T)}", f"{len(clip.truth_run_RHW3)}")
        for clip in answer.clips
    )
    return Section(
        "What was looked at",
        (here,),
        (),
        (Table(("unseen song", "moments", "neighbouring pictures"), rows),),
        details=True,
    )


def _enlarged(small_D: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """A small picture at another size, pixel by pixel."""
    side = math.isqrt(len(small_D) // 3)
    small_SS3 = np.clip((small_D.reshape(side, side, 3) + 1) * 127.5, 0, 255).round()
    row_H, column_W = np.arange(rows) * side // rows, np.arange(columns) * side // columns
    return small_SS3.astype(np.uint8)[row_H][:, column_W]


def model_json(answer: ModelAnswer) -> dict[str, Any]:
    """All numbers of an answer, as JSON has them."""
    told: dict[str, Any] = {
        "format": "soundreel-evidence",
        "version": 1,
        "kind": "model",
        "verdict": answer.verdict,
        "reasons": list(answer.reasons),
        "manifest_sha256": answer.digest,
        "songs": [clip.id for clip in answer.clips],
        "leaks": [leak.line for leak in answer.leaks],
    }
    pixels, quality = answer.pixels, answer.quality
    if pixels is None or answer.sensitivity is None or quality is None:
        return told
    assert answer.skill is not None
    choice = answer.choice
    assert answer.memory is not None
    beside_mean = answer.skill.beside.get(_MEAN_FRAME)
    flow, in_look = quality.flicker_motion, answer.in_look
    told["model"] = {
        "sensitivity": answer.sensitivity.share,
        "usefulness": pixels.effect,
        "ci_95": list(pixels.interval),
        "p_value": pixels.p,
        "p_swap": pixels.p_swap,
        "p_shift": pixels.p_shift,
        "mde80": pixels.mde80,
        "usefulness_in_curves": None if answer.curves is None else answer.curves.effect,
        "skill": None if beside_mean is None else beside_mean.skill,
        "skill_beside": {
            name: [found.skill, found.low, found.high]
            for name, found in answer.skill.beside.items()
        },
        "two_afc": None if choice is None else choice.rate,
        "two_afc_ci_95": None if choice is None else [choice.low, choice.high],
        "copy_rate": answer.memory.copy_rate,
        "memorisation": answer.memory.verdict,
        "controls": list(answer.controls),
        "sliced_wasserstein": quality.sliced_wasserstein.value,
        "sliced_wasserstein_floor": quality.sliced_wasserstein.floor,
        "sliced_wasserstein_in_look": None if in_look is None else in_look.made,
        "sliced_wasserstein_in_look_real": None if in_look is None else in_look.real,
        "spectrum_db": quality.spectrum_db,
        "lab_distance": quality.lab_distance,
        "diversity": quality.diversity,
        "psnr_db": quality.psnr_db,
        "ms_ssim": quality.ms_ssim,
        "flicker": None if flow is None else flow.flicker,
        "motion_ratio": None if flow is None else flow.motion_ratio,
    }
    told["model"]["matrix_song_by_video"] = np.round(pixels.score_VV, 4).tolist()
    if answer.looks:
        told["looks"] = [asdict(look) for look in answer.looks]
        told["look_of_song"] = {clip.id: clip.look for clip in answer.clips}
    if answer.muted is not None:
        effects = answer.muted.effects
        told["muting"] = {
            "parts": list(effects.parts),
            "picture": list(effects.picture_names),
            "effect": effects.effect_DP.tolist(),
            "band_low": effects.low_DP.tolist(),
            "band_high": effects.high_DP.tolist(),
            "outside": effects.outside_DP.tolist(),
            "energy_shares": answer.muted.shares,
        }
    return _finite(told)


def _finite(value: Any) -> Any:
    """JSON has no number that is none: null."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
