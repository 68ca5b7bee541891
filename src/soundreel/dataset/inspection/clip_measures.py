"""What a clip of a dataset is like: how bright, how loud, its waveform, and what is damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from soundreel.errors import DatasetError

#: Loudness below this is shown as this: silence has none.
FLOOR_DBFS = -60.0


@dataclass(frozen=True)
class Envelope:
    """A waveform, drawn small: P equal stretches of a sound.

    peak_P: the largest magnitude of each stretch, 0 to 1 of full scale (decoders may overshoot).
    rms_P: its root mean square.
    """

    peak_P: np.ndarray
    rms_P: np.ndarray


def brightness_of(path: Path, size: int) -> float:
    """The mean luma of a stored frame, 0 (black) to 255 (white), as JPEG has it (ITU-R BT.601).

    JPEG is decoded at an eighth of its size, whose pixels are the means of its blocks: about ten
    times as fast as the whole picture.

    Raises: DatasetError if the file is damaged or of another size.
    """
    try:
        with Image.open(path) as image:
            if image.size != (size, size):
                raise DatasetError(f"{path}: is not {size}x{size}, as the recipe says: delete it")
            image.draft("L", (max(1, size // 8), max(1, size // 8)))
            return float(np.asarray(image.convert("L")).mean())
    except (OSError, SyntaxError) as error:
        raise DatasetError(f"{path}: not a readable picture: delete it") from error


def loudness_of(
    sound_N: np.ndarray, end_samples_K: Sequence[int], window_samples: int
) -> np.ndarray:
    """How loud each window is: its root mean square in dB re full scale, at least FLOOR_DBFS.

    A sine of full scale is at -3.01 dB. What lies before the sound's start is silence and counts.

    Shape: (K,) float64.
    """
    level_K = np.empty(len(end_samples_K))
    for place, end in enumerate(end_samples_K):
        window = sound_N[max(0, end - window_samples) : max(0, end)]
        level_K[place] = np.square(window, dtype=np.float64).sum() / window_samples
    floor = 10 ** (FLOOR_DBFS / 10)
    return 10 * np.log10(np.maximum(level_K, floor))


def envelope_of(sound_N: np.ndarray, points: int) -> Envelope:
    """A sound's outline in at most `points` equal stretches (fewer of a sound with fewer samples).

    Raises: ValueError for a sound without samples.
    """
    if not len(sound_N):
        raise ValueError("a sound without samples has no outline")
    count = min(points, len(sound_N))
    first_P = np.arange(count) * len(sound_N) // count
    samples_P = np.diff(np.append(first_P, len(sound_N)))
    peak_P = np.maximum.reduceat(np.abs(sound_N), first_P)
    square_P = np.add.reduceat(np.square(sound_N), first_P, dtype=np.float64)
    return Envelope(peak_P, np.sqrt(square_P / samples_P))
