"""A film whose picture is another film's, packet by packet, and whose sound is a new one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.error
from av.codec.codec import UnknownCodecError

from soundreel.atomic import atomic_file
from soundreel.errors import MediaError
from soundreel.media.encoding import container_options
from soundreel.media.film_format import Kind
from soundreel.media.opening import film_stream, open_media, reason, time_zero_seconds
from soundreel.media.probe import average_rate
from soundreel.media.song_track import Song, encoded_song
from soundreel.media.storage import encoder_errors

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

#: suffix -> (container, what `song_track` encodes the sound for, codecs whose packets it takes).
_KINDS: dict[str, tuple[str, Kind, frozenset[str]]] = {
    ".mp4": ("mp4", "mp4", frozenset({"h264", "hevc", "av1", "mpeg4"})),
    ".mov": ("mov", "mov", frozenset({"h264", "hevc", "mpeg4", "prores", "mjpeg"})),
    ".mkv": (
        "matroska",
        "mp4",
        frozenset({"h264", "hevc", "av1", "mpeg4", "vp8", "vp9", "mpeg2video", "ffv1", "theora"}),
    ),
    ".webm": ("webm", "webm", frozenset({"vp8", "vp9", "av1"})),
}
FILM_SUFFIXES = tuple(_KINDS)
_SOUND_NAMES: dict[Kind, str] = {"mp4": "aac", "webm": "opus", "mov": "pcm"}


@dataclass(frozen=True)
class PictureTrack:
    """What a film's picture is, by its packets: headers may lie.

    seconds: from the film's time zero to where its last picture ends.
    """

    codec: str
    count: int
    seconds: Fraction
    fps: Fraction


def picture_track(path: Path) -> PictureTrack:
    """Look through a film's picture without decoding it.

    Raises: MediaError if the file cannot be read, or has no pictures.
    """
    with open_media(path) as container:
        stream = _picture_of(path, container)
        rate = average_rate(stream)
        count, end = 0, Fraction(0)
        for packet in _packets(container, stream):
            count += 1
            if packet.pts is not None:
                length = packet.duration * packet.time_base if packet.duration else 1 / rate
                end = max(end, packet.pts * packet.time_base + length)
        if count == 0:
            raise MediaError(f"{path}: has no pictures: give a video")
        seconds = end - time_zero_seconds(container)
        if seconds <= 0:  # formats without times: one picture after the other
            seconds = count / rate
        return PictureTrack(stream.codec_context.codec.canonical_name, count, seconds, rate)


def takes_picture(suffix: str, codec: str) -> bool:
    """Whether a kind of film holds a codec's packets in a way that players agree on."""
    return codec in _KINDS[suffix.lower()][2]


def write_composed_film(
    out: Path, pictures: Path, sound: Path, metadata: Mapping[str, str] | None = None
) -> str:
    """Write the picture of one film and a sound that begins with it as a film; atomically.

    out: .mp4 (AAC), .mov (PCM), .mkv (AAC) or .webm (Opus); its codecs must hold the picture's
        (`takes_picture`). The picture's packets are copied, bit for bit, and keep their times; the
        sound's first sample is at the picture's time zero.

    Returns how the sound is encoded. The same files give the same bytes.

    Raises: MediaError if a file cannot be read, or the picture cannot be copied; StorageError.
    """
    form, kind, _ = _KINDS[out.suffix.lower()]
    with open_media(pictures) as source, atomic_file(out) as partial, encoder_errors(out):
        stream = _picture_of(pictures, source)
        zero = time_zero_seconds(source)
        options = container_options(form, average_rate(stream), sound=True)
        try:
            with av.open(str(partial), "w", format=form, options=options) as container:
                container.metadata.update(metadata or {})
                target = _copy_of(container, stream)
                track = encoded_song(container, kind, Song(sound))
                last_dts: int | None = None
                for packet in _packets(source, stream):
                    begins = _moved(packet, zero, last_dts)
                    last_dts = packet.dts
                    track.write_until(begins)
                    packet.stream = target
                    container.mux(packet)
                track.finish()
        except (av.error.InvalidDataError, av.error.ArgumentError, ValueError) as error:
            raise MediaError(
                f"{pictures}: its picture cannot be copied into {out.name} ({reason(error)}): "
                "choose another kind of film, such as .mkv"
            ) from error
    return f"encoded {_SOUND_NAMES[kind]}"


def _picture_of(path: Path, container: InputContainer) -> VideoStream:
    stream = film_stream(container)
    if stream is None:
        raise MediaError(f"{path}: has no pictures: give a video, or a still picture")
    return stream


def _copy_of(container: OutputContainer, stream: VideoStream) -> VideoStream:
    try:
        return container.add_stream_from_template(stream)
    except UnknownCodecError:  # what decodes it here does not encode
        return container.add_stream_from_template(stream, opaque=True)


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    try:
        for packet in container.demux(stream):
            if packet.size:
                yield packet
    except (av.error.FFmpegError, OSError):
        return  # broken off: what came before is the film


def _moved(packet: Packet[VideoStream], zero_seconds: Fraction, last_dts: int | None) -> Fraction:
    """Give a packet its times in the new film; tells when it is decoded, in seconds."""
    tick = packet.time_base
    if packet.dts is None:
        packet.dts = packet.pts if last_dts is None else last_dts + 1
    assert packet.dts is not None
    assert tick is not None
    shift = round(zero_seconds / tick)
    packet.dts -= shift
    if last_dts is not None and packet.dts <= last_dts:
        packet.dts = last_dts + 1  # where segments overlap, times repeat
    packet.pts = packet.dts if packet.pts is None else max(packet.pts - shift, packet.dts)
    return packet.dts * tick


def comment_of(path: Path) -> str:
    """What a file's tags say under "comment"; empty where it cannot be read or says nothing."""
    try:
        with open_media(path) as container:
            streams = [stream.metadata for stream in container.streams]
            for tags in (container.metadata, *streams):
                for key, value in tags.items():
                    if key.lower() == "comment":
                        return value
    except MediaError:
        pass
    return ""
