"""From an RGB picture of any size to a frame as the encoder takes it, in one pass of swscale."""

from __future__ import annotations

import av
import numpy as np
from av.filter import Graph

_BT709 = 1  # primaries, transfer and matrix of ITU-T H.273 are all number 1
_RGB = ("rgb24", "bgr0")
_EXACT = "+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"


class PictureScaler:
    """Brings pictures to one size and pixel format; keeps what it sets up for each source size.

    width, height: of the frames it makes. pixel_format: `rgb24` or `bgr0`, or a Y'CbCr format,
    which becomes BT.709 of limited range. Another size is scaled by Lanczos; the picture's shape
    is not kept.
    """

    def __init__(self, width: int, height: int, pixel_format: str) -> None:
        self._width, self._height = width, height
        self._pixel_format = pixel_format
        self._graphs: dict[tuple[int, int], Graph] = {}

    def __call__(self, picture_HW3: np.ndarray) -> av.VideoFrame:
        """A picture of any size, height x width x 3, uint8 RGB, as a frame."""
        assert picture_HW3.shape[2:] == (3,), picture_HW3.shape
        assert picture_HW3.dtype == np.uint8, picture_HW3.dtype
        height, width = picture_HW3.shape[:2]
        if (width, height) not in self._graphs:
            self._graphs[width, height] = self._graph(width, height)
        graph = self._graphs[width, height]
        graph.vpush(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture_HW3), format="rgb24"))
        frame = graph.vpull()
        if self._pixel_format not in _RGB:
            frame.color_primaries = frame.color_trc = _BT709
        return frame

    def _graph(self, width: int, height: int) -> Graph:
        graph = Graph()
        graph.threads = 1
        source = graph.add(
            "buffer", video_size=f"{width}x{height}", pix_fmt="rgb24", time_base="1/1000"
        )
        same = (width, height) == (self._width, self._height)
        options = {} if same else {"w": str(self._width), "h": str(self._height)}
        if self._pixel_format not in _RGB:
            options |= {"out_color_matrix": "bt709", "out_range": "limited"}
        # At the same size only the colour planes shrink.
        scale = graph.add("scale", flags=("bicubic" if same else "lanczos") + _EXACT, **options)
        form = graph.add("format", self._pixel_format)
        graph.link_nodes(source, scale, form, graph.add("buffersink")).configure()
        return graph
