"""GIFs: one palette of 255 colours made for the whole film, dithered, looped for ever."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from av.container import OutputContainer
from av.filter import Graph
from av.filter.context import FilterContext

from soundreel.media.encoding import EncodedPictures
from soundreel.media.film_format import FilmFormat
from soundreel.media.opening import open_media
from soundreel.progress import Listener, Step, silent
from soundreel.timeline import frame_time, nearest_sample

_TICKS_HZ = 100  # GIF counts in hundredths of a second
_LEAST_TICKS = 2  # browsers show a shorter delay as a tenth of a second
# What of each picture the palette is made from: enough for its colours, little to remember.
_SAMPLED_SIDE = 64
_SAMPLED_BITS = 6
_TICK = Fraction(1, _TICKS_HZ)


@contextmanager
def waiting_pictures(
    partial: Path, film_format: FilmFormat
) -> Iterator[Callable[[np.ndarray], None]]:
    """Gives a function that adds a picture to the lossless file at `partial` (Matroska)."""
    with av.open(str(partial), "w", format="matroska", options={"fflags": "+bitexact"}) as waiting:
        pictures = EncodedPictures(waiting, film_format)
        yield pictures.add
        pictures.finish()


@contextmanager
def gif_film(partial: Path, film_format: FilmFormat) -> Iterator[Callable[[np.ndarray], None]]:
    """Gives a function that adds a picture to the GIF at `partial`, which ends with the block.

    The pictures wait in a file beside it until all their colours are known, so memory does not
    grow with the film's length.
    """
    with tempfile.TemporaryDirectory(prefix=".gif-", dir=partial.parent) as folder:
        waiting = Path(folder) / "pictures.mkv"
        with waiting_pictures(waiting, film_format) as write:
            yield write
        write_gif(partial, [waiting], film_format.fps)


def write_gif(
    partial: Path, parts: Sequence[Path], fps: Fraction, progress: Listener = silent
) -> int:
    """Write the GIF of all pictures of some files; returns how many there were.

    parts: files of pictures, one every 1 / fps, that follow one another. They are read twice.
    A GIF holds no more than 50 pictures a second: what is beyond that is left out.
    """
    palette, count, last_tick = None, 0, 0
    for count, tick, picture in _shown(parts, fps):
        if tick is not None:
            if palette is None:
                palette = _PaletteMaker(picture.width, picture.height)
            palette.add(picture.to_ndarray(format="rgb24"))
            last_tick = tick
        progress(Step("colours", count, None, "frames"))
    assert palette is not None, "a GIF needs a picture"
    end_tick = nearest_sample(frame_time(count, fps), _TICKS_HZ)
    # What the last picture lasts is written by the muxer, which cannot see a next one.
    options = {"loop": "0", "final_delay": str(max(_LEAST_TICKS, end_tick - last_tick))}
    with av.open(str(partial), "w", format="gif", options=options) as film:
        painter: _Painter | None = None
        for done, tick, picture in _shown(parts, fps):
            if tick is not None:
                painter = painter or _Painter(film, palette.finish(), picture)
                picture.pts, picture.time_base = tick, _TICK
                painter.add(picture)
            progress(Step("join", done, count, "frames"))
        assert painter is not None
        painter.finish()
    return count


def _shown(parts: Sequence[Path], fps: Fraction) -> Iterator[tuple[int, int | None, av.VideoFrame]]:
    """(pictures so far, when this one is shown in ticks or None if it is left out, the picture)."""
    count, last_tick = 0, -_LEAST_TICKS
    for part in parts:
        with open_media(part) as waiting:
            waiting.streams.video[0].thread_type = "AUTO"
            for picture in waiting.decode(video=0):
                tick = nearest_sample(frame_time(count, fps), _TICKS_HZ)
                count += 1
                left_out = tick - last_tick < _LEAST_TICKS
                if not left_out:
                    last_tick = tick
                yield count, None if left_out else tick, picture


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


class _Painter:
    """Writes pictures in the palette's colours."""

    def __init__(self, film: OutputContainer, palette: av.VideoFrame, first: av.VideoFrame) -> None:
        self._film = film
        self._graph = Graph()
        self._source = _source(self._graph, first.width, first.height, first.format.name)
        palette_source = _source(self._graph, palette.width, palette.height, palette.format.name)
        painter = self._graph.add("paletteuse", dither="sierra2_4a", diff_mode="rectangle")
        self._source.link_to(painter, 0, 0)
        palette_source.link_to(painter, 0, 1)
        painter.link_to(self._graph.add("buffersink"))
        self._graph.configure()
        palette.pts, palette.time_base = 0, _TICK
        palette_source.push(palette)
        palette_source.push(None)
        self._stream = film.add_stream("gif", rate=_TICKS_HZ)
        self._stream.width, self._stream.height = first.width, first.height
        self._stream.pix_fmt = "pal8"
        self._stream.codec_context.time_base = _TICK

    def add(self, picture: av.VideoFrame | None) -> None:
        """Paint a picture, its time in ticks; None: write what is held back."""
        self._source.push(picture)
        while True:
            try:
                painted = self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            self._film.mux(self._stream.encode(painted))

    def finish(self) -> None:
        """Write what is held back."""
        self.add(None)
        self._film.mux(self._stream.encode(None))


def _source(graph: Graph, width: int, height: int, pixel_format: str) -> FilterContext:
    return graph.add(
        "buffer", video_size=f"{width}x{height}", pix_fmt=pixel_format, time_base="1/100"
    )
