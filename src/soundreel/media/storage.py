"""What a full disk looks like when it is FFmpeg that meets it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av.error

from soundreel.errors import StorageError


@contextmanager
def encoder_errors(place: Path) -> Iterator[None]:
    """Turn FFmpeg's errors while writing `place` into a `StorageError` where they are the disk's.

    A process's own limit on file sizes (EFBIG) is met like a full disk.
    """
    try:
        yield
    except av.error.FFmpegError as error:
        if error.errno in (errno.EFBIG, errno.EIO):
            raise StorageError(
                f"{place}: cannot be written on ({error.strerror}): check the disk and its limits"
            ) from error
        if isinstance(error, OSError) or error.errno not in vars(errno).values():
            raise
        raise OSError(error.errno, error.strerror) from error
