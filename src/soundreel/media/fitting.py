"""From a decoded frame to the RGB picture of the wanted size: crop, scale, colour, turn."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np
from av.filter import Graph

from soundreel.errors import SettingsError
from soundreel.media.orientation import Orientation, orientation_of
from soundreel.media.probe import pixel_aspect

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_MAX_SIDE = 8192
# AVColorSpace (ITU-T H.273, MatrixCoefficients) -> the scale filter's name.
_MATRICES = {
    1: "bt709",
    4: "fcc",
    5: "bt601",
    6: "bt601",
    7: "smpte240m",
    9: "bt2020",
    10: "bt2020",
}
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG


@dataclass(frozen=True)
class Fit:
    """How a film's picture becomes height x width x 3.

    method: `area` (averages what falls into a pixel), `lanczos`, or `floor-index`, which takes
    rows and columns at floor(linspace(0, n - 1, size)) of the decoded picture, as the paper did.
    aspect: None squashes the picture; width / height crops it about its middle to that shape
    first (in what is shown: after rotation and pixel shape).
    crop: shares of the shown picture (top, bottom, left, right) cut off before all else.
    """

    height: int
    width: int
    method: Literal["area", "floor-index", "lanczos"] = "area"
    aspect: Fraction | None = None
    crop: tuple[Fraction | float, Fraction | float, Fraction | float, Fraction | float] = (
        0,
        0,
        0,
        0,
    )

    def __post_init__(self) -> None:
        if not (1 <= self.height <= _MAX_SIDE and 1 <= self.width <= _MAX_SIDE):
            raise SettingsError(
                f"a picture of {self.width} x {self.height}: each side must be 1 to {_MAX_SIDE}"
            )
        if self.method not in ("area", "floor-index", "lanczos"):
            raise SettingsError(f"method {self.method!r}: choose area, lanczos or floor-index")
        if self.aspect is not None and not Fraction(1, 50) <= self.aspect <= 50:
            raise SettingsError(f"aspect {self.aspect}: width / height must be 1/50 to 50")
        top, bottom, left, right = self.crop
        if min(self.crop) < 0 or top + bottom >= 1 or left + right >= 1:
            raise SettingsError(f"crop {self.crop}: shares of at least 0 that leave some picture")


@dataclass(frozen=True)
class _Kind:
    """All of a frame that decides how it is converted."""

    width: int
    height: int
    format: str
    matrix: str | None
    full_range: bool
    sample_aspect: Fraction
    orientation: Orientation


class Fitter:
    """Converts frames, keeping what can be kept from one to the next of the same kind."""

    def __init__(self, fit: Fit, sample_aspect: Fraction | None) -> None:
        self._fit = fit
        self._sample_aspect = pixel_aspect(sample_aspect)
        self._kind: _Kind | None = None
        self._orientation = Orientation()
        self._graph = Graph()
        self._has_alpha = False

    def __call__(self, frame: VideoFrame) -> np.ndarray:
        """The picture, H x W x 3, uint8 RGB. Transparent parts are shown over black."""
        kind = _kind_of(frame, self._sample_aspect, self._orientation)
        if kind != self._kind:
            # Looked at only where a film begins or its pictures change their kind: PyAV's side
            # data and its frame hold each other, so that every frame that is asked for them stays
            # in memory until the garbage collector comes (200 MB of 720p).
            self._orientation = orientation_of(frame)
            kind = replace(kind, orientation=self._orientation)
            self._graph, self._has_alpha = _graph_for(frame, kind, self._fit)
            self._kind = kind
        self._graph.vpush(frame)
        picture_HWC = self._graph.vpull().to_ndarray()
        if self._has_alpha:
            alpha_HW1 = picture_HWC[..., 3:].astype(np.uint16)
            picture_HWC = ((picture_HWC[..., :3] * alpha_HW1 + 127) // 255).astype(np.uint8)
        picture_HW3 = kind.orientation.apply(picture_HWC)
        if self._fit.method == "floor-index":
            picture_HW3 = floor_index(picture_HW3, self._fit.height, self._fit.width)
        return np.ascontiguousarray(picture_HW3)


def floor_index(picture_HW3: np.ndarray, height: int, width: int) -> np.ndarray:
    """Rows and columns at floor(linspace(0, n - 1, size)): the paper's way to resize."""
    rows = np.floor(np.linspace(0, picture_HW3.shape[0] - 1, height)).astype(np.int64)
    columns = np.floor(np.linspace(0, picture_HW3.shape[1] - 1, width)).astype(np.int64)
    return picture_HW3[rows[:, None], columns]


