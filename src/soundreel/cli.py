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
from soundreel.timeline import exact_seconds, frame_rate

# A thread that waits for work must sleep, not spin: on a busy machine spinning made a two-thread
# forward 3.3 times slower. OpenMP reads this once, when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

app = App(
    name="soundreel",
    help="Learn a director's eye from music videos; let any song shoot the next one.",
    version=soundreel.__version__,
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
)

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")]
Config = Annotated[Path | None, Parameter(help="A TOML file for all other settings.")]


@app.command
def prepare(
    *clips: Path,
    out: Path,
    recipe: str = "default",
    start: str | None = None,
    stop: str | None = None,
    every: str | None = None,
    workers: int | None = None,
    config: Config = None,
    as_json: Json = False,
) -> int:
    """Make a dataset of pairs (sound image, frame) from video files.

    Parameters
    ----------
    clips
        Video files, or folders of them.
    out
        The dataset folder to make.
    recipe
        default, mel, paper or paper-waveform.
    start
        Where in each clip to begin: seconds or 1:30.
    stop
        Where to end; without it, at the clip's end.
    every
        Seconds from one frame to the next, such as 0.2 or 1/30.
    workers
        How many processes decode at once; by default, one a core.
    """
    from soundreel.dataset.build import prepare as run
    from soundreel.parallel import available_cores
    from soundreel.recipe import Recipe, recipe_from

    changes = _config(config, recipe=Recipe)["recipe"]
    for key, text in (("start", start), ("stop", stop), ("every", every)):
        if text is not None:
            changes[f"{key}_seconds"] = text
    if not clips:
        raise SettingsError("prepare: name at least one video file or folder of videos")
    made = run(
        clips,
        out,
        recipe_from(recipe, **changes),
        workers=available_cores() if workers is None else workers,
        progress=_progress(),
    )
    used = [row for row in made.rows if row.left_out is None]
    left_out = [row for row in made.rows if row.left_out is not None]
    for row in used:
        for why, count in row.skipped.items():
            print(f"note: {row.id}: {count} pictures skipped: {why}", file=sys.stderr)
    for row in left_out:
        print(f"left out: {row.left_out}", file=sys.stderr)
    pairs = sum(row.pairs for row in used)
    return _result(
        as_json,
        f"{out}: {pairs} pairs from {len(used)} clips, {len(left_out)} left out",
        dataset=str(out),
        pairs=pairs,
        clips=[row.model_dump(mode="json") for row in made.rows],
    )


@app.command
def inspect(dataset: Path, *, out: Path, columns: int = 8, as_json: Json = False) -> int:
    """Make a contact sheet of a dataset: frames beside their sound images, clip by clip.

    Parameters
    ----------
    dataset
        A dataset folder.
    out
        The picture to write, a .png.
    columns
        How many moments of each clip to show.
    """
    from soundreel.dataset.gallery import inspect as run

    path = run(dataset, out, columns=columns, progress=_progress())
    return _result(as_json, str(path), sheet=str(path))


@app.command
def train(
    dataset: Path,
    *,
    out: Path,
    preset: str = "default",
    epochs: float | None = None,
    config: Config = None,
    as_json: Json = False,
) -> int:
    """Train a model on a dataset. The same command again resumes.

    Parameters
    ----------
    dataset
        A dataset folder.
    out
        The run folder: metrics, samples, checkpoints and the model so far.
    preset
        default, quick (minutes on two cores) or paper (the 2019 original's).
    epochs
        How many times to go through all pairs; a larger number continues a finished run.
    """
    from soundreel.training.presets import Training
    from soundreel.training.run import train as run

    changes = _config(config, training=Training)["training"]
    made = run(dataset, out, preset, epochs=epochs, changes=changes, progress=_progress())
    return _result(as_json, f"{made.model}: {made.summary}", **_plain(made))


@app.command
def render(
    model: str,
    song: Path,
    *,
    out: Path,
    start: str = "0",
    stop: str | None = None,
    fps: str = "30",
    size: str | None = None,
    seed: int = 0,
    as_json: Json = False,
) -> int:
    """Render a song as a film, with the song's own sound.

    Parameters
    ----------
    model
        A model folder or a run folder.
    song
        Any file with sound in it.
    out
        The film: .mp4, .webm or .gif, or a name without a suffix for a folder of PNG files.
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
    """
    from soundreel.rendering.movie import render as run

    film = run(
        model,
        song,
        out,
        start_seconds=exact_seconds(start),
        stop_seconds=None if stop is None else exact_seconds(stop),
        fps=frame_rate(fps),
        size=None if size is None else _size(size),
        seed=seed,
        progress=_progress(),
    )
    line = f"{film.path}: {film.frames} frames, {film.width}x{film.height}, {float(film.fps):g} fps"
    return _result(as_json, line, **_plain(film))


@app.command
def demo(*, out: Path, as_json: Json = False) -> int:
    """Run the whole way on music videos made here: corpus, dataset, model, film, report.

    Parameters
    ----------
    out
        The folder for all of it. The same command again goes on where it stopped.
    """
    from soundreel.demo import demo as run

    made = run(out, progress=_progress())
    return _result(as_json, made.summary, **_plain(made))


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
        return 1
    except OSError as error:
        return _storage_trouble(error)
    except KeyboardInterrupt:
        _end_line()
        print(
            "soundreel: interrupted; what was done is kept, the same command goes on",
            file=sys.stderr,
        )
        return 130
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
