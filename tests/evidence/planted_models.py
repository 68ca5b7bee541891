"""What a model might have made of songs that it never saw: planted, so that the answer is known."""

import numpy as np
from scipy.signal import lfilter

RATE_HZ = 2.0


def drifting(rng: np.random.Generator, count: int, columns: int, phi: float = 0.8) -> np.ndarray:
    """AR(1) curves of unit variance."""
    noise = rng.standard_normal((count + 100, columns)) * np.sqrt(1 - phi**2)
    return np.asarray(lfilter([1], [1, -phi], noise, axis=0))[100:]


def planted(
    seed: int,
    coupling: float,
    clips: int = 8,
    moments: int = 60,
    columns: int = 12,
    phi: float = 0.8,
    fade: float = 0,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(made, truth) of clips with a look each, of about so many moments, at `RATE_HZ`.

    Three moods drift through each clip; what was made follows them with that correlation. `fade`:
    how much all clips, and what was made, share a rise and fall.
    """
    rng = np.random.default_rng(seed)
    basis = 0.1 * rng.standard_normal((3, columns))
    made, truth = [], []
    for _ in range(clips):
        count = moments + int(rng.integers(-moments // 5, moments // 5 + 1))
        true = drifting(rng, count, 3, phi)
        heard = coupling * true + np.sqrt(1 - coupling**2) * drifting(rng, count, 3, phi)
        shared = fade * np.sin(np.linspace(0, np.pi, count))[:, None]
        look, made_look = rng.uniform(-0.5, 0.5, (2, columns))
        truth.append((true + shared) @ basis + look)
        made.append((heard + shared) @ basis + made_look)
    return made, truth
