"""`ask`: does the music make the video? Of a dataset or clips, a model, or films of any make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from soundreel.asking.against import as_text, compare, rows_of
from soundreel.asking.answer import Answer
from soundreel.asking.attribution_page import attribution_json, attribution_section
from soundreel.asking.attribution_question import FEWEST_CLIPS, ask_parts
from soundreel.asking.calibration_question import (
    ask_calibration,
    calibration_json,
    calibration_report,
)
from soundreel.asking.cycle_page import cycle_json, cycle_section
from soundreel.asking.cycle_question import ask_cycle, inverse_for
from soundreel.asking.dataset_page import answer_json, dataset_report
from soundreel.asking.dataset_question import ask_clips
from soundreel.asking.film_page import film_json, film_report
from soundreel.asking.film_question import ask_films
from soundreel.asking.model_page import model_json, model_report
from soundreel.asking.model_question import ask_model
from soundreel.asking.report.page import Report, write_report
from soundreel.asking.settings import Question
from soundreel.atomic import write_json
from soundreel.errors import SettingsError
from soundreel.parallel import available_cores
from soundreel.progress import Listener, silent
from soundreel.sharing.pull import local_model
from soundreel.sharing.pulled import pulled_from


def ask(
    *what: str | Path,
    out: Path = Path("evidence.html"),
    model: str | Path | None = None,
    inverse: str | Path | None = None,
    controls: int = 0,
    film: bool = False,
    against: bool = False,
    calibrate: int | None = None,
    stems: Path | None = None,
    question: Question | None = None,
    workers: int | None = None,
    progress: Listener = silent,
) -> Answer:
    """Ask whether the music makes the video, and write a report that answers it.

    what: a dataset folder, or video files and folders of them.
    model: a model or run folder, or `hf://owner/name`: does it use the songs that the dataset
        (one folder) held out?
    inverse: with a model: one from picture to sound. Films that the model makes of the held-out
        songs become songs again: is the original the nearest to it?
    controls: with a model: so many like it are trained on swapped songs, to compare.
    film: `what` are films of any make: are sound and picture in step?
    against: `what` are reports of earlier questions: all of them in one table.
    calibrate: ask nothing of `what`, but so many made-up corpora of each kind, whose truth is
        known: does the test itself tell it? 500 for a full check.
    stems: a folder with separated tracks of each clip, STEMS/<clip id>/<name>.wav.
    out: the report, an .html file; all numbers lie beside it as .json, what was decided before
        any test as .manifest.json, and what was measured of each clip in a folder .curves, so
        that asking again is quick.
    question: the settings; their defaults are those of docs/evidence.md.
    workers: processes that measure clips at once; by default one a core.

    Raises: DatasetError if there is nothing that can be asked; SettingsError; StorageError.
    """
    if out.suffix.lower() != ".html":
        raise SettingsError(f"{out}: the report is a page: give --out a name that ends in .html")
    question = Question() if question is None else question
    workers = available_cores() if workers is None else workers
    asked = {
        "--model": model is not None,
        "--film": film,
        "--against": against,
        "--calibrate": calibrate is not None,
    }
    kinds = [name for name, on in asked.items() if on]
    if len(kinds) > 1:
        raise SettingsError(f"ask: {' and '.join(kinds)} are different questions: ask one")
    if inverse is not None and model is None:
        raise SettingsError(
            "ask --inverse: composes songs of the films that a model makes: name that model with "
            "--model, too"
        )
    if calibrate is not None:
        if what:
            raise SettingsError(f"ask --calibrate: makes its own corpora: leave {what[0]} out")
        return _calibrated(calibrate, out, question, workers, progress)
    if not what:
        raise SettingsError("ask: name a dataset folder, video files or a folder of them")
    if against:
        return _compared(what, out)
    if film:
        return _of_films(what, out, question, workers, progress)
    if model is not None:
        return _of_model(what, model, inverse, controls, stems, out, question, workers, progress)
    answer = ask_clips(what, out, question, workers, progress)
    title = f"Does the music make the video? {_named(what)}"
    report = dataset_report(answer, title, _now())
    numbers = {"name": _named(what), **answer_json(answer)}
    if answer.test is not None and (len(answer.clips) >= FEWEST_CLIPS or stems is not None):
        parts = ask_parts(what, answer.gathered, out, question, stems, workers, progress)
        *before, material = report.sections
        report = replace(report, sections=(*before, attribution_section(parts), material))
        numbers["parts"] = attribution_json(parts)
    return _written(
        out,
        "dataset",
        report,
        numbers,
        answer.verdict,
        tuple((left.id, left.why) for left in answer.gathered.left_out),
    )


def _of_model(
    what: Sequence[str | Path],
    model: str | Path,
    inverse: str | Path | None,
    controls: int,
    stems: Path | None,
    out: Path,
    question: Question,
    workers: int,
    progress: Listener,
) -> Answer:
    if len(what) != 1 or not (Path(what[0]) / "recipe.json").is_file():
        raise SettingsError(
            f"ask --model: {', '.join(map(str, what))} is no dataset folder: a model is asked with "
            "the dataset that it was trained on"
        )
    place = local_model(model, progress)
    composer = None
    if inverse is not None:
        composer = inverse_for(what[0], local_model(inverse, progress))
    answer = ask_model(what[0], place, out, question, controls, stems, workers, progress)
    folder = answer.model.folder
    name = folder.parent.name if folder.name in ("model", "best") else folder.name
    address = pulled_from(folder)
    if address is not None:
        name = str(address)
    report = model_report(answer, f"Does {name} use the music?", _now())
    numbers = {"name": name, **model_json(answer)}
    if composer is not None and not answer.leaks:
        cycled = ask_cycle(answer.dataset, answer.model, composer, out, question, progress)
        *before, material = report.sections
        report = replace(report, sections=(*before, cycle_section(cycled), material))
        numbers["cycle"] = cycle_json(cycled)
    return _written(out, "model", report, numbers, answer.verdict, ())


def _of_films(
    what: Sequence[str | Path], out: Path, question: Question, workers: int, progress: Listener
) -> Answer:
    answer = ask_films(what, out, question, workers, progress)
    report = film_report(answer, f"Are sound and picture in step? {_named(what)}", _now())
    numbers = {"name": _named(what), **film_json(answer)}
    left_out = tuple((left.id, left.why) for left in answer.left_out)
    return _written(out, "film", report, numbers, answer.verdict, left_out)


def _calibrated(
    corpora: int, out: Path, question: Question, workers: int, progress: Listener
) -> Answer:
    answer = ask_calibration(corpora, out, question.seed, workers, progress)
    numbers = {"name": "calibration", **calibration_json(answer)}
    report = calibration_report(answer, _now())
    return _written(out, "calibration", report, numbers, report.verdict, ())


def _compared(what: Sequence[str | Path], out: Path) -> Answer:
    if any(Path(place).with_suffix(".html").resolve() == out.resolve() for place in what):
        raise SettingsError(f"{out}: is one of the reports to compare: choose another --out")
    compare(what, out, _now())
    rows = rows_of(what)
    numbers = {"rows": [asdict(row) for row in rows]}
    return Answer("comparison", f"{len(rows)} reports", f"\n{as_text(rows)}", out, None, numbers)


def _written(
    out: Path,
    kind: str,
    report: Report,
    numbers: dict[str, Any],
    verdict: str,
    left_out: tuple[tuple[str, str], ...],
) -> Answer:
    """Write the page last, so that a report that is there has its numbers beside it."""
    numbers_file = out.with_suffix(".json")
    write_json(numbers_file, numbers)
    write_report(out, report)
    words = " ".join(report.opening[:2])
    return Answer(kind, verdict, words, out, numbers_file, numbers, left_out)


def _named(what: Sequence[str | Path]) -> str:
    names = [Path(place).name or str(place) for place in what]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _now() -> str:
    return datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
