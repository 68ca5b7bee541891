"""From models, a song and what is wanted to a film: listening, casting, directing, making."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import soundreel
from soundreel.errors import SettingsError
from soundreel.networks.bundle import Model
from soundreel.networks.model_folder import resolve_model_folder
from soundreel.progress import Listener, Step
from soundreel.rendering.beside import beside_layout
from soundreel.rendering.casting import cast
from soundreel.rendering.casting_cues import film_cues, has_looks
from soundreel.rendering.composed import BesideOriginal, SideBySide
from soundreel.rendering.directing import direct
from soundreel.rendering.film import Film, Span, file_sha256, film_size, song_span
from soundreel.rendering.film_settings import FilmSettings
from soundreel.rendering.filming import Source
from soundreel.rendering.finish import finished
from soundreel.rendering.listening import listen, with_bars
from soundreel.rendering.looks import AUTO
from soundreel.rendering.making import make_film
from soundreel.rendering.panels import grid_layout
from soundreel.rendering.parts import known_identity
from soundreel.rendering.plan import shots_by_section
from soundreel.rendering.shoot import Shoot
from soundreel.rendering.shot_list import ShotList

#: A model and what a person calls it.
Named = tuple[str, Path | Model]


@dataclass(frozen=True)
class _Ready:
    """A shoot, the shot list that it follows, what came of the engines tried, and its looks."""

    shoot: Shoot
    shots: ShotList
    trials: tuple[str, ...]
    looks: tuple[str, ...]


#: In a draft, so many frames are made of one picture and the next.
_DRAFT_ONE_IN = 6


def film_of(
    models: Sequence[Named],
    song: Path,
    out: Path,
    settings: FilmSettings,
    progress: Listener,
    task: str = "render",
    *,
    seen: Path | None = None,
    words: Mapping[str, str] | None = None,
) -> Film:
    """A film of a song as one model sees it, or several in turns.

    seen: another song that the models see instead, with this one's sound (for blind pairs).
    words: for the file, instead of what is known of song and models.

    Raises: as `movie.render`.
    """
    _check_looks(models, settings)
    span = song_span(song, settings.start_seconds, settings.stop_seconds)
    ready = _shoot(models, span, out, settings, progress, seen)
    eyes = ready.shoot.eyes
    size = settings.size or film_size(eyes[0].recipe)
    source = finished(ready.shoot, ready.shots, span, settings.fps, size)
    told = _words(span, [ready], settings) if words is None else words
    return _make(source, [ready], out, span, size, told, settings, progress, task)


def film_side_by_side(
    models: Sequence[Named],
    song: Path,
    out: Path,
    settings: FilmSettings,
    progress: Listener,
) -> Film:
    """A film of a song as several models see it, their pictures side by side, row by row.

    Each model hears the song by its own recipe; its picture is the one that it has in a film of
    its own.

    Raises: as `movie.render`.
    """
    _check_looks(models, settings)
    span = song_span(song, settings.start_seconds, settings.stop_seconds)
    ready = [_shoot([one], span, out, settings, progress) for one in models]
    shoots = [one.shoot for one in ready]
    sizes = [film_size(shoot.eyes[0].recipe) for shoot in shoots]
    layout = grid_layout(sizes, settings.size)
    source = SideBySide(tuple(shoots), tuple(name for name, _ in models), layout)
    size = (layout.width, layout.height)
    ended = finished(source, ready[0].shots, span, settings.fps, size)
    told = _words(span, ready, settings)
    return _make(ended, ready, out, span, size, told, settings, progress, "render")


def film_beside(
    models: Sequence[Named],
    song: Path,
    video: Path,
    out: Path,
    settings: FilmSettings,
    progress: Listener,
) -> Film:
    """As `film_of`, with what a video shows at the same times of the song beside it.

    Raises: as `movie.render`; MediaError if the video has no picture.
    """
    _check_looks(models, settings)
    span = song_span(song, settings.start_seconds, settings.stop_seconds)
    ready = _shoot(models, span, out, settings, progress)
    shoot = ready.shoot
    layout = beside_layout(film_size(shoot.eyes[0].recipe), settings.size)
    name = shoot.eyes[0].name
    source = BesideOriginal(shoot, name, video, file_sha256(video), layout)
    size = (layout.width, layout.height)
    ended = finished(source, ready.shots, span, settings.fps, size)
    told = _words(span, [ready], settings)
    return _make(ended, [ready], out, span, size, told, settings, progress, "render")


def _shoot(
    models: Sequence[Named],
    span: Span,
    out: Path,
    settings: FilmSettings,
    progress: Listener,
    seen: Path | None = None,
) -> _Ready:
    """Listen to the song, choose engines, and turn the shot list into frames."""
    seen_span = span if seen is None else _as_long(seen, span)
    shots = settings.shots
    wants_sections = len(models) > 1 and not shots.shot
    everyone = [*models, *(one[:2] for one in _wanted(models, shots, settings.seed)[0])]
    by_cues = any(has_looks(model) for _, model in everyone)
    told_all = bool(shots.shot and shots.song.bars and shots.song.beats)
    heard = listen(seen_span, shots, wants_sections or (by_cues and not told_all), progress)
    shots = with_bars(shots, heard.form)
    if wants_sections:
        assert heard.form is not None
        shots = shots_by_section(heard.form, shots, [name for name, _ in models])
    wanted, eye_of_shot = _wanted(models, shots, settings.seed)
    known = (known_identity(out) or {}).get("engines")
    cast_eyes, looks = [], []
    for place, (name, model, seed) in enumerate(wanted):
        track = None
        if has_looks(model):
            progress(Step("plan the cues", place, len(wanted), "models", name))
            seen_shots = [number for number, eye in eye_of_shot.items() if eye == place]
            cues = film_cues(model, seen_span, shots, heard, settings.fps, seed, seen_shots)
            track = cues.track
            looks.append(cues.told)
        cast_eyes.append(
            cast(name, model, seen_span, seed, settings.compute, progress, known, track)
        )
    shoot = direct(
        shots,
        [eye for eye, _ in cast_eyes],
        eye_of_shot,
        seen_span,
        file_sha256(seen_span.song),
        settings.fps,
        heard.onset,
        heard.beat_seconds,
        _DRAFT_ONE_IN if settings.making.draft else 1,
    )
    tried = [choice.table() for _, choice in cast_eyes if choice is not None]
    lines = tuple(line for table in tried for line in table.splitlines())
    return _Ready(shoot, shots, lines, tuple(looks))


def _check_looks(models: Sequence[Named], settings: FilmSettings) -> None:
    """Raises: SettingsError if a look is asked for of models that have none."""
    shots = settings.shots
    wanted, eye_of_shot = _wanted(models, shots, settings.seed)
    for number, eye in eye_of_shot.items():
        name, model, _ = wanted[eye]
        if shots.shot[number].look is not None and not has_looks(model):
            raise SettingsError(
                f"{name}: has no looks, but [[shot]] number {number + 1} asks for one: leave it "
                "out there, or give a model trained with --preset reel"
            )
    asked = settings.look is not None or shots.film.look != AUTO
    everyone = [*models, *((name, model) for name, model, _ in wanted)]
    if asked and not any(has_looks(model) for _, model in everyone):
        raise SettingsError(
            f"{models[0][0]}: has no looks to choose from: leave out --look, or give a model "
            "trained with --preset reel"
        )


def _wanted(
    models: Sequence[Named], shots: ShotList, seed: int
) -> tuple[list[tuple[str, Path | Model, int]], dict[int, int]]:
    """Each model with each seed that is needed, the first model first; and which shot takes which.

    A shot names a model by its folder; or, where there is none of that name, by what it is called
    here.
    """
    by_name = dict(models)
    wanted: list[tuple[str, Path | Model, int]] = [(*models[0], seed)]
    eye_of_shot = {}
    for number, shot in enumerate(shots.shot):
        name, model = models[0]
        if shot.model is not None:
            name = Path(shot.model).name
            known = not Path(shot.model).exists() and name in by_name
            model = by_name[name] if known else resolve_model_folder(shot.model)
        one = (name, model, seed if shot.seed is None else shot.seed)
        if one not in wanted:
            wanted.append(one)
        eye_of_shot[number] = wanted.index(one)
    return wanted, eye_of_shot


def _as_long(song: Path, span: Span) -> Span:
    """The same stretch of another song. Raises: SettingsError if that song is too short."""
    other = song_span(song, span.start_seconds, span.stop_seconds)
    if other.seconds < span.seconds:
        raise SettingsError(
            f"{song}: ends before {span.song.name} does: choose a longer song, or a --stop of "
            f"{float(other.stop_seconds):g} s or less"
        )
    return other


def _make(
    source: Source,
    ready: Sequence[_Ready],
    out: Path,
    span: Span,
    size: tuple[int, int],
    words: Mapping[str, str],
    settings: FilmSettings,
    progress: Listener,
    task: str,
) -> Film:
    eyes = [eye for one in ready for eye in one.shoot.eyes]
    engines = {eye.weights_sha256: eye.engine for eye in eyes if eye.engine is not None}
    if settings.making.draft:
        width, height = (max(2, side // 4 * 2) for side in size)
        size = (width, height)
    film = make_film(
        source, out, span, settings.fps, size, words, settings.making, progress, task, engines
    )
    return replace(
        film,
        engines=tuple(sorted(set(engines.values()))),
        trials=tuple(line for one in ready for line in one.trials),
        looks=tuple(look for one in ready for look in one.looks),
        cuts=_cuts_seen([one.shoot for one in ready]),
    )


def _cuts_seen(shoots: Sequence[Shoot]) -> int | None:
    """How often the picture jumps to another shot within what one eye sees; None without shots."""
    tracks = [
        (shoot.eyes[stretch.eye].track, stretch) for shoot in shoots for stretch in shoot.stretches
    ]
    known = [(track, stretch) for track, stretch in tracks if track is not None]
    if not known:
        return None
    return sum(stretch.first < n < stretch.stop for track, stretch in known for n in track.cuts)


def _words(span: Span, ready: Sequence[_Ready], settings: FilmSettings) -> dict[str, str]:
    """What the file says of itself."""
    shots = settings.shots
    eyes = [eye for one in ready for eye in one.shoot.eyes]
    looks = [look for one in ready for look in one.looks]
    models = ", ".join(f"{eye.name} ({eye.weights_sha256[:12]})" for eye in eyes)
    recipes = ", ".join(sorted({eye.recipe.name for eye in eyes}))
    comment = (
        f"made with Soundreel {soundreel.__version__}; model {models}; recipe {recipes}; "
        f"seed {settings.seed}" + (f"; look {', '.join(looks)}" if looks else "")
    )
    words = {
        "title": shots.song.title or span.title,
        "artist": shots.song.artist or span.artist,
        "comment": comment,
    }
    return {name: word for name, word in words.items() if word}


__all__ = ["Named", "film_beside", "film_of", "film_side_by_side"]