def _kind_of(frame: VideoFrame, sample_aspect: Fraction, orientation: Orientation) -> _Kind:
    name = frame.format.name
    return _Kind(
        width=frame.width,
        height=frame.height,
        format=name,
        matrix=None if frame.format.is_rgb else _matrix(frame),
        full_range=frame.color_range == _FULL_RANGE or name.startswith("yuvj"),
        sample_aspect=sample_aspect,
        orientation=orientation,
    )


def _matrix(frame: VideoFrame) -> str:
    """The tagged colour matrix; untagged, by size as players do (mpv's rule)."""
    known = _MATRICES.get(int(frame.colorspace))
    return known or ("bt709" if frame.width >= 1280 or frame.height > 576 else "bt601")


def _graph_for(frame: VideoFrame, kind: _Kind, fit: Fit) -> tuple[Graph, bool]:
    left, top, width, height = _crop_of_stored(kind, fit)
    if fit.method == "floor-index":
        out_width, out_height = width, height
    else:
        out_width, out_height = fit.width, fit.height
        if kind.orientation.transposed:
            out_width, out_height = out_height, out_width
    has_alpha = any(component.is_alpha for component in frame.format.components)
    colours = (
        {}
        if kind.matrix is None
        else {
            "in_color_matrix": kind.matrix,
            "in_range": "full" if kind.full_range else "limited",
        }
    )
    graph = Graph()
    graph.threads = 1
    source = graph.add(
        "buffer",
        video_size=f"{frame.width}x{frame.height}",
        pix_fmt=frame.format.name,
        time_base="1/1000",
        colorspace=str(int(frame.colorspace)),
        range=str(int(frame.color_range)),
    )
    crop = graph.add("crop", f"{width}:{height}:{left}:{top}:exact=1")
    scale = graph.add(
        "scale",
        w=str(out_width),
        h=str(out_height),
        flags=_scaler(fit, (width, height), (out_width, out_height)) + "+accurate_rnd+bitexact",
        **colours,
    )
    form = graph.add("format", "rgba" if has_alpha else "rgb24")
    graph.link_nodes(source, crop, scale, form, graph.add("buffersink")).configure()
    return graph, has_alpha


def _scaler(fit: Fit, size: tuple[int, int], wanted: tuple[int, int]) -> str:
    if fit.method == "lanczos":
        return "lanczos+full_chroma_int"
    if fit.method == "floor-index":
        return "bicubic"  # nothing is scaled but the colour planes: OpenCV's reader does the same
    # Area averaging enlarges as steps; the triangle filter enlarges smoothly and, where a side
    # shrinks, widens to cover what falls into a pixel.
    enlarges = wanted[0] > size[0] or wanted[1] > size[1]
    return ("bilinear" if enlarges else "area") + "+full_chroma_int"


def _crop_of_stored(kind: _Kind, fit: Fit) -> tuple[int, int, int, int]:
    """(left, top, width, height) in stored pixels of what `fit` keeps of the shown picture."""
    top, bottom, left, right = (Fraction(share) for share in fit.crop)
    kept_w, kept_h = 1 - left - right, 1 - top - bottom
    if fit.aspect is not None:
        shape = kind.sample_aspect * kind.width / kind.height
        if kind.orientation.transposed:
            shape = 1 / shape
        now = shape * kept_w / kept_h
        if now > fit.aspect:
            narrower = kept_w * fit.aspect / now
            left, kept_w = left + (kept_w - narrower) / 2, narrower
        else:
            lower = kept_h * now / fit.aspect
            top, kept_h = top + (kept_h - lower) / 2, lower
    x, y, w, h = _turned_back(kind.orientation, left, top, kept_w, kept_h)
    stored_left, stored_width = _whole_pixels(x, w, kind.width)
    stored_top, stored_height = _whole_pixels(y, h, kind.height)
    return stored_left, stored_top, stored_width, stored_height


def _turned_back(
    orientation: Orientation, x: Fraction, y: Fraction, w: Fraction, h: Fraction
) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """A rectangle of the shown picture (in shares) as a rectangle of the stored one."""
    for _ in range(orientation.degrees // 90):  # undo one clockwise quarter turn
        x, y, w, h = y, 1 - x - w, h, w
    return (1 - x - w if orientation.mirrored else x), y, w, h


def _whole_pixels(start: Fraction, share: Fraction, count: int) -> tuple[int, int]:
    """(first, number) of whole pixels nearest to a share of `count`, at least one."""
    number = min(count, max(1, math.floor(share * count + Fraction(1, 2))))
    first = math.floor((start + share / 2) * count - Fraction(number, 2) + Fraction(1, 2))
    return min(max(0, first), count - number), number
