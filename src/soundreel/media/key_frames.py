"""A film's key frames: pictures that can be decoded alone, so that a look at it costs little."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import av.error

from soundreel.media.opening import MAX_PIXELS, duration_seconds, time_zero_seconds

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# From this length on seeking to each picture is quicker than reading all packets.
_SEEK_FROM_SECONDS = 300


def spread_key_frames(
    container: InputContainer, stream: VideoStream, most: int
) -> Iterator[VideoFrame]:
    """At most `most` key frames of a freshly opened film, about evenly spread, in order.

    Short films, and those of unknown length, are read from end to end; in long ones it seeks.
    """
    codec = stream.codec_context
    codec.options = {"max_pixels": str(MAX_PIXELS)}
    length = duration_seconds(container)
    if length is not None and length >= _SEEK_FROM_SECONDS:
        packets = _sought(container, stream, most, float(length))
    else:
        packets = _thinned(container, stream, most)
    for packet in packets:
        # One packet and the end of the stream, so that the decoder holds no picture back.
        for piece in (packet, None):
            with suppress(av.error.FFmpegError):  # a damaged picture: the others tell enough
                yield from codec.decode(piece)
        codec.flush_buffers()


def _thinned(container: InputContainer, stream: VideoStream, most: int) -> list[Packet]:
    """Key packets of the whole film; every second one is dropped whenever there are too many."""
    kept: list[Packet] = []
    stride = 1
    for seen, packet in enumerate(_key_packets(container, stream)):
        if seen % stride == 0:
            kept.append(packet)
        if len(kept) > most:
            kept, stride = kept[::2], stride * 2
    return kept


def _sought(
    container: InputContainer, stream: VideoStream, most: int, length_seconds: float
) -> Iterator[Packet]:
    """The key packet before each of `most` evenly spread times, each once."""
    zero = float(time_zero_seconds(container))
    before = None
    for place in range(most):
        target = zero + length_seconds * (place + 0.5) / most
        try:
            container.seek(int(target * av.time_base))
        except (av.error.FFmpegError, OSError):
            continue
        packet = next(_key_packets(container, stream), None)
        if packet is not None and packet.pts != before:
            before = packet.pts
            yield packet


def _key_packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    try:
        for packet in container.demux(stream):
            if packet.is_keyframe and packet.size:
                yield packet
    except (av.error.FFmpegError, OSError):
        return  # broken off: what came before is the film
