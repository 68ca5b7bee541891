"""Are picture and sound in step? The question asked of films, also of other programs' films."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Literal

from soundreel.asking.curves import EDITION, ClipCurves, load_curves, save_curves
from soundreel.asking.dataset_question import CURVES, MANIFEST, beside
from soundreel.asking.film_curves import DENSE_FPS, film_curves
from soundreel.asking.film_lines import LINES, FilmTests, at_rate, film_tests, swaps_decide
from soundreel.asking.gather import LeftOut
from soundreel.asking.plans import digest_of
from soundreel.asking.secondary import sync_of
from soundreel.asking.settings import Question
from soundreel.atomic import write_json
from soundreel.dataset.listing import Source, list_sources
from soundreel.errors import DatasetError, MediaError
from soundreel.media.probe import probe
from soundreel.parallel import map_items
from soundreel.progress import Listener, Step, silent

FilmVerdict = Literal["in step with its sound", "not seen to be in step"]

#: Shorter films have no other time to be compared with.
LEAST_SECONDS = 3.0
_LEAST_FPS = 8
_SILENT_DB = -80.0
#: Of one film only the mean by chance is told.
_DRAWS_OF_ONE = 499


@dataclass(frozen=True)
class FilmRow:
    """One film by itself.

    seconds: that have picture and sound. tempo_bpm: 0 where nothing beats. av_align: raw, and by
    chance with its song at other times; None where nothing stands out.
    """

    id: str
    title: str
    seconds: float
    cuts: int
    tempo_bpm: float
    av_align: float | None
    av_align_by_chance: float | None


@dataclass(frozen=True)
class FilmAnswer:
    """What was found of films.

    verdict: "in step with its sound" if any line's corrected p-value is at most alpha.
    fps: pictures a second at which all were compared. swaps_decide: whether there were films
    enough for swapped songs to count; else shifts alone do.
    manifest, digest: what was decided before the first test, and its SHA-256.
    """

    verdict: FilmVerdict
    tests: FilmTests
    films: tuple[FilmRow, ...]
    left_out: tuple[LeftOut, ...]
    fps: Fraction
    swaps_decide: bool
    question: Question
    manifest: dict[str, Any]
    digest: str


@dataclass(frozen=True)
class _Measured:
    """A film's curves at so many pictures a second, seen so late on average."""

    curves: ClipCurves
    fps: Fraction
    late_seconds: float


def ask_films(
    films: Sequence[str | Path],
    out: Path,
    question: Question,
    workers: int = 1,
    progress: Listener = silent,
) -> FilmAnswer:
    """Ask films, or folders of them, how well picture and sound go together in time.

    out: the report's place; the manifest and the curves are kept beside it.

    All are compared at one number of pictures a second, the lowest that any of them has, at most
    15, since raw values depend on it. A film that cannot be used is left out and told of.

    Raises: DatasetError if there are no films, or none can be used.
    """
    sources = list_sources(films)
    measure = partial(_measured, cache=beside(out, CURVES))
    measured: list[_Measured] = []
    left_out: list[LeftOut] = []
    made = map_items(
        measure,
        sources,
        workers,
        on_lost=lambda film: LeftOut(film.clip_id, "measuring it ended the process three times"),
    )
    progress(Step("measure", 0, len(sources), "films"))
    for done, result in enumerate(made, 1):
        if isinstance(result, LeftOut):
            left_out.append(result)
        else:
            measured.append(result)
        progress(Step("measure", done, len(sources), "films"))
    if not measured:
        named = ", ".join(map(str, films))
        raise DatasetError(f"{named}: no film can be asked ({left_out[0].id}: {left_out[0].why})")
    fps = min(film.fps for film in measured)
    clips = [film.curves for film in measured]
    both = swaps_decide(len(clips), question.alpha)
    manifest = _manifest(clips, left_out, fps, both, question)
    write_json(beside(out, MANIFEST), manifest)
    ready = [at_rate(film.curves, fps, film.late_seconds) for film in measured]
    progress(Step("test", 0, 1, "films"))
    tests = film_tests(ready, fps, question.alpha, question.draws, question.seed)
    rows = tuple(_row(film, fps, question.seed) for film in ready)
    progress(Step("test", 1, 1, "films"))
    found = any(line.p_holm is not None and line.p_holm <= question.alpha for line in tests.lines)
    return FilmAnswer(
        "in step with its sound" if found else "not seen to be in step",
        tests,
        rows,
        tuple(left_out),
        fps,
        both,
        question,
        manifest,
        digest_of(manifest),
    )


def _measured(film: Source, cache: Path) -> _Measured | LeftOut:
    """A film's curves at each of its pictures, or each of the 15 a second that are taken."""
    path = Path(film.place)
    try:
        info = probe(path)
        if info.video is None or info.audio is None:
            return LeftOut(film.clip_id, f"has no {'picture' if info.video is None else 'sound'}")
        if info.video.fps < _LEAST_FPS:
            return LeftOut(
                film.clip_id,
                f"has {float(info.video.fps):.3g} pictures a second: {_LEAST_FPS} are needed",
            )
        every_seconds = 1 / min(DENSE_FPS, info.video.fps)
        kept = cache / f"{film.clip_id}-{_key(path, every_seconds)}.npz"
        curves = load_curves(kept)
        if curves is None:
            title = film.title or Path(film.name).stem
            curves = film_curves(path, film.clip_id, title, every_seconds)
            save_curves(kept, curves)
    except MediaError as error:
        return LeftOut(film.clip_id, str(error))
    seconds = min(curves.seconds, len(curves.seen_TP) * curves.every_seconds)
    if seconds < LEAST_SECONDS:
        why = f"has {seconds:.1f} s of picture and sound: {LEAST_SECONDS:.0f} s are needed"
        return LeftOut(film.clip_id, why)
    if curves.loudness_db < _SILENT_DB:
        return LeftOut(film.clip_id, "its sound is silence")
    # What a film of more pictures shows is seen at the next one taken: half a step later.
    late = every_seconds / 2 if info.video.fps > DENSE_FPS else Fraction(0)
    return _Measured(curves, 1 / every_seconds, float(late))


def _key(path: Path, every_seconds: Fraction) -> str:
    """A name for all that a film's curves depend on."""
    found = path.stat()
    parts = [str(EDITION), str(every_seconds), str(path.resolve())]
    parts += [str(found.st_size), str(found.st_mtime_ns)]
    return hashlib.blake2b("\x1e".join(parts).encode(), digest_size=8).hexdigest()


def _row(film: ClipCurves, fps: Fraction, seed: int) -> FilmRow:
    alone = sync_of([film], fps, "av-align", {"draws": _DRAWS_OF_ONE, "seed": seed})
    return FilmRow(
        film.id,
        film.title,
        film.seconds,
        len(film.cut_seconds),
        film.tempo_bpm,
        None if alone is None else alone.value,
        None if alone is None else alone.shift_mean,
    )


def _manifest(
    clips: Sequence[ClipCurves],
    left_out: Sequence[LeftOut],
    fps: Fraction,
    both: bool,
    question: Question,
) -> dict[str, Any]:
    return {
        "protocol": 1,
        "kind": "film",
        "films": [
            {"id": clip.id, "sha256": clip.sha256, "seconds": round(clip.seconds, 3)}
            for clip in clips
        ],
        "left_out": [[left.id, left.why] for left in left_out],
        "pictures_a_second": str(fps),
        "tests": list(LINES),
        "nulls": ["shifted songs", "swapped songs"] if both else ["shifted songs"],
        "alpha": question.alpha,
        "draws": question.draws,
        "seed": question.seed,
    }
