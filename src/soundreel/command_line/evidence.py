"""The verb that asks: ask."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from soundreel.command_line.arguments import Config, read_settings
from soundreel.command_line.results import Json, plain, result
from soundreel.progress import TerminalProgress


def ask(
    *what: str,
    out: Path = Path("evidence.html"),
    model: str | None = None,
    inverse: str | None = None,
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
        A model or run folder, or hf://owner/name: does it use the songs of the dataset that it
        never heard?
    inverse
        With --model: one from picture to sound. It composes a song of each film that the model
        makes of a song it never heard: is the original the nearest to it?
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

    changes = read_settings(config, question=Question)["question"]
    told = {"delta": delta, "draws": draws, "seed": seed}
    told |= {"together": tuple(together) or None, "without": tuple(without) or None}
    changes |= {key: value for key, value in told.items() if value is not None}
    made = run(
        *what,
        out=out,
        model=model,
        inverse=inverse,
        controls=controls,
        film=film,
        against=against,
        calibrate=calibrate,
        stems=stems,
        question=question_from(**changes),
        workers=workers,
        progress=TerminalProgress(),
    )
    return result(as_json, made.summary, **plain(made))
