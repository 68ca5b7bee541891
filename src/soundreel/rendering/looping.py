"""`loop`: a film of a song, a song of the film, a film of that song, and so on.

Two models translate into each other's language and back. What both hold on to stays; what either
does not hear or see drifts away, generation by generation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

import soundreel
from soundreel.atomic import write_json
from soundreel.errors import SettingsError, storage_errors
from soundreel.evidence.drift import SeenCurves, film_drift, seen_curves, sound_drift
from soundreel.evidence.song_likeness import HeardCurves, heard_curves
from soundreel.media.sound import stream_sound
from soundreel.media.video import Fit, frames_at
from soundreel.networks.bundle import Description, describe_model, require_direction
from soundreel.progress import Listener, Step, silent
from soundreel.rendering.beside import original_frames
from soundreel.rendering.casting import Compute
from soundreel.rendering.film import Span, file_sha256, film_size, song_span
from soundreel.rendering.loop_page import LOOP_PAGE, Generation, write_loop_page
from soundreel.rendering.making import Making, make_film
from soundreel.rendering.movie import render
from soundreel.rendering.panels import Layout, grid_layout, labelled, side_by_side
from soundreel.rendering.shoot import identified
from soundreel.rendering.sonifying import sonify
from soundreel.sharing.pull import local_model
from soundreel.timeline import frame_time

#: Names in the folder.
GENERATIONS_FILM, NUMBERS = "generations.mp4", "loop.json"
_MADE = ".made.json"
_MOST_GENERATIONS = 12
#: Films are compared at so many frames a second, at most; rows and columns as `descriptors` takes.
_COMPARED_FPS, _COMPARED_ROWS = Fraction(10), 72


@dataclass(frozen=True)
class Loop:
    """What was made: the page, all generations beside each other in one film, and each of them."""

    page: Path
    side_by_side: Path
    numbers: Path
    generations: tuple[Generation, ...]


@dataclass(frozen=True)
class _Generations:
    """The films of all generations side by side, a label under each."""

    films: tuple[Path, ...]
    films_sha256: tuple[str, ...]
    fps: Fraction
    layout: Layout

    def pictures(self, first: int, stop: int) -> Iterator[np.ndarray]:
        """Frames first to stop (exclusive), as large as the layout. Raises: MediaError."""
        empty_HW3 = labelled(self.layout, [f"generation {n}" for n in range(len(self.films))])
        streams = [
            original_frames(film, self.fps, Fraction(0), first, stop, tile.width, tile.height)
            for film, tile in zip(self.films, self.layout.tiles, strict=True)
        ]
        yield from side_by_side(empty_HW3, self.layout.tiles, streams)

    def identity(self) -> dict[str, Any]:
        """All that decides the pictures, as JSON values."""
        return {"films": list(self.films_sha256), "layout": identified(self.layout)}


class _Kept:
    """What was made in the folder before, of what: a step is not taken twice."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            known = json.loads((folder / _MADE).read_bytes())
        except (OSError, ValueError):
            known = None
        self._made: dict[str, Any] = known if isinstance(known, dict) else {}

    def step(self, name: str, of: dict[str, Any], make: Callable[[Path], object]) -> str:
        """The SHA-256 of the file `name`, which is made unless it is there, made of the same."""
        path, told = self._folder / name, json.loads(json.dumps(of, default=str))
        known = self._made.get(name)
        if isinstance(known, dict) and known.get("of") == told and path.is_file():
            sha256 = file_sha256(path)
            if known.get("sha256") == sha256:
                return sha256
        make(path)
        sha256 = file_sha256(path)
        self._made[name] = {"of": told, "sha256": sha256}
        write_json(self._folder / _MADE, self._made)
        return sha256


