"""The verb that shows it all: demo."""

from __future__ import annotations

from pathlib import Path

from soundreel.command_line.results import Json, plain, result
from soundreel.progress import TerminalProgress


def demo(*, out: Path, as_json: Json = False) -> int:
    """Run the whole way on music videos made here: corpus, dataset, model, film, report.

    Parameters
    ----------
    out
        The folder for all of it. The same command again goes on where it stopped.

    """
    from soundreel.demonstration import demo as run

    made = run(out, progress=TerminalProgress())
    return result(as_json, made.summary, **plain(made))
