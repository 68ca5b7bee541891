"""The gallery: a dataset as one HTML page that needs nothing else and asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from typing import get_args

import jinja2

from soundreel.atomic import write_text
from soundreel.dataset.inspection.clip_view import (
    DELETED,
    ClipView,
    Sizes,
    thumbnail_shapes,
    view_clip,
)
from soundreel.dataset.inspection.gallery_drawing import (
    BINS,
    CHART_HEIGHT,
    CHART_WIDTH,
    STRIP_HEIGHT,
    STRIP_WIDTH,
    Histogram,
    bars_path,
    brightness_histogram,
    loudness_histogram,
    steps_path,
)
from soundreel.dataset.inspection.gallery_words import (
    recipe_in_words,
    sameness_in_words,
    without_folders,
)
from soundreel.dataset.inspection.moments import spread
from soundreel.dataset.store import ClipRow, Dataset, Split
from soundreel.errors import DatasetError
from soundreel.progress import Listener, Step, silent
from soundreel.timeline import clock

#: So many clips are shown with their pictures; of more, as many are chosen evenly.
MOST_CLIPS = 1_000
#: So many moments on one page, or a browser is slow to open it: with many clips, fewer of each.
_MOST_MOMENTS = 1_200
_FEW_CLIPS = 100
#: Colours of reasons; more reasons than these share them.
_REASON_COLOURS = 9


@dataclass(frozen=True)
class _SplitView:
    """One split at the top of the page. steps: the outlines of its two histograms."""

    name: Split
    clips: int
    pairs: int
    share: float
    brightness: Histogram
    loudness: Histogram
    brightness_steps: str = ""
    loudness_steps: str = ""


@dataclass(frozen=True)
class _Group:
    """Clips that share a song, pictures or a work, and whether the split keeps them together."""

    titles: tuple[tuple[str, Split | None], ...]
    together: bool
    lines: tuple[str, ...]


def write_gallery(
    dataset: Dataset, out: Path, *, columns: int = 8, progress: Listener = silent
) -> Path:
    """Write a gallery: totals, the recipe in words, how bright and how loud each split is, what
    was left out and why, which clips share a song, and clip by clip its moments (frame above
    sound image), its waveform with the used span, and what was left out where.

    The page holds everything itself and opens no connection. It shows names of files, never the
    folders they lie in. The same dataset gives the same bytes. Of a dataset of many clips fewer
    moments each, and at most `MOST_CLIPS` clips, are shown; totals are always of all.

    Raises: DatasetError if no clip with a frame is left, or a sound is damaged; StorageError.
    """
    rows = dataset.clips()
    if not rows:
        raise DatasetError(f"{dataset.folder}: no clip with a frame is left: prepare it anew")
    sizes = _sizes(len(rows), columns)
    shown = set(spread(len(rows), MOST_CLIPS))
    views: list[ClipView] = []
    totals = _Totals()
    for place, row in enumerate(rows):
        view = view_clip(dataset, row, sizes)
        totals.add(view)
        if place in shown:
            views.append(view)
        progress(Step("gallery", place + 1, len(rows), "clips", row.id))
    write_text(out, _render(dataset, views, totals, sizes))
    return out


class _Totals:
    """What is counted over all clips, also over those that are not shown."""

    def __init__(self) -> None:
        self.pairs = 0
        self.seconds = Fraction(0)
        self.reasons: dict[str, int] = {}
        self.damaged = 0
        self.clips_of: dict[str, int] = dict.fromkeys(get_args(Split), 0)
        self.pairs_of: dict[str, int] = dict.fromkeys(get_args(Split), 0)
        self.brightness_of = {split: brightness_histogram([]) for split in get_args(Split)}
        self.loudness_of = {split: loudness_histogram([]) for split in get_args(Split)}

    def add(self, view: ClipView) -> None:
        split = view.row.split
        assert split is not None, "a clip that was left out has no pairs to look at"
        self.pairs += view.pairs
        self.seconds += view.row.seconds or 0
        self.damaged += len(view.damaged)
        for reason, count in view.reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + count
        self.clips_of[split] += 1
        self.pairs_of[split] += view.pairs
        self.brightness_of[split] += view.brightness
        self.loudness_of[split] += view.loudness


def _sizes(clips: int, columns: int) -> Sizes:
    moments = max(1, min(columns, max(2, _MOST_MOMENTS // clips)))
    few = clips <= _FEW_CLIPS
    return Sizes(moments, 160 if few else 112, 480 if few else 160)


def _render(dataset: Dataset, views: Sequence[ClipView], totals: _Totals, sizes: Sizes) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("soundreel", "dataset/inspection"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    script = _beside("gallery.js")
    everything = sum(totals.brightness_of.values(), brightness_histogram([]))
    everything_heard = sum(totals.loudness_of.values(), loudness_histogram([]))
    colour_of = _colours([*totals.reasons])
    frame_shape, sound_shape = thumbnail_shapes(dataset, sizes.thumbnail_width)
    return environment.get_template("gallery.html.j2").render(
        name=dataset.folder.resolve().name,
        style=_beside("gallery.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        recipe=dataset.recipe,
        recipe_words=recipe_in_words(dataset.recipe),
        totals=totals,
        length=clock(totals.seconds),
        splits=_splits(totals),
        reasons=sorted(totals.reasons.items(), key=lambda item: (-item[1], item[0])),
        colour_of=colour_of,
        deleted=DELETED,
        left_out=_files_left_out(dataset),
        removed=_removed(dataset),
        groups=_groups(dataset),
        clips=views,
        sameness=_sameness(dataset, views),
        charts=[_charts(view, everything, everything_heard) for view in views],
        frame_shape=frame_shape,
        sound_shape=sound_shape,
        columns=sizes.moments,
        chart=(CHART_WIDTH, CHART_HEIGHT, BINS),
        strip=(STRIP_WIDTH, STRIP_HEIGHT),
    )


def _beside(name: str) -> str:
    return files("soundreel.dataset.inspection").joinpath(name).read_text(encoding="utf-8")


def _colours(reasons: Sequence[str]) -> dict[str, str]:
    """A CSS class for each reason, the same on every page that has the same reasons."""
    named = sorted(set(reasons) - {DELETED})
    return {reason: f"r{n % _REASON_COLOURS}" for n, reason in enumerate(named)} | {DELETED: "rx"}


def _splits(totals: _Totals) -> list[_SplitView]:
    there = [split for split in get_args(Split) if totals.clips_of[split]]
    bright = max(totals.brightness_of[split].shares.max() for split in there)
    loud = max(totals.loudness_of[split].shares.max() for split in there)
    return [
        _SplitView(
            name=split,
            clips=totals.clips_of[split],
            pairs=totals.pairs_of[split],
            share=round(100 * totals.pairs_of[split] / totals.pairs, 3),
            brightness=totals.brightness_of[split],
            loudness=totals.loudness_of[split],
            brightness_steps=steps_path(totals.brightness_of[split].shares, bright),
            loudness_steps=steps_path(totals.loudness_of[split].shares, loud),
        )
        for split in there
    ]


def _charts(view: ClipView, brightness: Histogram, loudness: Histogram) -> dict[str, str]:
    """A clip's two histograms as bars, and behind them those of all clips as a line."""
    charts = {}
    for name, own, whole in (
        ("brightness", view.brightness, brightness),
        ("loudness", view.loudness, loudness),
    ):
        highest = max(own.shares.max(), whole.shares.max())
        charts[name] = bars_path(own.shares, highest)
        charts[f"{name}_of_all"] = steps_path(whole.shares, highest)
    return charts


