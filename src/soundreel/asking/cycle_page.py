"""The section of the report on a model that is about song -> film -> song'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from soundreel.asking.cycle_question import CycleAnswer
from soundreel.asking.report.page import Captioned, Section, Table
from soundreel.asking.report.style import AMBER, INK, LINE, SMALL, SOFT, Picture, Sheet
from soundreel.asking.report.style import picture as drawn
from soundreel.asking.report.written import (
    counted,
    interval,
    p_value,
    plain,
    share,
    shortened,
    signed,
)
from soundreel.evidence.cycle import FEWEST_TO_SWAP, Cycle

#: More songs than these have no names beside them, and no marks in their cells.
_NAMED_UP_TO = 26
_AMBER = (217, 125, 38)
_STRONGEST = 0.85

_SAID = {
    "YES": "A song is told from what was composed of its film alone: the films carry some of the "
    "music through, in a form that the second model can read.",
    "NEGLIGIBLE": "A song is told from what was composed of its film, but so seldom more than by "
    "chance that it was said beforehand not to matter.",
    "NO": "What was composed of a film is no nearer to that film's song than to others, or so "
    "little that it does not matter. Either the films do not carry the music, or the second "
    "model cannot read it there.",
    "UNDECIDED": "It cannot be told whether the films carry their music: neither that, nor that "
    "they do not, is shown.",
}


def cycle_section(answer: CycleAnswer) -> Section:
    """What came of the cycle test, in words, a picture of who resembles whom, and numbers."""
    found, songs = answer.found, len(answer.songs)
    how = (
        f"The model filmed {counted(songs, 'song', 'songs')} that it had never heard. The second "
        "model, which goes from picture to sound, composed a song of each film; of the song itself "
        "it heard nothing. Each of these was then compared with all the songs, "
        f"{float(found.seconds):.0f} seconds of each (the length of the shortest), in the course "
        "of its loudness, its onsets and its balance of low and high. A level or a timbre that "
        "stays counts for nothing: the second model has its own."
    )
    right = round(found.recall_at_1 * songs)
    came = (
        f"The song itself was the nearest for {right} of {songs}; by chance it would be for one. "
        f"Its place among all was {plain(found.median_rank, 1)} in the middle (chance "
        f"{plain(found.chance_median_rank, 1)})."
    )
    pieces = (
        f"Piece by piece ({counted(found.pieces, 'piece', 'pieces')} a song), the own song was "
        f"nearer than another at the same moment in {share((found.effect + 1) / 2)} of cases; "
        f"guessing gives 50 %. Luck does as well with p = {p_value(found.p_swap)} when songs are "
        f"exchanged, and p = {p_value(found.p_shift)} when what was composed is moved in time."
    )
    few = (
        (
            f"{counted(songs, 'song', 'songs').capitalize()} can be exchanged in too few ways for "
            f"that to count, so this rests on the shift in time alone; {FEWEST_TO_SWAP} or more "
            "held-out songs would do better.",
        )
        if songs < FEWEST_TO_SWAP
        else ()
    )
    here = {
        True: (),
        False: (
            "The second model's run says that it learnt from other pairs than this dataset's "
            "training split: that it never met these songs is for you to know.",
        ),
        None: (
            "The second model lies in no run folder, so what it learnt from cannot be checked.",
        ),
    }[answer.inverse_trained_here]
    return Section(
        "Does the film carry the music?",
        (how, _SAID[found.verdict], came, pieces, *few, *here),
        (
            Captioned(
                likeness_picture(found.likeness_VV, answer.songs),
                "Each row: what was composed of one song's film, beside all songs; the darker, the "
                "more alike. Framed: its own song. The dot: the nearest. Where films carry the "
                "music, dots lie in frames.",
            ),
        ),
        (_numbers(found), _by_song(answer)),
        "secondary",
    )


def _numbers(found: Cycle) -> Table:
    rows = (
        (
            "nearest is its own (R@1)",
            share(found.recall_at_1),
            share(found.chance_recall_at_1),
            f"{share(found.recall_low)} to {share(found.recall_high)}",
            p_value(found.p_recall),
        ),
        (
            "the same, level and timbre counted",
            share(found.with_levels),
            share(found.chance_recall_at_1),
            None,
            p_value(found.p_with_levels),
        ),
        (
            "median place",
            plain(found.median_rank, 1),
            plain(found.chance_median_rank, 1),
            None,
            None,
        ),
        (
            "mean reciprocal place",
            plain(found.mean_reciprocal_rank, 2),
            plain(found.chance_mean_reciprocal_rank, 2),
            None,
            None,
        ),
        (
            "effect, of pieces",
            signed(found.effect),
            "0",
            interval(found.low, found.high),
            p_value(found.p_value),
        ),
    )
    return Table(
        ("measure", "value", "chance", "95 % interval", "p"),
        rows,
        "The effect: how much oftener than not a piece of the own song is the nearer one; 1 would "
        f"be always. One of {signed(found.mde80)} would be found four times out of five. "
        "The places' p-value is exact: all ways to say which song is whose.",
    )


def _by_song(answer: CycleAnswer) -> Table:
    found = answer.found
    nearest_V = found.likeness_VV.argmax(axis=1)
    rows = tuple(
        (
            name,
            plain(float(found.rank_V[v]), 1).removesuffix(".0"),
            plain(float(found.likeness_VV[v, v]), 2),
            None if nearest_V[v] == v else answer.songs[nearest_V[v]],
        )
        for v, name in enumerate(answer.songs)
    )
    note = "; ".join(f"left out: {name}: {why}" for name, why in answer.left_out)
    return Table(("song", "its place", "likeness", "nearer"), rows, note)


def likeness_picture(likeness_UV: np.ndarray, names: Sequence[str]) -> Picture:
    """Every composed song beside every song: the darker the cell, the more alike.

    likeness_UV: row u, column v: of what was composed of song u with song v.
    """
    songs = len(names)
    low, high = float(likeness_UV.min()), float(likeness_UV.max())
    depth_UV = (likeness_UV - low) / max(high - low, 1e-9)
    colours = np.empty((songs, songs, 4), np.uint8)
    colours[..., :3] = _AMBER
    colours[..., 3] = np.rint(255 * _STRONGEST * depth_UV)
    nearest_U, own = likeness_UV.argmax(axis=1), np.arange(songs)
    named = songs <= _NAMED_UP_TO

    def draw(sheet: Sheet) -> None:
        from matplotlib.patches import Rectangle

        room = (96 if sheet.narrow else 190) if named else 18
        side = min(sheet.width - room - 16, 300)
        left, top = 8 + room, 28
        axes = sheet.axes(left, top, side, side)
        axes.imshow(colours, interpolation="none", aspect="auto", gid="likeness")
        axes.set(xlim=(-0.5, songs - 0.5), ylim=(songs - 0.5, -0.5), xticks=[], yticks=[])
        axes.spines[:].set(visible=True, color=LINE, linewidth=1)
        for v in own:
            frame = Rectangle((v - 0.5, v - 0.5), 1, 1, fill=False, edgecolor=INK, linewidth=1.2)
            axes.add_patch(frame)
        size = min(8.0, 0.3 * side / songs)
        axes.plot(nearest_U, own, "o", color=INK, markersize=size, gid="nearest")
        sheet.text(left, 14, "the songs, in the same order →", color=SOFT, fontsize=SMALL)
        if named:
            height = side / songs
            size = min(SMALL, height * 0.95)
            for u, name in enumerate(names):
                said = shortened(name, int(room / (0.56 * size)))
                place = top + height * (u + 0.5)
                sheet.text(left - 6, place, said, ha="right", fontsize=size, color=SOFT)
        else:
            sheet.text(14, top + side / 2, "composed", rotation=90, color=SOFT, ha="center")
        lines = (
            (f"with its own song: {signed(float(np.diagonal(likeness_UV).mean()), 2)}", AMBER),
            (f"with another: {signed(_off_diagonal(likeness_UV), 2)}", SOFT),
            (f"lightest {signed(low, 2)}, darkest {signed(high, 2)}", SOFT),
        )
        for line, (said, colour) in enumerate(lines):
            if sheet.narrow:
                sheet.text(8, top + side + 20 + 19 * line, said, color=colour)
            else:
                sheet.text(left + side + 26, top + 14 + 21 * line, said, color=colour)

    alt = (
        f"What was composed of {songs} films beside all songs. The nearest is the own song for "
        f"{int((nearest_U == own).sum())} of {songs}. Likeness with the own song is "
        f"{signed(float(np.diagonal(likeness_UV).mean()), 2)} on average, with another "
        f"{signed(_off_diagonal(likeness_UV), 2)}."
    )
    side = min(350 - 16 - (96 if named else 18), 300)
    return drawn(draw, alt, 28 + 300 + 14, 28 + side + 80)


def _off_diagonal(likeness_UV: np.ndarray) -> float:
    return float(likeness_UV[~np.eye(len(likeness_UV), dtype=bool)].mean())


def cycle_json(answer: CycleAnswer) -> dict[str, Any]:
    """All numbers of the answer, as JSON has them."""
    found = answer.found
    return {
        "verdict": found.verdict,
        "songs": list(answer.songs),
        "left_out": [list(one) for one in answer.left_out],
        "seconds": float(found.seconds),
        "pieces": found.pieces,
        "recall_at_1": found.recall_at_1,
        "recall_at_1_chance": found.chance_recall_at_1,
        "recall_at_1_ci_95": [found.recall_low, found.recall_high],
        "p_recall": found.p_recall,
        "recall_at_1_with_levels": found.with_levels,
        "p_recall_with_levels": found.p_with_levels,
        "median_rank": found.median_rank,
        "median_rank_chance": found.chance_median_rank,
        "mean_reciprocal_rank": found.mean_reciprocal_rank,
        "mean_reciprocal_rank_chance": found.chance_mean_reciprocal_rank,
        "ranks": found.rank_V.tolist(),
        "effect": found.effect,
        "ci_95": [found.low, found.high],
        "p_value": found.p_value,
        "p_swap": found.p_swap,
        "p_shift": found.p_shift,
        "mde80": found.mde80,
        "likeness_composed_by_song": np.round(found.likeness_VV, 4).tolist(),
        "inverse_trained_here": answer.inverse_trained_here,
        "manifest_sha256": answer.digest,
    }
