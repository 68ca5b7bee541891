"""`remix`: a film cut from a director's own shots to a new song."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np

from soundreel.cutting.habits import learn_habits
from soundreel.cutting.planning import plan_cuts
from soundreel.editing.candidates import shots_of
from soundreel.editing.choosing import Choice, choose
from soundreel.editing.edit_list import edit_note, write_edit_list
from soundreel.editing.edit_source import EditSource, Piece
from soundreel.editing.footage import Clip, Footage, LeftOut, gather_footage
from soundreel.editing.hearing import hear
from soundreel.editing.stretches import Stretch, cut_again, stretches_of
from soundreel.errors import DatasetError
from soundreel.media.video import Fit
from soundreel.progress import Listener, Step, silent
from soundreel.rendering.film import Film, Span, song_span
from soundreel.rendering.film_settings import FilmSettings, film_settings
from soundreel.rendering.making import make_film
from soundreel.timeline import exact_seconds, frame_shown_at

#: Beside the film: what was measured of the clips, so that another seed or song need not wait.
CACHE_FOLDER = ".soundreel-footage"
_LARGEST_HEIGHT = 1080

_Kind = TypeVar("_Kind")


@dataclass(frozen=True)
class Remix:
    """What `remix` made.

    note: what the film is, in one line, as its file says too. edit_list: a file with a row for
    each piece, from which rights can be cleared. cuts: how many the film has. clips: the ids of
    those that it shows. turned: pieces that are played to and fro for want of longer shots.
    left_out: clips that could not be used, and why.
    """

    film: Film
    edit_list: Path
    note: str
    cuts: int
    clips: tuple[str, ...]
    turned: int
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class _Edit:
    source: EditSource
    choices: list[Choice]
    clips: tuple[Clip, ...]
    footage: Footage
    size: tuple[int, int]
    fps: Fraction


def remix(
    clips: Sequence[Path | str],
    song: Path,
    out: Path,
    *,
    look: str | None = None,
    start_seconds: Fraction = Fraction(0),
    stop_seconds: Fraction | None = None,
    fps: Fraction | None = None,
    size: tuple[int, int] | None = None,
    seed: int = 0,
    codec: str | None = None,
    workers: int = 1,
    watch: bool = False,
    progress: Listener = silent,
) -> Remix:
    """Cut a film of a song from shots that exist already.

    The song is cut as the clips' director cuts (`cutting`, learnt from all of them); each stretch
    between two cuts shows the piece of a shot whose own sound runs most like the song's there, so
    that a hit in the song meets one that the shot was filmed to; pieces are joined where the
    picture changes clearly and the motion goes on, and footage comes again as late as it can.

    clips: video files, folders of them, or a dataset folder, whose clips are read from the files
      that it was prepared from.
    look: the id (file name without suffix) of a clip, or several separated by commas: only their
      shots are shown. The cuts are still learnt from all clips.
    song, out, start_seconds, stop_seconds, codec, workers, watch: as `render` takes them.
    fps, size: by default those of most of the footage (at most 1080 rows). Pictures of another
      shape are cropped about their middle, black bars first.
    seed: another seed, other cuts and other shots; the same one gives the same film.

    Beside the film an edit list says what was taken from where (film.edit.json), and a hidden
    folder keeps what was measured of the clips; it may be deleted. A film appears under its name
    only when it is whole; the same call again goes on with what there is.

    Raises: DatasetError (no clips, none usable), SettingsError (look, span, size, kind of file),
    MediaError (song), StorageError.
    """
    wishes = film_settings(
        out,
        start_seconds=start_seconds,
        stop_seconds=stop_seconds,
        size=size,
        seed=seed,
        workers=workers,
        codec=codec,
        watch=watch,
    )
    span = song_span(song, wishes.start_seconds, wishes.stop_seconds)
    footage = gather_footage(clips, look, out.parent / CACHE_FOLDER, workers, progress)
    edit = _edit(footage, span, fps, size, seed, progress)
    note = edit_note(edit.choices, edit.clips)
    return _made(edit, span, out, wishes, note, progress)


def remix_frames(
    clips: Sequence[Path | str],
    song: Path,
    times_seconds: Sequence[Fraction | float],
    size: tuple[int, int],
    seed: int = 0,
    *,
    look: str | None = None,
    cache: Path | None = None,
    workers: int = 1,
    progress: Listener = silent,
) -> np.ndarray:
    """What `remix` shows at some ascending times of the song: T x H x W x 3 uint8.

    size: width and height. cache: a folder for what is measured of the clips, as for many songs.

    For a comparison give clips that the song is not from. Raises: as `remix`; ValueError for a
    time outside the song, or times that do not ascend.
    """
    span = song_span(song, Fraction(0), None)
    footage = gather_footage(clips, look, cache, workers, progress)
    edit = _edit(footage, span, None, size, seed, progress)
    exact = (one if isinstance(one, Fraction) else float(one) for one in times_seconds)
    times = [exact_seconds(one) for one in exact]
    if any(later < earlier for earlier, later in pairwise(times)):
        raise ValueError("times_seconds must ascend")
    if times and times[-1] >= span.stop_seconds:
        raise ValueError(f"{float(times[-1]):g} s is not in the song of {float(span.seconds):g} s")
    frames = [frame_shown_at(one, edit.fps) for one in times]
    width, height = size
    pictures = list(edit.source.at(frames))
    return np.stack(pictures) if pictures else np.zeros((0, height, width, 3), np.uint8)


def _edit(
    footage: Footage,
    span: Span,
    fps: Fraction | None,
    size: tuple[int, int] | None,
    seed: int,
    progress: Listener,
) -> _Edit:
    fps = fps or _usual_fps(footage.wanted)
    size = size or _usual_size(footage.wanted)
    shots = shots_of(footage.wanted, size)
    if shots is None:
        raise DatasetError(f"{footage.wanted[0].path}: its shots are too short: give longer videos")
    seconds = round(float(span.stop_seconds))

    def on_seconds(done: float) -> None:
        progress(Step("listen", min(round(done), seconds), seconds, "seconds"))

    heard = hear(span.song, wants_sections=True, on_seconds=on_seconds)
    habits = learn_habits(
        [_cuts_of(one) for one in footage.clips],
        [one.seconds for one in footage.clips],
        [one.heard.beat_seconds for one in footage.clips],
        [one.heard.bar_seconds for one in footage.clips],
        max(float(1 / one.seen.fps) for one in footage.clips),
    )
    cut_seconds = plan_cuts(
        habits,
        heard.beat_seconds,
        heard.bar_seconds,
        float(span.start_seconds),
        float(span.stop_seconds),
        seed,
        section_seconds=heard.section_seconds,
    )
    stretches = stretches_of(cut_seconds, span.start_seconds, span.frames(fps), fps)
    stretches = cut_again(stretches, shots.shot_seconds, heard.beat_seconds)
    choices = choose(shots, heard, stretches, seed, progress)
    pieces = tuple(_piece(one, shots.clips[one.clip], size) for one in choices)
    return _Edit(EditSource(pieces, fps), choices, shots.clips, footage, size, fps)


def _made(
    edit: _Edit, span: Span, out: Path, wishes: FilmSettings, note: str, progress: Listener
) -> Remix:
    words = {"title": span.title, "artist": span.artist, "comment": note}
    film = make_film(
        edit.source,
        out,
        span,
        edit.fps,
        edit.size,
        {name: word for name, word in words.items() if word},
        wishes.making,
        progress,
        "remix",
    )
    edit_list = write_edit_list(
        out, note, span, edit.choices, edit.clips, edit.footage.left_out, wishes.seed
    )
    shown = sorted({edit.clips[one.clip].id for one in edit.choices})
    turned = sum(one.turn_seconds is not None for one in edit.choices)
    return Remix(
        film, edit_list, note, len(edit.choices) - 1, tuple(shown), turned, edit.footage.left_out
    )


def _piece(choice: Choice, clip: Clip, size: tuple[int, int]) -> Piece:
    width, height = size
    stretch: Stretch = choice.stretch
    enlarges = width > clip.width or height > clip.height
    fit = Fit(height, width, "lanczos" if enlarges else "area", Fraction(width, height), clip.crop)
    return Piece(
        stretch.first,
        stretch.stop,
        clip.path,
        clip.sha256,
        choice.from_seconds,
        choice.turn_seconds,
        fit,
    )


def _cuts_of(clip: Clip) -> np.ndarray:
    """When a clip cuts: of more pictures than were looked at, the next one shows it, late."""
    late = float(1 / clip.seen.fps - 1 / clip.fps) / 2
    return (clip.seen.cut_seconds - late).clip(0)


def _usual_fps(clips: Sequence[Clip]) -> Fraction:
    """The rate of most of the footage: at another one motion would falter."""
    return _most([(one.fps, one.seconds) for one in clips])


def _usual_size(clips: Sequence[Clip]) -> tuple[int, int]:
    """Width and height of most of the footage, both even, at most 1080 rows."""
    width, height = _most([((one.width, one.height), one.seconds) for one in clips])
    shrink = min(Fraction(1), Fraction(_LARGEST_HEIGHT, height))
    return max(2, 2 * round(width * shrink / 2)), max(2, 2 * round(height * shrink / 2))


def _most(weighed: Sequence[tuple[_Kind, float]]) -> _Kind:
    """What weighs most together; of equals what comes first."""
    total: dict[_Kind, float] = {}
    for kind, weight in weighed:
        total[kind] = total.get(kind, 0.0) + weight
    return max(total, key=lambda kind: total[kind])
