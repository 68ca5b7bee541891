"""Sections of the report on a model that are about its pictures: copies, and quality."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from soundreel.asking.filming import FilmedClip
from soundreel.asking.model_question import ModelAnswer, nearest_pictures
from soundreel.asking.picture_quality import LookQuality, Quality
from soundreel.asking.report.page import Captioned, Section, Table
from soundreel.asking.report.picture_figures import frame_strip, realism_plot
from soundreel.asking.report.written import interval, plain, share, signed
from soundreel.evidence.look_realism import LookRealism
from soundreel.evidence.memory import Memorisation
from soundreel.evidence.realism import lab_of, radial_spectrum

_LAB_BINS = 40
_LAB_RANGES = ((0.0, 100.0), (-80.0, 80.0), (-80.0, 80.0))


def copies_section(memory: Memorisation, answer: ModelAnswer) -> Section:
    """Whether training frames came back, with the nearest pairs."""
    rate = (
        "None could be judged."
        if memory.judged == 0
        else f"{memory.copies} of {memory.judged} pictures are copies by this rule "
        f"({share(memory.copy_rate, 1)}, 95 % interval {share(memory.low, 1)} to "
        f"{share(memory.high, 1)}). Its pictures are as far from training as unseen real frames "
        f"are, times {plain(memory.median_ratio, 2)}."
    )
    made = np.concatenate([clip.made_KHW3 for clip in answer.clips])[nearest_pictures(memory)]
    assert answer.nearest_KHW3 is not None
    return Section(
        f"Does it copy? It {memory.verdict}"
        if memory.verdict != "cannot tell"
        else "Does it copy?",
        (f"{memory.verdict.capitalize()}: {memory.reason}", rate),
        (
            Captioned(
                frame_strip([("made", list(made)), ("training", list(answer.nearest_KHW3))]),
                "The made pictures that lie nearest to a training frame, and those frames.",
            ),
        ),
        (),
        "secondary",
        details=memory.verdict == "does not copy",
    )


def quality_section(quality: Quality, clips: Sequence[FilmedClip]) -> Section:
    """What the pictures are worth as a set, without any pretrained network."""
    made = np.concatenate([clip.made_KHW3 for clip in clips])
    real = np.concatenate([clip.truth_KHW3 for clip in clips])
    made_spectrum, real_spectrum = radial_spectrum(made), radial_spectrum(real)
    flow = quality.flicker_motion
    swd = quality.sliced_wasserstein
    rows = (
        (
            "sliced Wasserstein",
            plain(swd.value, 0),
            f"real films among themselves: {plain(swd.floor, 0)}; lower is nearer to real",
        ),
        ("spectrum", f"{plain(quality.spectrum_db, 1)} dB", "mean difference of detail, by size"),
        ("colours", plain(quality.lab_distance, 1), "Lab units; 2 can just be told apart"),
        ("diversity", plain(quality.diversity, 2), "1: as varied as real frames"),
        ("PSNR", f"{plain(quality.psnr_db, 1)} dB", "to the true frame"),
        (
            "MS-SSIM",
            None if quality.ms_ssim is None else plain(quality.ms_ssim, 3),
            "to the true frame; 1 is the same",
        ),
        (
            "flicker",
            None if flow is None else plain(flow.flicker, 2),
            "real is 1; read beside the motion: a still picture has none",
        ),
        ("motion", None if flow is None else plain(flow.motion_ratio, 2), "real is 1"),
    )
    return Section(
        "How good are the pictures?",
        ("Without any pretrained network. These describe; they never decide the verdict.",),
        (
            Captioned(
                realism_plot(
                    real_spectrum.cycles_K,
                    made_spectrum.power_db_K,
                    real_spectrum.power_db_K,
                    _lab_histograms(made),
                    _lab_histograms(real),
                    math.nan if flow is None else flow.flicker,
                    math.nan if flow is None else flow.motion_ratio,
                ),
                "Detail by size, colours, and flicker against motion: made beside real.",
            ),
        ),
        (Table(("measure", "value", "meaning"), rows),),
    )


def looks_section(in_look: LookRealism, looks: Sequence[LookQuality]) -> Section:
    """How near each song's pictures are to real frames of one look, and what came of each look."""
    said = (
        f"Beside real frames of the same look alone its pictures are {plain(in_look.made, 0)} off "
        f"(sliced Wasserstein, the mean over songs; 0 is equal); real films are "
        f"{plain(in_look.real, 0)}."
    )
    if not looks:
        return Section("Within a look", (said,), ())
    right = [look.right for look in looks if look.right is not None]
    known = sum(look.songs for look in looks if look.right is not None)
    rows = tuple(
        (
            look.look,
            f"{look.songs}",
            None if look.right is None else f"{look.right}",
            plain(look.realism, 0),
            plain(look.real, 0),
            signed(look.usefulness),
            interval(look.lowest, look.highest) if look.songs > 1 else None,
        )
        for look in looks
    )
    chosen = (
        f"Each song was filmed in the look of the training clip whose song is nearest to it: "
        f"{len(looks)} looks for {sum(look.songs for look in looks)} songs."
        + (f" {sum(right)} of {known} real videos have that look." if right else "")
    )
    header = (
        *("look of", "songs", "have it", "realism", "real films", "usefulness", "lowest, highest"),
    )
    return Section("Within a look", (said, chosen), (), (Table(header, rows),))


def _lab_histograms(pictures_NHW3: np.ndarray) -> np.ndarray:
    lab_N3 = lab_of(pictures_NHW3[:, ::2, ::2]).reshape(-1, 3)
    return np.stack(
        [
            np.histogram(lab_N3[:, channel], _LAB_BINS, span)[0] / len(lab_N3)
            for channel, span in enumerate(_LAB_RANGES)
        ]
    )
