"""Do the curves of made films (light, colour, contrast, edges, motion) follow their own songs?

Each curve of a film made for one clip is correlated with that of every clip's real film; what a
clip's own is above the others' is its margin. 0 is chance: what all films share, such as a fade
or a cut on the beat that any song would have had, is in the others' correlations too.

Shapes: N clips, T moments of a clip, D descriptors, H rows, W columns; u: the clip that a film
was made for, v: the clip whose real film is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from soundreel.evidence.descriptors import picture_descriptors
from soundreel.evidence.following import without_drift
from soundreel.seeding import numpy_generator_for

#: What is followed, and the descriptors that say it. Hue is an angle, so it takes two.
FOLLOWED: Mapping[str, tuple[str, ...]] = {
    "brightness": ("brightness",),
    "saturation": ("saturation",),
    "hue": ("hue_cos", "hue_sin"),
    "contrast": ("contrast",),
    "edges": ("edge_energy",),
    "motion": ("motion_energy",),
}
#: Fewer moments have no correlation to speak of.
FEWEST_MOMENTS = 4
_DRAWS = 4_000


@dataclass(frozen=True, eq=False)
class DescriptorMargins:
    """How much better each clip's film follows its own song than another's.

    names: of the D descriptors. own_ND: correlation of what was made for a clip with its truth;
    swapped_ND: the mean of that of what was made for the other clips, at the same relative time.
    mean: over clips and descriptors; low, high: its 95% interval over clips (percentile
    bootstrap), which does not count that the clips share their swapped songs.
    """

    names: tuple[str, ...]
    own_ND: np.ndarray
    swapped_ND: np.ndarray
    mean: float
    low: float
    high: float

    @property
    def margins(self) -> np.ndarray:
        """Own less swapped, N x D; 0 is chance."""
        return self.own_ND - self.swapped_ND

    @property
    def by_name(self) -> dict[str, float]:
        """The mean margin over clips, of each descriptor."""
        return dict(zip(self.names, self.margins.mean(0).tolist(), strict=True))


def descriptor_margins(
    made_by_clip: Sequence[np.ndarray],
    truth_by_clip: Sequence[np.ndarray],
    run_starts_by_clip: Sequence[Sequence[int] | np.ndarray] | None = None,
    seed: int = 0,
) -> DescriptorMargins:
    """The margins of six descriptors over films of N clips; arguments as `followed_curves`.

    Raises: ValueError as `followed_curves`, or for fewer than two clips with four moments or more
    each, beside where their runs start.
    """
    made, truth = followed_curves(made_by_clip, truth_by_clip, run_starts_by_clip)
    shortest = min((len(clip_TD) for clips in truth.values() for clip_TD in clips), default=0)
    if len(made_by_clip) < 2 or shortest < FEWEST_MOMENTS:
        raise ValueError(
            f"{len(made_by_clip)} clips, the shortest of {shortest} moments: at least 2 clips of "
            f"{FEWEST_MOMENTS} moments are needed"
        )
    each_NND = np.stack([pair_correlations(made[name], truth[name]) for name in FOLLOWED], axis=2)
    count = len(each_NND)
    own_ND = each_NND[np.arange(count), np.arange(count)]
    swapped_ND = (each_NND.sum(0) - own_ND) / (count - 1)
    margin_N = (own_ND - swapped_ND).mean(1)
    low, high = bootstrap_interval(margin_N, seed)
    return DescriptorMargins(tuple(FOLLOWED), own_ND, swapped_ND, float(margin_N.mean()), low, high)


def bootstrap_interval(value_N: np.ndarray, seed: int) -> tuple[float, float]:
    """The 95% interval of a mean over clips: quantiles of it over clips drawn with replacement."""
    rng = numpy_generator_for(seed, "clips bootstrap")
    mean_B = value_N[rng.integers(len(value_N), size=(_DRAWS, len(value_N)))].mean(1)
    low, high = np.quantile(mean_B, (0.025, 0.975))
    return float(low), float(high)


def followed_curves(
    made_by_clip: Sequence[np.ndarray],
    truth_by_clip: Sequence[np.ndarray],
    run_starts_by_clip: Sequence[Sequence[int] | np.ndarray] | None = None,
) -> tuple[dict[str, list[np.ndarray]], dict[str, list[np.ndarray]]]:
    """The curves of made and of true films: for each name of `FOLLOWED` a T x D array a clip.

    made_by_clip, truth_by_clip: for each of N clips its T frames in order, T x H x W x 3 uint8
    RGB; T may differ from clip to clip, not between made and truth.
    run_starts_by_clip: where moments come in runs with gaps between, the places 0..T - 1 at which
    a run starts; the change across a gap is no motion and is left out. None: one run a clip.

    Raises: ValueError if the numbers of clips or of moments differ.
    """
    starts_by_clip = (
        [(0,)] * len(made_by_clip) if run_starts_by_clip is None else run_starts_by_clip
    )
    made: dict[str, list[np.ndarray]] = {name: [] for name in FOLLOWED}
    truth: dict[str, list[np.ndarray]] = {name: [] for name in FOLLOWED}
    for made_THWC, truth_THWC, starts in zip(
        made_by_clip, truth_by_clip, starts_by_clip, strict=True
    ):
        if len(made_THWC) != len(truth_THWC):
            raise ValueError(
                f"{len(made_THWC)} made frames and {len(truth_THWC)} true ones: "
                "equally many are needed"
            )
        begins_T = np.zeros(len(truth_THWC), bool)
        begins_T[np.asarray(starts, np.int64)] = True
        begins_T[:1] = True  # nothing came before it
        for curves, frames_THWC in ((made, made_THWC), (truth, truth_THWC)):
            found = picture_descriptors(frames_THWC)
            for name, columns in FOLLOWED.items():
                curve_TD = np.stack([found[column] for column in columns], axis=1)
                curves[name].append(curve_TD[~begins_T] if name == "motion" else curve_TD)
    return made, truth


def pair_correlations(
    made_by_clip: Sequence[np.ndarray], truth_by_clip: Sequence[np.ndarray]
) -> np.ndarray:
    """Correlations within clips: of what was made for u, at the same relative time, with v's truth.

    made_by_clip, truth_by_clip: a T x D array for each clip. Only means are removed; a curve that
    does not vary correlates 0; of several columns the mean.

    Shape: -> N x N ([u, v]), in [-1, 1].
    """
    lengths_N = np.array([len(truth_TD) for truth_TD in truth_by_clip])
    correlation_NN = np.empty((len(lengths_N), len(lengths_N)))
    for length in np.unique(lengths_N):
        those = np.flatnonzero(lengths_N == length)
        place_T = np.arange(length)
        made_TND = np.stack([m_TD[place_T * len(m_TD) // length] for m_TD in made_by_clip], axis=1)
        truth_TVD = np.stack([truth_by_clip[n] for n in those.tolist()], axis=1)
        each_NVD = np.einsum("tnd,tvd->nvd", _unit(made_TND), _unit(truth_TVD))
        correlation_NN[:, those] = each_NVD.mean(axis=2)
    return correlation_NN


def _unit(x_TND: np.ndarray) -> np.ndarray:
    """Curves without their mean and of length 1, so that a product is a correlation."""
    flat = x_TND.reshape(len(x_TND), -1)
    centred = without_drift(flat, slow_terms=0)
    length = np.linalg.norm(centred, axis=0)
    # What is left of a constant is rounding, and no direction.
    still = length <= 1e-9 * len(flat) * np.abs(flat).max(axis=0)
    return np.where(still, 0, centred / np.where(still, 1, length)).reshape(x_TND.shape)
