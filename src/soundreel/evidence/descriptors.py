"""What the eye and the ear would measure, frame by frame, and how far one follows the other.

Arrays only. Shapes: T frames (times), D descriptors, N samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

import numpy as np

from soundreel.sound.rhythm import (
    band_loudness,
    loudness_envelope,
    onset_envelope,
    spectral_centroid,
)

PICTURE_NAMES = (
    "brightness",
    "saturation",
    "hue_cos",
    "hue_sin",
    "contrast",
    "edge_energy",
    "motion_energy",
)
SOUND_NAMES = ("loudness", "centroid", "onset", "low_band", "high_band")

#: Pictures are averaged down to about this many pixels on their shorter side first, so that
#: films of different sizes, and grain, measure alike.
_MEASURED_PIXELS = 72
_FRAMES_AT_A_TIME = 64
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709
_LOW_BAND_BELOW_HZ, _HIGH_BAND_FROM_HZ = 200.0, 4_000.0


@dataclass(frozen=True)
class Descriptors:
    """Curves over the times of a film: `values_TD` (float64), a name for each of the D columns."""

    names: tuple[str, ...]
    values_TD: np.ndarray

    def __getitem__(self, name: str) -> np.ndarray:
        """The curve of that name, T."""
        return self.values_TD[:, self.names.index(name)]

    def __len__(self) -> int:
        return len(self.values_TD)


def picture_descriptors(frames: Iterable[np.ndarray]) -> Descriptors:
    """What there is to see in each frame.

    frames: H x W x 3, uint8, RGB, all of one size; a T x H x W x 3 array, or frames as they
    are decoded (they are taken some dozens at a time, so memory does not grow with the film).

    - brightness: mean BT.709 luma of the coded values, 0 to 1.
    - saturation: mean of (max - min) / max of the three colours, 0 to 1.
    - hue_cos, hue_sin: mean hue as a vector, each pixel weighted by its chroma (max - min): 0
      where the picture is grey or its hues cancel.
    - contrast: standard deviation of the luma over the picture.
    - edge_energy: mean magnitude of the luma's gradient, a picture height away.
    - motion_energy: mean absolute change of the luma since the frame before; the first frame
      takes the second's, as nothing came before it.

    Raises: ValueError if a frame is not H x W x 3 uint8.
    """
    rows: list[np.ndarray] = []
    before_1HW: np.ndarray | None = None
    for frame_BHWC in _batches(frames):
        row_BD, before_1HW = _measure(_smaller(frame_BHWC), before_1HW)
        rows.append(row_BD)
    values_TD = np.concatenate(rows) if rows else np.empty((0, len(PICTURE_NAMES)))
    if len(values_TD) > 1:
        values_TD[0, -1] = values_TD[1, -1]
    return Descriptors(PICTURE_NAMES, values_TD)


def sound_descriptors(
    sound_N: np.ndarray,
    sample_rate_hz: int,
    times_seconds: Sequence[Fraction | float] | np.ndarray,
    window_seconds: float = 0.15,
) -> Descriptors:
    """What there was to hear in the last `window_seconds` before each time (causal).

    - loudness: root mean square in dB re full scale.
    - centroid: log2 of the spectral centroid over 1 kHz, in octaves (0.02 to 20 kHz).
    - onset: mean growth of the spectrum (`rhythm.onset_envelope`).
    - low_band, high_band: loudness below 200 Hz and from 4 kHz, in dB re full scale.
    """
    sound = (sound_N, sample_rate_hz, times_seconds)
    centroid_hz_T = spectral_centroid(*sound, window_seconds)
    curves = {
        "loudness": loudness_envelope(*sound, window_seconds),
        "centroid": np.log2(centroid_hz_T.clip(20, 20_000) / 1000),
        "onset": onset_envelope(sound_N, sample_rate_hz).heard_before(
            times_seconds, window_seconds
        ),
        "low_band": band_loudness(*sound, 0.0, _LOW_BAND_BELOW_HZ, window_seconds),
        "high_band": band_loudness(*sound, _HIGH_BAND_FROM_HZ, np.inf, window_seconds),
    }
    return Descriptors(SOUND_NAMES, np.stack([curves[name] for name in SOUND_NAMES], axis=1))


def _batches(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    arriving = iter(frames)
    while batch := list(islice(arriving, _FRAMES_AT_A_TIME)):
        for frame in batch:
            if frame.ndim != 3 or frame.shape[-1] != 3 or frame.dtype != np.uint8:
                raise ValueError(
                    f"a frame is {frame.shape} {frame.dtype}: height x width x 3 uint8 is needed"
                )
        yield np.stack(batch)


def _smaller(frame_BHWC: np.ndarray) -> np.ndarray:
    """Whole blocks of pixels averaged (edges that fill no block are left out), in 0 to 1."""
    count, height, width, _ = frame_BHWC.shape
    block = max(1, min(height, width) // _MEASURED_PIXELS)
    rows, columns = height // block, width // block
    cut = frame_BHWC[:, : rows * block, : columns * block]
    # Sums one axis at a time in integers: far faster than a mean over both in floats.
    summed = cut.reshape(count, rows, block, -1).sum(2, dtype=np.uint32)
    summed = summed.reshape(count, rows, columns, block, 3).sum(3, dtype=np.uint32)
    return summed.astype(np.float32) / (255 * block * block)


def _measure(x_BHWC: np.ndarray, before_1HW: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    luma_BHW = x_BHWC @ _LUMA
    red, green, blue = x_BHWC[..., 0], x_BHWC[..., 1], x_BHWC[..., 2]
    top = np.maximum(np.maximum(red, green), blue)
    chroma = top - np.minimum(np.minimum(red, green), blue)
    saturation = np.divide(chroma, top, out=np.zeros_like(top), where=top > 0)
    # Hue as an angle in the plane at right angles to grey: red at 0, green at 120 degrees. Its
    # length is not the chroma (6 corners, not a circle), so it is made 1 first.
    along, across = red - (green + blue) / 2, (green - blue) * np.float32(np.sqrt(3) / 2)
    length = np.hypot(along, across)
    weight = np.divide(chroma, length, out=np.zeros_like(chroma), where=length > 0)
    # Differences of neighbours, scaled to a change over the height of the picture.
    edge = np.hypot(np.diff(luma_BHW, axis=1)[:, :, :-1], np.diff(luma_BHW, axis=2)[:, :-1])
    earlier = luma_BHW[:1] if before_1HW is None else before_1HW
    motion = np.abs(np.diff(np.concatenate([earlier, luma_BHW]), axis=0))
    curves = (
        luma_BHW,
        saturation,
        along * weight,
        across * weight,
        None,
        edge * luma_BHW.shape[1],
        motion,
    )
    means = [
        luma_BHW.std(axis=(1, 2), dtype=np.float64)
        if curve is None
        else curve.mean(axis=(1, 2), dtype=np.float64)
        if curve.size
        else np.zeros(len(x_BHWC))
        for curve in curves
    ]
    return np.stack(means, axis=1), luma_BHW[-1:]
