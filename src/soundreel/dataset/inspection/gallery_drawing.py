"""Small drawings for the gallery: pictures as data URIs, waveforms and histograms as SVG paths."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from soundreel.dataset.inspection.clip_measures import FLOOR_DBFS, Envelope

#: A waveform is drawn in a box of this size, stretched to the page's width.
STRIP_WIDTH, STRIP_HEIGHT = 1000, 100
#: A histogram is drawn in a box of this size.
CHART_WIDTH, CHART_HEIGHT = 200, 60
#: Bins of a histogram. 20 of brightness are 12.75 levels each, 20 of loudness 3 dB.
BINS = 20
_JPEG_QUALITY = 80


@dataclass(frozen=True)
class Histogram:
    """How many values fell into each of `BINS` equal bins from `low` to `high`.

    Values beyond an end are counted in the bin at that end. median: None without values.
    """

    low: float
    high: float
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many values there are."""
        return sum(self.counts)

    @property
    def shares(self) -> np.ndarray:
        """Each bin's share of all values, (BINS,) float64; zeros without values."""
        return np.array(self.counts) / max(1, self.total)

    @property
    def median(self) -> float | None:
        """The value that half of them are below, as well as bins can say; None without values."""
        if not self.total:
            return None
        below = np.cumsum([0, *self.counts])
        # The bin that holds the lower of the two middle values, and how far into it they lie.
        place = int(np.searchsorted(2 * below, self.total)) - 1
        inside = (self.total / 2 - below[place]) / self.counts[place]
        return self.low + (place + float(inside)) * (self.high - self.low) / BINS

    def __add__(self, other: Histogram) -> Histogram:
        """Both together."""
        counts = tuple(a + b for a, b in zip(self.counts, other.counts, strict=True))
        return Histogram(self.low, self.high, counts)


def brightness_histogram(luma_N: Sequence[float] | np.ndarray) -> Histogram:
    """The histogram of frames' mean luma, 0 to 255."""
    return _histogram(luma_N, 0.0, 255.0)


def loudness_histogram(level_N: Sequence[float] | np.ndarray) -> Histogram:
    """The histogram of windows' loudness, FLOOR_DBFS to 0 dB re full scale."""
    return _histogram(level_N, FLOOR_DBFS, 0.0)


def _histogram(values: Sequence[float] | np.ndarray, low: float, high: float) -> Histogram:
    counts, _ = np.histogram(np.clip(values, low, high), BINS, (low, high))
    return Histogram(low, high, tuple(int(count) for count in counts))


def bars_path(share_B: np.ndarray, highest: float) -> str:
    """Bars in a box of CHART_WIDTH x CHART_HEIGHT; `highest` is the share that reaches its top."""
    wide = CHART_WIDTH / len(share_B)
    heights = share_B / highest * CHART_HEIGHT if highest > 0 else np.zeros_like(share_B)
    return "".join(
        f"M{place * wide + 0.5:.4g} {CHART_HEIGHT}v-{height:.4g}h{wide - 1:.4g}v{height:.4g}z"
        for place, height in enumerate(heights)
        if height > 0
    )


def steps_path(share_B: np.ndarray, highest: float) -> str:
    """The outline of the same bars as one line, to lay over others."""
    wide = CHART_WIDTH / len(share_B)
    heights = share_B / highest * CHART_HEIGHT if highest > 0 else np.zeros_like(share_B)
    steps = (f"V{CHART_HEIGHT - height:.4g}h{wide:.4g}" for height in heights)
    return f"M0 {CHART_HEIGHT}{''.join(steps)}V{CHART_HEIGHT}"


def outline_paths(envelope: Envelope, share: float) -> tuple[str, str]:
    """A waveform's peaks and its root mean square, mirrored about the middle of the strip.

    share: the part of the strip's width that the sound fills (it may end before the picture).
    The loudest peak reaches the strip's edge, so that a quiet song can be seen too.
    """
    loudest = float(envelope.peak_P.max()) or 1.0
    peaks = _mirrored(envelope.peak_P / loudest, share)
    return peaks, _mirrored(envelope.rms_P / loudest, share)


def _mirrored(level_P: np.ndarray, share: float) -> str:
    middle = STRIP_HEIGHT // 2
    x_P = np.linspace(0, STRIP_WIDTH * share, len(level_P) + 1)
    x_P = (x_P[:-1] + x_P[1:]) / 2
    up = [f"{x:.0f} {middle - level * middle:.0f}" for x, level in zip(x_P, level_P, strict=True)]
    down = [f"{x:.0f} {middle + level * middle:.0f}" for x, level in zip(x_P, level_P, strict=True)]
    return f"M0 {middle}L{'L'.join(up)}L{STRIP_WIDTH * share:.0f} {middle}L{'L'.join(down[::-1])}z"


def jpeg_uri(picture_HW3: np.ndarray, width: int, height: int) -> str:
    """A picture, uint8, resized and written into the page itself."""
    picture = Image.fromarray(np.ascontiguousarray(picture_HW3))
    picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(written.getvalue()).decode('ascii')}"
