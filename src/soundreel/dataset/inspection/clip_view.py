"""One clip as the gallery shows it: everything decoded, counted and put into words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from soundreel.dataset.inspection.clip_measures import brightness_of, envelope_of, loudness_of
from soundreel.dataset.inspection.gallery_drawing import (
    STRIP_HEIGHT,
    STRIP_WIDTH,
    Histogram,
    brightness_histogram,
    jpeg_uri,
    loudness_histogram,
    outline_paths,
)
from soundreel.dataset.inspection.gallery_words import facts_of, link_of, origin_of, source_name
from soundreel.dataset.inspection.moments import clip_sound, moments_of
from soundreel.dataset.inspection.pruning import deleted_places
from soundreel.dataset.naming import ranges_of
from soundreel.dataset.store import ClipRow, Dataset, numbered
from soundreel.errors import DatasetError
from soundreel.timeline import clock, grid_count, samples_before

#: The reason shown for frames that were deleted from the finished dataset.
DELETED = "deleted by hand"
#: Steps between the times written under a waveform, in seconds: the first that gives <= 8.
_TICKS_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
#: How many stretches of one reason are written out; the others are counted.
_STRETCHES_NAMED = 6


@dataclass(frozen=True)
class MomentView:
    """A pair in the film strip. percent: where it lies on the clip's length."""

    k: int
    label: str
    percent: float
    frame_uri: str
    sound_uri: str


@dataclass(frozen=True)
class Band:
    """The stretches of a clip that were left out for `reason`.

    path: SVG, rectangles in the strip's box. label: when, in words.
    """

    reason: str
    path: str
    label: str


@dataclass(frozen=True)
class Strip:
    """The clip's length as a line: waveform, used span, what was left out, times.

    peaks, rms: SVG paths. used: (left, width) of the used span in percent. ticks: (percent,
    label). loudest: the loudest peak in words.
    """

    peaks: str
    rms: str
    used: tuple[float, float]
    bands: tuple[Band, ...]
    ticks: tuple[tuple[float, str], ...]
    loudest: str


@dataclass(frozen=True)
class ClipView:
    """One clip. reasons: what was left out of it and how often; damaged: names of files."""

    row: ClipRow
    pairs: int
    reasons: dict[str, int]
    damaged: tuple[str, ...]
    moments: tuple[MomentView, ...]
    strip: Strip | None
    brightness: Histogram
    loudness: Histogram
    facts: tuple[str, ...]
    source: str
    link: str
    origin: tuple[str, ...]


@dataclass(frozen=True)
class Sizes:
    """How much of each clip the page shows: moments, their width in pixels, waveform points."""

    moments: int
    thumbnail_width: int
    points: int


def view_clip(dataset: Dataset, row: ClipRow, sizes: Sizes) -> ClipView:
    """Look at all of a clip's frames and its sound (which is held in memory as a whole).

    A frame that cannot be read is counted as damaged, and the others are shown.

    Raises: DatasetError if the sound or a stored sound image cannot be read.
    """
    recipe = dataset.recipe
    frames, luma_N, damaged = [], [], []
    for k, path in dataset.frames(row.id):
        try:
            luma_N.append(brightness_of(path, recipe.picture_size))
            frames.append((k, path))
        except DatasetError:
            damaged.append(path.name)
    found = [k for k, _ in numbered(dataset.clip_folder(row.id) / "frames")]
    sound_N = clip_sound(dataset, row)
    level_N = np.zeros(0)
    if len(sound_N):
        times = [dataset.time_of(row, k) for k, _ in frames]
        ends = [samples_before(time, recipe.sample_rate_hz) for time in times]
        level_N = loudness_of(sound_N, ends, recipe.window_samples)
    gone = max(0, row.pairs - len(found))
    length_seconds = _length_seconds(dataset, row, sound_N, found)
    return ClipView(
        row=row,
        pairs=len(frames) + len(damaged),
        reasons=dict(sorted(row.skipped.items())) | ({DELETED: gone} if gone else {}),
        damaged=tuple(damaged),
        moments=_moments(dataset, row, frames, sound_N, sizes, length_seconds),
        strip=_strip(dataset, row, found, sound_N, sizes, length_seconds),
        brightness=brightness_histogram(luma_N),
        loudness=loudness_histogram(level_N),
        facts=tuple(facts_of(row)),
        source=source_name(row),
        link=link_of(row),
        origin=tuple(origin_of(row)),
    )