def _files_left_out(dataset: Dataset) -> list[tuple[str, str]]:
    return [
        (row.title, without_folders(row.left_out or "", row))
        for row in dataset.rows
        if row.split is None
    ]


def _removed(dataset: Dataset) -> list[tuple[str, str, str]]:
    """Clips of which nothing can be used any more: (title, id, what is gone)."""
    removed = []
    for row in dataset.rows:
        if row.split is None or dataset.frames(row.id):
            continue
        folder = dataset.clip_folder(row.id)
        what = "its folder was removed"
        if folder.is_dir():
            sound_gone = not dataset.sound_path(row.id).is_file()
            computed = dataset.recipe.sound_images == "computed"
            what = (
                "its sound.flac is gone" if computed and sound_gone else "all its frames are gone"
            )
        removed.append((row.title, row.id, what))
    return removed


def _groups(dataset: Dataset) -> list[_Group]:
    title_of = {row.id: row.title for row in dataset.rows}
    members: dict[str, list[ClipRow]] = {}
    for row in dataset.rows:
        if row.group and row.split is not None:
            members.setdefault(row.group, []).append(row)
    groups = []
    for rows in members.values():
        if len(rows) < 2:
            continue
        lines, told = [], set()
        for row in rows:
            for same in row.same_as:
                # Each of the two says it; once is enough.
                if frozenset((row.id, same.id)) not in told:
                    before, after = sameness_in_words(same)
                    other = title_of.get(same.id, same.id)
                    lines.append(", ".join(filter(None, [f"{row.title}: {before} {other}", after])))
                told.add(frozenset((row.id, same.id)))
        groups.append(
            _Group(
                titles=tuple((row.title, row.split) for row in rows),
                together=len({row.split for row in rows}) == 1,
                lines=tuple(lines),
            )
        )
    return groups


def _sameness(
    dataset: Dataset, views: Sequence[ClipView]
) -> list[list[tuple[str, str, str, Split | None]]]:
    """For each clip shown: (words before, the other's title, words after, the other's split)."""
    row_of = {row.id: row for row in dataset.rows}
    table = []
    for view in views:
        lines = []
        for same in view.row.same_as:
            before, after = sameness_in_words(same)
            other = row_of.get(same.id)
            lines.append((before, other.title if other else same.id, after, other and other.split))
        table.append(lines)
    return table
