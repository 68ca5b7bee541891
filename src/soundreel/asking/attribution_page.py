"""Sections of the report: which part of the sound goes with what, and what a model does without."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from soundreel.asking.attribution_question import AttributionAnswer
from soundreel.asking.muting import MOST_TIMES
from soundreel.asking.report.cell_figures import heat_map
from soundreel.asking.report.page import Captioned, Section, Table
from soundreel.asking.report.row_figures import attribution_plot
from soundreel.asking.report.written import interval, p_value, plain, share, signed
from soundreel.evidence.attribution import MutingEffects


def attribution_section(answer: AttributionAnswer) -> Section:
    """A heat map of all parts and qualities, and a table of what stands after Holm."""
    found = answer.found
    said = [
        "Each sound was split: what sounds on and what strikes, and low, middle and high tones"
        + (f"; beside them the given stems ({', '.join(answer.stems)})" if answer.stems else "")
        + ". Of each part, how loud it is and when its notes begin was held against each quality "
        "of the picture, and then the same was done with songs swapped between the videos.",
        "Parts of a song rise and fall together, so what one of them does, another seems to do "
        "too: a cell says that they go together, not that this part is the one that counts.",
    ]
    if not answer.can_stand:
        said.append(
            f"With {len(answer.clips)} videos nothing can stand here: there are too few orders of "
            f"their songs for any of {found.p_RP.size} cells to be rare among them."
        )
    rows = tuple(_standing(answer, *cell) for cell in found.found(answer.alpha))
    header = ("part", "its", "picture", "correlation", "by chance", "p corrected")
    note = "" if rows else "None stands after correction for the number of cells."
    return Section(
        "Which part of the sound goes with what",
        tuple(said),
        (
            Captioned(
                heat_map(
                    [f"{part}, {feature}" for part, feature in found.rows],
                    found.picture_names,
                    found.correlation_RP,
                    found.holm_RP <= answer.alpha,
                ),
                "Mean correlation within videos. Framed: more than chance after correction for "
                "the number of cells.",
            ),
        ),
        (Table(header, rows, note),),
        "exploratory",
    )


def attribution_json(answer: AttributionAnswer) -> dict[str, object]:
    """All numbers of an answer, as JSON has them."""
    found = answer.found
    return {
        "clips": list(answer.clips),
        "stems": list(answer.stems),
        "alpha": answer.alpha,
        "draws": found.draws,
        "can_stand": answer.can_stand,
        "sound": [list(row) for row in found.rows],
        "picture": list(found.picture_names),
        "correlation": _rounded(found.correlation_RP),
        "chance": _rounded(found.chance_RP),
        "chance_low": _rounded(found.low_RP),
        "chance_high": _rounded(found.high_RP),
        "p_value": found.p_RP.tolist(),
        "p_holm": found.holm_RP.tolist(),
        "standing": [list(cell) for cell in found.found(answer.alpha)],
    }


def muting_section(effects: MutingEffects, shares: Mapping[str, float]) -> Section:
    """What a model makes of songs without one of their parts.

    shares: the energy of each part over the song's, 0 to 1 (the mean, over several songs).
    """
    controls = effects.control_DKP.shape[1]
    rows = []
    for d, part in enumerate(effects.parts):
        above_P = np.flatnonzero(effects.outside_DP[d] > 0)
        strongest_P = above_P[np.argsort(-effects.effect_DP[d, above_P], kind="stable")]
        moved = [
            f"{effects.picture_names[p]} {plain(effects.effect_DP[d, p], 2)} "
            f"({signed(effects.shift_DP[d, p], 2)})"
            for p in strongest_P.tolist()
        ]
        below = int((effects.outside_DP[d] < 0).sum())
        energy = share(shares[part]) if part in shares else None
        rows.append((part, energy, "; ".join(moved) or "none", f"{below}"))
    return Section(
        "What the model listens to",
        (
            "The model was given each song without one of its parts, and as a control without as "
            f"much of anything: random blots of the song with the part's energy, {controls} times. "
            "An effect is how far the pictures then move, in units of how much they vary over the "
            "whole song.",
            "A part that moves a quality more than the controls do matters to this model by what "
            "it is, not only by how much of the sound it is. The band is for each cell: of twenty "
            "cells one lies outside by chance. A song without a part sounds like none that the "
            f"model learnt from, and of each song at most {MOST_TIMES} moments were looked at.",
        ),
        (
            Captioned(
                attribution_plot(
                    effects.parts,
                    effects.picture_names,
                    effects.effect_DP,
                    effects.low_DP,
                    effects.high_DP,
                ),
                "How far each quality of the picture moves without each part; the bars: where a "
                "random part of the same energy would put it in 19 of 20 cases.",
            ),
        ),
        (
            Table(
                ("without", "its energy", "moves more than the controls", "less"),
                tuple(rows),
                "In brackets: the mean change, so what the part adds is its opposite. Less: how "
                "many qualities move less than with the controls.",
            ),
        ),
        "exploratory",
    )


def _standing(
    answer: AttributionAnswer, part: str, feature: str, picture: str
) -> tuple[str | None, ...]:
    found = answer.found
    cell = found.rows.index((part, feature)), found.picture_names.index(picture)
    low, high = float(found.low_RP[cell]), float(found.high_RP[cell])
    return (
        part,
        feature,
        picture,
        signed(float(found.correlation_RP[cell]), 2),
        interval(low, high, 2),
        p_value(float(found.holm_RP[cell])),
    )


def _rounded(cells_RP: np.ndarray) -> list[list[float]]:
    return np.round(cells_RP, 5).tolist()
