"""The verb that gives a model to others: push."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from soundreel.command_line.results import Json, plain, result
from soundreel.progress import TerminalProgress


def push(
    run: Path,
    name: str,
    *,
    private: Annotated[bool, Parameter(negative="")] = False,
    film: Path | None = None,
    audit: Path | None = None,
    sheet: Annotated[bool, Parameter(negative="--no-sheet")] = True,
    as_json: Json = False,
) -> int:
    """Push a model to the Hugging Face Hub, where hf://owner/name stands for it.

    Parameters
    ----------
    run
        A run folder (its best model, or its model so far) or a model folder.
    name
        owner/name; the repository is made if it is not there.
    private
        Only its owner may see it.
    film
        A short film made with it, for its page: .mp4, .webm or .gif.
    audit
        The report of `soundreel ask DATASET --model RUN`, for its page.
    sheet
        Whether the run's last sample sheet goes with it; it shows real frames.

    """
    from soundreel.sharing.push import push as run_push

    made = run_push(
        run,
        name,
        private=private,
        film=film,
        audit=audit,
        sheet=sheet,
        progress=TerminalProgress(),
    )
    return result(as_json, made.summary, **plain(made))
