"""Windows in which nothing is heard."""

from __future__ import annotations

import numpy as np

#: A window is judged by the loudest of so many equal blocks: of the default window's 1.4 s, 44 ms
#: each. So a single click or a note's beginning at its edge is something heard.
_BLOCKS = 32
#: How many samples are looked at together: what bounds memory.
_TILE_SAMPLES = 2**22


def silent_windows(
    sound_N: np.ndarray,
    end_samples_K: np.ndarray,
    window_samples: int,
    threshold_db: float = -60.0,
) -> np.ndarray:
    """Whether each window [end - window_samples, end) is silent: K, bool.

    sound_N: float, full scale 1. Before its start and after its end there is silence, so a
        window that holds nothing of it is silent.
    end_samples_K: int64, in any order.
    threshold_db: the loudest of a window's 32 equal blocks must lie below this; root mean square
        in dB re full scale (a sine of full scale has -3 dB).

    Raises: ValueError for a window of less than 32 samples.
    """
    if window_samples < _BLOCKS:
        raise ValueError(f"window_samples = {window_samples}: at least {_BLOCKS}")
    end_samples_K = np.asarray(end_samples_K, np.int64)
    edge_B = np.arange(_BLOCKS + 1) * window_samples // _BLOCKS - window_samples
    loudest_K = np.zeros(len(end_samples_K))
    order_K = np.argsort(end_samples_K, kind="stable")
    done = 0
    while done < len(order_K):
        first = int(end_samples_K[order_K[done]]) - window_samples
        stop = int(np.searchsorted(end_samples_K[order_K], first + max(_TILE_SAMPLES, 1), "right"))
        k_T = order_K[done : max(stop, done + 1)]
        done += len(k_T)
        start = max(0, first)
        stretch_N = sound_N[start : max(start, int(end_samples_K[k_T[-1]]))]
        energy_N = np.concatenate([[0.0], np.cumsum(np.square(stretch_N, dtype=np.float64))])
        at_TB = (end_samples_K[k_T, None] + edge_B - start).clip(0, len(stretch_N))
        loudest_K[k_T] = (np.diff(energy_N[at_TB], axis=1) / np.diff(edge_B)).max(1)
    return loudest_K < 10 ** (threshold_db / 10)
