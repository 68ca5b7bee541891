"""The pictures of parts, copied one part after another into a container. Nothing is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av.error
from av.video.stream import VideoStream

from soundreel.errors import MediaError
from soundreel.media.encoding import VIDEO_CODECS
from soundreel.media.film_format import FilmFormat
from soundreel.media.opening import film_stream, open_media
from soundreel.timeline import frame_shown_at

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet


class CopiedPictures:
    """The picture of a film, whose packets come from parts."""

    def __init__(
        self, container: OutputContainer, film_format: FilmFormat, first_part: Path
    ) -> None:
        codec = VIDEO_CODECS[film_format.codec]
        with _opened(first_part, film_format) as (_, source):
            self._stream = container.add_stream_from_template(source, opaque=True)
            self._header = _header(source)
            if film_format.kind in ("mp4", "mov"):  # as the parts: hvc1, ProRes' kind
                self._stream.codec_context.codec_tag = source.codec_context.codec_tag
        self._stream.time_base = 1 / film_format.fps
        self._stream.codec_context.framerate = film_format.fps
        self.count = 0
        """How many pictures have been copied."""
        self._container, self._format = container, film_format
        self._reordered = codec.reordered_frames[film_format.speed]

    def add(self, part: Path) -> Iterator[Fraction]:
        """Copy a part; yields, after each packet, the time that the film has come to, in seconds.

        Raises: MediaError if the part is damaged or was made for another film.
        """
        first = self.count
        fps = self._format.fps
        with _opened(part, self._format) as (container, source):
            if _header(source) != self._header:
                raise MediaError(f"{part}: was encoded otherwise than the parts before it")
            for packet in container.demux(source):
                if packet.size == 0:
                    continue
                self._place(packet, first)
                self._container.mux(packet)
                self.count += 1
                yield self.count / fps

    def _place(self, packet: Packet[VideoStream], first: int) -> None:
        """Give a packet its time in the film, in frames.

        The encoder sets decoding times before the shown ones by as much as a part's first pictures
        need; for the whole film it is the same for all, or the times of two parts would cross.
        """
        assert packet.pts is not None
        packet.pts = first + frame_shown_at(packet.pts * packet.time_base, self._format.fps)
        packet.dts = self.count - self._reordered
        assert packet.dts <= packet.pts, (packet.dts, packet.pts)
        packet.duration = 1
        packet.time_base = 1 / self._format.fps
        packet.stream = self._stream


def picture_count(part: Path, film_format: FilmFormat) -> int:
    """How many pictures an encoded part holds. Raises: MediaError if it is damaged."""
    with _opened(part, film_format) as (container, source):
        return sum(packet.size > 0 for packet in container.demux(source))


@contextmanager
def _opened(part: Path, film_format: FilmFormat) -> Iterator[tuple[InputContainer, VideoStream]]:
    codec = VIDEO_CODECS[film_format.codec]
    wanted = codec.canonical_name, film_format.width, film_format.height
    try:
        with open_media(part) as container:
            stream = film_stream(container)
            if stream is None or wanted != (
                stream.codec_context.codec.canonical_name,
                stream.width,
                stream.height,
            ):
                raise MediaError(f"{part}: was made for another film")
            yield container, stream
    except (av.error.InvalidDataError, MediaError) as error:
        raise MediaError(
            f"{part}: is damaged, or a part of another film: "
            "remove it and give the same command again"
        ) from error


def _header(stream: VideoStream) -> bytes | None:
    """What the decoder is told before the first packet, such as H.264's parameter sets."""
    return stream.codec_context.extradata
