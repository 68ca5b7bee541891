"""One clip: a look at the file, then its frames, its sound, and its prints in a folder."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from soundreel.atomic import discard
from soundreel.dataset.letterbox import ANALYSIS_WIDTH, NO_BARS, Bars, letterbox
from soundreel.dataset.listing import Source
from soundreel.dataset.naming import ranges_of
from soundreel.dataset.people import WORKING_SIDE
from soundreel.dataset.picture_hash import picture_hash
from soundreel.dataset.sameness import Prints
from soundreel.dataset.selection import chooser_for, needs_look
from soundreel.dataset.store import ClipRow, frame_name, write_frame
from soundreel.errors import MediaError
from soundreel.media.probe import MediaInfo, VideoStream, probe
from soundreel.media.sound import read_sound, write_sound
from soundreel.media.video import Fit, frames_at, key_frames, views_at
from soundreel.recipe import Recipe
from soundreel.sound.fingerprint import fingerprint
from soundreel.timeline import clock, grid_count, grid_time, samples_before

_ENDED = "after the clip's last picture"
# Fewer key frames than this say too little about bars: ordinary pictures are looked at as well.
_ENOUGH_LOOKS = 8


@dataclass(frozen=True)
class Look:
    """What a file holds, and the bars that stand over its whole picture."""

    info: MediaInfo
    film: VideoStream
    bars: Bars = NO_BARS

    @property
    def aspect(self) -> Fraction:
        """Width / height of the picture within the bars."""
        width, height = _within(self.film, self.bars)
        return width / height


def look_at(path: Path, find_bars: bool) -> Look:
    """Look into a file that is to become a clip.

    Raises: MediaError if it cannot be one: not readable, no picture, or no sound.
    """
    info = probe(path)
    if info.video is None:
        raise MediaError(f"{path}: has no picture: give a video, not a song")
    if info.audio is None:
        raise MediaError(f"{path}: has no sound: give a video with its music")
    bars = letterbox(_looks(path, info.video, info)) if find_bars else NO_BARS
    return Look(info, info.video, bars)


def build_clip(
    source: Source, path: Path, look: Look, folder: Path, recipe: Recipe
) -> tuple[ClipRow, Prints]:
    """Write one clip's frames and sound into `folder` (which must not exist).

    path: where the source's file lies now. The recipe's `picture_aspect` is not "auto".

    Raises: MediaError if the file gives no pair; the folder is then removed.
    """
    film = look.film
    sound = read_sound(path, recipe.sample_rate_hz, recipe.channel)
    length = max(
        look.info.duration_seconds or Fraction(0), Fraction(len(sound), recipe.sample_rate_hz)
    )
    if length <= recipe.start_seconds:
        raise MediaError(
            f"{path}: ends at {clock(length)}, before the span starts at "
            f"{clock(recipe.start_seconds)}: choose an earlier --start"
        )
    stop = length if recipe.stop_seconds is None else recipe.stop_seconds
    step = recipe.step_seconds(film.fps)
    times = [
        grid_time(k, recipe.start_seconds, step)
        for k in range(grid_count(recipe.start_seconds, stop, step))
    ]
    ends = np.array([samples_before(time, recipe.sample_rate_hz) for time in times], np.int64)
    choose = chooser_for(recipe, sound, times, ends)
    fits = _fits(look, recipe)
    skipped: dict[str, list[int]] = defaultdict(list)
    hashes: dict[int, int] = {}
    frames_folder = folder / "frames"
    frames_folder.mkdir(parents=True)
    try:
        pairs = seen = 0
        for k, (frame_HW3, *looks) in views_at(path, times, fits):
            seen = k + 1
            hashed = picture_hash(frame_HW3)
            if hashed is not None:
                hashes[k] = hashed
            reason = choose(k, frame_HW3, looks[0] if looks else None, hashed)
            if reason is not None:
                skipped[reason].append(k)
                continue
            write_frame(frames_folder / frame_name(k, times[k]), frame_HW3, recipe.jpeg_quality)
            pairs += 1
        # Sound commonly outlasts the picture by a moment: that is the clip's end, nothing skipped.
        if len(times) - seen > 1 or recipe.stop_seconds is not None:
            skipped[_ENDED] += range(seen, len(times))
        if pairs == 0:
            raise MediaError(_nothing_in(path, skipped, seen))
        write_sound(folder / "sound.flac", sound, recipe.sample_rate_hz)
    except MediaError:
        discard(folder)
        raise
    row = ClipRow(
        id=source.clip_id,
        title=source.title or look.info.title or Path(source.name).stem,
        source=source.place,
        bytes=path.stat().st_size,
        sha256=sha256_of(path),
        seconds=length,
        fps=film.fps,
        size=f"{film.width}x{film.height}",
        pairs=pairs,
        places=len(times),
        skipped={why: len(places) for why, places in sorted(skipped.items()) if places},
        skipped_at={why: ranges_of(places) for why, places in sorted(skipped.items()) if places},
        crop=look.bars,
        origin=source.origin,
    )
    heard = fingerprint(sound, recipe.sample_rate_hz)
    prints = Prints(
        heard.hash_H,
        heard.time_H,
        np.array(list(hashes.values()), np.uint64),
        np.array([float(times[k]) for k in hashes], np.float64),
    )
    return row, prints


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _looks(path: Path, film: VideoStream, info: MediaInfo) -> list[np.ndarray]:
    """Pictures over the whole film, small, in its own shape."""
    height = max(1, round(Fraction(ANALYSIS_WIDTH * film.height, film.width)))
    fit = Fit(min(height, 4 * ANALYSIS_WIDTH), ANALYSIS_WIDTH)
    pictures = key_frames(path, fit)
    length = info.duration_seconds
    if len(pictures) < _ENOUGH_LOOKS and length:
        times = [length * (2 * n + 1) / (2 * _ENOUGH_LOOKS) for n in range(_ENOUGH_LOOKS)]
        pictures += [picture for _, picture in frames_at(path, times, fit)]
    return pictures


def _fits(look: Look, recipe: Recipe) -> list[Fit]:
    """How each picture is made: the frame, and where it is needed one in the film's own shape."""
    aspect = recipe.picture_aspect if isinstance(recipe.picture_aspect, Fraction) else None
    crop = look.bars
    fits = [Fit(recipe.picture_size, recipe.picture_size, recipe.resize, aspect, crop)]
    if needs_look(recipe.selection):
        width, height = _within(look.film, look.bars)
        smaller = min(Fraction(1), Fraction(WORKING_SIDE) / max(width, height))
        fits.append(
            Fit(max(1, round(height * smaller)), max(1, round(width * smaller)), "area", None, crop)
        )
    return fits


def _within(film: VideoStream, bars: Bars) -> tuple[Fraction, Fraction]:
    """(width, height) in shown pixels of the picture within the bars."""
    return (
        film.width * (1 - Fraction(bars.left) - Fraction(bars.right)),
        film.height * (1 - Fraction(bars.top) - Fraction(bars.bottom)),
    )


def _nothing_in(path: Path, skipped: dict[str, list[int]], seen: int) -> str:
    if not seen:
        return f"{path}: no picture within the span: check --start and --stop"
    most = max(skipped, key=lambda why: len(skipped[why]))
    return (
        f"{path}: nothing of it goes in ({len(skipped[most])} of {seen} pictures: {most}): "
        "leave out less (--leave-out, --only)"
    )
