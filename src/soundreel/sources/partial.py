"""What is half there: downloads lie in `.partial/` until they are whole, and go on from there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

from soundreel.atomic import discard, write_json
from soundreel.errors import MediaError, SourceError
from soundreel.media.joining import join
from soundreel.media.probe import MEDIA_SUFFIXES, MediaInfo, probe
from soundreel.media.video import Fit, frames_at
from soundreel.sources.download import Video
from soundreel.sources.failures import Failed, failure
from soundreel.sources.formats import Format

_PARTIAL = ".partial"


@contextmanager
def working_in(out: Path) -> Iterator[None]:
    """The folder is there, and no other fetch works in it, while the block runs.

    Raises: SourceError if another one does.
    """
    partial = out / _PARTIAL
    partial.mkdir(parents=True, exist_ok=True)
    lock = partial / "lock"
    with lock.open("w") as held:
        _lock(held.fileno(), out)
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
    with suppress(OSError):  # not empty: what is half there stays, for the next time
        partial.rmdir()


def partial_of(out: Path, key: str) -> Path:
    """The folder of what is half there of a link."""
    return out / _PARTIAL / hashlib.sha256(key.encode()).hexdigest()[:16]


def forget_others(folder: Path, video: Video) -> None:
    """Make the folder; what is in it stays only if it is of this very video, as far as one can say.

    Half of one film and half of another would make one file that nobody notices at once.
    """
    about = folder / "about.json"
    facts: list[list[object]] = [
        [one.get(name) for name in ("format_id", "ext", "filesize", "height", "tbr")]
        for one in video.chosen
    ]
    facts.append([video.info.get("timestamp"), video.info.get("duration")])
    now = json.loads(json.dumps(facts, default=str))
    try:
        if json.loads(about.read_text(encoding="utf-8")) == now:
            return
    except (OSError, ValueError):
        pass  # a new folder, or one whose run was killed while it was made
    discard(folder)
    folder.mkdir(parents=True)
    write_json(about, now)


def file_name(one: Format, role: str) -> str:
    """The name of a format's file in its partial folder; `role` keeps picture and sound apart."""
    safe = "".join(letter if letter.isalnum() else "-" for letter in str(one.get("format_id")))
    suffix = str(one.get("ext") or "")
    return f"{role}-{safe[:60]}.{suffix if suffix.isalnum() else 'media'}"


def whole_of(files: Sequence[Path], pieces: bool, folder: Path) -> Path:
    """One file of what was fetched: joined where it is two, or in segments, or of no known kind.

    Raises: MediaError if they cannot be read or joined; StorageError.
    """
    film = files[0]
    if len(files) == 1 and not pieces and film.suffix.lower() in MEDIA_SUFFIXES:
        return film
    return join(film, files[1] if len(files) > 1 else None, folder / "whole")


def checked(path: Path) -> MediaInfo:
    """What a file says of itself, its first picture decoded as a proof.

    Raises: MediaError if it is no media or nothing of it can be decoded; Failed if it has no
    picture.
    """
    info = probe(path)
    if info.video is None:
        raise Failed(failure("no picture"))
    if not list(frames_at(path, [Fraction(0)], Fit(16, 16))):
        raise MediaError(f"{path}: its first picture is damaged: look for another copy")
    return info


def seconds_of(info: MediaInfo) -> float | None:
    """A file's length in seconds, to the millisecond."""
    return None if info.duration_seconds is None else round(float(info.duration_seconds), 3)


def _lock(descriptor: int, out: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: there, two at once must be avoided by hand
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SourceError(f"{out}: another fetch is working in this folder: wait for it") from error
    except OSError:
        return  # a network disk without locks
