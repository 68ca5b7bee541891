"""The verbs that make films: render, of a model's pictures, and remix, of shots that exist."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from soundreel.box import boxed_model
from soundreel.command_line.arguments import WrongUsageError, epoch_numbers, frame_size
from soundreel.command_line.results import Json, plain, result
from soundreel.errors import ModelError, SettingsError
from soundreel.progress import TerminalProgress
from soundreel.timeline import exact_seconds, frame_rate

if TYPE_CHECKING:
    from soundreel.rendering.film import Film

Compute = Literal[
    "auto", "torch-fp32", "torch-bf16", "compiled", "openvino-bf16", "openvino-int8", "cuda"
]


def render(
    model: str | None = None,
    song: Path | None = None,
    *,
    out: Path | None = None,
    epoch: str | None = None,
    others: Annotated[Sequence[str], Parameter(name="--with")] = (),
    grid: Annotated[bool, Parameter(negative="")] = False,
    start: str = "0",
    stop: str | None = None,
    fps: str = "30",
    size: str | None = None,
    seed: int = 0,
    smooth: Literal["beats", "exponential", "none"] | None = None,
    look: str | None = None,
    shots: Path | None = None,
    plan: Path | None = None,
    beside: Path | None = None,
    ab: Path | None = None,
    kind: Literal["mp4", "webm", "mov", "gif"] = "mp4",
    codec: Literal["h264", "h265"] | None = None,
    draft: Annotated[bool, Parameter(negative="")] = False,
    watch: Annotated[bool, Parameter(negative="")] = False,
    compute: Compute = "auto",
    workers: int = 1,
    engine: Literal["local", "ray"] = "local",
    as_json: Json = False,
) -> int:
    """Render a song as a film, with the song's own sound.

    The same command again goes on where it was stopped.

    Parameters
    ----------
    model
        A model folder, a run folder or hf://owner/name. With a song alone (soundreel render
        song.mp3): the model that comes with soundreel.
    song
        Any file with sound in it, or a folder of them: then --out is a folder of films.
    out
        The film: .mp4, .webm, .mov (ProRes) or .gif (10 s), or a name without a suffix for PNGs.
        Of a song alone: song.mp4, here, by default.
    epoch
        The run's snapshot of an epoch, such as 95; of several, such as 95,180,200, a film each.
    others
        More models: they take turns from section to section of the song.
    grid
        The pictures of several models or epochs side by side, in one film.
    start
        Where in the song to begin: seconds or 1:30.
    stop
        Where to end; without it, at the song's end.
    fps
        Frames a second, such as 30, 23.976 or 30000/1001.
    size
        Width x height of the film, such as 1280x720; by default the clips' own shape.
    seed
        Another seed, another film, where the model draws noise (preset paper) or cuts (reel).
    smooth
        How frames are evened out: between beats (default), exponential, or none.
    look
        Of a model with looks: auto (the nearest training clip's), average, a training clip,
        "a:0.7,b:0.3", walk:sections or "walk:4 bars".
    shots
        A shot list (see --plan) that says how the song is filmed.
    plan
        Write a shot list for the song to this .toml file, and a picture of it; no film.
    beside
        A video to show beside the film: what it shows at the same times.
    ab
        Another song: two films into the folder --out, one of its picture, and a page to vote on.
    kind
        Where --out names no film: the kind of it, or of each film of a folder of songs.
    codec
        h265 for smaller .mp4 files that fewer players take.
    draft
        In about a tenth of the time: few pictures, half the frame rate, half the size.
    watch
        Beside the film, a file that grows as it is made and can be played.
    compute
        What computes the pictures; auto tries what there is and takes the fastest faithful one.
    workers
        Processes that share one film.
    engine
        Where workers are: processes here (local), or a Ray cluster.

    """
    place, song = _model_and_song(model, song)
    if plan is not None:
        return _plan(song, plan, (place or str(boxed_model()), *others) if others else (), as_json)
    if out is None:
        if place is not None or ab is not None or song.is_dir():
            raise WrongUsageError("render needs --out film.mp4 (or --plan plan.toml)")
        out = _film_here(song, kind)
    place = place or str(boxed_model())
    wishes: dict[str, Any] = {
        "start_seconds": exact_seconds(start),
        "stop_seconds": None if stop is None else exact_seconds(stop),
        "fps": frame_rate(fps),
        "size": None if size is None else frame_size(size),
        "seed": seed,
        "smooth": smooth,
        "look": look,
        "shots": shots,
        "compute": compute,
        "others": others,
        "epoch": None if epoch is None else epoch_numbers(epoch),
        "grid": grid,
        "beside": beside,
        "workers": workers,
        "engine": engine,
        "codec": codec,
        "draft": draft,
        "watch": watch,
        "progress": TerminalProgress(),
    }
    if ab is not None:
        from soundreel.rendering.movie import render_ab

        pairs = render_ab(place, song, ab, out, **wishes)
        many = "a blind pair" if pairs.pairs == 1 else f"{pairs.pairs} blind pairs"
        told = f"{pairs.page}: {many} to vote on; the key is {pairs.key}"
        return result(as_json, told, **plain(pairs))
    if song.is_dir():
        from soundreel.rendering.many import render_songs

        made = render_songs(place, song, out, kind=kind, **wishes)
        result(as_json, made.table(), **plain(made))
        return 0 if made.films or made.there else 1
    from soundreel.rendering.movie import render as run

    film = run(place, song, out, **wishes)
    if compute not in ("auto", *film.engines):
        told = "; ".join(" ".join(line.split()) for line in film.trials)
        print(f"soundreel: --compute {compute} was not used: {told}", file=sys.stderr)
    lines = [_told(film), *(f"look {one}" for one in film.looks)]
    return result(as_json, "\n".join(lines), **plain(film))


def remix(
    *clips: str,
    song: Path,
    out: Path,
    look: str | None = None,
    start: str = "0",
    stop: str | None = None,
    fps: str | None = None,
    size: str | None = None,
    seed: int = 0,
    codec: Literal["h264", "h265"] | None = None,
    watch: Annotated[bool, Parameter(negative="")] = False,
    workers: int = 1,
    as_json: Json = False,
) -> int:
    """Cut a film of a song from shots that exist already; no model is needed.

    It is cut as these clips' director cuts, and says of itself that it is an edit of them. Beside
    the film, film.edit.json lists what was taken from where, to clear rights from.

    Parameters
    ----------
    clips
        Video files, folders of them, or a dataset folder.
    song
        Any file with sound in it.
    out
        The film: .mp4, .webm, .mov (ProRes) or .gif (10 s), or a name without a suffix for PNGs.
    look
        Show only the shots of this clip, by its name without suffix; of several: a,b.
    start
        Where in the song to begin: seconds or 1:30.
    stop
        Where to end; without it, at the song's end.
    fps
        Frames a second, such as 30 or 23.976; by default those of most of the clips.
    size
        Width x height of the film, such as 1280x720; by default those of most of the clips.
    seed
        Another seed, another film.
    codec
        h265 for smaller .mp4 files that fewer players take.
    watch
        Beside the film, a file that grows as it is made and can be played.
    workers
        Processes that look at clips at once, and share the film.

    """
    from soundreel.editing.remixing import remix as run

    if not clips:
        raise SettingsError("remix: name at least one video file, folder of videos or dataset")
    made = run(
        clips,
        song,
        out,
        look=look,
        start_seconds=exact_seconds(start),
        stop_seconds=None if stop is None else exact_seconds(stop),
        fps=None if fps is None else frame_rate(fps),
        size=None if size is None else frame_size(size),
        seed=seed,
        codec=codec,
        watch=watch,
        workers=workers,
        progress=TerminalProgress(),
    )
    lines = [_told(replace(made.film, cuts=made.cuts)), f"{made.note}; pieces: {made.edit_list}"]
    lines += [f"left out: {one.id}: {one.why}" for one in made.left_out]
    values = plain(made)
    return result(as_json, "\n".join(lines), **{**values.pop("film"), **values})


def _model_and_song(model: str | None, song: Path | None) -> tuple[str | None, Path]:
    """MODEL and SONG as they were given; of one alone it is the song. Raises: WrongUsageError."""
    if song is None and model is not None:
        if _is_model(model):
            raise WrongUsageError(f"render: {model} is a model: name a song, too")
        return None, Path(model)
    if song is None:
        raise WrongUsageError("render: name a song (and before it a model, or --plan plan.toml)")
    return model, song


def _is_model(place: str) -> bool:
    """Whether a place that is given alone is a model's, and not a song or a folder of songs."""
    from soundreel.sharing.address import is_hub_address

    if not Path(place).is_dir():
        return is_hub_address(place)
    from soundreel.networks.model_folder import resolve_model_folder

    try:
        resolve_model_folder(place)
    except ModelError:
        return False
    return True


def _film_here(song: Path, kind: str) -> Path:
    """Where a film goes that nobody named. Raises: SettingsError if something is there."""
    out = Path(f"{song.stem}.{kind}")
    if out.exists():
        raise SettingsError(
            f"{out}: is there already: name the film with --out (--out {out} replaces this one)"
        )
    return out


def _told(film: Film) -> str:
    """A film in one line."""
    what = f"{film.frames} frames, {film.width}x{film.height}, {float(film.fps):g} fps"
    cuts = [] if film.cuts is None else [f"{film.cuts} cut{'' if film.cuts == 1 else 's'}"]
    how = ([] if film.sound == "none" else [f"sound {film.sound}"]) + list(film.engines)
    return f"{', '.join(map(str, film.paths))}: {', '.join([what, *cuts, *how])}"


def _plan(song: Path, out: Path, models: Sequence[str], as_json: bool) -> int:
    from soundreel.rendering.plan import plan as run

    made = run(song, out, models=models, progress=TerminalProgress())
    tempo = "no steady tempo" if made.tempo_bpm is None else f"{made.tempo_bpm:g} beats a minute"
    told = f"{made.path}: {tempo}, {made.bars} bars, {made.sections} sections; {made.picture}"
    return result(
        as_json,
        told,
        path=made.path,
        picture=made.picture,
        tempo_bpm=made.tempo_bpm,
        bars=made.bars,
        sections=made.sections,
    )
