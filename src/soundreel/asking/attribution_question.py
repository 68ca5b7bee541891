"""Which part of the sound goes with which quality of the picture? Asked of a dataset or films."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np

from soundreel.asking.curves import ClipCurves
from soundreel.asking.dataset_question import CURVES, beside
from soundreel.asking.film_curves import MOST_SECONDS
from soundreel.asking.gather import Gathered
from soundreel.asking.settings import Question
from soundreel.atomic import atomic_file
from soundreel.dataset.listing import list_sources
from soundreel.dataset.store import Dataset
from soundreel.errors import DatasetError, SettingsError
from soundreel.evidence.attribution import PartDependence, part_curves, part_dependence
from soundreel.evidence.following import slow_terms_for
from soundreel.media.sound import read_sound
from soundreel.parallel import map_items
from soundreel.progress import Listener, Step, silent
from soundreel.sound.parts import sound_parts
from soundreel.timeline import grid_time

FEWEST_CLIPS = 3
STEM_SUFFIXES = (".wav", ".flac", ".mp3")
#: What every sound is split into; no stem may have one of these names.
PART_NAMES = ("harmonic", "percussive", "low", "mid", "high")
_RATE_HZ = 22_050
#: A dataset's samples are heard over its step within these bounds, as its other curves are.
_LEAST_WINDOW_SECONDS, _MOST_WINDOW_SECONDS = Fraction(3, 20), Fraction(3, 2)
#: Counts up when the same sound would give other curves than before.
_EDITION = 1


@dataclass(frozen=True)
class AttributionAnswer:
    """Which curve of which part of the sound goes with which quality of the picture.

    stems: names of the separated parts that were given. alpha: of the whole table, after Holm.
    """

    found: PartDependence
    clips: tuple[str, ...]
    stems: tuple[str, ...]
    alpha: float

    @property
    def can_stand(self) -> bool:
        """Whether any cell could hold: with few clips no order of the songs is rare enough."""
        orders = math.factorial(min(len(self.clips), 20))
        return self.found.p_RP.size / orders <= self.alpha


@dataclass(frozen=True)
class _Task:
    """One clip's sound to be split: where it lies, and when it is asked for."""

    clip_id: str
    sound: Path
    stop_seconds: Fraction | None
    first_seconds: Fraction
    every_seconds: Fraction
    count: int
    window_seconds: Fraction
    stems: tuple[tuple[str, Path], ...]


def ask_parts(
    what: Sequence[str | Path],
    gathered: Gathered,
    out: Path,
    question: Question,
    stems: Path | None = None,
    workers: int = 1,
    progress: Listener = silent,
) -> AttributionAnswer:
    """Ask the clips that `gather(what, ...)` measured, part by part of their sound.

    stems: a folder with separated tracks of each clip, STEMS/<clip id>/<name>.wav, .flac or .mp3,
    the same names for all clips; else only the parts that every sound can be split into.

    Raises: DatasetError for fewer than 3 clips; SettingsError if a clip's stems are missing, or
    differ from those of the others; MediaError if a stem cannot be read.
    """
    clips = gathered.clips
    if len(clips) < FEWEST_CLIPS:
        raise DatasetError(
            f"{', '.join(map(str, what))}: {len(clips)} clip(s): which part goes with what needs "
            f"at least {FEWEST_CLIPS}"
        )
    stems_by_clip = [() if stems is None else stems_of(stems, clip.id) for clip in clips]
    _check_alike([clip.id for clip in clips], stems_by_clip, stems)
    if gathered.dataset is None:
        places = {source.clip_id: Path(source.place) for source in list_sources(what)}
        tasks = [
            _film_task(clip, places[clip.id], question.every_seconds, tracks)
            for clip, tracks in zip(clips, stems_by_clip, strict=True)
        ]
    else:
        tasks = [
            _dataset_task(clip, gathered.dataset, tracks)
            for clip, tracks in zip(clips, stems_by_clip, strict=True)
        ]
    by_clip = []
    progress(Step("split sounds", 0, len(tasks), "clips"))
    for curves in map_items(partial(_split, cache=beside(out, CURVES)), tasks, workers):
        by_clip.append(curves)
        progress(Step("split sounds", len(by_clip), len(tasks), "clips"))
    every = gathered.every_seconds
    found = part_dependence(
        {name: [curves[name] for curves in by_clip] for name in by_clip[0]},
        [clip.seen_TP for clip in clips],
        clips[0].seen_names,
        draws=question.draws,
        seed=question.seed,
        slow_terms=[slow_terms_for(len(clip.seen_TP) * every) for clip in clips],
    )
    names = tuple(name for name, _ in stems_by_clip[0])
    return AttributionAnswer(found, tuple(clip.id for clip in clips), names, question.alpha)


