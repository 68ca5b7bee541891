"""`prepare`: from clips to a dataset folder."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

from soundreel.atomic import discard, finish_folder, partial_folder, write_json, write_text
from soundreel.dataset.split import split_clips
from soundreel.dataset.store import (
    ClipRow,
    Dataset,
    frame_name,
    open_dataset,
    write_frame,
    write_rows,
)
from soundreel.errors import DatasetError, MediaError, storage_errors
from soundreel.media.probe import MEDIA_SUFFIXES, MediaInfo, probe
from soundreel.media.sound import read_sound, write_sound
from soundreel.media.video import Fit, frames_at
from soundreel.parallel import map_items
from soundreel.progress import Listener, Step, silent
from soundreel.recipe import Recipe, recipe_from
from soundreel.timeline import clock, grid_count, grid_time

#: Shapes that a clip within 2% of them is meant to have (encoders round sizes to even numbers).
_COMMON_ASPECTS = tuple(
    Fraction(text) for text in ("16/9", "4/3", "1/1", "9/16", "3/4", "64/27", "3/2", "37/20", "5/4")
)


@dataclass(frozen=True)
class Source:
    """A file to be made into a clip: `left_out` says why it cannot be."""

    clip_id: str
    path: Path
    info: MediaInfo | None
    left_out: str | None


def prepare(
    clips: Sequence[Path],
    out: Path,
    recipe: Recipe | None = None,
    *,
    workers: int = 1,
    progress: Listener = silent,
) -> Dataset:
    """Make a dataset folder from video files (or folders of them).

    clips: files and folders; of a folder every media file in it is taken, in the order of names.
    recipe: what windows, sound images and frames are; `picture_aspect` "auto" becomes the shape
        of most clips.
    workers: how many processes decode at once.

    A file that cannot be used is left out: its row in clips.jsonl says why, and the others go on.
    The folder is built beside `out` and renamed, so it appears only when it is finished; the same
    call resumes an interrupted one, and returns at once where the dataset is finished.

    Raises: DatasetError if no clip can be used, or `out` holds something else; StorageError.
    """
    recipe = recipe_from("default") if recipe is None else recipe
    sources = survey(list_clips(clips), progress)
    resolved = recipe.model_copy(update={"picture_aspect": _aspect(recipe, sources)})
    finished = _finished(out, resolved, sources)
    if finished is not None:
        return finished
    building = _building_folder(out, resolved, sources)
    rows = []
    usable = [source for source in sources if source.left_out is None]
    task = partial(_build_or_reuse, building=building, recipe=resolved)
    with storage_errors(out):
        for done, row in enumerate(map_items(task, usable, workers), 1):
            rows.append(row)
            progress(Step("prepare", done, len(usable), "clips", row.id))
        rows += [_left_out_row(source) for source in sources if source.left_out is not None]
        order = {source.clip_id: place for place, source in enumerate(sources)}
        rows.sort(key=lambda row: order[row.id])
        _finish(building, out, resolved, rows)
    return open_dataset(out)


def list_clips(places: Sequence[Path]) -> list[Path]:
    """The files that `places` name: files as they are, of folders the media files in them.

    Raises: DatasetError for a place that is not there, or when there is no file at all.
    """
    files: list[Path] = []
    for place in places:
        if place.is_dir():
            inside = sorted(place.iterdir(), key=lambda path: path.name)
            files += [
                path for path in inside if path.suffix.lower() in MEDIA_SUFFIXES and path.is_file()
            ]
        else:
            files.append(place)
    unique = list(dict.fromkeys(files))
    if not unique:
        named = ", ".join(str(place) for place in places) or "nothing"
        raise DatasetError(f"{named}: no video files there: name files or a folder of them")
    return unique


def survey(paths: Sequence[Path], progress: Listener = silent) -> list[Source]:
    """Look into each file: its id, what it holds, and whether it can be a clip at all."""
    sources: list[Source] = []
    taken: Counter[str] = Counter()
    for done, path in enumerate(paths, 1):
        name = _slug(path.stem)
        taken[name] += 1
        clip_id = name if taken[name] == 1 else f"{name}-{taken[name]}"
        info, left_out = None, None
        try:
            info = probe(path)
            if info.video is None:
                left_out = f"{path}: has no picture: give a video, not a song"
            elif info.audio is None:
                left_out = f"{path}: has no sound: give a video with its music"
        except MediaError as error:
            left_out = str(error)
        sources.append(Source(clip_id, path, info, left_out))
        progress(Step("look", done, len(paths), "files", path.name))
    return sources


def build_clip(source: Source, folder: Path, recipe: Recipe) -> ClipRow:
    """Write one clip's frames and sound into `folder` (which must not exist) and return its row.

    Raises: MediaError if the file gives no pair; the folder is then removed.
    """
    info = source.info
    if info is None or info.video is None:
        raise DatasetError(f"{source.path}: was not looked into before it was built")
    sound = read_sound(source.path, recipe.sample_rate_hz, recipe.channel)
    sound_seconds = Fraction(len(sound), recipe.sample_rate_hz)
    length_seconds = max(info.duration_seconds or Fraction(0), sound_seconds)
    stop_seconds = length_seconds if recipe.stop_seconds is None else recipe.stop_seconds
    if length_seconds <= recipe.start_seconds:
        raise MediaError(
            f"{source.path}: ends at {clock(length_seconds)}, before the span starts at "
            f"{clock(recipe.start_seconds)}: choose an earlier --start"
        )
    step = recipe.step_seconds(info.video.fps)
    count = grid_count(recipe.start_seconds, stop_seconds, step)
    times = [grid_time(k, recipe.start_seconds, step) for k in range(count)]
    aspect = recipe.picture_aspect if isinstance(recipe.picture_aspect, Fraction) else None
    fit = Fit(recipe.picture_size, recipe.picture_size, recipe.resize, aspect)
    frames_folder = folder / "frames"
    frames_folder.mkdir(parents=True)
    try:
        pairs = 0
        for k, frame_HWC in frames_at(source.path, times, fit):
            path = frames_folder / frame_name(k, times[k])
            write_frame(path, frame_HWC, recipe.jpeg_quality)
            pairs += 1
        if pairs == 0:
            raise MediaError(f"{source.path}: no picture within the span: check --start and --stop")
        write_sound(folder / "sound.flac", sound, recipe.sample_rate_hz)
    except MediaError:
        discard(folder)
        raise
    # Sound commonly outlasts the picture by a moment: that is the clip's end, nothing skipped.
    missing = count - pairs
    expected = missing <= 1 and recipe.stop_seconds is None
    skipped = {} if expected else {"after the clip's last picture": missing}
    skipped = {why: number for why, number in skipped.items() if number}
    return ClipRow(
        id=source.clip_id,
        title=info.title or source.path.stem,
        source=str(source.path),
        bytes=source.path.stat().st_size,
        sha256=_sha256(source.path),
        seconds=length_seconds,
        fps=info.video.fps,
        size=f"{info.video.width}x{info.video.height}",
        pairs=pairs,
        skipped=skipped,
    )


def _build_or_reuse(source: Source, building: Path, recipe: Recipe) -> ClipRow:
    """A clip's row, built now or by the interrupted call before; left out if it cannot be."""
    folder = building / "clips" / source.clip_id
    row_path = building / "rows" / f"{source.clip_id}.json"
    if row_path.is_file() and folder.is_dir():
        return ClipRow.model_validate_json(row_path.read_bytes())
    unfinished = building / "unfinished" / source.clip_id
    discard(unfinished)
    discard(folder)
    try:
        row = build_clip(source, unfinished, recipe)
    except MediaError as error:
        return _left_out_row(Source(source.clip_id, source.path, source.info, str(error)))
    with storage_errors(building):
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished.rename(folder)
    write_text(row_path, row.model_dump_json())
    return row


