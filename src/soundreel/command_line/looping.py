"""The verb that goes around: loop."""

from __future__ import annotations

from pathlib import Path

from soundreel.command_line.arguments import frame_size
from soundreel.command_line.films import Compute
from soundreel.command_line.results import Json, plain, result
from soundreel.progress import TerminalProgress
from soundreel.timeline import exact_seconds, frame_rate


def loop(
    song: Path,
    *,
    model: str,
    inverse: str,
    out: Path,
    generations: int = 2,
    start: str = "0",
    stop: str | None = None,
    fps: str = "30",
    size: str | None = None,
    seed: int = 0,
    compute: Compute = "auto",
    workers: int = 1,
    as_json: Json = False,
) -> int:
    """Film a song, compose a song of that film, film that one, and so on.

    The folder --out gets every film and song, all films side by side in one, and a page that plays
    them and says how far each generation has drifted. The same command again goes on where it was
    stopped.

    Parameters
    ----------
    song
        Any file with sound in it.
    model
        From sound to picture: a model folder, a run folder or hf://owner/name.
    inverse
        From picture to sound: a model trained with --direction picture-to-sound.
    out
        The folder for all of it; its page is index.html.
    generations
        How often it goes around, 1 to 12.
    start
        Where in the song to begin: seconds or 1:30.
    stop
        Where to end; without it, at the song's end.
    fps
        Frames a second, such as 30, 23.976 or 30000/1001.
    size
        Width x height of each film, such as 1280x720; by default the clips' own shape.
    seed
        Another seed, another film and song, where a model draws noise.
    compute
        What computes the pictures; auto tries what there is and takes the fastest faithful one.
    workers
        Processes that share one film.

    """
    from soundreel.rendering.looping import loop as run

    made = run(
        song,
        out,
        model=model,
        inverse=inverse,
        generations=generations,
        start_seconds=exact_seconds(start),
        stop_seconds=None if stop is None else exact_seconds(stop),
        fps=frame_rate(fps),
        size=None if size is None else frame_size(size),
        seed=seed,
        compute=compute,
        workers=workers,
        progress=TerminalProgress(),
    )
    last = made.generations[-1]
    sound, film = last.sound_from_first, last.film_from_first
    told = (
        f"{made.page}: {len(made.generations)} films; of the song's loudness generation "
        f"{last.number} keeps {sound.loudness:.2f}, of its onsets {sound.onsets:.2f}, of the "
        f"film's brightness {film.brightness:.2f} (1: all)"
    )
    return result(as_json, told, **plain(made))