def _film_task(
    clip: ClipCurves, film: Path, every_seconds: Fraction, stems: tuple[tuple[str, Path], ...]
) -> _Task:
    """Sample k of a film is the stretch that ends at (k + 1) * every."""
    return _Task(
        clip.id,
        film,
        MOST_SECONDS,
        every_seconds,
        every_seconds,
        len(clip.seen_TP),
        every_seconds,
        stems,
    )


def _dataset_task(clip: ClipCurves, dataset: Dataset, stems: tuple[tuple[str, Path], ...]) -> _Task:
    """Sample k of a dataset's clip is the picture at place first + k of the recipe's grid."""
    row = next(row for row in dataset.rows if row.id == clip.id)
    step = dataset.recipe.step_seconds(row.fps)
    return _Task(
        clip.id,
        dataset.sound_path(clip.id),
        None,
        dataset.time_of(row, dataset.frames(clip.id)[0][0]),
        step,
        len(clip.seen_TP),
        min(max(step, _LEAST_WINDOW_SECONDS), _MOST_WINDOW_SECONDS),
        stems,
    )


def _split(task: _Task, cache: Path) -> dict[str, np.ndarray]:
    """The curves of each part of a clip's sound, T x 2 each; kept for the next time."""
    kept = cache / f"{task.clip_id}-parts-{_key(task)}.npz"
    names = [*PART_NAMES, *(name for name, _ in task.stems)]
    curves = _load(kept, names)
    if curves is not None:
        return curves
    sound_N = read_sound(task.sound, _RATE_HZ, "mono", Fraction(0), task.stop_seconds)
    stems = {
        name: read_sound(path, _RATE_HZ, "mono", Fraction(0), task.stop_seconds)
        for name, path in task.stems
    }
    times = [grid_time(k, task.first_seconds, task.every_seconds) for k in range(task.count)]
    parts = sound_parts(sound_N, _RATE_HZ, stems)
    curves = part_curves(parts, _RATE_HZ, times, float(task.window_seconds))
    with atomic_file(kept) as partial_file, partial_file.open("wb") as file:
        # Names of stems are anyone's, and may not be those of arrays in a file.
        np.savez(
            file,
            names=np.array(json.dumps(names)),
            curves_RT2=np.stack([curves[name] for name in names]),
        )
    return curves


def _load(kept: Path, names: Sequence[str]) -> dict[str, np.ndarray] | None:
    try:
        with np.load(kept, allow_pickle=False) as stored:
            if json.loads(str(stored["names"])) != list(names):
                return None
            return dict(zip(names, stored["curves_RT2"], strict=True))
    except (OSError, KeyError, ValueError, EOFError):
        return None


def _key(task: _Task) -> str:
    """A name for all that the curves of the parts depend on."""
    parts = [str(_EDITION), str(task.stop_seconds), str(task.first_seconds)]
    parts += [str(task.every_seconds), str(task.count), str(task.window_seconds)]
    for name, path in (("", task.sound), *task.stems):
        found = path.stat()
        parts.append(f"{name}\x1f{path.resolve()}\x1f{found.st_size}\x1f{found.st_mtime_ns}")
    return hashlib.blake2b("\x1e".join(parts).encode(), digest_size=8).hexdigest()


def stems_of(stems: Path, clip_id: str) -> tuple[tuple[str, Path], ...]:
    """A clip's stems: (name, file), by name. Raises: SettingsError if there are none of use."""
    folder = stems / clip_id
    files = (
        sorted(path for path in folder.iterdir() if path.suffix.lower() in STEM_SUFFIXES)
        if folder.is_dir()
        else []
    )
    if not files:
        raise SettingsError(
            f"{folder}: no stems there ({', '.join(STEM_SUFFIXES)}): every clip needs its own, in "
            "a folder of the clip's name"
        )
    found: dict[str, Path] = {}
    for path in files:
        if path.stem in PART_NAMES:
            raise SettingsError(
                f"{path}: every sound has a part called {path.stem}: give this stem another name"
            )
        if path.stem in found:
            raise SettingsError(f"{path}: {found[path.stem].name} is there too: keep one of them")
        found[path.stem] = path
    return tuple(found.items())


def _check_alike(
    clip_ids: Sequence[str],
    stems_by_clip: Sequence[tuple[tuple[str, Path], ...]],
    stems: Path | None,
) -> None:
    names = [[name for name, _ in tracks] for tracks in stems_by_clip]
    for clip_id, own in zip(clip_ids, names, strict=True):
        if sorted(own) != sorted(names[0]):
            raise SettingsError(
                f"{stems}: {clip_ids[0]} has the stems {', '.join(names[0])}, {clip_id} has "
                f"{', '.join(own)}: all clips need stems of the same names"
            )
