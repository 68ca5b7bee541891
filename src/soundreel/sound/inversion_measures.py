"""How near a remade sound comes to the columns it was made from.

Shapes: K columns, F frequencies, S pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: 100 dB below the loudest there is: what lies deeper counts as this.
_DEEPEST_DB = 100.0


def spectral_convergence(true_FK: Tensor, made_FK: Tensor) -> float:
    """||true - made|| / ||true|| of two amplitude spectrograms (Frobenius; 0 is equal).

    Sturmel and Daudet (2011), "Signal reconstruction from STFT magnitude: a state of the art",
    eq. 10, without the logarithm. The loudest frequencies decide.

    Raises: ValueError for different shapes, none at all, or a silent truth.
    """
    _check(true_FK, made_FK)
    size = torch.linalg.vector_norm(true_FK)
    if size == 0:
        raise ValueError("the true amplitudes are all zero: nothing to converge to")
    return float(torch.linalg.vector_norm(true_FK - made_FK) / size)


def log_spectral_distance_db(
    true_FK: Tensor, made_FK: Tensor, deepest_db: float = _DEEPEST_DB
) -> float:
    """Mean over columns of the root mean square over frequencies of the levels' difference.

    Gray and Markel (1976), "Distance measures for speech processing": D_k^2 = mean over f of
    (20 log10 true - 20 log10 made)^2, of amplitudes, in dB. Levels further than `deepest_db`
    below the loudest true one count as that. Quiet and loud frequencies count alike.

    Raises: ValueError for different shapes, none at all, or a silent truth.
    """
    _check(true_FK, made_FK)
    loudest = float(true_FK.max())
    if loudest <= 0:
        raise ValueError("the true amplitudes are all zero: no level to compare with")
    least = loudest * 10 ** (-deepest_db / 20)
    apart_FK = true_FK.clamp(min=least).log10() - made_FK.clamp(min=least).log10()
    return float(20 * apart_FK.square().mean(0).sqrt().mean())


def column_distance_db(true_SK: Tensor, made_SK: Tensor, span_db: float) -> float:
    """The log-spectral distance of columns of a sound image, whose pixels span `span_db`.

    As `log_spectral_distance_db`, on what the picture shows: pixels are levels already, from the
    recipe's floor (-1) to its ceiling (+1).

    Raises: ValueError for different shapes or none at all.
    """
    _check(true_SK, made_SK)
    return float((true_SK - made_SK).mul(span_db / 2).square().mean(0).sqrt().mean())


def _check(true_FK: Tensor, made_FK: Tensor) -> None:
    if true_FK.shape != made_FK.shape or true_FK.ndim != 2 or true_FK.numel() == 0:
        raise ValueError(
            "two spectrograms of one shape F x K are needed, not "
            f"{tuple(true_FK.shape)} and {tuple(made_FK.shape)}"
        )
