"""A picture and its sound, fetched in two files or in pieces, become one file. Nothing is decoded.

Sites send picture and sound apart (DASH, HLS), cut into segments that are quick to send and slow to
seek in. Here the packets are copied, in the order of their times, into one MP4 (or Matroska where
MP4 cannot hold a codec) with an index.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.error

from soundreel.atomic import atomic_file
from soundreel.errors import MediaError
from soundreel.media.opening import film_stream, open_media, reason, sound_stream
from soundreel.media.storage import encoder_errors

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

# What MP4 holds in the way that players agree on. (Opus and VP9 have a way, but a younger one.)
_MP4_FILM = {"h264", "hevc", "av1", "mpeg4"}
_MP4_SOUND = {"aac", "mp3", "ac3", "eac3", "alac"}
_FORMATS = {".mp4": "mp4", ".mkv": "matroska"}
_BEFORE_ALL = Fraction(-(10**9))


def join(film: Path, sound: Path | None, stem: Path) -> Path:
    """Copy the picture of one file and the sound of another into one file; returns its path.

    film: a file with a picture. sound: a file with sound; None: the sound is that of `film`, if
    it has one. stem: where to write, without a suffix: .mp4 is added, or .mkv for codecs that MP4
    does not hold. The times of both are kept but for one common shift: the earliest becomes 0.

    Raises: MediaError if a file cannot be read or lacks its stream, or the codecs cannot be
    joined; StorageError if the disk is full.
    """
    with ExitStack() as opened:
        film_container = opened.enter_context(open_media(film))
        video = film_stream(film_container)
        if video is None:
            raise MediaError(f"{film}: has no picture: choose another format of this video")
        sound_container = film_container
        if sound is not None:
            sound_container = opened.enter_context(open_media(sound))
        audio = sound_stream(sound_container)
        if audio is None and sound is not None:
            raise MediaError(f"{sound}: has no sound: choose another format of this video")
        suffix = suffix_for(video, audio)
        out = stem.with_name(stem.name + suffix)
        if sound is None or audio is None:
            streams = [video] if audio is None else [video, audio]
            packets = _packets(film_container, streams)
        else:
            packets = heapq.merge(
                _packets(film_container, [video]),
                _packets(sound_container, [audio]),
                key=lambda timed: timed[0],
            )
        starts = [_start_seconds(one) for one in (video, audio) if one is not None]
        with atomic_file(out) as partial, encoder_errors(out):
            options = {"fflags": "+bitexact", "movflags": "+faststart"}
            try:
                with av.open(
                    str(partial), "w", format=_FORMATS[suffix], options=options
                ) as container:
                    _copy(packets, container, video, audio, min(starts))
            except (av.error.InvalidDataError, av.error.ArgumentError, ValueError) as error:
                raise MediaError(
                    f"{film}: cannot be joined with its sound ({reason(error)}): "
                    "choose another format of this video"
                ) from error
    return out


def suffix_for(film: VideoStream, sound: AudioStream | None) -> str:
    """.mp4 where it holds both codecs, else .mkv."""
    fits = film.codec_context.codec.canonical_name in _MP4_FILM and (
        sound is None or sound.codec_context.codec.canonical_name in _MP4_SOUND
    )
    return ".mp4" if fits else ".mkv"


def _copy(
    packets: Iterator[tuple[Fraction, Packet]],
    container: OutputContainer,
    video: VideoStream,
    audio: AudioStream | None,
    start_seconds: Fraction,
) -> None:
    """Write packets into a new container, all earlier by `start_seconds`."""
    targets = {
        id(source): container.add_stream_from_template(source)
        for source in (video, audio)
        if source is not None
    }
    written: dict[int, int] = {}
    for _, packet in packets:
        source = id(packet.stream)
        assert packet.dts is not None
        assert packet.time_base is not None
        shift = round(start_seconds / packet.time_base)
        dts = packet.dts - shift
        # Where segments overlap, times repeat; containers want them to ascend.
        dts = max(dts, written.get(source, dts - 1) + 1)
        pts = dts if packet.pts is None else max(packet.pts - shift, dts)
        written[source] = dts
        packet.dts, packet.pts, packet.stream = dts, pts, targets[source]
        container.mux(packet)
    if id(video) not in written:
        raise MediaError(f"{container.name}: nothing came of the picture: fetch it again")


def _packets(
    container: InputContainer, streams: Sequence[VideoStream | AudioStream]
) -> Iterator[tuple[Fraction, Packet]]:
    """(time in seconds, packet) of some streams, times ascending but for those without one."""
    time_seconds = _BEFORE_ALL
    for packet in container.demux(*streams):
        if packet.size == 0:
            continue  # PyAV marks the end so
        if packet.dts is None:
            packet.dts = packet.pts
        if packet.dts is None or packet.time_base is None:
            continue  # no muxer could place it
        time_seconds = max(time_seconds, packet.dts * packet.time_base)
        yield time_seconds, packet


def _start_seconds(stream: VideoStream | AudioStream) -> Fraction:
    if stream.start_time is None or not stream.time_base:
        return Fraction(0)
    return stream.start_time * stream.time_base
