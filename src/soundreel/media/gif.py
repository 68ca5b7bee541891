"""GIFs: one palette of 255 colours made for the whole film, dithered, looped for ever."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from av.filter import Graph
from av.filter.context import FilterContext

from soundreel.timeline import frame_time, nearest_sample

_TICKS_HZ = 100  # GIF counts in hundredths of a second
_LEAST_TICKS = 2  # browsers show a shorter delay as a tenth of a second
# What of each picture the palette is made from: enough for its colours, little to remember.
_SAMPLED_SIDE = 64
_SAMPLED_BITS = 6
_TICK = Fraction(1, _TICKS_HZ)


@contextmanager
def gif_film(
    partial: Path, width: int, height: int, fps: Fraction
) -> Iterator[Callable[[np.ndarray], None]]:
    """Gives a function that adds a picture to the GIF at `partial`, which ends with the block.

    The pictures wait in a lossless file beside it until all their colours are known, so memory
    does not grow with the film's length.
    """
    with tempfile.TemporaryDirectory(prefix=".gif-", dir=partial.parent) as folder:
        spool = Path(folder) / "pictures.mkv"
        palette = _PaletteMaker(width, height)
        count, last_tick = 0, -_LEAST_TICKS
        with av.open(str(spool), "w", format="matroska") as waiting:
            stream = waiting.add_stream("ffv1", rate=_TICKS_HZ)
            stream.width, stream.height, stream.pix_fmt = width, height, "bgr0"
            stream.codec_context.time_base = _TICK

            def write(picture_HW3: np.ndarray) -> None:
                nonlocal count, last_tick
                tick = nearest_sample(frame_time(count, fps), _TICKS_HZ)
                count += 1
                if tick - last_tick < _LEAST_TICKS:
                    return
                last_tick = tick
                palette.add(picture_HW3)
                frame = av.VideoFrame.from_ndarray(picture_HW3, format="rgb24")
                frame = frame.reformat(format="bgr0")
                frame.pts, frame.time_base = tick, _TICK
                waiting.mux(stream.encode(frame))

            yield write
            waiting.mux(stream.encode(None))
        if count:
            end_tick = nearest_sample(frame_time(count, fps), _TICKS_HZ)
            _write_gif(partial, spool, palette.finish(), last_tick, end_tick)


class _PaletteMaker:
    """Collects colours and makes the palette of 255 that serves them best (median cut)."""

    def __init__(self, width: int, height: int) -> None:
        self._rows = _spread(height)
        self._columns = _spread(width)
        self._graph = Graph()
        source = _source(self._graph, len(self._columns), len(self._rows), "bgra")
        maker = self._graph.add("palettegen", stats_mode="full", reserve_transparent="1")
        self._graph.link_nodes(source, maker, self._graph.add("buffersink")).configure()
        self._count = 0

    def add(self, picture_HW3: np.ndarray) -> None:
        some_HW3 = picture_HW3[self._rows[:, None], self._columns]
        # Fewer distinct colours to remember; the lowest bits come back as the highest ones.
        some_HW3 = some_HW3 >> (8 - _SAMPLED_BITS)
        some_HW3 = some_HW3 << (8 - _SAMPLED_BITS) | some_HW3 >> (2 * _SAMPLED_BITS - 8)
        frame = av.VideoFrame.from_ndarray(some_HW3.astype(np.uint8), format="rgb24")
        frame = frame.reformat(format="bgra")
        frame.pts, frame.time_base = self._count, _TICK
        self._count += 1
        self._graph.vpush(frame)

    def finish(self) -> av.VideoFrame:
        """The palette, a picture of 16 x 16."""
        self._graph.vpush(None)
        return self._graph.vpull()


def _spread(count: int) -> np.ndarray:
    """Up to `_SAMPLED_SIDE` places, evenly over 0 .. count - 1."""
    return np.unique(np.linspace(0, count - 1, min(count, _SAMPLED_SIDE)).astype(np.int64))


def _write_gif(
    partial: Path, spool: Path, palette: av.VideoFrame, last_tick: int, end_tick: int
) -> None:
    with av.open(str(spool)) as waiting:
        pictures = waiting.decode(video=0)
        first = next(pictures)
        graph = Graph()
        picture_source = _source(graph, first.width, first.height, first.format.name)
        palette_source = _source(graph, palette.width, palette.height, palette.format.name)
        painter = graph.add("paletteuse", dither="sierra2_4a", diff_mode="rectangle")
        picture_source.link_to(painter, 0, 0)
        palette_source.link_to(painter, 0, 1)
        painter.link_to(graph.add("buffersink"))
        graph.configure()
        palette.pts, palette.time_base = 0, _TICK
        palette_source.push(palette)
        palette_source.push(None)
        # What the last picture lasts is written by the muxer, which cannot see a next one.
        options = {"loop": "0", "final_delay": str(max(_LEAST_TICKS, end_tick - last_tick))}
        with av.open(str(partial), "w", format="gif", options=options) as film:
            stream = film.add_stream("gif", rate=_TICKS_HZ)
            stream.width, stream.height, stream.pix_fmt = first.width, first.height, "pal8"
            stream.codec_context.time_base = _TICK
            for picture in itertools.chain([first], pictures, [None]):
                if picture is not None:
                    assert picture.pts is not None
                    assert picture.time_base is not None
                    picture.pts = nearest_sample(picture.pts * picture.time_base, _TICKS_HZ)
                    picture.time_base = _TICK
                picture_source.push(picture)
                for painted in _ready(graph):
                    film.mux(stream.encode(painted))
            film.mux(stream.encode(None))


def _ready(graph: Graph) -> Iterator[av.VideoFrame]:
    """The frames that a graph can give now."""
    while True:
        try:
            yield graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def _source(graph: Graph, width: int, height: int, pixel_format: str) -> FilterContext:
    return graph.add(
        "buffer", video_size=f"{width}x{height}", pix_fmt=pixel_format, time_base="1/100"
    )
