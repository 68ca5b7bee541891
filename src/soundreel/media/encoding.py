"""H.264 in MP4 and VP9 in WebM, with the song."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from av.filter import Graph
from av.video.stream import VideoStream

from soundreel.media.song_track import Song, SongTrack

_BT709 = 1  # primaries, transfer and matrix of ITU-T H.273 are all number 1
_LIMITED = 1  # AVCOL_RANGE_MPEG


@dataclass(frozen=True)
class _Kind:
    """One way of writing a film. Threads are fixed: x264's bytes depend on their number."""

    format: str
    video_codec: str
    crf: int
    video_options: Mapping[str, str]
    audio_codec: str
    audio_bit_rate: int
    container_options: Mapping[str, str]


_KINDS = {
    ".mp4": _Kind(
        format="mp4",
        video_codec="libx264",
        crf=18,
        # x264's macroblock tree gives other bytes from run to run for the same small pictures
        # (5 variants in 150 runs at 64 x 64 with AVX-512); without it films are 2% larger.
        video_options={"preset": "veryfast", "x264-params": "mbtree=0"},
        audio_codec="aac",
        audio_bit_rate=192_000,
        container_options={"movflags": "+faststart"},
    ),
    ".webm": _Kind(
        format="webm",
        video_codec="libvpx-vp9",
        crf=28,
        video_options={"deadline": "good", "cpu-used": "4", "row-mt": "1", "b": "0"},
        audio_codec="libopus",
        audio_bit_rate=160_000,
        container_options={},
    ),
}
_THREADS = 4


@contextmanager
def encoded_film(
    partial: Path,
    width: int,
    height: int,
    fps: Fraction,
    song: Song | None,
    crf: int | None,
    metadata: Mapping[str, str],
) -> Iterator[Callable[[np.ndarray], None]]:
    """Gives a function that adds a picture to the film at `partial`, which ends with the block."""
    kind = _KINDS[partial.suffix.lower()]
    options = {"fflags": "+bitexact", **kind.container_options}
    if kind.format == "mp4":
        options["movie_timescale"] = str(_movie_timescale(song, fps))
    with av.open(str(partial), "w", format=kind.format, options=options) as container:
        container.metadata.update(metadata)
        stream = container.add_stream(
            kind.video_codec,
            rate=fps,
            options={**kind.video_options, "crf": str(kind.crf if crf is None else crf)},
        )
        assert isinstance(stream, VideoStream)
        codec = stream.codec_context
        codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
        codec.time_base = 1 / fps
        codec.thread_count = _THREADS
        codec.color_primaries = codec.color_trc = codec.colorspace = _BT709
        codec.color_range = _LIMITED
        codec.flags |= Flags.bitexact
        track = (
            None
            if song is None
            else SongTrack(container, song, kind.audio_codec, kind.audio_bit_rate)
        )
        to_yuv = _bt709_converter(width, height)
        count = 0

        def write(picture_HW3: np.ndarray) -> None:
            nonlocal count
            frame = to_yuv(picture_HW3)
            frame.pts, frame.time_base = count, 1 / fps
            container.mux(stream.encode(frame))
            count += 1
            if track is not None:
                track.encode_until(count / fps)

        yield write
        container.mux(stream.encode(None))
        if track is not None:
            track.finish()


def _bt709_converter(width: int, height: int) -> Callable[[np.ndarray], av.VideoFrame]:
    """From height x width x 3 RGB to limited-range BT.709 Y'CbCr 4:2:0."""
    graph = Graph()
    graph.threads = 1
    source = graph.add(
        "buffer", video_size=f"{width}x{height}", pix_fmt="rgb24", time_base="1/1000"
    )
    scale = graph.add(
        "scale",
        out_color_matrix="bt709",
        out_range="limited",
        flags="bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact",
    )
    form = graph.add("format", "yuv420p")
    graph.link_nodes(source, scale, form, graph.add("buffersink")).configure()

    def convert(picture_HW3: np.ndarray) -> av.VideoFrame:
        graph.vpush(av.VideoFrame.from_ndarray(picture_HW3, format="rgb24"))
        frame = graph.vpull()
        frame.color_primaries = frame.color_trc = _BT709
        return frame

    return convert


def _movie_timescale(song: Song | None, fps: Fraction) -> int:
    """Ticks a second that hold both whole samples and whole frames, where 32 bits allow it.

    MP4's edit lists count in these: with the usual 1000 a second the sound's end would be rounded
    to a millisecond.
    """
    if song is None:
        return fps.numerator
    wanted = math.lcm(48_000, 44_100, fps.numerator)
    return wanted if wanted < 2**31 else 7_056_000
