"""An open film: its packets, its frames, and wanted times in the ticks of its stream."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av.error

from soundreel.errors import MediaError
from soundreel.media.opening import MAX_PIXELS, film_stream, time_zero_seconds
from soundreel.media.probe import average_rate

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame

# Formats whose key-frame flags and indices are made by the writer and can be relied on.
_INDEXED_FORMATS = {"mov", "matroska"}
# From here on it is quicker to seek than to read past what comes before.
_SEEK_FROM_SECONDS = 20
# Packets held back, at most, until it is known whether a nearer key frame comes.
_MAX_HELD_PACKETS = 4_000
_MAX_HELD_BYTES = 64 * 2**20
# Where pictures could not be decoded, the last good one stands for this long at most.
_STALE_SECONDS = 1
# A timestamp is a rounded time where ticks are this short and do not divide a frame's length.
_ROUNDED_TICK_SECONDS = Fraction(1, 500)


class Film:
    """A container's film, decoded from the key frame before the first wanted time.

    ticks: the latest timestamp (in the stream's time base) that each wanted time may show.
    is_indexed: the format's key-frame flags can be relied on.
    """

    def __init__(
        self, path: Path, container: InputContainer, times_seconds: Sequence[Fraction]
    ) -> None:
        stream = film_stream(container)
        if stream is None or not stream.time_base:
            raise MediaError(f"{path}: has no video stream: give a video")
        self.path = path
        self.stream = stream
        self._container = container
        self._codec = stream.codec_context
        self._codec.thread_type = "AUTO"
        self._codec.thread_count = _threads()
        self._codec.options = {"max_pixels": str(MAX_PIXELS)}
        tick = stream.time_base
        frame_ticks = 1 / (average_rate(stream) * tick)
        self._frame_ticks = frame_ticks
        zero = time_zero_seconds(container)
        slack = Fraction(0)
        if frame_ticks.denominator != 1 and tick <= _ROUNDED_TICK_SECONDS:
            # A stamp, and a start that is not zero, are each rounded by up to half a tick.
            slack = Fraction(1) if zero else Fraction(1, 2)
        self.ticks = [math.floor((time + zero) / tick + slack) for time in times_seconds]
        self.is_indexed = bool(_INDEXED_FORMATS & set(container.format.name.split(",")))
        self._far_in = self.is_indexed and times_seconds[0] >= _SEEK_FROM_SECONDS
        self._stale_ticks = _STALE_SECONDS / tick
        self._packet_ticks: list[int] = []

    def packets(self) -> Iterator[Packet]:
        """The film's packets in decoding order; they end where the file breaks off.

        In an indexed file those before the last key frame that the first wanted time may need
        are left out.
        """
        demuxed = (packet for packet in self._demux() if packet.size)
        if not self.is_indexed:
            yield from demuxed
            return
        if self._far_in:
            demuxed = self._after_seek(demuxed)
        held: list[Packet] = []
        held_bytes = 0
        for packet in demuxed:
            if packet.is_keyframe and packet.pts is not None and packet.pts <= self.ticks[0]:
                held, held_bytes = [], 0
            held.append(packet)
            held_bytes += packet.size
            # A later packet is shown no earlier than it is decoded: none can be nearer now.
            if packet.dts is None or packet.dts > self.ticks[0]:
                break
            if len(held) == _MAX_HELD_PACKETS or held_bytes > _MAX_HELD_BYTES:
                break
        while held:
            yield held.pop(0)
        yield from demuxed

    def _demux(self) -> Iterator[Packet]:
        try:
            yield from self._container.demux(self.stream)
        except (av.error.FFmpegError, OSError):
            return  # broken off: as players do, what came before is the film

    def _after_seek(self, unread: Iterator[Packet]) -> Iterator[Packet]:
        """Packets from the key frame before the first tick; from the start if seeking fails."""
        for target in (self.ticks[0], self.stream.start_time or 0):
            try:
                self._container.seek(target, stream=self.stream)
            except (av.error.FFmpegError, OSError):
                continue
            packets = (packet for packet in self._demux() if packet.size)
            first = next(packets, None)
            if first is not None and first.is_keyframe and (first.pts or 0) <= self.ticks[0]:
                return itertools.chain([first], packets)
        return unread

    def decode(self, packets: Iterable[Packet]) -> Iterator[VideoFrame]:
        """The frames of some packets in the order they are shown; damaged packets give none."""
        for packet in itertools.chain(packets, [None]):
            if packet is not None and packet.pts is not None:
                self._packet_ticks.append(packet.pts)
            try:
                frames = self._codec.decode(packet)
            except av.error.FFmpegError:
                continue  # players show the frame before for a while, then nothing: `is_stale`
            yield from frames

    def shown_until(self, pts: int, duration: int | None) -> int:
        """The first of `ticks` at which a last frame has ended; a rounded length is made exact."""
        if not duration or abs(duration - self._frame_ticks) < 1:
            return math.floor(pts + self._frame_ticks)
        return pts + duration

    def is_stale(self, shown_pts: int, tick: int) -> bool:
        """Whether pictures that should have replaced the shown one were lost a while ago."""
        earliest = min((pts for pts in self._packet_ticks if pts > shown_pts), default=tick)
        return tick - earliest > self._stale_ticks

    def forget_before(self, pts: int) -> None:
        """Drop what `is_stale` need not remember once the frame at `pts` is shown."""
        self._packet_ticks = [other for other in self._packet_ticks if other > pts]


def _threads() -> int:
    """How many threads to decode with: as many as sums are computed with, 0 for one a core.

    A worker of `parallel.map_items` is told to compute in one thread, being itself one of many.
    """
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() else 0
