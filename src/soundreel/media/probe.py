"""What a media file says of itself: streams, sizes, rates, lengths. Headers may lie."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av.error

from soundreel.errors import MediaError
from soundreel.media.opening import (
    MAX_PIXELS,
    duration_seconds,
    film_stream,
    open_media,
    sound_stream,
)
from soundreel.media.orientation import Orientation, orientation_of

if TYPE_CHECKING:
    from av.audio.stream import AudioStream as AvAudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream as AvVideoStream

_VIDEO_SUFFIXES = (
    ".mp4",
    ".m4v",
    ".mov",
    ".mkv",
    ".webm",
    ".avi",
    ".mpg",
    ".mpeg",
    ".ts",
    ".m2ts",
    ".mts",
    ".vob",
    ".flv",
    ".wmv",
    ".3gp",
    ".ogv",
    ".gif",
)
_SOUND_SUFFIXES = (
    ".mp3",
    ".m4a",
    ".aac",
    ".flac",
    ".wav",
    ".aif",
    ".aiff",
    ".ogg",
    ".oga",
    ".opus",
    ".wma",
    ".mka",
    ".ac3",
)
#: Suffixes (lower case) that a scan of a folder should consider.
MEDIA_SUFFIXES = frozenset(_VIDEO_SUFFIXES + _SOUND_SUFFIXES)

# Players do the same: a pixel that is 50 times wider than high is a damaged header.
_SAMPLE_ASPECT_LIMIT = 50
_PROBED_PACKETS = 64


@dataclass(frozen=True)
class VideoStream:
    """A film's picture. Width and height are as shown: after rotation and pixel shape."""

    index: int
    codec: str
    width: int
    height: int
    fps: Fraction
    """Average frames a second; the best guess where the rate varies."""
    rotation_degrees: int
    """How far the stored picture is turned clockwise to be shown: 0, 90, 180 or 270."""
    duration_seconds: Fraction | None


@dataclass(frozen=True)
class AudioStream:
    """A film's or a song's sound."""

    index: int
    codec: str
    sample_rate_hz: int
    channels: int
    duration_seconds: Fraction | None


@dataclass(frozen=True)
class MediaInfo:
    """What a file says of itself; at least one of `video` and `audio` is there."""

    path: Path
    duration_seconds: Fraction | None
    video: VideoStream | None
    audio: AudioStream | None
    title: str | None
    artist: str | None

    @property
    def display_aspect(self) -> Fraction:
        """Width / height of the picture as shown. Raises: MediaError if there is no video."""
        if self.video is None:
            raise MediaError(f"{self.path}: has no video stream: give a video")
        return Fraction(self.video.width, self.video.height)


def probe(path: Path | str) -> MediaInfo:
    """Read a file's headers (and, for its rotation, its first picture).

    Raises: MediaError if it is missing, empty, a folder, not media, or has neither a video nor
    an audio stream that can be decoded.
    """
    path = Path(path)
    with open_media(path) as container:
        film, sound = film_stream(container), sound_stream(container)
        if film is None and sound is None:
            raise MediaError(
                f"{path}: has no video or audio that can be decoded: give another file"
            )
        return MediaInfo(
            path=path,
            duration_seconds=duration_seconds(container),
            video=None if film is None else _describe_film(path, container, film),
            audio=None if sound is None else _describe_sound(sound),
            title=_word(container, sound, "title"),
            artist=_word(container, sound, "artist"),
        )


def _word(container: InputContainer, sound: AvAudioStream | None, name: str) -> str | None:
    """What the file's tags say under a name; Ogg keeps them with the sound, others on top."""
    for tags in (container.metadata, {} if sound is None else sound.metadata):
        for key, value in tags.items():
            if key.lower() == name and (words := " ".join(value.split())):
                return words
    return None


def _describe_film(path: Path, container: InputContainer, stream: AvVideoStream) -> VideoStream:
    if stream.width * stream.height > MAX_PIXELS:
        raise MediaError(
            f"{path}: claims a picture of {stream.width} x {stream.height}: "
            "it is damaged, or too large to read"
        )
    orientation = _orientation(container, stream)
    width, height = display_size(stream.width, stream.height, stream.sample_aspect_ratio)
    if orientation.transposed:
        width, height = height, width
    return VideoStream(
        index=stream.index,
        codec=stream.codec_context.codec.canonical_name,
        width=width,
        height=height,
        fps=average_rate(stream),
        rotation_degrees=orientation.degrees,
        duration_seconds=_stream_seconds(stream),
    )


def display_size(width: int, height: int, sample_aspect: Fraction | None) -> tuple[int, int]:
    """(width, height) of a stored picture once its pixels are made square, at least 1 each.

    The side that grows is the one that the pixels are longer along, so no detail is lost.
    """
    aspect = pixel_aspect(sample_aspect)
    if aspect > 1:
        return max(1, round(width * aspect)), height
    return width, max(1, round(height / aspect))


def pixel_aspect(sample_aspect: Fraction | None) -> Fraction:
    """Width / height of one pixel; 1 where it is not given or not credible."""
    if not sample_aspect or sample_aspect <= 0:
        return Fraction(1)
    credible = Fraction(1, _SAMPLE_ASPECT_LIMIT) <= sample_aspect <= _SAMPLE_ASPECT_LIMIT
    return sample_aspect if credible else Fraction(1)


def average_rate(stream: AvVideoStream) -> Fraction:
    """Frames a second: the average, or the nominal rate where it is within 1 % of that; else 25."""
    nominal, average = stream.guessed_rate, stream.average_rate
    if average and nominal and abs(nominal - average) <= average / 100:
        average = nominal
    for rate in (average, nominal, stream.base_rate):
        if rate and 0 < rate <= 1000:
            return Fraction(rate)
    return Fraction(25)


def _orientation(container: InputContainer, stream: AvVideoStream) -> Orientation:
    """PyAV shows a display matrix only on decoded frames: the first one is decoded for it."""
    packets = 0
    try:
        for packet in container.demux(stream):
            try:
                for frame in packet.decode():
                    return orientation_of(frame)
            except av.error.FFmpegError:
                pass  # a damaged packet: the next one may do; the headers stand either way
            packets += 1
            if packets >= _PROBED_PACKETS:
                break
    except (av.error.FFmpegError, OSError):
        return Orientation()  # the file breaks off: `frames_at` will say so where it matters
    return Orientation()


def _describe_sound(stream: AvAudioStream) -> AudioStream:
    return AudioStream(
        index=stream.index,
        codec=stream.codec_context.codec.canonical_name,
        sample_rate_hz=stream.codec_context.sample_rate,
        channels=stream.codec_context.channels,
        duration_seconds=_stream_seconds(stream),
    )


def _stream_seconds(stream: AvVideoStream | AvAudioStream) -> Fraction | None:
    if stream.duration is None or stream.duration <= 0 or not stream.time_base:
        return None
    return stream.duration * stream.time_base
