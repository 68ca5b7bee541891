"""The command line: one command a verb; each body calls one function (see `command_line`).

Results go to stdout (a line for people, or one JSON object with --json), progress and errors to
stderr. Exit 0; 1 with one line that says what is wrong and what to do; 2 for wrong usage; 130
when interrupted, 143 when terminated, with what was done kept.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import cyclopts
from cyclopts import App

import soundreel
from soundreel.command_line.arguments import WrongUsageError
from soundreel.command_line.datasets import export, fetch, inspect, prepare
from soundreel.command_line.demonstration import demo
from soundreel.command_line.evidence import ask
from soundreel.command_line.films import remix, render
from soundreel.command_line.looping import loop
from soundreel.command_line.sharing import push
from soundreel.command_line.sounds import sonify
from soundreel.command_line.training import look, train
from soundreel.errors import SoundreelError, storage_errors
from soundreel.threads import let_threads_rest

let_threads_rest()

app = App(
    name="soundreel",
    help="Learn a director's eye from music videos; let any song shoot the next one.",
    version=soundreel.__version__,
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
    suppress_keyboard_interrupt=False,  # `main` says what was kept
)
for verb in (fetch, prepare, inspect, export, train, look, remix, sonify, loop, ask, push, demo):
    app.command(verb)
app.command(render, usage="Usage: soundreel render [OPTIONS] [MODEL] SONG")


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
        return 2 if isinstance(error, WrongUsageError) else 1
    except BrokenPipeError:
        # Whoever read the result (`| head`) has had enough; nothing more may be written to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _storage_trouble(error)
    except KeyboardInterrupt as error:
        _end_line()
        said = str(error) or "interrupted; what was done is kept, the same command goes on"
        if getattr(error, "rank", 0) == 0:
            print(f"soundreel: {said}", file=sys.stderr)
        return 128 + int(getattr(error, "signal", signal.SIGINT))
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


if __name__ == "__main__":
    sys.exit(main())