def _left_out_row(source: Source) -> ClipRow:
    readable = source.path.is_file()
    info = source.info
    return ClipRow(
        id=source.clip_id,
        title=(info and info.title) or source.path.stem,
        source=str(source.path),
        bytes=source.path.stat().st_size if readable else 0,
        sha256=_sha256(source.path) if readable else "",
        seconds=info.duration_seconds if info else None,
        left_out=source.left_out,
    )


def _aspect(recipe: Recipe, sources: Sequence[Source]) -> Fraction | str:
    """The recipe's own shape, or for "auto" that of most clips (of a tie, the first one's)."""
    if recipe.picture_aspect != "auto":
        return recipe.picture_aspect
    shapes = Counter(
        _common_aspect(source.info.display_aspect)
        for source in sources
        if source.left_out is None and source.info is not None
    )
    return shapes.most_common(1)[0][0] if shapes else Fraction(1)


def _common_aspect(aspect: Fraction) -> Fraction:
    near = min(_COMMON_ASPECTS, key=lambda common: abs(common - aspect) / common)
    snapped = near if abs(near - aspect) <= near * Fraction(2, 100) else aspect
    return min(max(snapped.limit_denominator(100), Fraction(1, 4)), Fraction(4))


def _finished(out: Path, recipe: Recipe, sources: Sequence[Source]) -> Dataset | None:
    """The dataset at `out` if this very call made it before; None if nothing is there."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    dataset = open_dataset(out)
    if dataset.recipe != recipe:
        raise DatasetError(f"{out}: holds a dataset of another recipe: choose another --out")
    if _identity(sources) != sorted((row.id, row.source, row.bytes) for row in dataset.rows):
        raise DatasetError(f"{out}: was made from other clips: choose another --out, or remove it")
    return dataset


def _identity(sources: Sequence[Source]) -> list[tuple[str, str, int]]:
    """What tells one set of clips from another at a glance: ids, places and sizes."""
    return sorted(
        (
            source.clip_id,
            str(source.path),
            source.path.stat().st_size if source.path.is_file() else 0,
        )
        for source in sources
    )


def _building_folder(out: Path, recipe: Recipe, sources: Sequence[Source]) -> Path:
    """The folder beside `out` to build in; what an interrupted call of other content left goes."""
    building = partial_folder(out)
    plan = {
        "recipe": recipe.model_dump(mode="json"),
        "clips": [list(clip) for clip in _identity(sources)],
    }
    plan_path = building / "plan.json"
    text = hashlib.sha256(repr(plan).encode()).hexdigest()
    if not (plan_path.is_file() and plan_path.read_text(encoding="utf-8") == text):
        discard(building)
        write_text(plan_path, text)
    return building


def _finish(building: Path, out: Path, recipe: Recipe, rows: Sequence[ClipRow]) -> None:
    used = [row for row in rows if row.left_out is None]
    if not used:
        discard(building)
        first = rows[0].left_out
        more = f" (and {len(rows) - 1} more left out)" if len(rows) > 1 else ""
        raise DatasetError(f"no clip can be used: {first}{more}")
    splits = split_clips([row.sha256 for row in used], recipe.held_out_fraction)
    split_of = {row.id: split for row, split in zip(used, splits, strict=True)}
    rows = [row.model_copy(update={"split": split_of.get(row.id)}) for row in rows]
    write_json(building / "recipe.json", recipe.model_dump(mode="json"))
    write_rows(building, rows)
    write_text(building / "README.md", _readme(recipe, rows))
    for leftover in ("rows", "unfinished"):
        discard(building / leftover)
    (building / "plan.json").unlink()
    finish_folder(out)


def _readme(recipe: Recipe, rows: Sequence[ClipRow]) -> str:
    used = [row for row in rows if row.split is not None]
    size = recipe.picture_size
    lines = [
        "# A Soundreel dataset",
        "",
        f"{sum(row.pairs for row in used)} pairs from {len(used)} clips, recipe `{recipe.name}` "
        f"(`{recipe.representation}`), frames {size}x{size}, one "
        f"{_every(recipe)}.",
        "",
        "`clips/<id>/frames/<k>_<milliseconds>.jpg` is the picture at grid place k; "
        "`clips/<id>/sound.flac` is the sound that sound images are computed from. Delete a frame "
        "or a clip's folder to leave it out; the next command simply has that much less.",
        "",
        "The pictures and the sound belong to their makers: check what you may do with them.",
        "",
        "| clip | split | pairs | note |",
        "|---|---|---|---|",
    ]
    for row in rows:
        skips = "; ".join(f"{count} skipped: {why}" for why, count in row.skipped.items())
        note = (row.left_out or skips).replace("|", "/")
        lines.append(f"| {row.id} | {row.split or 'left out'} | {row.pairs} | {note} |")
    return "\n".join(lines) + "\n"


def _slug(name: str) -> str:
    """A safe folder name that still reads like the file's: letters, digits, `-` and `_`."""
    return re.sub(r"[^\w-]+", "-", name, flags=re.UNICODE).strip("-_.")[:80] or "clip"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _every(recipe: Recipe) -> str:
    if recipe.every_seconds == "frame":
        return "for each picture of the clip"
    return f"every {float(recipe.every_seconds):g} s"
