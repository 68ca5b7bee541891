"""Whole or not at all: files and folders that appear under their name only when finished."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from soundreel.errors import StorageError, storage_errors


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A path to write to, beside `path`; renamed to `path` when the block ends without error.

    The name keeps the suffix (`film.mp4` is written as `.film.partial.mp4`), since encoders
    choose by it. On any error the partial file is removed and `path` stays as it was.

    Raises: StorageError if the disk is full or the place cannot be written.
    """
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
            with partial.open("rb+") as written:
                os.fsync(written.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8) whole or not at all."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, indented and with a final newline, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def partial_folder(folder: Path) -> Path:
    """Where a folder is built before it is finished: beside it, under a name that says so."""
    return folder.with_name(f".{folder.name}.partial")


def finish_folder(folder: Path) -> None:
    """Give a folder built in `partial_folder(folder)` its name.

    Raises: StorageError if something not empty already has that name.
    """
    with storage_errors(folder):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        if folder.exists():
            raise StorageError(f"{folder}: exists already: choose another place or remove it")
        partial_folder(folder).rename(folder)


def discard(folder: Path) -> None:
    """Remove a folder and all in it, if it is there."""
    with storage_errors(folder):
        if folder.exists():
            shutil.rmtree(folder)
