"""Every error a person can cause, in one tree.

Each message is one line: it names the file or the setting, says what is wrong
with it, and says what to do. The command line prints that line and exits 1; a
batch lists it beside the item it left out and goes on. Anything that is not a
`SoundreelError` is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class SoundreelError(Exception):
    """Base of all errors a person can cause; `str(error)` is one line."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class MediaError(SoundreelError):
    """A video, song or picture cannot be read, or lacks the stream that is needed."""


class SettingsError(SoundreelError):
    """A setting, preset, recipe or config file is wrong."""


class DatasetError(SoundreelError):
    """A dataset folder is missing, incomplete or has nothing in it to work on."""


class ModelError(SoundreelError):
    """A model folder is missing, incomplete, altered, or of the wrong direction."""


class TrainingError(SoundreelError):
    """Training cannot start, go on or resume."""


class SourceError(SoundreelError):
    """A link, list or address cannot be fetched from, or may not be."""


class SharingError(SoundreelError):
    """A model cannot be pushed to the Hub or pulled from it."""


class StorageError(SoundreelError):
    """The disk is full, or a place cannot be written."""


# What the operating system says when a person's disk or permissions stand in the way.
_STORAGE_ERRNOS = {
    errno.ENOSPC: "the disk is full: free some space and give the same command again",
    errno.EDQUOT: "the disk quota is used up: free some space and give the same command again",
    errno.EROFS: "the place is read-only: choose another one with --out",
    errno.EACCES: "permission denied: choose a place you may write to",
    errno.EPERM: "permission denied: choose a place you may write to",
    errno.ENOTDIR: "a part of the path is a file, not a folder: choose another place",
    errno.EEXIST: "a part of the path is a file, not a folder: choose another place",
    errno.EISDIR: "the path is a folder, a file is needed: choose another place",
}


@contextmanager
def storage_errors(place: Path) -> Iterator[None]:
    """Turn a full disk, a read-only place and the like into a `StorageError` about `place`."""
    try:
        yield
    except OSError as error:
        advice = _STORAGE_ERRNOS.get(error.errno or 0)
        if advice is None:
            raise
        raise StorageError(f"{place}: {advice}") from error
