"""What chance gives: permutations, p-values, intervals, equivalence, and many tests at once.

Arrays only. Shapes: B draws of a null, V videos (their songs), K tests.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Normal quantiles: two-sided 95%, two-sided 90%, and for a power of .8 at a one-sided .05.
Z_95, Z_90 = 1.959964, 1.644854
Z_POWER = 1.644854 + 0.841621


def uniform_permutations(count: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Permutations of 0..count - 1, drawn uniformly, the identity not excluded.

    Derangements (no song keeps its own video) would make the test too liberal: the observed
    pairing would then not be one of the equally likely ones.

    Shape: -> draws x count, int64.
    """
    return rng.permuted(np.tile(np.arange(count), (draws, 1)), axis=1)


def permutation_p(observed: float, null_B: np.ndarray) -> float:
    """Return (1 + number of null values >= observed) / (1 + B); one-sided, never 0.

    Source: Phipson and Smyth 2010, "Permutation p-values should never be zero" (arXiv
    1603.05766). Values that differ by rounding only count as equal.

    Raises: ValueError if there are no draws.
    """
    null_B = np.asarray(null_B, dtype=np.float64)
    if len(null_B) == 0:
        raise ValueError("a p-value needs at least one draw of the null")
    slack = 1e-10 * max(1.0, abs(observed))
    return float((1 + np.count_nonzero(null_B >= observed - slack)) / (1 + len(null_B)))


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """p-values corrected for there being many: at most alpha of families have any below alpha.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".

    Shape: K -> K, float64, in the order given, at most 1.
    """
    p_K = np.asarray(p_values, dtype=np.float64)
    order_K = np.argsort(p_K, kind="stable")
    raised_K = np.maximum.accumulate(p_K[order_K] * np.arange(len(p_K), 0, -1))
    corrected_K = np.empty_like(p_K)
    corrected_K[order_K] = np.minimum(1.0, raised_K)
    return corrected_K