def loop(
    song: Path,
    out: Path,
    *,
    model: Path | str,
    inverse: Path | str,
    generations: int = 2,
    start_seconds: Fraction = Fraction(0),
    stop_seconds: Fraction | None = None,
    fps: Fraction = Fraction(30),
    size: tuple[int, int] | None = None,
    seed: int = 0,
    compute: Compute = "auto",
    workers: int = 1,
    progress: Listener = silent,
) -> Loop:
    """Film a song, compose a song of the film, film that one, and so on; all into a folder.

    model: from sound to picture; inverse: from picture to sound; each a model folder, a run
      folder or `hf://owner/name`.
    out: the folder: film-0.mp4 of the song itself, song-1.wav composed of that film, film-1.mp4
      of that song, up to the last generation; generations.mp4 shows all of them side by side,
      with the real song; index.html plays everything and says how far each has drifted, as does
      loop.json.
    generations: how often it goes around: 1 to 12.
    start, stop, fps, size, seed, compute, workers: as `movie.render`.

    Each file appears when it is whole. The same call again makes only what is not there yet, or
    was made of something else.

    Raises: ModelError (a model that goes the other way), MediaError, SettingsError, SharingError,
    StorageError.
    """
    if not 1 <= generations <= _MOST_GENERATIONS:
        raise SettingsError(
            f"--generations {generations}: give 1 to {_MOST_GENERATIONS}, how often it goes around"
        )
    if out.exists() and not out.is_dir():
        raise SettingsError(f"{out}: is a file: --out names the folder that all of it goes into")
    forward = _described(model, "--model", progress)
    backward = _described(inverse, "--inverse", progress)
    require_direction(forward.folder, forward.direction, "sound-to-picture")
    require_direction(backward.folder, backward.direction, "picture-to-sound")
    span = song_span(song, start_seconds, stop_seconds)
    with storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    kept = _Kept(out)
    common = {"soundreel": soundreel.__version__, "seed": seed, "seconds": span.seconds}
    filming = {"model": forward.weights_sha256, "fps": fps, "size": size, "compute": compute}
    composing = {"inverse": backward.weights_sha256}
    songs, films, hashes = [song], [out / "film-0.mp4"], [file_sha256(song)]

    def film_step(number: int) -> None:
        heard = songs[number]
        begin = start_seconds if number == 0 else Fraction(0)
        of = {"song": hashes[-1], "from": begin, **filming, **common}
        hashes.append(
            kept.step(
                films[number].name,
                of,
                lambda place: render(
                    forward.folder,
                    heard,
                    place,
                    start_seconds=begin,
                    stop_seconds=begin + span.seconds,
                    fps=fps,
                    size=size,
                    seed=seed,
                    compute=compute,
                    workers=workers,
                    progress=_of(progress, f"film {number}"),
                ),
            )
        )

    film_step(0)
    for number in range(1, generations + 1):
        seen = films[-1]
        songs.append(out / f"song-{number}.wav")
        films.append(out / f"film-{number}.mp4")
        of = {"film": hashes[-1], **composing, **common}
        hashes.append(
            kept.step(
                songs[number].name,
                of,
                lambda place, seen=seen, number=number: _compose(
                    backward.folder, seen, place, span, seed, _of(progress, f"song {number}")
                ),
            )
        )
        film_step(number)
    shown = hashes[1::2]
    layout = grid_layout([size or film_size(forward.recipe)] * len(films))
    beside = _Generations(tuple(films), tuple(shown), fps, layout)
    kept.step(
        GENERATIONS_FILM,
        {**beside.identity(), "song": hashes[0], "from": start_seconds, "fps": fps, **common},
        lambda place: make_film(
            beside,
            place,
            span,
            fps,
            (layout.width, layout.height),
            {"title": f"{span.title}: {generations} generations", "artist": span.artist},
            Making(workers=workers),
            progress,
            "side by side",
            cover=False,
        ),
    )
    return _measured(out, span, songs, films, backward, progress)


def _described(place: Path | str, option: str, progress: Listener) -> Description:
    if not str(place):
        raise SettingsError(f"{option}: name a model folder, a run folder or hf://owner/name")
    return describe_model(local_model(place, progress))


def _compose(
    inverse: Path, film: Path, place: Path, span: Span, seed: int, progress: Listener
) -> None:
    sonify(inverse, film, place, stop_seconds=span.seconds, seed=seed, progress=progress)


def _of(progress: Listener, name: str) -> Listener:
    """Steps of one of many files, under its name."""
    return lambda step: progress(replace(step, task=f"{name}: {step.task}"))


def _measured(
    out: Path,
    span: Span,
    songs: list[Path],
    films: list[Path],
    inverse: Description,
    progress: Listener,
) -> Loop:
    """Every generation beside the first and the one before, written down and shown."""
    rate = inverse.recipe.sample_rate_hz
    heard: list[HeardCurves] = []
    seen: list[SeenCurves] = []
    for number, (song, film) in enumerate(zip(songs, films, strict=True)):
        progress(Step("measure the drift", number, len(films), "generations"))
        begin = span.start_seconds if number == 0 else Fraction(0)
        blocks = stream_sound(song, rate, "mono", begin, begin + span.seconds)
        heard.append(heard_curves(blocks, rate))
        times = [frame_time(n, _COMPARED_FPS) for n in range(max(1, span.frames(_COMPARED_FPS)))]
        fit = Fit(_COMPARED_ROWS, _COMPARED_ROWS)
        seen.append(seen_curves(picture for _, picture in frames_at(film, times, fit)))
    progress(Step("measure the drift", len(films), len(films), "generations"))
    generations = tuple(
        Generation(
            number,
            songs[number],
            films[number],
            sound_drift(heard[number], heard[0]),
            film_drift(seen[number], seen[0]),
            sound_drift(heard[number], heard[max(0, number - 1)]),
            film_drift(seen[number], seen[max(0, number - 1)]),
        )
        for number in range(len(films))
    )
    numbers = out / NUMBERS
    write_json(
        numbers,
        {
            "format": "soundreel loop 1",
            "title": span.title,
            "seconds": float(span.seconds),
            "generations": [
                asdict(one) | {"song": one.song.name, "film": one.film.name} for one in generations
            ],
        },
    )
    write_loop_page(
        out / LOOP_PAGE,
        span.title,
        GENERATIONS_FILM,
        generations,
        [curves.loudness_db_T for curves in heard],
        [curves.brightness_T for curves in seen],
    )
    return Loop(out / LOOP_PAGE, out / GENERATIONS_FILM, numbers, generations)
