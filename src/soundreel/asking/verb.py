"""`ask`: does the music make the video? Of a dataset or clips, a model, or films of any make."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from soundreel.asking.answer import Answer
from soundreel.asking.dataset_page import answer_json, dataset_report
from soundreel.asking.dataset_question import ask_clips
from soundreel.asking.model_page import model_json, model_report
from soundreel.asking.model_question import ask_model
from soundreel.asking.report.page import Report, write_report
from soundreel.asking.settings import Question
from soundreel.atomic import write_json
from soundreel.errors import SettingsError
from soundreel.parallel import available_cores
from soundreel.progress import Listener, silent


def ask(
    *what: str | Path,
    out: Path,
    model: str | Path | None = None,
    controls: int = 0,
    question: Question | None = None,
    workers: int | None = None,
    progress: Listener = silent,
) -> Answer:
    """Ask whether the music makes the video, and write a report that answers it.

    what: a dataset folder, or video files and folders of them.
    model: a model or run folder: does it use the songs that the dataset (one folder) held out?
    controls: with a model: so many like it are trained on swapped songs, to compare.
    out: the report, an .html file; all numbers lie beside it as .json, what was decided before
        any test as .manifest.json, and what was measured of each clip in a folder .curves, so
        that asking again is quick.
    question: the settings; their defaults are those of docs/evidence.md.
    workers: processes that measure clips at once; by default one a core.

    Raises: DatasetError if there is nothing that can be asked; SettingsError; StorageError.
    """
    if out.suffix.lower() != ".html":
        raise SettingsError(f"{out}: the report is a page: give --out a name that ends in .html")
    if not what:
        raise SettingsError("ask: name a dataset folder, video files or a folder of them")
    question = Question() if question is None else question
    workers = available_cores() if workers is None else workers
    if model is not None:
        return _of_model(what, model, controls, out, question, workers, progress)
    answer = ask_clips(what, out, question, workers, progress)
    title = f"Does the music make the video? {_named(what)}"
    report = dataset_report(answer, title, _now())
    numbers = {"name": _named(what), **answer_json(answer)}
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
    controls: int,
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
    answer = ask_model(what[0], model, out, question, controls, workers, progress)
    folder = answer.model.folder
    name = folder.parent.name if folder.name in ("model", "best") else folder.name
    report = model_report(answer, f"Does {name} use the music?", _now())
    numbers = {"name": name, **model_json(answer)}
    return _written(out, "model", report, numbers, answer.verdict, ())


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
