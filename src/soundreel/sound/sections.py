"""The sections of a song: where it changes for longer than a bar or two, and which parts are alike.

A checkerboard slides along the diagonal of the song's likeness to itself, and is high where two
parts meet that are each alike within and different from each other (J. Foote, "Automatic audio
segmentation using a measure of audio novelty", ICME 2000). Only the band about the diagonal is
ever looked at, and labels come from comparing whole sections, so time is linear in the length.

Shapes: U units (bars, or a second or two), F features, S sections, L labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from soundreel.sound.rhythm import SILENCE_DB
from soundreel.sound.song_curves import SongCurves, means_between

#: No section is shorter, unless the song is: four bars at 137 beats a minute.
_SHORTEST_SECONDS = 7.0
#: The checkerboard's half. Twice as long it misses short sections, and finds no others.
_REACH_SECONDS = 8.0
#: What a unit is where there are no bars.
_UNIT_SECONDS = 1.0
#: How much timbre, harmony and loudness count: what each adds to a unit's distance from the mean.
_TIMBRE, _HARMONY, _LOUDNESS = 1.0, 0.5, 0.75
#: What a boundary's novelty must be more than, in mean distances between neighbouring units.
_LEAST_NOVELTY = 0.1
#: Sections whose means are closer than this, in the same measure, sound alike.
_ALIKE = 0.5
#: More kinds of section than this are not told apart.
_MOST_LABELS = 26
#: A song whose bands all keep their level to this (dB, root mean square) has no sections.
_LEAST_CHANGE_DB = 0.5
#: Quieter is no different.
_QUIETEST_DB = -60.0


@dataclass(frozen=True)
class Section:
    """A part of a song, [start, stop) in seconds.

    label: A, B, C, ... by first appearance; the same where sections sound alike.
    loudness_db: root mean square of the whole section, dB re full scale.
    """

    start_seconds: float
    stop_seconds: float
    label: str
    loudness_db: float


def find_sections(curves: SongCurves, bar_seconds: np.ndarray) -> tuple[Section, ...]:
    """The sections of a song, covering it from 0 to its end without gaps; at least one.

    bar_seconds: when bars begin (`bars.Bars`): sections begin with a bar. Empty: with a second.
    """
    seconds = float(curves.seconds)
    edge_seconds = _unit_edges(seconds, bar_seconds)
    if len(curves.level_GB) == 0 or len(edge_seconds) < 3:
        return (Section(0.0, seconds, "A", _loudness_db(curves, 0.0, seconds)),)
    feature_UF = _features(curves, edge_seconds)
    unit = float(np.median(np.diff(edge_seconds)))
    distance_UD = _band_of_distances(feature_UF, 2 * max(2, round(_REACH_SECONDS / unit)))
    scale = float(np.nanmean(distance_UD[:, 1:]))
    if scale <= 0:
        boundaries = [0, len(feature_UF)]
    else:
        boundaries = _choose(_novelty(distance_UD) / scale, edge_seconds)
    label_S = _labels(feature_UF, boundaries, _ALIKE * scale)
    sections = []
    for k, label in enumerate(label_S):
        start, stop = (float(edge_seconds[boundaries[k + step]]) for step in (0, 1))
        sections.append(Section(start, stop, label, _loudness_db(curves, start, stop)))
    return tuple(sections)


def _unit_edges(seconds: float, bar_seconds: np.ndarray) -> np.ndarray:
    if len(bar_seconds):
        inside = bar_seconds[(bar_seconds > 0.25) & (bar_seconds < seconds - 0.25)]
    else:
        inside = np.arange(_UNIT_SECONDS, seconds - _UNIT_SECONDS / 2, _UNIT_SECONDS)
    return np.concatenate([[0.0], inside, [seconds]])


def _features(curves: SongCurves, edge_seconds: np.ndarray) -> np.ndarray:
    """What each unit sounds like: U x F; a kind of feature is as far from its mean as it counts."""
    loud_G1 = np.maximum(curves.loudness_db_G, _QUIETEST_DB)[:, None]
    kinds = [
        (curves.level_GB, _TIMBRE, _LEAST_CHANGE_DB * np.sqrt(curves.level_GB.shape[1])),
        (curves.pitch_GP, _HARMONY, 0.02),
        (loud_G1, _LOUDNESS, _LEAST_CHANGE_DB),
    ]
    columns = []
    for curve_GF, counts, least in kinds:
        mean_UF = means_between(
            curve_GF, edge_seconds[:-1], edge_seconds[1:], curves.moment_seconds
        )
        apart_UF = mean_UF - mean_UF.mean(0)
        spread = float(np.sqrt(np.square(apart_UF).sum(1).mean()))
        columns.append(apart_UF * (counts / spread if spread > least else 0.0))
    return np.concatenate(columns, axis=1)


def _band_of_distances(feature_UF: np.ndarray, width: int) -> np.ndarray:
    """How far unit u is from unit u + d, for d from 0 to width - 1: U x width, nan past the end."""
    count = len(feature_UF)
    distance_UD = np.full((count, width), np.nan)
    for apart in range(min(width, count)):
        difference_UF = feature_UF[apart:] - feature_UF[: count - apart]
        distance_UD[: count - apart, apart] = np.sqrt(np.square(difference_UF).sum(1))
    return distance_UD


def _novelty(distance_UD: np.ndarray) -> np.ndarray:
    """How much further units are across each edge than on either side of it: U + 1 edges.

    The mean distance under the checkerboard's two cross fields less that under the other two, all
    of them weighted by a bell about the edge.
    """
    count, reach = len(distance_UD), distance_UD.shape[1] // 2
    weight_R = np.exp(-0.5 * ((np.arange(reach) + 0.5) / (0.5 * reach)) ** 2)
    padded_UD = np.full((count + 2 * reach + 1, 2 * reach), np.nan)
    padded_UD[reach : reach + count] = distance_UD

    def field(pairs: list[tuple[int, int, float]]) -> tuple[np.ndarray, np.ndarray]:
        """Weighted sum and weight of the distances from `first` to `second` units past edges."""
        total, weight = np.zeros(count + 1), np.zeros(count + 1)
        for first, second, share in pairs:
            place = reach + first
            distance_E = padded_UD[place : place + count + 1, second - first]
            known_E = ~np.isnan(distance_E)
            total += np.where(known_E, share * distance_E, 0)
            weight += share * known_E
        return total, weight

    around = range(reach)
    across = [(-1 - p, q, weight_R[p] * weight_R[q]) for p in around for q in around]
    after = [(p, q, weight_R[p] * weight_R[q]) for p in around for q in range(p + 1, reach)]
    before = [(-1 - q, -1 - p, share) for p, q, share in after]
    across_sum, across_weight = field(across)
    within_sum, within_weight = field(before + after)
    known_E = (across_weight > 0) & (within_weight > 0)
    novelty_E = across_sum / across_weight.clip(1e-9) - within_sum / within_weight.clip(1e-9)
    return np.where(known_E, novelty_E, 0)


def _choose(novelty_E: np.ndarray, edge_seconds: np.ndarray) -> list[int]:
    """The edges that have the most novelty between them, none too near another: indices, with
    the first and the last edge.
    """
    last = len(edge_seconds) - 1
    gain_E = novelty_E - _LEAST_NOVELTY
    gain_E[last] = 0.0
    total_E = np.full(last + 1, -np.inf)
    total_E[0] = 0.0
    before_E = np.zeros(last + 1, dtype=np.int64)
    best = candidate = 0
    for edge in range(1, last + 1):
        while edge_seconds[candidate + 1] <= edge_seconds[edge] - _SHORTEST_SECONDS:
            candidate += 1
            if total_E[candidate] > total_E[best]:
                best = candidate
        if edge_seconds[best] <= edge_seconds[edge] - _SHORTEST_SECONDS:
            total_E[edge] = total_E[best] + gain_E[edge]
            before_E[edge] = best
    chosen = [last]
    while chosen[-1] > 0:
        chosen.append(int(before_E[chosen[-1]]))
    return chosen[::-1]


def _labels(feature_UF: np.ndarray, boundaries: list[int], alike: float) -> list[str]:
    """A letter for each section, the same for those whose means are alike.

    One after the other joins the nearest kind or founds one; then all choose again, twice.
    """
    pairs = list(pairwise(boundaries))
    mean_SF = np.stack([feature_UF[start:stop].mean(0) for start, stop in pairs])
    length_S = np.array([stop - start for start, stop in pairs], dtype=float)
    kind_S = np.zeros(len(pairs), dtype=np.int64)
    centre_LF = mean_SF[:1]
    for k in range(1, len(pairs)):
        distance_L = np.sqrt(np.square(centre_LF - mean_SF[k]).sum(1))
        kind_S[k] = int(distance_L.argmin())
        if distance_L.min() > alike and len(centre_LF) < _MOST_LABELS:
            kind_S[k] = len(centre_LF)
            centre_LF = np.concatenate([centre_LF, mean_SF[k : k + 1]])
        centre_LF[kind_S[k]] = _centre(mean_SF, length_S, kind_S[: k + 1] == kind_S[k])
    for _ in range(2):
        distance_SL = np.stack([np.square(mean_SF - c).sum(1) for c in centre_LF], axis=1)
        kind_S = distance_SL.argmin(1)
        for kind in np.unique(kind_S):
            centre_LF[kind] = _centre(mean_SF, length_S, kind_S == kind)
    order = list(dict.fromkeys(kind_S.tolist()))
    return [chr(ord("A") + order.index(kind)) for kind in kind_S.tolist()]


def _centre(mean_SF: np.ndarray, length_S: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    chosen = np.flatnonzero(chosen)
    return np.average(mean_SF[chosen], axis=0, weights=length_S[chosen])


def _loudness_db(curves: SongCurves, start_seconds: float, stop_seconds: float) -> float:
    if len(curves.loudness_db_G) == 0:
        return SILENCE_DB
    power_G1 = 10 ** (curves.loudness_db_G[:, None] / 10)
    edges = np.array([start_seconds, stop_seconds])
    mean = means_between(power_G1, edges[:1], edges[1:], curves.moment_seconds)[0, 0]
    return float(10 * np.log10(max(mean, 10 ** (SILENCE_DB / 10))))
