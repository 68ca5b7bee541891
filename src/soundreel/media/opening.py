"""Opening a media file safely, choosing its streams, and the one time zero of all of them."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.error
from av.stream import Disposition

from soundreel.errors import MediaError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

#: More pixels than any screen has (8192 x 8192): a header that claims more is damaged or hostile.
MAX_PIXELS = 2**26

# Formats that read other files or addresses named inside them, still pictures, and text.
_REFUSED_FORMATS = {"hls", "dash", "concat", "image2", "image2pipe", "tty", "lavfi", "vapoursynth"}
_NOT_FILM = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_DEFAULT_BONUS = 5_000_000  # what the ffmpeg program gives a stream that is marked as default
_MICROSECOND = Fraction(1, 1_000_000)


@contextmanager
def open_media(path: Path | str) -> Iterator[InputContainer]:
    """Open a file for reading; it is closed when the block ends.

    Only the file itself is read: no addresses, playlists or files that it names.

    Raises: MediaError if the file is missing, empty, a folder, or no sound or video.
    """
    path = Path(path)
    _check_file(path)
    try:
        # "file:" keeps a name such as "a:b.mp4" from being taken for a protocol.
        container = av.open(
            f"file:{path}",
            mode="r",
            options={"protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except (av.error.FFmpegError, OSError, MemoryError, ValueError) as error:
        raise MediaError(
            f"{path}: cannot be read as sound or video ({reason(error)}): "
            "check that it is complete, or leave it out"
        ) from error
    with container:
        names = set(container.format.name.split(","))
        if names & _REFUSED_FORMATS or container.format.name.endswith("_pipe"):
            raise MediaError(f"{path}: is a picture, a playlist or text: give a video or a song")
        yield container


def _check_file(path: Path) -> None:
    try:
        status = path.stat()
    except OSError as error:
        raise MediaError(
            f"{path}: {(error.strerror or str(error)).lower()}: check the path"
        ) from error
    if stat.S_ISDIR(status.st_mode):
        raise MediaError(f"{path}: is a folder: give a file")
    if not stat.S_ISREG(status.st_mode):
        raise MediaError(f"{path}: is not an ordinary file: save it to disk first")
    if status.st_size == 0:
        raise MediaError(f"{path}: is empty (0 bytes): download or copy it again")


def reason(error: BaseException) -> str:
    """FFmpeg's own words for what went wrong, without the path it adds."""
    return str(getattr(error, "strerror", None) or error).lower()


def film_stream(container: InputContainer) -> VideoStream | None:
    """The video stream that the ffmpeg program would take: default first, then most pixels.

    Cover art, thumbnails and streams without a size or a decoder are no video.
    """
    candidates = [
        stream
        for stream in container.streams.video
        if not stream.disposition & _NOT_FILM
        and stream.codec_context is not None
        and stream.width > 0
        and stream.height > 0
    ]
    return max(
        candidates,
        key=lambda stream: stream.width * stream.height + _default_bonus(stream.disposition),
        default=None,
    )


def sound_stream(container: InputContainer) -> AudioStream | None:
    """The audio stream that the ffmpeg program would take: default first, then most channels."""
    candidates = [
        stream
        for stream in container.streams.audio
        if stream.codec_context is not None and stream.codec_context.sample_rate > 0
    ]
    return max(
        candidates,
        key=lambda stream: stream.codec_context.channels + _default_bonus(stream.disposition),
        default=None,
    )


def _default_bonus(disposition: Disposition) -> int:
    return _DEFAULT_BONUS if disposition & Disposition.default else 0


def time_zero_seconds(container: InputContainer) -> Fraction:
    """Where the container's clock starts: the earliest start of its streams, as in ffmpeg.

    All our times are counted from here, so the offset between sound and picture is kept.
    """
    if container.start_time is None:
        return Fraction(0)
    start = container.start_time * _MICROSECOND
    # The container rounds to microseconds; the stream that starts there knows it exactly.
    exact = [
        stream.start_time * stream.time_base
        for stream in container.streams
        if stream.start_time is not None and stream.time_base
    ]
    nearest = min(exact, key=lambda seconds: abs(seconds - start), default=start)
    return nearest if abs(nearest - start) <= _MICROSECOND else start


def duration_seconds(container: InputContainer) -> Fraction | None:
    """What the container says of its length; None where it does not say, or says nonsense."""
    duration = container.duration
    return duration * _MICROSECOND if duration is not None and duration > 0 else None