def thumbnail_shapes(dataset: Dataset, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """(width, height) of a frame in the film's own shape, and of the sound image under it."""
    aspect = dataset.recipe.shape_aspect
    wide = max(aspect, Fraction(1))
    frame = (round(width * aspect / wide), round(width / wide))
    return frame, (width, round(width / wide))


def _length_seconds(
    dataset: Dataset, row: ClipRow, sound_N: np.ndarray, found: list[int]
) -> Fraction:
    """How long the line is: the clip, or more if its sound or its grid go on."""
    ends = [row.seconds or Fraction(0), Fraction(len(sound_N), dataset.recipe.sample_rate_hz)]
    ends += [dataset.time_of(row, k) for k in found[-1:]]
    return max(*ends, Fraction(1, 1000))


def _moments(
    dataset: Dataset,
    row: ClipRow,
    frames: list[tuple[int, Path]],
    sound_N: np.ndarray,
    sizes: Sizes,
    length_seconds: Fraction,
) -> tuple[MomentView, ...]:
    frame_shape, sound_shape = thumbnail_shapes(dataset, sizes.thumbnail_width)
    return tuple(
        MomentView(
            moment.k,
            clock(moment.time_seconds),
            _percent(moment.time_seconds, length_seconds),
            jpeg_uri(moment.frame_HW3, *frame_shape),
            jpeg_uri(moment.sound_HW3, *sound_shape),
        )
        for moment in moments_of(dataset, row, frames, sound_N, sizes.moments)
    )


def _strip(
    dataset: Dataset,
    row: ClipRow,
    found: list[int],
    sound_N: np.ndarray,
    sizes: Sizes,
    length_seconds: Fraction,
) -> Strip | None:
    if not len(sound_N):
        return None
    envelope = envelope_of(sound_N, sizes.points)
    share = Fraction(len(sound_N), dataset.recipe.sample_rate_hz) / length_seconds
    peaks, rms = outline_paths(envelope, float(share))
    places = row.places or (found[-1] + 1 if found else 0)
    left_out = {
        **dict(sorted(row.skipped_at.items())),
        DELETED: ranges_of(deleted_places(row, found)),
    }
    bands = [
        _band(dataset, row, reason, ranges, length_seconds)
        for reason, ranges in left_out.items()
        if ranges
    ]
    loudest = float(envelope.peak_P.max())
    return Strip(
        peaks=peaks,
        rms=rms,
        used=_stretch(dataset, row, 0, places, length_seconds),
        bands=tuple(bands),
        ticks=_ticks(length_seconds),
        loudest=f"peak {20 * np.log10(loudest):.1f} dB" if loudest > 0 else "silence throughout",
    )


def _band(
    dataset: Dataset,
    row: ClipRow,
    reason: str,
    ranges: Sequence[tuple[int, int]],
    length_seconds: Fraction,
) -> Band:
    unit = STRIP_WIDTH / 100
    path = ""
    for first, stop in ranges:
        left, width = _stretch(dataset, row, first, stop, length_seconds)
        path += f"M{left * unit:.5g} 0h{width * unit:.5g}v{STRIP_HEIGHT}h-{width * unit:.5g}z"
    times = [
        (clock(dataset.time_of(row, first)), clock(dataset.time_of(row, stop)))
        for first, stop in ranges[:_STRETCHES_NAMED]
    ]
    words = [start if start == end else f"{start} to {end}" for start, end in times]
    more = len(ranges) - len(words)
    return Band(reason, path, ", ".join(words) + (f" and {more} more" if more else ""))


def _stretch(
    dataset: Dataset, row: ClipRow, first: int, stop: int, length_seconds: Fraction
) -> tuple[float, float]:
    """(left, width) of the places [first, stop) in percent; the last one lasts one step."""
    left = _percent(dataset.time_of(row, first), length_seconds)
    right = _percent(dataset.time_of(row, stop), length_seconds)
    return left, max(0.0, round(right - left, 3))


def _percent(time_seconds: Fraction, length_seconds: Fraction) -> float:
    return round(float(min(max(time_seconds / length_seconds, 0), 1)) * 100, 3)


def _ticks(length_seconds: Fraction) -> tuple[tuple[float, str], ...]:
    step = next((s for s in _TICKS_SECONDS if length_seconds / s <= 8), 3600)
    count = grid_count(Fraction(0), length_seconds, Fraction(step))
    ticks = [(_percent(Fraction(n * step), length_seconds), clock(n * step)) for n in range(count)]
    # A label that begins at the very end would stick out of the page.
    return tuple((percent, label) for percent, label in ticks if percent <= 97)
