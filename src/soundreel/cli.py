"""The command line: one command a verb; each body calls one function.

Results go to stdout (a line for people, or one JSON object with --json), progress and errors to
stderr. Exit 0; 1 with one line that says what is wrong and what to do; 2 for wrong usage; 130
when interrupted, 143 when terminated, with what was done kept.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Literal, NoReturn

import cyclopts
from cyclopts import App, Parameter

import soundreel
from soundreel.errors import SettingsError, SoundreelError, storage_errors
from soundreel.progress import TerminalProgress
from soundreel.threads import let_threads_rest
from soundreel.timeline import exact_seconds, frame_rate

let_threads_rest()

app = App(
    name="soundreel",
    help="Learn a director's eye from music videos; let any song shoot the next one.",
    version=soundreel.__version__,
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
    suppress_keyboard_interrupt=False,  # `main` says what was kept
)

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")]
Compute = Literal[
    "auto", "torch-fp32", "torch-bf16", "compiled", "openvino-bf16", "openvino-int8", "cuda"
]
Config = Annotated[Path | None, Parameter(help="A TOML file for all other settings.")]


@app.command
def fetch(
    *links: str,
    out: Path,
    height: int = 480,
    limit: int | None = None,
    cookies: Path | None = None,
    cookies_from_browser: str | None = None,
    rate: str | None = None,
    allow_private: bool = False,
    as_json: Json = False,
) -> int:
    """Fetch videos: addresses, playlists, text files of links, local folders.

    The same command again brings only what is not there yet.

    Parameters
    ----------
    links
        Addresses of videos, playlists or channels, text files with one link a line, or folders.
    out
        The folder for the videos and for clips.jsonl, which says where each came from.
    height
        The highest picture to take, in rows of pixels.
    limit
        At most so many videos.
    cookies
        A cookies.txt file, for what only you may see.
    cookies_from_browser
        A browser to take the cookies of, such as firefox.
    rate
        At most so many bytes a second, such as 500K or 2M.
    allow_private
        Also fetch from this machine and the local network.
    """
    from soundreel.sources.fetch import fetch as run

    if not links:
        raise SettingsError("fetch: name at least one link, text file of links or folder")
    made = run(
        links,
        out,
        height=height,
        limit=limit,
        cookies=cookies,
        cookies_from_browser=cookies_from_browser,
        rate_limit_bytes=None if rate is None else _bytes(rate),
        allow_private=allow_private,
        progress=_progress(),
    )
    _result(as_json, made.table(), **_plain(made))
    return 0 if made.came_or_there else 1


@app.command
def prepare(
    *clips: str,
    out: str,
    recipe: str | None = None,
    start: str | None = None,
    stop: str | None = None,
    every: str | None = None,
    only: Literal["people", "solo", "artist"] | None = None,
    artist: Path | None = None,
    leave_out: str | None = None,
    letterbox: Literal["crop", "keep"] | None = None,
    together: Sequence[str] = (),
    look: Annotated[Path | None, Parameter(name="--inspect")] = None,
    workers: int | None = None,
    engine: Literal["local", "ray"] = "local",
    config: Config = None,
    as_json: Json = False,
) -> int:
    """Make a dataset of pairs (sound image, frame) from video files.

    Parameters
    ----------
    clips
        Video files, folders of them, a folder of side-by-side pairs or of shards; also s3://...
    out
        The dataset folder to make; at an address (s3://...), shards are written.
    recipe
        default, mel, paper or paper-waveform (of side-by-side pairs: what they were made with).
    start
        Where in each clip to begin: seconds or 1:30.
    stop
        Where to end: seconds, 1:30, or "end" for each clip's own end.
    every
        Seconds from one frame to the next, such as 0.2 or 1/30, or "frame" for every picture.
    only
        Only pictures with people, with exactly one face (solo), or with the artist.
    artist
        A folder of photos of the artist.
    leave_out
        Moments to leave out, of: black, frozen, silence, speech, title, near-duplicate; or "none".
    letterbox
        Black bars over the whole clip: crop or keep.
    together
        A pattern of clip names of one work, such as "bbb_*", never to be split; may be repeated.
    look
        A page (.html) or contact sheet (.png) of the dataset to make at once, as `inspect` does.
    workers
        How many processes decode at once; by default, one a core.
    engine
        local processes here, or an existing ray cluster.
    """
    from soundreel.dataset.build import prepare as run
    from soundreel.dataset.describing import outcome_table
    from soundreel.dataset.listing import other_files
    from soundreel.dataset.remote import prepare_shards
    from soundreel.parallel import available_cores
    from soundreel.places import is_remote
    from soundreel.recipe import Recipe, Selection, recipe_from

    settings = _config(config, recipe=Recipe, selection=Selection)
    changes, chosen = settings["recipe"], settings["selection"]
    for key, text in (("start", start), ("stop", stop), ("every", every)):
        if text is not None:
            changes[f"{key}_seconds"] = None if (key, text) == ("stop", "end") else text
    if together:
        changes["together"] = tuple(together)
    if leave_out is not None:
        chosen["leave_out"] = _faults(leave_out)
    wanted = {"only": only, "letterbox": letterbox, "artist_photos": artist and str(artist)}
    chosen |= {key: value for key, value in wanted.items() if value is not None}
    if look is not None and is_remote(out):
        raise SettingsError(f"--inspect {look}: {out} is not a folder here that can be looked at")
    if not clips:
        raise SettingsError("prepare: name at least one video file or folder of videos")
    asked = recipe is not None or changes or chosen
    made = (prepare_shards if is_remote(out) else run)(
        clips,
        out,
        recipe_from(recipe or "default", selection=chosen, **changes) if asked else None,
        workers=available_cores() if workers is None else workers,
        engine=engine,
        progress=_progress(),
    )
    used = [row for row in made.rows if row.split is not None]
    pairs = sum(row.pairs for row in used)
    print(outcome_table(made.rows), file=sys.stderr if as_json else sys.stdout)
    others = other_files(clips)
    if others:
        named = ", ".join(others[:5]) + (" ..." if len(others) > 5 else "")
        print(f"not looked at, no media by their names: {named}", file=sys.stderr)
    if look is not None:
        from soundreel.dataset.inspection.gallery import inspect as show

        show(Path(out), look, progress=_progress())
    return _result(
        as_json,
        f"{out}: {pairs} pairs from {len(used)} clips, {len(made.rows) - len(used)} left out",
        dataset=out,
        pairs=pairs,
        clips=[row.model_dump(mode="json") for row in made.rows],
    )


@app.command
def inspect(
    dataset: Path,
    *,
    out: Path | None = None,
    drop: Sequence[str] = (),
    columns: int = 8,
    as_json: Json = False,
) -> int:
    """Look at a dataset, and leave out of it what does not belong.

    Parameters
    ----------
    dataset
        A dataset folder.
    out
        What to write: .html for a page with everything in it, .png for a contact sheet.
    drop
        Delete first: a clip (ID), a frame (ID:12), a range (ID:12-40) or several (ID:1,5,9-20),
        by the numbers that frames' names begin with; may be repeated.
    columns
        How many moments of each clip to show.
    """
    from soundreel.dataset.inspection.gallery import inspect as run

    made = run(dataset, out, drop=drop, columns=columns, progress=_progress())
    return _result(as_json, made.summary, **_plain(made))


@app.command
def export(
    dataset: Path, *, to: Literal["pairs", "shards"], out: Path, as_json: Json = False
) -> int:
    """Export a dataset for other programs, or for training on a cluster.

    Parameters
    ----------
    dataset
        A dataset folder.
    to
        pairs: side-by-side pictures, as the well-known pix2pix codes read them; shards:
        WebDataset tar files.
    out
        The folder to make.
    """
    from soundreel.dataset.exchange.export import export as run

    made = run(dataset, to, out, progress=_progress())
    return _result(as_json, f"{made.out}: {made.pairs} pairs in {made.files} files", **_plain(made))


@app.command
def train(
    dataset: str,
    *,
    out: Path,
    preset: str = "default",
    epochs: float | None = None,
    direction: Literal["sound-to-picture", "picture-to-sound"] = "sound-to-picture",
    devices: int | None = None,
    config: Config = None,
    as_json: Json = False,
) -> int:
    """Train a model on a dataset. The same command again resumes.

    Parameters
    ----------
    dataset
        A dataset folder, or shards: a folder of them, or their address (s3://...).
    out
        The run folder: a page to watch it by (index.html), metrics, samples, checkpoints and the
        model so far.
    preset
        default, quick (minutes on two cores) or paper (the 2019 original's).
    epochs
        How many times to go through all pairs; a larger number continues a finished run.
    direction
        What the model makes of what.
    devices
        So many processes on this machine share the work, a GPU each where there are GPUs.
    """
    from soundreel.training.presets import Training
    from soundreel.training.run import train as run

    changes = _config(config, training=Training)["training"]
    made = run(
        dataset,
        out,
        preset,
        epochs=epochs,
        direction=direction,
        devices=devices,
        changes=changes,
        progress=_progress(),
    )
    if made.rank > 0:
        return 0
    return _result(as_json, f"{made.model}: {made.summary}", **_plain(made))


@app.command
def render(
    model: str,
    song: Path,
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
        A model folder or a run folder.
    song
        Any file with sound in it, or a folder of them: then --out is a folder of films.
    out
        The film: .mp4, .webm, .mov (ProRes) or .gif (10 s), or a name without a suffix for PNGs.
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
        Another seed, another film, where the model draws noise (preset paper).
    smooth
        How frames are evened out: between beats (default), exponential, or none.
    shots
        A shot list (see --plan) that says how the song is filmed.
    plan
        Write a shot list for the song to this .toml file, and a picture of it; no film.
    beside
        A video to show beside the film: what it shows at the same times.
    ab
        Another song: two films into the folder --out, one of its picture, and a page to vote on.
    kind
        Of a folder of songs: the kind of the films.
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
    if plan is not None:
        return _plan(song, plan, (model, *others) if others else (), as_json)
    if out is None:
        raise _WrongUsageError("render needs --out film.mp4 (or --plan plan.toml)")
    wishes: dict[str, Any] = {
        "start_seconds": exact_seconds(start),
        "stop_seconds": None if stop is None else exact_seconds(stop),
        "fps": frame_rate(fps),
        "size": None if size is None else _size(size),
        "seed": seed,
        "smooth": smooth,
        "shots": shots,
        "compute": compute,
        "others": others,
        "epoch": None if epoch is None else _epochs(epoch),
        "grid": grid,
        "beside": beside,
        "workers": workers,
        "engine": engine,
        "codec": codec,
        "draft": draft,
        "watch": watch,
        "progress": _progress(),
    }
    if ab is not None:
        from soundreel.rendering.movie import render_ab

        pairs = render_ab(model, song, ab, out, **wishes)
        many = "a blind pair" if pairs.pairs == 1 else f"{pairs.pairs} blind pairs"
        told = f"{pairs.page}: {many} to vote on; the key is {pairs.key}"
        return _result(as_json, told, **_plain(pairs))
    if song.is_dir():
        from soundreel.rendering.many import render_songs

        made = render_songs(model, song, out, kind=kind, **wishes)
        _result(as_json, made.table(), **_plain(made))
        return 0 if made.films or made.there else 1
    from soundreel.rendering.movie import render as run

    film = run(model, song, out, **wishes)
    if compute not in ("auto", *film.engines):
        told = "; ".join(" ".join(line.split()) for line in film.trials)
        print(f"soundreel: --compute {compute} was not used: {told}", file=sys.stderr)
    what = f"{film.frames} frames, {film.width}x{film.height}, {float(film.fps):g} fps"
    how = ([] if film.sound == "none" else [f"sound {film.sound}"]) + list(film.engines)
    told = ", ".join([what, *how])
    return _result(as_json, f"{', '.join(map(str, film.paths))}: {told}", **_plain(film))


def _plan(song: Path, out: Path, models: Sequence[str], as_json: bool) -> int:
    from soundreel.rendering.plan import plan as run

    made = run(song, out, models=models, progress=_progress())
    tempo = "no steady tempo" if made.tempo_bpm is None else f"{made.tempo_bpm:g} beats a minute"
    told = f"{made.path}: {tempo}, {made.bars} bars, {made.sections} sections; {made.picture}"
    return _result(
        as_json,
        told,
        path=made.path,
        picture=made.picture,
        tempo_bpm=made.tempo_bpm,
        bars=made.bars,
        sections=made.sections,
    )


@app.command
def ask(
    *what: str,
    out: Path = Path("evidence.html"),
    model: str | None = None,
    controls: int = 0,
    film: Annotated[bool, Parameter(negative="")] = False,
    against: Annotated[bool, Parameter(negative="")] = False,
    calibrate: int | None = None,
    stems: Path | None = None,
    together: Sequence[str] = (),
    without: Sequence[str] = (),
    delta: float | None = None,
    draws: int | None = None,
    seed: int | None = None,
    workers: int | None = None,
    config: Config = None,
    as_json: Json = False,
) -> int:
    """Does the music make the video? Answered with an effect, its interval and p-values.

    Parameters
    ----------
    what
        A dataset folder, or video files and folders of them; with --against, reports.
    out
        The report, an .html file; all its numbers lie beside it as .json.
    model
        A model or run folder: does it use the songs of the dataset that it never heard?
    controls
        With --model: train so many models like it on swapped songs, to compare (3 or more).
    film
        Films of any make: are sound and picture in step?
    against
        Put several reports side by side, in one table.
    calibrate
        Ask so many made-up corpora of each kind, where the answer is known (500 for a full check).
    stems
        A folder with the separated parts of each clip's sound: STEMS/clip/drums.wav and so on.
    together
        A pattern of clip names of one work, such as "bbb_*", never to be split; may be repeated.
    without
        A pattern of clip names to leave out; may be repeated.
    delta
        The smallest effect of interest, as a coupling of made-up corpora (default 0.1).
    draws
        Permutations of each null (default 1999).
    seed
        Another seed, other permutations.
    workers
        Processes that measure clips at once; by default, one a core.
    """
    from soundreel.asking.settings import Question, question_from
    from soundreel.asking.verb import ask as run

    changes = _config(config, question=Question)["question"]
    told = {"delta": delta, "draws": draws, "seed": seed}
    told |= {"together": tuple(together) or None, "without": tuple(without) or None}
    changes |= {key: value for key, value in told.items() if value is not None}
    made = run(
        *what,
        out=out,
        model=model,
        controls=controls,
        film=film,
        against=against,
        calibrate=calibrate,
        stems=stems,
        question=question_from(**changes),
        workers=workers,
        progress=_progress(),
    )
    return _result(as_json, made.summary, **_plain(made))


@app.command
def demo(*, out: Path, as_json: Json = False) -> int:
    """Run the whole way on music videos made here: corpus, dataset, model, film, report.

    Parameters
    ----------
    out
        The folder for all of it. The same command again goes on where it stopped.
    """
    from soundreel.demonstration import demo as run

    made = run(out, progress=_progress())
    return _result(as_json, made.summary, **_plain(made))


class _WrongUsageError(SoundreelError):
    """What no type of an argument can say is wrong with a command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = app(list(sys.argv[1:] if arguments is None else arguments))
    except cyclopts.CycloptsError as error:
        line = " ".join(str(error).split())
        print(f"soundreel: {line} (see `soundreel --help`)", file=sys.stderr)
        return 2
    except SoundreelError as error:
        _end_line()
        print(f"soundreel: {error}", file=sys.stderr)
        return 2 if isinstance(error, _WrongUsageError) else 1
    except BrokenPipeError:
        # Whoever read the result (`| head`) has had enough; nothing more may be written to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _storage_trouble(error)
    except KeyboardInterrupt as error:
        _end_line()
        said = str(error) or "interrupted; what was done is kept, the same command goes on"
        if getattr(error, "rank", 0) == 0:
            print(f"soundreel: {said}", file=sys.stderr)
        return 128 + int(getattr(error, "signal", signal.SIGINT))
    return code if isinstance(code, int) else 0


def _storage_trouble(error: OSError) -> int:
    """A full disk met outside the rooms that watch for one is still a person's, not a bug."""
    place = Path(str(error.filename)) if error.filename else Path("the disk")
    try:
        with storage_errors(place):
            raise error
    except SoundreelError as said:
        _end_line()
        print(f"soundreel: {said}", file=sys.stderr)
        return 1


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM unwinds like an error, so that half-written files are removed."""
    raise SystemExit(128 + number)


def _end_line() -> None:
    if sys.stderr.isatty():
        print(file=sys.stderr)


def _progress() -> TerminalProgress:
    return TerminalProgress()


def _config(path: Path | None, **tables: Any) -> dict[str, dict[str, Any]]:
    from soundreel.settings import read_config

    return {name: {} for name in tables} if path is None else read_config(path, tables)


def _faults(text: str) -> tuple[str, ...]:
    """The faults of --leave-out: a list with commas, or "none"."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    return () if names == ["none"] else tuple(names)


def _epochs(text: str) -> tuple[float, ...]:
    numbers = [number.strip() for number in text.split(",")]
    if not all(re.fullmatch(r"\d{1,9}(\.\d{1,9})?", number) for number in numbers):
        raise SettingsError(f"--epoch {text!r} is not a list of epochs: write 95 or 95,180,200")
    return tuple(map(float, numbers))


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d{1,12})([KMG]?)", text.strip().upper())
    if not match:
        raise SettingsError(f"--rate {text!r} is not a rate: write bytes a second, such as 500K")
    return int(match[1]) * 1000 ** " KMG".index(match[2] or " ")


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.strip().lower())
    if not match:
        raise SettingsError(
            f"--size {text!r} is not a size: write width x height, such as 1280x720"
        )
    return int(match[1]), int(match[2])


def _result(as_json: bool, line: str, **values: object) -> Literal[0]:
    print(json.dumps(values, default=str, ensure_ascii=False) if as_json else line)
    return 0


def _plain(result: Any) -> dict[str, object]:
    """A result dataclass as what JSON can hold; exact times become decimals."""
    return {
        field.name: float(value) if isinstance(value, Fraction) else value
        for field in dataclasses.fields(result)
        for value in [getattr(result, field.name)]
    }


if __name__ == "__main__":
    sys.exit(main())
