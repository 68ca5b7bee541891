"""Pictures encoded into a container: H.264, H.265, VP9, ProRes, and FFV1 for what waits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from soundreel.media.film_format import Codec, FilmFormat, Speed
from soundreel.media.scaling import PictureScaler
from soundreel.media.song_track import Song, encoded_song

_BT709 = 1  # primaries, transfer and matrix of ITU-T H.273 are all number 1
_LIMITED = 1  # AVCOL_RANGE_MPEG
#: Fixed, since the bytes of x264 and x265 depend on their number.
THREADS = 4


@dataclass(frozen=True)
class VideoCodec:
    """One way of encoding pictures."""

    encoder: str
    canonical_name: str
    pixel_format: str
    options: Mapping[Speed, Mapping[str, str]]
    reordered_frames: Mapping[Speed, int]
    """How many frames are decoded before the first is shown, in a stream that is long enough."""
    tag: str | None = None
    draft_encoder: str | None = None
    times_decoding: bool = True
    """Whether the encoder's own decoding times are sound."""


_X265 = "log-level=none:info=0:frame-threads=2:pools=4:lookahead-slices=1"
_NO_REORDERING: Mapping[Speed, int] = {"normal": 0, "draft": 0}
VIDEO_CODECS: Mapping[Codec, VideoCodec] = {
    "h264": VideoCodec(
        "libx264",
        "h264",
        "yuv420p",
        {
            # x264's macroblock tree gives other bytes from run to run for the same small pictures
            # (5 variants in 150 runs at 64 x 64 with AVX-512); without it films are 2% larger.
            "normal": {"preset": "veryfast", "x264-params": "mbtree=0"},
            "draft": {"preset": "ultrafast", "x264-params": "mbtree=0"},
        },
        {"normal": 2, "draft": 0},
    ),
    # x265 writes its settings into the stream (`info`), the processor's kind among them, and
    # sets its threads by the machine: all that is fixed here, so that the bytes are the same.
    "h265": VideoCodec(
        "libx265",
        "hevc",
        "yuv420p",
        {
            "normal": {"preset": "veryfast", "x265-params": _X265},
            "draft": {"preset": "ultrafast", "x265-params": _X265},
        },
        {"normal": 2, "draft": 2},
        tag="hvc1",  # Apple's players take no hev1
        times_decoding=False,  # one or two pictures alone get a time from memory never written
    ),
    "vp9": VideoCodec(
        "libvpx-vp9",
        "vp9",
        "yuv420p",
        {
            "normal": {"deadline": "good", "cpu-used": "4", "row-mt": "1", "b": "0"},
            "draft": {"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "b": "0"},
        },
        _NO_REORDERING,
    ),
    "prores": VideoCodec(
        "prores_ks",
        "prores",
        "yuv422p10le",
        {
            "normal": {"profile": "hq", "vendor": "apl0"},
            "draft": {"profile": "3", "vendor": "apl0"},
        },
        _NO_REORDERING,
        draft_encoder="prores_aw",  # 2.3 times faster; 0.4 dB less at the same size
    ),
    # A GIF's pictures wait, lossless, until the colours of all are known.
    "gif": VideoCodec(
        "ffv1", "ffv1", "bgr0", {"normal": {"level": "3"}, "draft": {"level": "3"}}, _NO_REORDERING
    ),
}


def container_options(container_format: str, fps: Fraction, sound: bool) -> dict[str, str]:
    """The muxer's options of a film of `mp4`, `mov`, `webm` or `matroska`."""
    # Packets come in the order of their times; what is held back for the other stream, once the
    # sound has ended before the picture, is a second and not ten.
    options = {"fflags": "+bitexact", "max_interleave_delta": "1000000"}
    if container_format in ("mp4", "mov"):
        options["movflags"] = "+faststart"
        options["movie_timescale"] = str(_movie_timescale(fps) if sound else fps.numerator)
    return options


def _movie_timescale(fps: Fraction) -> int:
    """Ticks a second that hold both whole samples and whole frames, where 32 bits allow it.

    MP4's edit lists count in these: with the usual 1000 a second the sound's end would be rounded
    to a millisecond.
    """
    wanted = math.lcm(48_000, 44_100, fps.numerator)
    return wanted if wanted < 2**31 else 7_056_000


@contextmanager
def encoded_film(
    partial: Path, film_format: FilmFormat, song: Song | None, metadata: Mapping[str, str]
) -> Iterator[Callable[[np.ndarray], None]]:
    """Gives a function that adds a picture to the film at `partial`, which ends with the block."""
    kind = film_format.kind
    options = container_options(kind, film_format.fps, sound=song is not None)
    with av.open(str(partial), "w", format=kind, options=options) as container:
        container.metadata.update(metadata)
        pictures = EncodedPictures(container, film_format)
        track = None if song is None else encoded_song(container, kind, song)

        def write(picture_HW3: np.ndarray) -> None:
            pictures.add(picture_HW3)
            if track is not None:
                track.write_until(pictures.count / film_format.fps)

        yield write
        pictures.finish()
        if track is not None:
            track.finish()


class EncodedPictures:
    """The picture of a film, encoded into a container; pictures of another size are scaled."""

    def __init__(
        self, container: OutputContainer, film_format: FilmFormat, threads: int = THREADS
    ) -> None:
        codec = VIDEO_CODECS[film_format.codec]
        options = dict(codec.options[film_format.speed])
        if film_format.crf is not None:
            options["crf"] = str(film_format.crf)
        encoder = codec.encoder
        if film_format.speed == "draft" and codec.draft_encoder is not None:
            encoder = codec.draft_encoder
        stream = container.add_stream(encoder, rate=film_format.fps, options=options)
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        context.width, context.height = film_format.width, film_format.height
        context.pix_fmt = codec.pixel_format
        context.time_base = 1 / film_format.fps
        context.thread_count = threads
        context.flags |= Flags.bitexact
        if codec.pixel_format.startswith("yuv"):
            context.color_primaries = context.color_trc = context.colorspace = _BT709
            context.color_range = _LIMITED
        if codec.tag is not None:
            context.codec_tag = codec.tag
        self.count = 0
        """How many pictures have been added."""
        self._muxed = 0
        # In frames, as packets are until they are muxed.
        reordered = codec.reordered_frames[film_format.speed]
        self._reordered = None if codec.times_decoding else reordered
        self._container, self._stream, self._fps = container, stream, film_format.fps
        self._scaler = PictureScaler(film_format.width, film_format.height, codec.pixel_format)

    def add(self, picture_HW3: np.ndarray) -> None:
        """Encode the next picture: height x width x 3, uint8 RGB."""
        frame = self._scaler(picture_HW3)
        frame.pts, frame.time_base = self.count, 1 / self._fps
        self._mux(self._stream.encode(frame))
        self.count += 1

    def finish(self) -> None:
        """Write what the encoder holds back."""
        self._mux(self._stream.encode(None))

    def _mux(self, packets: Iterable[Packet]) -> None:
        for packet in packets:
            if self._reordered is not None:
                packet.dts = self._muxed - self._reordered
            self._muxed += 1
            self._container.mux(packet)
