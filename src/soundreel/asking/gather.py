"""From places to curves: every clip measured once, in processes, kept for the next time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from fractions import Fraction
from functools import partial
from pathlib import Path

from soundreel.asking.curves import EDITION, ClipCurves, load_curves, save_curves
from soundreel.asking.dataset_curves import dataset_curves
from soundreel.asking.film_curves import film_curves
from soundreel.dataset.listing import list_sources
from soundreel.dataset.store import Dataset, open_dataset
from soundreel.errors import DatasetError, MediaError
from soundreel.parallel import map_items
from soundreel.progress import Listener, Step, silent

#: Shorter clips have no place to shift a song to.
LEAST_SECONDS = 15.0
_LEAST_SAMPLES = 16


@dataclass(frozen=True)
class LeftOut:
    """A clip that was not measured, and why."""

    id: str
    why: str


@dataclass(frozen=True)
class Gathered:
    """The clips under test, and what was left out.

    dataset: where they came from one. every_seconds: from one sample to the next.
    """

    clips: tuple[ClipCurves, ...]
    left_out: tuple[LeftOut, ...]
    every_seconds: float
    dataset: Dataset | None


@dataclass(frozen=True)
class _Task:
    """One clip to measure: of a dataset, or a film."""

    clip_id: str
    title: str
    place: Path
    every_seconds: Fraction
    of_dataset: bool


def gather(
    what: Sequence[str | Path],
    cache: Path,
    every_seconds: Fraction = Fraction(1, 2),
    without: Sequence[str] = (),
    workers: int = 1,
    progress: Listener = silent,
) -> Gathered:
    """Measure the clips of a dataset folder, or of video files and folders of them.

    cache: a folder for the curves; a clip that did not change is not measured again.
    every_seconds: of films; a dataset has its own. without: patterns of ids to leave out.

    A clip that cannot be used is left out and told of; the others go on.

    Raises: DatasetError if `what` holds no clip at all, or none can be used.
    """
    if len(what) == 1 and (Path(what[0]) / "recipe.json").is_file():
        dataset = open_dataset(Path(what[0]))
        tasks = [
            _Task(row.id, row.title, dataset.folder, dataset.recipe.step_seconds(row.fps), True)
            for row in dataset.clips()
        ]
        steps = {task.every_seconds for task in tasks}
        if len(steps) > 1:
            raise DatasetError(
                f"{dataset.folder}: its clips have different frame rates and every frame of them: "
                "prepare it with --every and a number of seconds"
            )
        every_seconds = steps.pop() if steps else every_seconds
    else:
        dataset = None
        tasks = [
            _Task(
                source.clip_id,
                source.title or Path(source.name).stem,
                Path(source.place),
                every_seconds,
                False,
            )
            for source in list_sources(what)
        ]
    named = ", ".join(map(str, what))
    clips: list[ClipCurves] = []
    left_out: list[LeftOut] = []
    unwanted = [task for task in tasks if any(fnmatchcase(task.clip_id, p) for p in without)]
    left_out += [LeftOut(task.clip_id, "left out as asked") for task in unwanted]
    tasks = [task for task in tasks if task not in unwanted]
    made = map_items(
        partial(_measured, cache=cache),
        tasks,
        workers,
        on_lost=lambda task: LeftOut(task.clip_id, "measuring it ended the process three times"),
    )
    progress(Step("measure", 0, len(tasks), "clips"))
    for done, result in enumerate(made, 1):
        if isinstance(result, LeftOut):
            left_out.append(result)
        elif result.seconds < LEAST_SECONDS or len(result.seen_TP) < _LEAST_SAMPLES:
            left_out.append(
                LeftOut(
                    result.id,
                    f"has {result.seconds:.0f} s in {len(result.seen_TP)} samples: "
                    f"{LEAST_SECONDS:.0f} s and {_LEAST_SAMPLES} samples are needed",
                )
            )
        else:
            clips.append(result)
        progress(Step("measure", done, len(tasks), "clips", result.id))
    if not clips:
        why = f" ({left_out[0].id}: {left_out[0].why})" if left_out else ""
        raise DatasetError(f"{named}: no clip can be asked{why}")
    return Gathered(tuple(clips), tuple(left_out), float(every_seconds), dataset)


def _measured(task: _Task, cache: Path) -> ClipCurves | LeftOut:
    kept = cache / f"{task.clip_id}-{_key(task)}.npz"
    curves = load_curves(kept)
    if curves is not None:
        return curves
    try:
        if task.of_dataset:
            dataset = open_dataset(task.place)
            row = next(row for row in dataset.rows if row.id == task.clip_id)
            curves = dataset_curves(dataset, row)
        else:
            curves = film_curves(task.place, task.clip_id, task.title, task.every_seconds)
    except (MediaError, DatasetError) as error:
        return LeftOut(task.clip_id, str(error))
    save_curves(kept, curves)
    return curves


def _key(task: _Task) -> str:
    """A name for all that a clip's curves depend on."""
    if task.of_dataset:
        folder = task.place / "clips" / task.clip_id
        files = [folder / "sound.flac", *sorted((folder / "frames").glob("*"))]
    else:
        files = [task.place]
    parts = [str(EDITION), str(task.every_seconds)]
    for file in files:
        if file.exists():
            found = file.stat()
            parts.append(f"{file.resolve()}\x1f{found.st_size}\x1f{found.st_mtime_ns}")
    return hashlib.blake2b("\x1e".join(parts).encode(), digest_size=8).hexdigest()
